//! What a manager does about secrets that change, are deleted, or cannot be read here.

use futures_util::FutureExt as _;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{
    super::{
        begin::tests::{deployed_with, shared},
        function_set::FunctionSet,
        held_secrets::HeldSecrets,
        pool::Slot,
    },
    *,
};
use crate::{
    keyring::Keyring,
    model::{FunctionName, SealedSecret, SecretName, SecretPlace, SecretVersion},
    store::Store,
};

/// The functions as a manager follows them, step by step.
struct Bench {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    followed: Followed,
    commands: UnboundedReceiver<Command>,
    /// With another key than this host has.
    other: Keyring,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = store::connect(&store::Config::Sqlite { path }).await.unwrap();
        let shared = Arc::new(shared(store.clone(), folder.path()).await);
        let (sender, commands) = mpsc::unbounded_channel();
        let [warm, stalled] = [(); 2].map(|()| Arc::<FunctionSet>::default());
        let (unusable, _) = watch::channel(Vec::new());
        let dispatch = Dispatch::new(sender, warm, stalled);
        let followed = Followed::new(shared.clone(), dispatch, unusable, CancellationToken::new());
        let other = Keyring::read_or_make(&folder.path().join("other-key")).unwrap();
        Self { store, shared, followed, commands, other, _folder: folder }
    }

    async fn set_at(&self, place: SecretPlace, keyring: &Keyring) {
        let (version, set_by) = (SecretVersion::new(), "test".to_owned());
        let (key, sealed) = keyring.seal(&place, version, b"hunter2");
        let secret = SealedSecret { place, version, key, sealed, set_by };
        self.store.put_secret(&secret, false).await.unwrap();
    }

    /// Sets a secret of all functions.
    async fn set(&self, name: &str) {
        self.set_at(place(None, name), &self.shared.keyring).await;
    }

    /// An instance of a revision loads its code.
    async fn load(&self, slot: u64, revision: &Revision) -> HeldSecrets {
        let Shared { secrets, revisions, .. } = &*self.shared;
        let (_, held) = secrets.values(revisions, revision, Some(Slot(slot))).await.unwrap();
        held.expect("it has secrets")
    }

    /// What the dispatcher was told since the last time.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            told.push(match command {
                Command::Active { revision, .. } => format!("active {}", revision.unwrap().0),
                Command::Outdated { slot } => format!("outdated {}", slot.0),
                Command::SecretsChanged { .. } => "changed".to_owned(),
                Command::LeaveToOthers { .. } => "left".to_owned(),
                _ => panic!("something else"),
            });
        }
        told
    }

    async fn close(self) {
        self.followed.stop.cancel();
        self.store.close().await;
    }
}

fn place(function: Option<FunctionName>, name: &str) -> SecretPlace {
    SecretPlace { function, name: name.parse().unwrap() }
}

fn names(names: &[&str]) -> Vec<SecretName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_drained_instance_is_outdated_by_a_secret_that_the_active_revision_does_not_have() {
    let mut bench = Bench::new().await;
    bench.set("A").await;
    bench.set("B").await;
    let first = deployed_with(&*bench.store, names(&["A", "B"])).await;
    bench.followed.read_all().await.unwrap();
    let _first = bench.load(1, &first).await;
    let second = deployed_with(&*bench.store, names(&["A"])).await;
    bench.followed.read_one(first.function).await.unwrap();
    let _second = bench.load(2, &second).await;
    assert_eq!(bench.told(), ["active 1", "active 2"]);
    bench.set("B").await;
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["outdated 1"]);
    bench.store.activate(&first.name, first.number, None).await.unwrap();
    bench.followed.read_one(first.function).await.unwrap();
    assert_eq!(bench.told(), ["active 1"], "it was said");
    bench.close().await;
}

#[tokio::test]
async fn an_instance_of_a_revision_that_is_not_known_yet_is_outdated_too() {
    let mut bench = Bench::new().await;
    bench.set("A").await;
    bench.set("B").await;
    deployed_with(&*bench.store, names(&["A"])).await;
    bench.followed.read_all().await.unwrap();
    let unknown = deployed_with(&*bench.store, names(&["B"])).await;
    let _held = bench.load(1, &unknown).await;
    bench.set("B").await;
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["active 1", "outdated 1"]);
    bench.close().await;
}

#[tokio::test]
async fn an_instance_with_a_secret_that_was_set_and_deleted_unseen_is_outdated_at_once() {
    let mut bench = Bench::new().await;
    bench.set("A").await;
    let revision = deployed_with(&*bench.store, names(&["A"])).await;
    bench.followed.read_all().await.unwrap();
    let own = place(Some(revision.name.clone()), "A");
    bench.set_at(own.clone(), &bench.shared.keyring).await;
    let _held = bench.load(1, &revision).await;
    bench.store.delete_secret(&own).await.unwrap();
    assert!(bench.shared.secrets.versions.doubted().now_or_never().is_some(), "all is read again");
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["active 1", "outdated 1"]);
    bench.close().await;
}

#[tokio::test]
async fn without_its_key_a_function_is_left_to_others_and_its_old_instances_are_still_found() {
    let mut bench = Bench::new().await;
    bench.set("A").await;
    let revision = deployed_with(&*bench.store, names(&["A"])).await;
    bench.followed.read_all().await.unwrap();
    let stop = bench.followed.consuming[&revision.function].stop.clone();
    let _first = bench.load(1, &revision).await;
    let old = bench.load(2, &revision).await;
    drop(old);
    bench.set_at(place(None, "A"), &bench.other).await;
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["active 1", "outdated 1", "left"]);
    assert!(stop.is_cancelled() && bench.followed.consuming.is_empty());
    bench.followed.read_one(revision.function).await.unwrap();
    assert!(bench.told().is_empty(), "it was said");
    // One that was given what was read last, while the store did not answer.
    let last = vec![("A".parse().unwrap(), SecretVersion::new())];
    let _last = bench.shared.secrets.versions.hold(Slot(3), &revision.name, last);
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["outdated 3"], "though the key is missing");
    bench.set("A").await;
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["changed"]);
    assert!(bench.followed.consuming.contains_key(&revision.function));
    bench.close().await;
}

#[tokio::test]
async fn after_a_start_without_its_key_the_function_is_read_again_too() {
    let mut bench = Bench::new().await;
    bench.set_at(place(None, "A"), &bench.other).await;
    let first = deployed_with(&*bench.store, names(&["A"])).await;
    bench.followed.read_all().await.unwrap();
    assert_eq!(bench.told(), ["active 1", "left"]);
    deployed_with(&*bench.store, names(&[])).await;
    let Shared { secrets, revisions, .. } = &*bench.shared;
    assert!(secrets.values(revisions, &first, Some(Slot(1))).await.is_err());
    bench.followed.read_secrets().await.unwrap();
    assert_eq!(bench.told(), ["active 2", "changed"]);
    bench.close().await;
}
