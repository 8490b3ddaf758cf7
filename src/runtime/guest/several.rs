//! Several invocations at a time in one guest.
//!
//! ```text
//!  Calls::invoke ──Request──▶ Several::run ──frames──▶ guest
//!                ◀─CallEvent─              ◀──frames── (results, errors, log, in any order)
//! ```
//!
//! [`Several`] carries messages both ways at the same time, so that a guest which writes a large result while a large payload
//! is on its way to it is never stuck. Lines that came before an answer are told before it.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    io::{self, IoSlice},
    pin::pin,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    net::UnixStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::sleep,
};

use super::{
    Finished, Guest, GuestError, Invoke, Line, bounded, closed,
    lines::{Budget, Lines},
    output::Output,
    protocol::{GuestMessage, HostMessage, OutputName, encode_head},
    request::{Sent, Taker},
    response::{self, Checked, Expected},
    too_large, unexpected,
};
use crate::model::{FunctionError, InvocationId, Stream};

/// The way to a guest for invocations; each may be under way beside others.
pub struct Calls {
    requests: UnboundedSender<Request>,
    taker: Taker,
}

enum Request {
    Invoke {
        id: InvocationId,
        head: BytesMut,
        payload: Bytes,
        expected: Expected,
        told: UnboundedSender<CallEvent>,
    },
    /// It has overrun its time: what was written until now is told, and then nothing more.
    Forget(InvocationId),
}

enum CallEvent {
    Line(Line),
    Finished(Checked),
}

impl Calls {
    /// Sends `invoke` and waits for its answer, for up to `limit`. Every line of this invocation that was written before the
    /// answer reaches `output` before this returns, even when it fails. An error other than [`GuestError::TimedOut`] means
    /// that the guest is lost: what [`Several::run`] returns says why.
    pub async fn invoke(
        &self,
        invoke: &Invoke,
        payload: &Bytes,
        limit: Duration,
        output: &mut (dyn FnMut(Line) + Send),
    ) -> Result<Finished, GuestError> {
        let Sent { invoke, payload, expected } = match self.taker.form(invoke, payload).await {
            Ok(sent) => sent,
            Err(error) => return Ok(Finished::Error(error)),
        };
        let head = match encode_head(&HostMessage::Invoke(&invoke), payload.len()) {
            Ok(head) => head,
            Err(error) => return Ok(Finished::Error(too_large(&error))),
        };
        let (told, mut heard) = unbounded_channel();
        let id = invoke.id;
        self.ask(Request::Invoke { id, head, payload, expected, told })?;
        let mut is_late = false;
        let mut late = pin!(sleep(limit));
        loop {
            let told = tokio::select! {
                biased;
                told = heard.recv() => told,
                () = &mut late, if !is_late => {
                    is_late = true;
                    self.ask(Request::Forget(id))?;
                    continue;
                }
            };
            match told {
                Some(CallEvent::Line(line)) => output(line),
                Some(CallEvent::Finished(checked)) => return Ok(checked.finished().await),
                None if is_late => return Err(GuestError::TimedOut(limit)),
                None => return Err(GuestError::Closed(None)),
            }
        }
    }

    /// Returns whether the guest is lost.
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    fn ask(&self, request: Request) -> Result<(), GuestError> {
        self.requests.send(request).map_err(|_| GuestError::Closed(None))
    }
}

/// The carrier of a guest's messages.
pub struct Several<'a> {
    guest: &'a mut Guest,
    requests: UnboundedReceiver<Request>,
    under_way: HashMap<InvocationId, UnderWay>,
    unsent: VecDeque<(BytesMut, Bytes)>,
}

/// An invocation that is not answered.
struct UnderWay {
    /// None for one that was forgotten: its answer is of no use to anybody.
    told: Option<UnboundedSender<CallEvent>>,
    /// The result that answers it.
    expected: Expected,
    stdout: Lines,
    stderr: Lines,
    budget: Budget,
}

impl Guest {
    /// Makes a loaded guest one for several invocations at a time: as many as its `load` said.
    pub fn several(&mut self) -> (Calls, Several<'_>) {
        let (requests, received) = unbounded_channel();
        let (under_way, unsent) = (HashMap::new(), VecDeque::new());
        let taker = self.taker.clone();
        (Calls { requests, taker }, Several { guest: self, requests: received, under_way, unsent })
    }
}

