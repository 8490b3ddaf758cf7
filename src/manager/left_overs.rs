//! Sandboxes and folders that an earlier life of this manager has left.

use std::{fs, io, path::Path};

use anyhow::Context as _;

use super::instance::folder::remove_folder;
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
    let folder = instances.to_owned();
    let emptied = tokio::task::spawn_blocking(move || empty(&folder)).await;
    emptied
        .map_err(io::Error::from)
        .flatten()
        .with_context(|| format!("cannot empty {}", instances.display()))
}

/// Removes everything in a folder. Not the folder itself: it must not be made again where somebody has deleted everything.
/// Code in sandboxes wrote what is there, so that nothing in it may keep the manager from starting.
fn empty(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    entries.flatten().for_each(|entry| remove_folder(&entry.path()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_code_has_left_goes_and_the_folder_stays() {
        let dir = tempfile::tempdir().unwrap();
        let instances = dir.path().join("instances");
        empty(&instances).unwrap();
        assert!(!instances.exists());
        let locked = instances.join("one/output/d");
        fs::create_dir_all(locked.join("x")).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        fs::write(instances.join("file"), "").unwrap();
        empty(&instances).unwrap();
        assert_eq!(fs::read_dir(&instances).unwrap().count(), 0);
        assert!(empty(&dir.path().join("instances/none")).is_ok());
    }
}
