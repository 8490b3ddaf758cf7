//! `[build] command`: code that a command makes from what was deployed, in a sandbox.

use cloudfunc::{
    app::Role,
    client::{DeployOptions, Error},
    model::{Problem, RevisionNumber},
};
use serde_json::{Value, json};

use crate::{
    escape::planted::host_addresses,
    packages::{
        deploy, on,
        wheelhouse::{Wheelhouse, greet},
    },
    support::platform::{Stack, TestPlatform, function, packed},
};

on! {
    light:
    a_command_makes_the_code_and_is_not_run_again_on_the_same_source
    a_command_finds_the_packages
    a_command_that_fails_is_told_with_its_last_lines_and_the_old_revision_goes_on
    what_a_command_leaves_is_checked_as_an_upload_is
    the_command_line_deploys_a_folder_whose_handler_a_command_makes
    a_command_in_node_makes_the_code;
    sqlite_embedded_oci:
    a_command_makes_the_code_and_is_not_run_again_on_the_same_source
    a_command_finds_the_packages
    a_command_that_fails_is_told_with_its_last_lines_and_the_old_revision_goes_on
    a_command_writes_to_its_folder_and_reaches_nothing_of_this_host
    a_command_in_node_makes_the_code
    a_command_in_node_calls_the_npm_of_this_machine;
    postgres_rabbitmq_docker:
    a_command_makes_the_code_and_is_not_run_again_on_the_same_source
    a_command_finds_the_packages
    a_command_that_fails_is_told_with_its_last_lines_and_the_old_revision_goes_on
    a_command_writes_to_its_folder_and_reaches_nothing_of_this_host
    a_command_in_node_makes_the_code
    an_image_of_its_own_has_what_the_command_made;
}

/// Makes the function's only module.
const MAKE: &str = r#"
import os
print("making", os.listdir()[0] is not None)
with open("function.py", "w") as file:
    file.write(f"def handler(event):\n    return {os.environ['GREETING']!r}\n")
os.remove("make.py")
"#;
const MANIFEST: &str = "[build]\ncommand = [\"python3\", \"make.py\"]\n[env]\nGREETING = \"Hello\"\n";
const RUNNING: &str = "running the build command: python3 make.py";
const BEFORE: &str =
    "the build command is not run again, since the source is the same; `deploy --refresh` runs it";

fn has(told: &[String], line: &str) -> bool {
    told.iter().any(|told| told == line)
}

async fn refused(platform: &TestPlatform, files: &[(&str, &str)]) -> Problem {
    match deploy(platform, "f", files).await {
        (Err(Error::Problem(problem)), _) => *problem,
        (other, told) => panic!("it was not refused: {other:?} {told:?}"),
    }
}

/// Refuses a function with this command and this `make.py`; the function itself would load.
async fn refused_command(platform: &TestPlatform, command: &str, make: &str) -> Problem {
    let manifest = format!("build.command = {command}\n");
    let code = "def handler(event):\n    return 1\n";
    refused(platform, &[("function.py", code), ("make.py", make), ("cloudfunc.toml", &manifest)]).await
}

