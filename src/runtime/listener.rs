//! Waits for a guest to connect: the socket in an instance's folder, gone once the guest is there.

use std::{
    fs::{self, Permissions},
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Mode, OFlags, open, unlinkat};
use tokio::{
    io::AsyncReadExt,
    net::{UnixListener, UnixStream},
};

use super::{
    Error,
    guest::{Guest, GuestError},
    protocol::{Channel, Frames, Opening, SOCKET_NAME},
};

/// A listening socket in `run/` of an instance's folder. Dropping it unlinks the socket.
pub(super) struct Listener {
    socket: UnixListener,
    run: rustix::fd::OwnedFd,
}

impl Listener {
    /// Makes `run/` and the socket in it. Other users may connect who can reach the folder: the
    /// guest does through its mount, nobody does on the host, since the instance's folder is 0700.
    pub(super) fn bind(folder: &Path) -> Result<Self, Error> {
        let path = run_folder(folder);
        Self::bind_in(&path).map_err(|source| Error::Io { path, source })
    }

    fn bind_in(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
        let run = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let _ = unlinkat(&run, SOCKET_NAME, AtFlags::empty());
        // A socket's address has room for 107 bytes only; through the open folder any path will do.
        let short = format!("/proc/self/fd/{}/{SOCKET_NAME}", run.as_raw_fd());
        let socket = UnixListener::bind(&short)?;
        fs::set_permissions(&short, Permissions::from_mode(0o666))?;
        Ok(Self { socket, run })
    }

    /// Takes the guest's three connections, in any order, and its `hello`. Has no limit of its own:
    /// whoever waits has one.
    pub(super) async fn accept(&self) -> Result<Guest, GuestError> {
        let (mut control, mut stdout, mut stderr) = (None, None, None);
        while control.is_none() || stdout.is_none() || stderr.is_none() {
            let (mut socket, _) =
                self.socket.accept().await.map_err(|error| GuestError::Closed(Some(error)))?;
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
        let output = |slot: Option<(UnixStream, Frames)>| {
            let (socket, frames) = slot.ok_or_else(missing)?;
            Ok((socket, frames.into_rest()))
        };
        Guest::greet(control, frames, output(stdout)?, output(stderr)?).await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = unlinkat(&self.run, SOCKET_NAME, AtFlags::empty());
    }
}

/// What a sandbox sees as `/run/cloudfunc`.
pub(super) fn run_folder(folder: &Path) -> PathBuf {
    folder.join("run")
}

/// The first frame of a connection, and what was read after it.
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
    async fn what_is_no_guest_is_refused() {
        let other = HELLO.replace(":1,", ":2,");
        for (connections, reason) in [
            (&[&[CONTROL][..], &[CONTROL]][..], "a second Control channel"),
            (&[&[r#"{"channel":"other"}"#]], "unknown variant"),
            (&[&[STDOUT], &[STDERR], &[CONTROL, &other]], "speaks protocol 2"),
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
