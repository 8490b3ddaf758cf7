//! The host's side of one guest: its control connection, and its two outputs, which are connections too, or named
//! pipes. `protocol` defines the wire format, `frames` cuts a connection into its frames, `listener` waits for a guest to
//! connect, `early` keeps the sandbox's output before that; `output` reads both outputs, `lines` cuts them into lines;
//! `request` knows the form of HTTP requests and `response` checks results, with `event`, `event_answer` and
//! `answer_fields` for guests that take requests as events.
//!
//! Output is read while an answer is awaited, so that a guest that prints a lot is never stuck. After the answer both
//! outputs are read until the kernel says that they are empty: the guest has flushed before it answered, therefore no
//! output of the invocation is missed.
//!
//! The order within each output is kept. The order between two lines on different outputs is unknown: when both hold
//! some at the same time, it is passed on in turn, line by line.

mod answer_fields;
mod early;
mod error;
mod event;
mod event_answer;
mod frames;
mod header;
mod line;
mod lines;
mod listener;
mod output;
mod protocol;
mod request;
mod response;
mod several;
mod work;

use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    time::{Instant, timeout_at},
};

pub(super) use self::{early::EarlyOutput, listener::Listener, protocol::SOCKET_NAME};
pub use self::{
    error::GuestError,
    line::Line,
    listener::run_folder,
    protocol::{Invoke, Load, RequestHead},
    several::{Calls, Several},
};
use self::{
    frames::Frames,
    lines::Budget,
    output::{Output, Outputs, Source},
    protocol::{Features, GuestMessage, HostMessage, OutputKind, TooLarge, VERSION, encode_head},
    request::{Sent, Taker},
};
use crate::model::{Body, FunctionError, HttpResponse, Interface};

/// The limit of an error's type, in characters; the shims keep to it themselves.
const MAX_ERROR_TYPE: usize = 256;

/// The limit of a result's content type, in bytes: it becomes a header of the answer.
const MAX_CONTENT_TYPE: usize = 256;

/// A connected guest, for one invocation at a time, or, once it is loaded, for [several](Guest::several). Dropping it hangs
/// up, and then the guest exits.
pub struct Guest {
    control: UnixStream,
    frames: Frames,
    output: Outputs,
    /// The named pipe `host`, whose closing tells a guest that this one has hung up.
    _host: Option<OwnedFd>,
    taker: Taker,
    loaded: bool,
    all_output: bool,
}

/// An answer to `invoke`: each comes from the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The handler returned.
    Result(Body),
    /// The function answered an HTTP request; also where it calls that a failure.
    Response(HttpResponse, Body),
    /// The handler raised, its payload or result is over a limit, or its answer to an event is none.
    Error(FunctionError),
}

/// The failure to load the code.
#[derive(Debug)]
pub enum LoadFailure {
    /// The guest gave the reason (`load_error`): a syntax error, a missing handler.
    Function(FunctionError),
    /// The guest has not listed a feature that this needs; nothing was sent.
    Unable(String),
    /// There is no answer.
    Guest(GuestError),
}

impl Guest {
    /// Makes a guest that has said [`hello`]; each output comes with the bytes that were read from it already.
    fn new(
        control: UnixStream,
        frames: Frames,
        host: Option<OwnedFd>,
        features: Features,
        [stdout, stderr]: [(Source, BytesMut); 2],
    ) -> Self {
        let output = Outputs::new(stdout, stderr);
        Self {
            control,
            frames,
            output,
            _host: host,
            taker: Taker::new(features),
            loaded: false,
            all_output: false,
        }
    }

    /// From here on the whole output of each call is passed on: whoever hears it bounds what is kept.
    pub fn pass_all_output(&mut self) {
        self.all_output = true;
    }

