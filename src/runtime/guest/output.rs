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

/// Limit of one read of output.
const READ_SIZE: usize = 16 * 1024;

/// What is read of one stream after an answer, at most. The kernel's buffer holds less, so that everything
/// written before the answer is among it; a guest that goes on printing cannot hold us up.
const MAX_DRAIN: usize = 4 * 1024 * 1024;

/// Where lines go.
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
                // Opened here without waiting, which no other descriptor of it can change.
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
    /// How much of the current invocation's output may still be passed on.
    pub(super) budget: Budget,
}

struct OutputStream {
    source: Source,
    lines: Lines,
    open: bool,
    scratch: Box<[u8; READ_SIZE]>,
}

impl Outputs {
    /// Of both outputs, and what was read of each already.
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

    /// Passes lines on as they come, for ever. Cancel safe: nothing is read that is not kept.
    pub(super) async fn follow(&mut self, output: Output<'_>) -> std::convert::Infallible {
        loop {
            // A guest that prints all the time must not keep this task from its time limit.
            tokio::task::consume_budget().await;
            tokio::select! {
                () = self.stdout.readable() => {}
                () = self.stderr.readable() => {}
            }
            let [stdout, stderr] = [&mut self.stdout, &mut self.stderr].map(|stream| {
                let read = stream.source.try_read(&mut stream.scratch[..]);
                stream.took(read)
            });
            self.pass_on([stdout, stderr], output);
        }
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

    /// What was just read of each: so many bytes.
    fn pass_on(&mut self, [of_stdout, of_stderr]: [usize; 2], output: Output<'_>) {
        let Self { stdout, stderr, turns, budget } = self;
        let chunks = [&stdout.scratch[..of_stdout], &stderr.scratch[..of_stderr]];
        turns.push(chunks, [&mut stdout.lines, &mut stderr.lines], budget, output);
    }
}

impl OutputStream {
    async fn readable(&self) {
        // A closed stream never has anything again; the guest's end is seen on control.
        if !self.open || self.source.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn read_now(&mut self) -> usize {
        if !self.open {
            return 0;
        }
        let read = self.source.read_now(&mut self.scratch[..]);
        self.took(read)
    }

    /// How many bytes there are in `scratch`; remembers an end.
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
