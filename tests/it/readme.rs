//! What README.md and ARCHITECTURE.md say is so: commands and flags exist, manifests and settings are
//! accepted, examples run, links and paths lead somewhere.

use std::{collections::BTreeSet, fs, path::Path};

use assert_cmd::Command;
use cloudfunc::{
    client::Outcome,
    manifest::{self, Defaults},
    place::Dirs,
    settings::Settings,
};

use crate::{
    need,
    support::platform::{Stack, TestPlatform},
};

const README: &str = include_str!("../../README.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

#[test]
fn every_command_and_flag_exists() {
    let inline = [README, ARCHITECTURE].into_iter().flat_map(code_spans);
    let commands: BTreeSet<String> =
        shell_lines().into_iter().chain(inline.map(str::to_owned)).collect();
    let mut checked = 0;
    for line in &commands {
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
    assert!(checked > 20, "the commands are not found any more: {checked}");
}

#[test]
fn the_commands_of_the_blocks_are_understood() {
    let home = tempfile::tempdir().unwrap();
    // No platform is there, so that what is understood ends with code 3.
    let config = home.path().join(".config/cloudfunc");
    fs::create_dir_all(&config).unwrap();
    let platform = "url = 'http://127.0.0.1:9'\ntoken_file = 'token'\n";
    fs::write(config.join("config.toml"), platform).unwrap();
    let example = home.path().join("functions/hello_fn");
    fs::create_dir_all(&example).unwrap();
    fs::copy(root().join("functions/hello_fn/function.py"), example.join("function.py")).unwrap();

    let mut seen = BTreeSet::new();
    for line in shell_lines() {
        let words = words(&line);
        // These need no platform.
        const OTHERS: [&str; 5] = ["up", "down", "status", "run", "doctor"];
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
        assert_eq!(output.status.code(), Some(expected), "`{line}`:\n{stderr}");
        assert!(!stderr.contains("--help"), "`{line}`:\n{stderr}");
        seen.insert(words[1].clone());
    }
    for command in ["init", "deploy", "invoke", "logs", "invocation"] {
        assert!(seen.contains(command), "no `cloudfunc {command}` in the README's blocks");
    }
}

/// The README's first command, as far as it is ours: cargo has built the program already.
#[test]
fn the_first_command_greets_alice() {
    need!("CLOUDFUNC_TEST_DOCKER");
    let first = words(&shell_lines()[0]);
    assert_eq!(first[..4], ["cargo", "run", "--release", "--"]);
    let mut command = Command::cargo_bin("cloudfunc").unwrap();
    command.current_dir(root()).args(&first[4..]).env("CLOUDFUNC_PYTHON_VERSION", "3.11");
    command.assert().success().stdout("Hello Alice!");
}

#[tokio::test]
async fn the_handlers_run() {
    let handlers: Vec<&str> = blocks(README, "python").collect();
    assert!(handlers.len() >= 2);
    let platform = TestPlatform::start(Stack::LIGHT, "readme::the_handlers_run").await;
    let Some(platform) = platform else { return };
    for (number, code) in handlers.into_iter().enumerate() {
        let name = format!("readme{number}");
        platform.deploy(&name, &[("function.py", code)]).await;
        let answer = platform.invoke(&name, r#"{"name":"Alice"}"#).await;
        let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}\n{code}") };
        assert!(String::from_utf8_lossy(&value.bytes).contains("Hello Alice!"), "{code}");
    }
    platform.stop().await;
}

#[test]
fn the_manifests_table_is_what_the_parser_accepts() {
    let table = section(README, "## Manifest");
    let mut keys = BTreeSet::new();
    for row in rows(table).filter(|row| row[0].starts_with('`')) {
        let (key, example) = (row[0].trim_matches('`'), row[1].trim_matches('`'));
        parse(&format!("{key} = {example}"));
        // A default that is written as a value is the default: the manifest with it is the empty one.
        if row[2].starts_with('`') {
            let written = parse(&format!("{key} = {}", row[2].trim_matches('`')));
            assert_eq!(written.spec, parse("").spec, "{key} is not {} by default", row[2]);
        }
        keys.insert(key.to_owned());
    }
    let accepted: BTreeSet<String> = ["", "scaling."]
        .into_iter()
        .flat_map(|table| {
            let error =
                manifest::parse(&format!("{table}qqqqqqqqqqqq = 1"), "", &defaults()).unwrap_err();
            let known: Vec<String> =
                code_spans(&error.message).skip(1).map(|key| format!("{table}{key}")).collect();
            known
        })
        .collect();
    let tables = |key: &&String| ["env", "scaling"].contains(&key.as_str());
    let missing: Vec<_> = accepted.iter().filter(|key| !tables(key) && !keys.contains(*key)).collect();
    assert!(accepted.len() > 10 && missing.is_empty(), "not in the README's table: {missing:?}");
    for block in blocks(README, "toml").filter(|block| !block.contains("[platform]")) {
        parse(block);
    }
}

#[test]
fn the_settings_are_those_of_up() {
    let help = help(&["up".to_owned()]);
    let mut documented = BTreeSet::new();
    for row in README.lines().filter(|line| line.starts_with('|')) {
        let spans: Vec<&str> = code_spans(row).collect();
        let Some(flag) = spans.iter().find(|span| span.starts_with("--")) else { continue };
        let is_variable = |span: &&&str| span.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let Some(variable) = spans.iter().find(is_variable) else { continue };
        let about = about(&help, flag);
        let named = ["=", "]"].iter().any(|end| about.contains(&format!("[env: {variable}{end}")));
        assert!(named, "{flag} is not {variable}:\n{about}");
        if let Some((_, rest)) = about.split_once("[default: ") {
            let default = rest.split_once(']').unwrap().0;
            assert!(row.contains(default), "{flag} is {default} by default:\n{row}");
        }
        documented.insert((*flag).to_owned());
    }
    let with_value =
        |line: &'_ str| Some(line.trim().strip_prefix("--")?.split_once(" <")?.0.to_owned());
    for flag in help.lines().filter_map(with_value) {
        let flag = format!("--{flag}");
        let is_setting =
            about(&help, &flag).contains("[env: ") && !README_OTHERWISE.contains(&flag.as_str());
        assert!(!is_setting || documented.contains(&flag), "{flag} is in no table of the README");
    }
}

/// Options with a variable that are told of in the text, not in a table.
const README_OTHERWISE: [&str; 2] = ["--url", "--token-file"];

#[test]
fn the_settings_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = Dirs { config: folder.path().to_owned(), state: folder.path().to_owned() };
    let file = blocks(README, "toml").find(|block| block.contains("[platform]")).unwrap();
    fs::write(dirs.config_file(), file).unwrap();
    let settings = Settings::of_user(&dirs).unwrap();
    assert_eq!(settings.gateway_port, Some(8001));
}

#[test]
fn every_variable_is_one_that_we_read() {
    let mut read = String::new();
    for folder in ["src", "compose", "tests/setup"] {
        append(&root().join(folder), &mut read);
    }
    let name = |word: &&str| word.starts_with("CLOUDFUNC_") || word.starts_with("POSTGRES_");
    let known: BTreeSet<&str> = identifiers(&read).collect();
    for variable in identifiers(README).chain(identifiers(ARCHITECTURE)).filter(name) {
        assert!(known.contains(variable), "nobody reads {variable}");
    }
}

#[test]
fn links_and_paths_lead_somewhere() {
    for (name, text) in
        [("README.md", README), ("ARCHITECTURE.md", ARCHITECTURE), ("CHANGELOG.md", CHANGELOG)]
    {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = root().join(if file.is_empty() { name } else { file });
            assert!(path.exists(), "{name} links to {link}");
            if !anchor.is_empty() {
                let target = fs::read_to_string(&path).unwrap();
                assert!(anchors(&target).any(|known| known == anchor), "{name}: no heading for {link}");
            }
        }
        for path in code_spans(text).filter(|span| is_path(span)) {
            assert!(root().join(path).exists(), "{name} names {path}");
        }
    }
}

