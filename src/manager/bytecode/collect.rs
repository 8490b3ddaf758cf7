//! The files that a sandbox has compiled, taken out of it. What compiled them was not trusted, and nothing is looked for but
//! what was asked for: a file for each source, under its number.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, openat},
};

use super::super::workshop::files::make_folder;
use crate::language::Bytecode;

/// The limits of one file and of all files together, in bytes.
const MOST_OF_ONE: u64 = 32 << 20;
const MOST: u64 = 512 << 20;

/// Returns the paths of a bundle's sources. A folder that has bytecode of the author's own is left alone, and so are links.
pub(super) fn sources(bundle: &Path, bytecode: &Bytecode) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    list(bundle, Path::new(""), bytecode, &mut found)?;
    found.sort();
    Ok(found)
}

fn list(folder: &Path, path: &Path, of: &Bytecode, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    let has_own = entries.iter().any(|entry| entry.file_name() == of.folder);
    for entry in entries {
        let (kind, path) = (entry.file_type()?, path.join(entry.file_name()));
        if kind.is_dir() {
            list(&entry.path(), &path, of, found)?;
        } else if kind.is_file() && !has_own && is_source(&entry.file_name(), of) {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns whether a file of this name is compiled.
fn is_source(name: &OsStr, of: &Bytecode) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(of.extension))
}

/// Copies what has been compiled to where the interpreter looks for it, in an empty folder. Returns the number of files.
pub(super) fn collect(
    output: &Path,
    sources: &[PathBuf],
    of: &Bytecode,
    tag: &str,
    target: &Path,
) -> io::Result<usize> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let output = openat(CWD, output, flags, Mode::empty())?;
    let (mut files, mut left) = (0, MOST);
    for (number, source) in sources.iter().enumerate() {
        let name = source.file_name().and_then(OsStr::to_str).and_then(|name| (of.compiled)(name, tag));
        let Some(name) = name else { continue };
        let Some((file, size)) = usable(&output, number, of)? else { continue };
        if size > left {
            break;
        }
        left -= size;
        let mut folder = target.to_owned();
        for part in source.parent().into_iter().flatten().chain([OsStr::new(of.folder)]) {
            folder.push(part);
            make_folder(&folder)?;
        }
        copy(file, size, &folder.join(name))?;
        files += 1;
    }
    Ok(files)
}

/// Opens the file that was made for a source, if it is one that can be used.
fn usable(output: &OwnedFd, number: usize, of: &Bytecode) -> io::Result<Option<(File, u64)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // Not made, a link, or nothing that can be read.
    let Ok(file) = openat(output, number.to_string(), flags, Mode::empty()) else { return Ok(None) };
    let mut file = File::from(file);
    let (metadata, mut start) = (file.metadata()?, [0; 16]);
    if !metadata.is_file() || metadata.len() > MOST_OF_ONE || file.read_exact(&mut start).is_err() {
        return Ok(None);
    }
    file.rewind()?;
    Ok((of.is_usable)(&start).then_some((file, metadata.len())))
}

fn copy(from: File, size: u64, to: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(to)?;
    io::copy(&mut from.take(size), &mut file)?;
    file.set_permissions(Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::Language;

    fn python() -> &'static Bytecode {
        Language::Python.facts().bytecode.as_ref().unwrap()
    }

    /// Returns what lies in a folder, with its text.
    fn all(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in fs::read_dir(next).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => waiting.push(entry.path()),
                    false => {
                        found.push(entry.path().strip_prefix(folder).unwrap().display().to_string())
                    }
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_sources_are_the_files_beside_which_an_author_has_no_bytecode() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        fs::create_dir_all(folder.join("pkg/inner")).unwrap();
        fs::create_dir_all(folder.join("own/__pycache__")).unwrap();
        fs::create_dir_all(folder.join("linked")).unwrap();
        for file in ["a.py", "b.txt", "pkg/c.py", "pkg/inner/d.py", "own/e.py", "linked/f.py"] {
            fs::write(folder.join(file), "").unwrap();
        }
        symlink("../pkg", folder.join("linked/__pycache__")).unwrap();
        symlink("a.py", folder.join("link.py")).unwrap();
        symlink("pkg", folder.join("folder.py")).unwrap();
        let found = sources(folder, python()).unwrap();
        assert_eq!(found, ["a.py", "pkg/c.py", "pkg/inner/d.py"].map(PathBuf::from));
    }

    #[test]
    fn only_bytecode_of_a_source_leaves_the_sandbox_and_goes_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (output, target) = (dir.path().join("output"), dir.path().join("target"));
        let other = dir.path().join("other");
        for folder in [&output, &target, &other] {
            fs::create_dir(folder).unwrap();
        }
        let sources: Vec<PathBuf> =
            (0..8).map(|number| PathBuf::from(format!("pkg/m{number}.py"))).collect();
        let good = [b"\x01\x02\r\n\x01\0\0\0".as_slice(), &[7; 20]].concat();
        fs::write(output.join("0"), &good).unwrap();
        // A link to a file of the host, one to another file, by its times, too short, a folder, a pipe, one that is too
        // large, one of no source.
        fs::write(dir.path().join("secret"), &good).unwrap();
        symlink(dir.path().join("secret"), output.join("1")).unwrap();
        symlink("0", output.join("2")).unwrap();
        fs::write(output.join("3"), [b"\x01\x02\r\n\0\0\0\0".as_slice(), &[7; 20]].concat()).unwrap();
        fs::write(output.join("4"), &good[..12]).unwrap();
        fs::create_dir(output.join("5")).unwrap();
        rustix::fs::mknodat(CWD, output.join("6"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        fs::write(output.join("7"), &good).unwrap();
        File::options().write(true).open(output.join("7")).unwrap().set_len(MOST_OF_ONE + 1).unwrap();
        fs::write(output.join("8"), &good).unwrap();
        fs::write(output.join("m9.cpython-312.pyc"), &good).unwrap();
        assert_eq!(collect(&output, &sources, python(), "cpython-312", &target).unwrap(), 1);
        assert_eq!(all(&target), ["pkg/__pycache__/m0.cpython-312.pyc"]);
        let made = fs::read(target.join("pkg/__pycache__/m0.cpython-312.pyc")).unwrap();
        assert_eq!(made, good);
        // A tag is part of a name only.
        assert_eq!(collect(&output, &sources, python(), "/../../x", &other).unwrap(), 0);
        assert_eq!(all(&other), [""; 0]);
        // The folder itself is not followed.
        symlink(&output, dir.path().join("link")).unwrap();
        assert!(collect(&dir.path().join("link"), &sources, python(), "cpython-312", &other).is_err());
    }
}
