//! Runtime protocol 1: frames over the guest's Unix socket.
//!
//! A frame is `u32` header length, `u32` body length (big endian), header JSON, body bytes. The guest
//! connects three times to [`SOCKET_NAME`] in `/run/cloudfunc`; each connection begins with
//! `{"channel": "control" | "stdout" | "stderr"}`. Every later header names its message as the only
//! key of an object, for example `{"hello": {"protocol": 1, "language": "python", "pid": 7}}`. A header has at most
//! [`MAX_HEADER`] bytes, that of `load` [`MAX_LOAD`].
//!
//! Instead of connecting `stdout` and `stderr`, a guest may write to the named pipes `stdout` and `stderr` next to the
//! socket, which its processes can open by `/dev/stdout` too; its `hello` then has `"outputs": "fifo"`.
//! A third named pipe, `host`, is for a guest that cannot look at its socket all the time: reading it ends when the host
//! has hung up.
//!
//! ```text
//! guest                         host
//! hello {protocol language pid outputs? features?} ▶
//!                               ◀ load {revision function handler packages? concurrency? interface? command? env secrets}
//! ready {} | load_error {type message trace} ▶
//!                               ◀ invoke {id attempt remaining_ms headers content_type http?} + body
//! log {id stream} + body ▶
//! result {id content_type http?} + body | error {id type message trace} ▶
//! ```
//!
//! `features` of `hello` lists what a guest can do beyond the rest of this. The host ignores names that it does not know,
//! and sends nothing that a guest has not listed:
//!
//! - `concurrent`: `load` may have a `concurrency` above 1, and then up to as many invocations are under way at a time. They
//!   are answered in any order. One that has overrun its time is not cancelled: the guest may still answer it, gets no
//!   further ones, and is killed once the others are answered.
//! - `log`: with a concurrency above 1, output that an invocation has written comes as `log`, with bytes of `stdout` or
//!   `stderr` as its body, before the invocation's answer. What comes after the answer, or by the outputs, is the instance's.
//! - `interface`: the guest runs a program that does not speak this protocol. `load` then has `interface`, for example
//!   `{"kind": "http", "port": 8080}`, and `command`, a list, which is left out where the guest knows the image's own.
//! - `http`: `invoke` may have `http`, a request `{method path query? arrival? headers}`, and `result` then has `http`, a
//!   response `{status headers}`. Headers are a list of pairs, in whose values each character is a byte; the bodies are those
//!   of the frames, and the other `headers` of such an `invoke` are empty. A response has no headers of a connection, but
//!   for one `content-length` where it answers HEAD.
//!
//! A guest that has not listed `http` gets a request as an event: JSON of AWS's payload format 2.0. If its result is JSON with
//! a `statusCode`, that is the response; any other result is the body of one with status 200.

use std::{collections::BTreeMap, fmt};

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

use crate::model::{
    FunctionError, HttpRequest, HttpResponse, Interface, InvocationId, RevisionNumber,
    function::{is_one, one},
    limits::MAX_LOAD,
    message::MAX_BODY,
};

/// The protocol's version in `hello`; another one is a start error.
pub const VERSION: u32 = 1;

/// The name of the socket in the folder that the guest sees as `/run/cloudfunc`.
pub const SOCKET_NAME: &str = "runtime.sock";

/// The limit of a frame's header, in bytes, but for `load`, which may have [`MAX_LOAD`]. A longer one from the guest is a
/// violation.
pub const MAX_HEADER: usize = 64 * 1024;

/// The size of both lengths, in bytes.
pub(super) const PREFIX: usize = 8;

/// The message `load`: the code to run, sent once per instance.
#[derive(Clone, Serialize, Deserialize)]
pub struct Load {
    /// The revision whose code it is.
    pub revision: RevisionNumber,
    /// The function's name.
    pub function: String,
    /// The handler, in the form of the function's language.
    pub handler: String,
    /// The name of its tree of installed packages in the folder of them all; none for a function without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
    /// The most invocations at a time. A guest is told of more than one, if it has listed the feature `concurrent`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub concurrency: u32,
    /// The way to speak to the program that the guest runs. Only a guest that has listed the feature `interface` is told of
    /// another one than the protocol.
    #[serde(default, skip_serializing_if = "Interface::is_protocol")]
    pub interface: Interface,
    /// The program that the guest runs, with its arguments; empty for the image's own, and where the guest runs none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Variables to set before the code is loaded.
    pub env: BTreeMap<String, String>,
    /// Secrets, likewise; never logged.
    pub secrets: BTreeMap<String, String>,
}

