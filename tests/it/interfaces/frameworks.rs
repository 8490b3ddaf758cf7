//! Real servers and runtimes of others: FastAPI with uvicorn, express, `awslambdaric`, and the crate `lambda_runtime`. They
//! come from public registries and are kept between runs; where one does not answer, its test is skipped visibly.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cloudfunc::model::code;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{call, deploy, header, request, write};
use crate::{
    examples::wheels::wheels,
    packages::on,
    support::platform::{Stack, TestPlatform},
};

on! {
    light:
    a_handler_for_awslambdaric_runs;
    sqlite_embedded_oci:
    fastapi_answers_sixteen_requests_at_once
    a_handler_for_awslambdaric_runs
    express_runs;
    postgres_rabbitmq_docker:
    fastapi_answers_sixteen_requests_at_once
    a_handler_for_awslambdaric_runs
    express_runs;
}

const FASTAPI: &str = "annotated_doc==0.0.7\nannotated_types==0.8.0\nanyio==4.16.0\nclick==8.5.1\nfastapi==0.165.0\nh11==0.16.0\n\
                       idna==3.20\nopentelemetry_api==1.45.2\npydantic==2.14.4\npydantic_core==2.50.5\nstarlette==1.10.0\n\
                       typing_extensions==4.16.0\ntyping_inspection==0.4.5\nuvicorn==0.54.0\n";
const AWSLAMBDARIC: &str = "awslambdaric==4.2.2\nsimplejson==4.3.0\nsnapshot_restore_py==1.0.0\n";

/// A platform that has these packages, and none else.
async fn with_packages(stack: Stack, test: &str, requirements: &str) -> Option<TestPlatform> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requirements.txt");
    fs::write(&file, requirements).unwrap();
    let wheels = wheels(stack, file.to_str().unwrap())?;
    let change = move |platform: &mut cloudfunc::settings::Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(wheels);
    };
    TestPlatform::start_with(stack, test, change).await
}

/// Its requests can only end together.
const MEETS: &str = r#"
import asyncio
from fastapi import FastAPI

app = FastAPI()
there, changed = 0, asyncio.Condition()

@app.get("/meet/{wanted}")
async def meet(wanted: int):
    global there
    async with changed:
        there += 1
        changed.notify_all()
        await changed.wait_for(lambda: there >= wanted)
    return {"met": there}

@app.post("/items")
async def item(item: dict[str, int]):
    return {"sum": sum(item.values())}
"#;

async fn fastapi_answers_sixteen_requests_at_once(stack: Stack, test: &str) {
    let Some(platform) = with_packages(stack, test, FASTAPI).await else { return };
    let manifest = "interface = \"http\"\ncommand = [\"uvicorn\", \"--port\", \"3000\", \"app:app\"]\nport = 3000\n\
                    memory = \"256MiB\"\n[scaling]\nconcurrency = 16\nmax_instances = 1\n";
    let files = [("app.py", MEETS), ("requirements.txt", FASTAPI), ("cloudfunc.toml", manifest)];
    deploy(&platform, "api", &files).await;
    let calls = (0..16).map(async |_| {
        let answer = call(&platform, "api", "GET", "/meet/16").send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    });
    assert!(join_all(calls).await.iter().all(|answer| *answer == json!({ "met": 16 })));
    for (body, status) in [("{\"a\":1,\"b\":2}", 200), ("{\"a\":\"x\"}", 422)] {
        let send = request(&platform, "api", body).header("content-type", "application/json");
        let answer = send.header("cloudfunc-http-path", "/items").send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "cloudfunc-outcome")),
            (status, Some("succeeded"))
        );
        let value: Value = answer.json().await.unwrap();
        assert_eq!(value["sum"] == 3, status == 200, "{value}");
    }
    platform.stop().await;
}

async fn a_handler_for_awslambdaric_runs(stack: Stack, test: &str) {
    let Some(platform) = with_packages(stack, test, AWSLAMBDARIC).await else { return };
    let handler = "import logging\ndef handler(event, context):\n    print('called as', context.aws_request_id)\n    \
                   if event.get('fails'):\n        raise ValueError('no such luck')\n    \
                   assert 0 < context.get_remaining_time_in_millis() <= 30_000\n    \
                   return {'name': context.function_name, 'echo': event}\n";
    let manifest =
        "interface = \"lambda\"\ncommand = [\"python3\", \"-m\", \"awslambdaric\", \"app.handler\"]\n";
    let files = [("app.py", handler), ("requirements.txt", AWSLAMBDARIC), ("cloudfunc.toml", manifest)];
    deploy(&platform, "aws", &files).await;
    for n in 0..2 {
        let value: Value =
            serde_json::from_str(&platform.value("aws", &json!({ "n": n }).to_string()).await).unwrap();
        assert_eq!(value, json!({ "name": "aws", "echo": { "n": n } }));
    }
    let problem = platform.problem("aws", "{\"fails\":true}").await;
    assert_eq!(problem.code, code::FUNCTION_FAILED.code, "{problem:?}");
    assert_eq!(problem.detail, "function 'aws' failed: ValueError: no such luck");
    assert!(problem.trace.is_some_and(|trace| trace.contains("app.py")), "its place is told");
    // One that cannot be imported is told at the deploy.
    let broken = [("app.py", "import nothing_of_that_name\n"), files[1], files[2]];
    let problem = super::refused(&platform, &broken).await;
    let told = "Runtime.ImportModuleError: Unable to import module 'app': No module named 'nothing_of_that_name'";
    assert!(problem.detail.contains(told), "{problem:?}");
    platform.stop().await;
}

