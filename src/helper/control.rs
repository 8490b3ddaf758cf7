//! The control connection, and the outputs of this process and its children.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Write as _},
    os::{fd::OwnedFd, unix::net},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use rustix::{
    fs::{Mode, OFlags, fcntl_setfl, open},
    io::{Errno, writev},
    stdio::{dup2_stderr, dup2_stdout},
};
use tokio::{io::Interest, net::UnixStream, sync::Notify, time::sleep};

use crate::{
    call::{Answer, FunctionError},
    frames::Frames,
    protocol::{FEATURES, GuestMessage, HostMessage, VERSION, fitted},
};

/// The limit of a result's content type, in bytes.
const MAX_CONTENT_TYPE: usize = 256;

/// The pause before the kernel is asked again where it had no memory for a message.
const NO_MEMORY_PAUSE: Duration = Duration::from_millis(10);

/// Messages, or what is left of the first one: heads and bodies.
type Messages = VecDeque<(Bytes, Bytes)>;

/// The way to the host. What is sent is written at once if the socket takes it, and in its order by a task if not.
pub struct Control {
    socket: UnixStream,
    unwritten: Mutex<Messages>,
    more: Notify,
    empty: Notify,
}

/// The messages from the host.
pub struct Requests {
    control: Arc<Control>,
    frames: Frames,
}

/// Connects to the host and says hello. The outputs of this process are the host's from then on. [`Control::write_rest`] has
/// to run at the same time as everything else.
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
        self.write(message.head(0).0, Bytes::new());
    }

    /// Says why the function cannot be loaded.
    pub fn load_error(&self, error: FunctionError) {
        self.send(&GuestMessage::LoadError(&fitted(error)));
    }

    /// Sends an invocation's output; the host shows it among its lines.
    pub fn log(&self, id: &str, bytes: &[u8]) {
        let message = GuestMessage::Log { id, stream: "stderr" };
        self.write(message.head(bytes.len()).0, Bytes::copy_from_slice(bytes));
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
                    return self.write(head, body);
                }
                let message = "the response's headers are over the limit of 64 KiB of a message to the host, in which quotes, \
                               backslashes and bytes above 127 take two bytes: send less of them";
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

    fn write(&self, head: Vec<u8>, body: Bytes) {
        let mut unwritten = self.unwritten();
        let is_first = unwritten.is_empty();
        unwritten.push_back((Bytes::from(head), body));
        if is_first {
            // An error is seen by the task, too, which handles it.
            let _ = write_now(&self.socket, &mut unwritten);
        }
        if !unwritten.is_empty() {
            self.more.notify_one();
        }
    }

    /// Writes what the socket has not taken at once. Returns only when it takes nothing any more though the host is there.
    pub async fn write_rest(self: Arc<Self>) -> io::Error {
        loop {
            self.more.notified().await;
            while !self.unwritten().is_empty() {
                let written = match self.socket.writable().await {
                    Ok(()) => self.socket.try_io(Interest::WRITABLE, || {
                        write_now(&self.socket, &mut self.unwritten()).map_err(io::Error::from)
                    }),
                    Err(error) => Err(error),
                };
                match written.map_err(Unwritten::from) {
                    Ok(()) | Err(Unwritten::Full) => {}
                    Err(Unwritten::NoMemory) => sleep(NO_MEMORY_PAUSE).await,
                    // The reader learns it, too.
                    Err(Unwritten::HungUp) => std::future::pending().await,
                    Err(Unwritten::Lost(error)) => {
                        let message = format!("the host's socket takes no message: {error}");
                        return io::Error::new(error.kind(), message);
                    }
                }
            }
            self.empty.notify_waiters();
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, Messages> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until nothing is left, or the socket takes no more; what was written is taken off.
fn write_now(socket: &UnixStream, unwritten: &mut Messages) -> Result<(), Errno> {
    while let Some((head, body)) = unwritten.front_mut() {
        let written = match writev(socket, &[IoSlice::new(head), IoSlice::new(body)]) {
            Err(Errno::INTR) => continue,
            written => written?,
        };
        let of_head = written.min(head.len());
        head.advance(of_head);
        body.advance(written - of_head);
        if head.is_empty() && body.is_empty() {
            unwritten.pop_front();
        }
    }
    Ok(())
}

/// The reason why the socket has not taken a message.
#[derive(Debug)]
enum Unwritten {
    /// The host has not read the ones before.
    Full,
    /// The kernel has no memory for it now.
    NoMemory,
    /// The host has gone.
    HungUp,
    /// Anything else.
    Lost(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::AGAIN) => Self::Full,
            Some(Errno::NOBUFS | Errno::NOMEM) => Self::NoMemory,
            Some(Errno::PIPE | Errno::CONNRESET) => Self::HungUp,
            // The event loop makes this one itself.
            None if error.kind() == io::ErrorKind::WouldBlock => Self::Full,
            _ => Self::Lost(error),
        }
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

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, time::timeout};

    use super::*;

    #[test]
    fn a_kernel_without_memory_is_no_host_that_has_gone() {
        let why = |errno: Errno| Unwritten::from(io::Error::from(errno));
        for errno in [Errno::NOBUFS, Errno::NOMEM] {
            assert!(matches!(why(errno), Unwritten::NoMemory), "{errno:?}");
        }
        for errno in [Errno::PIPE, Errno::CONNRESET] {
            assert!(matches!(why(errno), Unwritten::HungUp), "{errno:?}");
        }
        assert!(matches!(why(Errno::AGAIN), Unwritten::Full));
        let blocks = io::Error::from(io::ErrorKind::WouldBlock);
        assert!(matches!(Unwritten::from(blocks), Unwritten::Full));
        assert!(matches!(why(Errno::IO), Unwritten::Lost(_)));
    }

    #[tokio::test]
    async fn a_body_that_the_socket_does_not_take_at_once_is_not_copied_and_arrives_whole() {
        let (socket, mut host) = UnixStream::pair().unwrap();
        let (unwritten, more, empty) = (Mutex::default(), Notify::new(), Notify::new());
        let control = Arc::new(Control { socket, unwritten, more, empty });
        let body = Bytes::from(vec![b'x'; 6 * 1024 * 1024]);
        control.write(b"head".to_vec(), body.clone());
        control.write(b"next".to_vec(), Bytes::new());
        let at = control.unwritten()[0].1.as_ptr_range();
        assert!(body.as_ptr_range().contains(&at.start) && at.end == body.as_ptr_range().end);
        let writer = tokio::spawn(Arc::clone(&control).write_rest());
        let mut seen = vec![0; 4 + body.len() + 4];
        timeout(Duration::from_secs(60), host.read_exact(&mut seen)).await.unwrap().unwrap();
        assert_eq!((&seen[..4], &seen[4 + body.len()..]), (&b"head"[..], &b"next"[..]));
        control.written().await;
        assert!(control.unwritten().is_empty());
        writer.abort();
    }
}
