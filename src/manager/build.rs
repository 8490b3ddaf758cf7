//! Builds: any manager may take one. The result is a bundle in the store; images are this host's
//! cache, which other managers make anew for themselves.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    consumers::Backoff,
    dispatch::{Command, Dispatch},
    instance::{function_tag, image_of},
};
use crate::{
    bundle,
    config::units,
    http::{chain, chain_of_disk},
    model::{
        Code, FunctionSpec, Package, Revision, RevisionNumber,
        message::{self, Build, BuildEvent, BuildStep, Parcel},
    },
    queue::{Address, ConsumeOptions, Delivery, Message},
    runtime::Machine,
};

/// One build at a time: they take all the cores they can get.
const AT_ONCE: ConsumeOptions = ConsumeOptions { prefetch: 1, priority: 0 };

/// Takes builds until `stop`; one that is under way is finished.
pub async fn consume(shared: Arc<Shared>, dispatch: Dispatch, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let consumer = tokio::select! {
            () = stop.cancelled() => return,
            consumer = shared.queue.consume(&Address::Builds, AT_ONCE) => consumer,
        };
        let mut consumer = match consumer {
            Ok(consumer) => consumer,
            Err(error) => {
                backoff.pause("builds cannot be consumed", &error, &stop).await;
                continue;
            }
        };
        backoff = Backoff::new();
        loop {
            let delivery = tokio::select! {
                () = stop.cancelled() => return,
                delivery = consumer.next() => delivery,
            };
            let Some(delivery) = delivery else { break };
            run(&shared, delivery).await;
            dispatch.send(Command::ImageMade);
        }
    }
}

async fn run(shared: &Arc<Shared>, delivery: Delivery) {
    let build = match delivery.parcel.open::<Build>() {
        Ok((build, _)) => build,
        Err(error) => {
            tracing::error!(%error, "build dropped");
            return drop(delivery.ack().await);
        }
    };
    tracing::info!(function = %build.name, build = %build.build, "building");
    let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let forward = async {
        while let Some(message) = lines.recv().await {
            tell(shared, &build, BuildStep::Progress { message }).await;
        }
    };
    let work = async {
        let step = perform(shared, &build, progress).await;
        step.unwrap_or_else(|failed| failed)
    };
    let (step, ()) = tokio::join!(work, forward);
    if let BuildStep::Failed { message, .. } = &step {
        tracing::info!(function = %build.name, error = message, "build failed");
    } else {
        tracing::info!(function = %build.name, "built");
    }
    tell(shared, &build, step).await;
    drop(delivery.ack().await);
}

async fn tell(shared: &Shared, build: &Build, step: BuildStep) {
    let event = BuildEvent { v: message::VERSION, build: build.build, step };
    let message = Message { parcel: Parcel::new(event, Bytes::new()), expires: None };
    if let Err(error) = shared.queue.publish(&Address::Reply(build.reply_to.clone()), message).await {
        tracing::debug!(error = %chain(&error), "nobody waits for this build any more");
    }
}

async fn perform(
    shared: &Arc<Shared>,
    build: &Build,
    progress: tokio::sync::mpsc::UnboundedSender<String>,
) -> Result<BuildStep, BuildStep> {
    let platform = |error: &(dyn std::error::Error + 'static)| BuildStep::Failed {
        message: chain_of_disk(error),
        user_error: false,
    };
    fits(shared, build).await?;
    let (bundle, tree) = match &build.spec.code {
        Code::Image { .. } => (None, None),
        Code::Language { .. } => {
            let source = shared.store.blob(&build.source).await.map_err(|error| platform(&error))?;
            let source = source.ok_or_else(|| BuildStep::Failed {
                message: format!("source {} is not in the store", build.source),
                user_error: false,
            })?;
            check(source, build).await?;
            let _ = progress.send("unpacking the source".to_owned());
            let tree = shared.bundles.get(&build.source).await.map_err(|error| platform(&error))?;
            (Some(build.source.clone()), Some(tree))
        }
    };
    for notice in shared.runtime.notices(build.spec.network).await {
        let _ = progress.send(notice);
    }
    // Held to the end: what is in use is not removed.
    let folder = tree.as_ref().map(|tree| tree.folder().to_owned());
    let image = ensure_image(shared, build, folder, progress).await?;
    drop(tree);
    Ok(BuildStep::Done { image, bundle })
}