    /// Sends `load` (once) and waits for `ready`, for up to `limit`. The output of the code while it loads goes to
    /// `output`.
    pub async fn load(
        &mut self,
        load: &Load,
        limit: Duration,
        output: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), LoadFailure> {
        assert!(!self.loaded, "a guest is loaded once");
        if load.concurrency > 1 && !self.taker.features.concurrent {
            return Err(LoadFailure::Unable(format!(
                "`scaling.concurrency` is {}, but the image's guest does not list the feature `concurrent` of the \
                 runtime protocol: set it to 1, or use a guest that runs several invocations at the same time",
                load.concurrency
            )));
        }
        if let Some(reason) = self.unable(load.interface) {
            return Err(LoadFailure::Unable(reason));
        }
        self.loaded = true;
        self.taker.loads(load);
        let answer = self.exchange(&HostMessage::Load(load), &Bytes::new(), limit, output).await;
        match answer {
            Ok((GuestMessage::Ready { context }, _)) => {
                self.taker.with_context = context.unwrap_or(true);
                Ok(())
            }
            Ok((GuestMessage::LoadError(error), _)) => Err(LoadFailure::Function(bounded(error))),
            Ok((other, _)) => Err(LoadFailure::Guest(unexpected(&other, "ready"))),
            Err(NoAnswer::TooLarge(error)) => Err(LoadFailure::Function(too_large(&error))),
            Err(NoAnswer::Guest(error)) => Err(LoadFailure::Guest(error)),
        }
    }

    /// Returns why this guest cannot be told of an interface.
    fn unable(&self, interface: Interface) -> Option<String> {
        let lacks = match interface {
            Interface::Protocol => return None,
            _ if !self.taker.features.interface => "interface",
            Interface::Http { .. } if !self.taker.features.http => "http",
            _ => return None,
        };
        Some(format!(
            "`interface` is \"{}\", but the guest does not list the feature `{lacks}` of the runtime protocol",
            interface.name()
        ))
    }

    /// Returns whether the handler may look at the headers of an invocation; otherwise they need not be sent. True
    /// before `load`.
    pub fn with_context(&self) -> bool {
        self.taker.with_context
    }

    /// Sends `invoke` and waits for its answer, for up to `limit`. Every line that was written before the answer
    /// reaches `output` before this returns, even when it fails.
    pub async fn invoke(
        &mut self,
        invoke: &Invoke,
        payload: &Bytes,
        limit: Duration,
        output: &mut (dyn FnMut(Line) + Send),
    ) -> Result<Finished, GuestError> {
        let Sent { invoke, payload, expected } = match self.taker.form(invoke, payload).await {
            Ok(sent) => sent,
            Err(error) => return Ok(Finished::Error(error)),
        };
        match self.exchange(&HostMessage::Invoke(&invoke), &payload, limit, output).await {
            Ok((GuestMessage::Result { id, content_type, http }, bytes)) if id == invoke.id => {
                Ok(response::checked(expected, content_type, http, bytes)?.finished().await)
            }
            Ok((GuestMessage::Error { id, error }, _)) if id == invoke.id => {
                Ok(Finished::Error(bounded(error)))
            }
            Ok((GuestMessage::Result { id, .. } | GuestMessage::Error { id, .. }, _)) => {
                Err(GuestError::Violation(format!("an answer to {id} instead of {}", invoke.id)))
            }
            Ok((other, _)) => Err(unexpected(&other, "result")),
            Err(NoAnswer::TooLarge(error)) => Ok(Finished::Error(too_large(&error))),
            Err(NoAnswer::Guest(error)) => Err(error),
        }
    }

    /// Passes on the instance's output between invocations, and returns only when the guest hangs up or sends something
    /// that it may not send now. Cancel safe: drop it to invoke.
    pub async fn idle(&mut self, output: &mut (dyn FnMut(Line) + Send)) -> GuestError {
        let error = if self.frames.is_empty() {
            let Self { control, frames, output: outputs, .. } = self;
            tokio::select! {
                biased;
                read = read_control(control, frames) => match read {
                    Ok(()) => unsolicited(),
                    Err(error) => error,
                },
                never = outputs.follow(output) => match never {},
            }
        } else {
            unsolicited()
        };
        self.output.drain(output);
        error
    }

    /// Sends one message and reads one back, with everything that was printed until then.
    async fn exchange(
        &mut self,
        message: &HostMessage<'_>,
        body: &Bytes,
        limit: Duration,
        output: Output<'_>,
    ) -> Result<(GuestMessage, Bytes), NoAnswer> {
        let head = encode_head(message, body.len()).map_err(NoAnswer::TooLarge)?;
        self.output.budget = if self.all_output { Budget::unlimited() } else { Budget::new() };
        let deadline = Instant::now() + limit;
        let answer = match timeout_at(deadline, self.talk(&head, body, output)).await {
            Ok(answer) => answer,
            Err(_) => Err(GuestError::TimedOut(limit)),
        };
        self.output.drain(output);
        self.output.budget.finish(output);
        // From here on the output belongs to the instance, not to an invocation.
        self.output.budget = Budget::endless();
        answer.map_err(NoAnswer::Guest)
    }

