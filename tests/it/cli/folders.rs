//! Several functions in one command, and what a function includes, as far as no platform is needed.

use std::fs;

use predicates::prelude::*;
use serde_json::Value;

use super::{Desk, NOT_REACHABLE};

const CODE: &str = "def handler(event): pass\n";
const NO_MODULE: &str = "error: cannot deploy bad: no function.py in the folder: the handler \"function.handler\" needs it\n\
     hint: a function is a folder with function.py or cloudfunc.toml: `cloudfunc init bad/hello` makes one there\n";

#[test]
fn nothing_is_deployed_if_one_of_several_folders_is_wrong() {
    let desk = Desk::new();
    desk.write("functions/good/function.py", CODE)
        .write("bad/readme", "")
        .write("typo/function.py", CODE)
        .write("typo/cloudfunc.toml", "timeot = '3s'");
    let typo = "error: typo/cloudfunc.toml:1:1: unknown key `timeot`; did you mean `timeout`?\n";
    let said = format!(
        "{NO_MODULE}{typo}error: nothing was deployed: 2 of 3 functions cannot be deployed\n\
         hint: the rest alone: `cloudfunc deploy good`\n"
    );
    assert_eq!(desk.run(&["deploy", "bad", "good", "typo"], 2, &said), "");
    let said =
        format!("{NO_MODULE}{typo}error: nothing was deployed: 2 of 2 functions cannot be deployed\n");
    assert_eq!(desk.run(&["deploy", "bad", "typo"], 2, &said), "");
    let none = "error: there is no folder nowhere or functions/nowhere\nhint: `cloudfunc init hello` makes a new function\n";
    let said = format!(
        "{none}error: nothing was deployed: 1 of 2 functions cannot be deployed\nhint: the rest alone: `cloudfunc deploy good`\n"
    );
    assert_eq!(desk.run(&["deploy", "nowhere", "good"], 2, &said), "");
    // A path that a shell would split is not part of a command.
    desk.write("a b/function.py", CODE).write("a b/cloudfunc.toml", "name = 'ab'");
    let said = format!(
        "{none}error: nothing was deployed: 1 of 2 functions cannot be deployed\n\
         hint: correct them, or name the folders of the others to deploy these alone\n"
    );
    assert_eq!(desk.run(&["deploy", "nowhere", "a b"], 2, &said), "");
}

#[test]
fn with_json_each_function_has_a_line_whatever_became_of_it() {
    let desk = Desk::new();
    desk.write("good/function.py", CODE).write("typo/function.py", CODE);
    desk.write("typo/cloudfunc.toml", "timeot = '3s'").write("more/one/function.py", CODE);
    let lines = |arguments: &[&str], code: i32| {
        let ran = desk.cloudfunc(&[&["--json", "deploy"], arguments].concat()).assert().code(code);
        let parse = |bytes: &[u8]| -> Vec<Value> {
            let text = String::from_utf8_lossy(bytes);
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        (parse(&ran.get_output().stdout), parse(&ran.get_output().stderr))
    };
    let told = |lines: &[Value]| -> Vec<String> {
        let told = lines.iter().map(|line| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            format!("{} {}", text(&line["path"]), text(&line["error"]["code"]))
        });
        told.collect()
    };
    let (stdout, stderr) = lines(&["good", "typo", "more"], 2);
    assert_eq!(told(&stdout), ["good not_deployed", "typo invalid_manifest", "more/one not_deployed"]);
    assert_eq!(stderr.len(), 2, "{stderr:?}");
    assert_eq!((&stderr[0], &stderr[1]), (&stdout[1]["error"], &stdout[0]["error"]));
    assert_eq!(stderr[1]["detail"], "nothing was deployed: 1 of 3 functions cannot be deployed");
    // The platform is away.
    for paths in [&["good"][..], &["more"], &["good", "more"]] {
        let (stdout, stderr) = lines(paths, 3);
        assert_eq!(stdout.len(), paths.len());
        for (line, error) in stdout.iter().zip(&stderr) {
            assert_eq!((&line["error"], &error["code"]), (error, &"not_reachable".into()));
        }
    }
    // Nothing can be asked.
    let mut command = desk.command(&["--json", "--token-file", "none", "deploy", "good", "more"]);
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    let paths = ["good", "more"].map(|path| format!("\"path\":\"{path}\""));
    assert_eq!((output.status.code(), stdout.lines().count()), (Some(2), 2), "{stdout}");
    for (line, path) in stdout.lines().zip(paths) {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(line.contains(&path) && document["error"] == error, "{line}\n{error}");
    }
}

#[test]
fn two_functions_of_one_name_are_refused_with_both_paths() {
    let desk = Desk::new();
    desk.write("one/same/function.py", CODE).write("two/function.py", CODE);
    desk.write("two/cloudfunc.toml", "name = 'same'").write("one/other/function.py", CODE);
    let said = "error: one/same and two are both named 'same'\n\
                hint: give one of them another `name` in its cloudfunc.toml\n\
                error: nothing was deployed: 1 of 3 functions cannot be deployed\n\
                hint: the rest alone: `cloudfunc deploy one/other one/same`\n";
    assert_eq!(desk.run(&["deploy", "one", "two"], 2, said), "");
}

