//! A function's folder on its way: packed by the client, checked by the registry, unpacked by a manager.
//!
//! An archive is a gzipped tar. Whoever made it, it is read by the same rules ([`read`]): files,
//! folders and links that stay inside; no `..`, no absolute paths, no devices, nothing twice, and
//! nothing that another reader of tar archives would understand differently ([`members`]). What
//! counts as its content is the tree of files and links, so that the [`Listing::digest`] of the same
//! files is the same from any client, whatever its times, owners, order or compression.
//!
//! Everything here blocks (files, compression); async callers use `spawn_blocking`.

mod check;
mod extension;
mod header;
mod ignore_rules;
mod left_out;
mod members;
mod pack;
mod packages;
mod path;
mod read;
mod scan;
mod unpack;

use std::{collections::BTreeMap, io, path::PathBuf};

use crate::{language, model::Digest};

pub use check::{CodeError, check_code, likely_module};
pub use left_out::{LeftOut, Reason};
pub use pack::{Packed, pack};
pub use read::read;
pub use unpack::unpack;

/// Size limit of an archive. A larger one is refused by client and gateway alike; it is held in memory.
pub const MAX_PACKED: usize = 64 * 1024 * 1024;
/// Limit of all files of an archive together, against archives that are small only while packed.
pub const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// Files and links in one archive.
pub const MAX_FILES: usize = 20_000;
/// Distinct folders in one archive, those of its files' paths included.
pub const MAX_FOLDERS: usize = 20_000;
/// Folders inside one another.
pub const MAX_DEPTH: usize = 100;
/// Limit of a name or text from an archive that an error repeats, in characters.
const MAX_SHOWN: usize = 100;

/// What is in an archive that was found to be in order.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Of the content: paths, contents, executable bits and links.
    pub digest: Digest,
    /// Of all files together, in bytes.
    pub size: u64,
    entries: BTreeMap<String, Kind>,
    texts: BTreeMap<&'static str, String>,
}

impl Listing {
    /// The text of `cloudfunc.toml`.
    pub fn manifest(&self) -> Option<&str> {
        self.texts.get(crate::manifest::FILE).map(String::as_str)
    }

    /// Whether there is a file or link of this path (`pkg/mod.py`).
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Whether a file or link lies in a folder of this path.
    pub fn has_folder(&self, path: &str) -> bool {
        let within = format!("{path}/");
        self.entries.range(within.clone()..).next().is_some_and(|(path, _)| path.starts_with(&within))
    }

    /// The paths of all files and links, in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

/// Files at the top whose text is kept in the [`Listing`], and the most bytes that each may have.
fn kept_texts() -> impl Iterator<Item = (&'static str, u64)> {
    let manifest = (crate::manifest::FILE, crate::manifest::MAX_BYTES as u64);
    let lists = language::dependency_files().map(|file| (file, language::MAX_DEPENDENCY_FILE));
    std::iter::once(manifest).chain(lists)
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File { executable: bool },
    Link { target: String },
}

/// Why a folder cannot be packed, or an archive not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the archive is not a gzipped tar, or is cut off")]
    Archive(#[source] io::Error),
    #[error(
        "the archive is {0}; it has to be a gzipped tar, as `tar -C folder -czf function.tgz .` makes it"
    )]
    OtherFormat(&'static str),
    /// Counted from 1, extensions included.
    #[error("header {number} of the archive {problem}; write the archive with tar --format=gnu")]
    Header { number: usize, problem: &'static str },
    #[error(
        "the archive goes on after its end, as when two are put one after the other; write all files into \
         one archive"
    )]
    AfterTheEnd,
    #[error("more than 20,000 folders; name what the function does not need in .cloudfuncignore")]
    TooManyFolders,
    #[error("more than {MAX_FILES} files; name what the function does not need in .cloudfuncignore")]
    TooManyFiles,
    #[error("more than 512 MiB of files; name what the function does not need in .cloudfuncignore")]
    TooLarge,
    #[error("more than 64 MiB when packed; name what the function does not need in .cloudfuncignore")]
    TooLargePacked,
    #[error("'{path}' {problem}")]
    Entry { path: String, problem: String },
}

impl Error {
    fn entry(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Entry { path: shorten(&path.into()), problem: problem.into() }
    }

    /// The same for a name that may be anything.
    fn entry_bytes(name: &[u8], problem: impl Into<String>) -> Self {
        Self::entry(String::from_utf8_lossy(name).escape_debug().to_string(), problem)
    }

    /// Whether the disk failed, and not the folder or archive.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Write { .. })
    }
}

/// A text of which an error repeats no more than its beginning.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
