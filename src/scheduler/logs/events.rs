//! When invocations began and ended, as lines between those that they wrote (`?events=true`). Made of their
//! records at the time of reading: nothing of it is stored.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Query;
use crate::{
    model::{InstanceId, InvocationId, LineKind, LogLine, PhaseName, Record, RevisionNumber, Stream},
    scheduler::Scheduler,
    store::{self, RecordFilter, StoredLine},
    units::show_duration,
};

/// Invocations whose events are put into one piece, the newest; of more, a line says so.
const MOST: usize = 5_000;
/// Records read at once: each may have a long trace, which is not needed.
const AT_ONCE: u32 = 100;
/// A record is stored within this time after its invocation's end: who follows sees it then.
const STORED_AFTER: SignedDuration = SignedDuration::from_millis(500);

/// Puts events between the lines of one piece after the other.
pub struct Events {
    filter: RecordFilter,
    functions: Vec<crate::model::FunctionName>,
    invocation: Option<InvocationId>,
    /// Up to here events were told; none: all that there are.
    told: Option<Timestamp>,
    /// What came before the first line is left out, as lines are.
    cut: bool,
    /// Begun, and not ended.
    open: HashSet<Attempt>,
}

struct Event {
    at: Timestamp,
    /// It stands behind so many lines, at least.
    behind: usize,
    line: LogLine,
}

impl Events {
    /// `cut`: older lines than those of the first piece are left out.
    pub fn new(query: &Query, cut: bool) -> Self {
        let function = match query.functions.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        let filter = RecordFilter {
            function,
            state: None,
            since: None,
            ended: None,
            before: None,
            limit: AT_ONCE,
        };
        let functions = query.functions.clone();
        let (told, invocation) = (query.since, query.invocation);
        Self { filter, functions, invocation, told, cut, open: HashSet::new() }
    }

    /// The lines of a piece with the events up to the last of them; up to now if it is the last piece.
    pub async fn between(
        &mut self,
        scheduler: &Scheduler,
        lines: Vec<StoredLine>,
        until: Until,
    ) -> Result<Vec<StoredLine>, store::Error> {
        if std::mem::take(&mut self.cut) {
            let first = lines.first().map_or_else(|| scheduler.clock.now(), |line| line.line.ts);
            // What ends in the same millisecond is told.
            self.told = self.told.max(first.checked_sub(SignedDuration::from_millis(1)).ok());
        }
        let until = match until {
            Until::LastLine => lines.iter().map(|line| line.line.ts).max().unwrap_or(Timestamp::MIN),
            Until::Now => Timestamp::MAX,
            Until::Stored => scheduler.clock.now() - STORED_AFTER,
        };
        let (records, more) = self.ended(scheduler, until).await?;
        let mut events = self.events(&records, &lines);
        if more && let Some(first) = events.first() {
            let text = format!("truncated: of the invocations only the last {MOST} are told");
            let line = LogLine { line: text, kind: Some(LineKind::Truncated), ..first.line.clone() };
            events.insert(0, Event { at: first.at, behind: 0, line });
        }
        self.told = self.told.max(Some(until).filter(|until| *until < Timestamp::MAX));
        Ok(merged(lines, events))
    }

    /// Records of invocations that ended since the last piece, and whether there are more.
    async fn ended(
        &self,
        scheduler: &Scheduler,
        until: Timestamp,
    ) -> Result<(Vec<Record>, bool), store::Error> {
        let after = self.told.unwrap_or(Timestamp::UNIX_EPOCH);
        let wanted = |record: &Record| {
            // Moments of the store have milliseconds; of the memory more.
            let whole = |time: Timestamp| time.as_millisecond();
            let ended = record.finished_at.is_some_and(|end| {
                (self.told.is_none() || whole(end) > whole(after)) && whole(end) <= whole(until)
            });
            ended && (self.functions.is_empty() || self.functions.contains(&record.function))
        };
        if let Some(id) = self.invocation {
            return Ok((scheduler.record(id).await?.into_iter().filter(wanted).collect(), false));
        }
        let mut records: HashMap<InvocationId, Record> = HashMap::new();
        let mut to = until;
        let more = loop {
            let filter = RecordFilter { ended: Some((after, to)), ..self.filter.clone() };
            let page = scheduler.store.records(&filter).await?;
            let (full, known) = (page.len() == AT_ONCE as usize, records.len());
            to = page.last().and_then(|record| record.finished_at).unwrap_or(to);
            records.extend(page.into_iter().map(|record| (record.id, without_traces(record))));
            // Of more that end in one millisecond than are read at once, the rest is left out.
            if !full || records.len() == known || records.len() >= MOST {
                break full;
            }
        };
        scheduler.recorder.each_recent(|recent| {
            records.entry(recent.record.id).or_insert_with(|| without_traces(recent.record.clone()));
        });
        Ok((records.into_values().filter(wanted).collect(), more))
    }

