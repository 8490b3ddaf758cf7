//! Tests of what the cache reads, and when.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::{
    model::{Code, Digest, FunctionSpec, HttpAuth, HttpSpec, Interface, Network, Scaling, SecretPlace},
    store::{Config, NewRevision},
};

fn spec(concurrency: u32, rate_limit: Option<&str>) -> FunctionSpec {
    FunctionSpec {
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
        env: BTreeMap::new(),
        build_command: None,
        scaling: Scaling {
            idle_timeout: Duration::from_secs(1),
            max_instances: 1,
            min_instances: 0,
            concurrency,
        },
        secrets: Vec::new(),
        rate_limit: rate_limit.map(|limit| limit.parse().unwrap()),
        http: None,
        from_source: false,
    }
}

async fn deploy(store: &dyn Functions, name: &str) -> FunctionId {
    deploy_spec(store, name, spec(1, None)).await
}

async fn deploy_spec(store: &dyn Functions, name: &str, spec: FunctionSpec) -> FunctionId {
    let source = Digest::of(b"source");
    store.put_blob(&source, Bytes::from_static(b"source")).await.unwrap();
    let revision = NewRevision {
        name: name.parse().unwrap(),
        spec,
        bundle: Some(source.clone()),
        dependencies: None,
        source,
        image: "image".to_owned(),
    };
    store.add_revision(revision).await.unwrap().function
}

#[tokio::test]
async fn each_manager_is_thought_to_have_a_bounded_number_of_messages_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    let few = deploy_spec(&*store, "few", spec(4, None)).await;
    let many = deploy_spec(&*store, "many", spec(600, None)).await;
    let functions = FunctionCache::new(store.clone());
    functions.refresh().await.unwrap();
    functions.set_managers(3);
    assert_eq!((functions.in_hand(few), functions.in_hand(many)), (Some(24), Some(3000)));
    assert_eq!(functions.in_hand(FunctionId::new()), None);
    store.close().await;
}

#[tokio::test]
async fn a_change_reads_its_function_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    let one = deploy(&*store, "one").await;
    deploy(&*store, "other").await;
    let functions = FunctionCache::new(store.clone());
    functions.refresh().await.unwrap();
    let revision = |name: &str| {
        let by_name = functions.by_name.read().unwrap();
        by_name.get(&name.parse::<FunctionName>().unwrap()).map(|known| known.revision.0)
    };
    deploy(&*store, "one").await;
    deploy(&*store, "other").await;
    functions.follow(&Change::FunctionChanged { function: one }).await.unwrap();
    assert_eq!((revision("one"), revision("other")), (Some(2), Some(1)));
    store.delete_function(&"one".parse().unwrap()).await.unwrap();
    functions.follow(&Change::FunctionDeleted { function: one }).await.unwrap();
    assert_eq!((revision("one"), revision("other")), (None, Some(1)));
    functions.refresh().await.unwrap();
    assert_eq!(revision("other"), Some(2));
    store.close().await;
}

#[tokio::test]
async fn calls_are_counted_across_revisions_until_the_limit_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    let functions = FunctionCache::new(store.clone());
    let name: FunctionName = "one".parse().unwrap();
    // Which of so many calls are let in after a deploy with this limit.
    let after = async |limit: Option<&str>, concurrency: u32, calls: usize| {
        deploy_spec(&*store, "one", spec(concurrency, limit)).await;
        functions.refresh().await.unwrap();
        let known = functions.find(&name).await.unwrap();
        (0..calls).map(|_| known.check_rate().is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(after(None, 1, 3).await, [true, true, true]);
    assert_eq!(after(Some("2/h"), 1, 3).await, [true, true, false]);
    assert_eq!(after(Some("2/h"), 2, 1).await, [false], "another revision goes on counting");
    assert_eq!(after(Some("1/h"), 2, 2).await, [true, false]);
    assert_eq!(after(None, 2, 1).await, [true]);
    assert_eq!(after(Some("1/h"), 3, 2).await, [true, false]);
    store.delete_function(&name).await.unwrap();
    assert_eq!(after(Some("1/h"), 3, 1).await, [true], "another function of the same name");
    store.close().await;
}

#[tokio::test]
async fn a_request_that_one_http_lets_in_does_not_reach_a_revision_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    let with = |auth| HttpSpec {
        paths: vec!["/a".parse().unwrap()],
        methods: Vec::new(),
        host: None,
        auth,
        cors: Vec::new(),
        max_body: 1024,
    };
    let (token, open) = (with(HttpAuth::Token), with(HttpAuth::None));
    let (of_token, of_open) = (Some(token.rules()), Some(open.rules()));
    let functions = FunctionCache::new(store.clone());
    let name: FunctionName = "one".parse().unwrap();
    let deploy = async |http: Option<HttpSpec>| {
        deploy_spec(&*store, "one", FunctionSpec { http, ..spec(1, None) }).await;
    };
    let found = async |rules| match functions.find_under(&name, rules).await {
        Ok(function) => Ok(function.revision.0),
        Err(Failure(problem)) => {
            let of = (problem.status, problem.code.as_str(), problem.retry_after, problem.retry_safe);
            assert_eq!(of, (503, "unavailable", Some(1), true));
            Err(problem.detail)
        }
    };
    let changed = Err("the addresses of function 'one' have just changed".to_owned());
    deploy(Some(token)).await;
    assert_eq!(found(of_token).await, Ok(1));
    // The gateway was told first.
    deploy(Some(open)).await;
    assert_eq!((found(None).await, found(of_token).await), (Ok(1), Ok(1)), "as before");
    assert_eq!(found(of_open).await, Ok(2));
    // The gateway is behind.
    assert_eq!(found(of_token).await, changed);
    deploy(None).await;
    assert_eq!(found(of_token).await, changed);
    assert_eq!(found(of_open).await, changed, "it was read anew, and has no addresses");
    assert_eq!(found(None).await, Ok(3));
    // Another function of the same name.
    store.delete_function(&name).await.unwrap();
    deploy(Some(with(HttpAuth::None))).await;
    assert_eq!(found(of_open).await, Ok(1));
    store.close().await;
}

#[tokio::test]
async fn requests_under_other_rules_share_a_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    deploy(&*store, "one").await;
    let functions = FunctionCache::new(store.clone());
    let name: FunctionName = "one".parse().unwrap();
    let known = functions.find(&name).await.unwrap();
    let held = functions.reading.lock().await;
    let (all, ()) = tokio::join!(
        futures_util::future::join_all((0..10).map(|_| functions.find_under(&name, Some(1)))),
        async {
            tokio::task::yield_now().await;
            drop(held);
        },
    );
    assert!(all.iter().all(Result::is_err));
    assert_eq!(known.readings(), 1);
    store.close().await;
}

#[tokio::test]
async fn changes_of_secrets_and_tokens_read_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = crate::store::connect(&Config::Sqlite { path }).await.unwrap();
    deploy(&*store, "one").await;
    let functions = FunctionCache::new(store.clone());
    functions.refresh().await.unwrap();
    deploy(&*store, "one").await;
    let place = SecretPlace { function: None, name: "API_KEY".parse().unwrap() };
    let name = "ci".parse().unwrap();
    for change in [Change::SecretChanged { place }, Change::TokenChanged { name }] {
        functions.follow(&change).await.unwrap();
    }
    let known = functions.find(&"one".parse().unwrap()).await.unwrap();
    assert_eq!(known.revision.0, 1);
    store.close().await;
}
