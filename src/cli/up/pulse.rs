//! Notices a role that runs and does not answer any more: one that hangs, or was stopped by a signal.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{app::Role, local::probe::Prober};

const EVERY: Duration = Duration::from_secs(5);
/// The pause until the role has answered for the first time. One that hangs sooner after its start than this is taken for one
/// that still starts.
const AT_FIRST: Duration = Duration::from_millis(100);
/// The number of questions in a row without an answer. Questions are counted, not time: a machine that slept has asked
/// nothing meanwhile.
const QUESTIONS: u32 = 6;
/// The time in which they are asked.
pub const SILENCE: Duration = EVERY.saturating_mul(QUESTIONS);

/// Returns once a role that has answered before is silent for [`SILENCE`]. One that starts may wait for its store.
pub async fn silent(prober: &Prober, role: Role) {
    while !prober.answers(role, EVERY).await {
        sleep(AT_FIRST).await;
    }
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    while unanswered < QUESTIONS {
        ticks.tick().await;
        unanswered = if prober.answers(role, EVERY).await { 0 } else { unanswered + 1 };
    }
}
