//! Tokens and secrets in the HTTP API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{FunctionName, FunctionPattern, KeyId, RateLimit, SecretPlace, TokenName, TokenRole};

/// The body of `POST /v1/tokens`; the answer is a [`MadeToken`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name, unique on the platform.
    pub name: TokenName,
    /// Its role.
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them. An admin token is for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionPattern>,
    /// The time after which it expires, in seconds; none if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// The limit of its requests; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// The body of `POST /v1/tokens/{name}/rotate`; the answer is a [`MadeToken`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// The time for which the old value is accepted, too, in seconds; at most a week.
    #[serde(default)]
    pub keep_old_s: u64,
}

/// A token with its value, which is shown only once: the store has its digest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MadeToken {
    /// The value that a request carries: `Authorization: Bearer <token>`.
    pub token: String,
    /// Everything else about it.
    #[serde(flatten)]
    pub info: TokenInfo,
}

// Written by hand, so that no token gets into a log.
impl std::fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeToken({:?})", self.info)
    }
}

/// A token, as in the answer to `GET /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenInfo {
    /// Its name.
    pub name: TokenName,
    /// Its role.
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them.
    pub functions: Vec<FunctionPattern>,
    /// The limit of its requests; none where there is none.
    pub rate_limit: Option<RateLimit>,
    /// The name of the caller that made it.
    pub created_by: String,
    /// The time when it was made.
    #[serde(with = "crate::model::time::moment")]
    #[cfg_attr(test, schemars(with = "crate::model::schema::Moment"))]
    pub created_at: Timestamp,
    /// The time when it expires; none if it does not.
    #[serde(default, with = "crate::model::time::optional")]
    #[cfg_attr(test, schemars(with = "Option<crate::model::schema::Moment>"))]
    pub expires_at: Option<Timestamp>,
    /// It has expired, by the store's clock.
    pub expired: bool,
    /// The time of its last use, to about a minute; none if it was never used.
    #[serde(default, with = "crate::model::time::optional")]
    #[cfg_attr(test, schemars(with = "Option<crate::model::schema::Moment>"))]
    pub last_used_at: Option<Timestamp>,
}

/// What the registry tells the gateway of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownToken {
    /// Its name.
    pub name: TokenName,
    /// Its role.
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them.
    pub functions: Vec<FunctionPattern>,
    /// The limit of its requests; none where there is none.
    pub rate_limit: Option<RateLimit>,
    /// The time until this value is no longer accepted, by the store's clock, in milliseconds; 0 once it is not; none if it
    /// does not end.
    pub left_ms: Option<u64>,
    /// The token was rotated, and this is its previous value.
    pub is_old: bool,
    /// The time when the token, or its previous value, expires; none if it does not.
    #[serde(default, with = "crate::model::time::optional")]
    pub expires_at: Option<Timestamp>,
}

/// The registry's answer to the gateway that follows changes of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenChanges {
    /// Grows with each change; begins anew with the registry's process.
    pub generation: u64,
    /// The registry's process, since generations of two of them say nothing about each other.
    pub process: uuid::Uuid,
    /// The tokens that were changed since the generation that was asked with. None where that is not known: any may have been.
    #[serde(default)]
    pub changed: Option<Vec<TokenName>>,
}

/// A secret, as in the answer to `GET /v1/secrets`: everything but its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SecretInfo {
    /// The name, and the function that it is for.
    #[serde(flatten)]
    pub place: SecretPlace,
    /// The id of the key that it is encrypted with.
    pub key: KeyId,
    /// This host has the key.
    pub key_is_here: bool,
    /// The name of the caller that set it.
    pub set_by: String,
    /// The time when its name was first set.
    #[serde(with = "crate::model::time::moment")]
    #[cfg_attr(test, schemars(with = "crate::model::schema::Moment"))]
    pub created_at: Timestamp,
    /// The time when its value was set.
    #[serde(with = "crate::model::time::moment")]
    #[cfg_attr(test, schemars(with = "crate::model::schema::Moment"))]
    pub set_at: Timestamp,
    /// The functions whose active revision gets it.
    pub used_by: Vec<FunctionName>,
}

/// The answer to `PUT /v1/secrets/{name}` (201, or 200 where it replaced another value).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SecretSet {
    /// The name, and the function that it is for.
    #[serde(flatten)]
    pub place: SecretPlace,
    /// There was a value before.
    pub replaced: bool,
    /// The functions whose active revision gets it: their instances are drained.
    pub used_by: Vec<FunctionName>,
}

/// The answer to `POST /v1/secret-key/rotate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeyRotated {
    /// The id of the newest key.
    pub key: KeyId,
    /// The number of secrets that were encrypted anew.
    pub rotated: u64,
    /// The number of secrets that had that key already.
    pub unchanged: u64,
    /// Secrets that do not have that key now.
    pub left: Vec<LeftSecret>,
}

/// A secret that was not encrypted with the newest key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeftSecret {
    /// The name, and the function that it is for.
    #[serde(flatten)]
    pub place: SecretPlace,
    /// The reason.
    pub reason: LeftReason,
}

/// The reason why a secret was not encrypted with the newest key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// This host does not have the key that it is encrypted with.
    NoKey,
    /// It cannot be decrypted with its key.
    Damaged,
    /// It was set or deleted each time that it was about to be written.
    Changed,
}
