//! The figures of one replay.

use std::time::Duration;

use cloudfunc::model::Start;
use serde::Serialize;

use super::{
    simulate::{Done, Replayed},
    trace::Trace,
};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub invocations: usize,
    /// Neither cold nor warm: nothing became free in time, or the platform failed.
    pub not_run: usize,
    /// Of those that ran.
    pub cold_ratio: f64,
    /// (wait + start + run) / run, of those that ran.
    pub slowdown_p50: f64,
    pub slowdown_p99: f64,
    /// Known in virtual time only.
    pub evictions: Option<u64>,
    pub idle_gib_seconds: Option<f64>,
}

impl Summary {
    pub fn of_replayed(trace: &Trace, replayed: &Replayed) -> Self {
        Self {
            evictions: Some(replayed.evictions),
            idle_gib_seconds: Some(replayed.idle_gib_seconds),
            ..Self::of_calls(trace, &replayed.calls)
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn of_calls(trace: &Trace, calls: &[Done]) -> Self {
        let ran = || trace.calls.iter().zip(calls).filter(|(_, done)| done.start.is_some());
        let cold = ran().filter(|(_, done)| done.start == Some(Start::Cold)).count();
        let mut slowdowns: Vec<f64> =
            ran().map(|(call, done)| done.total.as_secs_f64() / call.run.as_secs_f64()).collect();
        slowdowns.sort_by(f64::total_cmp);
        Self {
            invocations: calls.len(),
            not_run: calls.len() - slowdowns.len(),
            cold_ratio: cold as f64 / (slowdowns.len().max(1)) as f64,
            slowdown_p50: percentile(&slowdowns, 0.5),
            slowdown_p99: percentile(&slowdowns, 0.99),
            evictions: None,
            idle_gib_seconds: None,
        }
    }

    /// One cell per heading of [`HEADINGS`].
    pub fn cells(&self) -> Vec<String> {
        let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            format!("{:.1} %", 100.0 * self.cold_ratio),
            format!("{:.2}", self.slowdown_p50),
            format!("{:.2}", self.slowdown_p99),
            self.not_run.to_string(),
            known(self.evictions.map(|count| count.to_string())),
            known(self.idle_gib_seconds.map(|sum| format!("{sum:.0}"))),
        ]
    }
}

pub const HEADINGS: [&str; 6] = ["cold", "slowdown p50", "p99", "not run", "evictions", "idle GiB·s"];

/// Of sorted values: the least that is not exceeded by that share of them.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle one; none of none.
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
