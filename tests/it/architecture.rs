//! The never-arrows of ARCHITECTURE.md, read off the sources: who imports whom, which library stays in
//! which folder, what is never global. Comments and strings do not count, tests inside `src/` do.

mod circles;
mod source;

use std::{collections::BTreeSet, fmt};

use self::source::{Source, sources, tokens};

/// Every module at the top of `src/`, and those of ours that it may import. A new arrow is a decision:
/// draw it in ARCHITECTURE.md too.
const MAP: &[(&str, &[&str])] = &[
    ("suggest", &[]),
    ("shutdown", &[]),
    ("panicked", &[]),
    ("batch", &[]),
    ("budget", &[]),
    ("backoff", &[]),
    ("open_files", &[]),
    ("disk", &[]),
    ("private_file", &[]),
    ("certificates", &["private_file"]),
    ("docker_ignore", &[]),
    ("clock", &[]),
    ("write_behind", &["backoff", "budget", "error_chain"]),
    ("error_chain", &[]),
    ("toml_document", &[]),
    ("units", &[]),
    ("language", &[]),
    // The list of languages only.
    ("model", &["language"]),
    ("lifecycle", &["model"]),
    ("rate_limiter", &["model"]),
    ("payload", &["model"]),
    ("store", &["batch", "disk", "lifecycle", "model", "panicked"]),
    ("queue", &["batch", "model"]),
    ("runtime", &["disk", "docker_ignore", "language", "model"]),
    ("keyring", &["disk", "model", "private_file"]),
    ("place", &["disk", "model", "private_file", "toml_document"]),
    ("manifest", &["model", "toml_document", "units"]),
    // The seams for their `Config` types only.
    ("settings", &["model", "place", "queue", "runtime", "store", "toml_document", "units"]),
    ("bundle", &["docker_ignore", "language", "manifest", "model", "units"]),
    ("http", &["budget", "certificates", "model", "open_files", "payload", "suggest", "units"]),
    ("backends", &["error_chain", "http", "model", "queue", "store"]),
    ("client", &["certificates", "model", "place"]),
    (
        "gateway",
        &[
            "backoff",
            "clock",
            "error_chain",
            "http",
            "model",
            "payload",
            "rate_limiter",
            "settings",
            "shutdown",
            "units",
        ],
    ),
    (
        "registry",
        &[
            "backends",
            "backoff",
            "bundle",
            "clock",
            "error_chain",
            "http",
            "keyring",
            "manifest",
            "model",
            "queue",
            "settings",
            "shutdown",
            "store",
            "suggest",
            "units",
            "write_behind",
        ],
    ),
    (
        "scheduler",
        &[
            "backends",
            "backoff",
            "batch",
            "budget",
            "clock",
            "error_chain",
            "http",
            "lifecycle",
            "model",
            "payload",
            "queue",
            "rate_limiter",
            "settings",
            "shutdown",
            "store",
            "units",
            "write_behind",
        ],
    ),
    (
        "manager",
        &[
            "backoff",
            "budget",
            "bundle",
            "clock",
            "disk",
            "error_chain",
            "http",
            "keyring",
            "language",
            "manifest",
            "model",
            "panicked",
            "queue",
            "runtime",
            "settings",
            "shutdown",
            "store",
            "units",
            "write_behind",
        ],
    ),
    (
        "app",
        &[
            "backoff",
            "clock",
            "error_chain",
            "gateway",
            "http",
            "keyring",
            "manager",
            "manifest",
            "model",
            "place",
            "queue",
            "registry",
            "runtime",
            "scheduler",
            "settings",
            "shutdown",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "bundle",
            "client",
            "compose",
            "doctor",
            "error",
            "language",
            "lifecycle",
            "local",
            "manifest",
            "model",
            "open_files",
            "payload",
            "place",
            "queue",
            "runtime",
            "settings",
            "shutdown",
            "store",
            "suggest",
            "units",
        ],
    ),
    ("compose", &["error", "model", "place", "queue", "store"]),
    (
        "doctor",
        &[
            "app", "compose", "error", "keyring", "local", "model", "place", "queue", "runtime",
            "settings", "store",
        ],
    ),
    ("error", &["bundle", "client", "keyring", "lifecycle", "model", "place", "toml_document"]),
    ("local", &["app", "certificates", "compose", "error", "model", "place", "settings", "store"]),
];

