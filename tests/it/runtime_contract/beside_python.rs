//! Handlers in a sandbox beside the same ones in a plain Python program: both give the same values, errors and exits,
//! and write the same to each output in the same order.
//!
//! `tests/handlers/grammar.py` makes handlers, `tests/handlers/plain.py` is the plain program. A short run is among the
//! tests. A longer one, of any number of handlers and any seed:
//!
//! ```text
//! CLOUDFUNC_BESIDE_COUNT=200 CLOUDFUNC_BESIDE_SEED=1 cargo nextest run --run-ignored only beside_python
//! ```
//!
//! and one of a handler of your own, with the events that it is called with, and how many arguments it takes:
//!
//! ```text
//! CLOUDFUNC_BESIDE_FILE=function.py CLOUDFUNC_BESIDE_EVENTS='[1, {"a": 2}]' CLOUDFUNC_BESIDE_ARGUMENTS=1 \
//!     cargo nextest run --run-ignored only beside_python
//! ```

use std::{fmt::Write as _, os::unix::process::ExitStatusExt, process::Stdio};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use super::*;

/// Of the short run; both make for about ten seconds on two cores.
const COUNT: u32 = 24;
const SEED: u64 = 8;

/// At once.
const AT_ONCE: usize = 3;

#[derive(Deserialize)]
struct Variant {
    name: String,
    code: String,
    events: Vec<Value>,
    arguments: u8,
    /// Each call gets a process of its own: all are cold.
    fresh: bool,
}

/// How an import or a call ended, and what was written until then.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    ending: Ending,
    stdout: Vec<String>,
    stderr: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Value(String, Vec<u8>),
    /// Type and message.
    Error(String, String),
    Exit(i64),
}

impl Ending {
    fn error(kind: String, message: String) -> Self {
        // What is wrong with a result is said in words of our own.
        let message = if kind == "ResultNotSerializable" { String::new() } else { message };
        Self::Error(kind, message)
    }
}

/// A line of the plain program's report.
#[derive(Deserialize)]
struct Reported {
    value: Option<(String, String)>,
    error: Option<String>,
    message: Option<String>,
}

/// What the plain program writes to both outputs after each.
const MARK: &str = "\0told\0";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/handlers")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("CLOUDFUNC_BESIDE_{name}")).ok()
}

fn generated(count: u32, seed: u64) -> Vec<Variant> {
    let output = std::process::Command::new("python3")
        .arg(scripts().join("grammar.py"))
        .args([count.to_string(), seed.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Those that the environment asks for.
fn asked_for() -> Vec<Variant> {
    let number = |name: &str, usual: u64| variable(name).map_or(usual, |text| text.parse().unwrap());
    let Some(file) = variable("FILE") else {
        let count = u32::try_from(number("COUNT", 200)).unwrap();
        return generated(count, number("SEED", SEED));
    };
    vec![Variant {
        code: fs::read_to_string(&file).unwrap(),
        name: file,
        events: serde_json::from_str(&variable("EVENTS").unwrap_or("[{}]".to_owned())).unwrap(),
        arguments: u8::try_from(number("ARGUMENTS", 1)).unwrap(),
        fresh: false,
    }]
}

/// Paths as a sandbox sees them; they are in traces of threads.
fn lines(text: &str, folder: &Path) -> Vec<String> {
    text.replace(folder.to_str().unwrap(), "/var/task").lines().map(str::to_owned).collect()
}

/// The events of each process: all of what is left, or one.
fn next<'a>(variant: &Variant, left: &'a [Value]) -> &'a [Value] {
    if variant.fresh { &left[..left.len().min(1)] } else { left }
}

/// In a plain program; another one goes on with what is left when one ends.
async fn plain(fixture: &Fixture, variant: &Variant) -> Vec<Told> {
    let folder = fixture.folder.path().join(format!("plain-{}", InstanceId::new()));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("function.py"), &variant.code).unwrap();
    let mut told = Vec::new();
    let mut left = &variant.events[..];
    loop {
        let events = next(variant, left);
        let endings = run_plain(&folder, variant, events).await;
        // The first one is the import's.
        let called = endings.len() - 1;
        let loaded = matches!(&endings[0].ending, Ending::Value(..));
        told.extend(endings);
        left = &left[called..];
        if left.is_empty() || !loaded {
            return told;
        }
    }
}

async fn run_plain(folder: &Path, variant: &Variant, events: &[Value]) -> Vec<Told> {
    let report = folder.join("report");
    let _ = fs::remove_file(&report);
    let output = tokio::process::Command::new("python3")
        .args(["-I", "-B"])
        .arg(scripts().join("plain.py"))
        .arg(folder)
        .arg(serde_json::to_string(events).unwrap())
        .arg(&report)
        .arg(variant.arguments.to_string())
        .env("HOME", "/tmp")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let [out, err] =
        [output.stdout, output.stderr].map(|all| String::from_utf8_lossy(&all).into_owned());
    let (mut out, mut err) = (out.split(MARK), err.split(MARK));
    let mut part = |ending| {
        let piece = |all: &mut std::str::Split<&str>| lines(all.next().unwrap_or_default(), folder);
        Told { ending, stdout: piece(&mut out), stderr: piece(&mut err) }
    };
    let report = fs::read_to_string(&report).unwrap_or_default();
    let mut told: Vec<Told> = report
        .lines()
        .map(|line| {
            let reported: Reported = serde_json::from_str(line).unwrap();
            part(match reported.value {
                Some((kind, body)) => Ending::Value(kind, BASE64_STANDARD.decode(body).unwrap()),
                None => Ending::error(reported.error.unwrap(), reported.message.unwrap()),
            })
        })
        .collect();
    let is_whole = told.len() == events.len() + 1
        || matches!(told.first(), Some(Told { ending: Ending::Error(..), .. }));
    if !is_whole {
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
        told.push(part(Ending::Exit(code.into())));
    }
    told
}

