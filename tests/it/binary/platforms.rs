//! Several platforms of one user: known by name, told apart, and never in each other's way.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Command,
};

use rustix::process::Signal;

use crate::{
    desk, home,
    support::{
        eventually_within,
        home::{Home, Ran, SOON},
        process::Process,
    },
};

/// Containers without a daemon: a platform of these starts in a second.
const EMBEDDED: [&str; 5] = ["--embedded", "--runtime", "oci", "--prewarm-budget", "0B"];

/// A command that is told nothing.
fn untold(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.cloudfunc(arguments);
    command.env_remove("CLOUDFUNC_PLATFORM");
    command
}

fn run(home: &Home, arguments: &[&str]) -> Ran {
    ran(untold(home, arguments))
}

fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn up(home: &Home, name: &str) -> Process {
    let mut up = home.begin(name, &[&EMBEDDED[..], &["--platform", name]].concat());
    up.says("cloudfunc is ready", SOON).await;
    up
}

/// Of `platform list`, by name.
fn listed(home: &Home, name: &str) -> serde_json::Value {
    let document = run(home, &["platform", "list", "--json"]).json();
    let items = document["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{document}")).clone()
}

fn folder(home: &Home, name: &str) -> String {
    home.home().join(format!("state/cloudfunc/embedded-{name}")).display().to_string()
}

