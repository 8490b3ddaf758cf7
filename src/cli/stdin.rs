//! Stdin as an implicit payload: taken when it is a pipe or a file. And as the value of a secret, which it has to be.
//!
//! ```text
//! a terminal, /dev/null, closed   no payload
//! a file, from its beginning      its bytes; a file that was partly read already is left alone
//! a pipe                          everything until it is closed; after a second, a note says that it waits
//! a socket                        like a pipe, but only if something arrives within a second: `ssh` and
//!                                 other programs leave a socket open to the programs they start
//! ```

use std::{
    io::{self, IsTerminal as _, Read as _},
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, SeekFrom, fstat, seek},
};

use super::{Error, Output, text::count};
use crate::model::message::MAX_BODY;

/// The time after which a note says that the command waits.
const SILENCE: Duration = Duration::from_secs(1);

/// The kinds of stdin that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    /// A file that was partly read already: its rest belongs to another program.
    Shared,
    File,
    Pipe,
    Socket,
}

/// Reads the payload from stdin; `None` if it has none.
pub async fn payload(out: &Output) -> Result<Option<Bytes>, Error> {
    let kind = look();
    match kind {
        Kind::Nothing => return Ok(None),
        Kind::Shared => {
            out.note("stdin is a file that is being read already: not taken as the payload (`--data -` takes the rest)");
            return Ok(None);
        }
        Kind::File | Kind::Pipe | Kind::Socket => {}
    }
    let mut reading = tokio::task::spawn_blocking(move || read(kind));
    let read = tokio::select! {
        biased;
        read = &mut reading => read,
        // A socket is decided within the same time.
        () = tokio::time::sleep(SILENCE + Duration::from_millis(100)) => {
            out.warn("waiting for stdin to end: it is the payload; without one, give --data '{}' or </dev/null");
            reading.await
        }
    };
    let read = read.map_err(anyhow::Error::from)?;
    let bytes = read.map_err(|error| Error::new(super::Exit::Caller, error))?;
    if let Some(bytes) = bytes.as_ref().filter(|bytes| !bytes.is_empty()) {
        out.note(&format!("payload from stdin: {}", count(bytes.len(), "byte")));
    }
    Ok(bytes.filter(|bytes| !bytes.is_empty()))
}

/// Reads a value that has to come from stdin, which is not a terminal: of one that is longer than `limit`, one byte more.
pub async fn value(limit: usize, out: &Output) -> Result<Vec<u8>, Error> {
    if look() == Kind::Shared {
        return Err(Error::usage(
            "stdin is a file that is being read already, so it is not taken as the value",
        )
        .hint("give the value by a pipe, or from a file of its own"));
    }
    let mut reading =
        tokio::task::spawn_blocking(move || read_at_most(Ok(io::stdin().lock()), "stdin", limit));
    let read = tokio::select! {
        biased;
        read = &mut reading => read,
        () = tokio::time::sleep(SILENCE) => {
            out.warn("waiting for stdin to end: it is the value");
            reading.await
        }
    };
    read.map_err(anyhow::Error::from)?.map_err(|error| Error::new(super::Exit::Caller, error))
}

fn look() -> Kind {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Kind::Nothing;
    }
    let Ok(state) = fstat(&stdin) else { return Kind::Nothing };
    match FileType::from_raw_mode(state.st_mode) {
        FileType::RegularFile => match seek(&stdin, SeekFrom::Current(0)) {
            Ok(0) => Kind::File,
            // At its end, nothing is left for another program.
            Ok(position) if i64::try_from(position).is_ok_and(|position| position >= state.st_size) => {
                Kind::Nothing
            }
            _ => Kind::Shared,
        },
        FileType::Fifo => Kind::Pipe,
        FileType::Socket => Kind::Socket,
        _ => Kind::Nothing,
    }
}

/// Reads all of stdin, blocking. Returns `None` if a socket sends nothing.
fn read(kind: Kind) -> anyhow::Result<Option<Bytes>> {
    if kind == Kind::Socket {
        let stdin = io::stdin();
        let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
        let within = Timespec { tv_sec: 1, tv_nsec: 0 };
        if poll(&mut wanted, Some(&within))? == 0 {
            return Ok(None);
        }
    }
    read_bounded(Ok(io::stdin().lock()), "stdin").map(Some)
}
/// Reads one byte more than is accepted, so that a payload that is too large is noticed and never held in
/// memory.
pub(super) fn read_bounded(source: io::Result<impl io::Read>, name: &str) -> anyhow::Result<Bytes> {
    read_at_most(source, name, MAX_BODY).map(Bytes::from)
}

/// Reads at most one byte more than `limit`.
fn read_at_most(source: io::Result<impl io::Read>, name: &str, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = source.and_then(|source| source.take(limit as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {name}"))?;
    Ok(bytes)
}
