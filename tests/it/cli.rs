//! The command line where it needs no platform: help, usage errors, local checks, exit codes.

mod folders;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use assert_cmd::Command;
use predicates::prelude::*;
use tempfile::TempDir;

/// An empty folder to work in, which is also the user's home.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.ends_with("token") {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        self
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The binary with nothing of the developer's own environment, and no platform to talk to.
    fn cloudfunc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("cloudfunc").unwrap();
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("CLOUDFUNC_URL", "http://127.0.0.1:9").args(arguments);
        command
    }

    /// The same as a plain command.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.args(arguments);
        command
    }

    /// Runs, expects the exit code and all of stderr, and answers with stdout.
    fn run(&self, arguments: &[&str], code: i32, stderr: &str) -> String {
        let ran = self.cloudfunc(arguments).assert().code(code).stderr(stderr.to_owned());
        String::from_utf8(ran.get_output().stdout.clone()).unwrap()
    }
}

const NOT_REACHABLE: &str = "error: no platform answers at http://127.0.0.1:9: Connection refused (os error 111)\n\
                             hint: is the platform running? start it with `cloudfunc up` or `cloudfunc up --embedded`\n";

#[test]
fn help_and_version_are_on_stdout() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["--version"], 0, ""), format!("cloudfunc {}\n", env!("CARGO_PKG_VERSION")));
    let help = desk.run(&["--help"], 0, "");
    for command in [
        "init",
        "deploy",
        "invoke",
        "bench",
        "logs",
        "list",
        "show",
        "ps",
        "rollback",
        "delete",
        "invocation",
        "token",
        "secret",
        "audit-log",
        "prune",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is missing:\n{help}");
        desk.cloudfunc(&[command, "--help"]).assert().success();
    }
}

#[test]
fn aliases_are_in_the_help() {
    let help = Desk::new().run(&["--help"], 0, "");
    for (command, alias) in [("list", "ls"), ("delete", "rm")] {
        let line = help.lines().find(|line| line.starts_with(&format!("  {command} "))).unwrap();
        assert!(line.contains(&format!("[alias: {alias}]")), "{line}");
    }
    assert!(help.contains("\n  ps "), "{help}");
}

