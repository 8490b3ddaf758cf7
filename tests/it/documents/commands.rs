//! Commands and their flags exist, also those in the running text.

use std::{collections::BTreeSet, fs};

use assert_cmd::Command;

use super::{
    markdown::{all, code_spans, manual, page, root, words},
    picture,
};

#[test]
fn every_command_and_flag_exists() {
    let mut lines: BTreeSet<String> = manual().iter().flat_map(|page| page.commands()).collect();
    lines.extend(picture::commands());
    for page in all().iter().filter(|page| page.path != "CHANGELOG.md") {
        lines.extend(page.code_spans().map(str::to_owned));
    }
    let mut checked = 0;
    for line in &lines {
        let words = words(line);
        let Some(arguments) = arguments(&words) else { continue };
        let (names, rest) = subcommand(arguments);
        let help = help(&names);
        for word in rest.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
            let flag = word.split('=').next().unwrap_or(word);
            assert!(has_flag(&help, flag), "`{line}`: {names:?} has no {flag}:\n{help}");
        }
        checked += 1;
    }
    assert!(checked > 50, "the commands are not found any more: {checked}");
}

/// Where no platform is, a command that is understood ends with code 3.
#[test]
fn the_commands_of_the_blocks_are_understood() {
    let mut seen = BTreeSet::new();
    for page in manual() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join(".config/cloudfunc");
        fs::create_dir_all(&config).unwrap();
        let platform = "url = 'http://127.0.0.1:9'\ntoken_file = 'token'\n";
        fs::write(config.join("config.toml"), platform).unwrap();
        for name in ["hello_fn", "greeter"] {
            let example = home.path().join("functions").join(name);
            fs::create_dir_all(&example).unwrap();
            fs::copy(root().join("functions/hello_fn/function.py"), example.join("function.py"))
                .unwrap();
        }
        for line in page.commands() {
            let words = words(&line);
            // These need no platform.
            const OTHERS: [&str; 6] = ["up", "down", "status", "run", "doctor", "platform"];
            if words[0] != "cloudfunc" || OTHERS.contains(&words[1].as_str()) {
                continue;
            }
            let mut command = Command::cargo_bin("cloudfunc").unwrap();
            command.current_dir(home.path()).env_clear().env("HOME", home.path()).args(&words[1..]);
            let expected = match line.as_str() {
                _ if words[1] == "init" => 0,
                _ if line.contains("@last") => 2, // nothing was invoked
                _ => 3,
            };
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(expected), "{}: `{line}`:\n{stderr}", page.path);
            assert!(!stderr.contains("--help"), "{}: `{line}`:\n{stderr}", page.path);
            seen.insert(words[1].clone());
        }
    }
    for command in ["init", "deploy", "invoke", "logs", "invocation"] {
        assert!(seen.contains(command), "no `cloudfunc {command}` in the documents");
    }
}

#[test]
fn the_table_of_commands_is_that_of_the_help() {
    let page = page("docs/cli.md");
    let rows: Vec<&str> = page.rows("").map(|row| row[0]).collect();
    let documented: BTreeSet<&str> = rows.into_iter().flat_map(code_spans).collect();
    let help = help(&[]);
    let list = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    for line in list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        assert!(name == "help" || documented.contains(name), "docs/cli.md does not list {name}");
    }
}

/// The arguments of our program, whichever way it is called.
fn arguments(words: &[String]) -> Option<&[String]> {
    match words {
        [cloudfunc, arguments @ ..] if cloudfunc == "cloudfunc" => Some(arguments),
        [cargo, run, release, end, arguments @ ..]
            if [cargo.as_str(), run, release, end] == ["cargo", "run", "--release", "--"] =>
        {
            Some(arguments)
        }
        _ => None,
    }
}

/// The names of the subcommand, and what follows. `help NAME` is `NAME`.
fn subcommand(arguments: &[String]) -> (Vec<String>, &[String]) {
    match arguments {
        [help] if help == "help" => (Vec::new(), &[]),
        // Stands for any command.
        [help, name] if help == "help" && name == "NAME" => (Vec::new(), &[]),
        [help, rest @ ..] if help == "help" => subcommand(rest),
        [group, name, rest @ ..]
            if ["invocation", "platform", "secret", "token"].contains(&group.as_str()) =>
        {
            (vec![group.clone(), name.clone()], rest)
        }
        [name, rest @ ..] => (vec![name.clone()], rest),
        [] => (Vec::new(), arguments),
    }
}

pub fn help(names: &[String]) -> String {
    let mut command = Command::cargo_bin("cloudfunc").unwrap();
    let output = command.env_clear().args(names).arg("--help").output().unwrap();
    assert!(output.status.success(), "there is no `cloudfunc {}`", names.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn has_flag(help: &str, flag: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == flag)
}
