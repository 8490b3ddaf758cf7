//! Unpacks an archive into a new folder.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::{Error, Kind, Listing, path, read, read::walk};
use crate::manifest;

/// Checks the archive, then unpacks it into `folder`, which must not exist yet. Folders and executable files
/// get mode 0755, other files 0644, whatever the umask: a sandbox runs as another user. The manifest is left out: it is for
/// the platform, and has variables that the function's own code is given, and nobody else. After an error, the folder is
/// removed again.
pub fn unpack(bytes: &[u8], folder: &Path) -> Result<Listing, Error> {
    let listing = read(bytes)?;
    let failed = |source| Error::Write { path: folder.to_owned(), source };
    fs::create_dir(folder).map_err(failed)?;
    let filled = fill(bytes, folder, &listing);
    if filled.is_err() {
        // The first error counts; at worst, the folder stays as a leftover.
        let _ = fs::remove_dir_all(folder);
    }
    filled.map(|()| listing)
}

fn fill(bytes: &[u8], folder: &Path, listing: &Listing) -> Result<(), Error> {
    make_folders(folder, listing)?;
    walk(bytes, |path, kind, content| match kind {
        Kind::File { .. } if path == manifest::FILE => Ok(()),
        Kind::File { executable } => write_file(&folder.join(path), executable, content),
        Kind::Link { .. } => Ok(()),
    })
    .map(drop)?;
    // Links come last, so that no file can be written through one.
    for (path, kind) in &listing.entries {
        if let Kind::Link { target } = kind {
            let path = folder.join(path);
            symlink(target, &path).map_err(|source| Error::Write { path, source })?;
        }
    }
    Ok(())
}

fn make_folders(folder: &Path, listing: &Listing) -> Result<(), Error> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    folders.extend(listing.paths().flat_map(path::parents).map(|parent| folder.join(parent)));
    folders.sort();
    folders.dedup();
    for path in folders {
        let made = match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::set_permissions(&path, Permissions::from_mode(0o755)),
        };
        made.map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

pub(super) fn write_file(path: &Path, executable: bool, content: &mut dyn Read) -> Result<(), Error> {
    let mode = if executable { 0o755 } else { 0o644 };
    let mut write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        io::copy(content, &mut file)?;
        file.set_permissions(Permissions::from_mode(mode))
    };
    write().map_err(|source| Error::Write { path: path.to_owned(), source })
}
