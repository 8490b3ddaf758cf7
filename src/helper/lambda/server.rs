//! The Runtime API as an HTTP server: routes, headers, bodies and their bounds.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{
    body::{Read, read},
    invocations::{Begun, Invocations, Refusal},
    reported,
};
use crate::call::{Answer, Call, FunctionError, MAX_BODY};

/// The most of a request's headers, and of a response's trailers, in bytes: AWS's client for Python sends an error's whole
/// trace as a header, up to 1 MiB. Above it the request is answered 431.
const MAX_HEADERS: usize = 1024 * 1024 + 64 * 1024;
/// The most of an error's body that is read, in bytes; what is passed on of it is less.
const MAX_ERROR: usize = 1024 * 1024;
/// The most connections at a time; others wait. They are all the program's own.
const MAX_CONNECTIONS: usize = 128;
/// The pause after a connection that could not be accepted: there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(10);

const ROOT: &str = "/2018-06-01/runtime/";

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// Answers on every connection. Never returns.
pub(super) async fn serve(listener: TcpListener, api: Arc<Api>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    for number in 0.. {
        let place = connections.clone().acquire_owned().await.expect("it is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let api = api.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let api = api.clone();
                async move { Ok::<_, Infallible>(api.answer(number, request).await) }
            });
            let mut server = http1::Builder::new();
            server.title_case_headers(true).max_buf_size(MAX_HEADERS).max_header_size(MAX_HEADERS);
            // An error concerns that client only.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
            api.hung_up(number);
            drop(place);
        });
    }
}

/// The state of the API.
pub(super) struct Api {
    arn: String,
    invocations: Mutex<Invocations>,
}

type Answered = Response<Full<Bytes>>;

enum Route<'p> {
    Next,
    Response(&'p str),
    Error(&'p str),
    InitError,
}

fn route(path: &str) -> Option<Route<'_>> {
    match path.strip_prefix(ROOT)? {
        "invocation/next" => Some(Route::Next),
        "init/error" => Some(Route::InitError),
        rest => match rest.strip_prefix("invocation/")?.split_once('/')? {
            (id, "response") => Some(Route::Response(id)),
            (id, "error") => Some(Route::Error(id)),
            _ => None,
        },
    }
}

impl Api {
    pub(super) fn new(arn: String, begun: Begun) -> Self {
        Self { arn, invocations: Mutex::new(Invocations::new(begun)) }
    }

    /// Takes an invocation from the host; its answer comes through what is returned.
    pub(super) fn arrive(&self, call: Call) -> oneshot::Receiver<Answer> {
        self.invocations().arrive(call)
    }

    fn hung_up(&self, connection: u64) {
        self.invocations().hung_up(connection);
    }

