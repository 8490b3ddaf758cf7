//! What the platform adds to what it stands on, as ratios measured in one run.
//!
//! `cargo bench --bench figures` (after `eval "$(tests/run setup)"`) starts `cloudfunc up` as four
//! processes on PostgreSQL, RabbitMQ and Docker and measures, in alternating rounds:
//!
//! - warm: an invocation over HTTP through all roles, against a bare RabbitMQ round trip plus a bare
//!   frame to a function in the same kind of container;
//! - cold: the first invocation of a function, against making a container and waiting for its guest.
//!
//! Absolute times are of this machine in this hour; the ratios hold better.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use cloudfunc::{
    bundle,
    client::{Client, Outcome},
    config::State,
    model::{
        Body, FunctionId, FunctionName, InstanceId, InvocationId, Language, ManagerId, Mode, Network,
        PlatformName, RevisionNumber,
    },
    queue::{self, Address, ConsumeOptions, Message, Queue},
    runtime::{self, Finished, Guest, Image, Invoke, Load, Owner, Runtime, Spec},
    store,
};

const ROUNDS: usize = 3;
const WARM: usize = 400;
const COLD: usize = 5;
const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";
const PAYLOAD: &[u8] = br#"{"name":"Alice"}"#;

fn main() {
    // Also run by `cargo test --benches`: that only has to see it compile.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(run());
}

fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/run setup)\" first"))
}

async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let name: PlatformName = format!("b{}", InstanceId::new().0.simple()).parse().unwrap();
    let queue: Arc<dyn Queue> =
        queue::connect(&setting("CLOUDFUNC_TEST_RABBITMQ_URL").parse().unwrap(), &name).await.unwrap();
    let bare_runtime = runtime::connect(&runtime::Config {
        kind: runtime::Kind::Docker,
        python_image: setting("CLOUDFUNC_PYTHON_IMAGE"),
        folder: folder.path().join("runtime"),
        owner: Owner { platform: format!("bare-{name}").parse().unwrap(), manager: ManagerId::new() },
    })
    .unwrap();
    let platform = Up::start(folder.path(), &name).await;
    let mut bare = BareGuest::start(&*bare_runtime, folder.path()).await;
    let echo = Echo::start(queue.clone()).await;
    let mut warm = Rows::default();
    let mut cold = Rows::default();
    println!("load before: {}", load());
    for round in 0..ROUNDS {
        warm.add("bare RabbitMQ round trip (sync queue and reply queue)", echo.measure().await);
        warm.add("bare frame to a function in a container", bare.measure().await);
        warm.add("warm invocation over HTTP, four processes", platform.warm().await);
        cold.add(
            "bare container: create, start, hello, load",
            bare_starts(&*bare_runtime, folder.path()).await,
        );
        cold.add("cold invocation over HTTP, four processes", platform.cold(round).await);
    }
    warm.print("warm", &[0, 1]);
    cold.print("cold", &[0]);
    println!("load after: {}", load());
    drop(bare);
    echo.stop().await;
    platform.stop(&*queue).await;
    queue.close().await;
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Measured series by name, over all rounds.
#[derive(Default)]
struct Rows(Vec<(&'static str, Vec<Duration>)>);

impl Rows {
    fn add(&mut self, name: &'static str, times: Vec<Duration>) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, all)) => all.extend(times),
            None => self.0.push((name, times)),
        }
    }

    /// The last row against the sum of the rows `floor`.
    fn print(&mut self, title: &str, floor: &[usize]) {
        println!("\n{title:<56} {:>9} {:>9}", "p50 ms", "p99 ms");
        for (name, times) in &mut self.0 {
            times.sort();
            println!("{name:<56} {:>9.3} {:>9.3}", ms(times, 0.5), ms(times, 0.99));
        }
        let sum: f64 = floor.iter().map(|index| ms(&self.0[*index].1, 0.5)).sum();
        let last = ms(&self.0[self.0.len() - 1].1, 0.5);
        println!("ratio of the last to the sum of its floors, p50: {:.2}", last / sum);
    }
}

fn ms(sorted: &[Duration], quantile: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = ((sorted.len() - 1) as f64 * quantile) as usize;
    sorted[index].as_secs_f64() * 1000.0
}

/// A consumer that answers what it gets, and somebody who asks.
struct Echo {
    queue: Arc<dyn Queue>,
    function: FunctionId,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    async fn start(queue: Arc<dyn Queue>) -> Self {
        let function = FunctionId::new();
        queue.declare(function).await.unwrap();
        let options = ConsumeOptions { prefetch: 10, priority: 0 };
        let mut requests =
            queue.consume(&Address::Function(function, Mode::Sync), options).await.unwrap();
        let answering = queue.clone();
        let task = tokio::spawn(async move {
            while let Some(delivery) = requests.next().await {
                let to = Address::Reply(String::from_utf8_lossy(&delivery.bytes).into_owned());
                let bytes = delivery.bytes.clone();
                delivery.ack().await.unwrap();
                answering.publish(&to, Message { bytes, expires: None }).await.unwrap();
            }
        });
        Self { queue, function, task }
    }

    async fn measure(&self) -> Vec<Duration> {
        let (address, mut replies) = self.queue.open_replies().await.unwrap();
        let Address::Reply(reply_to) = address else { panic!("{address:?} is no reply address") };
        let mut times = Vec::with_capacity(WARM);
        for _ in 0..WARM {
            let begun = Instant::now();
            let message =
                Message { bytes: reply_to.clone().into(), expires: Some(Duration::from_secs(10)) };
            self.queue.publish(&Address::Function(self.function, Mode::Sync), message).await.unwrap();
            replies.next().await.unwrap().ack().await.unwrap();
            times.push(begun.elapsed());
        }
        times
    }

    async fn stop(self) {
        self.queue.remove(self.function).await.unwrap();
        self.task.await.unwrap();
    }
}

async fn start_bare(runtime: &dyn Runtime, folder: &Path) -> (runtime::Started, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let task = folder.path().join("task");
    std::fs::create_dir(&task).unwrap();
    std::fs::write(task.join("function.py"), HELLO).unwrap();
    let spec = Spec {
        instance: InstanceId::new(),
        function: "bare".to_owned(),
        image: Image::Language { language: Language::Python, version: "3.11".to_owned() },
        folder: folder.path().to_owned(),
        memory_bytes: 128 << 20,
        cpus: 1.0,
        network: Network::None,
    };
    let mut started = runtime.start(&spec).await.unwrap();
    let load = Load {
        revision: RevisionNumber(1),
        function: "bare".to_owned(),
        handler: "function.handler".to_owned(),
        env: [].into(),
        secrets: [].into(),
    };
    started.guest.load(&load, Duration::from_secs(10), &mut |_| {}).await.unwrap();
    (started, folder)
}

async fn bare_starts(runtime: &dyn Runtime, folder: &Path) -> Vec<Duration> {
    let mut times = Vec::with_capacity(COLD);
    for _ in 0..COLD {
        let begun = Instant::now();
        let (started, _folder) = start_bare(runtime, folder).await;
        times.push(begun.elapsed());
        started.sandbox.remove().await;
    }
    times
}

struct BareGuest {
    guest: Guest,
    _sandbox: Arc<dyn runtime::Sandbox>,
    _folder: tempfile::TempDir,
}

impl BareGuest {
    async fn start(runtime: &dyn Runtime, folder: &Path) -> Self {
        let (started, folder) = start_bare(runtime, folder).await;
        Self { guest: started.guest, _sandbox: started.sandbox, _folder: folder }
    }

    async fn measure(&mut self) -> Vec<Duration> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 10_000,
            headers: [].into(),
            content_type: "application/json".to_owned(),
        };
        let payload = PAYLOAD.into();
        let mut times = Vec::with_capacity(WARM);
        for _ in 0..WARM {
            let begun = Instant::now();
            let answer = self
                .guest
                .invoke(&invoke, &payload, Duration::from_secs(10), &mut |_| {})
                .await
                .unwrap();
            assert!(matches!(answer, Finished::Result(_)));
            times.push(begun.elapsed());
        }
        times
    }
}

