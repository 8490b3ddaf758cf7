//! `cloudfunc up --embedded`: the whole platform in one process, over a file.

use std::fs;

use rustix::process::Signal;

use super::{
    SLEEPER,
    quick_start::{docker, line},
};
use crate::{
    home,
    support::{
        eventually, eventually_within,
        home::{Home, SOON},
        platform::{function, json},
        process::{self, Process},
        terminal::shown_by,
    },
};

async fn up(home: &Home) -> Process {
    let mut up = home.begin("up", &["--embedded"]);
    up.says("cloudfunc is ready", SOON).await;
    up
}

/// Begins an invocation of the sleeper and waits until it runs.
async fn sleeping(home: &Home, payload: &'static str) -> tokio::task::JoinHandle<bool> {
    home.deploy("sleeper", SLEEPER, "").await.ok();
    let client = home.client().await;
    let invoked =
        tokio::spawn(async move { client.invoke(&function("sleeper"), json(payload)).await.is_ok() });
    eventually("it runs", async || home.log("manager").contains("executing").then_some(())).await;
    invoked
}

#[tokio::test]
async fn one_process_is_a_whole_platform() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    assert_eq!(up.stdout(), ready(&home).await);
    assert_eq!(process::children_of(up.id()), Vec::<i32>::new(), "the roles are no processes");

    assert_eq!(home.run(&["deploy", "hello_fn"]).await.ok(), "deployed hello_fn, revision 1\n");
    let ran = home.run(&["invoke", "hello_fn", "--data", r#"{"name":"Alice"}"#]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Hello Alice!"), "{ran:?}");
    assert_eq!(line(&ran), "cold start · N ms · id ID");
    home.run(&["invoke", "hello_fn", "--async", "--data", r#"{"name":"Eve"}"#]).await.ok();
    assert_eq!(home.run(&["invocation", "wait", "@last"]).await.ok(), "Hello Eve!");

    let status = home.run(&["status"]).await.ok();
    assert!(status.lines().skip(1).all(|line| line.contains(" ready")), "{status}");
    let (name, folder) = (&home.name, home.data_dir());
    let url = status.split_whitespace().nth(3).unwrap();
    let first = format!("platform   {name}  embedded  {url}  {}", folder.display());
    assert_eq!(status.lines().next(), Some(first.as_str()));
    let down = home.run(&["down"]).await;
    let said = format!(
        "stopping platform '{name}' (embedded, {url}, data folder {}), process {}; running work finishes\n\
         the platform has stopped\n",
        folder.display(),
        up.id()
    );
    assert_eq!((down.code, down.stderr), (Some(0), said));
    assert_eq!(up.ended(SOON).await, Some(0));

    // The next life has what the last one had.
    let mut up = self::up(&home).await;
    assert_eq!(home.run(&["invoke", "hello_fn"]).await.ok(), "Hello World!");
    let records = home.run(&["invocation", "list", "--json"]).await.json();
    let first = records["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&first["mode"], &first["start"]), (&"sync".into(), &"cold".into()), "{records}");
    let down = home.run(&["down", "--volumes", "--yes"]).await;
    let said = format!(
        "functions, records, logs, unpacked code and tokens are removed, and the folder {} too\n",
        home.data_dir().display()
    );
    assert!(down.stderr.ends_with(&said), "{down:?}");
    assert!(!home.data_dir().exists() && up.ended(SOON).await == Some(0));
    home.leave().await;
}

/// What `up` prints when everything is ready.
async fn ready(home: &Home) -> String {
    let status = home.run(&["status", "--json"]).await.json();
    assert_eq!((&status["ready"], &status["platform"]), (&true.into(), &home.name.as_str().into()));
    let roles = status["roles"].as_array().unwrap();
    let address = |role: &serde_json::Value| {
        format!("  {:<10} {}\n", role["role"].as_str().unwrap(), role["url"].as_str().unwrap())
    };
    let data = home.data_dir();
    "cloudfunc is ready\n".to_owned()
        + &roles.iter().map(address).collect::<String>()
        + &format!("  store      sqlite at {}\n", data.join("store.db").display())
        + "  queue      embedded\n"
        + &format!("  runtime    {}\n", docker("an engine answers"))
        + &format!("  token      {}\n", data.join("token").display())
        + "next, in another terminal: cloudfunc deploy functions/hello_fn   (Ctrl-C here stops the platform)\n"
}

#[tokio::test]
async fn without_an_engine_it_says_so_and_does_without() {
    let home = home!("embedded");
    let mut command = home.cloudfunc(&["up", "--embedded"]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock").env_remove("CLOUDFUNC_PYTHON_VERSION");
    for role in ["gateway", "registry", "scheduler", "manager"] {
        command.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let mut up = Process::start(command, home.home(), "up");
    let why = "  runtime    oci, containers without a daemon (no Docker engine answers at unix:///nowhere.sock)\n";
    up.says(why, SOON).await;
    home.run(&["deploy", "hello_fn"]).await.ok();
    assert_eq!(home.run(&["invoke", "hello_fn"]).await.ok(), "Hello World!");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test]
async fn every_role_has_its_log_and_its_prefix() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    let mut command = home.cloudfunc(&["logs", "--role", "manager", "-f"]);
    command.env("NO_COLOR", "1");
    let mut follower = Process::start(command, home.home(), "follower");
    home.deploy("sleeper", SLEEPER, "").await.ok();
    home.run(&["invoke", "sleeper", "--data", r#"{"seconds":0}"#]).await.ok();
    follower.says("successfully invoked function=\"sleeper\"", SOON).await;
    drop(follower);

    for (role, text) in [
        ("registry", "deployed function=sleeper revision=1"),
        ("manager", "cold start function=\"sleeper\" revision=1"),
        ("scheduler", "scheduler ready"),
        ("gateway", "gateway ready"),
    ] {
        let file = home.run(&["logs", "--role", role]).await.ok();
        assert!(file.contains(text), "the {role}'s log:\n{file}");
        let shown = up.stderr();
        let prefix = format!("{role:<9} | ");
        assert!(shown.lines().any(|line| line.starts_with(&prefix) && line.ends_with(text)), "{shown}");
        let others = file.lines().filter(|line| line.ends_with(" ready") && !line.contains(role));
        assert_eq!(others.count(), 0, "the {role}'s log holds another's lines:\n{file}");
    }
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "SIGTERM is the polite end");
    home.leave().await;
}

#[tokio::test]
async fn on_a_terminal_the_prefixes_have_colour_and_no_code_is_shown_as_text() {
    let home = home!("embedded");
    let mut command = home.cloudfunc(&["up", "--embedded"]);
    for role in ["gateway", "registry", "scheduler", "manager"] {
        command.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let (shown, ()) = tokio::join!(shown_by(command.into()), async {
        eventually_within(SOON, "it is ready", async || {
            (home.run(&["status"]).await.code == Some(0)).then_some(())
        })
        .await;
        home.run(&["down"]).await.ok();
    });
    for prefix in [
        "\x1b[36mgateway   |\x1b[0m 2",
        "\x1b[35mregistry  |\x1b[0m 2",
        "\x1b[33mscheduler |\x1b[0m 2",
        "\x1b[32mmanager   |\x1b[0m 2",
    ] {
        assert!(shown.contains(prefix), "no {prefix:?}:\n{shown}");
    }
    assert!(!shown.contains("\\x1b"), "{shown}");
    home.leave().await;
}

#[tokio::test]
async fn a_second_one_says_who_holds_the_folder_or_the_store() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    let gateway = home.run(&["status", "--json"]).await.json()["roles"][0]["url"].clone();
    let mut second = home.begin("second", &["--embedded"]);
    assert_eq!(second.ended(SOON).await, Some(2));
    let expected = format!(
        "error: platform '{}' is running already (process {}, {}, data folder {})\n\
         hint: see `cloudfunc status`; stop it with `cloudfunc down`; another platform needs another --platform and other ports\n",
        home.name,
        up.id(),
        gateway.as_str().unwrap(),
        home.data_dir().display()
    );
    assert_eq!(second.stderr(), expected);

    // Another folder over the same file, as one process or as roles with a broker.
    let store = format!("sqlite:{}", home.data_dir().join("store.db").display());
    let other = home.home().join("other");
    let flags = ["--data-dir", other.to_str().unwrap(), "--store", &store];
    let used = format!(
        "the store {} is in use by process {}, which needs it alone\n",
        home.data_dir().join("store.db").display(),
        up.id()
    );
    let mut third = home.begin("third", &[&["--embedded"][..], &flags].concat());
    assert_eq!(third.ended(SOON).await, Some(3));
    assert!(third.stderr().starts_with(&format!("error: {used}")), "{}", third.stderr());
    let broker = ["registry", "--registry-port", "0", "--queue", "amqp://u:p@127.0.0.1:1/%2f"];
    let registry = home.run(&[&broker[..], &flags].concat()).await;
    assert_eq!(registry.code, Some(3));
    assert_eq!(registry.stderr, format!("error: the registry cannot run: {used}"));

    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_finishes_what_runs() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    let invoked = sleeping(&home, r#"{"seconds":2,"n":7}"#).await;
    up.signal(Signal::INT);
    up.says(
        "stopping: running work finishes, the rest is given back; press Ctrl-C again to stop at once\n",
        SOON,
    )
    .await;
    assert!(invoked.await.unwrap(), "running work is answered");
    assert_eq!(up.ended(SOON).await, Some(130));
    home.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_stops_at_once() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    let invoked = sleeping(&home, r#"{"seconds":25}"#).await;
    up.signal(Signal::INT);
    up.says("stopping", SOON).await;
    let stopping = tokio::time::Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.ended(SOON).await, Some(130));
    assert!(stopping.elapsed().as_secs() < 10, "it took {:?}", stopping.elapsed());
    assert!(!invoked.await.unwrap(), "it was given up");
    home.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_one_is_in_nobodys_way() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    home.deploy("sleeper", SLEEPER, "").await.ok();
    let client = home.client().await;
    let payload = json(r#"{"seconds":2,"n":9}"#);
    let id = client.invoke_async(&function("sleeper"), payload).await.unwrap().id;
    eventually("it runs", async || home.log("manager").contains("executing").then_some(())).await;
    up.signal(Signal::KILL);
    assert_eq!(up.ended(SOON).await, None);

    let mut up = self::up(&home).await;
    let client = home.client().await;
    let record = eventually_within(SOON, "it is run again", async || {
        let record = client.record(id, Some(SOON)).await.unwrap();
        record.state.is_terminal().then_some(record)
    })
    .await;
    assert_eq!((record.state.as_str(), record.attempts.len()), ("succeeded", 2), "{record:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test]
async fn a_role_that_ends_ends_all_and_the_store_keeps_everything() {
    let home = home!("embedded");
    let mut first = up(&home).await;
    home.run(&["deploy", "hello_fn"]).await.ok();
    first.signal(Signal::TERM);
    assert_eq!(first.ended(SOON).await, Some(0));

    let instances = home.data_dir().join("instances");
    fs::remove_dir(&instances).unwrap();
    fs::write(&instances, "in the way").unwrap();
    let mut broken = home.begin("broken", &["--embedded"]);
    assert_eq!(broken.ended(SOON).await, Some(3));
    let expected = format!(
        "error: the manager ended: cannot empty {}: Not a directory (os error 20)\n\
         hint: the whole story is in {}\n",
        instances.display(),
        home.data_dir().join("logs").display()
    );
    assert!(broken.stderr().ends_with(&expected), "{}", broken.stderr());

    fs::remove_file(&instances).unwrap();
    let mut up = up(&home).await;
    assert_eq!(home.run(&["invoke", "hello_fn"]).await.ok(), "Hello World!");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test]
async fn a_strangers_platform_on_our_ports_is_not_ours() {
    let home = home!("embedded");
    let mut up = up(&home).await;
    let status = home.run(&["status", "--json"]).await.json();
    let mut flags = Vec::new();
    for role in status["roles"].as_array().unwrap() {
        let port = role["url"].as_str().unwrap().rsplit(':').next().unwrap();
        flags.extend([format!("--{}-port", role["role"].as_str().unwrap()), port.to_owned()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let told = home.run(&[&["status", "--platform", "mine"], flags.as_slice()].concat()).await;
    assert_eq!(told.code, Some(3), "{told:?}");
    let foreign = format!("foreign: the gateway of platform '{}' answers", home.name);
    assert!(told.stdout.contains(&foreign), "{told:?}");
    assert!(told.stderr.starts_with("error: platform 'mine' (data folder "), "{told:?}");
    assert!(told.stderr.contains(" is not running, and its ports are not free\nhint: "), "{told:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}
