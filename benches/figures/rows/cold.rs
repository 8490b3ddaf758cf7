//! Cold starts: what the engine takes for one, and whole first requests.

use cloudfunc::model::Network;

use super::Run;
use crate::{
    docker,
    names::{BARE_BRIDGE, BARE_LOAD, BARE_NONE, BARE_OCI, COLD, COLD_PACKAGES, COLD_SETUPS, DOCKER_RUN},
    platform::Cold,
    series::count,
    wheels,
};

/// Samples of a row in a round; three rounds make 60.
const STARTS: usize = 20;
/// The files of the packages that functions have and do not import.
const FILES: usize = 5000;

pub async fn round(run: &mut Run) {
    let starts = run.options.samples(STARTS);
    if run.wants(COLD, DOCKER_RUN) {
        let times = tokio::task::spawn_blocking(move || docker::runs(starts)).await.unwrap();
        run.figures.times(COLD, DOCKER_RUN, times);
    }
    for (name, network) in [(BARE_NONE, Network::None), (BARE_BRIDGE, Network::Egress)] {
        if run.wants(COLD, name) {
            let times = run.stage.engine().await.starts(starts, network).await;
            run.figures.times(COLD, name, times);
        }
    }
    if run.wants(COLD, BARE_LOAD) {
        let times = run.stage.engine().await.loads(starts).await;
        run.figures.times(COLD, BARE_LOAD, times);
    }
    if run.wants(COLD, BARE_OCI) {
        let times = run.stage.oci().starts(starts).await;
        run.figures.times(COLD, BARE_OCI, times);
    }
    for (name, setup) in COLD_SETUPS {
        if run.wants(COLD, name) {
            let cold = run.stage.platform(setup).await.cold(starts, "").await;
            add(run, COLD, name, cold);
        }
    }
    for (name, setup) in COLD_PACKAGES {
        if run.wants(COLD, name) {
            let up = run.stage.platform(setup).await;
            wheels::make(&up.wheels(), "many", "1", FILES, 100);
            let cold = up.cold(starts, "many==1\n").await;
            add(run, COLD, name, cold);
        }
    }
}

/// The times; the share of prewarmed hits; and each phase as times of its own.
pub fn add(run: &mut Run, group: &'static str, name: &str, cold: Vec<Cold>) {
    let hits = cold.iter().filter(|cold| cold.prewarmed).count();
    let share = 100.0 * count(hits) / count(cold.len());
    run.figures.value(group, &format!("{name}: prewarmed hits"), "%", share);
    let mut phases: Vec<(String, Vec<f64>)> = Vec::new();
    for (phase, ms) in cold.iter().flat_map(|cold| cold.phases.iter()) {
        match phases.iter_mut().find(|(known, _)| known == phase) {
            Some((_, all)) => all.push(*ms),
            None => phases.push((phase.clone(), vec![*ms])),
        }
    }
    for (phase, ms) in phases {
        run.figures.milliseconds(PHASES, &format!("{name}: {phase}"), ms);
    }
    run.figures.times(group, name, cold.into_iter().map(|cold| cold.time).collect());
}

/// Group of the phases that the platform tells.
pub const PHASES: &str = "phases of cold starts";
