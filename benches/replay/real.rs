//! The trace against a platform: each of its functions is deployed as one that sleeps (or spins) for as
//! long as it is told, every invocation is sent at its time, whatever became of those before, and the
//! platform's records say what came of it.

use std::time::Duration;

use anyhow::Context as _;
use cloudfunc::{
    app::{Host, Role},
    bundle,
    client::{Client, InvokeAnswer, Outcome},
    model::{Body, FunctionName, InstanceId, InvocationId, Language, PhaseName, Start},
    place::{Dirs, State},
    queue,
    runtime::Kind,
    settings::{Languages, OfLanguage, Settings, StorePlace},
    shutdown::Shutdown,
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    simulate::{Done, Setup},
    summary::median,
    trace::Trace,
};

/// Everything that the platform takes to be ready; longer is an error.
const READY: Duration = Duration::from_secs(30);
/// What a function may need besides the time that it is told, in its manifest's memory.
const LEAST_MEMORY_MIB: u64 = 32;

/// The phases of a record that only a cold invocation has.
const START: [PhaseName; 2] = [PhaseName::Start, PhaseName::Load];

/// What the functions of the trace do with their time.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    Sleep,
    Spin,
}

/// What the records say.
#[derive(Debug)]
pub struct Measured {
    /// As the calls of the trace.
    pub calls: Vec<Done>,
    /// What starting and loading took, in the middle, without waiting for it; none when none was cold.
    pub cold_start: Option<Duration>,
    /// What a warm one took beyond its run, in the middle.
    pub overhead: Option<Duration>,
    /// Why some were not run, each reason once.
    pub reasons: Vec<String>,
}

/// On a platform of its own, all roles in this process, which is gone afterwards.
pub async fn on_own_platform(
    trace: &Trace,
    setup: &Setup,
    runtime: Kind,
    work: Work,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let folder = tempfile::Builder::new().prefix("cfr").tempdir_in("/var/tmp")?;
    let mut languages = Languages::default();
    for (variable, of) in [
        ("CLOUDFUNC_PYTHON_IMAGE", OfLanguage::Image),
        ("CLOUDFUNC_PYTHON_VERSION", OfLanguage::Version),
    ] {
        if let Ok(value) = std::env::var(variable) {
            languages.set(Language::Python, of, &value);
        }
    }
    let settings = Settings {
        name: Some(format!("r{}", InstanceId::new().0.simple()).parse()?),
        data_dir: Some(folder.path().join("data")),
        store: Some(StorePlace::DataDir),
        queue: Some(queue::Config::Embedded),
        runtime: Some(runtime),
        languages,
        gateway_port: Some(0),
        registry_port: Some(0),
        scheduler_port: Some(0),
        manager_port: Some(0),
        queue_wait: Some(setup.queue_wait),
        max_starts: Some(setup.max_starts),
        memory_budget: Some(setup.memory_budget),
        // Virtual time knows no prewarmed instances.
        prewarm_budget: Some(0),
        keep_alive: Some(setup.policy),
        ..Settings::default()
    };
    let nowhere = Dirs { config: folder.path().to_owned(), state: folder.path().to_owned() };
    let mut platform = settings.platform(&nowhere)?;
    platform.program = env!("CARGO_BIN_EXE_cloudfunc").into();
    let host = Host::bind(&Role::ALL, &platform).await?;
    let url = format!("http://{}/", host.platform().addresses.gateway).parse()?;
    let client = Client::new(url, Some(State::open(&platform.data_dir)?.token()?))?;
    let shutdown = Shutdown::default();
    let roles = tokio::spawn(host.run(shutdown.clone()));
    let measured = async {
        unless(stop, ready(&client)).await?;
        on(&client, trace, setup, work, stop).await
    };
    let measured = measured.await;
    shutdown.soft.cancel();
    roles.await??;
    measured
}

/// The work; or, once it is to stop, an error that says so: what was made is removed as after any other.
async fn unless<T>(
    stop: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let done = stop.run_until_cancelled(work).await;
    done.unwrap_or_else(|| Err(anyhow::anyhow!("stopped by a signal")))
}

