//! What stands beside a [`TestPlatform`], in the same process: a manager whose engine can go away and whose words to the
//! broker can be lost or refused, and a second host.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use cloudfunc::{
    app::{Host, Role},
    client::Client,
    clock::Clock,
    http::{self, Door, Front, Guard, Server},
    keyring::Keyring,
    manager,
    model::{
        FunctionId, ManagerId, Network,
        message::{Outcome, Verdict},
    },
    place::{Addresses, state::State},
    queue::{Address, ConsumeOptions, Consumer, Error, Message, Queue, Waiting},
    runtime::{self, Image, Machine, Owner, Progress, Runtime, Spec, Started},
    settings::Platform,
    shutdown::Shutdown,
    store::Store,
};
use tokio::task::JoinHandle;

use super::{eventually, platform::TestPlatform};

/// Longer than any stop.
const STOPPED: Duration = Duration::from_secs(60);

/// The keys of a platform's first host, which its other managers have, too.
fn keyring(platform: &TestPlatform) -> Arc<Keyring> {
    let file = platform.platform.data_dir.join("secret-key");
    Arc::new(Keyring::read_or_make(&file).unwrap())
}

/// A further manager of a platform, on the runtime `process`.
pub struct Beside {
    queue: Arc<dyn Queue>,
    store: Arc<dyn Store>,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Beside {
    /// Starts one that has this engine, and this way to the broker.
    pub async fn start(
        platform: &TestPlatform,
        engine: &Arc<EngineSwitch>,
        queue: Arc<dyn Queue>,
    ) -> Self {
        // Short: the path of a socket in it has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let store = platform.store().await;
        let owner = Owner { platform: platform.platform.name.clone(), manager: ManagerId::new() };
        let helper = runtime::place_helper(&folder.path().join("helper"));
        let process = runtime::Config::Process { owner: owner.clone(), helper };
        let runtime = Switched { runtime: runtime::connect(&process).unwrap(), engine: engine.clone() };
        let backends = manager::Backends {
            store: store.clone(),
            queue: queue.clone(),
            runtime: Arc::new(runtime),
            clock: Clock::system(),
            keyring: keyring(platform),
            kept: None,
            lines: None,
            builds: platform.platform.builds.clone(),
            usual: Vec::new(),
        };
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let server = Server {
            listener,
            guard: Guard::new("token"),
            door: Door::default(),
            front: Front::default(),
        };
        let (limits, data_dir) = (platform.platform.limits, folder.path().to_owned());
        let shutdown = Shutdown::default();
        let run = manager::run(backends, owner, limits, data_dir, server, shutdown.clone());
        Self { queue, store, shutdown, running: tokio::spawn(run), _folder: folder }
    }

    /// Stops it softly.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        let ended = tokio::time::timeout(STOPPED, self.running).await;
        ended.expect("it stops in time").unwrap().unwrap();
        self.queue.close().await;
        self.store.close().await;
    }
}

/// Whether an engine is there, and when it was asked for a sandbox in vain.
#[derive(Default)]
pub struct EngineSwitch {
    is_away: AtomicBool,
    /// The machine that builds are told that they run on.
    pretended: Mutex<Option<String>>,
    in_vain: Mutex<Vec<Instant>>,
}

impl EngineSwitch {
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// From now on builds find that they run on this machine.
    pub fn pretend(&self, machine: &str) {
        *self.pretended.lock().unwrap() = Some(machine.to_owned());
    }

    pub fn asked_in_vain(&self) -> Vec<Instant> {
        self.in_vain.lock().unwrap().clone()
    }
}

struct Switched {
    runtime: Arc<dyn Runtime>,
    engine: Arc<EngineSwitch>,
}

#[async_trait]
impl Runtime for Switched {
    fn kind(&self) -> &'static str {
        self.runtime.kind()
    }

    async fn ping(&self) -> Result<String, runtime::Error> {
        self.runtime.ping().await
    }

    async fn ensure_image(&self, image: &Image, progress: &Progress) -> Result<String, runtime::Error> {
        self.runtime.ensure_image(image, progress).await
    }

    async fn start(&self, spec: &Spec) -> Result<Started, runtime::Error> {
        if self.engine.is_away.load(Ordering::SeqCst) {
            self.engine.in_vain.lock().unwrap().push(Instant::now());
            let (address, source) = ("nowhere".to_owned(), "it is away, for a test".into());
            return Err(runtime::Error::Unavailable { address, source });
        }
        let pretended = self.engine.pretended.lock().unwrap().clone();
        if let Some(machine) = pretended.filter(|_| spec.build.is_some()) {
            let program = spec.folder.join("task/install.py");
            // Builds that install nothing have another program.
            if let Ok(text) = std::fs::read_to_string(&program) {
                let told = "\"architecture\": platform.machine()";
                assert!(text.contains(told), "{text}");
                let text = text.replace(told, &format!("\"architecture\": {machine:?}"));
                std::fs::write(program, text).unwrap();
            }
        }
        self.runtime.start(spec).await
    }

    async fn notices(&self, network: Network) -> Vec<String> {
        self.runtime.notices(network).await
    }

    async fn machine(&self) -> Machine {
        self.runtime.machine().await
    }

    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, runtime::Error> {
        self.runtime.remove_all(owner).await
    }
}

