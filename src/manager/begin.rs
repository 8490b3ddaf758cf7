//! How work begins: async work is claimed when there is an instance for it, and not before. And what becomes of work that
//! cannot begin where it is.

use std::sync::Arc;

use super::{
    commands::{Command, Commands},
    retry::{PAUSE, give_back_later},
    shared::Shared,
    work::{Held, Run, Work},
};
use crate::{
    error_chain::chain,
    model::message::Verdict,
    store::{Claiming, Wanted},
};

/// The most instances that a piece of work is handed to.
const HANDED: u8 = 3;

/// Claims async work for an instance that is ready to run it. Returns `None` if the claim was not granted; the work is
/// then settled, or its message comes back later. No async work runs without a claim.
pub async fn claim(mut work: Work, shared: &Arc<Shared>, commands: &Commands) -> Option<Work> {
    if !work.needs_claim() {
        return Some(work);
    }
    let wanted = Wanted { id: work.invoke.id, revision: work.revision.number };
    let in_hand = shared.in_hand.take(work.invoke.id);
    // None: the manager has stopped; the message goes to somebody else.
    let (answer, life) = shared.claims.take(wanted).await?;
    match answer {
        Ok(Claiming::Granted(claim)) => {
            work.invoke.content_type = claim.payload.content_type;
            work.invoke.headers = serde_json::from_str(&claim.headers).unwrap_or_default();
            work.invoke.http = claim.http;
            work.payload = claim.payload.bytes;
            let (attempt, token) = (claim.attempt, claim.token);
            let (failures, losses) = (claim.failures, claim.losses);
            work.claim = Some(Held { attempt, token, failures, losses, life, _in_hand: in_hand });
            return Some(work);
        }
        Ok(Claiming::Refused) => drop(work.delivery.ack().await),
        Ok(Claiming::Moved(_)) => admit_again(work, shared, commands),
        Ok(Claiming::NoLease) => {
            shared.lives.doubt();
            give_back_later(work, shared);
        }
        Err(error) => {
            tracing::warn!(invocation = %work.invoke.id, error = %chain(&error), "claim failed");
            give_back_later(work, shared);
        }
    }
    None
}

/// Queues the work again for the revision that is active now. If the function was deleted, the message is acked, as the
/// deletion has ended the invocation.
pub fn admit_again(mut work: Work, shared: &Arc<Shared>, commands: &Commands) {
    let (shared, commands) = (shared.clone(), commands.clone());
    shared.clone().tasks.spawn(async move {
        match shared.store.active_function(work.invoke.function).await {
            Ok(Some(active)) => {
                work.revision = shared.revisions.keep(active.revision);
                let _ = commands.send(Command::Work(Box::new(work)));
            }
            Ok(None) => drop(work.delivery.ack().await),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the active revision was not read");
                give_back_later(work, &shared);
            }
        }
    });
}

/// Queues work again whose instance had ended before it began. After [`HANDED`] such instances the attempt ends as not
/// run, so that a function whose instances keep ending does not keep the host busy.
pub async fn hand_on(mut work: Work, shared: &Arc<Shared>, commands: &Commands) {
    work.handed += 1;
    if work.handed < HANDED {
        let _ = commands.send(Command::Work(Box::new(work)));
    } else if let Some(work) = claim(work, shared, commands).await {
        did_not_begin(work, shared).await;
    }
}

/// Settles sync work whose instance is ready only when its caller would not wait for its end any more.
pub async fn too_late(work: Work, shared: &Arc<Shared>) {
    let verdict = Verdict::not_run("the instance was ready only after its caller's time", PAUSE);
    work.settle(shared, Run::without_instance(verdict)).await;
}

