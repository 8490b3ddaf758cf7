//! The channels that consume. A broker allows some two thousand on a connection, and there may be far more consumers: so
//! those of the functions' queues share channels once there are many.
//!
//! ```text
//! consume ─▶ its turn ─▶ declared on a spare channel ─▶ begins on one of a pool:
//!                          │ refused: nobody else           fewer than CHANNELS: one of its own
//!                          ▼ was on that one                else: the one that is used least
//! ```
//!
//! **An error closes a channel with everything on it**, and what its consumers had in hand comes back with the mark of
//! messages that may have run. So what a broker may refuse, a queue that was declared differently, is tried on a channel
//! where no other's message is; and what begins on a shared one is declared there once more, in the same write: a queue
//! that was deleted in between would be an error, too.
//!
//! Sync and async queues have a pool each. The broker also closes a channel of which a message was not settled for half
//! an hour: an async one may wait that long for memory, a sync one has given up by then.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{FutureExt as _, try_join};
use lapin::{
    Channel,
    options::{BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::{super::ConsumeOptions, failure::BrokerFailure, topology::declare_queue, wire::Wire};
use crate::model::Mode;

/// The most channels of a pool. Up to that number every consumer has one to itself. For each frame that it writes, the
/// library looks at every channel of the connection.
const CHANNELS: u16 = 50;

/// The most consumers that begin at once; the others wait for their turn, and their time begins with it.
const STARTS: u16 = 16;

/// Channels of a connection that are none of the above: outcomes, builds.
const OTHERS: u16 = 6;

/// The consuming channels of one connection.
pub(super) struct Channels {
    sync: Pool,
    asynchronous: Pool,
    /// Channels that declare, and have nothing to do now.
    spare: StdMutex<Vec<Channel>>,
    turns: Arc<Semaphore>,
}

impl Channels {
    /// `most` is the number of channels that the broker allows on the connection.
    pub(super) fn new(most: u16) -> Self {
        let starts = STARTS.min(most / 4).max(1);
        let channels = CHANNELS.min(most.saturating_sub(starts + OTHERS) / 2).max(1);
        Self {
            sync: Pool::new(channels),
            asynchronous: Pool::new(channels),
            spare: StdMutex::default(),
            turns: Arc::new(Semaphore::new(starts.into())),
        }
    }

    /// Waits until a consumer may begin: until the permit is dropped.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        self.turns.clone().acquire_owned().await.expect("it is never closed")
    }

    /// Declares a queue where an error harms nobody else.
    pub(super) async fn declare(&self, wire: &Wire, queue: ShortString) -> Result<(), BrokerFailure> {
        let spare = self.lock_spare().pop().filter(|channel| channel.status().connected());
        let channel = match spare {
            Some(channel) => channel,
            None => wire.connection.create_channel().await?,
        };
        declare_queue(&channel, queue).await?;
        self.lock_spare().push(channel);
        Ok(())
    }

    /// Returns a channel for one more consumer of a function's queue.
    pub(super) async fn shared(
        &self,
        wire: &Arc<Wire>,
        mode: Mode,
    ) -> Result<Arc<OpenChannel>, BrokerFailure> {
        match mode {
            Mode::Sync => self.sync.channel(wire).await,
            Mode::Async => self.asynchronous.channel(wire).await,
        }
    }

    fn lock_spare(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pool {
    most: usize,
    /// Owned by the consumers on them, and by messages in hand.
    open: Mutex<Vec<Weak<OpenChannel>>>,
}

impl Pool {
    fn new(most: u16) -> Self {
        Self { most: most.into(), open: Mutex::default() }
    }

    async fn channel(&self, wire: &Arc<Wire>) -> Result<Arc<OpenChannel>, BrokerFailure> {
        let mut open = self.open.lock().await;
        open.retain(|channel| channel.upgrade().is_some_and(|channel| channel.status().connected()));
        if open.len() >= self.most {
            let least = open.iter().min_by_key(|channel| channel.strong_count());
            if let Some(channel) = least.and_then(Weak::upgrade) {
                return Ok(channel);
            }
        }
        // Others wait for it meanwhile: in the end there are no more than there may be.
        let channel = OpenChannel::open(wire).await?;
        open.push(Arc::downgrade(&channel));
        Ok(channel)
    }
}

/// A channel that closes when its last owner is gone.
pub(super) struct OpenChannel {
    channel: Channel,
    pub(super) wire: Arc<Wire>,
    /// The prefetch of consumers that begin; held while one does. None: it was never set.
    prefetch: Mutex<Option<u16>>,
    /// The tag up to which no delivery is in hand. More may be settled: those settled alone are not noted.
    settled: AtomicU64,
}

impl OpenChannel {
    pub(super) async fn open(wire: &Arc<Wire>) -> Result<Arc<Self>, BrokerFailure> {
        let channel = wire.connection.create_channel().await?;
        let (prefetch, settled) = (Mutex::default(), AtomicU64::new(0));
        Ok(Arc::new(Self { channel, wire: wire.clone(), prefetch, settled }))
    }

    /// Begins to consume a queue that was declared before.
    pub(super) async fn consume(
        &self,
        queue: ShortString,
        options: ConsumeOptions,
    ) -> Result<lapin::Consumer, BrokerFailure> {
        let mut prefetch = self.prefetch.lock().await;
        let wanted = options.prefetch.max(1);
        if *prefetch != Some(wanted) {
            self.basic_qos(wanted, BasicQosOptions::default()).await?;
            *prefetch = Some(wanted);
        }
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongInt(options.priority));
        let consume = BasicConsumeOptions::default();
        let (_, consumer) = try_join!(declare_queue(self, queue.clone()), async {
            Ok(self.basic_consume(queue, "".into(), consume, arguments).await?)
        })?;
        Ok(consumer)
    }

    pub(super) fn give_back(&self, tag: u64) {
        let options = BasicNackOptions { requeue: true, ..Default::default() };
        // On a channel that is closed it is back already.
        let _ = send_now(self.channel.basic_nack(tag, options));
    }

    /// Notes that the deliveries from `first` to `last` are settled, if all before them are: then one frame can ack
    /// them, which also acks everything that was handed out before.
    pub(super) fn settle_together(&self, first: u64, last: u64) -> bool {
        self.settled.compare_exchange(first - 1, last, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Deref for OpenChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for OpenChannel {
    /// Not left to the library, which keeps a channel open whose consumer was never handed out.
    fn drop(&mut self) {
        let _ = send_now(self.channel.close(200, "done".into()));
    }
}

/// Sends a request without waiting for its answer, or until it is written: the library queues the frame when the future
/// is first polled. On a channel that is closed it fails.
pub(super) fn send_now(request: impl Future<Output = lapin::Result<()>>) -> lapin::Result<()> {
    request.now_or_never().unwrap_or(Ok(()))
}
