//! `cloudfunc run`: one function, once, and nothing stays.

use std::{fs, process::Command};

use rustix::process::Signal;
use serde_json::json;

use super::{SLEEPER, quick_start::line};
use crate::{
    home,
    packages::wheelhouse::{Wheelhouse, greet},
    support::{
        eventually_within,
        home::{Home, Ran, SOON},
        process::Process,
    },
};

/// In a temporary folder that no other test uses.
fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.cloudfunc(&["run"]);
    command.args(arguments).env("TMPDIR", home.home());
    command
}

async fn run(home: &Home, arguments: &[&str]) -> Ran {
    let mut command = tokio::process::Command::from(command(home, arguments));
    let output = tokio::time::timeout(SOON, command.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert_nothing_stays(home);
    ran
}

/// Folders of runs, and containers that have one of them mounted.
fn left(home: &Home) -> (Vec<String>, Vec<String>) {
    let entries = fs::read_dir(home.home()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let folders = names.filter(|name| name.starts_with("cloudfunc-run-")).collect();
    let script = "docker ps -aq --filter label=cloudfunc.platform \
                  | xargs -r docker inspect --format '{{.Id}} {{range .Mounts}}{{.Source}} {{end}}' 2>/dev/null";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    let here = home.home().to_str().unwrap();
    let containers = String::from_utf8(output.stdout).unwrap();
    let containers = containers.lines().filter(|line| line.contains(here)).map(str::to_owned);
    (folders, containers.collect())
}

fn assert_nothing_stays(home: &Home) {
    assert_eq!(left(home), (Vec::new(), Vec::new()), "folders, containers");
    assert!(!home.home().join("state").exists(), "a run has no state");
}

#[tokio::test]
async fn the_exact_result_is_on_stdout_and_one_line_on_stderr() {
    let home = home!("run");
    let hello = run(&home, &["functions/hello_fn", "--data", r#"{"name":"Alice"}"#]).await;
    assert_eq!((hello.code, hello.stdout.as_str()), (Some(0), "Hello Alice!"), "{hello:?}");
    assert_eq!(line(&hello), "cold start · N ms · id ID");

    let echo = "def handler(event):\n    return event\n";
    let folder = home.write_function("echo", echo, "");
    let folder = folder.to_str().unwrap();
    let file = home.home().join("payload");
    fs::write(&file, " no\nJSON ").unwrap();
    let file = format!("@{}", file.display());
    let text = run(&home, &[folder, "--data", &file, "--content-type", "text/plain"]).await;
    assert_eq!((text.code, text.stdout.as_str()), (Some(0), " no\nJSON "), "{text:?}");
    let wrong = run(&home, &[folder, "--data", "{"]).await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    assert!(wrong.stderr.starts_with("error: the payload is not valid JSON: "), "{wrong:?}");

    // A name is looked up as deploy does, and --json is one document.
    let json = run(&home, &["hello_fn", "--json"]).await.json();
    assert_eq!((&json["result"], &json["start"]), (&"Hello World!".into(), &"cold".into()), "{json}");
    home.leave().await;
}

#[tokio::test]
async fn an_image_that_was_built_for_a_run_goes_with_it() {
    let home = home!("run");
    let code = "def handler(event):\n    return 'from an image'\n";
    let folder = home.write_function("image_of_a_run", code, "package = \"image\"\n");
    let ran = run(&home, &[folder.to_str().unwrap(), "--runtime", "docker"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "from an image"), "{ran:?}");
    let arguments = ["images", "-q", "cloudfunc/image_of_a_run"];
    let left = Command::new("docker").args(arguments).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
    home.leave().await;
}

/// And without naming a version of Python: the host's own is taken.
#[tokio::test]
async fn without_an_engine_it_runs_in_containers_of_its_own() {
    let home = home!("run");
    let mut command = command(&home, &["hello_fn", "--repeat", "2", "--verbose"]);
    command.env("DOCKER_HOST", "unix:///nowhere.sock").env_remove("CLOUDFUNC_PYTHON_VERSION");
    let mut process = Process::start(command, home.home(), "run");
    assert_eq!(process.ended(SOON).await, Some(0));
    assert_eq!(process.stdout(), "Hello World!\n".repeat(2));
    let why = "functions run in oci, containers without a daemon (no Docker engine answers at unix:///nowhere.sock)\n";
    assert!(process.stderr().contains(why), "{}", process.stderr());
    assert_nothing_stays(&home);
    home.leave().await;
}

const GREETER: &str = "import greet\ndef handler(event):\n    return greet.hello(event)\n";

/// A function with packages, which it gets from a folder.
fn with_packages(home: &Home, house: &Wheelhouse, arguments: &[&str]) -> Command {
    let folder = home.write_function("greeter", GREETER, "");
    fs::write(folder.join("requirements.txt"), "greet\n").unwrap();
    let mut command = command(home, &[folder.to_str().unwrap(), "\"Ada\""]);
    command.args(arguments).env("CLOUDFUNC_BUILD_INDEX", "none");
    command
        .env("CLOUDFUNC_BUILD_FIND_LINKS", house.path())
        .env("XDG_CACHE_HOME", home.home().join("caches"));
    command
}

async fn ended(command: Command) -> Ran {
    let output = tokio::process::Command::from(command).kill_on_drop(true).output();
    let output = tokio::time::timeout(SOON, output).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[tokio::test]
async fn a_run_tells_what_a_deploy_tells_of_its_build() {
    let home = home!("run");
    let house = Wheelhouse::new(&greet());
    let build = |arguments: &[&str], requirements: &str| {
        let command = with_packages(&home, &house, arguments);
        let folder = home.write_function("greeter", GREETER, "");
        fs::write(folder.join("words.py"), "HELLO = 'Own'\n").unwrap();
        fs::write(folder.join("requirements.txt"), requirements).unwrap();
        command
    };
    let warning =
        "words.py in the function's folder hides the installed module words of the package words 2.0";
    let ran = ended(build(&[], "greet\n")).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Own, Ada"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("warning: {warning}\n")), "{ran:?}");
    let ran = ended(build(&["--quiet"], "greet\n")).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");

    // The installer's output is shown, whether it was told line by line or not.
    let all: [&[&str]; 3] = [&[], &["--quiet"], &["--verbose"]];
    for arguments in all {
        let ran = ended(build(arguments, "absent\n")).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains("Looking in links: "), "{ran:?}");
        assert!(!ran.stderr.contains("hint: "), "{ran:?}");
    }
    let ran = ended(build(&["--json"], "absent\n")).await;
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &document["error"]["code"]), (Some(1), &"build_failed".into()), "{ran:?}");
    assert!(document["output"].as_str().unwrap().contains("Looking in links: "), "{ran:?}");
    home.leave().await;
}

fn trees(home: &Home) -> usize {
    fs::read_dir(home.home().join("caches/cloudfunc/run-1/trees")).unwrap().count()
}

#[tokio::test]
async fn packages_that_a_run_has_installed_are_there_for_the_next_one() {
    let home = home!("run");
    let house = Wheelhouse::new(&greet());
    // Two at once, and nothing is there: both install, and the packages of one are kept.
    let both = [(); 2].map(|()| ended(with_packages(&home, &house, &[])));
    for ran in futures_util::future::join_all(both).await {
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Good day, Ada"), "{ran:?}");
        let steps: Vec<&str> = ran.stderr.lines().collect();
        assert!(
            steps[0].starts_with("installing the packages of requirements.txt with pip "),
            "{ran:?}"
        );
        assert!(
            steps.iter().any(|step| step.starts_with("packages installed: greet 1.0, words 2.0 (")),
            "{ran:?}"
        );
        assert!(steps.last().unwrap().starts_with("cold start · "), "{ran:?}");
    }
    assert_nothing_stays(&home);
    assert_eq!(trees(&home), 1);
    let next = ended(with_packages(&home, &house, &[])).await;
    assert_eq!((next.code, next.stdout.as_str()), (Some(0), "Good day, Ada"), "{next:?}");
    assert_eq!(line(&next), "cold start · N ms · id ID");
    // What is not pinned keeps its version, until it is installed anew; with --json nothing is told.
    house.add(&json!([{"name": "words", "version": "3.0", "files": {"words.py": "HELLO = 'Hi'\n"}}]));
    let same = ended(with_packages(&home, &house, &[])).await;
    assert_eq!(same.stdout, "Good day, Ada", "{same:?}");
    let anew = ended(with_packages(&home, &house, &["--refresh", "--json"])).await;
    assert_eq!(anew.stderr, "", "{anew:?}");
    assert_eq!(anew.json()["result"], "Hi, Ada");
    assert_eq!(trees(&home), 1);
    let next = ended(with_packages(&home, &house, &[])).await;
    assert_eq!((next.stdout.as_str(), line(&next).as_str()), ("Hi, Ada", "cold start · N ms · id ID"));
    home.leave().await;
}

#[tokio::test]
async fn without_a_place_for_packages_a_run_works_and_says_so() {
    let home = home!("run");
    let house = Wheelhouse::new(&greet());
    let file = home.home().join("file");
    fs::write(&file, "").unwrap();
    let mut nowhere = with_packages(&home, &house, &[]);
    nowhere.env("XDG_CACHE_HOME", &file);
    let ran = ended(nowhere).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Good day, Ada"), "{ran:?}");
    let why = format!(
        "the packages are installed again by the next `run`: {}/cloudfunc cannot be used: Not a directory (os error 20)",
        file.display()
    );
    assert_eq!(ran.stderr.lines().last(), Some(why.as_str()), "{ran:?}");
    // A function that names none has no need of it.
    let mut plain = command(&home, &["hello_fn"]);
    plain.env("XDG_CACHE_HOME", &file);
    assert_eq!(line(&ended(plain).await), "cold start · N ms · id ID");
    // A folder of wheels that is not there is refused at once.
    let mut wrong = with_packages(&home, &house, &[]);
    wrong.env("CLOUDFUNC_BUILD_FIND_LINKS", &file);
    let wrong = ended(wrong).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let said = format!("error: --build-find-links: {} is not a folder\n", file.display());
    assert!(wrong.stderr.starts_with(&said), "{wrong:?}");
    home.leave().await;
}

#[tokio::test]
async fn repeated_the_first_is_cold_and_the_others_are_warm() {
    let home = home!("run");
    let ran = run(&home, &["hello_fn", "--repeat", "3"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "Hello World!\n".repeat(3));
    let starts: Vec<_> = ran.stderr.lines().map(|line| line.split(" · ").next().unwrap()).collect();
    assert_eq!(starts, ["cold start", "warm start", "warm start"], "{ran:?}");

    let ran = run(&home, &["hello_fn", "--repeat", "2", "--json"]).await.ok();
    let starts: Vec<_> = ran
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["start"].clone())
        .collect();
    assert_eq!(starts, ["cold", "warm"], "{ran}");
    home.leave().await;
}

#[tokio::test]
async fn what_it_writes_comes_as_it_is_written() {
    let home = home!("run");
    let code = "import sys, time\n\n\ndef handler(event):\n    print('begun')\n    sys.stdout.flush()\n    \
                time.sleep(2)\n    print('done', file=sys.stderr)\n    return b'\\x00\\xff'\n";
    let folder = home.write_function("talker", code, "");
    let mut process = Process::start(command(&home, &[folder.to_str().unwrap()]), home.home(), "run");
    process.says("begun\n", SOON).await;
    assert!(process.status().is_none() && !process.stderr().contains("done"), "{}", process.stderr());
    assert_eq!(process.ended(SOON).await, Some(0));
    let said = process.stderr();
    assert!(said.starts_with("begun\ndone\ncold start · "), "{said}");
    assert_eq!(fs::read(home.home().join("run.out")).unwrap(), b"\x00\xff");
    assert_nothing_stays(&home);
    home.leave().await;
}

#[tokio::test]
async fn the_exit_code_follows_the_fault() {
    let home = home!("run");
    for (name, code, manifest, exit, said) in [
        (
            "raises",
            "def handler(event):\n    raise ValueError('no')\n",
            "",
            1,
            "Traceback (most recent call last):\n  File \"/var/task/function.py\", line 2, in handler\n    \
             raise ValueError('no')\nValueError: no\nfailed · cold start · N ms · id ID\n\
             error: function 'raises' failed: ValueError: no",
        ),
        (
            "slow",
            SLEEPER,
            "timeout = \"200ms\"",
            4,
            "error: function 'slow' timed out: the function did not answer within its timeout of 200 ms and was stopped\n",
        ),
        ("unknown", SLEEPER, "timeot = \"1s\"", 2, "unknown key `timeot`; did you mean `timeout`?"),
        ("unloadable", "import nowhere\n", "", 1, "ModuleNotFoundError: No module named 'nowhere'"),
    ] {
        let folder = home.write_function(name, code, manifest);
        let ran = run(&home, &[folder.to_str().unwrap()]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(exit), ""), "{ran:?}");
        let told = if said.contains("ID") { line(&ran) } else { ran.stderr.clone() };
        assert!(told.contains(said), "{told}\n--- expected:\n{said}");
    }
    let nowhere = run(&home, &["nowhere"]).await;
    assert_eq!(nowhere.code, Some(2));
    assert_eq!(
        nowhere.stderr,
        "error: there is no folder nowhere or functions/nowhere\n\
         hint: `cloudfunc init hello` makes a new function\n"
    );
    home.leave().await;
}

/// Answers with the secret in a form that does not show it.
const KEYED: &str = "import os\n\n\ndef handler(event):\n    key = os.environ['API_KEY']\n    \
                     return f'{key[::-1]} {sorted(name for name in os.environ if \"OTHER\" in name)}'\n";

#[tokio::test]
async fn a_secret_comes_from_the_environment_and_goes_to_the_function_alone() {
    const VALUE: &str = "hunter2-of-a-run";
    let home = home!("run");
    let folder = home.write_function("keyed", KEYED, "secrets = [\"API_KEY\"]\n");
    let with = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&home, &[folder.to_str().unwrap()]);
        command.args(arguments).envs(variables.iter().copied());
        ended(command)
    };
    let both = [("API_KEY", VALUE), ("OTHER_KEY", VALUE)];
    let ran = with(&["--secret", "API_KEY", "--verbose"], &both).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "nur-a-fo-2retnuh []", "and no other variable of the command's");
    assert!(!ran.stderr.contains(VALUE), "{ran:?}");
    assert_nothing_stays(&home);

    // One that the function does not ask for is not given to it.
    let ran = with(&["--secret", "OTHER_KEY", "--secret", "API_KEY"], &both).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "nur-a-fo-2retnuh []"), "{ran:?}");
    let warning = "warning: --secret OTHER_KEY: the function does not get it, since the manifest does not ask for it; \
                   `secrets = [\"OTHER_KEY\"]` in cloudfunc.toml does\n";
    assert!(ran.stderr.starts_with(warning), "{ran:?}");

    for (arguments, variables, said) in [
        (
            &[][..],
            &both[..],
            "error: the manifest asks for the secret 'API_KEY'\nhint: set the variable API_KEY and add --secret API_KEY\n",
        ),
        (
            &["--secret", "API_KEY"],
            &[],
            "error: --secret API_KEY: the environment variable API_KEY is not set\n\
             hint: `read -rs API_KEY && export API_KEY` reads its value from the terminal\n",
        ),
    ] {
        let ran = with(arguments, variables).await;
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(2), "", said));
        assert_nothing_stays(&home);
    }
    let ran = with(&["--secret", "api-key"], &both).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(
        ran.stderr.contains("invalid secret name 'api-key': it has a character that is not allowed"),
        "{ran:?}"
    );
    home.leave().await;
}

