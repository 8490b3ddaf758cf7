//! The platform beside what it stands on, as ratios measured in one run.
//!
//! `cargo bench --bench figures` (after `eval "$(tests/run setup)"`) starts the platform as its users do and
//! the [floors] beside it, measures in alternating rounds, prints medians, 99th percentiles and ratios,
//! and writes `target/figures/{figures.json,warm.svg,cold.svg}`. Another HTTP endpoint gets into the same
//! table with `--url name=http://host:port/path` (it must answer a POST with 200).
//!
//! Absolute times are of this machine in this hour; the ratios hold better.

mod floors;
mod guests;
mod load;
mod memory;
mod platform;
mod report;
mod series;

use std::{path::PathBuf, time::Duration};

use cloudfunc::{model::Network, runtime::Kind};

use crate::{floors::Floor, guests::Bare, load::Endpoint, platform::Up, report::Report};

const ROUNDS: usize = 3;
const WARM_UP: usize = 50;
const WARM: usize = 1000;
const COLD: usize = 7;
pub const CLIENTS: usize = 16;
const TOGETHER: Duration = Duration::from_secs(2);

const CONSTANT: &str = "constant HTTP answer";
const FRAME: &str = "bare frame to a function in a container";
const PROTOTYPE: &str = "bare prototype (HTTP, channel, socket)";
const RABBITMQ: &str = "bare prototype over RabbitMQ, transient";
const DURABLE: &str = "bare prototype over RabbitMQ, persistent";
const EMBEDDED_DOCKER: &str = "cloudfunc up --embedded, Docker";
const EMBEDDED_OCI: &str = "cloudfunc up --embedded, OCI";
const FOUR: &str = "cloudfunc up, RabbitMQ, four processes, Docker";

const BARE_DOCKER: &str = "bare Docker container: create, start, hello, load";
const BARE_EGRESS: &str = "the same with egress";
const BARE_OCI: &str = "bare OCI container: the same";
const DOCKER_RUN: &str = "docker run --network none python3";

pub const WARM_PAIRS: [(&str, &str); 5] = [
    (EMBEDDED_DOCKER, FRAME),
    (EMBEDDED_DOCKER, PROTOTYPE),
    (EMBEDDED_OCI, PROTOTYPE),
    (FOUR, RABBITMQ),
    (FOUR, DURABLE),
];
pub const RATE_PAIRS: [(&str, &str); 3] =
    [(EMBEDDED_DOCKER, PROTOTYPE), (EMBEDDED_OCI, PROTOTYPE), (FOUR, RABBITMQ)];
pub const COLD_PAIRS: [(&str, &str); 6] = [
    (BARE_OCI, BARE_DOCKER),
    (EMBEDDED_DOCKER, BARE_DOCKER),
    (EMBEDDED_OCI, BARE_OCI),
    (EMBEDDED_OCI, EMBEDDED_DOCKER),
    (EMBEDDED_OCI, BARE_DOCKER),
    (FOUR, BARE_DOCKER),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", kind] => tokio.block_on(floors::serve(kind)),
        _ if arguments.iter().any(|argument| argument == "--bench") => {
            tokio.block_on(run(endpoints(&arguments)));
        }
        // Also run by `cargo test --benches`: that only has to see it compile.
        _ => {}
    }
}

pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/run setup)\" first"))
}

/// `--url name=http://host:port/path`, any number of them.
fn endpoints(arguments: &[String]) -> Vec<(String, Endpoint)> {
    let values = arguments.iter().skip_while(|argument| *argument != "--url").collect::<Vec<_>>();
    let given = values.iter().filter(|argument| !argument.starts_with("--"));
    given
        .filter_map(|argument| {
            let (name, url) = argument.split_once('=')?;
            let url: url::Url = url.parse().unwrap();
            let address = url.socket_addrs(|| None).unwrap()[0];
            let endpoint = Endpoint { address, path: url.path().to_owned(), token: None };
            Some((name.to_owned(), endpoint))
        })
        .collect()
}

async fn run(others: Vec<(String, Endpoint)>) {
    let mut report = Report::default();
    let (docker, oci) = (Bare::new(Kind::Docker), Bare::new(Kind::Oci));
    let floors = ["constant", "prototype", "rabbitmq", "rabbitmq-durable"].map(Floor::start);
    let mut platforms = [
        (EMBEDDED_DOCKER, Up::embedded("docker").await),
        (EMBEDDED_OCI, Up::embedded("oci").await),
        (FOUR, Up::four_processes().await),
    ];
    for (name, up) in &platforms {
        let (all, own) = memory::resident_mib(up.pid());
        report.memory.push(((*name).to_owned(), all, own));
    }
    let mut warm: Vec<(String, Endpoint)> = [CONSTANT, PROTOTYPE, RABBITMQ, DURABLE]
        .iter()
        .zip(&floors)
        .map(|(name, floor)| ((*name).to_owned(), floor.endpoint.clone()))
        .collect();
    for (name, up) in &mut platforms {
        let function = up.deploy("warm").await;
        warm.push(((*name).to_owned(), up.endpoint(&function)));
    }
    warm.extend(others);
    let mut frame = docker.start(Network::None).await;
    for _ in 0..ROUNDS {
        report.loads.push(load());
        report.warm.add(FRAME, frame.frames(WARM).await);
        for (name, endpoint) in &warm {
            report.warm.add(name, endpoint.alone(WARM_UP, WARM).await);
        }
        for (name, endpoint) in &warm {
            let (rate, _) = endpoint.together(CLIENTS, TOGETHER).await;
            report.rates.add(name, CLIENTS, rate);
        }
        report.cold.add(DOCKER_RUN, guests::docker_runs(COLD));
        report.cold.add(BARE_DOCKER, docker.starts(COLD, Network::None).await);
        report.cold.add(BARE_EGRESS, docker.starts(COLD, Network::Egress).await);
        report.cold.add(BARE_OCI, oci.starts(COLD, Network::None).await);
        for (name, up) in &mut platforms {
            report.cold.add(name, up.cold(COLD).await);
        }
    }
    report.print();
    report.write(&target().join("figures")).unwrap();
    frame.remove().await;
    docker.close().await;
    oci.close().await;
    for (_, up) in platforms {
        up.stop().await;
    }
    floors.into_iter().for_each(Floor::stop);
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}