#[test]
fn a_full_or_closed_stdout_is_no_panic() {
    let desk = Desk::new();
    for arguments in [&["--help"][..], &["invoke", "--help"], &["--version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = desk.command(arguments);
        let output = command.stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.starts_with("error: cannot write to stdout: No space left"), "{stderr}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = desk.command(arguments).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    }
}

#[test]
fn without_arguments_the_help_is_shown() {
    let desk = Desk::new();
    desk.cloudfunc(&[]).assert().code(2).stderr(predicate::str::contains("Usage: cloudfunc"));
}

#[test]
fn usage_errors_exit_2() {
    let desk = Desk::new();
    for (arguments, message) in [
        (vec!["deplyo"], "unrecognized subcommand 'deplyo'"),
        (vec!["invoke"], "<NAME>"),
        (
            vec!["invoke", "../etc"],
            "invalid function name '../etc': it has a character that is not allowed",
        ),
        (vec!["show", "Hello"], "invalid function name 'Hello': it has an upper-case letter"),
        (vec!["logs", "--since", "yesterday"], "write how long ago, for example 10m"),
        (vec!["logs", "--role", "boss"], "one of gateway, registry, scheduler, manager"),
        (vec!["logs", "f", "--role", "manager"], "cannot be used with"),
        (vec!["invocation", "show", "7"], "'7' is not an invocation id; give the whole id"),
        (vec!["invocation", "list", "--state", "done"], "unknown state 'done'; one of queued,"),
        (vec!["bench", "f", "-c", "0"], "a count of clients is a number from 1 to 1024"),
        (vec!["bench", "f", "-n", "0"], "0 is not in 1..=10000000"),
        (vec!["bench", "f", "-n", "5", "--duration", "5s"], "cannot be used with"),
        (vec!["bench", "f", "--duration", "5"], "invalid value '5' for '--duration <DURATION>'"),
        (
            vec!["bench", "f", "-d", "10s"],
            "'10s' is a duration, but -d is the payload, as in the other commands",
        ),
        (vec!["bench", "f", "-d", "10s"], "hint: to set the length: --duration 10s"),
        (vec!["invoke", "f", "1", "-d", "2"], "cannot be used with"),
        (vec!["run", "{\"a\":1}"], "hint: a payload comes after the folder: cloudfunc run . '{…}'"),
        (vec!["token", "create", "ci"], "--role <ROLE>"),
        (vec!["token", "create", "ci", "--role", "deplyo"], "tip: a similar value exists: 'deploy'"),
        (vec!["token", "create", "ci", "--role", "boss"], "[possible values: invoke, deploy, admin]"),
        (vec!["token", "create", "My Token", "--role", "invoke"], "invalid token name 'My Token'"),
        (
            vec!["token", "create", "ci", "--role", "invoke", "--function", "Team"],
            "'Team' has an upper-case letter, which no function's name has; write team",
        ),
        (
            vec!["token", "create", "ci", "--role", "invoke", "--expires", "90"],
            "'90' is neither a duration, for example 90d or 12h, nor never",
        ),
        (
            vec!["token", "create", "ci", "--role", "invoke", "--rate-limit", "100"],
            "'100' is not a rate",
        ),
        (
            vec!["token", "create", "ci", "--role", "admin", "--function", "shop"],
            "error: a token with the role admin is for all functions\nhint: leave out --function, or choose",
        ),
        (
            vec!["token", "rotate", "ci", "--keep-old", "8d"],
            "the previous value is accepted for at most 7d",
        ),
        (vec!["token", "revoke", "ci"], "revoking ci needs --yes without a terminal to ask on"),
        (
            vec!["secret", "set", "api-key"],
            "invalid secret name 'api-key': it has a character that is not",
        ),
        (vec!["secret", "set", "CLOUDFUNC_X"], "names that start with CLOUDFUNC_ are reserved"),
        (
            vec!["secret", "set", "KEY"],
            "error: the value is empty\nhint: `cloudfunc secret set` reads the value from stdin",
        ),
        (vec!["secret", "rotate"], "name the secret that gets a new value, or give --key"),
        (vec!["secret", "rotate", "KEY", "--key"], "cannot be used with"),
        (vec!["secret", "delete", "KEY"], "deleting KEY needs --yes without a terminal to ask on"),
        (vec!["audit-log", "--action", "delpoy"], "tip: a similar value exists: 'deploy'"),
        (vec!["audit-log", "--refused", "--done"], "cannot be used with"),
        (vec!["audit-log", "--tail", "0"], "write a number of entries from 1 to 1000000"),
        (vec!["list", "--quiet", "--verbose"], "cannot be used with"),
        (vec!["list", "--color", "blue"], "possible values: auto, always, never"),
    ] {
        let ran = desk.cloudfunc(&arguments).assert().code(2).stdout("");
        let stderr = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert!(stderr.contains(message), "{arguments:?}:\n{stderr}");
    }
}

#[test]
fn secrets_among_the_arguments_are_refused_and_not_repeated() {
    let desk = Desk::new();
    for (arguments, message) in [
        (
            vec!["secret", "set", "KEY", "hunter2"],
            "the value of a secret does not belong on the command line",
        ),
        (
            vec!["secret", "set", "KEY=hunter2"],
            "the value of a secret does not belong on the command line",
        ),
        (
            vec!["secret", "rotate", "KEY", "hunter2"],
            "the value of a secret does not belong on the command line",
        ),
        (vec!["secret", "set", "KEY", "--value", "hunter2"], "does not belong on the command line"),
        (
            vec!["run", ".", "--secret", "KEY=hunter2"],
            "--secret takes a name only: other users of the machine can see arguments\n\
             hint: the value is that of the environment variable of the same name",
        ),
        (
            vec!["list", "--url", "http://127.0.0.1:9/?token=hunter2"],
            "has more than a host and a path: a query",
        ),
        (
            vec!["list", "--url", "http://ada:hunter2@127.0.0.1:9"],
            "a host and a path: a user or a password",
        ),
    ] {
        let ran = desk.cloudfunc(&arguments).assert().code(2).stdout("");
        let stderr = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert!(stderr.contains(message) && !stderr.contains("hunter2"), "{arguments:?}:\n{stderr}");
    }
}

#[test]
fn with_json_every_error_is_one_json_document_on_stderr() {
    let desk = Desk::new();
    desk.write("typo/cloudfunc.toml", "timeuot = \"3s\"\n").write("typo/function.py", "");
    desk.write("empty/readme", "").write("good/function.py", "def handler(event): pass\n");
    for (arguments, exit, code, fault, detail) in [
        (vec!["deplyo"], 2, "usage", "caller", "unrecognized subcommand 'deplyo'"),
        (vec!["invoke"], 2, "usage", "caller", "required arguments were not provided: <NAME>"),
        (vec!["show", "Hello"], 2, "usage", "caller", "it has an upper-case letter"),
        (
            vec!["list", "--color", "blue"],
            2,
            "usage",
            "caller",
            "[possible values: auto, always, never]",
        ),
        (vec![], 2, "usage", "caller", "requires a subcommand"),
        (vec!["invocation"], 2, "usage", "caller", "a command is missing"),
        (vec!["delete", "f"], 2, "usage", "caller", "needs --yes"),
        (vec!["deploy", "typo"], 2, "invalid_manifest", "caller", "typo/cloudfunc.toml:1:1"),
        (vec!["deploy", "empty"], 2, "invalid_upload", "caller", "no function.py in the folder"),
        (vec!["deploy", "good"], 3, "not_reachable", "platform", "no platform answers at"),
        (vec!["list"], 3, "not_reachable", "platform", "no platform answers at"),
    ] {
        let ran = desk.cloudfunc(&[&["--json"], arguments.as_slice()].concat()).assert().code(exit);
        let stderr = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        let error: serde_json::Value = serde_json::from_str(&stderr)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stderr}"));
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "detail", "fault", "hint", "invocation_id", "retry_safe"], "{stderr}");
        assert_eq!((&error["code"], &error["fault"]), (&code.into(), &fault.into()), "{stderr}");
        assert_eq!(error["retry_safe"], code == "not_reachable", "{stderr}");
        assert!(error["detail"].as_str().unwrap().contains(detail), "{stderr}");
    }
    // Help is no error.
    desk.cloudfunc(&["invoke", "--json", "--help"])
        .assert()
        .success()
        .stdout(predicate::str::contains("Usage:"));
}

