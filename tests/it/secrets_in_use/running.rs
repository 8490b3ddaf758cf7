//! Where functions find their secrets, whatever they are.

use cloudfunc::client::Outcome;
use reqwest::Method;

use super::{request, set};
use crate::{
    interfaces::{free_port, packed},
    on_stack,
    support::{
        eventually, eventually_within,
        home::SOON,
        platform::{Stack, TestPlatform, function},
    },
};

on_stack! { light: every_kind_of_function_finds_its_own_secret_or_else_the_platforms }
on_stack! {
    @ sqlite_embedded_oci: every_kind_of_function_finds_its_own_secret_or_else_the_platforms
}
on_stack! { real: every_kind_of_function_finds_its_own_secret_or_else_the_platforms }

const SECRETS: &str = "secrets = [\"API_KEY\", \"TEAM\", \"MINE\"]\n";

const PYTHON: &str = r#"
import os

LOADED = os.environ["API_KEY"]

def handler(event):
    return f"{LOADED} {os.environ['TEAM']} {os.environ['MINE']}"
"#;

const NODE: &str = "const { API_KEY, TEAM, MINE } = process.env;\n\
                    export const handler = () => `${API_KEY} ${TEAM} ${MINE}`;\n";

const COMMAND: &str = "#!/bin/sh\necho \"$API_KEY $TEAM $MINE\"\n";

const HTTP: &str = r#"
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        text = " ".join(os.environ[name] for name in ("API_KEY", "TEAM", "MINE")).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

const LAMBDA: &str = r#"#!/usr/bin/env python3
import json, os
from http.client import HTTPConnection

api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def ask(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.headers, answer.read()

while True:
    headers, _ = ask("GET", "next")
    text = " ".join(os.environ[name] for name in ("API_KEY", "TEAM", "MINE"))
    ask("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(text, ensure_ascii=False).encode())
"#;

async fn every_kind_of_function_finds_its_own_secret_or_else_the_platforms(platform: &TestPlatform) {
    set(platform, "API_KEY", None, "the platform's").await;
    set(platform, "TEAM", None, "team").await;
    let server = format!(
        "interface = \"http\"\ncommand = [\"python3\", \"server.py\"]\nport = {}\n{SECRETS}[scaling]\nmax_instances = 1\n",
        free_port()
    );
    let of = |keys: &str| format!("{keys}{SECRETS}");
    let functions = [
        ("python", ("function.py", PYTHON), of("")),
        ("node", ("function.mjs", NODE), of("language = \"node\"\n")),
        (
            "command",
            ("run.sh", COMMAND),
            of("language = \"native\"\ninterface = \"command\"\ncommand = [\"./run.sh\"]\n"),
        ),
        ("lambda", ("bootstrap", LAMBDA), of("language = \"python\"\ninterface = \"lambda\"\n")),
        ("http", ("server.py", HTTP), server),
    ];
    for (name, code, manifest) in &functions {
        set(platform, "API_KEY", Some(name), &format!("own of {name}")).await;
        set(platform, "MINE", Some(name), "grün").await;
        let files = packed(&[*code, ("cloudfunc.toml", manifest.as_str())]);
        // Without containers, two servers cannot have the same port.
        let deployed = match *name {
            "http" => platform.client.deploy_unchecked(&function(name), files, |_| {}).await,
            _ => platform.client.deploy(&function(name), files, |_| {}).await,
        };
        deployed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let value = platform.value(name, "{}").await;
        let value = value.trim().trim_matches('"');
        assert_eq!(value, format!("own of {name} team grün"), "{name}");
    }
    let other = "import os\n\ndef handler(event):\n    return sorted(os.environ.keys() & {'API_KEY', 'TEAM', 'MINE'})\n";
    platform.deploy("other", &[("function.py", other)]).await;
    assert_eq!(platform.value("other", "{}").await, "[]", "it names none");
}

#[tokio::test]
async fn a_prewarmed_instance_has_the_secrets_of_the_function_that_takes_it() {
    let test =
        "secrets_in_use::running::a_prewarmed_instance_has_the_secrets_of_the_function_that_takes_it";
    let started =
        TestPlatform::start_with(Stack::LIGHT, test, |host| host.limits.prewarm_budget = 256 << 20);
    let Some(platform) = started.await else { return };
    set(&platform, "API_KEY", None, "hunter2").await;
    let code = "import os\n\ndef handler(event):\n    return os.environ['API_KEY']\n";
    let files = [("function.py", code), ("cloudfunc.toml", "secrets = [\"API_KEY\"]\n")];
    let mut number = 0;
    eventually_within(SOON, "a function takes a prewarmed one", || {
        number += 1;
        let (name, platform, files) = (format!("f{number}"), &platform, &files);
        async move {
            platform.deploy_unchecked(&name, files).await;
            let answer = platform.invoke(&name, "{}").await;
            let Outcome::Value(body) = &answer.outcome else { panic!("{answer:?}") };
            assert_eq!(&body.bytes[..], b"hunter2");
            let record = platform.client.record(answer.id, None).await.unwrap();
            record.prewarmed.then_some(())
        }
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_gone_is_named_and_set_again_it_is_there() {
    let test = "secrets_in_use::running::a_secret_that_is_gone_is_named_and_set_again_it_is_there";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    set(&platform, "API_KEY", None, "hunter2").await;
    let code = "import os\n\ndef handler(event):\n    return os.environ['API_KEY']\n";
    let files = [("function.py", code), ("cloudfunc.toml", "secrets = [\"API_KEY\"]\n")];
    platform.deploy("f", &files).await;
    assert_eq!(platform.value("f", "{}").await, "hunter2");
    let delete =
        request(&platform.platform, Method::DELETE, "/v1/secrets/API_KEY?force=true").send().await;
    let deleted = delete.unwrap();
    assert!(deleted.status().is_success(), "{deleted:?}");
    // The instance that had it goes.
    let problem = eventually("it is missed", async || {
        let answer = platform.invoke("f", "{}").await;
        match answer.outcome {
            Outcome::Failed(problem) => Some(problem),
            Outcome::Value(_) => None,
        }
    })
    .await;
    assert_eq!(
        problem.detail,
        "function 'f' failed: load: the secret 'API_KEY' is not set; set it with `cloudfunc secret set API_KEY`"
    );
    set(&platform, "API_KEY", None, "hunter3").await;
    assert_eq!(platform.value("f", "{}").await, "hunter3");
    platform.stop().await;
}

/// A build is not the function: what its command leaves would have them in clear.
#[tokio::test]
async fn a_build_command_has_no_secrets() {
    let test = "secrets_in_use::running::a_build_command_has_no_secrets";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    set(&platform, "API_KEY", None, "hunter2").await;
    let make = "import os\nopen('made.py', 'w').write(f\"SEEN = {os.environ.get('API_KEY')!r}\\n\")\n";
    let code = "import made, os\n\ndef handler(event):\n    return [made.SEEN, os.environ['API_KEY'], \
                os.path.exists('cloudfunc.toml')]\n";
    let manifest = "secrets = [\"API_KEY\"]\n[build]\ncommand = [\"python3\", \"make.py\"]\n";
    let files = [("function.py", code), ("make.py", make), ("cloudfunc.toml", manifest)];
    platform.deploy("f", &files).await;
    assert_eq!(platform.value("f", "{}").await, "[null,\"hunter2\",false]");
    platform.stop().await;
}
