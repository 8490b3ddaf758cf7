//! Tasks that a role cannot work without: a panic in one ends the role with an error, and its supervisor starts it again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use cloudfunc::{
    clock::Clock,
    http::{self, Door, Front, Guard, Server},
    keyring::Keyring,
    manager,
    model::{
        Body, Function, FunctionId, InvocationId, ManagerId, Mode, PlatformName,
        message::{self, Invoke, Parcel},
    },
    queue::{self, Address, ConsumeOptions, Consumer, Error, Message, Queue, Waiting},
    runtime, scheduler,
    settings::{Builds, Limits},
    shutdown::Shutdown,
    store::{self, Announcement, NewInvocation},
};

use crate::store_contract::revision_of;

/// The limit for the end of a role on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The part whose task panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Admission,
    Publishing,
    Following,
    Replies,
    Outcomes,
    Sweeping,
    Watching,
    LostMessages,
    Builds,
    Consuming,
    Answering,
}

/// The embedded queue, over which one inner task of its role panics. No backend does: it stands for a mistake of ours.
struct Panics {
    queue: Arc<dyn Queue>,
    over: Over,
    /// The number of questions whether it is durable: the scheduler asks first, then its admission, then its watch over
    /// leases, which begins before any of the others has heard from the store.
    asked: AtomicUsize,
}

impl Panics {
    fn unless(&self, fine: bool) {
        assert!(fine, "{:?}, for a test", self.over);
    }
}

#[async_trait]
impl Queue for Panics {
    fn kind(&self) -> &'static str {
        self.queue.kind()
    }

    fn is_durable(&self) -> bool {
        let before = self.asked.fetch_add(1, Ordering::SeqCst);
        self.unless(self.over != Over::Admission || before != 1);
        self.unless(self.over != Over::Watching || before != 2);
        // Only of a broker it is asked what it has lost.
        self.over == Over::LostMessages || self.queue.is_durable()
    }

    async fn publish(&self, to: &Address, message: Message) -> Result<(), Error> {
        let is_async = matches!(to, Address::Function(_, Mode::Async));
        self.unless(self.over != Over::Publishing || !is_async);
        self.unless(self.over != Over::Answering || !matches!(to, Address::Reply(_)));
        self.queue.publish(to, message).await
    }

    async fn consume(&self, from: &Address, options: ConsumeOptions) -> Result<Consumer, Error> {
        self.unless(self.over != Over::Builds || *from != Address::Builds);
        let is_async = matches!(from, Address::Function(_, Mode::Async));
        self.unless(self.over != Over::Consuming || !is_async);
        self.unless(self.over != Over::Outcomes || *from != Address::Outcomes);
        self.queue.consume(from, options).await
    }

    async fn declare(&self, function: FunctionId) -> Result<(), Error> {
        self.queue.declare(function).await
    }

    async fn remove(&self, function: FunctionId) -> Result<(), Error> {
        self.queue.remove(function).await
    }

    async fn waiting(&self, functions: &[FunctionId]) -> Result<Vec<Waiting>, Error> {
        self.unless(self.over != Over::LostMessages);
        self.queue.waiting(functions).await
    }

    async fn open_replies(&self) -> Result<(Address, Consumer), Error> {
        self.unless(self.over != Over::Replies);
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
        self.unless(self.over != Over::Following);
        self.queue.subscribe().await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.unless(self.over != Over::Sweeping);
        self.queue.ping().await
    }

    async fn close(&self) {
        self.queue.close().await;
    }
}

/// Everything that a role works with; the store has one function, `f`.
struct Around {
    platform: PlatformName,
    folder: tempfile::TempDir,
    store: Arc<dyn store::Store>,
    queue: Arc<dyn Queue>,
    server: Server,
}

impl Around {
    async fn new(over: Over) -> Self {
        let platform = "inner-tasks".parse().unwrap();
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = store::connect(&store::Config::Sqlite { path }).await.unwrap();
        let revision = revision_of("f", "code");
        store.put_blob(&revision.source, Bytes::from_static(b"code")).await.unwrap();
        store.add_revision(revision).await.unwrap();
        let queue = queue::connect(&queue::Config::Embedded, &platform).await.unwrap();
        let queue = Arc::new(Panics { queue, over, asked: AtomicUsize::new(0) });
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (guard, door, front) = (Guard::new("token"), Door::default(), Front::default());
        let server = Server { listener, guard, door, front };
        Self { platform, folder, store, queue, server }
    }
}

