//! The sandbox of a build: one of the function's language, with a folder that it may write to and a program in place of the
//! function's code. It has no secrets, and is removed whatever comes of it.

pub mod failure;
pub mod files;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    dependencies::transfer::{self, finished},
    instance::folder,
    shared::Shared,
};
use crate::{
    bundle::{self, MAX_TREE, TreeSize},
    error_chain::{chain, chain_of_disk},
    model::{InstanceId, Interface, InvocationId, Language, Network, RevisionNumber},
    runtime::{
        BUILD_MEMORY, BuildRights, Entry, Exit, Finished, Guest, GuestError, Image, Invoke, Load,
        LoadFailure, OUTPUT, Sandbox, Spec, Started, show_code,
    },
    units::{show_bytes, show_duration},
};
use failure::Failure;

/// The memory of a build.
pub const MEMORY: u64 = BUILD_MEMORY;
const CPUS: f64 = 1.0;
/// The limit of loading the program, and of describing the interpreter.
pub const SOON: Duration = Duration::from_secs(60);
/// A guest that hung up is given this long to be found dead.
const EXIT: Duration = Duration::from_secs(3);
/// While it builds, the size of what there is is looked at, and the deploy is told.
const LOOK: Duration = Duration::from_secs(1);
const STILL: Duration = Duration::from_secs(30);
/// What is downloaded is there beside what is unpacked.
const ON_DISK: TreeSize = TreeSize { files: 2 * MAX_TREE.files, bytes: 2 * MAX_TREE.bytes };
/// The same for people, where it is not packages that are written.
const TOO_MUCH: &str = "it has written more than a build may: 1 GiB, 100,000 files and folders, without those of \
    __pycache__ folders (512 MiB, 100,000), 100 folders deep";
/// Less than this is not left to a build: others of this host write to the same disk.
const LEAST_ROOM: u64 = 256 << 20;

/// The sandbox of a build before it is there.
pub struct Plan {
    pub language: Language,
    /// The version of the language, as the function's manifest has it.
    pub version: String,
    /// The program's handler.
    pub handler: &'static str,
    pub network: Network,
    pub rights: BuildRights,
    /// The folder of unpacked packages, if it sees them.
    pub packages: Option<PathBuf>,
}

/// A sandbox that builds. Dropped, it is removed in the background.
pub struct Workshop {
    pub(super) shared: Arc<Shared>,
    sandbox: Option<Arc<dyn Sandbox>>,
    guest: Guest,
    folder: PathBuf,
}

