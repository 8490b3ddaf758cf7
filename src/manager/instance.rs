//! One instance from its start to its removal: one task, which owns the guest.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Shared, bundles,
    dispatch::Command,
    logs::Sink,
    pool::{Slot, WorkId},
    work::{Run, Work},
};
use crate::{
    http::chain,
    model::{
        Body, Code, FunctionError, InstanceId, InvocationId, Package, Phase, Revision, Start,
        message::Verdict,
    },
    runtime::{
        self, Exit, Finished, Guest, GuestError, Image, Invoke, Load, LoadFailure, Sandbox, Spec,
        Started,
    },
    store::ReportedInstance,
};

/// Of a payload, in bytes, in the debug log.
const SHOWN_PAYLOAD: usize = 1024;
/// A guest that hung up is given so long to be found dead by the engine, which knows why.
const EXIT_REASON_TIMEOUT: Duration = Duration::from_secs(3);

/// An instance that runs jobs. When all senders are gone it stops.
pub struct Live {
    pub jobs: mpsc::UnboundedSender<Job>,
    pub report: ReportedInstance,
}

pub struct Job {
    pub id: WorkId,
    pub work: Work,
    pub start: Start,
}

/// Why there is no instance.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The code cannot be loaded: the function's own doing.
    Load(FunctionError),
    /// It ended while it was loaded.
    Crashed(FunctionError),
    /// The platform could not make a sandbox.
    Platform(String),
}

impl Failure {
    pub fn unknown_revision() -> Self {
        Self::Platform("the revision is not known any more".to_owned())
    }

    /// What it means for the work that waited for this start.
    pub fn verdict(self, retry: Duration) -> Verdict {
        match self {
            Self::Load(error) => Verdict::Failed { error },
            Self::Crashed(error) => Verdict::Crashed { error },
            Self::Platform(reason) => Verdict::NotRun { reason, throttled: false, delay: retry },
        }
    }
}

/// The whole life of an instance. Tells the dispatcher `Started`, later `Ended` (if it ends while
/// idle) and at last `Gone`.
pub async fn live(
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    slot: Slot,
    revision: Arc<Revision>,
) {
    let id = InstanceId::new();
    let folder = shared.instances.join(id.to_string());
    tracing::info!(function = revision.name.as_str(), revision = revision.number.0, "cold start");
    let started = start(&shared, id, &folder, &revision).await;
    let mut instance = match started {
        Ok(instance) => instance,
        Err(failure) => {
            tracing::warn!(function = %revision.name, revision = %revision.number, ?failure, "start failed");
            remove_folder(&folder);
            let _ = commands.send(Command::Started { slot, result: Err(failure) });
            return;
        }
    };
    let (jobs, mut queue) = mpsc::unbounded_channel();
    let report = ReportedInstance {
        id,
        manager: shared.manager,
        function: revision.function,
        revision: revision.number,
        sandbox: instance.sandbox.id().to_owned(),
        started_at: Timestamp::now(),
    };
    let _ = commands.send(Command::Started { slot, result: Ok(Live { jobs, report }) });
    instance.serve(&commands, slot, &mut queue).await;
    instance.sandbox.remove().await;
    remove_folder(&folder);
    tracing::info!(
        function = revision.name.as_str(),
        container = instance.short_id(),
        "container removed"
    );
    let _ = commands.send(Command::Gone { slot });
}

struct Instance {
    shared: Arc<Shared>,
    id: InstanceId,
    revision: Arc<Revision>,
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    /// When its start began, when its sandbox was ready and when its code was loaded.
    begun: Instant,
    ready: Instant,
    loaded: Instant,
}

