//! The commands and handlers of the documents run, against a platform of this binary.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use assert_cmd::Command;
use cloudfunc::client::Outcome;

use super::markdown::{Page, manual, page, root, words};
use crate::{
    home, need,
    support::{
        home::{Home, SOON},
        platform::{Stack, TestPlatform},
    },
};

/// Commands that [`every_command_succeeds`] does not run, each with the reason. Their flags are checked all the same.
const NOT_RUN: &[(&str, &str)] = &[
    // README.md
    (
        r#"cargo run --release -- run functions/hello_fn --data '{"name":"Alice"}'"#,
        "compiles for minutes; `the_first_command_greets_alice` runs what follows `--`",
    ),
    ("cargo install --path .", "installs into the home of the user who runs the tests"),
    ("cloudfunc up --embedded", "stays in the foreground; this test starts its platform with it"),
    // CONTRIBUTING.md
    ("cargo build", "has been done where this test runs"),
    ("cargo build --release", "compiles for minutes"),
    ("cargo build --profile dist", "as above"),
    ("tests/run", "runs this test"),
    ("tests/run readme keep_alive", "runs tests inside a test"),
    (
        r#"eval "$(tests/run setup)""#,
        "starts servers that stay; `tests/run` does the same before this test",
    ),
    ("export CLOUDFUNC_PYTHON_VERSION=3.11", "goes with the line above it"),
    ("cloudfunc up", "stays in the foreground and needs compose; binary::compose starts it"),
    ("tests/run teardown", "ends the servers that other tests are using"),
    ("tests/chaos", "disturbs things for ten minutes and more; chaos::* runs a short piece of it"),
    ("tests/chaos --stack two-hosts --seed 7 --minutes 40", "as above"),
    ("tests/chaos --stack embedded-oci --fault kill-all --fault full-disk --faults 20", "as above"),
    (
        "CLOUDFUNC_UPDATE_OPENAPI=1 cargo test --lib openapi",
        "compiles, and writes into this checkout; the test that it runs compares the file",
    ),
    ("tests/openapi/run", "takes minutes; openapi::* sends 500 requests"),
    ("tests/openapi/run 2000 7", "as above"),
    ("docs/picture/record target/release/cloudfunc", "needs a release build and the default ports"),
    ("cargo bench --bench figures -- --quick", "measures for minutes, on an idle machine"),
    ("cargo bench --bench replay", "compiles the benches; replay::* runs the same code"),
    // docs/benchmarks.md
    ("cargo bench --bench figures", "measures for an hour, on an idle machine"),
    ("cargo bench --bench figures -- --only cold --rounds 1", "as above"),
    ("cargo bench --bench figures -- --url other=http://127.0.0.1:8080/hello", "needs another platform"),
    (
        "cargo bench --bench figures -- --url other=http://127.0.0.1:8080/hello --header 'Authorization: Bearer TOKEN'",
        "needs another platform",
    ),
    (
        "cargo bench --bench figures -- --program old=/opt/cloudfunc --program new=target/release/cloudfunc",
        "needs two builds",
    ),
    ("cargo bench --bench growth", "measures for minutes, on an idle machine"),
    ("cargo bench --bench growth -- --quick --stack embedded", "as above"),
    ("cargo bench --bench growth -- --functions 10,5000 --rows -", "as above"),
    ("cargo bench --bench replay -- TRACE.csv", "needs a trace; replay::* reads one"),
    ("cargo bench --bench replay -- TRACE.csv --real --speed 10", "needs a trace and its time"),
    // docs/functions.md
    ("cloudfunc logs greeter --follow", "does not end; logs::* follows"),
    // docs/http-api.md
    (
        r#"curl $URL/deploy -H "Authorization: Bearer $TOKEN" -d '{"name":"mine","image":"mine:1","runtime":"python"}'"#,
        "needs that image; the tests of the classic routes deploy one",
    ),
    // docs/interfaces.md
    (
        "cloudfunc deploy website",
        "installs packages of the public index; examples::shop deploys another one",
    ),
    (r#"cloudfunc invoke website --data '{"name":"Ada"}'"#, "goes with the line above it"),
    ("cloudfunc invoke website --method GET --path /health", "as above"),
    // docs/operations.md
    ("cloudfunc down", "ends the platform that the other commands use; this test ends with it"),
    ("cloudfunc down --volumes", "asks first; binary::embedded runs it with `--yes`"),
    (
        "export CLOUDFUNC_POSTGRES_IMAGE=registry.example/postgres:16",
        "names an image that does not exist",
    ),
    ("export CLOUDFUNC_RABBITMQ_IMAGE=registry.example/rabbitmq:3-management", "as above"),
    ("export CLOUDFUNC_PYTHON_IMAGE='registry.example/python:{version}-slim'", "as above"),
    ("export CLOUDFUNC_PYTHON_VERSION=3.12", "as above"),
    ("export CLOUDFUNC_NODE_IMAGE='registry.example/node:{version}-slim'", "as above"),
    // docs/troubleshooting.md
    ("cloudfunc doctor", "its exit code depends on the machine; doctor::* runs it"),
];

/// Without this a command could be left out silently.
#[test]
fn every_block_has_a_language_that_is_checked_and_the_list_is_current() {
    let pages = manual();
    for page in &pages {
        for (language, block) in page.fences() {
            let known = ["sh", "python", "js", "toml", "text"].contains(&language);
            assert!(known, "{}: a block of {language:?}:\n{block}", page.path);
            let shows_commands = language == "text" && block.lines().any(|line| line.starts_with("$ "));
            assert!(!shows_commands, "{}: commands belong into a block of `sh`:\n{block}", page.path);
        }
    }
    let commands: BTreeSet<String> = pages.iter().flat_map(Page::commands).collect();
    for (command, reason) in NOT_RUN {
        assert!(commands.contains(*command), "in no document any more: {command} ({reason})");
    }
}

/// In the order of each page, in a shell and a folder of the page's own.
#[tokio::test]
async fn every_command_succeeds() {
    let home = home!("embedded");
    let mut up = home.begin("up", &["--embedded"]);
    up.says("cloudfunc is ready", SOON).await;
    let status = home.run(&["status", "--json"]).await.json();
    let gateway = status["roles"].as_array().unwrap().iter().find(|role| role["role"] == "gateway");
    let url = gateway.unwrap()["url"].as_str().unwrap().to_owned();

    let mut run = 0;
    for page in manual() {
        let mut commands = page.commands();
        commands.retain(|command| NOT_RUN.iter().all(|(listed, _)| listed != command));
        if !commands.is_empty() {
            let folder = home.home().join("pages").join(page.path.replace('/', "-"));
            prepare(&home, &folder).await;
            run_page(&home, &page, &commands, &folder, url.trim_end_matches('/')).await;
            run += commands.len();
        }
    }
    assert!(run > 40, "the commands are not found any more: {run}");
    assert_eq!(home.run(&["down"]).await.code, Some(0));
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

/// What pages take for granted: `hello_fn` and `greeter` are in `functions/` and deployed, `greeter` twice.
async fn prepare(home: &Home, folder: &Path) {
    let functions = folder.join("functions");
    fs::create_dir_all(functions.join("hello_fn")).unwrap();
    let code = "functions/hello_fn/function.py";
    fs::copy(root().join(code), folder.join(code)).unwrap();
    let greeter = functions.join("greeter");
    let (hello, greeter) = (functions.join("hello_fn"), greeter.to_str().unwrap());
    home.run(&["init", greeter]).await.ok();
    home.run(&["deploy", greeter, hello.to_str().unwrap()]).await.ok();
    let code = Path::new(greeter).join("function.py");
    let text = fs::read_to_string(&code).unwrap();
    fs::write(&code, format!("{text}\n# {}\n", folder.display())).unwrap();
    home.run(&["deploy", greeter]).await.ok();
}

/// Where the platform of the examples is; the test's is elsewhere.
const URL: &str = "http://127.0.0.1:8000";
const TOKEN: &str = "~/.local/state/cloudfunc/embedded/token";

async fn run_page(home: &Home, page: &Page, commands: &[String], folder: &Path, url: &str) {
    let token = home.data_dir().join("token").display().to_string();
    // An answer that is an error fails its command.
    let mut script = "curl() { command curl --silent --show-error --fail \"$@\"; }\n".to_owned();
    for (number, command) in commands.iter().enumerate() {
        let command = command.replace(URL, url).replace(TOKEN, &token);
        script += &format!("{{\n{command}\n}} >out.{number} 2>&1 </dev/null; echo $? >code.{number}\n");
    }
    let mut shell = tokio::process::Command::new("bash");
    shell.args(["-o", "pipefail", "-c", &script]).current_dir(folder).env_clear().kill_on_drop(true);
    for (name, value) in home.cloudfunc(&[]).get_envs() {
        shell.envs(value.map(|value| (name, value)));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_cloudfunc")).parent().unwrap().display().to_string();
    shell.env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap()));
    let ended = tokio::time::timeout(Duration::from_secs(120), shell.status()).await;
    let mut failures = String::new();
    for (number, command) in commands.iter().enumerate() {
        let read = |name: &str| fs::read(folder.join(format!("{name}.{number}"))).unwrap_or_default();
        let (code, shown) = (read("code"), read("out"));
        if code != b"0\n" {
            let (code, shown) = (String::from_utf8_lossy(&code), String::from_utf8_lossy(&shown));
            failures += &format!("`{command}`: code {code}{shown}\n");
        }
    }
    assert!(failures.is_empty() && ended.is_ok(), "{}: {ended:?}\n{failures}", page.path);
}

/// The README's first command, as far as it is ours: cargo has built the program already.
#[test]
fn the_first_command_greets_alice() {
    need!("CLOUDFUNC_TEST_DOCKER");
    let first = words(&page("README.md").commands()[0]);
    assert_eq!(first[..4], ["cargo", "run", "--release", "--"]);
    let mut command = Command::cargo_bin("cloudfunc").unwrap();
    command.current_dir(root()).args(&first[4..]).env("CLOUDFUNC_PYTHON_VERSION", "3.11");
    command.assert().success().stdout("Hello Alice!");
}

#[tokio::test]
async fn the_handlers_run() {
    let pages = manual();
    let of = |language| pages.iter().flat_map(move |page| page.blocks(language));
    let python = of("python").map(|code| ("function.py", code, ""));
    let node = of("js").map(|code| ("function.mjs", code, "language = \"node\"\n"));
    let handlers: Vec<_> = python.chain(node).collect();
    assert!(handlers.len() >= 4);
    let platform = TestPlatform::start(Stack::LIGHT, "documents::run::the_handlers_run").await;
    let Some(platform) = platform else { return };
    for (number, (file, code, manifest)) in handlers.into_iter().enumerate() {
        let name = format!("documents{number}");
        platform.deploy(&name, &[(file, code), ("cloudfunc.toml", manifest)]).await;
        let answer = platform.invoke(&name, r#"{"name":"Alice"}"#).await;
        let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}\n{code}") };
        assert!(String::from_utf8_lossy(&value.bytes).contains("Hello Alice!"), "{code}");
    }
    platform.stop().await;
}
