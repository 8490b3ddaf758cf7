//! Packing a folder: the same files give the same bytes.

use std::{
    fs,
    io::{self, Read as _, Write},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use ignore::WalkBuilder;
use tar::{Builder, EntryType, Header};

use super::{Error, Listing, MAX_FILES, MAX_PACKED, MAX_UNPACKED, read};

/// Folders that are never part of a function.
const NEVER: [&str; 2] = [".git", "__pycache__"];

/// A folder as one archive.
#[derive(Debug, Clone)]
pub struct Packed {
    pub bytes: Bytes,
    pub listing: Listing,
}

/// Packs what `.gitignore` (those of parent folders in the same repository included) and
/// `.cloudfuncignore` leave. The archive obeys every rule that [`read`] checks.
pub fn pack(folder: &Path) -> Result<Packed, Error> {
    if !folder.is_dir() {
        return Err(Error::NotAFolder(folder.to_owned()));
    }
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut tar = Builder::new(gzip.write(Capped(Vec::new()), Compression::default()));
    let mut total = 0;
    for file in files(folder)? {
        append(&mut tar, folder, &file, &mut total)?;
    }
    let bytes = tar.into_inner().and_then(GzEncoder::finish).map_err(write_error)?.0;
    Ok(Packed { listing: read(&bytes)?, bytes: bytes.into() })
}

/// Everything but folders, relative to the folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let walk = WalkBuilder::new(folder)
        .standard_filters(false)
        .git_ignore(true)
        .parents(true)
        .require_git(false)
        .add_custom_ignore_filename(".cloudfuncignore")
        .filter_entry(|entry| !NEVER.iter().any(|name| entry.file_name() == *name))
        .build();
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.map_err(Error::Walk)?;
        if entry.depth() == 0 || entry.file_type().is_some_and(|kind| kind.is_dir()) {
            continue;
        }
        if files.len() == MAX_FILES {
            return Err(Error::TooManyFiles);
        }
        let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        files.push(relative.to_owned());
    }
    files.sort();
    Ok(files)
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    folder: &Path,
    file: &Path,
    total: &mut u64,
) -> Result<(), Error> {
    let full = folder.join(file);
    let unreadable = |source| Error::Read { path: full.clone(), source };
    let metadata = fs::symlink_metadata(&full).map_err(unreadable)?;
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    if metadata.is_symlink() {
        let target = fs::read_link(&full).map_err(unreadable)?;
        // Checked here as well as in `read`: tar would refuse or change some targets by itself.
        let name = super::path::clean(file.as_os_str().as_bytes())?;
        let target = super::path::clean_link(&name, target.as_os_str().as_bytes())?;
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        return tar.append_link(&mut header, file, target).map_err(write_error);
    }
    if !metadata.is_file() {
        let problem = "is no file, folder or symbolic link; name it in .cloudfuncignore";
        return Err(Error::entry(file.display().to_string(), problem));
    }
    let mut content = Vec::new();
    let opened = fs::File::open(&full).map_err(unreadable)?;
    opened.take(MAX_UNPACKED + 1 - *total).read_to_end(&mut content).map_err(unreadable)?;
    *total += content.len() as u64;
    if *total > MAX_UNPACKED {
        return Err(Error::TooLarge);
    }
    let executable = metadata.permissions().mode() & 0o111 != 0;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, file, content.as_slice()).map_err(write_error)
}

/// Nothing but the limit can fail when writing into memory.
fn write_error(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge {
        Error::TooLargePacked
    } else {
        Error::Archive(error)
    }
}

/// A buffer that ends at [`MAX_PACKED`].
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PACKED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
