//! The scheduler's HTTP API. The gateway passes requests on to it unchanged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body as HttpBody,
    extract::{Path, Request, State as Role},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    Scheduler,
    background::admit::{self, OVERLOADED_RETRY},
    function_cache::CachedFunction,
    logs,
    sync::record::{running_record, running_records},
};
use crate::{
    http::{
        Answer, Failure, Query, Ready, function_name, handler_headers, health_routes, payload_too_large,
        read_decoded, read_document, store_and_queue,
    },
    model::{
        Body, FunctionName, InvocationId, InvocationRef, Problem, Record, State,
        api::{Accepted, Dropped, Page, header as ours},
        code,
        message::MAX_BODY,
    },
    payload,
    store::{self, RecordFilter},
    units::parse_duration,
};

/// Longest `?wait=`.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Records in a page, unless asked for fewer.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 1000;
/// Around the payload in the classic `POST /schedule`.
const ENVELOPE: usize = 1024;

type Shared = Role<Arc<Scheduler>>;

pub fn routes(scheduler: Arc<Scheduler>) -> Router {
    let backends = vec![scheduler.store.kind().to_owned(), scheduler.queue.kind().to_owned()];
    let recorders = scheduler.clone();
    let dropped =
        Arc::new(move || Dropped { refused: recorders.store.refused(), ..recorders.recorder.dropped() });
    Router::new()
        .route("/v1/functions/{name}/invoke", post(invoke))
        .route("/v1/functions/{name}/logs", get(function_logs))
        .route("/v1/logs", get(all_logs))
        .route("/v1/invocations", get(records))
        .route("/v1/invocations/{id}", get(record))
        .route("/v1/invocations/{id}/result", get(result))
        .route("/schedule", post(schedule))
        .route("/internal/v1/refresh", post(refresh))
        .with_state(scheduler.clone())
        .merge(health_routes(
            "scheduler",
            scheduler.platform.clone(),
            backends,
            ready(scheduler),
            dropped,
        ))
}

/// Its backends answer, and so would a manager: no sync call is taken before there is a reply queue.
fn ready(scheduler: Arc<Scheduler>) -> Ready {
    let backends = store_and_queue(scheduler.store.clone(), scheduler.queue.clone());
    Arc::new(move || {
        let (scheduler, backends) = (scheduler.clone(), backends());
        Box::pin(async move {
            backends.await?;
            scheduler.replies.get().map(drop).ok_or_else(|| "its reply queue is not open yet".to_owned())
        })
    })
}

