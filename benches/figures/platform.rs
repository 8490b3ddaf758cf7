//! `cloudfunc up`, as its users start it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cloudfunc::{
    bundle,
    client::{Client, InvokeAnswer, Outcome},
    model::{Body, FunctionName, InstanceId, PlatformName, State},
    place::{self, Trust},
    queue,
    store::{self, Totals},
};
use futures_util::future::join_all;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    docker::{HELLO, python_version},
    load::{Endpoint, PAYLOAD},
    setting,
};

/// Everything that the platform takes to be ready; longer is an error.
const READY: Duration = Duration::from_secs(30);
/// What was accepted ends within this time; longer is an error.
const END: Duration = Duration::from_secs(120);
/// How much memory the limits of prewarmed instances may make up; each is one of 128 MiB.
const PREWARM_BUDGET: &str = "CLOUDFUNC_PREWARM_BUDGET";
const NOTHING_PREWARMED: (&str, &str) = (PREWARM_BUDGET, "0B");

/// A way to start the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// On PostgreSQL and RabbitMQ.
    servers: bool,
    /// How many instances are prewarmed when nothing is going on.
    prewarmed: usize,
    /// Its gateway speaks TLS.
    tls: bool,
    /// The most files that it may have open, where that is less than usual.
    files: Option<u32>,
}

/// One process: SQLite and the embedded queue.
pub const DOCKER: Setup = Setup {
    name: "cloudfunc up --embedded, Docker",
    arguments: &["--embedded", "--runtime", "docker"],
    environment: &[],
    servers: false,
    prewarmed: 4,
    tls: false,
    files: None,
};
pub const OCI: Setup = Setup {
    name: "cloudfunc up --embedded, OCI",
    arguments: &["--embedded", "--runtime", "oci"],
    ..DOCKER
};
/// The same with TLS.
pub const OCI_TLS: Setup = Setup { name: "cloudfunc up --embedded, OCI, TLS", tls: true, ..OCI };
/// The same with few files, as many shells give them.
pub const OCI_FEW_FILES: Setup =
    Setup { name: "cloudfunc up --embedded, OCI, 1,024 files", files: Some(1024), ..OCI };
/// A supervisor and four processes on PostgreSQL, RabbitMQ and Docker.
pub const FOUR: Setup = Setup {
    name: "cloudfunc up, RabbitMQ, four processes, Docker",
    arguments: &[],
    environment: &[],
    servers: true,
    prewarmed: 4,
    tls: false,
    files: None,
};
/// Nothing is prewarmed.
pub const DOCKER_EMPTY: Setup = Setup {
    name: "the same, nothing prewarmed",
    environment: &[NOTHING_PREWARMED],
    prewarmed: 0,
    ..DOCKER
};
pub const OCI_EMPTY: Setup = Setup {
    name: "the same with OCI, nothing prewarmed",
    environment: &[NOTHING_PREWARMED],
    prewarmed: 0,
    ..OCI
};
pub const DOCKER_THIRTY: Setup = Setup {
    name: "the same, 30 prewarmed",
    environment: &[(PREWARM_BUDGET, "3840MiB"), ("CLOUDFUNC_MEMORY_BUDGET", "16GiB")],
    prewarmed: 30,
    ..DOCKER
};

/// Instances stay from round to round: that they come and go is measured where it is meant.
const MANIFEST: &str = "[scaling]\nidle_timeout = \"30m\"\n";

pub struct Up {
    pub setup: Setup,
    process: Process,
    pub client: Client,
    gateway: SocketAddr,
    token: String,
    platform: PlatformName,
    store: store::Config,
    folder: tempfile::TempDir,
    /// In their order; a name may be there several times.
    deployed: Vec<FunctionName>,
}

/// Dropped, it is told to stop, and has stopped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let id = rustix::process::Pid::from_child(&self.0);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
            let _ = self.0.wait();
        }
    }
}

/// A first invocation: how long its caller waited, and what the platform says of it.
pub struct Cold {
    pub time: Duration,
    pub phases: Vec<(String, f64)>,
    pub prewarmed: bool,
}

