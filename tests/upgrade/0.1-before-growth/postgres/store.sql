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
1	init	2026-11-29 13:21:33.883219+00	t	\\xad2f432c00ea50a1f814cab2cec96c6041393d19b1b5ba0e8e310e5b2a398593119fe4d6b3d0c1cdb9b77da6891c55e6	59916451
2	log kind	2026-11-29 13:21:33.943802+00	t	\\x0741a4f3a290159fbc3c96f73c45b22ce5298781517a4ee492e2bedd812e7859a3ddc22bbc0170b69c7c89d52c791793	484288
3	reasons	2026-11-29 13:21:33.944427+00	t	\\x246d964dca23c9fab16b76717f5c535b86d5bb4650ec05f3a68bb08320dd67d331dc3bfea37acc4d1690e2ea053063ad	1529718
\.
COPY public.blobs (digest, bytes, created_at) FROM stdin;
ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4076dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff11373f51d47000e0000	1795958494449
1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4071dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff1134e009e95000e0000	1795958494563
a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	\\x1f8b08000000000000ffed554d8fd33010edd9bf62642ea92851fa8d2af6006c0f3dc04a0bda4b55adbcc9b43575ecca76fa21c47f679c6ea1349538ed22b17907cb19cf8cdfd899e75499229b173a8dbdc955e349901006bdde457b407bd8fd352784f9b0dbe93792c633a0705e5880c60b8597399ac2c315f0763fe72c43975ab9f6d2e860439d39100ea477801bd41e9cd83bce72cc8ddd078f41ef93fcc0d914f566c66ec71f6f6eafc7d761618fe43775a950522f662c17bb7ba9e9b0758a8ed6dfb2468d7f8fd0fae1b2e3f5bef154f84bffb77b9de179ff0f06fda4eeff6700e7fceb12e1f81b805f0a4f0382c5d4d80c33582be1e7c6e60e6ca16398fca104b0345b50462f4821c08b15b5b6d059692543508f9876604ce66b633d18779c05dd61a41777932f939bcfa4075dc6487ce6b0a47885362af7688e1810d6566a1f712b346f1d369f726f56a8f9ac05dce2463ae24e6bc77ccd32ec15bc87ad50ea4daa4cba82dce41439826d285196e580580849e3dca33da99a040b3243b568e32983f471996fbb940a4be67118a226bc3bb0891748f40aeda52212c923eb80d2d929c47594c449ffc02b9cced5692419288e7f7354c4c145ce0f5ea4a3564887fc77caf21bee842a706cadb111d706bc010eafcfcea6920a77d29f64322ebe0fa6a85bf1a45b58f08b657407495271f7b83b4d6cd11756c381c70562e7e10f7b4f8f4525be3447d3a4059d7ebf05ed64d6aca48a51a726a3bb602781df1f5747d59f6523ac140f8a0e34944f8f96b4247ee52d1c1f2fdefc51bf4d356ad4f8fff113a5ace0db000e0000	1795958494639
3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	\\x1f8b08000000000000ffed554d8bdb3010f5d9bf62502f0e4d8df3610742f7d07673c8a15d48cb5e4258b4f62451234b4192f341e97fefd8deb0210ef4b40bedfa1d843c9a377a2369c6a9d445b62c541a3a9d4bef45101192e1f0aabdc2287e9e4751391f0dfa891779af80c23a6e00bc370a2772d485831b60bd38677e8eb936c7f233197e159f993fb7299742ad167ece0f0f42d171a9142d79f47cafc5bf8eb2f49dd02adc1ebd97c25feabf37ec8f2eeb3f49e2a8adff570063ecc71ae1f40cc0adb9a301c160aa4d86196c25774b6d720ba650214c9d05dca17260f9d1c25aef416ab5024134bea1c6c0555659c9802ab321ede0fb22df6ae340dbd3acec3bbe3f9bdc4fbf4fefbe55ddc4f7335cc29af8124d50edd119fb40d81aa15cc00c57ac5b6f3e674e6f50b1451798c19db0a49dd64ef13a15ed1d7c823d97f2432a75ba815ce7c41cc3be4c5154e9005f7141e3d2a139cb9ada1d649a7251da5104e1c22ade7e2d2456cac372083af0b15613ae90e415ca094922a227d5252a672b11b741144671adab3c9d9b73261988c77e5a4aa27611cbda8bfab0e1c2227b0e597dc33d97054e8cd126604a83d3c0e0fdc5d93442e141b8b348da860fa52918343ce91656ec6a1a83248a1aee0e0fe7810dbac228a8755c1176497f3c3ab44d7e650ee65117fa71dc855eb4e8344285a8529dd15df867c45f4fabe3e663d97123f8a3a4032dd347b513869a5f750bb3c997bbd9ede496757eb77fb6162d5afcfff803b5b26551000e0000	1795958494700
6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	\\x1f8b08000000000000ffed554d6fdb300ccd59bf82d02e0e96196a3e81603d6c6b0e396c05b2a1972028549b49b4c85220c9f9c0b0ff3eda6ed0a00eb0530b6cf53bc832cd473d4a229d689ba7cbdc2471b0996ebd080461d8ef5fb497188d9ee64214f351af47cfd62b20f7413a80d61b455019da3cc035f0811099e72cc3ccba636118f6bfaacf9ccd7d22b532ab05cbe4e15e19da3093a0278f2e6b35f8b751947e50d6c4db63eba5f097fabfea776bf53f1c0e9afa7f0d70ce7fac114ed700c25a061a101c26d6a598c256cbb0b42ef3e07213c33478c01d9a005e1e3daced1eb4352b5044931b6a0bd2a4a5950c68521fd30a8ca96c6b5d00eb4fb3a2ef30369bdc4dbf4f6fbf512fb9628ca5b88435f135baa85ca33d6640d83a6542c49d34bc532d3ee7c16ed0f04507b8c39df2a49dbe9de2b54bda3bf8047ba9f58744db640399cd8839867d91a22ad301b9928ac66540779635353b482de5626ca0082ac465bcfd5a692c95c7c510b5e163a5265e21c9cb4d509a448847d5054a67af11b79188c5a0d255eccef539930cc4e33f3d2551b9a865e5455dd849e5913f852cdfe14eea1c27ce591771632158e0f0fed9ded442e14185b348d6c7f78529ead53ce91456fc621abda11035f78087f3c00e43ee0c543a2e087b4e7f3806f4757e698ee6a203ddc1a0035762d1ae858ad12436a5b36067c45f8f5fc7f5cbb2934ec9074d1b5aa48f66a71c35bff21466932fb7b39bc90d6fff6efe6b0d1a34f8fff10778834d96000e0000	1795958494760
a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	\\x1f8b08000000000000ffed553d6fdb3010d5ac5f716017197505fa3385d10c6de3c1431bc02db20441c148679b35451a2465c728fadf7ba262c4b00c744a86446f20a8e3bde37bfc52a64c992f4a9da5de142a7a1670c278383c1b0fe8f79ffa9c57fd8b416f1cf1e805503a2f2c40f446516061ec1e2e817de4fc9bfcc2e2a8c51b4275f5bd343addeca3e7c27fee7f6fd8bf38bdffe3f188b7f7ff05c018fbb942381c03f02be1a941b098199b630e1b25fcc2d8c2812d750a33ef00b7a83d38b177b0323b50462f41124dacd181d07988520075ee529a218e65b131d68371879e9705c6f17c7a33fb31bbfe4eef4f2f8ee31c17b022be429b84393a9318081b2bb54f98159a75ebc96f99376bd4ecae0bcce2563ad24e63877a9d407b079f612794fa902993ada130053127b0ab2cca6007c452486a171eed916b497e72435eb4f15441fa34d4dbada4c2a03cad9aa4039f6a35e912495ea9bd5424823faaae10929d42dc243ce5a35a57b53a97c74c0a108ffd7664a24e918b3a8bde652ba443f654327cc38d50254ead353661da8037c0e0fdc9da344ae183f447958c4b7f55a164d0c8a45d58b2b3360663ce1be91e1f8e0b5bf4a5d550eb3823ec947ebff7e89afc104e6e7917faa351177afcaed32895a2ce4c4e7b111f11ff3c8e4e9a87652bac14f78a16b4b28f7a2b2d3d7e6117e6d3afd7f3abe915ebfc6d7f822d5ab478fdf807e69a334d000e0000	1795958494876
bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\\x1f8b08000000000000ffedc8bd0a80201440e13bf714e2038491d4d4d2de438869089ae0cfd0db972d2dad35d4fda6c391d6e759e755d6c93b0b8f60878ef3db7fe2cdd58c95eedba607062fc831894008fc947162516420540b1b15ad9c723e6c65747c3223ad002184d017ed6119e2fd00080000	1795958494932
\.
COPY public.functions (id, name, active_revision, last_revision, created_at, reported_warm) FROM stdin;
01a22777-d604-725d-bb40-50dc14b78b3f	narrow	1	1	1795958494725	f
01a22777-d6aa-72b6-92df-13d0c832d901	big	1	1	1795958494891	f
01a22777-d6de-7496-8082-68af260575be	unstartable	1	1	1795958494943	f
01a22777-d519-7205-9873-f335377b8c8f	steps	2	3	1795958494492	f
01a22777-d634-740a-9e90-b16cd86eb3f4	limited	1	1	1795958494773	t
\.
COPY public.instances (owner, id, manager, function_id, revision, sandbox, started_at) FROM stdin;
01a22778-17b5-76ec-99c8-810d94945527	01a22778-1813-742e-bd66-9b3d1c4d013c	01a22777-d3fb-7048-8f2e-7c2fb97e30d6	01a22777-d519-7205-9873-f335377b8c8f	2	447	1795958511845
01a22778-17b5-76ec-99c8-810d94945527	01a22778-25ff-72fb-993e-799f8c059d00	01a22777-d3fb-7048-8f2e-7c2fb97e30d6	01a22777-d604-725d-bb40-50dc14b78b3f	1	1054	1795958515465
01a22778-17b5-76ec-99c8-810d94945527	01a22778-2f9d-76ed-9b83-35daf9fa5d26	01a22777-d3fb-7048-8f2e-7c2fb97e30d6	01a22777-d519-7205-9873-f335377b8c8f	2	1643	1795958517828
\.
COPY public.invocations (id, function_id, function_name, mode, state, dead_letter, reason, attempt, owner, claim, attempt_revision, attempts, due_at, message_at, publications, accepted_at, finished_at, duration_ms, start, prewarmed, phases, parent, headers, payload_type, payload, result_type, result_size, result, cause, failures) FROM stdin;
01a22777-d77f-7434-bb2a-ae7598804ceb	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	1	\N	01a22777-d78b-7171-9469-fbfd2c58027b	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958495103	1795958495124	21	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":14.438},{"name":"run","start_ms":14.438,"duration_ms":0.545}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6a736f6e222c2022686f77223a20226a736f6e227d	application/json	39	\\x7b22746f6b656e223a226173796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0
01a22777-d705-7723-9de2-e7bd899de507	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958494981	1795958495100	118.787663	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":4.551},{"name":"queue","start_ms":4.551,"duration_ms":2.101},{"name":"start","start_ms":6.652,"duration_ms":99.959},{"name":"load","start_ms":106.612,"duration_ms":8.956},{"name":"run","start_ms":116.864,"duration_ms":1.891}]	\N	\N	\N	\N	application/json	38	\\x7b22746f6b656e223a2273796e632d6a736f6e222c227661726961626c65223a22796573227d	\N	0
01a22777-d7c3-724c-9570-ade38f2842dd	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	1	\N	01a22777-d7cc-748b-84a1-efe5db155d93	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958495171	1795958495188	17	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":15.563},{"name":"run","start_ms":15.563,"duration_ms":0.387}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d74657874222c2022686f77223a202274657874227d	text/plain; charset=utf-8	16	\\x746f6b656e206173796e632d74657874	\N	0
01a22777-d7be-712e-abb3-68a2a51547db	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958495166	1795958495169	2.614823	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.216},{"name":"queue","start_ms":1.216,"duration_ms":1.058},{"name":"run","start_ms":2.274,"duration_ms":0.303}]	\N	\N	\N	\N	text/plain; charset=utf-8	15	\\x746f6b656e2073796e632d74657874	\N	0
01a22777-d80f-73f0-b238-12ff8644c986	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	1	\N	01a22777-d814-76cb-9b97-d6fb2f69cde4	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958495247	1795958495259	12	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":9.567},{"name":"run","start_ms":9.567,"duration_ms":0.418}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d6279746573222c2022686f77223a20226279746573227d	application/octet-stream	14	\\x00ff0a6173796e632d6279746573	\N	0
01a22777-d806-733e-a63f-5e80e2f1d703	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958495238	1795958495240	2.4456759999999997	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.158},{"name":"queue","start_ms":1.158,"duration_ms":0.879},{"name":"run","start_ms":2.037,"duration_ms":0.362}]	\N	\N	\N	\N	application/octet-stream	13	\\x00ff0a73796e632d6279746573	\N	0
01a22777-d851-7302-b087-d5c112edf325	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	failed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"failed","error":{"type":"ValueError","message":"no to sync-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuokruocqx/second/instances/01a22777-d70a-71b5-bb89-baf6e0050166/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to sync-raise"},"lines":5}\n	\N	\N	0	1795958495313	1795958495341	27.466774	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.254},{"name":"queue","start_ms":1.254,"duration_ms":4.799},{"name":"run","start_ms":6.053,"duration_ms":21.342}]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a22777-d8b2-767d-8d7c-a8e4ab99b41c	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	crashed	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795958495410	1795958495418	8.130255	warm	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.595},{"name":"queue","start_ms":1.595,"duration_ms":1.356},{"name":"run","start_ms":2.951,"duration_ms":5.095}]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a22777-d931-7227-90e7-b134ba777203	01a22777-d634-740a-9e90-b16cd86eb3f4	limited	sync	timed_out	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22777-d933-77fc-8dfa-6f896bbc5b5e","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795958495537	1795958496126	589.667325	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":2.691},{"name":"queue","start_ms":2.691,"duration_ms":3.937},{"name":"start","start_ms":6.628,"duration_ms":79.75},{"name":"load","start_ms":86.377,"duration_ms":2.202},{"name":"run","start_ms":88.883,"duration_ms":500.714}]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a22777-de36-70ea-b7bc-14e79a21559d	01a22777-d6de-7496-8082-68af260575be	unstartable	sync	expired	f	start_failed	0	\N	\N	\N		\N	\N	0	1795958496822	1795958496840	17.383557	\N	f	[{"name":"admit","start_ms":0.0,"duration_ms":7.173},{"name":"queue","start_ms":7.173,"duration_ms":10.209}]	\N	\N	\N	\N	\N	\N	\N	the sandbox did not get ready: it exited with code 1 while it was starting	0
01a22777-d870-760b-95cf-31da270e8068	01a22777-d519-7205-9873-f335377b8c8f	steps	async	failed	f	\N	1	\N	01a22777-d873-74c6-a74a-5a210ffac0d3	\N	{"number":1,"revision":2,"instance":"01a22777-d70a-71b5-bb89-baf6e0050166","outcome":"failed","error":{"type":"ValueError","message":"no to async-raise","trace":"Traceback (most recent call last):\\n  File \\"/var/tmp/cfuokruocqx/second/instances/01a22777-d70a-71b5-bb89-baf6e0050166/task/function.py\\", line 16, in handler\\n    raise ValueError(\\"no to \\" + event[\\"token\\"])\\nValueError: no to async-raise"},"lines":5}\n	\N	\N	0	1795958495344	1795958495354	10	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":6.813},{"name":"run","start_ms":6.813,"duration_ms":1.168}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"40","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	1
01a22777-d8bd-7175-a43f-c99467c93d13	01a22777-d519-7205-9873-f335377b8c8f	steps	async	crashed	f	\N	1	\N	01a22777-d8c2-7551-a611-4d6dff0d14fc	\N	{"number":1,"revision":2,"instance":"01a22777-d8c3-7512-835d-21e42ea589ae","outcome":"crashed","error":{"type":"exit","message":"the function's process exited with code 3"},"lines":2}\n	\N	\N	0	1795958495421	1795958495529	108	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":5.803},{"name":"start","start_ms":5.803,"duration_ms":87.361},{"name":"load","start_ms":93.164,"duration_ms":3.385},{"name":"run","start_ms":97.526,"duration_ms":7.423}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d65786974222c2022686f77223a202265786974227d	\N	\N	\N	\N	1
01a22777-db86-73d9-9d67-cf0e382309ff	01a22777-d634-740a-9e90-b16cd86eb3f4	limited	async	timed_out	f	\N	1	\N	01a22777-db8e-7242-a07d-08ecedc4c616	\N	{"number":1,"revision":1,"instance":"01a22777-db92-71ae-b07f-9e7b561fd2f5","outcome":"timed_out","error":{"type":"timeout","message":"the function did not answer within its timeout of 500 ms and was stopped"},"lines":2}\n	\N	\N	0	1795958496134	1795958496758	624	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":11.294},{"name":"start","start_ms":11.294,"duration_ms":99.711},{"name":"load","start_ms":111.004,"duration_ms":2.893},{"name":"run","start_ms":115.189,"duration_ms":501.731}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"38","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20226173796e632d68616e67222c2022686f77223a202268616e67227d	\N	\N	\N	\N	1
01a22777-de4d-7513-ac7f-bc5436ac4076	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	1	\N	01a22777-de54-7475-bbcf-808f0194495b	\N	{"number":1,"revision":2,"instance":"01a22777-de5c-7344-8a77-1b12ed6ef104","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958496845	1795958497043	198	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":190.719},{"name":"run","start_ms":190.719,"duration_ms":0.248}]	\N	{"accept":"*/*","content-length":"20","content-type":"application/json","prefer":"respond-async"}	application/json	\\x7b22746f6b656e223a2022636c6173736963227d	application/json	36	\\x7b22746f6b656e223a22636c6173736963222c227661726961626c65223a22796573227d	\N	0
01a22777-df1a-754b-88ca-4b259a133f1d	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	1	\N	01a22777-df28-719e-91b4-6ae6f8ef5840	\N	{"number":1,"revision":2,"instance":"01a22777-de56-7710-bd79-7606090559c4","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958497050	1795958497080	30	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":24.375},{"name":"run","start_ms":24.375,"duration_ms":3.592}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:44375","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227365636f6e642d686f7374227d	application/json	40	\\x7b22746f6b656e223a227365636f6e642d686f7374222c227661726961626c65223a22796573227d	\N	0
01a22777-de51-7093-9a84-4086130337cc	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":2,"instance":"01a22777-de5c-7344-8a77-1b12ed6ef104","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958496849	1795958497042	193.812474	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":4.039},{"name":"queue","start_ms":4.039,"duration_ms":14.422},{"name":"start","start_ms":18.461,"duration_ms":165.562},{"name":"load","start_ms":184.023,"duration_ms":5.605},{"name":"run","start_ms":190.068,"duration_ms":3.704}]	\N	\N	\N	\N	application/json	45	\\x7b22746f6b656e223a227365636f6e642d686f73742d73796e63222c227661726961626c65223a22796573227d	\N	0
01a22777-e0d4-7002-aef9-836412f448e9	01a22777-d519-7205-9873-f335377b8c8f	steps	sync	crashed	f	interrupted	0	\N	\N	\N		\N	\N	0	1795958497492	1795958511282	13789.347940000001	\N	f	[]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a22777-e088-7314-937f-e27c47bce167	01a22777-d519-7205-9873-f335377b8c8f	steps	async	succeeded	f	\N	2	\N	01a22778-180e-716a-b8d7-c72e03084e8f	\N	{"number":1,"revision":2}\n{"number":2,"revision":2,"instance":"01a22778-1813-742e-bd66-9b3d1c4d013c","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958497416	1795958511851	14435	cold	f	[{"name":"queue","start_ms":0.0,"duration_ms":14218.337},{"name":"start","start_ms":14218.337,"duration_ms":206.477},{"name":"load","start_ms":14424.814,"duration_ms":3.423},{"name":"run","start_ms":14428.716,"duration_ms":2.247}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"46","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383530352e343134383332382c2022746f6b656e223a20226c6f7374227d	application/json	33	\\x7b22746f6b656e223a226c6f7374222c227661726961626c65223a22796573227d	\N	0
01a22778-18f8-7082-bd2c-ee224217fcc0	01a22777-d670-739d-94c4-91ea4147752b	doomed	sync	succeeded	f	\N	0	\N	\N	\N	{"number":1,"revision":1,"instance":"01a22778-18ff-77cf-b737-ee9575a2e6ef","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958511864	1795958512082	217.41368	cold	f	[{"name":"admit","start_ms":0.0,"duration_ms":11.456},{"name":"queue","start_ms":11.456,"duration_ms":1.711},{"name":"start","start_ms":13.167,"duration_ms":198.27},{"name":"load","start_ms":211.437,"duration_ms":4.888},{"name":"run","start_ms":216.869,"duration_ms":0.51}]	\N	\N	\N	\N	application/json	39	\\x7b22746f6b656e223a22646f6f6d65642d73796e63222c227661726961626c65223a6e756c6c7d	\N	0
01a22778-19d4-718e-a280-ac6a996b70e5	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	succeeded	f	\N	1	\N	01a22778-19e2-75b2-b314-f8ef325ecdd4	\N	{"number":1,"revision":1,"instance":"01a22778-18ff-77cf-b737-ee9575a2e6ef","outcome":"succeeded","error":null,"lines":1}\n	\N	\N	0	1795958512084	1795958515146	3062	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":19.327},{"name":"run","start_ms":19.327,"duration_ms":3005.609}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383531352e303833333436342c2022746f6b656e223a2022646f6f6d65642d72756e6e696e67227d	application/json	42	\\x7b22746f6b656e223a22646f6f6d65642d72756e6e696e67222c227661726961626c65223a6e756c6c7d	\N	0
01a22778-1a26-75b7-93ea-93329e0cdae6	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512166	1795958512221	55	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d32227d	\N	\N	\N	\N	0
01a22778-1a2a-736d-b8ad-85884e579b97	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512170	1795958512221	51	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d33227d	\N	\N	\N	\N	0
01a22778-1a2f-7650-838f-ed495f56a611	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512175	1795958512221	46	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d34227d	\N	\N	\N	\N	0
01a22778-1a32-73d2-8f48-8f65964452b3	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512178	1795958512221	43	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d35227d	\N	\N	\N	\N	0
01a22778-1a50-7425-9b3b-7c67a3fa3a5e	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512208	1795958512221	13	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d36227d	\N	\N	\N	\N	0
01a22778-1a1f-7268-b69f-452f9ec67052	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512159	1795958512221	62	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d31227d	\N	\N	\N	\N	0
01a22778-1a54-738c-8595-ca0eb5da7f4b	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	cancelled	f	function_deleted	0	\N	\N	\N		\N	\N	0	1795958512212	1795958512221	9	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d37227d	\N	\N	\N	\N	0
01a22778-1a19-766a-a385-3f59b2fd90f6	01a22777-d670-739d-94c4-91ea4147752b	doomed	async	succeeded	f	\N	1	\N	01a22778-1a5a-7704-b62a-8f4e5ab6428a	\N	{"number":1,"revision":1,"instance":"01a22778-18ff-77cf-b737-ee9575a2e6ef","outcome":"succeeded","error":null}\n	\N	\N	0	1795958512153	1795958515149	2996	warm	f	[{"name":"queue","start_ms":0.0,"duration_ms":2956.451},{"name":"run","start_ms":2956.451,"duration_ms":1.528}]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022646f6f6d65642d30227d	application/json	36	\\x7b22746f6b656e223a22646f6f6d65642d30222c227661726961626c65223a6e756c6c7d	\N	0
01a22778-25ed-71b5-9872-46add8e01b3a	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-25fa-73d0-9083-0b93174c821e	1		\N	1795958515196	0	1795958515181	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"56","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383636352e313830363433362c2022746f6b656e223a202272756e6e696e672d6e6172726f77227d	\N	\N	\N	\N	0
01a22778-2f32-7268-8b19-864024b719e1	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-2f36-7275-ab41-99ee3b2085a3	1		\N	1795958517560	0	1795958517554	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d30227d	\N	\N	\N	\N	0
01a22778-2f3f-7339-ab27-bf5707e363e9	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795958577814	1	1795958517567	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d33227d	\N	\N	\N	\N	0
01a22778-3083-7145-9e9e-876939869b6e	01a22777-d6aa-72b6-92df-13d0c832d901	big	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-308a-715c-8c1e-e917fe0f54a6	1		\N	1795958517899	0	1795958517891	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"16","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022626967227d	\N	\N	\N	\N	0
01a22778-31fb-774c-9f30-4a348dfdfedd	01a22777-d519-7205-9873-f335377b8c8f	steps	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-3201-7653-83a1-84321c439c07	2		\N	1795958518274	0	1795958518267	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"71","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383534332e323636333339352c2022746f6b656e223a20226f7574636f6d652d7261697365222c2022686f77223a20227261697365227d	\N	\N	\N	\N	0
01a22778-2f37-768c-8d83-c942819eed6e	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-6d27-7795-8ddc-7ec197e4a702	1		\N	1795958533421	0	1795958517559	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d31227d	\N	\N	\N	\N	0
01a22778-2f3b-74fa-bd6b-30ef34ba922e	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-6e00-7697-9aa8-aa30b2d7b473	1		\N	1795958533638	0	1795958517563	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d32227d	\N	\N	\N	\N	0
01a22778-2f49-7352-a3b6-83b1779c5fbb	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795958577814	1	1795958517577	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d36227d	\N	\N	\N	\N	0
01a22778-356b-73c0-9e39-7d5ba1cb648f	01a22777-d519-7205-9873-f335377b8c8f	steps	async	queued	f	\N	0	\N	\N	\N		\N	1795958520147	0	1795958519147	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e7075626c6973686564227d	\N	\N	\N	\N	0
01a22778-2f4f-71e1-969a-4ce1b44c7568	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795958577814	1	1795958517583	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d37227d	\N	\N	\N	\N	0
01a22778-30bf-746b-94f2-79dd531024aa	01a22777-d6de-7496-8082-68af260575be	unstartable	async	retrying	f	\N	1	\N	01a22778-30cd-76a8-9712-032efe4c844c	\N	{"number":1,"revision":1,"instance":null,"outcome":null,"error":{"type":"platform","message":"the sandbox did not get ready: it exited with code 1 while it was starting"}}\n	1795958522979	1795958522979	0	1795958517951	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"24","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a2022756e737461727461626c65227d	\N	\N	\N	\N	0
01a22778-310f-72f8-97e4-11b9bc1711d8	01a22777-d519-7205-9873-f335377b8c8f	steps	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-3112-700a-9f33-30b154e8052a	2		\N	1795958518039	0	1795958518031	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"69","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383534332e303235303632332c2022746f6b656e223a20226f7574636f6d652d6a736f6e222c2022686f77223a20226a736f6e227d	\N	\N	\N	\N	0
01a22778-2f53-7378-a020-0617744d63e7	01a22777-d519-7205-9873-f335377b8c8f	steps	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-2f5b-750a-9d34-e14ec13f5e5d	2		\N	1795958517597	0	1795958517587	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"51","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383636372e353836383039322c2022746f6b656e223a202272756e6e696e672d30227d	\N	\N	\N	\N	0
01a22778-275c-7734-9e9c-d97e7d531108	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	sync	expired	f	throttled	0	\N	\N	\N		\N	\N	0	1795958515548	1795958517551	2002.871559	\N	f	[{"name":"admit","start_ms":0.0,"duration_ms":1.893},{"name":"queue","start_ms":1.893,"duration_ms":2000.975}]	\N	\N	\N	\N	\N	\N	\N	\N	0
01a22778-2f93-73cc-9f31-49336075e380	01a22777-d519-7205-9873-f335377b8c8f	steps	async	running	f	\N	1	01a22778-17b5-76ec-99c8-810d94945527	01a22778-2f97-712b-aff4-252210482a80	2		\N	1795958517656	0	1795958517651	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"50","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22756e74696c223a20313739353935383636372e3635303533352c2022746f6b656e223a202272756e6e696e672d31227d	\N	\N	\N	\N	0
01a22778-2f42-742b-8396-681ec89fff94	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795958577814	1	1795958517570	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d34227d	\N	\N	\N	\N	0
01a22778-2f46-70ab-9099-7a33b57070b9	01a22777-d604-725d-bb40-50dc14b78b3f	narrow	async	queued	f	\N	0	\N	\N	\N		\N	1795958577814	1	1795958517574	\N	\N	\N	f	[]	\N	{"accept":"*/*","accept-encoding":"identity","content-length":"21","content-type":"application/json","host":"127.0.0.1:44931","prefer":"respond-async","user-agent":"Python-urllib/3.11","x-recorded":"yes"}	application/json	\\x7b22746f6b656e223a20227175657565642d35227d	\N	\N	\N	\N	0
\.
COPY public.leases (owner, manager, expires_at) FROM stdin;
01a22778-17b5-76ec-99c8-810d94945527	01a22777-d3fb-7048-8f2e-7c2fb97e30d6	1795958551640
\.
COPY public.logs (sequence, ts, function_name, revision, invocation_id, attempt, instance, stream, line, kind) FROM stdin;
1	1795958495099	steps	2	01a22777-d705-7723-9de2-e7bd899de507	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran sync-json revision 2	\N
2	1795958495118	steps	2	01a22777-d77f-7434-bb2a-ae7598804ceb	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran async-json revision 2	\N
3	1795958495168	steps	2	01a22777-d7be-712e-abb3-68a2a51547db	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran sync-text revision 2	\N
4	1795958495187	steps	2	01a22777-d7c3-724c-9570-ade38f2842dd	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran async-text revision 2	\N
5	1795958495239	steps	2	01a22777-d806-733e-a63f-5e80e2f1d703	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran sync-bytes revision 2	\N
6	1795958495257	steps	2	01a22777-d80f-73f0-b238-12ff8644c986	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran async-bytes revision 2	\N
7	1795958495318	steps	2	01a22777-d851-7302-b087-d5c112edf325	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran sync-raise revision 2	\N
8	1795958495339	steps	2	01a22777-d851-7302-b087-d5c112edf325	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	Traceback (most recent call last):	error
9	1795958495339	steps	2	01a22777-d851-7302-b087-d5c112edf325	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	  File "/var/tmp/cfuokruocqx/second/instances/01a22777-d70a-71b5-bb89-baf6e0050166/task/function.py", line 16, in handler	error
10	1795958495339	steps	2	01a22777-d851-7302-b087-d5c112edf325	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	    raise ValueError("no to " + event["token"])	error
11	1795958495339	steps	2	01a22777-d851-7302-b087-d5c112edf325	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	ValueError: no to sync-raise	error
12	1795958495352	steps	2	01a22777-d870-760b-95cf-31da270e8068	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran async-raise revision 2	\N
13	1795958495352	steps	2	01a22777-d870-760b-95cf-31da270e8068	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	Traceback (most recent call last):	error
14	1795958495352	steps	2	01a22777-d870-760b-95cf-31da270e8068	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	  File "/var/tmp/cfuokruocqx/second/instances/01a22777-d70a-71b5-bb89-baf6e0050166/task/function.py", line 16, in handler	error
15	1795958495352	steps	2	01a22777-d870-760b-95cf-31da270e8068	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	    raise ValueError("no to " + event["token"])	error
16	1795958495352	steps	2	01a22777-d870-760b-95cf-31da270e8068	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	ValueError: no to async-raise	error
17	1795958495412	steps	2	01a22777-d8b2-767d-8d7c-a8e4ab99b41c	1	01a22777-d70a-71b5-bb89-baf6e0050166	stdout	ran sync-exit revision 2	\N
18	1795958495417	steps	2	01a22777-d8b2-767d-8d7c-a8e4ab99b41c	1	01a22777-d70a-71b5-bb89-baf6e0050166	platform	exit: the function's process exited with code 3	error
19	1795958495522	steps	2	01a22777-d8bd-7175-a43f-c99467c93d13	1	01a22777-d8c3-7512-835d-21e42ea589ae	stdout	ran async-exit revision 2	\N
20	1795958495526	steps	2	01a22777-d8bd-7175-a43f-c99467c93d13	1	01a22777-d8c3-7512-835d-21e42ea589ae	platform	exit: the function's process exited with code 3	error
21	1795958495623	limited	1	01a22777-d931-7227-90e7-b134ba777203	1	01a22777-d933-77fc-8dfa-6f896bbc5b5e	stdout	ran sync-hang revision 1	\N
22	1795958496122	limited	1	01a22777-d931-7227-90e7-b134ba777203	1	01a22777-d933-77fc-8dfa-6f896bbc5b5e	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
23	1795958496252	limited	1	01a22777-db86-73d9-9d67-cf0e382309ff	1	01a22777-db92-71ae-b07f-9e7b561fd2f5	stdout	ran async-hang revision 1	\N
24	1795958496751	limited	1	01a22777-db86-73d9-9d67-cf0e382309ff	1	01a22777-db92-71ae-b07f-9e7b561fd2f5	platform	timeout: the function did not answer within its timeout of 500 ms and was stopped	error
25	1795958497035	steps	2	01a22777-de51-7093-9a84-4086130337cc	1	01a22777-de5c-7344-8a77-1b12ed6ef104	stdout	ran second-host-sync revision 2	\N
26	1795958497036	steps	2	01a22777-de4d-7513-ac7f-bc5436ac4076	1	01a22777-de5c-7344-8a77-1b12ed6ef104	stdout	ran classic revision 2	\N
27	1795958497078	steps	2	01a22777-df1a-754b-88ca-4b259a133f1d	1	01a22777-de56-7710-bd79-7606090559c4	stdout	ran second-host revision 2	\N
28	1795958497430	steps	2	01a22777-e088-7314-937f-e27c47bce167	1	01a22777-de56-7710-bd79-7606090559c4	stdout	ran lost revision 2	\N
29	1795958497499	steps	2	01a22777-e0d4-7002-aef9-836412f448e9	1	01a22777-de5c-7344-8a77-1b12ed6ef104	stdout	ran interrupted revision 2	\N
30	1795958511847	steps	2	01a22777-e088-7314-937f-e27c47bce167	2	01a22778-1813-742e-bd66-9b3d1c4d013c	stdout	ran lost revision 2	\N
33	1795958515466	narrow	1	01a22778-25ed-71b5-9872-46add8e01b3a	1	01a22778-25ff-72fb-993e-799f8c059d00	stdout	ran running-narrow revision 1	\N
34	1795958517597	steps	2	01a22778-2f53-7378-a020-0617744d63e7	1	01a22778-1813-742e-bd66-9b3d1c4d013c	stdout	ran running-0 revision 2	\N
35	1795958517828	steps	2	01a22778-2f93-73cc-9f31-49336075e380	1	01a22778-2f9d-76ed-9b83-35daf9fa5d26	stdout	ran running-1 revision 2	\N
36	1795958518216	steps	2	01a22778-310f-72f8-97e4-11b9bc1711d8	1	01a22778-3119-75b4-9f93-c2906b056e9a	stdout	ran outcome-json revision 2	\N
37	1795958518483	steps	2	01a22778-31fb-774c-9f30-4a348dfdfedd	1	01a22778-3203-77af-a54b-cb11f2f0af27	stdout	ran outcome-raise revision 2	\N
38	1795958543301	steps	2	01a22778-31fb-774c-9f30-4a348dfdfedd	1	01a22778-3203-77af-a54b-cb11f2f0af27	platform	Traceback (most recent call last):	error
39	1795958543301	steps	2	01a22778-31fb-774c-9f30-4a348dfdfedd	1	01a22778-3203-77af-a54b-cb11f2f0af27	platform	  File "/var/tmp/cfuokruocqx/first/instances/01a22778-3203-77af-a54b-cb11f2f0af27/task/function.py", line 16, in handler	error
40	1795958543301	steps	2	01a22778-31fb-774c-9f30-4a348dfdfedd	1	01a22778-3203-77af-a54b-cb11f2f0af27	platform	    raise ValueError("no to " + event["token"])	error
41	1795958543301	steps	2	01a22778-31fb-774c-9f30-4a348dfdfedd	1	01a22778-3203-77af-a54b-cb11f2f0af27	platform	ValueError: no to outcome-raise	error
\.
COPY public.revisions (function_id, number, spec, source, bundle, image, created_at) FROM stdin;
01a22777-d519-7205-9873-f335377b8c8f	1	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	ad1b709385aa770587dc03652f30f2d33543f21bd7afb01656ca61812828496a	python	1795958494492
01a22777-d519-7205-9873-f335377b8c8f	2	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	1b319556157cb22359581b7d04d29ce9e5da0870c5d55f31120889629a229c8f	python	1795958494587
01a22777-d519-7205-9873-f335377b8c8f	3	{"description":"ends as its event says","code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{"RECORDED":"yes"},"scaling":{"idle_timeout_ms":60000,"max_instances":8}}	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	a97103db71f9477154b01544edf0c75c23a4de27b44fd1a296bc885637ab2063	python	1795958494663
01a22777-d604-725d-bb40-50dc14b78b3f	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":900000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":1}}	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	3edb393210339aecd0a62ec79ec0af7a4a88ce29eedf55ebe01f21857337d3d6	python	1795958494725
01a22777-d634-740a-9e90-b16cd86eb3f4	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":500,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":2}}	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	6ed98a4100ed359c7d11896e41784da57935054864af482902b992806d1dbaf9	python	1795958494773
01a22777-d6aa-72b6-92df-13d0c832d901	1	{"code":{"language":{"language":"python","version":"3.12","package":"bundle"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":838860800,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	a191a25fc090851a741de30c99badbf597fa4afa670cbd9ce91779f1e7144483	python	1795958494891
01a22777-d6de-7496-8082-68af260575be	1	{"code":{"image":{"image":"false"}},"handler":"function.handler","timeout_ms":30000,"memory_bytes":67108864,"cpus":1.0,"network":"none","env":{},"scaling":{"idle_timeout_ms":60000,"max_instances":10}}	bcf65f1f66188412697aab4310fe1949977ed22227618e68ec7ede9395073a98	\N	false	1795958494943
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
