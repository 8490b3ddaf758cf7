//! Many functions and many records: pages are whole, and what is done all the time reads no more rows than with few.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudfunc::{
    model::{
        Digest, FunctionId, InstanceId, InvocationId, LogLine, Mode, Phases, Record, RevisionNumber,
        State, Stream,
    },
    store::{LogFilter, RecordFilter, Store, SyncRecord, connect},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_stack,
    store_contract::{name, revision_of},
    support::{
        platform::{TestPlatform, document, problem},
        postgres::{Database, psql, rows_read, wait_for_the_sessions_end},
    },
};

on_stack! {
    light:
    functions_are_listed_in_pages_or_all_at_once
    a_list_is_whole_while_functions_come_and_go
    the_command_lists_more_functions_than_a_page_has
}

/// Adds functions of one bundle behind the platform's back.
async fn add(platform: &TestPlatform, names: impl Iterator<Item = String>) {
    let store = platform.store().await;
    add_functions(&*store, names).await;
    store.close().await;
}

async fn add_functions(store: &dyn Store, names: impl Iterator<Item = String>) {
    let source = Digest::of(b"v1");
    store.put_blob(&source, Bytes::from_static(b"v1")).await.unwrap();
    let names: Vec<String> = names.collect();
    // Some together: writes that wait share a commit.
    for names in names.chunks(50) {
        let added = names.iter().map(|name| store.add_revision(revision_of(name, "v1")));
        for added in futures_util::future::join_all(added).await {
            added.unwrap();
        }
    }
}

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

async fn functions_are_listed_in_pages_or_all_at_once(platform: &TestPlatform) {
    add(platform, (0..5).map(|number| format!("f_{number}"))).await;
    let list = async |query: &str| document(platform.get(&format!("/v1/functions{query}"))).await.1;
    let first = list("?limit=2").await;
    assert_eq!((names(&first), &first["next"]), (vec!["f_0".into(), "f_1".into()], &json!("f_1")));
    let second = list("?limit=2&cursor=f_1").await;
    assert_eq!((names(&second), &second["next"]), (vec!["f_2".into(), "f_3".into()], &json!("f_3")));
    let last = list("?limit=2&cursor=f_3").await;
    assert_eq!((names(&last), &last["next"]), (vec!["f_4".into()], &Value::Null));
    // A client that knows no pages has all of them, as one document of the same shape.
    let all = list("").await;
    assert_eq!((names(&all).len(), &all["next"]), (5, &Value::Null));
    assert_eq!(all["items"][1], first["items"][1]);
    assert_eq!(names(&list("?cursor=f_2").await), ["f_3", "f_4"]);
    for (query, detail) in [
        ("limit=0", "limit=0: must be a whole number from 1 to 1000"),
        ("limit=1001", "limit=1001: must be a whole number from 1 to 1000"),
        ("cursor=A", "invalid function name 'A'"),
        ("after=a", "unknown parameter 'after'; accepted parameters: cursor, limit"),
    ] {
        let (status, answer) = document(platform.get(&format!("/v1/functions?{query}"))).await;
        let told = answer["detail"].as_str().unwrap();
        assert!(status == 400 && told.starts_with(detail), "{told}");
    }
}

