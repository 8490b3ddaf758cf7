//! A function's folder in transit: packed by the client, checked by the registry, unpacked by a manager.
//!
//! An archive is a gzipped tar. Whoever made it, it is read by the same rules ([`read`]): files, folders and
//! links that stay inside; no `..`, no absolute paths, no devices, no duplicates, and nothing that another
//! reader of tar archives would understand differently ([`members`]). Only the tree of files and links counts
//! as its content, so the [`Listing::digest`] of the same files is the same from any client, whatever their
//! times, owners, order or compression.
//!
//! Everything here blocks (files, compression); async callers use `spawn_blocking`.

mod advice;
mod check;
mod command;
mod docker_rules;
mod extension;
mod header;
mod ignore_rules;
mod include;
mod left_out;
mod members;
mod owner;
mod pack;
mod packages;
mod path;
mod program;
mod read;
mod scan;
mod tree;
mod tree_size;
mod unpack;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    language,
    manifest::{self, ManifestError},
    model::{Digest, Language},
};

use self::program::Program;
pub use advice::{
    BOOTSTRAP_NOT_EXECUTABLE, for_lambda as advice_for_lambda, for_program as advice_for_program,
    for_sources, likely_module,
};
pub use check::{CodeError, check_built_code, check_code, check_runnable};
pub use command::{ProgramError, program_file, remarks};
pub use include::check_includes;
pub use left_out::{LeftOut, Reason};
pub use owner::python_package;
pub use pack::{Packed, pack};
pub use read::read;
pub use tree::{measure, pack_tree, pack_tree_without, unpack_tree};
pub use tree_size::{MAX_TREE, TreeError, TreeSize};
pub use unpack::unpack;

/// The size limit of an archive, in bytes. A larger one is refused by client and gateway alike; it is held in
/// memory.
pub const MAX_PACKED: usize = 64 * 1024 * 1024;
/// The size limit of all files of an archive together, in bytes; it guards against archives that are small only
/// while packed.
pub const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// The limit of files and links in one archive.
pub const MAX_FILES: usize = 20_000;
/// The limit of distinct folders in one archive, including those of its files' paths.
pub const MAX_FOLDERS: usize = 20_000;
/// The limit of nested folders.
pub const MAX_DEPTH: usize = 100;
/// The limit of links that are followed to a file.
const MAX_LINKS: usize = 16;
/// The limit of the text from an archive that an error repeats, in characters.
const MAX_SHOWN: usize = 100;

/// The content of an archive that was checked and accepted.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The digest of the content: paths, contents, executable bits and links.
    pub digest: Digest,
    /// The size of all files together, in bytes.
    pub size: u64,
    entries: BTreeMap<String, Kind>,
    texts: BTreeMap<&'static str, String>,
    /// Executable files, by the same paths.
    programs: BTreeMap<String, Program>,
}

impl Listing {
    /// Returns the text of `cloudfunc.toml`.
    pub fn manifest(&self) -> Option<&str> {
        self.texts.get(crate::manifest::FILE).map(String::as_str)
    }

    /// Returns the text that describes the function: its manifest, or what a folder without one means. That is a function in
    /// the default language, or a native program where an executable `bootstrap` is there and the former's file is not.
    pub fn description(&self) -> &str {
        let is_program = || {
            matches!(self.file_at(manifest::BOOTSTRAP), Some((_, true)))
                && !default_files().iter().any(|file| self.has(file))
        };
        match self.manifest() {
            Some(text) => text,
            None if is_program() => manifest::OF_A_PROGRAM,
            None => "",
        }
    }

    /// Returns the text of a file at the top that lists dependencies.
    pub fn dependency_file(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Returns whether there is a file or link at this path (`pkg/mod.py`).
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Returns the file that a path leads to, through links, with whether it is executable; none if it leads to no file.
    fn file_at(&self, path: &str) -> Option<(String, bool)> {
        let mut path = path.to_owned();
        for _ in 0..=MAX_LINKS {
            let link = path::parents(&path).chain([path.as_str()]).find_map(|part| {
                match self.entries.get(part) {
                    Some(Kind::Link { target }) => Some((part, target)),
                    _ => None,
                }
            });
            let Some((link, target)) = link else {
                return match self.entries.get(&path)? {
                    Kind::File { executable } => Some((path.clone(), *executable)),
                    Kind::Link { .. } => None,
                };
            };
            let joined = format!("{}{}", path::target(link, target), &path[link.len()..]);
            path = joined.trim_start_matches('/').to_owned();
        }
        None
    }

    /// Returns whether a file or link lies in the folder at this path.
    pub fn has_folder(&self, path: &str) -> bool {
        let within = format!("{path}/");
        self.entries.range(within.clone()..).next().is_some_and(|(path, _)| path.starts_with(&within))
    }

    /// Returns the paths of all files and links, in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

/// Returns whether a folder on the disk, without a manifest, is that of a native program: see [`Listing::description`].
pub fn is_programs(folder: &Path) -> bool {
    let is_executable = fs::metadata(folder.join(manifest::BOOTSTRAP))
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    let is_there = |file: &str| fs::symlink_metadata(folder.join(file)).is_ok();
    is_executable && !is_there(manifest::FILE) && !default_files().iter().any(|file| is_there(file))
}

/// Returns the files that hold the handler of a function that names neither language nor handler.
fn default_files() -> Vec<String> {
    let grammar = &Language::DEFAULT.facts().handler;
    (grammar.files)(grammar.default)
}

/// Returns the files at the top whose text is kept in the [`Listing`], each with its size limit in bytes.
fn kept_texts() -> impl Iterator<Item = (&'static str, u64)> {
    let manifest = (crate::manifest::FILE, crate::manifest::MAX_BYTES as u64);
    let lists = language::dependency_files().map(|file| (file, language::MAX_DEPENDENCY_FILE));
    std::iter::once(manifest).chain(lists)
}

/// The kind of entry at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File { executable: bool },
    Link { target: String },
}

/// The reason why a folder cannot be packed, or an archive cannot be used.
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
    /// Headers are counted from 1, including those of extensions.
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
    /// The manifest includes a folder that cannot be packed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("'{path}' {problem}")]
    Entry { path: String, problem: String },
}

impl Error {
    fn entry(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Entry { path: shorten(&path.into()), problem: problem.into() }
    }

    /// Like `entry`, for a name that may be any bytes.
    fn entry_bytes(name: &[u8], problem: impl Into<String>) -> Self {
        Self::entry(String::from_utf8_lossy(name).escape_debug().to_string(), problem)
    }

    /// Returns whether the cause is the disk, and not the folder or archive.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Write { .. })
    }
}

/// Shortens a text that an error repeats.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
