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
    created_at bigint NOT NULL
);
CREATE TABLE public.totals (
    name text NOT NULL,
    value bigint NOT NULL
);
COPY public._sqlx_migrations (version, description, installed_on, success, checksum, execution_time) FROM stdin;
1	init	2026-11-30 19:45:38.334634+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	39644652
2	log kind	2026-11-30 19:45:38.374716+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	2399468
3	reasons	2026-11-30 19:45:38.377419+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	3680902
4	growth	2026-11-30 19:45:38.381386+00	t	\\xeffddd78869f1284073c7f68c79b2b26fd1d2147ecb04f7975603c737d6984e516e2e30e397e6da51b65da029232ebd7	4498658
5	delivery	2026-11-30 19:45:38.386176+00	t	\\x68e123f0f29d9e10946315035deceb85b6771e1e48a59e9c42521ff4b8feece2b39a983b2f6203966a10dfc32ee1a6dd	6782534
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1796067939424
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1796067939565
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1796067939633
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1796067939707
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1796067939768
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1796067939890
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1796067939958
\.
COPY public.deleted_functions (id, deleted_at) FROM stdin;
01a22dfd-d606-7210-bfe0-b5be85531208	1796067956977
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	1	1	1796067939730	f
01a22dfd-d64b-72b4-be90-f4c9e9deaae3	big	1	1	1796067939916	f
01a22dfd-d682-756c-b3e5-26a2fe54b460	unstartable	1	1	1796067939971	f
01a22dfd-d4b9-752d-aea4-1aef09768029	steps	2	3	1796067939515	f
01a22dfd-d5c9-76a0-8cc1-0245546fff7f	limited	1	1	1796067939785	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-172f-766f-9206-7221e749c46a	01a22dfd-d27b-73b3-a443-a0f99f551559	01a22dfd-d4b9-752d-aea4-1aef09768029	2	9404	1796067956659
01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-172f-766f-9206-72202900c406	01a22dfd-d27b-73b3-a443-a0f99f551559	01a22dfd-d4b9-752d-aea4-1aef09768029	2	9402	1796067956679
01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-24a6-72e1-8ae8-4233ec370fd6	01a22dfd-d27b-73b3-a443-a0f99f551559	01a22dfd-d591-75a8-b118-ebbdbb650a8d	1	9592	1796067960085
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures, losses) FROM stdin;
01a22dfd-d71b-768c-9698-14d6c0a246fb	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	1	\N	01a22dfd-d729-735a-9ec6-4d65e55b9e8b	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940124	1796067940148	24	warm	f	[["queue",0,18535],["run",18535,426]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22dfd-d763-72f5-8de9-2ac8c6ebfbec	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	1	\N	01a22dfd-d76a-74ce-aae3-c28b538d1869	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940195	1796067940205	10	warm	f	[["queue",0,7332],["run",7332,633]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0	0
01a22dfd-d6b0-7511-b110-a7222e35f2e1	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940017	1796067940118	100.940976	cold	f	[["admit",0,8577],["queue",8577,4625],["start",13202,82713],["load",95915,2803],["run",99576,1291]]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0	0
01a22dfd-d75c-738d-80cd-02c3aadcd0da	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940189	1796067940193	4.075817	warm	f	[["admit",0,1359],["queue",1359,2153],["run",3512,445]]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0	0
01a22dfd-d7a5-7040-8369-07f517f425da	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	1	\N	01a22dfd-d7ab-7472-96bf-0e915ff2a9aa	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940261	1796067940270	9	warm	f	[["queue",0,7469],["run",7469,492]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0	0
01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	failed	f	\N	1	\N	01a22dfd-d7f7-7527-a975-18ea00974e09	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfu34q7qpnf/second/instances/01a22dfd-d6bb-74ea-9710-44ea424225c9/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1796067940336	1796067940347	11	warm	f	[["queue",0,7976],["run",7976,977]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1	0
01a22dfd-d79e-77a4-8ec0-05765d3f2ec3	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067940255	1796067940259	3.993305	warm	f	[["admit",0,1402],["queue",1402,2073],["run",3475,410]]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0	0
01a22dfd-d834-74e9-818e-48595e2d176d	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	crashed	f	\N	1	\N	01a22dfd-d8b1-7155-8d5e-e1da67b82ca5	\N	{"number":1,"revision":2,"instance":"01a22dfd-d83f-7588-9a97-8ecd8d82767c","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796067940405	1796067940537	132	cold	f	[["queue",0,9932],["start",9932,111083],["load",121015,2550],["run",125229,2716]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1	0
01a22dfd-db23-7134-a839-cc7f37efc50a	01a22dfd-d5c9-76a0-8cc1-0245546fff7f	limited	async	timed_out	f	\N	1	\N	01a22dfd-dba2-71c6-b681-f4951b492c17	\N	{"number":1,"revision":1,"instance":"01a22dfd-db2d-710c-bf02-06ae05d662c4","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796067941156	1796067941793	637	cold	f	[["queue",0,8783],["start",8783,113568],["load",122350,2640],["run",128773,501033]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1	0
01a22dfd-ddd1-7706-a6ad-253dcd53785d	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	1	\N	01a22dfd-de51-7334-ae1e-b5f9aa8d01d1	\N	{"number":1,"revision":2,"instance":"01a22dfd-ddd9-7005-992e-2b94b1a7a904","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067941842	1796067941986	144	warm	f	[["queue",0,137412],["run",137412,545]]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0	0
01a22dfd-df91-72de-a977-4d62abe3df6a	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	2	\N	01a22dfe-17b4-7388-b661-02514a1312ca	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a22dfe-172f-766f-9206-7221e749c46a","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067942290	1796067956683	14393	cold	f	[["queue",0,14237336],["start",14237336,129509],["load",14366845,2835],["run",14388299,647]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036373935302e323837383631362c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0	1
01a22dfe-1874-7084-bbe5-3b4e2ac6c190	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	succeeded	f	\N	1	\N	01a22dfe-1887-7486-bc9b-093c3d77eba7	\N	{"number":1,"revision":1,"instance":"01a22dfe-1810-73b6-8bd3-c8c2589b848c","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067956853	1796067959901	3048	warm	f	[["queue",0,18924],["run",18924,3018927]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036373935392e383531323730372c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22dfd-d7e0-747a-978b-4e5c7d88f02c	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfu34q7qpnf/second/instances/01a22dfd-d6bb-74ea-9710-44ea424225c9/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1796067940321	1796067940333	12.43477	warm	f	[["admit",0,1517],["queue",1517,2401],["run",3918,8417]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22dfd-d82c-7367-8335-6bbf473bb06c	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-d6bb-74ea-9710-44ea424225c9","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1796067940396	1796067940403	6.164756000000001	warm	f	[["admit",0,1555],["queue",1555,2242],["run",3797,2296]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22dfd-d8dc-7103-8374-07fadd6ed20a	01a22dfd-d5c9-76a0-8cc1-0245546fff7f	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22dfd-d8e2-71c6-95ce-1806d974ceb8","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1796067940573	1796067941150	577.785737	cold	f	[["admit",0,4439],["queue",4439,4065],["start",8504,57654],["load",66158,9291],["run",76195,501329]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22dfd-ddbe-7575-aed9-8aa941bb8687	01a22dfd-d682-756c-b3e5-26a2fe54b460	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1796067941823	1796067941838	15.895521999999998	\N	f	[["admit",0,8380],["queue",8380,7504]]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting	0	0
01a22dfd-de67-7293-b887-8673ef886727	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	succeeded	f	\N	1	\N	01a22dfd-de78-7632-b5e6-b18a4a5c8de8	\N	{"number":1,"revision":2,"instance":"01a22dfd-ddd9-7005-992e-2b94b1a7a904","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067941993	1796067942017	24	warm	f	[["queue",0,18687],["run",18687,2271]]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:46701","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0	0
01a22dfd-ddd5-7493-a1ff-f77094120fcf	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22dfd-ddd9-7005-992e-2b94b1a7a904","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067941846	1796067941979	132.620709	cold	f	[["admit",0,55911],["queue",55911,13614],["start",69525,48397],["load",117922,7989],["run",126707,5828]]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0	0
01a22dfd-dff5-72ee-a9e8-3b1332eab021	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1796067942390	1796067956133	13742.992673	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22dfe-1807-731d-934f-4eec7fc6bf08	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22dfe-1810-73b6-8bd3-c8c2589b848c","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1796067956743	1796067956849	105.905105	cold	f	[["admit",0,8784],["queue",8784,2042],["start",10826,90010],["load",100836,2631],["run",104596,1210]]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0	0
01a22dfe-18bf-70d7-bec3-f07b92026262	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956928	1796067956978	50	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0	0
01a22dfe-18d0-7238-9f6c-537c7bad3e30	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956945	1796067956978	33	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0	0
01a22dfe-18d7-76f0-a788-ba4c04e3295d	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956952	1796067956978	26	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0	0
01a22dfe-18e0-75de-95ef-16d2fb085a7b	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956961	1796067956978	17	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0	0
01a22dfe-2552-75cf-9d53-130122ec8056	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1796067960147	1796067962151	2004.1955819999998	\N	f	[["admit",0,1331],["queue",1331,2002846]]	\N	\N	\N	\N	\N	\N	\N	\N	0	0
01a22dfe-2da2-74fb-9317-8c819d9701f2	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	running	f	\N	1	01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-2da8-72eb-b64b-2a5c6542afda	2		\N	0	0	1796067962275	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"50","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036383131322e3237333635382c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0	0
01a22dfe-2d37-7088-bed0-b5e245488af2	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962168	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0	0
01a22dfe-18bc-7036-b902-4ccebdd320ae	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956924	1796067956978	54	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	\N	\N	\N	\N	0	0
01a22dfe-18cb-7611-a7da-eb2fa6663327	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956940	1796067956978	38	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0	0
01a22dfe-18d4-7204-93a2-fbe32a80f6bb	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956949	1796067956978	29	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0	0
01a22dfe-18dc-7693-a420-b94d9324dec2	01a22dfd-d606-7210-bfe0-b5be85531208	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1796067956956	1796067956978	22	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0	0
01a22dfe-2498-70a3-ad54-1165930d0831	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	running	f	\N	1	01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-2516-7546-8bda-721e8f6b4a6b	1		\N	0	0	1796067959961	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036383130392e393630313637322c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0	0
01a22dfe-2d5a-711c-b7a2-77b9fe5fc01d	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	running	f	\N	1	01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-2d5f-73af-aaa9-3739d33944af	2		\N	0	0	1796067962203	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036383131322e323031353632322c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0	0
01a22dfe-2df8-737f-92c7-611064a93c2e	01a22dfd-d682-756c-b3e5-26a2fe54b460	unstartable	async	retrying	f	\N	1	\N	01a22dfe-2e08-76da-8bbe-4342ba06b496	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting"}}\n	1796067963382	1796067963382	0	1796067962360	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0	1
01a22dfe-2d2e-764c-be2e-c69f222669b0	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962160	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0	0
01a22dfe-2d41-736d-8b7f-c923e38bdc03	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962178	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0	0
01a22dfe-2d4a-71a3-ba28-b103402bcc11	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962187	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0	0
01a22dfe-2d51-72e5-8258-aace052073e9	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962194	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0	0
01a22dfe-2def-7469-a391-ddac0d012568	01a22dfd-d64b-72b4-be90-f4c9e9deaae3	big	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962352	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0	0
01a22dfe-2f00-700f-8b3f-4e84bc73d798	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	running	f	\N	1	01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-2f4c-7116-9709-b43f14784672	2		\N	0	0	1796067962625	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"71","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036373938372e363233363735382c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0	0
01a22dfe-2d46-7256-a4bc-36f7be2b6359	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962182	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0	0
01a22dfe-2d4e-76fb-9445-f4507315b189	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962190	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0	0
01a22dfe-2d56-76ee-8cd1-1b722e69a31e	01a22dfd-d591-75a8-b118-ebbdbb650a8d	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1796089562422	1	1796067962199	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0	0
01a22dfe-2e38-739d-aed2-4700ecb1ca93	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	running	f	\N	1	01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfe-2e9f-700d-9b1f-a7c4965351b2	2		\N	0	0	1796067962425	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739363036373938372e343233313431352c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0	0
01a22dfe-30e0-73bb-abd4-464ec78e0b73	01a22dfd-d4b9-752d-aea4-1aef09768029	steps	async	queued	f	\N	0	\N	\N	\N		\N	1796067964106	0	1796067963105	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:39757","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0	0
\.
COPY public.leases (owner, manager, expires_at, renewals) FROM stdin;
01a22dfe-16a9-7615-adb3-70bff73c63c1	01a22dfd-d27b-73b3-a443-a0f99f551559	1796067996451	11
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1796067940115	steps	2	01a22dfd-d6b0-7511-b110-a7222e35f2e1	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran sync-json revision 2	\N
2	1796067940143	steps	2	01a22dfd-d71b-768c-9698-14d6c0a246fb	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran async-json revision 2	\N
3	1796067940192	steps	2	01a22dfd-d75c-738d-80cd-02c3aadcd0da	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran sync-text revision 2	\N
4	1796067940203	steps	2	01a22dfd-d763-72f5-8de9-2ac8c6ebfbec	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran async-text revision 2	\N
5	1796067940257	steps	2	01a22dfd-d79e-77a4-8ec0-05765d3f2ec3	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran sync-bytes revision 2	\N
6	1796067940269	steps	2	01a22dfd-d7a5-7040-8369-07f517f425da	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran async-bytes revision 2	\N
7	1796067940325	steps	2	01a22dfd-d7e0-747a-978b-4e5c7d88f02c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran sync-raise revision 2	\N
8	1796067940332	steps	2	01a22dfd-d7e0-747a-978b-4e5c7d88f02c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	Traceback (most recent call last):	error
9	1796067940332	steps	2	01a22dfd-d7e0-747a-978b-4e5c7d88f02c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	  File "/var/tmp/cfu34q7qpnf/second/instances/01a22dfd-d6bb-74ea-9710-44ea424225c9/task/function.py", line 16, in handler	error
10	1796067940332	steps	2	01a22dfd-d7e0-747a-978b-4e5c7d88f02c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	    raise ValueError("no to " + event["token"])	error
11	1796067940332	steps	2	01a22dfd-d7e0-747a-978b-4e5c7d88f02c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	ValueError: no to sync-raise	error
12	1796067940345	steps	2	01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran async-raise revision 2	\N
13	1796067940345	steps	2	01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	Traceback (most recent call last):	error
14	1796067940345	steps	2	01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	  File "/var/tmp/cfu34q7qpnf/second/instances/01a22dfd-d6bb-74ea-9710-44ea424225c9/task/function.py", line 16, in handler	error
15	1796067940345	steps	2	01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	    raise ValueError("no to " + event["token"])	error
16	1796067940345	steps	2	01a22dfd-d7ef-7785-bdc5-af80ff12bdbc	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	ValueError: no to async-raise	error
17	1796067940399	steps	2	01a22dfd-d82c-7367-8335-6bbf473bb06c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	stdout	ran sync-exit revision 2	\N
18	1796067940401	steps	2	01a22dfd-d82c-7367-8335-6bbf473bb06c	1	01a22dfd-d6bb-74ea-9710-44ea424225c9	platform	exit: the function's process exited with code 3	error
19	1796067940531	steps	2	01a22dfd-d834-74e9-818e-48595e2d176d	1	01a22dfd-d83f-7588-9a97-8ecd8d82767c	stdout	ran async-exit revision 2	\N
20	1796067940533	steps	2	01a22dfd-d834-74e9-818e-48595e2d176d	1	01a22dfd-d83f-7588-9a97-8ecd8d82767c	platform	exit: the function's process exited with code 3	error
21	1796067940647	limited	1	01a22dfd-d8dc-7103-8374-07fadd6ed20a	1	01a22dfd-d8e2-71c6-95ce-1806d974ceb8	stdout	ran sync-hang revision 1	\N
22	1796067941147	limited	1	01a22dfd-d8dc-7103-8374-07fadd6ed20a	1	01a22dfd-d8e2-71c6-95ce-1806d974ceb8	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1796067941286	limited	1	01a22dfd-db23-7134-a839-cc7f37efc50a	1	01a22dfd-db2d-710c-bf02-06ae05d662c4	stdout	ran async-hang revision 1	\N
24	1796067941786	limited	1	01a22dfd-db23-7134-a839-cc7f37efc50a	1	01a22dfd-db2d-710c-bf02-06ae05d662c4	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1796067941967	steps	2	01a22dfd-ddd5-7493-a1ff-f77094120fcf	1	01a22dfd-ddd9-7005-992e-2b94b1a7a904	stdout	ran second-host-sync revision 2	\N
26	1796067941980	steps	2	01a22dfd-ddd1-7706-a6ad-253dcd53785d	1	01a22dfd-ddd9-7005-992e-2b94b1a7a904	stdout	ran classic revision 2	\N
27	1796067942014	steps	2	01a22dfd-de67-7293-b887-8673ef886727	1	01a22dfd-ddd9-7005-992e-2b94b1a7a904	stdout	ran second-host revision 2	\N
28	1796067942307	steps	2	01a22dfd-df91-72de-a977-4d62abe3df6a	1	01a22dfd-de11-71dc-a0c9-74ec6af7d5b3	stdout	ran lost revision 2	\N
29	1796067942392	steps	2	01a22dfd-dff5-72ee-a9e8-3b1332eab021	1	01a22dfd-ddd9-7005-992e-2b94b1a7a904	stdout	ran interrupted revision 2	\N
30	1796067956678	steps	2	01a22dfd-df91-72de-a977-4d62abe3df6a	2	01a22dfe-172f-766f-9206-7221e749c46a	stdout	ran lost revision 2	\N
33	1796067960091	narrow	1	01a22dfe-2498-70a3-ad54-1165930d0831	1	01a22dfe-24a6-72e1-8ae8-4233ec370fd6	stdout	ran running-narrow revision 1	\N
34	1796067962209	steps	2	01a22dfe-2d5a-711c-b7a2-77b9fe5fc01d	1	01a22dfe-172f-766f-9206-7221e749c46a	stdout	ran running-0 revision 2	\N
35	1796067962282	steps	2	01a22dfe-2da2-74fb-9317-8c819d9701f2	1	01a22dfe-172f-766f-9206-72202900c406	stdout	ran running-1 revision 2	\N
36	1796067962529	steps	2	01a22dfe-2e38-739d-aed2-4700ecb1ca93	1	01a22dfe-2e3e-7470-aea1-5a9ce8bcbd3b	stdout	ran outcome-json revision 2	\N
37	1796067962705	steps	2	01a22dfe-2f00-700f-8b3f-4e84bc73d798	1	01a22dfe-2f05-7262-a05c-0c1d857bcc85	stdout	ran outcome-raise revision 2	\N
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at) FROM stdin;
01a22dfd-d4b9-752d-aea4-1aef09768029	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1796067939515
01a22dfd-d4b9-752d-aea4-1aef09768029	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1796067939598
01a22dfd-d4b9-752d-aea4-1aef09768029	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1796067939664
01a22dfd-d591-75a8-b118-ebbdbb650a8d	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1796067939730
01a22dfd-d5c9-76a0-8cc1-0245546fff7f	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1796067939785
01a22dfd-d64b-72b4-be90-f4c9e9deaae3	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1796067939916
01a22dfd-d682-756c-b3e5-26a2fe54b460	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1796067939971
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
CREATE INDEX invocations_waiting ON public.invocations USING btree (function_id, message_at) WHERE (state = ANY (ARRAY['queued'::text, 'retrying'::text]));
CREATE INDEX logs_by_function ON public.logs USING btree (function_name, sequence);
CREATE INDEX logs_by_invocation ON public.logs USING btree (invocation_id, sequence) WHERE (invocation_id IS NOT NULL);
CREATE INDEX logs_by_time ON public.logs USING btree (ts);
CREATE INDEX revisions_bundle ON public.revisions USING btree (bundle);
CREATE INDEX revisions_source ON public.revisions USING btree (source);
ALTER TABLE ONLY public.revisions
    ADD CONSTRAINT revisions_function_id_fkey FOREIGN KEY (function_id) REFERENCES public.functions(id) ON DELETE CASCADE;
