use std::time::Duration;

use cloudfunc::{
    model::{
        AttemptRecord, FunctionError, FunctionId, HttpRequest, InstanceId, InvocationId, InvocationRef,
        LineKind, LogLine, Mode, Phase, PhaseName, Reason, Record, ResultInfo, RevisionNumber, Start,
        State, Stream,
    },
    store::{Config, LogFilter, RecordFilter, StoredResult, SyncRecord},
};
use jiff::{SignedDuration, Timestamp};

use super::{accept, claim, deploy, finish, give_back, name, now, open, owner, text};

/// Everything set that can be.
fn sync_record(function: &str, accepted_at: Timestamp) -> SyncRecord {
    let instance = InstanceId::new();
    let error = FunctionError {
        kind: "ValueError".to_owned(),
        message: "ü".to_owned(),
        trace: Some("line 1\nline 2".to_owned()),
        hint: Some("do ü".to_owned()),
    };
    let record = Record {
        id: InvocationId::new(),
        function: name(function),
        mode: Mode::Sync,
        state: State::Failed,
        dead_letter: false,
        start: Some(Start::Cold),
        prewarmed: true,
        accepted_at,
        finished_at: Some(accepted_at + SignedDuration::from_millis(12)),
        duration_ms: Some(12.345),
        attempts: vec![AttemptRecord {
            number: 1,
            revision: Some(RevisionNumber(3)),
            instance: Some(instance),
            outcome: Some(State::Failed),
            error: Some(error),
            lines: Some(3),
            http_status: Some(503),
        }],
        phases: [Phase { name: PhaseName::Run, start_ms: 0.5, duration_ms: 11.8 }].into_iter().collect(),
        result: Some(ResultInfo { content_type: "text/plain".to_owned(), size: 6 }),
        parent: Some(InvocationId::new()),
        reason: None,
        http: HttpRequest::named(Some("GET"), Some("/a?b=1")).ok(),
    };
    SyncRecord { function: FunctionId::new(), record, result: Some(text("result")) }
}

const ALL: RecordFilter =
    RecordFilter { function: None, state: None, since: None, ended: None, before: None, limit: 100 };

pub async fn a_sync_record_is_written_once_and_read_as_written(config: Config) {
    let store = open(config).await;
    let written = sync_record("f", now());
    let mut bare = sync_record("f", now());
    bare.result = None;
    bare.record.result = None;
    bare.record.http = None;
    store.write_sync(&[written.clone().into(), bare.clone().into()]).await.unwrap();
    let mut other = written.clone();
    other.record.state = State::Succeeded;
    store.write_sync(&[other.into()]).await.unwrap();
    let id = written.record.id;
    assert_eq!(store.record(id).await.unwrap(), Some(written.record));
    let result = written.result.map(|body| StoredResult { body, http_status: Some(503) });
    assert_eq!(store.result(id).await.unwrap(), result);
    assert_eq!(store.record(bare.record.id).await.unwrap(), Some(bare.record.clone()));
    assert_eq!(store.result(bare.record.id).await.unwrap(), None);
    assert_eq!(store.record(InvocationId::new()).await.unwrap(), None);
    assert_eq!(store.result(InvocationId::new()).await.unwrap(), None);
    assert_eq!(store.totals().await.unwrap().accepted, 0, "totals are of async ones");
}

