use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use cloudfunc::{
    model::{FunctionId, InstanceId, ManagerId, OwnerId, RevisionNumber, api::Unusable},
    store::{Config, ReportedInstance, Wanted},
};

use tokio::task::JoinSet;

use super::{LONG, accept, deploy, invocation, lease_of, now, open};
use crate::support::{
    eventually,
    postgres::{Database, HeldTable, waiting_for_a_lock},
};

fn instance(manager: ManagerId, function: FunctionId) -> ReportedInstance {
    ReportedInstance {
        id: InstanceId::new(),
        manager,
        function,
        revision: RevisionNumber(1),
        sandbox: "0123abc".to_owned(),
        started_at: now(),
    }
}

pub async fn instances_are_those_of_leases_that_there_are(config: Config) {
    let store = open(config).await;
    let (short, long, manager, f) =
        (OwnerId::new(), OwnerId::new(), ManagerId::new(), FunctionId::new());
    let (one, two) = (instance(manager, f), instance(manager, FunctionId::new()));
    store.report_instances(long, std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [], "nobody without a lease lives");
    store.take_lease(long, manager, LONG).await.unwrap();
    store.take_lease(short, manager, LONG).await.unwrap();
    store.report_instances(short, std::slice::from_ref(&two)).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [one.clone(), two]);
    let owners = async || {
        let leases = store.leases().await.unwrap();
        leases.into_iter().map(|lease| lease.owner).collect::<BTreeSet<_>>()
    };
    assert_eq!(owners().await, [short, long].into());
    assert_eq!(store.instances(Some(f)).await.unwrap(), std::slice::from_ref(&one));

    assert!(store.end_lease(&lease_of(&store, short).await).await.unwrap());
    assert_eq!(store.instances(None).await.unwrap(), std::slice::from_ref(&one));
    assert_eq!(owners().await, [long].into());
    store.release_lease(long).await.unwrap();
    assert_eq!(owners().await, [].into());
    assert_eq!(store.instances(None).await.unwrap(), []);
    store.take_lease(long, manager, LONG).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [], "they ended with the lease");
}

pub async fn what_a_manager_cannot_run_counts_while_it_has_its_lease(config: Config) {
    let store = open(config.clone()).await;
    let function = deploy(&store, "f", "v1").await;
    let (owner, manager, other) = (OwnerId::new(), ManagerId::new(), FunctionId::new());
    let why = |reason: &str| Unusable { manager, reason: reason.to_owned() };
    let report = async |functions: &[(FunctionId, String)]| {
        store.report_unusable(owner, manager, functions).await.unwrap();
        store.unusable(function.id).await.unwrap()
    };
    let both = [(function.id, "too\0 old".to_owned()), (other, "too new".to_owned())];
    assert_eq!(report(&both).await, [], "nobody without a lease lives");
    store.take_lease(owner, manager, LONG).await.unwrap();
    assert_eq!(report(&both).await, [why("too\u{fffd} old")]);
    let survey = cloudfunc::store::survey(&config).await.unwrap().unwrap();
    let [found] = &survey.unusable[..] else { panic!("{survey:?}") };
    assert_eq!((found.function.as_str(), found.manager), ("f", manager), "of functions that there are");
    assert_eq!(report(&both[1..]).await, []);
    assert_eq!(report(&both[..1]).await.len(), 1);
    store.release_lease(owner).await.unwrap();
    assert_eq!(store.unusable(function.id).await.unwrap(), []);
    let next = OwnerId::new();
    store.take_lease(next, manager, LONG).await.unwrap();
    store.report_unusable(next, manager, &[]).await.unwrap();
    store.take_lease(owner, manager, LONG).await.unwrap();
    assert_eq!(store.unusable(function.id).await.unwrap(), [], "it has gone with the report of another");
}

