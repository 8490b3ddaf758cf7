//! A value that is planted as a secret is searched for, while instances hold it and afterwards: it is in the processes of
//! its functions, and nowhere else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use cloudfunc::{
    model::message::{Change, Event},
    queue, runtime, store,
};
use reqwest::Method;

use super::{request, set};
use crate::{
    home,
    interfaces::{free_port, packed},
    on_stack,
    support::{
        eventually,
        home::SOON,
        platform::{TestPlatform, function},
        postgres::psql,
        process::{self, Process},
    },
};

on_stack! { light: a_planted_value_is_nowhere_but_in_the_functions_own_processes }
on_stack! {
    @ sqlite_embedded_oci: a_planted_value_is_nowhere_but_in_the_functions_own_processes
}
on_stack! { real: a_planted_value_is_nowhere_but_in_the_functions_own_processes }

/// A value that is nowhere else, as it would be found: in clear, in base64, in hexadecimal digits.
pub struct Planted {
    value: String,
    forms: [Vec<u8>; 3],
}

impl Planted {
    pub fn new() -> Self {
        let value = format!("planted-{}", uuid::Uuid::now_v7().simple());
        let mut base64 = STANDARD_NO_PAD.encode(&value);
        // The last digit depends on what follows.
        base64.pop();
        let forms = [value.clone().into_bytes(), base64.into_bytes(), hex::encode(&value).into_bytes()];
        Self { value, forms }
    }

    pub fn value(&self) -> &str {
        &self.value
    }

    pub fn is_in(&self, text: impl AsRef<[u8]>) -> bool {
        let text = text.as_ref();
        let is_there = |form: &Vec<u8>| {
            // Most bytes are not its first one.
            let mut begins =
                text.iter().enumerate().filter(|(_, byte)| **byte == form[0]).map(|(at, _)| at);
            begins.any(|at| text[at..].starts_with(form))
        };
        self.forms.iter().any(is_there)
    }

    /// The files below a folder that have it.
    pub fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                found.extend(self.files_below(&path));
            } else if kind.is_file() && fs::read(&path).is_ok_and(|bytes| self.is_in(bytes)) {
                found.push(path);
            }
        }
        found
    }

    /// The processes whose `environ` or `cmdline` has it.
    fn processes(&self, file: &str) -> Vec<i32> {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let has = |id: &i32| fs::read(format!("/proc/{id}/{file}")).is_ok_and(|bytes| self.is_in(bytes));
        ids.filter(has).collect()
    }
}

/// Tells a digest, by which it is known to have the value.
const HANDLER: &str = r#"
import hashlib, os

def handler(event):
    print("called")
    return hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest()
"#;

/// A program, whose environment has it from its start on, and which stays.
const SERVER: &str = r#"
import hashlib, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        print("called", flush=True)
        text = hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest().encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

fn digest(value: &str) -> String {
    cloudfunc::model::Digest::of(value.as_bytes()).to_string()
}

async fn a_planted_value_is_nowhere_but_in_the_functions_own_processes(platform: &TestPlatform) {
    let planted = Planted::new();
    match platform.platform.queue {
        queue::Config::RabbitMq { .. } => set_and_hear_of_it(platform, &planted).await,
        queue::Config::Embedded => set(platform, "API_KEY", None, planted.value()).await,
    }
    // By this word its processes are known.
    let mark = format!("mark-{}", uuid::Uuid::now_v7().simple());
    let manifest = format!(
        "interface = \"http\"\ncommand = [\"python3\", \"server.py\", \"{mark}\"]\nport = {}\nsecrets = [\"API_KEY\"]\n\
         [scaling]\nmax_instances = 1\n",
        free_port()
    );
    let files = packed(&[("server.py", SERVER), ("cloudfunc.toml", &manifest)]);
    platform.client.deploy_unchecked(&function("server"), files, |_| {}).await.unwrap();
    let manifest = match platform.stack.runtime() {
        runtime::Kind::Docker => "package = \"image\"\nsecrets = [\"API_KEY\"]\n",
        _ => "secrets = [\"API_KEY\"]\n",
    };
    let handler = [("function.py", HANDLER), ("cloudfunc.toml", manifest)];
    let image = platform.deploy("handler", &handler).await.image;
    for name in ["server", "handler"] {
        assert_eq!(platform.value(name, "{}").await, digest(planted.value()), "{name} has it");
    }
    let record = platform.run_async("handler", "{}").await;
    eventually("its lines are stored", async || {
        platform.cli(&["logs", "handler"]).await.1.contains("called").then_some(())
    })
    .await;

    look_around(platform, &planted, &mark).await;
    look_at_answers(platform, &planted, &record.id.to_string()).await;
    if platform.stack.runtime() == runtime::Kind::Docker {
        look_at_the_engine(platform, &planted, &image).await;
    }
    for name in ["server", "handler"] {
        platform.client.delete(&function(name)).await.unwrap();
    }
    eventually("no instance is left", async || (super::folders(platform) == 0).then_some(())).await;
    assert_eq!(planted.processes("environ"), Vec::<i32>::new());
    look_at_the_data(platform, &planted);
}

/// Sets it, and looks at what all roles of all hosts are told of that.
async fn set_and_hear_of_it(platform: &TestPlatform, planted: &Planted) {
    let queue = platform.queue().await;
    let mut events = queue.subscribe().await.unwrap();
    set(platform, "API_KEY", None, planted.value()).await;
    let event = events.next().await.unwrap();
    let (told, body) = event.parcel.open::<Event>().unwrap();
    assert!(matches!(told.change, Change::SecretChanged { .. }), "{told:?}");
    assert!(!planted.is_in(format!("{told:?}")) && !planted.is_in(&body), "{told:?}");
    drop(event.ack().await);
    queue.close().await;
}

