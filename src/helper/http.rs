//! A web server of the function's author, on a port of the sandbox's own loopback device.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::CONTENT_TYPE,
};
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::{
    call::{Answer, Call, FunctionError, Load, LoadError, MAX_BODY, ResponseHead},
    children::Child,
    connections::{Connection, Connections},
    control::Control,
    headers::{of_response, request, text_of},
    limits::{MAX_HEADER_LINES, MAX_HEADERS},
    port,
    program::Program,
};

/// The time to wait for the end of the server after its connections have ended.
const END_NOTICE: Duration = Duration::from_millis(100);

/// The longest time before an invocation's deadline at which the author is told of an answer that has not ended.
const MAX_MARGIN: Duration = Duration::from_millis(50);

/// A server that accepts connections.
pub struct Http {
    port: u16,
    server: Child,
    connections: Arc<Connections>,
    /// True where several invocations may run at the same time: then the lines of each are sent with its id.
    beside_others: bool,
    control: Arc<Control>,
}

/// The reason why there is no response.
struct Failure {
    message: String,
    /// The server has ended a connection: it may have ended itself.
    is_closed: bool,
    kind: &'static str,
}

impl Http {
    /// Starts the server and waits until it accepts connections.
    pub async fn start(
        load: &Load,
        program: &Program,
        port: u16,
        control: Arc<Control>,
    ) -> Result<(Self, Child), LoadError> {
        let server = program.spawn(&[("PORT", port.to_string())])?;
        tokio::select! {
            biased;
            ended = server.ended() => {
                let name = program.name();
                let message = format!("the program \"{name}\" {ended} before it listened on port {port}");
                return Err(LoadError(FunctionError::new("exit", message)));
            }
            () = port::opened(port) => {}
        }
        let beside_others = load.concurrency > 1;
        let connections = Connections::new(port);
        let http = Self { port, server: server.clone(), connections, beside_others, control };
        Ok((http, server))
    }

    /// Sends a request and waits for the response; none where the server has ended, or the host has given up before.
    pub async fn call(&self, call: Call) -> Option<Answer> {
        let request = match request(&call, self.port) {
            Ok(request) => request,
            Err(message) => return Some(Answer::Error(FunctionError::new("http", message))),
        };
        let begun = AtomicUsize::new(0);
        let mut exchange = pin!(self.exchange(request, &begun));
        let margin = MAX_MARGIN.min(call.remaining / 20);
        let outcome = tokio::select! {
            outcome = &mut exchange => outcome,
            () = sleep_until(call.deadline - margin) => {
                self.tell_of_no_end(&call.id, begun.load(Ordering::Relaxed));
                timeout_at(call.deadline, exchange).await.ok()?
            }
        };
        let failure = match outcome {
            Ok(answer) => return Some(answer),
            Err(failure) => failure,
        };
        if failure.is_closed && self.has_ended().await {
            return None;
        }
        Some(Answer::Error(FunctionError::new(failure.kind, failure.message)))
    }

    /// Waits a moment for the server's end to be known.
    async fn has_ended(&self) -> bool {
        timeout(END_NOTICE, self.server.ended()).await.is_ok()
    }