pub async fn records_are_paged_newest_first_and_filtered(config: Config) {
    let store = open(config).await;
    let start = now();
    let mut rows = Vec::new();
    for i in 0..10 {
        let mut row =
            sync_record(if i % 2 == 0 { "even" } else { "odd" }, start + SignedDuration::from_secs(i));
        // An id begins with the time of the acceptance.
        row.record.id = InvocationId(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            row.record.accepted_at.as_second().unsigned_abs(),
            row.record.accepted_at.subsec_nanosecond().unsigned_abs(),
        )));
        if i == 4 {
            row.record.state = State::Crashed;
        }
        rows.push(std::sync::Arc::new(row));
    }
    store.write_sync(&rows).await.unwrap();
    let newest_first: Vec<_> = rows.iter().rev().map(|row| row.record.id).collect();
    let list = async |filter: RecordFilter| {
        store.records(&filter).await.unwrap().into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = list(RecordFilter { before, limit: 4, ..ALL }).await;
        let Some(&last) = page.last() else { break };
        before = Some(last);
        pages.extend(page);
    }
    assert_eq!(pages, newest_first);
    assert_eq!(list(RecordFilter { function: Some(name("odd")), ..ALL }).await.len(), 5);
    assert_eq!(list(RecordFilter { state: Some(State::Crashed), ..ALL }).await, [rows[4].record.id]);
    let since = Some(rows[7].record.accepted_at);
    assert_eq!(list(RecordFilter { since, ..ALL }).await, newest_first[..3]);
    let end = |row: usize| rows[row].record.finished_at.unwrap();
    let ended = Some((end(7), end(9)));
    assert_eq!(list(RecordFilter { ended, ..ALL }).await, newest_first[..3]);
    assert_eq!(list(RecordFilter { ended: Some((end(2), end(3))), ..ALL }).await, newest_first[6..8]);
    let odd = RecordFilter { ended, function: Some(name("odd")), ..ALL };
    assert_eq!(list(odd).await, [rows[9].record.id, rows[7].record.id]);
    let narrow = RecordFilter { function: Some(name("odd")), state: Some(State::Failed), since, ..ALL };
    assert_eq!(list(narrow).await, [rows[9].record.id, rows[7].record.id]);
    assert_eq!(list(RecordFilter { limit: 0, ..ALL }).await, []);
}

pub async fn a_record_tells_of_every_attempt(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let id = accept(&store, &f).await;
    let lost = owner(&store).await;
    claim(&store, id, lost).await.unwrap();
    let record = store.record(id).await.unwrap().unwrap();
    let open_entry = |number| AttemptRecord {
        number,
        revision: Some(RevisionNumber(1)),
        instance: None,
        outcome: None,
        error: None,
        lines: None,
        http_status: None,
    };
    assert_eq!((record.state, record.mode), (State::Running, Mode::Async));
    assert_eq!(record.attempts, [open_entry(1)]);
    store.release_lease(lost).await.unwrap();

    let next = owner(&store).await;
    claim(&store, id, next).await.unwrap();
    give_back(&store, id, 2, Duration::ZERO, "the engine\nis \"gone\"").await;
    deploy(&store, "f", "v2").await;
    claim(&store, id, next).await.unwrap();
    let mut end = finish(id, 3, State::Succeeded);
    end.attempt_record.revision = Some(RevisionNumber(2));
    end.attempt_record.instance = Some(InstanceId::new());
    (end.start, end.prewarmed) = (Some(Start::Warm), false);
    end.phases =
        [Phase { name: PhaseName::Queue, start_ms: 1.0, duration_ms: 2.5 }].into_iter().collect();
    end.finished_at = record.accepted_at + SignedDuration::from_millis(1500);
    assert_eq!(store.settle(std::slice::from_ref(&end)).await.unwrap(), [true]);

    let record = store.record(id).await.unwrap().unwrap();
    let given_back = FunctionError {
        kind: "platform".to_owned(),
        message: "the engine\nis \"gone\"".to_owned(),
        trace: None,
        hint: None,
    };
    let given_back = AttemptRecord { error: Some(given_back), ..open_entry(2) };
    assert_eq!(record.attempts, [open_entry(1), given_back, end.attempt_record]);
    assert_eq!(
        (record.state, record.start, record.phases),
        (State::Succeeded, Some(Start::Warm), end.phases)
    );
    assert_eq!((record.finished_at, record.duration_ms), (Some(end.finished_at), Some(1500.0)));
    assert_eq!(record.result, Some(ResultInfo { content_type: "text/plain".to_owned(), size: 6 }));
}

fn line(function: &str, text: &str) -> LogLine {
    LogLine {
        ts: now(),
        function: name(function),
        revision: RevisionNumber(1),
        invocation_id: None,
        attempt: None,
        instance: InstanceId::new(),
        stream: Stream::Stdout,
        line: text.to_owned(),
        kind: None,
        sequence: None,
    }
}

fn some_logs() -> LogFilter {
    LogFilter { limit: 100, bytes: 1 << 20, ..LogFilter::all() }
}

