//! One function is flooded, another one's callers should hardly notice.

use std::time::Duration;

use super::Run;
use crate::{
    names::{EMBEDDED_DOCKER, FOUR_PROCESSES, NEIGHBOUR, flooded, quiet},
    platform::{DOCKER, FOUR},
    series::count,
};

const CALLS: usize = 1000;
/// Of the other function: queued before, and callers who go on all the time.
const QUEUED: usize = 5000;
const CLIENTS: usize = 64;
/// Of the time beside the flood: fewer calls than wanted fit into it when each waits long.
const LIMIT: Duration = Duration::from_secs(10);

pub async fn round(run: &mut Run) {
    for (name, setup) in [(EMBEDDED_DOCKER, DOCKER), (FOUR_PROCESSES, FOUR)] {
        if !run.wants(NEIGHBOUR, name) {
            continue;
        }
        let calls = run.options.samples(CALLS);
        let up = run.stage.platform(setup).await;
        let (one, other) = (up.once("quiet").await, up.once("noisy").await);
        let (one, other) = (up.endpoint(&one), up.endpoint(&other));
        other.alone(1).await;
        let alone = one.alone(calls).await;
        other.clone().asynchronous().share(CLIENTS, QUEUED).await;
        let callers = other.flood(CLIENTS).await;
        let beside = one.alone_within(calls, LIMIT).await;
        let left = up.totals().await.queued;
        drop(callers);
        up.wait_for_all().await;
        run.figures.times(NEIGHBOUR, &quiet(name), alone);
        run.figures.times(NEIGHBOUR, &flooded(name), beside);
        let row = format!("{name}: of {QUEUED} async, still queued at the end");
        #[expect(clippy::cast_possible_truncation)]
        run.figures.value(NEIGHBOUR, &row, "queued", count(left as usize));
    }
}
