use std::time::Duration;

use cloudfunc::{
    model::{FunctionId, InstanceId, ManagerId, OwnerId, RevisionNumber},
    store::{Config, ReportedInstance},
};

use super::{LONG, now, open};
use crate::support::eventually;

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

pub async fn instances_are_those_of_leases_that_hold(config: Config) {
    let store = open(config).await;
    let (short, long, manager, f) =
        (OwnerId::new(), OwnerId::new(), ManagerId::new(), FunctionId::new());
    let (one, two) = (instance(manager, f), instance(manager, FunctionId::new()));
    store.report_instances(long, std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [], "nobody without a lease lives");
    store.renew_lease(long, manager, LONG).await.unwrap();
    store.renew_lease(short, manager, LONG).await.unwrap();
    store.report_instances(short, std::slice::from_ref(&two)).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [one.clone(), two]);
    let mut owners = store.live_owners().await.unwrap();
    owners.sort();
    assert_eq!(owners, [short, long]);
    assert_eq!(store.instances(Some(f)).await.unwrap(), std::slice::from_ref(&one));

    store.renew_lease(short, manager, Duration::from_millis(50)).await.unwrap();
    eventually("the lease expires", || async {
        (store.instances(None).await.unwrap() == std::slice::from_ref(&one)).then_some(())
    })
    .await;
    assert_eq!(store.live_owners().await.unwrap(), [long]);
    store.release_lease(long).await.unwrap();
    assert_eq!(store.live_owners().await.unwrap(), []);
    assert_eq!(store.instances(None).await.unwrap(), []);
    store.renew_lease(long, manager, LONG).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [], "they ended with the lease");
}

pub async fn a_report_replaces_the_one_before(config: Config) {
    let store = open(config).await;
    let (owner, manager, f) = (OwnerId::new(), ManagerId::new(), FunctionId::new());
    store.renew_lease(owner, manager, LONG).await.unwrap();
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
        store.renew_lease(owner, of, LONG).await.unwrap();
        store.report_instances(owner, std::slice::from_ref(reported)).await.unwrap();
    }
    store.release_manager(manager).await.unwrap();
    assert_eq!(store.instances(None).await.unwrap(), [two]);
}
