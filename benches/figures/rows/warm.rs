//! Warm invocations: one client, then more and more of them.

use std::time::Duration;

use cloudfunc::model::Network;

use super::Run;
use crate::{
    floors::Kind,
    load::Endpoint,
    names::{
        CLIENTS, CONSTANT, DURABLE, EMBEDDED_DOCKER, EMBEDDED_OCI, FOUR_PROCESSES, FRAME, OTHERS,
        PROTOTYPE, RABBITMQ, THROUGHPUT, TOGETHER, WARM, with_clients,
    },
    platform::{DOCKER, FOUR, OCI, Setup},
    series::count,
};

const CALLS: usize = 1000;
/// How many clients, and for how long.
const STEPS: [(usize, Duration); 7] = [
    (1, Duration::from_millis(500)),
    (2, Duration::from_millis(500)),
    (4, Duration::from_millis(500)),
    (8, Duration::from_millis(500)),
    (CLIENTS, Duration::from_millis(1500)),
    (32, Duration::from_millis(500)),
    (64, Duration::from_millis(500)),
];

const FLOORS: [(&str, Kind); 4] = [
    (CONSTANT, Kind::Constant),
    (PROTOTYPE, Kind::Prototype),
    (RABBITMQ, Kind::RabbitMq),
    (DURABLE, Kind::RabbitMqDurable),
];
const PLATFORMS: [(&str, Setup); 3] =
    [(EMBEDDED_DOCKER, DOCKER), (EMBEDDED_OCI, OCI), (FOUR_PROCESSES, FOUR)];

pub async fn round(run: &mut Run) {
    let calls = run.options.samples(CALLS);
    if run.wants(WARM, FRAME) {
        let mut container = run.stage.engine().await.start(Network::None).await;
        container.frames(calls / 10).await;
        run.figures.times(WARM, FRAME, container.frames(calls).await);
        container.remove().await;
    }
    let endpoints = endpoints(run).await;
    for (name, endpoint) in endpoints.iter().filter(|(name, _)| run.options.wants(WARM, name)) {
        run.figures.times(WARM, name, endpoint.alone(calls).await);
    }
    for (clients, length) in STEPS {
        let length = run.options.length(length);
        for (name, endpoint) in &endpoints {
            let row = with_clients(clients, name);
            // The goals' number of clients is also wanted for its times.
            let times = clients == CLIENTS && run.wants(TOGETHER, name);
            if times || run.wants(THROUGHPUT, &row) {
                let together = endpoint.together(clients, length).await;
                run.figures.value(THROUGHPUT, &row, "/s", together.per_second());
                if times {
                    run.figures.times(TOGETHER, name, together.times);
                }
            }
        }
    }
    for (name, endpoint) in &endpoints {
        if let Some((refused, hung_up)) = endpoint.troubles() {
            run.figures.value(OTHERS, &format!("{name}: refused"), "calls", count(refused));
            run.figures.value(OTHERS, &format!("{name}: hung up"), "calls", count(hung_up));
        }
    }
}

/// Of all rows of this file that are wanted.
async fn endpoints(run: &mut Run) -> Vec<(String, Endpoint)> {
    let mut endpoints = Vec::new();
    let any = |run: &Run, name: &str| {
        let rates =
            || STEPS.iter().any(|(clients, _)| run.wants(THROUGHPUT, &with_clients(*clients, name)));
        run.wants(WARM, name) || run.wants(TOGETHER, name) || rates()
    };
    for (name, kind) in FLOORS {
        if any(run, name) {
            endpoints.push((name.to_owned(), run.stage.floor(kind).await));
        }
    }
    for (name, setup) in PLATFORMS {
        if any(run, name) {
            let up = run.stage.platform(setup).await;
            let function = up.once("warm").await;
            up.settle().await;
            endpoints.push((name.to_owned(), up.endpoint(&function)));
        }
    }
    let others = run.options.others.iter().filter(|other| any(run, &other.name));
    endpoints.extend(others.map(|other| (other.name.clone(), Endpoint::of_another(other))));
    endpoints
}