const SEAMS: &[&str] = &["store", "queue", "runtime"];
const ROLES: &[&str] = &["gateway", "registry", "scheduler", "manager"];

/// Libraries that are known in one place only.
const LIBRARIES: &[(&str, &str)] = &[
    ("sqlx", "store/"),
    ("lapin", "queue/rabbitmq/"),
    ("bollard", "runtime/docker/"),
    ("libcontainer", "runtime/oci/"),
    ("seccompiler", "runtime/oci/"),
    ("nix", "runtime/oci/"),
    ("libc", "runtime/oci/"),
    ("jsonwebtoken", "gateway/oidc/"),
    ("x509_parser", "certificates/"),
    ("rustls_platform_verifier", "certificates/"),
    ("clap", "cli/"),
    ("indicatif", "cli/"),
    ("dialoguer", "cli/"),
];

/// Decisions without I/O, tasks or a clock of their own: time is an argument.
const PURE: &[&str] = &[
    "gateway/functions/addresses.rs",
    "gateway/functions/cors.rs",
    "manager/instance/advice.rs",
    "manager/instance/of_programs.rs",
    "manager/pool/checks.rs",
    "manager/pool/keep_alive.rs",
    "manager/pool/events.rs",
    "manager/pool/line.rs",
    "manager/pool/minimum.rs",
    "manager/pool/mod.rs",
    "manager/pool/places.rs",
    "manager/pool/renewal.rs",
    "manager/pool/starts.rs",
    "manager/pool/stock.rs",
    "cli/up/restart.rs",
    "doctor/finding.rs",
    "doctor/version.rs",
    "doctor/judge/mod.rs",
    "doctor/judge/backends.rs",
    "doctor/judge/cgroups.rs",
    "doctor/judge/clock.rs",
    "doctor/judge/compose.rs",
    "doctor/judge/disk.rs",
    "doctor/judge/engine.rs",
    "doctor/judge/limits.rs",
    "doctor/judge/packages.rs",
    "doctor/judge/platform.rs",
    "doctor/judge/ports.rs",
    "doctor/judge/sandbox.rs",
    "doctor/judge/secrets.rs",
    "doctor/judge/system.rs",
    "doctor/judge/tls.rs",
    "http/caps.rs",
];

/// Modules at the top of which every file is like that.
const PURE_FOLDERS: &[&str] = &["language", "lifecycle", "model"];

#[test]
fn the_map_itself_draws_no_forbidden_arrow() {
    let allowed = |module: &str| MAP.iter().find(|(name, _)| *name == module).expect(module).1;
    let never = |from: &[&str], to: &[&str]| {
        for module in from {
            for other in to.iter().filter(|other| *other != module) {
                assert!(!allowed(module).contains(other), "{module} must never import {other}");
            }
        }
    };
    assert!(allowed("language").is_empty(), "the languages are data: they import nothing of ours");
    assert_eq!(
        allowed("model"),
        ["language"],
        "the model imports the list of languages and nothing else of ours"
    );
    assert_eq!(allowed("lifecycle"), ["model"], "the lifecycle decides about the model alone");
    never(SEAMS, SEAMS);
    never(SEAMS, ROLES);
    never(SEAMS, &["app", "bundle", "cli", "client", "http"]);
    never(ROLES, ROLES);
    never(ROLES, &["cli", "client", "compose", "doctor", "local"]);
    never(&["compose", "doctor", "local"], ROLES);
    never(&["compose", "doctor", "local"], &["cli"]);
    never(&["gateway"], SEAMS);
    never(&["cli"], ROLES);
}

#[test]
fn modules_import_only_what_the_map_allows() {
    let tops: BTreeSet<&str> = MAP.iter().map(|(name, _)| *name).collect();
    let mut violations = Violations::default();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let Some((_, allowed)) = MAP.iter().find(|(name, _)| *name == module) else {
            violations.add(&source, 1, format!("`{module}` is not on the map"));
            continue;
        };
        for (line, import) in source.imports() {
            if import != module && tops.contains(import) && !allowed.contains(&import) {
                violations.add(&source, line, format!("{module} must not import {import}"));
            }
        }
    }
    violations.none();
}

