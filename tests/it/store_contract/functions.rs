use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    model::{Digest, FunctionId, InstanceId, LogLine, Reason, RevisionNumber, State, Stream},
    store::{Config, Deletion, Error, LogFilter, RecordFilter},
};

use super::{
    LONG, accept, claim, deploy, execute, finish, give_back, name, now, open, owner, revision_of, state,
};

pub async fn revisions_are_numbered_from_one_and_the_newest_is_active(config: Config) {
    let store = open(config).await;
    let first = deploy(&store, "f", "v1").await;
    assert_eq!(first.active_revision, RevisionNumber(1));
    let second = deploy(&store, "f", "v2").await;
    assert_eq!(second.active_revision, RevisionNumber(2));
    assert_eq!((second.id, second.created_at), (first.id, first.created_at));

    let revisions = store.revisions(first.id).await.unwrap();
    assert_eq!(revisions.iter().map(|r| r.number.0).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(revisions[1].spec, super::spec());
    let read = store.revision(first.id, RevisionNumber(1)).await.unwrap().unwrap();
    assert_eq!(read, revisions[1]);
    assert_eq!(store.revision(first.id, RevisionNumber(3)).await.unwrap(), None);
    assert_eq!(store.revisions(FunctionId::new()).await.unwrap(), []);

    deploy(&store, "a", "v1").await;
    let names = store.functions().await.unwrap().into_iter().map(|f| f.name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["a", "f"]);
    let all = store.active_functions(None, 10).await.unwrap();
    assert_eq!(
        all.iter().map(|f| f.function.clone()).collect::<Vec<_>>(),
        store.functions().await.unwrap()
    );
    for active in all {
        let (id, number) = (active.function.id, active.function.active_revision);
        assert_eq!(store.revision(id, number).await.unwrap().as_ref(), Some(&active.revision));
        assert_eq!(store.active_function(id).await.unwrap(), Some(active));
    }
    assert_eq!(store.active_function(FunctionId::new()).await.unwrap(), None);
}

pub async fn functions_are_paged_by_name(config: Config) {
    let store = open(config).await;
    for name in ["b", "d", "a_1", "c", "a"] {
        deploy(&store, name, "v1").await;
    }
    let page = async |after: Option<&str>, limit| {
        let after = after.map(name);
        let page = store.active_functions(after.as_ref(), limit).await.unwrap();
        page.iter().map(|active| active.function.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(page(None, 2).await, "a a_1");
    assert_eq!(page(Some("a_1"), 2).await, "b c");
    assert_eq!(page(Some("c"), 2).await, "d");
    assert_eq!(page(Some("d"), 2).await, "");
    // Another one is gone meanwhile, and the page goes on behind it.
    store.delete_function(&name("b")).await.unwrap();
    assert_eq!(page(Some("b"), 2).await, "c d");
}

pub async fn revisions_added_at_once_get_numbers_of_their_own(config: Config) {
    let store = open(config).await;
    store.put_blob(&Digest::of(b"v1"), Bytes::from_static(b"v1")).await.unwrap();
    let adding: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.add_revision(revision_of("f", "v1")).await.unwrap() })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in adding {
        numbers.push(task.await.unwrap().number.0);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    let function = store.function(&name("f")).await.unwrap().unwrap();
    assert_eq!(function.active_revision, RevisionNumber(16));
}

pub async fn an_unchanged_upload_can_be_recognised(config: Config) {
    let store = open(config).await;
    let function = deploy(&store, "f", "v1").await;
    deploy(&store, "f", "v2").await;
    let again = revision_of("f", "v1");
    let revisions = store.revisions(function.id).await.unwrap();
    let same = revisions.iter().find(|r| r.source == again.source && r.spec == again.spec).unwrap();
    assert_eq!(same.number, RevisionNumber(1));
}

pub async fn activation_minds_what_was_expected(config: Config) {
    let store = open(config).await;
    let (f, one, two) = (name("f"), RevisionNumber(1), RevisionNumber(2));
    deploy(&store, "f", "v1").await;
    deploy(&store, "f", "v2").await;
    assert_eq!(store.activate(&f, one, None).await.unwrap().active_revision, one);
    let error = store.activate(&f, two, Some(two)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error:?}");
    assert_eq!(store.function(&f).await.unwrap().unwrap().active_revision, one);
    assert_eq!(store.activate(&f, two, Some(one)).await.unwrap().active_revision, two);
    for (function, revision) in [("f", 3), ("unknown", 1)] {
        let error = store.activate(&name(function), RevisionNumber(revision), None).await.unwrap_err();
        assert!(matches!(error, Error::Missing(_)), "{error:?}");
    }
    // A deploy after a roll back goes on counting.
    store.activate(&f, one, None).await.unwrap();
    assert_eq!(deploy(&store, "f", "v3").await.active_revision, RevisionNumber(3));
}

pub async fn a_revision_without_its_bundle_is_refused(config: Config) {
    let store = open(config).await;
    let error = store.add_revision(revision_of("f", "never uploaded")).await.unwrap_err();
    assert!(matches!(error, Error::Missing(_)), "{error:?}");
    assert_eq!(store.functions().await.unwrap(), []);
    // The image may hold the code; then there is nothing to be stored.
    let mut image_only = revision_of("f", "never uploaded");
    image_only.bundle = None;
    store.add_revision(image_only).await.unwrap();
}

pub async fn reported_warmth_is_kept(config: Config) {
    let store = open(config).await;
    assert!(!deploy(&store, "f", "v1").await.reported_warm);
    assert!(store.report_warm(&name("f"), true).await.unwrap().unwrap().reported_warm);
    assert!(store.function(&name("f")).await.unwrap().unwrap().reported_warm);
    assert_eq!(store.report_warm(&name("unknown"), true).await.unwrap(), None);
}

pub async fn deletion_cancels_what_waits_and_lets_running_finish(config: Config) {
    let store = open(config).await;
    let function = deploy(&store, "f", "v1").await;
    let other = deploy(&store, "g", "v1").await;
    let owner = owner(&store).await;
    let (queued, retrying, running) = (
        accept(&store, &function).await,
        accept(&store, &function).await,
        accept(&store, &function).await,
    );
    let of_other = accept(&store, &other).await;
    claim(&store, retrying, owner).await.unwrap();
    assert!(give_back(&store, retrying, 1, LONG, "no room").await);
    claim(&store, running, owner).await.unwrap();

    let deletion = Deletion { function: function.clone(), cancelled: 2, secrets: 0 };
    assert_eq!(store.delete_function(&function.name).await.unwrap(), Some(deletion));
    assert_eq!(store.delete_function(&function.name).await.unwrap(), None);
    assert_eq!(store.function(&function.name).await.unwrap(), None);
    assert_eq!(store.revision(function.id, RevisionNumber(1)).await.unwrap(), None);
    for id in [queued, retrying] {
        let record = store.record(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.reason), (State::Cancelled, Some(Reason::FunctionDeleted)));
        assert!(record.finished_at.is_some() && record.duration_ms.is_some_and(|ms| ms >= 0.0));
        assert_eq!(claim(&store, id, owner).await, None);
    }
    assert_eq!(state(&store, running).await, State::Running);
    assert_eq!(store.settle(&[finish(running, 1, State::Succeeded)]).await.unwrap(), [true]);
    assert_eq!(state(&store, running).await, State::Succeeded);
    assert_eq!(state(&store, of_other).await, State::Queued);
    assert!(store.totals().await.unwrap().balance());
}

pub async fn a_name_deployed_again_is_another_function(config: Config) {
    let store = open(config).await;
    let first = deploy(&store, "f", "v1").await;
    deploy(&store, "f", "v2").await;
    store.delete_function(&first.name).await.unwrap();
    let second = deploy(&store, "f", "v2").await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.active_revision, RevisionNumber(1));
    assert_eq!(store.revisions(first.id).await.unwrap(), []);
}

