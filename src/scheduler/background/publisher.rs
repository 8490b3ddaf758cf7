//! Messages about async invocations that were accepted: they say the id, and the payload stays in the store.
//!
//! ```text
//! committed ─▶ a queue in memory: in order; such a row counts as published since its commit
//!          │     └─ refused ─▶ it is noted in `Unannounced`, and the sweeper takes the note back
//!          └─▶ a broker: confirmed, and noted a moment later, many at once
//!                └─ not confirmed, or not noted ─▶ it is due after a second: the sweeper
//! ```

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    error_chain::chain,
    model::{
        FunctionId, FunctionName, InvocationId, Mode, RevisionNumber,
        message::{self, Invoke, Parcel},
    },
    queue::{self, Address, Message, Queue},
    scheduler::{bounds::PUBLISHES, cached_function::CachedFunction, sync::invoke},
    store::{Due, Invocations, NewInvocation},
};

/// Ids are collected for this long, from the first confirm, before it is noted that they were published: what has
/// been claimed by then needs no note, and the rest goes into few statements.
const COLLECT: Duration = Duration::from_millis(250);
/// What has been committed for this long is left to the sweeper, for whom it is due after the store's second: with
/// its note it would come too late for that, and be published twice.
const LATE: Duration = Duration::from_millis(600);
/// Notes in one statement: a store with one writer has accepts waiting meanwhile.
const NOTES: usize = 1000;

/// A batch of the admission.
pub struct Committed {
    pub rows: Vec<(Announced, Arc<CachedFunction>)>,
    pub at: Instant,
}

/// What a message about an async invocation says.
pub struct Announced {
    pub id: InvocationId,
    pub function: FunctionId,
    pub name: FunctionName,
    pub revision: RevisionNumber,
    pub accepted_at_ms: i64,
}

impl Announced {
    pub fn of(row: NewInvocation, function: &CachedFunction) -> Self {
        Self {
            id: row.id,
            function: row.function,
            name: row.name,
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
            slot_left_ms: None,
            content_type: String::new(),
            headers: std::collections::BTreeMap::new(),
            header_list: None,
            http: None,
            reply_to: None,
        };
        (address, Message { parcel: Parcel::new(invoke, Bytes::new()), expires: None })
    }

    /// As the sweeper takes it back: before everything else that waits, in the order of acceptance.
    pub fn due_first(id: InvocationId, function: &CachedFunction) -> Due {
        Due {
            id,
            function: function.id,
            name: function.name.clone(),
            active_revision: function.revision,
            accepted_at: Timestamp::UNIX_EPOCH,
            due_at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// Functions whose queue in memory was full: who comes now must not overtake what waits in the store for
/// room, and is left to the sweeper, too.
#[derive(Default)]
pub struct Unannounced(Mutex<UnannouncedState>);

#[derive(Default)]
struct UnannouncedState {
    functions: HashSet<FunctionId>,
    /// Those of them that were found full since the last sweep began.
    fresh: HashSet<FunctionId>,
    /// What counts as published, and was not.
    refused: Vec<Due>,
}

impl Unannounced {
    pub fn contains(&self, function: FunctionId) -> bool {
        self.lock().functions.contains(&function)
    }

    pub fn take_refused(&self) -> Vec<Due> {
        let mut state = self.lock();
        state.fresh.clear();
        std::mem::take(&mut state.refused)
    }

    pub fn put_back(&self, rows: Vec<Due>) {
        self.lock().refused.extend(rows);
    }

    pub fn held(&self) -> Vec<FunctionId> {
        self.lock().functions.iter().copied().collect()
    }

    pub fn hold(&self, functions: HashSet<FunctionId>) {
        let mut state = self.lock();
        state.functions = functions;
        let UnannouncedState { functions, fresh, .. } = &mut *state;
        functions.extend(fresh.iter());
    }

    pub fn refuse(&self, row: Due) {
        let mut state = self.lock();
        state.functions.insert(row.function);
        state.fresh.insert(row.function);
        state.refused.push(row);
    }

    fn lock(&self) -> MutexGuard<'_, UnannouncedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes to a queue of this process, which takes a message or refuses it, and never has one wait.
pub async fn in_memory(
    queue: Arc<dyn Queue>,
    mut committed: mpsc::Receiver<Committed>,
    unannounced: Arc<Unannounced>,
) {
    while let Some(batch) = committed.recv().await {
        for (announced, function) in batch.rows {
            let id = announced.id;
            // Since its commit one before it was refused.
            if unannounced.contains(function.id) {
                unannounced.refuse(Announced::due_first(id, &function));
                continue;
            }
            let (_, message) = announced.message();
            if let Err(error) = invoke::publish(&*queue, &function, Mode::Async, message).await {
                tracing::debug!(invocation = %id, error = %chain(&error), "not published yet");
                unannounced.refuse(Announced::due_first(id, &function));
            }
        }
    }
}

/// Publishes to a broker. What it does not confirm is due soon, and the queue has said that it is lost.
pub async fn confirmed(
    store: Arc<dyn Invocations>,
    queue: Arc<dyn Queue>,
    mut committed: mpsc::Receiver<Committed>,
) {
    let (published, to_note) = mpsc::unbounded_channel();
    let publishing = async move {
        stream::poll_fn(|context| committed.poll_recv(context))
            .flat_map(|batch| stream::iter(batch.rows).map(move |row| (row, batch.at)))
            .for_each_concurrent(PUBLISHES, async |((announced, function), at)| {
                if at.elapsed() >= LATE {
                    return;
                }
                let id = announced.id;
                let (_, message) = announced.message();
                match invoke::publish(&*queue, &function, Mode::Async, message).await {
                    Ok(()) => drop(published.send(id)),
                    Err(error) => {
                        tracing::debug!(invocation = %id, error = %chain(&error), "not published yet");
                    }
                }
            })
            .await;
        drop(published);
    };
    tokio::join!(publishing, note(store, to_note));
}

async fn note(store: Arc<dyn Invocations>, mut published: mpsc::UnboundedReceiver<InvocationId>) {
    while let Some(first) = published.recv().await {
        sleep(COLLECT).await;
        let mut ids = vec![first];
        while let Ok(id) = published.try_recv() {
            ids.push(id);
        }
        for ids in ids.chunks(NOTES) {
            if let Err(error) = store.mark_published(ids).await {
                // They are published a second time then, which the claim makes harmless.
                tracing::debug!(error = %chain(&error), "publishing not noted");
            }
        }
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
