//! Functions with a `requirements.txt`: its packages are installed when they are deployed, once. The packages are made by
//! the tests; no index of others is asked.

mod ends;
mod fence;
mod hostile;
mod hosts;
mod kept;
pub mod node;
mod projects;
mod proxy;
mod refusals;
pub mod registry;
mod scripts;
pub mod wheelhouse;

use std::time::Duration;

use cloudfunc::{
    client::{Error, Outcome},
    model::{Dependencies, Problem, RevisionNumber, api::Deployed},
    settings::Platform,
};
use serde_json::json;

use self::wheelhouse::{Index, Wheelhouse, greet};
use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function, packed},
};

const CODE: &str = "import greet\ndef handler(event):\n    return greet.hello(event)\n";

/// Makes a test of each property on a stack.
macro_rules! on {
    ($($stack:ident: $($property:ident)+;)+) => {
        $(mod $stack {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let test = concat!(module_path!(), "::", stringify!($property));
                super::$property($crate::support::platform::Stack::named(stringify!($stack)), test).await;
            })+
        })+
    };
}
pub(crate) use on;

on! {
    light:
    packages_are_installed_once_and_found
    packages_over_a_limit_are_refused
    a_build_ends_after_its_time
    packages_go_with_the_last_function_that_has_them;
    sqlite_embedded_oci:
    packages_are_installed_once_and_found
    a_prewarmed_instance_finds_packages_and_those_of_others_not;
    postgres_rabbitmq_docker:
    packages_are_installed_once_and_found
    a_prewarmed_instance_finds_packages_and_those_of_others_not
    an_image_of_its_own_finds_packages_too;
}

/// A platform whose only packages are those of a folder.
pub async fn offline(stack: Stack, test: &str, house: &Wheelhouse) -> Option<TestPlatform> {
    let folder = house.path();
    TestPlatform::start_with(stack, test, move |platform| only(platform, folder)).await
}

fn only(platform: &mut Platform, folder: std::path::PathBuf) {
    platform.builds.index = Some("none".parse().unwrap());
    platform.builds.find_links = Some(folder);
}

/// Deploys, and returns what the build told.
pub async fn deploy(
    platform: &TestPlatform,
    name: &str,
    files: &[(&str, &str)],
) -> (Result<Deployed, Error>, Vec<String>) {
    let mut told = Vec::new();
    let deployed =
        platform.client.deploy(&function(name), packed(files), |line| told.push(line.to_owned())).await;
    (deployed, told)
}

pub async fn refused(platform: &TestPlatform, requirements: &str) -> Problem {
    let files = [("function.py", CODE), ("requirements.txt", requirements)];
    match deploy(platform, "f", &files).await {
        (Err(Error::Problem(problem)), _) => *problem,
        (other, told) => panic!("it was not refused: {other:?} {told:?}"),
    }
}

async fn dependencies(platform: &TestPlatform, name: &str) -> Dependencies {
    let store = platform.store().await;
    let found = store.function(&function(name)).await.unwrap().unwrap();
    let active = store.revision(found.id, found.active_revision).await.unwrap().unwrap();
    let tree = active.dependencies.expect("it has some");
    let dependencies = store.dependencies(&tree).await.unwrap().unwrap();
    store.close().await;
    dependencies
}

fn installed(told: &[String]) -> bool {
    told.iter().any(|line| line.starts_with("installing the packages of requirements.txt with pip "))
}

