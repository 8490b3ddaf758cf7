//! Packing a folder: the same files give the same bytes.

use std::{
    fs,
    io::{self, Read as _, Write},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use rustix::fs::OFlags;
use tar::{Builder, EntryType, Header};

use super::{
    Error, Kind, LeftOut, Listing, MAX_PACKED, MAX_UNPACKED,
    docker_rules::DockerRules,
    include::Places,
    is_programs,
    left_out::shown,
    packages, path, read,
    scan::{NODE_MODULES, Scanned, Wanted, scan},
};
use crate::{
    manifest::{self, Defaults, Manifest},
    model::Code,
};

/// The maximum number of links with a warning of their own.
const MAX_LINKS_TOLD: usize = 3;

/// A folder packed as an archive.
#[derive(Debug, Clone)]
pub struct Packed {
    pub bytes: Bytes,
    pub listing: Listing,
    pub left_out: LeftOut,
    /// Warnings about packed files that will probably not work.
    pub warnings: Vec<String>,
}

/// Packs a folder. Left out are the files that `.gitignore` (including those of parent folders in the same
/// repository), `.git/info/exclude` and `.cloudfuncignore` name, files that no function needs, and files that
/// may hold secrets; of a function with a Dockerfile, those that `.dockerignore` and `.cloudfuncignore` name, and secrets.
/// Folders that the manifest includes are packed by the same rules, under their names. The archive obeys every rule that
/// [`read`] checks.
pub fn pack(folder: &Path) -> Result<Packed, Error> {
    if !folder.is_dir() {
        return Err(Error::NotAFolder(folder.to_owned()));
    }
    let manifest = manifest_of(folder);
    let code = manifest.as_ref().map(|manifest| manifest.spec.code.clone());
    let wanted = code.as_ref().map_or(Ok(Wanted::Code), |code| wanted(folder, code))?;
    let includes = manifest.map(|manifest| manifest.include).unwrap_or_default();
    let places = Places::find(folder, includes)?;
    let Scanned { files, left_out, records } = scan(folder, &places, wanted)?;
    let gzip = GzBuilder::new().mtime(0).operating_system(255);
    let mut tar = Builder::new(gzip.write(Capped(Vec::new()), Compression::default()));
    let mut total = 0;
    for file in &files {
        append(&mut tar, &places, file, &mut total)?;
    }
    let bytes = tar.into_inner().and_then(GzEncoder::finish).map_err(write_error)?.0;
    let listing = read(&bytes)?;
    let mut warnings = packages::incomplete(&places, &records, &files, &left_out);
    warnings.extend(lost_links(&listing, &left_out));
    if let Some(code) = code {
        warnings.extend(packages::unread(folder, &code, &listing));
    }
    Ok(Packed { bytes: bytes.into(), listing, left_out, warnings })
}

/// Returns the folder's manifest, or that of a folder without one. Errors in it are reported by the check that follows.
fn manifest_of(folder: &Path) -> Option<Manifest> {
    let mut text = String::new();
    if let Ok(file) = fs::File::open(folder.join(manifest::FILE)) {
        file.take(manifest::MAX_BYTES as u64).read_to_string(&mut text).ok()?;
    } else if is_programs(folder) {
        text.push_str(manifest::OF_A_PROGRAM);
    }
    manifest::parse(&text, manifest::FILE, &Defaults::default()).ok()
}

/// Returns what is packed; `node_modules` for an image, and for a language whose packages are in that folder.
fn wanted(folder: &Path, code: &Code) -> Result<Wanted, Error> {
    Ok(match code {
        Code::Image { .. } => Wanted::CodeWithModules,
        Code::Dockerfile { dockerfile, .. } => {
            Wanted::Everything(DockerRules::read(folder, dockerfile)?)
        }
        Code::Language { language, version: _, package: _ } => {
            let dependencies = language.facts().dependencies.as_ref();
            match dependencies.is_some_and(|dependencies| dependencies.folder == Some(NODE_MODULES)) {
                true => Wanted::CodeWithModules,
                false => Wanted::Code,
            }
        }
    })
}

/// Returns a warning for each link whose target is not in the archive.
fn lost_links(listing: &Listing, left_out: &LeftOut) -> Vec<String> {
    let lost = listing.entries.iter().filter_map(|(path, kind)| {
        let Kind::Link { target } = kind else { return None };
        let to = path::target(path, target);
        // Through another link, it may lead anywhere.
        let is_unclear = path::parents(&to).any(|parent| listing.has(parent));
        (!is_unclear && !to.is_empty() && !listing.has(&to) && !listing.has_folder(&to)).then(|| {
            let why = match left_out.why(&to).or_else(|| left_out.why(&format!("{to}/"))) {
                Some(reason) => format!("is left out by {reason}"),
                None => "is not there".to_owned(),
            };
            format!("'{}' is a link to '{}', which {why}", shown(path), shown(&to))
        })
    });
    let mut lost: Vec<String> = lost.collect();
    if lost.len() > MAX_LINKS_TOLD {
        let more = lost.len() - MAX_LINKS_TOLD;
        lost.truncate(MAX_LINKS_TOLD);
        lost.push(format!("{more} more links lead to files that are not packed"));
    }
    lost
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    places: &Places,
    file: &Path,
    total: &mut u64,
) -> Result<(), Error> {
    let full = places.full(file);
    let unreadable = |source| Error::Read { path: full.clone(), source };
    let metadata = fs::symlink_metadata(&full).map_err(unreadable)?;
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    if metadata.is_symlink() {
        let target = fs::read_link(&full).map_err(unreadable)?;
        // Checked here as well as in `read`: tar would refuse or change some targets by itself.
        let target = places.link(file, target.as_os_str())?;
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        return tar.append_link(&mut header, file, target).map_err(write_error);
    }
    if !metadata.is_file() {
        let kind = metadata.file_type();
        let what = match () {
            () if kind.is_socket() => "a socket",
            () if kind.is_fifo() => "a named pipe",
            () if kind.is_char_device() || kind.is_block_device() => "a device",
            () => "not a file any more",
        };
        let problem = format!("is {what}; remove it, or name it in .cloudfuncignore");
        return Err(Error::entry(shown(&file.display().to_string()), problem));
    }
    let mut content = Vec::new();
    // These flags keep it from waiting for a named pipe that took the file's place in the meantime.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened =
        fs::OpenOptions::new().read(true).custom_flags(flags).open(&full).map_err(unreadable)?;
    let most = MAX_UNPACKED + 1 - *total;
    (&opened).take(most).read_to_end(&mut content).map_err(unreadable)?;
    *total += content.len() as u64;
    if *total > MAX_UNPACKED {
        return Err(Error::TooLarge);
    }
    let after = opened.metadata().map_err(unreadable)?;
    let state = |of: &fs::Metadata| (of.dev(), of.ino(), of.len(), of.mtime(), of.mtime_nsec());
    if state(&metadata) != state(&after) || content.len() as u64 != after.len() {
        let problem = "changed while it was packed; try again, or name it in .cloudfuncignore";
        return Err(Error::entry(shown(&file.display().to_string()), problem));
    }
    let executable = metadata.permissions().mode() & 0o111 != 0;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, file, content.as_slice()).map_err(write_error)
}

/// Maps an error of writing into memory: only the limit can cause one.
fn write_error(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge {
        Error::TooLargePacked
    } else {
        Error::Archive(error)
    }
}

/// A buffer that accepts at most [`MAX_PACKED`] bytes.
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
