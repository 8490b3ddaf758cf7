//! Storing a tree of packages. It is stored as a whole or not at all: what is given up halfway is deleted again.

use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{super::shared::Shared, transfer};
use crate::{model::Dependencies, store};

/// Stores the files of a folder as the tree of `new`, whose sizes are filled in; with `refresh` it does not get its key yet.
/// Dropped, it goes on in the background until the piece at hand is stored, and then deletes what there is.
pub async fn store(
    shared: &Shared,
    folder: PathBuf,
    new: Dependencies,
    refresh: bool,
) -> Result<Dependencies, transfer::Error> {
    let given_up = CancellationToken::new();
    let _guard = given_up.clone().drop_guard();
    let (answer, stored) = oneshot::channel();
    let store = shared.store.clone();
    shared.tasks.spawn(async move {
        let added = put(&*store, folder, new, &given_up).await;
        let added = match added {
            Ok(new) if refresh => store.add_fresh(&new).await.map(|()| new).map_err(Into::into),
            Ok(new) => store.add_dependencies(&new).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        // Nobody may be waiting for it any more.
        let _ = answer.send(added);
    });
    stored.await.unwrap_or(Err(transfer::Error::Stopped))
}

async fn put(
    store: &dyn store::ManagerStore,
    folder: PathBuf,
    new: Dependencies,
    given_up: &CancellationToken,
) -> Result<Dependencies, transfer::Error> {
    let stored = transfer::put(store, folder, &new.tree, given_up).await;
    if stored.is_err()
        && let Err(error) = store.drop_pieces(&new.tree).await
    {
        tracing::warn!(%error, "pieces of packages are left; the sweep deletes them");
    }
    let (size, pieces) = stored?;
    Ok(Dependencies { files: size.files, bytes: size.bytes, pieces, ..new })
}
