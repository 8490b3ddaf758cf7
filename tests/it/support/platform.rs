//! A whole platform inside the test: all roles as tasks, real HTTP on free ports, a data folder of
//! its own, on any combination of store, queue and runtime.

use std::{collections::BTreeSet, path::Path, time::Duration};

use cloudfunc::{
    app::{Host, Role},
    bundle,
    client::{Client, InvokeAnswer, Outcome},
    model::{
        Body, FunctionName, InstanceId, Language, Problem, ProblemCode, Record, TrustedProxies,
        api::Deployed,
    },
    place::{Addresses, Trust, certificate_file, state::State},
    queue, runtime,
    settings::{Builds, Languages, Limits, OfLanguage, Platform, Settings},
    shutdown::Shutdown,
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{postgres::Database, server};

/// What the platform stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    store: Store,
    queue: Queue,
    runtime: runtime::Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    Postgres,
    Sqlite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    RabbitMq,
    Embedded,
}

impl Stack {
    /// What needs no server and no container: SQLite, the embedded queue, the shim as a plain process.
    pub const LIGHT: Self =
        Self { store: Store::Sqlite, queue: Queue::Embedded, runtime: runtime::Kind::Process };

    /// PostgreSQL, RabbitMQ, Docker.
    pub const REAL: Self =
        Self { store: Store::Postgres, queue: Queue::RabbitMq, runtime: runtime::Kind::Docker };

    /// As `on_stack!` names it: `light`, or store, queue and runtime.
    pub fn named(name: &str) -> Self {
        if name == "light" {
            return Self::LIGHT;
        }
        let parts: Vec<&str> = name.split('_').collect();
        let [store, queue, runtime] = parts[..] else { panic!("no stack is called {name}") };
        Self {
            store: match store {
                "postgres" => Store::Postgres,
                "sqlite" => Store::Sqlite,
                _ => panic!("no store is called {store}"),
            },
            queue: match queue {
                "rabbitmq" => Queue::RabbitMq,
                "embedded" => Queue::Embedded,
                _ => panic!("no queue is called {queue}"),
            },
            runtime: runtime.parse().unwrap(),
        }
    }

    pub fn runtime(self) -> runtime::Kind {
        self.runtime
    }

    /// Whether functions run in containers, not as plain processes.
    pub fn has_containers(self) -> bool {
        self.runtime != runtime::Kind::Process
    }
}

pub struct TestPlatform {
    pub client: Client,
    pub stack: Stack,
    http: reqwest::Client,
    pub platform: Platform,
    shutdown: Shutdown,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    database: Option<Database>,
    _folder: tempfile::TempDir,
}

fn local() -> std::net::SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn url(platform: &Platform) -> String {
    format!("{}://{}", platform.addresses.scheme(), platform.addresses.gateway)
}

/// Settings on free ports; none (with a note) when a server is missing.
pub fn settings(stack: Stack, folder: &Path, test: &str) -> Option<(Platform, Option<Database>)> {
    let (store, database) = match stack.store {
        Store::Sqlite => (format!("sqlite:{}", folder.join("store.db").display()), None),
        Store::Postgres => {
            let database = Database::create(&server("CLOUDFUNC_TEST_POSTGRES_URL", test)?);
            (database.url(), Some(database))
        }
    };
    let queue = match stack.queue {
        Queue::Embedded => "embedded".to_owned(),
        Queue::RabbitMq => server("CLOUDFUNC_TEST_RABBITMQ_URL", test)?,
    };
    if stack.runtime == runtime::Kind::Docker {
        server("CLOUDFUNC_TEST_DOCKER", test)?;
    }
    let name = format!("t{}", InstanceId::new().0.simple());
    let mut languages = Languages::default();
    languages.set(Language::Python, OfLanguage::Version, "3.11");
    for &language in Language::ALL {
        if let Ok(image) = std::env::var(language.image_variable()) {
            languages.set(language, OfLanguage::Image, &image);
        }
    }
    let runtime = Some(stack.runtime);
    let languages = Settings { languages, runtime, ..Settings::default() }.languages();
    let platform = Platform {
        name: name.parse().unwrap(),
        data_dir: folder.join("data"),
        store: store.parse().unwrap(),
        queue: queue.parse().unwrap(),
        secret_key_file: None,
        runtime: stack.runtime,
        program: env!("CARGO_BIN_EXE_cloudfunc").into(),
        addresses: Addresses {
            gateway: local(),
            registry: local(),
            scheduler: local(),
            manager: local(),
            ..Addresses::default()
        },
        gateway_hosts: Vec::new(),
        tls: None,
        trusted_proxies: TrustedProxies::default(),
        is_insecure: false,
        languages,
        builds: Builds::default(),
        oidc: None,
        // Nothing is prewarmed unless a test asks for it: many count containers.
        limits: Limits { stop_grace: Duration::from_secs(5), prewarm_budget: 0, ..Limits::default() },
    };
    Some((platform, database))
}

