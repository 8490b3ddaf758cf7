//! Tokens: listed, made, revoked and given another value, and what the gateway is told of one. The value of a token is in the
//! answer that makes it and nowhere else: the store has its SHA-256.

use std::{sync::Arc, time::Duration};

use super::{
    Registry,
    change::{MAX_REQUEST, to_the_end},
    page::{page, with_next},
};
use crate::{
    error_chain::chain,
    http::{Answer, At, CalledBy, Failure, Query, document, read_body, read_decoded, read_document},
    model::{
        Caller, Digest, FunctionPattern, Problem, StoredToken, TokenName, TokenRole,
        api::{KnownToken, MadeToken, NewToken, Page, RotateToken, TokenInfo},
        audit::action,
        code, route, time,
    },
    store::{AddToken, FoundToken},
    suggest::suggest,
    units::{show_bytes, written_duration},
};
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

/// Tokens in a page, unless asked for another number.
const PAGE: u32 = 500;
const MAX_PAGE: u32 = 1000;
/// The most patterns of one token: they go from role to role in a header.
const MAX_PATTERNS: usize = 64;
/// Ten years.
const LONGEST_LIFE: u64 = 10 * 365 * 24 * 3600;
/// A week.
const LONGEST_KEEP: u64 = 7 * 24 * 3600;
/// A digest as JSON, in bytes, with room around it.
const MAX_DIGEST: usize = 128;

/// `GET /v1/tokens`: a page, by name.
pub async fn list(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer<Json<Page<TokenInfo>>> {
    let query = Query::read(uri.query(), route::LIST_TOKENS.endpoint.query)?;
    let limit = query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    let after = query.one("cursor", str::parse::<TokenName>)?;
    let tokens = registry.store.tokens(after.as_ref(), with_next(limit)).await?;
    Ok(Json(page(tokens, limit, |token| token.name.to_string(), info)))
}

/// `GET /v1/tokens/{token}`
pub async fn show(
    State(registry): State<Arc<Registry>>,
    At(name): At<TokenName>,
) -> Answer<Json<TokenInfo>> {
    match registry.store.token(&name).await? {
        Some(token) => Ok(Json(info(token))),
        None => Err(registry.token_not_found(&name).await),
    }
}

/// `POST /v1/tokens`: 201 with the token, or 409 where the name is taken.
pub async fn create(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    request: Request,
) -> Answer {
    const SHAPE: &str = r#"{"name": "ci", "role": "deploy"}, with "functions": ["team_*"], "expires_in_s": 3600 and "rate_limit": "100/s" if you like"#;
    Query::read(request.uri().query(), route::CREATE_TOKEN.endpoint.query)?;
    let (mut parts, body) = request.into_parts();
    let new: NewToken = read_document(&mut parts.headers, body, MAX_REQUEST, SHAPE).await?;
    check(&new)?;
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.create_token(new, &caller).await }).await
}