pub async fn nul_characters_are_replaced_not_refused(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    store.append_logs(&[line("f", "a\0b"), line("f", "\0")]).await.unwrap();
    let lines = store.logs(&some_logs()).await.unwrap().lines;
    assert_eq!(lines.iter().map(|l| &l.line.line[..]).collect::<Vec<_>>(), ["a\u{fffd}b", "\u{fffd}"]);

    let mut sync = sync_record("f", now());
    sync.record.attempts[0].error.as_mut().unwrap().message = "a\0b".to_owned();
    sync.record.reason = Some(Reason::StartFailed("a\0b".to_owned()));
    sync.result.as_mut().unwrap().content_type = "text/\0".to_owned();
    store.write_sync(&[sync.clone().into()]).await.unwrap();
    let record = store.record(sync.record.id).await.unwrap().unwrap();
    assert_eq!(record.attempts, sync.record.attempts, "JSON can hold it");
    assert_eq!(record.reason, Some(Reason::StartFailed("a\u{fffd}b".to_owned())));
    assert_eq!(record.result.unwrap().content_type, "text/\u{fffd}");

    let mut row = super::invocation(&f);
    row.payload = text("payload\0");
    row.payload.content_type = "a/\0".to_owned();
    store.accept(std::slice::from_ref(&row)).await.unwrap();
    let owner = owner(&store).await;
    let claimed = claim(&store, row.id, owner).await.unwrap();
    assert_eq!(
        (&claimed.payload.bytes[..], &claimed.payload.content_type[..]),
        (&b"payload\0"[..], "a/\u{fffd}")
    );
    assert!(give_back(&store, row.id, 1, Duration::ZERO, "a\0b").await);
    claim(&store, row.id, owner).await.unwrap();
    let mut end = finish(row.id, 2, State::Failed);
    end.attempt_record.error = Some(FunctionError {
        kind: "\0".to_owned(),
        message: "\0".to_owned(),
        trace: Some("\0".to_owned()),
        hint: None,
    });
    assert_eq!(store.settle(&[end]).await.unwrap(), [true]);
    assert_eq!(
        store.record(row.id).await.unwrap().unwrap().attempts[0].error.as_ref().unwrap().message,
        "a\0b"
    );
}

pub async fn logs_are_filtered_and_oldest_first(config: Config) {
    let store = open(config).await;
    let start = now();
    let invocation = InvocationId::new();
    let mut lines = Vec::new();
    for i in 0..10_i32 {
        let mut line = line(["a", "b", "c"][i as usize % 3], &i.to_string());
        line.ts = start + SignedDuration::from_secs(i.into());
        if i >= 8 {
            (line.invocation_id, line.attempt) = (Some(invocation), Some(if i == 8 { 1 } else { 2 }));
            line.stream = Stream::Platform;
            line.kind = Some(LineKind::Error);
        }
        lines.push(line);
    }
    store.append_logs(&lines[..5]).await.unwrap();
    store.append_logs(&lines[5..]).await.unwrap();
    let all = store.logs(&some_logs()).await.unwrap().lines;
    assert_eq!(
        all.iter().map(|stored| &stored.line).collect::<Vec<_>>(),
        lines.iter().collect::<Vec<_>>()
    );
    assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));

    let list = async |filter: LogFilter| {
        let lines = store.logs(&filter).await.unwrap().lines;
        lines.into_iter().map(|stored| stored.line.line).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        list(LogFilter { functions: vec![name("a"), name("c")], ..some_logs() }).await,
        "0 2 3 5 6 8 9"
    );
    assert_eq!(list(LogFilter { functions: vec![name("none")], ..some_logs() }).await, "");
    assert_eq!(list(LogFilter { invocation: Some(invocation), ..some_logs() }).await, "8 9");
    let of_attempt = LogFilter { invocation: Some(invocation), attempt: Some(2), ..some_logs() };
    assert_eq!(list(of_attempt).await, "9");
    assert_eq!(list(LogFilter { since: Some(lines[7].ts), ..some_logs() }).await, "7 8 9");
    assert_eq!(list(LogFilter { after: Some(all[6].sequence), ..some_logs() }).await, "7 8 9");
    assert_eq!(list(LogFilter { limit: 3, ..some_logs() }).await, "0 1 2");
    assert_eq!(list(LogFilter { newest: true, limit: 3, ..some_logs() }).await, "7 8 9");
    assert_eq!(list(LogFilter { before: Some(all[2].sequence), ..some_logs() }).await, "0 1");
    let before = Some(all[5].sequence);
    assert_eq!(list(LogFilter { before, newest: true, limit: 2, ..some_logs() }).await, "3 4");
    let some = LogFilter {
        functions: vec![name("a")],
        after: Some(all[0].sequence),
        newest: true,
        limit: 2,
        ..some_logs()
    };
    assert_eq!(list(some).await, "6 9");
    // Nobody follows into the past: numbers are not used again.
    store.prune(Duration::ZERO, 100).await.unwrap();
    let last = all[9].sequence;
    store.append_logs(&[line("a", "next")]).await.unwrap();
    assert_eq!(list(LogFilter { after: Some(last), ..some_logs() }).await, "next");
}

