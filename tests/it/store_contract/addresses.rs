use std::sync::Arc;

use cloudfunc::{
    model::{HttpAuth, HttpSpec, Revision, RevisionNumber},
    store::{Config, Error, NewRevision, Store},
};

use super::{execute, name, open, revision_of};
use crate::support::{
    eventually,
    postgres::{Database, HeldTable, waiting_for_a_lock},
};

/// Enough for conflicts in most of the rounds.
const ROUNDS: usize = 10;

fn http(paths: &[String], methods: &[&str], host: Option<&str>) -> HttpSpec {
    HttpSpec {
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        methods: methods.iter().map(|&method| method.to_owned()).collect(),
        host: host.map(str::to_owned),
        auth: HttpAuth::Token,
        cors: Vec::new(),
        max_body: 1024,
    }
}

/// A revision whose code is in its image, with these paths for every method and host; with none, it has no `[http]`.
fn at(function: &str, paths: &[&str]) -> NewRevision {
    let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
    with(function, (!paths.is_empty()).then(|| http(&paths, &[], None)))
}

fn with(function: &str, http: Option<HttpSpec>) -> NewRevision {
    let mut new = revision_of(function, "v1");
    new.bundle = None;
    new.spec.http = http;
    new
}

async fn add(store: &Arc<dyn Store>, new: NewRevision) -> Revision {
    store.add_revision(new).await.unwrap()
}

/// The words of a refusal.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::AddressTaken(taken)) => taken.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

async fn active(store: &Arc<dyn Store>, function: &str) -> u32 {
    store.function(&name(function)).await.unwrap().unwrap().active_revision.0
}

pub async fn an_address_of_another_function_is_refused_and_nothing_changes(config: Config) {
    let store = open(config).await;
    let paths = ["/a/{id}".to_owned()];
    add(&store, with("one", Some(http(&paths, &["GET", "POST"], None)))).await;
    // The names of places do not count; another host or method is another address.
    let same = with("two", Some(http(&["/b".to_owned(), "/a/{name}".to_owned()], &["POST"], None)));
    let told = "POST at /a/{name} belongs to the function 'one'";
    let asked = same.spec.http.as_ref().unwrap();
    let taken = store.taken_address(&name("two"), asked).await.unwrap();
    assert_eq!(taken.map(|taken| taken.to_string()).as_deref(), Some(told));
    assert_eq!(store.taken_address(&name("one"), asked).await.unwrap(), None, "its own");
    assert_eq!(refused(store.add_revision(same.clone()).await), told);
    assert_eq!(store.function(&name("two")).await.unwrap(), None, "it was not created");
    // What it has asked for besides stays free.
    add(&store, at("three", &["/b"])).await;
    let others: [(&[&str], Option<&str>); 3] =
        [(&["POST"], Some("h.example")), (&["PUT"], None), (&[], None)];
    for (methods, host) in others {
        add(&store, with("two", Some(http(&paths, methods, host)))).await;
    }
    // Of a function that is there, the revision and its addresses stay.
    assert_eq!(refused(store.add_revision(same).await), told);
    assert_eq!(active(&store, "two").await, 3);
    let told = "every method at /a/{x} belongs to the function 'two'";
    assert_eq!(refused(store.add_revision(at("four", &["/a/{x}"])).await), told);
    let of_host = with("four", Some(http(&paths, &["POST"], Some("h.example"))));
    add(&store, of_host).await;
    assert_eq!(store.add_revision(at("two", &["/a/{id}"])).await.unwrap().number, RevisionNumber(4));
}

pub async fn an_address_is_free_after_a_deletion_and_after_a_revision_without_it(config: Config) {
    let store = open(config).await;
    add(&store, at("one", &["/a", "/b"])).await;
    refused(store.add_revision(at("two", &["/a"])).await);
    store.delete_function(&name("one")).await.unwrap();
    add(&store, at("two", &["/a"])).await;
    add(&store, at("two", &["/b"])).await;
    add(&store, at("three", &["/a"])).await;
    refused(store.add_revision(at("three", &["/b"])).await);
    add(&store, at("two", &[])).await;
    add(&store, at("three", &["/b"])).await;
}

pub async fn a_rollback_takes_and_frees_addresses_or_is_refused(config: Config) {
    let store = open(config).await;
    let (one, two) = (RevisionNumber(1), RevisionNumber(2));
    add(&store, at("f", &["/old"])).await;
    add(&store, at("f", &["/new"])).await;
    add(&store, at("g", &["/old"])).await;
    let told = "every method at /old belongs to the function 'g'";
    assert_eq!(refused(store.activate(&name("f"), one, None).await), told);
    assert_eq!(active(&store, "f").await, 2);
    // It has its address still.
    refused(store.add_revision(at("h", &["/new"])).await);
    add(&store, at("g", &[])).await;
    assert_eq!(store.activate(&name("f"), one, Some(two)).await.unwrap().active_revision, one);
    add(&store, at("h", &["/new"])).await;
    assert_eq!(refused(store.activate(&name("g"), one, None).await).matches("'f'").count(), 1);
    assert_eq!(refused(store.activate(&name("f"), two, None).await).matches("'h'").count(), 1);
    assert_eq!(active(&store, "f").await, 1);
}