    fn events(&mut self, records: &[Record], lines: &[StoredLine]) -> Vec<Event> {
        let mut spans = spans(lines);
        let mut events = Vec::new();
        for record in records {
            let attempts = attempts(record);
            let began = began(record);
            let mut behind = 0;
            for (index, (number, lost)) in attempts.iter().enumerate() {
                let span = spans.remove(&(record.id, *number));
                let known = self.open.remove(&(record.id, *number));
                // The record tells when the last attempt began; of another, its first line is the witness.
                let own = began.filter(|_| index + 1 == attempts.len());
                let shown = own.filter(|at| self.told.is_none_or(|told| *at > told) || span.is_some());
                let first = span.map(|(first, _)| lines[first].line.ts);
                let at = shown.map(|at| first.map_or(at, |first| at.min(first))).or(first);
                if let Some(at) = at.filter(|_| !known) {
                    let line = match span {
                        Some((first, _)) => start(&lines[first].line, at),
                        None => start(&event(record, at, LineKind::Start, String::new()), at),
                    };
                    events.push(Event { at, behind: span.map_or(0, |(first, _)| first), line });
                }
                behind = span.map_or(behind, |(_, last)| last + 1);
                // Known to be lost when the next one began, and before its lines.
                if *lost {
                    let next =
                        attempts.get(index + 1).and_then(|(next, _)| spans.get(&(record.id, *next)));
                    let next = next.map(|(first, _)| lines[*first].line.ts);
                    let began = began.filter(|_| index + 2 == attempts.len());
                    let at = began.into_iter().chain(next).min().or(record.finished_at);
                    let at = at.unwrap_or(record.accepted_at);
                    if known || span.is_some() || self.told.is_none_or(|told| at > told) {
                        events.push(Event { at, behind, line: lost_attempt(record, *number, at) });
                    }
                }
            }
            let end = record.finished_at.unwrap_or(record.accepted_at);
            // Not before its own beginning, which may be of the same moment.
            let at_end = began.map_or(end, |began| end.max(began + SignedDuration::from_nanos(1)));
            events.push(Event { at: at_end, behind, line: end_of(record, end) });
        }
        // Those that have not ended, or whose end comes with a later piece.
        for (attempt, (first, _)) in spans {
            if self.open.insert(attempt) {
                let line = &lines[first].line;
                events.push(Event { at: line.ts, behind: first, line: start(line, line.ts) });
            }
        }
        // What ends makes room for what begins in the same moment.
        let begins = |event: &Event| event.line.kind == Some(LineKind::Start);
        events.sort_by_key(|event| (event.at, begins(event), event.line.invocation_id));
        events
    }
}

/// One attempt of an invocation.
type Attempt = (InvocationId, u32);

/// The first and the last line of each attempt.
fn spans(lines: &[StoredLine]) -> HashMap<Attempt, (usize, usize)> {
    let mut spans: HashMap<Attempt, (usize, usize)> = HashMap::new();
    for (index, StoredLine { line, .. }) in lines.iter().enumerate() {
        if let Some(id) = line.invocation_id {
            spans.entry((id, line.attempt.unwrap_or(1))).or_insert((index, index)).1 = index;
        }
    }
    spans
}

/// The numbers of an ended invocation's attempts, the last one last, and whether each was lost with its manager.
/// One that could not be tried has a number for its lines, if there are any.
fn attempts(record: &Record) -> Vec<(u32, bool)> {
    match record.attempts.as_slice() {
        [] => vec![(1, false)],
        attempts => attempts.iter().map(|attempt| (attempt.number, attempt.is_lost(record))).collect(),
    }
}

fn without_traces(mut record: Record) -> Record {
    for error in record.attempts.iter_mut().filter_map(|attempt| attempt.error.as_mut()) {
        error.trace = None;
    }
    record
}

