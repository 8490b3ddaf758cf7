//! `audit-log`: who changed something, or was refused, in the order in which it happened.

use cloudfunc::model::{AuditOutcome, NewAuditEntry, TokenRole};
use serde_json::json;

use super::{lines, made, with_token};
use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform},
};

on_stack! {
    light:
    changes_are_printed_in_the_order_in_which_they_happened
    refusals_are_printed_with_the_token_that_was_refused
    what_a_caller_is_called_cannot_fake_an_entry
    more_entries_than_a_page_has_are_read_page_by_page
}

/// The lines without their times.
fn without_times(stdout: &str) -> Vec<String> {
    let entries = stdout.lines().map(|line| {
        let (time, rest) = line.split_once(' ').unwrap();
        time.parse::<jiff::Timestamp>().unwrap();
        rest.to_owned()
    });
    entries.collect()
}

async fn changes_are_printed_in_the_order_in_which_they_happened(platform: &TestPlatform) {
    let (code, stdout, stderr) = platform.cli(&["audit-log"]).await;
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert_eq!(stderr, "nothing was changed or refused yet\nnext: cloudfunc list\n");
    let token = made(platform, "ci", &["--role", "admin"]).await;
    made(platform, "other", &["--role", "invoke"]).await;
    let (code, ..) = with_token(platform, &token, &["token", "revoke", "other", "--yes"]).await;
    assert_eq!(code, 0);
    let (code, stdout, stderr) = platform.cli(&["audit-log"]).await;
    assert_eq!((code, stderr.as_str()), (0, "next: cloudfunc audit-log --refused\n"));
    let told = without_times(&stdout);
    assert_eq!(told.len(), 3, "{stdout}");
    assert!(told[0].starts_with("done    token-create ci by token file"), "{stdout}");
    assert!(told[1].starts_with("done    token-create other by token file"), "{stdout}");
    assert_eq!(told[2], "done    token-revoke other by token ci (admin) from 127.0.0.1");
    for (arguments, first, count) in [
        (&["--tail", "1"][..], &told[2], 1),
        (&["--action", "token-create"], &told[0], 2),
        (&["--target", "other"], &told[1], 2),
        (&["--caller", "token ci"], &told[2], 1),
        (&["--caller", "ci"], &told[2], 1),
        (&["--done", "--since", "1h"], &told[0], 3),
    ] {
        let (code, stdout, _) = platform.cli(&[&["audit-log"], arguments].concat()).await;
        let printed = without_times(&stdout);
        assert_eq!((code, printed.len(), &printed[0]), (0, count, first), "{arguments:?}");
    }
    let (_, stdout, stderr) = platform.cli(&["audit-log", "--caller", "nobody"]).await;
    assert_eq!(stdout, "");
    assert_eq!(
        stderr,
        "no entry matches; callers are tokens (ci), or as the log has them ('token ci', 'oidc ann')\n\
         next: cloudfunc audit-log\n"
    );
    let (_, stdout, stderr) = platform.cli(&["audit-log", "--json"]).await;
    let items = lines(&stdout);
    assert_eq!((items.len(), stderr.as_str()), (3, ""));
    assert_eq!((&items[2]["caller"], &items[2]["outcome"]), (&json!("token ci"), &json!("done")));
    assert!(items[0]["id"].as_i64() < items[1]["id"].as_i64(), "{stdout}");
    assert!(!stdout.contains(&token), "{stdout}");
}

async fn refusals_are_printed_with_the_token_that_was_refused(platform: &TestPlatform) {
    let token = made(platform, "ci", &["--role", "deploy"]).await;
    assert_eq!(with_token(platform, &token, &["token", "list"]).await.0, 6);
    assert_eq!(with_token(platform, "cf_nobodys", &["list"]).await.0, 6);
    eventually("the refusals are stored", || async {
        let (code, stdout, stderr) = platform.cli(&["audit-log", "--refused"]).await;
        assert_eq!(code, 0, "{stderr}");
        let told = without_times(&stdout);
        let next = if told.is_empty() { "cloudfunc audit-log" } else { "cloudfunc token list" };
        assert_eq!(stderr.lines().last().unwrap(), format!("next: {next}"));
        let is_told = |start: &str| told.iter().any(|line| line.starts_with(start));
        let both = is_told("refused request by token ci (deploy) from 127.0.0.1")
            && is_told("refused request by unknown from 127.0.0.1");
        (both && !stdout.contains("cf_nobodys") && !stdout.contains(&token)).then_some(())
    })
    .await;
}

fn entry(caller: &str) -> NewAuditEntry {
    NewAuditEntry {
        caller: caller.to_owned(),
        role: Some(TokenRole::Deploy),
        from: None,
        action: "deploy".to_owned(),
        target: Some("hello".to_owned()),
        outcome: AuditOutcome::Done,
        detail: None,
        count: 1,
        age_ms: 0,
    }
}

async fn what_a_caller_is_called_cannot_fake_an_entry(platform: &TestPlatform) {
    let store = platform.store().await;
    let name = "oidc eve\n2026-01-31T12:00:00.000Z done    deploy x by token ci\x1b[2K";
    store.append_audit(&[entry(name)]).await.unwrap();
    store.close().await;
    let (_, stdout, _) = platform.cli(&["audit-log"]).await;
    assert_eq!(
        without_times(&stdout),
        [
            "done    deploy hello by oidc eve\\n2026-01-31T12:00:00.000Z done    deploy x by token ci\\x1b[2K (deploy)"
        ]
    );
    let (_, stdout, _) = platform.cli(&["audit-log", "--json"]).await;
    assert_eq!(lines(&stdout)[0]["caller"], name, "exact for programs");
}

async fn more_entries_than_a_page_has_are_read_page_by_page(platform: &TestPlatform) {
    let store = platform.store().await;
    let entries: Vec<_> = (0..1100).map(|number| entry(&format!("token t{number}"))).collect();
    store.append_audit(&entries[..100]).await.unwrap();
    let printed = async |arguments: &[&str]| {
        let (code, stdout, stderr) = platform.cli(&[&["audit-log"], arguments].concat()).await;
        assert_eq!(code, 0, "{stderr}");
        (without_times(&stdout), stderr)
    };
    let (whole, stderr) = printed(&[]).await;
    assert_eq!((whole.len(), stderr.contains("older")), (100, false), "{stderr}");
    store.append_audit(&entries[100..]).await.unwrap();
    store.close().await;
    let (usual, stderr) = printed(&[]).await;
    assert_eq!(
        (usual.len(), usual.last().unwrap().as_str()),
        (100, "done    deploy hello by token t1099 (deploy)")
    );
    assert!(
        stderr.starts_with("older entries are not shown; --tail 1000 shows more of them\n"),
        "{stderr}"
    );
    let (all, stderr) = printed(&["--tail", "2000"]).await;
    assert_eq!((all.len(), all[0].as_str()), (1100, "done    deploy hello by token t0 (deploy)"));
    assert!(!stderr.contains("older"), "{stderr}");
    let (most, _) = printed(&["--tail", "1050"]).await;
    assert_eq!((most.len(), &most[0]), (1050, &all[50]));
}
