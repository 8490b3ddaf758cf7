//! How sandboxes end and who removes them.

use super::*;

pub async fn a_guest_ends_when_the_host_hangs_up(fixture: &Fixture) {
    let Instance { sandbox, guest, .. } = fixture.ready(ECHO).await;
    drop(guest);
    let exit = tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    assert_eq!(exit, Exit::Code(0));
    sandbox.remove().await;
}

pub async fn a_busy_guest_ends_too_when_the_host_hangs_up(fixture: &Fixture) {
    let mut instance = fixture.ready("def handler(event):\n    while True:\n        pass\n").await;
    let limit = Duration::from_millis(50);
    instance.invoke_within(limit, "application/json", b"1").await.unwrap_err();
    let Instance { sandbox, guest, .. } = instance;
    drop(guest);
    let exit = tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    assert_eq!(exit, Exit::Code(0));
    sandbox.remove().await;
}

pub async fn only_the_owners_own_sandboxes_are_removed(fixture: &Fixture) {
    let stranger = Fixture::new(fixture.kind);
    let first = fixture.ready(ECHO).await;
    let second = fixture.ready(ECHO).await;
    let mut other = stranger.ready(ECHO).await;
    let mut ids = vec![first.sandbox.id().to_owned(), second.sandbox.id().to_owned()];
    ids.sort_unstable();
    let mut removed = fixture.runtime.remove_all(&fixture.owner).await.unwrap();
    removed.sort_unstable();
    assert_eq!(removed, ids);
    assert_eq!(first.exit().await, Exit::Removed);
    assert_eq!(other.result("1").await, "1");
    other.sandbox.remove().await;
    stranger.nothing_is_left().await;
}

pub async fn one_starts_while_the_last_other_one_of_its_function_goes(fixture: &Fixture) {
    let times = if fixture.kind == Kind::Docker { 3 } else { 20 };
    let mut last = fixture.ready(ECHO).await;
    for _ in 0..times {
        let ((), next) = tokio::join!(last.sandbox.remove(), fixture.ready(ECHO));
        last = next;
    }
    assert_eq!(last.result("1").await, "1");
    last.sandbox.remove().await;
}

pub async fn a_dropped_sandbox_is_removed(fixture: &Fixture) {
    drop(fixture.ready(ECHO).await);
    fixture.eventually_nothing().await;
}

pub async fn a_dropped_start_leaves_nothing(fixture: &Fixture) {
    // Once without a limit, so that the image is there.
    fixture.start(ECHO).await.sandbox.remove().await;
    for milliseconds in [0, 5, 20, 50, 100, 200, 400] {
        let spec = fixture.spec(ECHO);
        let start = fixture.runtime.start(&spec);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), start).await;
    }
    // Answers when nothing is being made any more.
    fixture.runtime.remove_all(&owner()).await.unwrap();
    fixture.eventually_nothing().await;
}

pub async fn what_is_no_guest_is_a_start_error_with_its_output(fixture: &Fixture) {
    let mut spec = fixture.spec(ECHO);
    let (image, expected) = fixture.no_guest().await;
    spec.image = image;
    let Err(Error::Start { reason, output, code }) = fixture.runtime.start(&spec).await else {
        panic!()
    };
    assert!(output.contains(expected), "{output}");
    assert!(!reason.is_empty());
    assert!(code.is_some(), "{reason}");
    assert!(!spec.folder.join("run/runtime.sock").exists());
}

pub async fn many_start_at_once(fixture: &Fixture) {
    let mut instances =
        futures_util::future::join_all((0..6).map(|_| fixture.ready("def handler(e): return e"))).await;
    for (number, instance) in instances.iter_mut().enumerate() {
        assert_eq!(instance.result(&number.to_string()).await, number.to_string());
    }
    let ids: BTreeSet<_> = instances.iter().map(|instance| instance.sandbox.id().to_owned()).collect();
    assert_eq!(ids.len(), 6);
    futures_util::future::join_all(instances.iter().map(|instance| instance.sandbox.remove())).await;
}

pub async fn whoever_asks_learns_whether_a_sandbox_runs(fixture: &Fixture) {
    let Instance { sandbox, guest, .. } = fixture.ready(ECHO).await;
    assert!(sandbox.is_running().await);
    drop(guest);
    tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    assert!(!sandbox.is_running().await);
    sandbox.remove().await;
    assert!(!sandbox.is_running().await);
}
