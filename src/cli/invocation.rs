//! `cloudfunc invocation show | wait | list`

use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::Timestamp;

use super::{
    Error, Exit, Output, addresses,
    answer::Answer,
    interrupt::Farewell,
    patience::Patience,
    said,
    target::{IdArg, Target},
    text::{count, exact_moment, milliseconds, parse_since},
};
use crate::{
    client::RecordFilter,
    error::Kind,
    model::{Arrival, AttemptRecord, FunctionName, InvocationRef, Record, State, api::Page, code},
    units::{parse_duration, show_duration},
};

/// The time that one request waits; then another request is sent.
const WAIT: Duration = Duration::from_secs(30);

/// Inspect invocations
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the record of an invocation, its traceback if it failed, and the last lines it wrote
    Show {
        /// The invocation: its id, the beginning or end of its id, or @last for the last one made here
        id: IdArg,
    },
    /// Wait until an invocation has ended and print its result, as `invoke` does
    ///
    /// If the platform restarts in the meantime, waiting goes on.
    Wait {
        /// The invocation: its id, the beginning or end of its id, or @last for the last one made here
        id: IdArg,
        /// Wait for at most this long; the invocation goes on, and the exit code is 3
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        timeout: Option<Duration>,
    },
    /// List invocations, newest first
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only invocations of this function
    #[arg(long, value_name = "NAME")]
    function: Option<FunctionName>,
    /// Only invocations in this state: queued, running, retrying, succeeded, failed, timed_out, crashed, …
    #[arg(long)]
    state: Option<State>,
    /// Only invocations accepted since then, for example 10m or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Maximum number of records to list
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        match self.command {
            Command::Show { id } => show(&id, target, out).await,
            Command::Wait { id, timeout } => wait(&id, timeout, target, out).await,
            Command::List(args) => args.run(target, out).await,
        }
    }
}

async fn show(id: &IdArg, target: &Target, out: &Output) -> Result<(), Error> {
    let client = target.client(out)?;
    let record = client.record(target.invocation(id)?, None).await?;
    if out.json() {
        return out.document(&record);
    }
    for (key, value) in rows(&record) {
        out.line(&format!("{key:<9} {}", out.foreign(&value)))?;
    }
    let error = record.attempts.last().and_then(|attempt| attempt.error.as_ref());
    if let Some(trace) = error.and_then(|error| error.trace.as_ref()) {
        out.line("\ntrace:")?;
        for line in trace.trim_end().lines() {
            out.line(&out.foreign(line))?;
        }
    }
    said::beside_record(&client, &record, out).await?;
    out.next(&format!("cloudfunc logs {} --invocation {}", record.function, record.id));
    Ok(())
}

/// The message of Ctrl-C while waiting for an invocation.
fn goes_on(asked: &InvocationRef) -> impl Future<Output = Option<Farewell>> + Send + use<> {
    let farewell = Farewell {
        what: format!("the invocation continues, id {asked}"),
        hint: Some(format!("`cloudfunc invocation wait {asked}` waits for it again")),
        invocation: match asked {
            InvocationRef::Id(id) => Some(*id),
            InvocationRef::Part(_) => None,
        },
    };
    std::future::ready(Some(farewell))
}

async fn wait(
    id: &IdArg,
    timeout: Option<Duration>,
    target: &Target,
    out: &Output,
) -> Result<(), Error> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let client = target.client(out)?;
    let asked = target.invocation(id)?;
    out.on_interrupt().set(goes_on(&asked));
    // The first answer resolves a partial id: later, more invocations may match it.
    let mut record = client.record(asked, None).await?;
    let id = record.id;
    let progress = out.waiting(&format!("waiting for {id}"));
    out.on_interrupt().set(goes_on(&id.into()));
    let mut patience = Patience::default();
    while !record.state.is_terminal() {
        progress.say(&format!("{} {}", record.function, record.state));
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            out.on_interrupt().clear();
            return Err(goes_on_after(&record, timeout.unwrap_or_default()));
        }
        match client.record(id, Some(left.map_or(WAIT, |left| left.min(WAIT)))).await {
            Ok(answer) => {
                record = answer;
                patience.answered();
            }
            Err(error) => {
                let waited = patience.wait(error, out).await;
                waited.map_err(|error| out_of_sight(error, &record))?;
            }
        }
    }
    let value = loop {
        match record.state {
            State::Succeeded => match client.result(id).await {
                Ok(value) => break Some(value),
                Err(error) => {
                    let waited = patience.wait(error, out).await;
                    waited.map_err(|error| out_of_sight(error, &record))?;
                }
            },
            _ => break None,
        }
    };
    out.on_interrupt().clear();
    drop(progress);
    if value.is_none() && !out.json() {
        said::beside_failure(&client, id, out).await;
    }
    Answer::of_record(record, value).print(out)
}

