//! Consumers of the functions' queues: for each queue a standing one, and a second one with a higher
//! priority while a live instance is here, so that warm managers are served first.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    dispatch::{Command, Dispatch},
    work::{self, Work},
};
use crate::{
    error_chain::chain,
    model::{
        Function, FunctionId, Mode, Revision, RevisionNumber,
        message::{Invoke, Verdict},
    },
    queue::{self, Address, ConsumeOptions, Consumer, Delivery},
    store,
};

const STANDING: i32 = 0;
const WARM: i32 = 10;

/// Revisions never change, so that what was read once is kept while its function exists.
#[derive(Default)]
pub struct Revisions {
    known: Mutex<HashMap<(FunctionId, RevisionNumber), Arc<Revision>>>,
    /// Functions that were deleted while this manager knew them, newest last; at most [`REMEMBERED_GONE`].
    gone: Mutex<VecDeque<FunctionId>>,
    /// How many were deleted. Looked at for every line that a function writes.
    deletions: AtomicU64,
}

/// Bound of the list: of older ones no instance is left.
const REMEMBERED_GONE: usize = 1024;

impl Revisions {
    /// None when the function or revision is gone.
    pub async fn get(
        &self,
        store: &dyn store::Functions,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Revision>>, store::Error> {
        let known = self.known.lock().expect("no holder panics").get(&(function, number)).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let read = store.revision(function, number).await?.map(Arc::new);
        if let Some(revision) = &read {
            self.known.lock().expect("no holder panics").insert((function, number), revision.clone());
        }
        Ok(read)
    }

    fn forget(&self, function: FunctionId) {
        self.known.lock().expect("no holder panics").retain(|(id, _), _| *id != function);
        let mut gone = self.gone.lock().expect("no holder panics");
        gone.push_back(function);
        if gone.len() > REMEMBERED_GONE {
            gone.pop_front();
        }
        self.deletions.fetch_add(1, Ordering::Release);
    }
}

/// Whether a function was deleted: what still runs of it belongs to no function of its name. Looks only when
/// there was another deletion since it last did.
#[derive(Default)]
pub struct Gone {
    looked: u64,
    is_gone: bool,
}

impl Gone {
    pub fn is_gone(&mut self, revisions: &Revisions, function: FunctionId) -> bool {
        let deletions = revisions.deletions.load(Ordering::Acquire);
        if deletions != self.looked {
            self.looked = deletions;
            self.is_gone |= revisions.gone.lock().expect("no holder panics").contains(&function);
        }
        self.is_gone
    }
}

/// The consumers of one function.
struct Consuming {
    active: RevisionNumber,
    prefetch: u16,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// Consumes for every function there is, as functions come and go, until `stop`; then everything that
/// was handed out and has not begun is given back.
pub async fn run(shared: Arc<Shared>, dispatch: Dispatch, stop: CancellationToken) {
    let mut consuming: HashMap<FunctionId, Consuming> = HashMap::new();
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let followed = tokio::select! {
            () = stop.cancelled() => break,
            followed = follow(&shared, &dispatch, &stop, &mut consuming, &mut backoff) => followed,
        };
        if let Err(error) = followed {
            backoff.pause("functions cannot be followed", &*error, &stop).await;
        }
    }
    for one in consuming.values() {
        one.stop.cancel();
    }
    for task in consuming.into_values().flat_map(|one| one.tasks) {
        let _ = task.await;
    }
}

/// Subscribes first and reads everything then, so that nothing falls between. Ends when the
/// subscription does.
async fn follow(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    stop: &CancellationToken,
    consuming: &mut HashMap<FunctionId, Consuming>,
    backoff: &mut Backoff,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut events = shared.queue.subscribe().await?;
    refresh(shared, dispatch, stop, consuming).await?;
    *backoff = Backoff::new();
    while let Some(event) = events.next().await {
        // Several events close together are answered by one reading of everything.
        drop(event.ack().await);
        refresh(shared, dispatch, stop, consuming).await?;
    }
    Ok(())
}

async fn refresh(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    stop: &CancellationToken,
    consuming: &mut HashMap<FunctionId, Consuming>,
) -> Result<(), store::Error> {
    let functions = shared.store.functions().await?;
    let present: HashSet<FunctionId> = functions.iter().map(|function| function.id).collect();
    consuming.retain(|id, one| {
        let keep = present.contains(id);
        if !keep {
            one.stop.cancel();
            shared.revisions.forget(*id);
            dispatch.send(Command::Active { function: *id, revision: None });
        }
        keep
    });
    for function in functions {
        let Some(revision) =
            shared.revisions.get(&*shared.store, function.id, function.active_revision).await?
        else {
            continue;
        };
        let prefetch = u16::try_from(revision.spec.scaling.max_instances).unwrap_or(u16::MAX).max(1);
        let known = consuming.get(&function.id);
        if known.is_none_or(|one| one.active != function.active_revision) {
            let revision = Some(function.active_revision);
            dispatch.send(Command::Active { function: function.id, revision });
        }
        if known.is_some_and(|one| one.prefetch == prefetch) {
            if let Some(one) = consuming.get_mut(&function.id) {
                one.active = function.active_revision;
            }
            continue;
        }
        if let Some(old) = consuming.remove(&function.id) {
            old.stop.cancel();
        }
        let one = start(shared, dispatch, stop, &function, prefetch);
        consuming.insert(function.id, one);
    }
    shared.changed.notify_one();
    Ok(())
}

fn start(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    stop: &CancellationToken,
    function: &Function,
    prefetch: u16,
) -> Consuming {
    let token = stop.child_token();
    let mut tasks = Vec::with_capacity(4);
    for mode in [Mode::Sync, Mode::Async] {
        let queue = FunctionQueue {
            shared: shared.clone(),
            dispatch: dispatch.clone(),
            function: function.id,
            mode,
            prefetch,
            manager_stop: stop.clone(),
        };
        tasks.push(tokio::spawn(queue.clone().consume(STANDING, token.clone())));
        tasks.push(tokio::spawn(queue.consume_while_warm(dispatch.live(), token.clone())));
    }
    Consuming { active: function.active_revision, prefetch, stop: token, tasks }
}

#[derive(Clone)]
struct FunctionQueue {
    shared: Arc<Shared>,
    dispatch: Dispatch,
    function: FunctionId,
    mode: Mode,
    prefetch: u16,
    /// The manager as a whole stops: what was handed out goes back instead of being run.
    manager_stop: CancellationToken,
}

impl FunctionQueue {
    async fn consume_while_warm(
        self,
        mut live: watch::Receiver<Arc<HashSet<FunctionId>>>,
        stop: CancellationToken,
    ) {
        let function = self.function;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                warm = live.wait_for(|live| live.contains(&function)) => if warm.is_err() { return },
            }
            let cold = stop.child_token();
            let consuming = tokio::spawn(self.clone().consume(WARM, cold.clone()));
            tokio::select! {
                () = stop.cancelled() => {}
                _ = live.wait_for(|live| !live.contains(&function)) => {}
            }
            cold.cancel();
            let _ = consuming.await;
        }
    }

    async fn consume(self, priority: i32, stop: CancellationToken) {
        let options = ConsumeOptions { prefetch: self.prefetch, priority };
        let address = Address::Function(self.function, self.mode);
        let mut backoff = Backoff::new();
        while !stop.is_cancelled() {
            let consumer = tokio::select! {
                () = stop.cancelled() => return,
                consumer = self.shared.queue.consume(&address, options) => consumer,
            };
            match consumer {
                Ok(consumer) => {
                    backoff = Backoff::new();
                    self.take_all(consumer, &stop).await;
                    // Consuming declares the queue: that of a deleted function must not come back.
                    if !stop.is_cancelled() && self.is_deleted().await {
                        return;
                    }
                }
                Err(error) => backoff.pause("queue cannot be consumed", &error, &stop).await,
            }
        }
    }

    /// In doubt it is not: then the next refresh ends this consumer.
    async fn is_deleted(&self) -> bool {
        matches!(self.shared.store.revisions(self.function).await, Ok(revisions) if revisions.is_empty())
    }

    /// What the consumer has not handed out by the end goes to others, as if it had never been sent here.
    async fn take_all(&self, mut consumer: Consumer, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                delivery = consumer.next() => match delivery {
                    Some(delivery) => self.take(delivery).await,
                    None => return,
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
            Mode::Async => {
                let this = self.clone();
                // Beside the next delivery; the prefetch bounds how many there are.
                tokio::spawn(async move { this.claim(invoke, delivery, taken).await });
            }
        }
    }

    async fn take_sync(&self, invoke: Invoke, payload: Bytes, delivery: Delivery, taken: Instant) {
        let now = jiff::Timestamp::now().as_millisecond();
        let left = invoke
            .slot_deadline_ms
            .map(|deadline| Duration::from_millis(u64::try_from(deadline - now).unwrap_or(0)))
            // Clocks of two hosts may differ.
            .map(|left| left.min(self.shared.limits.queue_wait));
        if delivery.redelivered {
            return self.dispatch.send(Command::Redelivered { invoke: Box::new(invoke), delivery });
        }
        if self.manager_stop.is_cancelled() {
            return work::give_back_sync(&self.shared, &invoke, &payload, left, delivery).await;
        }
        let revision =
            self.shared.revisions.get(&*self.shared.store, invoke.function, invoke.revision).await;
        let revision = match revision {
            Ok(Some(revision)) => revision,
            unusable => {
                let reason = match unusable {
                    Err(error) => chain(&error),
                    Ok(_) => "the function was deleted".to_owned(),
                };
                drop(delivery.ack().await);
                let verdict = Verdict::NotRun { reason, throttled: false, delay: Duration::ZERO };
                let reply = work::bare_reply(&self.shared, invoke.id, invoke.revision, verdict);
                return work::reply(&self.shared, invoke.reply_to, reply).await;
            }
        };
        let deadline = left.map(|left| taken + left);
        let work =
            Work { invoke, payload, attempt: 1, failures: 0, revision, taken, deadline, delivery };
        self.dispatch.send(Command::Work(Box::new(work)));
    }

    /// Nothing async runs without a claim. A refused one is only acked; when the store cannot say,
    /// the message goes back to the queue after a moment.
    async fn claim(self, invoke: Invoke, delivery: Delivery, taken: Instant) {
        let shared = &self.shared;
        let claim = match shared.store.claim(invoke.id, shared.owner).await {
            Ok(Some(claim)) => claim,
            Ok(None) => return drop(delivery.ack().await),
            Err(error) => {
                tracing::warn!(invocation = %invoke.id, error = %chain(&error), "claim failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
                return;
            }
        };
        let revision = shared.revisions.get(&*shared.store, invoke.function, claim.revision).await;
        let Ok(Some(revision)) = revision else {
            // Its function was deleted in this moment, which the sweeper finds, or the store is away.
            let reason = "its revision could not be read";
            return work::give_back_claim(shared, &invoke, &claim, reason, delivery).await;
        };
        let headers = serde_json::from_str(&claim.headers).unwrap_or_default();
        let invoke = Invoke { content_type: claim.payload.content_type, headers, ..invoke };
        let work = Work {
            invoke,
            payload: claim.payload.bytes,
            attempt: claim.attempt,
            failures: claim.failures,
            revision,
            taken,
            deadline: None,
            delivery,
        };
        self.dispatch.send(Command::Work(Box::new(work)));
    }
}

/// Pauses that grow while something stays away, and one line in the log when it begins; but none for
/// a broker that is away: the queue says so itself, once for all its consumers.
pub struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(5);

    pub fn new() -> Self {
        Self(Self::FIRST)
    }

    pub async fn pause(
        &mut self,
        what: &'static str,
        error: &(dyn std::error::Error + Send + Sync + 'static),
        stop: &CancellationToken,
    ) {
        let is_said = error.downcast_ref().is_some_and(queue::Error::is_transient);
        if self.0 == Self::FIRST && !is_said {
            tracing::warn!(error = %chain(error), "{what}; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(self.0) => {}
        }
        self.0 = (self.0 * 2).min(Self::LAST);
    }
}
