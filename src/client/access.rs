//! Tokens, secrets and the audit log.

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;

use super::{Client, Error};
use crate::model::{
    AuditEntry, AuditOutcome, FunctionName, SecretName, TokenName,
    api::{KeyRotated, MadeToken, NewToken, Page, RotateToken, SecretInfo, SecretSet, TokenInfo},
    route,
};

/// The selection of entries of the audit log; what is not given selects all.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// The exact name of the caller.
    pub caller: Option<String>,
    /// With this action, one of [`crate::model::audit::action`].
    pub action: Option<String>,
    /// About the function, token or secret with exactly this name.
    pub target: Option<String>,
    /// With this outcome.
    pub outcome: Option<AuditOutcome>,
    /// The page after the one that had this cursor.
    pub cursor: Option<String>,
    /// The most entries of a page.
    pub limit: Option<u32>,
}

impl Client {
    /// Makes a token. The answer is the only one that has its text.
    pub async fn create_token(&self, new: &NewToken) -> Result<MadeToken, Error> {
        self.json(self.request(route::CREATE_TOKEN.target()).json(new)).await
    }

    /// Lists tokens by name.
    pub async fn tokens(&self, cursor: Option<&str>) -> Result<Page<TokenInfo>, Error> {
        self.json(self.request(route::LIST_TOKENS.target()).query(&[("cursor", cursor)])).await
    }

    /// Returns a token, without its text.
    pub async fn token(&self, name: &TokenName) -> Result<TokenInfo, Error> {
        self.json(self.request(route::SHOW_TOKEN.at(name))).await
    }

    /// Revokes a token: from then on it is refused.
    pub async fn revoke_token(&self, name: &TokenName) -> Result<(), Error> {
        self.send(self.request(route::REVOKE_TOKEN.at(name))).await.map(drop)
    }

    /// Gives a token another text, which only this answer has.
    pub async fn rotate_token(
        &self,
        name: &TokenName,
        rotation: &RotateToken,
    ) -> Result<MadeToken, Error> {
        self.json(self.request(route::ROTATE_TOKEN.at(name)).json(rotation)).await
    }

    /// Sets a secret of a function, or of the platform. With `existing`, only if it has a value already.
    pub async fn set_secret(
        &self,
        name: &SecretName,
        function: Option<&FunctionName>,
        existing: bool,
        value: Bytes,
    ) -> Result<SecretSet, Error> {
        let request = self
            .request(route::SET_SECRET.at(name))
            .query(&[("function", function.map(FunctionName::as_str))])
            .query(&[("existing", existing.then_some(true))])
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(value);
        self.json(request).await
    }

    /// Lists secrets, without their values: all that the caller may see, or those of one function.
    pub async fn secrets(&self, function: Option<&FunctionName>) -> Result<Page<SecretInfo>, Error> {
        let request = self.request(route::LIST_SECRETS.target());
        self.json(request.query(&[("function", function.map(FunctionName::as_str))])).await
    }

    /// Deletes a secret of a function, or of the platform; one that a function gets only with `force`.
    pub async fn delete_secret(
        &self,
        name: &SecretName,
        function: Option<&FunctionName>,
        force: bool,
    ) -> Result<(), Error> {
        let request = self
            .request(route::DELETE_SECRET.at(name))
            .query(&[("function", function.map(FunctionName::as_str))])
            .query(&[("force", force.then_some(true))]);
        self.send(request).await.map(drop)
    }

    /// Encrypts all secrets with the newest key of the host that answers.
    pub async fn rotate_secret_key(&self) -> Result<KeyRotated, Error> {
        self.json(self.request(route::ROTATE_SECRET_KEY.target())).await
    }

    /// Lists entries of the audit log, newest first.
    pub async fn audit_log(&self, query: &AuditQuery) -> Result<Page<AuditEntry>, Error> {
        let request = self.request(route::AUDIT_LOG.target()).query(&[
            ("since", query.since.map(|since| since.to_string())),
            ("caller", query.caller.clone()),
            ("action", query.action.clone()),
            ("target", query.target.clone()),
            ("outcome", query.outcome.map(|outcome| outcome.to_string())),
            ("cursor", query.cursor.clone()),
            ("limit", query.limit.map(|limit| limit.to_string())),
        ]);
        self.json(request).await
    }
}