/// Looks while an instance holds it: at processes and files.
async fn look_around(platform: &TestPlatform, planted: &Planted, mark: &str) {
    let holders = planted.processes("environ");
    assert!(!holders.is_empty(), "the search finds what is there");
    for holder in holders {
        let arguments = process::arguments(holder).unwrap_or_default();
        assert!(arguments.iter().any(|one| one == mark), "{holder} {arguments:?}");
    }
    assert_eq!(planted.processes("cmdline"), Vec::<i32>::new());
    look_at_the_data(platform, planted);
}

/// Looks at the data folder, and the database with all that belongs to it.
fn look_at_the_data(platform: &TestPlatform, planted: &Planted) {
    let nothing = Vec::<PathBuf>::new();
    assert_eq!(planted.files_below(&platform.platform.data_dir), nothing);
    match &platform.platform.store {
        store::Config::Sqlite { path } => {
            assert!(path.exists());
            // With its log.
            for entry in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
                let path = entry.path();
                assert!(!path.is_file() || !planted.is_in(fs::read(&path).unwrap()), "{path:?}");
            }
        }
        store::Config::Postgres { url } => {
            let url = url.expose();
            let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
            let tables = psql(url, tables);
            assert!(tables.lines().any(|table| table == "secrets"), "{tables}");
            for table in tables.lines().filter(|table| !table.is_empty()) {
                let rows = psql(url, &format!("SELECT row::text FROM \"{table}\" AS row"));
                assert!(!planted.is_in(&rows), "it is in the table {table}");
            }
        }
    }
}

/// Looks at what the API and the command line tell.
async fn look_at_answers(platform: &TestPlatform, planted: &Planted, invocation: &str) {
    for path in [
        "/v1/functions",
        "/v1/functions/handler",
        "/v1/functions/handler/revisions",
        "/v1/functions/handler/instances",
        "/v1/functions/handler/logs",
        "/v1/functions/handler/build-log",
        "/v1/invocations",
        &format!("/v1/invocations/{invocation}"),
        "/v1/secrets",
        "/v1/audit-log",
    ] {
        let answer = request(&platform.platform, Method::GET, path).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status != 401 && status != 403, "{path}: {text}");
        assert!(!planted.is_in(&text), "{path}: {text}");
    }
    let listed = request(&platform.platform, Method::GET, "/v1/secrets").send().await.unwrap();
    let listed = listed.text().await.unwrap();
    assert!(listed.contains("API_KEY"), "{listed}");
    for arguments in [
        &["show", "handler"][..],
        &["show", "handler", "--json"],
        &["list", "--json"],
        &["invocation", "show", invocation, "--json"],
        &["logs", "handler"],
        &["logs", "handler", "--build"],
    ] {
        let (_, stdout, stderr) = platform.cli(arguments).await;
        assert!(!planted.is_in(&stdout) && !planted.is_in(&stderr), "{arguments:?}: {stdout}{stderr}");
    }
}

/// Looks at containers and images.
async fn look_at_the_engine(platform: &TestPlatform, planted: &Planted, image: &str) {
    let containers = platform.containers().await;
    assert!(!containers.is_empty());
    let mut looks: Vec<Vec<&str>> =
        containers.iter().map(|container| vec!["inspect", container.as_str()]).collect();
    looks.push(vec!["image", "inspect", image]);
    looks.push(vec!["history", "--no-trunc", "--format", "{{json .}}", image]);
    for look in looks {
        let output = Command::new("docker").args(&look).output().unwrap();
        assert!(output.status.success(), "{look:?}: {output:?}");
        assert!(!planted.is_in(&output.stdout), "{look:?}");
    }
}

/// The most that roles can say, and what is left of a platform that has stopped.
#[tokio::test]
async fn no_role_logs_a_planted_value_whatever_it_is_asked_to_log() {
    let home = home!("embedded");
    let planted = Planted::new();
    let mut command = home.cloudfunc(&["up", "--embedded"]);
    command.env("CLOUDFUNC_LOG", "trace");
    for role in ["gateway", "registry", "scheduler", "manager"] {
        command.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let mut up = Process::start(command, home.home(), "up");
    up.says("cloudfunc is ready", SOON).await;
    let status = home.run(&["status", "--json"]).await.json();
    let roles = status["roles"].as_array().unwrap();
    let gateway = roles.iter().find(|role| role["role"] == "gateway").unwrap();
    let token = fs::read_to_string(home.data_dir().join("token")).unwrap();
    let url = format!("{}/v1/secrets/API_KEY", gateway["url"].as_str().unwrap().trim_end_matches('/'));
    let request = cloudfunc::http::client().unwrap().put(url).bearer_auth(token.trim());
    let answer = request.body(planted.value().to_owned()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    home.deploy("f", HANDLER, "secrets = [\"API_KEY\"]\n").await.ok();
    assert_eq!(home.run(&["invoke", "f"]).await.ok(), digest(planted.value()));
    home.run(&["down"]).await.ok();
    assert_eq!(up.ended(SOON).await, Some(0));
    let logs = fs::read_dir(home.data_dir().join("logs")).unwrap().flatten();
    let said: String = logs.map(|log| fs::read_to_string(log.path()).unwrap()).collect();
    assert!(said.contains("TRACE") && said.contains("executing"), "the roles say a lot");
    assert_eq!(planted.files_below(home.home()), Vec::<PathBuf>::new());
    home.leave().await;
}
