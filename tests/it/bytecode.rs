//! Python code that is compiled ahead of its starts: a function's own, with what lies in its folder, and its packages.

use std::{fmt::Write as _, path::PathBuf};

use cloudfunc::{client::Outcome, model::Record};
use serde_json::{Value, json};

use crate::{
    packages::{deploy, on, wheelhouse::Wheelhouse},
    support::{
        eventually,
        platform::{Stack, TestPlatform, function},
    },
};

on! {
    light:
    code_is_compiled_at_its_deploy_and_by_no_start
    code_that_was_not_loaded_at_its_deploy_is_compiled_in_the_background
    packages_are_compiled_when_they_are_installed
    bytecode_goes_with_the_last_function_that_has_it;
    sqlite_embedded_oci:
    code_is_compiled_at_its_deploy_and_by_no_start
    code_that_was_not_loaded_at_its_deploy_is_compiled_in_the_background
    packages_are_compiled_when_they_are_installed
    a_prewarmed_instance_has_bytecode;
    postgres_rabbitmq_docker:
    the_code_in_an_image_is_compiled_when_that_is_made
    code_is_compiled_at_its_deploy_and_by_no_start
    code_that_was_not_loaded_at_its_deploy_is_compiled_in_the_background
    packages_are_compiled_when_they_are_installed
    a_prewarmed_instance_has_bytecode;
}

/// Tells which files its imports have compiled.
const CODE: &str = r#"
import importlib.machinery, os, sys

compiled = []
loader = importlib.machinery.SourceFileLoader
original = loader.source_to_code

def source_to_code(self, data, path, **more):
    compiled.append(os.path.basename(path))
    return original(self, data, path, **more)

loader.source_to_code = source_to_code
import large
cached = large.__spec__.cached
try:
    import broken
except (SyntaxError, ImportError):
    pass

def handler(event):
    return {
        "compiled": compiled,
        "cached": os.path.basename(cached) if os.path.isfile(cached) else None,
        "line": large.last.__code__.co_filename.rpartition("/")[2],
        "writes": not sys.dont_write_bytecode,
    }
"#;
const ONCE: &str = "[scaling]\nidle_timeout = \"0s\"\n";

/// A module that is worth compiling.
fn large() -> String {
    let mut text = String::new();
    for number in 0..4000 {
        let _ = writeln!(text, "def f{number}(a, b=1):\n    return a + b * {number}");
    }
    text.push_str("def last():\n    pass\n");
    text
}

async fn answer(platform: &TestPlatform, name: &str) -> (Value, Record) {
    let answer = platform.invoke(name, "{}").await;
    let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}") };
    let record = platform.client.record(answer.id, None).await.unwrap();
    (serde_json::from_slice(&value.bytes).unwrap(), record)
}

/// What was compiled by the start that answered.
async fn compiled(platform: &TestPlatform, name: &str) -> Value {
    let (answer, _) = answer(platform, name).await;
    assert_eq!((&answer["writes"], &answer["line"]), (&json!(false), &json!("large.py")));
    answer["compiled"].clone()
}

fn folder(platform: &TestPlatform) -> PathBuf {
    platform.platform.data_dir.join("cache/bytecode")
}

/// How many bundles have bytecode.
fn bundles(platform: &TestPlatform) -> usize {
    let names = std::fs::read_dir(folder(platform)).into_iter().flatten().flatten();
    names.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
}

fn tells(told: &[String]) -> bool {
    told.contains(&"compiling the code".to_owned())
}

async fn the_code_in_an_image_is_compiled_when_that_is_made(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let large = large();
    let files = [
        ("function.py", CODE),
        ("large.py", large.as_str()),
        ("broken.py", "def ("),
        ("cloudfunc.toml", "package = \"image\"\n"),
    ];
    platform.deploy("f", &files).await;
    let (answer, _) = answer(&platform, "f").await;
    assert_eq!(answer["compiled"], json!(["broken.py"]), "{answer}");
    assert!(
        answer["cached"].as_str().is_some_and(|name| name.starts_with("large.cpython-")),
        "{answer}"
    );
    platform.stop().await;
}

