//! Who may do what. The guard of the gateway's port (`http/auth.rs`) asks [`Tokens`] whose a token is; the router and the
//! shortcut for calls ask [`authorise`] whether that caller may do it.
//!
//! ```text
//! token ─▶ tokens.rs ─▶ the host's file │ a JWT (../oidc/) │ memory.rs, by its SHA-256 (cache.rs, entry.rs, limiters.rs)
//!                                                             ▲ ask.rs: whose is it?      ┐
//!                                                             ▲ follow.rs: what changed?  ├─▶ registry
//!                       refusals.rs: what was refused ────────────────────────────────────┘
//! ```
//! A request with a token that is remembered, or with that of the file, waits for nothing.

mod ask;
mod authorise;
mod cache;
mod entry;
mod follow;
mod limiters;
mod memory;
mod refusals;
mod row;
mod tokens;

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

pub use authorise::authorise;
pub use refusals::Refusals;

use self::{ask::Asker, memory::Memory, tokens::Tokens};
use super::oidc::Oidc;
use crate::http::{Authenticate, Authentication, Guard, Peer, Refusal};

/// What the gateway knows of callers, and what keeps that up to date.
pub struct Access {
    tokens: Arc<Tokens>,
    refusals: Arc<Refusals>,
    memory: Arc<Memory>,
    asker: Asker,
    registry: Peer,
    oidc: Option<Arc<Oidc>>,
}

/// How long the gateway uses what the registry has said of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenAges {
    /// So long without another question.
    pub recheck: Duration,
    /// So long at most, if nothing answers that question.
    pub kept: Duration,
}

impl Access {
    /// Accepts the token of this host's file, those that the registry knows, and JWTs of the provider, if there is one.
    pub fn new(file_token: &str, registry: Peer, oidc: Option<Arc<Oidc>>, ages: TokenAges) -> Self {
        let memory = Arc::new(Memory::new(ages.recheck, ages.kept));
        let (asker, questions) = Asker::new(registry.clone(), memory.clone());
        let jwts = oidc.clone().map(|oidc| oidc as Arc<dyn Authenticate>);
        let uname = rustix::system::uname();
        let host = uname.nodename().to_string_lossy();
        let tokens = Arc::new(Tokens::new(file_token, &host, jwts, memory.clone(), questions));
        let refusals = Arc::new(Refusals::new(registry.clone()));
        Self { tokens, refusals, memory, asker, registry, oidc }
    }

    /// Returns the guard of the gateway's port.
    pub fn guard(&self) -> Guard {
        let refusals = self.refusals.clone();
        let on_refusal = move |refusal: &Refusal<'_>| refusals.of_guard(refusal);
        Guard::public(self.tokens.clone(), Arc::new(on_refusal))
    }

    /// Returns the requests that were refused.
    pub fn refusals(&self) -> Arc<Refusals> {
        self.refusals.clone()
    }

    /// Asks the registry and the provider, for as long as it is polled.
    pub async fn keep_up_to_date(self) {
        let Self { mut asker, registry, memory, oidc, .. } = self;
        let of_provider = async move {
            if let Some(oidc) = oidc {
                oidc.run(CancellationToken::new()).await;
            }
        };
        tokio::join!(asker.run(), follow::follow(registry, memory), of_provider);
    }
}

impl Authenticate for Oidc {
    fn authenticate(&self, token: &str) -> Authentication {
        Oidc::authenticate(self, token)
    }

    fn may_be_token(&self, token: &str) -> bool {
        Oidc::may_be_token(self, token)
    }
}
