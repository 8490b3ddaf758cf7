//! Writing behind: items that nobody waits for, stored in batches by a task of their own.
//!
//! ```text
//!  reserve ─▶ send ─▶ waiting, bounded in items and bytes ─▶ batch ─▶ stored, or lost after an outage
//!     │ no room: the caller drops and counts                            └─▶ told: Destination::settled
//! ```
//!
//! A crash loses what waits. A stop closes the writer, which then stores what is there and ends.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::{
        Notify,
        mpsc::{self, Permit},
    },
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    budget::{Budget, WRITTEN_BEHIND},
    error_chain::chain,
};

/// Pauses between the attempts to store a batch.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Bounds of one writer. Besides these at most [`WRITTEN_BEHIND`] bytes wait.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Items that wait.
    pub waiting: usize,
    /// Items that are stored together.
    pub batch: usize,
    /// Bytes that are stored together; the last item may go over it.
    pub batch_bytes: usize,
    /// An item is on its way to the store after at most this time, or as soon as a batch is full. Those that come
    /// meanwhile wake nobody up.
    pub delay: Duration,
}

/// Where the items go.
#[async_trait]
pub trait Destination: Send + Sync + 'static {
    type Item: Send + Sync + 'static;
    type Error: Error + Send + Sync + 'static;

    /// For the log: `records`.
    const WHAT: &'static str;

    /// Attempts to store a batch; then it is lost. With their pauses, 13 to 26 s, these outlast a short outage.
    const ATTEMPTS: u32 = 8;

    /// Bytes of memory that an item takes.
    fn size(item: &Self::Item) -> usize;

    /// Stores them together.
    async fn store(&self, batch: &[Self::Item]) -> Result<(), Self::Error>;

    /// Returns whether trying again may help.
    fn is_transient(error: &Self::Error) -> bool;

    /// A batch is stored, or lost. `is_last`: nothing else waits at the moment.
    async fn settled(&mut self, batch: Vec<Self::Item>, is_stored: bool, is_last: bool);

    /// The writer ends: everything is stored or lost.
    async fn ended(&mut self) {}
}

/// The way in. Cheap to clone; never waits.
pub struct WriteBehind<T> {
    items: mpsc::Sender<T>,
    bounds: Bounds,
    budget: Arc<Budget>,
    /// A batch is full.
    full: Arc<Notify>,
    closed: CancellationToken,
}

impl<T> Clone for WriteBehind<T> {
    fn clone(&self) -> Self {
        let Self { items, bounds, budget, full, closed } = self;
        let (items, budget, full) = (items.clone(), budget.clone(), full.clone());
        Self { items, bounds: *bounds, budget, full, closed: closed.clone() }
    }
}

/// Room for one item. Dropped unused, it is free again.
pub struct Room<'a, T> {
    permit: Option<Permit<'a, T>>,
    writer: &'a WriteBehind<T>,
    bytes: usize,
}

impl<T> Room<'_, T> {
    /// Sends an item of that size.
    pub fn send(mut self, item: T) {
        if let Some(permit) = self.permit.take() {
            permit.send(item);
            let WriteBehind { bounds, budget, full, .. } = self.writer;
            if self.writer.waiting() >= bounds.batch || budget.taken() >= bounds.batch_bytes {
                full.notify_one();
            }
        }
    }
}

impl<T> Drop for Room<'_, T> {
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.writer.budget.give_back(self.bytes);
        }
    }
}

impl<T> WriteBehind<T> {
    /// Room for an item of that size ([`Destination::size`]); none when a bound is reached, or after a close.
    pub fn reserve(&self, bytes: usize) -> Option<Room<'_, T>> {
        if !self.budget.take(bytes) {
            return None;
        }
        let permit = self.items.try_reserve().ok();
        if permit.is_none() {
            self.budget.give_back(bytes);
        }
        permit.map(|permit| Room { permit: Some(permit), writer: self, bytes })
    }

    /// Lets the writer end once it has stored what is there; there is no room from now on.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Items that are not stored yet, apart from those being stored.
    pub fn waiting(&self) -> usize {
        self.items.max_capacity() - self.items.capacity()
    }
}

/// Starts a writer. Its task ends when it was closed, or every way in is dropped, and everything is stored.
pub fn start<D: Destination>(bounds: Bounds, destination: D) -> (WriteBehind<D::Item>, JoinHandle<()>) {
    let (items, waiting) = mpsc::channel(bounds.waiting);
    let budget = Arc::new(Budget::new(WRITTEN_BEHIND));
    let (full, closed) = (Arc::<Notify>::default(), CancellationToken::new());
    let writer = WriteBehind {
        items,
        bounds,
        budget: budget.clone(),
        full: full.clone(),
        closed: closed.clone(),
    };
    let task = tokio::spawn(run(bounds, destination, waiting, budget, full, closed));
    (writer, task)
}

async fn run<D: Destination>(
    bounds: Bounds,
    mut destination: D,
    mut waiting: mpsc::Receiver<D::Item>,
    budget: Arc<Budget>,
    full: Arc<Notify>,
    closed: CancellationToken,
) {
    loop {
        let first = tokio::select! {
            biased;
            first = waiting.recv() => first,
            // What is in the channel is still read, and then it is at its end.
            () = closed.cancelled(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
        };
        let Some(first) = first else { return destination.ended().await };
        // Lets a batch accumulate, see `Bounds::delay`; of a backlog there is one already.
        if waiting.len() < bounds.batch {
            tokio::select! {
                () = tokio::time::sleep(bounds.delay) => {}
                () = full.notified() => {}
                () = closed.cancelled() => {}
            }
        }
        let (batch, bytes) = collect::<D>(bounds, first, &mut waiting);
        let is_stored = store(&destination, &batch).await;
        budget.give_back(bytes);
        destination.settled(batch, is_stored, waiting.is_empty()).await;
    }
}

/// A batch of what is there, which begins with `first`, and its bytes.
fn collect<D: Destination>(
    bounds: Bounds,
    first: D::Item,
    waiting: &mut mpsc::Receiver<D::Item>,
) -> (Vec<D::Item>, usize) {
    let mut bytes = D::size(&first);
    let mut batch = vec![first];
    while batch.len() < bounds.batch
        && bytes < bounds.batch_bytes
        && let Ok(item) = waiting.try_recv()
    {
        bytes += D::size(&item);
        batch.push(item);
    }
    (batch, bytes)
}

/// Tries for as long as the destination wants; false when the batch is lost then.
async fn store<D: Destination>(destination: &D, batch: &[D::Item]) -> bool {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut attempt = 1;
    loop {
        match destination.store(batch).await {
            Ok(()) => return true,
            Err(error) if D::is_transient(&error) && attempt < D::ATTEMPTS => backoff.pause().await,
            Err(error) => {
                tracing::warn!(count = batch.len(), error = %chain(&error), "{} not stored", D::WHAT);
                return false;
            }
        }
        attempt += 1;
    }
}
