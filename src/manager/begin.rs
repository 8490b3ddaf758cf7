//! How work begins: async work is claimed when there is an instance for it, and not before. And what becomes of work that
//! cannot begin where it is.

use std::sync::Arc;

use super::{
    commands::{Command, Commands},
    retry::{PAUSE, give_back_later},
    shared::Shared,
    work::{Held, Run, Work},
};
use crate::{
    error_chain::chain,
    model::message::Verdict,
    store::{Claiming, Wanted},
};

/// The most instances that a piece of work is handed to.
const HANDED: u8 = 3;

/// Claims async work for an instance that is ready to run it. Returns `None` if the claim was not granted; the work is
/// then settled, or its message comes back later. No async work runs without a claim.
pub async fn claim(mut work: Work, shared: &Arc<Shared>, commands: &Commands) -> Option<Work> {
    if !work.needs_claim() {
        return Some(work);
    }
    let wanted = Wanted { id: work.invoke.id, revision: work.revision.number };
    let in_hand = shared.in_hand.take(work.invoke.id);
    // None: the manager has stopped; the message goes to somebody else.
    let (answer, life) = shared.claims.take(wanted).await?;
    match answer {
        Ok(Claiming::Granted(claim)) => {
            work.invoke.content_type = claim.payload.content_type;
            work.invoke.headers = serde_json::from_str(&claim.headers).unwrap_or_default();
            work.payload = claim.payload.bytes;
            let (attempt, token) = (claim.attempt, claim.token);
            let (failures, losses) = (claim.failures, claim.losses);
            work.claim = Some(Held { attempt, token, failures, losses, life, _in_hand: in_hand });
            return Some(work);
        }
        Ok(Claiming::Refused) => drop(work.delivery.ack().await),
        Ok(Claiming::Moved(_)) => admit_again(work, shared, commands),
        Ok(Claiming::NoLease) => {
            shared.lives.doubt();
            give_back_later(work, shared);
        }
        Err(error) => {
            tracing::warn!(invocation = %work.invoke.id, error = %chain(&error), "claim failed");
            give_back_later(work, shared);
        }
    }
    None
}

/// Queues the work again for the revision that is active now. If the function was deleted, the message is acked, as the
/// deletion has ended the invocation.
pub fn admit_again(mut work: Work, shared: &Arc<Shared>, commands: &Commands) {
    let (shared, commands) = (shared.clone(), commands.clone());
    shared.tracker.clone().spawn(async move {
        match shared.store.active_function(work.invoke.function).await {
            Ok(Some(active)) => {
                work.revision = shared.revisions.keep(active.revision);
                let _ = commands.send(Command::Work(Box::new(work)));
            }
            Ok(None) => drop(work.delivery.ack().await),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the active revision was not read");
                give_back_later(work, &shared);
            }
        }
    });
}

/// Queues work again whose instance had ended before it began. After [`HANDED`] such instances the attempt ends as not
/// run, so that a function whose instances keep ending does not keep the host busy.
pub async fn hand_on(mut work: Work, shared: &Arc<Shared>, commands: &Commands) {
    work.handed += 1;
    if work.handed < HANDED {
        let _ = commands.send(Command::Work(Box::new(work)));
    } else if let Some(work) = claim(work, shared, commands).await {
        did_not_begin(work, shared).await;
    }
}

/// Settles claimed work whose instance ended before it began.
pub async fn did_not_begin(work: Work, shared: &Arc<Shared>) {
    let reason = "the instance ended before it began".to_owned();
    let verdict = Verdict::NotRun { reason, throttled: false, delay: PAUSE };
    work.settle(shared, Run::without_instance(verdict)).await;
}
