//! Changes of which nobody can say whether they have happened: the store was lost while it committed.

use cloudfunc::{client::Error, model::TokenRole};
use serde_json::json;

use super::stored::{Stored, token_name};
use crate::{
    need,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document},
        postgres::{Database, HeldTable, waiting_for_a_lock},
        proxy::Proxy,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_may_have_happened_is_told_so_and_is_in_the_audit_log() {
    let database = Database::create(&need!("CLOUDFUNC_TEST_POSTGRES_URL"));
    let mut url = url::Url::parse(&database.url()).unwrap();
    let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
    let proxy = Proxy::start(format!("{host}:{}", url.port().unwrap_or(5432))).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let stack = Stack::named("postgres_embedded_process");
    let behind =
        |platform: &mut cloudfunc::settings::Platform| platform.store = url.as_str().parse().unwrap();
    let platform = TestPlatform::start_with(stack, "access::unknown_fates", behind).await.unwrap();
    let stored = Stored::open(&platform).await;
    stored.add("ci", TokenRole::Invoke, &[]).await;
    stored.close().await;

    let held = HeldTable::take(&database, "tokens");
    let lost = async {
        eventually("the revocation is under way", || async {
            (waiting_for_a_lock(&database) > 0).then_some(())
        })
        .await;
        proxy.cut();
    };
    let name = token_name("ci");
    let (revoked, ()) = tokio::join!(platform.client.revoke_token(&name), lost);
    held.release();
    let error = revoked.unwrap_err();
    let Error::Problem(problem) = &error else { panic!("{error:?}") };
    assert_eq!((problem.code.as_str(), problem.status), ("unknown_fate", 503));
    assert_eq!(problem.title, "whether it was done is not known");
    eventually("the entry is stored", || async {
        let (status, page) = document(platform.get("/v1/audit-log?action=token-revoke")).await;
        let entry = &page["items"][0];
        let told = (&entry["target"], &entry["detail"]);
        (status == 200 && told == (&json!("ci"), &json!("whether it happened is not known")))
            .then_some(())
    })
    .await;
    platform.stop().await;
}