async fn the_command_line_deploys_a_folder_whose_handler_a_command_makes(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("make.py"), MAKE).unwrap();
    let manifest = format!("name = 'f'\n{MANIFEST}");
    std::fs::write(folder.path().join("cloudfunc.toml"), manifest).unwrap();
    let (code, _, stderr) = platform.cli(&["deploy", folder.path().to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(platform.value("f", "{}").await, "Hello");
    platform.stop().await;
}

async fn a_command_makes_the_code_and_is_not_run_again_on_the_same_source(stack: Stack, test: &str) {
    let Some(mut platform) = TestPlatform::start(stack, test).await else { return };
    let files = [("make.py", MAKE), ("cloudfunc.toml", MANIFEST)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    for line in [RUNNING, "making True", "built: 1 file, 39 B"] {
        assert!(has(&told, line), "{line}: {told:?}");
    }
    assert_eq!(platform.value("f", "{}").await, "Hello");
    let store = platform.store().await;
    let id = store.function(&function("f")).await.unwrap().unwrap().id;
    let revision = store.revision(id, RevisionNumber(1)).await.unwrap().unwrap();
    let built = revision.bundle.expect("it has code");
    assert_ne!(built, revision.source);
    assert!(store.blob(&revision.source).await.unwrap().is_some());

    let (deployed, told) = deploy(&platform, "f", &files).await;
    assert!(deployed.unwrap().unchanged && !has(&told, RUNNING), "{told:?}");
    let other = MANIFEST.replace("Hello", "Good day");
    let (_, told) = deploy(&platform, "f", &[("make.py", MAKE), ("cloudfunc.toml", &other)]).await;
    assert!(has(&told, RUNNING), "{told:?}");
    assert_eq!(platform.value("f", "{}").await, "Good day");
    let (deployed, told) = deploy(&platform, "f", &files).await;
    assert_eq!(deployed.unwrap().revision, RevisionNumber(3));
    assert!(has(&told, BEFORE) && !has(&told, RUNNING), "{told:?}");
    // Asked to, it is run again; the same result changes nothing.
    let (mut told, options) = (Vec::new(), DeployOptions { refresh: true, ..DeployOptions::default() });
    let deployed = platform
        .client
        .deploy_with(&function("f"), packed(&files), options, |_| {}, |line| told.push(line.to_owned()))
        .await
        .unwrap();
    assert!(deployed.unchanged && deployed.notice.is_none(), "{deployed:?}");
    assert!(has(&told, RUNNING) && !has(&told, BEFORE), "{told:?}");
    // What was built stays with its revision, also where it is no longer unpacked.
    std::fs::remove_dir_all(platform.platform.data_dir.join("cache/bundles")).unwrap();
    platform.restart().await;
    assert_eq!(platform.value("f", "{}").await, "Hello");
    let (exit, shown, stderr) = platform.cli(&["show", "f"]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(shown.contains("python3 make.py (network none)"), "{shown}");
    platform.client.delete(&function("f")).await.unwrap();
    assert!(store.blob(&built).await.unwrap().is_none(), "it went with the function");
    store.close().await;
    platform.stop().await;
}

async fn a_command_finds_the_packages(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let path = house.path();
    let change = move |platform: &mut cloudfunc::settings::Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(path);
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let make = "import greet\nopen('made.py', 'w').write(f'TEXT = {greet.hello(\"Ada\")!r}')\n";
    let code = "import made\ndef handler(event):\n    return made.TEXT\n";
    let manifest = "build.command = ['python3', 'make.py']";
    let files = [
        ("function.py", code),
        ("make.py", make),
        ("requirements.txt", "greet\n"),
        ("cloudfunc.toml", manifest),
    ];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "{}").await, "Good day, Ada");
    platform.stop().await;
}

async fn a_command_that_fails_is_told_with_its_last_lines_and_the_old_revision_goes_on(
    stack: Stack,
    test: &str,
) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    platform.deploy("f", &[("function.py", "def handler(event):\n    return 'old'\n")]).await;
    let python = "['python3', 'make.py']";
    let problem = refused_command(&platform, python, "print('no compiler')\nraise SystemExit(3)").await;
    assert_eq!((problem.status, problem.code.as_str()), (422, "build_failed"), "{problem:?}");
    assert_eq!(problem.detail, "the build command failed with code 3");
    assert_eq!(problem.output.as_deref(), Some("no compiler\n"));
    let problem = refused_command(&platform, python, "import os\nos.kill(os.getpid(), 11)").await;
    assert_eq!(problem.detail, "the build command failed with code 139 (signal SIGSEGV)");
    let problem = refused_command(&platform, "['no-such-program']", "").await;
    let prefix = "the build command cannot be run: 'no-such-program' is not on the PATH of ";
    assert!(problem.detail.starts_with(prefix) && problem.detail.contains("/usr/bin"), "{problem:?}");
    let problem = refused_command(&platform, "['python3 make.py && echo ok']", "").await;
    let hint = r#"; no shell reads the command: write ["sh", "-c", "python3 make.py && echo ok"]"#;
    assert!(problem.detail.ends_with(hint), "{problem:?}");
    let problem = refused_command(&platform, "['./no-such-file']", "").await;
    let detail = "the build command cannot be run: ./no-such-file: No such file or directory";
    assert_eq!((problem.status, problem.detail.as_str()), (422, detail));
    assert_eq!(platform.value("f", "{}").await, "old");
    platform.stop().await;
}

async fn what_a_command_leaves_is_checked_as_an_upload_is(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    for (make, problem) in [
        (
            "import os\nos.remove('function.py')",
            "no function.py in the folder: the handler \"function.handler\" needs it",
        ),
        (
            "import os\nos.symlink('/etc/passwd', 'users')",
            "'users' is a link that leads out of the folder",
        ),
        ("import os\nos.mkfifo('pipe')", "'pipe' is not a file, folder or link"),
        (
            "for number in range(20001):\n    open(str(number), 'w').close()",
            "more than 20000 files; let the command remove what the function does not need",
        ),
    ] {
        let refused = refused_command(&platform, "['python3', 'make.py']", make).await;
        let detail = format!("the build command left something that cannot be deployed: {problem}");
        assert_eq!(
            (refused.status, refused.code.as_str(), refused.detail),
            (422, "build_failed", detail)
        );
    }
    // It is checked, and then loaded as any other code.
    let broken = "open('function.py', 'w').write('def (')";
    let refused = refused_command(&platform, "['python3', 'make.py']", broken).await;
    assert_eq!(refused.error_type.as_deref(), Some("SyntaxError"), "{refused:?}");
    platform.stop().await;
}

const ATTEMPT: &str = r#"
import json, os, socket

def outcome(action, argument):
    try:
        return action(argument)
    except OSError as error:
        return error.strerror or str(error)

def connect(address):
    with socket.create_connection(tuple(address), 5):
        return "reached"

