//! `token`: made, listed, rotated and revoked, what is said beside, and what a token that is refused is told.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio};

use serde_json::{Value, json};

use super::{lines, made, with_token};
use crate::{
    on_stack,
    support::{eventually, platform::TestPlatform, terminal::answered},
};

on_stack! {
    light:
    a_token_is_the_one_line_of_stdout_and_what_it_may_do_is_said_beside
    a_token_that_nobody_could_read_is_an_error
    tokens_are_listed_with_what_they_may_do
    a_revoked_token_is_refused
    revoking_asks_on_a_terminal_and_names_what_it_would_revoke
    names_are_checked_before_the_first_token_is_revoked
    a_rotated_token_has_another_value
    a_token_that_is_refused_is_told_with_its_source
    a_token_that_only_invokes_is_shown_what_it_may_see
}

async fn a_token_is_the_one_line_of_stdout_and_what_it_may_do_is_said_beside(platform: &TestPlatform) {
    let create = ["token", "create", "ci", "--role", "deploy"];
    let (code, stdout, stderr) = platform.cli(&create).await;
    assert_eq!(code, 0, "{stderr}");
    let token = stdout.strip_suffix('\n').unwrap();
    assert!(token.starts_with("cf_") && token.len() == 46 && !token.contains('\n'), "{stdout:?}");
    assert_eq!(
        stderr,
        "made token 'ci' (role deploy): it may deploy and call functions, read logs and set secrets\n\
         it does not expire; with --expires 90d a token ends by itself\n\
         the token is not shown again\n\
         next: CLOUDFUNC_TOKEN=… cloudfunc list\n"
    );
    let (code, _, stderr) = with_token(platform, token, &["list"]).await;
    assert_eq!(
        (code, stderr.as_str()),
        (0, "no functions yet that this token is for\nnext: cloudfunc init hello\n")
    );
    // The name is taken.
    let (code, stdout, stderr) = platform.cli(&create).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: there is a token 'ci' already\nhint: "), "{stderr}");
    // Who says that it does not expire is not told so.
    let never = ["token", "create", "ever", "--role", "admin", "--expires", "never"];
    let (_, _, stderr) = platform.cli(&never).await;
    assert_eq!(
        stderr,
        "made token 'ever' (role admin): it may do everything\nthe token is not shown again\n\
         next: CLOUDFUNC_TOKEN=… cloudfunc list\n"
    );
    let limited = ["--role", "invoke", "--function", "team_*", "--function", "shop", "--expires", "90d"];
    let limited = [&["token", "create", "some", "--rate-limit", "100/s"], &limited[..]].concat();
    let (_, _, stderr) = platform.cli(&limited).await;
    let start = "made token 'some' (role invoke): it may call functions and read their results; only functions team_*, \
                 shop; at most 100/s; until 20";
    assert!(stderr.starts_with(start), "{stderr}");
    let (code, stdout, stderr) =
        platform.cli(&["token", "create", "j", "--role", "invoke", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&document["name"], &document["role"]), (&json!("j"), &json!("invoke")));
    assert!(document["token"].as_str().unwrap().starts_with("cf_"), "{stdout}");
}

async fn a_token_that_nobody_could_read_is_an_error(platform: &TestPlatform) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut create = platform.command(&["token", "create", "lost", "--role", "invoke"]);
    // `output()` would give it a pipe of its own.
    create.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    let output = create.spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: the value of token 'lost' could not be written, and it is not kept\n\
         hint: `cloudfunc token rotate lost` gives it a new value\n"
    );
}

