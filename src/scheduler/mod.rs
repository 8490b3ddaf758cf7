//! The scheduler: admits invocations, publishes them, waits for replies, keeps their records.
//!
//! ```text
//!  sync/       routes ─▶ invoke ─publish─▶ queue … reply queue ─▶ replies ─▶ caller
//!                           └── pending ◀─────────────────────────┘    └───▶ recorder ─▶ store
//!  background/ routes ─▶ admit ─commit─▶ store, then ─publish─▶ queue … outcomes ─▶ store
//!                                          ▲ └────────── sweep: what is due or stuck ──▶ queue
//! ```

mod background;
mod bounds;
mod function_cache;
mod logs;
mod records;
mod routes;
mod shards;
mod submit;
mod sync;

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    http::{Calls, Served, Server},
    model::{InvocationId, PlatformName},
    queue::Queue,
    settings::Limits,
    shutdown::Shutdown,
    store::Store,
};

use self::{
    background::{
        admit::{self, Admission},
        forsaken, lost_messages,
        outcomes::{self, Unstored},
        sweep,
    },
    function_cache::FunctionCache,
    sync::{
        pending::PendingReplies,
        recorder::{self, Recorder},
        replies::{self, ReplyAddress},
    },
};

/// What a scheduler works with.
pub struct Backends {
    pub platform: PlatformName,
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
}

/// What its tasks and handlers share.
struct Scheduler {
    platform: PlatformName,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    limits: Limits,
    clock: Clock,
    functions: FunctionCache,
    pending: PendingReplies,
    replies: ReplyAddress,
    recorder: Recorder,
    admission: Admission,
    unstored: Unstored,
    /// Ids of async invocations that this scheduler has just seen finished.
    finished: broadcast::Sender<InvocationId>,
    /// Told to stop: who only follows or waits for something is let go.
    stop: CancellationToken,
}

/// The number of finished ids that a waiter may fall behind before it asks the store.
const FINISHED_BACKLOG: usize = 4096;

/// At a stop, for what is written behind: some 20,000 records at most, which take a store that answers a
/// second or two.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Runs a scheduler until it is told to stop. Soft: no new requests, those under way are answered,
/// what is written behind is written.
pub async fn run(
    backends: Backends,
    limits: Limits,
    clock: Clock,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Backends { platform, store, queue } = backends;
    if !queue.is_durable() {
        store.forget_published().await?;
    }
    let (recorder, mut recorder_task) = recorder::start(store.clone());
    let (admission, mut admit_task) = admit::start(store.clone(), queue.clone());
    let scheduler = Arc::new(Scheduler {
        platform,
        functions: FunctionCache::new(store.clone()),
        pending: PendingReplies::default(),
        replies: ReplyAddress::default(),
        finished: broadcast::channel(FINISHED_BACKLOG).0,
        admission,
        unstored: Unstored::default(),
        recorder,
        stop: shutdown.soft.clone(),
        store,
        queue,
        limits,
        clock,
    });
    // Background work goes on until the last request is answered.
    let background = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(function_cache::follow(scheduler.clone(), background.clone()));
    tasks.spawn(replies::receive(scheduler.clone(), background.clone()));
    tasks.spawn(outcomes::receive(scheduler.clone(), background.clone()));
    tasks.spawn(sweep::run(scheduler.clone(), background.clone()));
    tasks.spawn(forsaken::run(scheduler.clone(), background.clone()));
    tasks.spawn(lost_messages::run(scheduler.clone(), background.clone()));
    tracing::info!("scheduler ready");
    let serves = Served {
        routes: routes::routes(scheduler.clone()),
        calls: Some(calls(scheduler.clone())),
        shortcut: None,
    };
    let serving = server.serve(serves, shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = shutdown.hard.cancelled() => return Ok(()),
        // They end only by a panic, and nothing works without them: the supervisor starts us again.
        ended = tasks.join_next() => anyhow::bail!("a background task ended: {ended:?}"),
        ended = &mut recorder_task => anyhow::bail!("the recorder ended: {ended:?}"),
        ended = &mut admit_task => anyhow::bail!("the admission ended: {ended:?}"),
    }
    background.cancel();
    let recorder = scheduler.recorder.closing();
    let written = async {
        while tasks.join_next().await.is_some() {}
        drop(scheduler);
        let _ = (&mut admit_task).await;
        let _ = (&mut recorder_task).await;
    };
    // A store that is away, or an answer that nobody reads, does not hold up the stop.
    let is_written = tokio::select! {
        biased;
        () = written => true,
        () = tokio::time::sleep(LAST_WRITES) => false,
        () = shutdown.hard.cancelled() => false,
    };
    if !is_written {
        admit_task.abort();
        recorder_task.abort();
        let records = recorder.waiting();
        tracing::warn!(records, "the last records of sync invocations are not stored");
    }
    Ok(())
}

/// The way in for the gateway of this process.
fn calls(scheduler: Arc<Scheduler>) -> Calls {
    Arc::new(move |call| {
        let scheduler = scheduler.clone();
        Box::pin(async move { scheduler.submit(call).await })
    })
}
