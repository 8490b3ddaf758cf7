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
1	init	2026-11-29 05:38:05.257531+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	53969682
2	log kind	2026-11-29 05:38:05.312215+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	552739
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1795930685968
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1795930686200
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1795930686307
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1795930686378
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1795930686471
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1795930686666
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1795930686816
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a225cf-83c5-769c-8b09-27404955d9d8	narrow	1	1	1795930686406	f
01a225cf-850b-76d9-9125-06c687f59d6f	big	1	1	1795930686732	f
01a225cf-857e-770c-b428-73ceba82cc4f	unstartable	1	1	1795930686847	f
01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	2	3	1795930686109	f
01a225cf-842c-7149-9fb6-4d96e142f44f	limited	1	1	1795930686508	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-c4ca-72cc-979e-b923610b4f29	01a225cf-8091-712e-b6a1-d05dd91e1060	01a225cf-829a-74b5-9487-c884a0a6b2f7	2	32660	1795930703106
01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-d1a5-7707-89d0-669a14ee4516	01a225cf-8091-712e-b6a1-d05dd91e1060	01a225cf-83c5-769c-8b09-27404955d9d8	1	904	1795930706426
01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-dab2-74b2-9520-3eab723af031	01a225cf-8091-712e-b6a1-d05dd91e1060	01a225cf-829a-74b5-9487-c884a0a6b2f7	2	1369	1795930708704
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result) FROM stdin;
01a225cf-8607-73e6-9f9e-d475e03d6b0c	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	1	\N	01a225cf-8619-7250-9f2c-8f7a6b0e2c27	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930686983	1795930687030	47	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":20.822},{"name":"run","start_ms":20.822,"duration_ms":1.081}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d
01a225cf-85c9-7596-85f1-f6a7d28e8b1b	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930686921	1795930686979	58.65967	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":5.641},{"name":"queue","start_ms":5.641,"duration_ms":5.281},{"name":"start","start_ms":10.922,"duration_ms":44.836},{"name":"load","start_ms":55.758,"duration_ms":1.801},{"name":"run","start_ms":57.884,"duration_ms":0.669}]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d
01a225cf-865c-77fd-8627-20df54994bdc	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	1	\N	01a225cf-8663-7339-b7a1-cf64ac149575	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930687068	1795930687085	17	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":13.298},{"name":"run","start_ms":13.298,"duration_ms":0.602}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874
01a225cf-8651-7334-99eb-409e2dc95862	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930687057	1795930687065	7.940594000000001	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":3.58},{"name":"queue","start_ms":3.58,"duration_ms":3.659},{"name":"run","start_ms":7.239,"duration_ms":0.633}]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874
01a225cf-86a6-71ff-ba7b-c11e672fb4af	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	1	\N	01a225cf-86ae-74b4-8e29-24627200bfe1	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930687142	1795930687157	15	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":11.391},{"name":"run","start_ms":11.391,"duration_ms":0.553}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573
01a225cf-869c-72ed-b142-a5b0558bc0a1	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930687132	1795930687139	7.509265	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.717},{"name":"queue","start_ms":1.717,"duration_ms":4.736},{"name":"run","start_ms":6.453,"duration_ms":0.933}]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573
01a225cf-8700-70e9-9310-27cc87c6529f	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	failed	f	\N	1	\N	01a225cf-870b-7551-a964-49960976f260	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfu4zqepkz7/first/instances/01a225cf-85cf-742d-98ec-c388152cb200/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1795930687232	1795930687252	20	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":14.909},{"name":"run","start_ms":14.909,"duration_ms":0.974}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N
01a225cf-c5c0-7492-8266-3b0b03fe4e93	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703296	1795930703336	40	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N
01a225cf-c5d1-708d-9c8e-33cc58bb1bdf	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703313	1795930703336	23	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N
01a225cf-d188-74c9-9743-79675b587e96	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-d1a1-7132-a3d3-ee46199ce60a	1		\N	1795930706338	0	1795930706312	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303835362e333131373134362c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N
01a225cf-da51-71d7-ac0a-f0db9d06bdcc	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795930768798	1	1795930708562	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N
01a225cf-dc53-75d3-ab73-73fb379ad299	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-dc58-7100-a62d-39f215607d8d	2		\N	1795930709081	0	1795930709075	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"70","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303733342e3037333734322c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N
01a225cf-da36-7577-833d-efbab6c63602	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225d0-2095-76b0-a176-f1f6460e7ca0	1		\N	1795930726550	0	1795930708534	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N
01a225cf-86e9-719a-8ff0-8f940fc08c70	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfu4zqepkz7/first/instances/01a225cf-85cf-742d-98ec-c388152cb200/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1795930687209	1795930687228	18.657252999999997	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":3.042},{"name":"queue","start_ms":3.042,"duration_ms":6.22},{"name":"run","start_ms":9.262,"duration_ms":9.189}]	\N	\N	\N	\N	\N	\N	\N
01a225cf-8745-76c2-9880-c3a751b795e6	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-85cf-742d-98ec-c388152cb200","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795930687301	1795930687312	11.364187	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":3.683},{"name":"queue","start_ms":3.683,"duration_ms":3.537},{"name":"run","start_ms":7.22,"duration_ms":4.016}]	\N	\N	\N	\N	\N	\N	\N
01a225cf-8759-7797-b56a-477fc438a42e	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	crashed	f	\N	1	\N	01a225cf-876b-74a7-982b-340d7dd226b6	\N	{"number":1,"revision":2,"instance":"01a225cf-876d-75c8-a4bc-9ddb8c355497","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795930687321	1795930687419	98	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":20.573},{"name":"start","start_ms":20.573,"duration_ms":57.695},{"name":"load","start_ms":78.268,"duration_ms":3.901},{"name":"run","start_ms":83.122,"duration_ms":6.762}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N
01a225cf-87e7-70f6-83a9-289199e5ffc1	01a225cf-842c-7149-9fb6-4d96e142f44f	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a225cf-87f3-748c-8799-00f81b3f70ae","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795930687463	1795930688041	578.013134	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":10.752},{"name":"queue","start_ms":10.752,"duration_ms":6.094},{"name":"start","start_ms":16.846,"duration_ms":54.787},{"name":"load","start_ms":71.633,"duration_ms":2.399},{"name":"run","start_ms":76.966,"duration_ms":500.834}]	\N	\N	\N	\N	\N	\N	\N
01a225cf-8a2d-7010-8705-7e252cf057c3	01a225cf-842c-7149-9fb6-4d96e142f44f	limited	async	timed_out	f	\N	1	\N	01a225cf-8a35-70cd-9e9b-3a4cb28288e3	\N	{"number":1,"revision":1,"instance":"01a225cf-8a39-70a8-900d-f2d3dc0e4e86","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795930688045	1795930688623	578	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":12.401},{"name":"start","start_ms":12.401,"duration_ms":49.345},{"name":"load","start_ms":61.746,"duration_ms":2.227},{"name":"run","start_ms":65.939,"duration_ms":501.897}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N
01a225cf-8ca4-72dd-a397-2753532233d1	01a225cf-857e-770c-b428-73ceba82cc4f	unstartable	sync	expired	f	start_failed: the sandbox did not get ready: it ended before it said hello: Code(1)	0	\N	\N	\N		\N	\N	0	1795930688676	1795930688704	28.095952	\N	f	[{"name":"admit","start_ms":0.0,"duration_ms":7.91},{"name":"queue","start_ms":7.91,"duration_ms":20.173}]	\N	\N	\N	\N	\N	\N	\N
01a225cf-8cc3-732f-b1b0-b157f53825bf	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	1	\N	01a225cf-8cc7-737a-a333-3f64bf529230	\N	{"number":1,"revision":2,"instance":"01a225cf-8ccb-7391-b354-c6edc02a311b","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930688707	1795930688777	70	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":66.509},{"name":"run","start_ms":66.509,"duration_ms":0.447}]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d
01a225cf-8d0b-7429-96d1-2a8c6da4a30c	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	1	\N	01a225cf-8d13-7465-9319-2c53e109dda4	\N	{"number":1,"revision":2,"instance":"01a225cf-8ccb-7391-b354-c6edc02a311b","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930688780	1795930688793	13	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":10.2},{"name":"run","start_ms":10.2,"duration_ms":0.734}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:40661","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d
01a225cf-8cc9-71c7-bd39-68b8a5d566eb	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a225cf-8ccb-7391-b354-c6edc02a311b","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930688713	1795930688775	62.095659999999995	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":9.835},{"name":"queue","start_ms":9.835,"duration_ms":5.589},{"name":"start","start_ms":15.424,"duration_ms":43.392},{"name":"load","start_ms":58.816,"duration_ms":2.017},{"name":"run","start_ms":61.196,"duration_ms":0.812}]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d
01a225cf-8ece-725b-ba3f-9fbfae2caa49	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1795930689230	1795930702726	13495.731761000001	\N	f	[]	\N	\N	\N	\N	\N	\N	\N
01a225cf-8e57-71a0-9227-0c8594d2e195	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	succeeded	f	\N	2	\N	01a225cf-c4c4-7131-81a2-d0945603c7a3	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a225cf-c4ca-72cc-979e-b923610b4f29","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930689111	1795930703128	14017	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":13939.206},{"name":"start","start_ms":13939.206,"duration_ms":52.304},{"name":"load","start_ms":13991.51,"duration_ms":3.794},{"name":"run","start_ms":13995.759,"duration_ms":4.178}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303639372e313038393737332c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d
01a225cf-c53e-765e-92d7-3864b2e3eb3d	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a225cf-c542-72f1-acb1-dc9a008e5d8e","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930703166	1795930703219	53.356272000000004	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":3.537},{"name":"queue","start_ms":3.537,"duration_ms":3.146},{"name":"start","start_ms":6.683,"duration_ms":42.25},{"name":"load","start_ms":48.934,"duration_ms":1.708},{"name":"run","start_ms":51.109,"duration_ms":2.192}]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d
01a225cf-c5bb-71be-a54e-008f4c098347	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	succeeded	f	\N	1	\N	01a225cf-c5c2-76f4-b615-a5c6507bc1f9	\N	{"number":1,"revision":1,"instance":"01a225cf-c542-72f1-acb1-dc9a008e5d8e","outcome":"succeeded","error":null}\n	\N	\N	0	1795930703291	1795930706278	2987	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":2978.268},{"name":"run","start_ms":2978.268,"duration_ms":0.703}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	application/json	36	\\x7b22746f6b656e223a22646f6f6d65642d30222c227661726961626c65223a6e756c6c7d
01a225cf-d24f-7331-8d74-311af105121e	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1795930706511	1795930708524	2013.7298010000002	\N	f	[{"name":"admit","start_ms":0.0,"duration_ms":3.117},{"name":"queue","start_ms":3.117,"duration_ms":2010.6}]	\N	\N	\N	\N	\N	\N	\N
01a225cf-c5c6-7306-9a89-e5bfbdb86e05	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703302	1795930703336	34	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N
01a225cf-c5d5-723a-ae57-bf20b1935058	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703317	1795930703336	19	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N
01a225cf-c5dc-72f6-8807-5918ca34bb79	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703324	1795930703336	12	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N
01a225cf-c577-70b8-bdb7-f7df7bfc89eb	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	succeeded	f	\N	1	\N	01a225cf-c594-72fc-83e7-3ea0e7a1480e	\N	{"number":1,"revision":1,"instance":"01a225cf-c542-72f1-acb1-dc9a008e5d8e","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795930703223	1795930706272	3049	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":32.633},{"name":"run","start_ms":32.633,"duration_ms":3011.249}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"55","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303730362e3232313531312c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d
01a225cf-daac-74f4-ba61-bed6c3337397	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-dab0-7503-a265-00350aff3fda	2		\N	1795930708657	0	1795930708652	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303835382e363531303132322c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N
01a225cf-da49-7007-b14e-282d19336148	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795930768798	1	1795930708553	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N
01a225cf-da5b-7699-8887-ffbb510230b0	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795930768798	1	1795930708571	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N
01a225cf-dfe9-7334-8def-9307231ebbbd	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	queued	f	\N	0	\N	\N	\N		\N	1795930710996	0	1795930709993	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N
01a225cf-c5ca-70bb-b9eb-cd07a05cb84d	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703306	1795930703336	30	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N
01a225cf-c5d9-70d0-8c0b-b5f11c324b11	01a225cf-848e-729e-9202-a7d78928f0ff	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795930703321	1795930703336	15	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N
01a225cf-da32-7731-ae9f-508015578654	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-da3a-76eb-a2b2-89af252336d6	1		\N	1795930708540	0	1795930708530	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N
01a225cf-da5e-7633-8c21-c7f5dd4690ff	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-da6b-75f0-9aab-87ddc4ff7aae	2		\N	1795930708588	0	1795930708574	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303835382e353733343839342c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N
01a225cf-db2d-7304-9e3b-28431ff76eaa	01a225cf-850b-76d9-9125-06c687f59d6f	big	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-db34-754e-be30-218d6b5b5b53	1		\N	1795930708789	0	1795930708781	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N
01a225cf-da4e-7647-a3ec-0c3e7f91c3d3	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795930768798	1	1795930708558	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N
01a225cf-da54-757a-b891-b586ffaf3281	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795930768798	1	1795930708564	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N
01a225cf-db7b-70e5-a12c-c174fe63858e	01a225cf-857e-770c-b428-73ceba82cc4f	unstartable	async	retrying	f	\N	1	\N	01a225cf-db83-7487-8a34-cf375b282223	\N	{"number":1,"revision":1,"error":{"type":"platform","message":"the sandbox did not get ready: it ended before it said hello: Code(1)"}}\n	1795930713883	1795930713883	0	1795930708859	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N
01a225cf-dbc4-74fa-a5d6-616cbf1e2bb5	01a225cf-829a-74b5-9487-c884a0a6b2f7	steps	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-dbc8-7379-8c68-e638be30c242	2		\N	1795930708938	0	1795930708932	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"68","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353933303733332e3933313231322c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N
01a225cf-da3b-7181-b29b-5597b8ee4511	01a225cf-83c5-769c-8b09-27404955d9d8	narrow	async	running	f	\N	1	01a225cf-c469-74d8-b40f-3244d32731e1	01a225d0-20a1-770c-9b6d-61aef8efac2f	1		\N	1795930726563	0	1795930708539	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:33551","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N
\.
COPY public.leases (owner, manager, expires_at) FROM stdin;
01a225cf-c469-74d8-b40f-3244d32731e1	01a225cf-8091-712e-b6a1-d05dd91e1060	1795930743049
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1795930686975	steps	2	01a225cf-85c9-7596-85f1-f6a7d28e8b1b	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran sync-json revision 2	\N
2	1795930687005	steps	2	01a225cf-8607-73e6-9f9e-d475e03d6b0c	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran async-json revision 2	\N
3	1795930687061	steps	2	01a225cf-8651-7334-99eb-409e2dc95862	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran sync-text revision 2	\N
4	1795930687082	steps	2	01a225cf-865c-77fd-8627-20df54994bdc	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran async-text revision 2	\N
5	1795930687135	steps	2	01a225cf-869c-72ed-b142-a5b0558bc0a1	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran sync-bytes revision 2	\N
6	1795930687154	steps	2	01a225cf-86a6-71ff-ba7b-c11e672fb4af	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran async-bytes revision 2	\N
7	1795930687214	steps	2	01a225cf-86e9-719a-8ff0-8f940fc08c70	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran sync-raise revision 2	\N
8	1795930687223	steps	2	01a225cf-86e9-719a-8ff0-8f940fc08c70	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	Traceback (most recent call last):	error
9	1795930687223	steps	2	01a225cf-86e9-719a-8ff0-8f940fc08c70	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	  File "/var/tmp/cfu4zqepkz7/first/instances/01a225cf-85cf-742d-98ec-c388152cb200/task/function.py", line 16, in handler	error
10	1795930687223	steps	2	01a225cf-86e9-719a-8ff0-8f940fc08c70	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	    raise ValueError("no to " + event["token"])	error
11	1795930687223	steps	2	01a225cf-86e9-719a-8ff0-8f940fc08c70	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	ValueError: no to sync-raise	error
12	1795930687247	steps	2	01a225cf-8700-70e9-9310-27cc87c6529f	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran async-raise revision 2	\N
13	1795930687247	steps	2	01a225cf-8700-70e9-9310-27cc87c6529f	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	Traceback (most recent call last):	error
14	1795930687247	steps	2	01a225cf-8700-70e9-9310-27cc87c6529f	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	  File "/var/tmp/cfu4zqepkz7/first/instances/01a225cf-85cf-742d-98ec-c388152cb200/task/function.py", line 16, in handler	error
15	1795930687247	steps	2	01a225cf-8700-70e9-9310-27cc87c6529f	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	    raise ValueError("no to " + event["token"])	error
16	1795930687247	steps	2	01a225cf-8700-70e9-9310-27cc87c6529f	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	ValueError: no to async-raise	error
17	1795930687306	steps	2	01a225cf-8745-76c2-9880-c3a751b795e6	1	01a225cf-85cf-742d-98ec-c388152cb200	stdout	ran sync-exit revision 2	\N
18	1795930687309	steps	2	01a225cf-8745-76c2-9880-c3a751b795e6	1	01a225cf-85cf-742d-98ec-c388152cb200	platform	exit: the function's process exited with code 3	error
19	1795930687406	steps	2	01a225cf-8759-7797-b56a-477fc438a42e	1	01a225cf-876d-75c8-a4bc-9ddb8c355497	stdout	ran async-exit revision 2	\N
20	1795930687411	steps	2	01a225cf-8759-7797-b56a-477fc438a42e	1	01a225cf-876d-75c8-a4bc-9ddb8c355497	platform	exit: the function's process exited with code 3	error
21	1795930687539	limited	1	01a225cf-87e7-70f6-83a9-289199e5ffc1	1	01a225cf-87f3-748c-8799-00f81b3f70ae	stdout	ran sync-hang revision 1	\N
22	1795930688036	limited	1	01a225cf-87e7-70f6-83a9-289199e5ffc1	1	01a225cf-87f3-748c-8799-00f81b3f70ae	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1795930688111	limited	1	01a225cf-8a2d-7010-8705-7e252cf057c3	1	01a225cf-8a39-70a8-900d-f2d3dc0e4e86	stdout	ran async-hang revision 1	\N
24	1795930688613	limited	1	01a225cf-8a2d-7010-8705-7e252cf057c3	1	01a225cf-8a39-70a8-900d-f2d3dc0e4e86	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1795930688770	steps	2	01a225cf-8cc9-71c7-bd39-68b8a5d566eb	1	01a225cf-8ccb-7391-b354-c6edc02a311b	stdout	ran second-host-sync revision 2	\N
26	1795930688774	steps	2	01a225cf-8cc3-732f-b1b0-b157f53825bf	1	01a225cf-8ccb-7391-b354-c6edc02a311b	stdout	ran classic revision 2	\N
27	1795930688791	steps	2	01a225cf-8d0b-7429-96d1-2a8c6da4a30c	1	01a225cf-8ccb-7391-b354-c6edc02a311b	stdout	ran second-host revision 2	\N
28	1795930689170	steps	2	01a225cf-8e57-71a0-9227-0c8594d2e195	1	01a225cf-8e5e-7043-b121-13d8fbe449a2	stdout	ran lost revision 2	\N
29	1795930689277	steps	2	01a225cf-8ece-725b-ba3f-9fbfae2caa49	1	01a225cf-8ed0-7365-9ba4-fc3d24cbdb70	stdout	ran interrupted revision 2	\N
30	1795930703110	steps	2	01a225cf-8e57-71a0-9227-0c8594d2e195	2	01a225cf-c4ca-72cc-979e-b923610b4f29	stdout	ran lost revision 2	\N
33	1795930706427	narrow	1	01a225cf-d188-74c9-9743-79675b587e96	1	01a225cf-d1a5-7707-89d0-669a14ee4516	stdout	ran running-narrow revision 1	\N
34	1795930708589	steps	2	01a225cf-da5e-7633-8c21-c7f5dd4690ff	1	01a225cf-c4ca-72cc-979e-b923610b4f29	stdout	ran running-0 revision 2	\N
35	1795930708705	steps	2	01a225cf-daac-74f4-ba61-bed6c3337397	1	01a225cf-dab2-74b2-9520-3eab723af031	stdout	ran running-1 revision 2	\N
36	1795930708985	steps	2	01a225cf-dbc4-74fa-a5d6-616cbf1e2bb5	1	01a225cf-dbca-738c-827c-cf0f3f6ef449	stdout	ran outcome-json revision 2	\N
37	1795930709387	steps	2	01a225cf-dc53-75d3-ab73-73fb379ad299	1	01a225cf-dc5b-7479-a1ca-c1d64fb6398b	stdout	ran outcome-raise revision 2	\N
38	1795930734109	steps	2	01a225cf-dc53-75d3-ab73-73fb379ad299	1	01a225cf-dc5b-7479-a1ca-c1d64fb6398b	platform	Traceback (most recent call last):	error
39	1795930734110	steps	2	01a225cf-dc53-75d3-ab73-73fb379ad299	1	01a225cf-dc5b-7479-a1ca-c1d64fb6398b	platform	  File "/var/tmp/cfu4zqepkz7/first/instances/01a225cf-dc5b-7479-a1ca-c1d64fb6398b/task/function.py", line 16, in handler	error
40	1795930734110	steps	2	01a225cf-dc53-75d3-ab73-73fb379ad299	1	01a225cf-dc5b-7479-a1ca-c1d64fb6398b	platform	    raise ValueError("no to " + event["token"])	error
41	1795930734110	steps	2	01a225cf-dc53-75d3-ab73-73fb379ad299	1	01a225cf-dc5b-7479-a1ca-c1d64fb6398b	platform	ValueError: no to outcome-raise	error
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at) FROM stdin;
01a225cf-829a-74b5-9487-c884a0a6b2f7	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1795930686109
01a225cf-829a-74b5-9487-c884a0a6b2f7	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1795930686257
01a225cf-829a-74b5-9487-c884a0a6b2f7	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1795930686330
01a225cf-83c5-769c-8b09-27404955d9d8	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1795930686406
01a225cf-842c-7149-9fb6-4d96e142f44f	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1795930686508
01a225cf-850b-76d9-9125-06c687f59d6f	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1795930686732
01a225cf-857e-770c-b428-73ceba82cc4f	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1795930686847
\.
COPY public.totals (name, value) FROM stdin;
pruned	0
accepted	34
\.
SELECT pg_catalog.setval('public.logs_sequence_seq', 41, true);
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
CREATE INDEX invocations_async ON public.invocations USING btree (state) WHERE (mode = 'async'::text);
CREATE INDEX invocations_by_function ON public.invocations USING btree (function_name, id);
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
