//! The control connection, and the outputs of this process and its children.

use std::{
    io::{self, IoSlice, Write as _},
    os::{fd::OwnedFd, unix::net},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Buf as _, Bytes, BytesMut};
use rustix::{
    fs::{Mode, OFlags, fcntl_setfl, open},
    io::{Errno, writev},
    stdio::{dup2_stderr, dup2_stdout},
};
use tokio::{net::UnixStream, sync::Notify};

use crate::{
    call::{Answer, FunctionError},
    frames::Frames,
    protocol::{FEATURES, GuestMessage, HostMessage, VERSION, fitted},
};

/// The limit of a result's content type, in bytes.
const MAX_CONTENT_TYPE: usize = 256;

/// The way to the host. What is sent is written at once if the socket takes it, and in its order by a task if not.
pub struct Control {
    socket: UnixStream,
    unwritten: Mutex<BytesMut>,
    more: Notify,
    empty: Notify,
}

/// The messages from the host.
pub struct Requests {
    control: Arc<Control>,
    frames: Frames,
}

/// Connects to the host and says hello. The outputs of this process are the host's from then on.
pub fn connect(run: &Path) -> io::Result<(Arc<Control>, Requests)> {
    let socket = channel(run, "control")?;
    socket.set_nonblocking(true)?;
    let are_pipes = use_pipes(run).is_ok();
    if !are_pipes {
        dup2_stdout(OwnedFd::from(channel(run, "stdout")?))?;
        dup2_stderr(OwnedFd::from(channel(run, "stderr")?))?;
    }
    let control = Arc::new(Control {
        socket: UnixStream::from_std(socket)?,
        unwritten: Mutex::default(),
        more: Notify::new(),
        empty: Notify::new(),
    });
    tokio::spawn(Arc::clone(&control).write_rest());
    control.send(&GuestMessage::Hello {
        protocol: VERSION,
        language: "helper",
        pid: std::process::id(),
        outputs: are_pipes.then_some("fifo"),
        features: FEATURES,
    });
    Ok((Arc::clone(&control), Requests { control, frames: Frames::default() }))
}

/// Opens a connection that begins with its opening frame.
fn channel(run: &Path, name: &str) -> io::Result<net::UnixStream> {
    let mut socket = net::UnixStream::connect(run.join("runtime.sock"))?;
    let header = format!("{{\"channel\":\"{name}\"}}");
    let length = u32::try_from(header.len()).expect("it is short");
    socket.write_all(&[&length.to_be_bytes()[..], &[0; 4], header.as_bytes()].concat())?;
    Ok(socket)
}

/// Makes the host's named pipes the outputs of this process, if there are any with a reader.
fn use_pipes(run: &Path) -> io::Result<()> {
    let open = |name: &str| {
        // Without waiting for a reader: where this opens another pipe than the host's, there is none.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let pipe = open(run.join(name), flags, Mode::empty())?;
        fcntl_setfl(&pipe, OFlags::WRONLY)?;
        Ok::<_, Errno>(pipe)
    };
    let (stdout, stderr) = (open("stdout")?, open("stderr")?);
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    Ok(())
}

impl Control {
    /// Sends a message without a body.
    pub fn send(&self, message: &GuestMessage<'_>) {
        self.write(&message.head(0).0, &[]);
    }

    /// Says why the function cannot be had.
    pub fn load_error(&self, error: FunctionError) {
        self.send(&GuestMessage::LoadError(&fitted(error)));
    }

    /// Sends an invocation's output; the host shows it among its lines.
    pub fn log(&self, id: &str, bytes: &[u8]) {
        let message = GuestMessage::Log { id, stream: "stderr" };
        self.write(&message.head(bytes.len()).0, bytes);
    }

    /// Answers an invocation.
    pub fn answer(&self, id: &str, answer: Answer) {
        let error = match answer {
            Answer::Error(error) => error,
            Answer::Result { content_type, body, http } => {
                let content_type = plain(&content_type);
                let (head, fits) =
                    GuestMessage::Result { id, content_type, http: http.as_ref() }.head(body.len());
                if fits {
                    return self.write(&head, &body);
                }
                let message = "the response's headers are over the limit of 64 KiB of a message";
                FunctionError::new("too_large", message)
            }
        };
        let FunctionError { kind, message, trace } = fitted(error);
        let (kind, message, trace) = (kind.as_str(), message.as_str(), trace.as_deref());
        self.send(&GuestMessage::Error { id, kind, message, trace });
    }

    /// Waits until the host has taken everything. Cancel safe.
    pub async fn written(&self) {
        let empty = self.empty.notified();
        if !self.unwritten().is_empty() {
            empty.await;
        }
    }

    fn write(&self, head: &[u8], body: &[u8]) {
        let mut unwritten = self.unwritten();
        let mut written = 0;
        if unwritten.is_empty() {
            written = match writev(&self.socket, &[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(written) => written,
                Err(Errno::AGAIN | Errno::INTR) => 0,
                // The host is gone: whoever reads learns it, too.
                Err(_) => return,
            };
        }
        if written < head.len() + body.len() {
            unwritten.extend_from_slice(&head[written.min(head.len())..]);
            unwritten.extend_from_slice(&body[written.saturating_sub(head.len())..]);
            self.more.notify_one();
        }
    }

    /// Writes what the socket has not taken at once, for ever.
    async fn write_rest(self: Arc<Self>) {
        loop {
            self.more.notified().await;
            while !self.unwritten().is_empty() {
                if self.socket.writable().await.is_err() {
                    return;
                }
                let mut unwritten = self.unwritten();
                match self.socket.try_write(&unwritten) {
                    Ok(written) => unwritten.advance(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
            self.empty.notify_waiters();
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, BytesMut> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a content type that the host takes: what it is not told stands in the response's own headers.
fn plain(content_type: &str) -> &str {
    let is_plain = content_type.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain && content_type.len() <= MAX_CONTENT_TYPE {
        content_type
    } else {
        "application/octet-stream"
    }
}

impl Requests {
    /// Waits for the next message; none when the host has hung up. Cancel safe.
    pub async fn next(&mut self) -> io::Result<Option<(HostMessage, Bytes)>> {
        loop {
            if let Some(frame) = self.frames.next().map_err(violation)? {
                return Ok(Some(frame));
            }
            self.control.socket.readable().await?;
            match self.control.socket.try_read_buf(self.frames.space()) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes the error of a host that does not keep to the protocol.
pub fn violation(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
