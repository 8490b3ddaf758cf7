//! The messages between roles: versioned headers in JSON, followed by an opaque body.
//!
//! On the wire: `u32` length of the header (big endian), header JSON, body bytes. A header's `v`
//! comes first in every struct; a reader refuses a version that it does not know instead of
//! guessing. New optional fields do not change the version. Between roles of one process there is no wire:
//! a [`Parcel`] carries header and body as they are.

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use super::limits::MAX_BODY;
use super::{
    Body, Digest, FunctionError, FunctionId, FunctionName, FunctionSpec, HttpRequest, HttpResponse,
    InstanceId, InvocationId, Mode, OwnerId, Phases, RevisionNumber, SecretPlace, Start, State,
    TokenName, function::millis,
};

/// The version of all headers in this file.
pub const VERSION: u16 = 1;

/// The longest body of an HTTP request that a function gets as an event, in bytes (4.5 MiB): in base64, of which a payload has
/// room for [`MAX_BODY`], it is a third longer.
pub const MAX_EVENT_BODY: usize = MAX_BODY / 4 * 3;

/// An invocation on its way to a manager. Sync: the payload is the message's body. Async: there is no body, since the
/// claim returns it; so a duplicate costs little.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invoke {
    /// The version of the header: [`VERSION`].
    pub v: u16,
    /// The invocation.
    pub id: InvocationId,
    /// Sync or async.
    pub mode: Mode,
    /// Its function.
    pub function: FunctionId,
    /// The function's name.
    pub name: FunctionName,
    /// The revision that was active when the invocation was admitted. Async: the claim decides.
    pub revision: RevisionNumber,
    /// The time of acceptance in milliseconds since the Unix epoch, on the scheduler's clock.
    pub accepted_at_ms: i64,
    /// Sync: the time until which the caller waits for a slot, in milliseconds since the Unix epoch, on the scheduler's
    /// clock. Only managers of earlier versions read it.
    pub slot_deadline_ms: Option<i64>,
    /// Sync: the time that is left for the wait for a slot when it is published, in milliseconds; whoever takes it counts
    /// from then, whatever its clock says. None from earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_left_ms: Option<u64>,
    /// The payload's media type.
    pub content_type: String,
    /// The call's headers, for the handler's `context.headers`: see `CallHeaders`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Sync: where several headers have one name, each of them as it was sent. Async: none, since the store keeps
    /// `headers` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_list: Option<Vec<(String, String)>>,
    /// Sync: the HTTP request that the function gets; none for other calls. Async: none, since the claim returns it. A
    /// manager that does not know the field has no functions that get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpRequest>,
    /// Sync: the reply queue on which the answer is awaited.
    pub reply_to: Option<String>,
}

/// The outcome of one attempt: the reply to a sync caller, or the message on the outcomes queue. The body is the
/// result's bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The version of the header: [`VERSION`].
    pub v: u16,
    /// The invocation.
    pub id: InvocationId,
    /// The number of the claim; 1 for sync.
    pub attempt: u32,
    /// Async: the owner of the claim.
    pub owner: Option<OwnerId>,
    /// The revision it ran on.
    pub revision: RevisionNumber,
    /// The instance that ran it; none when it did not reach one.
    pub instance: Option<InstanceId>,
    /// The way it began; none when it did not run.
    pub start: Option<Start>,
    /// Whether a prewarmed instance ran it: one that was started ahead of the call, without code.
    #[serde(default)]
    pub prewarmed: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// The media type of the body, when there is one.
    pub content_type: Option<String>,
    /// The function's response to an HTTP request, whose body is this one's; also of one that has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpResponse>,
    /// The phases that the manager measured (`start load run`), in milliseconds since it took the message.
    pub phases: Phases,
    /// The time from taking the message to this outcome, in milliseconds.
    pub manager_ms: f64,
    /// The number of the attempt's log lines that are on their way to the store: a reader of logs waits for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Async: the facts that decide about a further attempt. None in outcomes of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Claimed>,
}