async fn a_list_is_whole_while_functions_come_and_go(platform: &TestPlatform) {
    let stays = |number: usize| format!("s_{number:04}");
    let comes = |number: usize| format!("c_{number:04}");
    let goes = |number: usize| format!("t_{number:04}");
    // More than are read at once.
    add(platform, (0..1100).map(stays)).await;
    add(platform, (0..10).map(goes)).await;
    let coming_and_going = async {
        for number in 0..10 {
            add(platform, std::iter::once(comes(number))).await;
            platform.client.delete(&name(&goes(number))).await.unwrap();
        }
    };
    let listing = async {
        for _ in 0..3 {
            let all = names(&document(platform.get("/v1/functions")).await.1);
            let mut paged = Vec::new();
            let mut cursor = None;
            loop {
                let page = platform.client.functions(cursor.as_deref()).await.unwrap();
                paged.extend(page.items.into_iter().map(|function| function.name.to_string()));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            for list in [all, paged] {
                let different: BTreeSet<&String> = list.iter().collect();
                assert_eq!(different.len(), list.len(), "one is there twice");
                assert!(list.is_sorted());
                let stayed = list.iter().filter(|name| name.starts_with("s_")).count();
                assert_eq!(stayed, 1100);
            }
        }
    };
    futures_util::future::join(coming_and_going, listing).await;
    let (status, answer) =
        document(platform.request(cloudfunc::app::Role::Gateway, Method::GET, "/v1/functions/t_0000"))
            .await;
    assert_eq!(
        (status, &answer["code"]),
        (404, &problem(cloudfunc::model::code::FUNCTION_NOT_FOUND, "", json!({})).1["code"])
    );
}

async fn the_command_lists_more_functions_than_a_page_has(platform: &TestPlatform) {
    add(platform, (0..1001).map(|number| format!("f_{number:04}"))).await;
    let (code, out, err) = platform.cli(&["list", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((names(&document).len(), &document["next"]), (1001, &Value::Null));
    let (_, out, _) = platform.cli(&["list"]).await;
    assert_eq!(out.lines().filter(|line| line.starts_with("f_")).count(), 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_reads_as_many_rows_of_a_large_store_as_of_a_small_one() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let mut counts = Vec::new();
    for functions in [60, 600] {
        let place = Database::create(&server);
        fill(&place, functions).await;
        // In tables as small as these it would rather read everything.
        psql(&place.url(), &format!("ALTER DATABASE {} SET enable_seqscan = off", place.name));
        let mut of_size = Vec::new();
        for what in 0..HOT {
            let before = rows_read(&place);
            let store = connect(&place.config()).await.unwrap();
            let told = hot(&*store, what).await;
            // A session tells what it has read when it ends.
            store.close().await;
            wait_for_the_sessions_end(&place);
            of_size.push((told, rows_read(&place) - before));
        }
        counts.push(of_size);
    }
    // Planners look at the ends of indexes now and then. What grows with functions grows by 540, with rows by thousands.
    const SLACK: i64 = 100;
    let grown: Vec<_> = std::iter::zip(&counts[0], &counts[1])
        .filter(|((_, few), (_, many))| *many > few + SLACK)
        .collect();
    assert!(grown.is_empty(), "rows read in the small store and in the large one: {grown:?}");
}

async fn fill(place: &Database, functions: usize) {
    let store = connect(&place.config()).await.unwrap();
    add_functions(&*store, (0..functions).map(|number| format!("f_{number}"))).await;
    let records: Vec<_> = (0..functions * 10).map(|number| record(number, functions)).collect();
    store.write_sync(&records).await.unwrap();
    let lines: Vec<_> = records.iter().map(|record| line(&record.record)).collect();
    store.append_logs(&lines).await.unwrap();
    store.close().await;
    psql(&place.url(), "ANALYZE");
}

/// Half are of one function; the first has failed.
fn record(number: usize, functions: usize) -> Arc<SyncRecord> {
    let of = if number.is_multiple_of(2) { 0 } else { number % functions };
    let now = Timestamp::now();
    let record = Record {
        id: InvocationId::new(),
        function: name(&format!("f_{of}")),
        mode: Mode::Sync,
        state: if number == 0 { State::Failed } else { State::Succeeded },
        dead_letter: false,
        start: None,
        prewarmed: false,
        accepted_at: now,
        finished_at: Some(now),
        duration_ms: Some(1.0),
        attempts: Vec::new(),
        phases: Phases::new(),
        result: None,
        parent: None,
        reason: None,
        http: None,
    };
    Arc::new(SyncRecord { function: FunctionId::new(), record, result: None })
}

fn line(record: &Record) -> LogLine {
    LogLine {
        ts: record.accepted_at,
        function: record.function.clone(),
        revision: RevisionNumber(1),
        invocation_id: Some(record.id),
        attempt: Some(1),
        instance: InstanceId::new(),
        stream: Stream::Stdout,
        line: "a line".to_owned(),
        kind: None,
        sequence: None,
    }
}

const HOT: usize = 11;

async fn hot(store: &dyn Store, what: usize) -> &'static str {
    let f = name("f_0");
    let id = store.function(&f).await.unwrap().unwrap().id;
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let all = RecordFilter { limit: 20, ..RecordFilter::default() };
    let of_f = RecordFilter { function: Some(f.clone()), ..all.clone() };
    let lines = LogFilter { newest: true, limit: 20, ..LogFilter::all() };
    let list = async |filter: RecordFilter| drop(store.records(&filter).await.unwrap());
    match what {
        0 => {
            let new = revision_of("f_0", "v1");
            store.put_blob(&new.source, Bytes::from_static(b"v1")).await.unwrap();
            store.add_revision(new).await.unwrap();
            store.prune_revisions(1, Some(id)).await.unwrap();
            store.active_function(id).await.unwrap();
            store.named(&[Digest::of(b"v1")]).await.unwrap();
            "a deploy"
        }
        1 => {
            store.instances(Some(id)).await.unwrap();
            store.active_functions(Some(&name("f_1")), 20).await.unwrap();
            store.live_instances(&[id]).await.unwrap();
            "a page of functions"
        }
        2 => {
            list(all).await;
            "records"
        }
        3 => {
            list(RecordFilter { since: Some(later), ..all }).await;
            "records since later"
        }
        4 => {
            list(of_f).await;
            "records of a function"
        }
        5 => {
            list(RecordFilter { state: Some(State::Failed), ..all }).await;
            "records in a rare state"
        }
        6 => {
            list(RecordFilter { state: Some(State::Failed), ..of_f }).await;
            "records of a function in a rare state"
        }
        7 => {
            list(RecordFilter { ended: Some((later, later)), ..of_f }).await;
            "records that end later"
        }
        8 => {
            store.logs(&lines).await.unwrap();
            let of_f = LogFilter { functions: vec![f, name("f_1"), name("gone")], ..lines };
            store.logs(&of_f).await.unwrap();
            store.log_position(&of_f, 10).await.unwrap();
            "lines"
        }
        9 => {
            store.logs_begin(later).await.unwrap();
            "where the lines since later begin"
        }
        10 => {
            assert_eq!(store.prune(Duration::from_secs(3600), 20).await.unwrap(), 0);
            store.backlog().await.unwrap();
            "a deletion that finds nothing"
        }
        _ => unreachable!(),
    }
}
