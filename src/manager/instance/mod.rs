//! One instance from its start to its removal: one task, which owns the guest.

pub mod advice;
mod attempt;
mod crash;
pub mod folder;
mod for_callers;
pub mod image;
mod load;
pub mod load_once;
mod memory_kills;
mod of_programs;
mod own_image;
pub mod prewarm;
mod run;
mod serve;
mod serve_several;
pub mod shape;
mod start;

use std::{path::Path, sync::Arc, time::Instant};

use tokio::sync::mpsc;

use super::{
    commands::{Command, Commands, Live},
    dependencies::cache::Tree,
    logs::LoadOutput,
    pool::Slot,
    shared::Shared,
    start_failure::StartFailure,
};
use crate::{
    model::{InstanceId, Revision},
    runtime::{Guest, Sandbox},
    store::ReportedInstance,
};
use folder::remove_folder;
use memory_kills::MemoryKills;

/// The whole life of an instance. Tells the dispatcher `Started`, later `Ended` (if it ends while
/// idle) and at last `Gone`.
pub async fn live(shared: Arc<Shared>, commands: Commands, slot: Slot, revision: Arc<Revision>) {
    let id = InstanceId::new();
    let folder = shared.instances.join(id.to_string());
    tracing::info!(function = revision.name.as_str(), revision = revision.number.0, "cold start");
    // While an image is built, others may start.
    let waits = || drop(commands.send(Command::Made { slot }));
    match start::start(&shared, id, &folder, &revision, &waits).await {
        Ok(instance) => {
            let _ = commands.send(Command::Made { slot });
            instance.live(&commands, slot, &folder).await;
        }
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
    memory_kills: MemoryKills,
    /// Its installed packages, which stay while it lives.
    packages: Option<Arc<Tree>>,
    /// Its sandbox was there before it was this revision's.
    prewarmed: bool,
    /// When its start began, when its sandbox was ready and when its code was loaded.
    begun: Instant,
    ready: Instant,
    loaded: Instant,
    /// Output of the load, until it is known whose it is.
    load_output: LoadOutput,
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
        let (load_output, memory_kills) = Default::default();
        let packages = None;
        Self {
            shared,
            id,
            revision,
            sandbox,
            guest,
            memory_kills,
            packages,
            prewarmed,
            begun,
            ready,
            loaded,
            load_output,
        }
    }

    /// From its sandbox to its removal; see [`live`].
    pub(super) async fn live(mut self, commands: &Commands, slot: Slot, folder: &Path) {
        let (function, revision) = (self.revision.name.clone(), self.revision.number);
        let function = function.as_str();
        let container = self.short_id();
        tracing::info!(function, container, prewarmed = self.prewarmed, "container started");
        let secrets = match self.load(folder, Some(slot)).await {
            Ok(secrets) => secrets,
            Err(failure) => return self.not_loaded(failure, commands, slot, folder).await,
        };
        let (jobs, mut queue) = mpsc::unbounded_channel();
        let report = ReportedInstance {
            id: self.id,
            manager: self.shared.manager,
            function: self.revision.function,
            revision,
            sandbox: self.sandbox.id().to_owned(),
            started_at: self.shared.clock.now(),
        };
        let _ = commands.send(Command::Started { slot, result: Ok(Live { jobs, report }) });
        match self.revision.spec.scaling.concurrency {
            0 | 1 => self.serve(commands, slot, &mut queue).await,
            _ => self.serve_several(commands, slot, &mut queue).await,
        }
        self.sandbox.remove().await;
        remove_folder(folder);
        drop(secrets);
        tracing::info!(function, container, "container removed");
        let _ = commands.send(Command::Gone { slot });
    }

    async fn not_loaded(self, failure: StartFailure, commands: &Commands, slot: Slot, folder: &Path) {
        let function = self.revision.name.as_str();
        if let StartFailure::Unreached = failure {
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
}