fn wants_async(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

async fn invoke(Role(scheduler): Shared, Path(function): Path<String>, request: Request) -> Answer {
    let function = function_name(&function)?;
    let (mut parts, body) = request.into_parts();
    let bytes = read_decoded(&mut parts.headers, body, MAX_BODY, payload_too_large).await?;
    let seen = handler_headers(&parts.headers, bytes.len())?;
    let content_type = match parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str) {
        Some(Ok(content_type)) => content_type.to_owned(),
        Some(Err(_)) => return Err(bad_request("the Content-Type is not ASCII")),
        None => payload::DEFAULT_TYPE.to_owned(),
    };
    let is_form = payload::is_form(&content_type);
    let payload = Body { content_type, bytes };
    if !wants_async(&parts.headers) {
        let answered = scheduler.invoke(&function, payload, seen).await?;
        let answered = if is_form { answered.hint_at_json() } else { answered };
        return Ok(answered.into_response());
    }
    let known = scheduler.functions.find(&function).await?;
    let accepted = scheduler.accept(&known, payload, &seen.joined).await?;
    let location = text(&format!("/v1/invocations/{}", accepted.id));
    let id = text(&accepted.id.to_string());
    let mut response = (StatusCode::ACCEPTED, Json(accepted)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(ours::INVOCATION_ID, id);
    headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
    Ok(response)
}

impl Scheduler {
    /// Accepts an async invocation: when this answers, it is on disk.
    async fn accept(
        &self,
        function: &Arc<CachedFunction>,
        payload: Body,
        headers: &BTreeMap<String, String>,
    ) -> Answer<Accepted> {
        if self.admission.backlog() >= self.limits.max_backlog {
            let detail = format!("{} async invocations are waiting already", self.limits.max_backlog);
            return Err(Problem::new(code::OVERLOADED, detail)
                .retry_after(OVERLOADED_RETRY.as_secs())
                .into());
        }
        let row = admit::row(function, payload, headers);
        let id = row.id;
        match self.admission.admit(row, function.clone()).await {
            Ok(true) => Ok(Accepted { id, state: State::Queued }),
            Ok(false) => Err(self.functions.not_found(&function.name).into()),
            Err(error) => Err(match &*error {
                store::Error::UnknownFate { .. } => {
                    let detail = "the store was lost while it committed; look whether the invocation is there before you repeat it";
                    Problem::new(code::UNKNOWN_FATE, detail).invocation(id).into()
                }
                error => {
                    tracing::error!(error = %crate::error_chain::chain(error), "not accepted");
                    crate::http::of_store(error).into()
                }
            }),
        }
    }

    /// The invocation that a user means by an id or a part of one.
    async fn resolve(&self, text: &str) -> Answer<InvocationId> {
        /// Candidates that are listed when there are several.
        const LISTED: u32 = 10;
        let part = match text.parse::<InvocationRef>().map_err(bad_request)? {
            InvocationRef::Id(id) => return Ok(id),
            InvocationRef::Part(part) => part,
        };
        let mut found: std::collections::BTreeSet<InvocationId> =
            self.store.find_invocations(&part, LISTED + 1).await?.into_iter().collect();
        found.extend(self.recorder.find(&part));
        found.extend(self.pending.find(&part));
        match found.iter().rev().copied().collect::<Vec<_>>().as_slice() {
            [one] => Ok(*one),
            [] => {
                let detail = format!("there is no invocation whose id begins or ends with '{text}'");
                Err(Problem::new(code::INVOCATION_NOT_FOUND, detail).hint(SEE_LIST).into())
            }
            several => {
                let listed: Vec<_> =
                    several.iter().take(LISTED as usize).map(ToString::to_string).collect();
                let more = if several.len() > LISTED as usize { ", and others" } else { "" };
                let listed = listed.join(", ");
                let detail =
                    format!("'{text}' is part of the ids of several invocations: {listed}{more}");
                Err(Problem::new(code::BAD_REQUEST, detail).hint("give more digits of the id").into())
            }
        }
    }

    /// A function that is there, or was when something of it was recorded; else the problem.
    async fn once_there(&self, name: FunctionName) -> Answer<()> {
        let Err(problem) = self.functions.find(&name).await else { return Ok(()) };
        let any = RecordFilter { function: Some(name), limit: 1, ..RecordFilter::default() };
        if self.store.records(&any).await?.is_empty() { Err(problem) } else { Ok(()) }
    }

    /// From here while it is under way or not stored yet, else from the store.
    pub(super) async fn record(&self, id: InvocationId) -> Result<Option<Record>, store::Error> {
        if let Some(record) = self.pending.with(id, |pending| running_record(id, pending)) {
            return Ok(Some(record));
        }
        if let Some(recent) = self.recorder.recent(id) {
            return Ok(Some(recent.record.clone()));
        }
        self.store.record(id).await
    }

    /// Newest first: those of the store, and the sync ones that are under way on this host.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, store::Error> {
        let mut records = running_records(&self.pending, filter);
        let stored = self.store.records(filter).await?;
        // One that has ended meanwhile is there twice.
        records.retain(|record| stored.iter().all(|other| other.id != record.id));
        records.extend(stored);
        records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
        records.truncate(filter.limit as usize);
        Ok(records)
    }

    /// The record as soon as it is terminal, or as it is after `wait` or when the scheduler stops.
    async fn record_when_terminal(
        &self,
        id: InvocationId,
        wait: Duration,
    ) -> Result<Option<Record>, store::Error> {
        /// Another scheduler may see the end instead of this one: the store is asked now and then.
        const LOOK_AGAIN: Duration = Duration::from_millis(500);
        let deadline = tokio::time::Instant::now() + wait;
        let mut finished = self.finished.subscribe();
        loop {
            let record = self.record(id).await?;
            let done = record.as_ref().is_none_or(|record| record.state.is_terminal());
            let now = tokio::time::Instant::now();
            if done || now >= deadline {
                return Ok(record);
            }
            let look = deadline.min(now + LOOK_AGAIN);
            // One who lags behind misses ids; then the next look finds the end.
            let this_one = async { while !matches!(finished.recv().await, Ok(other) if other == id) {} };
            tokio::select! {
                _ = tokio::time::timeout_at(look, this_one) => {}
                () = self.stop.cancelled() => return Ok(record),
            }
        }
    }
}