// Written by hand, so that no secret gets into a log.
impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("revision", &self.revision)
            .field("function", &self.function)
            .field("handler", &self.handler)
            .field("packages", &self.packages)
            .field("concurrency", &self.concurrency)
            .field("interface", &self.interface)
            .field("command", &self.command)
            .field("env", &self.env.keys())
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}

/// The message `invoke`: the payload is the frame's body.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invoke {
    /// The id of the invocation; its answer names it.
    pub id: InvocationId,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The time until the invocation is killed, in milliseconds.
    pub remaining_ms: u64,
    /// The caller's headers that the handler may see, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The payload's media type.
    pub content_type: String,
    /// The HTTP request that the function gets; a guest that has not listed the feature `http` is sent an event instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<RequestHead>,
}

/// An HTTP request without its body, as a guest gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// Method, path and query.
    #[serde(flatten)]
    pub request: HttpRequest,
    /// The end-to-end headers in their order, with their repetitions; names in lower case.
    pub headers: Vec<(String, String)>,
}

/// The messages that the host sends.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HostMessage<'a> {
    Load(&'a Load),
    Invoke(&'a Invoke),
}

/// The messages that the guest sends on the control channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuestMessage {
    Hello {
        protocol: u32,
        #[expect(dead_code, reason = "for people who read the wire")]
        language: String,
        #[expect(dead_code, reason = "for people who read the wire")]
        pid: u32,
        outputs: Option<OutputKind>,
        #[serde(default)]
        features: Features,
    },
    Ready {
        /// Whether the handler takes a context; a guest that does not say so may take one.
        context: Option<bool>,
    },
    LoadError(FunctionError),
    Log {
        id: InvocationId,
        stream: OutputName,
    },
    Result {
        id: InvocationId,
        content_type: String,
        #[serde(default)]
        http: Option<HttpResponse>,
    },
    Error {
        id: InvocationId,
        #[serde(flatten)]
        error: FunctionError,
    },
}

impl GuestMessage {
    /// Returns its name on the wire.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Ready { .. } => "ready",
            Self::LoadError(_) => "load_error",
            Self::Log { .. } => "log",
            Self::Result { .. } => "result",
            Self::Error { .. } => "error",
        }
    }
}

/// The abilities of a guest that not every one has. Names that this program does not know mean nothing to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<String>")]
pub(super) struct Features {
    /// Several invocations at a time.
    pub(super) concurrent: bool,
    /// Messages of output that name their invocation.
    pub(super) log: bool,
    /// Programs that do not speak the protocol.
    pub(super) interface: bool,
    /// Requests and responses of HTTP.
    pub(super) http: bool,
}

impl From<Vec<String>> for Features {
    fn from(names: Vec<String>) -> Self {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Self {
            concurrent: has("concurrent"),
            log: has("log"),
            interface: has("interface"),
            http: has("http"),
        }
    }
}

/// An output of the function, as `log` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputName {
    Stdout,
    Stderr,
}

/// The way a guest writes its output where it does not connect for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputKind {
    Fifo,
}

/// The first frame of a connection.
#[derive(Debug, Deserialize)]
pub(super) struct Opening {
    pub(super) channel: Channel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Channel {
    Control,
    Stdout,
    Stderr,
}

/// An error: the host's own message is over a bound of the protocol; nothing was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooLarge {
    #[error(
        "the variables of [env] and the secrets are too large together: with them the message to the guest has {0} bytes, over \
         the limit of {MAX_LOAD} (1 MiB)"
    )]
    Load(usize),
    #[error("{0} bytes of headers are over the limit of {MAX_HEADER}")]
    Header(usize),
    #[error("a payload of {0} bytes is over the limit of {MAX_BODY}")]
    Body(usize),
}

