//! Large packages on their way into the store: another function's accepts, and the memory that it takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::Run;
use crate::{
    load::Endpoint,
    machine,
    names::{EMBEDDED_DOCKER, FOUR_PROCESSES, STORING, STORING_MEMORY, quiet, storing},
    platform::{DOCKER, FOUR},
    wheels,
};

const QUIET: usize = 1000;
/// More than can be made in one look.
const MOST: usize = 10_000;
/// The packages: so many modules of so many bytes each, near the limit of all together.
const MODULES: usize = 400;
const BYTES: usize = 1_200_000;
/// The limit of the one function's call, longer than all of it.
const BUSY: Duration = Duration::from_secs(180);

pub async fn round(run: &mut Run) {
    let calls = run.options.samples(QUIET);
    for (name, setup) in [(EMBEDDED_DOCKER, DOCKER), (FOUR_PROCESSES, FOUR)] {
        if !run.wants(STORING, name) {
            continue;
        }
        let up = run.stage.platform(setup).await;
        let busy = up.busy("accepting", BUSY).await;
        let endpoint = up.endpoint(&busy).asynchronous();
        wheels::make(&up.wheels(), "large", "1", MODULES, BYTES);
        let before = endpoint.alone(calls).await;
        let memory = machine::resident_mib(up.pid());
        // What is installed competes for the processors as any build does; what is meant is what comes after it.
        let (begun, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let watched = tokio::spawn(watch(endpoint, up.pid(), begun.clone(), ended.clone()));
        let files =
            [("function.py", "def handler(event):\n    return 1\n"), ("requirements.txt", "large==1\n")];
        let progress = |line: &str| {
            if line.starts_with("storing the packages") {
                begun.store(true, Ordering::Relaxed);
            }
        };
        let stored = up.deploy_files("large", &files, progress).await;
        ended.store(true, Ordering::Relaxed);
        let (times, most) = watched.await.unwrap();
        assert!(!times.is_empty(), "nothing was accepted meanwhile");
        up.delete(&stored).await;
        up.delete(&busy).await;
        run.figures.times(STORING, &quiet(name), before);
        run.figures.times(STORING, &storing(name), times);
        if setup == DOCKER {
            run.figures.value(STORING, STORING_MEMORY, "MiB", most - memory);
        }
    }
}

/// Calls from when it has begun until it has ended, with the most memory that was seen.
async fn watch(
    endpoint: Endpoint,
    pid: u32,
    begun: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
) -> (Vec<Duration>, f64) {
    while !begun.load(Ordering::Relaxed) && !ended.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut times, mut most) = (Vec::new(), machine::resident_mib(pid));
    while !ended.load(Ordering::Relaxed) {
        times.extend(endpoint.alone_within(MOST, Duration::from_millis(200)).await);
        most = most.max(machine::resident_mib(pid));
    }
    (times, most)
}
