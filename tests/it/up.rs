//! `up`, `down` and `status` as far as they come without a running platform.

use std::net::{Ipv4Addr, TcpListener};

use assert_cmd::Command;
use predicates::str::{contains, is_match, starts_with};
use tempfile::TempDir;

/// A command of a user who has never used the program.
fn cloudfunc(home: &TempDir) -> Command {
    let mut command = Command::cargo_bin("cloudfunc").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLOUDFUNC_")) {
        command.env_remove(name);
    }
    command
        .env_remove("XDG_CONFIG_HOME")
        .env("HOME", home.path())
        .env("XDG_STATE_HOME", home.path().join("state"));
    command
}

/// Flags that keep two tests out of each other's way.
const FREE_PORTS: [&str; 8] =
    ["--gateway-port", "0", "--registry-port", "0", "--scheduler-port", "0", "--manager-port", "0"];
const BACKENDS: [&str; 4] =
    ["--store", "postgres://u:hunter2@127.0.0.1:1/x", "--queue", "amqp://u:hunter2@127.0.0.1:1/%2f"];

#[test]
fn a_taken_port_names_the_port_and_the_flag() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = cloudfunc(&home);
    command.arg("up").args(BACKENDS).args(&FREE_PORTS[2..]).args(["--gateway-port", &port]);
    let me = std::process::id();
    command.assert().code(2).stdout("").stderr(
        is_match(format!(
            "^error: port {port}, which the gateway needs, is taken by .+ \\(process {me}\\)\n\
             hint: choose another with --gateway-port PORT, or stop what holds it\n$"
        ))
        .unwrap(),
    );
}

#[test]
fn two_roles_on_one_port_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut command = cloudfunc(&home);
    command.arg("up").args(BACKENDS).args(["--gateway-port", "7000"]);
    command.assert().code(2).stderr("error: --gateway-port and --registry-port both have port 7000\n");
}

#[test]
fn a_store_without_a_queue_and_the_other_way_round_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let hint = "hint: give both, or none: then `up` starts Postgres and RabbitMQ itself\n";
    cloudfunc(&home)
        .arg("up")
        .args(&BACKENDS[..2])
        .assert()
        .code(2)
        .stderr(format!("error: --store is given without --queue\n{hint}"));
    cloudfunc(&home)
        .arg("up")
        .args(&BACKENDS[2..])
        .assert()
        .code(2)
        .stderr(format!("error: --queue is given without --store\n{hint}"));
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home)
        .args(["up", "--store", "mysql://u:hunter2@db/x", "--queue", "embedded"])
        .assert()
        .code(2)
        .stderr(
            "error: --store: not a store; accepted are postgres://user:password@host:port/database and \
             sqlite:PATH, or sqlite alone: a file in the data folder\n",
        );
}

#[test]
fn an_unknown_key_of_the_users_file_is_named_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/cloudfunc");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "[platform]\n  gateway_prot = 8001\n").unwrap();
    cloudfunc(&home).arg("up").assert().code(2).stderr(format!(
        "error: {}/config.toml:2:3: unknown key `platform.gateway_prot`; did you mean \
         `platform.gateway_port`?\n",
        folder.display()
    ));
}

#[test]
fn without_docker_up_says_so_and_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut command = cloudfunc(&home);
    command.arg("up").args(FREE_PORTS).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.assert().code(3).stdout("").stderr(
        "error: Docker is not running: no engine answers at unix:///nonexistent/docker.sock \
         (Socket not found: /nonexistent/docker.sock)\n\
         hint: start it, or set DOCKER_HOST to the engine to use; `cloudfunc up --embedded` needs no Docker\n",
    );
    assert!(!home.path().join("state/cloudfunc/compose/compose").exists());
    cloudfunc(&home).args(["status"]).assert().code(3).stderr(contains("is not running"));
}

#[test]
fn docker_that_is_asked_for_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [["up", "--embedded"], ["run", "functions/hello_fn"]] {
        let mut command = cloudfunc(&home);
        command.args(arguments).args(["--runtime", "docker"]);
        if arguments[0] == "up" {
            command.args(FREE_PORTS);
        }
        command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).assert().code(3).stdout("").stderr(
            "error: Docker is not running: no engine answers at unix:///nonexistent/docker.sock \
             (Socket not found: /nonexistent/docker.sock)\n\
             hint: start it, or set DOCKER_HOST to the engine to use; `--runtime oci` needs no Docker\n",
        );
    }
}

