//! HTTP functions: an address beside the plain route to the same code, and the same over TLS.

use std::time::Duration;

use super::Run;
use crate::{
    docker::HELLO,
    load::Endpoint,
    names::{
        CLIENTS, HTTP_ADDRESS, HTTP_ADDRESS_TLS, HTTP_FUNCTIONS, PLAIN_ROUTE, PLAIN_ROUTE_TLS,
        THROUGHPUT, with_clients,
    },
    platform::{OCI, OCI_TLS, Setup, Up},
};

const CALLS: usize = 1000;
/// The rows of a pair take turns, so that what disturbs the machine for a moment disturbs both.
const TURNS: usize = 4;
const LENGTH: Duration = Duration::from_millis(1500);

pub async fn round(run: &mut Run) {
    pair(run, OCI, PLAIN_ROUTE, HTTP_ADDRESS).await;
    pair(run, OCI_TLS, PLAIN_ROUTE_TLS, HTTP_ADDRESS_TLS).await;
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

/// A plain function, and one of the same code that everybody may call at its address.
async fn endpoints(up: &mut Up) -> Option<[Endpoint; 2]> {
    let plain = up.once("warm").await;
    let manifest =
        "[http]\npath = \"/figures\"\nauth = \"none\"\n[scaling]\nidle_timeout = \"30m\"\n".to_owned();
    let files = [("function.py", HELLO), ("cloudfunc.toml", &*manifest)];
    up.try_deploy_files("addressed", &files, |_| {}).await.ok()?;
    let endpoints = [up.endpoint(&plain), up.endpoint_at("/figures")];
    for endpoint in &endpoints {
        endpoint.alone(1).await;
    }
    up.settle().await;
    Some(endpoints)
}
