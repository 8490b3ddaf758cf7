use cloudfunc::{
    model::{BuildLine, BuildLog, Dependencies, Digest, Language, PackageVersion, Target, WhichBuild},
    store::{Config, Error, MAX_PIECE, NewBuildLog, NewRevision},
};

use super::*;

fn dependencies(key: &str, tree: &str, pieces: u32) -> Dependencies {
    Dependencies {
        key: Digest::of(key.as_bytes()),
        tree: Digest::of(tree.as_bytes()),
        language: Language::Python,
        target: Target {
            interpreter: "cpython 3.11".to_owned(),
            abi: "cpython-311-x86_64-linux-gnu".to_owned(),
            architecture: "x86_64".to_owned(),
            c_library: "glibc 2.36".to_owned(),
        },
        packages: vec![PackageVersion { name: "a".to_owned(), version: "1.0".to_owned() }],
        files: 2,
        bytes: 3,
        pieces,
    }
}

/// Stores a tree of some pieces under a key.
async fn install(store: &Arc<dyn Store>, key: &str, tree: &str) -> Dependencies {
    let new = dependencies(key, tree, 2);
    for number in 0..2 {
        store.put_piece(&new.tree, number, Bytes::from(format!("{tree} {number}"))).await.unwrap();
    }
    store.add_dependencies(&new).await.unwrap()
}