/// Up to when a piece tells of events.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    LastLine,
    Now,
    /// The moment up to which all records are stored: who follows has the others with the next piece.
    Stored,
}

/// Lines in their order, each event before the first line that is later: an end behind the lines of its own
/// invocation, a start before them.
fn merged(lines: Vec<StoredLine>, events: Vec<Event>) -> Vec<StoredLine> {
    let mut merged = Vec::with_capacity(lines.len() + events.len());
    let mut waiting: Vec<Option<Event>> = events.into_iter().map(Some).collect();
    let mut first_waiting = 0;
    let mut sequence = lines.first().map_or(0, |line| line.sequence - 1);
    for (index, line) in lines.into_iter().enumerate() {
        for slot in &mut waiting[first_waiting..] {
            let Some(event) = slot else { continue };
            let attempt = |line: &LogLine| (line.invocation_id, line.attempt);
            let own = attempt(&event.line) == attempt(&line.line);
            let begins = event.line.kind == Some(LineKind::Start);
            let due = event.at <= line.line.ts || (begins && own);
            // They are in the order of their times: what follows is later still.
            if event.at > line.line.ts && !(begins && own) {
                break;
            }
            // A start is never behind its first line; an end is behind its last.
            if due && (begins || event.behind <= index) {
                merged.extend(slot.take().map(|event| StoredLine { sequence, line: event.line }));
            }
        }
        while waiting.get(first_waiting).is_some_and(Option::is_none) {
            first_waiting += 1;
        }
        sequence = line.sequence;
        merged.push(line);
    }
    let rest = waiting.into_iter().flatten();
    merged.extend(rest.map(|event| StoredLine { sequence, line: event.line }));
    merged
}

/// When its instance began with it: with a cold start, when that began; none when it never ran.
fn began(record: &Record) -> Option<Timestamp> {
    let phases = record
        .phases
        .iter()
        .filter(|phase| matches!(phase.name, PhaseName::Start | PhaseName::Load | PhaseName::Run));
    let first = phases.map(|phase| phase.start_ms).min_by(f64::total_cmp)?;
    record.accepted_at.checked_add(SignedDuration::try_from_secs_f64(first / 1000.0).ok()?).ok()
}

/// The line before the lines of an attempt, of which one is given.
fn start(of: &LogLine, at: Timestamp) -> LogLine {
    LogLine {
        ts: at,
        stream: Stream::Platform,
        line: format!("START revision {}, attempt {}", of.revision, of.attempt.unwrap_or(1)),
        kind: Some(LineKind::Start),
        sequence: None,
        ..of.clone()
    }
}

fn lost_attempt(record: &Record, number: u32, at: Timestamp) -> LogLine {
    let text = format!("END attempt {number}: lost with its manager");
    let attempt = record.attempts.iter().find(|attempt| attempt.number == number);
    let line = event(record, at, LineKind::End, text);
    LogLine {
        attempt: Some(number),
        revision: attempt.and_then(|attempt| attempt.revision).unwrap_or(line.revision),
        instance: attempt.and_then(|attempt| attempt.instance).unwrap_or(InstanceId(Uuid::nil())),
        ..line
    }
}

fn end_of(record: &Record, at: Timestamp) -> LogLine {
    let mut text = format!("END {}", record.state);
    if let Some(ms) = record.duration_ms {
        let duration = std::time::Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        text.push_str(&format!(" after {}", show_duration(duration)));
    }
    if let Some(start) = record.start {
        text.push_str(&format!(", {} start", start.as_str()));
    }
    // Its query may have a secret, and is in the record only.
    if let Some(http) = &record.http {
        text.push_str(&format!(", {} {}", http.method, http.path));
        text.extend(record.http_status().map(|status| format!(" {status}")));
    }
    let error = record.attempts.last().and_then(|attempt| attempt.error.as_ref());
    match (error, &record.reason) {
        (Some(error), _) => text.push_str(&format!(": {}", error.kind)),
        (None, Some(reason)) => text.push_str(&format!(": {reason}")),
        (None, None) => {}
    }
    event(record, at, LineKind::End, text)
}

