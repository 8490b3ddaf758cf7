//! Notices a role that runs and does not answer any more: one that hangs, or was stopped by a signal.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{app::Role, local::probe::Prober};

const EVERY: Duration = Duration::from_secs(5);
/// The number of questions in a row without an answer. Questions are counted, not time: a machine that slept has asked
/// nothing meanwhile.
const QUESTIONS: u32 = 6;
/// The time in which they are asked.
pub const SILENCE: Duration = EVERY.saturating_mul(QUESTIONS);

/// Returns once the role has been silent for [`SILENCE`]. One that does not listen yet is not silent.
pub async fn lost(prober: &Prober, role: Role) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    while unanswered < QUESTIONS {
        ticks.tick().await;
        unanswered = if prober.is_silent(role, EVERY).await { unanswered + 1 } else { 0 };
    }
}
