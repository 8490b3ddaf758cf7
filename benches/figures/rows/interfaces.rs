//! Programs that do not speak the runtime protocol, each beside the same program without a platform.

use std::time::Duration;

use super::{Run, cold::add};
use crate::{
    floors::Kind,
    load::Endpoint,
    names::{
        CLIENTS, CONTAINER_SERVER, HOST_SERVER, HTTP_DOCKER, HTTP_OCI, HTTP_SETUPS, INTERFACES,
        LAMBDA_API, LAMBDA_OCI, NATIVE_OCI, PROCESS, PROCESS_OCI, THROUGHPUT, sixteen, with_clients,
    },
    platform::{OCI, Up},
    servers::{self, BOOTSTRAP, Packages},
};

const CALLS: usize = 1000;
const PROCESSES: usize = 200;
const STARTS: usize = 20;
const LENGTH: Duration = Duration::from_millis(1500);
/// Instances stay from row to row.
const STAYS: &str = "[scaling]\nidle_timeout = \"30m\"\n";

pub async fn round(run: &mut Run) {
    http(run).await;
    lambda(run).await;
    command(run).await;
    if run.wants(INTERFACES, NATIVE_OCI) {
        let starts = run.options.samples(STARTS);
        let manifest = cat();
        let files = [("cloudfunc.toml", &*manifest)];
        let cold = run.stage.platform(OCI).await.cold_of(starts, &files).await;
        add(run, INTERFACES, NATIVE_OCI, cold);
    }
}

async fn http(run: &mut Run) {
    let names = [HOST_SERVER, CONTAINER_SERVER, HTTP_OCI, HTTP_DOCKER];
    if !names.iter().any(|name| run.wants(INTERFACES, name)) {
        return;
    }
    let folder = crate::target().join("figures/uvicorn");
    let Some(packages) = Packages::get(&folder) else { return };
    if run.wants(INTERFACES, HOST_SERVER) {
        let server = packages.start().await;
        both(run, HOST_SERVER, &Endpoint::new(server.address, "/")).await;
    }
    if run.wants(INTERFACES, CONTAINER_SERVER) {
        let address = packages.start_in(run.stage.engine().await, &folder.join("app")).await;
        both(run, CONTAINER_SERVER, &Endpoint::new(address, "/")).await;
    }
    for (name, setup) in HTTP_SETUPS {
        if run.wants(INTERFACES, name) {
            let up = run.stage.platform(setup).await;
            let (one, several) = deployed(up, &packages).await;
            let calls = run.options.samples(CALLS);
            run.figures.times(INTERFACES, name, one.alone(calls).await);
            together(run, &sixteen(name), &several).await;
        }
    }
}

/// Two functions of the same server: one gets a request at a time, the other one several.
async fn deployed(up: &mut Up, packages: &Packages) -> (Endpoint, Endpoint) {
    packages.copy_to(&up.wheels());
    let one = deploy_server(up, "http", "").await;
    let several = deploy_server(up, "http_sixteen", "max_instances = 1\nconcurrency = 16\n").await;
    up.settle().await;
    (one, several)
}

async fn deploy_server(up: &mut Up, name: &str, scaling: &str) -> Endpoint {
    let command = servers::uvicorn("127.0.0.1", 8080);
    let manifest = format!("interface = \"http\"\ncommand = {command:?}\n{STAYS}{scaling}");
    let files = [
        ("app.py", servers::APP),
        ("requirements.txt", servers::REQUIREMENTS),
        ("cloudfunc.toml", &*manifest),
    ];
    let function = up.deploy_files(name, &files, |_| {}).await;
    let endpoint = up.endpoint(&function);
    endpoint.alone(1).await;
    endpoint
}

async fn lambda(run: &mut Run) {
    let calls = run.options.samples(CALLS);
    if run.wants(INTERFACES, LAMBDA_API) {
        let endpoint = run.stage.floor(Kind::Lambda).await;
        run.figures.times(INTERFACES, LAMBDA_API, endpoint.alone(calls).await);
    }
    if run.wants(INTERFACES, LAMBDA_OCI) {
        let up = run.stage.platform(OCI).await;
        let manifest =
            format!("interface = \"lambda\"\ncommand = [\"python3\", \"bootstrap.py\"]\n{STAYS}");
        let files = [("bootstrap.py", BOOTSTRAP), ("cloudfunc.toml", &*manifest)];
        let function = up.deploy_files("lambda", &files, |_| {}).await;
        let endpoint = up.endpoint(&function);
        endpoint.alone(1).await;
        up.settle().await;
        run.figures.times(INTERFACES, LAMBDA_OCI, endpoint.alone(calls).await);
    }
}

async fn command(run: &mut Run) {
    let count = run.options.samples(PROCESSES);
    if run.wants(INTERFACES, PROCESS) {
        servers::processes(count / 10).await;
        run.figures.times(INTERFACES, PROCESS, servers::processes(count).await);
    }
    if run.wants(INTERFACES, PROCESS_OCI) {
        let up = run.stage.platform(OCI).await;
        let function = up.deploy_files("command", &[("cloudfunc.toml", &*cat())], |_| {}).await;
        let endpoint = up.endpoint(&function);
        endpoint.alone(1).await;
        up.settle().await;
        run.figures.times(INTERFACES, PROCESS_OCI, endpoint.alone(count).await);
    }
}

/// The manifest of a function that answers with its payload.
fn cat() -> String {
    format!("language = \"native\"\ninterface = \"command\"\ncommand = [\"cat\"]\n{STAYS}")
}

/// Times of one client, and the rate of several.
async fn both(run: &mut Run, name: &str, endpoint: &Endpoint) {
    let calls = run.options.samples(CALLS);
    run.figures.times(INTERFACES, name, endpoint.alone(calls).await);
    together(run, name, endpoint).await;
}

async fn together(run: &mut Run, name: &str, endpoint: &Endpoint) {
    let together = endpoint.together(CLIENTS, run.options.length(LENGTH)).await;
    run.figures.value(THROUGHPUT, &with_clients(CLIENTS, name), "/s", together.per_second());
}
