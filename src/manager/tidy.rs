//! Caches that follow what there is: unpacked bundles, installed packages and images that no revision names any more are removed.
//!
//! After a change only the code of the function that changed is looked at, however many others there are. Now and then
//! everything is, for a change may have been missed.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{instance::image::function_tag, shared::Shared};
use crate::{error_chain::chain, model::Digest, store};

/// Everything is looked at so often.
const EVERY: Duration = Duration::from_secs(600);
/// Pause for a bundle whose last instance has not ended, and for an image whose last container is just being removed.
const AGAIN: Duration = Duration::from_secs(5);
/// Changes that come together are answered by one look.
const SETTLE: Duration = Duration::from_millis(500);
/// Between two looks passes at least this many times what the last one took: where functions have images of their own, it
/// reads every revision there is.
const REST: u32 = 20;
/// Digests that the store is asked about at once.
const ASKED: usize = 500;

pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    shared.bundles.remove_leftovers().await;
    shared.packages.cache.remove_leftovers().await;
    let tidying = async {
        let mut everything = Instant::now();
        loop {
            let begun = Instant::now();
            let suspects = shared.outdated.take();
            let suspects = match everything <= begun {
                true => {
                    everything = begun + EVERY;
                    let mut unpacked = shared.bundles.unpacked().await;
                    unpacked.extend(shared.packages.cache.unpacked());
                    unpacked
                }
                false => suspects,
            };
            let is_done = tidy(&shared, suspects).await.unwrap_or_else(|error| {
                tracing::warn!(error = %chain(&error), "caches not tidied; trying again later");
                everything = begun + AGAIN;
                true
            });
            let rest = SETTLE.max(begun.elapsed() * REST);
            let next = if is_done { everything.saturating_duration_since(begun) } else { AGAIN };
            tokio::select! {
                () = shared.outdated.told() => {}
                () = tokio::time::sleep(next) => {}
            }
            // Changes come in groups.
            tokio::time::sleep(rest).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tidying => {}
    }
}

/// Returns whether nothing is left for soon.
async fn tidy(shared: &Shared, mut suspects: HashSet<Digest>) -> Result<bool, store::Error> {
    let asked: Vec<Digest> = suspects.iter().cloned().collect();
    for asked in asked.chunks(ASKED) {
        for named in shared.store.named(asked).await? {
            suspects.remove(&named);
        }
    }
    let (removed, mut in_use) = shared.bundles.remove_unnamed(&suspects).await;
    if removed > 0 {
        tracing::info!(count = removed, "unpacked bundles removed that no revision names");
    }
    let (removed, used) = shared.packages.cache.remove_unnamed(&suspects).await;
    if removed > 0 {
        tracing::info!(count = removed, "installed packages removed that no revision names");
    }
    in_use.extend(used);
    let all_removed = in_use.is_empty();
    shared.outdated.keep(in_use);
    Ok(tidy_images(shared).await? && all_removed)
}

/// Only where there are some, since they are known by the names of all functions.
async fn tidy_images(shared: &Shared) -> Result<bool, store::Error> {
    match shared.runtime.has_images().await {
        Ok(true) => {}
        Ok(false) => return Ok(true),
        Err(error) => {
            tracing::debug!(error = %chain(&error), "images not looked at");
            return Ok(true);
        }
    }
    let mut images: HashSet<String> = shared.under_way.tags().into_iter().collect();
    for named in shared.store.named_bundles().await? {
        let code = named.bundle.as_ref().unwrap_or(&named.source);
        images.insert(function_tag(named.function.as_str(), code));
        // Another function may have been made from it by its id.
        images.insert(named.image);
    }
    images.extend(shared.under_way.tags());
    match shared.runtime.remove_images(&images).await {
        Ok((removed, are_left)) => {
            if !removed.is_empty() {
                tracing::info!(images = ?removed, "images removed that no revision names");
            }
            Ok(!are_left)
        }
        Err(error) => {
            tracing::debug!(error = %chain(&error), "images not looked at");
            Ok(true)
        }
    }
}
