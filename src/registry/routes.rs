//! The registry's HTTP API. The gateway passes requests on to it unchanged.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, patch, post},
};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::{
    Registry, audit_log, build_log,
    change::{MAX_REQUEST, to_the_end},
    checks::{Report, Source, upload_too_large},
    classic, http_functions, list, prune, secret_key, secrets,
    taken_address::refused,
    token_changes, tokens,
};
use crate::{
    backends::store_and_queue,
    bundle,
    error_chain::chain,
    http::{
        Answer, At, CalledBy, Failure, Query, Routed as _, for_role, health_routes, read_body,
        read_decoded, read_document,
    },
    model::{
        Caller, FunctionName, Problem, RevisionNumber,
        api::{
            ActiveRevision, DeployLine, Deployed, Dropped, FunctionInfo, InstanceInfo, Page,
            RevisionInfo, header as ours,
        },
        audit::action,
        code,
        message::Change,
        route,
    },
    store::{self, Deletion},
};

type Shared = State<Arc<Registry>>;

pub fn routes(registry: Arc<Registry>) -> Router {
    let ready = store_and_queue(registry.store.clone(), registry.queue.clone());
    let backends = vec![registry.store.kind().to_owned(), registry.queue.kind().to_owned()];
    let platform = registry.platform.clone();
    let counting = registry.clone();
    let dropped = Arc::new(move || Dropped {
        refused: counting.store.refused(),
        audit: counting.audit_log.dropped(),
        ..Dropped::default()
    });
    Router::new()
        .answers(&route::LIST_FUNCTIONS, list::list)
        .answers(&route::SHOW_FUNCTION, show)
        .answers(&route::DELETE_FUNCTION, delete)
        .answers(&route::LIST_REVISIONS, revisions)
        .answers(&route::DEPLOY, deploy)
        .answers(&route::LIST_INSTANCES, instances)
        .answers(&route::ACTIVATE, activate)
        .answers(&route::BUILD_LOG, build_log::show)
        .answers(&route::PRUNE, prune::prune)
        .answers(&route::LIST_TOKENS, tokens::list)
        .answers(&route::CREATE_TOKEN, tokens::create)
        .answers(&route::SHOW_TOKEN, tokens::show)
        .answers(&route::REVOKE_TOKEN, tokens::revoke)
        .answers(&route::ROTATE_TOKEN, tokens::rotate)
        .answers(&route::AUDIT_LOG, audit_log::list)
        .route(route::KNOWN_TOKEN, post(tokens::known))
        .route(route::TOKEN_CHANGES, get(token_changes::changes))
        .route(route::HTTP_FUNCTIONS, get(http_functions::list))
        .route(route::REFUSALS, post(audit_log::refusals))
        .answers(&route::LIST_SECRETS, secrets::list)
        .answers(&route::SET_SECRET, secrets::set)
        .answers(&route::DELETE_SECRET, secrets::delete)
        .answers(&route::ROTATE_SECRET_KEY, secret_key::rotate)
        .route("/functions", for_role(route::CLASSIC_DEPLOY.endpoint.needs, post(classic::register)))
        .route("/functions/{name}", get(classic::show))
        .route("/functions/{name}/warm", patch(classic::report_warm))
        .with_state(registry)
        .merge(health_routes("registry", platform, backends, ready, dropped))
}

async fn deploy(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(function): At<FunctionName>,
    request: Request,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    let query = Query::read(parts.uri.query(), route::DEPLOY.endpoint.query)?;
    let (check, refresh) = (query.flag("check", true)?, query.flag("refresh", false)?);
    let archive = uploaded(&mut parts.headers, body).await?;
    let headers = parts.headers;
    let source = registry.check(function, archive).await?;
    let source = Source { check, refresh, ..source };
    // The gateway notes a refusal by its status, which a stream has not.
    registry.check_secrets(&caller, &source.name, &source.spec).await?;
    let streamed = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/x-ndjson"));
    if streamed {
        return Ok(deploy_streamed(registry, source, caller));
    }
    registry.deploy(source, caller, Arc::new(|_| {})).await.map(created)
}

/// The archive. A tar that says `Content-Encoding: gzip` of itself is one as it was sent.
async fn uploaded(headers: &mut HeaderMap, body: Body) -> Answer<Bytes> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let encoding = headers.get(header::CONTENT_ENCODING);
    let is_tar = encoding.is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !is_tar {
        return read_decoded(headers, body, bundle::MAX_PACKED, upload_too_large).await;
    }
    let sent = read_body(body, bundle::MAX_PACKED, upload_too_large).await?;
    let twice = {
        let mut inner = [0; 2];
        let mut decoder = flate2::read::GzDecoder::new(&sent[..]);
        std::io::Read::read_exact(&mut decoder, &mut inner).is_ok() && inner == GZIP
    };
    if !twice {
        return Ok(sent);
    }
    read_decoded(headers, sent.into(), bundle::MAX_PACKED, upload_too_large).await
}

fn created(deployed: Deployed) -> Response {
    let location = format!("/v1/functions/{}", deployed.name);
    let status = if deployed.unchanged { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = (status, Json(deployed)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A line per step; the last one is `done` or `error`. When the client hangs up, the build is cancelled.
fn deploy_streamed(registry: Arc<Registry>, source: Source, caller: Caller) -> Response {
    let (lines, receiver) = mpsc::unbounded_channel();
    let progress = lines.clone();
    let report: Report = Arc::new(move |message| drop(progress.send(DeployLine::Progress { message })));
    tokio::spawn(async move {
        let last = tokio::select! {
            biased;
            () = lines.closed() => return,
            deployed = registry.deploy(source, caller, report) => match deployed {
                Ok(deployed) => DeployLine::Done(deployed),
                Err(Failure(problem)) => DeployLine::Error { problem: *problem },
            },
        };
        let _ = lines.send(last);
    });
    let body = Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        let mut text = serde_json::to_vec(&line).expect("a line is plain data");
        text.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(text)), receiver))
    }));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

