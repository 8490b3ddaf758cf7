//! The answer to a request that fails: RFC 9457 with our own members.

use serde::{Deserialize, Serialize};

use super::InvocationId;

/// The side that has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The caller: the request has to be changed, or sent again later.
    Caller,
    /// The author of the function: its code or its limits.
    Function,
    /// The operator of the platform.
    Platform,
}

/// `application/problem+json`. The codes are frozen: programs match on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// `about:blank`; the code tells problems apart.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// A sentence for the kind of problem, the same for every case of it.
    pub title: String,
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// A sentence for this case: what failed, which object, and where.
    pub detail: String,
    /// The kind of the problem, a word such as `function_not_found`.
    pub code: String,
    /// The side that has to act.
    pub fault: Fault,
    /// A repeat of the same request may help, and cannot make anything happen twice. Never true for a
    /// request that has to be changed first.
    pub retry_safe: bool,
    /// The invocation it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<InvocationId>,
    /// Advice about the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The number of seconds to wait before a repeat; also sent as `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The function's own error type, when the function failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The function's own traceback, when the function failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Output of the code while a deploy loaded it and failed: the end of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

impl Problem {
    /// A problem of a known kind; `detail` says what, which and where.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: about_blank(),
            title: code.title.to_owned(),
            status: code.status,
            detail: detail.into(),
            code: code.code.to_owned(),
            fault: code.fault,
            retry_safe: code.retry_safe,
            invocation_id: None,
            hint: None,
            retry_after: None,
            error_type: None,
            trace: None,
            output: None,
        }
    }

    /// Adds advice about the next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the invocation it is about.
    pub fn invocation(mut self, id: InvocationId) -> Self {
        self.invocation_id = Some(id);
        self
    }

    /// Asks the caller to wait for this number of seconds before a repeat.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// One kind of problem: everything about it that does not change from case to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The word that programs match on; frozen.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The side that has to act.
    pub fault: Fault,
    /// A repeat may help and is harmless.
    pub retry_safe: bool,
    /// A sentence for people.
    pub title: &'static str,
}

/// The kinds of problem.
pub mod code {
    use super::{Code, Fault};

    macro_rules! codes {
        ($($name:ident = $code:literal $status:literal $fault:ident $retry_safe:literal $title:literal;)*) => {
            $(#[doc = $title]
            pub const $name: Code = Code {
                code: $code, status: $status, fault: Fault::$fault, retry_safe: $retry_safe, title: $title,
            };)*
            /// Every code.
            pub const ALL: &[Code] = &[$($name),*];
        };
    }

    codes! {
        BAD_REQUEST = "bad_request" 400 Caller false "the request is malformed";
        INVALID_JSON = "invalid_json" 400 Caller false "the payload is not valid JSON";
        INVALID_NAME = "invalid_name" 400 Caller false "the name is not valid";
        UNAUTHORIZED = "unauthorized" 401 Caller false "no valid token was sent";
        FORBIDDEN = "forbidden" 403 Caller false "the request is not allowed";
        FUNCTION_NOT_FOUND = "function_not_found" 404 Caller false "no such function";
        REVISION_NOT_FOUND = "revision_not_found" 404 Caller false "no such revision";
        BUILD_NOT_FOUND = "build_not_found" 404 Caller false "no such build, or its log is not kept";
        INVOCATION_NOT_FOUND = "invocation_not_found" 404 Caller false "no such invocation";
        TOKEN_NOT_FOUND = "token_not_found" 404 Caller false "no such token";
        SECRET_NOT_FOUND = "secret_not_found" 404 Caller false "no such secret";
        ROUTE_NOT_FOUND = "route_not_found" 404 Caller false "no such route";
        METHOD_NOT_ALLOWED = "method_not_allowed" 405 Caller false "the method is not allowed here";
        REQUEST_TIMEOUT = "request_timeout" 408 Caller false "the request has stopped coming";
        CONFLICT = "conflict" 409 Caller false "the state has changed meanwhile";
        ADDRESS_TAKEN = "address_taken" 409 Caller false "another function has the address";
        SECRET_IN_USE = "secret_in_use" 409 Caller false "the secret is in use";
        NOT_FINISHED = "not_finished" 409 Caller true "the invocation has not finished";
        PAYLOAD_TOO_LARGE = "payload_too_large" 413 Caller false "the payload is too large";
        UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type" 415 Caller false "the payload's type is not accepted";
        UNSUPPORTED_ENCODING = "unsupported_encoding" 415 Caller false "the content encoding is not accepted";
        INVALID_ENCODING = "invalid_encoding" 400 Caller false "the body is not encoded as it says";
        HEADERS_TOO_LARGE = "headers_too_large" 431 Caller false "the request's headers are too large";
        UPLOAD_TOO_LARGE = "upload_too_large" 413 Caller false "the upload is too large";
        INVALID_UPLOAD = "invalid_upload" 422 Caller false "the upload cannot be used";
        INVALID_MANIFEST = "invalid_manifest" 422 Caller false "the manifest is not valid";
        BUILD_FAILED = "build_failed" 422 Function false "the build failed";
        INVALID_SECRET = "invalid_secret" 422 Caller false "the secret cannot be used";
        RATE_LIMITED = "rate_limited" 429 Caller true "too many requests";
        THROTTLED = "throttled" 429 Caller true "too many invocations at once";
        FUNCTION_FAILED = "function_failed" 500 Function false "the function failed";
        FUNCTION_CRASHED = "function_crashed" 502 Function false "the function crashed";
        INTERRUPTED = "interrupted" 502 Platform false "the invocation was interrupted";
        FUNCTION_TIMED_OUT = "function_timed_out" 504 Function false "the function timed out";
        START_FAILED = "start_failed" 503 Platform true "no instance could be started";
        OVERLOADED = "overloaded" 503 Platform true "the backlog is full";
        UNAVAILABLE = "unavailable" 503 Platform true "a part of the platform does not answer";
        DISK_FULL = "disk_full" 503 Platform true "nothing can be stored";
        UNKNOWN_FATE = "unknown_fate" 503 Platform false "whether it was done is not known";
        INTERNAL = "internal" 500 Platform false "the platform failed";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_has_to_be_changed_is_not_worth_a_repeat() {
        // A request that only came too early or too often does not have to be changed.
        let waits = [code::NOT_FINISHED, code::THROTTLED, code::RATE_LIMITED];
        for code in code::ALL {
            if (400..500).contains(&code.status) || code.fault == Fault::Caller {
                assert_eq!(code.retry_safe, waits.contains(code), "{}", code.code);
            }
        }
    }

    #[test]
    fn every_code_is_its_own() {
        for (index, one) in code::ALL.iter().enumerate() {
            assert!(code::ALL[index + 1..].iter().all(|other| other.code != one.code), "{}", one.code);
        }
    }
}
