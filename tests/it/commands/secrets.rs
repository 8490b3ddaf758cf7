//! `secret`: where a value comes from, which functions get it, and what is said of it. That it is nowhere in clear is the
//! matter of other tests.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use super::{fed, made, pipe, with_token};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
        terminal::{answered, answered_hidden, interrupted_at},
    },
};

on_stack! {
    light:
    a_secret_from_stdin_is_what_the_function_finds_in_its_environment
    a_functions_own_secret_comes_before_that_of_all_functions
    a_value_is_asked_for_on_a_terminal_and_not_shown
    ctrl_c_at_a_hidden_question_leaves_a_terminal_that_shows_what_is_typed
    secrets_are_listed_without_their_values
    a_secret_that_a_function_gets_is_deleted_with_force_only
    what_is_no_value_is_refused_before_it_is_sent
    a_token_for_some_functions_sets_their_secrets_only
    the_secrets_of_a_function_that_is_deleted_are_told_of
}

const SHOP: &str = "import os\n\ndef handler(event):\n    return os.environ['API_KEY']\n";
const MANIFEST: &str = "secrets = ['API_KEY']\n";

/// Waits until calls of the function are answered with this value of its secret.
async fn answers(platform: &TestPlatform, value: &str) {
    eventually("the function has the value", || async {
        (platform.value("shop", "{}").await == value).then_some(())
    })
    .await;
}

async fn a_secret_from_stdin_is_what_the_function_finds_in_its_environment(platform: &TestPlatform) {
    let (code, stdout, stderr) = fed(platform, &["secret", "set", "API_KEY"], pipe(b"hunter2\n")).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "set API_KEY\n"), "{stderr}");
    assert_eq!(
        stderr,
        "value from stdin: 7 bytes, without the line end after it\n\
         no function gets it yet: name it in a manifest, secrets = [\"API_KEY\"], and deploy\n\
         next: cloudfunc secret list\n"
    );
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    assert_eq!(platform.value("shop", "{}").await, "hunter2");
    let rotate = ["secret", "rotate", "API_KEY"];
    let (code, stdout, stderr) = fed(platform, &rotate, pipe(b"other")).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "replaced the value of API_KEY\n"), "{stderr}");
    assert_eq!(
        stderr,
        "value from stdin: 5 bytes\n\
         shop gets it: its instances that have an earlier value are replaced\n\
         next: cloudfunc invoke shop\n"
    );
    answers(platform, "other").await;
    let keeping = ["secret", "set", "API_KEY", "--keep-newline", "--json"];
    let (code, stdout, stderr) = fed(platform, &keeping, pipe(b"kept\n")).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document, json!({"name": "API_KEY", "replaced": true, "used_by": ["shop"]}));
    answers(platform, "kept\n").await;
    // To rotate is to replace.
    let missing = ["secret", "rotate", "API_KEYS", "--json"];
    let (code, stdout, stderr) = fed(platform, &missing, pipe(b"x")).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, stdout.as_str(), &error["code"]), (Some(2), "", &json!("secret_not_found")));
}

async fn a_functions_own_secret_comes_before_that_of_all_functions(platform: &TestPlatform) {
    let set = async |function: &[&str], value: &[u8]| {
        let command = [&["secret", "set", "API_KEY", "--quiet"], function].concat();
        let (code, stdout, stderr) = fed(platform, &command, pipe(value)).await;
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        stdout
    };
    assert_eq!(set(&[], b"of all").await, "set API_KEY\n");
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    answers(platform, "of all").await;
    assert_eq!(set(&["--function", "shop"], b"its own").await, "set API_KEY of shop\n");
    answers(platform, "its own").await;
    let (_, _, stderr) = fed(platform, &["secret", "set", "API_KEY"], pipe(b"of all")).await;
    assert!(stderr.contains("no function gets it: shop names it, and has its own\n"), "{stderr}");
    let (_, stdout, _) = platform.cli(&["show", "shop"]).await;
    assert!(stdout.contains("\nsecrets       API_KEY (set for shop)\n"), "{stdout}");
    let deleted =
        platform.cli(&["secret", "rm", "API_KEY", "--function", "shop", "--force", "--yes"]).await;
    assert_eq!((deleted.0, deleted.1.as_str()), (0, "deleted API_KEY of shop\n"), "{}", deleted.2);
    let told = "it was used by shop: instances get the API_KEY of all functions now\nnext: cloudfunc secret list\n";
    assert_eq!(deleted.2, told);
    answers(platform, "of all").await;
}

