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
1	init	2026-12-01 04:26:29.943901+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	13002454
2	log kind	2026-12-01 04:26:29.957481+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	434334
3	reasons	2026-12-01 04:26:29.958015+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	1238516
4	growth	2026-12-01 04:26:29.959399+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	1587473
5	delivery	2026-12-01 04:26:29.961222+00	t	\\x68e123f0f29d9e10946315035deceb85b6771e1e48a59e9c42521ff4b8feece2b39a983b2f6203966a10dfc32ee1a6dd	2258288
6	backlog	2026-12-01 04:26:29.963674+00	t	\\x432d64cc02dd404bf30f898f81e03f38cdc0139bbdf85b46b3036323dab6f3cd5ddacebf98ea3b8b27e1d5a22e6716d4	5124145
7	dependencies	2026-12-01 04:26:29.96908+00	t	\\x7607a86825ee0cc2863188f564f1951cc43d08d72b8a15f4eac7e1c948c1133901ed796d543f0352aeb9d7b360078965	3050222
8	builds	2026-12-01 04:26:29.972239+00	t	\\x5292337c7520ae8c6aaa3fd2a2040a370130d174851339949f6e06ad24d97b4f51896bd0f4906134f697724a91c21c8c	3252752
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1796099190374
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1796099190457
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1796099190510
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1796099190563
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1796099190614
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1796099190711
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1796099190771
a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	\\x1f8b08000000000000ffed96cd8adb3010807df6530ceac5a1a9717e1742f7d07673c8a15d48cb5e9665d1da93448d2cb9929c1f4adfbd633be9863850282487c6df41c8e399d18ca4193b963a4f66b98a43a753e99d858818f6fb27e525ddceeb3c8a8af94daf33f022ef02e4d67103e05d2929a6da6ce116d8b0ff597c64bed7704d14a5ef845661b6f5cec55feabfd31fdc1cd7ff7038e835f57f01449a69e3c060ac4d82c973c6e3259fa3cf18fbb640d85f0f700bee68c03f9a9049ee66daa4164cae4298380bb842e5c0f2ad85855e83d46a0e82ccf8122d7095945212a04a6c482bf8fe6e796df7332752f4fde9f861f27572ff85fa52c7f7fd0467b0207b892628d7688d7c203223940b98e18ab5abc51f99d34b54eca90dcce04a588a9ddeedfdb54ab337f001d65cca77b1d4f112529d92e508d6458aa24c07f89c0b1a670ecd41d682f24934e5a2b4230fc285a5bff542482c230f8b2168c1fb2a9a708e145eae9c901444b48bbaa054b612310ba2301a547115bb737b684902b263df2d2551a98859a545fdda706191bdba2c9fe181cb1cc7c6681330a5c16960f0f6686f6aae7023dc81276dc3e74214f46a9a740a7376328dde308a6aea0e37878e0dbadc28a8e23811d8b1f9cbd6a1addb97e2e0316a4377306843277a6ad55c85a8629dd059f807863f776f47f5cbb2e246f017491b5aa48f6a250c35c5f214a6e34ff7d3bbf11d6bfdfaffbe8e067fe4c260510136741be79d817ff9ffbbe9769bfe7f016a8ddf6b68686868b8067e03d17c080b00120000	1796099190806
\.
COPY public.build_logs (name, function_id, number, ended_at, lines) FROM stdin;
steps	01a22fda-ae83-71a8-b3e5-005541a126fb	1	1796099190433	[{"ts":"2026-12-01T04:26:30.365Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.399Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.430Z","line":"deployed revision 1"}]
steps	01a22fda-ae83-71a8-b3e5-005541a126fb	2	1796099190490	[{"ts":"2026-12-01T04:26:30.453Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.473Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.488Z","line":"deployed revision 2"}]
steps	01a22fda-ae83-71a8-b3e5-005541a126fb	3	1796099190546	[{"ts":"2026-12-01T04:26:30.509Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.534Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.545Z","line":"deployed revision 3"}]
narrow	01a22fda-af32-7061-b7e5-a5af03070e21	1	1796099190585	[{"ts":"2026-12-01T04:26:30.562Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.576Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.584Z","line":"deployed revision 1"}]
limited	01a22fda-af65-7214-94ed-e6fe03f85ee7	1	1796099190633	[{"ts":"2026-12-01T04:26:30.613Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.627Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.632Z","line":"deployed revision 1"}]
big	01a22fda-afcc-77b6-9e35-e6c7fa498966	1	1796099190738	[{"ts":"2026-12-01T04:26:30.710Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.732Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:30.737Z","line":"deployed revision 1"}]
unstartable	01a22fda-b004-7307-bfa9-489e8d6de160	1	1796099190792	[{"ts":"2026-12-01T04:26:30.770Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.792Z","line":"deployed revision 1"}]
packaged	01a22fda-b6ed-7498-b0b5-27f66f9a752f	1	1796099192565	[{"ts":"2026-12-01T04:26:30.806Z","line":"storing the source"},{"ts":"2026-12-01T04:26:30.834Z","line":"unpacking the source"},{"ts":"2026-12-01T04:26:31.327Z","line":"installing the packages of requirements.txt with pip 23.2.1"},{"ts":"2026-12-01T04:26:31.815Z","line":"Looking in links: /var/tmp/cfuq6yw38so/wheels"},{"ts":"2026-12-01T04:26:31.832Z","line":"Processing /var/tmp/cfuq6yw38so/wheels/recorded_package-1.0-py3-none-any.whl (from -r requirements.txt (line 1))"},{"ts":"2026-12-01T04:26:32.288Z","line":"Installing collected packages: recorded_package"},{"ts":"2026-12-01T04:26:32.295Z","line":"Successfully installed recorded_package-1.0"},{"ts":"2026-12-01T04:26:32.471Z","line":"compiling the packages"},{"ts":"2026-12-01T04:26:32.544Z","line":"storing the packages"},{"ts":"2026-12-01T04:26:32.556Z","line":"packages installed: recorded_package 1.0 (6 files, 492 B)"},{"ts":"2026-12-01T04:26:32.564Z","line":"deployed revision 1"}]
\.
COPY public.deleted_functions (id, deleted_at) FROM stdin;
01a22fda-af9c-744d-b178-2f9d270a9f9e	1796099207995
\.
COPY public.dependency_pieces (tree, number, created_at, bytes) FROM stdin;
55da9e7fe37135040e1c9c6591a15d6b9eb8459b0996e1ec63e44a4f1eec4aae	0	1796099192550	\\x1f8b08000000000004ffed57cd6eda40105edaaa8aa8d2de7ae65a09e3f51f26a8a94483f383120ac609510e411b7b0d34c176fd93889cfa167d84aa4fd1d7a87ae8a52f5029b79c3a0b21950881a40494361ed6ab617776673c33dfeeb8d1f0ba26315bb4d1e07d6ababe45ad8647cc43d2a419d3eb862dd7e12441c88018fa4bc2405959beb21a867b4d92b3a8c7f43be005392bca08a339501484c44fa5e6a0e95eaaf8bcb8984c8065edfd97a5af3ff6cf7e027fd9d804fb739684fe13b2d01eb21235f4ea91517e95f8bea06b2beff4a256fc82ce601e9d3bfc31f1f9b0e3f1a61d7dc8764fa45ce0f201649563f16d071ced9834e0b14044d1b6087780459b534545e5889cb3396549b1852522988aadf26e147a51c85f6462703537bdeef9c2eb8e6b4547f48dff14f4336383e7c0fc7a9c4824be3d7bf17181fdfc273014b7eb3c308c794ec8e08cd50e42aeedd82ebf51ae1985cd4d4dbf6efd4dc619acc7e11f63c03a13ea3f0cff92a46014e31fcd9cbcb6c7c03d733db182fbe98109f8dfd28c42b16014a6321e038dc5bf2a02e641a8df801724116384d11ce881dfff5b3424160909b743fda0ed3af99498119265d2a1f9d4706e242f65e092884f8d3924e7ec550cc778e8fed77b25de946660a071f8574401300f42fd06bc20aaaa8262fca399d384f85fd67fe9a0454425bb7c1a4511950f1db75be2b64f2a95dd66cea6a7357567c5df2d55fd42453da5e5e8e478b5da4ccb8bc909db0fae97747aa2683f136f2458ddd66a86561c982cab45adeabdcfadbfad11ae616c74ea9c525aa15195ea871da5bce595ea7b6b52ab16ad6ea7f1443beaeb9ab639ca0cf84266c3338fd8dd2a9810205dbb70e6345a19acc7e11fe601f3d0f71bf0425cff4fe3f05bac9d10ff5eb6df62bb91a22cace3e22f0870d633a1fec3e22f66b3228acf7f3473aab7283dfa53fcb1c26e8d3ad427a1eb0f2ac0a4eeba21b7117095c8a747ed837c2af4239a3448339ff2ba12e7b80ee588d38d4b42f4cfd130fee116bbf37760b01e877f2c62c03c1e10f0021615a809efdc92111b3ef0ef3fbd57e06bc5d472ca60a01ee1a17828f640ec81d803b107fe430ffc0645a69ac7001e0000
\.
COPY public.dependency_trees (tree, key, about, created_at) FROM stdin;
55da9e7fe37135040e1c9c6591a15d6b9eb8459b0996e1ec63e44a4f1eec4aae	495eefe95bcf6058905c43581856e52b82434bcfe5d29947ad2cedc6caaef85d	{"key":"495eefe95bcf6058905c43581856e52b82434bcfe5d29947ad2cedc6caaef85d","tree":"55da9e7fe37135040e1c9c6591a15d6b9eb8459b0996e1ec63e44a4f1eec4aae","language":"python","target":{"interpreter":"cpython 3.11","abi":"cpython-311-x86_64-linux-gnu","architecture":"x86_64","c_library":"glibc 2.36"},"packages":[{"name":"recorded_package","version":"1.0"}],"files":6,"bytes":492,"pieces":1}	1796099192552
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a22fda-af32-7061-b7e5-a5af03070e21	narrow	1	1	1796099190579	f
01a22fda-afcc-77b6-9e35-e6c7fa498966	big	1	1	1796099190733	f
01a22fda-b004-7307-bfa9-489e8d6de160	unstartable	1	1	1796099190789	f
01a22fda-b6ed-7498-b0b5-27f66f9a752f	packaged	1	1	1796099192557	f
01a22fda-ae83-71a8-b3e5-005541a126fb	steps	2	3	1796099190405	f
01a22fda-af65-7214-94ed-e6fe03f85ee7	limited	1	1	1796099190629	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fda-f0dc-75f1-b989-9582c365272e	01a22fda-ad79-7745-8852-b9515fe82411	01a22fda-ae83-71a8-b3e5-005541a126fb	2	2668	1796099207645
01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fda-f0dc-75f1-b989-95817b4f16f8	01a22fda-ad79-7745-8852-b9515fe82411	01a22fda-ae83-71a8-b3e5-005541a126fb	2	2666	1796099207656
01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fda-fec1-702b-8b79-7447e80fb3d7	01a22fda-ad79-7745-8852-b9515fe82411	01a22fda-af32-7061-b7e5-a5af03070e21	1	2720	1796099211006
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures, losses) FROM stdin;
01a22fda-b78d-7671-9d22-d1d3e1590d57	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	1	\N	01a22fda-b795-7794-aca4-496321b825c2	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192717	1796099192751	34	warm	f	[["queue",0,14637],["run",14637,353]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22fda-b71a-75c8-808e-0f1eecfa6e19	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192603	1796099192706	102.961988	cold	f	[["admit",0,3277],["queue",3277,5661],["start",8939,91021],["load",99960,1726],["run",101771,1177]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22fda-b7d7-757f-8a91-ae0118f887b3	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192791	1796099192793	2.02388	warm	f	[["admit",0,877],["queue",877,824],["run",1701,312]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0	0
01a22fda-b7dd-73bb-904c-6de31b1eb5ed	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	1	\N	01a22fda-b7e3-7257-9f09-cea2e71c5c40	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192797	1796099192805	8	warm	f	[["queue",0,6728],["run",6728,263]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0	0
01a22fda-b81e-74dd-825b-021302439ee2	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	1	\N	01a22fda-b820-71b0-ad73-1e8b43a77aed	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192862	1796099192867	5	warm	f	[["queue",0,3573],["run",3573,419]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0	0
01a22fda-b871-7676-bcff-24541219b8b8	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	failed	f	\N	1	\N	01a22fda-b873-77ae-b962-b95b6f9c0a36	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuq6yw38so/second/instances/01a22fda-b71e-71fa-aa6c-917762b5b7e9/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1796099192945	1796099192949	4	warm	f	[["queue",0,2401],["run",2401,592]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1	0
01a22fda-b81b-7313-906e-56f61a053d5a	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099192859	1796099192861	1.844374	warm	f	[["admit",0,1447],["queue",1447,116],["run",1564,272]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0	0
01a22fda-b8b6-75da-a73a-4177dc47da2b	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	crashed	f	\N	1	\N	01a22fda-b910-7024-af7e-fd4c9eec467a	\N	{"number":1,"revision":2,"instance":"01a22fda-b8b9-700f-b8e4-c9310de73aff","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796099193014	1796099193122	108	cold	f	[["queue",0,2530],["start",2530,84962],["load",87492,1902],["run",99869,5105]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1	0
01a22fda-bbbd-7531-bf66-9d5c7dffa7fa	01a22fda-af65-7214-94ed-e6fe03f85ee7	limited	async	timed_out	f	\N	1	\N	01a22fda-bc05-7593-a3a0-5480555f56d6	\N	{"number":1,"revision":1,"instance":"01a22fda-bbc2-76d9-8b4f-3c5374e17900","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796099193790	1796099194369	579	cold	f	[["queue",0,3842],["start",3842,64796],["load",68637,2280],["run",72210,501698]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1	0
01a22fda-be13-7109-8cd8-9ac15a1d16d7	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	1	\N	01a22fda-be9d-72f6-9903-9e9c972bba2d	\N	{"number":1,"revision":2,"instance":"01a22fda-be17-7724-9272-b51e4072c6b2","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099194387	1796099194531	144	cold	f	[["queue",0,3931],["start",3931,131460],["load",135391,1643],["run",139336,2650]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0	0
01a22fda-bff8-74ae-9d61-eeca7908d00c	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	2	\N	01a22fda-f1de-70f6-86a6-4c724230e2a6	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a22fda-f0dc-75f1-b989-9582c365272e","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099194873	1796099207673	12800	cold	f	[["queue",0,12515189],["start",12515189,251479],["load",12766668,5392],["run",12782263,723]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393230322e383731373835322c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0	1
01a22fda-b85d-72f2-a8a8-e38520f9b4ce	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuq6yw38so/second/instances/01a22fda-b71e-71fa-aa6c-917762b5b7e9/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1796099192925	1796099192942	16.731643000000002	warm	f	[["admit",0,877],["queue",877,1241],["run",2118,14579]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22fda-b8af-7758-9fac-509f274a7f30	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-b71e-71fa-aa6c-917762b5b7e9","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796099193007	1796099193011	3.985838	warm	f	[["admit",0,1299],["queue",1299,88],["run",1387,2588]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22fda-b92a-7335-97e0-b1c0b50e523b	01a22fda-af65-7214-94ed-e6fe03f85ee7	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22fda-b92d-732a-a3a0-91be0022a84b","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796099193130	1796099193787	656.9286020000001	cold	f	[["admit",0,4004],["queue",4004,1307],["start",5312,148454],["load",153766,1566],["run",155525,501351]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22fda-be0a-705f-a8cc-d794ec2a68cb	01a22fda-b004-7307-bfa9-489e8d6de160	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1796099194378	1796099194385	7.227925	\N	f	[["admit",0,2754],["queue",2754,4473]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting	0	0
01a22fda-beb1-7583-8c1a-63ecf1583657	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	succeeded	f	\N	1	\N	01a22fda-beba-7596-a7fa-fce9b8483a32	\N	{"number":1,"revision":2,"instance":"01a22fda-be17-7724-9272-b51e4072c6b2","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099194545	1796099194556	11	warm	f	[["queue",0,9628],["run",9628,364]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:33331","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0	0
01a22fda-be19-77db-9da3-d1969b807094	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22fda-be22-72d3-95e2-24fbe095a3ef","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099194394	1796099194542	148.688762	cold	f	[["admit",0,8036],["queue",8036,2493],["start",10529,135924],["load",146453,1863],["run",148404,268]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0	0
01a22fda-c03e-718c-9e55-9430d97606c2	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1796099194943	1796099207207	12264.311654000001	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22fda-f207-71dc-87dc-ba6752f7af6c	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22fda-f20a-773f-a321-abd268111443","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099207687	1796099207858	171.08773599999998	cold	f	[["admit",0,2638],["queue",2638,2002],["start",4640,156242],["load",160881,2545],["run",164244,6815]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22fda-ff66-7633-863a-52ddbea6989b	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1796099211111	1796099213114	2002.8427089999998	\N	f	[["admit",0,1177],["queue",1177,2001665]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22fdb-07d8-75d6-b36c-1d4f1698f95a	01a22fda-afcc-77b6-9e35-e6c7fa498966	big	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213272	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0	0
01a22fdb-0749-700b-8e71-855cdd19c820	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213129	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0	0
01a22fdb-0819-776e-9d1b-43c2dd70c173	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	running	f	\N	1	01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fdb-0875-719b-a9cd-243a52a8134e	2		\N	0	0	1796099213337	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"67","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393233382e33333633322c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0	0
01a22fda-f307-77f8-88c5-6189c2257512	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207943	1796099208002	59	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0	0
01a22fda-f30d-703d-b635-1e3b9d79e5fe	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207949	1796099208002	53	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0	0
01a22fda-f310-778d-b8e8-29cfa7a774ad	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207952	1796099208002	50	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0	0
01a22fda-f316-7375-b304-f0250cd024b2	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207958	1796099208002	44	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0	0
01a22fda-f31c-769d-9d48-e6a168b80fa0	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207965	1796099208002	37	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0	0
01a22fda-f322-707a-a391-cd6774e04438	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207970	1796099208002	32	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0	0
01a22fda-feb8-705a-90fe-2512bda8edaa	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	running	f	\N	1	01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fda-feff-748b-81a6-636cbe5cdbfe	1		\N	0	0	1796099210937	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393336302e393336353633372c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0	0
01a22fdb-0795-7561-a56f-dcb45d8a56ac	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	running	f	\N	1	01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fdb-079b-74ba-8b3b-4be02586e238	2		\N	0	0	1796099213205	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393336332e323034363935372c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0	0
01a22fdb-073e-72a7-b900-a666d23e49bd	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213119	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0	0
01a22fdb-0743-74d2-bc82-d69e3591e0ec	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213123	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0	0
01a22fdb-0747-70de-8bbe-60d91c8e7659	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213127	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0	0
01a22fdb-074b-75bc-b709-2690d76bdff1	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213131	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0	0
01a22fda-f303-7228-a811-c8a770b6be6d	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207940	1796099208002	62	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	\N	\N	\N	\N	0	0
01a22fda-f30a-732f-99ce-7bddf3fd91cf	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796099207946	1796099208002	56	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0	0
01a22fda-f2b4-774d-ae4a-d95a733c1113	01a22fda-af9c-744d-b178-2f9d270a9f9e	doomed	async	succeeded	f	\N	1	\N	01a22fda-f2bb-776b-a170-542f5f3b2e74	\N	{"number":1,"revision":1,"instance":"01a22fda-f20a-773f-a321-abd268111443","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796099207860	1796099210887	3027	warm	f	[["queue",0,7156],["run",7156,3015777]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393231302e383539333631322c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22fdb-074e-72eb-bd79-7a69c08ce91e	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	running	f	\N	1	01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fdb-0750-7275-b40c-dd4cb65619ea	2		\N	0	0	1796099213134	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393336332e313333353336332c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0	0
01a22fdb-07df-77e1-8d37-bb111ca43918	01a22fda-b004-7307-bfa9-489e8d6de160	unstartable	async	retrying	f	\N	1	\N	01a22fdb-07ec-72fb-be3f-022e0170ba52	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting"}}\n	1796099214297	1796099214297	0	1796099213279	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0	1
01a22fdb-073b-76eb-afe5-e788309ff50e	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213116	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0	0
01a22fdb-0741-7003-9ee3-f638e2b03993	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213121	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0	0
01a22fdb-0745-7356-8ec4-e09ee6abf6b2	01a22fda-af32-7061-b7e5-a5af03070e21	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796120813370	1	1796099213125	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0	0
01a22fdb-0ae0-753d-9300-4bea9f54cf1e	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	queued	f	\N	0	\N	\N	\N		\N	1796099215050	0	1796099214049	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0	0
01a22fdb-08d4-7377-b3e3-b7b99707e89b	01a22fda-ae83-71a8-b3e5-005541a126fb	steps	async	running	f	\N	1	01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fdb-092f-7170-8018-e74a44c3058e	2		\N	0	0	1796099213525	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"70","content-type":"application/json","host":"127.0.0.1:43719","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363039393233382e3532343039362c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0	0
\.
COPY public.leases (owner, manager, expires_at, renewals) FROM stdin;
01a22fda-f081-7014-b7ca-5b085c0b7fc6	01a22fda-ad79-7745-8852-b9515fe82411	1796099247341	11
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1796099192700	steps	2	01a22fda-b71a-75c8-808e-0f1eecfa6e19	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran sync-json revision 2	\N
2	1796099192732	steps	2	01a22fda-b78d-7671-9d22-d1d3e1590d57	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran async-json revision 2	\N
3	1796099192793	steps	2	01a22fda-b7d7-757f-8a91-ae0118f887b3	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran sync-text revision 2	\N
4	1796099192804	steps	2	01a22fda-b7dd-73bb-904c-6de31b1eb5ed	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran async-text revision 2	\N
5	1796099192860	steps	2	01a22fda-b81b-7313-906e-56f61a053d5a	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran sync-bytes revision 2	\N
6	1796099192866	steps	2	01a22fda-b81e-74dd-825b-021302439ee2	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran async-bytes revision 2	\N
7	1796099192927	steps	2	01a22fda-b85d-72f2-a8a8-e38520f9b4ce	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran sync-raise revision 2	\N
8	1796099192941	steps	2	01a22fda-b85d-72f2-a8a8-e38520f9b4ce	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	Traceback (most recent call last):	error
9	1796099192941	steps	2	01a22fda-b85d-72f2-a8a8-e38520f9b4ce	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	  File "/var/tmp/cfuq6yw38so/second/instances/01a22fda-b71e-71fa-aa6c-917762b5b7e9/task/function.py", line 16, in handler	error
10	1796099192941	steps	2	01a22fda-b85d-72f2-a8a8-e38520f9b4ce	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	    raise ValueError("no to " + event["token"])	error
11	1796099192941	steps	2	01a22fda-b85d-72f2-a8a8-e38520f9b4ce	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	ValueError: no to sync-raise	error
12	1796099192948	steps	2	01a22fda-b871-7676-bcff-24541219b8b8	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran async-raise revision 2	\N
13	1796099192948	steps	2	01a22fda-b871-7676-bcff-24541219b8b8	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	Traceback (most recent call last):	error
14	1796099192948	steps	2	01a22fda-b871-7676-bcff-24541219b8b8	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	  File "/var/tmp/cfuq6yw38so/second/instances/01a22fda-b71e-71fa-aa6c-917762b5b7e9/task/function.py", line 16, in handler	error
15	1796099192948	steps	2	01a22fda-b871-7676-bcff-24541219b8b8	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	    raise ValueError("no to " + event["token"])	error
16	1796099192948	steps	2	01a22fda-b871-7676-bcff-24541219b8b8	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	ValueError: no to async-raise	error
17	1796099193010	steps	2	01a22fda-b8af-7758-9fac-509f274a7f30	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	stdout	ran sync-exit revision 2	\N
18	1796099193011	steps	2	01a22fda-b8af-7758-9fac-509f274a7f30	1	01a22fda-b71e-71fa-aa6c-917762b5b7e9	platform	exit: the function's process exited with code 3	error
19	1796099193115	steps	2	01a22fda-b8b6-75da-a73a-4177dc47da2b	1	01a22fda-b8b9-700f-b8e4-c9310de73aff	stdout	ran async-exit revision 2	\N
20	1796099193119	steps	2	01a22fda-b8b6-75da-a73a-4177dc47da2b	1	01a22fda-b8b9-700f-b8e4-c9310de73aff	platform	exit: the function's process exited with code 3	error
21	1796099193284	limited	1	01a22fda-b92a-7335-97e0-b1c0b50e523b	1	01a22fda-b92d-732a-a3a0-91be0022a84b	stdout	ran sync-hang revision 1	\N
22	1796099193785	limited	1	01a22fda-b92a-7335-97e0-b1c0b50e523b	1	01a22fda-b92d-732a-a3a0-91be0022a84b	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1796099193865	limited	1	01a22fda-bbbd-7531-bf66-9d5c7dffa7fa	1	01a22fda-bbc2-76d9-8b4f-3c5374e17900	stdout	ran async-hang revision 1	\N
24	1796099194364	limited	1	01a22fda-bbbd-7531-bf66-9d5c7dffa7fa	1	01a22fda-bbc2-76d9-8b4f-3c5374e17900	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1796099194529	steps	2	01a22fda-be13-7109-8cd8-9ac15a1d16d7	1	01a22fda-be17-7724-9272-b51e4072c6b2	stdout	ran classic revision 2	\N
26	1796099194555	steps	2	01a22fda-beb1-7583-8c1a-63ecf1583657	1	01a22fda-be17-7724-9272-b51e4072c6b2	stdout	ran second-host revision 2	\N
27	1796099194540	steps	2	01a22fda-be19-77db-9da3-d1969b807094	1	01a22fda-be22-72d3-95e2-24fbe095a3ef	stdout	ran second-host-sync revision 2	\N
28	1796099194878	steps	2	01a22fda-bff8-74ae-9d61-eeca7908d00c	1	01a22fda-be22-72d3-95e2-24fbe095a3ef	stdout	ran lost revision 2	\N
29	1796099195010	steps	2	01a22fda-c03e-718c-9e55-9430d97606c2	1	01a22fda-c040-7092-a434-675359d68590	stdout	ran interrupted revision 2	\N
30	1796099207656	steps	2	01a22fda-bff8-74ae-9d61-eeca7908d00c	2	01a22fda-f0dc-75f1-b989-9582c365272e	stdout	ran lost revision 2	\N
33	1796099211009	narrow	1	01a22fda-feb8-705a-90fe-2512bda8edaa	1	01a22fda-fec1-702b-8b79-7447e80fb3d7	stdout	ran running-narrow revision 1	\N
34	1796099213138	steps	2	01a22fdb-074e-72eb-bd79-7a69c08ce91e	1	01a22fda-f0dc-75f1-b989-9582c365272e	stdout	ran running-0 revision 2	\N
35	1796099213212	steps	2	01a22fdb-0795-7561-a56f-dcb45d8a56ac	1	01a22fda-f0dc-75f1-b989-95817b4f16f8	stdout	ran running-1 revision 2	\N
36	1796099213431	steps	2	01a22fdb-0819-776e-9d1b-43c2dd70c173	1	01a22fdb-081d-7213-bff0-147e7d2f6879	stdout	ran outcome-json revision 2	\N
37	1796099213617	steps	2	01a22fdb-08d4-7377-b3e3-b7b99707e89b	1	01a22fdb-08d8-700f-940b-a8f513f1f887	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at, dependencies) FROM stdin;
01a22fda-ae83-71a8-b3e5-005541a126fb	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1796099190405	\N
01a22fda-ae83-71a8-b3e5-005541a126fb	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1796099190483	\N
01a22fda-ae83-71a8-b3e5-005541a126fb	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1796099190539	\N
01a22fda-af32-7061-b7e5-a5af03070e21	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1796099190579	\N
01a22fda-af65-7214-94ed-e6fe03f85ee7	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1796099190629	\N
01a22fda-afcc-77b6-9e35-e6c7fa498966	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1796099190733	\N
01a22fda-b004-7307-bfa9-489e8d6de160	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1796099190789	\N
01a22fda-b6ed-7498-b0b5-27f66f9a752f	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	python	1796099192557	55da9e7fe37135040e1c9c6591a15d6b9eb8459b0996e1ec63e44a4f1eec4aae
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