async fn deploy_with(store: &Arc<dyn Store>, function: &str, content: &str, tree: &Digest) {
    let new = NewRevision { dependencies: Some(tree.clone()), ..revision_of(function, content) };
    store.put_blob(&new.source, Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
    store.add_revision(new).await.unwrap();
}

/// Whether pieces of a tree are stored.
async fn has_pieces(store: &Arc<dyn Store>, tree: &str) -> bool {
    store.piece(&Digest::of(tree.as_bytes()), 0).await.unwrap().is_some()
}

pub async fn a_tree_is_read_as_it_was_stored(config: Config) {
    let store = open(config).await;
    let new = dependencies("key", "tree", 3);
    assert_eq!(store.dependencies_for(&new.key).await.unwrap(), None);
    let large = Bytes::from(vec![7; MAX_PIECE]);
    for (number, piece) in [(0, large.clone()), (1, Bytes::new()), (2, Bytes::from_static(b"\0end"))] {
        store.put_piece(&new.tree, number, piece.clone()).await.unwrap();
        store.put_piece(&new.tree, number, Bytes::from_static(b"again")).await.unwrap();
        assert_eq!(store.piece(&new.tree, number).await.unwrap(), Some(piece));
    }
    assert_eq!(store.piece(&new.tree, 3).await.unwrap(), None);
    assert_eq!(store.dependencies_for(&new.key).await.unwrap(), None, "it is not named yet");
    assert_eq!(store.add_dependencies(&new).await.unwrap(), new);
    assert_eq!(store.dependencies_for(&new.key).await.unwrap().as_ref(), Some(&new));
    assert_eq!(store.dependencies(&new.tree).await.unwrap().as_ref(), Some(&new));
    store.drop_pieces(&new.tree).await.unwrap();
    assert_eq!(store.piece(&new.tree, 0).await.unwrap(), Some(large), "one that is named stays whole");
}

pub async fn of_two_builds_of_one_key_the_first_is_kept(config: Config) {
    let store = open(config).await;
    let first = install(&store, "key", "first").await;
    let second = install(&store, "key", "second").await;
    assert_eq!(second, first);
    assert!(has_pieces(&store, "first").await && !has_pieces(&store, "second").await);
}

pub async fn a_revision_without_its_dependencies_is_refused(config: Config) {
    let store = open(config).await;
    let new = revision_of("f", "v1");
    store.put_blob(&new.source, Bytes::from_static(b"v1")).await.unwrap();
    let tree = Digest::of(b"never stored");
    let error = store.add_revision(NewRevision { dependencies: Some(tree), ..new }).await.unwrap_err();
    assert!(matches!(error, Error::Missing(_)), "{error:?}");
    assert!(store.function(&name("f")).await.unwrap().is_none());
}

pub async fn dependencies_go_with_the_last_revision_that_names_them(config: Config) {
    let store = open(config).await;
    let shared = install(&store, "shared", "shared").await;
    let old = install(&store, "old", "old").await;
    deploy_with(&store, "f", "v1", &old.tree).await;
    deploy_with(&store, "f", "v2", &shared.tree).await;
    deploy_with(&store, "g", "v1", &shared.tree).await;
    let f = store.function(&name("f")).await.unwrap().unwrap();
    let first = store.revision(f.id, RevisionNumber(1)).await.unwrap().unwrap();
    assert_eq!(first.dependencies.as_ref(), Some(&old.tree));
    let both = [old.tree.clone(), shared.tree.clone()];
    assert_eq!(store.named(&both).await.unwrap().len(), 2);

    assert_eq!(store.prune_revisions(1, Some(f.id)).await.unwrap(), [f.id]);
    assert_eq!(store.named(&both).await.unwrap(), std::slice::from_ref(&shared.tree));
    assert_eq!(store.dependencies(&old.tree).await.unwrap(), None);
    assert!(!has_pieces(&store, "old").await && has_pieces(&store, "shared").await);

    store.delete_function(&f.name).await.unwrap().unwrap();
    assert!(store.dependencies(&shared.tree).await.unwrap().is_some(), "the other function has them");
    store.delete_function(&name("g")).await.unwrap().unwrap();
    assert_eq!(store.dependencies_for(&shared.key).await.unwrap(), None);
    assert!(!has_pieces(&store, "shared").await);
}

pub async fn what_builds_left_behind_goes_after_an_hour(config: Config) {
    let store = open(config.clone()).await;
    install(&store, "unnamed", "unnamed").await;
    let used = install(&store, "used", "used").await;
    deploy_with(&store, "f", "v1", &used.tree).await;
    // A build that was killed, and one that goes on.
    for tree in ["killed", "under way"] {
        store.put_piece(&Digest::of(tree.as_bytes()), 0, Bytes::from_static(b"0")).await.unwrap();
    }
    store.prune_revisions(1, None).await.unwrap();
    for tree in ["unnamed", "used", "killed", "under way"] {
        assert!(has_pieces(&store, tree).await, "{tree}");
    }
    let packages =
        async || store.prunable(std::time::Duration::from_secs(3600), 1).await.unwrap().packages;
    assert_eq!(packages().await, (0, 0));
    let long_ago = "created_at = created_at - 3601000";
    execute(&config, &format!("UPDATE dependency_trees SET {long_ago}"));
    let going = Digest::of(b"under way");
    execute(&config, &format!("UPDATE dependency_pieces SET {long_ago} WHERE tree <> '{going}'"));
    // `unnamed` has two pieces, `killed` one.
    assert_eq!(packages().await, (2, 2 * "unnamed 0".len() as u64 + 1));
    let next = install(&store, "next", "next").await;
    deploy_with(&store, "f", "v2", &next.tree).await;
    assert_eq!(packages().await.0, 3, "and the tree of the old revision");
    store.prune_revisions(1, None).await.unwrap();
    for (tree, stays) in
        [("unnamed", false), ("used", false), ("next", true), ("killed", false), ("under way", true)]
    {
        assert_eq!(has_pieces(&store, tree).await, stays, "{tree}");
    }
}

pub async fn a_fresh_tree_gets_its_key_when_it_is_used(config: Config) {
    let store = open(config).await;
    let old = install(&store, "key", "old").await;
    deploy_with(&store, "f", "v1", &old.tree).await;
    let fresh = dependencies("key", "fresh", 1);
    store.put_piece(&fresh.tree, 0, Bytes::from_static(b"0")).await.unwrap();
    store.add_fresh(&fresh).await.unwrap();
    assert_eq!(store.dependencies(&fresh.tree).await.unwrap().as_ref(), Some(&fresh));
    assert_eq!(store.dependencies_for(&old.key).await.unwrap().as_ref(), Some(&old));
    deploy_with(&store, "f", "v2", &fresh.tree).await;
    let other = dependencies("key", "other", 0);
    store.add_fresh(&other).await.unwrap();
    for tree in [&fresh.tree, &fresh.tree, &Digest::of(b"never stored")] {
        store.use_fresh(tree).await.unwrap();
        assert_eq!(store.dependencies_for(&old.key).await.unwrap().as_ref(), Some(&fresh));
    }
    assert_eq!(store.dependencies(&old.tree).await.unwrap().as_ref(), Some(&old), "a revision uses it");
    // Of two at once one gets the key, and neither fails.
    let (one, two) = tokio::join!(store.use_fresh(&old.tree), store.use_fresh(&other.tree));
    one.and(two).unwrap();
    let has = store.dependencies_for(&old.key).await.unwrap().unwrap();
    assert!([&old.tree, &other.tree].contains(&&has.tree), "{has:?}");
    let f = store.function(&name("f")).await.unwrap().unwrap();
    assert_eq!(store.prune_revisions(1, Some(f.id)).await.unwrap(), [f.id]);
    assert_eq!(store.dependencies(&old.tree).await.unwrap(), None);
    assert!(!has_pieces(&store, "old").await && has_pieces(&store, "fresh").await);
}

pub async fn the_logs_of_builds_go_with_what_they_are_of(config: Config) {
    let store = open(config.clone()).await;
    let line = |line: &str| BuildLine { ts: Timestamp::UNIX_EPOCH, line: line.to_owned() };
    let new = |revision, text: &str| NewBuildLog {
        name: name("f"),
        revision,
        lines: vec![line(text), line("\0")],
    };
    let read = async |which| store.build_log(&name("f"), which).await.unwrap();
    let text = |log: Option<BuildLog>| {
        log.map(|log| (log.revision.map(|number| number.0), log.lines[0].line.clone()))
    };
    assert_eq!(read(WhichBuild::Newest).await, None);
    for failed in ["first", "second"] {
        store.put_build_log(&new(None, failed)).await.unwrap();
    }
    for which in [WhichBuild::Newest, WhichBuild::Failed] {
        assert_eq!(text(read(which).await), Some((None, "second".to_owned())));
    }
    for (number, content) in [(1, "v1"), (2, "v2")] {
        let revision = revision_of("f", content);
        store.put_blob(&revision.source, Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
        let added = store.add_revision(revision).await.unwrap();
        // The next millisecond, so that one of them is the newest.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        store.put_build_log(&new(Some((added.function, added.number)), content)).await.unwrap();
        let expected = Some((Some(number), content.to_owned()));
        assert_eq!(text(read(WhichBuild::Newest).await), expected);
        assert_eq!(text(read(WhichBuild::Of(RevisionNumber(number))).await), expected);
    }
    // Built again without a change: the log of the revision is replaced.
    let f = store.function(&name("f")).await.unwrap().unwrap();
    store.put_build_log(&new(Some((f.id, RevisionNumber(2))), "again")).await.unwrap();
    let again = Some((Some(2), "again".to_owned()));
    assert_eq!(text(read(WhichBuild::Of(RevisionNumber(2))).await), again);
    let log = read(WhichBuild::Failed).await.unwrap();
    assert_eq!((log.function, log.lines), (name("f"), vec![line("second"), line("\0")]));
    store.prune_revisions(1, Some(f.id)).await.unwrap();
    assert_eq!(read(WhichBuild::Of(RevisionNumber(1))).await, None);
    assert!(read(WhichBuild::Of(RevisionNumber(2))).await.is_some());
    // Of a revision that went meanwhile there is nothing to keep.
    assert!(store.put_build_log(&new(Some((f.id, RevisionNumber(1))), "late")).await.is_err());
    // What no function has is kept for a week.
    let gone = NewBuildLog { name: name("gone"), ..new(None, "failed") };
    store.put_build_log(&gone).await.unwrap();
    store.prune_revisions(1, None).await.unwrap();
    let of_gone = async || store.build_log(&gone.name, WhichBuild::Failed).await.unwrap();
    assert!(of_gone().await.is_some());
    execute(&config, "UPDATE build_logs SET ended_at = ended_at - 604801000");
    store.prune_revisions(1, None).await.unwrap();
    assert_eq!(of_gone().await, None);
    assert!(read(WhichBuild::Failed).await.is_some());
    store.delete_function(&name("f")).await.unwrap().unwrap();
    assert_eq!(read(WhichBuild::Newest).await, None);
    assert_eq!(read(WhichBuild::Failed).await, None);
}