/// Whenever a signal comes: while it builds, while the container starts, while the function runs.
#[tokio::test]
async fn an_interruption_leaves_nothing() {
    let home = home!("run");
    let code = format!("print('loaded')\n{SLEEPER}").replace("    time", "    print('runs')\n    time");
    let folder = home.write_function("sleeper", &code, "");
    let arguments = [folder.to_str().unwrap(), "--data", r#"{"seconds":30}"#];
    for (signal, moment) in
        [(Signal::INT, "build"), (Signal::INT, "start"), (Signal::INT, "runs"), (Signal::TERM, "runs")]
    {
        let mut process = Process::start(command(&home, &arguments), home.home(), "run");
        match moment {
            "runs" => process.says("runs\n", SOON).await,
            moment => {
                let reached = async || {
                    let (folders, containers) = left(&home);
                    let is_there = if moment == "build" { folders.len() } else { containers.len() };
                    (is_there > 0).then_some(())
                };
                eventually_within(SOON, moment, reached).await;
            }
        }
        process.signal(signal);
        let interrupted = tokio::time::Instant::now();
        assert_eq!(process.ended(SOON).await, Some(130), "at '{moment}': {}", process.stderr());
        assert!(interrupted.elapsed().as_secs() < 10, "it took {:?}", interrupted.elapsed());
        assert_eq!(process.stdout(), "");
        assert_nothing_stays(&home);
    }
    home.leave().await;
}