async fn record(Role(scheduler): Shared, Path(text): Path<String>, uri: Uri) -> Answer<Json<Record>> {
    let id = scheduler.resolve(&text).await?;
    let query = Query::read(uri.query(), &["wait"])?;
    let wait = query.one("wait", parse_duration)?.unwrap_or_default().min(MAX_WAIT);
    scheduler.record_when_terminal(id, wait).await?.map(Json).ok_or_else(|| not_found(id))
}

const SEE_LIST: &str =
    "'cloudfunc invocation list' shows the newest; records are deleted after some days";

fn not_found(id: InvocationId) -> Failure {
    Problem::new(code::INVOCATION_NOT_FOUND, format!("there is no invocation {id}"))
        .hint(SEE_LIST)
        .into()
}

fn bad_request(text: impl std::fmt::Display) -> Failure {
    Problem::new(code::BAD_REQUEST, text.to_string()).into()
}

async fn result(Role(scheduler): Shared, Path(text_id): Path<String>, uri: Uri) -> Answer {
    let id = scheduler.resolve(&text_id).await?;
    Query::read(uri.query(), &[])?;
    let recent = scheduler.recorder.recent(id).and_then(|recent| recent.result.clone());
    let body = match recent {
        Some(body) => Some(body),
        None => scheduler.store.result(id).await?,
    };
    if let Some(body) = body {
        let mut response = Response::new(HttpBody::from(body.bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, text(&body.content_type));
        response.headers_mut().insert(ours::INVOCATION_ID, text(&id.to_string()));
        return Ok(response);
    }
    let record = scheduler.record(id).await?.ok_or_else(|| not_found(id))?;
    let state = record.state;
    if !state.is_terminal() {
        let problem =
            Problem::new(code::NOT_FINISHED, format!("invocation {id} is {state}")).invocation(id);
        return Err(problem.retry_after(1).into());
    }
    let error = record.attempts.last().and_then(|attempt| attempt.error.clone());
    let mut problem = match &error {
        Some(error) => {
            let detail = format!("invocation {id} {state}: {}", error.summary());
            let code = match state {
                State::TimedOut => code::FUNCTION_TIMED_OUT,
                State::Crashed => code::FUNCTION_CRASHED,
                _ if error.kind == "platform" => code::START_FAILED,
                _ => code::FUNCTION_FAILED,
            };
            Problem::new(code, detail)
        }
        None => Problem::new(code::CONFLICT, format!("invocation {id} is {state} and has no result")),
    };
    problem.error_type = error.as_ref().map(|error| error.kind.clone());
    problem.hint = error.as_ref().and_then(|error| error.hint.clone());
    problem.trace = error.and_then(|error| error.trace);
    Err(problem.invocation(id).into())
}

async fn records(Role(scheduler): Shared, uri: Uri) -> Answer<Json<Page<Record>>> {
    let query = Query::read(uri.query(), &["function", "state", "since", "cursor", "limit"])?;
    let limit = query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    let before = match query.text("cursor")? {
        Some(cursor) => Some(scheduler.resolve(cursor).await?),
        None => None,
    };
    let filter = RecordFilter {
        function: query.one("function", str::parse::<FunctionName>)?,
        state: query.one("state", str::parse::<State>)?,
        since: query.since()?,
        ended: None,
        before,
        limit,
    };
    let items = scheduler.records(&filter).await?;
    if items.is_empty()
        && let Some(function) = filter.function
    {
        scheduler.once_there(function).await?;
    }
    let full = items.len() == limit as usize;
    let next = items.last().filter(|_| full).map(|record| record.id.to_string());
    Ok(Json(Page { items, next }))
}

/// `function` may be repeated.
async fn all_logs(Role(scheduler): Shared, request: Request) -> Answer {
    log_answer(scheduler, Vec::new(), request.uri().query()).await
}

async fn function_logs(
    Role(scheduler): Shared,
    Path(function): Path<String>,
    request: Request,
) -> Answer {
    let function = function_name(&function)?;
    scheduler.functions.find(&function).await?;
    log_answer(scheduler, vec![function], request.uri().query()).await
}

/// Which lines a request may ask for.
const OF_LOGS: [&str; 9] =
    ["function", "invocation", "since", "tail", "cursor", "after", "sequence", "events", "follow"];

async fn log_answer(
    scheduler: Arc<Scheduler>,
    functions: Vec<FunctionName>,
    query: Option<&str>,
) -> Answer {
    let query = Query::read(query, &OF_LOGS)?;
    let mut wanted = logs::Query {
        functions,
        invocation: None,
        since: query.since()?,
        tail: query.one("tail", str::parse)?,
        cursor: query.one("cursor", number_of_line)?,
        after: query.one("after", number_of_line)?,
        follow: query.flag("follow", false)?,
        sequence: query.flag("sequence", false)?,
        events: query.flag("events", false)?,
    };
    for name in query.all("function") {
        let function = function_name(name)?;
        scheduler.functions.find(&function).await?;
        wanted.functions.push(function);
    }
    if let Some(id) = query.text("invocation")? {
        let id = scheduler.resolve(id).await?;
        not_of_another(&scheduler, id, &wanted.functions).await?;
        wanted.invocation = Some(id);
    }
    if wanted.cursor.is_some() && wanted.follow {
        return Err(bad_request(
            "what is older than a cursor cannot be followed: leave out one of the two",
        ));
    }
    Ok(logs::answer(scheduler, wanted).await?)
}

/// Of an invocation of a function that is not among those asked for, the log would be empty and look complete.
async fn not_of_another(
    scheduler: &Scheduler,
    id: InvocationId,
    functions: &[FunctionName],
) -> Answer<()> {
    if functions.is_empty() {
        return Ok(());
    }
    match scheduler.record(id).await? {
        Some(Record { function, .. }) if !functions.contains(&function) => {
            let detail = format!("invocation {id} is one of '{function}'");
            let hint = format!("cloudfunc logs {function} --invocation {id}");
            Err(Problem::new(code::INVOCATION_NOT_FOUND, detail)
                .invocation(id)
                .hint(format!("`{hint}`"))
                .into())
        }
        _ => Ok(()),
    }
}

fn number_of_line(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| format!("'{text}' is not a cursor: those come from an answer's headers"))
}

