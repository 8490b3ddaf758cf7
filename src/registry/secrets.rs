//! Secrets: listed, set, deleted, and encrypted with the newest key. Their values are encrypted here and leave in no answer,
//! error or log.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::IntoResponse as _,
};

use super::{Registry, change::to_the_end};
use crate::{
    http::{Answer, At, CalledBy, Query, read_decoded},
    keyring::OpenError,
    model::{
        Caller, FunctionName, MAX_SECRET, Problem, SealedSecret, SecretName, SecretPlace, SecretVersion,
        StoredSecret,
        api::{KeyRotated, Page, SecretInfo, SecretSet},
        audit::action,
        code,
        message::Change,
        route,
    },
    store,
    units::show_bytes,
};

/// Functions read at once.
const PAGE: u32 = 500;
/// The most secrets of a platform: all of them are in memory while they are listed or encrypted anew.
const MAX_SECRETS: usize = 10_000;
/// Passes over all secrets in which those that were set meanwhile are looked at again.
const PASSES: usize = 3;
/// Functions that are named where a secret is in use; more would hide the rest.
const NAMED: usize = 5;

type Shared = State<Arc<Registry>>;

/// Functions by the secrets that they get.
type Users = HashMap<SecretPlace, Vec<FunctionName>>;

/// `GET /v1/secrets`: all of them, or those of one function alone.
pub async fn list(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<Page<SecretInfo>>> {
    let query = Query::read(uri.query(), route::LIST_SECRETS.endpoint.query)?;
    let function = query.one("function", str::parse::<FunctionName>)?;
    check_reach(&caller, function.as_ref())?;
    let all = registry.store.secrets().await?;
    let places = all.iter().map(|one| one.secret.place.clone()).collect();
    let mut users = registry.users(function.as_ref(), &places).await?;
    let is_asked = |one: &StoredSecret| function.is_none() || one.secret.place.function == function;
    let info = |one: StoredSecret| {
        let used_by = users.remove(&one.secret.place).unwrap_or_default();
        registry.info_of(one, used_by)
    };
    Ok(Json(Page { items: all.into_iter().filter(is_asked).map(info).collect(), next: None }))
}

/// `PUT /v1/secrets/{secret}`: the body is the value, byte for byte.
pub async fn set(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(name): At<SecretName>,
    request: Request,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    let query = Query::read(parts.uri.query(), route::SET_SECRET.endpoint.query)?;
    let existing = query.flag("existing", false)?;
    let place = SecretPlace { function: query.one("function", str::parse::<FunctionName>)?, name };
    check_reach(&caller, place.function.as_ref())?;
    let too_large = || {
        let limit = show_bytes(MAX_SECRET as u64);
        let detail = format!("the value of the {} is larger than the limit of {limit}", said(&place));
        Problem::new(code::PAYLOAD_TOO_LARGE, detail)
            .hint("put large files into the bundle or a store, and the key to them into the secret")
    };
    let value = read_decoded(&mut parts.headers, body, MAX_SECRET, too_large).await?;
    check_value(&place, &value)?;
    to_the_end(registry.changes.clone(), async move {
        let set = registry.set_secret(&caller, place, &value, existing).await?;
        let status = if set.replaced { StatusCode::OK } else { StatusCode::CREATED };
        Ok((status, Json(set)).into_response())
    })
    .await
}

/// `DELETE /v1/secrets/{secret}`
pub async fn delete(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(name): At<SecretName>,
    uri: Uri,
) -> Answer<StatusCode> {
    let query = Query::read(uri.query(), route::DELETE_SECRET.endpoint.query)?;
    let force = query.flag("force", false)?;
    let place = SecretPlace { function: query.one("function", str::parse::<FunctionName>)?, name };
    check_reach(&caller, place.function.as_ref())?;
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.delete_secret(&caller, place, force).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/secret-key/rotate`
pub async fn rotate_key(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<KeyRotated>> {
    Query::read(uri.query(), route::ROTATE_SECRET_KEY.endpoint.query)?;
    let changes = registry.changes.clone();
    to_the_end(changes, async move { registry.rotate_secret_key(&caller).await.map(Json) }).await
}

impl Registry {
    fn info_of(
        &self,
        StoredSecret { secret, created_at, set_at }: StoredSecret,
        used_by: Vec<FunctionName>,
    ) -> SecretInfo {
        SecretInfo {
            key_is_here: self.keyring.has(&secret.key),
            place: secret.place,
            key: secret.key,
            set_by: secret.set_by,
            created_at,
            set_at,
            used_by,
        }
    }

    async fn set_secret(
        &self,
        caller: &Caller,
        place: SecretPlace,
        value: &[u8],
        existing: bool,
    ) -> Answer<SecretSet> {
        // Asked before anything is changed, so that a failure leaves all as it was.
        let mut places = self.places().await?;
        if places.insert(place.clone()) && places.len() > MAX_SECRETS {
            let detail = format!("the platform has {MAX_SECRETS} secrets already, and keeps no more");
            let hint = "delete those that no function gets: `cloudfunc secret list`";
            return Err(Problem::new(code::INVALID_SECRET, detail).hint(hint).into());
        }
        let used_by = self.users_of(&place, &places).await?;
        let (key, sealed) = self.keyring.seal(&place, value);
        let (version, set_by) = (SecretVersion::new(), caller.name.clone());
        let secret = SealedSecret { place: place.clone(), version, key, sealed, set_by };
        let put = self.store.put_secret(&secret, existing).await;
        self.audit_unknown(&put, caller, action::SECRET_SET, Some(place.name.to_string())).await;
        let Some(replaced) = put? else {
            return Err(not_found(&place).into());
        };
        self.announce(Change::SecretChanged { place: place.clone() }).await;
        tracing::info!(secret = %place.name, function = function_of(&place), replaced, "secret set");
        self.audit_secret(caller, action::SECRET_SET, &place).await;
        Ok(SecretSet { place, replaced, used_by })
    }

    async fn delete_secret(&self, caller: &Caller, place: SecretPlace, force: bool) -> Answer<()> {
        let places = self.places().await?;
        if places.contains(&place) && !force {
            self.check_unused(&place, &places).await?;
        }
        let deleted = self.store.delete_secret(&place).await;
        self.audit_unknown(&deleted, caller, action::SECRET_DELETE, Some(place.name.to_string())).await;
        if !deleted? {
            return Err(not_found(&place).into());
        }
        self.announce(Change::SecretChanged { place: place.clone() }).await;
        tracing::info!(secret = %place.name, function = function_of(&place), "secret deleted");
        self.audit_secret(caller, action::SECRET_DELETE, &place).await;
        Ok(())
    }

    /// Refuses to delete a secret without which an active revision has none of that name.
    async fn check_unused(&self, place: &SecretPlace, places: &HashSet<SecretPlace>) -> Answer<()> {
        let platforms = SecretPlace { function: None, name: place.name.clone() };
        if place.function.is_some() && places.contains(&platforms) {
            return Ok(());
        }
        let users = self.users_of(place, places).await?;
        if users.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = users.iter().take(NAMED).map(|name| format!("'{name}'")).collect();
        let more = match users.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let detail = format!("the {} is used by {}{more}", said(place), shown.join(", "));
        let hint =
            "deploy them without it first, or delete it all the same with `--force` (?force=true)";
        Err(Problem::new(code::SECRET_IN_USE, detail).hint(hint).into())
    }

    async fn rotate_secret_key(&self, caller: &Caller) -> Answer<KeyRotated> {
        let key = self.keyring.newest().clone();
        let mut done = KeyRotated { key: key.clone(), rotated: 0, unchanged: 0, left: Vec::new() };
        let resealed = self.reseal_all(&mut done).await;
        let KeyRotated { rotated, unchanged, left, .. } = &done;
        tracing::info!(%key, rotated, unchanged, left = left.len(), "secrets encrypted with the newest key");
        let detail = match &resealed {
            Ok(()) => format!("{rotated} encrypted with the key {key}, {} left", left.len()),
            Err(_) => format!("{rotated} encrypted with the key {key}; it failed on the way"),
        };
        self.audit(caller, action::SECRET_KEY_ROTATE, None, Some(detail)).await;
        resealed?;
        Ok(done)
    }

    /// Encrypts all secrets with the key of `done`, which says how many it was, also after a failure.
    async fn reseal_all(&self, done: &mut KeyRotated) -> Result<(), store::Error> {
        for pass in 0..PASSES {
            done.left.clear();
            let mut changed_meanwhile = false;
            for StoredSecret { secret, .. } in self.store.secrets().await? {
                if secret.key == done.key {
                    done.unchanged += u64::from(pass == 0);
                    continue;
                }
                let Some(resealed) = self.resealed(&secret) else {
                    done.left.push(secret.place);
                    continue;
                };
                match self.store.reseal_secret(&resealed).await? {
                    true => done.rotated += 1,
                    false => changed_meanwhile = true,
                }
            }
            if !changed_meanwhile {
                break;
            }
        }
        Ok(())
    }

    /// The same secret, encrypted with the newest key; none where it cannot be read here.
    fn resealed(&self, secret: &SealedSecret) -> Option<SealedSecret> {
        let value = match self.keyring.open(&secret.place, &secret.key, &secret.sealed) {
            Ok(value) => zeroize::Zeroizing::new(value),
            Err(error) => {
                if error == OpenError::Damaged {
                    let function = function_of(&secret.place);
                    tracing::error!(secret = %secret.place.name, function, %error, "a secret cannot be read");
                }
                return None;
            }
        };
        let (key, sealed) = self.keyring.seal(&secret.place, &value);
        Some(SealedSecret { key, sealed, ..secret.clone() })
    }

    async fn audit_secret(&self, caller: &Caller, action: &'static str, place: &SecretPlace) {
        let detail = place.function.as_ref().map(|function| format!("of function '{function}'"));
        self.audit(caller, action, Some(place.name.to_string()), detail).await;
    }

    /// The places of all secrets.
    async fn places(&self) -> Answer<HashSet<SecretPlace>> {
        let all = self.store.secret_versions().await?;
        Ok(all.into_iter().map(|(place, _, _)| place).collect())
    }

    /// The functions whose active revision gets the secret at this place, which is one of `places`.
    async fn users_of(
        &self,
        place: &SecretPlace,
        places: &HashSet<SecretPlace>,
    ) -> Answer<Vec<FunctionName>> {
        let mut users = self.users(place.function.as_ref(), places).await?;
        Ok(users.remove(place).unwrap_or_default())
    }

    /// The functions by the secrets that their active revisions get: their own of a name, else the platform's. Of one function,
    /// or of all.
    async fn users(&self, only: Option<&FunctionName>, places: &HashSet<SecretPlace>) -> Answer<Users> {
        let mut users = Users::new();
        if let Some(function) = only {
            let names = self.secrets_of_active(function).await?;
            add_user(&mut users, function, names, places);
            return Ok(users);
        }
        let mut after = None;
        loop {
            let page = self.store.active_functions(after.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map(|active| active.function.name.clone());
            for active in page {
                add_user(&mut users, &active.function.name, active.revision.spec.secrets, places);
            }
            if is_last {
                return Ok(users);
            }
        }
    }

    async fn secrets_of_active(&self, function: &FunctionName) -> Answer<Vec<SecretName>> {
        let Some(function) = self.store.function(function).await? else { return Ok(Vec::new()) };
        let active = self.store.revision(function.id, function.active_revision).await?;
        Ok(active.map(|active| active.spec.secrets).unwrap_or_default())
    }
}

fn add_user(
    users: &mut Users,
    function: &FunctionName,
    names: Vec<SecretName>,
    places: &HashSet<SecretPlace>,
) {
    for name in names {
        let own = SecretPlace { function: Some(function.clone()), name };
        let place =
            if places.contains(&own) { own } else { SecretPlace { function: None, name: own.name } };
        users.entry(place).or_default().push(function.clone());
    }
}

/// Refuses a token for some functions what is another function's, or the platform's.
fn check_reach(caller: &Caller, function: Option<&FunctionName>) -> Answer<()> {
    let refused = match function {
        Some(function) if caller.reaches(function) => return Ok(()),
        None if !caller.is_limited() => return Ok(()),
        Some(function) => {
            let detail = format!("this token is not for secrets of the function '{function}'");
            Problem::new(code::FORBIDDEN, detail)
        }
        None => {
            let detail = "this token is for some functions only, not for the platform's secrets";
            let hint = "name the function whose secret is meant: `--function NAME` (?function=NAME)";
            Problem::new(code::FORBIDDEN, detail).hint(hint)
        }
    };
    Err(refused.into())
}

/// Refuses what an environment variable cannot hold. The text has nothing of the value.
fn check_value(place: &SecretPlace, value: &[u8]) -> Answer<()> {
    let (problem, hint) = if value.is_empty() {
        ("is empty", "send the value as the body; `cloudfunc secret set` reads it from standard input")
    } else if value.contains(&0) {
        (
            "has a NUL byte, which an environment variable cannot hold",
            "encode it, as base64 for example, and decode it in the function",
        )
    } else if std::str::from_utf8(value).is_err() {
        ("is not UTF-8 text", "encode it, as base64 for example, and decode it in the function")
    } else {
        return Ok(());
    };
    let detail = format!("the value of the {} {problem}", said(place));
    Err(Problem::new(code::INVALID_SECRET, detail).hint(hint).into())
}

fn not_found(place: &SecretPlace) -> Problem {
    Problem::new(code::SECRET_NOT_FOUND, format!("there is no {}", said(place)))
        .hint("`cloudfunc secret list` shows the secrets, `cloudfunc secret set` sets one")
}

/// Returns `secret 'API_KEY'`, with its function where it has one.
fn said(SecretPlace { function, name }: &SecretPlace) -> String {
    match function {
        Some(function) => format!("secret '{name}' of function '{function}'"),
        None => format!("secret '{name}'"),
    }
}

/// For the log.
fn function_of(place: &SecretPlace) -> Option<&str> {
    place.function.as_ref().map(FunctionName::as_str)
}
