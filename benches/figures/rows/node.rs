//! Functions in Node: one after the other, and many at once in one instance.

use std::time::Duration;

use cloudfunc::model::Network;

use super::Run;
use crate::{
    docker::NODE_HELLO,
    load::Endpoint,
    names::{CLIENTS, NODE, NODE_FRAME, NODE_ONE, NODE_SERVER, NODE_SIXTEEN, THROUGHPUT, with_clients},
    platform::DOCKER,
};

const CALLS: usize = 1000;
const LENGTH: Duration = Duration::from_millis(1500);
const ONE: &str = "language = \"node\"\n[scaling]\nidle_timeout = \"30m\"\n";
const SIXTEEN: &str =
    "language = \"node\"\n[scaling]\nidle_timeout = \"30m\"\nmax_instances = 1\nconcurrency = 16\n";

pub async fn round(run: &mut Run) {
    let calls = run.options.samples(CALLS);
    if run.wants(NODE, NODE_FRAME) {
        let mut container = run.stage.node().await.start(Network::None).await;
        container.frames(calls / 10).await;
        run.figures.times(NODE, NODE_FRAME, container.frames(calls).await);
        container.remove().await;
    }
    for (name, manifest) in [(NODE_ONE, ONE), (NODE_SIXTEEN, SIXTEEN)] {
        if run.wants(NODE, name) {
            let up = run.stage.platform(DOCKER).await;
            let function = if manifest == ONE { "node" } else { "node_sixteen" };
            let files = [("function.mjs", NODE_HELLO), ("cloudfunc.toml", manifest)];
            let function = up.deploy_files(function, &files, |_| {}).await;
            let endpoint = up.endpoint(&function);
            endpoint.alone(1).await;
            up.settle().await;
            run.figures.times(NODE, name, endpoint.alone(calls).await);
            together(run, name, &endpoint).await;
        }
    }
    if run.wants(NODE, NODE_SERVER) {
        let endpoint = Endpoint::new(run.stage.node().await.node_server().await, "/");
        run.figures.times(NODE, NODE_SERVER, endpoint.alone(calls).await);
        together(run, NODE_SERVER, &endpoint).await;
    }
}

async fn together(run: &mut Run, name: &str, endpoint: &Endpoint) {
    let together = endpoint.together(CLIENTS, run.options.length(LENGTH)).await;
    let row = with_clients(CLIENTS, &format!("Node: {name}"));
    run.figures.value(THROUGHPUT, &row, "/s", together.per_second());
}
