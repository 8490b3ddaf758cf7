//! `cloudfunc up`, as its users start it.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cloudfunc::{
    bundle,
    client::{Client, Outcome},
    config::State,
    model::{Body, FunctionName, InstanceId, PlatformName},
    queue,
};

use crate::{
    guests::{HELLO, python_version},
    load::{Endpoint, PAYLOAD},
    setting,
};

/// Everything that the platform takes to be ready; longer is an error.
const READY: Duration = Duration::from_secs(30);

pub struct Up {
    child: Child,
    pub client: Client,
    gateway: std::net::SocketAddr,
    token: String,
    name: PlatformName,
    queue: Option<String>,
    folder: tempfile::TempDir,
    deployed: usize,
}

impl Up {
    /// One process: SQLite and the embedded queue.
    pub async fn embedded(runtime: &str) -> Self {
        Self::start(&["--embedded", "--runtime", runtime], None).await
    }

    /// A supervisor and four processes on PostgreSQL, RabbitMQ and Docker.
    pub async fn four_processes() -> Self {
        Self::start(&[], Some(setting("CLOUDFUNC_TEST_RABBITMQ_URL"))).await
    }

    async fn start(arguments: &[&str], queue: Option<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("cfu").tempdir_in("/var/tmp").unwrap();
        let ports = free_ports();
        let name = format!("b{}", InstanceId::new().0.simple());
        let data = folder.path().join("data");
        #[expect(clippy::zombie_processes, reason = "a failed benchmark ends its children with itself")]
        let child = Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
            .args(["up", "--platform", &name, "--gateway-port", &ports[0]])
            .args(["--registry-port", &ports[1], "--scheduler-port", &ports[2]])
            .args(["--manager-port", &ports[3], "--python-version", &python_version(), "--data-dir"])
            .arg(&data)
            .args(arguments)
            .envs(queue.iter().map(|url| ("CLOUDFUNC_QUEUE", url.clone())))
            .envs(queue.iter().map(|_| ("CLOUDFUNC_STORE", setting("CLOUDFUNC_TEST_POSTGRES_URL"))))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let gateway = format!("127.0.0.1:{}", ports[0]).parse().unwrap();
        let url: url::Url = format!("http://{gateway}/").parse().unwrap();
        let deadline = Instant::now() + READY;
        loop {
            let token = State::open(&data).and_then(|state| state.token()).unwrap();
            let text = token.expose().to_owned();
            let client = Client::new(url.clone(), Some(token)).unwrap();
            if client.health().await.is_ok_and(|health| health.ready) {
                let name = name.parse().unwrap();
                return Self { child, client, gateway, token: text, name, queue, folder, deployed: 0 };
            }
            assert!(Instant::now() < deadline, "the platform does not get ready: {arguments:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Of the process that was started; it may have children.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub async fn deploy(&mut self, name: &str) -> FunctionName {
        self.deployed += 1;
        let name: FunctionName = name.parse().unwrap();
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        // A text of its own: unchanged content would be no new revision.
        let code = format!("# {name} {}\n{HELLO}", self.deployed);
        write(folder.path(), &code);
        let packed = bundle::pack(folder.path()).unwrap();
        self.client.deploy(&name, packed.bytes, |_| {}).await.unwrap();
        name
    }

    pub fn endpoint(&self, name: &FunctionName) -> Endpoint {
        let path = format!("/v1/functions/{name}/invoke");
        Endpoint { address: self.gateway, path, token: Some(self.token.clone()) }
    }

    /// First invocations, each of a function of its own.
    pub async fn cold(&mut self, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let name = self.deploy(&format!("cold_{number}")).await;
            let body = Body { content_type: "application/json".to_owned(), bytes: PAYLOAD.into() };
            let begun = Instant::now();
            let answer = self.client.invoke(&name, body).await.unwrap();
            times.push(begun.elapsed());
            assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
            self.client.delete(&name).await.unwrap();
        }
        times
    }

    /// Ends it as Ctrl-C would, its functions deleted before.
    pub async fn stop(mut self) {
        let functions = self.client.functions(None).await.unwrap().items;
        for function in functions {
            self.client.delete(&function.name).await.unwrap();
        }
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
        if let Some(url) = self.queue {
            let queue = queue::connect(&url.parse().unwrap(), &self.name).await.unwrap();
            queue.remove_platform().await.unwrap();
            queue.close().await;
        }
    }
}

fn write(folder: &Path, code: &str) {
    std::fs::write(folder.join("function.py"), code).unwrap();
}

fn free_ports() -> [String; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}
