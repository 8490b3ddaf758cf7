//! Durable accepts: 202 means that the invocation is stored. The floors run nothing, so that what is accepted
//! waits for a busy instance here too; a second row has them run meanwhile, on the same machine. Every one
//! has to end.

use std::time::Duration;

use super::Run;
use crate::{
    floors::Kind,
    load::{Endpoint, Together},
    names::{ACCEPTS, BARE_ACCEPT, CONSTANT_ACCEPT, EMBEDDED_DOCKER, FOUR_PROCESSES, also_run},
    platform::{DOCKER, FOUR, Up},
};

const CLIENTS: usize = 64;
const LENGTH: Duration = Duration::from_secs(2);
/// Connecting all clients.
const SET_UP: Duration = Duration::from_secs(1);

pub async fn round(run: &mut Run) {
    let length = run.options.length(LENGTH);
    for (name, kind) in [(CONSTANT_ACCEPT, Kind::ConstantAccept), (BARE_ACCEPT, Kind::Accepts)] {
        if run.wants(ACCEPTS, name) {
            let endpoint = run.stage.floor(kind).await.asynchronous();
            let together = endpoint.together(CLIENTS, length).await;
            run.figures.value(ACCEPTS, name, "/s", together.per_second());
        }
    }
    for (name, setup) in [(EMBEDDED_DOCKER, DOCKER), (FOUR_PROCESSES, FOUR)] {
        if run.wants(ACCEPTS, name) {
            let up = run.stage.platform(setup).await;
            let before = up.wait_for_all().await;
            let busy = up.busy("accepting", length + SET_UP).await;
            let alone = flood(up.endpoint(&busy), length).await;
            up.delete(&busy).await;
            // With the one that kept the instance busy.
            all_ended(up, before, alone.calls + 1).await;

            let function = up.once("accepting_and_running").await;
            let endpoint = up.endpoint(&function);
            // An instance is there: starts are measured elsewhere.
            endpoint.alone(1).await;
            let before = up.wait_for_all().await;
            let running = flood(endpoint, length).await;
            all_ended(up, before, running.calls).await;
            run.figures.value(ACCEPTS, name, "/s", alone.per_second());
            run.figures.value(ACCEPTS, &also_run(name), "/s", running.per_second());
        }
    }
}

async fn flood(endpoint: Endpoint, length: Duration) -> Together {
    endpoint.asynchronous().together(CLIENTS, length).await
}

async fn all_ended(up: &Up, before: u64, accepted: usize) {
    let ended = up.wait_for_all().await - before;
    assert_eq!(ended, accepted as u64, "as many end as were answered 202");
}
