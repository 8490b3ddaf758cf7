//! Room is given back: old revisions, bundles that nobody names any more, images made for functions.

use std::path::Path;

use cloudfunc::model::RevisionNumber;
use serde_json::{Value, json};

use crate::support::{
    eventually,
    platform::{Stack, TestPlatform},
};

fn code(number: u32) -> String {
    format!("def handler(event):\n    return {number}\n")
}

async fn deploy(platform: &TestPlatform, name: &str, number: u32) {
    platform.deploy(name, &[("function.py", &code(number))]).await;
}

async fn with_two_kept(test: &str) -> TestPlatform {
    let keep = |platform: &mut cloudfunc::settings::Platform| platform.limits.keep_revisions = 2;
    TestPlatform::start_with(Stack::LIGHT, test, keep).await.unwrap()
}

fn unpacked(platform: &TestPlatform) -> Vec<String> {
    names(&platform.platform.data_dir.join("cache/bundles"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn old_revisions_go_with_a_deploy_and_everything_with_a_delete() {
    let platform = with_two_kept("old_revisions").await;
    for number in 1..=5 {
        deploy(&platform, "f", number).await;
    }
    assert_eq!(platform.value("f", "{}").await, "5");
    let name = "f".parse().unwrap();
    let revisions = platform.client.revisions(&name, None).await.unwrap().items;
    assert_eq!(revisions.iter().map(|one| one.number.0).collect::<Vec<_>>(), [5, 4]);
    eventually("what nobody names is not unpacked", || async {
        (unpacked(&platform).len() == 2).then_some(())
    })
    .await;

    let (exit, _, stderr) = platform.cli(&["rollback", "f", "--to", "1"]).await;
    let removed =
        "revision 1 of 'f' was removed to make room (--keep-revisions says how many are kept) and";
    assert_eq!(exit, 2, "{stderr}");
    assert!(stderr.contains(removed), "{stderr}");
    platform.client.activate(&name, RevisionNumber(4)).await.unwrap();
    assert_eq!(platform.value("f", "{}").await, "4");
    deploy(&platform, "f", 7).await;
    let revisions = platform.client.revisions(&name, None).await.unwrap().items;
    let numbers: Vec<u32> = revisions.iter().map(|one| one.number.0).collect();
    // 4 has an instance that runs out only now, and goes with a later look.
    assert!(numbers == [6, 5] || numbers == [6, 5, 4], "{numbers:?}");

    platform.client.delete(&name).await.unwrap();
    eventually("nothing is unpacked", || async { unpacked(&platform).is_empty().then_some(()) }).await;
    // Another function of the same content has it anew.
    deploy(&platform, "g", 7).await;
    assert_eq!(platform.value("g", "{}").await, "7");
    platform.stop().await;
}

#[tokio::test]
async fn prune_says_what_would_go_asks_and_lets_it_go() {
    let platform = with_two_kept("prune").await;
    deploy(&platform, "f", 1).await;
    platform.value("f", "{}").await;
    let said = "0 revisions\n0 bundles, 0 B\n0 package trees, 0 B\n1 record, 1 B\n0 log lines, 0 B\nnothing was deleted (--dry-run)\n";
    eventually("its record is stored", || async {
        let would = platform.cli(&["prune", "--dry-run", "--older-than", "1ms"]).await;
        ((would.0, would.1.as_str()) == (0, said)).then_some(())
    })
    .await;
    assert_eq!(platform.client.records(&Default::default()).await.unwrap().items.len(), 1);

    let (exit, _, stderr) = platform.cli(&["prune"]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("prune needs --yes without a terminal to ask on"), "{stderr}");
    let pruned = platform.cli(&["prune", "--yes", "--older-than", "1ms", "--json"]).await;
    let pruned: Value = serde_json::from_str(&pruned.1).unwrap();
    let nothing = json!({ "count": 0, "bytes": 0 });
    assert_eq!(
        (&pruned["invocations"], &pruned["revisions"]),
        (&json!({ "count": 1, "bytes": 1 }), &nothing)
    );
    assert!(pruned["given_back"].is_u64(), "{pruned}");
    assert_eq!(platform.client.records(&Default::default()).await.unwrap().items.len(), 0);
    assert_eq!(platform.value("f", "{}").await, "1", "nothing that is in use went");

    let bad = platform.post("/v1/prune?older_than=yesterday").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    let unknown = platform.post("/v1/prune?olderthan=1h").send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    platform.stop().await;
}

/// Unpacked halfway by a process that was killed, or of a function that was deleted while nobody ran.
#[tokio::test]
async fn what_a_killed_platform_has_left_in_its_cache_is_removed_at_the_next_start() {
    let mut kept = None;
    let platform = TestPlatform::start_with(Stack::LIGHT, "leftovers", |platform| {
        let folder = platform.data_dir.join("cache/bundles");
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::create_dir_all(&platform.data_dir).unwrap();
        std::fs::set_permissions(&platform.data_dir, closed).unwrap();
        for name in [".unpack-abc/tree", ".removed-abc", &"0".repeat(64), "notes"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        kept = Some(folder);
    })
    .await
    .unwrap();
    let folder = kept.unwrap();
    eventually("only what is not ours is left", || async {
        (names(&folder) == ["notes"]).then_some(())
    })
    .await;
    platform.stop().await;
}

/// Its instance goes on for a moment, and what it writes then is nobody's.
#[tokio::test]
async fn lines_that_come_after_a_delete_are_not_those_of_the_next_function_of_that_name() {
    let platform = TestPlatform::start(Stack::LIGHT, "late_lines").await.unwrap();
    let old = "import time\n\ndef handler(event):\n    print('old 1')\n    time.sleep(1.5)\n    print('old 2')\n";
    platform.deploy("f", &[("function.py", old)]).await;
    let name: cloudfunc::model::FunctionName = "f".parse().unwrap();
    let late = tokio::spawn(platform.post("/v1/functions/f/invoke").body("{}").send());
    let logs = async || platform.cli(&["logs", "f"]).await.1;
    eventually("it runs", || async { logs().await.contains("old 1").then_some(()) }).await;
    platform.client.delete(&name).await.unwrap();
    platform.deploy("f", &[("function.py", "def handler(event):\n    print('new')\n")]).await;
    assert_eq!(late.await.unwrap().unwrap().status(), 200, "what ran is finished");
    platform.value("f", "{}").await;
    eventually("the new one's line is there", || async { logs().await.contains("new").then_some(()) })
        .await;
    let logs = logs().await;
    assert!(!logs.contains("old"), "{logs}");
    platform.stop().await;
}

crate::on_stack! { @ sqlite_embedded_docker: an_image_made_for_a_function_goes_with_it }

async fn an_image_made_for_a_function_goes_with_it(platform: &TestPlatform) {
    let manifest = ("cloudfunc.toml", "package = \"image\"\n");
    let name = format!("boxed_{}", std::process::id());
    let built = platform.deploy(&name, &[("function.py", &code(1)), manifest]).await;
    let is_there = async || {
        let mut docker = tokio::process::Command::new("docker");
        docker.args(["image", "inspect", &built.image]).output().await.unwrap().status.success()
    };
    assert_eq!(platform.value(&name, "{}").await, "1");
    assert!(is_there().await);
    platform.client.delete(&name.parse().unwrap()).await.unwrap();
    eventually("the image is gone", || async { (!is_there().await).then_some(()) }).await;
}
