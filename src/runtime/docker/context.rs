//! Build contexts: the files that an engine builds an image from, as a tar.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::docker_ignore::{self, IgnoreFile};

/// The size of one piece of a context on its way to the engine, in bytes.
const PIECE: usize = 256 * 1024;

/// Makes a context of small files, kept in memory.
pub(super) fn of_files<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Bytes {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        append(&mut tar, name, content).expect("a vector takes everything");
    }
    tar.into_inner().expect("a vector takes everything").into()
}

/// Writes a Dockerfile and `bundle/`, piece by piece, with a link of that name in it and that target. Stops when the
/// receiver is dropped.
pub(super) fn write_bundle(
    folder: &Path,
    link: Option<(&str, &str)>,
    dockerfile: &str,
    sender: Sender<io::Result<Bytes>>,
) {
    let mut tar = tar::Builder::new(BufWriter::with_capacity(PIECE, Pieces(sender.clone())));
    // Times and owners differ from host to host; the resulting image should not.
    tar.mode(tar::HeaderMode::Deterministic);
    tar.follow_symlinks(false);
    let written = append(&mut tar, "Dockerfile", dockerfile.as_bytes())
        .and_then(|()| tar.append_dir_all("bundle", folder))
        .and_then(|()| link.map_or(Ok(()), |(name, target)| append_link(&mut tar, name, target)))
        .and_then(|()| tar.into_inner()?.flush());
    if let Err(error) = written {
        let _ = sender.blocking_send(Err(error));
    }
}

/// A file, link or folder of a function's source that is sent.
pub(super) struct Entry {
    path: PathBuf,
    is_folder: bool,
}

/// Returns what of a folder is sent, each folder before what is in it. Its Dockerfile and the rules are sent whatever these
/// say, since the engine reads them; it then leaves them out itself.
pub(super) fn list(folder: &Path, rules: &IgnoreFile, dockerfile: &str) -> io::Result<Vec<Entry>> {
    let mut list = List { folder, rules, kept: [dockerfile, docker_ignore::NAME], entries: Vec::new() };
    list.folder(Path::new(""), &[])?;
    Ok(list.entries)
}

struct List<'l> {
    folder: &'l Path,
    rules: &'l IgnoreFile,
    kept: [&'l str; 2],
    entries: Vec<Entry>,
}

impl List<'_> {
    /// Adds what is in a folder; `above` are the rules that match it. Returns whether that is anything.
    fn folder(&mut self, path: &Path, above: &[bool]) -> io::Result<bool> {
        let before = self.entries.len();
        let mut found: Vec<fs::DirEntry> =
            fs::read_dir(self.folder.join(path))?.collect::<io::Result<_>>()?;
        found.sort_by_key(fs::DirEntry::file_name);
        for entry in found {
            let path = path.join(entry.file_name());
            let text = path.to_string_lossy().into_owned();
            let matched = self.rules.matched(&text, above);
            let is_wanted = !self.rules.leaves_out(&matched) || self.kept.contains(&text.as_str());
            let is_folder = entry.file_type()?.is_dir();
            let place = self.entries.len();
            let has_more = is_folder && self.folder(&path, &matched)?;
            if is_wanted || has_more {
                self.entries.insert(place, Entry { path, is_folder });
            }
        }
        Ok(self.entries.len() > before)
    }
}

/// Writes the files of a function's source, piece by piece. Stops when the receiver is dropped.
pub(super) fn write_source(folder: &Path, entries: &[Entry], sender: Sender<io::Result<Bytes>>) {
    let mut tar = tar::Builder::new(BufWriter::with_capacity(PIECE, Pieces(sender.clone())));
    // Times and owners differ from host to host; the resulting image should not.
    tar.mode(tar::HeaderMode::Deterministic);
    tar.follow_symlinks(false);
    let written = entries
        .iter()
        .try_for_each(|Entry { path, is_folder }| match is_folder {
            true => tar.append_dir(path, folder.join(path)),
            false => tar.append_path_with_name(folder.join(path), path),
        })
        .and_then(|()| tar.into_inner()?.flush());
    if let Err(error) = written {
        let _ = sender.blocking_send(Err(error));
    }
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content)
}

fn append_link<W: Write>(tar: &mut tar::Builder<W>, name: &str, target: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    tar.append_link(&mut header, format!("bundle/{name}"), target)
}

struct Pieces(Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_the_dockerfile_and_what_no_rule_leaves_out() {
        let dir = tempfile::tempdir().unwrap();
        for path in
            ["Dockerfile", ".dockerignore", "app.py", "logs/a.log", "data/keep/a", "data/b", "docs/x.md"]
        {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink("app.py", dir.path().join("link")).unwrap();
        let rules = "Dockerfile\n.*\nlogs/*\ndata\n!data/keep\n*.md\ndocs\n";
        let rules = IgnoreFile::read(rules).unwrap();
        let entries = list(dir.path(), &rules, "Dockerfile").unwrap();
        let paths: Vec<_> = entries.iter().map(|entry| entry.path.to_str().unwrap()).collect();
        assert_eq!(
            paths,
            [
                ".dockerignore",
                "Dockerfile",
                "app.py",
                "data",
                "data/keep",
                "data/keep/a",
                "link",
                "logs"
            ]
        );
        let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
        write_source(dir.path(), &entries, sender);
        let mut bytes = Vec::new();
        while let Ok(piece) = receiver.try_recv() {
            bytes.extend_from_slice(&piece.unwrap());
        }
        let mut tar = tar::Archive::new(bytes.as_slice());
        let kinds: Vec<_> =
            tar.entries().unwrap().map(|entry| entry.unwrap().header().entry_type()).collect();
        assert_eq!(kinds.len(), paths.len());
        assert!(kinds[3].is_dir() && kinds[6].is_symlink() && kinds[2].is_file());
    }
}
