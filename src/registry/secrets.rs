//! Secrets: listed, set and deleted. Their values are encrypted here and leave in no answer, error or log.

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
    model::{
        Caller, FunctionName, FunctionSpec, MAX_SECRET, Problem, SealedSecret, SecretName, SecretPlace,
        SecretVersion, StoredSecretInfo,
        api::{Page, SecretInfo, SecretSet},
        audit::action,
        code,
        message::Change,
        route,
        secret::{InvalidValue, check_value},
    },
};

/// Functions read at once.
const PAGE: u32 = 500;
/// The most secrets of a platform: what is known of them is in memory while they are listed.
const MAX_SECRETS: usize = 10_000;
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
    let listed = registry.store.secret_infos(function.as_ref()).await?;
    // Of one function, its own come before the platform's, which are not listed.
    let places = listed.iter().map(|one| one.place.clone()).collect();
    let mut users = registry.users(function.as_ref(), &places).await?;
    let info = |one: StoredSecretInfo| {
        let used_by = users.remove(&one.place).unwrap_or_default();
        registry.info_of(one, used_by)
    };
    Ok(Json(Page { items: listed.into_iter().map(info).collect(), next: None }))
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
    let too_large = || invalid(&place, InvalidValue::TooLarge);
    let value = read_decoded(&mut parts.headers, body, MAX_SECRET, too_large).await?;
    check_value(&value).map_err(|problem| invalid(&place, problem))?;
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

impl Registry {
    fn info_of(
        &self,
        StoredSecretInfo { place, key, set_by, created_at, set_at }: StoredSecretInfo,
        used_by: Vec<FunctionName>,
    ) -> SecretInfo {
        let key_is_here = self.keyring.has(&key);
        SecretInfo { place, key, key_is_here, set_by, created_at, set_at, used_by }
    }

    async fn set_secret(
        &self,
        caller: &Caller,
        place: SecretPlace,
        value: &[u8],
        existing: bool,
    ) -> Answer<SecretSet> {
        let changes = self.secret_changes.lock().await;
        // Asked before anything is changed, so that a failure leaves all as it was.
        let mut places = self.places().await?;
        if places.insert(place.clone()) && places.len() > MAX_SECRETS {
            let detail = format!("the platform has {MAX_SECRETS} secrets already, and keeps no more");
            let hint = "delete those that no function gets: `cloudfunc secret list`";
            return Err(Problem::new(code::INVALID_SECRET, detail).hint(hint).into());
        }
        let used_by = self.users_of(&place, &places).await?;
        self.check_room_for(&place, value, &used_by).await?;
        let used_by = used_by.into_iter().map(|(function, _)| function).collect();
        let version = SecretVersion::new();
        let (key, sealed) = self.keyring.seal(&place, version, value);
        let set_by = caller.name.clone();
        let secret = SealedSecret { place: place.clone(), version, key, sealed, set_by };
        let put = self.store.put_secret(&secret, existing).await;
        drop(changes);
        // After an error, too: it may have happened.
        if !matches!(put, Ok(None)) {
            self.announce(Change::SecretChanged { place: place.clone() }).await;
        }
        self.audit_unknown(&put, caller, action::SECRET_SET, Some(place.name.to_string())).await;
        let Some(replaced) = put? else { return Err(not_found(&place).into()) };
        tracing::info!(secret = %place.name, function = function_of(&place), replaced, "secret set");
        self.audit_secret(caller, action::SECRET_SET, &place).await;
        Ok(SecretSet { place, replaced, used_by })
    }

    async fn delete_secret(&self, caller: &Caller, place: SecretPlace, force: bool) -> Answer<()> {
        let changes = self.secret_changes.lock().await;
        let places = self.places().await?;
        if places.contains(&place) {
            self.check_unused(caller, &place, &places, force).await?;
        }
        let deleted = self.store.delete_secret(&place).await;
        drop(changes);
        // After an error, too: it may have happened.
        if !matches!(deleted, Ok(false)) {
            self.announce(Change::SecretChanged { place: place.clone() }).await;
        }
        self.audit_unknown(&deleted, caller, action::SECRET_DELETE, Some(place.name.to_string())).await;
        if !deleted? {
            return Err(not_found(&place).into());
        }
        tracing::info!(secret = %place.name, function = function_of(&place), "secret deleted");
        self.audit_secret(caller, action::SECRET_DELETE, &place).await;
        Ok(())
    }