#[tokio::test]
async fn two_platforms_of_one_user_are_told_apart_by_name() {
    let home = Home::new("embedded");
    let (one, other) = (home.name.clone(), format!("{}-b", home.name));
    assert_eq!(
        run(&home, &["platform", "list"]).stderr,
        "no platform was started yet\nnext: cloudfunc up --embedded\n"
    );
    let (mut first, mut second) = (up(&home, &one).await, up(&home, &other).await);
    let url = |name: &str| listed(&home, name)["url"].as_str().unwrap().to_owned();

    // None is chosen: every command says so, and lists them.
    for arguments in [vec!["list"], vec!["status"], vec!["down"], vec!["doctor"], vec!["logs", "x"]] {
        let refused = run(&home, &arguments);
        let expected = format!(
            "error: 2 platforms run here, and none is chosen\n  \
             {one}: embedded, {}, data folder {}\n  {other}: embedded, {}, data folder {}\n\
             hint: say which one with --platform NAME or CLOUDFUNC_PLATFORM, or choose one until further notice with \
             `cloudfunc platform use NAME`\n",
            url(&one),
            folder(&home, &one),
            url(&other),
            folder(&home, &other)
        );
        assert_eq!((refused.code, refused.stderr), (Some(2), expected), "{arguments:?}");
    }
    assert_eq!(run(&home, &["list", "--platform", &other]).code, Some(0));
    let mut named = untold(&home, &["status", "--json"]);
    assert_eq!(
        ran({
            named.env("CLOUDFUNC_PLATFORM", &one);
            named
        })
        .json()["platform"],
        one.as_str()
    );
    // An address says it, too; localhost is this machine.
    let at = url(&other).replace("127.0.0.1", "localhost");
    assert_eq!(run(&home, &["status", "--url", &at, "--json"]).json()["platform"], other.as_str());
    assert_eq!(run(&home, &["list", "--url", &at]).code, Some(0), "with its token");
    let unknown = run(&home, &["list", "--platform", "nobody"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.starts_with(&format!(
        "error: no platform 'nobody' is known here; known platforms: {one}, {other}\n"
    )));

    // A choice holds for all of them.
    let used = run(&home, &["platform", "use", &one]);
    let details = format!("embedded, {}, data folder {}", url(&one), folder(&home, &one));
    assert_eq!(used.ok(), format!("commands talk to platform '{one}' ({details})\n"));
    assert_eq!(run(&home, &["status", "--json"]).json()["platform"], one.as_str());
    let (chosen, not) = (listed(&home, &one), listed(&home, &other));
    assert_eq!(
        (&chosen["used"], &chosen["chosen"], &chosen["running"]),
        (&true.into(), &true.into(), &true.into())
    );
    assert_eq!(
        (&not["used"], &not["chosen"], &not["running"]),
        (&false.into(), &false.into(), &true.into())
    );
    let doctor = run(&home, &["doctor"]);
    let expected =
        format!("looking at platform '{one}' ({details}), which runs as process {}\n", first.id());
    assert!(doctor.stdout.starts_with(&expected), "{doctor:?}");

    // The one that was started last stops; the other one serves, and is found.
    let stopped = run(&home, &["down", "--platform", &other]);
    assert!(
        stopped.stderr.starts_with(&format!("stopping platform '{other}' (embedded, ")),
        "{stopped:?}"
    );
    assert_eq!(second.ended(SOON).await, Some(0));
    run(&home, &["platform", "use", "--none"]).ok();
    assert_eq!(run(&home, &["status", "--json"]).json()["platform"], one.as_str());
    assert_eq!(run(&home, &["list"]).code, Some(0));
    assert_eq!(listed(&home, &other)["running"], false);

    // What does not run is sent nothing, and named.
    let refused = run(&home, &["list", "--platform", &other]);
    assert_eq!(refused.code, Some(3));
    let expected = format!(
        " is not running\nhint: start it with `cloudfunc up --embedded --platform {other}`; or talk to another one: "
    );
    assert!(
        refused.stderr.starts_with(&format!("error: platform '{other}' (embedded, "))
            && refused.stderr.contains(&expected),
        "{refused:?}"
    );

    // A killed one is seen to be dead; a folder that is gone is forgotten.
    first.signal(Signal::KILL);
    first.ended(SOON).await;
    assert_eq!(listed(&home, &one)["running"], false);
    let error = run(&home, &["list"]).stderr;
    assert!(error.starts_with("error: none of the 2 platforms known here is running\n"), "{error}");
    fs::remove_dir_all(folder(&home, &other)).unwrap();
    let gone = format!("forgot a platform whose data folder is gone: {}\n", folder(&home, &other));
    assert_eq!(run(&home, &["platform", "list"]).stderr, gone);
    assert_eq!(run(&home, &["platform", "list"]).stderr, "");
    fs::remove_dir_all(folder(&home, &one)).unwrap();
    let _ = home.name;
}

#[tokio::test]
async fn the_first_command_after_readyz_finds_the_platform() {
    let home = Home::new("embedded");
    for round in 0..8 {
        // Nothing is left of the last one: token and all are new.
        let _ = fs::remove_dir_all(home.home().join("state"));
        let mut up = ready(&home, &format!("up{round}"), &EMBEDDED).await;
        up.signal(Signal::TERM);
        assert_eq!(up.ended(SOON).await, Some(0));
    }
    let desk = desk!();
    let backends = desk.backends();
    let backends: Vec<&str> = backends.iter().map(String::as_str).collect();
    for round in 0..2 {
        let _ = fs::remove_dir_all(desk.home().join("state"));
        let mut up = ready(&desk, &format!("up{round}"), &backends).await;
        up.signal(Signal::TERM);
        assert_eq!(up.ended(SOON).await, Some(0));
    }
    home.leave().await;
    desk.leave().await;
}

/// Starts it, and runs a command at once when its gateway says that it is ready.
async fn ready(home: &Home, name: &str, flags: &[&str]) -> Process {
    let port = free_port().to_string();
    let mut command = home.cloudfunc(&["up", "--gateway-port", &port]);
    command.args(flags);
    for role in ["registry", "scheduler", "manager"] {
        command.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let up = Process::start(command, home.home(), name);
    let http =
        cloudfunc::client::Client::new(format!("http://127.0.0.1:{port}/").parse().unwrap(), None);
    let http = http.unwrap();
    eventually_within(SOON, "the gateway is ready", async || {
        http.health().await.ok().filter(|health| health.ready)
    })
    .await;
    let listed = run(home, &["list"]);
    assert_eq!(
        (listed.code, listed.stderr.as_str()),
        (Some(0), "no functions yet\nnext: cloudfunc init hello\n")
    );
    up
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn somebody_elses_platform_is_not_called_ready() {
    let theirs = Home::new("embedded");
    let mut up = up(&theirs, &theirs.name).await;
    let status = run(&theirs, &["status", "--json"]).json();
    // Another user, whose platform has the same name.
    let mut mine = Home::new("embedded");
    mine.name = theirs.name.clone();
    let mut flags = Vec::new();
    for role in status["roles"].as_array().unwrap() {
        let port = role["url"].as_str().unwrap().rsplit(':').next().unwrap();
        flags.extend([format!("--{}-port", role["role"].as_str().unwrap()), port.to_owned()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let told = mine.run(&[&["status"], flags.as_slice()].concat()).await;
    assert_eq!(told.code, Some(3), "{told:?}");
    let foreign = format!("foreign: the gateway of another platform named '{}' answers", mine.name);
    assert!(told.stdout.contains(&foreign), "{told:?}");
    assert!(told.stderr.contains(" is not running, and its ports are not free\n"), "{told:?}");

    // Asked for by its address, it is told of as far as it lets us.
    let url = status["url"].as_str().unwrap();
    let without = run(&mine, &["status", "--url", url]);
    assert_eq!(without.code, Some(6), "{without:?}");
    assert_eq!(
        without.stderr,
        format!(
            "error: the gateway at {url} is ready, and does not take the token that commands send\n\
             hint: name the file with its token: --token-file FILE or CLOUDFUNC_TOKEN_FILE\n"
        )
    );
    let token = std::path::PathBuf::from(folder(&theirs, &theirs.name)).join("token");
    let token = token.to_str().unwrap();
    let mut with = untold(&mine, &["status", "--token-file", token]);
    let with = ran({
        with.env("CLOUDFUNC_URL", url);
        with
    });
    let expected = format!("platform   {}  {url}\ngateway    {url} ready\n", theirs.name);
    assert_eq!((with.code, with.stdout, with.stderr.as_str()), (Some(0), expected, ""));
    let nowhere = run(&mine, &["status", "--url", "http://127.0.0.1:9"]);
    assert_eq!(nowhere.code, Some(3));
    assert!(
        nowhere.stderr.starts_with("error: no platform answers at http://127.0.0.1:9: "),
        "{nowhere:?}"
    );
    let down = run(&mine, &["down", "--url", url]);
    assert_eq!(down.code, Some(2), "{down:?}");
    assert!(
        down.stderr.starts_with(&format!("error: no platform on this machine is known at {url}, ")),
        "{down:?}"
    );

    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    theirs.leave().await;
    mine.leave().await;
}

#[tokio::test]
async fn without_a_home_a_data_folder_is_enough() {
    let home = Home::new("embedded");
    let data = home.home().join("data");
    let homeless = |arguments: &[&str]| {
        let mut command = untold(&home, arguments);
        command.env("CLOUDFUNC_DATA_DIR", &data);
        for variable in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        command
    };
    let mut start = homeless(&["up", "--platform", &home.name]);
    start.args(EMBEDDED);
    for role in ["gateway", "registry", "scheduler", "manager"] {
        start.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let mut up = Process::start(start, home.home(), "up");
    up.says("cloudfunc is ready", SOON).await;
    assert_eq!(ran(homeless(&["list"])).code, Some(0));
    let status = ran(homeless(&["status", "--json"])).json();
    assert_eq!(status["data_dir"], data.to_str().unwrap());
    ran(homeless(&["down"])).ok();
    assert_eq!(up.ended(SOON).await, Some(0));

    let mut nothing = homeless(&["up", "--embedded"]);
    nothing.env_remove("CLOUDFUNC_DATA_DIR");
    assert_eq!(
        ran(nothing).stderr,
        "error: none of XDG_STATE_HOME, STATE_DIRECTORY and HOME names a folder, so there is no place for cloudfunc's \
         files\nhint: set HOME, or pass --data-dir DIR\n"
    );
    let mut service = homeless(&["status"]);
    service.env_remove("CLOUDFUNC_DATA_DIR").env("STATE_DIRECTORY", home.home().join("service"));
    let expected = format!("(data folder {}/service/compose) is not running\n", home.home().display());
    let said = ran(service).stderr;
    assert!(said.contains(&expected), "{said}");
    home.leave().await;
}

#[tokio::test]
async fn a_platform_in_the_background_is_ready_when_its_command_ends() {
    let home = Home::new("embedded");
    let up = |flags: &[&str]| {
        let mut command = home.cloudfunc(&["up", "--detach"]);
        command.args(EMBEDDED).args([
            "--registry-port",
            "0",
            "--scheduler-port",
            "0",
            "--manager-port",
            "0",
        ]);
        command.args(flags);
        ran(command)
    };
    let waiting = Process::start(home.cloudfunc(&["status", "--wait", "1m"]), home.home(), "waiting");
    let started = up(&["--gateway-port", "0"]);
    assert_eq!((started.code, started.stderr.as_str()), (Some(0), ""), "{started:?}");
    assert!(started.stdout.starts_with("cloudfunc is ready\n  gateway    http://"), "{started:?}");
    assert!(started.stdout.ends_with("   (`cloudfunc down` stops the platform)\n"), "{started:?}");
    let mut waiting = waiting;
    assert_eq!(waiting.ended(SOON).await, Some(0), "{}", waiting.stdout());
    assert_eq!(home.run(&["list"]).await.code, Some(0));

    // A start that fails says what it says in the foreground.
    let folder = home.home().join("other").display().to_string();
    let url = home.run(&["status", "--json"]).await.json()["url"].as_str().unwrap().to_owned();
    let port = url.rsplit(':').next().unwrap();
    let failed = up(&["--gateway-port", port, "--data-dir", &folder]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(2), ""), "{failed:?}");
    let taken = format!("error: port {port}, which the gateway needs, is taken by cloudfunc (process ");
    assert!(failed.stderr.starts_with(&taken) && failed.stderr.contains("\nhint: "), "{failed:?}");

    home.run(&["down"]).await.ok();
    let late = home.run(&["status", "--wait", "200ms"]).await;
    assert_eq!(late.code, Some(3));
    let expected = format!("error: not ready within 200 ms: platform '{}' (embedded, ", home.name);
    assert!(late.stderr.starts_with(&expected), "{late:?}");
    home.leave().await;
}

/// An image that no engine has, and no registry.
const NOWHERE: &str = "cloudfunc-test/nowhere:1";

#[tokio::test]
async fn without_an_image_functions_run_without_docker_and_it_is_said_why() {
    let home = home!("embedded");
    let offline = |arguments: &[&str]| {
        let mut command = untold(&home, arguments);
        command.env("CLOUDFUNC_PYTHON_IMAGE", NOWHERE).env_remove("CLOUDFUNC_PYTHON_VERSION");
        command.env("TMPDIR", home.home());
        ran(command)
    };
    let hello = offline(&["run", "functions/hello_fn"]);
    assert_eq!((hello.code, hello.stdout.as_str()), (Some(0), "Hello World!"), "{hello:?}");
    let why = format!(" does not have {NOWHERE} and cannot pull it)\n");
    assert!(
        hello.stderr.starts_with("functions run in oci, containers without a daemon (Docker at "),
        "{hello:?}"
    );
    assert!(hello.stderr.contains(&why), "{hello:?}");

    // Docker that was asked for is kept, and what to do is said.
    let asked = offline(&["run", "functions/hello_fn", "--runtime", "docker"]);
    assert_eq!(asked.code, Some(3), "{asked:?}");
    for text in [NOWHERE, "docker load", "CLOUDFUNC_PYTHON_IMAGE", "--runtime oci"] {
        assert!(asked.stderr.contains(text), "{text}: {asked:?}");
    }
    let doctor = offline(&["doctor", "--embedded", "--runtime", "docker", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(document["stacks"]["embedded"]["can_run"], false, "{document}");
    let why = document["stacks"]["embedded"]["why"].as_str().unwrap();
    assert!(
        why.starts_with(&format!("the base image {NOWHERE} is not there and cannot be pulled (")),
        "{why}"
    );
    let doctor = offline(&["doctor", "--embedded", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(document["stacks"]["embedded"]["can_run"], true, "{document}");
    home.leave().await;
}

#[tokio::test]
async fn a_compose_image_that_cannot_be_pulled_names_what_helps() {
    let home = home!("compose");
    let mut command = home.cloudfunc(&["up"]);
    for role in ["gateway", "registry", "scheduler", "manager"] {
        command.args([format!("--{role}-port"), "0".to_owned()]);
    }
    for port in ["POSTGRES_PORT", "RABBITMQ_PORT", "RABBITMQ_MANAGEMENT_PORT"] {
        command.env(port, "0");
    }
    let failed = ran({
        command.env("CLOUDFUNC_POSTGRES_IMAGE", NOWHERE);
        command
    });
    home.run(&["down", "--volumes", "--yes"]).await;
    assert_eq!(failed.code, Some(3), "{failed:?}");
    let hint = format!(
        "\nhint: Docker does not have {NOWHERE}: load it with `docker load` where it cannot be pulled, or set \
         CLOUDFUNC_POSTGRES_IMAGE to an image that is there; `cloudfunc up --embedded` needs none\n"
    );
    assert!(failed.stderr.ends_with(&hint), "{failed:?}");
    home.leave().await;
}
