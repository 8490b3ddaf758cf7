//! The scheduler: admits invocations, publishes them, waits for replies, keeps their records.
//!
//! ```text
//!  sync:  routes ─▶ invoke ─publish─▶ queue … reply queue ─▶ replies ─▶ caller
//!                      └── waiting ◀─────────────────────────┘    └───▶ recorder ─▶ store
//!  async: routes ─▶ accept ─commit─▶ store, then ─publish─▶ queue … outcomes ─▶ store
//!                                      ▲ └────────── sweep: what is due or stuck ──▶ queue
//! ```

mod accept;
mod announce;
mod answer;
mod functions;
mod invoke;
mod logs;
mod outcomes;
mod record;
mod recorder;
mod replies;
mod room;
mod routes;
mod shards;
mod sweep;
mod waiting;

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    http::Server,
    model::{InvocationId, PlatformName},
    queue::Queue,
    settings::platform::Limits,
    shutdown::Shutdown,
    store::Store,
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
    functions: functions::Functions,
    waiting: waiting::Waiting,
    replies: replies::ReplyAddress,
    recorder: recorder::Recorder,
    accept: accept::Acceptor,
    /// Ids of async invocations that this scheduler has just seen finished.
    finished: broadcast::Sender<InvocationId>,
    /// Told to stop: who only follows or waits for something is let go.
    stop: CancellationToken,
}

/// How many finished ids somebody who waits for one may lag behind; then he asks the store.
const FINISHED_BACKLOG: usize = 4096;

/// At a stop, for what is written behind: some 20,000 records at most, which take a store that answers a
/// second or two.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Runs a scheduler until it is told to stop. Soft: no new requests, those under way are answered,
/// what is written behind is written.
pub async fn run(
    backends: Backends,
    limits: Limits,
    server: Server,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Backends { platform, store, queue } = backends;
    if !queue.is_durable() {
        store.forget_published().await?;
    }
    let (recorder, recorder_task) = recorder::start(store.clone());
    let (acceptor, accept_task) = accept::start(store.clone(), queue.clone());
    let scheduler = Arc::new(Scheduler {
        platform,
        functions: functions::Functions::new(store.clone()),
        waiting: waiting::Waiting::default(),
        replies: replies::ReplyAddress::default(),
        finished: broadcast::channel(FINISHED_BACKLOG).0,
        accept: acceptor,
        recorder,
        stop: shutdown.soft.clone(),
        store,
        queue,
        limits,
    });
    // Background work goes on until the last request is answered.
    let background = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(functions::follow(scheduler.clone(), background.clone()));
    tasks.spawn(replies::receive(scheduler.clone(), background.clone()));
    tasks.spawn(outcomes::receive(scheduler.clone(), background.clone()));
    tasks.spawn(sweep::run(scheduler.clone(), background.clone()));
    tracing::info!("scheduler ready");
    let serving = server.serve(routes::routes(scheduler.clone()), shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = shutdown.hard.cancelled() => return Ok(()),
        // They end only by a panic, and nothing works without them: the supervisor starts us again.
        ended = tasks.join_next() => anyhow::bail!("a background task ended: {ended:?}"),
    }
    background.cancel();
    let (recorder, mut accept_task, mut recorder_task) =
        (scheduler.recorder.closing(), accept_task, recorder_task);
    let written = async {
        while tasks.join_next().await.is_some() {}
        drop(scheduler);
        let _ = (&mut accept_task).await;
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
        accept_task.abort();
        recorder_task.abort();
        let records = recorder.waiting();
        tracing::warn!(records, "the last records of sync invocations are not stored");
    }
    Ok(())
}