pub async fn what_was_deleted_is_listed_with_its_age_until_it_is_forgotten(config: Config) {
    const HOUR: Duration = Duration::from_secs(3600);
    let store = open(config.clone()).await;
    let (f, g) = (deploy(&store, "f", "v1").await, deploy(&store, "g", "v1").await);
    assert_eq!(store.deleted_functions().await.unwrap(), []);
    store.delete_function(&f.name).await.unwrap();
    assert_eq!(store.delete_function(&f.name).await.unwrap(), None, "it is gone");
    execute(&config, "UPDATE deleted_functions SET deleted_at = deleted_at - 3600000");
    store.delete_function(&g.name).await.unwrap();
    // Of the same name, and there.
    deploy(&store, "g", "v1").await;
    let ages = async || {
        let deleted = store.deleted_functions().await.unwrap();
        deleted.into_iter().map(|one| (one.id, one.age)).collect::<BTreeMap<_, _>>()
    };
    let before = ages().await;
    assert_eq!(before.keys().copied().collect::<BTreeSet<_>>(), [f.id, g.id].into());
    assert!(before[&f.id] >= HOUR && before[&f.id] < 2 * HOUR, "{before:?}");
    assert!(before[&g.id] < HOUR, "{before:?}");

    store.forget_deleted(&[]).await.unwrap();
    store.forget_deleted(&[FunctionId::new()]).await.unwrap();
    assert_eq!(ages().await.len(), 2, "unknown ones change nothing");
    store.forget_deleted(&[f.id, FunctionId::new()]).await.unwrap();
    assert_eq!(ages().await.into_keys().collect::<Vec<_>>(), [g.id]);
    store.forget_deleted(&[f.id, g.id]).await.unwrap();
    assert_eq!(store.deleted_functions().await.unwrap(), []);
    // By a clock that was set back since, it was deleted later than now.
    store.delete_function(&g.name).await.unwrap();
    execute(&config, "UPDATE deleted_functions SET deleted_at = deleted_at + 3600000");
    assert_eq!(ages().await.into_values().collect::<Vec<_>>(), [Duration::ZERO]);
}

