//! To the platform itself, by a function that was deployed to it: on Docker to one over PostgreSQL and
//! RabbitMQ, on the OCI runtime to `up --embedded`.

use std::{net::SocketAddr, path::PathBuf};

use cloudfunc::{app::Role, model::Network, place::state::State, runtime::Kind};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    PRELUDE,
    network::{CONNECT, shut_off},
    planted, prerequisites,
};
use crate::{
    home, on_stack,
    support::{
        eventually,
        home::{Home, SOON},
        platform::TestPlatform,
        process::{self, Process},
    },
};

on_stack! {
    real:
    no_file_of_the_platform_is_seen_without_network
    no_file_of_the_platform_is_seen_with_egress
    no_port_of_the_platform_is_reached_without_network
    no_port_of_the_platform_is_reached_with_egress
}

async fn no_file_of_the_platform_is_seen_without_network(platform: &TestPlatform) {
    no_file_is_seen(Target::Servers(platform), Network::None).await;
}

async fn no_file_of_the_platform_is_seen_with_egress(platform: &TestPlatform) {
    no_file_is_seen(Target::Servers(platform), Network::Egress).await;
}

async fn no_port_of_the_platform_is_reached_without_network(platform: &TestPlatform) {
    no_port_is_reached(Target::Servers(platform), Network::None).await;
}

async fn no_port_of_the_platform_is_reached_with_egress(platform: &TestPlatform) {
    no_port_is_reached(Target::Servers(platform), Network::Egress).await;
}

macro_rules! embedded_oci {
    ($($name:ident: $attempt:ident $network:ident,)*) => {
        mod embedded_oci {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                if !prerequisites(Kind::Oci, concat!(module_path!(), "::", stringify!($name))) {
                    return;
                }
                let home = home!("embedded");
                let mut up = up(&home).await;
                $attempt(Target::Embedded(&home), Network::$network).await;
                up.signal(Signal::TERM);
                assert_eq!(up.ended(SOON).await, Some(0));
                home.leave().await;
            })*
        }
    };
}

embedded_oci! {
    no_file_of_the_platform_is_seen_without_network: no_file_is_seen None,
    no_file_of_the_platform_is_seen_with_egress: no_file_is_seen Egress,
    no_port_of_the_platform_is_reached_without_network: no_port_is_reached None,
    no_port_of_the_platform_is_reached_with_egress: no_port_is_reached Egress,
}

/// Nothing is prewarmed: whatever there is was started for an invocation.
async fn up(home: &Home) -> Process {
    let mut up = home.begin("up", &["--embedded", "--runtime", "oci", "--prewarm-budget", "0B"]);
    up.says("cloudfunc is ready", SOON).await;
    up
}

/// What connects a sandbox of this process, by its arguments.
fn connectors(manager: i32) -> Vec<i32> {
    let children = process::children_of(manager).into_iter();
    children
        .filter(|child| process::arguments(*child).is_some_and(|all| all[0].ends_with("slirp4netns")))
        .collect()
}