fn event(record: &Record, at: Timestamp, kind: LineKind, line: String) -> LogLine {
    let attempt = record.attempts.last();
    LogLine {
        ts: at,
        function: record.function.clone(),
        revision: attempt.and_then(|attempt| attempt.revision).unwrap_or(RevisionNumber(0)),
        invocation_id: Some(record.id),
        attempt: attempt.map(|attempt| attempt.number),
        instance: attempt.and_then(|attempt| attempt.instance).unwrap_or(InstanceId(Uuid::nil())),
        stream: Stream::Platform,
        line,
        kind: Some(kind),
        sequence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttemptRecord, HttpRequest, Mode, Phase, Phases, State};

    fn attempt(number: u32, outcome: Option<State>) -> AttemptRecord {
        let (instance, revision) = (None, Some(RevisionNumber(1)));
        AttemptRecord {
            number,
            revision,
            instance,
            outcome,
            error: None,
            lines: None,
            http_status: None,
        }
    }

    /// A second after the other.
    fn line(second: i64, of: &Record, attempt: u32) -> StoredLine {
        let ts = Timestamp::from_second(second).unwrap();
        let line = LogLine {
            stream: Stream::Stdout,
            kind: None,
            attempt: Some(attempt),
            ..event(of, ts, LineKind::Start, format!("line of {attempt}"))
        };
        StoredLine { sequence: second, line }
    }

    fn lost_and_done() -> Record {
        Record {
            id: InvocationId::new(),
            function: "f".parse().unwrap(),
            mode: Mode::Async,
            state: State::Succeeded,
            dead_letter: false,
            start: None,
            prewarmed: false,
            accepted_at: Timestamp::from_second(10).unwrap(),
            finished_at: Timestamp::from_second(40).ok(),
            duration_ms: Some(30_000.0),
            attempts: vec![attempt(1, None), attempt(2, Some(State::Succeeded))],
            phases: [Phase { name: PhaseName::Run, start_ms: 19_500.0, duration_ms: 9_000.0 }]
                .into_iter()
                .collect(),
            result: None,
            parent: None,
            reason: None,
            http: None,
        }
    }

    fn told(record: &Record, lines: Vec<StoredLine>) -> Vec<(String, String)> {
        let mut events = Events::new(&Query::default(), false);
        let events = events.events(std::slice::from_ref(record), &lines);
        let shown = |stored: StoredLine| (stored.line.ts.to_string(), stored.line.line);
        merged(lines, events).into_iter().map(shown).collect()
    }

    #[test]
    fn each_attempt_begins_at_its_own_time_and_a_lost_one_is_told() {
        let record = lost_and_done();
        let lines = vec![line(11, &record, 1), line(12, &record, 1), line(30, &record, 2)];
        let expected = [
            ("1970-01-01T00:00:11Z", "START revision 1, attempt 1"),
            ("1970-01-01T00:00:11Z", "line of 1"),
            ("1970-01-01T00:00:12Z", "line of 1"),
            ("1970-01-01T00:00:29.5Z", "END attempt 1: lost with its manager"),
            ("1970-01-01T00:00:29.5Z", "START revision 1, attempt 2"),
            ("1970-01-01T00:00:30Z", "line of 2"),
            ("1970-01-01T00:00:40Z", "END succeeded after 30 s"),
        ];
        assert_eq!(told(&record, lines), expected.map(|(at, text)| (at.to_owned(), text.to_owned())));
        let texts: Vec<_> = told(&record, Vec::new()).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            texts,
            [expected[3].1, expected[4].1, expected[6].1],
            "without lines no time of 1 is known"
        );
    }

    #[test]
    fn the_end_of_an_http_request_has_its_path_and_status_and_not_its_query() {
        let http = HttpRequest::named(Some("GET"), Some("/users/7?key=secret")).ok();
        let attempts = vec![AttemptRecord { http_status: Some(404), ..attempt(1, None) }];
        let mut record = Record { http, attempts, ..lost_and_done() };
        let last = |record: &Record| told(record, Vec::new()).pop().unwrap().1;
        assert_eq!(last(&record), "END succeeded after 30 s, GET /users/7 404");
        record.attempts[0].http_status = None;
        assert_eq!(last(&record), "END succeeded after 30 s, GET /users/7");
    }

    #[test]
    fn one_that_was_never_run_has_no_start() {
        let (state, attempts, phases) = (State::Expired, Vec::new(), Phases::new());
        let record = Record { state, attempts, phases, ..lost_and_done() };
        assert_eq!(told(&record, Vec::new()).len(), 1);
        let shown = told(&record, vec![line(20, &record, 1)]);
        assert_eq!(shown[0].1, "START revision 0, attempt 1", "with lines it has");
    }
}
