//! Growth as counts instead of times: how many steps SQLite's machine takes for what is done all the time, in a small store
//! and in one ten times as large.

mod access;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqlitePoolOptions;

use super::*;
use crate::{
    model::{
        Body, Code, FunctionSpec, InstanceId, Interface, Mode, Network, Phases, ResultInfo,
        RevisionNumber, Scaling, State, Stream,
    },
    store::{Announcement, Claiming, NewRevision, REPUBLISH_AFTER, Wanted},
};

/// A page.
const LIMIT: u32 = 20;
/// The steps that may differ without any growth: an index may have one page more.
const SLACK: u64 = 20;

fn name(text: &str) -> FunctionName {
    text.parse().unwrap()
}

fn revision(function: &str) -> NewRevision {
    let spec = FunctionSpec {
        description: None,
        code: Code::Image { image: "image".to_owned() },
        handler: "function.handler".to_owned(),
        interface: Interface::Protocol,
        command: Vec::new(),
        timeout: Duration::from_secs(1),
        load_timeout: None,
        memory_bytes: 1 << 20,
        cpus: 1.0,
        network: Network::None,
        env: std::collections::BTreeMap::new(),
        build_command: None,
        scaling: Scaling {
            idle_timeout: Duration::from_secs(1),
            max_instances: 1,
            min_instances: 0,
            concurrency: 1,
        },
        secrets: Vec::new(),
        rate_limit: None,
        http: None,
        from_source: false,
    };
    let source = Digest::of(b"source");
    let bundle = Some(source.clone());
    NewRevision {
        name: name(function),
        spec,
        source,
        bundle,
        dependencies: None,
        image: "image".to_owned(),
    }
}

fn record(function: &str, state: State) -> Arc<SyncRecord> {
    let now = Timestamp::now();
    let record = Record {
        id: InvocationId::new(),
        function: name(function),
        mode: Mode::Sync,
        state,
        dead_letter: false,
        start: None,
        prewarmed: false,
        accepted_at: now,
        finished_at: Some(now),
        duration_ms: Some(1.0),
        attempts: Vec::new(),
        phases: Phases::new(),
        result: Some(ResultInfo { content_type: "text/plain".to_owned(), size: 1 }),
        parent: None,
        reason: None,
        http: None,
    };
    Arc::new(SyncRecord { function: FunctionId::new(), record, result: None })
}

fn queued(function: FunctionId, announcement: Announcement) -> NewInvocation {
    NewInvocation {
        id: InvocationId::new(),
        function,
        name: name("f_0"),
        payload: Body { content_type: "text/plain".to_owned(), bytes: Bytes::new() },
        headers: "{}".to_owned(),
        http: None,
        accepted_at: Timestamp::now(),
        parent: None,
        announcement,
    }
}

fn line(function: &str, invocation: InvocationId) -> LogLine {
    LogLine {
        ts: Timestamp::now(),
        function: name(function),
        revision: RevisionNumber(1),
        invocation_id: Some(invocation),
        attempt: Some(1),
        instance: InstanceId::new(),
        stream: Stream::Stdout,
        line: "a line".to_owned(),
        kind: None,
        sequence: None,
    }
}

/// A filled store whose connections count.
struct Counted {
    pool: SqlitePool,
    writing: Writing,
    writer: Writer,
    steps: Arc<AtomicU64>,
    invocation: InvocationId,
    function: FunctionId,
    _folder: tempfile::TempDir,
}

impl Counted {
    /// Returns a store with this number of functions, and ten times as many records and lines, half of which belong to
    /// one function. One record has failed.
    async fn with(functions: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Sqlite::connect(&path).await.unwrap();
        store.put_blob(&Digest::of(b"source"), Bytes::from_static(b"source")).await.unwrap();
        for number in 0..functions {
            store.add_revision(revision(&format!("f_{number}"))).await.unwrap();
        }
        let of = |number: usize| match number % 2 {
            0 => "f_0".to_owned(),
            _ => format!("f_{}", number % functions),
        };
        let records: Vec<_> = (0..functions * 10)
            .map(|number| {
                record(&of(number), if number == 0 { State::Failed } else { State::Succeeded })
            })
            .collect();
        store.write_sync(&records).await.unwrap();
        let lines: Vec<_> = records
            .iter()
            .map(|record| line(record.record.function.as_str(), record.record.id))
            .collect();
        store.append_logs(&lines).await.unwrap();
        access::fill(&store, functions).await;
        let function = store.function(&name("f_0")).await.unwrap().unwrap();
        store.close().await;

        let steps = Arc::new(AtomicU64::new(0));
        let options = SqliteConnectOptions::new().filename(&path).foreign_keys(true);
        let counting = steps.clone();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| {
                let counting = counting.clone();
                Box::pin(async move { count(connection, counting).await })
            })
            .connect_lazy_with(options.clone());
        let mut connection = connect_when_free(&options).await.unwrap();
        count(&mut connection, steps.clone()).await.unwrap();
        // The log is there once the file was read.
        sqlx::query("SELECT 1 FROM totals").execute(&mut connection).await.unwrap();
        let writing = Writing::start(options, &path, connection).unwrap();
        Self {
            pool,
            writer: writing.writer(Answered::Synced),
            writing,
            steps,
            invocation: records[0].record.id,
            function: function.id,
            _folder: folder,
        }
    }

    /// The steps of something that is done for the second time: statements have been prepared.
    async fn steps(&self, work: &Work) -> u64 {
        work(self).await;
        self.steps.store(0, Ordering::SeqCst);
        work(self).await;
        self.steps.load(Ordering::SeqCst)
    }
}