pub async fn a_blob_goes_with_the_last_revision_that_uses_it(config: Config) {
    let store = open(config).await;
    deploy(&store, "f", "shared").await;
    deploy(&store, "f", "own").await;
    deploy(&store, "g", "shared").await;
    let there = async |content: &str| {
        let blob = store.blob(&Digest::of(content.as_bytes())).await.unwrap();
        blob.is_some_and(|bytes| bytes == content.as_bytes())
    };
    assert!(there("shared").await && there("own").await);
    store.delete_function(&name("f")).await.unwrap();
    assert!(there("shared").await && !there("own").await);
    store.delete_function(&name("g")).await.unwrap();
    assert!(!there("shared").await);
}

pub async fn a_deploy_at_the_time_of_a_deletion_has_its_bundle_or_fails(config: Config) {
    let store = open(config).await;
    for _ in 0..10 {
        deploy(&store, "old", "shared").await;
        let deleting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.delete_function(&name("old")).await }
        });
        let added = store.add_revision(revision_of("new", "shared")).await;
        deleting.await.unwrap().unwrap();
        let blob = store.blob(&Digest::of(b"shared")).await.unwrap();
        match added {
            Ok(_) => assert!(blob.is_some(), "a revision lost its bundle"),
            Err(error) => assert!(matches!(error, Error::Missing(_)), "{error:?}"),
        }
        store.delete_function(&name("new")).await.unwrap();
    }
}

pub async fn logs_go_with_their_function_and_records_stay(config: Config) {
    let store = open(config).await;
    let (f, g) = (deploy(&store, "f", "v1").await, deploy(&store, "g", "v1").await);
    accept(&store, &f).await;
    for function in [&f, &g] {
        let line = LogLine {
            ts: now(),
            function: function.name.clone(),
            revision: RevisionNumber(1),
            invocation_id: None,
            attempt: None,
            instance: InstanceId::new(),
            stream: Stream::Stdout,
            line: "hello".to_owned(),
            kind: None,
            sequence: None,
        };
        store.append_logs(&[line]).await.unwrap();
    }
    store.delete_function(&f.name).await.unwrap();
    let all = LogFilter { limit: 10, bytes: 100, ..LogFilter::all() };
    let left = store.logs(&all).await.unwrap().lines;
    assert_eq!(left.iter().map(|l| &l.line.function).collect::<Vec<_>>(), [&g.name]);
    let of_f = RecordFilter {
        function: Some(f.name),
        state: None,
        since: None,
        ended: None,
        before: None,
        limit: 10,
    };
    assert_eq!(store.records(&of_f).await.unwrap().len(), 1);
}

async fn numbers(store: &Arc<dyn cloudfunc::store::Store>, function: FunctionId) -> Vec<u32> {
    store.revisions(function).await.unwrap().iter().map(|revision| revision.number.0).collect()
}

