SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.now_ms() RETURNS bigint
    LANGUAGE sql STABLE
    AS $$ SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at bigint NOT NULL,
    caller text NOT NULL,
    role text,
    from_address text,
    action text NOT NULL,
    target text,
    outcome text NOT NULL,
    detail text,
    count bigint NOT NULL,
    number bigint NOT NULL
);
CREATE SEQUENCE public.audit_log_done
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER TABLE public.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.audit_log_refused
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.blobs (
    digest text NOT NULL,
    bytes bytea NOT NULL,
    created_at bigint NOT NULL
);
ALTER TABLE ONLY public.blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE public.build_logs (
    name text NOT NULL,
    function_id uuid,
    number bigint,
    ended_at bigint NOT NULL,
    lines text NOT NULL
);
CREATE TABLE public.deleted_functions (
    id uuid NOT NULL,
    deleted_at bigint NOT NULL
);
CREATE TABLE public.dependency_pieces (
    tree text NOT NULL,
    number bigint NOT NULL,
    created_at bigint NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY public.dependency_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE public.dependency_trees (
    tree text NOT NULL,
    key text NOT NULL,
    about text NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE public.functions (
    id uuid NOT NULL,
    name text NOT NULL,
    active_revision bigint NOT NULL,
    last_revision bigint NOT NULL,
    created_at bigint NOT NULL,
    reported_warm boolean DEFAULT false NOT NULL
);
CREATE TABLE public.instances (
    owner uuid NOT NULL,
    id uuid NOT NULL,
    manager uuid NOT NULL,
    function_id uuid NOT NULL,
    revision bigint NOT NULL,
    sandbox text NOT NULL,
    started_at bigint NOT NULL
);
CREATE TABLE public.invocations (
    id uuid NOT NULL,
    function_id uuid NOT NULL,
    function_name text NOT NULL,
    mode text NOT NULL,
    state text NOT NULL,
    dead_letter boolean DEFAULT false NOT NULL,
    reason text,
    attempt bigint DEFAULT 0 NOT NULL,
    owner uuid,
    claim uuid,
    attempt_revision bigint,
    attempts text DEFAULT ''::text NOT NULL,
    due_at bigint,
    message_at bigint,
    publications bigint DEFAULT 0 NOT NULL,
    accepted_at bigint NOT NULL,
    finished_at bigint,
    duration_ms double precision,
    start text,
    prewarmed boolean DEFAULT false NOT NULL,
    phases text DEFAULT '[]'::text NOT NULL,
    parent uuid,
    headers text,
    payload_type text,
    payload bytea,
    result_type text,
    result_size bigint,
    result bytea,
    cause text,
    failures bigint DEFAULT 0 NOT NULL,
    losses bigint DEFAULT 0 NOT NULL,
    payload_size integer GENERATED ALWAYS AS (octet_length(payload)) STORED,
    http text,
    CONSTRAINT invocations_mode_check CHECK ((mode = ANY (ARRAY['sync'::text, 'async'::text]))),
    CONSTRAINT invocations_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'retrying'::text, 'succeeded'::text, 'failed'::text, 'timed_out'::text, 'crashed'::text, 'cancelled'::text, 'expired'::text])))
);
ALTER TABLE ONLY public.invocations ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.invocations ALTER COLUMN result SET STORAGE EXTERNAL;
CREATE TABLE public.leases (
    owner uuid NOT NULL,
    manager uuid NOT NULL,
    expires_at bigint NOT NULL,
    renewals bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.logs (
    sequence bigint NOT NULL,
    ts bigint NOT NULL,
    function_name text NOT NULL,
    revision bigint NOT NULL,
    invocation_id uuid,
    attempt bigint,
    instance uuid NOT NULL,
    stream text NOT NULL,
    line text NOT NULL,
    kind text
);
ALTER TABLE public.logs ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.logs_sequence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.revisions (
    function_id uuid NOT NULL,
    number bigint NOT NULL,
    spec text NOT NULL,
    source text NOT NULL,
    bundle text,
    image text NOT NULL,
    created_at bigint NOT NULL,
    dependencies text
);
CREATE TABLE public.secrets (
    function text NOT NULL,
    name text NOT NULL,
    version uuid NOT NULL,
    key text NOT NULL,
    sealed bytea NOT NULL,
    set_by text NOT NULL,
    created_at bigint NOT NULL,
    set_at bigint NOT NULL
);
CREATE TABLE public.tokens (
    name text NOT NULL,
    digest text NOT NULL,
    old_digest text,
    old_until bigint,
    role text NOT NULL,
    functions text NOT NULL,
    rate_limit text,
    created_by text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint
);
CREATE TABLE public.totals (
    name text NOT NULL,
    value bigint NOT NULL
);
CREATE TABLE public.unusable (
    owner uuid NOT NULL,
    manager uuid NOT NULL,
    function_id uuid NOT NULL,
    reason text NOT NULL
);
COPY public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) FROM stdin;
1	init	2026-12-01 16:11:58.277372+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	25571351
2	log kind	2026-12-01 16:11:58.304108+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	4138413
3	reasons	2026-12-01 16:11:58.30847+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	2060313
4	growth	2026-12-01 16:11:58.310728+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	1878733
5	delivery	2026-12-01 16:11:58.312803+00	t	\\x68e123f0f29d9e10946315035deceb85b6771e1e48a59e9c42521ff4b8feece2b39a983b2f6203966a10dfc32ee1a6dd	1755921
6	backlog	2026-12-01 16:11:58.314785+00	t	\\x432d64cc02dd404bf30f898f81e03f38cdc0139bbdf85b46b3036323dab6f3cd5ddacebf98ea3b8b27e1d5a22e6716d4	3890184
7	dependencies	2026-12-01 16:11:58.31895+00	t	\\x7607a86825ee0cc2863188f564f1951cc43d08d72b8a15f4eac7e1c948c1133901ed796d543f0352aeb9d7b360078965	2811350
8	builds	2026-12-01 16:11:58.321948+00	t	\\x5292337c7520ae8c6aaa3fd2a2040a370130d174851339949f6e06ad24d97b4f51896bd0f4906134f697724a91c21c8c	2941674
9	http	2026-12-01 16:11:58.325294+00	t	\\xfa4ebf8ede2a966af24087ec5d82b6bfdcd552a0cf1933022800d4db7d1f4ba507a78685c214065d1f4bda1b135013e6	669416
10	access	2026-12-01 16:11:58.326048+00	t	\\xc828df9d6cef8dae11a2c0e53588f211d0c0e3aff95c66b7e180a910470cd636711de8c154594f64161d68bcc9f0563d	5982916
\.
COPY public.audit_log (id, at, caller, role, from_address, action, target, outcome, detail, count, number) FROM stdin;
1	1796141519158	token file of vm	admin	127.0.0.1	deploy	steps	done	revision 1	1	1
2	1796141519237	token file of vm	admin	127.0.0.1	deploy	steps	done	revision 2	1	2
3	1796141519293	token file of vm	admin	127.0.0.1	deploy	steps	done	revision 3	1	3
4	1796141519355	token file of vm	admin	127.0.0.1	deploy	narrow	done	revision 1	1	4
5	1796141519435	token file of vm	admin	127.0.0.1	deploy	limited	done	revision 1	1	5
6	1796141519515	token file of vm	admin	127.0.0.1	deploy	doomed	done	revision 1	1	6
7	1796141519594	token file of vm	admin	127.0.0.1	deploy	big	done	revision 1	1	7
8	1796141519669	token file of vm	admin	127.0.0.1	deploy	unstartable	done	revision 1	1	8
9	1796141521384	token file of vm	admin	127.0.0.1	deploy	packaged	done	revision 1	1	9
10	1796141521409	token file of vm	admin	127.0.0.1	activate	steps	done	revision 2	1	10
11	1796141521418	internal	admin	\N	report-warm	limited	done	is_warm: true	1	11
12	1796141536513	token file of vm	admin	127.0.0.1	delete	doomed	done	8 waiting invocations cancelled	1	12
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1796141519105
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1796141519198
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1796141519263
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1796141519319
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1796141519391
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1796141519549
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1796141519628
a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	\\x1f8b08000000000000ffed96cd8adb3010807df6530ceac5a1a9717e1742f7d07673c8a15d48cb5e9665d1da93448d2cb9929c1f4adfbd633be9863850282487c6df41c8e399d18ca4193b963a4f66b98a43a753e99d858818f6fb27e525ddceeb3c8a8af94daf33f022ef02e4d67103e05d2929a6da6ce116d8b0ff597c64bed7704d14a5ef845661b6f5cec55feabfd31fdc1cd7ff7038e835f57f01449a69e3c060ac4d82c973c6e3259fa3cf18fbb640d85f0f700bee68c03f9a9049ee66daa4164cae4298380bb842e5c0f2ad85855e83d46a0e82ccf8122d7095945212a04a6c482bf8fe6e796df7332752f4fde9f861f27572ff85fa52c7f7fd0467b0207b892628d7688d7c203223940b98e18ab5abc51f99d34b54eca90dcce04a588a9ddeedfdb54ab337f001d65cca77b1d4f112529d92e508d6458aa24c07f89c0b1a670ecd41d682f24934e5a2b4230fc285a5bff542482c230f8b2168c1fb2a9a708e145eae9c901444b48bbaa054b612310ba2301a547115bb737b684902b263df2d2551a98859a545fdda706191bdba2c9fe181cb1cc7c6681330a5c16960f0f6686f6aae7023dc81276dc3e74214f46a9a740a7376328dde308a6aea0e37878e0dbadc28a8e23811d8b1f9cbd6a1addb97e2e0316a4377306843277a6ad55c85a8629dd059f807863f776f47f5cbb2e246f017491b5aa48f6a250c35c5f214a6e34ff7d3bbf11d6bfdfaffbe8e067fe4c260510136741be79d817ff9ffbbe9769bfe7f016a8ddf6b68686868b8067e03d17c080b00120000	1796141519702
\.
COPY public.build_logs (name, function_id, number, ended_at, lines) FROM stdin;
steps	01a23260-911b-71f2-bb7f-f40ea4a95914	1	1796141519163	[{"ts":"2026-12-01T16:11:59.099Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.126Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.161Z","line":"deployed revision 1"}]
steps	01a23260-911b-71f2-bb7f-f40ea4a95914	2	1796141519238	[{"ts":"2026-12-01T16:11:59.197Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.218Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.238Z","line":"deployed revision 2"}]
steps	01a23260-911b-71f2-bb7f-f40ea4a95914	3	1796141519295	[{"ts":"2026-12-01T16:11:59.263Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.278Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.294Z","line":"deployed revision 3"}]
narrow	01a23260-91ea-733b-805b-25e5ca728501	1	1796141519366	[{"ts":"2026-12-01T16:11:59.318Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.334Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.356Z","line":"deployed revision 1"}]
limited	01a23260-9235-765f-9cb3-a5a5ed238d83	1	1796141519444	[{"ts":"2026-12-01T16:11:59.390Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.410Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.440Z","line":"deployed revision 1"}]
big	01a23260-92d9-74d4-a337-26c95994ec2c	1	1796141519601	[{"ts":"2026-12-01T16:11:59.548Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.568Z","line":"unpacking the source"},{"ts":"2026-12-01T16:11:59.600Z","line":"deployed revision 1"}]
unstartable	01a23260-931f-7175-8b69-b68c2b449035	1	1796141519673	[{"ts":"2026-12-01T16:11:59.627Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.672Z","line":"deployed revision 1"}]
packaged	01a23260-99d6-719d-a06a-b4e7db84d829	1	1796141521386	[{"ts":"2026-12-01T16:11:59.701Z","line":"storing the source"},{"ts":"2026-12-01T16:11:59.716Z","line":"unpacking the source"},{"ts":"2026-12-01T16:12:00.160Z","line":"installing the packages of requirements.txt with pip 23.2.1"},{"ts":"2026-12-01T16:12:00.691Z","line":"Looking in links: /var/tmp/cfud6c8ivt3/wheels"},{"ts":"2026-12-01T16:12:00.706Z","line":"Processing /var/tmp/cfud6c8ivt3/wheels/recorded_package-1.0-py3-none-any.whl (from -r requirements.txt (line 1))"},{"ts":"2026-12-01T16:12:01.116Z","line":"Installing collected packages: recorded_package"},{"ts":"2026-12-01T16:12:01.121Z","line":"Successfully installed recorded_package-1.0"},{"ts":"2026-12-01T16:12:01.272Z","line":"compiling the packages"},{"ts":"2026-12-01T16:12:01.348Z","line":"storing the packages"},{"ts":"2026-12-01T16:12:01.359Z","line":"packages installed: recorded_package 1.0 (6 files, 492 B)"},{"ts":"2026-12-01T16:12:01.385Z","line":"deployed revision 1"}]
\.
COPY public.deleted_functions (id, deleted_at) FROM stdin;
01a23260-9290-70ad-8dd6-caaae1c18a7c	1796141536507
\.
COPY public.dependency_pieces (tree, number, created_at, bytes) FROM stdin;
206d538f9baa38749f95d9afb97f00166c81e7208ec84ca685c42677509bdea5	0	1796141521354	\\x1f8b08000000000004ffed57cd4edb4010deb4558552d1de7af615298ed7bf0951a99412f313419a3886200e448bbd495c886df907144e7d8b3e42d5a7e86b543df4d217a8c48d53c709a15208313424a2c5e3b1355acfee8c67e6db1d379b6ecf204687369b9c470dc733a9d974897144da346bb8bda0e3d8acc8f35950437f49184891a46bb361b8cfa2a4a0be307880cc4b8a20218ce640a11f108f61e660e9419af8bcb8987e0a9e5907afcb5f7f1c9cff04f98a5397d2791a844fc844fbc84cd5d1d213bdb294fabea0a9abefb5925afa82cee13dbab0b913e27141d7e58c56682a46de3a0944ce87aab24dceb221d0b6417d0ef344100505b3cba222b3396c286c9e8802cb1f4a8ad432b02c2f53ce0903370cb8cb4af4afd7a6dbbb5878d375ccf098bef59e83fdc859ff2508bf9ea652a96f2f5e7d5c882eef190c257c53044631cff2599c352d3f602dbbe5709b95ba5edcda52b59be6df663c82f524fc630c588f940677847f5194314af08f664eaee546e09eb99dc4c0c38c400cfeb755bd582aeac5a99cc74013f19f1300f3a03460907951c0186134077ae4e7ff360d884902c2ee52cfb71cbbc008593e5d215d5a60466b237da5038744b26bcca138676f6234c723e7bfd66ff1a67403034dc2bf2cf08079501a30c8bc90cbc928c13f9a39c5e4ffaaffcbf81d22c8caca591886543ab29d5e99dd39ad56f7daf9163dabe77657bdbd72cd2b567367b4129e9eacd5da1969311db3fcf078c96462550795782bc5da8e5ad7d5d2d0652957526bee87fcc6bb3a619bfa66b7c1cae5551ad6a876d4952bdb6eb9b1bf2e76eae1da4e06c7fad1d850d5ad716ec01f72343cf38cddaf81980469ea6530a7b11ac17a12fee13d601e9e0306994ffaff69027e87b931f9ef57fb1d961bab1aa57552fe791ef6fa48697047f917144540c9fe8f664e8d0ea5c77f9abfa8b15ba736f548e078c30e30ad394ec06efa6c35f4e8b1755860022fa4699db40b8cdb1359dbb1294bec5ed212a27f8e46f10fa7d8bd7f4304eb49f8c70206cce32181cc6341869ef0de3d19b3e023ffffd3fa0dbe5a6256183d02f5980825434904920824114822f01f46e0372fa9021d001e0000
\.
COPY public.dependency_trees (tree, key, about, created_at) FROM stdin;
206d538f9baa38749f95d9afb97f00166c81e7208ec84ca685c42677509bdea5	f398866db24c769d8907228785e23370286274e1fcffeca761713de54e96f316	{"key":"f398866db24c769d8907228785e23370286274e1fcffeca761713de54e96f316","tree":"206d538f9baa38749f95d9afb97f00166c81e7208ec84ca685c42677509bdea5","language":"python","target":{"interpreter":"cpython 3.11","abi":"cpython-311-x86_64-linux-gnu","architecture":"x86_64","c_library":"glibc 2.36"},"packages":[{"name":"recorded_package","version":"1.0"}],"files":6,"bytes":492,"pieces":1}	1796141521355
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a23260-91ea-733b-805b-25e5ca728501	narrow	1	1	1796141519339	f
01a23260-92d9-74d4-a337-26c95994ec2c	big	1	1	1796141519577	f
01a23260-931f-7175-8b69-b68c2b449035	unstartable	1	1	1796141519649	f
01a23260-99d6-719d-a06a-b4e7db84d829	packaged	1	1	1796141521366	f
01a23260-911b-71f2-bb7f-f40ea4a95914	steps	2	3	1796141519133	f
01a23260-9235-765f-9cb3-a5a5ed238d83	limited	1	1	1796141519415	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-d384-7189-8568-d88cba38f359	01a23260-900e-77d4-a3ca-540bdf028407	01a23260-911b-71f2-bb7f-f40ea4a95914	2	8206	1796141536269
01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-d385-73b8-848f-3132f6585560	01a23260-900e-77d4-a3ca-540bdf028407	01a23260-911b-71f2-bb7f-f40ea4a95914	2	8207	1796141536270
01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-e083-7427-8acb-b2fa581b8f18	01a23260-900e-77d4-a3ca-540bdf028407	01a23260-91ea-733b-805b-25e5ca728501	1	8219	1796141539509
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures, losses, http) FROM stdin;
01a23260-9a5a-7166-8290-cf118eca1708	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	1	\N	01a23260-9a6e-73e0-a30d-d5a69648d63f	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521500	1796141521534	34	warm	f	[["queue",0,27278],["run",27278,681]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0	\N
01a23260-9ab0-72b8-b844-e985deafcfd9	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	1	\N	01a23260-9ab8-77e3-b9f3-a92d7a0fc937	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521584	1796141521599	15	warm	f	[["queue",0,9497],["run",9497,1417]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0	0	\N
01a23260-9a0d-7455-a2f4-c5e2482d8975	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521421	1796141521495	73.095532	cold	f	[["admit",0,5762],["queue",5762,3629],["start",9391,58989],["load",68381,1921],["run",70607,2429]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0	\N
01a23260-9aa9-7261-a9db-93272f0bc507	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521577	1796141521581	4.215578	warm	f	[["admit",0,2723],["queue",2723,602],["run",3325,792]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0	0	\N
01a23260-9afe-750f-8dfe-e476dfdc6931	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	1	\N	01a23260-9b07-76ea-9693-e7200f3612e3	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521663	1796141521677	14	warm	f	[["queue",0,11465],["run",11465,497]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0	0	\N
01a23260-9b53-7315-bee0-c6f10ab415b3	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	failed	f	\N	1	\N	01a23260-9b58-73dc-a5d8-1f2e7f0021db	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfud6c8ivt3/second/instances/01a23260-9a14-726c-b71b-a4c815121734/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1796141521747	1796141521758	11	warm	f	[["queue",0,6940],["run",6940,2028]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1	0	\N
01a23260-9af6-754c-af58-7cf95339131f	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141521655	1796141521660	4.864502	warm	f	[["admit",0,2164],["queue",2164,2063],["run",4227,526]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0	0	\N
01a23260-9b9f-74f6-acaa-b110f75f099a	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	crashed	f	\N	1	\N	01a23260-9bea-751b-abc5-1cc19d8a2500	\N	{"number":1,"revision":2,"instance":"01a23260-9baa-743d-9ece-2e71ff389f39","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796141521825	1796141521909	84	cold	f	[["queue",0,8769],["start",8769,62556],["load",71324,1882],["run",74600,4264]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1	0	\N
01a23260-9e5f-7540-bb7a-1119e2bffa7d	01a23260-9235-765f-9cb3-a5a5ed238d83	limited	async	timed_out	f	\N	1	\N	01a23260-9ea5-71d5-b94b-58b9541b0a7f	\N	{"number":1,"revision":1,"instance":"01a23260-9e65-7731-a545-7d2f2b1641b0","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796141522528	1796141523103	575	cold	f	[["queue",0,5031],["start",5031,60230],["load",65260,2535],["run",70418,501435]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1	0	\N
01a23260-a0e0-775c-abdf-f3ac49e8965f	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	1	\N	01a23260-a139-7729-8141-6a56ae201f48	\N	{"number":1,"revision":2,"instance":"01a23260-a0e6-73a3-8d80-142d414041df","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141523169	1796141523292	123	warm	f	[["queue",0,111826],["run",111826,1134]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0	0	\N
01a23260-a29f-738a-a5e8-92269bcb243a	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	2	\N	01a23260-d40d-732a-9305-7f07f0055e62	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a23260-d384-7189-8568-d88cba38f359","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141523616	1796141536288	12672	cold	f	[["queue",0,12516308],["start",12516308,134128],["load",12650436,2359],["run",12664462,1433]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313533312e363133393530372c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0	1	\N
01a23260-9b40-72f3-9ccf-1a778032d68a	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfud6c8ivt3/second/instances/01a23260-9a14-726c-b71b-a4c815121734/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1796141521729	1796141521744	15.238567	warm	f	[["admit",0,3744],["queue",3744,3396],["run",7140,7956]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a23260-9b95-7534-862a-d989ade8ca18	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-9a14-726c-b71b-a4c815121734","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796141521814	1796141521821	6.928672000000001	warm	f	[["admit",0,1795],["queue",1795,2157],["run",3952,2895]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a23260-9c21-7573-9ccb-ce90cbfa75c7	01a23260-9235-765f-9cb3-a5a5ed238d83	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a23260-9c2f-72bc-af26-09f7133fc81f","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796141521956	1796141522523	566.292108	cold	f	[["admit",0,9731],["queue",9731,3886],["start",13617,46096],["load",59713,1986],["run",63814,502240]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a23260-a0c9-7547-a133-c01bce03048a	01a23260-931f-7175-8b69-b68c2b449035	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1796141523146	1796141523164	18.628383	\N	f	[["admit",0,4573],["queue",4573,14039]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting; an image that does not speak the runtime protocol needs `interface = "http"`, "command" or "lambda" in cloudfunc.toml	0	0	\N
01a23260-a13f-73f5-883e-3e0a5c06ff5e	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	succeeded	f	\N	1	\N	01a23260-a158-719e-a18b-b94f8d4ef32d	\N	{"number":1,"revision":2,"instance":"01a23260-a0e6-73a3-8d80-142d414041df","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141523264	1796141523300	36	warm	f	[["queue",0,25583],["run",25583,1366]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:39977","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0	0	\N
01a23260-a0e7-70e7-9ae2-e189561973ad	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a23260-a0e6-73a3-8d80-142d414041df","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141523176	1796141523260	83.50186099999999	cold	f	[["admit",0,16343],["queue",16343,10731],["start",27074,49928],["load",77002,4484],["run",82711,700]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0	0	\N
01a23260-a2ea-71cf-924d-1dbd73e51b49	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1796141523691	1796141535834	12142.782859	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a23260-e0fd-7108-88b2-46e1f0798606	01a23260-91ea-733b-805b-25e5ca728501	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1796141539582	1796141541586	2003.894006	\N	f	[["admit",0,2017],["queue",2017,2001858]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a23260-d4cb-72b4-a949-cfb33fabce3f	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536461	1796141536509	48	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0	0	\N
01a23260-d4d8-707a-825d-087422a85a50	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536473	1796141536509	36	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0	0	\N
01a23260-d4e6-72f3-801b-688b999a3d0f	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536487	1796141536509	22	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0	0	\N
01a23260-d4f0-721d-811d-334af7818e65	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536497	1796141536509	12	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0	0	\N
01a23260-d478-7210-b69d-492ee3eb46a8	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	succeeded	f	\N	1	\N	01a23260-d487-7174-8664-398e83599850	\N	{"number":1,"revision":1,"instance":"01a23260-d437-7046-98e8-c2606cc5106a","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141536378	1796141539413	3035	warm	f	[["queue",0,14254],["run",14254,3015592]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313533392e333735343836312c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0	0	\N
01a23260-e8fe-7794-91a6-5b621a72f3eb	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	running	f	\N	1	01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-e906-749d-a04e-e2e3de430f27	2		\N	0	0	1796141541632	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"50","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313639312e3632393936382c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0	0	\N
01a23260-e8d5-7021-81f5-7f5440108193	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541589	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0	0	\N
01a23260-e8de-7592-acc8-9fb1b596aa44	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541599	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0	0	\N
01a23260-d4d3-7345-a43b-939d25a2d084	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536467	1796141536509	42	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0	0	\N
01a23260-d4dd-7333-8528-f46988d35a9f	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536480	1796141536509	29	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0	0	\N
01a23260-d4ec-7117-a731-196ded04ac3a	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536493	1796141536509	16	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0	0	\N
01a23260-e079-7672-baa1-6369dff59969	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	running	f	\N	1	01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-e0b6-73c9-8ec9-dd46f6c91daa	1		\N	0	0	1796141539450	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313638392e343438353233382c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0	0	\N
01a23260-e946-7496-8b74-669cb3af737e	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	running	f	\N	1	01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-e94b-7683-b571-8c92af33a065	2		\N	0	0	1796141541703	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"50","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313639312e3730323036342c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0	0	\N
01a23260-e996-7015-97dc-ce04600ce3d3	01a23260-931f-7175-8b69-b68c2b449035	unstartable	async	retrying	f	\N	1	\N	01a23260-e9a1-769f-94ca-2547fdc2bc6d	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting; an image that does not speak the runtime protocol needs `interface = \\"http\\"`, \\"command\\" or \\"lambda\\" in cloudfunc.toml"}}\n	1796141542798	1796141542798	0	1796141541783	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0	1	\N
01a23260-e8d9-77ae-b8ca-b05f8b7bb8c4	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541594	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0	0	\N
01a23260-e8e3-715a-a183-cc6169efe165	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541604	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0	0	\N
01a23260-e8ee-7212-a934-10cf0285c924	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541615	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0	0	\N
01a23260-e8f8-7792-8033-cf74cc5fb124	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541624	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0	0	\N
01a23260-ea5f-7119-8e6f-9a674e5399b2	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	running	f	\N	1	01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-eaa6-7120-ab2a-c8f451221612	2		\N	0	0	1796141541984	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"70","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313536362e3938323530312c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0	0	\N
01a23260-d431-7646-96f3-1e44d4cb3176	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a23260-d437-7046-98e8-c2606cc5106a","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796141536306	1796141536373	66.965558	cold	f	[["admit",0,4479],["queue",4479,4596],["start",9075,53301],["load",62376,1989],["run",65909,944]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0	0	\N
01a23260-d4c5-72c3-bca0-0c910a729530	01a23260-9290-70ad-8dd6-caaae1c18a7c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796141536453	1796141536509	56	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	\N	\N	\N	\N	0	0	\N
01a23260-e8e8-753e-8799-edfde85cc44f	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541609	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0	0	\N
01a23260-e8f3-7446-ab62-7158324aa79e	01a23260-91ea-733b-805b-25e5ca728501	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541619	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0	0	\N
01a23260-e98d-7388-978f-140093f32bc8	01a23260-92d9-74d4-a337-26c95994ec2c	big	async	queued	f	\N	0	\N	\N	\N		\N	1796163141847	1	1796141541774	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0	0	\N
01a23260-e9d8-771a-86fd-4c9c417d64b8	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	running	f	\N	1	01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-ea2a-7217-bdaf-c7b360f08072	2		\N	0	0	1796141541849	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363134313536362e383437363437342c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0	0	\N
01a23260-ec99-7106-94a5-6d256eb6870e	01a23260-911b-71f2-bb7f-f40ea4a95914	steps	async	queued	f	\N	0	\N	\N	\N		\N	1796141543557	0	1796141542554	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:35557","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0	0	\N
\.
COPY public.leases (owner, manager, expires_at, renewals) FROM stdin;
01a23260-d2ff-7399-a41b-45d77142a5ac	01a23260-900e-77d4-a3ca-540bdf028407	1796141576040	11
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1796141521492	steps	2	01a23260-9a0d-7455-a2f4-c5e2482d8975	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran sync-json revision 2	\N
2	1796141521528	steps	2	01a23260-9a5a-7166-8290-cf118eca1708	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran async-json revision 2	\N
3	1796141521580	steps	2	01a23260-9aa9-7261-a9db-93272f0bc507	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran sync-text revision 2	\N
4	1796141521595	steps	2	01a23260-9ab0-72b8-b844-e985deafcfd9	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran async-text revision 2	\N
5	1796141521658	steps	2	01a23260-9af6-754c-af58-7cf95339131f	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran sync-bytes revision 2	\N
6	1796141521674	steps	2	01a23260-9afe-750f-8dfe-e476dfdc6931	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran async-bytes revision 2	\N
7	1796141521735	steps	2	01a23260-9b40-72f3-9ccf-1a778032d68a	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran sync-raise revision 2	\N
8	1796141521741	steps	2	01a23260-9b40-72f3-9ccf-1a778032d68a	1	01a23260-9a14-726c-b71b-a4c815121734	platform	Traceback (most recent call last):	error
9	1796141521741	steps	2	01a23260-9b40-72f3-9ccf-1a778032d68a	1	01a23260-9a14-726c-b71b-a4c815121734	platform	  File "/var/tmp/cfud6c8ivt3/second/instances/01a23260-9a14-726c-b71b-a4c815121734/task/function.py", line 16, in handler	error
10	1796141521741	steps	2	01a23260-9b40-72f3-9ccf-1a778032d68a	1	01a23260-9a14-726c-b71b-a4c815121734	platform	    raise ValueError("no to " + event["token"])	error
11	1796141521741	steps	2	01a23260-9b40-72f3-9ccf-1a778032d68a	1	01a23260-9a14-726c-b71b-a4c815121734	platform	ValueError: no to sync-raise	error
12	1796141521756	steps	2	01a23260-9b53-7315-bee0-c6f10ab415b3	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran async-raise revision 2	\N
13	1796141521756	steps	2	01a23260-9b53-7315-bee0-c6f10ab415b3	1	01a23260-9a14-726c-b71b-a4c815121734	platform	Traceback (most recent call last):	error
14	1796141521756	steps	2	01a23260-9b53-7315-bee0-c6f10ab415b3	1	01a23260-9a14-726c-b71b-a4c815121734	platform	  File "/var/tmp/cfud6c8ivt3/second/instances/01a23260-9a14-726c-b71b-a4c815121734/task/function.py", line 16, in handler	error
15	1796141521756	steps	2	01a23260-9b53-7315-bee0-c6f10ab415b3	1	01a23260-9a14-726c-b71b-a4c815121734	platform	    raise ValueError("no to " + event["token"])	error
16	1796141521756	steps	2	01a23260-9b53-7315-bee0-c6f10ab415b3	1	01a23260-9a14-726c-b71b-a4c815121734	platform	ValueError: no to async-raise	error
17	1796141521817	steps	2	01a23260-9b95-7534-862a-d989ade8ca18	1	01a23260-9a14-726c-b71b-a4c815121734	stdout	ran sync-exit revision 2	\N
18	1796141521819	steps	2	01a23260-9b95-7534-862a-d989ade8ca18	1	01a23260-9a14-726c-b71b-a4c815121734	platform	exit: the function's process exited with code 3	error
19	1796141521901	steps	2	01a23260-9b9f-74f6-acaa-b110f75f099a	1	01a23260-9baa-743d-9ece-2e71ff389f39	stdout	ran async-exit revision 2	\N
20	1796141521904	steps	2	01a23260-9b9f-74f6-acaa-b110f75f099a	1	01a23260-9baa-743d-9ece-2e71ff389f39	platform	exit: the function's process exited with code 3	error
21	1796141522018	limited	1	01a23260-9c21-7573-9ccb-ce90cbfa75c7	1	01a23260-9c2f-72bc-af26-09f7133fc81f	stdout	ran sync-hang revision 1	\N
22	1796141522520	limited	1	01a23260-9c21-7573-9ccb-ce90cbfa75c7	1	01a23260-9c2f-72bc-af26-09f7133fc81f	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1796141522600	limited	1	01a23260-9e5f-7540-bb7a-1119e2bffa7d	1	01a23260-9e65-7731-a545-7d2f2b1641b0	stdout	ran async-hang revision 1	\N
24	1796141523100	limited	1	01a23260-9e5f-7540-bb7a-1119e2bffa7d	1	01a23260-9e65-7731-a545-7d2f2b1641b0	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1796141523251	steps	2	01a23260-a0e7-70e7-9ae2-e189561973ad	1	01a23260-a0e6-73a3-8d80-142d414041df	stdout	ran second-host-sync revision 2	\N
26	1796141523282	steps	2	01a23260-a0e0-775c-abdf-f3ac49e8965f	1	01a23260-a0e6-73a3-8d80-142d414041df	stdout	ran classic revision 2	\N
27	1796141523291	steps	2	01a23260-a13f-73f5-883e-3e0a5c06ff5e	1	01a23260-a0e6-73a3-8d80-142d414041df	stdout	ran second-host revision 2	\N
28	1796141523622	steps	2	01a23260-a29f-738a-a5e8-92269bcb243a	1	01a23260-a0e6-73a3-8d80-142d414041df	stdout	ran lost revision 2	\N
29	1796141523694	steps	2	01a23260-a2ea-71cf-924d-1dbd73e51b49	1	01a23260-a0fc-75f5-ba70-93ca9f74de6f	stdout	ran interrupted revision 2	\N
30	1796141536282	steps	2	01a23260-a29f-738a-a5e8-92269bcb243a	2	01a23260-d384-7189-8568-d88cba38f359	stdout	ran lost revision 2	\N
33	1796141539512	narrow	1	01a23260-e079-7672-baa1-6369dff59969	1	01a23260-e083-7427-8acb-b2fa581b8f18	stdout	ran running-narrow revision 1	\N
34	1796141541641	steps	2	01a23260-e8fe-7794-91a6-5b621a72f3eb	1	01a23260-d384-7189-8568-d88cba38f359	stdout	ran running-0 revision 2	\N
35	1796141541710	steps	2	01a23260-e946-7496-8b74-669cb3af737e	1	01a23260-d385-73b8-848f-3132f6585560	stdout	ran running-1 revision 2	\N
36	1796141541931	steps	2	01a23260-e9d8-771a-86fd-4c9c417d64b8	1	01a23260-e9de-762b-b7b1-c40d0e66371e	stdout	ran outcome-json revision 2	\N
37	1796141542055	steps	2	01a23260-ea5f-7119-8e6f-9a674e5399b2	1	01a23260-ea64-737b-a1be-ceb08a69fadf	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at, dependencies) FROM stdin;
01a23260-911b-71f2-bb7f-f40ea4a95914	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1796141519133	\N
01a23260-911b-71f2-bb7f-f40ea4a95914	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1796141519223	\N
01a23260-911b-71f2-bb7f-f40ea4a95914	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1796141519284	\N
01a23260-91ea-733b-805b-25e5ca728501	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1796141519339	\N
01a23260-9235-765f-9cb3-a5a5ed238d83	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1796141519415	\N
01a23260-92d9-74d4-a337-26c95994ec2c	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1796141519577	\N
01a23260-931f-7175-8b69-b68c2b449035	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1796141519649	\N
01a23260-99d6-719d-a06a-b4e7db84d829	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	python	1796141521366	206d538f9baa38749f95d9afb97f00166c81e7208ec84ca685c42677509bdea5
\.
COPY public.secrets (function, name, version, key, sealed, set_by, created_at, set_at) FROM stdin;
\.
COPY public.tokens (name, digest, old_digest, old_until, role, functions, rate_limit, created_by, created_at, expires_at, last_used_at) FROM stdin;
\.
COPY public.totals (name, value) FROM stdin;
pruned	0
accepted	34
\.
COPY public.unusable (owner, manager, function_id, reason) FROM stdin;
\.
SELECT pg_catalog.setval('public.audit_log_done', 12, true);
SELECT pg_catalog.setval('public.audit_log_id_seq', 12, true);
SELECT pg_catalog.setval('public.audit_log_refused', 1, false);
SELECT pg_catalog.setval('public.logs_sequence_seq', 37, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.deleted_functions
    ADD CONSTRAINT deleted_functions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dependency_pieces
    ADD CONSTRAINT dependency_pieces_pkey PRIMARY KEY (tree, number);
ALTER TABLE ONLY public.dependency_trees
    ADD CONSTRAINT dependency_trees_key_key UNIQUE (key);
ALTER TABLE ONLY public.dependency_trees
    ADD CONSTRAINT dependency_trees_pkey PRIMARY KEY (tree);
ALTER TABLE ONLY public.functions
    ADD CONSTRAINT functions_name_key UNIQUE (name);
ALTER TABLE ONLY public.functions
    ADD CONSTRAINT functions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instances
    ADD CONSTRAINT instances_pkey PRIMARY KEY (owner, id);
ALTER TABLE ONLY public.invocations
    ADD CONSTRAINT invocations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY public.logs
    ADD CONSTRAINT logs_pkey PRIMARY KEY (sequence);
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_pkey PRIMARY KEY (function_id, number);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (function, name);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.unusable
    ADD CONSTRAINT unusable_pkey PRIMARY KEY (owner, function_id);
CREATE INDEX audit_log_action ON public.audit_log USING btree (action, id);
CREATE INDEX audit_log_at ON public.audit_log USING btree (at);
CREATE INDEX audit_log_caller ON public.audit_log USING btree (caller, id);
CREATE INDEX audit_log_number ON public.audit_log USING btree (outcome, number);
CREATE INDEX audit_log_outcome ON public.audit_log USING btree (outcome, id);
CREATE INDEX audit_log_target ON public.audit_log USING btree (target, id);
CREATE UNIQUE INDEX build_logs_failed ON public.build_logs USING btree (name) WHERE (number IS NULL);
CREATE INDEX build_logs_name ON public.build_logs USING btree (name, ended_at);
CREATE UNIQUE INDEX build_logs_revision ON public.build_logs USING btree (function_id, number);
CREATE INDEX instances_by_function ON public.instances USING btree (function_id);
CREATE INDEX invocations_by_function_and_state ON public.invocations USING btree (function_name, state, id);
CREATE INDEX invocations_by_state ON public.invocations USING btree (state, id);
CREATE INDEX invocations_due ON public.invocations USING btree (message_at, id) WHERE (state = ANY (ARRAY['queued'::text, 'retrying'::text, 'running'::text]));
CREATE INDEX invocations_finished ON public.invocations USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX invocations_waiting ON public.invocations USING btree (function_id, message_at) INCLUDE (payload_size) WHERE (state = ANY (ARRAY['queued'::text, 'retrying'::text]));
CREATE INDEX logs_by_function ON public.logs USING btree (function_name, sequence);
CREATE INDEX logs_by_invocation ON public.logs USING btree (invocation_id, sequence) WHERE (invocation_id IS NOT NULL);
CREATE INDEX logs_by_time ON public.logs USING btree (ts);
CREATE INDEX revisions_bundle ON public.revisions USING btree (bundle);
CREATE INDEX revisions_dependencies ON public.revisions USING btree (dependencies) WHERE (dependencies IS NOT NULL);
CREATE INDEX revisions_source ON public.revisions USING btree (source);
CREATE UNIQUE INDEX tokens_digest ON public.tokens USING btree (digest);
CREATE INDEX tokens_expires_at ON public.tokens USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE UNIQUE INDEX tokens_old_digest ON public.tokens USING btree (old_digest);
CREATE INDEX unusable_function ON public.unusable USING btree (function_id);
ALTER TABLE ONLY public.build_logs
    ADD CONSTRAINT build_logs_function_id_number_fkey FOREIGN KEY (function_id, number) REFERENCES public.revisions(function_id, number) ON DELETE CASCADE;
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_function_id_fkey FOREIGN KEY (function_id) REFERENCES public.functions(id) ON DELETE CASCADE;