async fn tokens_are_listed_with_what_they_may_do(platform: &TestPlatform) {
    let list = async || platform.cli(&["token", "list"]).await;
    let (code, stdout, stderr) = list().await;
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert_eq!(
        stderr,
        "no tokens yet, besides the file `token` of each host\n\
         next: cloudfunc token create ci --role deploy --expires 90d\n"
    );
    made(platform, "a", &["--role", "invoke", "--function", "team_*", "--function", "shop"]).await;
    made(platform, "b", &["--role", "admin", "--expires", "90d"]).await;
    let (_, stdout, stderr) = list().await;
    let rows: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        rows[0].split_whitespace().collect::<Vec<_>>().join(" "),
        "NAME ROLE FUNCTIONS EXPIRES LAST USED"
    );
    assert!(rows[1].starts_with("a     invoke  team_*, shop  never"), "{stdout}");
    assert!(rows[2].starts_with("b     admin   all           20"), "{stdout}");
    assert!(rows[1].ends_with("  never") && rows.len() == 3, "never used: {stdout}");
    assert_eq!(stderr, "next: cloudfunc token rotate NAME\n");
    made(platform, "c", &["--role", "invoke", "--expires", "1s"]).await;
    eventually("it expires", || async {
        let (_, stdout, stderr) = list().await;
        let is_marked = stdout.lines().nth(3).unwrap().contains("  expired  ");
        (is_marked && stderr == "next: cloudfunc token revoke c\n").then_some(())
    })
    .await;
    made(platform, "d", &["--role", "invoke", "--rate-limit", "100/s"]).await;
    let (_, stdout, _) = list().await;
    let rows: Vec<&str> = stdout.lines().collect();
    assert!(rows[0].ends_with("  RATE LIMIT") && rows[1].ends_with("  none"), "{stdout}");
    assert!(rows[4].ends_with("  100/s"), "{stdout}");
    let (_, stdout, _) = platform.cli(&["token", "ls", "--json"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let told: Vec<_> = document["items"].as_array().unwrap().iter().map(|one| &one["expired"]).collect();
    assert_eq!(told, [&json!(false), &json!(false), &json!(true), &json!(false)], "{stdout}");
    assert!(!stdout.contains("cf_"), "{stdout}");
}

async fn a_token_that_only_invokes_is_shown_what_it_may_see(platform: &TestPlatform) {
    platform.deploy("hello", &[("function.py", "def handler(event):\n    return 'x'\n")]).await;
    let token = made(platform, "ci", &["--role", "invoke"]).await;
    let (code, stdout, stderr) = with_token(platform, &token, &["show", "hello"]).await;
    assert_eq!(
        (code, stderr.as_str()),
        (
            0,
            "revisions and instances are for tokens with the role deploy, and left out here\n\
             next: cloudfunc invoke hello\n"
        )
    );
    assert!(stdout.starts_with("name          hello\n") && !stdout.contains("REVISION"), "{stdout}");
    let (_, stdout, _) = with_token(platform, &token, &["show", "hello", "--json"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&document["function"]["name"], &document["revisions"]), (&json!("hello"), &Value::Null));
    let (code, ..) = with_token(platform, &token, &["show", "hello", "--revision", "1"]).await;
    assert_eq!(code, 6, "a revision is for others");
}

/// Waits until the token is refused: what the command that was says on stderr.
async fn refused(platform: &TestPlatform, token: &str) -> String {
    eventually("the token is refused", || async {
        let (code, _, stderr) = with_token(platform, token, &["list"]).await;
        (code == 6).then_some(stderr)
    })
    .await
}

async fn a_revoked_token_is_refused(platform: &TestPlatform) {
    let token = made(platform, "ci", &["--role", "invoke"]).await;
    assert_eq!(with_token(platform, &token, &["list"]).await.0, 0);
    let (code, stdout, stderr) = platform.cli(&["token", "revoke", "ci"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(stderr, "error: revoking ci needs --yes without a terminal to ask on\n");
    let (code, stdout, stderr) = platform.cli(&["token", "revoke", "ci", "--yes"]).await;
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "revoked ci\n", "next: cloudfunc token list\n")
    );
    refused(platform, &token).await;
    // A second time there is none of this name.
    let (code, stdout, stderr) = platform.cli(&["token", "rm", "ci", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: ci was not revoked: there is no token 'ci'\nhint: "), "{stderr}");
}

async fn revoking_asks_on_a_terminal_and_names_what_it_would_revoke(platform: &TestPlatform) {
    made(platform, "ci", &["--role", "deploy", "--function", "shop"]).await;
    let revoke = || platform.command(&["--color", "never", "token", "revoke", "ci"]);
    let told = "ci: role deploy, functions shop, never used\r\n";
    let shown = answered(revoke(), "Revoke ci?", "n").await;
    assert!(shown.contains(told) && shown.contains("nothing was revoked"), "{shown:?}");
    let unknown = platform.command(&["--color", "never", "token", "delete", "nosuch"]);
    let shown = answered(unknown, "Revoke nosuch?", "y").await;
    assert!(shown.starts_with("error: there is no token 'nosuch'\r\n"), "{shown:?}");
    let shown = answered(revoke(), "Revoke ci?", "y").await;
    assert!(shown.contains(told) && shown.contains("revoked ci\r\n"), "{shown:?}");
}

async fn names_are_checked_before_the_first_token_is_revoked(platform: &TestPlatform) {
    for name in ["one", "deployer"] {
        made(platform, name, &["--role", "invoke"]).await;
    }
    let (code, stdout, stderr) = platform.cli(&["token", "revoke", "one", "deployr", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(
        stderr,
        "error: nothing was revoked: there is no token 'deployr'\nhint: did you mean 'deployer'?\n"
    );
    let (code, _, stderr) = platform.cli(&["token", "revoke", "deployr", "--yes", "--json"]).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, &error["code"]), (2, &json!("token_not_found")));
    assert_eq!(error["hint"], "did you mean 'deployer'?");
    let both = ["token", "revoke", "one", "deployer", "one", "--yes", "--json"];
    let (code, stdout, stderr) = platform.cli(&both).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        lines(&stdout),
        [json!({"revoked": "one", "error": null}), json!({"revoked": "deployer", "error": null})]
    );
}

async fn a_rotated_token_has_another_value(platform: &TestPlatform) {
    let first = made(platform, "ci", &["--role", "invoke"]).await;
    let (code, stdout, stderr) = platform.cli(&["token", "rotate", "ci", "--keep-old", "1h"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        stderr,
        "token 'ci' has a new value; the previous one is accepted for 1h more, and values before that one are refused from \
         now on\n\
         the token is not shown again\n\
         next: CLOUDFUNC_TOKEN=… cloudfunc list\n"
    );
    let second = stdout.trim_end();
    assert_ne!(first, second);
    for token in [&first, second] {
        assert_eq!(with_token(platform, token, &["list"]).await.0, 0);
    }
    let (_, stdout, stderr) = platform.cli(&["token", "rotate", "ci"]).await;
    assert!(
        stderr.starts_with("token 'ci' has a new value; earlier ones are refused from now on\n"),
        "{stderr}"
    );
    assert_eq!(with_token(platform, stdout.trim_end(), &["list"]).await.0, 0);
    for token in [&first, second] {
        refused(platform, token).await;
    }
    let (code, stdout, stderr) = platform.cli(&["token", "rotate", "nobody"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: there is no token 'nobody'\nhint: "), "{stderr}");
}

async fn a_token_that_is_refused_is_told_with_its_source(platform: &TestPlatform) {
    let address = format!("http://{}", platform.platform.addresses.gateway);
    let token = made(platform, "ci", &["--role", "deploy"]).await;
    // A role that may not do this.
    let (code, stdout, stderr) = with_token(platform, &token, &["token", "list"]).await;
    assert_eq!((code, stdout.as_str()), (6, ""));
    assert!(stderr.starts_with(&format!("error: the platform at {address}: ")), "{stderr}");
    assert!(
        stderr.contains("admin") && stderr.ends_with("the token is that of CLOUDFUNC_TOKEN\n"),
        "{stderr}"
    );
    let (_, _, stderr) = with_token(platform, &token, &["token", "list", "--json"]).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((&error["code"], &error["fault"]), (&json!("forbidden"), &json!("caller")));
    // One that has expired.
    let short = made(platform, "short", &["--role", "invoke", "--expires", "1s"]).await;
    let stderr = refused(platform, &short).await;
    assert!(stderr.contains("the token 'short' expired at 20"), "{stderr}");
    let source = "the token is that of CLOUDFUNC_TOKEN: without it commands send the token of a platform of this machine \
                  by themselves\n";
    assert!(stderr.ends_with(source), "{stderr}");
    // One that config.toml names.
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/cloudfunc");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), format!("url = '{address}'\ntoken_file = 'mine'\n")).unwrap();
    fs::write(folder.join("mine"), "cf_none").unwrap();
    fs::set_permissions(folder.join("mine"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut list = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
    let output = list.env_clear().env("HOME", home.path()).arg("list").output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    let source =
        format!("; the token is that of {}, as config.toml says", folder.join("mine").display());
    assert!(stderr.contains(&source), "{stderr}");
}