/// `DELETE /v1/tokens/{token}`: 204 once it is deleted. The gateways, that of this host included, hear of it within a moment,
/// and refuse it from then on.
pub async fn revoke(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    At(name): At<TokenName>,
) -> Answer<StatusCode> {
    to_the_end(registry.changes.clone(), async move {
        let revoked = registry.store.revoke_token(&name).await;
        // After an error, too: it may have happened.
        if !matches!(revoked, Ok(false)) {
            registry.token_changed(&name).await;
        }
        registry.audit_unknown(&revoked, &caller, action::TOKEN_REVOKE, Some(name.to_string())).await;
        if !revoked? {
            return Err(registry.token_not_found(&name).await);
        }
        registry.audit(&caller, action::TOKEN_REVOKE, Some(name.to_string()), None).await;
        tracing::info!(token = %name, "token revoked");
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// `POST /v1/tokens/{token}/rotate`: 200 with the token and its new value.
pub async fn rotate(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    At(name): At<TokenName>,
    request: Request,
) -> Answer {
    Query::read(request.uri().query(), route::ROTATE_TOKEN.endpoint.query)?;
    let keep_old = keep_old(request).await?;
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.rotate_token(&name, keep_old, &caller).await }).await
}

/// The time for which the old value is accepted, too. A request without a body asks for none.
async fn keep_old(request: Request) -> Answer<Duration> {
    const SHAPE: &str = r#"nothing, or {"keep_old_s": 60}, for at most a week"#;
    let (mut parts, body) = request.into_parts();
    let larger = || larger_than(MAX_REQUEST);
    let bytes = read_decoded(&mut parts.headers, body, MAX_REQUEST, larger).await?;
    let RotateToken { keep_old_s } = match bytes.trim_ascii().is_empty() {
        true => RotateToken::default(),
        false => document(&bytes, SHAPE)?,
    };
    if keep_old_s > LONGEST_KEEP {
        let detail = format!("keep_old_s is {keep_old_s}; accepted are 0 to {LONGEST_KEEP}, a week");
        return Err(bad(detail));
    }
    Ok(Duration::from_secs(keep_old_s))
}

/// `POST /internal/v1/known-token` of a gateway: a digest as JSON → a [`KnownToken`], or 404.
pub async fn known(State(registry): State<Arc<Registry>>, request: Request) -> Answer<Json<KnownToken>> {
    let body = read_body(request.into_body(), MAX_DIGEST, || larger_than(MAX_DIGEST)).await?;
    // Without what was sent: it may be a token itself, by mistake.
    let digest: Digest = serde_json::from_slice(&body)
        .map_err(|_| bad("the body is not the digest of a token".to_owned()))?;
    let Some(found) = registry.store.token_of(&digest).await? else {
        return Err(Problem::new(code::TOKEN_NOT_FOUND, "no token has this digest").into());
    };
    let known = known_token(found);
    if known.left_ms != Some(0) {
        registry.uses.note(&known.name);
    }
    Ok(Json(known))
}

impl Registry {
    /// No gateway can know a value that has just been made: none of them is told.
    async fn create_token(&self, new: NewToken, caller: &Caller) -> Answer {
        let NewToken { name, role, functions, expires_in_s, rate_limit } = new;
        let value = new_value()?;
        let add = AddToken {
            name: name.clone(),
            digest: Digest::of(value.as_bytes()),
            role,
            functions,
            rate_limit,
            created_by: caller.name.clone(),
            expires_in: expires_in_s.map(Duration::from_secs),
        };
        let added = self.store.add_token(&add).await;
        self.audit_unknown(&added, caller, action::TOKEN_CREATE, Some(name.to_string())).await;
        let Some(token) = added? else { return Err(self.name_is_taken(&name).await) };
        self.audit(caller, action::TOKEN_CREATE, Some(name.to_string()), Some(rights(&token))).await;
        tracing::info!(token = %name, role = %token.role, "token made");
        Ok(made(StatusCode::CREATED, value, info(token)))
    }

    async fn rotate_token(&self, name: &TokenName, keep_old: Duration, caller: &Caller) -> Answer {
        let value = new_value()?;
        let digest = Digest::of(value.as_bytes());
        let rotated = self.store.rotate_token(name, &digest, keep_old).await;
        // After an error, too: it may have happened.
        if !matches!(rotated, Ok(None)) {
            self.token_changed(name).await;
        }
        self.audit_unknown(&rotated, caller, action::TOKEN_ROTATE, Some(name.to_string())).await;
        let Some(token) = rotated? else { return Err(self.token_not_found(name).await) };
        let kept = (!keep_old.is_zero()).then(|| written_duration(keep_old));
        let detail = kept.map(|kept| format!("the old value is accepted for {kept}, too"));
        self.audit(caller, action::TOKEN_ROTATE, Some(name.to_string()), detail).await;
        tracing::info!(token = %name, "token rotated");
        Ok(made(StatusCode::OK, value, info(token)))
    }

    /// 404. Of very many tokens only some are looked through for a name that may be meant.
    async fn token_not_found(&self, name: &TokenName) -> Failure {
        let tokens = self.store.tokens(None, MAX_PAGE).await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "no names to suggest");
            Vec::new()
        });
        not_found(name, tokens.iter().map(|token| token.name.as_str())).into()
    }
}

/// 256 random bits.
fn new_value() -> Answer<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no randomness for a token");
        Problem::new(code::INTERNAL, "this machine has no randomness for a token")
    })?;
    Ok(format!("cf_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

fn made(status: StatusCode, token: String, info: TokenInfo) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(MadeToken { token, info })).into_response()
}

pub fn info(token: StoredToken) -> TokenInfo {
    TokenInfo {
        name: token.name,
        role: token.role,
        functions: token.functions,
        rate_limit: token.rate_limit,
        created_by: token.created_by,
        created_at: token.created_at,
        expires_at: token.expires_at,
        expired: token.expired,
        last_used_at: token.last_used_at,
    }
}

fn known_token(found: FoundToken) -> KnownToken {
    let FoundToken { token, is_old, expires_at, left } = found;
    KnownToken {
        name: token.name,
        role: token.role,
        functions: token.functions,
        rate_limit: token.rate_limit,
        left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        is_old,
        expires_at,
    }
}