/// What becomes of a message that is published.
pub enum Fate {
    Sent,
    /// It gets no further than the broker.
    Lost,
    /// The broker does not take it, as in an alarm.
    Refused,
}

/// Decides what becomes of a message.
type Decide = Box<dyn Fn(&Address, &Message) -> Fate + Send + Sync>;

/// A way to the broker on which a test decides what becomes of each message that is published, and sees what is consumed.
pub struct Between {
    queue: Arc<dyn Queue>,
    fate: Decide,
    consumed: Mutex<Vec<(Address, i32)>>,
}

impl Between {
    pub fn new(
        queue: Arc<dyn Queue>,
        fate: impl Fn(&Address, &Message) -> Fate + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { queue, fate: Box::new(fate), consumed: Mutex::default() })
    }

    /// The priorities of the consumers that were asked for at this address, in order.
    pub fn consumed(&self, from: &Address) -> Vec<i32> {
        let consumed = self.consumed.lock().unwrap();
        consumed.iter().filter(|(address, _)| address == from).map(|(_, priority)| *priority).collect()
    }
}

/// Returns what an answer to a caller says; none of any other message.
pub fn verdict(to: &Address, message: &Message) -> Option<Verdict> {
    let Address::Reply(_) = to else { return None };
    message.parcel.open::<Outcome>().ok().map(|(outcome, _)| outcome.verdict)
}

#[async_trait]
impl Queue for Between {
    fn kind(&self) -> &'static str {
        self.queue.kind()
    }

    fn is_durable(&self) -> bool {
        self.queue.is_durable()
    }

    async fn declare(&self, function: FunctionId) -> Result<(), Error> {
        self.queue.declare(function).await
    }

    async fn remove(&self, function: FunctionId) -> Result<(), Error> {
        self.queue.remove(function).await
    }

    async fn waiting(&self, functions: &[FunctionId]) -> Result<Vec<Waiting>, Error> {
        self.queue.waiting(functions).await
    }

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        match (self.fate)(to, &message) {
            Fate::Sent => self.queue.publish(to, message).await,
            Fate::Lost => Ok(()),
            Fate::Refused => {
                let (address, source) = ("nowhere".to_owned(), "it is blocked, for a test".into());
                Err(Error::Unavailable { address, source })
            }
        }
    }

    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error> {
        self.consumed.lock().unwrap().push((from.clone(), options.priority));
        self.queue.consume(from, options).await
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        self.queue.open_replies().await
    }

    async fn is_awaited(&self, replies: &str) -> Result<bool, Error> {
        self.queue.is_awaited(replies).await
    }

    async fn remove_platform(&self) -> Result<(), Error> {
        self.queue.remove_platform().await
    }

    async fn broadcast(&self, event: Bytes) -> Result<(), Error> {
        self.queue.broadcast(event).await
    }

    async fn subscribe(&self) -> Result<Consumer, Error> {
        self.queue.subscribe().await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.queue.ping().await
    }

    async fn close(&self) {
        self.queue.close().await;
    }
}

/// Another host of a platform: roles with a data folder and ports of their own, over the same store and broker.
pub struct SecondHost {
    pub client: Client,
    /// Its settings, with its ports.
    pub platform: Platform,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl SecondHost {
    /// With these roles, the gateway among them, and with the keys of the first host.
    pub async fn start(platform: &TestPlatform, roles: &[Role]) -> Self {
        let keys = platform.platform.data_dir.join("secret-key");
        Self::start_with(platform, roles, Some(keys).filter(|keys| keys.exists())).await
    }

    /// The same with the keys of this file; none: with a key of its own.
    pub async fn start_with(platform: &TestPlatform, roles: &[Role], keys: Option<PathBuf>) -> Self {
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let mut second = platform.platform.clone();
        second.data_dir = folder.path().join("data");
        second.addresses = Addresses {
            gateway: local,
            registry: local,
            scheduler: local,
            manager: local,
            ..Addresses::default()
        };
        second.secret_key_file = keys;
        let host = Host::bind(roles, &second).await.unwrap();
        let second = host.platform().clone();
        let url = format!("http://{}/", second.addresses.gateway).parse().unwrap();
        let token = State::open(&second.data_dir).unwrap().token().unwrap();
        let client = Client::new(url, Some(token)).unwrap();
        let shutdown = Shutdown::default();
        let running = tokio::spawn(host.run(shutdown.clone()));
        eventually("the second host is ready", || async {
            client.health().await.ok().filter(|health| health.ready)
        })
        .await;
        Self { client, platform: second, shutdown, running, _folder: folder }
    }

    /// Stops it softly.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        let ended = tokio::time::timeout(STOPPED, self.running).await;
        ended.expect("it stops in time").unwrap().unwrap();
    }
}
