//! Tokens of a provider of OpenID Connect: JWTs, in place of tokens of the platform's own.
//!
//! ```text
//! JWT ─▶ verified.rs: a moment ago? ─▶ head.rs ─▶ the key that it names (keys.rs) ─▶ its signature (head.rs, crypto.rs)
//!                                                    ▲                               ─▶ claims.rs ─▶ rights.rs
//!                                                    └ read by one task, `Oidc::run`: at the start, every ten minutes, and
//!                                                      for a key that is not known
//! ```
//! No request waits for the provider but one whose token names a key that is not known, for a bounded time.
//!
//! Claims are not looked at before the signature is right: reading them costs as much as verifying it, and a forger would
//! write those that are accepted.

mod claims;
mod crypto;
mod head;
mod key_set;
mod keys;
mod provider;
mod refusal;
mod rights;
// Shared with the end-to-end tests.
#[cfg(test)]
#[path = "../../../tests/it/access/signer.rs"]
mod signer;
#[cfg(test)]
mod tests;
mod verified;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use tokio_util::sync::CancellationToken;

use self::{
    claims::Valid,
    head::{Head, MAX_TOKEN, claimed_issuer, signed_claims},
    key_set::{Found, KeySet},
    keys::{Asked, Keys, Known, Outcome},
    provider::Provider,
    refusal::{Refusal, caller_name, shown},
    rights::Rights,
    verified::{Verified, digest},
};
use crate::{backoff::Backoff, clock::Clock, http::Authentication, model::Caller, settings};

/// The time between two readings of the keys.
const READ_EVERY: Duration = Duration::from_secs(600);
/// The first and the longest pause while the provider does not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The most characters of a reason in the log: the provider's documents may be quoted in it.
const MAX_REASON: usize = 1000;

/// Finds out whose the tokens of a provider are. Its keys are read by [`Oidc::run`].
pub struct Oidc {
    shared: Arc<Shared>,
    provider: Provider,
}

struct Shared {
    settings: settings::Oidc,
    clock: Clock,
    keys: Keys,
    verified: Verified,
}

/// The caller of a token, or why it is refused.
type Verdict = Result<Arc<Caller>, Refusal>;

impl Oidc {
    /// Makes it without asking the provider. An error if the file of authorities is of no use.
    pub fn new(settings: &settings::Oidc, clock: Clock) -> anyhow::Result<Arc<Self>> {
        crypto::install();
        let provider = Provider::new(settings)?;
        let keys = Keys::new(clock.clone());
        let shared = Shared { settings: settings.clone(), clock, keys, verified: Verified::default() };
        Ok(Arc::new(Self { shared: Arc::new(shared), provider }))
    }

    /// Returns whose token it is, at once if its key is known: refused are 401, 403 where no rule gives it a role, and 503
    /// where the provider does not answer, or was not asked since the token came.
    pub fn authenticate(&self, jwt: &str) -> Authentication {
        if let Some(caller) = self.shared.verified_caller(jwt) {
            return Authentication::Known(Ok(caller));
        }
        let head = match Head::read(jwt) {
            Ok(head) => head,
            Err(refusal) => return at_once(Err(refusal)),
        };
        if let Some(verdict) = self.shared.caller(jwt, &head) {
            return at_once(verdict);
        }
        match self.shared.keys.ask() {
            // A reading may have ended since the key was looked for.
            Asked::Soon(outcome) => at_once(self.shared.caller_or_why(jwt, &head, outcome)),
            Asked::Crowded => at_once(Err(Refusal::Crowded)),
            Asked::Waits(waiting) => {
                let (shared, jwt) = (self.shared.clone(), jwt.to_owned());
                Authentication::Asking(Box::pin(async move {
                    let outcome = waiting.outcome().await;
                    shared.caller_or_why(&jwt, &head, outcome).map_err(Refusal::rejected)
                }))
            }
        }
    }

    /// Returns whether a text names the provider as its issuer: maybe a token of it.
    pub fn may_be_token(&self, jwt: &str) -> bool {
        claimed_issuer(jwt).as_deref() == Some(self.shared.settings.issuer.as_str())
    }

