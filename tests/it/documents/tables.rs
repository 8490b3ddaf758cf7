//! Tables and examples of the manual, compared with the code.

use std::{collections::BTreeSet, fs, path::Path};

use cloudfunc::{
    cli::Exit,
    manifest::{self, Defaults},
    model::{Fault, code, route},
    place::Dirs,
    settings::Settings,
};

use super::{
    commands::help,
    markdown::{all, code_spans, manual, page, root},
};

#[test]
fn the_manifests_table_is_what_the_parser_accepts() {
    let page = page("docs/manifest.md");
    let mut keys = BTreeSet::new();
    for row in page.rows("").filter(|row| row[0].starts_with('`')) {
        let (key, example) = (row[0].trim_matches('`'), row[1].trim_matches('`'));
        let beside = BESIDE.iter().find(|(known, _)| *known == key).map_or("", |(_, text)| text);
        parse(&format!("{beside}{key} = {example}"));
        // A default that is written as a value is the default: the manifest with it is the empty one.
        if row[2].starts_with('`') {
            let written = parse(&format!("{beside}{key} = {}", row[2].trim_matches('`')));
            assert_eq!(written.spec, parse(beside).spec, "{key} is not {} by default", row[2]);
        }
        keys.insert(key.to_owned());
    }
    let accepted: BTreeSet<String> = ["", "build.", "http.", "scaling."]
        .into_iter()
        .flat_map(|table| {
            let error =
                manifest::parse(&format!("{table}qqqqqqqqqqqq = 1"), "", &defaults()).unwrap_err();
            let known: Vec<String> =
                code_spans(&error.message).skip(1).map(|key| format!("{table}{key}")).collect();
            known
        })
        .collect();
    let tables = |key: &&String| ["env", "build", "http", "scaling"].contains(&key.as_str());
    let missing: Vec<_> = accepted.iter().filter(|key| !tables(key) && !keys.contains(*key)).collect();
    assert!(accepted.len() > 10 && missing.is_empty(), "not in docs/manifest.md: {missing:?}");
}

/// What keys need beside them.
const BESIDE: [(&str, &str); 8] = [
    ("build.args", "dockerfile = 'Dockerfile'\n"),
    ("command", "interface = \"command\"\n"),
    ("http.auth", "http.path = '/a'\n"),
    ("http.cors", "http.path = '/a'\n"),
    ("http.host", "http.path = '/a'\n"),
    ("http.max_body", "http.path = '/a'\n"),
    ("http.methods", "http.path = '/a'\n"),
    ("port", "interface = \"http\"\ncommand = [\"./server\"]\n"),
];