impl TestPlatform {
    /// None when the test is skipped for want of a server.
    pub async fn start(stack: Stack, test: &str) -> Option<Self> {
        Self::start_with(stack, test, |_| {}).await
    }

    pub async fn start_with(
        stack: Stack,
        test: &str,
        change: impl FnOnce(&mut Platform),
    ) -> Option<Self> {
        Self::start_roles(stack, test, &Role::ALL, change).await
    }

    /// With these roles only; a test starts the others itself.
    pub async fn start_roles(
        stack: Stack,
        test: &str,
        roles: &[Role],
        change: impl FnOnce(&mut Platform),
    ) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let (mut platform, database) = settings(stack, folder.path(), test)?;
        change(&mut platform);
        let host = Host::bind(roles, &platform).await.unwrap();
        let platform = host.platform().clone();
        let state = State::open(&platform.data_dir).unwrap();
        let url = format!("{}/", url(&platform)).parse().unwrap();
        let trust = Trust { ca: None, own: Some(certificate_file(state.folder())) };
        let client = Client::trusting(url, Some(state.token().unwrap()), &trust).unwrap();
        let shutdown = Shutdown::default();
        let task = Some(tokio::spawn(host.run(shutdown.clone())));
        let http = cloudfunc::http::client().unwrap();
        let this = Self { client, stack, http, platform, shutdown, task, database, _folder: folder };
        super::eventually("the platform is ready", || async {
            this.client.health().await.ok().filter(|health| health.ready)
        })
        .await;
        Some(this)
    }

    /// A connection of its own to the platform's store.
    pub async fn store(&self) -> std::sync::Arc<dyn cloudfunc::store::Store> {
        cloudfunc::store::connect(&self.platform.store).await.unwrap()
    }

    /// A connection of its own to the platform's broker.
    pub async fn queue(&self) -> std::sync::Arc<dyn queue::Queue> {
        queue::connect(&self.platform.queue, &self.platform.name).await.unwrap()
    }

    /// Deploys files given as (path, text).
    pub async fn deploy(&self, name: &str, files: &[(&str, &str)]) -> Deployed {
        self.try_deploy(name, files).await.unwrap()
    }

    pub async fn try_deploy(
        &self,
        name: &str,
        files: &[(&str, &str)],
    ) -> Result<Deployed, cloudfunc::client::Error> {
        self.client.deploy(&function(name), packed(files), |_| {}).await
    }

    /// Deploys code that does not load.
    pub async fn deploy_unchecked(&self, name: &str, files: &[(&str, &str)]) -> Deployed {
        self.client.deploy_unchecked(&function(name), packed(files), |_| {}).await.unwrap()
    }

    pub async fn invoke(&self, name: &str, payload: &str) -> InvokeAnswer {
        self.client.invoke(&function(name), json(payload)).await.unwrap()
    }

    /// The value as text.
    pub async fn value(&self, name: &str, payload: &str) -> String {
        match self.invoke(name, payload).await.outcome {
            Outcome::Value(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
            Outcome::Failed(problem) => panic!("{problem:?}"),
        }
    }

    /// What a failing invocation is answered, whoever is at fault.
    pub async fn problem(&self, name: &str, payload: &str) -> Problem {
        match self.client.invoke(&function(name), json(payload)).await {
            Ok(InvokeAnswer { outcome: Outcome::Failed(problem), .. })
            | Err(cloudfunc::client::Error::Problem(problem)) => *problem,
            other => panic!("no problem: {other:?}"),
        }
    }

    /// Accepts one and waits for its end.
    pub async fn run_async(&self, name: &str, payload: &str) -> Record {
        let accepted = self.client.invoke_async(&function(name), json(payload)).await.unwrap();
        self.client.record(accepted.id, Some(Duration::from_secs(30))).await.unwrap()
    }

    /// A request to a role as a program would send it: with the token, checked by nobody.
    pub fn request(&self, role: Role, method: Method, path: &str) -> RequestBuilder {
        let (address, state) = (self.address(role), State::open(&self.platform.data_dir).unwrap());
        let token = match role {
            Role::Gateway => state.token(),
            _ => state.internal_token(),
        };
        let request = self.http.request(method, format!("http://{address}{path}"));
        request.bearer_auth(token.unwrap().expose())
    }

    /// The URL of the gateway, without a slash at its end.
    pub fn url(&self) -> String {
        url(&self.platform)
    }

    pub fn address(&self, role: Role) -> std::net::SocketAddr {
        let addresses = &self.platform.addresses;
        match role {
            Role::Gateway => addresses.gateway,
            Role::Registry => addresses.registry,
            Role::Scheduler => addresses.scheduler,
            Role::Manager => addresses.manager,
        }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Role::Gateway, Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Role::Gateway, Method::POST, path)
    }

    /// The binary as a user of this platform starts it: exit code, stdout and stderr.
    pub async fn cli(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).stdin(std::process::Stdio::null()).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The same, not started yet. Its home is the platform's folder: `@last` is remembered.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
        command
            .env_clear()
            .env("HOME", self._folder.path())
            .args(["--url", &self.url(), "--token-file"])
            .arg(self.platform.data_dir.join("token"))
            .args(arguments);
        command
    }

    /// The ids of this platform's containers, running or not.
    pub async fn containers(&self) -> BTreeSet<String> {
        match self.stack.runtime {
            runtime::Kind::Docker => self.docker_containers().await,
            runtime::Kind::Oci => {
                // Who looks in a loop must not keep the platform in the same thread from working.
                tokio::task::yield_now().await;
                self.folders_of_containers()
            }
            runtime::Kind::Process => panic!("processes are no containers"),
        }
    }

    /// A container without a daemon has a folder for as long as there is anything of it.
    pub fn folders_of_containers(&self) -> BTreeSet<String> {
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        names(&self.platform.data_dir.join("runtime/sandboxes"))
            .iter()
            .flat_map(|manager| names(manager))
            .map(|container| container.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    async fn docker_containers(&self) -> BTreeSet<String> {
        let label = format!("label=cloudfunc.platform={}", self.platform.name);
        let output = tokio::process::Command::new("docker")
            .args(["ps", "--all", "--no-trunc", "--format", "{{.ID}}", "--filter", &label])
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// The sandboxes of a function's live instances, as the registry knows them.
    pub async fn sandboxes(&self, name: &str) -> BTreeSet<String> {
        let page = self.client.instances(&function(name), None).await.unwrap();
        page.items.into_iter().map(|instance| instance.sandbox).collect()
    }

    /// Stops softly and begins a next life: the same folder, store and ports.
    pub async fn restart(&mut self) {
        self.shutdown.soft.cancel();
        self.task.take().unwrap().await.unwrap().unwrap();
        self.shutdown = Shutdown::default();
        let host = Host::bind(&Role::ALL, &self.platform).await.unwrap();
        self.task = Some(tokio::spawn(host.run(self.shutdown.clone())));
        super::eventually("the platform is ready again", || async {
            self.client.health().await.ok().filter(|health| health.ready)
        })
        .await;
    }

    /// Stops softly; nothing may be left behind.
    pub async fn stop(self) {
        self.stop_and(|| {}).await;
    }

    /// The same, with a last look at its data folder.
    pub async fn stop_and(mut self, look: impl FnOnce()) {
        self.shutdown.soft.cancel();
        let task = self.task.take().unwrap();
        tokio::time::timeout(Duration::from_secs(40), task)
            .await
            .expect("it stops in time")
            .unwrap()
            .unwrap();
        if let queue::Config::RabbitMq { .. } = self.platform.queue {
            let queue = queue::connect(&self.platform.queue, &self.platform.name).await.unwrap();
            let store = cloudfunc::store::connect(&self.platform.store).await.unwrap();
            for function in store.functions().await.unwrap() {
                queue.remove(function.id).await.unwrap();
            }
            queue.remove_platform().await.unwrap();
            queue.close().await;
            store.close().await;
        }
        // There is none where no manager was started on this data folder.
        let instances = std::fs::read_dir(self.platform.data_dir.join("instances"));
        assert_eq!(instances.into_iter().flatten().count(), 0, "instance folders are left");
        look();
        drop(self.database.take());
    }
}

/// Of a test that failed before it could stop: its containers would stay.
impl Drop for TestPlatform {
    fn drop(&mut self) {
        if self.task.is_none() || self.stack.runtime != runtime::Kind::Docker {
            return;
        }
        let script = "docker ps -aq --filter label=cloudfunc.platform=$0 | xargs -r docker rm -f";
        let name = self.platform.name.as_str();
        let _ = std::process::Command::new("sh").args(["-c", script, name]).output();
    }
}

/// An upload of files given as (path, text).
pub fn packed(files: &[(&str, &str)]) -> bytes::Bytes {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    bundle::pack(folder.path()).unwrap().bytes
}

pub fn function(name: &str) -> FunctionName {
    name.parse().unwrap()
}

pub fn json(text: &str) -> Body {
    Body { content_type: "application/json".to_owned(), bytes: text.as_bytes().to_vec().into() }
}

/// An answer's status and its JSON, what changes from run to run replaced: ids, moments, durations.
pub async fn document(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let text = response.text().await.unwrap();
    assert_eq!(headers.get("content-type").unwrap(), kind, "{text}");
    let mut value = serde_json::from_str(&text).unwrap();
    redact("", &mut value);
    (status.as_u16(), value)
}

pub fn redact(key: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| redact(key, item)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| redact(key, value)),
        Value::Number(_) if key.ends_with("duration_ms") || key == "start_ms" => *value = "<ms>".into(),
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => *value = "<id>".into(),
        Value::String(text) if key.ends_with("_at") || key == "ts" => {
            text.parse::<jiff::Timestamp>().expect("a moment");
            *value = "<moment>".into();
        }
        _ => {}
    }
}

/// The members of a problem that are not the same for every one of its code.
pub fn problem(code: ProblemCode, detail: &str, more: Value) -> (u16, Value) {
    let mut problem = serde_json::to_value(Problem::new(code, detail)).unwrap();
    problem.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (code.status, problem)
}
