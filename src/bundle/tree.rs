//! A tree of installed packages in transit: a gzipped tar that is written and read as it comes, never held whole. What
//! installed it is not trusted, so nothing in it is followed: files, and links that stay inside.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt as _,
            fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
        },
    },
    path::Path,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, open, openat, statat},
    io::Errno,
};
use tar::{Archive, Builder, EntryType, Header};

use super::{
    MAX_DEPTH, path,
    tree_size::{Count, MAX_TREE, TreeError, TreeSize},
    unpack::write_file,
};

/// Packs the files of a folder. The same files give the same bytes.
pub fn pack_tree(folder: &Path, out: impl Write) -> Result<TreeSize, TreeError> {
    pack_tree_without(folder, None, out)
}

/// As [`pack_tree`], without one of the folders at its top.
pub fn pack_tree_without(
    folder: &Path,
    without: Option<&str>,
    out: impl Write,
) -> Result<TreeSize, TreeError> {
    let mut count = Count::up_to(MAX_TREE);
    let mut tar = Builder::new(GzEncoder::new(out, Compression::fast()));
    walk(folder, &mut |relative, stat| match without {
        Some(name) if relative.starts_with(name) => Ok(()),
        _ => append(&mut tar, folder, relative, stat, &mut count),
    })
    .map_err(|error| error.with_package(folder))?;
    let written = tar.into_inner().and_then(GzEncoder::finish).and_then(|mut out| out.flush());
    written.map_err(TreeError::Stream)?;
    Ok(count.size)
}

/// Measures a folder that others may be writing to, up to these limits; fails over them, and where it cannot be read.
pub fn measure(folder: &Path, most: TreeSize) -> Result<TreeSize, TreeError> {
    let mut count = Count::up_to(most);
    walk(folder, &mut |path, stat| match kind(stat) {
        FileType::Directory => count.add(path, 0),
        _ => count.add(path, u64::try_from(stat.st_size).unwrap_or(u64::MAX)),
    })?;
    Ok(count.size)
}

type Visit<'v> = &'v mut dyn FnMut(&Path, &Stat) -> Result<(), TreeError>;

/// Opens a folder itself, and nothing that a link leads to.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Visits everything in a folder, in the order of names, a folder before what is in it. No link is followed, whatever is
/// swapped for one meanwhile; what goes meanwhile is passed over.
fn walk(top: &Path, visit: Visit<'_>) -> Result<(), TreeError> {
    let opened = openat(CWD, top, FOLDER, Mode::empty());
    let opened = opened.map_err(|error| TreeError::Io { path: top.to_owned(), source: error.into() })?;
    walk_in(&opened, Path::new(""), 0, visit)
}

