//! One instance from its start to its removal: one task, which owns the guest.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Shared,
    advice::advised,
    bundles::{self, Unpacked},
    dispatch::Command,
    logs::{LAST_OUTPUT, LoadOutput, Sink},
    pool::{Slot, WorkId},
    work::{Run, Work},
};
use crate::{
    error_chain::{chain, chain_of_disk},
    manifest::environment,
    model::{
        Body, Code, FunctionError, FunctionSpec, InstanceId, InvocationId, Package, Phase, Revision,
        Start, message::Verdict,
    },
    runtime::{
        self, Exit, Finished, Guest, GuestError, Image, Invoke, Load, LoadFailure, Sandbox, Spec,
        Started,
    },
    store::ReportedInstance,
};

/// Limit of a payload, in bytes, in the debug log.
const SHOWN_PAYLOAD: usize = 1024;
/// A guest that hung up is given so long to be found dead by the engine, which knows why.
const EXIT_REASON_TIMEOUT: Duration = Duration::from_secs(3);
/// What was written while the code was loaded waits so long for the invocation that it belongs to: there is one at
/// once, or the instance idles.
const OUTPUT_WAITS: Duration = Duration::from_secs(1);

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
    /// A sandbox of an image of the user's own did not get ready.
    Image(String),
    /// A prewarmed guest was dead before it read what to load: no code has run, and another start will do.
    Unreached,
}

impl Failure {
    pub fn unknown_revision() -> Self {
        Self::Platform("the revision is not known any more".to_owned())
    }

    fn log(&self, revision: &Revision) {
        let (kind, message) = match self {
            Self::Load(error) | Self::Crashed(error) => (error.kind.as_str(), error.message.as_str()),
            Self::Platform(reason) => ("platform", reason.as_str()),
            Self::Image(reason) => ("image", reason.as_str()),
            Self::Unreached => ("platform", "the instance ended"),
        };
        tracing::warn!(function = %revision.name, revision = %revision.number, kind, message, "start failed");
    }