    /// Reads the keys of the provider, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let keys = &self.shared.keys;
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            keys.begin();
            let Some(read) = stop.run_until_cancelled(self.provider.keys()).await else { return };
            let pause = self.note(read, &mut backoff);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = keys.wanted() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Notes what came of an attempt to read the keys, and returns the pause before the next one.
    fn note(&self, read: anyhow::Result<KeySet>, backoff: &mut Backoff) -> Duration {
        let issuer = self.shared.settings.issuer.as_str();
        match read {
            Ok(read) => {
                tracing::debug!(issuer, keys = read.count(), "keys of the OIDC provider read");
                if !backoff.is_fresh() {
                    tracing::info!(issuer, "the OIDC provider answers again");
                }
                backoff.reset();
                self.shared.keys.end(Some(read));
                READ_EVERY
            }
            Err(error) => {
                let error: String = format!("{error:#}").chars().take(MAX_REASON).collect();
                // Once for each time that it is away: it is asked again and again.
                match (backoff.is_fresh(), self.shared.keys.known().is_some()) {
                    (true, true) => {
                        tracing::warn!(issuer, %error, "keys of the OIDC provider not read; older ones are used");
                    }
                    (true, false) => {
                        tracing::warn!(issuer, %error, "keys of the OIDC provider not read; its tokens are refused");
                    }
                    (false, _) => tracing::debug!(issuer, %error, "keys of the OIDC provider not read"),
                }
                self.shared.keys.end(None);
                backoff.next_pause()
            }
        }
    }
}

impl Shared {
    /// Returns the caller of a token that was verified a moment ago.
    fn verified_caller(&self, jwt: &str) -> Option<Arc<Caller>> {
        let known = self.keys.known().filter(|_| jwt.len() <= MAX_TOKEN)?;
        self.verified.find(&digest(jwt), known.reading, self.clock.now().as_second())
    }

    /// Returns whose token it is; none if its key is not known.
    fn caller(&self, jwt: &str, head: &Head) -> Option<Verdict> {
        let Known { keys, reading } = self.keys.known()?;
        let key = match keys.find(head.key.as_deref(), head.algorithm) {
            Found::Key(key) => key,
            Found::OtherAlgorithm => return Some(Err(Refusal::OtherAlgorithm)),
            Found::Several => return Some(Err(Refusal::WhichKey)),
            Found::Unknown => return None,
        };
        let now = self.clock.now();
        Some(self.caller_by(jwt, head, key, now).map(|(caller, until)| {
            let caller = Arc::new(caller);
            self.verified.keep(digest(jwt), caller.clone(), reading, (now.as_second(), until));
            caller
        }))
    }

    /// Verifies a token with its key. Returns its caller, and the last second, since 1970, at which it is accepted.
    fn caller_by(
        &self,
        jwt: &str,
        head: &Head,
        key: &DecodingKey,
        now: Timestamp,
    ) -> Result<(Caller, i64), Refusal> {
        let claims = signed_claims(jwt, head, key)?;
        let of = &self.settings;
        let Valid { subject, until } = claims::check(&claims, of.issuer.as_str(), &of.audience, now)?;
        let name = caller_name(subject);
        let Some(Rights { role, functions }) = rights::rights(&of.roles, &claims) else {
            return Err(Refusal::NoRole { caller: name, claims: rights::names(&claims) });
        };
        Ok((Caller { name, role, functions, from: None }, until))
    }

    /// Returns whose token it is, after the provider was asked.
    fn caller_or_why(&self, jwt: &str, head: &Head, outcome: Outcome) -> Verdict {
        self.caller(jwt, head).unwrap_or_else(|| Err(self.why_unknown(head, outcome)))
    }

    fn why_unknown(&self, head: &Head, outcome: Outcome) -> Refusal {
        if self.keys.known().is_none() {
            return Refusal::NoKeys;
        }
        match (outcome, head.key.as_deref().map(shown)) {
            (Outcome::Failed, _) => Refusal::Away,
            (_, None) => Refusal::WhichKey,
            (Outcome::Newer, Some(key)) => Refusal::UnknownKey(key),
            (Outcome::Older { again_in }, Some(key)) => Refusal::NotReadSince { key, again_in },
        }
    }
}

fn at_once(verdict: Verdict) -> Authentication {
    match verdict {
        Ok(caller) => Authentication::Known(Ok(caller)),
        Err(refusal) => Authentication::Rejected(refusal.rejected()),
    }
}
