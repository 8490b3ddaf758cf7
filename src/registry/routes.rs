//! The registry's HTTP API. The gateway passes requests on to it unchanged.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, patch, post, put},
};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use super::{
    Registry, classic,
    deploy::{Report, Source, upload_too_large},
    prune,
};
use crate::{
    bundle,
    error_chain::chain,
    http::{
        Answer, Failure, Query, function_name, function_not_found, health_routes, read_body,
        read_decoded, read_document, store_and_queue,
    },
    model::{
        Function, FunctionId, FunctionName, Problem, RevisionNumber,
        api::{
            ActiveRevision, DeployLine, Deployed, Dropped, FunctionInfo, InstanceInfo, Page,
            RevisionInfo,
        },
        code,
        message::Change,
    },
    store,
};

/// Limit of a document that a route takes.
pub const MAX_REQUEST: usize = 64 * 1024;

type Shared = State<Arc<Registry>>;

pub fn routes(registry: Arc<Registry>) -> Router {
    let ready = store_and_queue(registry.store.clone(), registry.queue.clone());
    let backends = vec![registry.store.kind().to_owned(), registry.queue.kind().to_owned()];
    let platform = registry.platform.clone();
    let counting = registry.store.clone();
    let dropped = Arc::new(move || Dropped { refused: counting.refused(), ..Dropped::default() });
    Router::new()
        .route("/v1/functions", get(list))
        .route("/v1/functions/{name}", get(show).delete(delete))
        .route("/v1/functions/{name}/revisions", get(revisions).post(deploy))
        .route("/v1/functions/{name}/instances", get(instances))
        .route("/v1/functions/{name}/active-revision", put(activate))
        .route("/v1/prune", post(prune::prune))
        .route("/functions", post(classic::register))
        .route("/functions/{name}", get(classic::show))
        .route("/functions/{name}/warm", patch(classic::report_warm))
        .with_state(registry)
        .merge(health_routes("registry", platform, backends, ready, dropped))
}

async fn deploy(State(registry): Shared, Path(function): Path<String>, request: Request) -> Answer {
    let function = function_name(&function)?;
    let (mut parts, body) = request.into_parts();
    // Whether the code is loaded once before it is registered.
    let check = Query::read(parts.uri.query(), &["check"])?.flag("check", true)?;
    let archive = uploaded(&mut parts.headers, body).await?;
    let headers = parts.headers;
    let source = registry.check(function, archive, check).await?;
    let streamed = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("application/x-ndjson"));
    if streamed {
        return Ok(deploy_streamed(registry, source));
    }
    to_the_end(async move { registry.deploy(source, Arc::new(|_| {})).await }).await.map(created)
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

/// In a task of its own: a client that hangs up does not leave half of it done.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change ended unexpectedly");
        Err(Problem::new(code::INTERNAL, "the change ended unexpectedly").into())
    })
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

/// A line per step; the last one is `done` or `error`. Goes on when the client hangs up.
fn deploy_streamed(registry: Arc<Registry>, source: Source) -> Response {
    let (lines, receiver) = mpsc::unbounded_channel();
    let progress = lines.clone();
    let report: Report = Arc::new(move |message| drop(progress.send(DeployLine::Progress { message })));
    tokio::spawn(async move {
        let last = match registry.deploy(source, report).await {
            Ok(deployed) => DeployLine::Done(deployed),
            Err(Failure(problem)) => DeployLine::Error { problem: *problem },
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

async fn list(State(registry): Shared) -> Answer<Json<Page<FunctionInfo>>> {
    let functions = registry.store.functions().await?;
    let mut live: HashMap<FunctionId, u32> = HashMap::new();
    for instance in registry.store.instances(None).await? {
        *live.entry(instance.function).or_default() += 1;
    }
    let mut items = Vec::with_capacity(functions.len());
    for function in functions {
        let instances = live.get(&function.id).copied().unwrap_or_default();
        items.push(registry.describe(function, instances).await?);
    }
    Ok(Json(Page { items, next: None }))
}

impl Registry {
    pub async fn not_found(&self, name: &FunctionName) -> Problem {
        let functions = self.store.functions().await.unwrap_or_else(|error| {
            tracing::debug!(error = %chain(&error), "no names to suggest");
            Vec::new()
        });
        function_not_found(name, functions.iter().map(|function| function.name.as_str()))
    }

    async fn find(&self, name: &FunctionName) -> Answer<Function> {
        match self.store.function(name).await? {
            Some(function) => Ok(function),
            None => Err(self.not_found(name).await.into()),
        }
    }

    pub async fn info(&self, name: &FunctionName) -> Answer<FunctionInfo> {
        let function = self.find(name).await?;
        let instances = self.store.instances(Some(function.id)).await?.len();
        Ok(self.describe(function, u32::try_from(instances).unwrap_or(u32::MAX)).await?)
    }

    async fn describe(&self, function: Function, instances: u32) -> Result<FunctionInfo, store::Error> {
        let revision =
            self.store.revision(function.id, function.active_revision).await?.ok_or_else(|| {
                store::Error::Missing(format!("the active revision of '{}'", function.name))
            })?;
        Ok(FunctionInfo {
            name: function.name,
            id: function.id,
            active_revision: function.active_revision,
            created_at: function.created_at,
            deployed_at: revision.created_at,
            is_warm: instances > 0 || function.reported_warm,
            instances,
            image: revision.image,
            spec: revision.spec,
        })
    }
}

async fn show(State(registry): Shared, Path(function): Path<String>) -> Answer<Json<FunctionInfo>> {
    registry.info(&function_name(&function)?).await.map(Json)
}

async fn delete(State(registry): Shared, Path(function): Path<String>) -> Answer<StatusCode> {
    let name = function_name(&function)?;
    to_the_end(async move {
        let Some(function) = registry.store.delete_function(&name).await? else {
            return Err(registry.not_found(&name).await.into());
        };
        registry.announce(Change::FunctionDeleted { function: function.id }).await;
        if let Err(error) = registry.queue.remove(function.id).await {
            tracing::warn!(function = %name, error = %chain(&error), "the function's queues stay");
        }
        tracing::info!(function = %name, "deleted");
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn revisions(
    State(registry): Shared,
    Path(function): Path<String>,
    uri: Uri,
) -> Answer<Json<Page<RevisionInfo>>> {
    Query::read(uri.query(), &[])?;
    let function = registry.find(&function_name(&function)?).await?;
    let revisions = registry.store.revisions(function.id).await?;
    let items = revisions
        .into_iter()
        .map(|revision| RevisionInfo {
            number: revision.number,
            active: revision.number == function.active_revision,
            created_at: revision.created_at,
            source: revision.source,
            image: revision.image,
            spec: revision.spec,
        })
        .collect();
    Ok(Json(Page { items, next: None }))
}

async fn instances(
    State(registry): Shared,
    Path(function): Path<String>,
) -> Answer<Json<Page<InstanceInfo>>> {
    let function = registry.find(&function_name(&function)?).await?;
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
    Path(function): Path<String>,
    request: Request,
) -> Answer<Json<FunctionInfo>> {
    let name = function_name(&function)?;
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
                Problem::new(code::BAD_REQUEST, "If-Match is no revision number in quotes")
            })?;
            Some(RevisionNumber(number))
        }
    };
    to_the_end(async move {
        registry.find(&name).await?;
        let function = registry.store.activate(&name, revision, expected).await?;
        registry.announce_changed(function.id).await;
        registry.info(&name).await.map(Json)
    })
    .await
}
