//! Sync callers who are told that their invocation is in the hands of a manager, or was in those of a lost one.

use std::time::{Duration, Instant};

use super::{super::work, Dispatcher};
use crate::{
    model::{
        InvocationId, RevisionNumber,
        message::{Invoke, Verdict},
    },
    queue::Delivery,
};

/// A sync invocation that has not ended after this long is reported as under way.
const AFTER: Duration = Duration::from_secs(1);
/// And again, since a word may be lost on its way.
const AGAIN: Duration = Duration::from_secs(2);
/// How often such invocations are looked for, while there is any sync work at all.
pub(super) const CHECK: Duration = Duration::from_millis(500);
/// Another manager that still has a message says so within this time ([`AFTER`], looked for every
/// [`CHECK`], and the way), or has answered by then.
const WORD_OF_OTHERS: Duration = Duration::from_secs(2);
/// A sync invocation that waits or runs here, whose caller may have to be told that it takes longer.
pub(super) struct AwaitedReply {
    pub id: InvocationId,
    pub revision: RevisionNumber,
    pub reply_to: String,
    pub taken: Instant,
    /// When the caller's scheduler was told last.
    pub told: Option<Instant>,
}

impl Dispatcher {
    pub(super) fn tell_underway(&mut self) {
        let is_late = |awaited: &&mut AwaitedReply| match awaited.told {
            None => awaited.taken.elapsed() >= AFTER,
            Some(told) => told.elapsed() >= AGAIN,
        };
        let mut replies = Vec::new();
        for awaited in self.awaited.values_mut().filter(is_late) {
            awaited.told = Some(Instant::now());
            let AwaitedReply { id, revision, .. } = *awaited;
            let reply = work::bare_reply(&self.shared, id, revision, Verdict::Underway);
            replies.push((Some(awaited.reply_to.clone()), reply));
        }
        if replies.is_empty() {
            return;
        }
        self.beside(|shared| async move {
            for (to, reply) in replies {
                work::reply(&shared, to, reply).await;
            }
        });
    }

    /// The broker gives back what is in hand when it loses our connection, and what is in the hands of a manager
    /// that it has lost. Ours goes on, and its own answer is the true one. Of the other it is not known whether
    /// it ran: its caller is told so, after a pause in which whoever still has it can say that.
    pub(super) fn redelivered(&mut self, invoke: Invoke, delivery: Delivery) {
        let is_ours = self.awaited.values().any(|awaited| awaited.id == invoke.id);
        let verdict = if is_ours { Verdict::Underway } else { Verdict::Interrupted };
        tracing::debug!(invocation = %invoke.id, ?verdict, "delivered again");
        let reply = work::bare_reply(&self.shared, invoke.id, invoke.revision, verdict);
        let stop = self.stop.clone();
        self.beside(move |shared| async move {
            if !is_ours {
                let _ = tokio::time::timeout(WORD_OF_OTHERS, stop.cancelled()).await;
            }
            drop(delivery.ack().await);
            work::reply(&shared, invoke.reply_to, reply).await;
        });
    }
}
