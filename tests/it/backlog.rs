//! What a scheduler does with a backlog: messages for rows that an earlier life has left, in order, as many
//! as the queue may hold; and publishes that failed are tried again soon, not when a message would be
//! thought lost. A scheduler alone, on a store and a queue that the test holds, too.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloudfunc::{
    clock::Clock,
    http::{Door, Front, Guard, Server},
    model::{
        Body, Code, Digest, Function, FunctionSpec, Interface, InvocationId, Language, Mode, Network,
        Package, PlatformName, Scaling, message::Invoke,
    },
    queue::{self, Address, ConsumeOptions, Consumer, Message, Queue},
    scheduler,
    settings::Limits,
    shutdown::Shutdown,
    store::{self, Announcement, NewInvocation, NewRevision, REPUBLISH_AFTER, Store},
};
use futures_util::{StreamExt as _, stream};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    need,
    support::{
        eventually,
        home::SOON,
        postgres::{Database, psql},
        proxy::Proxy,
    },
};

struct Scheduler {
    store: Arc<dyn Store>,
    shutdown: Shutdown,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    _folder: tempfile::TempDir,
}

impl Scheduler {
    /// Not started yet.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = store::Config::Sqlite { path: folder.path().join("store.db") };
        Self::on(&config, folder).await
    }

    async fn on(config: &store::Config, folder: tempfile::TempDir) -> Self {
        let store = store::connect(config).await.unwrap();
        Self { store, shutdown: Shutdown::default(), task: None, _folder: folder }
    }

    /// Answers its address.
    async fn start(&mut self, queue: &Arc<dyn Queue>) -> SocketAddr {
        self.start_with(queue, Limits::default()).await
    }

    async fn start_with(&mut self, queue: &Arc<dyn Queue>, limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backends = scheduler::Backends {
            platform: platform(),
            store: self.store.clone(),
            queue: queue.clone(),
        };
        let (guard, door, front) = (Guard::new("token"), Door::default(), Front::default());
        let server = Server { listener, guard, door, front };
        let run = scheduler::run(backends, limits, Clock::system(), server, self.shutdown.clone());
        self.task = Some(tokio::spawn(run));
        address
    }

    async fn stop(self) {
        self.shutdown.soft.cancel();
        self.task.unwrap().await.unwrap().unwrap();
        self.store.close().await;
    }

    async fn deploy(&self, name: &str) -> Function {
        let source = Digest::of(name.as_bytes());
        self.store.put_blob(&source, Bytes::copy_from_slice(name.as_bytes())).await.unwrap();
        let version = "3.12".to_owned();
        let spec = FunctionSpec {
            description: None,
            code: Code::Language { language: Language::Python, version, package: Package::Bundle },
            handler: "function.handler".to_owned(),
            interface: Interface::Protocol,
            command: Vec::new(),
            timeout: Duration::from_secs(30),
            load_timeout: None,
            memory_bytes: 128 << 20,
            cpus: 1.0,
            network: Network::None,
            env: [].into(),
            build_command: None,
            scaling: Scaling {
                idle_timeout: Duration::from_secs(60),
                max_instances: 10,
                min_instances: 0,
                concurrency: 1,
            },
            secrets: Vec::new(),
            rate_limit: None,
            http: None,
            from_source: false,
        };
        let name = name.parse().unwrap();
        let bundle = Some(source.clone());
        let image = "image".to_owned();
        self.store
            .add_revision(NewRevision { name, spec, source, bundle, dependencies: None, image })
            .await
            .unwrap();
        self.store.functions().await.unwrap().into_iter().max_by_key(|function| function.id).unwrap()
    }

    /// Rows without messages, as an earlier life has left them.
    async fn leave(&self, function: &Function, count: usize) -> Vec<InvocationId> {
        let row = || NewInvocation {
            id: InvocationId::new(),
            function: function.id,
            name: function.name.clone(),
            payload: Body { content_type: "text/plain".to_owned(), bytes: Bytes::new() },
            headers: "{}".to_owned(),
            http: None,
            accepted_at: jiff::Timestamp::now(),
            parent: None,
            announcement: Announcement::ToBeNoted,
        };
        let rows: Vec<_> = std::iter::repeat_with(row).take(count).collect();
        for rows in rows.chunks(1000) {
            self.store.accept(rows).await.unwrap();
        }
        rows.into_iter().map(|row| row.id).collect()
    }
}

fn platform() -> PlatformName {
    format!("test-{}", InvocationId::new().0.simple()).parse().unwrap()
}

