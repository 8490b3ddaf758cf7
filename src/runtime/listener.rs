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
