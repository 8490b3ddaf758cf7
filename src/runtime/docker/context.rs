//! Build contexts: the files that an engine builds an image from, as a tar.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

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
