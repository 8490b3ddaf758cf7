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
COPY public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) FROM stdin;
1	init	2026-11-30 23:17:29.745998+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	22720528
2	log kind	2026-11-30 23:17:29.768993+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	195367
3	reasons	2026-11-30 23:17:29.769265+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	806843
4	growth	2026-11-30 23:17:29.770141+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	1409146
5	delivery	2026-11-30 23:17:29.771656+00	t	\\x68e123f0f29d9e10946315035deceb85b6771e1e48a59e9c42521ff4b8feece2b39a983b2f6203966a10dfc32ee1a6dd	5558188
6	backlog	2026-11-30 23:17:29.77736+00	t	\\x432d64cc02dd404bf30f898f81e03f38cdc0139bbdf85b46b3036323dab6f3cd5ddacebf98ea3b8b27e1d5a22e6716d4	8207322
7	dependencies	2026-11-30 23:17:29.787985+00	t	\\x7607a86825ee0cc2863188f564f1951cc43d08d72b8a15f4eac7e1c948c1133901ed796d543f0352aeb9d7b360078965	8024967
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1796080650071
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1796080650121
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1796080650147
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1796080650169
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1796080650193
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1796080650241
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1796080650260
a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	\\x1f8b08000000000000ffed96cd8adb3010807df6530ceac5a1a9717e1742f7d07673c8a15d48cb5e9665d1da93448d2cb9929c1f4adfbd633be9863850282487c6df41c8e399d18ca4193b963a4f66b98a43a753e99d858818f6fb27e525ddceeb3c8a8af94daf33f022ef02e4d67103e05d2929a6da6ce116d8b0ff597c64bed7704d14a5ef845661b6f5cec55feabfd31fdc1cd7ff7038e835f57f01449a69e3c060ac4d82c973c6e3259fa3cf18fbb640d85f0f700bee68c03f9a9049ee66daa4164cae4298380bb842e5c0f2ad85855e83d46a0e82ccf8122d7095945212a04a6c482bf8fe6e796df7332752f4fde9f861f27572ff85fa52c7f7fd0467b0207b892628d7688d7c203223940b98e18ab5abc51f99d34b54eca90dcce04a588a9ddeedfdb54ab337f001d65cca77b1d4f112529d92e508d6458aa24c07f89c0b1a670ecd41d682f24934e5a2b4230fc285a5bff542482c230f8b2168c1fb2a9a708e145eae9c901444b48bbaa054b612310ba2301a547115bb737b684902b263df2d2551a98859a545fdda706191bdba2c9fe181cb1cc7c6681330a5c16960f0f6686f6aae7023dc81276dc3e74214f46a9a740a7376328dde308a6aea0e37878e0dbadc28a8e23811d8b1f9cbd6a1addb97e2e0316a4377306843277a6ad55c85a8629dd059f807863f776f47f5cbb2e246f017491b5aa48f6a250c35c5f214a6e34ff7d3bbf11d6bfdfaffbe8e067fe4c260510136741be79d817ff9ffbbe9769bfe7f016a8ddf6b68686868b8067e03d17c080b00120000	1796080650287
\.
COPY public.deleted_functions (id, deleted_at) FROM stdin;
01a22ebf-c7f7-7639-9759-b8c49a25704c	1796080668294
\.
COPY public.dependency_pieces (tree, number, created_at, bytes) FROM stdin;
aacbb2accede5d166fe569df0336df0097b35c8d2753d04a2502ffa53049159e	0	1796080651992	\\x1f8b08000000000004ffed576d6fda3010f6e748fb0ff90184396fa442ea878ca42d081879a154fb5279c5858c92444eb20a7efd2e0d741243c9aa40d4ad7e64e0640edff19c1ffbc2e843c4e6747e1f9387155950496ee3f63c485229081fa3cffdb1e79bc3a1eda21ac0808ea6fdb1024cef86867646fe01b6acaa3a461835802c490913c50622bdcb1071100bef32319e54230c54e87f64fba665fa66ad5c30a054ff86029a07a762802dab0ac608a306f0c1f53fa22999939448b7942541147645a52d0b63b2a65df1706f08af3e7049f053a381cd79fe1087353eb8ff5dbbf7d5b56aa6810165fad71519340f4ec5005b560c43475cffe8eca8a8ff6bffd74a9644d13b97db2ccba8b60aa3cd409a3e4f26778b8b47baf58cdb1ebb1b38cc9c185b3ace9e7f5e398b96f649a8587e7fbdb45a95aec54efc2b47676a7bbe6ded53d60ccb76e21f17375f3c22ddfbfdf54cd2073d9a39d45dadf5f1281eccbe5dab4b2fbb9ab670651eb31bdb1e1e4ba31d6ff2e9b357ecb4012a0ae4da3b32eb44cd655da67ff81e340fefc5005be6fd7f1dc2dff0db8afabfecf6372c77d4352f6b59fd6519cefadca978e5f5573a1d05f1f31f9d1db325a54fbf9bbfbcb1bba62165248dd8be0314dc284aa57e224d32469f82ef5d316519157cb2e88af14695c228a4120937bc2544ff1c0ef50fb7d8c9ff432eeb32fd630583e6f11e60cb58d1a1273c79264716fce0cf7fee4b836f5be2a5e8e7a23ec2109fe20c700638039c81ff90815f04731aba001a0000
\.
COPY public.dependency_trees (tree, key, about, created_at) FROM stdin;
aacbb2accede5d166fe569df0336df0097b35c8d2753d04a2502ffa53049159e	2d0f7c1764ec1a98f5adb2e63f5bf8f5a8b5ac6421108aa2c7da6692fe1df25c	{"key":"2d0f7c1764ec1a98f5adb2e63f5bf8f5a8b5ac6421108aa2c7da6692fe1df25c","tree":"aacbb2accede5d166fe569df0336df0097b35c8d2753d04a2502ffa53049159e","language":"python","target":{"interpreter":"cpython 3.11","abi":"cpython-311-x86_64-linux-gnu","architecture":"x86_64","c_library":"glibc 2.36"},"packages":[{"name":"recorded_package","version":"1.0"}],"files":6,"bytes":492,"pieces":1}	1796080651997
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	1	1	1796080650176	f
01a22ebf-c809-74d8-b71a-a346450ff11b	big	1	1	1796080650250	f
01a22ebf-c81b-702f-bce3-d9a4936ae298	unstartable	1	1	1796080650267	f
01a22ebf-cefb-72b0-b422-f5b1414f2865	packaged	1	1	1796080652028	f
01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	2	3	1796080650096	f
01a22ebf-c7e1-739b-9bbf-e410c34a5eca	limited	1	1	1796080650210	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-0d98-74a7-9b68-6a553b8eed68	01a22ebf-c6c4-76ee-aad4-02f70ea165fb	01a22ebf-c76f-7593-a87e-e70af4ed00bf	2	7582	1796080668127
01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-0d98-74a7-9b68-6a56efa9ead9	01a22ebf-c6c4-76ee-aad4-02f70ea165fb	01a22ebf-c76f-7593-a87e-e70af4ed00bf	2	7580	1796080668196
01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-1a3b-73d8-9e15-1f9f2cae4ed3	01a22ebf-c6c4-76ee-aad4-02f70ea165fb	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	1	7629	1796080671338
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures, losses) FROM stdin;
01a22ebf-cf50-70c3-b63a-fdeb3d20f557	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	1	\N	01a22ebf-cf82-7686-b68a-f60e8cc4f948	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf54-7272-9f19-37d560f413ee","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652112	1796080652168	56	cold	f	[["queue",0,3983],["start",3983,43969],["load",47951,1680],["run",53486,501]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22ebf-cf91-7387-9cda-12c6d9ba39e5	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	1	\N	01a22ebf-cf94-717a-bc86-8e0308c26f32	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652177	1796080652185	8	warm	f	[["queue",0,5790],["run",5790,203]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0	0
01a22ebf-cf0a-7770-99f9-177fb4eb3548	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652043	1796080652111	67.87086500000001	cold	f	[["admit",0,2132],["queue",2132,960],["start",3092,62772],["load",65864,1574],["run",67644,215]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22ebf-cf8f-776e-960a-f7e1d114449a	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652175	1796080652177	1.300127	warm	f	[["admit",0,684],["queue",684,388],["run",1072,217]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0	0
01a22ebf-cfc9-7060-9155-aa86c31306b8	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	1	\N	01a22ebf-cfcb-7063-a938-f9293220a469	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf54-7272-9f19-37d560f413ee","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652233	1796080652237	4	warm	f	[["queue",0,2828],["run",2828,166]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0	0
01a22ebf-d007-7439-8552-e07be2820984	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	failed	f	\N	1	\N	01a22ebf-d009-7399-9bed-8102ccfb8b17	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfulzlh70z5/first/instances/01a22ebf-cf0d-7476-b911-11ec092c7345/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1796080652295	1796080652299	4	warm	f	[["queue",0,2643],["run",2643,351]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1	0
01a22ebf-cfc7-73f3-b85c-d8787b2ee466	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf54-7272-9f19-37d560f413ee","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080652231	1796080652232	1.267212	warm	f	[["admit",0,449],["queue",449,625],["run",1075,184]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0	0
01a22ebf-d042-747d-b912-5bd2c12c2b39	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	crashed	f	\N	1	\N	01a22ebf-d06d-7693-9cd7-87727217b114	\N	{"number":1,"revision":2,"instance":"01a22ebf-d045-769f-837e-649ca68094db","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796080652354	1796080652402	48	cold	f	[["queue",0,2453],["start",2453,39004],["load",41457,1547],["run",43930,2058]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1	0
01a22ebf-d2a1-70f6-b35a-fdf0eacdf6bc	01a22ebf-c7e1-739b-9bbf-e410c34a5eca	limited	async	timed_out	f	\N	1	\N	01a22ebf-d2d2-71ed-96cb-ecad0cdb39f7	\N	{"number":1,"revision":1,"instance":"01a22ebf-d2a5-73b6-911b-7992e6da819b","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796080652961	1796080653515	554	cold	f	[["queue",0,3429],["start",3429,43841],["load",47270,1714],["run",50261,501707]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1	0
01a22ebf-d4e1-7205-80e2-5b2c18401b26	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	1	\N	01a22ebf-d4e3-741b-9bee-75906260784c	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080653537	1796080653540	3	warm	f	[["queue",0,2666],["run",2666,328]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0	0
01a22ebf-d5fb-778e-bf63-1e19ebc6ee38	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	2	\N	01a22ec0-0ddf-7032-85f1-7d42fd60bdea	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a22ec0-0d98-74a7-9b68-6a553b8eed68","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080653819	1796080668133	14314	cold	f	[["queue",0,14237369],["start",14237369,68383],["load",14305752,1895],["run",14311715,273]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303636312e383138393735322c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0	1
01a22ebf-cfff-7561-a751-6cc942c48354	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfulzlh70z5/first/instances/01a22ebf-cf0d-7476-b911-11ec092c7345/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1796080652287	1796080652294	7.644706	warm	f	[["admit",0,456],["queue",456,720],["run",1176,6450]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22ebf-d03f-778a-a0a2-1a9f6d55cba6	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf54-7272-9f19-37d560f413ee","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796080652351	1796080652354	2.599746	warm	f	[["admit",0,482],["queue",482,802],["run",1284,1292]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22ebf-d079-7099-9ad7-32684c67ab1a	01a22ebf-c7e1-739b-9bbf-e410c34a5eca	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22ebf-d07a-77cf-87c4-570998046412","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796080652409	1796080652960	551.291031	cold	f	[["admit",0,1382],["queue",1382,1719],["start",3101,45929],["load",49030,1619],["run",50828,500429]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22ebf-d4e7-75de-8217-5f252629f04c	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	succeeded	f	\N	1	\N	01a22ebf-d4ea-772a-840d-2b606757b62e	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080653543	1796080653547	4	warm	f	[["queue",0,3830],["run",3830,165]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:43613","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0	0
01a22ebf-d4d8-72af-9f87-a4d0f94e4c70	01a22ebf-c81b-702f-bce3-d9a4936ae298	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1796080653529	1796080653536	7.397515	\N	f	[["admit",0,1266],["queue",1266,6131]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting	0	0
01a22ebf-d4e2-776a-ad2a-9b50518d71ee	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22ebf-cf0d-7476-b911-11ec092c7345","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080653538	1796080653542	4.279509	warm	f	[["admit",0,3643],["queue",3643,429],["run",4072,201]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0	0
01a22ebf-d63a-7064-8302-75786c8278c6	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1796080653882	1796080667956	14074.502962	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22ec0-0e04-7462-9210-d12715403174	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22ec0-0e06-7322-9a0e-da471df2f130","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080668164	1796080668224	59.821096999999995	cold	f	[["admit",0,1651],["queue",1651,1151],["start",2802,54881],["load",57682,1669],["run",59472,337]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22ec0-1aa4-705d-8feb-dc5fa07d00c9	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1796080671396	1796080673398	2001.803411	\N	f	[["admit",0,983],["queue",983,2000820]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22ec0-2279-7663-ba8d-9bd42ae8ef7b	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673401	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0	0
01a22ec0-227a-777b-8873-dbb8e5ad6c4c	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673402	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0	0
01a22ec0-227c-76fa-a276-47c018b24573	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673404	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0	0
01a22ec0-227d-727f-ab32-c1c1204a750e	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673406	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0	0
01a22ec0-227f-7705-b633-36a1e3b3f621	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673407	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0	0
01a22ec0-2280-74ed-a792-8db09cabd37d	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673408	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0	0
01a22ec0-0e79-75fa-b38a-2840c80f8c66	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668281	1796080668296	15	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	\N	\N	\N	\N	0	0
01a22ec0-0e7a-7319-b19f-18798031e09b	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668282	1796080668296	14	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0	0
01a22ec0-0e7c-71e1-908b-4470fd0d9c65	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668284	1796080668296	12	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0	0
01a22ec0-0e7d-77ea-ad5a-83fd8a82394d	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668285	1796080668296	11	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0	0
01a22ec0-0e7f-736a-96ab-0b0901d1027e	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668287	1796080668296	9	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0	0
01a22ec0-0e80-731e-9c1f-9bd53ecf2b44	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668288	1796080668296	8	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0	0
01a22ec0-0e81-713c-b528-5150fb308532	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668289	1796080668296	7	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0	0
01a22ec0-0e82-775f-a5c5-4e974c6577d9	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796080668290	1796080668296	6	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0	0
01a22ec0-0e41-7002-9636-084c4877d838	01a22ebf-c7f7-7639-9759-b8c49a25704c	doomed	async	succeeded	f	\N	1	\N	01a22ec0-0e45-726a-92cd-3df489547ad2	\N	{"number":1,"revision":1,"instance":"01a22ec0-0e06-7322-9a0e-da471df2f130","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796080668225	1796080671238	3013	warm	f	[["queue",0,4733],["run",4733,3006225]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303637312e323234373032382c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22ec0-1a35-74e7-aaff-e31e984613cb	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	running	f	\N	1	01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-1a6a-7355-b30f-3b8d9443ee5d	1		\N	0	0	1796080671285	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303832312e323835333232322c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0	0
01a22ec0-2277-7697-9835-53198b699ef1	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673399	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0	0
01a22ec0-2283-74c5-9d8f-900c4d9072df	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	running	f	\N	1	01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-2285-72e7-b38f-79740dd383ff	2		\N	0	0	1796080673411	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303832332e343131313238352c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0	0
01a22ec0-22bc-7758-b083-23c3b7c8b446	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	running	f	\N	1	01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-22bf-7006-960d-02393deaf4f2	2		\N	0	0	1796080673468	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303832332e343637393936362c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0	0
01a22ec0-22fb-7490-8198-6571eac7a489	01a22ebf-c81b-702f-bce3-d9a4936ae298	unstartable	async	retrying	f	\N	1	\N	01a22ec0-231d-72f9-93e2-8d4aac64f420	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting"}}\n	1796080674568	1796080674568	0	1796080673531	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0	1
01a22ec0-2332-744d-a732-34cf465b6571	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	running	f	\N	1	01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-236d-7173-ac2b-1044457d167b	2		\N	0	0	1796080673586	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303639382e353836303334352c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0	0
01a22ec0-2281-716a-9e5d-dfdd59e8b429	01a22ebf-c7c0-717c-8f04-e1e1558d31b3	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673410	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0	0
01a22ec0-22f7-7673-a085-e66b51e89599	01a22ebf-c809-74d8-b71a-a346450ff11b	big	async	queued	f	\N	0	\N	\N	\N		\N	1796102273656	1	1796080673527	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0	0
01a22ec0-23a4-7205-a7d5-ab50cca2ea78	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	running	f	\N	1	01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ec0-23df-7154-8a7a-d114e469b82a	2		\N	0	0	1796080673700	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"70","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363038303639382e3639393637312c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0	0
01a22ec0-24b4-752a-8e89-c0dc358b77eb	01a22ebf-c76f-7593-a87e-e70af4ed00bf	steps	async	queued	f	\N	0	\N	\N	\N		\N	1796080674972	0	1796080673972	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:44481","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0	0
\.
COPY public.leases (owner, manager, expires_at, renewals) FROM stdin;
01a22ec0-0d61-71ff-b6c2-90382a39d76b	01a22ebf-c6c4-76ee-aad4-02f70ea165fb	1796080708048	11
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1796080652110	steps	2	01a22ebf-cf0a-7770-99f9-177fb4eb3548	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran sync-json revision 2	\N
2	1796080652166	steps	2	01a22ebf-cf50-70c3-b63a-fdeb3d20f557	1	01a22ebf-cf54-7272-9f19-37d560f413ee	stdout	ran async-json revision 2	\N
3	1796080652176	steps	2	01a22ebf-cf8f-776e-960a-f7e1d114449a	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran sync-text revision 2	\N
4	1796080652183	steps	2	01a22ebf-cf91-7387-9cda-12c6d9ba39e5	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran async-text revision 2	\N
5	1796080652232	steps	2	01a22ebf-cfc7-73f3-b85c-d8787b2ee466	1	01a22ebf-cf54-7272-9f19-37d560f413ee	stdout	ran sync-bytes revision 2	\N
6	1796080652236	steps	2	01a22ebf-cfc9-7060-9155-aa86c31306b8	1	01a22ebf-cf54-7272-9f19-37d560f413ee	stdout	ran async-bytes revision 2	\N
7	1796080652291	steps	2	01a22ebf-cfff-7561-a751-6cc942c48354	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran sync-raise revision 2	\N
8	1796080652294	steps	2	01a22ebf-cfff-7561-a751-6cc942c48354	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	Traceback (most recent call last):	error
9	1796080652294	steps	2	01a22ebf-cfff-7561-a751-6cc942c48354	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	  File "/var/tmp/cfulzlh70z5/first/instances/01a22ebf-cf0d-7476-b911-11ec092c7345/task/function.py", line 16, in handler	error
10	1796080652294	steps	2	01a22ebf-cfff-7561-a751-6cc942c48354	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	    raise ValueError("no to " + event["token"])	error
11	1796080652294	steps	2	01a22ebf-cfff-7561-a751-6cc942c48354	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	ValueError: no to sync-raise	error
12	1796080652298	steps	2	01a22ebf-d007-7439-8552-e07be2820984	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran async-raise revision 2	\N
13	1796080652298	steps	2	01a22ebf-d007-7439-8552-e07be2820984	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	Traceback (most recent call last):	error
14	1796080652298	steps	2	01a22ebf-d007-7439-8552-e07be2820984	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	  File "/var/tmp/cfulzlh70z5/first/instances/01a22ebf-cf0d-7476-b911-11ec092c7345/task/function.py", line 16, in handler	error
15	1796080652298	steps	2	01a22ebf-d007-7439-8552-e07be2820984	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	    raise ValueError("no to " + event["token"])	error
16	1796080652298	steps	2	01a22ebf-d007-7439-8552-e07be2820984	1	01a22ebf-cf0d-7476-b911-11ec092c7345	platform	ValueError: no to async-raise	error
17	1796080652353	steps	2	01a22ebf-d03f-778a-a0a2-1a9f6d55cba6	1	01a22ebf-cf54-7272-9f19-37d560f413ee	stdout	ran sync-exit revision 2	\N
18	1796080652353	steps	2	01a22ebf-d03f-778a-a0a2-1a9f6d55cba6	1	01a22ebf-cf54-7272-9f19-37d560f413ee	platform	exit: the function's process exited with code 3	error
19	1796080652399	steps	2	01a22ebf-d042-747d-b912-5bd2c12c2b39	1	01a22ebf-d045-769f-837e-649ca68094db	stdout	ran async-exit revision 2	\N
20	1796080652400	steps	2	01a22ebf-d042-747d-b912-5bd2c12c2b39	1	01a22ebf-d045-769f-837e-649ca68094db	platform	exit: the function's process exited with code 3	error
21	1796080652458	limited	1	01a22ebf-d079-7099-9ad7-32684c67ab1a	1	01a22ebf-d07a-77cf-87c4-570998046412	stdout	ran sync-hang revision 1	\N
22	1796080652958	limited	1	01a22ebf-d079-7099-9ad7-32684c67ab1a	1	01a22ebf-d07a-77cf-87c4-570998046412	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1796080653012	limited	1	01a22ebf-d2a1-70f6-b35a-fdf0eacdf6bc	1	01a22ebf-d2a5-73b6-911b-7992e6da819b	stdout	ran async-hang revision 1	\N
24	1796080653513	limited	1	01a22ebf-d2a1-70f6-b35a-fdf0eacdf6bc	1	01a22ebf-d2a5-73b6-911b-7992e6da819b	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1796080653540	steps	2	01a22ebf-d4e1-7205-80e2-5b2c18401b26	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran classic revision 2	\N
26	1796080653542	steps	2	01a22ebf-d4e2-776a-ad2a-9b50518d71ee	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran second-host-sync revision 2	\N
27	1796080653547	steps	2	01a22ebf-d4e7-75de-8217-5f252629f04c	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran second-host revision 2	\N
28	1796080653823	steps	2	01a22ebf-d5fb-778e-bf63-1e19ebc6ee38	1	01a22ebf-cf0d-7476-b911-11ec092c7345	stdout	ran lost revision 2	\N
29	1796080653928	steps	2	01a22ebf-d63a-7064-8302-75786c8278c6	1	01a22ebf-d63a-747f-a2d3-073f2c01b9f8	stdout	ran interrupted revision 2	\N
30	1796080668131	steps	2	01a22ebf-d5fb-778e-bf63-1e19ebc6ee38	2	01a22ec0-0d98-74a7-9b68-6a553b8eed68	stdout	ran lost revision 2	\N
33	1796080671341	narrow	1	01a22ec0-1a35-74e7-aaff-e31e984613cb	1	01a22ec0-1a3b-73d8-9e15-1f9f2cae4ed3	stdout	ran running-narrow revision 1	\N
34	1796080673414	steps	2	01a22ec0-2283-74c5-9d8f-900c4d9072df	1	01a22ec0-0d98-74a7-9b68-6a56efa9ead9	stdout	ran running-0 revision 2	\N
35	1796080673472	steps	2	01a22ec0-22bc-7758-b083-23c3b7c8b446	1	01a22ec0-0d98-74a7-9b68-6a553b8eed68	stdout	ran running-1 revision 2	\N
36	1796080673647	steps	2	01a22ec0-2332-744d-a732-34cf465b6571	1	01a22ec0-2335-7028-afba-dc6f3ab19370	stdout	ran outcome-json revision 2	\N
37	1796080673760	steps	2	01a22ec0-23a4-7205-a7d5-ab50cca2ea78	1	01a22ec0-23a7-7654-ac22-e675dbeba73a	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at, dependencies) FROM stdin;
01a22ebf-c76f-7593-a87e-e70af4ed00bf	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1796080650096	\N
01a22ebf-c76f-7593-a87e-e70af4ed00bf	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1796080650137	\N
01a22ebf-c76f-7593-a87e-e70af4ed00bf	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1796080650155	\N
01a22ebf-c7c0-717c-8f04-e1e1558d31b3	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1796080650176	\N
01a22ebf-c7e1-739b-9bbf-e410c34a5eca	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1796080650210	\N
01a22ebf-c809-74d8-b71a-a346450ff11b	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1796080650250	\N
01a22ebf-c81b-702f-bce3-d9a4936ae298	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1796080650267	\N
01a22ebf-cefb-72b0-b422-f5b1414f2865	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	a78aed111f46a9f6d6682a12facffb1ba63ecd2e9f8a9587c9a962a03ffd8ca1	python	1796080652028	aacbb2accede5d166fe569df0336df0097b35c8d2753d04a2502ffa53049159e
\.
COPY public.totals (name, value) FROM stdin;
pruned	0
accepted	34
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
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_function_id_fkey FOREIGN KEY (function_id) REFERENCES public.functions(id) ON DELETE CASCADE;
