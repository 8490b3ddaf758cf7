//! Reading an archive that nobody vouches for, without unpacking it.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use super::{Error, KEPT_TEXTS, Kind, Listing, MAX_FILES, MAX_TEXT, MAX_UNPACKED, path};
use crate::model::Digest;

/// Of the tar itself: the files, and for each file up to 20,000 of them a header and padding.
const MAX_TAR: u64 = MAX_UNPACKED + 64 * 1024 * 1024;
/// Headers of any kind, folders and long names included.
const MAX_HEADERS: usize = 5 * MAX_FILES;
/// Of a long name or a block of extended attributes, which tar readers hold in memory.
const MAX_EXTENSION: u64 = 64 * 1024;

/// Checks every rule and says what the archive holds.
pub fn read(bytes: &[u8]) -> Result<Listing, Error> {
    let mut entries: BTreeMap<String, Kind> = BTreeMap::new();
    let mut hashes: BTreeMap<String, [u8; 32]> = BTreeMap::new();
    let mut texts = BTreeMap::new();
    let mut size = 0;
    walk(bytes, |path, kind, content| {
        if let Some(name) = KEPT_TEXTS.into_iter().find(|name| *name == path) {
            texts.insert(name, text(path, &kind, content)?);
        }
        let mut hasher = Sha256::new();
        if let Some(text) = texts.get(path) {
            hasher.update(text);
            size += text.len() as u64;
        } else {
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
            return Err(Error::entry(path, format!("lies in '{parent}', which is no folder")));
        }
    }
    Ok(Listing { digest: digest(&entries, &hashes), size, entries, texts })
}

/// Calls `visit` for each file and link, in the archive's order, with its clean path and content.
pub(super) fn walk(
    bytes: &[u8],
    mut visit: impl FnMut(&str, Kind, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    survey(bytes)?;
    let mut archive = Archive::new(MultiGzDecoder::new(bytes).take(MAX_TAR));
    let mut files = 0;
    let mut total: u64 = 0;
    for entry in archive.entries().map_err(Error::Archive)? {
        let mut entry = entry.map_err(Error::Archive)?;
        let path = path::clean(&entry.path_bytes())?;
        let kind = match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            _ if path.is_empty() => return Err(Error::entry(".", "is no file name")),
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().map_err(Error::Archive)?;
                Kind::File { executable: mode & 0o111 != 0 }
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                Kind::Link { target: path::clean_link(&path, &target)? }
            }
            other => return Err(Error::entry(path, refusal(other))),
        };
        files += 1;
        total = total.saturating_add(entry.size());
        if files > MAX_FILES {
            return Err(Error::TooManyFiles);
        }
        if total > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        visit(&path, kind, &mut entry)?;
    }
    Ok(())
}

/// Looks at the bare headers once, so that the reader proper is never made to hold a huge extension,
/// and through to the end, so that a cut-off archive is noticed by its checksum.
fn survey(bytes: &[u8]) -> Result<(), Error> {
    let mut reader = MultiGzDecoder::new(bytes).take(MAX_TAR);
    let mut archive = Archive::new(&mut reader);
    let mut headers = 0;
    for entry in archive.entries().map_err(Error::Archive)?.raw(true) {
        let entry = entry.map_err(Error::Archive)?;
        let kind = entry.header().entry_type();
        let extension = kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions();
        headers += 1;
        if headers > MAX_HEADERS {
            return Err(Error::TooManyFiles);
        }
        if entry.size() > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        if extension && entry.size() > MAX_EXTENSION {
            let path = String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string();
            return Err(Error::entry(path, "has a name or attributes that are too long"));
        }
    }
    io::copy(&mut reader, &mut io::sink()).map_err(Error::Archive)?;
    if reader.limit() == 0 { Err(Error::TooLarge) } else { Ok(()) }
}

fn refusal(kind: EntryType) -> String {
    let what = match kind {
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    };
    format!("is {what}; only files, folders and symbolic links can be deployed")
}

fn text(path: &str, kind: &Kind, content: &mut dyn Read) -> Result<String, Error> {
    if !matches!(kind, Kind::File { .. }) {
        return Err(Error::entry(path, "must be a file, not a link"));
    }
    let mut bytes = Vec::new();
    content.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(Error::Archive)?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(Error::entry(path, "is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| Error::entry(path, "is not UTF-8"))
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

/// Frozen: revisions are compared by it. Per entry, in the order of the paths: a letter for the kind,
/// the path, a NUL, then the SHA-256 of the content or the target and a NUL.
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