pub async fn functions_with_addresses_are_listed_by_name(config: Config) {
    let store = open(config).await;
    let all: [(&str, &[&str]); 4] = [("b", &["/b"]), ("a", &["/a"]), ("c", &[]), ("d", &["/d"])];
    for (function, paths) in all {
        add(&store, at(function, paths)).await;
    }
    // A variable of that name, in whose value the same characters stand, is no address.
    let mut misleading = at("e", &[]);
    misleading.spec.env = [("http".to_owned(), "\"http\":{\"paths\":[]}".to_owned())].into();
    add(&store, misleading).await;
    let listed = async || {
        let all = store.http_functions().await.unwrap();
        for active in &all {
            let known = store.active_function(active.function.id).await.unwrap();
            assert_eq!(known.as_ref(), Some(active));
        }
        all.iter().map(|active| active.function.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listed().await, "a b d");
    add(&store, at("b", &[])).await;
    store.delete_function(&name("d")).await.unwrap();
    assert_eq!(listed().await, "a");
    store.activate(&name("b"), RevisionNumber(1), None).await.unwrap();
    assert_eq!(listed().await, "a b");
}

pub async fn a_function_that_cannot_be_read_does_not_take_the_addresses_of_others_with_it(
    config: Config,
) {
    let store = open(config.clone()).await;
    for function in ["one", "two", "three"] {
        add(&store, at(function, &[format!("/{function}").as_str()])).await;
    }
    let replaced = |from: &str, to: &str| {
        execute(&config, &format!("UPDATE revisions SET spec = replace(spec, '{from}', '{to}')"));
    };
    replaced("/two", "two");
    // What is the platform's own today may have been accepted once.
    replaced("/three", "/internal/{a}/{a}");
    let listed: Vec<_> = store.http_functions().await.unwrap();
    let names: Vec<_> = listed.iter().map(|active| active.function.name.as_str()).collect();
    assert_eq!(names, ["one", "three"]);
    let paths = listed[1].revision.spec.http.as_ref().map(|http| http.paths[0].as_str());
    assert_eq!(paths, Some("/internal/{a}/{a}"));
    let read = store.active_function(add(&store, at("one", &["/one"])).await.function).await;
    assert!(read.unwrap().is_some());
}

/// Adds both at the same moment, each over connections of its own.
async fn at_once(stores: &[Arc<dyn Store>; 2], new: [NewRevision; 2]) -> Vec<Result<Revision, Error>> {
    let adding = stores.iter().zip(new).map(|(store, new)| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.add_revision(new).await })
    });
    let mut added = Vec::new();
    for task in adding.collect::<Vec<_>>() {
        added.push(task.await.unwrap());
    }
    added
}

async fn two_of(config: Config) -> [Arc<dyn Store>; 2] {
    [open(config.clone()).await, open(config).await]
}

pub async fn of_two_functions_that_claim_an_address_at_once_one_gets_it(config: Config) {
    let stores = two_of(config).await;
    for round in 0..ROUNDS {
        let path = format!("/{round}");
        let names = [format!("one_{round}"), format!("two_{round}")];
        let new = [0, 1].map(|of| at(&names[of], &[&path]));
        let added = at_once(&stores, new).await;
        let winner = added.iter().position(Result::is_ok).expect("one gets it");
        let told = format!("every method at {path} belongs to the function '{}'", names[winner]);
        let loser = added.into_iter().nth(1 - winner).unwrap();
        assert_eq!(refused(loser), told);
        assert_eq!(stores[0].function(&name(&names[1 - winner])).await.unwrap(), None);
    }
}

pub async fn functions_that_claim_many_addresses_in_opposite_order_do_not_wait_for_each_other(
    config: Config,
) {
    let stores = two_of(config).await;
    let paths: Vec<String> = (0..100).map(|number| format!("/{number:03}")).collect();
    let turned: Vec<String> = paths.iter().rev().cloned().collect();
    for round in 0..ROUNDS {
        let names = [format!("one_{round}"), format!("two_{round}")];
        let new = [(&names[0], &paths), (&names[1], &turned)];
        let added =
            at_once(&stores, new.map(|(name, paths)| with(name, Some(http(paths, &[], None))))).await;
        let winner = added.iter().position(Result::is_ok).expect("one gets them");
        let loser = added.into_iter().nth(1 - winner).unwrap();
        assert!(refused(loser).starts_with("every method at /000 "), "the first one is named");
        stores[1].delete_function(&name(&names[winner])).await.unwrap();
    }
}

pub async fn functions_that_exchange_addresses_at_once_are_refused_and_not_stuck(config: Config) {
    let stores = two_of(config).await;
    add(&stores[0], at("one", &["/a"])).await;
    add(&stores[0], at("two", &["/b"])).await;
    for _ in 0..ROUNDS {
        for added in at_once(&stores, [at("one", &["/b"]), at("two", &["/a"])]).await {
            refused(added);
        }
    }
    for function in ["one", "two"] {
        assert_eq!(active(&stores[0], function).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_takes_long_does_not_hold_up_functions_that_get_addresses() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let store = open(database.config()).await;
    for function in ["one", "two"] {
        add(&store, at(function, &[format!("/{function}").as_str()])).await;
    }
    let held = HeldTable::take(&database, "build_logs");
    let deleting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.delete_function(&name("one")).await }
    });
    eventually("the deletion waits", async || (waiting_for_a_lock(&database) == 1).then_some(())).await;
    add(&store, at("two", &["/new"])).await;
    let told = "every method at /one belongs to the function 'one'";
    assert_eq!(refused(store.add_revision(at("two", &["/one"])).await), told);
    held.release();
    assert!(deleting.await.unwrap().unwrap().is_some());
    add(&store, at("two", &["/one"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_others_hold_for_long_are_refused_for_now() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let store = open(database.config()).await;
    let held = HeldTable::take(&database, "addresses");
    let added = store.add_revision(at("one", &["/one"])).await;
    assert!(matches!(added, Err(Error::AddressesHeld)), "{added:?}");
    held.release();
    assert_eq!(store.function(&name("one")).await.unwrap(), None, "nothing happened");
    add(&store, at("one", &["/one"])).await;
}
