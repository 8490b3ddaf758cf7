//! The sandbox in which packages are installed: one of the function's language, with a folder that it may write to. It has
//! no code of the function, no variables and no secrets, and is removed whatever comes of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    super::{instance::folder, shared::Shared},
    failure::Failure,
    files::fill,
    requirements::Requirements,
    sources::Sources,
};
use crate::{
    bundle::{self, MAX_TREE, TreeError, TreeSize},
    error_chain::{chain, chain_of_disk},
    model::{InstanceId, InvocationId, Network, PackageVersion, RevisionNumber, Target},
    runtime::{
        BuildRights, Exit, Finished, Guest, GuestError, Image, Invoke, Load, LoadFailure, OUTPUT,
        Sandbox, Spec, Started,
    },
    units::{show_bytes, show_duration},
};

/// The memory of a build. It is not part of the budget for instances: there are two builds at most.
pub const MEMORY: u64 = 1 << 30;
const CPUS: f64 = 1.0;
/// The limit of loading the program that installs, and of describing the interpreter.
const SOON: Duration = Duration::from_secs(60);
/// While packages are installed, the size of what there is is looked at, and the deploy is told.
const LOOK: Duration = Duration::from_secs(1);
const STILL: Duration = Duration::from_secs(30);
/// What is downloaded is there beside what is unpacked.
const ON_DISK: TreeSize = TreeSize { files: 2 * MAX_TREE.files, bytes: 2 * MAX_TREE.bytes };

/// A sandbox that builds. Dropped, it is removed in the background.
pub struct Workshop {
    shared: Arc<Shared>,
    sandbox: Option<Arc<dyn Sandbox>>,
    guest: Guest,
    folder: PathBuf,
}

/// The answer to "describe".
#[derive(Debug, Deserialize)]
pub struct Description {
    /// The program that installs, with its version; none where the image lacks it.
    pub tool: Option<String>,
    pub target: Target,
}

/// The answer to "install".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Installed(Vec<PackageVersion>),
    #[serde(untagged)]
    Failed {
        failed: String,
        /// Why the index did not answer.
        away: Option<String>,
    },
}

impl Workshop {
    /// Makes the sandbox and loads the program that installs.
    pub async fn open(
        shared: &Arc<Shared>,
        wanted: &Requirements,
        sources: &Sources,
    ) -> Result<Self, Failure> {
        let instance = InstanceId::new();
        let folder = shared.instances.join(instance.to_string());
        let opened = Self::start(shared, instance, &folder, wanted, sources).await;
        if opened.is_err() {
            folder::remove_folder(&folder);
        }
        let mut workshop = opened?;
        match workshop.load(wanted).await {
            Ok(()) => Ok(workshop),
            Err(failure) => {
                workshop.close().await;
                Err(failure)
            }
        }
    }

    async fn start(
        shared: &Arc<Shared>,
        instance: InstanceId,
        folder: &Path,
        wanted: &Requirements,
        sources: &Sources,
    ) -> Result<Self, Failure> {
        let files = fill(folder, wanted, sources);
        files.map_err(|error| Failure::Platform(chain_of_disk(&error)))?;
        let spec = Spec {
            instance,
            // No function has this name.
            function: format!("build.{}", wanted.language),
            image: Image::Language { language: wanted.language, version: wanted.version.clone() },
            folder: folder.to_owned(),
            memory_bytes: MEMORY,
            cpus: CPUS,
            network: Network::Egress,
            env: BTreeMap::new(),
            packages: None,
            build: Some(BuildRights {
                reachable: sources.reachable.clone(),
                wheels: sources.wheels.clone(),
            }),
        };
        let Started { sandbox, guest } = shared.runtime.start(&spec).await?;
        Ok(Self { shared: shared.clone(), sandbox: Some(sandbox), guest, folder: folder.to_owned() })
    }

