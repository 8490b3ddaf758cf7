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
mod cached_function;
mod function_cache;
mod input;
mod logs;
mod reach;
mod records;
mod routes;
mod shards;
mod submit;
mod sync;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::broadcast,
    task::{JoinHandle, JoinSet},
};
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
        prune, sweep,
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

/// The tasks of a scheduler that runs. They end only by a panic, and nothing works without them.
struct Tasks {
    background: JoinSet<()>,
    recorder: JoinHandle<()>,
    admission: JoinHandle<()>,
}

impl Tasks {
    /// Waits until one of them ends, and says which.
    async fn first_end(&mut self) -> anyhow::Error {
        tokio::select! {
            ended = self.background.join_next() => anyhow::anyhow!("a background task ended: {ended:?}"),
            ended = &mut self.recorder => anyhow::anyhow!("the recorder ended: {ended:?}"),
            ended = &mut self.admission => anyhow::anyhow!("the admission ended: {ended:?}"),
        }
    }

    /// Waits until all of them have ended; the last two do when nobody has the scheduler any more.
    async fn all_ended(&mut self, scheduler: Arc<Scheduler>) {
        while self.background.join_next().await.is_some() {}
        drop(scheduler);
        let _ = (&mut self.admission).await;
        let _ = (&mut self.recorder).await;
    }
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
    let (recorder, recorder_task) = recorder::start(store.clone());
    let (admission, admit_task) = admit::start(store.clone(), queue.clone());
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
    let mut tasks = Tasks { background: JoinSet::new(), recorder: recorder_task, admission: admit_task };
    tasks.background.spawn(function_cache::follow(scheduler.clone(), background.clone()));
    tasks.background.spawn(replies::receive(scheduler.clone(), background.clone()));
    tasks.background.spawn(outcomes::receive(scheduler.clone(), background.clone()));
    tasks.background.spawn(sweep::run(scheduler.clone(), background.clone()));
    tasks.background.spawn(prune::run(scheduler.clone(), background.clone()));
    tasks.background.spawn(forsaken::run(scheduler.clone(), background.clone()));
    tasks.background.spawn(lost_messages::run(scheduler.clone(), background.clone()));
    tracing::info!("scheduler ready");
    let serves = Served {
        routes: routes::routes(scheduler.clone()),
        calls: Some(calls(scheduler.clone())),
        shortcut: None,
        functions: None,
    };
    let serving = server.serve(serves, shutdown.soft.clone());
    tokio::select! {
        () = serving => {}
        () = shutdown.hard.cancelled() => return Ok(()),
        // The supervisor starts us again.
        ended = tasks.first_end() => return Err(ended),
    }
    background.cancel();
    let recorder = scheduler.recorder.closing();
    let written = tasks.all_ended(scheduler);
    // A store that is away, or an answer that nobody reads, does not hold up the stop.
    let is_written = tokio::select! {
        biased;
        () = written => true,
        () = tokio::time::sleep(LAST_WRITES) => false,
        () = shutdown.hard.cancelled() => false,
    };
    if !is_written {
        tasks.admission.abort();
        tasks.recorder.abort();
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn whichever_task_of_a_scheduler_panics_its_end_is_noticed() {
        let names = ["a background task", "the recorder", "the admission"];
        for broken in names {
            let task = move |name: &'static str| async move {
                assert_ne!(name, broken, "for a test");
                pending::<()>().await;
            };
            let [background, recorder, admission] = names.map(task);
            let mut tasks = Tasks {
                background: JoinSet::new(),
                recorder: tokio::spawn(recorder),
                admission: tokio::spawn(admission),
            };
            tasks.background.spawn(background);
            let ended = tasks.first_end().await.to_string();
            assert!(ended.starts_with(&format!("{broken} ended")), "{ended}");
        }
    }
}
