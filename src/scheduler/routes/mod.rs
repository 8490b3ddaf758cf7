//! The scheduler's HTTP API. The gateway passes requests on to it unchanged.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body as HttpBody,
    extract::{Request, State as Role},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Scheduler, logs, reach::check_functions, records::not_found};
use crate::{
    backends::store_and_queue,
    http::{
        Answer, At, CallRequest, CalledBy, Failure, Query, Ready, Routed as _, function_name,
        health_routes, payload_too_large, read_decoded, read_document,
    },
    lifecycle::Ending,
    model::{
        Call, CallAnswer, CallHeaders, Caller, FunctionId, FunctionName, InvocationId, InvocationRef,
        Mode, Problem, Record, State,
        api::{Dropped, Page, header as ours},
        code,
        message::MAX_BODY,
        route,
    },
    payload,
    store::{RecordFilter, StoredResult},
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
        .answers(&route::INVOKE, invoke)
        .answers(&route::FUNCTION_LOGS, function_logs)
        .answers(&route::LOGS, all_logs)
        .answers(&route::LIST_INVOCATIONS, records)
        .answers(&route::SHOW_INVOCATION, record)
        .answers(&route::RESULT, result)
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
            if let Some(why) = scheduler.unstored.why() {
                return Err(format!("outcomes cannot be stored: {why}"));
            }
            scheduler.replies.get().map(drop).ok_or_else(|| "its reply queue is not open yet".to_owned())
        })
    })
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// From a gateway in another process.
async fn invoke(
    Role(scheduler): Shared,
    At(function): At<FunctionName>,
    request: Request,
) -> Answer<CallAnswer> {
    let (mut parts, body) = request.into_parts();
    let payload = read_decoded(&mut parts.headers, body, MAX_BODY, payload_too_large).await?;
    scheduler.submit(CallRequest::received(function, parts.headers, payload)?.typed()?).await
}

async fn record(
    Role(scheduler): Shared,
    At(wanted): At<InvocationRef>,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<Record>> {
    let id = scheduler.resolve(&wanted, &caller).await?;
    let query = Query::read(uri.query(), route::SHOW_INVOCATION.endpoint.query)?;
    let wait = query.one("wait", parse_duration)?.unwrap_or_default().min(MAX_WAIT);
    scheduler.record_when_terminal(id, wait).await?.map(Json).ok_or_else(|| not_found(id))
}

fn bad_request(text: impl std::fmt::Display) -> Failure {
    Problem::new(code::BAD_REQUEST, text.to_string()).into()
}

async fn result(
    Role(scheduler): Shared,
    At(wanted): At<InvocationRef>,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer {
    let id = scheduler.resolve(&wanted, &caller).await?;
    Query::read(uri.query(), route::RESULT.endpoint.query)?;
    if let Some(StoredResult { body, http_status }) = scheduler.result(id).await? {
        let mut response = Response::new(HttpBody::from(body.bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, text(&body.content_type));
        response.headers_mut().insert(ours::INVOCATION_ID, text(&id.to_string()));
        if let Some(status) = http_status {
            response.headers_mut().insert(ours::HTTP_STATUS, status.into());
        }
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
    let code = Ending::of_record(&record).and_then(|ending| ending.kind().code());
    let mut problem = match (&error, code) {
        (Some(error), Some(code)) => {
            Problem::new(code, format!("invocation {id} {state}: {}", error.summary()))
        }
        _ => Problem::new(code::CONFLICT, format!("invocation {id} is {state} and has no result")),
    };
    problem.error_type = error.as_ref().map(|error| error.kind.clone());
    problem.hint = error.as_ref().and_then(|error| error.hint.clone());
    problem.trace = error.and_then(|error| error.trace);
    Err(problem.invocation(id).into())
}

async fn records(
    Role(scheduler): Shared,
    CalledBy(caller): CalledBy,
    uri: Uri,
) -> Answer<Json<Page<Record>>> {
    let query = Query::read(uri.query(), route::LIST_INVOCATIONS.endpoint.query)?;
    let limit = query.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    let function = query.one("function", str::parse::<FunctionName>)?;
    check_functions(&caller, function.as_slice())?;
    let before = match query.one("cursor", str::parse::<InvocationRef>)? {
        // A place in the list, whether its record is still there or not.
        Some(InvocationRef::Id(id)) => Some(id),
        Some(part) => Some(scheduler.resolve(&part, &caller).await?),
        None => None,
    };
    let filter = RecordFilter {
        function,
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
        scheduler.once_there(function, &caller).await?;
    }
    let full = items.len() == limit as usize;
    let next = items.last().filter(|_| full).map(|record| record.id.to_string());
    Ok(Json(Page { items, next }))
}

/// `function` may be repeated.
async fn all_logs(Role(scheduler): Shared, CalledBy(caller): CalledBy, request: Request) -> Answer {
    log_answer(scheduler, caller, Vec::new(), request.uri().query()).await
}

async fn function_logs(
    Role(scheduler): Shared,
    At(function): At<FunctionName>,
    CalledBy(caller): CalledBy,
    request: Request,
) -> Answer {
    log_answer(scheduler, caller, vec![function], request.uri().query()).await
}

/// `functions` are those of the path; the query may name more.
async fn log_answer(
    scheduler: Arc<Scheduler>,
    caller: Caller,
    mut functions: Vec<FunctionName>,
    query: Option<&str>,
) -> Answer {
    let query = Query::read(query, route::LOGS.endpoint.query)?;
    for name in query.all("function") {
        functions.push(function_name(name)?);
    }
    check_functions(&caller, &functions)?;
    for function in &functions {
        scheduler.functions.find_for(function, &caller).await?;
    }
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
    if let Some(id) = query.one("invocation", str::parse::<InvocationRef>)? {
        let id = scheduler.resolve(&id, &caller).await?;
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

/// Refuses an invocation of another function: its log would look complete and be empty.
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
    let warm = !scheduler.store.instances(Some(known.id)).await?.is_empty();
    let id = InvocationId::new();
    let call = Call {
        id,
        function: function.clone(),
        payload: payload.into(),
        content_type: Some(payload::DEFAULT_TYPE.to_owned()),
        headers: CallHeaders::default(),
        http: None,
        mode: Mode::Async,
    };
    scheduler.admit(&known, call).await?;
    let answer = json!({
        "message": format!("Function {function} scheduled"),
        "function": function,
        "warm": warm,
        "id": id,
    });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// The registry of this host says which function has changed, and waits until it is known here.
async fn refresh(Role(scheduler): Shared, uri: Uri) -> Answer<StatusCode> {
    match Query::read(uri.query(), &["function"])?.one("function", str::parse::<FunctionId>)? {
        Some(function) => scheduler.functions.refresh_one(function).await?,
        None => scheduler.functions.refresh().await?,
    }
    Ok(StatusCode::NO_CONTENT)
}
