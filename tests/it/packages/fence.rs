//! Attempts to get out of a build, by a package whose own code runs while it is installed: one that is built from its
//! source, or one that is not a wheel, which another one requires by its address.

use std::{fs, net::IpAddr};

use cloudfunc::{app::Role, settings::Platform};
use serde_json::{Value, json};

use super::{
    CODE, deploy, on,
    wheelhouse::{Index, Wheelhouse},
};
use crate::{
    escape::planted::{Service, host_addresses},
    support::platform::{Stack, TestPlatform},
};

on! {
    sqlite_embedded_oci:
    a_build_reaches_its_index_and_nothing_else_of_this_host
    a_build_from_source_reaches_its_index_and_nothing_else_of_this_host;
    postgres_rabbitmq_docker:
    a_build_reaches_its_index_and_nothing_else_of_this_host
    a_build_from_source_reaches_its_index_and_nothing_else_of_this_host;
}

/// Fails with what it has found, as JSON.
const ATTEMPT: &str = r#"
import json, os, socket

def outcome(action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return error.strerror or str(error)

def connect(address):
    with socket.create_connection(tuple(address), 5):
        return "reached"

def write(path):
    with open(path, "w"):
        return "written"

def attempts():
    found = {f"{address[0]}:{address[1]}": outcome(connect, address) for address in CONNECT}
    for path in WRITE:
        found[path] = outcome(write, path)
    for path in READ:
        found[path] = "there" if os.path.exists(path) else "not there"
    found["variables"] = sorted(name for name in os.environ if "TOKEN" in name or "CLOUDFUNC" in name)
    found["user"] = os.getuid()
    # The interpreter of the build, its child pip, and what that starts; nothing of the host.
    found["processes"] = sum(name.isdigit() for name in os.listdir("/proc"))
    with open("/proc/self/status") as status:
        found["rights"] = [line.split()[1] for line in status if line.startswith(("CapEff", "NoNewPrivs"))]
    return found

def get_requires_for_build_wheel(config_settings=None):
    raise SystemExit("FOUND " + json.dumps(attempts()))
"#;

/// An address of this host that a sandbox can connect to if it is let.
pub fn own_address() -> IpAddr {
    let addresses = host_addresses();
    addresses.into_iter().map(|address| address.ip).find(IpAddr::is_ipv4).expect("this host has one")
}

async fn a_build_reaches_its_index_and_nothing_else_of_this_host(stack: Stack, test: &str) {
    attack(stack, test, false).await;
}

async fn a_build_from_source_reaches_its_index_and_nothing_else_of_this_host(stack: Stack, test: &str) {
    attack(stack, test, true).await;
}

async fn attack(stack: Stack, test: &str, from_source: bool) {
    let ip = own_address().to_string();
    let house = Wheelhouse::new(&json!([]));
    let index = Index::serve(house.path(), &ip).await;
    let url = index.url();
    let change = move |platform: &mut Platform| platform.builds.index = Some(url.parse().unwrap());
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    // It listens on every address of this host.
    let planted = Service::plant();
    let [gateway, registry, scheduler] =
        [Role::Gateway, Role::Registry, Role::Scheduler].map(|role| platform.address(role));
    let token = platform.platform.data_dir.join("token");
    assert!(fs::exists(&token).unwrap());
    let connect = json!([
        [ip, index.address.port()],
        [ip, planted.port],
        ["127.0.0.1", gateway.port()],
        ["127.0.0.1", registry.port()],
        ["127.0.0.1", scheduler.port()],
        ["169.254.169.254", 80],
    ]);
    let write = json!([
        "/var/output/own",
        "/var/task/other",
        "/opt/packages/other",
        "/opt/installer/other",
        "/opt/wheels/other",
        "/var/other",
        "/etc/other"
    ]);
    // The folders of this build and of others are in it, as is what they install.
    let data = &platform.platform.data_dir;
    let read = json!([
        token,
        "/var/run/docker.sock",
        "/run/docker.sock",
        data,
        data.join("instances"),
        data.join("cache/dependencies")
    ]);
    let source = format!("CONNECT = {connect}\nWRITE = {write}\nREAD = {read}\n{ATTEMPT}");
    house.add(&json!([
        {"name": "nosy", "version": "1.0", "source": source},
        {"name": "front", "version": "1.0", "files": {"front.py": ""},
         "requires": [format!("nosy @ http://{}/files/nosy-1.0.tar.gz", index.address)]},
    ]));
    let (requirements, manifest) = match from_source {
        true => ("nosy\n", "[build]\nfrom_source = true\n"),
        false => ("front\n", ""),
    };
    let files =
        [("function.py", CODE), ("requirements.txt", requirements), ("cloudfunc.toml", manifest)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    assert!(deployed.is_err());
    let line = told
        .iter()
        .find_map(|line| Some(line.split_once("FOUND ")?.1))
        .unwrap_or_else(|| panic!("{told:?}"));
    let found: Value = serde_json::from_str(line).unwrap();
    assert_eq!(found[format!("{ip}:{}", index.address.port())], "reached", "{found}");
    assert_eq!(found["/var/output/own"], "written", "{found}");
    for address in [
        format!("{ip}:{}", planted.port),
        format!("127.0.0.1:{}", gateway.port()),
        format!("127.0.0.1:{}", registry.port()),
        format!("127.0.0.1:{}", scheduler.port()),
        "169.254.169.254:80".into(),
    ] {
        let answer = found[&address].as_str().unwrap();
        assert!(["Connection refused", "Permission denied"].contains(&answer), "{address}: {found}");
    }
    for path in write.as_array().unwrap().iter().skip(1) {
        let answer = found[path.as_str().unwrap()].as_str().unwrap();
        let refusals = ["Read-only file system", "Permission denied", "No such file or directory"];
        assert!(refusals.contains(&answer), "{path}: {found}");
    }
    for path in read.as_array().unwrap() {
        assert_eq!(found[path.as_str().unwrap()], "not there", "{found}");
    }
    assert_eq!(found["variables"], json!([]), "{found}");
    assert_eq!(found["rights"], json!(["0000000000000000", "1"]), "{found}");
    assert_ne!(found["user"], json!(0), "{found}");
    assert!(found["processes"].as_u64().unwrap() < 10, "{found}");
    platform.stop().await;
}