async fn start(
    shared: &Arc<Shared>,
    id: InstanceId,
    folder: &Path,
    revision: &Arc<Revision>,
) -> Result<Instance, Failure> {
    let begun = Instant::now();
    let platform = |error: &(dyn std::error::Error + 'static)| Failure::Platform(chain(error));
    let bundle = match &revision.bundle {
        Some(digest) => Some(shared.bundles.get(digest).await.map_err(|error| platform(&error))?),
        None => None,
    };
    let image = image_of(revision, bundle.as_deref());
    let mounted = match &revision.spec.code {
        Code::Language { package: Package::Bundle, .. } => bundle,
        Code::Language { .. } | Code::Image { .. } => None,
    };
    let own_folder = folder.to_owned();
    // Up to 20,000 links.
    let made = move || make_folder(&own_folder, &own_folder.join("task"), mounted.as_deref());
    let made = tokio::task::spawn_blocking(made).await.expect("linking does not panic");
    made.map_err(|error| platform(&error))?;
    let spec = Spec {
        instance: id,
        function: revision.name.to_string(),
        image,
        folder: folder.to_owned(),
        memory_bytes: revision.spec.memory_bytes,
        cpus: revision.spec.cpus,
        network: revision.spec.network,
    };
    let started = match (shared.runtime.start(&spec).await, &revision.spec.code) {
        // Another host than the one that resolved the name; an image of the same name has to do.
        (Err(runtime::Error::NoImage { .. }), Code::Image { image }) => {
            let image = Image::Own { reference: image.clone() };
            shared.runtime.start(&Spec { image, ..spec }).await
        }
        (started, _) => started,
    };
    let Started { sandbox, guest } = started.map_err(|error| match &error {
        runtime::Error::Start { output, .. } if !output.is_empty() => {
            Failure::Platform(format!("{}; it wrote: {}", chain(&error), output.trim_end()))
        }
        _ => platform(&error),
    })?;
    let ready = Instant::now();
    let mut instance = Instance {
        shared: shared.clone(),
        id,
        revision: revision.clone(),
        sandbox,
        guest,
        begun,
        ready,
        loaded: ready,
    };
    tracing::info!(
        function = revision.name.as_str(),
        container = instance.short_id(),
        "container started"
    );
    if let Err(failure) = instance.load().await {
        instance.sandbox.remove().await;
        return Err(failure);
    }
    instance.loaded = Instant::now();
    Ok(instance)
}

/// The image of a revision; `bundle` is the unpacked folder, from which a function's own image is
/// rebuilt on a host that does not have it.
pub fn image_of(revision: &Revision, bundle: Option<&Path>) -> Image {
    match (&revision.spec.code, bundle) {
        (Code::Language { language, version, package: Package::Image }, Some(bundle)) => {
            Image::Function {
                language: *language,
                version: version.clone(),
                tag: function_tag(revision.name.as_str(), &revision.source),
                bundle: bundle.to_owned(),
            }
        }
        (Code::Language { language, version, .. }, _) => {
            Image::Language { language: *language, version: version.clone() }
        }
        // By the id that the name stood for when it was deployed: a revision does not change.
        (Code::Image { image }, _) => {
            let reference = if revision.image.is_empty() { image } else { &revision.image };
            Image::Own { reference: reference.clone() }
        }
    }
}

/// `cloudfunc/<name>:<digest>`: the image of a function with `package = "image"`.
pub fn function_tag(name: &str, source: &crate::model::Digest) -> String {
    format!("cloudfunc/{name}:{}", source.short())
}

fn make_folder(folder: &Path, task: &Path, bundle: Option<&Path>) -> Result<(), bundles::Error> {
    let io = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| bundles::Error::Io { path, source }
    };
    // The folder itself is closed to others; the sandbox gets what is inside by mounts.
    fs::DirBuilder::new().mode(0o700).create(folder).map_err(io(folder))?;
    fs::DirBuilder::new().mode(0o755).create(task).map_err(io(task))?;
    match bundle {
        Some(bundle) => bundles::link_tree(bundle, task),
        None => Ok(()),
    }
}

fn remove_folder(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "instance folder not removed");
    }
}

impl Instance {
    /// As people know a container: its first 12 digits.
    fn short_id(&self) -> String {
        self.sandbox.id().chars().take(12).collect()
    }

    async fn load(&mut self) -> Result<(), Failure> {
        let spec = &self.revision.spec;
        let load = Load {
            revision: self.revision.number,
            function: self.revision.name.to_string(),
            handler: spec.handler.clone(),
            env: spec.env.clone(),
            secrets: std::collections::BTreeMap::new(),
        };
        let mut sink = Sink::new(&self.shared, &self.revision, self.id, None);
        match self.guest.load(&load, self.shared.limits.load_timeout, &mut |line| sink.write(line)).await
        {
            Ok(()) => Ok(()),
            Err(LoadFailure::Function(error)) => Err(Failure::Load(error)),
            Err(LoadFailure::Guest(GuestError::TimedOut(limit))) => {
                let limit = crate::config::units::show_duration(limit);
                let message = format!("the function's code did not load within {limit}");
                Err(Failure::Load(failure("load", message)))
            }
            Err(LoadFailure::Guest(_)) if self.shared.given_up.is_cancelled() => {
                Err(Failure::Platform("the manager stopped".to_owned()))
            }
            Err(LoadFailure::Guest(error)) => {
                let mut error = self.crash(error).await;
                error.message.push_str(" while its code was loaded");
                Err(Failure::Crashed(error))
            }
        }
    }

    /// Runs jobs until there are no more or the guest is of no use.
    async fn serve(
        &mut self,
        commands: &mpsc::UnboundedSender<Command>,
        slot: Slot,
        jobs: &mut mpsc::UnboundedReceiver<Job>,
    ) {
        loop {
            let mut sink = Sink::new(&self.shared, &self.revision, self.id, None);
            let mut between = |line| sink.write(line);
            let job = tokio::select! {
                biased;
                job = jobs.recv() => job,
                error = self.guest.idle(&mut between) => {
                    tracing::warn!(function = %self.revision.name, container = self.short_id(), %error, "instance ended while idle");
                    let _ = commands.send(Command::Ended { slot });
                    // What was handed over in this moment has not begun.
                    while let Some(job) = jobs.recv().await {
                        let _ = commands.send(Command::Finished { slot, work: job.id, usable: false });
                        let reason = "the instance ended before it began".to_owned();
                        let verdict = Verdict::NotRun { reason, throttled: false, delay: Duration::ZERO };
                        job.work.settle(&self.shared, Run::without_instance(verdict)).await;
                    }
                    return;
                }
            };
            let Some(Job { id, mut work, start }) = job else { return };
            let given_up = self.shared.given_up.clone();
            let ran = tokio::select! {
                biased;
                // Its sandbox is about to be removed, which must not look like a crash.
                () = given_up.cancelled() => return work.abandon(&self.shared).await,
                ran = self.run(&mut work, start) => ran,
            };
            let (run, usable) = ran;
            // Before the answer: whoever has it and comes back at once finds this instance idle.
            let _ = commands.send(Command::Finished { slot, work: id, usable });
            work.settle(&self.shared, run).await;
            if !usable {
                return;
            }
        }
    }