async fn packages_are_installed_once_and_found(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(mut platform) = offline(stack, test, &house).await else { return };
    let requirements = ("requirements.txt", "-r more/base.txt\n");
    let base = ("more/base.txt", "greet  # says hello\nwords<2\n");
    let (deployed, told) = deploy(&platform, "f", &[("function.py", CODE), requirements, base]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(installed(&told), "{told:?}");
    // What pip prints is told line by line.
    assert!(
        told.iter().any(|line| line.contains("Successfully installed greet-1.0 words-1.0")),
        "{told:?}"
    );
    let end = "packages installed: greet 1.0, words 1.0 (";
    assert!(told.iter().any(|line| line.starts_with(end)), "{told:?}");
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");

    // Other code, another function, other comments, a manager that starts again: nothing is installed.
    let changed = format!("{CODE}#\n");
    let (deployed, told) =
        deploy(&platform, "f", &[("function.py", &changed), requirements, base]).await;
    assert_eq!(deployed.unwrap().revision, RevisionNumber(2));
    assert!(!installed(&told), "{told:?}");
    assert!(told.contains(&"packages, installed before: greet 1.0, words 1.0".to_owned()), "{told:?}");
    let ordered = ("more/base.txt", "\nwords<2 # of these the first\ngreet\n");
    let (deployed, told) = deploy(&platform, "g", &[("function.py", CODE), requirements, ordered]).await;
    deployed.unwrap();
    assert!(!installed(&told), "{told:?}");
    platform.restart().await;
    assert_eq!(platform.value("g", "\"Ada\"").await, "Hello, Ada");
    let (deployed, told) = deploy(&platform, "h", &[("function.py", CODE), requirements, base]).await;
    deployed.unwrap();
    assert!(!installed(&told), "{told:?}");
    let shared = dependencies(&platform, "f").await;
    assert_eq!(dependencies(&platform, "h").await, shared);
    assert_eq!(
        shared.packages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["greet 1.0", "words 1.0"]
    );

    // Other requirements are installed, and the old revision keeps its own.
    let (deployed, told) =
        deploy(&platform, "f", &[("function.py", CODE), ("requirements.txt", "greet\n")]).await;
    deployed.unwrap();
    assert!(installed(&told), "{told:?}");
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    platform.client.activate(&function("f"), RevisionNumber(1)).await.unwrap();
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");

    let (exit, shown, stderr) = platform.cli(&["show", "g"]).await;
    assert_eq!(exit, 0, "{stderr}");
    let line = shown.lines().find(|line| line.starts_with("packages ")).expect(&shown);
    assert!(line.starts_with("packages      greet 1.0, words 1.0 ("), "{line}");
    assert!(line.contains("; for cpython 3."), "{line}");
    // Of any revision, and without the name by which code would find them.
    let (exit, shown, stderr) = platform.cli(&["show", "f", "--revision", "3"]).await;
    assert_eq!(exit, 0, "{stderr}");
    let revision = shown.lines().find(|line| line.starts_with("revision ")).expect(&shown);
    assert!(revision.starts_with("revision      3, deployed "), "{revision}");
    assert!(shown.contains("\npackages      greet 1.0, words 2.0 ("), "{shown}");
    let (_, document, _) = platform.cli(&["--json", "show", "f"]).await;
    assert!(document.contains("\"words\"") && !document.contains(shared.tree.as_str()), "{document}");
    let (exit, _, stderr) = platform.cli(&["show", "f", "--revision", "9"]).await;
    let none = "error: 'f' has no revision 9\nhint: `cloudfunc show f` lists its revisions\n";
    assert_eq!((exit, stderr.as_str()), (2, none));
    platform.stop().await;
}

async fn packages_over_a_limit_are_refused(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&json!([
        {"name": "many", "version": "1.0", "empty_files": 50_001},
        {"name": "large", "version": "1.0", "mebibytes": 513},
    ]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    for (package, why) in [
        ("many", "they have more than 50,000 files and folders"),
        ("large", "they take more than 512 MiB"),
    ] {
        let problem = refused(&platform, &format!("{package}\n")).await;
        let detail = format!("the packages of requirements.txt cannot be installed: {why}");
        assert_eq!((problem.status, problem.detail), (422, detail));
    }
    let store = platform.store().await;
    assert!(store.function(&function("f")).await.unwrap().is_none());
    store.close().await;
    platform.stop().await;
}

async fn a_build_ends_after_its_time(stack: Stack, test: &str) {
    let index = Index::silent("127.0.0.1").await;
    let url = index.url();
    let change = move |platform: &mut Platform| {
        platform.builds.index = Some(url.parse().unwrap());
        platform.limits.build_time = Duration::from_secs(5);
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, "greet\n").await;
    assert_eq!(
        (problem.status, problem.detail.as_str()),
        (422, "the packages of requirements.txt cannot be installed: this took longer than 5 s")
    );
    // Python may take most of the time to start.
    assert!(index.asked() <= 1, "{}", index.asked());
    platform.stop().await;
}

async fn packages_go_with_the_last_function_that_has_them(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
    platform.deploy("f", &files).await;
    platform.deploy("g", &files).await;
    let tree = dependencies(&platform, "f").await.tree;
    let unpacked = platform.platform.data_dir.join("cache/dependencies").join(tree.as_str());
    assert!(unpacked.join("greet/__init__.py").is_file());
    let store = platform.store().await;
    platform.client.delete(&function("f")).await.unwrap();
    assert!(store.piece(&tree, 0).await.unwrap().is_some());
    platform.client.delete(&function("g")).await.unwrap();
    assert_eq!(store.dependencies(&tree).await.unwrap(), None);
    assert_eq!(store.piece(&tree, 0).await.unwrap(), None);
    eventually("the unpacked packages are gone", || async { (!unpacked.exists()).then_some(()) }).await;
    store.close().await;
    platform.stop().await;
}

/// Waits for two prewarmed instances, with no other one.
async fn two_wait(platform: &TestPlatform) {
    let instances = platform.platform.data_dir.join("instances");
    // Its socket is gone once its guest is there.
    let is_ready = |folder: std::path::PathBuf| {
        folder.join("run").exists() && !folder.join("run/runtime.sock").exists()
    };
    eventually("two instances wait", || async {
        let folders = std::fs::read_dir(&instances).into_iter().flatten().flatten();
        (folders.filter(|folder| is_ready(folder.path())).count() == 2).then_some(())
    })
    .await;
}

/// One that was there before it was known whose it is, and before the packages were unpacked.
async fn a_prewarmed_instance_finds_packages_and_those_of_others_not(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let folder = house.path();
    let change = move |platform: &mut Platform| {
        only(platform, folder);
        platform.limits.prewarm_budget = 256 << 20;
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    two_wait(&platform).await;
    let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
    platform.deploy_unchecked("f", &files).await;
    let answer = platform.invoke("f", "\"Ada\"").await;
    let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(value.bytes, "Good day, Ada");
    assert!(platform.client.record(answer.id, None).await.unwrap().prewarmed);
    let spy = "import os\ndef handler(event):\n    try:\n        return os.listdir('/opt/packages')\n    except OSError as error:\n        return error.strerror\n";
    platform.deploy("spy", &[("function.py", spy)]).await;
    assert_eq!(platform.value("spy", "{}").await, "Permission denied");
    let tree = dependencies(&platform, "f").await.tree;
    let writer = format!(
        "def handler(event):\n    try:\n        open('/opt/packages/{tree}/greet/__init__.py', 'a')\n    except OSError as error:\n        return error.strerror\n"
    );
    platform.deploy("writer", &[("function.py", &writer)]).await;
    let answer = platform.value("writer", "{}").await;
    assert!(["Read-only file system", "Permission denied"].contains(&answer.as_str()), "{answer}");
    platform.stop().await;
}

async fn an_image_of_its_own_finds_packages_too(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let files = [
        ("function.py", CODE),
        ("requirements.txt", "greet\n"),
        ("cloudfunc.toml", "package = \"image\"\n"),
    ];
    platform.deploy("f", &files).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    platform.stop().await;
}