#[test]
fn libraries_stay_in_their_folders() {
    let mut violations = Violations::default();
    for source in sources() {
        for token in &source.tokens {
            let library = LIBRARIES.iter().find(|(library, _)| token.text == *library);
            if let Some((library, home)) = library.filter(|(_, home)| !source.path.starts_with(home)) {
                violations.add(&source, token.line, format!("{library} belongs into src/{home}"));
            }
        }
    }
    violations.none();
}

#[test]
fn nothing_global_can_change() {
    // Text and facts that are put together at their first use, and the allocator.
    const NEVER_CHANGE: [&str; 3] = ["Migrator", "Inserts", "MiMalloc"];
    let mut violations = Violations::default();
    for source in sources() {
        for (index, token) in source.tokens.iter().enumerate() {
            let statement = source.tokens[index..].iter().take_while(|token| token.text != "=");
            let is_static = token.text == "static"
                && !statement.map(|token| token.text.as_str()).any(|text| NEVER_CHANGE.contains(&text));
            if is_static || token.text == "thread_local" {
                let advice = "pass it as a value; what never changes is a `const`";
                violations.add(&source, token.line, format!("`{}`: {advice}", token.text));
            }
        }
    }
    violations.none();
}

#[test]
fn only_the_output_prints() {
    const MACROS: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];
    let mut violations = Violations::default();
    for source in sources().into_iter().filter(|source| source.path != "cli/output.rs") {
        for pair in source.tokens.windows(2) {
            if MACROS.contains(&pair[0].text.as_str()) && pair[1].text == "!" {
                violations.add(
                    &source,
                    pair[0].line,
                    format!("{}! outside cli/output.rs", pair[0].text),
                );
            }
        }
    }
    violations.none();
}

#[test]
fn decisions_have_no_clock_and_do_no_io() {
    let mut violations = Violations::default();
    let sources = sources();
    let pure = |source: &&Source| PURE.contains(&source.path.as_str());
    assert_eq!(sources.iter().filter(pure).count(), PURE.len(), "a pure file has moved");
    let in_pure_folder =
        |source: &&Source| source.module().is_some_and(|module| PURE_FOLDERS.contains(&module));
    for source in sources.iter().filter(|s| pure(s) || in_pure_folder(s)) {
        for tokens in source.tokens.windows(3) {
            let [first, colons, last] = tokens else { continue };
            let is_clock = colons.text == "::" && last.text == "now";
            let is_io = ["tokio", "reqwest", "axum"].contains(&first.text.as_str())
                || (first.text == "std"
                    && ["fs", "net", "env", "process", "thread"].contains(&last.text.as_str()));
            if is_clock || is_io {
                let found = format!("{}{}{}", first.text, colons.text, last.text);
                violations.add(source, first.line, format!("`{found}` in a pure file"));
            }
        }
    }
    violations.none();
}

#[test]
fn what_is_looked_for_is_found() {
    let text = r##"
        // crate::app and sqlx in a comment, /* nested /* crate::cli */ */
        use crate::{config::{http, units}, model::Body as _, store};
        mod inner { use super::super::queue; use super::own; fn f<'a>(c: &'a str) -> char { '\'' } }
        fn g() { let s = "crate::gateway \" sqlx"; let r = r#"crate::cli"#; $crate::suggest::suggest(s) }
    "##;
    let source = Source { path: "http/mod.rs".to_owned(), tokens: tokens(text) };
    let imports: Vec<&str> = source.imports().into_iter().map(|(_, import)| import).collect();
    assert_eq!(imports, ["config", "config", "model", "store", "queue", "suggest"]);
    assert!(!source.tokens.iter().any(|token| token.text == "sqlx" || token.text == "gateway"));
    assert_eq!(source.tokens.iter().find(|token| token.text == "queue").unwrap().line, 4);
}

/// What is wrong, all of it, each with its place.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, source: &Source, line: usize, what: impl fmt::Display) {
        self.0.push(format!("src/{}:{line}: {what}", source.path));
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "see ARCHITECTURE.md, \"Never\":\n{}", self.0.join("\n"));
    }
}