pub async fn log_pages_are_bounded_in_lines_and_bytes(config: Config) {
    let store = open(config).await;
    let lines: Vec<_> =
        [10, 20, 2_000, 5, 5].iter().map(|length| line("a", &"ü".repeat(length / 2))).collect();
    store.append_logs(&lines).await.unwrap();
    let page = async |filter: LogFilter| {
        let page = store.logs(&filter).await.unwrap();
        (page.lines.iter().map(|stored| stored.line.line.len()).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(some_logs()).await, (vec![10, 20, 2_000, 4, 4], false));
    assert_eq!(page(LogFilter { bytes: 40, ..some_logs() }).await, (vec![10, 20], true), "in bytes");
    assert_eq!(page(LogFilter { bytes: 10, newest: true, ..some_logs() }).await, (vec![4, 4], true));
    assert_eq!(page(LogFilter { limit: 1, newest: true, ..some_logs() }).await, (vec![4], true));
    assert!(!page(LogFilter { limit: 5, ..some_logs() }).await.1);
    assert_eq!(page(LogFilter { limit: 0, ..some_logs() }).await, (vec![], true));
    let numbers: Vec<i64> =
        store.logs(&some_logs()).await.unwrap().lines.iter().map(|stored| stored.sequence).collect();
    let long = LogFilter { after: Some(numbers[1]), bytes: 1, ..some_logs() };
    assert_eq!(page(long).await, (vec![2_000], true), "one line goes however long it is");

    assert_eq!(store.count_logs(&some_logs()).await.unwrap(), 5);
    assert_eq!(store.count_logs(&LogFilter { limit: 3, ..some_logs() }).await.unwrap(), 3);
    assert_eq!(
        store.count_logs(&LogFilter { before: Some(numbers[2]), ..some_logs() }).await.unwrap(),
        2
    );
    assert_eq!(store.log_position(&some_logs(), 0).await.unwrap(), Some(numbers[4]));
    assert_eq!(store.log_position(&some_logs(), 4).await.unwrap(), Some(numbers[0]));
    assert_eq!(store.log_position(&some_logs(), 5).await.unwrap(), None);
}

pub async fn an_invocation_is_found_by_the_beginning_or_the_end_of_its_id(config: Config) {
    let store = open(config).await;
    let ids = ["0193abcd-0000-7000-8000-00000000abcd", "0193abce-0000-7000-8000-0000ffff1234"]
        .map(|id| id.parse::<InvocationId>().unwrap());
    let records = ids.map(|id| {
        let mut record = sync_record("f", now());
        record.record.id = id;
        record.into()
    });
    store.write_sync(&records).await.unwrap();
    let find = async |part: &str, limit| {
        let Ok(InvocationRef::Part(part)) = part.parse() else { panic!("{part}") };
        store.find_invocations(&part, &[], limit).await.unwrap()
    };
    assert_eq!(find("0193abcd", 5).await, [ids[0]]);
    assert_eq!(find("0000abcd", 5).await, [ids[0]]);
    assert_eq!(find("ffff1234", 5).await, [ids[1]]);
    assert_eq!(find("0193abc", 5).await, [ids[1], ids[0]], "newest first");
    assert_eq!(find("0193", 1).await, [ids[1]]);
    assert_eq!(find("ffff", 5).await, [], "neither the beginning nor the end");
}

pub async fn an_invocation_is_found_among_those_of_some_functions(config: Config) {
    let store = open(config).await;
    let all = [
        ("teama", "0193abcd-0000-7000-8000-00000000abc1"),
        ("team_a", "0193abcd-0000-7000-8000-00000000abc2"),
        ("team_b", "0193abcd-0000-7000-8000-00000000abc3"),
        ("other", "0193abcd-0000-7000-8000-0000ffffabc1"),
    ];
    let records = all.map(|(function, id)| {
        let mut record = sync_record(function, now());
        record.record.id = id.parse().unwrap();
        record.into()
    });
    store.write_sync(&records).await.unwrap();
    let find = async |part: &str, patterns: &[&str], limit| {
        let Ok(InvocationRef::Part(part)) = part.parse() else { panic!("{part}") };
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let found = store.find_invocations(&part, &patterns, limit).await.unwrap();
        let name = |id: InvocationId| all.into_iter().find(|(_, one)| *one == id.to_string()).unwrap().0;
        found.into_iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(find("0193abcd", &[], 10).await, "other team_b team_a teama");
    assert_eq!(find("0193abcd", &["team_*"], 10).await, "team_b team_a", "`_` is a letter");
    assert_eq!(find("0193abcd", &["team*"], 2).await, "team_b team_a");
    assert_eq!(find("0193abcd", &["*_a", "other"], 10).await, "other team_a");
    assert_eq!(find("0193abcd", &["team"], 10).await, "", "the whole name");
    assert_eq!(find("abc1", &["other"], 10).await, "other");
    assert_eq!(find("abc1", &["team*"], 10).await, "teama");
}

pub async fn what_ended_before_a_clock_was_set_gets_the_time_of_the_store(config: Config) {
    let store = open(config).await;
    deploy(&store, "f", "v1").await;
    let no_clock = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
    let record = sync_record("f", no_clock);
    store.write_sync(&[record.clone().into()]).await.unwrap();
    store.append_logs(&[LogLine { ts: no_clock, ..line("f", "early") }]).await.unwrap();
    let before = now();
    assert_eq!(store.prune(Duration::from_secs(3600), 100).await.unwrap(), 0);
    let kept = store.record(record.record.id).await.unwrap().unwrap();
    assert!(kept.finished_at.unwrap() >= before - SignedDuration::from_secs(1), "{kept:?}");
    let lines = store.logs(&some_logs()).await.unwrap().lines;
    assert!(lines.len() == 1 && lines[0].line.ts > no_clock, "{lines:?}");
}

pub async fn pruning_counts_what_it_deletes(config: Config) {
    let store = open(config).await;
    let f = deploy(&store, "f", "v1").await;
    let owner = owner(&store).await;
    let old = now() - SignedDuration::from_hours(1);
    let (waiting, mut ended) = (accept(&store, &f).await, Vec::new());
    for age in [old, old, now()] {
        let id = accept(&store, &f).await;
        claim(&store, id, owner).await.unwrap();
        let mut end = finish(id, 1, State::Succeeded);
        end.finished_at = age;
        store.settle(&[end]).await.unwrap();
        ended.push(id);
    }
    store.write_sync(&[sync_record("f", old).into(), sync_record("f", now()).into()]).await.unwrap();
    let old_line = LogLine { ts: old, ..line("f", "old") };
    store.append_logs(&[old_line.clone(), old_line, line("f", "new")]).await.unwrap();

    let half_an_hour = Duration::from_secs(1800);
    assert_eq!(store.prune(half_an_hour, 1).await.unwrap(), 2, "one record and one line");
    assert_eq!(store.prune(half_an_hour, 100).await.unwrap(), 3);
    assert_eq!(store.prune(half_an_hour, 100).await.unwrap(), 0);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accepted, totals.queued, totals.terminal, totals.pruned), (4, 1, 1, 2));
    assert!(totals.balance());
    assert!(store.record(waiting).await.unwrap().is_some());
    assert!(store.record(ended[2]).await.unwrap().is_some());
    assert_eq!(store.record(ended[0]).await.unwrap(), None);
    assert_eq!(store.logs(&some_logs()).await.unwrap().lines.len(), 1);
}