/// Settles claimed work whose instance ended before it began.
pub async fn did_not_begin(work: Work, shared: &Arc<Shared>) {
    let verdict = Verdict::not_run("the instance ended before it began", PAUSE);
    work.settle(shared, Run::without_instance(verdict)).await;
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        collections::BTreeMap,
        time::{Duration, Instant},
    };

    use bytes::Bytes;
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        keyring::Keyring,
        manager::{
            builds::under_way::BuildsUnderWay,
            bundles::BundleCache,
            claims::Claims,
            dependencies::{cache::DependencyCache, packages::Packages},
            lives::Lives,
            logs,
            not_kept::NotKept,
            outdated::Outdated,
            revisions::RevisionCache,
            secrets::SecretReader,
            tasks::Tasks,
        },
        model::{
            Code, Digest, FunctionSpec, Interface, InvocationId, ManagerId, Mode, Network, Revision,
            Scaling, SecretName,
            message::{self, Invoke, Outcome, Parcel},
        },
        queue::{self, Address, ConsumeOptions, Message, Queue},
        runtime::{self, Owner},
        settings::{Builds, Limits},
        store::{self, Functions, NewRevision, Store},
    };

    fn packages(folder: &std::path::Path, store: Arc<dyn Store>) -> Packages {
        Packages::new(
            DependencyCache::open(folder.join("dependencies"), store).unwrap(),
            Builds::default(),
        )
    }

    fn process(owner: Owner) -> runtime::Config {
        runtime::Config::Process { owner, helper: runtime::no_helper() }
    }

    pub(in crate::manager) async fn shared(store: Arc<dyn Store>, folder: &std::path::Path) -> Shared {
        let owner = Owner { platform: "begin".parse().unwrap(), manager: ManagerId::new() };
        let queue = queue::connect(&queue::Config::Embedded, &owner.platform).await.unwrap();
        let keyring = Arc::new(Keyring::read_or_make(&folder.join("secret-key")).unwrap());
        Shared {
            bundles: BundleCache::new(folder.join("bundles"), store.clone()),
            bytecode: super::super::bytecode::queue::CompileQueue::default(),
            packages: packages(folder, store.clone()),
            revisions: RevisionCache::default(),
            secrets: SecretReader::new(store.clone(), keyring.clone()),
            keyring,
            under_way: BuildsUnderWay::default(),
            not_kept: NotKept::default(),
            manager: owner.manager,
            lives: Arc::<Lives>::default(),
            claims: Claims::new().0,
            in_hand: Arc::default(),
            tasks: Tasks::default(),
            given_up: CancellationToken::new(),
            outdated: Outdated::default(),
            logs: logs::start(store.clone(), None).0,
            store,
            queue,
            runtime: runtime::connect(&process(owner)).unwrap(),
            limits: Limits::default(),
            instances: folder.join("instances"),
            clock: Clock::system(),
        }
    }

    async fn deployed(store: &dyn Functions) -> Arc<Revision> {
        deployed_with(store, Vec::new()).await
    }

    /// Deploys another revision of the function `f`, which gets these secrets.
    pub(in crate::manager) async fn deployed_with(
        store: &dyn Functions,
        secrets: Vec<SecretName>,
    ) -> Arc<Revision> {
        let source = Digest::of(b"source");
        store.put_blob(&source, Bytes::from_static(b"source")).await.unwrap();
        let spec = FunctionSpec {
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
                concurrency: 1,
            },
            secrets,
            rate_limit: None,
            http: None,
            from_source: false,
        };
        let (name, image) = ("f".parse().unwrap(), "image".to_owned());
        let revision =
            NewRevision { name, spec, bundle: Some(source.clone()), dependencies: None, source, image };
        Arc::new(store.add_revision(revision).await.unwrap())
    }

    /// Work of a caller who waits for the answer at that address, as a consumer makes it.
    async fn sync_work(queue: &dyn Queue, revision: Arc<Revision>, reply_to: &Address) -> Work {
        let Address::Reply(reply_to) = reply_to else { panic!("no address of replies") };
        let function = revision.function;
        let invoke = Invoke {
            v: message::VERSION,
            id: InvocationId::new(),
            mode: Mode::Sync,
            function,
            name: revision.name.clone(),
            revision: revision.number,
            accepted_at_ms: 0,
            slot_deadline_ms: None,
            slot_left_ms: Some(10_000),
            content_type: "application/json".to_owned(),
            headers: BTreeMap::new(),
            header_list: None,
            http: None,
            reply_to: Some(reply_to.clone()),
        };
        let address = Address::Function(function, Mode::Sync);
        let options = ConsumeOptions { prefetch: 1, priority: 0 };
        let mut consumer = queue.consume(&address, options).await.unwrap();
        let parcel = Parcel::new(invoke.clone(), Bytes::new());
        queue.publish(&address, Message { parcel, expires: None }).await.unwrap();
        let delivery = consumer.next().await.unwrap();
        let (taken, payload) = (Instant::now(), Bytes::new());
        Work { invoke, payload, claim: None, revision, taken, deadline: None, delivery, handed: 0 }
    }

    #[tokio::test]
    async fn a_call_does_not_begin_after_its_callers_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = store::connect(&store::Config::Sqlite { path }).await.unwrap();
        let shared = Arc::new(shared(store.clone(), folder.path()).await);
        let (address, mut replies) = shared.queue.open_replies().await.unwrap();
        let revision = deployed(&*store).await;
        let work = sync_work(&*shared.queue, revision.clone(), &address).await;
        let longest = revision.spec.load_limit() + Duration::from_secs(60);
        assert!(!work.is_too_late(work.taken + longest));
        assert!(work.is_too_late(work.taken + longest + Duration::from_millis(1)));
        too_late(work, &shared).await;
        let reply = replies.next().await.unwrap();
        let (outcome, _) = reply.parcel.open::<Outcome>().unwrap();
        let Verdict::NotRun { reason, .. } = outcome.verdict else { panic!("{outcome:?}") };
        assert_eq!(reason, "the instance was ready only after its caller's time");
        store.close().await;
    }

    #[tokio::test]
    async fn a_call_whose_instance_died_idle_goes_to_the_next_one_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = store::connect(&store::Config::Sqlite { path }).await.unwrap();
        let shared = Arc::new(shared(store.clone(), folder.path()).await);
        let (address, mut replies) = shared.queue.open_replies().await.unwrap();
        let mut work = sync_work(&*shared.queue, deployed(&*store).await, &address).await;
        let (commands, mut told) = mpsc::unbounded_channel();
        for handed in 1..HANDED {
            hand_on(work, &shared, &commands).await;
            let Ok(Command::Work(again)) = told.try_recv() else { panic!("it waits again") };
            assert_eq!(again.handed, handed);
            work = *again;
        }
        hand_on(work, &shared, &commands).await;
        assert!(told.try_recv().is_err(), "it is not handed out again");
        let reply = replies.next().await.unwrap();
        let (outcome, _) = reply.parcel.open::<Outcome>().unwrap();
        assert!(matches!(outcome.verdict, Verdict::NotRun { throttled: false, .. }), "{outcome:?}");
        store.close().await;
    }
}