impl Outcome {
    /// Returns the result that is kept of it, whose bytes are its body: none where it has not succeeded, also of a web
    /// server that has answered.
    pub fn result(&self, body: &Bytes) -> Option<Body> {
        if self.verdict != Verdict::Succeeded {
            return None;
        }
        let unknown = self.http.is_some().then_some("application/octet-stream");
        let content_type = self.content_type.as_deref().or(unknown)?.to_owned();
        Some(Body { content_type, bytes: body.clone() })
    }
}

/// The facts about an async invocation that the claimed attempt does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Its function.
    pub function: FunctionId,
    /// The time of acceptance in milliseconds since the Unix epoch, on the clock of the scheduler that accepted it.
    pub accepted_at_ms: i64,
    /// The number of earlier attempts that the function failed.
    pub failures: u32,
    /// The number of earlier attempts that were lost. None were, in outcomes of earlier versions.
    #[serde(default)]
    pub losses: u32,
    /// The token of the claim: a row that another claim has taken since is not changed, even if a database that lost its
    /// last moments gave that one the same number. None in outcomes of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<uuid::Uuid>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// The function returned a value, which is the body.
    Succeeded,
    /// The function raised, could not be loaded, or returned a value that cannot be serialised.
    Failed {
        /// The error, for users.
        error: FunctionError,
    },
    /// The function was killed at its timeout.
    TimedOut {
        /// The error, for users.
        error: FunctionError,
    },
    /// The function exited, ran out of memory or broke the protocol.
    Crashed {
        /// The error, for users.
        error: FunctionError,
    },
    /// Sync only, and not an end: a manager has the invocation, and it takes longer than a moment. It tells the waiting
    /// scheduler that the invocation was not forgotten in the queue.
    Underway,
    /// Sync only: it was delivered before, to a manager that was lost; whether it ran is not known.
    Interrupted,
    /// It began, and was killed from outside: neither by the platform nor by a limit of the function. Async: it is tried
    /// again. Sync: it is an end, as [`Self::Interrupted`] is.
    Unfinished {
        /// The reason, for the user.
        reason: String,
    },
    /// It certainly did not run, because the platform could not run it. Async: it is tried again, see `lifecycle`.
    NotRun {
        /// The reason, for the user.
        reason: String,
        /// Whether no instance became free in time: the caller may try again soon.
        throttled: bool,
        /// Whether its function was deleted. Earlier versions do not know of it, and tell the caller `start_failed`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deleted: bool,
        /// Async: the pause before the next attempt, which grows with the attempts.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
}

impl Verdict {
    /// Returns that it did not run, because the platform could not run it.
    pub fn not_run(reason: impl Into<String>, delay: Duration) -> Self {
        Self::NotRun { reason: reason.into(), throttled: false, deleted: false, delay }
    }

    /// Returns that it did not run, because its function was deleted.
    pub fn deleted() -> Self {
        let reason = "the function was deleted".to_owned();
        Self::NotRun { reason, throttled: false, deleted: true, delay: Duration::ZERO }
    }

    /// Returns the terminal state that it leads to; none for a failure of the platform.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Succeeded => Some(State::Succeeded),
            Self::Failed { .. } => Some(State::Failed),
            Self::TimedOut { .. } => Some(State::TimedOut),
            Self::Crashed { .. } => Some(State::Crashed),
            Self::Underway | Self::Interrupted | Self::Unfinished { .. } | Self::NotRun { .. } => None,
        }
    }

    /// Returns the function's error, where it failed.
    pub fn error(&self) -> Option<&FunctionError> {
        match self {
            Self::Failed { error } | Self::TimedOut { error } | Self::Crashed { error } => Some(error),
            _ => None,
        }
    }
}

/// A build on its way to a manager; the source is in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The version of the header: [`VERSION`].
    pub v: u16,
    /// The id of the build.
    pub build: InvocationId,
    /// The function to build.
    pub name: FunctionName,
    /// Its manifest.
    pub spec: FunctionSpec,
    /// The digest of the source, a blob in the store.
    pub source: Digest,
    /// The digest of what its command made of the same source before, a blob in the store; none where it has to be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Digest>,
    /// The reply queue for the build's events.
    pub reply_to: String,
    /// The check that loads the code. None: the code is not loaded. A manager that does not know the field does not
    /// load it either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<LoadCheck>,
    /// Resolves the packages anew, though they are installed. A manager that does not know the field does not do it, and
    /// [`BuildStep::Done`] says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
}

