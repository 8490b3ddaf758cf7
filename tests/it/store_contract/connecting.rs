use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloudfunc::store::{Config, Error, connect};

use super::{deploy, open};
use crate::support::{
    eventually,
    postgres::{Database, psql},
    proxy::Proxy,
};

pub async fn processes_that_start_at_once_both_get_a_store(config: Config) {
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let config = config.clone();
            tokio::spawn(async move { connect(&config).await })
        })
        .collect();
    for store in starting {
        let store = store.await.unwrap().unwrap();
        store.ping().await.unwrap();
        store.close().await;
    }
}

pub async fn what_was_written_is_there_after_a_reconnect(config: Config) {
    let store = open(config.clone()).await;
    let function = deploy(&store, "kept", "v1").await;
    store.close().await;
    let store = open(config).await;
    assert_eq!(store.functions().await.unwrap(), [function]);
}

// The same for SQLite is a unit test of that backend: there is no client to write into its file with.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    open(database.config()).await.close().await;
    psql(
        &database.url(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, '', 0)",
    );
    let error = connect(&database.config()).await.err().unwrap();
    let Error::Conflict(text) = &error else { panic!("{error:?}") };
    let expected = [
        "was written by a newer version of cloudfunc (schema 9999, this program knows ",
        "upgrade this host",
    ];
    assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    // The lock was let go of: the next one does not hang.
    assert!(connect(&database.config()).await.is_err());
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let config: Config = "postgres://user:hunter2@127.0.0.1:1/none".parse().unwrap();
    let error = anyhow::Error::from(connect(&config).await.err().unwrap());
    let shown = format!("{error:#} {error:?}");
    assert!(shown.contains("127.0.0.1:1 does not answer"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A network that is gone tells nobody: statements end by themselves, and their connections do not count
/// as used for ever after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_costs_a_statement_its_time_and_no_more() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let mut url = url::Url::parse(&database.url()).unwrap();
    let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
    let proxy = Proxy::start(format!("{host}:{}", url.port().unwrap_or(5432))).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let store = open(url.as_str().parse().unwrap()).await;
    let function = deploy(&store, "silent", "v1").await;
    // More than it has connections: all of these have just been used, so that none is tried first.
    let many = || futures_util::future::join_all((0..20).map(|_| store.functions()));
    many().await.into_iter().for_each(|read| drop(read.unwrap()));

    proxy.forget();
    let begun = Instant::now();
    let row = super::invocation(&function);
    let (accepted, read) = tokio::join!(store.accept(std::slice::from_ref(&row)), many());
    let took = begun.elapsed();
    let error = accepted.unwrap_err();
    assert!(matches!(error, Error::UnknownFate { .. }), "its commit may have happened: {error:?}");
    for error in read.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::Unavailable { .. }), "nothing happened: {error:?}");
    }
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(16), "{took:?}");

    let begun = Instant::now();
    eventually("new connections serve", || async {
        many().await.into_iter().all(|read| read.is_ok()).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(store.accept(&[row]).await.unwrap(), [true], "repeating it is safe");
    assert_eq!(store.totals().await.unwrap().accepted, 1);
    store.close().await;
}

/// All connections of one store are cut while it is in use: what fails says whether it can have
/// happened, and what was accepted is counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_survives_connections_that_are_cut() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let store = open(database.config()).await;
    let function = Arc::new(deploy(&store, "cut", "v1").await);
    let accepting: Vec<_> = (0..4)
        .map(|_| {
            let (store, function) = (Arc::clone(&store), Arc::clone(&function));
            tokio::spawn(async move {
                for _ in 0..100 {
                    super::accept(&store, &function).await;
                }
            })
        })
        .collect();
    for _ in 0..5 {
        psql(
            &server,
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                database.name
            ),
        );
    }
    for task in accepting {
        task.await.unwrap();
    }
    let totals =
        super::super::support::eventually("totals are read", || async { store.totals().await.ok() })
            .await;
    assert_eq!((totals.accepted, totals.queued), (400, 400));
}
