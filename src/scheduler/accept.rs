//! Async invocations: committed together with whoever else is waiting (group commit), answered, and
//! then published; what cannot be published now is found by the sweeper.

use std::{
    collections::HashSet,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::functions::Known;
use crate::{
    http::chain,
    model::{
        Body, FunctionId, FunctionName, InvocationId, Mode, RevisionNumber,
        message::{self, Invoke, Parcel},
    },
    queue::{self, Address, Message, Queue},
    store::{self, NewInvocation, Store},
};

/// Rows in one commit, and requests that wait for the next one.
const BATCH: usize = 512;
/// Payloads in one commit, in bytes: the next one takes the rest.
const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// Publishes under way at once.
const PUBLISHES: usize = 256;

/// What the caller is told.
pub type Accepted = Result<bool, Arc<store::Error>>;

struct Request {
    row: NewInvocation,
    function: Arc<Known>,
    tell: oneshot::Sender<Accepted>,
}

pub struct Acceptor {
    requests: mpsc::Sender<Request>,
    /// Queued and retrying rows: as last counted, and accepted since.
    backlog: Arc<AtomicU64>,
    held: Arc<Held>,
}

/// Functions whose queue was full: who comes now must not overtake what waits in the store for room, and
/// is left to the sweeper, too.
#[derive(Default)]
struct Held(RwLock<HashSet<FunctionId>>);

impl Held {
    fn contains(&self, function: FunctionId) -> bool {
        self.0.read().expect("no holder panics").contains(&function)
    }
}

impl Acceptor {
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    pub fn set_backlog(&self, rows: u64) {
        self.backlog.store(rows, Ordering::Relaxed);
    }

    /// As the sweeper has just found them.
    pub fn hold(&self, functions: HashSet<FunctionId>) {
        *self.held.0.write().expect("no holder panics") = functions;
    }

    /// True once the row is on disk; false when its function is gone. An error says whether anything
    /// may have happened.
    pub async fn accept(&self, row: NewInvocation, function: Arc<Known>) -> Accepted {
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

/// The task ends when the acceptor is dropped and everything is committed and published.
pub fn start(store: Arc<dyn Store>, queue: Arc<dyn Queue>) -> (Acceptor, JoinHandle<()>) {
    let (requests, waiting) = mpsc::channel(BATCH);
    let backlog = Arc::new(AtomicU64::new(0));
    let held = Arc::new(Held::default());
    let task = tokio::spawn(run(store, queue, waiting, backlog.clone(), held.clone()));
    (Acceptor { requests, backlog, held }, task)
}

async fn run(
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    mut waiting: mpsc::Receiver<Request>,
    backlog: Arc<AtomicU64>,
    held: Arc<Held>,
) {
    let publishing = tokio_util::task::TaskTracker::new();
    let mut batch = Vec::with_capacity(BATCH);
    while !batch.is_empty() || waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut rows = Vec::with_capacity(batch.len());
        let mut callers = Vec::with_capacity(batch.len());
        for Request { row, function, tell } in batch.drain(..fitting(&batch)) {
            callers.push((Announced::of(&row, &function), function, tell));
            rows.push(row);
        }
        match store.accept(&rows).await {
            Ok(accepted) => {
                let mut announced = Vec::with_capacity(callers.len());
                let mut count = 0;
                for ((announce, function, tell), accepted) in callers.into_iter().zip(accepted) {
                    let _ = tell.send(Ok(accepted));
                    count += u64::from(accepted);
                    if accepted && !held.contains(announce.function) {
                        announced.push((announce, function));
                    }
                }
                backlog.fetch_add(count, Ordering::Relaxed);
                publishing.spawn(publish(store.clone(), queue.clone(), announced));
            }
            Err(error) => {
                let error = Arc::new(error);
                for (_, _, tell) in callers {
                    let _ = tell.send(Err(error.clone()));
                }
            }
        }
    }
    publishing.close();
    publishing.wait().await;
}

/// How many of these go into one commit: at least one.
fn fitting(batch: &[Request]) -> usize {
    let mut bytes = 0;
    let within = batch.iter().take_while(|request| {
        bytes += request.row.payload.bytes.len();
        bytes <= BATCH_BYTES
    });
    within.count().max(1)
}

/// What a message about an async invocation says; the payload stays in the store.
pub struct Announced {
    pub id: InvocationId,
    pub function: FunctionId,
    pub name: FunctionName,
    pub revision: RevisionNumber,
    pub accepted_at_ms: i64,
}

impl Announced {
    fn of(row: &NewInvocation, function: &Known) -> Self {
        Self {
            id: row.id,
            function: row.function,
            name: row.name.clone(),
            revision: function.revision,
            accepted_at_ms: row.accepted_at.as_millisecond(),
        }
    }

    pub fn message(self) -> (Address, Message) {
        let address = Address::Function(self.function, Mode::Async);
        let invoke = Invoke {
            v: message::VERSION,
            id: self.id,
            mode: Mode::Async,
            function: self.function,
            name: self.name,
            revision: self.revision,
            accepted_at_ms: self.accepted_at_ms,
            slot_deadline_ms: None,
            content_type: String::new(),
            headers: std::collections::BTreeMap::new(),
            reply_to: None,
        };
        (address, Message { parcel: Parcel::new(invoke, Bytes::new()), expires: None })
    }
}

async fn publish(store: Arc<dyn Store>, queue: Arc<dyn Queue>, announced: Vec<(Announced, Arc<Known>)>) {
    let published: Vec<Option<InvocationId>> = stream::iter(announced)
        .map(|(announce, function)| {
            let queue = queue.clone();
            async move {
                let id = announce.id;
                let (_, message) = announce.message();
                match super::invoke::publish(&*queue, &function, Mode::Async, message).await {
                    Ok(()) => Some(id),
                    Err(error) => {
                        // The sweeper will; the queue has said that it is lost.
                        tracing::debug!(invocation = %id, error = %chain(&error), "not published yet");
                        None
                    }
                }
            }
        })
        .buffer_unordered(PUBLISHES)
        .collect()
        .await;
    let published: Vec<InvocationId> = published.into_iter().flatten().collect();
    if let Err(error) = store.mark_published(&published).await {
        // They are published a second time then, which the claim makes harmless.
        tracing::debug!(error = %chain(&error), "publishing not noted");
    }
}

/// Publishes a row that the sweeper has found; a missing queue is declared.
pub async fn republish(queue: &dyn Queue, announced: Announced) -> Result<(), queue::Error> {
    let function = announced.function;
    let (address, message) = announced.message();
    match queue.publish(&address, message.clone()).await {
        Err(queue::Error::NoQueue(_)) => {
            queue.declare(function).await?;
            queue.publish(&address, message).await
        }
        other => other,
    }
}

/// How long a caller of a full platform is told to wait.
pub const OVERLOADED_RETRY: Duration = Duration::from_secs(5);

/// A row for the store.
pub fn row(
    function: &Known,
    payload: Body,
    headers: &std::collections::BTreeMap<String, String>,
) -> NewInvocation {
    NewInvocation {
        id: InvocationId::new(),
        function: function.id,
        name: function.name.clone(),
        payload,
        headers: serde_json::to_string(headers).expect("a map of strings is JSON"),
        accepted_at: jiff::Timestamp::now(),
        parent: None,
    }
}
