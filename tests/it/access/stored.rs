//! Tokens that a test puts into the store itself: as no request makes them, and whatever state they are in.

use std::{sync::Arc, time::Duration};

use cloudfunc::{
    model::{Digest, TokenName, TokenRole},
    store::{AddToken, Store},
};
use reqwest::{Method, RequestBuilder};

use crate::support::platform::TestPlatform;

/// A way to a platform's store, and to its gateway with any token.
pub struct Stored<'p> {
    platform: &'p TestPlatform,
    pub store: Arc<dyn Store>,
    http: reqwest::Client,
}

impl<'p> Stored<'p> {
    pub async fn open(platform: &'p TestPlatform) -> Self {
        let http = cloudfunc::http::client().unwrap();
        Self { platform, store: platform.store().await, http }
    }

    /// Adds a token for these functions, or for all, and returns its text.
    pub async fn add(&self, name: &str, role: TokenRole, functions: &[&str]) -> String {
        self.add_with(name, role, functions, |_| {}).await
    }

    /// The same, changed first.
    pub async fn add_with(
        &self,
        name: &str,
        role: TokenRole,
        functions: &[&str],
        change: impl FnOnce(&mut AddToken),
    ) -> String {
        let text = text(name);
        let mut new = AddToken {
            name: token_name(name),
            digest: Digest::of(text.as_bytes()),
            role,
            functions: functions.iter().map(|pattern| pattern.parse().unwrap()).collect(),
            rate_limit: None,
            created_by: "a test".to_owned(),
            expires_in: None,
        };
        change(&mut new);
        self.store.add_token(&new).await.unwrap().expect("its name is free");
        text
    }

    /// Adds one that is over, and returns its text.
    pub async fn add_expired(&self, name: &str, role: TokenRole, functions: &[&str]) -> String {
        let now = |new: &mut AddToken| new.expires_in = Some(Duration::ZERO);
        self.add_with(name, role, functions, now).await
    }

    /// Adds one and revokes it, and returns its text.
    pub async fn add_revoked(&self, name: &str, role: TokenRole, functions: &[&str]) -> String {
        let text = self.add(name, role, functions).await;
        assert!(self.store.revoke_token(&token_name(name)).await.unwrap());
        text
    }

    /// A request to the gateway without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let gateway = self.platform.address(cloudfunc::app::Role::Gateway);
        self.http.request(method, format!("http://{gateway}{path}"))
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}

pub fn token_name(name: &str) -> TokenName {
    name.parse().unwrap()
}

/// A text as tokens have it: the same for the same name.
pub fn text(name: &str) -> String {
    let letters = Digest::of(name.as_bytes()).as_str()[..43].to_owned();
    format!("cf_{letters}")
}