    fn invocations(&self) -> MutexGuard<'_, Invocations> {
        self.invocations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, connection: u64, request: Request<Incoming>) -> Answered {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let Some(route) = route(path) else {
            let message = format!("there is no {path} here; the paths are those of docs/lambda.md");
            return refuse_body(body, refused(StatusCode::NOT_FOUND, "NotFound", &message)).await;
        };
        let method = if matches!(route, Route::Next) { Method::GET } else { Method::POST };
        if head.method != method {
            let message = format!("{path} takes {method}, not {}", head.method);
            let mut answer = refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &message);
            answer.headers_mut().extend(value(method.as_str()).map(|method| (ALLOW, method)));
            return refuse_body(body, answer).await;
        }
        match route {
            Route::Next => self.next(connection).await,
            Route::Response(id) => self.response(id, &head.headers, body).await,
            Route::Error(id) => self.error(id, &head.headers, body).await,
            Route::InitError => self.init_error(&head.headers, body).await,
        }
    }

    async fn next(&self, connection: u64) -> Answered {
        let next = self.invocations().ask(connection);
        match next {
            Err(refusal) => refuse(refusal),
            Ok(next) => match next.await {
                Ok(call) => self.event(*call),
                // The instance ends.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn event(&self, call: Call) -> Answered {
        let left = call.deadline.saturating_duration_since(Instant::now());
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + left;
        let trace_id = call.headers.get("x-amzn-trace-id");
        let headers = [
            (REQUEST_ID, value(&call.id)),
            (DEADLINE, value(&deadline.as_millis().to_string())),
            (FUNCTION_ARN, value(&self.arn)),
            (TRACE_ID, trace_id.and_then(|id| value(id))),
            (CONTENT_TYPE, value(&call.content_type)),
        ];
        let mut answer = Response::new(Full::new(call.body));
        answer
            .headers_mut()
            .extend(headers.into_iter().filter_map(|(name, value)| Some((name, value?))));
        answer
    }

    async fn response(&self, id: &str, headers: &HeaderMap, body: Incoming) -> Answered {
        if headers.get(RESPONSE_MODE).is_some_and(|mode| mode != "streaming") {
            let message = "Lambda-Runtime-Function-Response-Mode can only be streaming";
            let refused = refused(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", message);
            return refuse_body(body, refused).await;
        }
        let arriving = match self.begin_answer(id) {
            Ok(arriving) => arriving,
            Err(refusal) => return refuse_body(body, refuse(refusal)).await,
        };
        match read(body, MAX_BODY).await {
            Read::Whole { bytes, trailers } => {
                let (kind, error) = (trailers.get(ERROR_TYPE), trailers.get(ERROR_BODY));
                arriving.end(if kind.is_some() || error.is_some() {
                    let kind = kind.and_then(|kind| kind.to_str().ok());
                    Answer::Error(reported::trailing_error(kind, error.map(HeaderValue::as_bytes)))
                } else {
                    let named = headers.get(CONTENT_TYPE).and_then(|named| named.to_str().ok());
                    let content_type = reported::media_type(named, &bytes);
                    Answer::Result { content_type, body: bytes, http: None }
                });
                accepted()
            }
            Read::TooLarge => {
                arriving.end(Answer::Error(too_large()));
                let message = format!("Exceeded maximum allowed payload size ({MAX_BODY} bytes).");
                refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
            }
            Read::BrokenOff => broken_off(),
        }
    }

    async fn error(&self, id: &str, headers: &HeaderMap, body: Incoming) -> Answered {
        let arriving = match self.begin_answer(id) {
            Ok(arriving) => arriving,
            Err(refusal) => return refuse_body(body, refuse(refusal)).await,
        };
        match read_error(headers, body).await {
            Some(error) => {
                arriving.end(Answer::Error(error));
                accepted()
            }
            None => broken_off(),
        }
    }

    async fn init_error(&self, headers: &HeaderMap, body: Incoming) -> Answered {
        let Some(error) = read_error(headers, body).await else { return broken_off() };
        let failed = self.invocations().fail(error);
        failed.map_or_else(refuse, |()| accepted())
    }

    fn begin_answer(&self, id: &str) -> Result<Arriving<'_>, Refusal> {
        self.invocations().begin_answer(id)?;
        Ok(Arriving { api: self, answer: None })
    }
}

/// An answer that arrives. If it is dropped before it is complete, because its client has hung up, its invocation ends, too.
struct Arriving<'a> {
    api: &'a Api,
    answer: Option<Answer>,
}

impl Arriving<'_> {
    fn end(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| Answer::Error(truncated()));
        self.api.invocations().end(answer);
    }
}

/// Reads the body of an error; none if it breaks off.
async fn read_error(headers: &HeaderMap, body: Incoming) -> Option<FunctionError> {
    let kind = headers.get(ERROR_TYPE).and_then(|kind| kind.to_str().ok());
    match read(body, MAX_ERROR).await {
        Read::Whole { bytes, trailers: _ } => Some(reported::error(kind, &bytes)),
        Read::TooLarge => Some(reported::error(kind, b"the error has more than 1 MiB and was not read")),
        Read::BrokenOff => None,
    }
}

/// Reads what a client sends before it looks at the answer.
async fn refuse_body(body: Incoming, answer: Answered) -> Answered {
    let _ = read(body, 0).await;
    answer
}

fn accepted() -> Answered {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn refuse(refusal: Refusal) -> Answered {
    let state = |message| refused(StatusCode::FORBIDDEN, "InvalidStateTransition", message);
    match refusal {
        Refusal::OtherId => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Refusal::Initialised => state(
            "the initialisation ended with the first request for an invocation; report the error of that one",
        ),
        Refusal::InitialisationFailed => state("the initialisation has failed; the program should exit"),
    }
}

fn broken_off() -> Answered {
    let message = "HTTP request detected as truncated";
    refused(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", message)
}

/// An error in AWS's form.
fn refused(status: StatusCode, kind: &str, message: &str) -> Answered {
    json(status, serde_json::json!({ "errorMessage": message, "errorType": kind }).to_string())
}

fn json(status: StatusCode, text: String) -> Answered {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A header's value; none for what cannot be one.
fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

fn too_large() -> FunctionError {
    let message =
        format!("the response has more than {MAX_BODY} bytes (6 MiB), the most that a result may have");
    FunctionError::new("Function.ResponseSizeTooLarge", message)
}

fn truncated() -> FunctionError {
    FunctionError::new(
        "Runtime.TruncatedResponse",
        "the program's connection to the Runtime API ended before the whole response had come",
    )
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