async fn ready(client: &Client) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY;
    while !client.health().await.is_ok_and(|health| health.ready) {
        anyhow::ensure!(Instant::now() < deadline, "the platform does not get ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// On one that runs already; the functions are deleted afterwards.
pub async fn on(
    client: &Client,
    trace: &Trace,
    setup: &Setup,
    work: Work,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    // Names of its own: somebody's function may be called as one of the trace is.
    let names: Vec<FunctionName> = (0..trace.functions.len())
        .map(|number| format!("replay_{number}").parse())
        .collect::<Result<_, _>>()?;
    let measured = async {
        for (name, function) in names.iter().zip(&trace.functions) {
            let archive = source(function.memory_mib, setup, work)?;
            let deployed = client.deploy(name, archive, |_| {}).await;
            deployed.with_context(|| format!("{} is not deployed", function.name))?;
        }
        let answers = send(client, trace, &names).await?;
        read(client, trace, answers).await
    };
    let measured = unless(stop, measured).await;
    for name in &names {
        let _ = client.delete(name).await;
    }
    measured
}

fn source(memory_mib: u64, setup: &Setup, work: Work) -> anyhow::Result<bytes::Bytes> {
    let run = match work {
        Work::Sleep => "time.sleep(event['seconds'])",
        Work::Spin => {
            "end = time.monotonic() + event['seconds']\n    while time.monotonic() < end: pass"
        }
    };
    let folder = tempfile::tempdir()?;
    let code = format!("import time\ndef handler(event):\n    {run}\n");
    std::fs::write(folder.path().join("function.py"), code)?;
    let manifest = format!(
        "timeout = '15m'\nmemory = '{}MiB'\n[scaling]\nidle_timeout = '{}ms'\nmax_instances = {}\n",
        memory_mib.max(LEAST_MEMORY_MIB),
        setup.idle_timeout.as_millis(),
        setup.max_instances
    );
    std::fs::write(folder.path().join("cloudfunc.toml"), manifest)?;
    Ok(bundle::pack(folder.path())?.bytes)
}

/// The id of each that was run, or why it was not.
type Answers = Vec<Result<InvocationId, String>>;

async fn send(client: &Client, trace: &Trace, names: &[FunctionName]) -> anyhow::Result<Answers> {
    let mut calls = JoinSet::new();
    let begun = Instant::now();
    for (index, call) in trace.calls.iter().enumerate() {
        tokio::time::sleep_until(begun + call.at).await;
        let (client, name) = (client.clone(), names[call.function].clone());
        let payload = format!("{{\"seconds\":{}}}", call.run.as_secs_f64());
        let payload = Body { content_type: "application/json".to_owned(), bytes: payload.into() };
        calls.spawn(async move { (index, client.invoke(&name, payload).await) });
    }
    let mut answers: Answers = vec![Err(String::new()); trace.calls.len()];
    while let Some(done) = calls.join_next().await {
        let (index, answer) = done?;
        answers[index] = match answer {
            Ok(InvokeAnswer { id, outcome: Outcome::Value(_), .. }) => Ok(id),
            Ok(InvokeAnswer { outcome: Outcome::Failed(problem), .. }) => Err(problem.detail),
            Err(error) => Err(error.to_string()),
        };
    }
    Ok(answers)
}

async fn read(client: &Client, trace: &Trace, answers: Answers) -> anyhow::Result<Measured> {
    let mut calls = Vec::with_capacity(answers.len());
    let mut starts = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for answer in answers {
        calls.push(match answer {
            Ok(id) => {
                let record = client.record(id, None).await?;
                let total = milliseconds(record.duration_ms.unwrap_or_default());
                if record.start == Some(Start::Cold) {
                    let of_start = record.phases.iter().filter(|phase| START.contains(&phase.name));
                    starts.push(milliseconds(of_start.map(|phase| phase.duration_ms).sum()));
                }
                Done { start: record.start, total }
            }
            Err(reason) => {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
                Done { start: None, total: Duration::ZERO }
            }
        });
    }
    let warm = trace.calls.iter().zip(&calls).filter(|(_, done)| done.start == Some(Start::Warm));
    let overhead = median(warm.map(|(call, done)| done.total.saturating_sub(call.run)).collect());
    Ok(Measured { cold_start: median(starts), overhead, calls, reasons })
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
}