    /// What it means for the work that waited for this start.
    pub fn verdict(self, retry: Duration) -> Verdict {
        match self {
            Self::Load(error) => Verdict::Failed { error },
            Self::Crashed(error) => Verdict::Crashed { error },
            Self::Platform(reason) | Self::Image(reason) => {
                Verdict::NotRun { reason, throttled: false, delay: retry }
            }
            Self::Unreached => Self::Platform("the instance ended".to_owned()).verdict(retry),
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
    match start(&shared, id, &folder, &revision).await {
        Ok(instance) => instance.live(&commands, slot, &folder).await,
        Err(failure) => {
            failure.log(&revision);
            remove_folder(&folder);
            let _ = commands.send(Command::Started { slot, result: Err(failure) });
        }
    }
}

pub(super) struct Instance {
    shared: Arc<Shared>,
    id: InstanceId,
    revision: Arc<Revision>,
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    /// Its sandbox was there before it was this revision's.
    prewarmed: bool,
    /// When its start began, when its sandbox was ready and when its code was loaded.
    begun: Instant,
    ready: Instant,
    loaded: Instant,
    /// Output of the load, until it is known whose it is.
    load_output: LoadOutput,
}

/// A sandbox with the revision's code in it, not loaded yet.
pub(super) async fn start(
    shared: &Arc<Shared>,
    id: InstanceId,
    folder: &Path,
    revision: &Arc<Revision>,
) -> Result<Instance, Failure> {
    let begun = Instant::now();
    let platform = |error: &(dyn std::error::Error + 'static)| Failure::Platform(chain_of_disk(error));
    make_folder(folder).map_err(|error| platform(&error))?;
    let bundle = fill(shared, folder, revision).await?;
    let image = image_of(revision, bundle.as_ref().map(|bundle| bundle.folder()));
    let spec = Spec {
        instance: id,
        function: revision.name.to_string(),
        image,
        folder: folder.to_owned(),
        memory_bytes: revision.spec.memory_bytes,
        cpus: revision.spec.cpus,
        network: revision.spec.network,
        env: environment::of_start(&revision.spec),
    };
    let started = match (shared.runtime.start(&spec).await, &revision.spec.code) {
        // Another host than the one that resolved the name; an image of the same name has to do.
        (Err(runtime::Error::NoImage { .. }), Code::Image { image }) => {
            let image = Image::Own { reference: image.clone() };
            shared.runtime.start(&Spec { image, ..spec }).await
        }
        (started, _) => started,
    };
    let Started { sandbox, guest } = started.map_err(|error| not_started(&error, &revision.spec))?;
    let ready = Instant::now();
    Ok(Instance {
        shared: shared.clone(),
        id,
        revision: revision.clone(),
        sandbox,
        guest,
        prewarmed: false,
        begun,
        ready,
        loaded: ready,
        load_output: LoadOutput::default(),
    })
}

fn not_started(error: &runtime::Error, spec: &FunctionSpec) -> Failure {
    let runtime::Error::Start { output, code, .. } = error else {
        return Failure::Platform(chain(error));
    };
    let mut reason = chain(error);
    if !output.is_empty() {
        reason.push_str(&format!("; it wrote: {}", output.trim_end()));
    }
    match spec.code {
        Code::Image { .. } => Failure::Image(reason),
        Code::Language { .. }
            if code.is_some_and(|code| ended_itself(code, output))
                && !environment::of_start(spec).is_empty() =>
        {
            let message = format!("{reason} (it was started with variables of [env])");
            Failure::Crashed(failure("start", message))
        }
        Code::Language { .. } => Failure::Platform(reason),
    }
}

/// Whether a process that exited with this code did so of its own accord, so that its variables may be why. SIGKILL
/// and SIGTERM come from outside; an engine gives 126 to 128 to a process that it could not run, which wrote nothing.
fn ended_itself(code: i64, output: &str) -> bool {
    match code {
        137 | 143 => false,
        126..=128 => !output.is_empty(),
        _ => true,
    }
}

/// Puts the revision's code into an instance's folder, unless its image has it; answers the bundle.
async fn fill(
    shared: &Shared,
    folder: &Path,
    revision: &Revision,
) -> Result<Option<Arc<Unpacked>>, Failure> {
    let platform = |error: bundles::Error| Failure::Platform(chain_of_disk(&error));
    let Some(digest) = &revision.bundle else { return Ok(None) };
    let bundle = shared.bundles.get(digest).await.map_err(platform)?;
    if let Code::Language { package: Package::Bundle, .. } = &revision.spec.code {
        bundle.fill(&folder.join(TASK)).await.map_err(platform)?;
    }
    Ok(Some(bundle))
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

/// Of an instance's folder, what a sandbox sees as `/var/task`.
const TASK: &str = "task";

/// An instance's folder, without code. It is closed to others; the sandbox gets what is inside by mounts.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    fs::DirBuilder::new().mode(0o755).create(folder.join(TASK))
}

pub(super) fn remove_folder(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "instance folder not removed");
    }
}

impl Instance {
    /// One that has waited for a revision, and now, at `begun`, has one.
    pub(super) fn prewarmed(
        shared: &Arc<Shared>,
        id: InstanceId,
        revision: Arc<Revision>,
        sandbox: Arc<dyn Sandbox>,
        guest: Guest,
    ) -> Self {
        let begun = Instant::now();
        let (shared, prewarmed) = (shared.clone(), true);
        let (ready, loaded) = (begun, begun);
        let load_output = LoadOutput::default();
        Self { shared, id, revision, sandbox, guest, prewarmed, begun, ready, loaded, load_output }
    }

    /// From its sandbox to its removal; see [`live`].
    pub(super) async fn live(
        mut self,
        commands: &mpsc::UnboundedSender<Command>,
        slot: Slot,
        folder: &Path,
    ) {
        let (function, revision) = (self.revision.name.clone(), self.revision.number);
        let function = function.as_str();
        let container = self.short_id();
        tracing::info!(function, container, prewarmed = self.prewarmed, "container started");
        if let Err(failure) = self.load(folder).await {
            return self.not_loaded(failure, commands, slot, folder).await;
        }
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let report = ReportedInstance {
            id: self.id,
            manager: self.shared.manager,
            function: self.revision.function,
            revision,
            sandbox: self.sandbox.id().to_owned(),
            started_at: Timestamp::now(),
        };
        let _ = commands.send(Command::Started { slot, result: Ok(Live { jobs, report }) });
        self.serve(commands, slot, &mut queue).await;
        self.sandbox.remove().await;
        remove_folder(folder);
        tracing::info!(function, container, "container removed");
        let _ = commands.send(Command::Gone { slot });
    }

