//! Functions in Node on a whole platform: from `init` to the log, what a deploy refuses, and variables.

use cloudfunc::{client::Error, model::Problem};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

on_stack! {
    light:
    what_init_makes_is_deployed_invoked_and_logged
    code_that_cannot_be_loaded_is_refused_with_the_reason
    variables_have_their_effect
}

on_stack! {
    @ sqlite_embedded_oci:
    what_init_makes_is_deployed_invoked_and_logged
    code_that_cannot_be_loaded_is_refused_with_the_reason
    variables_have_their_effect
}

on_stack! {
    real:
    what_init_makes_is_deployed_invoked_and_logged
    variables_have_their_effect
}

const NODE: (&str, &str) = ("cloudfunc.toml", "language = \"node\"\n");

async fn what_init_makes_is_deployed_invoked_and_logged(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let greeter = folder.path().join("greeter");
    let greeter = greeter.to_str().unwrap();
    let (code, out, _) = platform.cli(&["init", greeter, "--language", "node"]).await;
    assert_eq!(
        (code, out),
        (0, format!("made {greeter}/function.mjs\nmade {greeter}/cloudfunc.toml\n"))
    );
    let (code, _, stderr) = platform.cli(&["deploy", greeter]).await;
    assert_eq!(code, 0, "{stderr}");
    for name in ["Ada", "Bo"] {
        let data = json!({ "name": name }).to_string();
        let (code, out, stderr) = platform.cli(&["invoke", "greeter", "--data", &data]).await;
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap(),
            json!({ "greeting": format!("Hello {name}!") })
        );
    }
    eventually("both lines are in the log", || async {
        let (_, out, _) = platform.cli(&["logs", "greeter"]).await;
        (out.contains("greeting Ada") && out.contains("greeting Bo")).then_some(())
    })
    .await;
    let (code, _, stderr) = platform.cli(&["invoke", "greeter", "--data", "null"]).await;
    assert_eq!(code, 1, "{stderr}");
    let told = "TypeError: Cannot read properties of null (reading 'name')\n    at handler (file:///";
    assert!(stderr.contains(told), "{stderr}");
    assert!(!stderr.contains("shim"), "{stderr}");
    let (code, out, _) = platform.cli(&["show", "greeter"]).await;
    assert!(code == 0 && out.contains("node"), "{out}");
}

async fn refused(platform: &TestPlatform, files: &[(&str, &str)]) -> Problem {
    match platform.try_deploy("f", &[files, &[NODE]].concat()).await {
        Err(Error::Problem(problem)) => *problem,
        other => panic!("not refused: {other:?}"),
    }
}

async fn code_that_cannot_be_loaded_is_refused_with_the_reason(platform: &TestPlatform) {
    platform.deploy("f", &[("function.mjs", "export const handler = () => 'good';\n"), NODE]).await;
    for (code, kind, detail, hint) in [
        (
            "export const handler = (event) => {\n  retur 1;\n};\n",
            "SyntaxError",
            "SyntaxError: Unexpected number (function.mjs, line 2)",
            "--no-check",
        ),
        (
            "export const handel = () => 1;\n",
            "HandlerNotFound",
            "HandlerNotFound: function.mjs exports no 'handler', but handel: did you mean 'handel'?",
            "",
        ),
        (
            "import express from 'express';\nexport const handler = () => 1;\n",
            "ModuleNotFound",
            "ModuleNotFound: Cannot find package 'express' imported from ",
            "`npm install --package-lock-only --prefix DIR express` adds it",
        ),
        (
            "console.log('so far');\nthrow new RangeError('no licence');\n",
            "RangeError",
            "RangeError: no licence",
            "--no-check",
        ),
    ] {
        let problem = refused(platform, &[("function.mjs", code)]).await;
        let start = format!("the code of 'f' cannot be loaded: {detail}");
        assert!(problem.detail.starts_with(&start), "{problem:?}");
        assert_eq!(problem.error_type.as_deref(), Some(kind));
        assert_eq!(problem.output.as_deref(), (kind == "RangeError").then_some("so far\n"));
        // A missing handler would be missing at each start.
        assert_eq!(problem.hint.is_none(), hint.is_empty(), "{problem:?}");
        assert!(problem.hint.as_deref().unwrap_or_default().contains(hint), "{problem:?}");
    }
    let problem = refused(platform, &[("function.mjs", "process.exit(3);\n")]).await;
    let exit = "the function's process exited with code 3 while its code was loaded";
    assert!(problem.detail.contains(exit), "{problem:?}");
    let problem = refused(platform, &[("index.mjs", "")]).await;
    assert_eq!(
        problem.detail,
        "no function.mjs in the folder: the handler \"function.handler\" needs it"
    );
    let hint = "there is index.mjs: name the handler in cloudfunc.toml, for example `handler = \"index.handler\"`";
    assert_eq!(problem.hint.as_deref(), Some(hint));
    assert_eq!(platform.value("f", "{}").await, "good");
}

async fn variables_have_their_effect(platform: &TestPlatform) {
    let code = "export const handler = () => [process.env.NODE_ENV, process.env.GREETING, process.env.NODE_OPTIONS, \
                Error.stackTraceLimit, new Date(0).getHours()];\n";
    let manifest = "language = \"node\"\n[env]\nNODE_ENV = \"production\"\nGREETING = \"Hello\"\n";
    let options = "NODE_OPTIONS = \"--stack-trace-limit=3\"\nTZ = \"Asia/Tokyo\"\n";
    for (name, env, expected) in [
        ("load", "", json!(["production", "Hello", null, 10, 0])),
        ("start", options, json!(["production", "Hello", "--stack-trace-limit=3", 3, 9])),
    ] {
        let manifest = format!("{manifest}{env}");
        platform.deploy(name, &[("function.mjs", code), ("cloudfunc.toml", &manifest)]).await;
        let mut seen: Value = serde_json::from_str(&platform.value(name, "{}").await).unwrap();
        if name == "load" {
            seen[4] = 0.into(); // the machine's own zone
        }
        assert_eq!(seen, expected);
    }
    let manifest = "language = \"node\"\n[env]\nNODE_OPTIONS = \"--no-such-option\"\n";
    let files = [("function.mjs", code), ("cloudfunc.toml", manifest)];
    let Err(Error::Problem(problem)) = platform.try_deploy("broken", &files).await else {
        panic!("it was deployed");
    };
    assert_eq!(problem.code, "build_failed", "{problem:?}");
    assert!(problem.detail.contains("--no-such-option is not allowed in NODE_OPTIONS"), "{problem:?}");
}