pub async fn a_lease_ends_only_as_it_was_seen(config: Config) {
    let store = open(config).await;
    let (owner, manager) = (OwnerId::new(), ManagerId::new());
    assert!(!store.renew_lease(owner, LONG).await.unwrap(), "it was never taken");
    store.take_lease(owner, manager, LONG).await.unwrap();
    let seen = lease_of(&store, owner).await;
    assert_eq!(lease_of(&store, owner).await, seen, "looking changes nothing");
    assert!(store.renew_lease(owner, LONG).await.unwrap());
    assert!(!store.end_lease(&seen).await.unwrap(), "it was renewed since");
    let seen = lease_of(&store, owner).await;
    store.take_lease(owner, manager, LONG).await.unwrap();
    assert!(!store.end_lease(&seen).await.unwrap(), "a repeated take is a renewal");
    let seen = lease_of(&store, owner).await;
    assert!(store.end_lease(&seen).await.unwrap());
    assert!(!store.end_lease(&seen).await.unwrap());
    assert!(!store.renew_lease(owner, LONG).await.unwrap(), "the owner learns it");
    assert_eq!(store.leases().await.unwrap(), []);
}

pub async fn a_report_replaces_the_one_before(config: Config) {
    let store = open(config).await;
    let (owner, manager, f) = (OwnerId::new(), ManagerId::new(), FunctionId::new());
    store.take_lease(owner, manager, LONG).await.unwrap();
    let (a, b, c) = (instance(manager, f), instance(manager, f), instance(manager, f));
    store.report_instances(owner, &[a, b.clone()]).await.unwrap();
    let renewed = ReportedInstance { revision: RevisionNumber(2), ..b };
    store.report_instances(owner, &[renewed.clone(), c.clone()]).await.unwrap();
    assert_eq!(store.instances(Some(f)).await.unwrap(), [renewed, c]);
    store.report_instances(owner, &[]).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), []);
}

pub async fn a_manager_that_starts_again_ends_the_leases_of_its_earlier_lives(config: Config) {
    let store = open(config).await;
    let (manager, other, f) = (ManagerId::new(), ManagerId::new(), FunctionId::new());
    let (one, two) = (instance(manager, f), instance(other, f));
    for (of, reported) in [(manager, &one), (manager, &one), (other, &two)] {
        let owner = OwnerId::new();
        store.take_lease(owner, of, LONG).await.unwrap();
        store.report_instances(owner, std::slice::from_ref(reported)).await.unwrap();
    }
    store.release_manager(manager).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [two]);
}

/// A manager under load is not a lost one. On one file everything shares the writer, and no lease is watched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_do_not_wait_behind_writes_that_have_every_connection() {
    let server = crate::need!("CLOUDFUNC_TEST_POSTGRES_URL");
    let database = Database::create(&server);
    let store = open(database.config()).await;
    let f = deploy(&store, "f", "v1").await;
    let owner = super::owner(&store).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(accept(&store, &f).await);
    }
    let held = HeldTable::take(&database, "invocations");
    let mut writing = JoinSet::new();
    for id in ids {
        let (claimer, accepter, row) = (store.clone(), store.clone(), invocation(&f));
        let wanted = Wanted { id, revision: RevisionNumber(1) };
        writing.spawn(async move { claimer.claim(&[wanted], owner).await.map(drop) });
        writing.spawn(async move { accepter.accept(&[row]).await.map(drop) });
    }
    // All that there are for such writes; the other ones wait for one of them.
    eventually("the writes have their connections", async || {
        (waiting_for_a_lock(&database) == 8).then_some(())
    })
    .await;
    for _ in 0..3 {
        let begun = Instant::now();
        assert!(store.renew_lease(owner, LONG).await.unwrap());
        assert_eq!(store.leases().await.unwrap().len(), 1, "who watches sees it");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    held.release();
    while let Some(written) = writing.join_next().await {
        // Whoever had waited for too long was told so.
        drop(written.unwrap());
    }
    store.close().await;
}