/// The end of a wait before the end of the invocation.
fn goes_on_after(record: &Record, timeout: Duration) -> Error {
    let Record { id, function, state, .. } = record;
    let waited = show_duration(timeout);
    Error::platform(format!("the invocation {id} of {function} is {state} after {waited}; it goes on"))
        .of(Kind {
            code: Some(code::NOT_FINISHED.code.to_owned()),
            retry_safe: code::NOT_FINISHED.retry_safe,
            invocation: Some(*id),
            ..Kind::default()
        })
        .hint(format!("`cloudfunc invocation wait {id}` waits for it again"))
}

/// Adds what was last known of an invocation whose platform has not come back, and how to go on.
fn out_of_sight(error: Error, record: &Record) -> Error {
    if error.exit != Exit::Platform {
        return error;
    }
    let again = format!("`cloudfunc invocation wait {}` waits for it again", record.id);
    let hint = match &error.hint {
        Some(hint) => format!("{hint}; then {again}"),
        None => again,
    };
    let last = format!(
        "the invocation of {} was {} when the platform last answered",
        record.function, record.state
    );
    error.context(last).hint(hint)
}

impl ListArgs {
    async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let Self { function, state, since, limit } = self;
        let mut filter = RecordFilter { function, state, since, cursor: None, limit: Some(limit) };
        let mut items: Vec<Record> = Vec::new();
        let next = loop {
            let page = client.records(&filter).await?;
            items.extend(page.items);
            let missing = (limit as usize).saturating_sub(items.len());
            if page.next.is_none() || missing == 0 {
                break page.next;
            }
            filter = RecordFilter { cursor: page.next, limit: u32::try_from(missing).ok(), ..filter };
        };
        if out.json() {
            return out.document(&Page { items, next });
        }
        if items.is_empty() {
            out.note("no invocations that match");
            out.next("cloudfunc invoke NAME");
            return Ok(());
        }
        let rows = items.iter().map(|record| row(record, out));
        if items.iter().any(|record| record.http.is_some()) {
            let rows: Vec<_> = rows.zip(&items).map(|(row, record)| with_request(row, record)).collect();
            out.table(WITH_REQUEST, &rows)?;
        } else {
            out.table(HEADS, &rows.collect::<Vec<_>>())?;
        }
        if next.is_some() {
            out.note(&format!(
                "only the newest {}; --limit shows more",
                count(items.len(), "invocation")
            ));
        }
        out.next("cloudfunc invocation show ID");
        Ok(())
    }
}

const HEADS: [&str; 7] = ["ID", "FUNCTION", "MODE", "STATE", "START", "ACCEPTED", "DURATION"];
const WITH_REQUEST: [&str; 8] =
    ["ID", "FUNCTION", "MODE", "STATE", "START", "ACCEPTED", "DURATION", "REQUEST"];

fn with_request(row: [String; 7], record: &Record) -> [String; 8] {
    let [id, function, mode, state, start, accepted, duration] = row;
    [id, function, mode, state, start, accepted, duration, addresses::request(record)]
}

fn row(record: &Record, out: &Output) -> [String; 7] {
    [
        out.id(record.id),
        record.function.to_string(),
        record.mode.as_str().to_owned(),
        record.state.to_string(),
        record.start.map_or("", |start| start.as_str()).to_owned(),
        out.moment(record.accepted_at),
        record.duration_ms.map(milliseconds).unwrap_or_default(),
    ]
}