#[test]
fn a_folder_that_is_named_twice_is_deployed_once() {
    let desk = Desk::new();
    desk.write("all/one/function.py", CODE);
    let ran = desk.cloudfunc(&["deploy", "all", "all/one", "./all/one/"]).assert().code(3);
    let stderr = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
    assert_eq!(stderr.matches("deploying one: 1 file, ").count(), 1, "{stderr}");
}

#[test]
fn a_folder_of_functions_stands_for_those_directly_in_it() {
    let desk = Desk::new();
    desk.write("all/b/function.py", CODE)
        .write("all/a/cloudfunc.toml", "handler = 'greet.handler'")
        .write("all/a/greet.py", CODE)
        .write("all/package.json", "{\"workspaces\": [\"*\"]}")
        .write("all/common/package.json", "{\"name\": \"common\"}")
        .write("all/a/.gitignore", "*.log\n")
        .write("all/a/x.log", "")
        .write("all/common/util.py", "")
        .write("all/docs/deep/function.py", CODE)
        .write("all/.hidden/readme", "")
        .write("all/README.md", "");
    let ran = desk.cloudfunc(&["deploy", "all"]).assert().code(3);
    let output = ran.get_output();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("hint: ")).collect();
    let error = NOT_REACHABLE.lines().next().unwrap();
    assert_eq!(
        said[..2],
        [
            "skipped, because they are not functions: all/common, all/docs",
            "all/a: 1 left out by .gitignore:1: *.log (x.log)",
        ]
    );
    assert!(
        said[2].starts_with("deploying a: 3 files, ") && said[4].starts_with("deploying b: 1 file, ")
    );
    assert_eq!((said[3], said[5], said.len()), (error, error, 6), "{stderr}");
    let why = error.trim_start_matches("error: ");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!(
            "NAME  REVISION  RESULT\na               failed: {why}\nb               failed: {why}\n"
        )
    );
    // From within, without a path.
    let mut within = desk.cloudfunc(&["deploy"]);
    within.current_dir(desk.path("all")).assert().code(3).stderr(predicate::str::starts_with(
        "skipped, because they are not functions: ./common, ./docs\n",
    ));
    // With a module that has a usual name it is a function without a manifest.
    desk.write("all/main.py", "def handle(event): pass\n");
    let said = "error: cannot deploy all: no function.py in the folder: the handler \"function.handler\" needs it\n\
                hint: there is main.py: name its handler in all/cloudfunc.toml: handler = \"main.handle\"\n";
    assert_eq!(desk.run(&["deploy", "all"], 2, said), "");
}

#[test]
fn a_folder_without_functions_is_an_error_that_says_what_one_is() {
    let desk = Desk::new();
    fs::create_dir(desk.path("bad")).unwrap();
    for command in ["deploy", "run"] {
        let said = NO_MODULE.replace("cannot deploy", &format!("cannot {command}"));
        assert_eq!(desk.run(&[command, "bad"], 2, &said), "");
    }
    desk.write("bad/common/util.py", "");
    assert_eq!(desk.run(&["deploy", "bad"], 2, NO_MODULE), "");
}

#[test]
fn more_functions_than_a_command_takes_are_refused() {
    let desk = Desk::new();
    for number in 0..=1000 {
        desk.write(&format!("all/f{number}/function.py"), CODE);
    }
    let said = "error: 1001 functions are too many for one command: at most 1000 are accepted\n\
                hint: deploy them in several parts\n";
    assert_eq!(desk.run(&["deploy", "all"], 2, said), "");
}

#[test]
fn deploy_and_run_refuse_an_include_with_the_place_in_the_manifest() {
    let desk = Desk::new();
    desk.write("f/function.py", CODE).write("f/cloudfunc.toml", "[build]\ninclude = [\"../common\"]\n");
    desk.write("common/util.py", "");
    let here = fs::canonicalize(desk.path(".")).unwrap();
    let refused = |said: &str| {
        for command in ["deploy", "run"] {
            assert_eq!(
                desk.run(&[command, "f"], 2, &format!("error: f/cloudfunc.toml:2:12: {said}\n")),
                ""
            );
        }
    };
    refused(
        "`build.include` has '../common': f is not in a repository, and only folders of the same repository can be \
         included; run `git init` in the folder that holds both",
    );
    fs::create_dir(desk.path(".git")).unwrap();
    fs::remove_dir_all(desk.path("common")).unwrap();
    refused(&format!(
        "`build.include` has '../common': there is no folder {}/common; correct the path, or make the folder",
        here.display()
    ));
    desk.write("f/cloudfunc.toml", "[build]\ninclude = [\"common\"]\n");
    refused(
        "`build.include`: 'common' lies in the function's own folder, which is packed anyway; remove it (a folder \
         beside the function's is \"../common\")",
    );
    // The handler may be in an included folder.
    desk.write("f/cloudfunc.toml", "handler = 'common.util.run'\nbuild.include = [\"../common\"]\n");
    desk.write("common/util.py", "def run(event): pass\n");
    let said = "deploying f: 3 files, ";
    desk.cloudfunc(&["deploy", "f"]).assert().code(3).stderr(predicate::str::starts_with(said));
    fs::rename(desk.path("common/util.py"), desk.path("common/other.py")).unwrap();
    let said = "error: cannot deploy f: no common/util.py in the folder: the handler \"common.util.run\" needs it\n";
    assert_eq!(desk.run(&["deploy", "f"], 2, said), "");
}
