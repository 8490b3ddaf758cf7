//! The audit log: who changed something, or was refused.

use std::{fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TokenRole;

/// The words for what was done, or asked for.
pub mod action {
    /// A function was deployed.
    pub const DEPLOY: &str = "deploy";
    /// Another revision was made active.
    pub const ACTIVATE: &str = "activate";
    /// A function was deleted.
    pub const DELETE: &str = "delete";
    /// Old data was deleted.
    pub const PRUNE: &str = "prune";
    /// A function was reported as warm, or not, by the classic route.
    pub const REPORT_WARM: &str = "report-warm";
    /// A token was made.
    pub const TOKEN_CREATE: &str = "token-create";
    /// A token was revoked.
    pub const TOKEN_REVOKE: &str = "token-revoke";
    /// A token got another value.
    pub const TOKEN_ROTATE: &str = "token-rotate";
    /// A secret was set.
    pub const SECRET_SET: &str = "secret-set";
    /// A secret was deleted.
    pub const SECRET_DELETE: &str = "secret-delete";
    /// All secrets were encrypted with the newest key.
    pub const SECRET_KEY_ROTATE: &str = "secret-key-rotate";
    /// A request was refused; its method and route stand in the detail.
    pub const REQUEST: &str = "request";

    /// All of them.
    pub const ALL: &[&str] = &[
        DEPLOY,
        ACTIVATE,
        DELETE,
        PRUNE,
        REPORT_WARM,
        TOKEN_CREATE,
        TOKEN_REVOKE,
        TOKEN_ROTATE,
        SECRET_SET,
        SECRET_DELETE,
        SECRET_KEY_ROTATE,
        REQUEST,
    ];
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused, and nothing happened.
    Refused,
}

impl AuditOutcome {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Done, Self::Refused];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for AuditOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditOutcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "done" => Ok(Self::Done),
            "refused" => Ok(Self::Refused),
            _ => Err(format!("'{text}' is not an outcome; accepted are done and refused")),
        }
    }
}

/// An entry to be added to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NewAuditEntry {
    /// The name of the caller; `unknown` for one without a valid token.
    pub caller: String,
    /// The role of its token; none for one without a valid token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<TokenRole>,
    /// The address that it came from; none within the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// One of [`action`].
    pub action: String,
    /// The function, token or secret that it was about; none where it was about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// More about it, in words: never a token or a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often it happened: equal refusals of a minute are one entry.
    pub count: u32,
    /// How long ago it happened when it is handed on, in milliseconds: the store counts back from its own time. 0 of
    /// entries that are read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub age_ms: u64,
}

fn is_zero(age: &u64) -> bool {
    *age == 0
}

/// An entry of the audit log, as in the answer to `GET /v1/audit-log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// Its number: later entries have higher ones.
    pub id: i64,
    /// The time, by the store's clock.
    #[serde(with = "super::time::moment")]
    #[cfg_attr(test, schemars(with = "super::schema::Moment"))]
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub entry: NewAuditEntry,
}
