//! Tokens.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Error;
use crate::model::{Digest, FunctionPattern, RateLimit, StoredToken, TokenName, TokenRole};

/// The time after which an expired token is deleted by the sweep.
pub const KEEP_EXPIRED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Tokens by their name and by the digest of their value, which itself is not stored.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Adds a token. None when there is one of this name already, also when that has expired and was not deleted yet.
    async fn add_token(&self, new: &AddToken) -> Result<Option<StoredToken>, Error>;
    /// Returns tokens by name: the first `limit` of those whose names come after this one, in the store's order of names.
    async fn tokens(&self, after: Option<&TokenName>, limit: u32) -> Result<Vec<StoredToken>, Error>;
    /// Returns the token of this name, also when it has expired; none when there is no such token.
    async fn token(&self, name: &TokenName) -> Result<Option<StoredToken>, Error>;
    /// Returns the token whose value, or whose value before its last rotation, has this digest, also when that is no longer
    /// accepted; none when there is no such token.
    async fn token_of(&self, digest: &Digest) -> Result<Option<FoundToken>, Error>;
    /// Gives a token another value; the one before is accepted for `keep_old`, too, and all older ones are forgotten. When it
    /// expires stays as it is. None when no token has this name.
    async fn rotate_token(
        &self,
        name: &TokenName,
        digest: &Digest,
        keep_old: Duration,
    ) -> Result<Option<StoredToken>, Error>;
    /// Deletes a token. False when no token has this name.
    async fn revoke_token(&self, name: &TokenName) -> Result<bool, Error>;
    /// Notes that tokens are used now: each unless that was noted less than a minute ago, or the token is being changed at
    /// the same time. It may be lost with the store's last moments. An unknown name changes nothing.
    async fn note_uses(&self, names: &[TokenName]) -> Result<(), Error>;
    /// Deletes up to `limit` tokens that expired longer ago than [`KEEP_EXPIRED`]. Returns how many.
    async fn prune_tokens(&self, limit: u32) -> Result<u64, Error>;
}

/// A token to be added.
#[derive(Clone, Debug)]
pub struct AddToken {
    /// Its name.
    pub name: TokenName,
    /// The SHA-256 of its value.
    pub digest: Digest,
    /// Its role.
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them.
    pub functions: Vec<FunctionPattern>,
    /// The limit of its requests.
    pub rate_limit: Option<RateLimit>,
    /// The name of the caller that makes it.
    pub created_by: String,
    /// The time after which it expires, from now on by the store's clock, a thousand years at most; none if it does not.
    pub expires_in: Option<Duration>,
}

/// A token that a digest led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundToken {
    /// The token.
    pub token: StoredToken,
    /// The digest is that of its previous value.
    pub is_old: bool,
    /// The time when this value is no longer accepted: that of the token, or of its previous value, if that is sooner.
    pub expires_at: Option<Timestamp>,
    /// The time until then by the store's clock: zero once it is over, none if it does not end.
    pub left: Option<Duration>,
}
