//! `cloudfunc up`, as its users start it, stopped and started again on what it has stored.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cloudfunc::{
    bundle,
    model::{FunctionName, InstanceId},
    place, queue, store,
};
use reqwest::{Method, StatusCode};

use crate::{fill::Database, options::Stack, program};

/// Everything that the platform takes to be ready; longer is an error.
const READY: Duration = Duration::from_secs(120);
/// A function is served so soon after a start, however many there are; longer is an error.
const SERVING: Duration = Duration::from_secs(60);

pub struct Platform {
    stack: Stack,
    name: String,
    store: String,
    folder: tempfile::TempDir,
    ports: Vec<String>,
    process: Option<Child>,
    http: reqwest::Client,
    token: String,
    deploys: u64,
}

impl Platform {
    pub fn new(stack: Stack, database: &Database) -> Self {
        let folder = tempfile::Builder::new().prefix("cfg").tempdir_in("/var/tmp").unwrap();
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.iter().map(|listener| listener.local_addr().unwrap().port().to_string());
        let store = match database.url() {
            Some(url) => url.to_owned(),
            None => format!("sqlite:{}", folder.path().join("data/store.db").display()),
        };
        Self {
            stack,
            name: format!("g{}", InstanceId::new().0.simple()),
            store,
            ports: ports.collect(),
            folder,
            process: None,
            http: cloudfunc::http::client().unwrap(),
            token: String::new(),
            deploys: 0,
        }
    }

    pub fn function(&self) -> FunctionName {
        "measured".parse().unwrap()
    }

    pub fn store(&self) -> store::Config {
        self.store.parse().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns when it is ready.
    pub async fn start(&mut self) {
        let mut command = Command::new(program());
        command
            .args(["up", "--platform", &self.name, "--gateway-port", &self.ports[0]])
            .args(["--registry-port", &self.ports[1], "--scheduler-port", &self.ports[2]])
            .args(["--manager-port", &self.ports[3], "--runtime", "process", "--data-dir"])
            .arg(self.data())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        match self.stack {
            Stack::Embedded => command.arg("--embedded"),
            Stack::Servers => {
                command.env("CLOUDFUNC_QUEUE", queue_url()).env("CLOUDFUNC_STORE", &self.store)
            }
        };
        let log = fs::File::create(self.folder.path().join("up.log")).unwrap();
        // Ctrl-C is ours: we stop it in order.
        command.process_group(0).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while !self.is_ready().await {
            assert!(begun.elapsed() < READY, "not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let token = place::state::State::open(&self.data()).and_then(|state| state.token()).unwrap();
        self.token = token.expose().to_owned();
    }

    async fn is_ready(&self) -> bool {
        let answer = self.http.get(self.url("/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    /// As Ctrl-C would.
    pub async fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let id = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    }

    /// Takes its queues along.
    pub async fn remove(mut self) {
        self.stop().await;
        if self.stack == Stack::Servers {
            let store = store::connect(&self.store()).await.unwrap();
            let functions = store.functions().await.unwrap();
            store.close().await;
            let (url, platform) = (queue_url().parse().unwrap(), self.name.parse().unwrap());
            let queue = queue::connect(&url, &platform).await.unwrap();
            for function in functions {
                queue.remove(function.id).await.unwrap();
            }
            queue.remove_platform().await.unwrap();
            queue.close().await;
        }
    }

    fn url(&self, path: &str) -> String {
        let gateway: SocketAddr = format!("127.0.0.1:{}", self.ports[0]).parse().unwrap();
        format!("http://{gateway}{path}")
    }

    /// Sends a request, and returns how long it took until the whole answer was there.
    async fn send(&self, method: Method, path: &str, body: Vec<u8>, media_type: &str) -> Duration {
        let (time, status, body) = self.answer(method, path, body, media_type).await;
        assert!(status.is_success(), "{path}: {status}: {body}");
        time
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        media_type: &str,
    ) -> (Duration, StatusCode, String) {
        let request = self.http.request(method, self.url(path)).bearer_auth(&self.token).body(body);
        let begun = Instant::now();
        let answer = request.header("content-type", media_type).send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        (begun.elapsed(), status, String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn get(&self, path: &str) -> Duration {
        self.send(Method::GET, path, Vec::new(), "application/json").await
    }

    /// A warm call, after the first one.
    pub async fn call(&self) -> Duration {
        self.send(Method::POST, &self.invoke(), b"{}".to_vec(), "application/json").await
    }

    /// Calls until it is answered: after a start with many functions a manager does not consume all their queues yet.
    pub async fn first_call(&self) {
        let deadline = Instant::now() + SERVING;
        loop {
            let (_, status, body) =
                self.answer(Method::POST, &self.invoke(), b"{}".to_vec(), "application/json").await;
            if status.is_success() {
                return;
            }
            let is_early = status == StatusCode::TOO_MANY_REQUESTS && Instant::now() < deadline;
            assert!(is_early, "the first call: {status}: {body}");
        }
    }

    fn invoke(&self) -> String {
        format!("/v1/functions/{}/invoke", self.function())
    }

    /// A new revision of the measured function, without loading it: `kind` makes another function.
    pub async fn deploy(&mut self, kind: u64) -> Duration {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        self.deploys += 1;
        // A text of its own: unchanged content would be no new revision.
        let code = format!("# {}\ndef handler(event):\n    return event\n", self.deploys);
        fs::write(folder.path().join("function.py"), code).unwrap();
        fs::write(folder.path().join("cloudfunc.toml"), "[scaling]\nidle_timeout = \"30m\"\n").unwrap();
        let packed = bundle::pack(folder.path()).unwrap();
        let name = if kind == 0 { self.function().to_string() } else { format!("new_{kind}") };
        let path = format!("/v1/functions/{name}/revisions?check=false");
        self.send(Method::POST, &path, packed.bytes.to_vec(), "application/gzip").await
    }

    /// Resident memory of each process, in MiB.
    pub fn memory(&self) -> Vec<(String, f64)> {
        let Some(process) = &self.process else { return Vec::new() };
        let roles = ["gateway", "registry", "scheduler", "manager"];
        let mut memory = vec![("up".to_owned(), resident_mib(process.id()))];
        for pid in children(process.id()) {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if let Some(role) = line.split('\0').nth(1).filter(|word| roles.contains(word)) {
                memory.push((role.to_owned(), resident_mib(pid)));
            }
        }
        memory
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn resident_mib(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn queue_url() -> String {
    setting("CLOUDFUNC_TEST_RABBITMQ_URL")
}

pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/run setup)\" first"))
}