/// The body of `POST /schedule`, a classic route.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    function: String,
    payload: Option<Box<RawValue>>,
}

async fn schedule(Role(scheduler): Shared, request: Request) -> Answer {
    const SHAPE: &str = r#"{"function": "…", "payload": …}, where the payload is any JSON"#;
    Query::read(request.uri().query(), &[])?;
    let (mut parts, body) = request.into_parts();
    let order = read_document(&mut parts.headers, body, MAX_BODY + ENVELOPE, SHAPE).await?;
    let Schedule { function, payload } = order;
    let function = function_name(&function)?;
    let known = scheduler.functions.find(&function).await?;
    let payload = payload.map_or_else(|| "{}".to_owned(), |payload| payload.get().to_owned());
    if payload.len() > MAX_BODY {
        return Err(payload_too_large().into());
    }
    let payload = Body { content_type: payload::DEFAULT_TYPE.to_owned(), bytes: payload.into() };
    let warm = !scheduler.store.instances(Some(known.id)).await?.is_empty();
    let accepted = scheduler.accept(&known, payload, &BTreeMap::new()).await?;
    let answer = json!({
        "message": format!("Function {function} scheduled"),
        "function": function,
        "warm": warm,
        "id": accepted.id,
    });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// The registry of this host says that something has changed, and waits until it is known here.
async fn refresh(Role(scheduler): Shared) -> Answer<StatusCode> {
    scheduler.functions.refresh().await?;
    Ok(StatusCode::NO_CONTENT)
}
