//! Async invocations: committed together with whoever else is waiting (group commit), answered, and
//! then published (`publisher.rs`); what cannot be published now is found by the sweeper.
//!
//! ```text
//! requests ─▶ a batch ─▶ its statements run while the batch before it is synced ─▶ answered, in order ─▶ published
//! ```
//!
//! Answered and published is only what the store has on disk: what a power cut takes back has run nowhere.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::publisher::{self, Announced, Committed, Unannounced};
use crate::{
    batch::fitting,
    model::{FunctionId, InvocationId},
    queue::Queue,
    scheduler::{
        bounds::{BATCHES_BEHIND, COMMIT_BYTES, COMMIT_ROWS, COMMITS_AT_ONCE},
        cached_function::CachedFunction,
        input::Input,
    },
    store::{self, Announcement, Backlog, Due, Invocations, NewInvocation},
};

/// What the caller is told.
pub type Accepted = Result<bool, Arc<store::Error>>;

struct Request {
    row: NewInvocation,
    function: Arc<CachedFunction>,
    tell: oneshot::Sender<Accepted>,
}

pub struct Admission {
    requests: mpsc::Sender<Request>,
    backlog: Arc<BacklogCount>,
    unannounced: Arc<Unannounced>,
}

/// Queued and retrying rows: as last counted, and accepted since.
#[derive(Default)]
struct BacklogCount {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Admission {
    pub fn backlog(&self) -> Backlog {
        let BacklogCount { rows, bytes } = &*self.backlog;
        Backlog { rows: rows.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }

    pub fn set_backlog(&self, counted: Backlog) {
        self.backlog.rows.store(counted.rows, Ordering::Relaxed);
        self.backlog.bytes.store(counted.bytes, Ordering::Relaxed);
    }

    /// What a queue in memory has refused since it was asked last: it counts as published, which is for the
    /// sweeper to take back. A sweep begins with it, and ends with [`Admission::hold`].
    pub fn take_refused(&self) -> Vec<Due> {
        self.unannounced.take_refused()
    }

    /// It could not be taken back yet.
    pub fn put_back(&self, rows: Vec<Due>) {
        self.unannounced.put_back(rows);
    }

    /// Returns the functions of the last [`Admission::hold`], and those of which a message was refused since.
    pub fn held(&self) -> Vec<FunctionId> {
        self.unannounced.held()
    }

    /// Functions whose queue the sweep has found full. Those of which a message was refused since it began
    /// stay unannounced, too.
    pub fn hold(&self, functions: HashSet<FunctionId>) {
        self.unannounced.hold(functions);
    }

    /// True once the row is on disk; false when its function is gone. An error says whether anything
    /// may have happened.
    pub async fn admit(&self, row: NewInvocation, function: Arc<CachedFunction>) -> Accepted {
        let (tell, told) = oneshot::channel();
        let address = || "this scheduler".to_owned();
        self.requests.send(Request { row, function, tell }).await.map_err(|_| {
            store::Error::Unavailable { address: address(), source: "it is stopping".into() }
        })?;
        // It may be in a commit that nobody has heard of.
        told.await.map_err(|_| store::Error::UnknownFate {
            address: address(),
            source: "it has ended".into(),
        })?
    }
}

/// The task ends when the admission is dropped and everything is committed and published.
pub fn start(store: Arc<dyn Invocations>, queue: Arc<dyn Queue>) -> (Admission, JoinHandle<()>) {
    let (requests, waiting) = mpsc::channel(COMMIT_ROWS);
    let backlog = Arc::new(BacklogCount::default());
    let unannounced = Arc::new(Unannounced::default());
    let task = tokio::spawn(run(store, queue, waiting, backlog.clone(), unannounced.clone()));
    (Admission { requests, backlog, unannounced }, task)
}

async fn run(
    store: Arc<dyn Invocations>,
    queue: Arc<dyn Queue>,
    mut waiting: mpsc::Receiver<Request>,
    backlog: Arc<BacklogCount>,
    unannounced: Arc<Unannounced>,
) {
    let is_durable = queue.is_durable();
    let (committed, announcing) = mpsc::channel(BATCHES_BEHIND);
    let mut announcing = tokio::spawn({
        let (store, unannounced) = (store.clone(), unannounced.clone());
        async move {
            match is_durable {
                true => publisher::confirmed(store, queue, announcing).await,
                false => publisher::in_memory(queue, announcing, unannounced).await,
            }
        }
    });
    let mut requests = Vec::with_capacity(COMMIT_ROWS);
    let mut committing = FuturesOrdered::new();
    let mut is_open = true;
    while is_open || !requests.is_empty() || !committing.is_empty() {
        let has_room = committing.len() < COMMITS_AT_ONCE;
        if has_room && !requests.is_empty() {
            let batch = Batch::take(&mut requests, is_durable, &unannounced);
            committing.push_back(batch.commit(&*store));
            continue;
        }
        tokio::select! {
            biased;
            // In the order of acceptance, also when a later one is done before.
            Some((batch, outcome)) = committing.next() => {
                let accepted = outcome.iter().flatten().zip(&batch.rows);
                for (_, row) in accepted.filter(|(accepted, _)| **accepted) {
                    backlog.rows.fetch_add(1, Ordering::Relaxed);
                    backlog.bytes.fetch_add(row.payload.bytes.len() as u64, Ordering::Relaxed);
                }
                let announced = batch.answer(outcome, &unannounced);
                announce(&committed, is_durable, announced).await;
            }
            // It ends before us only by a panic. Without it, nothing in memory would ever be published.
            Err(ended) = &mut announcing => std::panic::resume_unwind(ended.into_panic()),
            taken = waiting.recv_many(&mut requests, COMMIT_ROWS), if has_room && is_open => {
                is_open = taken > 0;
            }
        }
    }
    drop(committing);
    drop(committed);
    let _ = announcing.await;
}

/// Requests that are committed together: the rows, and for each who waits for it.
struct Batch {
    rows: Vec<NewInvocation>,
    callers: Vec<(Arc<CachedFunction>, oneshot::Sender<Accepted>)>,
}

impl Batch {
    /// Takes as many of these requests as one commit may have.
    fn take(requests: &mut Vec<Request>, is_durable: bool, unannounced: &Unannounced) -> Self {
        let sizes = requests.iter().map(|request| request.row.payload.bytes.len());
        let count = fitting(sizes, COMMIT_ROWS, COMMIT_BYTES);
        let (mut rows, mut callers) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for Request { mut row, function, tell } in requests.drain(..count) {
            row.announcement = match is_durable {
                _ if unannounced.contains(row.function) => Announcement::LeftToSweeper,
                true => Announcement::ToBeNoted,
                false => Announcement::InMemory,
            };
            callers.push((function, tell));
            rows.push(row);
        }
        Self { rows, callers }
    }

