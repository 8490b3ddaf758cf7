//! One of a function's queues: its messages become work.

use std::{
    panic::resume_unwind,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::super::{
    commands::{Command, Dispatch},
    retry::{Retry, give_back_later},
    shared::Shared,
    work::{self, Work},
};
use crate::{
    error_chain::chain,
    model::{
        FunctionId, Mode, Revision, RevisionNumber,
        message::{Invoke, Verdict},
    },
    queue::{Address, ConsumeOptions, Consumer, Delivery},
    store,
};

/// Priority of a consumer that is always there, and of one that is there while an instance lives here.
pub(super) const STANDING_PRIORITY: i32 = 0;
const WARM_PRIORITY: i32 = 10;
/// Priority of consumers of callers' messages while no instance can be started here: other managers with room come
/// first.
const STALLED_PRIORITY: i32 = -10;

#[derive(Clone)]
pub(super) struct FunctionQueue {
    pub shared: Arc<Shared>,
    pub dispatch: Dispatch,
    pub function: FunctionId,
    pub mode: Mode,
    pub prefetch: u16,
    /// For questions to the store about queues that have ended; all functions share it.
    pub asking: Arc<Semaphore>,
    /// The manager as a whole stops: what was handed out goes back instead of being run.
    pub manager_stop: CancellationToken,
}

impl FunctionQueue {
    /// Consumes with a higher priority while an instance of the function lives here.
    pub async fn consume_while_warm(self, mut warm: watch::Receiver<bool>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                warm = warm.wait_for(|warm| *warm) => if warm.is_err() { return },
            }
            let cold = stop.child_token();
            // It ends with us, and takes us along if it panics.
            let mut consuming = JoinSet::new();
            consuming.spawn(self.clone().consume(WARM_PRIORITY, cold.clone()));
            tokio::select! {
                () = stop.cancelled() => {}
                _ = warm.wait_for(|warm| !*warm) => {}
                Some(Err(ended)) = consuming.join_next() => resume_unwind(ended.into_panic()),
            }
            cold.cancel();
            if let Some(Err(ended)) = consuming.join_next().await {
                resume_unwind(ended.into_panic());
            }
        }
    }

    /// Consumes until `stop`; opens another consumer when one ends, or when the function stalls here, and when that is over.
    /// Sync calls are still taken then, if no other manager has room for them, so that their callers get an error at once.
    /// Async work is left to other managers.
    pub async fn consume(self, priority: i32, stop: CancellationToken) {
        let address = Address::Function(self.function, self.mode);
        let mut retry = Retry::new();
        let mut stalled = self.dispatch.stalled().follow(self.function);
        while !stop.is_cancelled() {
            let mut is_stalled = false;
            let consumer = tokio::select! {
                () = stop.cancelled() => return,
                consumer = async {
                    if self.mode == Mode::Async {
                        let _ = stalled.wait_for(|stalled| !stalled).await;
                    } else {
                        is_stalled = *stalled.borrow_and_update();
                    }
                    let priority = if is_stalled { STALLED_PRIORITY } else { priority };
                    let options = ConsumeOptions { prefetch: self.prefetch, priority };
                    self.shared.queue.consume(&address, options).await
                } => consumer,
            };
            match consumer {
                Ok(consumer) => {
                    retry.reset();
                    let changed = async {
                        let changed = stalled.wait_for(|now| *now != is_stalled).await.is_ok();
                        if !changed {
                            // Its function was deleted: nobody tells of it any more.
                            std::future::pending::<()>().await;
                        }
                    };
                    if !self.take_all(consumer, &stop, changed).await {
                        continue;
                    }
                    // Consuming declares the queue: that of a deleted function must not come back.
                    let is_deleted = tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        is_deleted = self.is_deleted() => is_deleted,
                    };
                    if is_deleted {
                        return;
                    }
                }
                Err(error) => retry.pause("queue cannot be consumed", &error, &stop).await,
            }
        }
    }

    /// Returns false if the store does not answer: the next refresh ends this consumer. When a broker is lost, the consumers
    /// of thousands of functions ask: one after the other, or nobody else would get a connection to the store, such as the
    /// lease.
    async fn is_deleted(&self) -> bool {
        // The semaphore is never closed.
        let _turn = self.asking.acquire().await.ok();
        matches!(self.shared.store.active_function(self.function).await, Ok(None))
    }

    /// Takes what the consumer hands out, until `stop` or `changed`. The rest goes to others, as if it had never been sent
    /// here. Returns whether the consumer has ended by itself.
    async fn take_all(
        &self,
        mut consumer: Consumer,
        stop: &CancellationToken,
        changed: impl Future<Output = ()>,
    ) -> bool {
        let mut stopped = pin!(stop.cancelled());
        let mut changed = pin!(changed);
        loop {
            tokio::select! {
                () = &mut stopped => return false,
                () = &mut changed => return false,
                delivery = consumer.next() => match delivery {
                    // To its end: what is half taken would come back as what may have run.
                    Some(delivery) => self.take(delivery).await,
                    None => return true,
                },
            }
        }
    }

    async fn take(&self, delivery: Delivery) {
        let taken = Instant::now();
        let (invoke, payload) = match delivery.parcel.open::<Invoke>() {
            Ok(decoded) => decoded,
            Err(error) => {
                // Kept, it would come back for ever. An async one stays in the store and is republished.
                tracing::error!(%error, function = %self.function, "message dropped");
                return drop(delivery.ack().await);
            }
        };
        match self.mode {
            Mode::Sync => self.take_sync(invoke, payload, delivery, taken).await,
            Mode::Async if self.manager_stop.is_cancelled() => drop(delivery),
            Mode::Async => self.take_async(invoke, delivery, taken).await,
        }
    }

    async fn take_sync(&self, invoke: Invoke, payload: Bytes, delivery: Delivery, taken: Instant) {
        let left = slot_left(&invoke, &self.shared);
        if delivery.redelivered {
            return self.dispatch.send(Command::Redelivered { invoke: Box::new(invoke), delivery });
        }
        if self.manager_stop.is_cancelled() {
            return work::give_back_sync(&self.shared, &invoke, &payload, left, delivery).await;
        }
        let revision = match self.usable(invoke.revision).await {
            Ok(Some(revision)) => revision,
            unusable => {
                let verdict = match unusable {
                    Err(error) => Verdict::not_run(chain(&error), Duration::ZERO),
                    Ok(_) => Verdict::deleted(),
                };
                drop(delivery.ack().await);
                let reply = work::bare_reply(&self.shared, invoke.id, invoke.revision, verdict);
                return work::reply(&self.shared, invoke.reply_to, reply).await;
            }
        };
        let deadline = left.map(|left| taken + left);
        let (claim, handed) = (None, 0);
        let work = Work { invoke, payload, claim, revision, taken, deadline, delivery, handed };
        self.dispatch.send(Command::Work(Box::new(work)));
    }

    /// It waits for an instance, and is claimed when there is one.
    async fn take_async(&self, invoke: Invoke, delivery: Delivery, taken: Instant) {
        let shared = &self.shared;
        // The message says what was active when it was published.
        let active = shared.revisions.active(self.function).unwrap_or(invoke.revision);
        let revision = match self.usable(active).await {
            Ok(revision) => revision,
            Err(error) => return self.not_read(delivery, &error),
        };
        let Some(revision) = revision else { return drop(delivery.ack().await) };
        let (payload, claim, deadline, handed) = (Bytes::new(), None, None, 0);
        let work = Work { invoke, payload, claim, revision, taken, deadline, delivery, handed };
        self.dispatch.send(Command::Work(Box::new(work)));
    }

    /// Returns this revision, or the active one where it was pruned since; none when the function was deleted.
    async fn usable(&self, revision: RevisionNumber) -> Result<Option<Arc<Revision>>, store::Error> {
        let Shared { store, revisions, .. } = &*self.shared;
        match revisions.get(&**store, self.function, revision).await? {
            Some(revision) => Ok(Some(revision)),
            None => {
                let active = store.active_function(self.function).await?;
                Ok(active.map(|active| revisions.keep(active.revision)))
            }
        }
    }

    fn not_read(&self, delivery: Delivery, error: &store::Error) {
        tracing::debug!(function = %self.function, error = %chain(error), "revision not read");
        give_back_later(delivery, &self.shared);
    }
}

/// The time for which its caller goes on waiting for an instance. An earlier version says it as a moment on the
/// scheduler's clock, which may differ from ours.
fn slot_left(invoke: &Invoke, shared: &Shared) -> Option<Duration> {
    let by_clock = || {
        let left = invoke.slot_deadline_ms? - shared.clock.now().as_millisecond();
        Some(u64::try_from(left).unwrap_or(0))
    };
    let left = invoke.slot_left_ms.or_else(by_clock)?;
    Some(Duration::from_millis(left).min(shared.limits.queue_wait))
}
