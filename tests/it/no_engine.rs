//! A manager without Docker, and two hosts over one store and one queue.

use std::process::Stdio;

use cloudfunc::{
    app::{Host, Role},
    client::{Client, Outcome},
    model::{Problem, code},
    place::{Addresses, State},
    shutdown::Shutdown,
};

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function, json},
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";

/// A program that is killed with the test.
struct Manager(tokio::process::Child);

impl Manager {
    fn start(platform: &TestPlatform, docker_host: &str) -> Self {
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
            .arg("manager")
            .env_clear()
            .env("HOME", &platform.platform.data_dir)
            .envs(platform.platform.environment())
            .env("DOCKER_HOST", docker_host)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.unwrap())
    }

    async fn stop(mut self) {
        let id = rustix::process::Pid::from_raw(self.0.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().await.unwrap().success());
    }
}

const NOWHERE: &str = "unix:///nonexistent/docker.sock";

#[tokio::test]
async fn without_docker_deploy_and_invoke_say_what_is_missing() {
    let test = "no_engine::without_docker_deploy_and_invoke_say_what_is_missing";
    let roles = [Role::Registry, Role::Scheduler, Role::Gateway];
    let Some(platform) = TestPlatform::start_roles(Stack::REAL, test, &roles, |_| {}).await else {
        return;
    };
    let without = Manager::start(&platform, NOWHERE);
    let error = platform.try_deploy("hello_fn", &[("function.py", HELLO)]).await.unwrap_err();
    let cloudfunc::client::Error::Problem(problem) = error else { panic!("{error:?}") };
    let reason = "the container engine at unix:///nonexistent/docker.sock does not answer: Socket not \
                  found: /nonexistent/docker.sock";
    let detail = format!("the build could not be done: {reason}");
    let hint = "'cloudfunc logs --role manager' shows more";
    assert_eq!(*problem, Problem::new(code::UNAVAILABLE, detail).hint(hint));
    without.stop().await;

    let with = Manager::start(&platform, "");
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    with.stop().await;

    let without = Manager::start(&platform, NOWHERE);
    let problem = platform.problem("hello_fn", "{}").await;
    let detail = format!("function 'hello_fn' could not be started: {reason}");
    let expected = Problem::new(code::START_FAILED, detail).hint(hint).retry_after(1);
    assert_eq!(problem, expected.invocation(problem.invocation_id.unwrap()));
    let (exit, _, stderr) = platform.cli(&["invoke", "hello_fn"]).await;
    assert_eq!(exit, 3);
    assert_eq!(stderr, format!("error: {}\nhint: {hint}\n", problem.detail));
    without.stop().await;
    platform.stop().await;
}

#[tokio::test]
async fn a_second_host_invokes_what_the_first_has_just_deployed() {
    let test = "no_engine::a_second_host_invokes_what_the_first_has_just_deployed";
    let Some(platform) = TestPlatform::start(Stack::REAL, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = "127.0.0.1:0".parse().unwrap();
    let mut second = platform.platform.clone();
    second.data_dir = folder.path().join("data");
    second.addresses = Addresses { gateway: local, registry: local, scheduler: local, manager: local };
    let roles = [Role::Registry, Role::Scheduler, Role::Gateway];
    let host = Host::bind(&roles, &second).await.unwrap();
    let url = format!("http://{}/", host.platform().addresses.gateway).parse().unwrap();
    let token = State::open(&second.data_dir).unwrap().token().unwrap();
    let client = Client::new(url, Some(token)).unwrap();
    let shutdown = Shutdown::default();
    let running = tokio::spawn(host.run(shutdown.clone()));
    eventually("the second host is ready", || async {
        client.health().await.ok().filter(|health| health.ready)
    })
    .await;

    for name in ["one", "two", "three"] {
        platform.deploy(name, &[("function.py", HELLO)]).await;
        let answer = client.invoke(&function(name), json("{}")).await.unwrap();
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(&body.bytes[..], b"hello");
    }
    // Another revision is heard of by broadcast.
    platform.deploy("one", &[("function.py", "def handler(event):\n    return 'new'\n")]).await;
    eventually("the second host has the new revision", || async {
        let answer = client.invoke(&function("one"), json("{}")).await.unwrap();
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        (&body.bytes[..] == b"new").then_some(())
    })
    .await;
    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
    platform.stop().await;
}
