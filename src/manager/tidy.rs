//! Caches that follow what there is: unpacked bundles and images that no revision names any more are removed,
//! after a change and now and then, for a change may have been missed.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{instance::image::function_tag, shared::Shared};
use crate::{error_chain::chain, model::Digest, store};

/// Without a change.
const EVERY: Duration = Duration::from_secs(600);
/// Pause for an image whose last container is just being removed.
const AGAIN: Duration = Duration::from_secs(5);
/// Changes that come together are answered by one look.
const SETTLE: Duration = Duration::from_millis(500);
/// Between two looks passes at least this many times what the last one took: it reads every revision there is.
const REST: u32 = 20;

pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    shared.bundles.remove_leftovers().await;
    let tidying = async {
        loop {
            let begun = Instant::now();
            let is_done = tidy(&shared).await.unwrap_or_else(|error| {
                tracing::warn!(error = %chain(&error), "caches not tidied; trying again later");
                true
            });
            let rest = SETTLE.max(begun.elapsed() * REST);
            tokio::select! {
                () = shared.changed.notified() => {}
                () = tokio::time::sleep(if is_done { EVERY } else { AGAIN }) => {}
            }
            // Changes come in groups, and a look costs more the more functions there are.
            tokio::time::sleep(rest).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = tidying => {}
    }
}

/// Whether nothing is left for soon.
async fn tidy(shared: &Shared) -> Result<bool, store::Error> {
    let mut digests = HashSet::<Digest>::new();
    let mut images: HashSet<String> = shared.under_way.tags().into_iter().collect();
    for named in shared.store.named_bundles().await? {
        images.insert(function_tag(named.function.as_str(), &named.source));
        // Another function may have been made from it by its id.
        images.insert(named.image);
        digests.insert(named.source);
        digests.extend(named.bundle);
    }
    images.extend(shared.under_way.tags());
    let removed = shared.bundles.tidy(&digests).await;
    if removed > 0 {
        tracing::info!(count = removed, "unpacked bundles removed that no revision names");
    }
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
