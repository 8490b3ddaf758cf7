//! Builds: any manager may take one. The result is a bundle in the store; images are this host's
//! cache, which other managers make anew for themselves. Then the code is loaded once, before anything of it
//! is registered. A build belongs to the deploy that waits for it ([`deploy`]), and ends with it.

mod command;
mod deploy;
mod left;
mod load;
mod make;
mod own_image;
mod size;
mod told;
pub mod under_way;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    commands::{Command, Dispatch},
    instance::image::function_tag,
    retry::Retry,
    shared::Shared,
};
use crate::{
    model::message::{Build, BuildStep},
    queue::{Address, ConsumeOptions, Delivery},
};
use command::with_command;
use deploy::{forward, hung_up, is_awaited, tell};
use load::{Loading, load};
use make::{compile, perform, with_image, with_packages};
use own_image::with_own_image;

/// A message is taken by who is going to build it now.
const ONE: ConsumeOptions = ConsumeOptions { prefetch: 1, priority: 0 };
/// Builds that may be under way, most of them waiting for their code to be loaded; then the next one waits. Of those
/// that are built there is one at a time: they take all the cores they can get.
const AT_ONCE: usize = 64;
/// Takes builds until `stop`; one that is under way is finished.
pub async fn consume(shared: Arc<Shared>, dispatch: Dispatch, stop: CancellationToken) {
    let building = Arc::new(Semaphore::new(1));
    let loading = Loading::new(stop.clone());
    let workers = (0..AT_ONCE).map(|_| work(&shared, &dispatch, &building, &loading, &stop));
    futures_util::future::join_all(workers).await;
}

async fn work(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    building: &Arc<Semaphore>,
    loading: &Loading,
    stop: &CancellationToken,
) {
    let mut retry = Retry::new();
    while !stop.is_cancelled() {
        let next = async {
            let place = building.clone().acquire_owned().await.expect("it is never closed");
            // Only now: what was handed out to a consumer is kept from other managers.
            (place, shared.queue.consume(&Address::Builds, ONE).await)
        };
        let (place, consumer) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        let mut consumer = match consumer {
            Ok(consumer) => consumer,
            Err(error) => {
                retry.pause("builds cannot be consumed", &error, stop).await;
                continue;
            }
        };
        retry.reset();
        let delivery = tokio::select! {
            () = stop.cancelled() => return,
            delivery = consumer.next() => delivery,
        };
        drop(consumer);
        if let Some(delivery) = delivery {
            run(shared, dispatch, loading, delivery, place, stop).await;
        }
    }
}

async fn run(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    loading: &Loading,
    delivery: Delivery,
    place: OwnedSemaphorePermit,
    stop: &CancellationToken,
) {
    let build = match delivery.parcel.open::<Build>() {
        Ok((build, _)) => build,
        Err(error) => {
            tracing::error!(%error, "build dropped");
            return drop(delivery.ack().await);
        }
    };
    // It waited here until its client had gone.
    if !is_awaited(shared, &build).await {
        tracing::info!(function = %build.name, build = %build.build, "build dropped: nobody waits for it");
        return drop(delivery.ack().await);
    }
    tracing::info!(function = %build.name, build = %build.build, "building");
    let _entered = shared.under_way.enter(function_tag(build.name.as_str(), &build.source));
    let (progress, lines) = tokio::sync::mpsc::unbounded_channel();
    let work = async {
        let built = perform(shared, &build, &progress).await;
        dispatch.send(Command::ImageMade);
        drop(place);
        // Without the place: a download takes its time, and deploys without packages do not wait for it.
        let built = match built {
            Ok(built) => with_packages(shared, &build, built, &progress, stop).await,
            Err(failed) => Err(failed),
        };
        let built = match built {
            Ok(built) => with_own_image(shared, &build, built, &progress, stop).await,
            Err(failed) => Err(failed),
        };
        let notices = built.as_ref().map_or_else(|_| Vec::new(), |built| built.notices.clone());
        let built = match built {
            Ok(built) => with_command(shared, &build, built, &progress, stop).await,
            Err(failed) => Err(failed),
        };
        let made = built.as_ref().ok().and_then(|built| built.bundle.as_ref());
        let _made = made.map(|bundle| shared.under_way.enter(function_tag(build.name.as_str(), bundle)));
        let built = match built {
            Ok(built) => with_image(shared, &build, built, &progress).await,
            Err(failed) => Err(failed),
        };
        if let Ok(built) = &built {
            compile(shared, &build, built, &progress, stop).await;
        }
        let step = match built {
            Ok(built) => load(dispatch, loading, &build, built, &progress).await,
            Err(failed) => failed,
        };
        if matches!(step, BuildStep::Failed { .. }) {
            // A failure has no notices, and one of them may be its reason.
            for notice in notices {
                let _ = progress.send(notice);
            }
        }
        drop(progress);
        step
    };
    // Dropped, it leaves nothing: sandboxes and half of a tree are removed in the background.
    let step = tokio::select! {
        (step, ()) = async { tokio::join!(work, forward(shared, &build, lines)) } => Some(step),
        () = hung_up(shared, &build) => None,
    };
    match &step {
        None => {
            tracing::info!(function = %build.name, build = %build.build, "build cancelled: nobody waits for it")
        }
        Some(BuildStep::Failed { message, .. }) => {
            tracing::info!(function = %build.name, error = message, "build failed");
        }
        Some(_) => tracing::info!(function = %build.name, "built"),
    }
    if let Some(step) = step {
        tell(shared, &build, step).await;
    }
    drop(delivery.ack().await);
}