// Reading Markdown, as far as these files need it.

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> impl Iterator<Item = &'t str> {
    let fence = format!("```{language}\n");
    let starts: Vec<usize> = text.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    starts.into_iter().map(|start| text[start..].split("\n```").next().unwrap_or_default())
}

/// The commands of the README's shell blocks, each on one line and without comment.
fn shell_lines() -> Vec<String> {
    let text: String = blocks(README, "sh").map(|block| format!("{block}\n")).collect();
    let lines = text.replace("\\\n", " ");
    lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// What stands between single backticks, outside of fenced blocks, on one line.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(str::lines).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The words of a shell line up to a comment; quotes are taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => return words,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Of our program, however it is called.
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
        [help, rest @ ..] if help == "help" => subcommand(rest),
        [group, name, rest @ ..] if group == "invocation" => (vec![group.clone(), name.clone()], rest),
        [name, rest @ ..] => (vec![name.clone()], rest),
        [] => (Vec::new(), arguments),
    }
}

fn help(names: &[String]) -> String {
    let mut command = Command::cargo_bin("cloudfunc").unwrap();
    let output = command.env_clear().args(names).arg("--help").output().unwrap();
    assert!(output.status.success(), "there is no `cloudfunc {}`", names.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn has_flag(help: &str, flag: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == flag)
}

/// What the help says of a flag, up to the next one.
fn about<'h>(help: &'h str, flag: &str) -> &'h str {
    let start = help.find(&format!("{flag} <")).unwrap_or_else(|| panic!("`up` has no {flag}"));
    let rest = &help[start..];
    let end = rest[2..].find("  --").map_or(rest.len(), |at| at + 2);
    &rest[..end]
}

/// From a heading to the next one of its level.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &text[start + 1..];
    rest[heading.len()..].find("\n## ").map_or(rest, |end| &rest[..heading.len() + end])
}

/// The rows of tables, as trimmed cells.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// How headings are linked to.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>()
            .replace(' ', "-")
    })
}

fn is_path(span: &str) -> bool {
    let folders = ["src/", "tests/", "templates/", "functions/", "migrations/", "compose/", "benches/"];
    let plain = !span.contains(['<', ' ', '*', '…']) && span != "compose/.env";
    plain && folders.iter().any(|folder| span.starts_with(folder))
}

fn append(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            append(&entry.unwrap().path(), text);
        }
    } else {
        text.push_str(&fs::read_to_string(path).unwrap());
    }
}

fn defaults() -> Defaults {
    Defaults::default()
}

fn parse(text: &str) -> manifest::Manifest {
    manifest::parse(text, "README.md", &defaults()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