async fn next(consumer: &mut Consumer) -> InvocationId {
    let delivery = tokio::time::timeout(Duration::from_secs(30), consumer.next()).await;
    let delivery = delivery.expect("a message in time").expect("the queue is there");
    let (invoke, _) = delivery.parcel.open::<Invoke>().unwrap();
    delivery.ack().await.unwrap();
    invoke.id
}

const ONE: ConsumeOptions = ConsumeOptions { prefetch: 1, priority: 0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_queued_in_order_through_a_window_and_starves_nobody() {
    let mut scheduler = Scheduler::new().await;
    let queue = queue::connect(&queue::Config::Embedded, &platform()).await.unwrap();
    let flooded = scheduler.deploy("flooded").await;
    let left = scheduler.leave(&flooded, 10_500).await;
    let other = scheduler.deploy("other").await;
    let others = scheduler.leave(&other, 3).await;
    scheduler.store.mark_published(&left).await.unwrap();
    scheduler.start(&queue).await;

    let address = |function: &Function| Address::Function(function.id, Mode::Async);
    let mut of_other = queue.consume(&address(&other), ONE).await.unwrap();
    for id in others {
        assert_eq!(next(&mut of_other).await, id, "behind 10,500 of another function");
    }
    eventually("the window is full", async || {
        let probe = queue::Message { parcel: Bytes::from_static(b"probe").into(), expires: None };
        // What is full takes nothing; before, a probe would be in the way of the order checked below.
        match scheduler.store.take_due(1, &[], REPUBLISH_AFTER).await.unwrap().as_slice() {
            [due] => {
                scheduler.store.untake(std::slice::from_ref(due)).await.unwrap();
                let full = queue.publish(&address(&flooded), probe).await;
                assert!(matches!(full, Err(queue::Error::Full(_))), "{full:?}");
                Some(())
            }
            _ => None,
        }
    })
    .await;
    let mut of_flooded = queue.consume(&address(&flooded), ONE).await.unwrap();
    for id in left {
        assert_eq!(next(&mut of_flooded).await, id, "in the order of acceptance");
    }
    scheduler.stop().await;
}

/// More than the embedded queue keeps, accepted while nobody consumes: what it refuses counted as published
/// since its commit, and has to come all the same, soon and before what is accepted later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_queue_refuses_comes_as_soon_as_there_is_room_and_is_not_overtaken() {
    let mut scheduler = Scheduler::new().await;
    let queue = queue::connect(&queue::Config::Embedded, &platform()).await.unwrap();
    let function = scheduler.deploy("flooded").await;
    let at = scheduler.start(&queue).await;
    let client = cloudfunc::http::client().unwrap();
    let accept = async || {
        let request = client
            .post(format!("http://{at}/v1/functions/flooded/invoke"))
            .bearer_auth("token")
            .header("prefer", "respond-async")
            .body("{}");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.json::<serde_json::Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap()
    };
    let mut early = HashSet::<InvocationId>::new();
    let flood = stream::iter(0..10_100).map(|_| accept()).buffer_unordered(64);
    early.extend(flood.collect::<Vec<_>>().await);
    let mut late = Vec::<InvocationId>::new();
    for _ in 0..20 {
        late.push(accept().await);
    }
    let begun = Instant::now();
    let address = Address::Function(function.id, Mode::Async);
    let mut consumer = queue.consume(&address, ONE).await.unwrap();
    for _ in 0..early.len() {
        assert!(early.remove(&next(&mut consumer).await), "each once, and first who came first");
    }
    for id in late {
        assert_eq!(next(&mut consumer).await, id, "in the order of acceptance");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_published_is_published_when_the_broker_is_back() {
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let mut behind = url::Url::parse(&url).unwrap();
    let target = format!("{}:{}", behind.host_str().unwrap(), behind.port().unwrap_or(5672));
    let proxy = Proxy::start(target).await;
    behind.set_port(Some(proxy.port())).unwrap();
    let platform = platform();
    let queue = queue::connect(&behind.as_str().parse().unwrap(), &platform).await.unwrap();
    let direct = queue::connect(&url.parse().unwrap(), &platform).await.unwrap();

    let mut scheduler = Scheduler::new().await;
    let function = scheduler.deploy("f").await;
    direct.declare(function.id).await.unwrap();
    let left: HashSet<_> = scheduler.leave(&function, 3000).await.into_iter().collect();
    let address = Address::Function(function.id, Mode::Async);
    let mut consumer =
        direct.consume(&address, ConsumeOptions { prefetch: 100, priority: 0 }).await.unwrap();
    scheduler.start(&queue).await;
    // The first messages are there: the sweeper is in the middle of it, with a page in its hands.
    let mut came = HashSet::from([next(&mut consumer).await]);
    proxy.refuse(true);
    proxy.cut();
    eventually("the loss is noticed", async || queue.ping().await.is_err().then_some(())).await;
    let begun = Instant::now();
    proxy.refuse(false);
    while came.len() < left.len() {
        came.insert(next(&mut consumer).await);
    }
    assert_eq!(came, left);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());

    scheduler.stop().await;
    drop(consumer);
    direct.remove(function.id).await.unwrap();
    direct.remove_platform().await.unwrap();
    direct.close().await;
    queue.close().await;
}

/// A broker that was purged, or came back with an empty disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_empty_queue_should_hold_is_published_again_and_what_it_holds_is_not() {
    let (broker, server) = (need!("CLOUDFUNC_TEST_RABBITMQ_URL"), need!("CLOUDFUNC_TEST_POSTGRES_URL"));
    let database = Database::create(&server);
    let queue = queue::connect(&broker.parse().unwrap(), &platform()).await.unwrap();
    let config = database.url().parse().unwrap();
    let mut scheduler = Scheduler::on(&config, tempfile::tempdir().unwrap()).await;
    let (purged, kept) = (scheduler.deploy("purged").await, scheduler.deploy("kept").await);
    let lost = scheduler.leave(&purged, 3).await;
    let held = scheduler.leave(&kept, 2).await;
    scheduler.store.mark_published(&[&lost[..], &held].concat()).await.unwrap();
    psql(&database.url(), "UPDATE invocations SET message_at = message_at - 61000");
    queue.declare(kept.id).await.unwrap();
    let of = |function: &Function| Address::Function(function.id, Mode::Async);
    let message = Message { parcel: Bytes::from_static(b"theirs").into(), expires: None };
    queue.publish(&of(&kept), message).await.unwrap();

    // It looks at once, and then every minute.
    scheduler.start(&queue).await;
    let mut consumer = queue.consume(&of(&purged), ONE).await.unwrap();
    let mut came = HashSet::new();
    for _ in &lost {
        came.insert(next(&mut consumer).await);
    }
    assert_eq!(came, lost.into_iter().collect());
    let waiting = queue.waiting(&[purged.id, kept.id]).await.unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.messages).collect::<Vec<_>>(), [0, 1]);

    scheduler.stop().await;
    drop(consumer);
    for function in [purged, kept] {
        queue.remove(function.id).await.unwrap();
    }
    queue.remove_platform().await.unwrap();
    queue.close().await;
}