#[test]
fn a_platform_that_does_not_run_is_said_so() {
    let desk = Desk::new();
    for arguments in [
        vec!["list"],
        vec!["show", "f"],
        vec!["invoke", "f", "--data", "{}"],
        vec!["invoke", "f", "--async"],
        vec!["bench", "f"],
        vec!["logs", "f"],
        vec!["delete", "f", "--yes"],
        vec!["rollback", "f"],
        vec!["token", "list"],
        vec!["token", "create", "ci", "--role", "deploy"],
        vec!["token", "rotate", "ci"],
        vec!["secret", "list"],
        vec!["secret", "delete", "KEY", "--yes"],
        vec!["audit-log"],
        vec!["invocation", "list"],
        vec!["invocation", "wait", "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f"],
    ] {
        assert_eq!(desk.run(&arguments, 3, NOT_REACHABLE), "", "{arguments:?}");
    }
}

#[test]
fn the_flag_wins_over_the_environment() {
    let desk = Desk::new();
    let stderr = NOT_REACHABLE.replace("127.0.0.1:9", "127.0.0.1:1");
    desk.run(&["list", "--url", "http://127.0.0.1:1"], 3, &stderr);
    let error = "error: 'here', given by --url, is not the address of a platform; write it like http://127.0.0.1:8000\n";
    desk.run(&["list", "--url", "here"], 2, error);
    let file = desk.path("nowhere").display().to_string();
    let error = format!("error: cannot read {file}: No such file or directory (os error 2)\n");
    desk.run(&["--token-file", &file, "list"], 2, &error);
}

