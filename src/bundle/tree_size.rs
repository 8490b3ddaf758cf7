//! The size of a tree of installed packages, its limits, and the reasons why one is refused.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::{owner::owner, shorten};
use crate::language;

/// The limits of a tree, without its bytecode: that is made by the platform, and what is compiled for an author takes nothing
/// from what packages may have.
pub const MAX_TREE: TreeSize = TreeSize { files: 50_000, bytes: 512 * 1024 * 1024 };
/// The limits of a tree's bytecode: a file for each source, and a folder for each folder.
const MAX_BYTECODE: TreeSize = TreeSize { files: 100_000, bytes: 512 * 1024 * 1024 };

/// The reason why a tree cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("they have more than 50,000 files and folders")]
    TooManyFiles,
    #[error("they take more than 512 MiB")]
    TooLarge,
    #[error("their bytecode takes more than 512 MiB, or has more than 100,000 files and folders")]
    TooMuchBytecode,
    #[error("{} {problem}", shown(path, package.as_deref()))]
    Entry {
        path: String,
        problem: String,
        /// The package that brought it, as far as it is known.
        package: Option<String>,
    },
    #[error("cannot use {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the tree cannot be written or read")]
    Stream(#[source] io::Error),
}

impl TreeError {
    /// Returns whether the packages are at fault, and not the disk or the store.
    pub fn is_of_the_packages(&self) -> bool {
        matches!(self, Self::TooManyFiles | Self::TooLarge | Self::TooMuchBytecode | Self::Entry { .. })
    }

    /// Returns the error of a file or folder that cannot be read: the package chose its mode.
    pub(super) fn unreadable(path: &Path, error: Errno) -> Self {
        match error {
            Errno::ACCESS => {
                Self::entry(path, "cannot be read: its mode or that of its folder forbids it")
            }
            error => Self::Io { path: path.to_owned(), source: error.into() },
        }
    }

    pub(super) fn entry(path: &Path, problem: impl Into<String>) -> Self {
        let path = shorten(&path.display().to_string().escape_debug().to_string());
        Self::Entry { path, problem: problem.into(), package: None }
    }

    /// Names the package of the file that is at fault.
    pub(super) fn with_package(self, folder: &Path) -> Self {
        match self {
            Self::Entry { path, problem, package: None } => {
                let package = owner(folder, &path);
                Self::Entry { path, problem, package }
            }
            other => other,
        }
    }

    /// A rule of archives that a path breaks.
    pub(super) fn rule(error: super::Error) -> Self {
        match error {
            // Its advice, which comes last, is for files that can be renamed or left out.
            super::Error::Entry { path, mut problem } => {
                problem.truncate(problem.rfind(';').unwrap_or(problem.len()));
                Self::Entry { path, problem, package: None }
            }
            other => Self::Stream(io::Error::other(other)),
        }
    }

    /// A rule of archives that a link breaks.
    pub(super) fn link_rule(path: &Path, error: super::Error) -> Self {
        match Self::rule(error) {
            Self::Entry { problem, .. } if problem.ends_with("', out of the folder") => {
                Self::entry(path, "is a link that leads out of them")
            }
            other => other,
        }
    }
}

fn shown(path: &str, package: Option<&str>) -> String {
    match package {
        Some(package) => format!("the file '{path}' of the package {package}"),
        None => format!("their file '{path}'"),
    }
}

/// The size of a tree, without its bytecode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeSize {
    /// The number of files and links; while it is measured, of folders too.
    pub files: u64,
    /// The size of all files together, in bytes.
    pub bytes: u64,
}

/// The size of a tree so far, and its limits.
pub(super) struct Count {
    pub(super) size: TreeSize,
    bytecode: TreeSize,
    most: TreeSize,
}

impl Count {
    /// `most`: the limits without bytecode.
    pub(super) fn up_to(most: TreeSize) -> Self {
        Self { size: TreeSize::default(), bytecode: TreeSize::default(), most }
    }

    /// Adds a file at this path of the tree; fails over the limits.
    pub(super) fn add(&mut self, path: &Path, bytes: u64) -> Result<(), TreeError> {
        let is_bytecode = path.iter().any(language::is_bytecode_folder);
        let (size, most) = match is_bytecode {
            true => (&mut self.bytecode, MAX_BYTECODE),
            false => (&mut self.size, self.most),
        };
        size.files += 1;
        size.bytes = size.bytes.saturating_add(bytes);
        match (size.files > most.files, size.bytes > most.bytes) {
            (false, false) => Ok(()),
            _ if is_bytecode => Err(TreeError::TooMuchBytecode),
            (true, _) => Err(TreeError::TooManyFiles),
            _ => Err(TreeError::TooLarge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_limits() {
        let of = |files, bytes| Count {
            size: TreeSize { files, bytes },
            bytecode: TreeSize { files: MAX_BYTECODE.files - 1, bytes },
            most: MAX_TREE,
        };
        let add = |count: &mut Count, path: &str| {
            count.add(path.as_ref(), 1).map_err(|error| error.to_string())
        };
        let mut count = of(MAX_TREE.files - 1, 0);
        add(&mut count, "a.py").unwrap();
        assert_eq!(add(&mut count, "b.py").unwrap_err(), "they have more than 50,000 files and folders");
        // Bytecode takes nothing from them, and has limits of its own.
        add(&mut count, "a/__pycache__/a.cpython-312.pyc").unwrap();
        let too_much =
            "their bytecode takes more than 512 MiB, or has more than 100,000 files and folders";
        assert_eq!(add(&mut count, "__pycache__").unwrap_err(), too_much);
        let mut count = of(0, MAX_TREE.bytes);
        assert_eq!(add(&mut count, "a.py").unwrap_err(), "they take more than 512 MiB");
        assert_eq!(add(&mut count, "__pycache__/a.pyc").unwrap_err(), too_much);
    }
}