/// The rights of a token in words: `role deploy for team_*, 100/s, until 2026-01-31T12:00:00.000Z`.
fn rights(token: &StoredToken) -> String {
    let functions: Vec<&str> = token.functions.iter().map(FunctionPattern::as_str).collect();
    let mut text = format!("role {}", token.role);
    if !functions.is_empty() {
        text.push_str(&format!(" for {}", functions.join(" and ")));
    }
    if let Some(limit) = token.rate_limit {
        text.push_str(&format!(", {limit}"));
    }
    if let Some(at) = token.expires_at {
        text.push_str(&format!(", until {}", time::text(at)));
    }
    text
}

/// Refuses values that the document's types let through.
fn check(new: &NewToken) -> Answer<()> {
    if new.role == TokenRole::Admin && !new.functions.is_empty() {
        let problem = Problem::new(code::BAD_REQUEST, "an admin token is for all functions");
        return Err(problem
            .hint("leave out the functions, or make it a deploy or an invoke token")
            .into());
    }
    if new.functions.len() > MAX_PATTERNS {
        let count = new.functions.len();
        return Err(bad(format!(
            "the token is for {count} patterns of functions; at most {MAX_PATTERNS} are accepted"
        )));
    }
    match new.expires_in_s {
        Some(seconds) if !(1..=LONGEST_LIFE).contains(&seconds) => {
            let detail =
                format!("expires_in_s is {seconds}; accepted are 1 to {LONGEST_LIFE}, ten years");
            let problem = Problem::new(code::BAD_REQUEST, detail);
            Err(problem.hint("leave it out for a token that does not expire").into())
        }
        _ => Ok(()),
    }
}

fn not_found<'a>(name: &TokenName, known: impl Iterator<Item = &'a str>) -> Problem {
    let near = suggest(name.as_str(), known);
    let hint = match near.is_empty() {
        true => {
            "'cloudfunc token list' shows the tokens; that of a host's file 'token' is not one of them"
                .to_owned()
        }
        false => format!("did you mean {}?", near.join(" or ")),
    };
    Problem::new(code::TOKEN_NOT_FOUND, format!("there is no token '{name}'")).hint(hint)
}

fn larger_than(limit: usize) -> Problem {
    let limit = show_bytes(limit as u64);
    Problem::new(code::PAYLOAD_TOO_LARGE, format!("the request is larger than the limit of {limit}"))
}

fn bad(detail: String) -> Failure {
    Problem::new(code::BAD_REQUEST, detail).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;

    use super::*;

    fn token() -> StoredToken {
        StoredToken {
            name: "ci".parse().unwrap(),
            digest: Digest::of(b"cf_x"),
            role: TokenRole::Deploy,
            functions: Vec::new(),
            rate_limit: None,
            created_by: "token file".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            expired: false,
            last_used_at: None,
        }
    }

    #[test]
    fn a_value_is_256_random_bits() {
        let values: HashSet<String> = (0..100).map(|_| new_value().ok().unwrap()).collect();
        assert_eq!(values.len(), 100);
        for value in values {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(value.strip_prefix("cf_").unwrap()).unwrap();
            assert_eq!((bytes.len(), value.len()), (32, 46));
        }
    }

    #[test]
    fn whether_a_token_has_expired_is_said_by_the_store() {
        for expired in [true, false] {
            assert_eq!(info(StoredToken { expired, ..token() }).expired, expired);
        }
    }

    #[test]
    fn what_is_left_is_told_in_whole_milliseconds_and_a_part_of_one_counts_for_nothing() {
        let found = |left| FoundToken { token: token(), is_old: true, expires_at: None, left };
        for (left, expected) in [
            (None, None),
            (Some(Duration::ZERO), Some(0)),
            (Some(Duration::from_micros(999)), Some(0)),
            (Some(Duration::from_micros(1999)), Some(1)),
            (Some(Duration::MAX), Some(u64::MAX)),
        ] {
            let known = known_token(found(left));
            assert_eq!((known.left_ms, known.is_old), (expected, true));
        }
    }

    #[test]
    fn rights_are_told_in_words() {
        assert_eq!(rights(&token()), "role deploy");
        let all = StoredToken {
            functions: vec!["team_*".parse().unwrap(), "b".parse().unwrap()],
            rate_limit: Some("100/s".parse().unwrap()),
            expires_at: Some(Timestamp::UNIX_EPOCH),
            ..token()
        };
        assert_eq!(rights(&all), "role deploy for team_* and b, 100/s, until 1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_those_that_may_be_meant() {
        let name = "deployer".parse().unwrap();
        let near = not_found(&name, ["deployr", "ci"].into_iter());
        assert_eq!(near.detail, "there is no token 'deployer'");
        assert_eq!(near.hint.as_deref(), Some("did you mean 'deployr'?"));
        let hint =
            "'cloudfunc token list' shows the tokens; that of a host's file 'token' is not one of them";
        assert_eq!(not_found(&name, ["ci"].into_iter()).hint.as_deref(), Some(hint));
    }
}
