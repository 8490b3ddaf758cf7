//! Programs behind interfaces other than the runtime protocol, and what runs them without a platform.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::io::AsyncWriteExt as _;

use crate::{docker::Engine, load::PAYLOAD};

const UVICORN: &str = "uvicorn==0.54.0";
/// What a function needs to be a server of it.
pub const REQUIREMENTS: &str = "uvicorn==0.54.0\n";
/// A server that has not opened its port after this long is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application that does what the functions of other rows do.
pub const APP: &str = r#"
import json

async def app(scope, receive, send):
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    text = f"Hello {json.loads(body).get('name', 'World')}!".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
"#;

/// A program for AWS Lambda that does the same.
pub const BOOTSTRAP: &str = r#"
import json, os
from http.client import HTTPConnection

api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def ask(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.headers, answer.read()

while True:
    headers, event = ask("GET", "next")
    text = f"Hello {json.loads(event).get('name', 'World')}!"
    ask("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps(text))
"#;

/// The words that start the application.
pub fn uvicorn(host: &str, port: u16) -> Vec<String> {
    let port = port.to_string();
    let start = ["python3", "-m", "uvicorn", "--lifespan", "off", "--log-level", "warning"];
    let rest = ["--no-access-log", "--host", host, "--port", &port, "app:app"];
    start.into_iter().chain(rest).map(str::to_owned).collect()
}

/// The packages of the application, from the public index: as wheels, and installed.
pub struct Packages {
    wheels: PathBuf,
    installed: PathBuf,
}

impl Packages {
    /// None, with a note, where the index does not answer and they are not there from an earlier run.
    pub fn get(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let folder = fs::canonicalize(folder).unwrap();
        let (wheels, installed) = (folder.join("wheels"), folder.join("installed"));
        if !installed.join("uvicorn").exists() {
            fs::create_dir_all(&wheels).unwrap();
            let pip = |arguments: &[&str], folder: &Path| {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "--quiet"]).args(arguments).arg(folder).arg(UVICORN);
                pip.status().is_ok_and(|status| status.success())
            };
            let from = format!("--find-links={}", wheels.display());
            let is_there = pip(&["download", "--only-binary=:all:", "--dest"], &wheels)
                && pip(&["install", "--no-index", &from, "--target"], &installed);
            if !is_there {
                eprintln!("not measured: {UVICORN}, which the index of packages does not give");
                return None;
            }
        }
        Some(Self { wheels, installed })
    }

    /// Gives a platform the wheels.
    pub fn copy_to(&self, folder: &Path) {
        for wheel in fs::read_dir(&self.wheels).unwrap().flatten() {
            fs::copy(wheel.path(), folder.join(wheel.file_name())).unwrap();
        }
    }

    /// Starts the application as a process of this machine.
    pub async fn start(&self) -> Server {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.py"), APP).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let words = uvicorn("127.0.0.1", port);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(folder.path()).env("PYTHONPATH", &self.installed);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let server =
            Server { child, address: SocketAddr::from(([127, 0, 0, 1], port)), _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(server.address).await.is_err() {
            assert!(Instant::now() < deadline, "{words:?} does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// Starts it in a container.
    pub async fn start_in(&self, engine: &Engine, folder: &Path) -> SocketAddr {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("app.py"), APP).unwrap();
        let folder = fs::canonicalize(folder).unwrap();
        let volumes = [
            format!("--volume={}:/app:ro", folder.display()),
            format!("--volume={}:/packages:ro", self.installed.display()),
        ];
        let options = [&*volumes[0], &volumes[1], "--workdir=/app", "--env=PYTHONPATH=/packages"];
        let words = uvicorn("0.0.0.0", 8080);
        engine.server(&options, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
    }
}

/// A process that ends with this.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes of `cat`, one after the other: from the start of each until its output has been read and it has ended.
pub async fn processes(count: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let mut cat = tokio::process::Command::new("cat");
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = cat.stdin.take().unwrap();
        stdin.write_all(PAYLOAD).await.unwrap();
        drop(stdin);
        assert_eq!(cat.wait_with_output().await.unwrap().stdout, PAYLOAD);
        times.push(begun.elapsed());
    }
    times
}
