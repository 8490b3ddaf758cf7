//! A prewarmed instance from its making to its end: one task, which waits with a connected guest until it is
//! given a revision. From then on it is an instance like any other.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tokio::sync::oneshot;

use super::{
    super::{
        commands::{Command, Commands, Order},
        pool::Slot,
        shared::Shared,
    },
    Instance,
    folder::{make_folder, remove_folder},
    load_once,
    shape::Shape,
};
use crate::{
    error_chain::chain,
    model::InstanceId,
    runtime::{self, Image, Spec, Started},
};

/// Tells the dispatcher `Started` twice: when it waits, and when it was taken and is loaded. `taken` says
/// for what; when its sender is dropped the instance is not wanted any more.
pub async fn live(
    shared: Arc<Shared>,
    commands: Commands,
    slot: Slot,
    shape: Arc<Shape>,
    mut taken: oneshot::Receiver<Order>,
) {
    let id = InstanceId::new();
    let folder = shared.instances.join(id.to_string());
    let made = tokio::select! {
        biased;
        // Dropped, a start leaves nothing, whatever it waits for.
        _ = &mut taken => None,
        made = make(&shared, id, &folder, &shape) => Some(made),
    };
    let Started { sandbox, mut guest } = match made {
        Some(Ok(started)) => started,
        Some(Err(failure)) => {
            remove_folder(&folder);
            let _ = commands.send(Command::Prewarmed { slot, result: Err(failure) });
            return;
        }
        None => {
            remove_folder(&folder);
            let _ = commands.send(Command::Gone { slot });
            return;
        }
    };
    let _ = commands.send(Command::Prewarmed { slot, result: Ok(()) });
    // Nobody's function has run: what the guest says now is of no use to anybody.
    let mut unheard = |_| ();
    let order = tokio::select! {
        biased;
        error = guest.idle(&mut unheard) => {
            tracing::info!(container = sandbox.id(), %error, "a prewarmed instance ended");
            // Also to whoever takes it in this moment.
            taken.close();
            let _ = commands.send(match taken.try_recv() {
                Ok(Order::Check(check, _)) => Command::CheckAgain { slot, check },
                _ => Command::Ended { slot },
            });
            None
        }
        order = &mut taken => order.ok(),
    };
    match order {
        Some(Order::Serve(revision)) => {
            tracing::info!(
                function = revision.name.as_str(),
                revision = revision.number.0,
                "cold start"
            );
            let instance = Instance::prewarmed(&shared, id, revision, sandbox, guest);
            instance.live(&commands, slot, &folder).await;
        }
        Some(Order::Check(check, stop)) => {
            let instance = Instance::prewarmed(&shared, id, check.revision.clone(), sandbox, guest);
            load_once::run(instance, commands, slot, check, &folder, stop).await;
        }
        None => {
            sandbox.remove().await;
            remove_folder(&folder);
            let _ = commands.send(Command::Gone { slot });
        }
    }
}

/// A sandbox of this shape, with an empty task folder.
async fn make(
    shared: &Shared,
    id: InstanceId,
    folder: &Path,
    shape: &Shape,
) -> Result<Started, runtime::Error> {
    let image = Image::Language { language: shape.language, version: shape.version.clone() };
    let progress = |line: String| tracing::debug!(line, "an image for prewarmed instances");
    // It may take minutes, which are not those of the start.
    shared.runtime.ensure_image(&image, &progress).await?;
    make_folder(folder).map_err(|source| runtime::Error::Io { path: folder.to_owned(), source })?;
    let spec = Spec {
        instance: id,
        // It has none yet.
        function: String::new(),
        image,
        entry: shape.entry,
        folder: folder.to_owned(),
        memory_bytes: shape.memory_bytes,
        cpus: shape.cpus,
        network: shape.network,
        env: BTreeMap::new(),
        packages: Some(shared.packages.cache.shown()),
        build: None,
    };
    shared.runtime.start(&spec).await
}

/// The platform's log about prewarmed instances: the same reason again is not worth a line.
#[derive(Default)]
pub struct PrewarmLog(Option<String>);

impl PrewarmLog {
    /// One was not made.
    pub fn failed(&mut self, error: &runtime::Error) {
        let reason = chain(error);
        if self.0.as_ref() == Some(&reason) {
            return tracing::debug!(error = reason, "still no prewarmed instance");
        }
        match error {
            // A machine without an image, without an engine yet, or without a helper is nothing to worry about.
            runtime::Error::NoImage { .. }
            | runtime::Error::Unavailable { .. }
            | runtime::Error::NoHelper(_) => {
                tracing::info!(error = reason, "no prewarmed instances for now; tried again later");
            }
            _ => tracing::warn!(error = reason, "a prewarmed instance was not made; tried again later"),
        }
        self.0 = Some(reason);
    }

    /// One was made.
    pub fn made(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("prewarmed instances are made again");
        }
    }
}