    async fn talk(
        &mut self,
        head: &[u8],
        body: &[u8],
        output: Output<'_>,
    ) -> Result<(GuestMessage, Bytes), GuestError> {
        if !self.frames.is_empty() {
            return Err(unsolicited());
        }
        tokio::select! {
            biased;
            written = write_frame(&self.control, head, body) => written.map_err(closed)?,
            never = self.output.follow(output) => match never {},
        }
        self.answer(output).await
    }

    /// Reads the next frame; nothing may follow it.
    async fn answer(&mut self, output: Output<'_>) -> Result<(GuestMessage, Bytes), GuestError> {
        let Self { control, frames, output: outputs, .. } = self;
        tokio::select! {
            biased;
            answer = next_frame(control, frames) => answer,
            never = outputs.follow(output) => match never {},
        }
    }
}

/// Waits for `hello` on a control connection, after its opening frame; returns how the guest writes its output, if not
/// by connections, and what else it can do. Cancel safe.
async fn hello(
    control: &mut UnixStream,
    frames: &mut Frames,
) -> Result<(Option<OutputKind>, Features), GuestError> {
    match next_frame(control, frames).await? {
        (GuestMessage::Hello { protocol: VERSION, outputs, features, .. }, _) => Ok((outputs, features)),
        (GuestMessage::Hello { protocol, .. }, _) => Err(GuestError::Violation(format!(
            "the guest speaks protocol {protocol}, this program speaks {VERSION}"
        ))),
        (other, _) => Err(unexpected(&other, "hello")),
    }
}

/// The reason why no answer came.
enum NoAnswer {
    TooLarge(TooLarge),
    Guest(GuestError),
}

async fn next_frame(
    control: &mut UnixStream,
    frames: &mut Frames,
) -> Result<(GuestMessage, Bytes), GuestError> {
    loop {
        if let Some(frame) = frames.next().map_err(GuestError::Violation)? {
            return if frames.is_empty() { Ok(frame) } else { Err(unsolicited()) };
        }
        read_control(control, frames).await?;
    }
}

/// Reads some bytes into `frames`, or fails when the guest has hung up. Cancel safe.
async fn read_control(control: &mut UnixStream, frames: &mut Frames) -> Result<(), GuestError> {
    match control.read_buf(frames.space()).await {
        Ok(0) => Err(GuestError::Closed(None)),
        Ok(_) => Ok(()),
        Err(error) => Err(closed(error)),
    }
}

/// Writes a frame, in one call when the socket's buffer has room for it.
async fn write_frame(socket: &UnixStream, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
    while !(head.is_empty() && body.is_empty()) {
        socket.writable().await?;
        match socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
            Ok(written) => {
                let of_head = written.min(head.len());
                head.advance(of_head);
                body.advance(written - of_head);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn closed(error: io::Error) -> GuestError {
    GuestError::Closed(Some(error))
}

fn unsolicited() -> GuestError {
    GuestError::Violation("a frame that nothing asked for".to_owned())
}

fn unexpected(message: &GuestMessage, instead_of: &str) -> GuestError {
    GuestError::Violation(format!("'{}' instead of '{instead_of}'", message.name()))
}

fn check_content_type(content_type: &str) -> Result<(), GuestError> {
    if !content_type.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(GuestError::Violation("a content type is not plain ASCII".to_owned()));
    }
    if content_type.len() > MAX_CONTENT_TYPE {
        let length = content_type.len();
        let over = format!("a content type of {length} bytes is over the limit of {MAX_CONTENT_TYPE}");
        return Err(GuestError::Violation(over));
    }
    Ok(())
}

/// Cuts an error's type: it is a name, one line, and short. The frame's header bounds message and trace.
fn bounded(error: FunctionError) -> FunctionError {
    let mut kind = String::with_capacity(error.kind.len().min(MAX_ERROR_TYPE));
    let mut rest = error.kind.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    kind.extend(rest.by_ref().take(MAX_ERROR_TYPE));
    if rest.next().is_some() {
        kind.pop();
        kind.push('…');
    }
    FunctionError { kind, ..error }
}

fn too_large(error: &TooLarge) -> FunctionError {
    FunctionError { kind: "too_large".to_owned(), message: error.to_string(), trace: None, hint: None }
}
