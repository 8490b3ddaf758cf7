//! A web server of the author's, on a port of the sandbox's own loopback device.

use std::{
    net::Ipv4Addr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body as _, Incoming},
    client::conn::http1::{self, SendRequest},
    header::CONTENT_TYPE,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use crate::{
    call::{Answer, Call, FunctionError, Load, LoadError, MAX_BODY, ResponseHead},
    children::Child,
    control::Control,
    headers::{end_to_end, request, text_of},
    port,
    program::Program,
};

/// The limit of a response's headers, names and values together, in bytes: they travel in the header of a frame.
const MAX_HEADERS: usize = 48 * 1024;

/// A connection that was idle for longer is not used again: the server may be about to close it.
const MAX_IDLE: Duration = Duration::from_secs(1);

/// The time that the end of the server may take to be known after its connections have ended.
const END_NOTICE: Duration = Duration::from_millis(100);

/// The most time before the end of an invocation's own at which an answer that has no end is told.
const MAX_MARGIN: Duration = Duration::from_millis(50);

type Connection = SendRequest<Full<Bytes>>;

/// A server that accepts connections.
pub struct Http {
    port: u16,
    server: Child,
    /// The connections that wait for a request, and since when; the last one is used first.
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// True where there may be others beside an invocation: then its lines come with its name.
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
        let http = Self { port, server: server.clone(), idle: Mutex::default(), beside_others, control };
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
        loop {
            let (mut connection, is_new) = self.connection().await?;
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let answer = self.receive(response, begun).await?;
                    self.idle().push((connection, Instant::now()));
                    return Ok(answer);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(self.no_answer(&error.into_error())),
                },
            }
        }
    }

    /// Returns a connection that was used before, and lives, or a new one.
    async fn connection(&self) -> Result<(Connection, bool), Failure> {
        while let Some((mut connection, since)) = self.last_idle() {
            if since.elapsed() < MAX_IDLE && connection.ready().await.is_ok() {
                return Ok((connection, false));
            }
        }
        let connect = async {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = connect.await.map_err(|error| Failure {
            message: format!("the server on port {} takes no connection any more: {error}", self.port),
            is_closed: true,
            kind: "http",
        })?;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| self.no_answer(&error))?;
        tokio::spawn(async move {
            // Whoever has sent a request on it is told.
            let _ = connection.await;
        });
        Ok((sender, true))
    }

    async fn receive(
        &self,
        response: Response<Incoming>,
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
                Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
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
                            headers: end_to_end(&head.headers),
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

    /// Makes the error of a request that got no response; hyper has few words for many things.
    fn no_answer(&self, error: &hyper::Error) -> Failure {
        if error.is_parse_too_large() {
            return self.refused(
                "too_large",
                "answered with headers that are too large, or more than 100".to_owned(),
            );
        }
        if error.is_parse() {
            return self.refused("http", format!("sent what is no answer of HTTP: {}", chain(error)));
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

    /// Tells the author of an answer that has begun and goes on and on: all that is known otherwise is that time was up.
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

    fn last_idle(&self) -> Option<(Connection, Instant)> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