async fn count(connection: &mut SqliteConnection, steps: Arc<AtomicU64>) -> sqlx::Result<()> {
    let count = move || {
        steps.fetch_add(1, Ordering::SeqCst);
        true
    };
    connection.lock_handle().await?.set_progress_handler(1, count);
    Ok(())
}

type Work = dyn for<'a> Fn(&'a Counted) -> BoxFuture<'a, ()>;

fn work(work: impl for<'a> Fn(&'a Counted) -> BoxFuture<'a, ()> + 'static) -> Box<Work> {
    Box::new(work)
}

fn records(change: impl Fn(&mut RecordFilter) + Send + Sync + 'static) -> Box<Work> {
    work(move |store| {
        let mut filter = RecordFilter { limit: LIMIT, ..RecordFilter::default() };
        change(&mut filter);
        Box::pin(async move { drop(reads::records(&store.pool, &filter).await.unwrap()) })
    })
}

fn log_filter() -> LogFilter {
    LogFilter { newest: true, limit: LIMIT, ..LogFilter::all() }
}

fn logs(change: impl Fn(&mut LogFilter) + Send + Sync + 'static) -> Box<Work> {
    work(move |store| {
        let mut filter = log_filter();
        change(&mut filter);
        if filter.invocation.is_some() {
            filter.invocation = Some(store.invocation);
        }
        Box::pin(async move {
            reads::logs(&store.pool, &filter).await.unwrap();
            reads::count_logs(&store.pool, &filter).await.unwrap();
            reads::log_position(&store.pool, &filter, 10).await.unwrap();
        })
    })
}

fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1)
}