async fn code_is_compiled_at_its_deploy_and_by_no_start(stack: Stack, test: &str) {
    let Some(mut platform) = TestPlatform::start(stack, test).await else { return };
    let large = large();
    // A file that cannot be compiled does not keep the others from it.
    let files = [
        ("function.py", CODE),
        ("large.py", large.as_str()),
        ("broken.py", "def ("),
        ("cloudfunc.toml", ONCE),
    ];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap();
    assert!(tells(&told), "{told:?}");
    // The load check was the first start.
    for _ in 0..2 {
        let (answer, _) = answer(&platform, "f").await;
        assert_eq!(answer["compiled"], json!(["broken.py"]));
        let cached = answer["cached"].as_str().unwrap();
        assert!(cached.starts_with("large.cpython-3") && cached.ends_with(".pyc"), "{cached}");
    }
    // The same code of another function, also after a restart; other code is compiled anew.
    let (_, told) = deploy(&platform, "g", &files).await;
    assert!(!tells(&told), "{told:?}");
    platform.restart().await;
    assert_eq!(compiled(&platform, "g").await, json!(["broken.py"]));
    assert_eq!(bundles(&platform), 1);
    let other = format!("{CODE}#\n");
    let files = [("function.py", other.as_str()), ("large.py", &large)];
    let (_, told) = deploy(&platform, "g", &files).await;
    assert!(tells(&told), "{told:?}");
    assert_eq!(compiled(&platform, "g").await, json!([]));
    assert_eq!(bundles(&platform), 2);

    // What is small costs nothing.
    let small = [("function.py", CODE), ("large.py", "def last():\n    pass\n")];
    let (_, told) = deploy(&platform, "h", &small).await;
    assert!(!tells(&told), "{told:?}");
    assert_eq!(compiled(&platform, "h").await, json!(["function.py", "large.py"][1..]));
    assert_eq!(bundles(&platform), 2);
    platform.stop().await;
}

async fn code_that_was_not_loaded_at_its_deploy_is_compiled_in_the_background(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let large = large();
    let files = [("function.py", CODE), ("large.py", &large), ("cloudfunc.toml", ONCE)];
    platform.deploy_unchecked("f", &files).await;
    assert_eq!(bundles(&platform), 0);
    assert_eq!(compiled(&platform, "f").await, json!(["large.py"]));
    eventually("there is bytecode", || async { (bundles(&platform) == 1).then_some(()) }).await;
    assert_eq!(compiled(&platform, "f").await, json!([]));
    // Somebody has cleared the cache: it works, and is made again.
    std::fs::remove_dir_all(folder(&platform)).unwrap();
    assert_eq!(compiled(&platform, "f").await, json!(["large.py"]));
    eventually("there is bytecode again", || async { (bundles(&platform) == 1).then_some(()) }).await;
    platform.stop().await;
}

async fn packages_are_compiled_when_they_are_installed(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&json!([{"name": "large", "version": "1.0", "files": {
        "large.py": "def last():\n    pass\n", "broken.py": "def ("
    }}]));
    let path = house.path();
    let change = move |platform: &mut cloudfunc::settings::Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(path);
    };
    let Some(mut platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let files = [("function.py", CODE), ("requirements.txt", "large\n"), ("cloudfunc.toml", ONCE)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(told.contains(&"compiling the packages".to_owned()), "{told:?}");
    // Bytecode is no file of theirs: one for each module, the list of files and three more.
    let line = told.iter().find(|line| line.starts_with("packages installed: ")).expect("they are told");
    assert!(line.starts_with("packages installed: large 1.0 (7 files, "), "{line}");
    platform.restart().await;
    for _ in 0..2 {
        let (answer, _) = answer(&platform, "f").await;
        assert_eq!(answer["compiled"], json!(["broken.py"]));
        assert!(answer["cached"].is_string(), "{answer}");
    }
    platform.stop().await;
}

async fn a_prewarmed_instance_has_bytecode(stack: Stack, test: &str) {
    let change = |platform: &mut cloudfunc::settings::Platform| {
        platform.limits.prewarm_budget = 256 << 20;
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let large = large();
    let (deployed, _) =
        deploy(&platform, "f", &[("function.py", CODE), ("large.py", &large), ("cloudfunc.toml", ONCE)])
            .await;
    deployed.unwrap();
    eventually("a prewarmed instance was taken", || async {
        let (answer, record) = answer(&platform, "f").await;
        assert_eq!(answer["compiled"], json!([]));
        record.prewarmed.then_some(())
    })
    .await;
    platform.stop().await;
}

async fn bytecode_goes_with_the_last_function_that_has_it(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let large = large();
    let files = [("function.py", CODE), ("large.py", large.as_str())];
    for name in ["f", "g"] {
        platform.deploy(name, &files).await;
    }
    platform.client.delete(&function("f")).await.unwrap();
    assert_eq!(compiled(&platform, "g").await, json!([]));
    assert_eq!(bundles(&platform), 1);
    platform.client.delete(&function("g")).await.unwrap();
    eventually("the bytecode is gone", || async { (bundles(&platform) == 0).then_some(()) }).await;
    platform.stop().await;
}
