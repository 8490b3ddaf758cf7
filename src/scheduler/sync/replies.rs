//! The reply queue: private to this process, made anew whenever it is lost.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    pending::{Pending, Told},
    record::phases,
};
use crate::{
    error_chain::chain,
    lifecycle::Ending,
    model::{
        InvocationId,
        message::{Outcome, Parcel, Verdict},
    },
    queue::Address,
    scheduler::Scheduler,
};

/// Where replies are awaited; none while there is no broker.
#[derive(Default)]
pub struct ReplyAddress(RwLock<Option<String>>);

impl ReplyAddress {
    pub fn get(&self) -> Option<String> {
        self.0.read().expect("no holder panics").clone()
    }

    fn set(&self, address: Option<String>) {
        *self.0.write().expect("no holder panics") = address;
    }
}

/// Takes replies until `stop`. When the queue is lost all who wait are told at once: their replies
/// went with it.
pub async fn receive(scheduler: Arc<Scheduler>, stop: CancellationToken) {
    const RETRY: Duration = Duration::from_millis(500);
    let receiving = async {
        loop {
            let taker = scheduler.clone();
            match scheduler.queue.take_replies(Arc::new(move |parcel| take(&taker, parcel))).await {
                Ok((Address::Reply(address), taking)) => {
                    scheduler.replies.set(Some(address));
                    taking.await;
                    scheduler.replies.set(None);
                    tell_lost(&scheduler, scheduler.pending.take_all());
                }
                Ok((address, _)) => tracing::error!(?address, "no reply address"),
                Err(error) => tracing::debug!(error = %chain(&error), "no reply queue yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = receiving => {}
    }
}

fn take(scheduler: &Scheduler, parcel: &Parcel) {
    let (mut outcome, body) = match parcel.open::<Outcome>() {
        Ok(decoded) => decoded,
        Err(error) => return tracing::error!(%error, "reply dropped"),
    };
    if outcome.verdict == Verdict::Underway {
        scheduler.pending.with(outcome.id, |pending| pending.owner = outcome.owner);
        return;
    }
    // Another manager has it, and is not known to be lost: its word counts, or the end of its lease.
    let is_elsewhere = |pending: &mut Pending| pending.owner.is_some_and(|it| Some(it) != outcome.owner);
    if outcome.verdict == Verdict::Interrupted
        && scheduler.pending.with(outcome.id, is_elsewhere) == Some(true)
    {
        return tracing::debug!(invocation = %outcome.id, "it was delivered again, and runs elsewhere");
    }
    let Some(pending) = scheduler.pending.remove(outcome.id) else {
        return tracing::debug!(invocation = %outcome.id, "a reply that is no longer waited for");
    };
    outcome.phases = phases(&pending, &outcome);
    let Pending { arrival, tell, sync_slot, .. } = pending;
    scheduler.conclude(outcome.id, &arrival, Ok((&outcome, &body)));
    drop((arrival, sync_slot));
    // The caller may have hung up.
    let _ = tell.send(Told::Outcome(Box::new(outcome), body));
}

/// Tells those whose reply will not come.
pub fn tell_lost(scheduler: &Scheduler, lost: Vec<(InvocationId, Pending)>) {
    for (id, Pending { arrival, tell, sync_slot, .. }) in lost {
        scheduler.conclude(id, &arrival, Err(Ending::interrupted()));
        drop((arrival, sync_slot));
        let _ = tell.send(Told::Lost);
    }
}
