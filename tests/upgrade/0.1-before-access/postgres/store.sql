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
1	init	2026-12-01 12:44:30.02607+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	21803669
2	log kind	2026-12-01 12:44:30.048577+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	569527
3	reasons	2026-12-01 12:44:30.049338+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	1514412
4	growth	2026-12-01 12:44:30.051045+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	1955327
5	delivery	2026-12-01 12:44:30.053238+00	t	\\x68e123f0f29d9e10946315035deceb85b6771e1e48a59e9c42521ff4b8feece2b39a983b2f6203966a10dfc32ee1a6dd	1927907
6	backlog	2026-12-01 12:44:30.055422+00	t	\\x432d64cc02dd404bf30f898f81e03f38cdc0139bbdf85b46b3036323dab6f3cd5ddacebf98ea3b8b27e1d5a22e6716d4	4803062
7	dependencies	2026-12-01 12:44:30.060601+00	t	\\x7607a86825ee0cc2863188f564f1951cc43d08d72b8a15f4eac7e1c948c1133901ed796d543f0352aeb9d7b360078965	2828725
8	builds	2026-12-01 12:44:30.06371+00	t	\\x5292337c7520ae8c6aaa3fd2a2040a370130d174851339949f6e06ad24d97b4f51896bd0f4906134f697724a91c21c8c	3574244
9	http	2026-12-01 12:44:30.067435+00	t	\\xfa4ebf8ede2a966af24087ec5d82b6bfdcd552a0cf1933022800d4db7d1f4ba507a78685c214065d1f4bda1b135013e6	612531
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1796129070823
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1796129070929
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1796129070991
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1796129071045
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1796129071105
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1796129071232
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1796129071300
a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	\\x1f8b08000000000000ffed96cd8adb3010807df6530ceac5a1a9717e1742f7d07673c8a15d48cb5e9665d1da93448d2cb9929c1f4adfbd633be9863850282487c6df41c8e399d18ca4193b963a4f66b98a43a753e99d858818f6fb27e525ddceeb3c8a8af94daf33f022ef02e4d67103e05d2929a6da6ce116d8b0ff597c64bed7704d14a5ef845661b6f5cec55feabfd31fdc1cd7ff7038e835f57f01449a69e3c060ac4d82c973c6e3259fa3cf18fbb640d85f0f700bee68c03f9a9049ee66daa4164cae4298380bb842e5c0f2ad85855e83d46a0e82ccf8122d7095945212a04a6c482bf8fe6e796df7332752f4fde9f861f27572ff85fa52c7f7fd0467b0207b892628d7688d7c203223940b98e18ab5abc51f99d34b54eca90dcce04a588a9ddeedfdb54ab337f001d65cca77b1d4f112529d92e508d6458aa24c07f89c0b1a670ecd41d682f24934e5a2b4230fc285a5bff542482c230f8b2168c1fb2a9a708e145eae9c901444b48bbaa054b612310ba2301a547115bb737b684902b263df2d2551a98859a545fdda706191bdba2c9fe181cb1cc7c6681330a5c16960f0f6686f6aae7023dc81276dc3e74214f46a9a740a7376328dde308a6aea0e37878e0dbadc28a8e23811d8b1f9cbd6a1addb97e2e0316a4377306843277a6ad55c85a8629dd059f807863f776f47f5cbb2e246f017491b5aa48f6a250c35c5f214a6e34ff7d3bbf11d6bfdfaffbe8e067fe4c260510136741be79d817ff9ffbbe9769bfe7f016a8ddf6b68686868b8067e03d17c080b00120000	1796129071363
\.
COPY public.build_logs (name, function_id, number, ended_at, lines) FROM stdin;
steps	01a231a2-9f1e-7627-aa73-13f236b5d6c3	1	1796129070896	[{"ts":"2026-12-01T12:44:30.818Z","line":"storing the source"},{"ts":"2026-12-01T12:44:30.874Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:30.895Z","line":"deployed revision 1"}]
steps	01a231a2-9f1e-7627-aa73-13f236b5d6c3	2	1796129070969	[{"ts":"2026-12-01T12:44:30.928Z","line":"storing the source"},{"ts":"2026-12-01T12:44:30.945Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:30.968Z","line":"deployed revision 2"}]
steps	01a231a2-9f1e-7627-aa73-13f236b5d6c3	3	1796129071021	[{"ts":"2026-12-01T12:44:30.990Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.009Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:31.020Z","line":"deployed revision 3"}]
narrow	01a231a2-9fd5-7783-92f1-512de26e35c0	1	1796129071078	[{"ts":"2026-12-01T12:44:31.044Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.058Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:31.076Z","line":"deployed revision 1"}]
limited	01a231a2-a016-73f3-9e2c-6c908b9f244c	1	1796129071138	[{"ts":"2026-12-01T12:44:31.104Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.121Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:31.138Z","line":"deployed revision 1"}]
big	01a231a2-a09a-713f-baf7-fb0ac34ea94d	1	1796129071269	[{"ts":"2026-12-01T12:44:31.231Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.251Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:31.268Z","line":"deployed revision 1"}]
unstartable	01a231a2-a0d4-741c-aa31-78135bb6cf73	1	1796129071332	[{"ts":"2026-12-01T12:44:31.299Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.329Z","line":"deployed revision 1"}]
packaged	01a231a2-a7aa-7399-a447-6d1f251a3e2b	1	1796129073077	[{"ts":"2026-12-01T12:44:31.362Z","line":"storing the source"},{"ts":"2026-12-01T12:44:31.379Z","line":"unpacking the source"},{"ts":"2026-12-01T12:44:31.864Z","line":"installing the packages of requirements.txt with pip 23.2.1"},{"ts":"2026-12-01T12:44:32.411Z","line":"Looking in links: /var/tmp/cfug22b6_hq/wheels"},{"ts":"2026-12-01T12:44:32.423Z","line":"Processing /var/tmp/cfug22b6_hq/wheels/recorded_package-1.0-py3-none-any.whl (from -r requirements.txt (line 1))"},{"ts":"2026-12-01T12:44:32.811Z","line":"Installing collected packages: recorded_package"},{"ts":"2026-12-01T12:44:32.816Z","line":"Successfully installed recorded_package-1.0"},{"ts":"2026-12-01T12:44:32.972Z","line":"compiling the packages"},{"ts":"2026-12-01T12:44:33.047Z","line":"storing the packages"},{"ts":"2026-12-01T12:44:33.062Z","line":"packages installed: recorded_package 1.0 (6 files, 492 B)"},{"ts":"2026-12-01T12:44:33.076Z","line":"deployed revision 1"}]
\.
COPY public.deleted_functions (id, deleted_at) FROM stdin;
01a231a2-a057-7693-bca0-9a59dc381714	1796129089204
\.
COPY public.dependency_pieces (tree, number, created_at, bytes) FROM stdin;
1177d9cf1823e8b9828a8ca8a7fc16a1da71a542a30ad5ee5da610e5a8088a11	0	1796129073053	\\x1f8b08000000000004ffed57cd6eda40105edaaa8aa8d2de7af635128b776d6352d454a2c1f9410905e3842887a08dbd019a60bbfe49444e7d8b3e42d5a7e86b543df4d217a8945b4e1d43482542202901a58d87596bb49edd1966e6db1dd7eb6ec7646693d7eba2c74dc7b3b855779979c81a3c6dba9da0e9d858a6340d6ae82f8900a98a7265354c77595654d4157a0f90a9a24a0a22680614fa01f304610696eea589cff3f3c9c7e0596bef65f1eb8fbdb39f205f72e2423a4b82f00959681759892a5a7864941612dfe7746df99d5ed00a5fd019bc47e7b678cc3c3168bba279103624695fad373f883e54956d892d1b026d9bdc170965920c03334a659ca526c58bd62b15736a72c55217f72dae8a4e18b861205e54a27fb536ddcef9dcebb6638547fc8df714ec47cefacf41f8f53891487c7bf6e2e35cf4f39ec054ccd7456010f398a649da6af9016ed9078eb85eaa1af98d0d4dbf6efd4de623588fc23f2180f548a93722fccb7286a018ff68eae4b6dc08dc53b7131bb89f111883ff4dcdc817f2467e22e709d048fc6725c03c28f518642a4b84208266400ffcfedfe401b358c0f036f7fc9663e704294d9325d6e63961b03692973a7049c4a7c60c8a73fa2606733c70ffebdd166f423708d028fc67240a9807a51e834ca56c368362fca3a9d398fc5ff67f29bfc9a48cba741a8621570e6da753c45b27e5f24e63f1809f56b3dbcbde4eb1e2e5cbd9535e0a4f8e572a8d94329f1cb37dff7a49a5c6aaf62af1468a952dad6a6885becb4ab6a055dcf78b6b6fab0cd78df5760d678acb3cac70fdb09d296dbac5daeeaadcac862b5b2932d68fda9aa66d0c7303be90a3e9a967ec6e0d8c4990ae5d047312ab11ac47e11fde03e6e1d9639069dcff4f12f05bac1d93ff6eb5df62bba1aa515a47e59f5238eb23a5de88f22fa9aa84e2f31f4d9d6a4dce8ffe347f5163b7ca6deeb1c0f1fa1d6052779c00affbb81c7afca8b59f13022fe44983357282db91b1edd81c33bb13b784e89fa341fcc32d76e7ff2182f528fc138900e6499f40a644ca404f78e79e0cd9f0817fffe9dd065f2b084b8211817a4884e2a938027104e208c411f80f23f01b8c530f9a001e0000
\.
COPY public.dependency_trees (tree, key, about, created_at) FROM stdin;
1177d9cf1823e8b9828a8ca8a7fc16a1da71a542a30ad5ee5da610e5a8088a11	15e17b70eea01e4c5a040977feab33e17e56625368cb4162afd3d03d90aad3b1	{"key":"15e17b70eea01e4c5a040977feab33e17e56625368cb4162afd3d03d90aad3b1","tree":"1177d9cf1823e8b9828a8ca8a7fc16a1da71a542a30ad5ee5da610e5a8088a11","language":"python","target":{"interpreter":"cpython 3.11","abi":"cpython-311-x86_64-linux-gnu","architecture":"x86_64","c_library":"glibc 2.36"},"packages":[{"name":"recorded_package","version":"1.0"}],"files":6,"bytes":492,"pieces":1}	1796129073056
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	1	1	1796129071062	f
01a231a2-a09a-713f-baf7-fb0ac34ea94d	big	1	1	1796129071258	f
01a231a2-a0d4-741c-aa31-78135bb6cf73	unstartable	1	1	1796129071317	f
01a231a2-a7aa-7399-a447-6d1f251a3e2b	packaged	1	1	1796129073067	f
01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	2	3	1796129070879	f
01a231a2-a016-73f3-9e2c-6c908b9f244c	limited	1	1	1796129071127	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-e557-73d1-8732-711a039b8049	01a231a2-9e08-712c-91b6-b63d65cdb2c8	01a231a2-9f1e-7627-aa73-13f236b5d6c3	2	24949	1796129088935
01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-e555-7305-8ecf-213f2aa8790f	01a231a2-9e08-712c-91b6-b63d65cdb2c8	01a231a2-9f1e-7627-aa73-13f236b5d6c3	2	24950	1796129088964
01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-f215-7300-827c-34368a6139f1	01a231a2-9e08-712c-91b6-b63d65cdb2c8	01a231a2-9fd5-7783-92f1-512de26e35c0	1	24961	1796129092176
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures, losses, http) FROM stdin;
01a231a2-a853-7013-b678-7b682159badf	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	1	\N	01a231a2-a863-758e-865d-f146c1ef4672	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073236	1796129073264	28	warm	f	[["queue",0,21473],["run",21473,482]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0	\N
01a231a2-a7e8-7488-9ed3-2f883b7c631a	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073132	1796129073232	100.335564	cold	f	[["admit",0,6467],["queue",6467,10031],["start",16499,76259],["load",92759,2606],["run",97028,2794]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0	\N
01a231a2-a89e-75f9-92de-d58822dcb42c	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073311	1796129073315	3.976543	warm	f	[["admit",0,1455],["queue",1455,1998],["run",3453,474]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0	0	\N
01a231a2-a8a5-77be-9603-c3d8c5a2b6d4	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	1	\N	01a231a2-a8ae-7705-b499-48b96898e84f	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073318	1796129073333	15	warm	f	[["queue",0,11425],["run",11425,535]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0	0	\N
01a231a2-a8c9-75d9-95e9-d863a55618ae	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	1	\N	01a231a2-a8d7-7634-bfbb-ad3c0e6bd61b	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073356	1796129073372	16	warm	f	[["queue",0,12339],["run",12339,552]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0	0	\N
01a231a2-a8bf-71fa-8d35-2e291019a561	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129073344	1796129073351	6.378664	warm	f	[["admit",0,1550],["queue",1550,4251],["run",5801,526]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0	0	\N
01a231a2-a90d-717c-9ebe-99f5c91c873b	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfug22b6_hq/first/instances/01a231a2-a7f6-74fe-a269-6651062d44f4/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1796129073422	1796129073437	15.530131	warm	f	[["admit",0,4935],["queue",4935,504],["run",5439,9927]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a231a2-a920-726c-bc31-2d331e8f5ec3	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	failed	f	\N	1	\N	01a231a2-a927-7058-9da2-78ff840de9e6	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfug22b6_hq/first/instances/01a231a2-a7f6-74fe-a269-6651062d44f4/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1796129073441	1796129073456	15	warm	f	[["queue",0,6700],["run",6700,2249]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1	0	\N
01a231a2-a967-72ff-9911-03a517605caa	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-a7f6-74fe-a269-6651062d44f4","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796129073512	1796129073521	8.975506	warm	f	[["admit",0,1605],["queue",1605,3845],["run",5450,3454]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a231a2-a976-70b1-8a86-4e2f011ee1f9	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	crashed	f	\N	1	\N	01a231a2-a9d2-72e1-b9e6-1aaa8b013ea6	\N	{"number":1,"revision":2,"instance":"01a231a2-a97d-7170-92ef-900742d80d4f","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796129073528	1796129073640	112	cold	f	[["queue",0,5843],["start",5843,79922],["load",85765,2499],["run",95973,5924]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1	0	\N
01a231a2-a9f6-73e0-a4a7-b51d25fcfa28	01a231a2-a016-73f3-9e2c-6c908b9f244c	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a231a2-a9fb-7624-8b6e-520dfdcf3fbe","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796129073655	1796129074219	564.105327	cold	f	[["admit",0,5075],["queue",5075,3067],["start",8142,50867],["load",59009,2143],["run",62119,501680]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a231a2-ac2f-76ab-adbd-801635095948	01a231a2-a016-73f3-9e2c-6c908b9f244c	limited	async	timed_out	f	\N	1	\N	01a231a2-ac6a-770a-89ae-150e9f32a084	\N	{"number":1,"revision":1,"instance":"01a231a2-ac35-7580-b06e-3f9dd6dcdb46","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796129074224	1796129074789	565	cold	f	[["queue",0,5190],["start",5190,48654],["load",53843,2333],["run",58785,502058]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1	0	\N
01a231a2-ae9e-7169-b613-228bb05a615f	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	1	\N	01a231a2-aee0-77d1-976e-906bc34e5fd2	\N	{"number":1,"revision":2,"instance":"01a231a2-aea5-75d9-8955-bb956657efec","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129074847	1796129074918	71	cold	f	[["queue",0,6157],["start",6157,55874],["load",62031,1984],["run",66319,598]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0	0	\N
01a231a2-aefb-73e5-b7d9-ec4f54d66170	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	1	\N	01a231a2-af07-71e6-b6f0-418a8858dcb8	\N	{"number":1,"revision":2,"instance":"01a231a2-aea5-75d9-8955-bb956657efec","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129074940	1796129074957	17	warm	f	[["queue",0,13416],["run",13416,546]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:41545","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0	0	\N
01a231a2-ae91-77a9-b58b-cd950a13f333	01a231a2-a0d4-741c-aa31-78135bb6cf73	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1796129074833	1796129074843	9.470542	\N	f	[["admit",0,4383],["queue",4383,5071]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting; an image that does not speak the runtime protocol needs `interface = "http"`, "command" or "lambda" in cloudfunc.toml	0	0	\N
01a231a2-aea4-733d-9260-a6ec20eb3bf8	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a231a2-aeac-7055-ba62-f7b360c877a2","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129074852	1796129074935	82.546324	cold	f	[["admit",0,5281],["queue",5281,4461],["start",9742,68877],["load",78618,1972],["run",81299,1160]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0	0	\N
01a231a2-b09b-7465-beed-d92a933c9bae	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1796129075356	1796129088548	13191.793437999999	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a231a2-e5d4-72d4-aa00-1065ace8cdd8	01a231a2-a057-7693-bca0-9a59dc381714	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a231a2-e5df-7657-ba1a-694b7c88768c","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129088981	1796129089054	73.41905799999999	cold	f	[["admit",0,7507],["queue",7507,7609],["start",15117,53734],["load",68851,1949],["run",71907,1425]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0	0	\N
01a231a2-f28b-72fd-9947-4b0412f00e6d	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1796129092236	1796129094241	2005.015223	\N	f	[["admit",0,1753],["queue",1753,2003247]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0	\N
01a231a2-fa7e-741e-ad91-2c2b5a7da0e8	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094271	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa89-7300-b236-3dbdf188b19f	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094282	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0	0	\N
01a231a2-fb1d-700e-8d9b-01fe0907f259	01a231a2-a09a-713f-baf7-fb0ac34ea94d	big	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094430	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0	0	\N
01a231a2-b050-7553-9308-ebee9b9269ca	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	succeeded	f	\N	2	\N	01a231a2-e5a8-770f-bc41-cccd7cca2e32	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a231a2-e557-73d1-8732-711a039b8049","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129075281	1796129088967	13686	cold	f	[["queue",0,13573682],["start",13573682,77308],["load",13650990,2612],["run",13672090,5839]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393038332e323738363739362c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0	1	\N
01a231a2-e66b-7280-99d4-6ec71a931ef1	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089132	1796129089208	76	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0	0	\N
01a231a2-e676-719b-8982-7d01197dee1e	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089142	1796129089208	66	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0	0	\N
01a231a2-e685-72af-813a-54c8b9104d43	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089158	1796129089208	50	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0	0	\N
01a231a2-e621-76ca-a100-df9292f1d35f	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	succeeded	f	\N	1	\N	01a231a2-e626-727a-9d44-7b80c9e58203	\N	{"number":1,"revision":1,"instance":"01a231a2-e5df-7657-ba1a-694b7c88768c","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796129089058	1796129092084	3026	warm	f	[["queue",0,6345],["run",6345,3014374]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393039322e303536383532332c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0	0	\N
01a231a2-f209-7710-95d6-3614c6f5e63c	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	running	f	\N	1	01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-f251-7592-b347-8e2d2bcf93f4	1		\N	0	0	1796129092106	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393234322e313034373731312c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0	0	\N
01a231a2-fad9-74bd-90ae-b4a40d4a1a8a	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	running	f	\N	1	01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-fadf-7005-93bd-e9467dab9d5a	2		\N	0	0	1796129094362	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393234342e333534353333342c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa66-7588-b48b-b9a9cf66264e	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094247	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa75-72b8-9d0c-aafb520c60ad	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094262	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa83-7189-9fb0-836afe77f654	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094276	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0	0	\N
01a231a2-fbf2-7142-bb39-91f0b8ca545d	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	running	f	\N	1	01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-fc30-74c3-bfe5-dbff55e92f42	2		\N	0	0	1796129094643	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"71","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393131392e363431383532312c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0	0	\N
01a231a2-e667-7097-a2fd-f4ac81472411	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089127	1796129089208	81	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	\N	\N	\N	\N	0	0	\N
01a231a2-e671-773c-a1fe-975c49065f7b	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089138	1796129089208	70	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0	0	\N
01a231a2-e67c-760f-a500-2a601e2f9303	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089149	1796129089208	59	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0	0	\N
01a231a2-e68b-7563-8300-c8fb9a60c43b	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089164	1796129089208	44	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0	0	\N
01a231a2-e690-774d-ab30-3f9ce991ebf7	01a231a2-a057-7693-bca0-9a59dc381714	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796129089169	1796129089208	39	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa8e-7406-ba92-2b4cd6d191b0	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	running	f	\N	1	01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-fa93-7008-907a-e3d3dfdc8869	2		\N	0	0	1796129094287	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393234342e323835333930362c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0	0	\N
01a231a2-fb2a-77d2-a899-4426de421f8e	01a231a2-a0d4-741c-aa31-78135bb6cf73	unstartable	async	retrying	f	\N	1	\N	01a231a2-fb39-76d8-a717-f2d0b35a7b96	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting; an image that does not speak the runtime protocol needs `interface = \\"http\\"`, \\"command\\" or \\"lambda\\" in cloudfunc.toml"}}\n	1796129095463	1796129095463	0	1796129094444	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0	1	\N
01a231a2-fa6c-713d-aa63-ebea40f220bb	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094253	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa71-73aa-9ad5-eecff7c17653	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094258	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0	0	\N
01a231a2-fa7a-72ce-9aaf-096f8ded8025	01a231a2-9fd5-7783-92f1-512de26e35c0	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796150694505	1	1796129094266	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0	0	\N
01a231a2-fb6f-71fd-8b34-b2d986bc4a31	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	running	f	\N	1	01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-fbaa-7597-8ce6-bcbc358124ce	2		\N	0	0	1796129094512	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363132393131392e353130363938332c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0	0	\N
01a231a2-fdd3-749e-845c-2e555f75b108	01a231a2-9f1e-7627-aa73-13f236b5d6c3	steps	async	queued	f	\N	0	\N	\N	\N		\N	1796129096125	0	1796129095124	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:41883","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0	0	\N
\.
COPY public.leases (owner, manager, expires_at, renewals) FROM stdin;
01a231a2-e4db-75aa-be7b-87dc3c993bea	01a231a2-9e08-712c-91b6-b63d65cdb2c8	1796129128775	11
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1796129073225	steps	2	01a231a2-a7e8-7488-9ed3-2f883b7c631a	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran sync-json revision 2	\N
2	1796129073258	steps	2	01a231a2-a853-7013-b678-7b682159badf	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran async-json revision 2	\N
3	1796129073313	steps	2	01a231a2-a89e-75f9-92de-d58822dcb42c	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran sync-text revision 2	\N
4	1796129073330	steps	2	01a231a2-a8a5-77be-9603-c3d8c5a2b6d4	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran async-text revision 2	\N
5	1796129073349	steps	2	01a231a2-a8bf-71fa-8d35-2e291019a561	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran sync-bytes revision 2	\N
6	1796129073369	steps	2	01a231a2-a8c9-75d9-95e9-d863a55618ae	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran async-bytes revision 2	\N
7	1796129073427	steps	2	01a231a2-a90d-717c-9ebe-99f5c91c873b	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran sync-raise revision 2	\N
8	1796129073435	steps	2	01a231a2-a90d-717c-9ebe-99f5c91c873b	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	Traceback (most recent call last):	error
9	1796129073435	steps	2	01a231a2-a90d-717c-9ebe-99f5c91c873b	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	  File "/var/tmp/cfug22b6_hq/first/instances/01a231a2-a7f6-74fe-a269-6651062d44f4/task/function.py", line 16, in handler	error
10	1796129073435	steps	2	01a231a2-a90d-717c-9ebe-99f5c91c873b	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	    raise ValueError("no to " + event["token"])	error
11	1796129073435	steps	2	01a231a2-a90d-717c-9ebe-99f5c91c873b	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	ValueError: no to sync-raise	error
12	1796129073450	steps	2	01a231a2-a920-726c-bc31-2d331e8f5ec3	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran async-raise revision 2	\N
13	1796129073450	steps	2	01a231a2-a920-726c-bc31-2d331e8f5ec3	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	Traceback (most recent call last):	error
14	1796129073450	steps	2	01a231a2-a920-726c-bc31-2d331e8f5ec3	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	  File "/var/tmp/cfug22b6_hq/first/instances/01a231a2-a7f6-74fe-a269-6651062d44f4/task/function.py", line 16, in handler	error
15	1796129073450	steps	2	01a231a2-a920-726c-bc31-2d331e8f5ec3	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	    raise ValueError("no to " + event["token"])	error
16	1796129073450	steps	2	01a231a2-a920-726c-bc31-2d331e8f5ec3	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	ValueError: no to async-raise	error
17	1796129073517	steps	2	01a231a2-a967-72ff-9911-03a517605caa	1	01a231a2-a7f6-74fe-a269-6651062d44f4	stdout	ran sync-exit revision 2	\N
18	1796129073518	steps	2	01a231a2-a967-72ff-9911-03a517605caa	1	01a231a2-a7f6-74fe-a269-6651062d44f4	platform	exit: the function's process exited with code 3	error
19	1796129073625	steps	2	01a231a2-a976-70b1-8a86-4e2f011ee1f9	1	01a231a2-a97d-7170-92ef-900742d80d4f	stdout	ran async-exit revision 2	\N
20	1796129073630	steps	2	01a231a2-a976-70b1-8a86-4e2f011ee1f9	1	01a231a2-a97d-7170-92ef-900742d80d4f	platform	exit: the function's process exited with code 3	error
21	1796129073714	limited	1	01a231a2-a9f6-73e0-a4a7-b51d25fcfa28	1	01a231a2-a9fb-7624-8b6e-520dfdcf3fbe	stdout	ran sync-hang revision 1	\N
22	1796129074215	limited	1	01a231a2-a9f6-73e0-a4a7-b51d25fcfa28	1	01a231a2-a9fb-7624-8b6e-520dfdcf3fbe	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1796129074284	limited	1	01a231a2-ac2f-76ab-adbd-801635095948	1	01a231a2-ac35-7580-b06e-3f9dd6dcdb46	stdout	ran async-hang revision 1	\N
24	1796129074785	limited	1	01a231a2-ac2f-76ab-adbd-801635095948	1	01a231a2-ac35-7580-b06e-3f9dd6dcdb46	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1796129074914	steps	2	01a231a2-ae9e-7169-b613-228bb05a615f	1	01a231a2-aea5-75d9-8955-bb956657efec	stdout	ran classic revision 2	\N
26	1796129074954	steps	2	01a231a2-aefb-73e5-b7d9-ec4f54d66170	1	01a231a2-aea5-75d9-8955-bb956657efec	stdout	ran second-host revision 2	\N
27	1796129074933	steps	2	01a231a2-aea4-733d-9260-a6ec20eb3bf8	1	01a231a2-aeac-7055-ba62-f7b360c877a2	stdout	ran second-host-sync revision 2	\N
28	1796129075287	steps	2	01a231a2-b050-7553-9308-ebee9b9269ca	1	01a231a2-aea5-75d9-8955-bb956657efec	stdout	ran lost revision 2	\N
29	1796129075424	steps	2	01a231a2-b09b-7465-beed-d92a933c9bae	1	01a231a2-b09f-7426-b8b3-d2ac1a7c1f25	stdout	ran interrupted revision 2	\N
30	1796129088955	steps	2	01a231a2-b050-7553-9308-ebee9b9269ca	2	01a231a2-e557-73d1-8732-711a039b8049	stdout	ran lost revision 2	\N
33	1796129092179	narrow	1	01a231a2-f209-7710-95d6-3614c6f5e63c	1	01a231a2-f215-7300-827c-34368a6139f1	stdout	ran running-narrow revision 1	\N
34	1796129094294	steps	2	01a231a2-fa8e-7406-ba92-2b4cd6d191b0	1	01a231a2-e555-7305-8ecf-213f2aa8790f	stdout	ran running-0 revision 2	\N
35	1796129094369	steps	2	01a231a2-fad9-74bd-90ae-b4a40d4a1a8a	1	01a231a2-e557-73d1-8732-711a039b8049	stdout	ran running-1 revision 2	\N
36	1796129094572	steps	2	01a231a2-fb6f-71fd-8b34-b2d986bc4a31	1	01a231a2-fb76-700f-9d0b-dcb84c82cfef	stdout	ran outcome-json revision 2	\N
37	1796129094708	steps	2	01a231a2-fbf2-7142-bb39-91f0b8ca545d	1	01a231a2-fbf7-73eb-b69a-c7f9163546c3	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at, dependencies) FROM stdin;
01a231a2-9f1e-7627-aa73-13f236b5d6c3	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1796129070879	\N
01a231a2-9f1e-7627-aa73-13f236b5d6c3	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1796129070955	\N
01a231a2-9f1e-7627-aa73-13f236b5d6c3	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1796129071011	\N
01a231a2-9fd5-7783-92f1-512de26e35c0	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1796129071062	\N
01a231a2-a016-73f3-9e2c-6c908b9f244c	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1796129071127	\N
01a231a2-a09a-713f-baf7-fb0ac34ea94d	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1796129071258	\N
01a231a2-a0d4-741c-aa31-78135bb6cf73	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1796129071317	\N
01a231a2-a7aa-7399-a447-6d1f251a3e2b	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	python	1796129073067	1177d9cf1823e8b9828a8ca8a7fc16a1da71a542a30ad5ee5da610e5a8088a11
\.
COPY public.totals (name, value) FROM stdin;
pruned	0
accepted	34
\.
COPY public.unusable (owner, manager, function_id, reason) FROM stdin;
\.
SELECT pg_catalog.setval('public.logs_sequence_seq', 37, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
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
ALTER TABLE ONLY public.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.unusable
    ADD CONSTRAINT unusable_pkey PRIMARY KEY (owner, function_id);
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
CREATE INDEX unusable_function ON public.unusable USING btree (function_id);
ALTER TABLE ONLY public.build_logs
    ADD CONSTRAINT build_logs_function_id_number_fkey FOREIGN KEY (function_id, number) REFERENCES public.revisions(function_id, number) ON DELETE CASCADE;
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_function_id_fkey FOREIGN KEY (function_id) REFERENCES public.functions(id) ON DELETE CASCADE;
