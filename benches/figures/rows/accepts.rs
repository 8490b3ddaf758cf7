//! Durable accepts: 202 means that the invocation is stored. What is accepted also runs meanwhile, on the same
//! machine; the floors run nothing. Every one has to end.

use std::time::Duration;

use super::Run;
use crate::{
    floors::Kind,
    names::{ACCEPTS, BARE_ACCEPT, CONSTANT_ACCEPT, EMBEDDED_DOCKER, FOUR_PROCESSES},
    platform::{DOCKER, FOUR},
};

const CLIENTS: usize = 64;
const LENGTH: Duration = Duration::from_secs(2);

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
            let function = up.once("accepting").await;
            let endpoint = up.endpoint(&function);
            // An instance is there: starts are measured elsewhere.
            endpoint.alone(1).await;
            let before = up.wait_for_all().await;
            let together = endpoint.asynchronous().together(CLIENTS, length).await;
            let ended = up.wait_for_all().await - before;
            assert_eq!(ended, together.calls as u64, "as many end as were answered 202");
            run.figures.value(ACCEPTS, name, "/s", together.per_second());
        }
    }
}