def write(path):
    with open(path, "w"):
        return "written"

found = {"connect": [outcome(connect, address) for address in CONNECT]}
found["write"] = {path: outcome(write, path) for path in WRITE}
found["read"] = [path for path in READ if os.path.exists(path)]
found["variables"] = sorted(name for name in os.environ if "TOKEN" in name or "CLOUDFUNC" in name)
print("FOUND " + json.dumps(found))
raise SystemExit(1)
"#;

async fn a_command_writes_to_its_folder_and_reaches_nothing_of_this_host(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let gateway = platform.address(Role::Gateway).port();
    let own = host_addresses().into_iter().map(|address| address.ip).find(std::net::IpAddr::is_ipv4);
    let connect =
        json!([[own.expect("this host has one"), gateway], ["169.254.169.254", 80], ["192.0.2.1", 80]]);
    let elsewhere = ["/var/task/other", "/var/task/code/other", "/opt/packages/other", "/etc/other"];
    let write: Vec<&str> = ["own"].into_iter().chain(elsewhere).collect();
    let token = platform.platform.data_dir.join("token");
    assert!(token.exists());
    let read = json!([token, "/var/run/docker.sock", platform.platform.data_dir]);
    let make = format!("CONNECT = {connect}\nWRITE = {}\nREAD = {read}\n{ATTEMPT}", json!(write));
    let attempt = async |network: &str| -> Value {
        let manifest = format!("[build]\ncommand = ['python3', 'make.py']\nnetwork = '{network}'\n");
        let files = [("make.py", make.as_str()), ("cloudfunc.toml", &manifest)];
        let problem = refused(&platform, &files).await;
        let output = problem.output.clone().unwrap_or_default();
        let found = output.lines().find_map(|line| line.strip_prefix("FOUND "));
        serde_json::from_str(found.unwrap_or_else(|| panic!("{problem:?}"))).unwrap()
    };
    for network in ["none", "egress"] {
        let found = attempt(network).await;
        assert_eq!((&found["read"], &found["variables"]), (&json!([]), &json!([])), "{found}");
        assert_eq!(found["write"]["own"], "written", "{found}");
        for path in elsewhere {
            let answer = found["write"][path].as_str().unwrap();
            let refusals = ["Read-only file system", "Permission denied", "No such file or directory"];
            assert!(refusals.contains(&answer), "{path}: {found}");
        }
        let answers = found["connect"].as_array().unwrap();
        assert!(!answers.contains(&json!("reached")), "{found}");
        // Without a network there is no way anywhere; with one, public addresses have a way, whatever lies there.
        let unreachable = json!("Network is unreachable");
        assert_eq!(answers[2] == unreachable, network == "none", "{found}");
    }
    platform.stop().await;
}

async fn a_command_in_node_makes_the_code(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let make = "const fs = require('fs');\nconsole.log('making');\n\
                fs.writeFileSync('function.mjs', `export const handler = () => '${process.env.GREETING}';`);\n";
    let manifest =
        "language = 'node'\n[build]\ncommand = ['node', 'make.cjs']\n[env]\nGREETING = 'Hello'\n";
    let (deployed, told) =
        deploy(&platform, "f", &[("make.cjs", make), ("cloudfunc.toml", manifest)]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(has(&told, "making"), "{told:?}");
    assert_eq!(platform.value("f", "{}").await, "Hello");
    let manifest = "language = 'node'\nbuild.command = ['no-such-program']\n";
    let problem = refused(&platform, &[("make.cjs", make), ("cloudfunc.toml", manifest)]).await;
    let prefix = "the build command cannot be run: 'no-such-program' is not on the PATH of ";
    assert!(problem.detail.starts_with(prefix), "{problem:?}");
    assert!(problem.detail.contains("(node_modules/.bin:"), "{problem:?}");
    let package = r#"{"devDependencies": {"typescript": "5"}}"#;
    let files = [("make.cjs", make), ("package.json", package), ("cloudfunc.toml", manifest)];
    let problem = refused(&platform, &files).await;
    let advice = "; devDependencies are not installed; name its package in dependencies";
    assert!(problem.detail.ends_with(advice), "{problem:?}");
    platform.stop().await;
}

async fn a_command_in_node_calls_the_npm_of_this_machine(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let make = "require('fs').writeFileSync('function.mjs', `export const handler = () => 'made';`);\n";
    let package = r#"{"scripts": {"build": "node make.cjs && npx --version"}}"#;
    let manifest = "language = 'node'\nbuild.command = ['npm', 'run', 'build']\n";
    let files = [("make.cjs", make), ("package.json", package), ("cloudfunc.toml", manifest)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "{}").await, "made");
    platform.stop().await;
}

async fn an_image_of_its_own_has_what_the_command_made(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let manifest = format!("package = \"image\"\n{MANIFEST}");
    let (deployed, told) =
        deploy(&platform, "f", &[("make.py", MAKE), ("cloudfunc.toml", &manifest)]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "{}").await, "Hello");
    platform.stop().await;
}