/// The TOML of the documents: files of settings, or else manifests.
#[test]
fn the_toml_of_the_documents_is_accepted() {
    let mut settings_files = 0;
    for page in manual() {
        for block in page.blocks("toml") {
            if !["[platform]", "[languages."].iter().any(|table| block.contains(table)) {
                parse(block);
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let dirs = Dirs { config: folder.path().to_owned(), state: folder.path().to_owned() };
            fs::write(dirs.config_file(), block).unwrap();
            let settings = Settings::of_user(&dirs).unwrap_or_else(|error| panic!("{error}\n{block}"));
            if block.contains("gateway_port = 8001") {
                assert_eq!(settings.gateway_port, Some(8001));
            }
            settings_files += 1;
        }
    }
    assert!(settings_files > 0, "no file of settings is shown");
}

#[test]
fn the_settings_are_those_of_up() {
    let help = help(&["up".to_owned()]);
    let mut documented = BTreeSet::new();
    let page = page("docs/settings.md");
    for row in page.text.lines().filter(|line| line.starts_with('|')) {
        let spans: Vec<&str> = code_spans(row).collect();
        let Some(flag) = spans.iter().find(|span| span.starts_with("--")) else { continue };
        let is_variable = |span: &&&str| span.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let Some(variable) = spans.iter().find(is_variable) else { continue };
        let about = about(&help, flag);
        let named = ["=", "]"].iter().any(|end| about.contains(&format!("[env: {variable}{end}")));
        assert!(named, "{flag} is not {variable}:\n{about}");
        if let Some((_, rest)) = about.split_once("[default: ") {
            let default: Vec<_> = rest.split_once(']').unwrap().0.split_whitespace().collect();
            let default = default.join(" ");
            assert!(row.contains(&default), "{flag} is {default} by default:\n{row}");
        }
        documented.insert((*flag).to_owned());
    }
    let with_value =
        |line: &'_ str| Some(line.trim().strip_prefix("--")?.split_once(" <")?.0.to_owned());
    for flag in help.lines().filter_map(with_value) {
        let flag = format!("--{flag}");
        let is_setting = about(&help, &flag).contains("[env: ") && !IN_THE_TEXT.contains(&flag.as_str());
        assert!(!is_setting || documented.contains(&flag), "{flag} is in no table of docs/settings.md");
    }
}

/// Options with a variable that the text explains, not a table.
const IN_THE_TEXT: [&str; 3] = ["--url", "--token-file", "--ca"];

#[test]
fn every_variable_is_one_that_we_read() {
    let mut read = String::new();
    for folder in ["src", "compose", "tests/setup"] {
        append(&root().join(folder), &mut read);
    }
    for setting in cloudfunc::settings::settings() {
        read.push_str(&format!(" {} ", setting.variable()));
    }
    let name = |word: &&str| word.starts_with("CLOUDFUNC_") || word.starts_with("POSTGRES_");
    let known: BTreeSet<&str> = identifiers(&read).collect();
    for page in all().iter().filter(|page| page.path != "CHANGELOG.md") {
        for variable in identifiers(&page.text).filter(name) {
            assert!(known.contains(variable), "{}: nothing reads {variable}", page.path);
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let all = [
        Exit::Ok,
        Exit::Function,
        Exit::Caller,
        Exit::Platform,
        Exit::InvocationTimeout,
        Exit::Throttled,
        Exit::NotAuthorised,
        Exit::Interrupted,
    ];
    // A new one does not compile here until it is added above, too.
    let _ = |exit: Exit| match exit {
        Exit::Ok
        | Exit::Function
        | Exit::Caller
        | Exit::Platform
        | Exit::InvocationTimeout
        | Exit::Throttled
        | Exit::NotAuthorised
        | Exit::Interrupted => (),
    };
    let page = page("docs/cli.md");
    let documented: Vec<u8> = page.rows("## Exit codes").filter_map(|row| row[0].parse().ok()).collect();
    assert_eq!(documented, all.map(|exit| exit as u8));
}

#[test]
fn the_problem_codes_are_those_of_the_api() {
    let page = page("docs/http-api.md");
    let documented: BTreeSet<Vec<String>> = page
        .rows("### Problem codes")
        .filter(|row| row[0].starts_with('`'))
        .map(|row| row.into_iter().map(str::to_owned).collect())
        .collect();
    let expected: BTreeSet<Vec<String>> = code::ALL
        .iter()
        .map(|code| {
            let fault = match code.fault {
                Fault::Caller => "caller",
                Fault::Function => "function",
                Fault::Platform => "platform",
            };
            let retry = if code.retry_safe { "yes" } else { "no" };
            let name = format!("`{}`", code.code);
            [&name, &code.status.to_string(), fault, retry, code.title].map(str::to_owned).to_vec()
        })
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_public_routes_are_those_of_the_gateway() {
    let public = route::ALL.iter().filter(|route| route.path.starts_with("/v1/"));
    let served: BTreeSet<String> = public
        .map(|route| format!("{} {}", format!("{:?}", route.method).to_uppercase(), route.path))
        .collect();
    let page = page("docs/http-api.md");
    let rows: Vec<&str> = page.rows("## Routes").map(|row| row[0]).collect();
    let spans = rows.into_iter().flat_map(code_spans);
    let documented: BTreeSet<String> =
        spans.filter(|span| span.contains(" /v1/")).map(str::to_owned).collect();
    assert_eq!(documented, served);
}

#[test]
fn the_roles_of_the_routes_are_those_of_the_gateway() {
    let page = page("docs/http-api.md");
    let rows = page.rows("## Roles").filter(|row| row[0].starts_with('`'));
    let documented: Vec<String> = rows.map(|row| row.join(" ").replace('`', "")).collect();
    let served = route::ALL.iter().map(|route| {
        let method = format!("{:?}", route.method).to_uppercase();
        format!("{method} {} {}", route.path, route.needs)
    });
    assert_eq!(documented, served.collect::<Vec<_>>());
}

/// What the help says of a flag, up to the next one.
fn about<'h>(help: &'h str, flag: &str) -> &'h str {
    let forms = [format!("{flag} <"), format!("{flag} [<")];
    let start = forms.iter().find_map(|form| help.find(form.as_str()));
    let start = start.unwrap_or_else(|| panic!("`up` has no {flag}"));
    let rest = &help[start..];
    let end = rest[2..].find("  --").map_or(rest.len(), |at| at + 2);
    &rest[..end]
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
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
    manifest::parse(text, "cloudfunc.toml", &defaults())
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}