impl Up {
    /// `database`: of this run, empty.
    pub async fn start(setup: Setup, program: &Path, database: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cfu").tempdir_in("/var/tmp").unwrap();
        let ports = free_ports();
        let name = format!("b{}", InstanceId::new().0.simple());
        let data = folder.path().join("data");
        let wheels = folder.path().join("wheels");
        fs::create_dir(&wheels).unwrap();
        let mut command = match setup.files {
            Some(files) => with_files(files, program),
            None => Command::new(program),
        };
        command
            .args(["up", "--platform", &name, "--gateway-port", &ports[0]])
            .args(["--registry-port", &ports[1], "--scheduler-port", &ports[2]])
            .args(["--manager-port", &ports[3], "--python-version", &python_version(), "--data-dir"])
            .arg(&data)
            .args(["--build-index", "none", "--build-find-links"])
            .arg(&wheels)
            .args(setup.arguments)
            .envs(setup.environment.iter().copied())
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"));
        if setup.tls {
            // Others must not be able to read a key; those of the repository may.
            let key = folder.path().join("key.pem");
            fs::copy(certificate("server_key.pem"), &key).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            command.arg("--tls-cert").arg(certificate("server.pem")).arg("--tls-key").arg(key);
        }
        if setup.servers {
            command.env("CLOUDFUNC_QUEUE", queue_url()).env("CLOUDFUNC_STORE", database);
        }
        // Ctrl-C is ours: we stop it in order.
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(command.spawn().unwrap());
        let store = match setup.servers {
            true => database.parse().unwrap(),
            false => store::Config::Sqlite { path: data.join("store.db") },
        };
        let gateway = format!("127.0.0.1:{}", ports[0]).parse().unwrap();
        let scheme = if setup.tls { "https" } else { "http" };
        let url: url::Url = format!("{scheme}://{gateway}/").parse().unwrap();
        let token = place::state::State::open(&data).and_then(|state| state.token()).unwrap();
        let text = token.expose().to_owned();
        let trust = Trust { ca: setup.tls.then(|| certificate("authority.pem")), ..Trust::default() };
        let client = Client::trusting(url, Some(token), &trust).unwrap();
        let mut this = Self {
            setup,
            process,
            client,
            gateway,
            token: text,
            platform: name.parse().unwrap(),
            store,
            folder,
            deployed: Vec::new(),
        };
        this.wait_until_ready().await;
        this
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY;
        while !self.client.health().await.is_ok_and(|health| health.ready) {
            let ended = self.process.0.try_wait().unwrap();
            let late = Instant::now() > deadline || ended.is_some();
            assert!(!late, "{} does not get ready: {:?}", self.setup.name, self.setup.arguments);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Of the process that was started; it may have children.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// A function that is there for the whole run, as its instances are once they have been started.
    pub async fn once(&mut self, name: &str) -> FunctionName {
        match self.deployed.iter().find(|known| known.as_str() == name) {
            Some(known) => known.clone(),
            None => self.deploy(name).await,
        }
    }

    async fn deploy(&mut self, name: &str) -> FunctionName {
        self.deploy_code(name, HELLO, MANIFEST).await
    }

    async fn deploy_code(&mut self, name: &str, code: &str, manifest: &str) -> FunctionName {
        // A text of its own: unchanged content would be no new revision.
        let code = format!("# {name} {}\n{code}", self.deployed.len());
        let files = [("function.py", &*code), ("cloudfunc.toml", manifest)];
        self.deploy_files(name, &files, |_| {}).await
    }

    /// A function of these files; `progress` gets the lines of its deploy.
    pub async fn deploy_files(
        &mut self,
        name: &str,
        files: &[(&str, &str)],
        progress: impl FnMut(&str),
    ) -> FunctionName {
        self.try_deploy_files(name, files, progress).await.unwrap()
    }

    /// The same, with an error where the platform refuses it.
    pub async fn try_deploy_files(
        &mut self,
        name: &str,
        files: &[(&str, &str)],
        progress: impl FnMut(&str),
    ) -> Result<FunctionName, cloudfunc::client::Error> {
        let name: FunctionName = name.parse().unwrap();
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (file, text) in files {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let packed = bundle::pack(folder.path()).unwrap();
        self.client.deploy(&name, packed.bytes, progress).await?;
        self.deployed.push(name.clone());
        Ok(name)
    }

    /// The folder from which packages are installed; there is no index.
    pub fn wheels(&self) -> PathBuf {
        self.folder.path().join("wheels")
    }

    /// A command of the program for this platform, as its users give it.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("CLOUDFUNC_URL", format!("http://{}/", self.gateway))
            .env("CLOUDFUNC_TOKEN", &self.token)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// A function whose only instance is busy for so long: what is accepted meanwhile waits.
    pub async fn busy(&mut self, name: &str, time: Duration) -> FunctionName {
        let code = "import time\ndef handler(event):\n    time.sleep(event.get('seconds', 0))\n";
        let name =
            self.deploy_code(name, code, "timeout = \"5m\"\n[scaling]\nmax_instances = 1\n").await;
        let payload = format!("{{\"seconds\":{}}}", time.as_secs_f64());
        let body = Body { content_type: "application/json".to_owned(), bytes: payload.into() };
        let accepted = self.client.invoke_async(&name, body).await.unwrap();
        while self.client.record(accepted.id, None).await.unwrap().state != State::Running {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        name
    }

    /// What waits of it ends as cancelled.
    pub async fn delete(&self, name: &FunctionName) {
        self.client.delete(name).await.unwrap();
    }

    async fn deploy_all(&mut self, prefix: &str, count: usize) -> Vec<FunctionName> {
        let mut names = Vec::with_capacity(count);
        for number in 0..count {
            names.push(self.deploy(&format!("{prefix}_{number}")).await);
        }
        names
    }

    async fn delete_all(&self, names: &[FunctionName]) {
        for name in names {
            self.client.delete(name).await.unwrap();
        }
    }

    pub fn endpoint(&self, name: &FunctionName) -> Endpoint {
        self.endpoint_with(name, &self.token)
    }

    /// The same, called with another token.
    pub fn endpoint_with(&self, name: &FunctionName, token: &str) -> Endpoint {
        self.endpoint_at(&format!("/v1/functions/{name}/invoke")).with_token(token)
    }

    /// A path of the gateway's port, without a token.
    pub fn endpoint_at(&self, path: &str) -> Endpoint {
        let endpoint = Endpoint::new(self.gateway, path);
        match self.setup.tls {
            true => {
                endpoint.over_tls(&CertificateDer::from_pem_file(certificate("authority.pem")).unwrap())
            }
            false => endpoint,
        }
    }

    pub fn store(&self) -> &store::Config {
        &self.store
    }

    async fn invoke(&self, name: &FunctionName) -> Result<InvokeAnswer, String> {
        let body = Body { content_type: "application/json".to_owned(), bytes: PAYLOAD.into() };
        let answer = self.client.invoke(name, body).await.map_err(|error| error.to_string())?;
        match &answer.outcome {
            Outcome::Value(_) => Ok(answer),
            Outcome::Failed(problem) => Err(problem.detail.clone()),
        }
    }

    /// First invocations, each of a function of its own, each when nothing is going on. `requirements`: the packages
    /// of each function, which none of them imports.
    pub async fn cold(&mut self, count: usize, requirements: &str) -> Vec<Cold> {
        let mut all = Vec::with_capacity(count);
        for number in 0..count {
            let code = format!("# {number} {}\n{HELLO}", self.deployed.len());
            let files = [
                ("function.py", &*code),
                ("cloudfunc.toml", MANIFEST),
                ("requirements.txt", requirements),
            ];
            all.push(self.first(&format!("cold_{number}"), &files).await);
        }
        all
    }

    /// The same of functions with these files.
    pub async fn cold_of(&mut self, count: usize, files: &[(&str, &str)]) -> Vec<Cold> {
        let mut all = Vec::with_capacity(count);
        for number in 0..count {
            all.push(self.first(&format!("cold_{number}"), files).await);
        }
        all
    }

    /// The first invocation of a function that is there for it alone.
    async fn first(&mut self, name: &str, files: &[(&str, &str)]) -> Cold {
        let name = self.deploy_files(name, files, |_| {}).await;
        self.settle().await;
        let begun = Instant::now();
        let answer = self.invoke(&name).await.unwrap();
        let time = begun.elapsed();
        let record = self.client.record(answer.id, Some(Duration::from_secs(5))).await.unwrap();
        self.client.delete(&name).await.unwrap();
        Cold { time, phases: answer.phases, prewarmed: record.prewarmed }
    }

    /// Different functions, all for the first time and at once: until the last was answered, and errors.
    pub async fn burst(&mut self, count: usize) -> (Duration, Vec<String>) {
        let names = self.deploy_all("burst", count).await;
        self.settle().await;
        let begun = Instant::now();
        let answers = join_all(names.iter().map(|name| self.invoke(name))).await;
        let time = begun.elapsed();
        self.delete_all(&names).await;
        (time, answers.into_iter().filter_map(Result::err).collect())
    }

    /// So many functions with an instance each.
    pub async fn warm(&mut self, count: usize) -> Vec<FunctionName> {
        let names = self.deploy_all("warm", count).await;
        for name in &names {
            self.invoke(name).await.unwrap();
        }
        self.settle().await;
        names
    }

    /// Waits until no instance has been made or has gone for a while: all that are prewarmed wait, nothing is
    /// being removed. A platform that prewarms begins its next instance within that while.
    pub async fn settle(&self) {
        let quiet = match (self.setup.environment.contains(&NOTHING_PREWARMED), self.setup == OCI) {
            (true, _) => Duration::from_millis(120),
            (false, true) => Duration::from_millis(250),
            (false, false) => Duration::from_millis(500),
        };
        let deadline = Instant::now() + READY;
        let (mut seen, mut since) = (self.instances(), Instant::now());
        // One that has just been started has yet to make them.
        while (since.elapsed() < quiet || seen.len() < self.setup.prewarmed) && Instant::now() < deadline
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.instances();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }

    /// Their folders.
    fn instances(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.folder.path().join("data/instances")).into_iter().flatten();
        let mut paths: Vec<_> = folders.flatten().map(|folder| folder.path()).collect();
        paths.sort_unstable();
        paths
    }

    pub async fn totals(&self) -> Totals {
        let store = store::connect(&self.store).await.unwrap();
        let totals = store.totals().await.unwrap();
        store.close().await;
        totals
    }

    /// Waits until everything accepted has ended, and answers how many that were.
    pub async fn wait_for_all(&self) -> u64 {
        let store = store::connect(&self.store).await.unwrap();
        let deadline = Instant::now() + END;
        loop {
            let totals = store.totals().await.unwrap();
            assert!(totals.balance(), "{totals:?}");
            if totals.accepted == totals.terminal + totals.pruned {
                store.close().await;
                return totals.accepted;
            }
            assert!(Instant::now() < deadline, "accepted, but not ended: {totals:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends it as Ctrl-C would, its functions deleted before, and takes its queues along.
    pub async fn stop(self) {
        // Best effort: what stopped the run may be that it does not answer.
        if let Ok(page) = self.client.functions(None).await {
            for function in page.items {
                let _ = self.client.delete(&function.name).await;
            }
        }
        drop(self.process);
        if self.setup.servers {
            let queue = queue::connect(&queue_url().parse().unwrap(), &self.platform).await.unwrap();
            queue.remove_platform().await.unwrap();
            queue.close().await;
        }
    }
}

/// A program that may have so many files open, and never more.
fn with_files(files: u32, program: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]).arg(program);
    shell
}

fn queue_url() -> String {
    setting("CLOUDFUNC_TEST_RABBITMQ_URL")
}

fn free_ports() -> [String; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

/// A file of the tests' certificates.
fn certificate(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/it/access/tls", file].iter().collect()
}