/// Formats a record as lines of key and value.
fn rows(record: &Record) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("id", record.id.to_string()),
        ("function", record.function.to_string()),
        ("mode", record.mode.as_str().to_owned()),
    ];
    let request = record.http.as_ref();
    rows.extend(request.map(|http| ("request", format!("{} {}", http.method, http.target()))));
    rows.extend(request.and_then(|http| http.arrival.as_ref()).map(|arrival| ("from", from(arrival))));
    rows.extend([("state", record.state.to_string()), ("accepted", exact_moment(record.accepted_at))]);
    rows.extend(record.http_status().map(|status| ("response", format!("HTTP {status}"))));
    rows.extend(record.reason.as_ref().map(|reason| ("reason", reason.to_string())));
    let prewarmed = if record.prewarmed { " (prewarmed)" } else { "" };
    rows.extend(record.start.map(|start| ("start", format!("{}{prewarmed}", start.as_str()))));
    rows.extend(record.finished_at.map(|finished| ("finished", exact_moment(finished))));
    rows.extend(record.duration_ms.map(|duration| ("duration", milliseconds(duration))));
    if let Some(result) = &record.result {
        rows.push(("result", format!("{} bytes of {}", result.size, result.content_type)));
    }
    for phase in &record.phases {
        let (start, duration) = (milliseconds(phase.start_ms), milliseconds(phase.duration_ms));
        rows.push(("phase", format!("{:<6} {duration:>9}  after {start}", phase.name)));
    }
    rows.extend(record.attempts.iter().map(|attempt| ("attempt", describe(attempt, record))));
    rows
}

/// Says who sent a request, over which protocol, and to which address of the function.
fn from(arrival: &Arrival) -> String {
    let route = arrival.route.as_ref().map(|route| format!(", to {route}")).unwrap_or_default();
    format!("{} over {}{route}", arrival.from, arrival.protocol)
}

fn describe(attempt: &AttemptRecord, record: &Record) -> String {
    let mut text = attempt.number.to_string();
    if let Some(revision) = attempt.revision {
        text.push_str(&format!(", revision {revision}"));
    }
    if let Some(instance) = attempt.instance {
        text.push_str(&format!(", instance {instance}"));
    }
    if let Some(outcome) = attempt.outcome {
        text.push_str(&format!(": {outcome}"));
    }
    if let Some(status) = attempt.http_status {
        text.push_str(&format!(", HTTP {status}"));
    }
    if let Some(error) = &attempt.error {
        text.push_str(&format!(" ({})", error.summary()));
    }
    if attempt.is_lost(record) {
        text.push_str(": lost with its manager");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fault;

    #[test]
    fn a_wait_that_ends_first_leaves_the_state_and_what_to_do() {
        let ended = goes_on_after(&running(), Duration::from_secs(30));
        assert_eq!(ended.exit, Exit::Platform);
        let id = "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f";
        let report = ended.report();
        assert_eq!((report.code.as_str(), report.fault), ("not_finished", Fault::Caller));
        assert_eq!((report.retry_safe, report.invocation_id), (true, Some(id.parse().unwrap())));
        assert_eq!(
            (ended.chain().join(": "), ended.hint.unwrap()),
            (
                format!("the invocation {id} of f is running after 30 s; it goes on"),
                format!("`cloudfunc invocation wait {id}` waits for it again")
            )
        );
    }

    #[test]
    fn a_request_is_told_with_its_sender() {
        let mut record = running();
        record.http = serde_json::from_value(serde_json::json!({
            "method": "POST", "path": "/users/7", "query": "a=1", "arrival": {
                "by": "address", "protocol": "HTTP/1.1", "from": "203.0.113.9", "at_ms": 0,
                "route": "POST /users/{id}",
            },
        }))
        .unwrap();
        let told: Vec<_> = rows(&record).into_iter().take(5).collect();
        assert_eq!(told[3], ("request", "POST /users/7?a=1".to_owned()));
        assert_eq!(told[4], ("from", "203.0.113.9 over HTTP/1.1, to POST /users/{id}".to_owned()));
    }

    fn running() -> Record {
        serde_json::from_value(serde_json::json!({
            "id": "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f", "function": "f", "mode": "async", "state": "running",
            "dead_letter": false, "prewarmed": false, "accepted_at": "2026-01-31T12:00:00Z", "attempts": [],
            "phases": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_platform_that_does_not_come_back_leaves_the_last_state_and_what_to_do() {
        let record = running();
        let gone = || Error::platform("the platform did not come back within 1m");
        let told = |error: Error| (error.chain().join(": "), error.hint.unwrap_or_default());
        let last = "the invocation of f was running when the platform last answered: the platform did not come back \
                    within 1m";
        let again =
            "`cloudfunc invocation wait 01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f` waits for it again";
        assert_eq!(told(out_of_sight(gone(), &record)), (last.to_owned(), again.to_owned()));
        let started = out_of_sight(gone().hint("start it with `cloudfunc up`"), &record);
        assert_eq!(told(started).1, format!("start it with `cloudfunc up`; then {again}"));
        let refused = out_of_sight(Error::usage("no such invocation"), &record);
        assert_eq!(told(refused), ("no such invocation".to_owned(), String::new()));
    }
}
