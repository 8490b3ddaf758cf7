//! Reads an untrusted archive without unpacking it.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Read},
};

use sha2::{Digest as _, Sha256};

use super::{
    Error, Kind, Listing, MAX_DEPTH, MAX_FILES, MAX_FOLDERS, MAX_UNPACKED,
    members::{MemberKind, Members},
    path,
    program::{self, Program},
    shorten,
};
use crate::{model::Digest, units::show_bytes};

/// Checks every rule and returns the content of the archive.
pub fn read(bytes: &[u8]) -> Result<Listing, Error> {
    let mut entries: BTreeMap<String, Kind> = BTreeMap::new();
    let mut hashes: BTreeMap<String, [u8; 32]> = BTreeMap::new();
    let mut texts = BTreeMap::new();
    let mut programs: BTreeMap<String, Program> = BTreeMap::new();
    let mut size = 0;
    let folders = walk(bytes, |path, kind, content| {
        if let Some((name, limit)) = super::kept_texts().find(|(name, _)| *name == path) {
            texts.insert(name, text(path, &kind, content, limit)?);
        }
        let mut hasher = Sha256::new();
        if let Some(text) = texts.get(path) {
            hasher.update(text);
            size += text.len() as u64;
        } else {
            if kind == (Kind::File { executable: true }) {
                let head = beginning(content).map_err(Error::Archive)?;
                hasher.update(&head);
                size += head.len() as u64;
                programs.insert(path.to_owned(), program::of(&head));
            }
            size += hash(content, &mut hasher).map_err(Error::Archive)?;
        }
        hashes.insert(path.to_owned(), hasher.finalize().into());
        match entries.insert(path.to_owned(), kind) {
            None => Ok(()),
            Some(_) => Err(Error::entry(path, "is there twice")),
        }
    })?;
    for path in entries.keys() {
        if let Some(parent) = path::parents(path).find(|parent| entries.contains_key(*parent)) {
            return Err(Error::entry(
                path,
                format!("lies in '{}', which is not a folder", shorten(parent)),
            ));
        }
    }
    if let Some(path) = entries.keys().find(|path| folders.0.contains(*path)) {
        return Err(Error::entry(path, "is there twice, once as a folder"));
    }
    Ok(Listing { digest: digest(&entries, &hashes), size, entries, texts, programs })
}

/// Calls `visit` for each file and link, in the archive's order, with its clean path and content. Returns the
/// folders that are named or needed.
pub(super) fn walk(
    bytes: &[u8],
    mut visit: impl FnMut(&str, Kind, &mut dyn Read) -> Result<(), Error>,
) -> Result<Folders, Error> {
    if let Some(other) = other_format(bytes) {
        return Err(Error::OtherFormat(other));
    }
    let mut members = Members::new(bytes);
    let mut folders = Folders::default();
    let mut files = 0;
    let mut total: u64 = 0;
    while let Some(member) = members.next()? {
        let path = path::clean(&member.name)?;
        let kind = match member.kind {
            MemberKind::Folder => {
                folders.add(&path)?;
                continue;
            }
            _ if path.is_empty() => return Err(Error::entry(".", "is not a file name")),
            MemberKind::File { executable } => Kind::File { executable },
            MemberKind::Link { target } => Kind::Link { target: path::clean_link(&path, &target)? },
            MemberKind::Refused(problem) => return Err(Error::entry(path, problem)),
        };
        folders.add(path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        files += 1;
        total = total.saturating_add(member.size);
        if files > MAX_FILES {
            return Err(Error::TooManyFiles);
        }
        if total > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        visit(&path, kind, &mut members.content())?;
    }
    Ok(folders)
}

/// The distinct folders of a tree. They are counted before any is created: a path of 1,024 bytes can name 512
/// of them.
#[derive(Default)]
pub(super) struct Folders(HashSet<String>);

impl Folders {
    /// Adds a folder and the folders that contain it; the root does not count.
    pub fn add(&mut self, folder: &str) -> Result<(), Error> {
        if folder.is_empty() {
            return Ok(());
        }
        if folder.matches('/').count() >= MAX_DEPTH {
            return Err(Error::entry(folder, format!("lies more than {MAX_DEPTH} folders deep")));
        }
        let mut folder = Some(folder);
        while let Some(path) = folder.filter(|path| !self.0.contains(*path)) {
            if self.0.len() == MAX_FOLDERS {
                return Err(Error::TooManyFolders);
            }
            self.0.insert(path.to_owned());
            folder = path.rsplit_once('/').map(|(parent, _)| parent);
        }
        Ok(())
    }
}

/// Returns the format of the bytes, if it is known and not gzip.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let is_tar = bytes.get(257..262) == Some(b"ustar");
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    match () {
        () if begins(b"PK\x03\x04") => Some("a zip file"),
        () if begins(b"BZh") => Some("packed with bzip2"),
        () if begins(b"\xfd7zXZ\0") => Some("packed with xz"),
        () if begins(b"\x28\xb5\x2f\xfd") => Some("packed with zstd"),
        () if is_tar => Some("a tar without gzip"),
        () => None,
    }
}

fn text(path: &str, kind: &Kind, content: &mut dyn Read, limit: u64) -> Result<String, Error> {
    if !matches!(kind, Kind::File { .. }) {
        return Err(Error::entry(path, "must be a file, not a link"));
    }
    let mut bytes = Vec::new();
    content.take(limit + 1).read_to_end(&mut bytes).map_err(Error::Archive)?;
    if bytes.len() as u64 > limit {
        return Err(Error::entry(path, format!("is larger than {}", show_bytes(limit))));
    }
    String::from_utf8(bytes).map_err(|_| Error::entry(path, "is not UTF-8"))
}

fn beginning(content: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    content.take(program::HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn hash(content: &mut dyn Read, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(size),
            n => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

/// Computes the digest. Its definition is frozen: revisions are compared by it. Per entry, in the order of the
/// paths: a letter for the kind, the path, a NUL, then the SHA-256 of the content or the target and a NUL.
fn digest(entries: &BTreeMap<String, Kind>, hashes: &BTreeMap<String, [u8; 32]>) -> Digest {
    let mut tree = b"cloudfunc tree 1\n".to_vec();
    for (path, kind) in entries {
        tree.push(match kind {
            Kind::File { executable: false } => b'f',
            Kind::File { executable: true } => b'x',
            Kind::Link { .. } => b'l',
        });
        tree.extend_from_slice(path.as_bytes());
        tree.push(0);
        match kind {
            Kind::File { .. } => tree.extend_from_slice(&hashes[path]),
            Kind::Link { target } => {
                tree.extend_from_slice(target.as_bytes());
                tree.push(0);
            }
        }
    }
    Digest::of(&tree)
}
