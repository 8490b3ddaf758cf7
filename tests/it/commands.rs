//! The command line against a platform: the shapes of `--json`, what goes in, what is said when something fails.

use serde_json::{Value, json};

use crate::{on_stack, support::platform::TestPlatform};

const ECHO: &str = "def handler(event):\n    return event\n";

on_stack! {
    light:
    deploy_prints_one_line_of_the_same_shape_for_each_path
    delete_takes_several_names_and_checks_all_before_the_first_goes
    a_failed_invocation_is_a_json_error_with_its_id
}

/// A folder with functions.
fn folder(functions: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in functions {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("function.py"), code).unwrap();
    }
    folder
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

fn keys(value: &Value) -> String {
    value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

async fn deploy_prints_one_line_of_the_same_shape_for_each_path(platform: &TestPlatform) {
    let folder = folder(&[("one", ECHO), ("two", ECHO)]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (one, two, none) = (path("one"), path("two"), path("none"));
    let run = async |paths: &[&str]| {
        let (code, stdout, stderr) = platform.cli(&[&["deploy", "--json"], paths].concat()).await;
        (code, lines(&stdout), lines(&stderr))
    };
    let (code, changed, errors) = run(&[&one]).await;
    assert_eq!((code, errors.len()), (0, 0));
    let (_, unchanged, _) = run(&[&one]).await;
    let (code, several, errors) = run(&[&one, &none, &two]).await;
    assert_eq!((code, changed.len(), unchanged.len(), several.len()), (2, 1, 1, 3));
    for line in changed.iter().chain(&unchanged).chain(&several) {
        assert_eq!(keys(line), "error image name path revision unchanged");
    }
    let told =
        |line: &Value| (line["name"].clone(), line["revision"].clone(), line["unchanged"].clone());
    assert_eq!(told(&changed[0]), (json!("one"), json!(1), json!(false)));
    assert_eq!(told(&unchanged[0]), (json!("one"), json!(1), json!(true)));
    assert_eq!(told(&several[0]), (json!("one"), json!(1), json!(true)));
    assert_eq!(told(&several[1]), (Value::Null, Value::Null, json!(false)));
    assert_eq!(told(&several[2]), (json!("two"), json!(1), json!(false)));
    assert_eq!(several[1]["path"], none.as_str());
    assert!(several[1]["error"]["detail"].as_str().unwrap().contains("there is no folder"));
    assert_eq!(errors, [several[1]["error"].clone()], "the same on stderr");
    let (code, failed, errors) = run(&[&none]).await;
    assert_eq!((code, failed[0]["error"].clone()), (2, errors[0].clone()), "one that fails, too");
}

async fn delete_takes_several_names_and_checks_all_before_the_first_goes(platform: &TestPlatform) {
    for name in ["one", "two", "three"] {
        platform.deploy(name, &[("function.py", ECHO)]).await;
    }
    let (code, stdout, stderr) = platform.cli(&["delete", "one", "nine", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: nothing was deleted: there is no function 'nine'\n"), "{stderr}");
    let (code, stdout, stderr) = platform.cli(&["delete", "one", "two", "one", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (0, "deleted one\ndeleted two\n"));
    assert_eq!(stderr, "next: cloudfunc list\n");
    let (code, stdout, stderr) = platform.cli(&["delete", "three", "--yes", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(lines(&stdout), [json!({"deleted": "three", "error": null})]);
}

async fn a_failed_invocation_is_a_json_error_with_its_id(platform: &TestPlatform) {
    let code = "def handler(event):\n    raise ValueError('no')\n";
    platform.deploy("fails", &[("function.py", code)]).await;
    let (exit, stdout, stderr) = platform.cli(&["invoke", "fails", "--json"]).await;
    let (document, error): (Value, Value) =
        (serde_json::from_str(&stdout).unwrap(), serde_json::from_str(&stderr).unwrap());
    assert_eq!((exit, &error["code"]), (1, &json!("function_failed")));
    assert_eq!((&error["fault"], &error["retry_safe"]), (&json!("function"), &json!(false)));
    assert_eq!(error["invocation_id"], document["id"]);
    let decimals = document["duration_ms"].to_string();
    assert!(decimals.split('.').nth(1).is_none_or(|digits| digits.len() <= 3), "{decimals}");
    let (exit, stdout, stderr) = platform.cli(&["invoke", "nowhere", "--json"]).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((exit, stdout.as_str(), &error["code"]), (2, "", &json!("function_not_found")));
    assert_eq!(error["hint"], "'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one");
}