    /// Sends a request on a connection. It is sent again only if certainly nothing of it was.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        begun: &AtomicUsize,
    ) -> Result<Answer, Failure> {
        let is_head = request.method() == Method::HEAD;
        loop {
            let (mut connection, is_new) = self.connection().await?;
            match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    let answer = self.receive(response, is_head, begun).await?;
                    // Some servers send a body after the head of such an answer, which would be read as the next answer.
                    if !is_head {
                        self.connections.give_back(connection);
                    }
                    return Ok(answer);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(self.no_answer(&error.into_error())),
                },
            }
        }
    }

    /// Returns a connection that was used before, or a new one, and whether it is new.
    async fn connection(&self) -> Result<(Connection, bool), Failure> {
        if let Some(connection) = self.connections.take() {
            return Ok((connection, false));
        }
        let opened = self.connections.open().await.map_err(|error| Failure {
            message: format!("the server on port {} takes no connection any more: {error}", self.port),
            is_closed: true,
            kind: "http",
        });
        opened.map(|connection| (connection, true))
    }

    async fn receive(
        &self,
        response: Response<Incoming>,
        is_head: bool,
        begun: &AtomicUsize,
    ) -> Result<Answer, Failure> {
        let (head, mut body) = response.into_parts();
        let status = head.status;
        if status == StatusCode::SWITCHING_PROTOCOLS || status.as_u16() > 599 {
            return Err(self.refused(
                "http",
                format!("answered with status {}, which cannot be passed on", status.as_u16()),
            ));
        }
        let size: usize =
            head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > MAX_HEADERS {
            let message = format!("the response's headers have {size} bytes, over the limit of 48 KiB");
            return Err(Failure { message, is_closed: false, kind: "too_large" });
        }
        let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(length.unwrap_or_default().min(MAX_BODY));
        begun.store(1, Ordering::Relaxed);
        while bytes.len().max(length.unwrap_or_default()) <= MAX_BODY {
            match body.frame().await {
                Some(Ok(frame)) => {
                    append(&mut bytes, frame.data_ref().map(|data| &data[..]).unwrap_or_default())
                }
                Some(Err(error)) => return Err(self.broken_off(bytes.len(), &error)),
                None => {
                    let content_type = head.headers.get(CONTENT_TYPE);
                    let content_type = content_type.map(|value| text_of(value.as_bytes()));
                    return Ok(Answer::Result {
                        content_type: content_type
                            .unwrap_or_else(|| "application/octet-stream".to_owned()),
                        body: Bytes::from(bytes),
                        http: Some(ResponseHead {
                            status: status.as_u16(),
                            headers: of_response(&head.headers, is_head),
                        }),
                    });
                }
            }
            begun.store(1 + bytes.len(), Ordering::Relaxed);
        }
        let message =
            format!("the response's body has more than {MAX_BODY} bytes (6 MiB), the limit of a result");
        Err(Failure { message, is_closed: false, kind: "too_large" })
    }

    /// Makes the error of a request that got no response. One error of hyper may have several causes.
    fn no_answer(&self, error: &hyper::Error) -> Failure {
        if error.is_parse_too_large() {
            return self.refused(
                "too_large",
                format!("answered with headers that are too large, or more than {MAX_HEADER_LINES}"),
            );
        }
        if error.is_parse() {
            return self.refused("http", format!("sent something that is not HTTP: {}", chain(error)));
        }
        let is_end = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        let reason = if is_end { String::new() } else { format!(": {}", chain(error)) };
        let what = format!("closed the connection before it had answered{reason}");
        Failure { is_closed: true, ..self.refused("http", what) }
    }

    fn broken_off(&self, received: usize, error: &hyper::Error) -> Failure {
        let what = format!("broke off its answer after {received} bytes of the body: {}", chain(error));
        Failure { is_closed: true, ..self.refused("http", what) }
    }

    fn refused(&self, kind: &'static str, what: String) -> Failure {
        let message = format!("the server on port {} {what}", self.port);
        Failure { message, is_closed: false, kind }
    }

    /// Tells the author of an answer that has begun and does not end. Otherwise the author would only learn of a timeout.
    fn tell_of_no_end(&self, id: &str, begun: usize) {
        let Some(received) = begun.checked_sub(1) else { return };
        let line = format!(
            "cloudfunc: the server on port {} has begun an answer, with {received} bytes of its body so far, and not ended \
             it: an answer ends after content-length bytes, with the last chunk, or when the connection is closed\n",
            self.port
        );
        match self.beside_others {
            true => self.control.log(id, line.as_bytes()),
            false => port::tell(&line),
        }
    }
}

/// Appends to a body; its room doubles, but is not larger than a body may be.
fn append(bytes: &mut Vec<u8>, more: &[u8]) {
    let length = bytes.len() + more.len();
    if length > bytes.capacity() {
        let room = length.max((2 * bytes.capacity()).min(MAX_BODY));
        bytes.reserve_exact(room - bytes.len());
    }
    bytes.extend_from_slice(more);
}

/// Returns an error with its reasons, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_a_length_never_takes_more_room_than_a_body_may_have() {
        let mut bytes = Vec::new();
        while bytes.len() < MAX_BODY {
            append(&mut bytes, &[0; 16 * 1024]);
            assert!(bytes.capacity() <= MAX_BODY, "{}", bytes.capacity());
        }
        append(&mut bytes, b"1");
        assert_eq!(bytes.len(), MAX_BODY + 1);
    }
}
