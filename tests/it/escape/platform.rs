//! To the platform itself, by a function that was deployed to it.

use std::net::SocketAddr;

use cloudfunc::{app::Role, config::state::State, model::Network};
use serde_json::{Value, json};

use super::{
    PRELUDE,
    network::{CONNECT, shut_off},
    planted,
};
use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    real:
    no_file_of_the_platform_is_seen_without_network
    no_file_of_the_platform_is_seen_with_egress
    no_port_of_the_platform_is_reached_without_network
    no_port_of_the_platform_is_reached_with_egress
}

async fn no_file_of_the_platform_is_seen_without_network(platform: &TestPlatform) {
    no_file_is_seen(platform, Network::None).await;
}

async fn no_file_of_the_platform_is_seen_with_egress(platform: &TestPlatform) {
    no_file_is_seen(platform, Network::Egress).await;
}

async fn no_port_of_the_platform_is_reached_without_network(platform: &TestPlatform) {
    no_port_is_reached(platform, Network::None).await;
}

async fn no_port_of_the_platform_is_reached_with_egress(platform: &TestPlatform) {
    no_port_is_reached(platform, Network::Egress).await;
}

async fn answer(platform: &TestPlatform, network: Network, code: &str, event: Value) -> Value {
    let manifest = match network {
        Network::None => "network = \"none\"\n",
        Network::Egress => "network = \"egress\"\n",
    };
    let code = format!("{PRELUDE}{code}");
    platform.deploy("escape", &[("function.py", &code), ("cloudfunc.toml", manifest)]).await;
    serde_json::from_str(&platform.value("escape", &event.to_string()).await).unwrap()
}

async fn no_file_is_seen(platform: &TestPlatform, network: Network) {
    let code = r#"
def handler(event):
    paths = {path: refusal(read, path) for path in event["paths"]}
    everything = str(dict(os.environ))
    for name in os.listdir("/proc"):
        if name.isdigit():
            everything += str([refusal(read, f"/proc/{name}/{part}") for part in ("cmdline", "environ")])
    return [paths, [word for word in event["words"] if word in everything]]
"#;
    let folder = &platform.platform.data_dir;
    let state = State::open(folder).unwrap();
    let tokens = [state.token().unwrap(), state.internal_token().unwrap()];
    let files = ["token", "internal-token", "manager-id"].map(|name| folder.join(name));
    assert!(files.iter().all(|file| file.exists()), "the control: {files:?}");
    let paths: Vec<_> = files.iter().chain([folder]).map(|path| json!(path)).collect();
    let words = json!([tokens[0].expose(), tokens[1].expose(), "postgres://", "amqp://", "guest:guest"]);
    let seen = answer(platform, network, code, json!({ "paths": paths, "words": words })).await;
    for (path, kind) in seen[0].as_object().unwrap() {
        assert_eq!(kind, "ENOENT", "{path}");
    }
    assert_eq!(seen[1], json!([]));
}

/// The real ones: of the four roles, of PostgreSQL, of RabbitMQ.
fn ports(platform: &TestPlatform) -> Vec<u16> {
    let server =
        |variable| std::env::var(variable).unwrap().parse::<url::Url>().unwrap().port().unwrap();
    let roles = Role::ALL.map(|role| platform.address(role).port());
    let servers = ["CLOUDFUNC_TEST_POSTGRES_URL", "CLOUDFUNC_TEST_RABBITMQ_URL"].map(server);
    let ports: Vec<u16> = roles.into_iter().chain(servers).collect();
    for port in &ports {
        let here: SocketAddr = ([127, 0, 0, 1], *port).into();
        std::net::TcpStream::connect(here)
            .unwrap_or_else(|error| panic!("the control, {here}: {error}"));
    }
    ports
}

async fn no_port_is_reached(platform: &TestPlatform, network: Network) {
    let _metadata = planted::Metadata::plant();
    let others = ["127.0.0.1", "::1", "10.0.2.2"].map(planted::Address::of);
    let addresses = planted::host_addresses().into_iter().chain(others);
    let addresses: Vec<_> = addresses.map(|address| address.ip).collect();
    for port in ports(platform) {
        let targets: Vec<_> = addresses.iter().map(|address| json!([address, port])).collect();
        let answers = answer(platform, network, CONNECT, json!(targets)).await;
        for (address, kind) in answers.as_object().unwrap() {
            let kinds = match address.as_str() {
                "127.0.0.1" => &["ECONNREFUSED"],
                "::1" => &["ECONNREFUSED", "EADDRNOTAVAIL"] as &[_],
                other => shut_off(platform.platform.runtime, network, other),
            };
            assert!(kinds.iter().any(|one| kind == one), "{address} port {port}: {kind}, not {kinds:?}");
        }
    }
}