/// No instance of what is larger than the machine or the budget could ever start.
async fn fits(shared: &Shared, build: &Build) -> Result<(), BuildStep> {
    let machine = shared.runtime.machine().await;
    let problem = too_large(&build.spec, machine, shared.limits.memory_budget);
    problem.map_or(Ok(()), |message| Err(BuildStep::Failed { message, user_error: true }))
}

fn too_large(spec: &FunctionSpec, machine: Machine, budget: u64) -> Option<String> {
    let (memory, cpus) = (spec.memory_bytes, spec.cpus);
    if let Some(has) = machine.cpus.filter(|has| cpus > f64::from(*has)) {
        return Some(format!("`cpus` is {cpus}, and the machine has {has}; name at most {has}"));
    }
    if let Some(has) = machine.memory_bytes.filter(|has| memory > *has) {
        let (memory, has) = (units::show_bytes(memory), units::show_bytes(has));
        return Some(format!("`memory` is {memory}, and the machine has {has}; name less"));
    }
    (memory > budget).then(|| {
        format!(
            "`memory` is {}, and all functions together may have {} here; name less, or start the platform with a \
             larger --memory-budget",
            units::show_bytes(memory),
            units::show_bytes(budget)
        )
    })
}

async fn check(source: Bytes, build: &Build) -> Result<(), BuildStep> {
    let spec = build.spec.clone();
    let user = |error: &(dyn std::error::Error + 'static)| BuildStep::Failed {
        message: chain(error),
        user_error: true,
    };
    tokio::task::spawn_blocking(move || {
        let listing = bundle::read(&source).map_err(|error| user(&error))?;
        bundle::check_code(&listing, &spec).map_err(|error| user(&error))
    })
    .await
    .expect("checking does not panic")
}

async fn ensure_image(
    shared: &Arc<Shared>,
    build: &Build,
    tree: Option<PathBuf>,
    progress: tokio::sync::mpsc::UnboundedSender<String>,
) -> Result<String, BuildStep> {
    let revision = Revision {
        function: crate::model::FunctionId::new(),
        name: build.name.clone(),
        number: RevisionNumber(0),
        spec: build.spec.clone(),
        source: build.source.clone(),
        bundle: None,
        image: String::new(),
        created_at: jiff::Timestamp::now(),
    };
    let image = image_of(&revision, tree.as_deref());
    let report = move |line: String| drop(progress.send(line));
    let id = shared.runtime.ensure_image(&image, &report).await.map_err(|error| BuildStep::Failed {
        message: chain(&error),
        // An image of the user's own that is not there is the user's to bring.
        user_error: matches!(build.spec.code, Code::Image { .. }) && !error.is_transient(),
    })?;
    Ok(match &build.spec.code {
        Code::Language { package: Package::Image, .. } => {
            function_tag(build.name.as_str(), &build.source)
        }
        _ => id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::manifest::{self, Defaults};

    #[test]
    fn what_is_larger_than_the_machine_is_refused_with_its_figures() {
        let spec = |manifest: &str| {
            let defaults = Defaults { python_version: "3.11".to_owned() };
            manifest::parse(manifest, "cloudfunc.toml", &defaults).unwrap().spec
        };
        let machine = Machine { cpus: Some(2), memory_bytes: Some(4 << 30) };
        let refused = |manifest| too_large(&spec(manifest), machine, 3 << 30);
        assert_eq!(refused("cpus = 2\nmemory = \"3GiB\""), None);
        assert_eq!(
            refused("cpus = 2.5").as_deref(),
            Some("`cpus` is 2.5, and the machine has 2; name at most 2")
        );
        assert_eq!(
            refused("memory = \"5GiB\"").as_deref(),
            Some("`memory` is 5 GiB, and the machine has 4 GiB; name less")
        );
        assert_eq!(
            refused("memory = \"3500MiB\"").as_deref(),
            Some(
                "`memory` is 3.4 GiB, and all functions together may have 3 GiB here; name less, or start the \
                 platform with a larger --memory-budget"
            )
        );
        let unknown = Machine::default();
        assert_eq!(too_large(&spec("cpus = 2.5"), unknown, 8 << 30), None);
    }
}