async fn a_value_is_asked_for_on_a_terminal_and_not_shown(platform: &TestPlatform) {
    let set = || platform.command(&["--color", "never", "secret", "set", "API_KEY"]);
    let [first, again] = ["Value of API_KEY: ", "Value of API_KEY, again: "];
    let shown = answered_hidden(set(), [(first, "hunter2\n"), (again, "hunter3\n")]).await;
    assert!(shown.contains("error: the two values differ; nothing was set"), "{shown:?}");
    let shown = answered_hidden(set(), [(first, "\n")]).await;
    assert!(shown.contains("error: the value is empty"), "{shown:?}");
    let (_, listed, _) = platform.cli(&["secret", "list"]).await;
    assert_eq!(listed, "", "nothing was set");
    // What cannot be done is said before a value is typed.
    let rotate = platform.command(&["--color", "never", "secret", "rotate", "NOPE"]);
    let shown = answered(rotate, "Value of NOPE", "x\n").await;
    assert!(shown.starts_with("error: there is no secret NOPE\r\nhint: "), "{shown:?}");
    let mut stranger = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
    stranger
        .env_clear()
        .env("HOME", platform.platform.data_dir.parent().unwrap())
        .env("CLOUDFUNC_URL", format!("http://{}", platform.platform.addresses.gateway))
        .env("CLOUDFUNC_TOKEN", "cf_none")
        .args(["--color", "never", "secret", "set", "API_KEY"]);
    let shown = answered(stranger, first, "x\n").await;
    assert!(shown.starts_with("error: the platform at ") && !shown.contains(first), "{shown:?}");
    let shown = answered_hidden(set(), [(first, "hunter2\n"), (again, "hunter2\n")]).await;
    assert!(shown.contains("set API_KEY\r\n") && !shown.contains("hunter"), "{shown:?}");
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    assert_eq!(platform.value("shop", "{}").await, "hunter2");
}

async fn ctrl_c_at_a_hidden_question_leaves_a_terminal_that_shows_what_is_typed(
    platform: &TestPlatform,
) {
    let set = platform.command(&["secret", "set", "API_KEY"]);
    let (code, is_shown) = interrupted_at(set, "Value of API_KEY: ").await;
    assert_eq!((code, is_shown), (Some(130), true));
}