fn walk_in(folder: &OwnedFd, path: &Path, depth: usize, visit: Visit<'_>) -> Result<(), TreeError> {
    if depth > MAX_DEPTH {
        return Err(TreeError::entry(path, format!("lies more than {MAX_DEPTH} folders deep")));
    }
    let entries = match Dir::read_from(folder) {
        Err(Errno::NOENT) => return Ok(()),
        entries => entries.map_err(|error| TreeError::unreadable(path, error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| TreeError::unreadable(path, error))?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort();
    for name in names {
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let stat = match statat(folder, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat.map_err(|error| TreeError::unreadable(&path, error))?,
        };
        visit(&path, &stat)?;
        if kind(&stat) != FileType::Directory {
            continue;
        }
        match openat(folder, name.as_c_str(), FOLDER, Mode::empty()) {
            // Gone, or another thing by now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            inner => {
                let inner = inner.map_err(|error| TreeError::unreadable(&path, error))?;
                walk_in(&inner, &path, depth + 1, visit)?;
            }
        }
    }
    Ok(())
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn append(
    tar: &mut Builder<impl Write>,
    top: &Path,
    relative: &Path,
    stat: &Stat,
    count: &mut Count,
) -> Result<(), TreeError> {
    let full = top.join(relative);
    let io = |source| TreeError::Io { path: full.clone(), source };
    let no_file = || TreeError::entry(relative, "is not a file, folder or link");
    let kind = kind(stat);
    if kind == FileType::Directory {
        return Ok(());
    }
    let name = path::clean(relative.as_os_str().as_bytes()).map_err(TreeError::rule)?;
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    if kind == FileType::Symlink {
        count.add(relative, 0)?;
        let target = fs::read_link(&full).map_err(io)?;
        let target = path::clean_link(&name, target.as_os_str().as_bytes())
            .map_err(|error| TreeError::link_rule(relative, error))?;
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        return tar.append_link(&mut header, &name, target).map_err(TreeError::Stream);
    }
    if kind != FileType::RegularFile {
        return Err(no_file());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(&full, flags, Mode::empty());
    let file = File::from(file.map_err(|error| TreeError::unreadable(relative, error))?);
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(no_file());
    }
    count.add(relative, metadata.len())?;
    header.set_entry_type(EntryType::Regular);
    let executable = metadata.permissions().mode() & 0o111 != 0;
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(metadata.len());
    match append_content(tar, &mut header, &name, file).map_err(TreeError::Stream)? {
        true => Ok(()),
        false => Err(TreeError::entry(relative, "changed while it was read")),
    }
}

/// Appends a file; returns false where it has not the length of its header: what follows could not be read again.
fn append_content(
    tar: &mut Builder<impl Write>,
    header: &mut Header,
    name: &str,
    content: impl Read,
) -> io::Result<bool> {
    let mut content = content.take(header.size()?);
    tar.append_data(header, name, &mut content)?;
    let is_long_enough = content.limit() == 0;
    Ok(is_long_enough && content.into_inner().read(&mut [0])? == 0)
}

/// Unpacks a tree into `folder`, which must not exist yet; the modes are those of [`super::unpack`].
pub fn unpack_tree(from: impl Read, folder: &Path) -> Result<TreeSize, TreeError> {
    let (mut count, mut links, mut made) = (Count::up_to(MAX_TREE), Vec::new(), HashSet::new());
    make_folder(folder)?;
    let mut archive = Archive::new(GzDecoder::new(from));
    for entry in archive.entries().map_err(TreeError::Stream)? {
        let mut entry = entry.map_err(TreeError::Stream)?;
        let name = path::clean(&entry.path_bytes()).map_err(TreeError::rule)?;
        count.add(name.as_ref(), entry.size())?;
        for parent in path::parents(&name) {
            if made.insert(parent.to_owned()) {
                make_folder(&folder.join(parent))?;
            }
        }
        let path = folder.join(&name);
        match entry.header().entry_type() {
            EntryType::Regular => {
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                let written = write_file(&path, executable, &mut entry);
                written.map_err(|error| TreeError::Stream(io::Error::other(error)))?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                links.push((path, path::clean_link(&name, &target).map_err(TreeError::rule)?));
            }
            _ => return Err(TreeError::entry(Path::new(&name), "is not a file or link")),
        }
    }
    // The checksum comes last.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(TreeError::Stream)?;
    // Last, so that no file can be written through one.
    for (path, target) in links {
        symlink(target, &path).map_err(|source| TreeError::Io { path, source })?;
    }
    Ok(count.size)
}

fn make_folder(path: &Path) -> Result<(), TreeError> {
    let io = |source| TreeError::Io { path: path.to_owned(), source };
    DirBuilder::new().mode(0o755).create(path).map_err(io)?;
    // Whatever the umask is.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(folder: &Path) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        pack_tree(folder, &mut bytes).map(|_| bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tree_comes_out_as_it_went_in() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let long = format!("{}/{}.py", "d".repeat(90), "m".repeat(150));
        for (path, text) in [("a/__init__.py", "1"), ("bin/tool", "#!"), (&long, "x"), ("é.txt", "")] {
            fs::create_dir_all(from.join(path).parent().unwrap()).unwrap();
            fs::write(from.join(path), text).unwrap();
        }
        fs::set_permissions(from.join("bin/tool"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("../a/__init__.py", from.join("bin/link")).unwrap();
        let bytes = pack(&from).unwrap();
        assert_eq!(bytes, pack(&from).unwrap());
        let size = unpack_tree(&bytes[..], &to).unwrap();
        assert_eq!(size, TreeSize { files: 5, bytes: 4 });
        assert_eq!(fs::read_to_string(to.join("bin/link")).unwrap(), "1");
        assert_eq!(fs::read_to_string(to.join(&long)).unwrap(), "x");
        let mode = |path: &str| fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("bin/tool"), mode("bin"), mode("a/__init__.py")], [0o755, 0o755, 0o644]);
        // A tree that is there is not written over.
        assert!(unpack_tree(&bytes[..], &to).is_err());
        assert!(unpack_tree(&bytes[..bytes.len() / 2], &dir.path().join("half")).is_err());
        // Eight bytes before its end is the checksum.
        let mut damaged = bytes.clone();
        damaged[bytes.len() - 8] ^= 1;
        assert!(unpack_tree(&damaged[..], &dir.path().join("damaged")).is_err());
        assert!(unpack_tree(&bytes[..bytes.len() - 1], &dir.path().join("cut")).is_err());
    }

    #[test]
    fn what_leads_out_of_a_tree_or_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        symlink("/etc/passwd", folder.join("passwd")).unwrap();
        assert_eq!(pack(folder).unwrap_err(), "their file 'passwd' is a link that leads out of them");
        fs::remove_file(folder.join("passwd")).unwrap();
        symlink("a;b/../c", folder.join("c")).unwrap();
        assert_eq!(
            pack(folder).unwrap_err(),
            "their file 'c' is a link to 'a;b/../c', with '..' behind a name"
        );
        fs::remove_file(folder.join("c")).unwrap();
        fs::write(folder.join(OsStr::from_bytes(b"caf\xff")), "").unwrap();
        assert_eq!(pack(folder).unwrap_err(), "their file 'caf\u{fffd}' has a name that is not UTF-8");
        fs::remove_file(folder.join(OsStr::from_bytes(b"caf\xff"))).unwrap();
        fs::create_dir(folder.join("greet-1.0.dist-info")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap();
        assert_eq!(pack(folder).unwrap_err(), "their file 's' is not a file, folder or link");
        fs::write(folder.join("greet-1.0.dist-info/RECORD"), "s,,\n").unwrap();
        assert_eq!(
            pack(folder).unwrap_err(),
            "the file 's' of the package greet 1.0 is not a file, folder or link"
        );
    }

    #[test]
    fn a_folder_is_measured_up_to_limits() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "12").unwrap();
        let measured =
            |files, bytes| measure(dir.path(), TreeSize { files, bytes }).map(|size| size.bytes);
        assert_eq!(measured(1, 2).unwrap(), 2);
        assert!(matches!(measured(1, 1), Err(TreeError::TooLarge)));
        assert!(matches!(measured(0, 2), Err(TreeError::TooManyFiles)));
    }

    #[test]
    fn folders_count_and_none_of_them_hides_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(dir.path().join("outside"), "12345").unwrap();
        symlink(dir.path(), top.join("link")).unwrap();
        let link = dir.path().as_os_str().len() as u64;
        let most = |files| TreeSize { files, bytes: link };
        assert_eq!(measure(&top, most(3)).unwrap(), TreeSize { files: 3, bytes: link });
        assert!(matches!(measure(&top, most(2)), Err(TreeError::TooManyFiles)));
        // The folder to be measured is not followed either.
        assert!(matches!(measure(&top.join("link"), MAX_TREE), Err(TreeError::Io { .. })));
        fs::create_dir_all(top.join("d/".repeat(MAX_DEPTH + 1))).unwrap();
        let error = measure(&top, MAX_TREE).unwrap_err();
        assert!(error.to_string().ends_with("' lies more than 100 folders deep"), "{error}");
        assert!(error.is_of_the_packages());
        fs::remove_dir_all(top.join("d")).unwrap();
        fs::set_permissions(top.join("a"), fs::Permissions::from_mode(0o000)).unwrap();
        let measured = measure(&top, MAX_TREE);
        fs::set_permissions(top.join("a"), fs::Permissions::from_mode(0o700)).unwrap();
        // Root reads everything.
        match rustix::process::geteuid().is_root() {
            true => assert_eq!(measured.unwrap().files, 3),
            false => assert_eq!(
                measured.unwrap_err().to_string(),
                "their file 'a' cannot be read: its mode or that of its folder forbids it"
            ),
        }
    }

    #[test]
    fn a_file_is_packed_only_as_long_as_it_was_said_to_be() {
        let appended = |said: u64, content: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_size(said);
            append_content(&mut Builder::new(Vec::<u8>::new()), &mut header, "file", content).unwrap()
        };
        assert!(appended(3, b"abc"));
        assert!(appended(0, b""));
        assert!(!appended(4, b"abc"));
        assert!(!appended(2, b"abc"));
    }
}