#[tokio::test]
async fn what_connects_a_sandbox_ends_with_it_and_with_a_killed_manager() {
    if !prerequisites(Kind::Oci, "escape::platform") {
        return;
    }
    let home = home!("embedded");
    let mut up = up(&home).await;
    let manifest = "network = \"egress\"\n[scaling]\nidle_timeout = \"1s\"\n";
    home.deploy("short_fn", "def handler(event): return 'done'", manifest).await.ok();
    let gone = async || connectors(up.id()).is_empty().then_some(());
    eventually("the instance that loaded the code for the deploy is gone", &gone).await;
    home.run(&["invoke", "short_fn"]).await.ok();
    eventually("the idle instance and its connector are gone", &gone).await;

    home.deploy("long_fn", "def handler(event): return 'done'", "network = \"egress\"\n").await.ok();
    eventually("that instance is gone, too", &gone).await;
    home.run(&["invoke", "long_fn"]).await.ok();
    let connectors = connectors(up.id());
    assert_eq!(connectors.len(), 1);
    up.signal(Signal::KILL);
    up.ended(SOON).await;
    eventually("the connector is gone", async || {
        process::arguments(connectors[0]).is_none().then_some(())
    })
    .await;
    // The next one finds what the killed one left, and leaves nothing.
    let mut up = self::up(&home).await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

/// Whom a function attacks.
#[derive(Clone, Copy)]
enum Target<'a> {
    Servers(&'a TestPlatform),
    Embedded(&'a Home),
}

impl Target<'_> {
    fn kind(self) -> Kind {
        match self {
            Self::Servers(platform) => platform.platform.runtime,
            Self::Embedded(_) => Kind::Oci,
        }
    }

    fn data_dir(self) -> PathBuf {
        match self {
            Self::Servers(platform) => platform.platform.data_dir.clone(),
            Self::Embedded(home) => home.data_dir(),
        }
    }

    /// Deploys a function and invokes it once.
    async fn answer(self, network: Network, code: &str, event: &Value) -> Value {
        let manifest = match network {
            Network::None => "network = \"none\"\n",
            Network::Egress => "network = \"egress\"\n",
        };
        let code = format!("{PRELUDE}{code}");
        let answer = match self {
            Self::Servers(platform) => {
                let files = [("function.py", &*code), ("cloudfunc.toml", manifest)];
                platform.deploy("escape", &files).await;
                platform.value("escape", &event.to_string()).await
            }
            Self::Embedded(home) => {
                home.deploy("escape", &code, manifest).await.ok();
                home.run(&["invoke", "escape", "--data", &event.to_string()]).await.ok()
            }
        };
        serde_json::from_str(&answer).unwrap()
    }

    async fn role_ports(self) -> Vec<u16> {
        match self {
            Self::Servers(platform) => Role::ALL.map(|role| platform.address(role).port()).to_vec(),
            Self::Embedded(home) => {
                let status = home.run(&["status", "--json"]).await.json();
                let urls = status["roles"].as_array().unwrap().iter().map(|role| role["url"].as_str());
                urls.map(|url| url.unwrap().parse::<url::Url>().unwrap().port().unwrap()).collect()
            }
        }
    }
}

async fn no_file_is_seen(target: Target<'_>, network: Network) {
    let code = r#"
def handler(event):
    paths = {path: refusal(read, path) for path in event["paths"]}
    everything = str(dict(os.environ))
    for name in os.listdir("/proc"):
        if name.isdigit():
            everything += str([refusal(read, f"/proc/{name}/{part}") for part in ("cmdline", "environ")])
    return [paths, [word for word in event["words"] if word in everything]]
"#;
    let folder = target.data_dir();
    let state = State::open(&folder).unwrap();
    let tokens = [state.token().unwrap(), state.internal_token().unwrap()];
    let files = ["token", "internal-token", "secret-key", "manager-id"].map(|name| folder.join(name));
    assert!(files.iter().all(|file| file.exists()), "the control: {files:?}");
    let paths: Vec<_> = files.iter().chain([&folder]).map(|path| json!(path)).collect();
    let words = json!([tokens[0].expose(), tokens[1].expose(), "postgres://", "amqp://", "guest:guest"]);
    let seen = target.answer(network, code, &json!({ "paths": paths, "words": words })).await;
    for (path, kind) in seen[0].as_object().unwrap() {
        assert_eq!(kind, "ENOENT", "{path}");
    }
    assert_eq!(seen[1], json!([]));
}

/// The real ones: of the four roles, of PostgreSQL, of RabbitMQ.
async fn ports(target: Target<'_>) -> Vec<u16> {
    let server =
        |variable| std::env::var(variable).unwrap().parse::<url::Url>().unwrap().port().unwrap();
    let roles = target.role_ports().await;
    assert_eq!(roles.len(), Role::ALL.len());
    let servers = ["CLOUDFUNC_TEST_POSTGRES_URL", "CLOUDFUNC_TEST_RABBITMQ_URL"].map(server);
    let ports: Vec<u16> = roles.into_iter().chain(servers).collect();
    for port in &ports {
        let here: SocketAddr = ([127, 0, 0, 1], *port).into();
        std::net::TcpStream::connect(here)
            .unwrap_or_else(|error| panic!("the control, {here}: {error}"));
    }
    ports
}

async fn no_port_is_reached(target: Target<'_>, network: Network) {
    let _metadata = planted::Metadata::plant();
    let others = ["127.0.0.1", "::1", "10.0.2.2"].map(planted::Address::of);
    let before = planted::host_addresses();
    let addresses: Vec<_> = before.iter().chain(&others).map(|address| address.ip).collect();
    for port in ports(target).await {
        let targets: Vec<_> = addresses.iter().map(|address| json!([address, port])).collect();
        let answers = target.answer(network, CONNECT, &json!(targets)).await;
        // Other tests plant addresses of their own, and take them away.
        let after = planted::host_addresses();
        let gone: Vec<_> = before.difference(&after).map(|address| address.ip.to_string()).collect();
        let answers = answers.as_object().unwrap().iter();
        for (address, kind) in answers.filter(|(address, _)| !gone.contains(address)) {
            let kinds = match address.as_str() {
                "127.0.0.1" => &["ECONNREFUSED"],
                "::1" => &["ECONNREFUSED", "EADDRNOTAVAIL"] as &[_],
                other => shut_off(target.kind(), network, other),
            };
            assert!(kinds.iter().any(|one| kind == one), "{address} port {port}: {kind}, not {kinds:?}");
        }
    }
}