async fn express_runs(stack: Stack, test: &str) {
    let Some(packages) = express() else { return };
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let code = "const express = require('express');\nconst app = express();\napp.use(express.json());\n\
                app.post('/greet/:name', (request, response) => response.status(201).json({ name: request.params.name, \
                event: request.body }));\napp.listen(process.env.PORT, '127.0.0.1');\n";
    let manifest = "language = \"node\"\ninterface = \"http\"\ncommand = [\"node\", \"server.cjs\"]\n";
    write(folder.path(), &[("server.cjs", code), ("cloudfunc.toml", manifest)]);
    let copied =
        Command::new("cp").arg("-R").arg(packages.join("node_modules")).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    let packed = cloudfunc::bundle::pack(folder.path()).unwrap().bytes;
    let name = crate::support::platform::function("express");
    platform.client.deploy(&name, packed, |_| {}).await.unwrap();
    let send = request(&platform, "express", "{\"a\":1}").header("content-type", "application/json");
    let answer = send.header("cloudfunc-http-path", "/greet/Ada").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "x-powered-by")), (201, Some("Express")));
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "name": "Ada", "event": { "a": 1 } }));
    platform.stop().await;
}

const EXPRESS: &str = "5.1.0";

/// A folder with express in its `node_modules`; none (with a note) where the registry does not answer and it is not there
/// from an earlier run.
fn express() -> Option<PathBuf> {
    let folder = state().join(format!("express-{EXPRESS}"));
    if !folder.join("node_modules/express/package.json").exists() {
        fs::create_dir_all(state()).unwrap();
        // Beside it, and then renamed: several tests may do this at the same time.
        let beside = tempfile::Builder::new().prefix("express").tempdir_in(state()).unwrap();
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        let mut npm = Command::new("npm");
        npm.args(install).arg(beside.path()).arg(format!("express@{EXPRESS}"));
        if !npm.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: npm is not there, or its public registry does not answer");
            return None;
        }
        let beside = beside.keep();
        if fs::rename(&beside, &folder).is_err() {
            fs::remove_dir_all(&beside).unwrap();
        }
    }
    Some(folder)
}

fn state() -> PathBuf {
    let state = std::env::var("CLOUDFUNC_TEST_STATE");
    PathBuf::from(state.unwrap_or_else(|_| "/var/tmp/cloudfunc-tests".to_owned()))
}

/// What `init --template rust` makes, built by cargo as its author would.
#[tokio::test]
#[ignore = "downloads and compiles the crate lambda_runtime for minutes: `cargo test the_template_in_rust -- --ignored`"]
async fn the_template_in_rust_is_built_and_runs() {
    let test = "interfaces::frameworks::the_template_in_rust_is_built_and_runs";
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("greeter");
    for (number, stack) in
        ["light", "sqlite_embedded_oci", "postgres_rabbitmq_docker"].into_iter().enumerate()
    {
        let Some(platform) = TestPlatform::start(Stack::named(stack), test).await else { continue };
        if number == 0 {
            make_of_template(&platform, &folder).await;
        }
        let (code, _, stderr) = platform.cli(&["deploy", folder.to_str().unwrap()]).await;
        assert_eq!(code, 0, "{stderr}");
        let value: Value =
            serde_json::from_str(&platform.value("greeter", "{\"name\":\"Ada\"}").await).unwrap();
        assert_eq!(value, json!({ "greeting": "Hello Ada!" }));
        platform.stop().await;
    }
}

async fn make_of_template(platform: &TestPlatform, folder: &Path) {
    let folder = folder.to_str().unwrap();
    let (code, _, stderr) = platform.cli(&["init", folder, "--template", "rust"]).await;
    assert_eq!(code, 0, "{stderr}");
    let next = format!("next: {folder}/build.sh && cloudfunc deploy {folder}\n");
    assert_eq!(stderr, next);
    let built = Command::new(format!("{folder}/build.sh")).status().unwrap();
    assert!(built.success());
}