#[test]
fn init_makes_a_function_and_never_overwrites() {
    let desk = Desk::new();
    let made = desk.run(&["init", "greeter"], 0, "next: cloudfunc deploy greeter\n");
    assert_eq!(made, "made greeter/function.py\nmade greeter/cloudfunc.toml\n");
    assert!(desk.read("greeter/cloudfunc.toml").starts_with("name = \"greeter\"\n"));
    assert!(desk.read("greeter/function.py").starts_with("def handler(event):"));

    desk.write("greeter/function.py", "mine").write("other/cloudfunc.toml", "mine");
    desk.run(
        &["init", "greeter"],
        2,
        "error: greeter/function.py already exists; nothing was written\n",
    );
    desk.run(&["init", "other"], 2, "error: other/cloudfunc.toml already exists; nothing was written\n");
    assert_eq!(desk.read("greeter/function.py"), "mine");
    assert!(!desk.path("other/function.py").exists());

    let json = desk.run(&["init", "--name", "two", "--json"], 0, "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let files = serde_json::json!(["function.py", "cloudfunc.toml"]);
    assert_eq!(json, serde_json::json!({ "name": "two", "folder": "two", "files": files }));
}

#[test]
fn init_makes_programs_of_other_kinds_too() {
    let desk = Desk::new();
    let next = "next: checker/build.sh && cloudfunc deploy checker\n";
    let made = desk.run(&["init", "checker", "--template", "rust"], 0, next);
    for file in ["src/main.rs", "Cargo.toml", "build.sh", "cloudfunc.toml", ".cloudfuncignore"] {
        assert!(made.contains(&format!("made checker/{file}\n")), "{made}");
    }
    desk.run(&["init", "web", "--template", "flask"], 0, "next: cloudfunc deploy web\n");
    assert!(desk.read("web/cloudfunc.toml").contains("\ninterface = \"http\""));
    desk.run(&["init", "job", "--language", "native"], 0, "next: cloudfunc deploy job\n");
    assert!(desk.read("job/report.sh").starts_with("#!/bin/sh\n"));

    let list = desk.run(&["init", "--list"], 0, "next: cloudfunc init hello --template NAME\n");
    let names: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["TEMPLATE", "python", "node", "shell", "rust", "flask"]);
    let json = desk.run(&["init", "--list", "--json"], 0, "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let files = serde_json::json!(["app.py", "requirements.txt", "cloudfunc.toml"]);
    assert_eq!(json[4]["language"], "python");
    assert_eq!(json[4]["files"], files);
}

#[test]
fn init_asks_nothing_without_a_terminal() {
    let desk = Desk::new();
    desk.run(&["init"], 2, "error: no folder given\nhint: for example: cloudfunc init hello\n");
    desk.run(
        &["init", "My Function"],
        2,
        "error: invalid function name 'My Function': it has an upper-case letter; a name is lower-case \
         letters and digits, joined by single '_' or '-', at most 63 characters\n\
         hint: give the function another name than the folder's with --name\n",
    );
    assert_eq!(fs::read_dir(desk.path(".")).unwrap().count(), 0);
}

#[test]
fn deploy_checks_the_folder_before_it_needs_the_platform() {
    let desk = Desk::new();
    desk.write("empty/notes.md", "")
        .write("typo/function.py", "")
        .write("typo/cloudfunc.toml", "timeot = '3s'")
        .write("Upper/function.py", "")
        .write("hidden/function.py", "")
        .write("hidden/.gitignore", "*.py")
        .write("linked/function.py", "")
        .write("file", "");
    symlink("/etc/passwd", desk.path("linked/passwd")).unwrap();
    for (path, stderr) in [
        (
            "nowhere",
            "error: there is no folder nowhere or functions/nowhere\nhint: `cloudfunc init hello` makes a new function\n",
        ),
        (
            "file",
            "error: file is not a folder\nhint: a function is deployed as the folder that holds it\n",
        ),
        (
            "empty",
            "error: cannot deploy empty: no function.py in the folder: the handler \"function.handler\" needs it\n\
             hint: a function is a folder with function.py or cloudfunc.toml: `cloudfunc init empty/hello` makes one \
             there\n",
        ),
        ("typo", "error: typo/cloudfunc.toml:1:1: unknown key `timeot`; did you mean `timeout`?\n"),
        (
            "Upper",
            "error: invalid function name 'Upper': it has an upper-case letter; a name is lower-case letters and \
             digits, joined by single '_' or '-', at most 63 characters\n\
             hint: give the function a `name` in Upper/cloudfunc.toml\n",
        ),
        (
            "hidden",
            "error: hidden/function.py is left out by .gitignore:1: *.py\n\
             hint: a line `!<file>` in .cloudfuncignore takes a file back in\n",
        ),
        (
            "linked",
            "error: cannot deploy linked: 'passwd' is a link to '/etc/passwd', out of the folder; copy what it \
             points to, or name it in .cloudfuncignore\n",
        ),
    ] {
        assert_eq!(desk.run(&["deploy", path], 2, stderr), "", "{path}");
    }
}

#[test]
fn deploy_and_run_say_where_the_function_may_be_before_they_read_everything() {
    let desk = Desk::new();
    desk.write(
        "aws/lambda_function.py",
        "import json\n\ndef lambda_handler(event, context):\n    pass\n",
    )
    .write("main/main.py", "def _help(): pass\n\nasync def handle(event): pass\n")
    .write("only/greet.py", "def hello(event): pass\n")
    .write("wrapped/app.py", "handler = Mangum(api)\n")
    .write("node/index.js", "exports.handler = async (event) => event;\n")
    .write("node/cloudfunc.toml", "language = 'node'\n")
    .write("untold/function.mjs", "")
    .write("repo/README.md", "")
    .write("repo/functions/one/function.py", "")
    .write("repo/apps/two/cloudfunc.toml", "");
    let no_module = "no function.py in the folder: the handler \"function.handler\" needs it";
    let elsewhere = "name the function's own folder: `cloudfunc deploy FOLDER`; `cloudfunc init hello` makes a new one";
    let named = |folder: &str, handler: &str| {
        let module = handler.split('.').next().unwrap();
        format!(
            "there is {module}.py: name its handler in {folder}/cloudfunc.toml: handler = \"{handler}\""
        )
    };
    for (path, why, hint) in [
        ("aws", no_module, named("aws", "lambda_function.lambda_handler")),
        ("main", no_module, named("main", "main.handle")),
        ("only", no_module, named("only", "greet.hello")),
        ("wrapped", no_module, named("wrapped", "app.handler")),
        (
            "node",
            "no function.mjs in the folder: the handler \"function.handler\" needs it",
            "there is index.js: name its handler in node/cloudfunc.toml: handler = \"index.handler\"".to_owned(),
        ),
        (
            "untold",
            no_module,
            "there is function.mjs: a function in Node says `language = \"node\"` in untold/cloudfunc.toml".to_owned(),
        ),
        (
            "repo",
            no_module,
            "the folder of each function is deployed by itself: `cloudfunc deploy repo/apps/two repo/functions/one`".to_owned(),
        ),
        ("/", "it is the root of the file system, not the folder of a function", elsewhere.to_owned()),
        (".", "it is your home folder, not the folder of a function", elsewhere.to_owned()),
    ] {
        let stderr = format!("error: cannot deploy {path}: {why}\nhint: {hint}\n");
        assert_eq!(desk.run(&["deploy", path], 2, &stderr), "", "{path}");
        let stderr = format!("error: cannot run {path}: {why}\nhint: {hint}\n");
        let stderr = stderr.replace("`cloudfunc deploy FOLDER`", "`cloudfunc run FOLDER`");
        assert_eq!(desk.run(&["run", path], 2, &stderr), "", "{path}");
    }
}

#[test]
fn deploy_says_what_it_leaves_out() {
    let desk = Desk::new();
    desk.write("f/function.py", "def handler(event): pass\n")
        .write("f/.gitignore", "*.so\n")
        .write("f/pkg/__init__.py", "")
        .write("f/pkg/native.so", "")
        .write("f/pkg-1.0.dist-info/RECORD", "pkg/__init__.py,,\npkg/native.so,,\n")
        .write("f/.venv/pyvenv.cfg", "")
        .write("f/.env", "KEY=1");
    let said = "1 never packed, because they may hold secrets (.env); give the function its values with [env] in \
                cloudfunc.toml\n\
                1 left out, because no function needs them (.venv/)\n\
                1 left out by .gitignore:1: *.so (pkg/native.so)\n\
                warning: the package pkg-1.0 is incomplete: 1 of its files is left out (pkg/native.so) by \
                .gitignore:1: *.so; a line `!*.so` in .cloudfuncignore takes them back in\n\
                deploying f: 4 files, ";
    desk.cloudfunc(&["deploy", "f"]).assert().code(3).stderr(predicate::str::starts_with(said));
}

#[test]
fn a_payload_that_cannot_be_read_or_is_too_large_is_the_callers_fault() {
    let desk = Desk::new();
    desk.write("large", &"x".repeat(6 * 1024 * 1024 + 1));
    desk.run(
        &["invoke", "f", "--data", "@large"],
        2,
        "error: the payload is too large: at most 6 MiB are accepted\n",
    );
    let error = "error: cannot read nowhere: No such file or directory (os error 2)\n";
    desk.run(&["invoke", "f", "--data", "@nowhere"], 2, error);
}

#[test]
fn delete_needs_yes_without_a_terminal() {
    let desk = Desk::new();
    desk.run(&["delete", "f"], 2, "error: deleting f needs --yes without a terminal to ask on\n");
}

#[test]
fn there_is_no_last_invocation_at_first() {
    let desk = Desk::new();
    let stderr = "error: no invocation yet that @last could mean\n\
                  hint: `cloudfunc invocation list` shows the platform's invocations\n";
    for arguments in [["invocation", "show", "@last"], ["logs", "--invocation", "@last"]] {
        desk.run(&arguments, 2, stderr);
    }
}

#[test]
fn a_roles_log_is_a_file_beside_the_token() {
    let desk = Desk::new();
    desk.write("data/token", "secret\n").write("data/logs/manager.log", "one\ntwo\nthree\n");
    let run = |arguments: &[&str]| {
        let all = [&["--token-file", "data/token", "logs", "--role", "manager"], arguments].concat();
        desk.run(&all, 0, "")
    };
    assert_eq!(run(&[]), "one\ntwo\nthree\n");
    assert_eq!(run(&["--tail", "2"]), "two\nthree\n");
    assert_eq!(run(&["--tail", "1", "--json"]), "{\"line\":\"three\",\"role\":\"manager\"}\n");
    let log = Path::new("data/logs/gateway.log").display();
    desk.run(
        &["--token-file", "data/token", "logs", "--role", "gateway"],
        3,
        &format!(
            "error: cannot read the gateway's log {log}: No such file or directory (os error 2)\n\
             hint: is the platform running on this host? start it with `cloudfunc up` or `cloudfunc up --embedded`\n"
        ),
    );
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let desk = Desk::new();
    desk.write("token", "t").write("logs/manager.log", &"line\n".repeat(100_000));
    let binary = assert_cmd::cargo::cargo_bin("cloudfunc");
    let script = format!(
        "{} --token-file token logs --role manager 2>err | head -n 1; echo ${{PIPESTATUS[0]}}",
        binary.display()
    );
    let mut shell = Command::new("bash");
    shell.current_dir(desk.path(".")).args(["-c", &script]).env_clear().env("HOME", desk.path("."));
    shell.env("PATH", "/usr/bin:/bin").assert().success().stdout("line\n0\n");
    assert_eq!(desk.read("err"), "");
}

#[test]
fn a_lost_connection_tells_a_caller_what_another_call_may_do() {
    let desk = Desk::new();
    let lost = |arguments: &[&str]| {
        let (url, told) = stuck_gateway("");
        std::thread::spawn(move || drop(told.recv().unwrap()));
        let output = desk.command(&[arguments, &["--url", &url]].concat()).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let (error, hint) = stderr.split_once('\n').unwrap();
        assert!(error.starts_with(&format!("error: the connection to {url} was lost: ")), "{stderr}");
        hint.to_owned()
    };
    let hint = |may: &str| {
        format!(
            "hint: it may {may}, and another call may run it a second time; `cloudfunc invocation list --function f` \
             shows the function's invocations\n"
        )
    };
    assert_eq!(lost(&["invoke", "f", "1"]), hint("have run"));
    assert_eq!(lost(&["invoke", "f", "1", "--async"]), hint("have been accepted"));
    assert_eq!(lost(&["list"]), "", "what only reads can be repeated");
}

#[test]
fn who_follows_is_warned_of_a_lost_connection_without_the_words_of_a_library() {
    use std::io::{BufRead as _, BufReader};
    const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n\
                         1\r\n\n\r\n";
    let desk = Desk::new();
    for json in [false, true] {
        let (url, told) = stuck_gateway(BEGUN);
        std::thread::spawn(move || drop(told.recv().unwrap()));
        let mut command = desk.command(&["logs", "f", "-f", "--url", &url]);
        command.args(json.then_some("--json")).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let warning = format!("the connection to {url} was lost; trying again for up to 60 s");
        let expected = match json {
            false => format!("warning: {warning}\n"),
            true => format!("{{\"warning\":\"{warning}\"}}\n"),
        };
        assert_eq!(line, expected);
    }
}

#[test]
fn an_invocation_that_the_platform_lost_is_the_last_one() {
    let desk = Desk::new();
    let (url, told) = stuck_gateway(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/problem+json\r\nconnection: close\r\n\r\n\
         {\"type\":\"about:blank\",\"title\":\"lost\",\"status\":502,\"code\":\"interrupted\",\"detail\":\"lost\",\
         \"fault\":\"platform\",\"retry_safe\":false,\"invocation_id\":\"01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f\"}",
    );
    std::thread::spawn(move || drop(told.recv().unwrap()));
    desk.run(&["invoke", "f", "1", "--url", &url], 3, "error: lost\n");
    assert_eq!(desk.read(".local/state/cloudfunc/last"), "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f");
}

/// A gateway that reads a whole request and answers with `answer`, then nothing more.
fn stuck_gateway(answer: &'static str) -> (String, std::sync::mpsc::Receiver<std::net::TcpStream>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut piece) = (Vec::new(), [0; 65536]);
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let body =
                seen.windows(4).position(|four| four == b"\r\n\r\n").map(|at| seen.len() - at - 4);
            if body.is_some() && length.map_or(Some(0), |length| length.parse().ok()) == body {
                break;
            }
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "the request ended: {text}");
            seen.extend_from_slice(&piece[..read]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        tell.send(stream).unwrap();
    });
    (url, told)
}

#[test]
fn ctrl_c_says_what_becomes_of_a_deploy() {
    use std::io::{BufRead as _, BufReader, Read as _};
    const PROGRESS: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n\
                            {\"kind\":\"progress\",\"message\":\"storing\"}\n";
    let desk = Desk::new();
    desk.write("f/function.py", "def handler(event): pass\n");
    for (answer, said, ending) in [
        (
            "",
            "deploying f: 1 file",
            "error: interrupted: it is not known whether f was deployed\nhint: `cloudfunc show f` shows the active \
             revision\n",
        ),
        (
            PROGRESS,
            "storing",
            "error: interrupted: the deploy of f was cancelled, unless its revision had become active already\nhint: \
             `cloudfunc show f` shows the active revision\n",
        ),
    ] {
        let (url, told) = stuck_gateway(answer);
        let mut command = desk.command(&["deploy", "f", "--url", &url]);
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let _stream = told.recv().unwrap();
        let mut line = String::new();
        while !line.starts_with(said) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it never says '{said}'");
        }
        let pid = i32::try_from(child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(130), ending));
    }
}