pub async fn old_revisions_go_with_what_only_they_named(config: Config) {
    let store = open(config).await;
    // The third is made of what the fifth is made of, and another function of what the second is.
    for content in ["v1", "v2", "v5", "v4", "v5"] {
        deploy(&store, "f", content).await;
    }
    let f = store.function(&name("f")).await.unwrap().unwrap();
    let other = deploy(&store, "g", "v2").await;
    let hour = std::time::Duration::from_secs(3600);
    let prunable = store.prunable(hour, 2).await.unwrap();
    assert_eq!((prunable.revisions, prunable.bundles), (3, (1, 2)), "v1 only");
    assert_eq!(store.prune_revisions(2, Some(other.id)).await.unwrap(), []);
    assert_eq!(numbers(&store, f.id).await, [5, 4, 3, 2, 1]);
    assert_eq!(store.prune_revisions(2, None).await.unwrap(), [f.id]);
    assert_eq!(numbers(&store, f.id).await, [5, 4]);
    assert_eq!(numbers(&store, other.id).await, [1]);
    let is_there =
        async |content: &str| store.blob(&Digest::of(content.as_bytes())).await.unwrap().is_some();
    assert!(
        !is_there("v1").await && is_there("v2").await && is_there("v4").await && is_there("v5").await
    );
    assert_eq!(store.prunable(hour, 2).await.unwrap(), cloudfunc::store::Prunable::default());
    let named = store.named_bundles().await.unwrap();
    let mut named: Vec<String> =
        named.iter().map(|one| format!("{} {}", one.function, one.source)).collect();
    named.sort();
    let digest = |content: &str| Digest::of(content.as_bytes());
    let mut expected =
        [format!("f {}", digest("v4")), format!("f {}", digest("v5")), format!("g {}", digest("v2"))];
    expected.sort();
    assert_eq!(named, expected);
    let asked: Vec<_> = ["v1", "v2", "v5", "v9"].map(digest).into();
    let mut named = store.named(&asked).await.unwrap();
    named.sort_by_key(|digest| asked.iter().position(|one| one == digest));
    assert_eq!(named, [digest("v2"), digest("v5")]);
    assert_eq!(store.named(&[]).await.unwrap(), []);
    // A failed deploy may still be tried again: what nobody names yet stays for an hour.
    store.put_blob(&digest("v9"), Bytes::from_static(b"v9")).await.unwrap();
    store.prune_revisions(2, None).await.unwrap();
    assert!(is_there("v9").await);
}

pub async fn what_is_in_use_is_no_old_revision(config: Config) {
    let store = open(config).await;
    for content in ["v1", "v2", "v3", "v4", "v5"] {
        deploy(&store, "f", content).await;
    }
    let f = store.function(&name("f")).await.unwrap().unwrap();
    // The active one is 1; 2 has an instance; 3 runs an invocation.
    let owner = owner(&store).await;
    store.activate(&name("f"), RevisionNumber(3), None).await.unwrap();
    let id = accept(&store, &f).await;
    assert_eq!(claim(&store, id, owner).await.unwrap().revision, RevisionNumber(3));
    store.activate(&name("f"), RevisionNumber(1), None).await.unwrap();
    let instance = cloudfunc::store::ReportedInstance {
        id: InstanceId::new(),
        manager: cloudfunc::model::ManagerId::new(),
        function: f.id,
        revision: RevisionNumber(2),
        sandbox: "x".to_owned(),
        started_at: now(),
    };
    store.report_instances(owner, std::slice::from_ref(&instance)).await.unwrap();
    assert_eq!(store.prune_revisions(1, None).await.unwrap(), [f.id]);
    assert_eq!(numbers(&store, f.id).await, [5, 3, 2, 1]);
    store.report_instances(owner, &[]).await.unwrap();
    assert_eq!(store.settle(&[finish(id, 1, State::Succeeded)]).await.unwrap(), [true]);
    store.prune_revisions(1, Some(f.id)).await.unwrap();
    assert_eq!(numbers(&store, f.id).await, [5, 1], "the newest and the active one");
}

pub async fn a_revision_that_was_removed_is_told_from_one_that_never_was(config: Config) {
    let store = open(config).await;
    for content in ["v1", "v2", "v3"] {
        deploy(&store, "f", content).await;
    }
    store.prune_revisions(1, None).await.unwrap();
    let activate = async |number| {
        store.activate(&name("f"), RevisionNumber(number), None).await.unwrap_err().to_string()
    };
    assert_eq!(
        activate(1).await,
        "revision 1 of 'f' was removed to make room (--keep-revisions says how many are kept) and is not there"
    );
    assert_eq!(activate(4).await, "revision 4 of 'f' is not there");
}