    async fn commit(self, store: &dyn Invocations) -> (Self, Result<Vec<bool>, store::Error>) {
        let outcome = store.accept(&self.rows).await;
        (self, outcome)
    }

    /// Tells all what came of it. Returns what is to be published.
    fn answer(
        self,
        outcome: Result<Vec<bool>, store::Error>,
        unannounced: &Unannounced,
    ) -> Vec<(Announced, Arc<CachedFunction>)> {
        let waiting = self.rows.into_iter().zip(self.callers);
        let accepted = match outcome {
            Ok(accepted) => accepted,
            Err(error) => {
                let error = Arc::new(error);
                let is_open = matches!(*error, store::Error::UnknownFate { .. });
                for (row, (function, tell)) in waiting {
                    // If it is there, it says that it is published.
                    if is_open && row.announcement == Announcement::InMemory {
                        unannounced.refuse(Announced::due_first(row.id, &function));
                    }
                    let _ = tell.send(Err(error.clone()));
                }
                return Vec::new();
            }
        };
        let mut announced = Vec::with_capacity(accepted.len());
        for ((row, (function, tell)), accepted) in waiting.zip(accepted) {
            let _ = tell.send(Ok(accepted));
            if accepted && row.announcement != Announcement::LeftToSweeper {
                announced.push((Announced::of(row, &function), function));
            }
        }
        announced
    }
}

/// Nobody is refused because a broker is slow: what is not passed on here is due in a second.
async fn announce(
    committed: &mpsc::Sender<Committed>,
    is_durable: bool,
    rows: Vec<(Announced, Arc<CachedFunction>)>,
) {
    if rows.is_empty() {
        return;
    }
    let rows = Committed { rows, at: Instant::now() };
    // An error is the end of a task that ends only by a panic.
    match is_durable {
        true => drop(committed.try_send(rows)),
        false => drop(committed.send(rows).await),
    }
}

/// A row for the store.
pub fn row(
    id: InvocationId,
    function: &CachedFunction,
    input: Input,
    accepted_at: Timestamp,
) -> NewInvocation {
    let Input { payload, headers, http } = input;
    NewInvocation {
        id,
        function: function.id,
        name: function.name.clone(),
        payload,
        headers: serde_json::to_string(&headers.joined).expect("a map of strings is JSON"),
        http,
        accepted_at,
        parent: None,
        // Decided when it is committed.
        announcement: Announcement::LeftToSweeper,
    }
}
