//! Async invocations: committed together with whoever else is waiting (group commit), answered, and
//! then published (`publisher.rs`); what cannot be published now is found by the sweeper.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::publisher::{self, Announced, Committed, Unannounced};
use crate::{
    batch::fitting,
    model::{Body, FunctionId, InvocationId},
    queue::Queue,
    scheduler::{
        bounds::{BATCHES_BEHIND, COMMIT_BYTES, COMMIT_ROWS},
        function_cache::CachedFunction,
    },
    store::{self, Announcement, Due, Invocations, NewInvocation},
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
    /// Queued and retrying rows: as last counted, and accepted since.
    backlog: Arc<AtomicU64>,
    unannounced: Arc<Unannounced>,
}

impl Admission {
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    pub fn set_backlog(&self, rows: u64) {
        self.backlog.store(rows, Ordering::Relaxed);
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

    /// Functions whose queue the sweep has found full. Those of which a message was refused since it began
    /// stay unannounced, too.
    pub fn hold(&self, functions: HashSet<FunctionId>) {
        self.unannounced.hold(functions);
    }

    /// True once the row is on disk; false when its function is gone. An error says whether anything
    /// may have happened.
    pub async fn admit(&self, row: NewInvocation, function: Arc<CachedFunction>) -> Accepted {
        let (tell, told) = oneshot::channel();
        let gone = || {
            Arc::new(store::Error::Unavailable {
                address: "this scheduler".to_owned(),
                source: "it is stopping".into(),
            })
        };
        self.requests.send(Request { row, function, tell }).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

/// The task ends when the admission is dropped and everything is committed and published.
pub fn start(store: Arc<dyn Invocations>, queue: Arc<dyn Queue>) -> (Admission, JoinHandle<()>) {
    let (requests, waiting) = mpsc::channel(COMMIT_ROWS);
    let backlog = Arc::new(AtomicU64::new(0));
    let unannounced = Arc::new(Unannounced::default());
    let task = tokio::spawn(run(store, queue, waiting, backlog.clone(), unannounced.clone()));
    (Admission { requests, backlog, unannounced }, task)
}

async fn run(
    store: Arc<dyn Invocations>,
    queue: Arc<dyn Queue>,
    mut waiting: mpsc::Receiver<Request>,
    backlog: Arc<AtomicU64>,
    unannounced: Arc<Unannounced>,
) {
    let is_durable = queue.is_durable();
    let (committed, announcing) = mpsc::channel(BATCHES_BEHIND);
    let announcing = tokio::spawn({
        let (store, unannounced) = (store.clone(), unannounced.clone());
        async move {
            match is_durable {
                true => publisher::confirmed(store, queue, announcing).await,
                false => publisher::in_memory(queue, announcing, unannounced).await,
            }
        }
    });
    let mut batch = Vec::with_capacity(COMMIT_ROWS);
    while !batch.is_empty() || waiting.recv_many(&mut batch, COMMIT_ROWS).await > 0 {
        let mut rows = Vec::with_capacity(batch.len());
        let mut callers = Vec::with_capacity(batch.len());
        let sizes = batch.iter().map(|request| request.row.payload.bytes.len());
        let group = fitting(sizes, COMMIT_ROWS, COMMIT_BYTES);
        for Request { mut row, function, tell } in batch.drain(..group) {
            row.announcement = match is_durable {
                _ if unannounced.contains(row.function) => Announcement::LeftToSweeper,
                true => Announcement::ToBeNoted,
                false => Announcement::InMemory,
            };
            callers.push((function, tell));
            rows.push(row);
        }
        match store.accept(&rows).await {
            Ok(accepted) => {
                let mut announced = Vec::with_capacity(rows.len());
                let mut count = 0;
                for ((row, (function, tell)), accepted) in rows.iter().zip(callers).zip(accepted) {
                    let _ = tell.send(Ok(accepted));
                    count += u64::from(accepted);
                    if accepted && row.announcement != Announcement::LeftToSweeper {
                        announced.push((Announced::of(row, &function), function));
                    }
                }
                backlog.fetch_add(count, Ordering::Relaxed);
                announce(&committed, is_durable, announced).await;
            }
            Err(error) => {
                let error = Arc::new(error);
                let is_open = matches!(*error, store::Error::UnknownFate { .. });
                for (row, (function, tell)) in rows.iter().zip(callers) {
                    // If it is there, it says that it is published.
                    if is_open && row.announcement == Announcement::InMemory {
                        unannounced.refuse(Announced::due_first(row.id, &function));
                    }
                    let _ = tell.send(Err(error.clone()));
                }
            }
        }
    }
    drop(committed);
    let _ = announcing.await;
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
    function: &CachedFunction,
    payload: Body,
    headers: &BTreeMap<String, String>,
    accepted_at: Timestamp,
) -> NewInvocation {
    NewInvocation {
        id: InvocationId::new(),
        function: function.id,
        name: function.name.clone(),
        payload,
        headers: serde_json::to_string(headers).expect("a map of strings is JSON"),
        accepted_at,
        parent: None,
        // Decided when it is committed.
        announcement: Announcement::LeftToSweeper,
    }
}
