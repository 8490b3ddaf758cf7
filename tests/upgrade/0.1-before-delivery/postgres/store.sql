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
    CONSTRAINT invocations_mode_check CHECK ((mode = ANY (ARRAY['sync'::text, 'async'::text]))),
    CONSTRAINT invocations_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'retrying'::text, 'succeeded'::text, 'failed'::text, 'timed_out'::text, 'crashed'::text, 'cancelled'::text, 'expired'::text])))
);
ALTER TABLE ONLY public.invocations ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.invocations ALTER COLUMN result SET STORAGE EXTERNAL;
CREATE TABLE public.leases (
    owner uuid NOT NULL,
    manager uuid NOT NULL,
    expires_at bigint NOT NULL
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
    created_at bigint NOT NULL
);
CREATE TABLE public.totals (
    name text NOT NULL,
    value bigint NOT NULL
);
COPY public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) FROM stdin;
1	init	2026-11-29 19:58:53.229903+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	58836519
2	log kind	2026-11-29 19:58:53.289465+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	2360899
3	reasons	2026-11-29 19:58:53.292072+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	3933037
4	growth	2026-11-29 19:58:53.296234+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	12593964
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1795982334546
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1795982334952
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1795982335038
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1795982335128
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1795982335210
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1795982335405
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1795982335505
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	1	1	1795982335153	f
01a228e3-9dc8-774b-9230-f885e93404ef	big	1	1	1795982335433	f
01a228e3-9e33-7460-8a75-a6749d468d9a	unstartable	1	1	1795982335540	f
01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	2	3	1795982334817	f
01a228e3-9d04-721b-8fdd-f0649baba01e	limited	1	1	1795982335237	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-dd23-74b6-b4ea-ac039bc109e5	01a228e3-986e-70db-a568-a310d5616b3e	01a228e3-9b57-7704-85a0-48e2ffe4c781	2	1034	1795982352116
01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-ed31-72a8-81b0-1886e9e048b1	01a228e3-986e-70db-a568-a310d5616b3e	01a228e3-9cb0-7668-bb10-d5aa96508938	1	1065	1795982356016
01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-f79b-76d6-a651-faa0f88ec876	01a228e3-986e-70db-a568-a310d5616b3e	01a228e3-9b57-7704-85a0-48e2ffe4c781	2	1069	1795982358802
01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-fc81-7443-904a-2ec48f3adc65	01a228e3-986e-70db-a568-a310d5616b3e	01a228e3-9b57-7704-85a0-48e2ffe4c781	2	1074	1795982360268
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures) FROM stdin;
01a228e3-9ea8-70a1-a405-62fbb905538e	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982335656	1795982336169	513.3968100000001	cold	f	[["admit",0,32947],["queue",32947,16540],["start",49487,444506],["load",493993,5949],["run",500595,12756]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0
01a228e3-a0b2-71c4-b259-1fdfd12647df	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	1	\N	01a228e3-a0d6-74de-9f3e-c0c6125d24b4	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982336178	1795982336270	92	warm	f	[["queue",0,53434],["run",53434,542]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0
01a228e3-a17c-7572-8aeb-e3dc5c380499	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	1	\N	01a228e3-a18a-7737-be9e-3a7a4eb64ab0	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982336380	1795982336401	21	warm	f	[["queue",0,18452],["run",18452,470]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0
01a228e3-a16f-7246-9b33-a59e301db9b3	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982336367	1795982336375	8.080919000000002	warm	f	[["admit",0,5482],["queue",5482,2057],["run",7538,518]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0
01a228e3-a206-731d-82d7-ca0c86f9b1a2	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	1	\N	01a228e3-a235-76bd-a0ec-498463b3896b	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982336518	1795982336593	75	warm	f	[["queue",0,69496],["run",69496,485]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0
01a228e3-a1de-7653-8c55-46d06d1a88f0	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982336478	1795982336504	26.736714000000003	warm	f	[["admit",0,14619],["queue",14619,11636],["run",26254,463]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0
01a228e3-a29a-7393-ab46-c831d92d34d5	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	failed	f	\N	1	\N	01a228e3-a2a2-741e-8b1c-240f54d73cd4	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuvdbvch5d/first/instances/01a228e3-9ecc-707d-9936-8aed04ab3462/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1795982336666	1795982336679	13	warm	f	[["queue",0,9986],["run",9986,1000]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1
01a228e3-a272-71a4-bc37-3584f99f4bc5	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuvdbvch5d/first/instances/01a228e3-9ecc-707d-9936-8aed04ab3462/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1795982336626	1795982336660	34.780012	warm	f	[["admit",0,2839],["queue",2839,1791],["run",4630,30099]]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a228e3-a2c4-75aa-8708-87e1baff90ee	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-9ecc-707d-9936-8aed04ab3462","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795982336708	1795982336728	20.140991	warm	f	[["admit",0,1094],["queue",1094,6507],["run",7601,12500]]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a228e3-a2de-7572-acd7-9662f5c00389	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	crashed	f	\N	1	\N	01a228e3-a2ec-75fe-aea1-2d3d5982f700	\N	{"number":1,"revision":2,"instance":"01a228e3-a2fc-772b-8aae-2a80c061acfc","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795982336734	1795982337229	495	cold	f	[["queue",0,29374],["start",29374,422889],["load",452262,8668],["run",468926,15007]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1
01a228e3-a52b-74c6-8435-aa895534e79d	01a228e3-9d04-721b-8fdd-f0649baba01e	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a228e3-a531-73e1-a7aa-198c8012bafb","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795982337323	1795982338209	885.845562	cold	f	[["admit",0,3711],["queue",3711,3976],["start",7686,370900],["load",378586,6281],["run",385365,500410]]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a228e3-a8b0-7633-a565-87573feb7eb4	01a228e3-9d04-721b-8fdd-f0649baba01e	limited	async	timed_out	f	\N	1	\N	01a228e3-a8d0-7438-9de6-ab6e389bc6a0	\N	{"number":1,"revision":1,"instance":"01a228e3-a8d3-77d1-8464-74988a8060d8","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795982338224	1795982339094	870	cold	f	[["queue",0,35518],["start",35518,325467],["load",360985,5656],["run",367571,501354]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1
01a228e3-ac4a-764f-9acc-a229fd2822cd	01a228e3-9e33-7460-8a75-a6749d468d9a	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1795982339146	1795982339168	22.205875	\N	f	[["admit",0,8437],["queue",8437,13767]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting	0
01a228e3-b010-75f1-9c1a-aa0394a790fc	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1795982340112	1795982351069	10957.025131	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a228e3-df09-75b4-9604-4522417f1264	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a228e3-df14-732a-9b35-dce1134ea55b","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982352137	1795982352471	334.132155	cold	f	[["admit",0,2891],["queue",2891,31968],["start",34860,294545],["load",329405,3528],["run",333075,1030]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0
01a228e3-ac63-75ff-918b-ae35e161884b	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	1	\N	01a228e3-ac6d-748a-81b9-85091654f022	\N	{"number":1,"revision":2,"instance":"01a228e3-ac70-7154-9dce-fa039cfc9fa2","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982339171	1795982339601	430	cold	f	[["queue",0,13538],["start",13538,383775],["load",397313,6342],["run",404837,8117]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0
01a228e3-ae64-7218-b637-ca3cdf32d3bc	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	1	\N	01a228e3-ae6b-757b-a8f8-16ffd01f044e	\N	{"number":1,"revision":2,"instance":"01a228e3-ac70-7154-9dce-fa039cfc9fa2","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982339684	1795982339695	11	warm	f	[["queue",0,8354],["run",8354,583]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:38247","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0
01a228e3-ac68-71d0-87ab-a92c630e56e1	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a228e3-ac7d-70b4-a3cb-f780260a60c3","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982339176	1795982339681	505.56304500000005	cold	f	[["admit",0,21022],["queue",21022,4050],["start",25072,460774],["load",485846,11736],["run",499037,6428]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0
01a228e3-afb1-7753-8659-4fb070e990b2	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	succeeded	f	\N	2	\N	01a228e3-dd1b-74f8-9aa4-e5ccb98dcc52	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a228e3-dd23-74b6-b4ea-ac039bc109e5","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982340017	1795982352122	12105	cold	f	[["queue",0,11634217],["start",11634217,442832],["load",12077049,21764],["run",12099150,1819]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323334382e303135343230372c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0
01a228e3-e05a-707f-8add-7b11968a5841	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	succeeded	f	\N	1	\N	01a228e3-e073-759b-a427-f4d5b9296571	\N	{"number":1,"revision":1,"instance":"01a228e3-df14-732a-9b35-dce1134ea55b","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795982352474	1795982355498	3024	warm	f	[["queue",0,29639],["run",29639,2987302]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323335352e343733303032322c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0
01a228e3-e0f8-77c0-acd0-fa78b954ff71	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352632	1795982352655	23	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0
01a228e3-e0d3-7677-8d8e-a6c2be2793aa	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	succeeded	f	\N	1	\N	01a228e3-e0e8-70a6-bf17-6c0d22938ac4	\N	{"number":1,"revision":1,"instance":"01a228e3-df14-732a-9b35-dce1134ea55b","outcome":"succeeded","error":null}\n	\N	\N	0	1795982352595	1795982355512	2917	warm	f	[["queue",0,2896367],["run",2896367,1611]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	application/json	36	\\x7b22746f6b656e223a22646f6f6d65642d30222c227661726961626c65223a6e756c6c7d	\N	0
01a228e3-f6bb-7313-bc52-cb85a460ee8e	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795982418432	1	1795982358203	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0
01a228e3-f973-70d9-b634-72d31e89d116	01a228e3-9dc8-774b-9230-f885e93404ef	big	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-f993-752b-965f-6f7d1008fc90	1		\N	1795982358937	0	1795982358899	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0
01a228e4-031d-723b-9efe-ba0b203dd005	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	queued	f	\N	0	\N	\N	\N		\N	1795982362374	0	1795982361373	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0
01a228e3-f693-7040-a046-3513b71d73fb	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e4-3df6-71ec-913d-82fbb06e7edb	1		\N	1795982376444	0	1795982358163	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0
01a228e3-e0db-7765-a488-b086b5221a9a	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352603	1795982352655	52	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0
01a228e3-e0e3-73ef-b9a2-038f9f5c2105	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352611	1795982352655	44	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0
01a228e3-e0ff-73e0-8b62-6f38638fabaa	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352639	1795982352655	16	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0
01a228e3-e103-7367-b823-e9a0f38471c6	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352643	1795982352655	12	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0
01a228e3-f6c6-7405-a877-f0c3ffc037cb	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-f6ff-7039-9188-06cb4c98cb58	2		\N	1795982358274	0	1795982358214	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"50","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323530382e3231333330372c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0
01a228e3-f78f-76c5-999d-6060f27e6911	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-f798-7061-86ef-2ddabab5d198	2		\N	1795982358426	0	1795982358415	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323530382e343038373534332c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0
01a228e3-f6a5-7320-b1e3-837219350313	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795982418432	1	1795982358181	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0
01a228e3-f6ac-7019-a581-cd0f75fa4a18	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795982418432	1	1795982358188	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0
01a228e3-f6c0-77ee-b0e6-b411137500b3	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795982418432	1	1795982358208	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0
01a228e3-fa36-76bf-949f-aab17230eb35	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-fa44-7305-af83-b8c3ba33ca10	2		\N	1795982359121	0	1795982359094	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323338342e303933313038372c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0
01a228e3-fc78-7606-8a4e-deefe9ec50c3	01a228e3-9b57-7704-85a0-48e2ffe4c781	steps	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-fc7f-741b-8266-5008a505b4cf	2		\N	1795982359680	0	1795982359672	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"70","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323338342e3636333931312c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0
01a228e3-f686-7188-b623-67c58c2f2afb	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e4-34e7-76be-8ac7-be1e5608c263	1		\N	1795982374121	0	1795982358150	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0
01a228e3-e0f3-7636-8502-52c7398a7752	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352627	1795982352655	28	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0
01a228e3-e107-7742-b0e5-88e1bc51f73f	01a228e3-9d5c-7433-824b-c74a120cad75	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795982352647	1795982352655	8	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0
01a228e3-ecf8-72ef-8a42-071ff0cf3295	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-ed2c-75de-ab16-355d84355058	1		\N	1795982355761	0	1795982355704	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353938323530352e363936383531332c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0
01a228e3-f672-75a2-8bb4-82b9d7d8aaf0	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	running	f	\N	1	01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-f6bd-7733-aee3-651443af05aa	1		\N	1795982358229	0	1795982358130	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0
01a228e3-f6b1-7536-915a-b5e90783461b	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795982418432	1	1795982358193	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0
01a228e3-ee97-72dc-bf62-a328312454f7	01a228e3-9cb0-7668-bb10-d5aa96508938	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1795982356119	1795982358124	2004.37142	\N	f	[["admit",0,1382],["queue",1382,2002988]]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a228e3-f9cb-76cd-b230-5dc4d06eb36b	01a228e3-9e33-7460-8a75-a6749d468d9a	unstartable	async	retrying	f	\N	1	\N	01a228e3-f9ea-7520-888f-26d512520457	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting"}}\n	1795982364056	1795982364056	0	1795982358987	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:33581","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0
\.
COPY public.leases (owner, manager, expires_at) FROM stdin;
01a228e3-dc4c-76ce-8549-2fa84636bbcb	01a228e3-986e-70db-a568-a310d5616b3e	1795982394585
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1795982336156	steps	2	01a228e3-9ea8-70a1-a405-62fbb905538e	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran sync-json revision 2	\N
2	1795982336232	steps	2	01a228e3-a0b2-71c4-b259-1fdfd12647df	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran async-json revision 2	\N
3	1795982336374	steps	2	01a228e3-a16f-7246-9b33-a59e301db9b3	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran sync-text revision 2	\N
4	1795982336399	steps	2	01a228e3-a17c-7572-8aeb-e3dc5c380499	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran async-text revision 2	\N
5	1795982336493	steps	2	01a228e3-a1de-7653-8c55-46d06d1a88f0	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran sync-bytes revision 2	\N
6	1795982336588	steps	2	01a228e3-a206-731d-82d7-ca0c86f9b1a2	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran async-bytes revision 2	\N
7	1795982336627	steps	2	01a228e3-a272-71a4-bc37-3584f99f4bc5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran sync-raise revision 2	\N
8	1795982336657	steps	2	01a228e3-a272-71a4-bc37-3584f99f4bc5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	Traceback (most recent call last):	error
9	1795982336657	steps	2	01a228e3-a272-71a4-bc37-3584f99f4bc5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	  File "/var/tmp/cfuvdbvch5d/first/instances/01a228e3-9ecc-707d-9936-8aed04ab3462/task/function.py", line 16, in handler	error
10	1795982336657	steps	2	01a228e3-a272-71a4-bc37-3584f99f4bc5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	    raise ValueError("no to " + event["token"])	error
11	1795982336657	steps	2	01a228e3-a272-71a4-bc37-3584f99f4bc5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	ValueError: no to sync-raise	error
12	1795982336677	steps	2	01a228e3-a29a-7393-ab46-c831d92d34d5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran async-raise revision 2	\N
13	1795982336677	steps	2	01a228e3-a29a-7393-ab46-c831d92d34d5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	Traceback (most recent call last):	error
14	1795982336677	steps	2	01a228e3-a29a-7393-ab46-c831d92d34d5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	  File "/var/tmp/cfuvdbvch5d/first/instances/01a228e3-9ecc-707d-9936-8aed04ab3462/task/function.py", line 16, in handler	error
15	1795982336677	steps	2	01a228e3-a29a-7393-ab46-c831d92d34d5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	    raise ValueError("no to " + event["token"])	error
16	1795982336677	steps	2	01a228e3-a29a-7393-ab46-c831d92d34d5	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	ValueError: no to async-raise	error
17	1795982336711	steps	2	01a228e3-a2c4-75aa-8708-87e1baff90ee	1	01a228e3-9ecc-707d-9936-8aed04ab3462	stdout	ran sync-exit revision 2	\N
18	1795982336722	steps	2	01a228e3-a2c4-75aa-8708-87e1baff90ee	1	01a228e3-9ecc-707d-9936-8aed04ab3462	platform	exit: the function's process exited with code 3	error
19	1795982337206	steps	2	01a228e3-a2de-7572-acd7-9662f5c00389	1	01a228e3-a2fc-772b-8aae-2a80c061acfc	stdout	ran async-exit revision 2	\N
20	1795982337218	steps	2	01a228e3-a2de-7572-acd7-9662f5c00389	1	01a228e3-a2fc-772b-8aae-2a80c061acfc	platform	exit: the function's process exited with code 3	error
21	1795982337714	limited	1	01a228e3-a52b-74c6-8435-aa895534e79d	1	01a228e3-a531-73e1-a7aa-198c8012bafb	stdout	ran sync-hang revision 1	\N
22	1795982338208	limited	1	01a228e3-a52b-74c6-8435-aa895534e79d	1	01a228e3-a531-73e1-a7aa-198c8012bafb	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1795982338604	limited	1	01a228e3-a8b0-7633-a565-87573feb7eb4	1	01a228e3-a8d3-77d1-8464-74988a8060d8	stdout	ran async-hang revision 1	\N
24	1795982339093	limited	1	01a228e3-a8b0-7633-a565-87573feb7eb4	1	01a228e3-a8d3-77d1-8464-74988a8060d8	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1795982339580	steps	2	01a228e3-ac63-75ff-918b-ae35e161884b	1	01a228e3-ac70-7154-9dce-fa039cfc9fa2	stdout	ran classic revision 2	\N
26	1795982339680	steps	2	01a228e3-ac68-71d0-87ab-a92c630e56e1	1	01a228e3-ac7d-70b4-a3cb-f780260a60c3	stdout	ran second-host-sync revision 2	\N
27	1795982339693	steps	2	01a228e3-ae64-7218-b637-ca3cdf32d3bc	1	01a228e3-ac70-7154-9dce-fa039cfc9fa2	stdout	ran second-host revision 2	\N
28	1795982340033	steps	2	01a228e3-afb1-7753-8659-4fb070e990b2	1	01a228e3-ac70-7154-9dce-fa039cfc9fa2	stdout	ran lost revision 2	\N
29	1795982340363	steps	2	01a228e3-b010-75f1-9c1a-aa0394a790fc	1	01a228e3-b012-75a0-8808-27e3394df5c7	stdout	ran interrupted revision 2	\N
30	1795982352118	steps	2	01a228e3-afb1-7753-8659-4fb070e990b2	2	01a228e3-dd23-74b6-b4ea-ac039bc109e5	stdout	ran lost revision 2	\N
33	1795982356019	narrow	1	01a228e3-ecf8-72ef-8a42-071ff0cf3295	1	01a228e3-ed31-72a8-81b0-1886e9e048b1	stdout	ran running-narrow revision 1	\N
34	1795982358276	steps	2	01a228e3-f6c6-7405-a877-f0c3ffc037cb	1	01a228e3-dd23-74b6-b4ea-ac039bc109e5	stdout	ran running-0 revision 2	\N
35	1795982358804	steps	2	01a228e3-f78f-76c5-999d-6060f27e6911	1	01a228e3-f79b-76d6-a651-faa0f88ec876	stdout	ran running-1 revision 2	\N
36	1795982359618	steps	2	01a228e3-fa36-76bf-949f-aab17230eb35	1	01a228e3-fa52-7563-8bf7-71e1cf110cc5	stdout	ran outcome-json revision 2	\N
37	1795982360269	steps	2	01a228e3-fc78-7606-8a4e-deefe9ec50c3	1	01a228e3-fc81-7443-904a-2ec48f3adc65	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at) FROM stdin;
01a228e3-9b57-7704-85a0-48e2ffe4c781	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1795982334817
01a228e3-9b57-7704-85a0-48e2ffe4c781	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1795982334990
01a228e3-9b57-7704-85a0-48e2ffe4c781	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1795982335069
01a228e3-9cb0-7668-bb10-d5aa96508938	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1795982335153
01a228e3-9d04-721b-8fdd-f0649baba01e	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1795982335237
01a228e3-9dc8-774b-9230-f885e93404ef	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1795982335433
01a228e3-9e33-7460-8a75-a6749d468d9a	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1795982335540
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
CREATE INDEX invocations_waiting ON public.invocations USING btree (function_id) WHERE (state = ANY (ARRAY['queued'::text, 'retrying'::text]));
CREATE INDEX logs_by_function ON public.logs USING btree (function_name, sequence);
CREATE INDEX logs_by_invocation ON public.logs USING btree (invocation_id, sequence) WHERE (invocation_id IS NOT NULL);
CREATE INDEX logs_by_time ON public.logs USING btree (ts);
CREATE INDEX revisions_bundle ON public.revisions USING btree (bundle);
CREATE INDEX revisions_source ON public.revisions USING btree (source);
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_function_id_fkey FOREIGN KEY (function_id) REFERENCES public.functions(id) ON DELETE CASCADE;