#[test]
fn embedded_names_what_contradicts_it() {
    let home = tempfile::tempdir().unwrap();
    for (flags, error) in [
        (
            &BACKENDS[..2],
            "--embedded and --store contradict each other: --embedded means --store sqlite",
        ),
        (
            &BACKENDS[2..],
            "--embedded and --queue contradict each other: --embedded means --queue embedded",
        ),
    ] {
        let mut command = cloudfunc(&home);
        command.args(["up", "--embedded"]).args(flags);
        command.assert().code(2).stdout("").stderr(format!("error: {error}\n"));
    }
}

#[test]
fn an_embedded_queue_is_refused_where_others_could_use_its_store() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home)
        .arg("up")
        .args(&BACKENDS[..2])
        .args(["--queue", "embedded"])
        .assert()
        .code(2)
        .stderr(
            "error: the embedded queue cannot be used with Postgres: other processes may use it, too\n\
         hint: give --store sqlite with the embedded queue, or --queue amqp://… with Postgres\n",
        );
    let roles = ["registry", "--store", "sqlite", "--queue", "embedded"];
    cloudfunc(&home).args(roles).assert().code(2).stderr(
        "error: the registry alone cannot use an embedded queue: it works inside one process only\n\
         hint: `cloudfunc up --embedded` runs all roles in one process\n",
    );
}

#[test]
fn a_role_alone_needs_a_store_and_a_queue() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home).arg("registry").assert().code(2).stderr(
        "error: no store and no queue are given\n\
         hint: give --store and --queue, or start everything with `cloudfunc up`\n",
    );
}

#[test]
fn down_where_nothing_runs_says_so() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home).arg("down").assert().success().stdout("").stderr(format!(
        "nothing is running: platform 'default' (data folder {}/state/cloudfunc/compose)\n",
        home.path().display()
    ));
}

#[test]
fn down_does_not_remove_data_unasked() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home).args(["down", "--volumes", "--platform", "never-started"]).assert().code(2).stderr(
        "error: --volumes removes all functions, records and messages\n\
         hint: pass --yes if there is no terminal to ask on\n",
    );
}

#[test]
fn status_where_nothing_runs_says_so() {
    let home = tempfile::tempdir().unwrap();
    // Ports that nobody has: bound by this test without listening on them.
    let sockets = [0; 4].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let ports = sockets.each_ref().map(|socket| socket.local_addr().unwrap().port().to_string());
    drop(sockets);
    let flags = ["--gateway-port", "--registry-port", "--scheduler-port", "--manager-port"];
    let arguments = || flags.iter().zip(&ports).flat_map(|(flag, port)| [*flag, port.as_str()]);
    cloudfunc(&home)
        .arg("status")
        .args(arguments())
        .assert()
        .code(3)
        .stdout(contains(format!("gateway    http://127.0.0.1:{}", ports[0])))
        .stdout(contains(" down\n"))
        .stderr(format!(
            "error: platform 'default' (data folder {}/state/cloudfunc/compose) is not running\n\
             hint: start it with `cloudfunc up` or `cloudfunc up --embedded`\n",
            home.path().display()
        ));
    let json = cloudfunc(&home).args(["status", "--json"]).args(arguments()).assert().code(3);
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["ready"], false);
    assert_eq!(json["up_pid"], serde_json::Value::Null);
    assert_eq!(json["roles"][0]["role"], "gateway");
    assert_eq!(json["roles"][0]["state"], "down");
}

#[test]
fn help_names_flags_with_their_variables_and_shows_no_secret() {
    let home = tempfile::tempdir().unwrap();
    cloudfunc(&home)
        .args(["up", "--help"])
        .env("CLOUDFUNC_STORE", "postgres://u:hunter2@db/x")
        .assert()
        .success()
        .stdout(starts_with("Start the platform"))
        .stdout(contains("CLOUDFUNC_GATEWAY_PORT"))
        .stdout(predicates::prelude::PredicateBooleanExt::not(contains("hunter2")));
}