impl Several<'_> {
    /// Carries messages, and passes on output that is not an invocation's. Returns only when the guest hangs up, or sends
    /// what it may not send; nothing is under way then.
    pub async fn run(&mut self, output: &mut (dyn FnMut(Line) + Send)) -> GuestError {
        let error = loop {
            // A guest that writes all the time must not keep this task from everything else.
            tokio::task::consume_budget().await;
            if let Err(error) = self.step(output).await {
                break error;
            }
        };
        self.guest.output.drain(output);
        self.requests.close();
        while let Ok(_in_vain) = self.requests.try_recv() {}
        for (_, mut one) in self.under_way.drain() {
            one.finish_lines();
        }
        error
    }

    /// Waits for one thing to do, and does it.
    async fn step(&mut self, output: Output<'_>) -> Result<(), GuestError> {
        let Guest { control, output: outputs, .. } = &mut *self.guest;
        tokio::select! {
            readable = control.readable() => {
                readable.map_err(closed)?;
                self.read(output)
            }
            writable = control.writable(), if !self.unsent.is_empty() => {
                writable.map_err(closed)?;
                self.write()
            }
            Some(request) = self.requests.recv() => match request {
                Request::Invoke { id, head, payload, expected, told } => match self.under_way.entry(id) {
                    Entry::Vacant(place) => {
                        place.insert(UnderWay::new(told, expected));
                        self.unsent.push_back((head, payload));
                        self.write()
                    }
                    Entry::Occupied(_) => {
                        let message = format!("{id} is under way in this instance already");
                        let (kind, trace, hint) = ("protocol".to_owned(), None, None);
                        let error = FunctionError { kind, message, trace, hint };
                        let finished = Checked::Finished(Finished::Error(error));
                        let _ = told.send(CallEvent::Finished(finished));
                        Ok(())
                    }
                },
                Request::Forget(id) => {
                    self.read(output)?;
                    if let Some(one) = self.under_way.get_mut(&id) {
                        one.finish_lines();
                        one.told = None;
                    }
                    Ok(())
                }
            },
            never = outputs.follow(&mut *output) => match never {},
        }
    }

    /// Reads what is there, and takes whole frames.
    fn read(&mut self, output: Output<'_>) -> Result<(), GuestError> {
        match self.guest.control.try_read_buf(self.guest.frames.space()) {
            Ok(0) => return Err(GuestError::Closed(None)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(closed(error)),
        }
        while let Some((message, body)) = self.guest.frames.next().map_err(GuestError::Violation)? {
            self.take(message, body, output)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        message: GuestMessage,
        body: Bytes,
        output: Output<'_>,
    ) -> Result<(), GuestError> {
        match message {
            GuestMessage::Log { id, stream } if self.guest.taker.features.log => {
                match self.under_way.get_mut(&id) {
                    Some(one) if one.told.is_some() => one.log(stream, &body),
                    // Whoever wrote it has been answered.
                    _ => self.guest.output.push(stream.into(), &body, output),
                }
                Ok(())
            }
            GuestMessage::Result { id, content_type, http } => {
                let Some(one) = self.under_way.get(&id) else { return Err(not_under_way(id)) };
                let checked = response::checked(one.expected, content_type, http, body)?;
                self.finish(id, checked)
            }
            GuestMessage::Error { id, error } => {
                self.finish(id, Checked::Finished(Finished::Error(bounded(error))))
            }
            other => Err(unexpected(&other, "result")),
        }
    }

    fn finish(&mut self, id: InvocationId, checked: Checked) -> Result<(), GuestError> {
        let Entry::Occupied(one) = self.under_way.entry(id) else {
            return Err(not_under_way(id));
        };
        let mut one = one.remove();
        one.finish_lines();
        one.tell(CallEvent::Finished(checked));
        // Otherwise what the instance writes beside its invocations would have one bound for all its life.
        self.guest.output.budget = Budget::endless();
        Ok(())
    }

    /// Writes as much as the socket takes now.
    fn write(&mut self) -> Result<(), GuestError> {
        while let Some((head, body)) = self.unsent.front_mut() {
            match write_now(&self.guest.control, head, body) {
                Ok(()) => self.unsent.pop_front(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(closed(error)),
            };
        }
        Ok(())
    }
}

fn not_under_way(id: InvocationId) -> GuestError {
    GuestError::Violation(format!("an answer to {id}, which is not under way"))
}

/// Writes until all is written, or the socket takes no more; what was written is taken off.
fn write_now(socket: &UnixStream, head: &mut BytesMut, body: &mut Bytes) -> io::Result<()> {
    while !(head.is_empty() && body.is_empty()) {
        let written = socket.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        let of_head = written.min(head.len());
        head.advance(of_head);
        body.advance(written - of_head);
    }
    Ok(())
}

impl UnderWay {
    fn new(told: UnboundedSender<CallEvent>, expected: Expected) -> Self {
        let (stdout, stderr) = (Lines::new(Stream::Stdout), Lines::new(Stream::Stderr));
        Self { told: Some(told), expected, stdout, stderr, budget: Budget::new() }
    }

    fn tell(&self, told: CallEvent) {
        if let Some(listener) = &self.told {
            let _ = listener.send(told);
        }
    }

    fn log(&mut self, stream: OutputName, bytes: &[u8]) {
        let Self { told, stdout, stderr, budget, expected: _ } = self;
        let lines = match stream {
            OutputName::Stdout => stdout,
            OutputName::Stderr => stderr,
        };
        lines.push(bytes, budget, &mut line_to(told.as_ref()));
    }

    /// Ends unfinished lines, and tells how much was dropped.
    fn finish_lines(&mut self) {
        let Self { told, stdout, stderr, budget, expected: _ } = self;
        let mut output = line_to(told.as_ref());
        stdout.finish(budget, &mut output);
        stderr.finish(budget, &mut output);
        budget.finish(&mut output);
    }
}

fn line_to(told: Option<&UnboundedSender<CallEvent>>) -> impl FnMut(Line) {
    move |line| {
        if let Some(told) = told {
            let _ = told.send(CallEvent::Line(line));
        }
    }
}

impl From<OutputName> for Stream {
    fn from(name: OutputName) -> Self {
        match name {
            OutputName::Stdout => Self::Stdout,
            OutputName::Stderr => Self::Stderr,
        }
    }
}

#[cfg(test)]
#[path = "several_tests.rs"]
mod tests;