/// `cloudfunc up` with its four children.
struct Up {
    child: Child,
    client: Client,
    store: store::Config,
}

impl Up {
    async fn start(folder: &Path, name: &PlatformName) -> Self {
        let database = setting("CLOUDFUNC_TEST_POSTGRES_URL");
        let data = folder.join("data");
        let ports: Vec<String> = (0..4)
            .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
            .collect::<Vec<_>>()
            .iter()
            .map(|listener| listener.local_addr().unwrap().port().to_string())
            .collect();
        #[expect(clippy::zombie_processes, reason = "a failed benchmark ends its children with itself")]
        let child = Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
            .args(["up", "--platform", name.as_str(), "--gateway-port", &ports[0]])
            .args(["--registry-port", &ports[1], "--scheduler-port", &ports[2]])
            .args(["--manager-port", &ports[3], "--python-version", "3.11", "--data-dir"])
            .arg(&data)
            .env("CLOUDFUNC_STORE", &database)
            .env("CLOUDFUNC_QUEUE", setting("CLOUDFUNC_TEST_RABBITMQ_URL"))
            .env("XDG_STATE_HOME", folder.join("state"))
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url: url::Url = format!("http://127.0.0.1:{}/", ports[0]).parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let token = State::open(&data).and_then(|state| state.token()).unwrap();
            let client = Client::new(url.clone(), Some(token)).unwrap();
            if client.functions(None).await.is_ok() {
                return Self { child, client, store: database.parse().unwrap() };
            }
            assert!(Instant::now() < deadline, "the platform does not get ready");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn deploy(&self, name: &FunctionName, comment: &str) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("function.py"), format!("# {comment}\n{HELLO}")).unwrap();
        let packed = bundle::pack(folder.path()).unwrap();
        self.client.deploy(name, packed.bytes, |_| {}).await.unwrap();
    }

    async fn invoke(&self, name: &FunctionName) -> Duration {
        let payload = Body { content_type: "application/json".to_owned(), bytes: PAYLOAD.into() };
        let begun = Instant::now();
        let answer = self.client.invoke(name, payload).await.unwrap();
        let time = begun.elapsed();
        assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
        time
    }

    async fn warm(&self) -> Vec<Duration> {
        let name = "bench_warm".parse().unwrap();
        self.deploy(&name, "warm").await;
        for _ in 0..20 {
            self.invoke(&name).await;
        }
        let mut times = Vec::with_capacity(WARM);
        for _ in 0..WARM {
            times.push(self.invoke(&name).await);
        }
        times
    }

    async fn cold(&self, round: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(COLD);
        for number in 0..COLD {
            let name = format!("bench_cold_{round}_{number}").parse().unwrap();
            self.deploy(&name, "cold").await;
            times.push(self.invoke(&name).await);
            self.client.delete(&name).await.unwrap();
        }
        times
    }

    async fn stop(mut self, queue: &dyn Queue) {
        let store = store::connect(&self.store).await.unwrap();
        let functions = store.functions().await.unwrap();
        for function in functions.iter().filter(|one| one.name.as_str().starts_with("bench_")) {
            self.client.delete(&function.name).await.unwrap();
        }
        store.close().await;
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
        queue.remove_platform().await.unwrap();
    }
}
