//! A host of the helper, frame by frame.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, chmod, mknodat, open};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream, unix::pipe},
    process::{Child, Command},
    time::timeout,
};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A helper that has said hello.
pub struct Host {
    pub folder: tempfile::TempDir,
    pub hello: Value,
    pub process: Child,
    pub control: UnixStream,
    stderr: pipe::Receiver,
    said: Vec<u8>,
    _stdout: pipe::Receiver,
}

impl Host {
    /// Starts one in an image of the platform's.
    pub async fn start() -> Self {
        Self::start_as(&["task"], |_, _| {}).await
    }

    pub async fn start_as(words: &[&str], change: impl FnOnce(&Path, &mut Command)) -> Self {
        cloudfunc::runtime::helper_program().expect("this build has the helper");
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let run = folder.path().join("run");
        for made in [&run, &folder.path().join("task")] {
            fs::create_dir(made).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let listener = UnixListener::bind(run.join("runtime.sock")).unwrap();
        fs::set_permissions(run.join("runtime.sock"), fs::Permissions::from_mode(0o666)).unwrap();
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| named_pipe(&run.join(name)));
        let mut command = Command::new(env!("CLOUDFUNC_HELPER"));
        command
            .env("CLOUDFUNC_RUN", &run)
            .env("CLOUDFUNC_TASK", folder.path().join("task"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        change(folder.path(), &mut command);
        let process = command.args(words).spawn().unwrap();
        let (control, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
        let said = Vec::new();
        let mut host =
            Self { folder, hello: Value::Null, process, control, stderr, said, _stdout: stdout };
        assert_eq!(host.next().await.0, json!({ "channel": "control" }));
        host.hello = host.next().await.0["hello"].take();
        host
    }

    /// Starts one and loads a function.
    pub async fn loaded(interface: Value, concurrency: u32, command: &[&str]) -> Self {
        let mut host = Self::start().await;
        let answer = host.load(interface, concurrency, command).await;
        assert!(answer["ready"].is_object(), "{answer}");
        host
    }

    /// Starts one with a shell that runs a text, once per invocation.
    pub async fn shell(concurrency: u32, text: &str) -> Self {
        Self::loaded(json!({ "kind": "command" }), concurrency, &["/bin/sh", "-c", text]).await
    }

    /// Puts a file into the folder of the code.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.folder.path().join("task").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub async fn load(&mut self, interface: Value, concurrency: u32, command: &[&str]) -> Value {
        let load = json!({ "load": {
            "revision": 7, "function": "report", "handler": "", "concurrency": concurrency,
            "interface": interface, "command": command,
            "env": { "GREETING": "hello" }, "secrets": { "API_KEY": "hunter2" },
        } });
        self.send(&load, b"").await;
        self.next().await.0
    }

    pub async fn invoke(&mut self, id: &str, payload: impl AsRef<[u8]>) -> (Value, Vec<u8>) {
        self.begin(id, 30_000, Value::Null, payload.as_ref()).await;
        self.next().await
    }

    pub async fn begin(&mut self, id: &str, remaining_ms: u64, http: Value, payload: &[u8]) {
        let mut invoke = json!({
            "id": id, "attempt": 2, "remaining_ms": remaining_ms,
            "headers": { "x-request": "r1" }, "content_type": "text/plain",
        });
        if http.is_object() {
            invoke["http"] = http;
        }
        self.send(&json!({ "invoke": invoke }), payload).await;
    }

    pub async fn send(&mut self, header: &Value, body: &[u8]) {
        let header = header.to_string();
        let lengths =
            [header.len(), body.len()].map(|length| u32::try_from(length).unwrap().to_be_bytes());
        let frame = [lengths.concat(), header.into_bytes(), body.to_vec()].concat();
        self.control.write_all(&frame).await.unwrap();
    }

    pub async fn next(&mut self) -> (Value, Vec<u8>) {
        timeout(LIMIT, async {
            let header = self.control.read_u32().await.unwrap() as usize;
            let body = self.control.read_u32().await.unwrap() as usize;
            let mut bytes = vec![0; header + body];
            self.control.read_exact(&mut bytes).await.unwrap();
            let body = bytes.split_off(header);
            (serde_json::from_slice(&bytes).unwrap(), body)
        })
        .await
        .expect("a message comes")
    }

    /// Waits for a text among what is written to the pipe of the standard error.
    pub async fn says(&mut self, text: &str) {
        let read = async {
            while !String::from_utf8_lossy(&self.said).contains(text) {
                self.stderr.read_buf(&mut self.said).await.unwrap();
            }
        };
        let found = timeout(LIMIT, read).await;
        assert!(found.is_ok(), "no {text:?} in {:?}", String::from_utf8_lossy(&self.said));
    }

    pub async fn exit(&mut self) -> ExitStatus {
        timeout(LIMIT, self.process.wait()).await.expect("the helper ends").unwrap()
    }
}

fn named_pipe(path: &Path) -> pipe::Receiver {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o622), 0).unwrap();
    chmod(path, Mode::from_raw_mode(0o622)).unwrap();
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    pipe::Receiver::from_owned_fd(open(path, flags, Mode::empty()).unwrap()).unwrap()
}

/// Returns type and message of an `error` or `load_error`.
pub fn error(answer: &Value) -> (&str, &str) {
    let error = answer.get("error").or_else(|| answer.get("load_error"));
    let error = error.unwrap_or_else(|| panic!("no error: {answer}"));
    (error["type"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// Returns a port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
