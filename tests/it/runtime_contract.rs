//! What every runtime promises, asked of every backend.
//!
//! A property is one function that takes a [`Fixture`]; the macro at the end makes a test of it per
//! backend. Each test is an owner of its own and ends by asserting that nothing of it is left.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloudfunc::{
    model::{
        FunctionError, InstanceId, InvocationId, Language, ManagerId, Network, RevisionNumber, Stream,
    },
    runtime::{
        Config, Error, Exit, Finished, Guest, GuestError, Image, Invoke, Kind, Line, Load, LoadFailure,
        Owner, Runtime, Sandbox, Spec, connect,
    },
};

use crate::{need, support::eventually};

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

const MIB: u64 = 1024 * 1024;

/// One backend with an owner and a folder of its own.
struct Fixture {
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(kind: Kind) -> Self {
        // The short folder: a socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let owner = owner();
        Self { runtime: connect(&config(kind, &owner)).unwrap(), owner, folder }
    }

    /// A spec with the code in place.
    fn spec(&self, code: &str) -> Spec {
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        fs::create_dir_all(folder.join("task")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join("task/function.py"), code).unwrap();
        Spec {
            instance,
            function: "contract".to_owned(),
            image: Image::Language { language: Language::Python, version: "3.11".to_owned() },
            folder,
            memory_bytes: 128 * MIB,
            cpus: 1.0,
            network: Network::None,
        }
    }

    async fn start(&self, code: &str) -> Instance {
        self.start_spec(&self.spec(code)).await
    }

    async fn start_spec(&self, spec: &Spec) -> Instance {
        let started = self.runtime.start(spec).await.unwrap_or_else(|error| panic!("{error:?}"));
        Instance { sandbox: started.sandbox, guest: started.guest, lines: Vec::new() }
    }

    /// Started and loaded.
    async fn ready(&self, code: &str) -> Instance {
        let mut instance = self.start(code).await;
        instance.load().await.unwrap_or_else(|failure| panic!("{failure:?}"));
        instance
    }

    async fn nothing_is_left(&self) {
        assert_eq!(self.runtime.remove_all(&self.owner).await.unwrap(), Vec::<String>::new());
    }
}

fn owner() -> Owner {
    Owner { platform: "contract".parse().unwrap(), manager: ManagerId::new() }
}

fn config(kind: Kind, owner: &Owner) -> Config {
    let python_image =
        std::env::var("CLOUDFUNC_PYTHON_IMAGE").unwrap_or("python:{version}-slim".to_owned());
    Config { kind, python_image, owner: owner.clone() }
}

/// A sandbox, its guest, and what it wrote since it was last asked.
struct Instance {
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    lines: Vec<Line>,
}

impl Instance {
    async fn load(&mut self) -> Result<(), LoadFailure> {
        let load = Load {
            revision: RevisionNumber(7),
            function: "contract".to_owned(),
            handler: "function.handler".to_owned(),
            env: BTreeMap::from([("GREETING".to_owned(), "Hello".to_owned())]),
            secrets: BTreeMap::from([("API_KEY".to_owned(), "hunter2".to_owned())]),
        };
        let lines = &mut self.lines;
        self.guest.load(&load, LIMIT, &mut |line| lines.push(line)).await
    }

    async fn invoke_as(&mut self, content_type: &str, payload: &[u8]) -> Result<Finished, GuestError> {
        self.invoke_within(LIMIT, content_type, payload).await
    }

    async fn invoke_within(
        &mut self,
        limit: Duration,
        content_type: &str,
        payload: &[u8],
    ) -> Result<Finished, GuestError> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 2,
            remaining_ms: 30_000,
            headers: BTreeMap::from([("x-request".to_owned(), "r1".to_owned())]),
            content_type: content_type.to_owned(),
        };
        self.lines.clear();
        let lines = &mut self.lines;
        let payload = Bytes::copy_from_slice(payload);
        self.guest.invoke(&invoke, &payload, limit, &mut |line| lines.push(line)).await
    }

    async fn invoke(&mut self, json: &str) -> Result<Finished, GuestError> {
        self.invoke_as("application/json", json.as_bytes()).await
    }

    /// The result as text.
    async fn result(&mut self, json: &str) -> String {
        text(self.invoke(json).await.unwrap())
    }

    async fn error(&mut self, json: &str) -> FunctionError {
        match self.invoke(json).await.unwrap() {
            Finished::Error(error) => error,
            Finished::Result(body) => panic!("a result: {body:?}"),
        }
    }

    /// Waits between invocations until this line comes.
    async fn idle_until(&mut self, text: &str) {
        let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let wait = async { while seen.recv().await.unwrap() != text {} };
        let mut output = |line: Line| sender.send(line.text).unwrap();
        tokio::select! {
            error = self.guest.idle(&mut output) => panic!("{error}"),
            done = tokio::time::timeout(LIMIT, wait) => done.unwrap(),
        }
    }

    fn output(&self) -> Vec<(Stream, &str)> {
        self.lines.iter().map(|line| (line.stream, line.text.as_str())).collect()
    }

    async fn exit(&self) -> Exit {
        tokio::time::timeout(LIMIT, self.sandbox.exited()).await.unwrap()
    }
}

fn text(finished: Finished) -> String {
    match finished {
        Finished::Result(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
        Finished::Error(error) => panic!("{error:?}"),
    }
}

fn typed(finished: Finished) -> (String, Bytes) {
    match finished {
        Finished::Result(body) => (body.content_type, body.bytes),
        Finished::Error(error) => panic!("{error:?}"),
    }
}

const ECHO: &str = "def handler(event):\n    return event\n";

// ---- load and invoke

async fn a_guest_says_hello_loads_and_answers(fixture: &Fixture) {
    let mut instance = fixture.ready("def handler(event):\n    return {'sum': sum(event)}\n").await;
    let (content_type, bytes) = typed(instance.invoke("[1, 2, 3]").await.unwrap());
    assert_eq!((content_type.as_str(), &bytes[..]), ("application/json", &br#"{"sum":6}"#[..]));
    assert!(!fixture.runtime.ping().await.unwrap().is_empty());
    instance.sandbox.remove().await;
    assert_eq!(instance.exit().await, Exit::Removed);
}

macro_rules! contract {
    ($($property:ident)*) => {
        mod process {
            $(#[tokio::test]
            async fn $property() {
                let fixture = super::Fixture::new(super::Kind::Process);
                super::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
        mod docker {
            $(#[tokio::test]
            async fn $property() {
                super::need!("CLOUDFUNC_TEST_DOCKER");
                let fixture = super::Fixture::new(super::Kind::Docker);
                super::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
    };
}

contract! {
    a_guest_says_hello_loads_and_answers
}