fn hot_paths() -> Vec<(&'static str, Box<Work>)> {
    vec![
        (
            "a deploy",
            work(|store| {
                Box::pin(async move {
                    let name = name("f_0");
                    reads::function(&store.pool, &name).await.unwrap();
                    reads::revision(&store.pool, store.function, RevisionNumber(1)).await.unwrap();
                    let source = Digest::of(b"source");
                    functions::put_blob(&store.writer, &source, &Bytes::from_static(b"source"))
                        .await
                        .unwrap();
                    functions::add_revision(&store.writer, &revision("f_0")).await.unwrap();
                    prune::prune_revisions(&store.writer, 1, store.function).await.unwrap();
                    // What others do then.
                    reads::active_function(&store.pool, store.function).await.unwrap();
                    reads::named(&store.pool, &[source]).await.unwrap();
                })
            }),
        ),
        (
            "a function is shown",
            work(|store| {
                Box::pin(async move {
                    reads::function(&store.pool, &name("f_0")).await.unwrap();
                    reads::instances(&store.pool, Some(store.function)).await.unwrap();
                })
            }),
        ),
        (
            "a page of functions",
            work(|store| {
                Box::pin(async move {
                    reads::active_functions(&store.pool, Some(&name("f_1")), LIMIT).await.unwrap();
                    reads::live_instances(&store.pool, &[store.function]).await.unwrap();
                })
            }),
        ),
        (
            "a record is written",
            work(|store| {
                let record = record("f_0", State::Succeeded);
                Box::pin(
                    async move { self::records::write_sync(&store.writer, &[record]).await.unwrap() },
                )
            }),
        ),
        (
            "an invocation is accepted and claimed",
            work(|store| {
                let row = queued(store.function, Announcement::InMemory);
                Box::pin(async move {
                    let rows = std::slice::from_ref(&row);
                    invocations::accept(&store.writer, rows).await.unwrap();
                    let (lost, owner) = (LostClaims::default(), OwnerId::new());
                    let ttl = Duration::from_secs(10);
                    leases::take_lease(&store.writer, owner, ManagerId::new(), ttl).await.unwrap();
                    let wanted = [Wanted { id: row.id, revision: RevisionNumber(3) }];
                    let claimed =
                        invocations::claim(&store.writer, &lost, &wanted, owner).await.unwrap();
                    assert!(matches!(claimed[0], Claiming::Granted(_)), "{claimed:?}");
                })
            }),
        ),
        ("records", records(|_| {})),
        ("records since later", records(|filter| filter.since = Some(later()))),
        ("records of a function", records(|filter| filter.function = Some(name("f_0")))),
        ("records in the usual state", records(|filter| filter.state = Some(State::Succeeded))),
        ("records in a rare state", records(|filter| filter.state = Some(State::Failed))),
        ("records in no state", records(|filter| filter.state = Some(State::Crashed))),
        (
            "records of a function in a rare state",
            records(|filter| {
                (filter.function, filter.state) = (Some(name("f_0")), Some(State::Failed));
            }),
        ),
        (
            "records of a function since later",
            records(|filter| (filter.function, filter.since) = (Some(name("f_0")), Some(later()))),
        ),
        (
            "records that end later",
            records(|filter| {
                filter.function = Some(name("f_0"));
                filter.ended = Some((later(), later()));
            }),
        ),
        ("lines", logs(|_| {})),
        ("lines of a function", logs(|filter| filter.functions = vec![name("f_0")])),
        (
            "lines of functions, some rare",
            logs(|filter| filter.functions = vec![name("f_0"), name("f_1"), name("gone")]),
        ),
        (
            "the first lines of a function",
            logs(|filter| {
                filter.functions = vec![name("f_0")];
                (filter.newest, filter.before) = (false, Some(60));
            }),
        ),
        ("lines of an invocation", logs(|filter| filter.invocation = Some(InvocationId::new()))),
        (
            "where the lines since later begin",
            work(|store| {
                Box::pin(async move { _ = reads::logs_begin(&store.pool, later()).await.unwrap() })
            }),
        ),
        (
            "a piece of a deletion that finds nothing",
            work(|store| {
                Box::pin(async move {
                    let hour = Duration::from_secs(3600);
                    assert_eq!(self::records::prune(&store.writer, hour, LIMIT).await.unwrap(), 0);
                })
            }),
        ),
        (
            "the backlog is counted",
            work(|store| Box::pin(async move { _ = reads::backlog(&store.pool).await.unwrap() })),
        ),
    ]
}

#[tokio::test]
async fn what_is_done_all_the_time_costs_as_much_in_a_large_store_as_in_a_small_one() {
    let (small, large) = (Counted::with(60).await, Counted::with(600).await);
    let mut grown = Vec::new();
    for (what, work) in hot_paths().into_iter().chain(access::hot_paths()) {
        let (few, many) = (small.steps(&work).await, large.steps(&work).await);
        assert!(few > 0, "{what}: nothing was counted");
        if many > few + SLACK {
            grown.push(format!("{what}: {few} steps, {many} in the large store"));
        }
    }
    assert!(grown.is_empty(), "{grown:#?}");
    for store in [small, large] {
        store.pool.close().await;
        store.writing.close().await;
    }
}

/// A function whose queue is full, with its backlog in the store, beside one that has something due.
#[tokio::test]
async fn what_is_due_is_found_beside_a_backlog_of_any_length() {
    let mut steps = Vec::new();
    for length in [100, 2000] {
        let store = Counted::with(60).await;
        let rows: Vec<_> =
            (0..length).map(|_| queued(store.function, Announcement::LeftToSweeper)).collect();
        invocations::accept(&store.writer, &rows).await.unwrap();
        let f_1 = reads::function(&store.pool, &name("f_1")).await.unwrap().unwrap().id;
        let work = work(move |store| {
            Box::pin(async move {
                let row = queued(f_1, Announcement::LeftToSweeper);
                invocations::accept(&store.writer, std::slice::from_ref(&row)).await.unwrap();
                let due = messages::take_due(&store.writer, 10, &[store.function], REPUBLISH_AFTER)
                    .await
                    .unwrap();
                assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [row.id]);
                // With nobody left out the oldest come first.
                let due = messages::take_due(&store.writer, 10, &[], REPUBLISH_AFTER).await.unwrap();
                assert!(due.iter().all(|due| due.function == store.function));
                messages::untake(&store.writer, &due).await.unwrap();
                let waiting = messages::waiting_functions(&store.pool).await.unwrap();
                assert_eq!(waiting.len(), 2);
            })
        });
        steps.push(store.steps(&work).await);
        store.pool.close().await;
        store.writing.close().await;
    }
    assert!(steps[0] > 0 && steps[1] <= steps[0] + SLACK, "{steps:?} steps");
}
