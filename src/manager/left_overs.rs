//! Sandboxes and folders that an earlier life of this manager has left.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    error_chain::chain,
    runtime::{Owner, Runtime},
};

/// Removes what an earlier life of this manager has left: sandboxes by label, instance folders. An
/// engine that does not answer does not keep the manager from starting: it has no sandbox running for it either.
pub async fn clean_up(runtime: &dyn Runtime, owner: &Owner, instances: &Path) -> anyhow::Result<()> {
    match runtime.remove_all(owner).await {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => tracing::info!(count = removed.len(), "left-over sandboxes removed"),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "cannot look for left-over sandboxes")
        }
    }
    // Not the folder itself: it must not be made again where somebody has deleted everything.
    let entries = match std::fs::read_dir(instances) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot empty {}", instances.display()));
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
