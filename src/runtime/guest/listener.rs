//! Waiting for a guest to connect: the socket in an instance's folder, removed once the guest is there, and the named
//! pipes next to it, to which it may write its output.

use std::{
    fs::{self, Permissions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::BytesMut;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmodat, mknodat, open, openat, unlinkat};
use tokio::{
    io::AsyncReadExt,
    net::{UnixListener, UnixStream, unix::pipe},
};

use super::{
    Guest,
    error::GuestError,
    frames::Frames,
    hello,
    output::Source,
    protocol::{Channel, Features, Opening, OutputKind, SOCKET_NAME},
};
use crate::runtime::Error;

/// All processes inside may write to it, and only this program reads it.
const PIPE_MODE: Mode = Mode::from_raw_mode(0o622);

/// All processes inside may read it: reading comes to an end when this program has hung up.
const HOST_MODE: Mode = Mode::from_raw_mode(0o644);

/// The named pipe that nobody writes to, next to the socket.
const HOST: &str = "host";

/// A listening socket in `run/` of an instance's folder, and three named pipes. Dropping it unlinks them.
pub(in crate::runtime) struct Listener {
    socket: UnixListener,
    run: OwnedFd,
    /// The pipes for stdout and stderr, until a guest has said that it uses them. None where they cannot be made.
    pipes: Mutex<Option<[pipe::Receiver; 2]>>,
    /// The pipe [`HOST`], open until the guest is dropped. None where it cannot be made.
    host: Mutex<Option<OwnedFd>>,
}

impl Listener {
    /// Makes `run/` and the socket in it. Other users may connect if they can reach the folder: the guest can, through
    /// its mount; users of the host cannot, since the instance's folder is 0700.
    pub(in crate::runtime) fn bind(folder: &Path) -> Result<Self, Error> {
        let path = run_folder(folder);
        Self::bind_in(&path).map_err(|source| Error::Io { path, source })
    }

    fn bind_in(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
        let run = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let _ = unlinkat(&run, SOCKET_NAME, AtFlags::empty());
        // A socket's address has room for 107 bytes only; through the open folder, a path of any length can be used.
        let short = format!("/proc/self/fd/{}/{SOCKET_NAME}", run.as_raw_fd());
        let socket = UnixListener::bind(&short)?;
        fs::set_permissions(&short, Permissions::from_mode(0o666))?;
        let pipes = named_pipe(&run, "stdout").and_then(|out| Ok([out, named_pipe(&run, "stderr")?]));
        let pipes = pipes.inspect_err(|error| tracing::debug!(%error, "no named pipes for a guest"));
        let host = made_pipe(&run, HOST, HOST_MODE);
        let host =
            host.inspect_err(|error| tracing::debug!(%error, "no named pipe for the host's end")).ok();
        Ok(Self { socket, run, pipes: Mutex::new(pipes.ok()), host: Mutex::new(host) })
    }

    /// Takes the guest's connections, in any order, and its `hello`, which says whether there are three or only one. It
    /// has no time limit of its own: the caller sets one.
    pub(in crate::runtime) async fn accept(&self) -> Result<Guest, GuestError> {
        let mut control: Option<(UnixStream, Frames)> = None;
        let (mut stdout, mut stderr, mut said) = (None, None, None);
        loop {
            match said {
                Some((Some(OutputKind::Fifo), _)) => break,
                Some((None, _)) if stdout.is_some() && stderr.is_some() => break,
                _ => {}
            }
            let mut socket = tokio::select! {
                greeting = greeting(&mut control), if said.is_none() => {
                    said = Some(greeting?);
                    continue;
                }
                accepted = self.socket.accept() => {
                    accepted.map_err(|error| GuestError::Closed(Some(error)))?.0
                }
            };
            let (channel, frames) = opening(&mut socket).await?;
            let slot = match channel {
                Channel::Control => &mut control,
                Channel::Stdout => &mut stdout,
                Channel::Stderr => &mut stderr,
            };
            if slot.replace((socket, frames)).is_some() {
                return Err(GuestError::Violation(format!("a second {channel:?} channel")));
            }
        }
        let missing = || GuestError::Violation("a channel is missing".to_owned());
        let (control, frames) = control.ok_or_else(missing)?;
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (kind, features) = said.unwrap_or_default();
        if let Some(OutputKind::Fifo) = kind {
            let pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner).take();
            let [stdout, stderr] = pipes.ok_or_else(missing)?.map(Source::Pipe);
            let outputs = [(stdout, BytesMut::new()), (stderr, BytesMut::new())];
            return Ok(Guest::new(control, frames, host, features, outputs));
        }
        let output = |slot: Option<(UnixStream, Frames)>| {
            let (socket, frames) = slot.ok_or_else(missing)?;
            Ok((Source::Connection(socket), frames.into_rest()))
        };
        let outputs = [output(stdout)?, output(stderr)?];
        Ok(Guest::new(control, frames, host, features, outputs))
    }
}

/// Makes a named pipe and opens it both ways: so no process inside can make this end wait or see an end, however many
/// processes open and close it there. A guest whose standard stream is the pipe can open it again by `/dev/stdout`; it
/// could not do so with a socket.
fn named_pipe(run: &OwnedFd, name: &str) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(made_pipe(run, name, PIPE_MODE)?)
}

