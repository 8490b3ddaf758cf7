use std::sync::Arc;

use cloudfunc::store::{Config, Error, connect};

use super::{PostgresDatabase, deploy, open, psql};

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
    let database = PostgresDatabase::create(&server);
    open(database.config()).await.close().await;
    psql(
        &database.url(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, '', 0)",
    );
    let error = connect(&database.config()).await.err().unwrap();
    assert!(matches!(&error, Error::Conflict(text) if text.contains("newer cloudfunc")), "{error:?}");
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

/// All connections of one store are cut while it is in use: what fails says whether it can have
/// happened, and what was accepted is counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepting_survives_connections_that_are_cut() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = PostgresDatabase::create(&server);
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
