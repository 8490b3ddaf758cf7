//! What a platform takes that has nothing to do: started afresh, 20 functions with an instance each.

use std::time::{Duration, Instant};

use super::Run;
use crate::{
    machine,
    names::{IDLE, IDLE_CPU, IDLE_MEMORY},
    platform::DOCKER,
};

const FUNCTIONS: usize = 20;
/// The kernel counts processor time in ticks of 10 ms: a thousandth of this.
const LENGTH: Duration = Duration::from_secs(10);

pub async fn measure(run: &mut Run) {
    let length = run.options.length(LENGTH);
    let rounds = run.options.rounds;
    let up = run.stage.platform(DOCKER).await;
    up.warm(FUNCTIONS).await;
    let mut figures = Vec::new();
    for _ in 0..rounds {
        let (begun, before) = (Instant::now(), machine::cpu_time(up.pid()));
        tokio::time::sleep(length).await;
        let used = machine::cpu_time(up.pid()).saturating_sub(before);
        let share = 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64();
        figures.push((share, machine::resident_mib(up.pid())));
    }
    // The other rows get one without these functions.
    run.stage.stop(DOCKER).await;
    for (share, mib) in figures {
        run.figures.value(IDLE, IDLE_CPU, "% of a core", share);
        run.figures.value(IDLE, IDLE_MEMORY, "MiB", mib);
    }
}
