//! Both outputs of a guest, read while an answer is awaited and emptied after it.

use std::io;

use bytes::BytesMut;
use rustix::net::{RecvFlags, recv};
use tokio::net::{UnixStream, unix::pipe};

use super::{
    line::Line,
    lines::{Budget, Lines, Turns},
};
use crate::model::Stream;

/// The limit of one read of output, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// The most bytes read from one stream after an answer. The kernel's buffer holds less, so that everything written
/// before the answer is included; a guest that keeps printing cannot hold us up.
const MAX_DRAIN: usize = 4 * 1024 * 1024;

/// The receiver of lines.
pub(super) type Output<'a> = &'a mut (dyn FnMut(Line) + Send);

/// The source that an output is read from. Neither end ever makes this program wait.
pub(super) enum Source {
    Connection(UnixStream),
    Pipe(pipe::Receiver),
}

impl Source {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Connection(socket) => socket.readable().await,
            Self::Pipe(pipe) => pipe.readable().await,
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Connection(socket) => socket.try_read(buffer),
            Self::Pipe(pipe) => pipe.try_read(buffer),
        }
    }

    /// Asks the kernel, not tokio: its readiness may be older than the answer that was just read.
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Connection(socket) => {
                    recv(socket, &mut *buffer, RecvFlags::DONTWAIT).map(|(length, _)| length)
                }
                // Opened here in non-blocking mode, which its other descriptors cannot change.
                Self::Pipe(pipe) => rustix::io::read(pipe, &mut *buffer),
            };
            match read {
                Err(rustix::io::Errno::INTR) => {}
                other => return other.map_err(io::Error::from),
            }
        }
    }
}

/// Both output streams of a guest.
pub(super) struct Outputs {
    stdout: OutputStream,
    stderr: OutputStream,
    turns: Turns,
    /// The amount of the current invocation's output that may still be passed on.
    pub(super) budget: Budget,
}

struct OutputStream {
    source: Source,
    lines: Lines,
    open: bool,
    scratch: Box<[u8; READ_SIZE]>,
}

impl Outputs {
    /// Makes the outputs, each from its source and the bytes that were read from it already.
    pub(super) fn new(stdout: (Source, BytesMut), stderr: (Source, BytesMut)) -> Self {
        let mut budget = Budget::endless();
        let mut stream = |(source, rest): (Source, BytesMut), stream| {
            let mut lines = Lines::new(stream);
            lines.push(&rest, &mut budget, &mut |_| {});
            OutputStream { source, lines, open: true, scratch: Box::new([0; READ_SIZE]) }
        };
        let (stdout, stderr) = (stream(stdout, Stream::Stdout), stream(stderr, Stream::Stderr));
        Self { stdout, stderr, turns: Turns::default(), budget }
    }

    /// Passes lines on as they come, and never returns. Cancel safe: all bytes read are kept.
    pub(super) async fn follow(&mut self, output: Output<'_>) -> std::convert::Infallible {
        loop {
            // A guest that prints all the time must not keep this task from checking its time limit.
            tokio::task::consume_budget().await;
            tokio::select! {
                () = self.stdout.readable() => {}
                () = self.stderr.readable() => {}
            }
            let [stdout, stderr] = [&mut self.stdout, &mut self.stderr].map(OutputStream::read);
            self.pass_on([stdout, stderr], output);
        }
    }

    /// Passes on bytes that came in another way than by this output itself.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8], output: Output<'_>) {
        let Self { stdout, stderr, budget, .. } = self;
        let of = if stream == Stream::Stderr { stderr } else { stdout };
        of.lines.push(bytes, budget, output);
    }

    /// Reads both until they are empty, and ends unfinished lines.
    pub(super) fn drain(&mut self, output: Output<'_>) {
        let mut left = MAX_DRAIN;
        while left > 0 {
            let read = [&mut self.stdout, &mut self.stderr].map(OutputStream::read_now);
            let most = read[0].max(read[1]);
            if most == 0 {
                break;
            }
            self.pass_on(read, output);
            left = left.saturating_sub(most);
        }
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.lines.finish(&mut self.budget, output);
        }
        self.turns = Turns::default();
    }

    /// Passes on the bytes that were just read from each; the arguments are their numbers.
    fn pass_on(&mut self, [of_stdout, of_stderr]: [usize; 2], output: Output<'_>) {
        let Self { stdout, stderr, turns, budget } = self;
        let chunks = [&stdout.scratch[..of_stdout], &stderr.scratch[..of_stderr]];
        turns.push(chunks, [&mut stdout.lines, &mut stderr.lines], budget, output);
    }
}

impl OutputStream {
    async fn readable(&self) {
        // A closed stream never has more output; the guest's end is seen on control.
        if !self.open || self.source.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads what is there. Tokio may not have heard yet of what the kernel has: lines of both streams that were written
    /// at the same time would be passed on one stream after the other.
    fn read(&mut self) -> usize {
        match self.source.try_read(&mut self.scratch[..]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.read_now(),
            read => self.took(read),
        }
    }

    fn read_now(&mut self) -> usize {
        if !self.open {
            return 0;
        }
        let read = self.source.read_now(&mut self.scratch[..]);
        self.took(read)
    }

    /// Returns how many bytes `scratch` holds; remembers an end.
    fn took(&mut self, read: io::Result<usize>) -> usize {
        match read {
            Ok(length @ 1..) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Ok(0) | Err(_) => {
                self.open = false;
                0
            }
        }
    }
}
