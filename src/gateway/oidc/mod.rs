//! Tokens of a provider of OpenID Connect: JWTs, in place of tokens of the platform's own.
//!
//! ```text
//! JWT ─▶ head.rs ─▶ the key that it names (keys.rs) ─▶ its signature (head.rs, crypto.rs) ─▶ claims.rs ─▶ rights.rs
//!                      ▲ read by one task, `Oidc::run`: at the start, every ten minutes, and for a key that is not known
//! ```
//! No request waits for the provider but one whose token names a key that is not known, for a bounded time.

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

use std::{sync::Arc, time::Duration};

use jsonwebtoken::DecodingKey;
use tokio_util::sync::CancellationToken;

use self::{
    head::{Head, signed_claims},
    key_set::{Found, KeySet},
    keys::{Asked, Keys},
    provider::Provider,
    refusal::{Refusal, shown},
};
use crate::{
    backoff::Backoff,
    clock::Clock,
    http::{Answer, Authentication},
    model::Caller,
    settings,
};

/// The time between two readings of the keys.
const READ_EVERY: Duration = Duration::from_secs(600);
/// The first and the longest pause while the provider does not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Finds out whose the tokens of a provider are. Its keys are read by [`Oidc::run`].
pub struct Oidc {
    shared: Arc<Shared>,
    provider: Provider,
}

struct Shared {
    settings: settings::Oidc,
    clock: Clock,
    keys: Keys,
}

impl Oidc {
    /// Makes it without asking the provider. An error if the file of authorities is of no use.
    pub fn new(settings: &settings::Oidc, clock: Clock) -> anyhow::Result<Arc<Self>> {
        crypto::install();
        let provider = Provider::new(settings)?;
        let shared = Shared { settings: settings.clone(), clock, keys: Keys::new() };
        Ok(Arc::new(Self { shared: Arc::new(shared), provider }))
    }

    /// Returns whose token it is, at once if its key is known: refused are 401, 403 where no rule gives it a role, and 503
    /// where the provider does not answer.
    pub fn authenticate(&self, jwt: &str) -> Authentication {
        let head = match Head::read(jwt) {
            Ok(head) => head,
            Err(refusal) => return Authentication::Known(Err(refusal.problem().into())),
        };
        if let Some(known) = self.shared.caller(jwt, &head) {
            return Authentication::Known(answer(known));
        }
        match self.shared.keys.ask() {
            // The reading may have ended since the key was looked for.
            Asked::JustRead { is_answered } => {
                Authentication::Known(answer(self.shared.caller_or_why(jwt, &head, is_answered)))
            }
            Asked::Crowded => Authentication::Known(answer(Err(Refusal::Crowded))),
            Asked::Waits(waiting) => {
                let (shared, jwt) = (self.shared.clone(), jwt.to_owned());
                Authentication::Asking(Box::pin(async move {
                    let is_answered = waiting.is_answered().await;
                    answer(shared.caller_or_why(&jwt, &head, is_answered))
                }))
            }
        }
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
                let error = format!("{error:#}");
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
    /// Returns whose token it is; none if its key is not known.
    fn caller(&self, jwt: &str, head: &Head) -> Option<Result<Caller, Refusal>> {
        let keys = self.keys.known()?;
        match keys.find(head.key.as_deref(), head.algorithm) {
            Found::Key(key) => Some(self.caller_by(jwt, head, key)),
            Found::OtherAlgorithm => Some(Err(Refusal::OtherAlgorithm)),
            Found::Several => Some(Err(Refusal::WhichKey)),
            Found::Unknown => None,
        }
    }

    fn caller_by(&self, jwt: &str, head: &Head, key: &DecodingKey) -> Result<Caller, Refusal> {
        let claims = signed_claims(jwt, head, key)?;
        let of = &self.settings;
        let subject = claims::check(&claims, of.issuer.as_str(), &of.audience, self.clock.now())?;
        let no_role = || Refusal::NoRole { claims: rights::names(&claims) };
        let rights = rights::rights(&of.roles, &claims).ok_or_else(no_role)?;
        let name = format!("oidc {}", shown(subject));
        Ok(Caller { name, role: rights.role, functions: rights.functions, from: None })
    }

    /// Returns whose token it is, after the provider was asked.
    fn caller_or_why(&self, jwt: &str, head: &Head, is_answered: bool) -> Result<Caller, Refusal> {
        self.caller(jwt, head).unwrap_or_else(|| Err(self.why_unknown(head, is_answered)))
    }

    fn why_unknown(&self, head: &Head, is_answered: bool) -> Refusal {
        match (self.keys.known().is_some(), is_answered, &head.key) {
            (false, _, _) => Refusal::NoKeys,
            (true, false, _) => Refusal::Away,
            (true, true, Some(key)) => Refusal::UnknownKey(shown(key)),
            (true, true, None) => Refusal::WhichKey,
        }
    }
}

fn answer(found: Result<Caller, Refusal>) -> Answer<Arc<Caller>> {
    match found {
        Ok(caller) => Ok(Arc::new(caller)),
        Err(refusal) => Err(refusal.problem().into()),
    }
}