/// Writes lengths and header of a frame; the body follows on the wire as it is.
pub(super) fn encode_head(message: &HostMessage<'_>, body: usize) -> Result<BytesMut, TooLarge> {
    let mut head = BytesMut::with_capacity(512);
    head.put_bytes(0, PREFIX);
    serde_json::to_writer((&mut head).writer(), message).expect("messages are plain data");
    let length = head.len() - PREFIX;
    match message {
        HostMessage::Load(_) if length > MAX_LOAD => return Err(TooLarge::Load(length)),
        HostMessage::Invoke(_) if length > MAX_HEADER => return Err(TooLarge::Header(length)),
        HostMessage::Load(_) | HostMessage::Invoke(_) => {}
    }
    if body > MAX_BODY {
        return Err(TooLarge::Body(body));
    }
    let lengths = [length, body].map(|length| u32::try_from(length).expect("below both limits"));
    head[..4].copy_from_slice(&lengths[0].to_be_bytes());
    head[4..PREFIX].copy_from_slice(&lengths[1].to_be_bytes());
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_the_functions_own_words() {
        let id = InvocationId::new();
        let header = format!(r#"{{"error":{{"id":"{id}","type":"ValueError","message":"no"}}}}"#);
        let message: GuestMessage = serde_json::from_str(&header).unwrap();
        let GuestMessage::Error { id: seen, error } = message else { panic!("{message:?}") };
        assert_eq!((seen, error.kind.as_str(), error.message.as_str()), (id, "ValueError", "no"));
    }

    #[test]
    fn features_that_nobody_knows_and_none_at_all_are_no_error() {
        let features = |rest: &str| {
            let header = format!(r#"{{"hello":{{"protocol":1,"language":"x","pid":1{rest}}}}}"#);
            let message: GuestMessage = serde_json::from_str(&header).unwrap();
            let GuestMessage::Hello { features, .. } = message else { panic!("{message:?}") };
            (features.concurrent, features.log)
        };
        assert_eq!(features(""), (false, false));
        assert_eq!(features(r#","features":["log","later"]"#), (false, true));
        assert_eq!(features(r#","features":["concurrent","log"]"#), (true, true));
    }

    #[test]
    fn a_guest_is_told_of_a_concurrency_above_1_only() {
        let mut load = Load {
            revision: RevisionNumber(1),
            function: "f".to_owned(),
            handler: "function.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        assert!(!serde_json::to_string(&load).unwrap().contains("concurrency"));
        load.concurrency = 2;
        assert!(serde_json::to_string(&load).unwrap().contains(r#""concurrency":2"#));
    }

    #[test]
    fn what_is_too_large_is_not_sent() {
        let mut load = Load {
            revision: RevisionNumber(1),
            function: "f".to_owned(),
            handler: "function.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: BTreeMap::from([("A".to_owned(), "x".repeat(MAX_LOAD / 2))]),
            secrets: BTreeMap::from([("B".to_owned(), "x".repeat(MAX_LOAD / 2 - 1024))]),
        };
        let head = encode_head(&HostMessage::Load(&load), 0).unwrap();
        assert!(head.len() > MAX_LOAD - 1024 && head.len() <= PREFIX + MAX_LOAD);
        let secret = "s".repeat(MAX_LOAD / 2);
        load.secrets.insert("B".to_owned(), secret);
        let error = encode_head(&HostMessage::Load(&load), 0).unwrap_err();
        let TooLarge::Load(length) = error else { panic!("{error:?}") };
        assert!(length > MAX_LOAD && length < MAX_LOAD + 1024);
        assert_eq!(
            error.to_string(),
            format!(
                "the variables of [env] and the secrets are too large together: with them the message to the guest has \
                 {length} bytes, over the limit of 1048576 (1 MiB)"
            )
        );
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 1000,
            headers: BTreeMap::from([("x-a".to_owned(), "x".repeat(MAX_HEADER))]),
            content_type: "text/plain".to_owned(),
            http: None,
        };
        assert!(matches!(encode_head(&HostMessage::Invoke(&invoke), 0), Err(TooLarge::Header(_))));
    }

    #[test]
    fn debug_shows_no_secret() {
        let secrets = BTreeMap::from([("KEY".to_owned(), "hunter2".to_owned())]);
        let load = Load {
            revision: RevisionNumber(1),
            function: "f".to_owned(),
            handler: "function.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: BTreeMap::new(),
            secrets,
        };
        let text = format!("{load:?}");
        assert!(text.contains("KEY") && !text.contains("hunter2"), "{text}");
    }
}