async fn show(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(function): At<FunctionName>,
) -> Answer<Json<FunctionInfo>> {
    registry.info(&function, &caller).await.map(Json)
}

async fn delete(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(name): At<FunctionName>,
) -> Answer {
    to_the_end(registry.changes.clone(), async move {
        let target = || Some(name.to_string());
        let deleted = registry.store.delete_function(&name).await;
        registry.audit_unknown(&deleted, &caller, action::DELETE, target()).await;
        let Some(Deletion { function, cancelled, secrets }) = deleted? else {
            return Err(registry.not_found(&name, &caller).await.into());
        };
        registry.announce(Change::FunctionDeleted { function: function.id }).await;
        registry.audit(&caller, action::DELETE, target(), went_with_it(cancelled, secrets)).await;
        if let Err(error) = registry.queue.remove(function.id).await {
            tracing::warn!(function = %name, error = %chain(&error), "the function's queues are not removed yet; it is tried again");
        }
        tracing::info!(function = %name, cancelled, secrets, "deleted");
        let headers =
            [(ours::CANCELLED, cancelled.to_string()), (ours::DELETED_SECRETS, secrets.to_string())];
        Ok((StatusCode::NO_CONTENT, headers).into_response())
    })
    .await
}

/// What went with a function, in words: `1 waiting invocation cancelled, 2 secrets deleted`.
fn went_with_it(cancelled: u64, secrets: u64) -> Option<String> {
    let some = |count: u64, what: &str, how: &str| {
        let s = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {what}{s} {how}"))
    };
    let parts = [some(cancelled, "waiting invocation", "cancelled"), some(secrets, "secret", "deleted")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

async fn revisions(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(function): At<FunctionName>,
    uri: Uri,
) -> Answer<Json<Page<RevisionInfo>>> {
    Query::read(uri.query(), route::LIST_REVISIONS.endpoint.query)?;
    let function = registry.find(&function, &caller).await?;
    let revisions = registry.store.revisions(function.id).await?;
    let mut items = Vec::with_capacity(revisions.len());
    for revision in revisions {
        items.push(RevisionInfo {
            number: revision.number,
            active: revision.number == function.active_revision,
            created_at: revision.created_at,
            source: revision.source,
            image: revision.image,
            installed: registry.packages(revision.dependencies.as_ref()).await?,
            spec: revision.spec,
        });
    }
    Ok(Json(Page { items, next: None }))
}

async fn instances(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(function): At<FunctionName>,
) -> Answer<Json<Page<InstanceInfo>>> {
    let function = registry.find(&function, &caller).await?;
    let instances = registry.store.instances(Some(function.id)).await?;
    let items = instances
        .into_iter()
        .map(|instance| InstanceInfo {
            id: instance.id,
            manager: instance.manager,
            revision: instance.revision,
            sandbox: instance.sandbox,
            started_at: instance.started_at,
        })
        .collect();
    Ok(Json(Page { items, next: None }))
}

/// `If-Match: "<number>"` names the revision that the caller believes to be active.
async fn activate(
    State(registry): Shared,
    CalledBy(caller): CalledBy,
    At(name): At<FunctionName>,
    request: Request,
) -> Answer<Json<FunctionInfo>> {
    let (mut parts, body) = request.into_parts();
    let shape = r#"{"revision": 3}, with the number of a revision"#;
    let ActiveRevision { revision } =
        read_document(&mut parts.headers, body, MAX_REQUEST, shape).await?;
    let headers = parts.headers;
    let expected = match headers.get(header::IF_MATCH) {
        None => None,
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim_matches('"').parse().ok());
            let number = number.ok_or_else(|| {
                Problem::new(code::BAD_REQUEST, "If-Match is not a revision number in quotes")
            })?;
            Some(RevisionNumber(number))
        }
    };
    to_the_end(registry.changes.clone(), async move {
        let function = registry.find(&name, &caller).await?;
        let wanted = registry.store.revision(function.id, revision).await?;
        if let Some(wanted) = &wanted {
            registry.check_kept_memory(&name, &wanted.spec).await?;
        }
        let mut changes = None;
        if let Some(wanted) = wanted.filter(|wanted| !wanted.spec.secrets.is_empty()) {
            changes = Some(registry.secret_changes.lock().await);
            registry.check_secrets(&caller, &name, &wanted.spec).await?;
        }
        let activated = registry.store.activate(&name, revision, expected).await;
        drop(changes);
        if matches!(activated, Err(store::Error::UnknownFate { .. })) {
            registry.announce_changed(function.id).await;
        }
        registry.audit_unknown(&activated, &caller, action::ACTIVATE, Some(name.to_string())).await;
        let function = activated.map_err(|error| refused(error, &caller))?;
        registry.announce_changed(function.id).await;
        let detail = Some(format!("revision {revision}"));
        registry.audit(&caller, action::ACTIVATE, Some(name.to_string()), detail).await;
        registry.info(&name, &caller).await.map(Json)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_with_a_function_is_told_in_words() {
        assert_eq!(went_with_it(0, 0), None);
        for (cancelled, secrets, told) in [
            (1, 0, "1 waiting invocation cancelled"),
            (0, 1, "1 secret deleted"),
            (3, 2, "3 waiting invocations cancelled, 2 secrets deleted"),
        ] {
            assert_eq!(went_with_it(cancelled, secrets).as_deref(), Some(told));
        }
    }
}
