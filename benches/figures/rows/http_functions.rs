//! HTTP functions: an address beside the plain route to the same code, the same over TLS, and beside crowds.

use std::time::Duration;

use super::Run;
use crate::{
    crowd::{Crowd, half_body, half_head},
    docker::HELLO,
    load::Endpoint,
    names::{
        CLIENTS, FEW_FILES, HTTP_ADDRESS, HTTP_ADDRESS_TLS, HTTP_FUNCTIONS, PLAIN_ROUTE,
        PLAIN_ROUTE_TLS, THROUGHPUT, crowded, quiet, with_clients,
    },
    platform::{OCI, OCI_FEW_FILES, OCI_TLS, Setup, Up},
};

const CALLS: usize = 1000;
/// The rows of a pair take turns, so that what disturbs the machine for a moment disturbs both.
const TURNS: usize = 4;
const LENGTH: Duration = Duration::from_millis(1500);
const ADDRESS: &str = "/figures";
const IDLE: usize = 1100;
const HALF_HEADS: usize = 500;
const HALF_HEAD: usize = 300_000;
const BODIES: usize = 80;
const BODY: usize = 6 * 1024 * 1024;
/// Of the time beside them: fewer calls than wanted fit into it when each waits long.
const LIMIT: Duration = Duration::from_secs(5);

pub async fn round(run: &mut Run) {
    pair(run, OCI, PLAIN_ROUTE, HTTP_ADDRESS).await;
    pair(run, OCI_TLS, PLAIN_ROUTE_TLS, HTTP_ADDRESS_TLS).await;
    beside_crowds(run).await;
}

async fn pair(run: &mut Run, setup: Setup, plain: &str, address: &str) {
    if !run.wants(HTTP_FUNCTIONS, plain) && !run.wants(HTTP_FUNCTIONS, address) {
        return;
    }
    // A program of before has no addresses.
    let Some(endpoints) = endpoints(run.stage.platform(setup).await).await else { return };
    let calls = run.options.samples(CALLS) / TURNS;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (times, endpoint) in times.iter_mut().zip(&endpoints) {
            times.extend(endpoint.alone(calls).await);
        }
    }
    let length = run.options.length(LENGTH);
    for ((name, times), endpoint) in [plain, address].into_iter().zip(times).zip(&endpoints) {
        run.figures.times(HTTP_FUNCTIONS, name, times);
        let together = endpoint.together(CLIENTS, length).await;
        run.figures.value(THROUGHPUT, &with_clients(CLIENTS, name), "/s", together.per_second());
    }
}

async fn beside_crowds(run: &mut Run) {
    if !run.wants(HTTP_FUNCTIONS, FEW_FILES) {
        return;
    }
    let platform = run.stage.platform(OCI_FEW_FILES).await;
    let Some([_, endpoint]) = endpoints(platform).await else { return };
    let (calls, to) = (run.options.samples(CALLS), endpoint.address());
    let alone = endpoint.anew_within(calls, LIMIT).await;
    let mut crowd = Crowd::default();
    crowd.add(IDLE, to, Vec::new()).await;
    crowd.add(HALF_HEADS, to, half_head(HALF_HEAD)).await;
    crowd.add(BODIES, to, half_body(ADDRESS, BODY)).await;
    let beside = endpoint.anew_within(calls, LIMIT).await;
    drop(crowd);
    run.figures.times(HTTP_FUNCTIONS, &quiet(FEW_FILES), alone);
    run.figures.times(HTTP_FUNCTIONS, &crowded(FEW_FILES), beside);
}

/// A plain function, and one of the same code that everybody may call at its address.
async fn endpoints(up: &mut Up) -> Option<[Endpoint; 2]> {
    let plain = up.once("warm").await;
    let manifest =
        format!("[http]\npath = \"{ADDRESS}\"\nauth = \"none\"\n[scaling]\nidle_timeout = \"30m\"\n");
    let files = [("function.py", HELLO), ("cloudfunc.toml", &*manifest)];
    up.try_deploy_files("addressed", &files, |_| {}).await.ok()?;
    let endpoints = [up.endpoint(&plain), up.endpoint_at(ADDRESS)];
    for endpoint in &endpoints {
        endpoint.alone(1).await;
    }
    up.settle().await;
    Some(endpoints)
}