/// A request to load the built code once, in an instance that is removed afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCheck {
    /// An image for which the check is skipped: if the build's image is this one, nothing has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless_image: Option<String>,
}

/// Progress of a build, on the reply queue of its requester. The last one is `Done` or `Failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildEvent {
    /// The version of the header: [`VERSION`].
    pub v: u16,
    /// The id of the build.
    pub build: InvocationId,
    /// The step.
    pub step: BuildStep,
}

/// A step of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BuildStep {
    /// The build is under way.
    Progress {
        /// The step in words, one line.
        message: String,
    },
    /// The build has succeeded.
    Done {
        /// The image, by the engine's id.
        image: String,
        /// The digest of the built tree, in the store; none when the image holds the code.
        bundle: Option<Digest>,
        /// The tree of installed packages, in the store; none where the function names none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dependencies: Option<Digest>,
        /// The packages were resolved anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fresh: bool,
        /// Remarks for the caller, a line each, such as that the code was not loaded, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
        /// Output of the code while it was loaded: the end of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// The build has failed.
    Failed {
        /// The failure in words.
        message: String,
        /// Whether the upload is at fault; otherwise the platform is.
        user_error: bool,
        /// Whether, in the upload, a setting of the manifest is at fault, and not the code.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        manifest: bool,
        /// The error of code that could not be loaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Box<FunctionError>>,
        /// Output of the code while it was loaded: the end of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
}

/// A change that the caches of every role follow; broadcast, best effort. A role that reconnects reads everything
/// again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of the header: [`VERSION`].
    pub v: u16,
    /// The change.
    pub change: Change,
}

/// A change of a function, a secret or a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// It was deployed, or another revision became active.
    FunctionChanged {
        /// The function.
        function: FunctionId,
    },
    /// It was deleted.
    FunctionDeleted {
        /// The function.
        function: FunctionId,
    },
    /// A secret was set or deleted: instances that may hold another value are drained. Earlier versions read all functions
    /// again.
    SecretChanged {
        /// The secret.
        place: SecretPlace,
    },
    /// A token was revoked or got another value. Earlier versions read all functions again.
    TokenChanged {
        /// Its name.
        name: TokenName,
    },
}

/// A header of this file.
pub trait Header: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Returns the version that the header carries.
    fn version(&self) -> u16;
}

macro_rules! headers {
    ($($header:ty)*) => {
        $(impl Header for $header {
            fn version(&self) -> u16 {
                self.v
            }
        })*
    };
}

headers! { Invoke Outcome Build BuildEvent Event }

/// An error: the bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They end before the header does.
    #[error("the message is cut short")]
    Truncated,
    /// The header is not the JSON that was expected.
    #[error("the message's header cannot be read")]
    Header(#[from] serde_json::Error),
    /// The header has another version than [`VERSION`].
    #[error("the message has version {0}, this program knows version {VERSION}; upgrade it")]
    Version(u16),
}

/// A message on its way; cheap to clone.
#[derive(Clone)]
pub struct Parcel(Content);

#[derive(Clone)]
enum Content {
    Bytes(Bytes),
    Parts { header: Arc<dyn Carried>, body: Bytes },
}

trait Carried: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn encode(&self, body: &[u8]) -> Bytes;
}

impl<H: Header> Carried for H {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn encode(&self, body: &[u8]) -> Bytes {
        encode(self, body)
    }
}

impl Parcel {
    /// Makes a message from its parts, without encoding them.
    pub fn new<H: Header>(header: H, body: Bytes) -> Self {
        Self(Content::Parts { header: Arc::new(header), body })
    }

    /// Returns the size in bytes: that of the body, and of the header if it has come over a wire.
    pub fn size(&self) -> usize {
        match &self.0 {
            Content::Bytes(bytes) => bytes.len(),
            Content::Parts { body, .. } => body.len(),
        }
    }