    async fn not_loaded(
        self,
        failure: Failure,
        commands: &mpsc::UnboundedSender<Command>,
        slot: Slot,
        folder: &Path,
    ) {
        let function = self.revision.name.as_str();
        if let Failure::Unreached = failure {
            // At once: somebody waits for the start that takes its place.
            tracing::info!(function, container = self.short_id(), "the prewarmed instance was dead");
            let _ = commands.send(Command::Ended { slot });
            self.sandbox.remove().await;
            remove_folder(folder);
            let _ = commands.send(Command::Gone { slot });
            return;
        }
        failure.log(&self.revision);
        self.sandbox.remove().await;
        remove_folder(folder);
        let _ = commands.send(Command::LoadOutput { slot, instance: self.id, output: self.load_output });
        let _ = commands.send(Command::Started { slot, result: Err(failure) });
    }

    /// As people know a container: its first 12 digits.
    fn short_id(&self) -> String {
        self.sandbox.id().chars().take(12).collect()
    }

    pub(super) fn load_output(&self) -> &LoadOutput {
        &self.load_output
    }

    pub(super) async fn remove(self, folder: &Path) {
        self.sandbox.remove().await;
        remove_folder(folder);
    }

    /// Has the guest load the code; that of a prewarmed one is put into its folder first. What the code writes
    /// is kept in its load output.
    pub(super) async fn load(&mut self, folder: &Path) -> Result<(), Failure> {
        if self.prewarmed {
            fill(&self.shared, folder, &self.revision).await?;
            self.ready = Instant::now();
        }
        let spec = &self.revision.spec;
        let load = Load {
            revision: self.revision.number,
            function: self.revision.name.to_string(),
            handler: spec.handler.clone(),
            env: spec.env.clone(),
            secrets: std::collections::BTreeMap::new(),
        };
        let Self { guest, load_output, .. } = self;
        match guest.load(&load, spec.load_limit(), &mut |line| load_output.push(line)).await {
            Ok(()) => {
                self.loaded = Instant::now();
                Ok(())
            }
            Err(LoadFailure::Function(error)) => Err(Failure::Load(advised(error, &self.revision.spec))),
            Err(LoadFailure::Guest(GuestError::TimedOut(limit))) => {
                let limit = crate::units::show_duration(limit);
                let message =
                    format!("the function's code did not load within its load_timeout of {limit}");
                Err(Failure::Load(failure("load", message)))
            }
            Err(LoadFailure::Guest(_)) if self.shared.given_up.is_cancelled() => {
                Err(Failure::Platform("the manager stopped".to_owned()))
            }
            // The kernel says so of a peer that has gone without reading; one that has read just hangs up.
            Err(LoadFailure::Guest(GuestError::Closed(Some(_)))) if self.prewarmed => {
                Err(Failure::Unreached)
            }
            Err(LoadFailure::Guest(error)) => {
                let mut error = self.crash(error).await;
                error.message.push_str(" while its code was loaded");
                if let Some(tail) = self.load_output.tail() {
                    let _ = write!(error.message, "{LAST_OUTPUT}{tail}");
                }
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
            let is_held = !self.load_output.is_empty();
            let mut between = |line| sink.write(line);
            let job = tokio::select! {
                biased;
                job = jobs.recv() => job,
                () = pause(is_held) => {
                    self.write_load_output(None);
                    continue;
                }
                error = self.guest.idle(&mut between) => {
                    tracing::warn!(function = %self.revision.name, container = self.short_id(), %error, "instance ended while idle");
                    self.write_load_output(None);
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
            let Some(Job { id, mut work, start }) = job else {
                self.write_load_output(None);
                return;
            };
            // A cold start's invocation is the one that waited.
            let waited = (start == Start::Cold).then_some((work.invoke.id, work.attempt));
            let load_lines = if is_held { self.write_load_output(waited) } else { 0 };
            let given_up = self.shared.given_up.clone();
            let ran = tokio::select! {
                biased;
                // Its sandbox is about to be removed, which must not look like a crash.
                () = given_up.cancelled() => return work.abandon(&self.shared).await,
                ran = self.run(&mut work, start) => ran,
            };
            let (mut run, usable) = ran;
            run.lines += if waited.is_some() { load_lines } else { 0 };
            // Before the answer: whoever has it and comes back at once finds this instance idle.
            let _ = commands.send(Command::Finished { slot, work: id, usable });
            work.settle(&self.shared, run).await;
            if !usable {
                return;
            }
        }
    }

    /// Writes the output of the load, as that invocation's, or as the instance's own.
    fn write_load_output(&mut self, invocation: Option<(InvocationId, u32)>) -> u64 {
        let output = std::mem::take(&mut self.load_output);
        output.write(Sink::new(&self.shared, &self.revision, self.id, invocation))
    }

    async fn run(&mut self, work: &mut Work, start: Start) -> (Run, bool) {
        let revision = self.revision.clone();
        let limit = revision.spec.timeout;
        let function = revision.name.as_str();
        tracing::info!(function, invocation = %work.invoke.id, attempt = work.attempt, payload_bytes = work.payload.len(), start = start.as_str(), "executing");
        let shown = &work.payload[..work.payload.len().min(SHOWN_PAYLOAD)];
        tracing::debug!(invocation = %work.invoke.id, payload = %String::from_utf8_lossy(shown), "payload");
        let headers = std::mem::take(&mut work.invoke.headers);
        let invoke = Invoke {
            id: work.invoke.id,
            attempt: work.attempt,
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: if self.guest.with_context() { headers } else { BTreeMap::new() },
            content_type: std::mem::take(&mut work.invoke.content_type),
        };
        let begun = Instant::now();
        let mut sink = Sink::new(&self.shared, &revision, self.id, Some((work.invoke.id, work.attempt)));
        let answer =
            self.guest.invoke(&invoke, &work.payload, limit, &mut |line| sink.write(line)).await;
        let lines = sink.lines;
        let (verdict, result, usable) = match answer {
            Ok(Finished::Result(body)) => (Verdict::Succeeded, Some(body), true),
            Ok(Finished::Error(error)) => {
                (Verdict::Failed { error: advised(error, &revision.spec) }, None, true)
            }
            Err(GuestError::TimedOut(limit)) => {
                let limit = crate::units::show_duration(limit);
                let message =
                    format!("the function did not answer within its timeout of {limit} and was stopped");
                (Verdict::TimedOut { error: failure("timeout", message) }, None, false)
            }
            Err(error) => {
                let error = advised(self.crash(error).await, &revision.spec);
                (Verdict::Crashed { error }, None, false)
            }
        };
        let ended = Instant::now();
        self.tell_story(function, work.invoke.id, &verdict, result.as_ref(), lines, ended - begun);
        let mut phases = Vec::with_capacity(3);
        if start == Start::Cold {
            phases.push(phase("start", work.taken, self.begun, self.ready));
            phases.push(phase("load", work.taken, self.ready, self.loaded));
        }
        phases.push(phase("run", work.taken, begun, ended));
        let prewarmed = self.prewarmed && start == Start::Cold;
        let instance = Some(self.id);
        (Run { verdict, result, instance, start: Some(start), prewarmed, phases, lines }, usable)
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
                let limit = crate::units::show_bytes(self.revision.spec.memory_bytes);
                let message = format!("the function used more than its memory limit of {limit}");
                failure("out_of_memory", message)
            }
            Exit::Code(code) => {
                let code = runtime::show_code(code);
                failure("exit", format!("the function's process exited with {code}"))
            }
            Exit::Removed => failure("exit", "the function's container was removed".to_owned()),
            Exit::Unknown => failure("exit", "the function's process ended".to_owned()),
        }
    }
}

/// Ends after [`OUTPUT_WAITS`] where something waits.
async fn pause(is_held: bool) {
    match is_held {
        true => tokio::time::sleep(OUTPUT_WAITS).await,
        false => std::future::pending().await,
    }
}

pub(super) fn failure(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message, trace: None, hint: None }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    #[test]
    fn only_a_process_that_ended_itself_may_have_failed_by_its_variables() {
        let defaults = Defaults::default();
        let spec = |text: &str| manifest::parse(text, manifest::FILE, &defaults).unwrap().spec;
        let (plain, varied) = (spec(""), spec("[env]\nPYTHONHASHSEED = 'none'\n"));
        let is_crash = |spec: &FunctionSpec, code: Option<i64>, output: &str| {
            let (reason, output) = ("a reason".to_owned(), output.to_owned());
            match not_started(&runtime::Error::Start { reason, output, code }, spec) {
                Failure::Crashed(_) => true,
                Failure::Platform(_) => false,
                other => panic!("{other:?}"),
            }
        };
        assert!(is_crash(&varied, Some(1), "Fatal Python error"));
        assert!(is_crash(&varied, Some(139), ""));
        assert!(is_crash(&varied, Some(127), "error while loading shared libraries"));
        assert!(!is_crash(&plain, Some(1), "Fatal Python error"));
        for code in [None, Some(127), Some(137), Some(143)] {
            assert!(!is_crash(&varied, code, ""), "{code:?}");
        }
    }
}