/// One that is purged while messages come all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_queue_lacks_that_is_never_empty_is_published_again() {
    let (broker, server) = (need!("CLOUDFUNC_TEST_RABBITMQ_URL"), need!("CLOUDFUNC_TEST_POSTGRES_URL"));
    let database = Database::create(&server);
    let queue = queue::connect(&broker.parse().unwrap(), &platform()).await.unwrap();
    let config = database.url().parse().unwrap();
    let mut scheduler = Scheduler::on(&config, tempfile::tempdir().unwrap()).await;
    let (purged, kept) = (scheduler.deploy("purged").await, scheduler.deploy("kept").await);
    // Managers are given 20 of each function in hand.
    let lost = scheduler.leave(&purged, 200).await;
    let held = scheduler.leave(&kept, 90).await;
    scheduler.store.mark_published(&[&lost[..], &held].concat()).await.unwrap();
    psql(&database.url(), "UPDATE invocations SET message_at = message_at - 61000");
    let of = |function: &Function| Address::Function(function.id, Mode::Async);
    for function in [&purged, &kept] {
        queue.declare(function.id).await.unwrap();
        let message = Message { parcel: Bytes::from_static(b"theirs").into(), expires: None };
        queue.publish(&of(function), message).await.unwrap();
    }

    let limits = Limits { reread: Duration::from_millis(200), ..Limits::default() };
    scheduler.start_with(&queue, limits).await;
    eventually("all that was lost is in the queue", async || {
        let waiting = queue.waiting(&[purged.id]).await.unwrap();
        (waiting[0].messages > 200).then_some(())
    })
    .await;
    let waiting = queue.waiting(&[purged.id, kept.id]).await.unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.messages).collect::<Vec<_>>(), [201, 1]);

    scheduler.stop().await;
    for function in [purged, kept] {
        queue.remove(function.id).await.unwrap();
    }
    queue.remove_platform().await.unwrap();
    queue.close().await;
}