    /// Returns the message as it goes over a wire.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Parts { header, body } => header.encode(body),
        }
    }

    /// Returns the header, and the body without a copy. Fails when the bytes are not such a message.
    pub fn open<H: Header>(&self) -> Result<(H, Bytes), DecodeError> {
        if let Content::Parts { header, body } = &self.0
            && let Some(header) = header.as_any().downcast_ref::<H>()
        {
            return Ok((header.clone(), body.clone()));
        }
        decode(self.to_bytes())
    }
}

impl From<Bytes> for Parcel {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parcel")
    }
}

/// Writes header and body one after the other. Every header can be written: it is plain data.
pub fn encode<H: Serialize>(header: &H, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(body.len() + 512);
    bytes.put_u32(0);
    serde_json::to_writer((&mut bytes).writer(), header).expect("headers are plain data");
    let length = u32::try_from(bytes.len() - 4).expect("a header is small");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes.freeze()
}

/// Reads the header; the body is a slice of the same allocation. Fails when the bytes are not such a message.
pub fn decode<H: Header>(mut message: Bytes) -> Result<(H, Bytes), DecodeError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u16,
    }
    let length = message.get(..4).ok_or(DecodeError::Truncated)?;
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if message.len() - 4 < length {
        return Err(DecodeError::Truncated);
    }
    let body = message.split_off(4 + length);
    let header = &message[4..];
    match serde_json::from_slice::<H>(header) {
        Ok(header) if header.version() == VERSION => Ok((header, body)),
        Ok(header) => Err(DecodeError::Version(header.version())),
        // Only now: a known version is the rule, and the header is read once.
        Err(error) => match serde_json::from_slice::<Versioned>(header) {
            Ok(Versioned { v }) if v != VERSION => Err(DecodeError::Version(v)),
            _ => Err(DecodeError::Header(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event { v: VERSION, change: Change::FunctionDeleted { function: FunctionId::new() } }
    }

    #[test]
    fn a_message_survives_the_wire() {
        let (header, body): (Event, _) = decode(encode(&event(), b"body")).unwrap();
        assert!(matches!(header.change, Change::FunctionDeleted { .. }));
        assert_eq!(&body[..], b"body");
    }

    #[test]
    fn a_parcel_is_opened_as_it_was_packed_with_and_without_a_wire() {
        let body = Bytes::from_static(b"body");
        let here = Parcel::new(event(), body.clone());
        let wire = Parcel::from(here.to_bytes());
        let opened = here.open::<Event>().unwrap();
        assert_eq!(opened, wire.open().unwrap());
        assert_eq!(opened.1.as_ptr(), body.as_ptr(), "not a copy");
        assert!(matches!(here.open::<Build>(), Err(DecodeError::Header(_))), "another header");
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [&b""[..], b"\0\0", b"\0\0\0\x09{}", b"\0\0\0\x02{}"] {
            assert!(decode::<Event>(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
    }

    /// Messages of a manager or a registry of an earlier version.
    #[test]
    fn a_build_without_the_newer_fields_is_read() {
        let done = r#"{"v":1,"build":"01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f","step":{"kind":"done","image":"i","bundle":null}}"#;
        let (event, _): (BuildEvent, _) =
            decode(encode(&serde_json::from_str::<serde_json::Value>(done).unwrap(), b"")).unwrap();
        let step = BuildStep::Done {
            image: "i".to_owned(),
            bundle: None,
            dependencies: None,
            fresh: false,
            notice: None,
            output: None,
        };
        assert_eq!(event.step, step);
        assert_eq!(serde_json::to_string(&event).unwrap(), done, "and written as before");
        let check: LoadCheck = serde_json::from_str("{}").unwrap();
        assert_eq!(check, LoadCheck::default());
    }

    #[test]
    fn an_unknown_version_is_named() {
        let readable = serde_json::json!({ "v": 7, "change": event().change });
        for header in [serde_json::json!({ "v": 7 }), readable] {
            let error = decode::<Event>(encode(&header, b"")).unwrap_err();
            assert!(matches!(error, DecodeError::Version(7)), "{error}");
        }
    }
}