    async fn run(&mut self, work: &mut Work, start: Start) -> (Run, bool) {
        let revision = self.revision.clone();
        let limit = revision.spec.timeout;
        let function = revision.name.as_str();
        tracing::info!(function, invocation = %work.invoke.id, attempt = work.attempt, payload_bytes = work.payload.len(), start = start.as_str(), "executing");
        let shown = &work.payload[..work.payload.len().min(SHOWN_PAYLOAD)];
        tracing::debug!(invocation = %work.invoke.id, payload = %String::from_utf8_lossy(shown), "payload");
        let invoke = Invoke {
            id: work.invoke.id,
            attempt: work.attempt,
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: std::mem::take(&mut work.invoke.headers),
            content_type: std::mem::take(&mut work.invoke.content_type),
        };
        let begun = Instant::now();
        let mut sink = Sink::new(&self.shared, &revision, self.id, Some((work.invoke.id, work.attempt)));
        let answer =
            self.guest.invoke(&invoke, &work.payload, limit, &mut |line| sink.write(line)).await;
        let lines = sink.lines;
        let (verdict, result, usable) = match answer {
            Ok(Finished::Result(body)) => (Verdict::Succeeded, Some(body), true),
            Ok(Finished::Error(error)) => (Verdict::Failed { error }, None, true),
            Err(GuestError::TimedOut(limit)) => {
                let limit = crate::config::units::show_duration(limit);
                let message =
                    format!("the function did not answer within its timeout of {limit} and was stopped");
                (Verdict::TimedOut { error: failure("timeout", message) }, None, false)
            }
            Err(error) => (Verdict::Crashed { error: self.crash(error).await }, None, false),
        };
        let ended = Instant::now();
        self.tell_story(function, work.invoke.id, &verdict, result.as_ref(), lines, ended - begun);
        let mut phases = Vec::with_capacity(3);
        if start == Start::Cold {
            phases.push(phase("start", work.taken, self.begun, self.ready));
            phases.push(phase("load", work.taken, self.ready, self.loaded));
        }
        phases.push(phase("run", work.taken, begun, ended));
        (Run { verdict, result, instance: Some(self.id), start: Some(start), phases }, usable)
    }

    fn tell_story(
        &self,
        function: &str,
        invocation: InvocationId,
        verdict: &Verdict,
        result: Option<&Body>,
        lines: u64,
        duration: Duration,
    ) {
        // To a microsecond: more would be noise.
        let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
        if let Some(body) = result {
            tracing::info!(function, lines, result_bytes = body.bytes.len(), "function output");
        }
        match verdict.error() {
            None => tracing::info!(function, %invocation, duration_ms, "successfully invoked"),
            Some(error) => {
                tracing::info!(function, %invocation, duration_ms, error = error.kind, "invocation failed");
            }
        }
    }

    /// Why the guest is lost when it was not us: the engine's word for it.
    async fn crash(&mut self, error: GuestError) -> FunctionError {
        if let GuestError::Violation(what) = error {
            return failure("protocol", format!("the function broke the runtime protocol: {what}"));
        }
        let exit = tokio::time::timeout(EXIT_REASON_TIMEOUT, self.sandbox.exited()).await;
        match exit.unwrap_or(Exit::Unknown) {
            Exit::OutOfMemory => {
                let limit = crate::config::units::show_bytes(self.revision.spec.memory_bytes);
                let message = format!("the function used more than its memory limit of {limit}");
                failure("out_of_memory", message)
            }
            Exit::Code(code) => {
                failure("exit", format!("the function's process exited with code {code}"))
            }
            Exit::Removed => failure("exit", "the function's container was removed".to_owned()),
            Exit::Unknown => failure("exit", "the function's process ended".to_owned()),
        }
    }
}

fn failure(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message, trace: None }
}

/// A stretch of time in milliseconds since the work was taken; a start that began for another work
/// before this one came counts from then.
fn phase(name: &str, zero: Instant, from: Instant, to: Instant) -> Phase {
    let from = from.max(zero);
    let to = to.max(from);
    Phase {
        name: name.to_owned(),
        start_ms: (from - zero).as_secs_f64() * 1000.0,
        duration_ms: (to - from).as_secs_f64() * 1000.0,
    }
}
