//! Many functions at once, each for the first time.

use super::Run;
use crate::{
    names::{BURST, BURST_SETUPS, BURST_SIZE, bare_burst, errors},
    series::count,
};

/// How many containers may be asked for at once. The first round looks for the best, the others repeat that.
pub const AT_ONCE: [usize; 4] = [1, 2, 4, 8];

pub async fn round(run: &mut Run) {
    let measured = |run: &Run, at_once: &usize| run.figures.number(BURST, &bare_burst(*at_once));
    let mut best: Vec<usize> =
        AT_ONCE.into_iter().filter(|at_once| measured(run, at_once).is_some()).collect();
    best.sort_by(|one, other| {
        f64::total_cmp(&measured(run, one).unwrap(), &measured(run, other).unwrap())
    });
    best.truncate(1);
    for at_once in if best.is_empty() { AT_ONCE.to_vec() } else { best } {
        let name = bare_burst(at_once);
        if run.wants(BURST, &name) {
            let time = run.stage.engine().await.burst(BURST_SIZE, at_once).await;
            run.figures.value(BURST, &name, "s", time.as_secs_f64());
        }
    }
    for (name, setup) in BURST_SETUPS {
        if run.wants(BURST, name) {
            let (time, failed) = run.stage.platform(setup).await.burst(BURST_SIZE).await;
            if let Some(first) = failed.first() {
                eprintln!("{name}: {} of {BURST_SIZE} failed, the first one: {first}", failed.len());
            }
            run.figures.value(BURST, name, "s", time.as_secs_f64());
            run.figures.value(BURST, &errors(name), "errors", count(failed.len()));
        }
    }
}