    async fn load(&mut self, wanted: &Requirements) -> Result<(), Failure> {
        let load = Load {
            revision: RevisionNumber(0),
            function: "build".to_owned(),
            handler: wanted.installer.handler.to_owned(),
            packages: None,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        match self.guest.load(&load, SOON, &mut |_| ()).await {
            Ok(()) => Ok(()),
            Err(LoadFailure::Function(error)) => {
                Err(Failure::Platform(format!("{}: {}", error.kind, error.message)))
            }
            Err(LoadFailure::Guest(error)) => Err(self.lost(error).await),
        }
    }

    /// Asks the interpreter what packages depend on.
    pub async fn describe(&mut self) -> Result<Description, Failure> {
        self.ask(json!({"do": "describe"}), SOON, &mut |_| ()).await
    }

    /// Installs, within a time and the limits of a tree; `tell` gets what the program prints.
    pub async fn install(
        &mut self,
        wanted: &Requirements,
        sources: &Sources,
        stop: &CancellationToken,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Vec<PackageVersion>, Failure> {
        let limit = self.shared.limits.build_time;
        let (output, event) = (self.folder.join(OUTPUT), sources.event(wanted.file));
        let mut printed = String::new();
        let mut hear = |line: String| {
            printed.push_str(&line);
            printed.push('\n');
            tell(line);
        };
        let outcome: Result<Outcome, Failure> = tokio::select! {
            outcome = self.ask(event, limit, &mut hear) => outcome,
            failure = watch(&output, limit, tell) => Err(failure),
            () = stop.cancelled() => Err(Failure::Platform("the manager stops".to_owned())),
        };
        let failed = |reason: String| Failure::packages(wanted.file, reason, Some(printed.clone()));
        match outcome {
            Ok(Outcome::Installed(packages)) => Ok(packages),
            Ok(Outcome::Failed { failed: _, away: Some(why) }) => Err(self.away(&why).await),
            Ok(Outcome::Failed { failed: reason, away: None }) => Err(failed(reason)),
            Err(Failure::Packages { reason, .. }) => Err(failed(reason)),
            Err(other) => Err(other),
        }
    }

    /// An index that did not answer, with what this machine lacks for a network.
    async fn away(&self, why: &str) -> Failure {
        let mut reason = format!("the index of packages cannot be reached: {why}");
        if why.contains("CERTIFICATE_VERIFY_FAILED") {
            reason.push_str(
                "; --build-ca-file names the certificates of the authorities that builds trust",
            );
        }
        let lacks = self.shared.runtime.notices(Network::Egress).await;
        for notice in lacks.iter().filter(|notice| notice.starts_with("the function ")) {
            reason.push_str("; ");
            reason.push_str(notice);
        }
        Failure::Platform(reason)
    }

    /// Returns the folder with what was installed. Only once the sandbox is gone is nobody writing to it.
    pub async fn installed(&mut self) -> PathBuf {
        if let Some(sandbox) = &self.sandbox {
            sandbox.remove().await;
        }
        self.folder.join(OUTPUT).join("packages")
    }

    async fn ask<T: for<'d> Deserialize<'d>>(
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
        };
        let payload = Bytes::from(event.to_string());
        match self.guest.invoke(&invoke, &payload, limit, &mut |line| hear(line.text)).await {
            Ok(Finished::Result(body)) => serde_json::from_slice(&body.bytes).map_err(|error| {
                Failure::Platform(format!("the build's answer is not understood: {error}"))
            }),
            Ok(Finished::Error(error)) => {
                Err(Failure::Platform(format!("{}: {}", error.kind, error.message)))
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
        match tokio::time::timeout(Duration::from_secs(3), sandbox.exited()).await {
            Ok(Exit::OutOfMemory) => {
                Failure::reason(format!("this took more memory than {}", show_bytes(MEMORY)))
            }
            _ => Failure::Platform(format!("the build's sandbox was lost: {}", chain(&error))),
        }
    }

    /// Removes the sandbox and its folder.
    pub async fn close(mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.remove().await;
        }
        folder::remove_folder(&self.folder);
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

/// Watches over the size of what is written, and tells that it still goes on. Returns only over the limits.
async fn watch(output: &Path, limit: Duration, tell: &(dyn Fn(String) + Send + Sync)) -> Failure {
    let begun = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        tokio::time::sleep(LOOK).await;
        let path = output.to_owned();
        let measured = tokio::task::spawn_blocking(move || bundle::measure(&path, ON_DISK)).await;
        // What goes meanwhile cannot be measured.
        if let Err(error @ (TreeError::TooManyFiles | TreeError::TooLarge)) =
            measured.expect("measuring does not panic")
        {
            return Failure::reason(error.to_string());
        }
        if begun.elapsed() >= told + STILL {
            told += STILL;
            let (passed, limit) = (show_duration(told), show_duration(limit));
            tell(format!("still installing packages: {passed} of at most {limit}"));
        }
    }
}
