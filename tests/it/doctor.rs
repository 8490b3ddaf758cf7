//! `cloudfunc doctor`: the built binary on this machine, with something in its way or nothing.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    desk, need,
    support::{
        broker::Broker,
        desk::{Desk, Ran, SOON},
        eventually,
        postgres::{Database, psql},
    },
};

const NOWHERE: &str = "unix:///nonexistent/docker.sock";
/// A store and a queue where nobody listens.
const DEAD: [&str; 4] =
    ["--store", "postgres://u:hunter2@127.0.0.1:1/x", "--queue", "amqp://u:hunter2@127.0.0.1:1/%2f"];

/// `doctor` of a user who has never used the program, with ports of his own.
struct Patient {
    home: tempfile::TempDir,
    docker_host: Option<String>,
    ports: [u16; 4],
}

impl Patient {
    fn new() -> Self {
        let held = [0; 4].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        Self { home: tempfile::tempdir().unwrap(), docker_host: Some(NOWHERE.to_owned()), ports }
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.home.path().join("state/cloudfunc/external")
    }

    fn run(&self, flags: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
        command.arg("doctor").args(flags).env_clear().env("HOME", self.home.path());
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        for kept in ["PATH", "DOCKER_HOST", "CLOUDFUNC_PYTHON_IMAGE"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command.env("CLOUDFUNC_PYTHON_VERSION", "3.11");
        command.envs(self.docker_host.iter().map(|host| ("DOCKER_HOST", host)));
        for (role, port) in ["GATEWAY", "REGISTRY", "SCHEDULER", "MANAGER"].iter().zip(self.ports) {
            command.env(format!("CLOUDFUNC_{role}_PORT"), port.to_string());
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// With its exit code.
    fn document(&self, flags: &[&str]) -> (Option<i32>, Value) {
        let ran = self.run(&[flags, &["--json"]].concat());
        (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}")))
    }
}

#[test]
fn sources_of_packages_are_looked_at_and_up_refuses_what_can_never_work() {
    let patient = Patient::new();
    let missing = patient.home.path().join("missing").display().to_string();
    let flags =
        ["--embedded", "--build-find-links", &missing, "--build-index", "http://127.0.0.1:9/simple"];
    let (code, document) = patient.document(&flags);
    assert_eq!(code, Some(3));
    let of = |name: &str| {
        let checks = document["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {document}"))
            .clone()
    };
    let links = of("find-links");
    assert_eq!((&links["group"], &links["status"]), (&json!("packages"), &json!("problem")));
    assert_eq!(links["found"], format!("--build-find-links: {missing} is not a folder"));
    let (_, with_proxy) =
        patient.document(&["--embedded", "--build-proxy", "http://u:hunter2@127.0.0.1:9"]);
    let proxy = check(&with_proxy, "proxy");
    assert_eq!(proxy["found"], "127.0.0.1 is this host's loopback, which builds cannot reach");
    assert!(!with_proxy.to_string().contains("hunter2"), "{with_proxy}");
    let index = of("index");
    assert_eq!(index["status"], "warning");
    assert_eq!(index["found"], "127.0.0.1 is this host's loopback, which builds cannot reach");

    let mut up = Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
    up.args(["up", "--embedded", "--build-ca-file", &missing])
        .env_clear()
        .env("HOME", patient.home.path());
    let output = up.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let said = format!(
        "error: --build-ca-file: {missing} cannot be read: No such file or directory (os error 2)\nhint: name a file with \
         certificates of authorities, each between `-----BEGIN CERTIFICATE-----` and its end, or leave the setting out\n"
    );
    assert_eq!(stderr, said);
}

/// The checks of this name.
fn named(document: &Value, name: &str) -> Vec<Value> {
    let checks = document["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["name"] == name).cloned().collect()
}

/// The only one.
fn check(document: &Value, name: &str) -> Value {
    let mut all = named(document, name);
    assert_eq!(all.len(), 1, "{name}: {document:#}");
    all.remove(0)
}

#[test]
fn the_document_is_frozen() {
    let patient = Patient::new();
    let (code, document) = patient.document(&DEAD);
    assert_eq!(code, Some(3));
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for check in document["checks"].as_array().unwrap() {
        let keys: Vec<_> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["advice", "found", "group", "name", "status"]);
        assert!(["ok", "note", "warning", "problem"].contains(&check["status"].as_str().unwrap()));
        assert_eq!(
            check["advice"].is_null(),
            check["status"] == "ok",
            "all but ok say what to do: {check}"
        );
        let advice = check["advice"].as_str().unwrap_or("Fine.");
        assert!(
            advice.ends_with(['.', ')']) && advice.starts_with(char::is_uppercase),
            "a sentence: {advice}"
        );
        groups
            .entry(check["group"].as_str().unwrap())
            .or_default()
            .push(check["name"].as_str().unwrap());
    }
    // How many there are depends on the machine.
    groups.values_mut().for_each(|names| names.dedup());
    groups.get_mut("cgroups").unwrap().truncate(1);
    groups.get_mut("disk").unwrap().retain(|name| *name != "file-system");
    assert_eq!(
        json!(groups),
        json!({
            "system": ["kernel", "namespaces", "user-namespaces", "seccomp", "file-systems", "tun", "pidfd"],
            "cgroups": ["cgroups"],
            "runtime": ["docker", "oci", "python", "node", "helper", "egress", "iptables"],
            "ports": ["gateway", "registry", "scheduler", "manager"],
            "tls": ["tls"],
            "disk": ["data-folder", "data-room", "temporary-room"],
            "compose": ["compose"],
            "backends": ["store", "queue"],
            "secrets": ["secret-key"],
            "clock": ["clock", "ntp"],
            "limits": ["open-files", "processes", "inotify"],
            "platform": ["up", "orphans"],
        })
    );
    let reason =
        format!("no Docker engine answers at {NOWHERE} (Socket not found: /nonexistent/docker.sock)");
    assert_eq!(
        check(&document, "docker"),
        json!({
            "group": "runtime", "name": "docker", "status": "problem", "found": reason,
            "advice": "Start it (`sudo systemctl start docker`), install it, or set DOCKER_HOST to the engine to use.",
        })
    );
    assert_eq!(document["stacks"]["up"], json!({"can_run": false, "why": reason}));
    let embedded = document["stacks"]["embedded"].as_object().unwrap();
    assert_eq!(embedded.keys().collect::<Vec<_>>(), ["can_run", "why"]);
}

#[test]
fn interpreters_of_this_machine_are_not_judged_where_functions_run_in_images() {
    let (_, document) = Patient::new().document(&["--embedded", "--runtime", "docker"]);
    for (name, title) in [("python", "Python"), ("node", "Node")] {
        let found =
            format!("functions in {title} run in images; this machine's own {title} does not matter");
        let check = check(&document, name);
        assert_eq!((&check["status"], &check["found"]), (&json!("ok"), &json!(found)));
    }
}

#[test]
fn without_docker_people_read_what_to_do_and_nothing_is_made() {
    let patient = Patient::new();
    let ran = patient.run(&[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let reason = "no Docker engine answers at unix:///nonexistent/docker.sock (Socket not found: \
                  /nonexistent/docker.sock)";
    let line = format!(
        "\n  problem  docker: {reason}. Start it (`sudo systemctl start docker`), install it, or set DOCKER_HOST to \
         the engine to use.\n"
    );
    assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    let last: Vec<&str> = ran.stdout.lines().rev().take(2).collect();
    assert_eq!(last[1], format!("cloudfunc up: no ({reason})"));
    assert!(last[0].starts_with("cloudfunc up --embedded: "), "{last:?}");
    assert!(ran.stderr.starts_with("next: cloudfunc "), "{}", ran.stderr);
    assert!(!ran.stdout.contains('\x1b'), "no colour off a terminal");
    assert_eq!(std::fs::read_dir(patient.home.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn an_engine_that_hangs_does_not_hang_doctor() {
    let mut patient = Patient::new();
    let socket = patient.home.path().join("docker.sock");
    // The kernel takes connections for it; it never answers.
    let _silent = UnixListener::bind(&socket).unwrap();
    patient.docker_host = Some(format!("unix://{}", socket.display()));
    let begun = Instant::now();
    let (code, document) = patient.document(&DEAD);
    assert_eq!(code, Some(3));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let found = check(&document, "docker")["found"].as_str().unwrap().to_owned();
    assert!(found.ends_with("docker.sock (it takes connections and does not answer)"), "{found}");
}

#[test]
fn a_taken_port_names_who_holds_it() {
    let mut patient = Patient::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    patient.ports[2] = taken.local_addr().unwrap().port();
    let (code, document) = patient.document(&DEAD);
    assert_eq!(code, Some(3));
    let found = check(&document, "scheduler");
    let (start, end) = (
        format!("port {}, which the scheduler needs, is taken by ", patient.ports[2]),
        format!(" (process {})", std::process::id()),
    );
    let text = found["found"].as_str().unwrap();
    assert!(text.starts_with(&start) && text.ends_with(&end), "{text}");
    assert_eq!(found["status"], "problem");
    assert_eq!(found["advice"], "Choose another with --scheduler-port PORT, or stop what holds it.");
    assert_eq!(document["stacks"]["embedded"]["can_run"], false, "its roles need the same port");
    assert_eq!(check(&document, "gateway")["status"], "ok");
}

#[test]
fn backends_that_do_not_answer_are_named_without_their_passwords() {
    let ran = Patient::new().run(&DEAD);
    for line in [
        "  problem  store: the store at 127.0.0.1:1 does not answer: ",
        "  problem  queue: the message broker at 127.0.0.1:1 does not answer: ",
    ] {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"));
    let ran = Patient::new().run(&DEAD[..2]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        "error: --store is given without --queue\nhint: give both, or none: then `up` starts Postgres and RabbitMQ itself\n"
    );
}

#[test]
fn a_data_folder_that_others_can_write_is_a_problem() {
    let patient = Patient::new();
    std::fs::create_dir_all(patient.data_dir()).unwrap();
    std::fs::set_permissions(patient.data_dir(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (_, document) = patient.document(&DEAD);
    let folder = patient.data_dir().display().to_string();
    let found = check(&document, "data-folder");
    assert_eq!(
        found["found"],
        format!("the data folder {folder} can be written by other users (mode 777)")
    );
    assert_eq!(found["advice"], format!("Run `chmod 700 {folder}`, or choose another with --data-dir."));
}

#[test]
fn the_embedded_stack_needs_neither_docker_nor_compose() {
    let (_, document) = Patient::new().document(&["--embedded"]);
    assert_eq!(check(&document, "store")["status"], "ok");
    assert_eq!(check(&document, "compose")["status"], "ok");
    // Docker is a problem only where nothing else makes containers.
    let oci_works = check(&document, "oci")["status"] == "ok";
    assert_eq!(check(&document, "docker")["status"], if oci_works { "note" } else { "problem" });
    assert_eq!(document["stacks"]["embedded"]["can_run"], oci_works);
}

#[test]
fn a_store_and_a_broker_are_looked_at_and_left_as_they_are() {
    let postgres = need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let rabbitmq = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let database = Database::create(&postgres);
    let url = database.url();
    let (_, document) = Patient::new().document(&["--store", &url, "--queue", &rabbitmq]);
    let (store, queue) = (check(&document, "store"), check(&document, "queue"));
    let text = |check: &Value| check["found"].as_str().unwrap().to_owned();
    assert!(text(&store).starts_with("PostgreSQL "), "{store}");
    assert!(text(&store).ends_with(", empty; the first start makes its tables"), "{store}");
    assert!(text(&queue).starts_with("RabbitMQ 3") || text(&queue).starts_with("RabbitMQ 4"), "{queue}");
    assert_eq!(check(&document, "store-clock")["found"], "the store's clock agrees");
    // Fails where a table is there.
    psql(
        &url,
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') = 0; END $$",
    );
}

/// Memory: its limit is below what it uses from the start.
#[tokio::test]
async fn a_broker_in_alarm_is_a_problem() {
    need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let broker = Broker::start_with("vm_memory_high_watermark.absolute = 1KB").await;
    let url = broker.url();
    let flags = ["--store", DEAD[1], "--queue", &url];
    let queue = eventually("the alarm is raised", async || {
        let (_, document) = Patient::new().document(&flags);
        Some(check(&document, "queue")).filter(|queue| queue["status"] == "problem")
    })
    .await;
    let found = queue["found"].as_str().unwrap();
    assert!(found.ends_with(" takes no messages: it is short of memory or disk"), "{found}");
}

/// A container with our labels that nobody owns; removed with the test.
struct Orphan(String);

impl Orphan {
    fn create(platform: &str) -> Self {
        let image = std::env::var("CLOUDFUNC_PYTHON_IMAGE").unwrap_or("python:3.12-slim".to_owned());
        let labels = [format!("cloudfunc.platform={platform}"), "cloudfunc.manager=nobody".to_owned()];
        let mut docker = Command::new("docker");
        docker.args(["create", "--label", &labels[0], "--label", &labels[1], &image]);
        let output = docker.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

#[test]
fn a_container_without_a_manager_is_shown_until_it_is_removed() {
    need!("CLOUDFUNC_TEST_DOCKER");
    let mut patient = Patient::new();
    patient.docker_host = None;
    let platform = format!("t{}", uuid::Uuid::now_v7().simple());
    let orphans = || {
        let (_, document) = patient.document(&DEAD);
        let all = named(&document, "orphans").into_iter();
        all.filter(|check| check["found"].as_str().unwrap().contains(&platform)).collect::<Vec<_>>()
    };
    let orphan = Orphan::create(&platform);
    let id = &orphan.0[..12];
    assert_eq!(
        orphans(),
        [json!({
            "group": "platform", "name": "orphans", "status": "warning",
            "found": format!("container {id} of platform '{platform}' has no living manager here"),
            "advice": format!(
                "Start that platform again, which removes them; or, unless another host, another user or `cloudfunc \
                 run` uses this engine, run `docker rm --force {id}`."
            ),
        })]
    );
    drop(orphan);
    assert_eq!(orphans(), [] as [Value; 0]);
}

/// A platform that runs: its roles are ready, its ports its own, its containers no orphans.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_platform_is_seen() {
    let desk: Desk = desk!();
    let mut up = desk.up().await;
    desk.deploy("hello", "def handler(event):\n    return 'hello'\n", "").await.ok();
    desk.run(&["invoke", "hello"]).await.ok();
    let container = desk.containers().remove(0);

    let backends = desk.backends();
    let backends: Vec<&str> = backends.iter().map(String::as_str).collect();
    let ran = desk.run(&[&["doctor", "--json"], backends.as_slice()].concat()).await;
    assert_eq!(ran.stderr, "", "with --json nothing but the document");
    let document = ran.json();
    for role in ["gateway", "registry", "scheduler", "manager"] {
        let found: Vec<String> = named(&document, role)
            .iter()
            .map(|check| check["found"].as_str().unwrap().to_owned())
            .collect();
        assert!(found[0].starts_with(&format!("the {role} listens on 127.0.0.1:")), "{found:?}");
        assert!(found[1].ends_with(" is ready"), "{found:?}");
    }
    assert!(check(&document, "store")["found"].as_str().unwrap().ends_with(", up to date"));
    let why = format!("it is running, process {}", up.id());
    assert_eq!(document["stacks"]["up"], json!({"can_run": true, "why": why}));
    for check in named(&document, "orphans") {
        let found = check["found"].as_str().unwrap();
        assert!(!found.contains(&container) && !found.contains(&desk.name), "{found}");
    }
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}