/// A call whose caller waits.
fn call(function: &Function) -> Invoke {
    Invoke {
        v: message::VERSION,
        id: InvocationId::new(),
        mode: Mode::Sync,
        function: function.id,
        name: function.name.clone(),
        revision: function.active_revision,
        accepted_at_ms: jiff::Timestamp::now().as_millisecond(),
        slot_deadline_ms: None,
        slot_left_ms: Some(10_000),
        content_type: "application/json".to_owned(),
        headers: BTreeMap::new(),
        header_list: None,
        http: None,
        reply_to: Some("nobody".to_owned()),
    }
}

async fn ends_with(said: &str, role: impl Future<Output = anyhow::Result<()>>) {
    let ended = tokio::time::timeout(SOON, role).await.expect("it does not go on without it");
    let error = format!("{:#}", ended.expect_err("the end is unasked"));
    assert!(error.contains(said), "{error}");
}

#[tokio::test]
async fn a_scheduler_whose_admission_panics_ends_with_an_error() {
    for over in [Over::Admission, Over::Publishing] {
        let Around { platform, folder: _folder, store, queue, server } = Around::new(over).await;
        let address = server.listener.local_addr().unwrap();
        let backends = scheduler::Backends { platform, store: store.clone(), queue };
        let (limits, clock) = (Limits::default(), Clock::system());
        let running = scheduler::run(backends, limits, clock, server, Shutdown::default());
        let accepted = async {
            let client = http::client().unwrap();
            let call = client.post(format!("http://{address}/v1/functions/f/invoke"));
            let call = call.bearer_auth("token").header("prefer", "respond-async").body("{}");
            // It may have ended by then.
            drop(call.send().await);
        };
        tokio::join!(ends_with("the admission ended", running), accepted);
        store.close().await;
    }
}

#[tokio::test]
async fn a_scheduler_of_which_any_background_task_panics_ends_with_an_error() {
    let tasks = [
        Over::Following,
        Over::Replies,
        Over::Outcomes,
        Over::Sweeping,
        Over::Watching,
        Over::LostMessages,
    ];
    for over in tasks {
        let Around { platform, folder: _folder, store, queue, server } = Around::new(over).await;
        let function = store.functions().await.unwrap().remove(0);
        // Whose message may have been lost.
        let waits = NewInvocation {
            id: InvocationId::new(),
            function: function.id,
            name: function.name,
            payload: Body { content_type: "text/plain".to_owned(), bytes: Bytes::new() },
            headers: "{}".to_owned(),
            http: None,
            accepted_at: jiff::Timestamp::now(),
            parent: None,
            announcement: Announcement::ToBeNoted,
        };
        assert_eq!(store.accept(&[waits]).await.unwrap(), [true]);
        let backends = scheduler::Backends { platform, store: store.clone(), queue };
        let (limits, clock) = (Limits::default(), Clock::system());
        let running = scheduler::run(backends, limits, clock, server, Shutdown::default());
        ends_with("a background task ended", running).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_manager_whose_task_panics_ends_with_an_error_and_leaves_its_lease() {
    let tasks = [
        (Over::Builds, "builds"),
        (Over::Consuming, "consumers"),
        (Over::Answering, "an invocation or instance"),
    ];
    for (over, task) in tasks {
        let Around { platform, folder, store, queue, server } = Around::new(over).await;
        let owner = runtime::Owner { platform, manager: ManagerId::new() };
        let backends = manager::Backends {
            store: store.clone(),
            queue,
            runtime: runtime::connect(&runtime::Config::Process {
                owner: owner.clone(),
                helper: runtime::no_helper(),
            })
            .unwrap(),
            clock: Clock::system(),
            keyring: Arc::new(Keyring::read_or_make(&folder.path().join("secret-key")).unwrap()),
            kept: None,
            lines: None,
            builds: Builds::default(),
            usual: Vec::new(),
        };
        let data_dir = folder.path().join("data");
        let limits = Limits { prewarm_budget: 0, ..Limits::default() };
        let function = store.functions().await.unwrap().remove(0);
        let call =
            Message { parcel: Parcel::new(call(&function), Bytes::from_static(b"{}")), expires: None };
        backends.queue.declare(function.id).await.unwrap();
        backends.queue.publish(&Address::Function(function.id, Mode::Sync), call).await.unwrap();
        let running = manager::run(backends, owner, limits, data_dir, server, Shutdown::default());
        ends_with(&format!("the task '{task}' of the manager ended"), running).await;
        assert_eq!(store.leases().await.unwrap(), [], "others may claim at once what it had");
        store.close().await;
    }
}