async fn secrets_are_listed_without_their_values(platform: &TestPlatform) {
    let (code, stdout, stderr) = platform.cli(&["secret", "list"]).await;
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert_eq!(stderr, "no secrets yet\nnext: cloudfunc secret set API_KEY\n");
    fed(platform, &["secret", "set", "API_KEY"], pipe(b"hunter2")).await;
    fed(platform, &["secret", "set", "DB", "--function", "shop"], pipe(b"hunter2")).await;
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    let (code, stdout, stderr) = platform.cli(&["secret", "ls"]).await;
    assert_eq!((code, stderr.as_str()), (0, "next: cloudfunc secret rotate NAME\n"));
    let words: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "FUNCTION", "SET", "BY", "KEY", "USED", "BY"]);
    assert_eq!((words[1][..2].to_vec(), words[1].last()), (vec!["API_KEY", "(all)"], Some(&"shop")));
    assert_eq!((words[2][..2].to_vec(), words[2].last()), (vec!["DB", "shop"], Some(&"-")));
    let (_, stdout, stderr) = platform.cli(&["secret", "list", "--function", "cart"]).await;
    assert_eq!(stdout, "");
    let none =
        "no secrets were set for cart alone\nnext: cloudfunc secret set API_KEY --function cart\n";
    assert_eq!(stderr, none);
    let (_, stdout, _) = platform.cli(&["secret", "list", "--json"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let item = &document["items"][0];
    assert_eq!((&item["name"], &item["key_is_here"]), (&json!("API_KEY"), &json!(true)));
    assert_eq!(item["used_by"], json!(["shop"]));
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

async fn a_secret_that_a_function_gets_is_deleted_with_force_only(platform: &TestPlatform) {
    fed(platform, &["secret", "set", "API_KEY"], pipe(b"hunter2")).await;
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    let (code, stdout, stderr) = platform.cli(&["secret", "delete", "API_KEY"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(stderr, "error: deleting API_KEY needs --yes without a terminal to ask on\n");
    let (code, stdout, stderr) = platform.cli(&["secret", "delete", "API_KEY", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with("error: ") && stderr.contains("shop") && stderr.contains("--force"),
        "{stderr}"
    );
    let ask_nothing = platform.command(&["--color", "never", "secret", "delete", "API_KEY"]);
    let shown = answered(ask_nothing, "no such question", "").await;
    let refused = "error: API_KEY is used by shop\r\n\
                   hint: deploy it without the secret first, or delete the secret all the same with --force\r\n";
    assert_eq!(shown, refused);
    let delete = || platform.command(&["--color", "never", "secret", "delete", "API_KEY", "--force"]);
    let question = "Delete API_KEY, which is used by shop?";
    let shown = answered(delete(), question, "n").await;
    assert!(shown.contains("nothing was deleted"), "{shown:?}");
    let shown = answered(delete(), question, "y").await;
    let told = "deleted API_KEY\r\nit was used by shop: instances need another API_KEY to start\r\n\
                next: cloudfunc secret list\r\n";
    assert!(shown.contains(told), "{shown:?}");
    let (code, _, stderr) = platform.cli(&["secret", "delete", "API_KEY", "--yes", "--json"]).await;
    let error: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, &error["code"]), (2, &json!("secret_not_found")));
    fed(platform, &["secret", "set", "OTHER"], pipe(b"x")).await;
    let (code, stdout, stderr) = platform.cli(&["secret", "delete", "OTHER", "--yes", "--json"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document, json!({"deleted": {"name": "OTHER"}, "used_by": []}));
}

async fn what_is_no_value_is_refused_before_it_is_sent(platform: &TestPlatform) {
    let large = tempfile::NamedTempFile::new().unwrap();
    let most = 64 * 1024;
    fs::write(large.path(), vec![b'x'; most + 1]).unwrap();
    let set = async |arguments: &[&str], stdin: std::process::Stdio| {
        let (code, stdout, stderr) =
            fed(platform, &[&["secret", "set"], arguments].concat(), stdin).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        stderr
    };
    let file = || fs::File::open(large.path()).unwrap();
    let too_large = "error: the value has more than 64 KiB, the most of a secret\n\
                     hint: encrypt larger data, deploy it with the function, and keep its key as the secret\n";
    assert_eq!(set(&["KEY"], file().into()).await, too_large);
    let empty = "error: the value is empty\n\
                 hint: `cloudfunc secret set` reads the value from stdin; `cloudfunc secret delete` deletes a secret\n";
    assert_eq!(set(&["KEY"], pipe(b"\n").into()).await, empty);
    assert_eq!(set(&["KEY"], std::process::Stdio::null()).await, empty);
    let no_text = "error: the value has a NUL byte, which an environment variable cannot hold\n\
                   hint: encode it, as base64 for example, and decode it in the function\n";
    assert_eq!(set(&["KEY"], pipe(b"a\0b").into()).await.split_once('\n').unwrap().1, no_text);
    let as_argument = "error: the value of a secret does not belong on the command line: other users of the machine and the \
                       shell's history can see it\n\
                       hint: on a terminal, `cloudfunc secret set NAME` asks for the value; elsewhere the value comes from \
                       stdin\n";
    assert_eq!(set(&["KEY", "hunter2"], pipe(b"x").into()).await, as_argument);
    assert_eq!(set(&["KEY=hunter2"], pipe(b"x").into()).await, as_argument);
    assert_eq!(set(&["KEY", "--value", "hunter2"], pipe(b"x").into()).await, as_argument);
    assert_eq!(set(&["KEY", "--value=hunter2"], pipe(b"x").into()).await, as_argument);
    let (_, listed, _) = platform.cli(&["secret", "list"]).await;
    assert_eq!(listed, "");
    // As large as it may be, with the line end of another system after it.
    fs::write(large.path(), [&vec![b'x'; most][..], b"\r\n"].concat()).unwrap();
    let (code, stdout, stderr) = fed(platform, &["secret", "set", "KEY"], file()).await;
    assert_eq!((code, stdout.as_str()), (Some(0), "set KEY\n"), "{stderr}");
}

async fn a_token_for_some_functions_sets_their_secrets_only(platform: &TestPlatform) {
    let token = made(platform, "ci", &["--role", "deploy", "--function", "shop"]).await;
    fed(platform, &["secret", "set", "API_KEY"], pipe(b"hunter2")).await;
    let (code, stdout, stderr) =
        with_token(platform, &token, &["secret", "list", "--function", "shop"]).await;
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    for function in [&[] as &[&str], &["--function", "cart"]] {
        let (code, stdout, stderr) =
            with_token(platform, &token, &[&["secret", "list"], function].concat()).await;
        assert_eq!((code, stdout.as_str()), (6, ""), "{stderr}");
        assert!(stderr.ends_with("the token is that of CLOUDFUNC_TOKEN\n"), "{stderr}");
    }
}

async fn the_secrets_of_a_function_that_is_deleted_are_told_of(platform: &TestPlatform) {
    let own = ["secret", "set", "API_KEY", "--function", "shop"];
    fed(platform, &own, pipe(b"hunter2")).await;
    fed(platform, &["secret", "set", "API_KEY"], pipe(b"hunter2")).await;
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    let delete = platform.command(&["--color", "never", "delete", "shop"]);
    let shown = answered(delete, "Delete shop with all its revisions?", "n").await;
    assert!(shown.contains("shop: its 1 secret would be deleted, too\r\n"), "{shown:?}");
    let (code, stdout, stderr) = platform.cli(&["delete", "shop", "--yes"]).await;
    assert_eq!((code, stdout.as_str()), (0, "deleted shop and its 1 secret\n"), "{stderr}");
    let (_, listed, _) = platform.cli(&["secret", "list"]).await;
    assert_eq!(listed.lines().count(), 2, "that of all functions stays: {listed}");
}

/// Writes the file of keys, the newest first.
fn write_keys(platform: &TestPlatform, keys: &[&str]) {
    let path = platform.platform.data_dir.join("secret-key");
    fs::write(&path, keys.join("\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn secrets_are_encrypted_with_a_new_key_and_the_old_one_can_go() {
    let test = "commands::secrets::secrets_are_encrypted_with_a_new_key_and_the_old_one_can_go";
    let Some(mut platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let (code, stdout, _) = platform.cli(&["secret", "rotate", "--key"]).await;
    assert_eq!(code, 0);
    assert!(stdout.starts_with("no secret was encrypted; the newest key is "), "{stdout}");
    fed(&platform, &["secret", "set", "API_KEY"], pipe(b"hunter2")).await;
    let (_, stdout, stderr) = platform.cli(&["secret", "rotate", "--key"]).await;
    assert!(stdout.starts_with("1 secret is already encrypted with the newest key, "), "{stdout}");
    assert_eq!(stderr, "next: cloudfunc secret list\n");
    let first = fs::read_to_string(platform.platform.data_dir.join("secret-key")).unwrap();
    let second = "5a".repeat(32);
    write_keys(&platform, &[&second, first.trim()]);
    platform.restart().await;
    let (_, stdout, stderr) = platform.cli(&["secret", "rotate", "--key"]).await;
    assert!(stdout.starts_with("1 secret is now encrypted with the key "), "{stdout}");
    assert_eq!(
        stderr,
        "older keys are needed only for backups from before: elsewhere their lines can be removed\n\
         next: cloudfunc secret list\n"
    );
    write_keys(&platform, &[&second]);
    platform.restart().await;
    platform.deploy("shop", &[("function.py", SHOP), ("cloudfunc.toml", MANIFEST)]).await;
    assert_eq!(platform.value("shop", "{}").await, "hunter2");
    // A host without the key says so.
    write_keys(&platform, &[first.trim()]);
    platform.restart().await;
    let (code, stdout, stderr) = platform.cli(&["secret", "list"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.lines().nth(1).unwrap().contains(" (missing)  "), "{stdout}");
    assert_eq!(
        stderr,
        "warning: the host that answered does not have the key of API_KEY: functions that get it are not started there\n\
         hint: add the line of each key that is missing to the host's key file (`secret-key` in its data folder, or that \
         of --secret-key-file), and restart its platform\n\
         next: cloudfunc secret rotate NAME\n"
    );
    let (code, _, stderr) = platform.cli(&["secret", "rotate", "--key"]).await;
    assert_eq!(code, 3);
    let left = "error: 1 secret is not encrypted with the newest key: the host that answered does not have the key of API_KEY\n\
                hint: do not remove a key yet: add the missing key";
    assert!(stderr.starts_with(left), "{stderr}");
    platform.stop().await;
}