fn made_pipe(run: &OwnedFd, name: &str, mode: Mode) -> io::Result<OwnedFd> {
    let _ = unlinkat(run, name, AtFlags::empty());
    mknodat(run, name, FileType::Fifo, mode, 0)?;
    // Set separately, whatever the umask is.
    chmodat(run, name, mode, AtFlags::empty())?;
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(run, name, flags, Mode::empty())?)
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A process that has a pipe open can open it again by `/proc`, whether the pipe still has a name or not.
        for name in [SOCKET_NAME, "stdout", "stderr", HOST] {
            let _ = unlinkat(&self.run, name, AtFlags::empty());
        }
    }
}

/// Returns the folder that a sandbox sees as `/run/cloudfunc`.
pub fn run_folder(folder: &Path) -> PathBuf {
    folder.join("run")
}

/// Waits for `hello`, once there is a control connection. Cancel safe.
async fn greeting(
    control: &mut Option<(UnixStream, Frames)>,
) -> Result<(Option<OutputKind>, Features), GuestError> {
    match control {
        Some((socket, frames)) => hello(socket, frames).await,
        None => std::future::pending().await,
    }
}

/// Reads the first frame of a connection, and returns it with the bytes after it.
async fn opening(socket: &mut UnixStream) -> Result<(Channel, Frames), GuestError> {
    let mut frames = Frames::default();
    loop {
        if let Some((Opening { channel }, body)) = frames.next().map_err(GuestError::Violation)? {
            return match body.is_empty() {
                true => Ok((channel, frames)),
                false => Err(GuestError::Violation("an opening frame has a body".to_owned())),
            };
        }
        match socket.read_buf(frames.space()).await {
            Ok(0) => return Err(GuestError::Closed(None)),
            Ok(_) => {}
            Err(error) => return Err(GuestError::Closed(Some(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn connect(listener: &Listener, frames: &[&str]) -> UnixStream {
        let path = format!("/proc/self/fd/{}/{SOCKET_NAME}", listener.run.as_raw_fd());
        let mut socket = UnixStream::connect(path).await.unwrap();
        for header in frames {
            let lengths = [u32::try_from(header.len()).unwrap().to_be_bytes(), [0; 4]].concat();
            socket.write_all(&[&lengths[..], header.as_bytes()].concat()).await.unwrap();
        }
        socket
    }

    async fn accepted(connections: &[&[&str]]) -> Result<Guest, GuestError> {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(folder.path()).unwrap();
        let mut open = Vec::new();
        for frames in connections {
            open.push(connect(&listener, frames).await);
        }
        listener.accept().await
    }

    const CONTROL: &str = r#"{"channel":"control"}"#;
    const STDOUT: &str = r#"{"channel":"stdout"}"#;
    const STDERR: &str = r#"{"channel":"stderr"}"#;
    const HELLO: &str = r#"{"hello":{"protocol":1,"language":"python","pid":1}}"#;

    #[tokio::test]
    async fn channels_come_in_any_order() {
        assert!(accepted(&[&[STDERR], &[CONTROL, HELLO], &[STDOUT]]).await.is_ok());
    }

    #[tokio::test]
    async fn a_guest_that_says_so_writes_to_the_named_pipes_whoever_opens_and_closes_them() {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(folder.path()).unwrap();
        let pipe = |name: &str| run_folder(folder.path()).join(name);
        for name in ["stdout", "stderr"] {
            let mode = fs::metadata(pipe(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o622, "others write and do not read");
        }
        let hello = HELLO.replace("\"pid\":1", "\"pid\":1,\"outputs\":\"fifo\"");
        let control = connect(&listener, &[CONTROL, &hello]).await;
        let mut guest = listener.accept().await.unwrap();
        for text in ["first\n", "second\n"] {
            let mut opened = fs::OpenOptions::new().write(true).open(pipe("stdout")).unwrap();
            opened.write_all(text.as_bytes()).unwrap();
        }
        drop(control);
        let mut lines = Vec::new();
        let error = guest.idle(&mut |line| lines.push(line.text)).await;
        assert!(matches!(error, GuestError::Closed(_)), "{error}");
        assert_eq!(lines, ["first", "second"]);
    }

    #[tokio::test]
    async fn what_is_no_guest_is_refused() {
        let other = HELLO.replace(":1,", ":2,");
        for (connections, reason) in [
            (&[&[CONTROL][..], &[CONTROL]][..], "a second Control channel"),
            (&[&[r#"{"channel":"other"}"#]], "unknown variant"),
            (&[&[STDOUT], &[STDERR], &[CONTROL, &other]], "speaks protocol 2"),
            (&[&[CONTROL, &HELLO.replace(":1}", ":1,\"outputs\":\"other\"}")]], "unknown variant"),
            (&[&[STDOUT], &[STDERR], &[CONTROL, r#"{"ready":{}}"#]], "'ready' instead of 'hello'"),
            (&[&[STDOUT], &[STDERR], &[CONTROL, HELLO, HELLO]], "nothing asked for"),
        ] {
            let error = accepted(connections).await.err().unwrap().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_an_address_works() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(150));
        let listener = Listener::bind(&long).unwrap();
        let socket = run_folder(&long).join(SOCKET_NAME);
        assert!(socket.exists());
        let mode = fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o666);
        drop(listener);
        assert!(!socket.exists());
    }
}