/// In sandboxes.
async fn sandboxed(fixture: &Fixture, variant: &Variant) -> Vec<Told> {
    let mut told = Vec::new();
    let mut left = &variant.events[..];
    loop {
        let spec = fixture.spec(&variant.code);
        let task = match fixture.kind {
            Kind::Process => spec.folder.join("task"),
            _ => PathBuf::from("/var/task"),
        };
        let mut instance = fixture.start_spec(&spec).await;
        let ending = match instance.load().await {
            Ok(()) => Ending::Value("ready".to_owned(), Vec::new()),
            Err(LoadFailure::Function(error)) => Ending::error(error.kind, error.message),
            Err(LoadFailure::Guest(GuestError::Closed(_))) => exit(&instance).await,
            Err(other) => panic!("{}: {other:?}", variant.name),
        };
        let mut loaded = matches!(ending, Ending::Value(..));
        told.push(taken(&mut instance, ending, &task));
        for event in next(variant, left) {
            if !loaded {
                break;
            }
            let ending = match instance.invoke(&event.to_string()).await {
                Ok(Finished::Result(body)) => Ending::Value(body.content_type, body.bytes.to_vec()),
                Ok(Finished::Error(error)) => Ending::error(error.kind, error.message),
                Ok(response) => panic!("{}: {response:?}", variant.name),
                Err(GuestError::Closed(_)) => exit(&instance).await,
                Err(other) => panic!("{}: {other:?}", variant.name),
            };
            let is_over = matches!(ending, Ending::Exit(_));
            told.push(taken(&mut instance, ending, &task));
            left = &left[1..];
            if is_over {
                break;
            }
        }
        instance.sandbox.remove().await;
        fs::remove_dir_all(&spec.folder).unwrap();
        loaded &= !left.is_empty();
        if !loaded {
            return told;
        }
    }
}

async fn exit(instance: &Instance) -> Ending {
    match instance.exit().await {
        Exit::Code(code) => Ending::Exit(code),
        other => panic!("{other:?}"),
    }
}

fn taken(instance: &mut Instance, ending: Ending, task: &Path) -> Told {
    let mut told = Told { ending, stdout: Vec::new(), stderr: Vec::new() };
    for line in std::mem::take(&mut instance.lines) {
        let texts = if line.stream == Stream::Stdout { &mut told.stdout } else { &mut told.stderr };
        texts.push(line.text.replace(task.to_str().unwrap(), "/var/task"));
    }
    told
}

/// Runs them both ways; says how many calls were compared.
async fn compare(fixture: &Fixture, variants: Vec<Variant>) -> usize {
    let compared = stream::iter(&variants).map(|variant| async move {
        let (plain, sandboxed) = tokio::join!(plain(fixture, variant), sandboxed(fixture, variant));
        (variant, plain, sandboxed)
    });
    let compared: Vec<_> = compared.buffered(AT_ONCE).collect().await;
    let (mut calls, mut differences) = (0, String::new());
    for (variant, plain, sandboxed) in compared {
        calls += sandboxed.len();
        if plain != sandboxed {
            let at = plain.iter().zip(&sandboxed).position(|(plain, sandboxed)| plain != sandboxed);
            let at = at.unwrap_or(plain.len().min(sandboxed.len()));
            let _ = writeln!(
                differences,
                "{}, at {at}:\n  plain:   {:?}\n  sandbox: {:?}\n{}\n",
                variant.name,
                plain.get(at),
                sandboxed.get(at),
                variant.code
            );
        }
    }
    assert!(differences.is_empty(), "{differences}");
    calls
}

pub async fn handlers_do_what_they_do_in_plain_python(fixture: &Fixture) {
    assert!(compare(fixture, generated(COUNT, SEED)).await > COUNT as usize);
}

macro_rules! longer {
    ($backend:ident, $kind:expr) => {
        #[tokio::test]
        #[ignore = "takes minutes; the environment says what is run"]
        async fn $backend() {
            let fixture = Fixture::new($kind);
            let variants = asked_for();
            let count = variants.len();
            let calls = compare(&fixture, variants).await;
            eprintln!("{count} handlers, {calls} imports and calls: no difference");
            fixture.nothing_is_left().await;
        }
    };
}

longer!(longer_on_docker, Kind::Docker);
longer!(longer_on_oci, Kind::Oci);
longer!(longer_on_process, Kind::Process);