    /// Refuses to delete a secret without which an active revision has none of that name, or, by a token for some functions, one
    /// in whose place an active revision would get the platform's.
    async fn check_unused(
        &self,
        caller: &Caller,
        place: &SecretPlace,
        places: &HashSet<SecretPlace>,
        force: bool,
    ) -> Answer<()> {
        let users = self.users_of(place, places).await?;
        if users.is_empty() {
            return Ok(());
        }
        if caller.is_limited() {
            return Err(not_by(caller, place).into());
        }
        let platforms = SecretPlace { function: None, name: place.name.clone() };
        if force || place.function.is_some() && places.contains(&platforms) {
            return Ok(());
        }
        let shown: Vec<String> = users.iter().take(NAMED).map(|(name, _)| format!("'{name}'")).collect();
        let more = match users.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let detail = format!("the {} is used by {}{more}", said(place), shown.join(", "));
        let hint =
            "deploy them without it first, or delete it all the same with `--force` (?force=true)";
        Err(Problem::new(code::SECRET_IN_USE, detail).hint(hint).into())
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

    /// The functions whose active revision gets the secret at this place, which is one of `places`, with its manifest.
    async fn users_of(
        &self,
        place: &SecretPlace,
        places: &HashSet<SecretPlace>,
    ) -> Answer<Vec<(FunctionName, FunctionSpec)>> {
        let mut users = Vec::new();
        let add = |function: FunctionName, spec: FunctionSpec| {
            if spec.secrets.contains(&place.name)
                && got_from(&function, place.name.clone(), places) == *place
            {
                users.push((function, spec));
            }
        };
        self.each_active(place.function.as_ref(), add).await?;
        Ok(users)
    }

    /// The functions by the secrets that their active revisions get: their own of a name, else the platform's. Of one function,
    /// or of all.
    async fn users(&self, only: Option<&FunctionName>, places: &HashSet<SecretPlace>) -> Answer<Users> {
        let mut users = Users::new();
        let add = |function: FunctionName, spec: FunctionSpec| {
            for name in spec.secrets {
                let place = got_from(&function, name, places);
                users.entry(place).or_default().push(function.clone());
            }
        };
        self.each_active(only, add).await?;
        Ok(users)
    }

    /// Calls `each` with every function, or with this one alone, and the manifest of its active revision.
    async fn each_active(
        &self,
        only: Option<&FunctionName>,
        mut each: impl FnMut(FunctionName, FunctionSpec),
    ) -> Answer<()> {
        if let Some(name) = only {
            if let Some(spec) = self.active_spec(name).await? {
                each(name.clone(), spec);
            }
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = self.store.active_functions(after.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map(|active| active.function.name.clone());
            for active in page {
                each(active.function.name, active.revision.spec);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The manifest of a function's active revision; none where it does not exist.
    async fn active_spec(&self, function: &FunctionName) -> Answer<Option<FunctionSpec>> {
        let Some(function) = self.store.function(function).await? else { return Ok(None) };
        let active = self.store.revision(function.id, function.active_revision).await?;
        Ok(active.map(|active| active.spec))
    }
}

/// Where a function gets the secret of this name from.
fn got_from(function: &FunctionName, name: SecretName, places: &HashSet<SecretPlace>) -> SecretPlace {
    let own = SecretPlace { function: Some(function.clone()), name };
    if places.contains(&own) { own } else { SecretPlace { function: None, name: own.name } }
}

/// Refuses a token for some functions what is another function's, or the platform's.
fn check_reach(caller: &Caller, function: Option<&FunctionName>) -> Answer<()> {
    match function {
        Some(function) => crate::http::check_reach(caller, function),
        None if !caller.is_limited() => Ok(()),
        None => {
            let detail =
                format!("{}, and this is about secrets for all functions", caller.reach_in_words());
            let hint = "name the function whose secret is meant: `--function NAME` (?function=NAME)";
            Err(Problem::new(code::FORBIDDEN, detail).hint(hint).into())
        }
    }
}

/// The text has nothing of the value.
fn invalid(place: &SecretPlace, problem: InvalidValue) -> Problem {
    let code = match problem {
        InvalidValue::TooLarge => code::PAYLOAD_TOO_LARGE,
        InvalidValue::Empty | InvalidValue::HasNul | InvalidValue::NotText => code::INVALID_SECRET,
    };
    Problem::new(code, format!("the value of the {} {problem}", said(place))).hint(problem.hint())
}

/// It does not tell if the platform has one of that name.
fn not_by(caller: &Caller, place: &SecretPlace) -> Problem {
    let (limits, secret) = (caller.reach_in_words(), said(place));
    let detail = format!("{limits}, and without the {secret} it may get one that is for all functions");
    Problem::new(code::FORBIDDEN, detail).hint("deploy the function without the secret first")
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
pub fn function_of(place: &SecretPlace) -> Option<&str> {
    place.function.as_ref().map(FunctionName::as_str)
}