impl Workshop {
    /// Makes the sandbox, whose folder is filled with its program first, and loads that.
    pub async fn make(
        shared: &Arc<Shared>,
        plan: Plan,
        fill: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, Failure> {
        let (answer, started) = oneshot::channel();
        let handler = plan.handler;
        let starting = Self::start(shared.clone(), plan, fill);
        // To its end, also when nobody waits for it any more: the sandbox that is there then is removed before its folder.
        shared.tasks.spawn(async move {
            if let Err(Ok(unwanted)) = answer.send(starting.await) {
                unwanted.close().await;
            }
        });
        let stopped = || Err(Failure::Platform("the manager stops".to_owned()));
        let mut workshop: Self = started.await.unwrap_or_else(|_| stopped())?;
        match workshop.load(handler).await {
            Ok(()) => Ok(workshop),
            Err(failure) => {
                workshop.close().await;
                Err(failure)
            }
        }
    }

    async fn start(
        shared: Arc<Shared>,
        plan: Plan,
        fill: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, Failure> {
        let instance = InstanceId::new();
        let folder = shared.instances.join(instance.to_string());
        let spec = Spec {
            instance,
            // No function has this name.
            function: format!("build.{}", plan.language),
            image: Image::Language { language: plan.language, version: plan.version },
            entry: Entry::Shim,
            folder: folder.clone(),
            memory_bytes: MEMORY,
            cpus: CPUS,
            network: plan.network,
            env: BTreeMap::new(),
            packages: plan.packages,
            build: Some(plan.rights),
        };
        let path = folder.clone();
        let filled = finished(tokio::task::spawn_blocking(move || fill(&path))).await;
        let started = match filled.map_err(Failure::from) {
            Ok(Ok(())) => shared.runtime.start(&spec).await.map_err(Failure::from),
            Ok(Err(error)) => Err(Failure::Platform(chain_of_disk(&error))),
            Err(stopped) => Err(stopped),
        };
        match started {
            Ok(Started { sandbox, guest }) => Ok(Self { shared, sandbox: Some(sandbox), guest, folder }),
            Err(failure) => {
                folder::remove_folder(&folder);
                Err(failure)
            }
        }
    }

    async fn load(&mut self, handler: &str) -> Result<(), Failure> {
        let load = Load {
            revision: RevisionNumber(0),
            function: "build".to_owned(),
            handler: handler.to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        match self.guest.load(&load, SOON, &mut |_| ()).await {
            Ok(()) => Ok(()),
            Err(LoadFailure::Function(error)) => {
                Err(Failure::Platform(format!("{}: {}", error.kind, error.message)))
            }
            Err(LoadFailure::Unable(reason)) => Err(Failure::Platform(reason)),
            Err(LoadFailure::Guest(error)) => Err(of_the_platform(self.lost(error).await)),
        }
    }

    /// Returns the folder that the sandbox wrote to. Only once that is gone is nobody writing to it.
    pub async fn output(&mut self) -> Result<PathBuf, Failure> {
        if let Some(sandbox) = &self.sandbox {
            sandbox.remove().await;
            if !sandbox.is_gone() {
                let problem = "the build's sandbox could not be removed, so what it made is not used";
                return Err(Failure::Platform(problem.to_owned()));
            }
        }
        Ok(self.folder.join(OUTPUT))
    }

    /// From here on everything that is printed is told, without a limit.
    pub fn hear_everything(&mut self) {
        self.guest.pass_all_output();
    }

    /// Asks the program, within a time and the limits of what a build may write.
    pub async fn ask_watched<T: for<'d> Deserialize<'d>>(
        &mut self,
        event: Value,
        limit: Duration,
        doing: &str,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<T, Failure> {
        let mut hear = |line: String| tell(line);
        let too_much = |failure: Failure| match failure {
            Failure::Packages { .. } => Failure::reason(TOO_MUCH.to_owned()),
            platform => platform,
        };
        self.watched(event, limit, doing, &mut hear, tell, too_much).await
    }

    /// Asks the program while what it writes is watched; `over` makes the failure of what is over the limits.
    pub(super) async fn watched<T: for<'d> Deserialize<'d>>(
        &mut self,
        event: Value,
        limit: Duration,
        doing: &str,
        hear: &mut (dyn FnMut(String) + Send),
        tell: &(dyn Fn(String) + Send + Sync),
        over: fn(Failure) -> Failure,
    ) -> Result<T, Failure> {
        let output = self.folder.join(OUTPUT);
        tokio::select! {
            answer = self.ask(event, limit, hear) => answer,
            failure = watch(&output, limit, doing, tell) => Err(over(failure)),
        }
    }

    /// Asks the program. Code of the author or of packages may run meanwhile: an answer that is none is its doing.
    pub(super) async fn ask<T: for<'d> Deserialize<'d>>(
        &mut self,
        event: Value,
        limit: Duration,
        hear: &mut (dyn FnMut(String) + Send),
    ) -> Result<T, Failure> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            headers: BTreeMap::new(),
            content_type: "application/json".to_owned(),
            http: None,
        };
        let payload = Bytes::from(event.to_string());
        match self.guest.invoke(&invoke, &payload, limit, &mut |line| hear(line.text)).await {
            Ok(Finished::Result(body)) => serde_json::from_slice(&body.bytes).map_err(|error| {
                Failure::reason(format!("the answer of its sandbox is not understood: {error}"))
            }),
            Ok(Finished::Response(..)) => {
                Err(Failure::reason("its sandbox answers an HTTP request".to_owned()))
            }
            Ok(Finished::Error(error)) => {
                Err(Failure::reason(format!("{}: {}", error.kind, error.message)))
            }
            Err(error) => Err(self.lost(error).await),
        }
    }

    /// Returns why the guest does not answer.
    async fn lost(&self, error: GuestError) -> Failure {
        if let GuestError::TimedOut(limit) = error {
            return Failure::reason(format!("this took longer than {}", show_duration(limit)));
        }
        let Some(sandbox) = &self.sandbox else { return Failure::Platform(chain(&error)) };
        let exit = match tokio::time::timeout(EXIT, sandbox.exited()).await {
            Ok(exit) => Some(exit),
            // An engine that is away has taken the sandbox with it.
            Err(_) => {
                let running = tokio::time::timeout(EXIT, sandbox.is_running()).await;
                (!running.unwrap_or(false)).then_some(Exit::Unknown)
            }
        };
        loss(exit, &error)
    }

    /// Removes the sandbox and its folder, in the background where nobody waits for it to the end.
    pub async fn close(mut self) {
        if let Some(sandbox) = self.sandbox.clone() {
            sandbox.remove().await;
        }
        folder::remove_folder(&self.folder);
        // Not before: a drop has nothing to do from here on.
        self.sandbox = None;
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let Some(sandbox) = self.sandbox.take() else { return };
        let folder = std::mem::take(&mut self.folder);
        self.shared.tasks.spawn(async move {
            sandbox.remove().await;
            folder::remove_folder(&folder);
        });
    }
}

/// Returns why the guest of a sandbox was lost that has ended like this; none if it still runs.
fn loss(exit: Option<Exit>, error: &GuestError) -> Failure {
    match exit {
        Some(Exit::OutOfMemory) => {
            Failure::reason(format!("this took more memory than {}", show_bytes(MEMORY)))
        }
        Some(Exit::Code(code)) => {
            Failure::reason(format!("its sandbox was ended from inside, with {}", show_code(code)))
        }
        Some(Exit::Removed | Exit::Unknown) => {
            Failure::Platform(format!("the build's sandbox was lost: {}", chain(error)))
        }
        None => Failure::reason(format!("its sandbox gives no answer: {}", chain(error))),
    }
}

/// Makes the platform's what happens before any code of an author or a package runs.
pub(super) fn of_the_platform(failure: Failure) -> Failure {
    match failure {
        Failure::Packages { reason, .. } => {
            Failure::Platform(format!("a build could not begin: {reason}"))
        }
        platform => platform,
    }
}

/// Watches over the size of what is written, and tells that it still goes on. Returns only over the limits, and where what
/// is written cannot be measured.
async fn watch(
    output: &Path,
    limit: Duration,
    doing: &str,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Failure {
    let begun = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        tokio::time::sleep(LOOK).await;
        let path = output.to_owned();
        let measuring = tokio::task::spawn_blocking(move || measure(&path, LEAST_ROOM));
        if let Err(failure) = finished(measuring).await.map_err(Failure::from).flatten() {
            return failure;
        }
        if begun.elapsed() >= told + STILL {
            told += STILL;
            let (passed, limit) = (show_duration(told), show_duration(limit));
            tell(format!("still {doing}: {passed} of at most {limit}"));
        }
    }
}

/// Fails where a build has written too much, or where it leaves less than this of the disk.
fn measure(output: &Path, least_room: u64) -> Result<(), Failure> {
    bundle::measure(output, ON_DISK).map_err(transfer::Error::from)?;
    let disk = rustix::fs::statvfs(output).map_err(|error| {
        Failure::Platform(format!("the disk of a build cannot be looked at: {error}"))
    })?;
    // Where there are no blocks, there is no limit: a tmpfs can be like that.
    if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < least_room {
        return Err(Failure::Platform(format!(
            "the disk has less than {} left",
            show_bytes(least_room)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_sandbox_that_its_own_code_ends_is_not_the_platforms_failure() {
        let error = || GuestError::Closed(None);
        let Failure::Packages { reason, .. } = loss(Some(Exit::Code(137)), &error()) else {
            panic!("it is its author's")
        };
        assert_eq!(reason, "its sandbox was ended from inside, with code 137 (signal SIGKILL)");
        assert!(matches!(loss(Some(Exit::OutOfMemory), &error()), Failure::Packages { .. }));
        let violation = GuestError::Violation("noise".to_owned());
        let Failure::Packages { reason, .. } = loss(None, &violation) else { panic!("it still runs") };
        assert_eq!(reason, "its sandbox gives no answer: the guest broke the runtime protocol: noise");
        for exit in [Exit::Removed, Exit::Unknown] {
            assert!(matches!(loss(Some(exit), &error()), Failure::Platform(_)));
        }
        let early = of_the_platform(loss(Some(Exit::Code(1)), &error()));
        assert!(matches!(early, Failure::Platform(_)), "{early:?}");
    }

    #[test]
    fn a_build_fails_when_it_fills_the_disk_or_hides_what_it_writes() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("output");
        fs::create_dir(&output).unwrap();
        measure(&output, 0).unwrap();
        let Err(Failure::Platform(reason)) = measure(&output, 1 << 60) else { panic!("there is room") };
        assert_eq!(reason, "the disk has less than 1073741824 GiB left");
        fs::create_dir_all(output.join("d/".repeat(101))).unwrap();
        let Err(Failure::Packages { reason, .. }) = measure(&output, 0) else {
            panic!("it is measured")
        };
        assert!(reason.contains("' lies more than 100 folders deep; "), "{reason}");
        fs::remove_dir_all(&output).unwrap();
        symlink(dir.path(), &output).unwrap();
        assert!(matches!(measure(&output, 0), Err(Failure::Platform(_))));
    }
}
