//! Folders from outside the function's own (`[build] include`), found on the disk.
//!
//! Only folders of the same repository can be included: what a manifest that somebody else wrote packs is part
//! of that repository, and never a file that happens to lie on this machine.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use super::{Error, Kind, Listing, path::clean_link};
use crate::manifest::{self, Include, ManifestError};

/// The folders whose files are packed: the function's own, and those that its manifest includes.
#[derive(Debug)]
pub(super) struct Places {
    /// The function's folder, as it was named.
    folder: PathBuf,
    pub included: Vec<Included>,
}

/// A folder that is packed under its name beside the function's own files.
#[derive(Debug)]
pub(super) struct Included {
    pub include: Include,
    /// Without links.
    pub folder: PathBuf,
}

impl Places {
    /// Finds the folders that the manifest in `folder` includes.
    pub fn find(folder: &Path, includes: Vec<Include>) -> Result<Self, Error> {
        let mut places = Self { folder: folder.to_owned(), included: Vec::new() };
        if includes.is_empty() {
            return Ok(places);
        }
        let own =
            folder.canonicalize().map_err(|source| Error::Read { path: folder.to_owned(), source })?;
        let repository = own.ancestors().find(|above| above.join(".git").exists());
        for include in includes {
            let found = match repository {
                Some(repository) => locate(&own, repository, &include.path),
                None => Err(format!(
                    "{} is not in a repository, and only folders of the same repository can be included; run \
                     `git init` in the folder that holds both",
                    folder.display()
                )),
            };
            let found = found.and_then(|found| {
                match places.included.iter().find(|other| other.folder == found) {
                    Some(other) => Err(format!(
                        "it is the same folder as '{}' ({}); remove one of the two",
                        other.include.path,
                        found.display()
                    )),
                    None => Ok(found),
                }
            });
            match found {
                Ok(folder) => places.included.push(Included { include, folder }),
                Err(problem) => return Err(places.error(&include, &problem)),
            }
        }
        Ok(places)
    }

    /// Makes an error about an include.
    pub fn error(&self, include: &Include, problem: &str) -> Error {
        let file = self.folder.join(manifest::FILE).display().to_string();
        let message = format!("`build.include` has '{}': {problem}", include.path);
        Error::Manifest(include.error(&file, message))
    }

    /// Returns where the file lies that is packed at this path.
    pub fn full(&self, path: &Path) -> PathBuf {
        match self.included_at(path) {
            Some((included, rest)) => included.folder.join(rest),
            None => self.folder.join(path),
        }
    }

    /// Returns the target of a link in the form in which it is packed. A link in an included folder has to stay
    /// in that folder: what it would reach outside of it is not where it was.
    pub fn link(&self, path: &Path, target: &OsStr) -> Result<String, Error> {
        let name = super::path::clean(path.as_os_str().as_bytes())?;
        if let Some((_, rest)) = self.included_at(path) {
            let within = super::path::clean(rest.as_os_str().as_bytes())?;
            clean_link(&within, target.as_bytes()).map_err(|error| match error {
                Error::Entry { problem, .. } => Error::entry(&name, problem),
                other => other,
            })?;
        }
        clean_link(&name, target.as_bytes())
    }

    /// Returns the include that a path belongs to, and the rest of the path.
    fn included_at<'p>(&self, path: &'p Path) -> Option<(&Included, &'p Path)> {
        self.included.iter().find_map(|included| {
            let rest = path.strip_prefix(&included.include.name).ok()?;
            Some((included, rest))
        })
    }

    /// Refuses includes whose name a file or folder of the function has, too. `own` are the function's files.
    pub fn refuse_clashes(&self, own: &[PathBuf]) -> Result<(), Error> {
        for included in &self.included {
            let name = &included.include.name;
            if own.iter().any(|path| path.starts_with(name)) {
                let mine = self.folder.join(name);
                let problem = format!(
                    "it would be packed as '{name}', and the function has {} itself; rename one of the two, or \
                     exclude the function's own in .cloudfuncignore",
                    mine.display()
                );
                return Err(self.error(&included.include, &problem));
            }
        }
        Ok(())
    }
}

/// Returns the folder that `path` leads to from the function's folder. Both absolute paths are without links.
fn locate(own: &Path, repository: &Path, path: &str) -> Result<PathBuf, String> {
    let mut wanted = own.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(wanted.pop()),
            Component::Normal(name) => wanted.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let outside = |found: &Path| {
        format!(
            "{} lies outside the repository {}, and only folders in it can be included; copy or move it into the \
             repository",
            found.display(),
            repository.display()
        )
    };
    if !wanted.starts_with(repository) {
        return Err(outside(&wanted));
    }
    let full = wanted.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            format!("there is no folder {}; correct the path, or make the folder", wanted.display())
        }
        _ => format!("{} cannot be read: {error}", wanted.display()),
    })?;
    let Ok(within) = full.strip_prefix(repository) else {
        return Err(format!("it is a link, and {}", outside(&full)));
    };
    if within.components().any(|component| component.as_os_str() == ".git") {
        return Err(format!("{} lies in .git, which is never packed; remove it", full.display()));
    }
    if !full.is_dir() {
        return Err(format!(
            "{} is a file, and only folders can be included; put it into a folder and include that",
            full.display()
        ));
    }
    if own == full {
        return Err("it is the function's own folder, which is packed anyway; remove it".to_owned());
    }
    if own.starts_with(&full) {
        return Err(format!(
            "{} contains the function's own folder; name the folders in it that the function needs",
            full.display()
        ));
    }
    if full.starts_with(own) {
        return Err(format!(
            "{} lies in the function's own folder, which is packed anyway; remove it",
            full.display()
        ));
    }
    Ok(full)
}

/// Checks that an uploaded archive holds the folders that its manifest includes: the client that packs it puts
/// them there.
pub fn check_includes(listing: &Listing, includes: &[Include]) -> Result<(), ManifestError> {
    let missing = includes.iter().find(|include| !listing.has_folder(&include.name));
    let Some(include) = missing else { return Ok(()) };
    let what = match listing.entries.get(&include.name) {
        Some(Kind::File { .. } | Kind::Link { .. }) => "is not a folder in the archive",
        None => "is not in the archive",
    };
    let message = format!(
        "`build.include` has '{}', but '{}' {what}; `cloudfunc deploy` packs it, another client has to add it",
        include.path, include.name
    );
    Err(include.error(manifest::FILE, message))
}
