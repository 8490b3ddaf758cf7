//! The quick start as a newcomer has it: `up` starts Postgres and RabbitMQ itself, from nothing.

use std::{process::Command, time::Duration};

use rustix::process::Signal;

use crate::{
    desk,
    support::{
        desk::{Desk, SOON},
        process::Process,
    },
};

/// A database and a broker begin from nothing, beside other tests.
const FIRST_START: Duration = Duration::from_secs(180);

/// What Docker has of the project, by kind.
fn left(desk: &Desk) -> Vec<String> {
    let filter = format!("label=com.docker.compose.project=cloudfunc-{}", desk.name);
    let list = |arguments: &[&str]| {
        let output = Command::new("docker")
            .args(arguments)
            .args(["--quiet", "--filter", &filter])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    [list(&["ps", "--all"]), list(&["volume", "ls"]), list(&["network", "ls"])].concat()
}

/// Also after a failure nothing stays in Docker.
struct Project<'d>(&'d Desk);

impl Drop for Project<'_> {
    fn drop(&mut self) {
        let _ = self.0.cloudfunc(&["down", "--volumes", "--yes"]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_from_nothing_with_compose() {
    let desk = desk!();
    let mut command = desk.cloudfunc(&["up"]);
    for port in ["gateway", "registry", "scheduler", "manager"] {
        command.args([format!("--{port}-port"), "0".to_owned()]);
    }
    for port in ["POSTGRES_PORT", "RABBITMQ_PORT", "RABBITMQ_MANAGEMENT_PORT"] {
        command.env(port, "0");
    }
    let project = Project(&desk);
    let mut up = Process::start(command, desk.home(), "up");
    up.says("cloudfunc is ready", FIRST_START).await;
    assert_eq!(left(&desk).len(), 5, "two containers, two volumes, one network");

    desk.run(&["deploy", "functions/hello_fn"]).await.ok();
    let hello = desk.run(&["invoke", "hello_fn", "--data", r#"{"name":"Alice"}"#]).await;
    assert_eq!((hello.code, hello.stdout.as_str()), (Some(0), "Hello Alice!"), "{hello:?}");
    let status = desk.run(&["status", "--json"]).await.json();
    let services = status["services"].as_array().unwrap();
    assert!(
        services.len() == 2 && services.iter().all(|service| service["healthy"] == true),
        "{status}"
    );

    // The project has the same name from everywhere, but is this folder's to remove.
    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().join("state");
    let other = elsewhere.to_str().unwrap();
    let stranger = desk.run(&["down", "--volumes", "--yes", "--data-dir", other]).await;
    assert_eq!(stranger.code, Some(2), "{stranger:?}");
    assert!(stranger.stderr.contains("belong to the platform in another data folder"), "{stranger:?}");
    assert_eq!(left(&desk).len(), 5);

    // Stopping the roles keeps the services; taking them down with their data keeps nothing.
    up.signal(Signal::INT);
    assert_eq!(up.ended(SOON).await, Some(130), "{}", up.stderr());
    assert!(
        up.stderr().ends_with("Postgres and RabbitMQ keep running; stop them with `cloudfunc down`\n")
    );
    let down = desk.run(&["down", "--volumes", "--yes"]).await;
    assert_eq!(down.code, Some(0), "{down:?}");
    assert_eq!(left(&desk), Vec::<String>::new());
    drop(project);
    drop(up);
    desk.leave().await;
}
