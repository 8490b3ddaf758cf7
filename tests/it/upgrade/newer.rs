//! The other way round: each role that meets the store of a newer program refuses it by name, and changes
//! nothing there.

use cloudfunc::{
    app::{self, Role},
    settings::Platform,
    shutdown::Shutdown,
    store,
};

use crate::{
    store_contract::execute,
    support::platform::{Stack, settings},
};

const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9001, 'newer', true, '', 0)";
/// Behind the store's address; the number of the schema that this program knows is between them.
const REFUSED: [&str; 2] = [
    "was written by a newer version of cloudfunc (schema 9001, this program knows ",
    "upgrade this host",
];

#[tokio::test]
async fn each_role_refuses_a_newer_store_on_postgres() {
    is_refused("postgres_rabbitmq_process").await;
}

#[tokio::test]
async fn each_role_refuses_a_newer_store_on_sqlite() {
    is_refused("sqlite_rabbitmq_process").await;
}

async fn is_refused(stack: &str) {
    let folder = tempfile::tempdir().unwrap();
    let test = "each_role_refuses_a_newer_store";
    let Some((platform, database)) = settings(Stack::named(stack), folder.path(), test) else { return };
    store::connect(&platform.store).await.unwrap().close().await;
    execute(&platform.store, NEWER);
    for role in [Role::Registry, Role::Scheduler, Role::Manager] {
        role_refuses(role, &platform).await;
    }
    drop(database);
}

async fn role_refuses(role: Role, platform: &Platform) {
    let ended = app::run(&[role], platform, Shutdown::default()).await;
    let error = ended.expect_err("it does not start");
    let told = format!("{error:#}");
    assert!(REFUSED.iter().all(|part| told.contains(part)), "{role}: {told}");
}
