//! Node.

mod application;
mod npmrc;
mod packages;

use std::collections::BTreeMap;

use super::{
    BuildProgram, Dependencies, Facts, HandlerGrammar, Host, Image, Index, Installer, Interpreter,
    Variables, Versions,
};

pub(super) const FACTS: Facts = Facts {
    name: "node",
    title: "Node",
    versions: Versions {
        default: "22",
        example: "22",
        oldest: Some("20"),
        accepts: is_version,
        of_release: major_of,
    },
    handler: HandlerGrammar {
        default: "function.handler",
        form: "`module.export`, for example \"function.handler\" or \"src/index.handler\"",
        accepts: is_handler,
        files,
        extensions: EXTENSIONS,
        usual_modules: &["index", "main", "handler", "app", "lambda"],
        is_module,
        named: |module, function| format!("{module}.{function}"),
        usual_function: |_| "handler",
        likely_function,
    },
    image: Image {
        base: "node:{version}-slim",
        files: &[(SHIM_FILE, SHIM)],
        steps: &[],
        env: &[("LANG", "C.UTF-8")],
    },
    interpreter: Some(Interpreter {
        program: "node",
        init: &["/bin/sh", "-c", INIT, "init"],
        shim: SHIM,
        source_file: SHIM_FILE,
        image_file: SHIM_FILE,
        options: |_: &BTreeMap<String, String>| &[],
    }),
    host: Some(Host {
        names: |version| vec!["node".to_owned(), "nodejs".to_owned(), format!("node{version}")],
        all_names,
        describe: &["-e", include_str!("../../templates/node/runtime/host.cjs")],
    }),
    variables: Variables { read_at_start: READ_AT_START, refused: REFUSED, of_programs: &[] },
    dependencies: Some(Dependencies {
        file: packages::FILE,
        asks: packages::asks,
        folder: Some("node_modules"),
        installer: Some(Installer {
            tool: "npm",
            debian: "npm",
            find: &["-e", FIND],
            program: &[("install.cjs", include_str!("../../templates/node/runtime/install.cjs"))],
            handler: "install.handler",
            form: 2,
            entries: |_, _| Vec::new(),
            normal: str::to_owned,
            builds_sources: false,
            index: Index::Npm,
            beside: packages::BESIDE,
            select: packages::select,
        }),
        project: None,
    }),
    command: Some(BuildProgram {
        text: include_str!("../../templates/node/runtime/command.cjs"),
        file: "command.cjs",
        handler: "command.handler",
        calls_installer: true,
    }),
    bytecode: None,
    web_application: application::find,
    server_example: "[\"node\", \"server.js\"]",
    servers: &["next"],
    lambda_client: None,
    template: &[
        ("function.mjs", include_str!("../../templates/node/function.mjs")),
        ("cloudfunc.toml", include_str!("../../templates/node/cloudfunc.toml")),
    ],
};

const SHIM: &str = include_str!("../../templates/node/runtime/shim.cjs");
const SHIM_FILE: &str = "shim.cjs";

/// The first process of a sandbox, a shell, since Node can neither reap what a function leaves behind nor notice
/// anything while the function keeps it busy. It ends with the guest's exit code, and ends everything when the host
/// hangs up: then nobody has the named pipe `host` open for writing any more, and reading it comes to an end.
const INIT: &str = include_str!("../../templates/node/runtime/init.sh");

/// Prints the folder of the machine's npm: the one that came with this interpreter, or the one that `PATH` has.
const FIND: &str = r"
const fs = require('fs'), path = require('path');
const own = path.join(path.dirname(path.dirname(fs.realpathSync(process.execPath))), 'lib/node_modules/npm');
const named = (process.env.PATH || '').split(':').map((folder) => path.join(folder, 'npm'));
const programs = [path.join(own, 'bin/npm-cli.js'), ...named].filter((file) => fs.existsSync(file));
const folders = programs.map((file) => path.dirname(path.dirname(fs.realpathSync(file))));
const found = folders.find((folder) => fs.existsSync(path.join(folder, 'bin/npm-cli.js')));
if (!found) process.exit(1);
console.log(found);
";

/// The endings of a handler's file, in the order in which they are tried; the shim has the same list.
const EXTENSIONS: &[&str] = &[".mjs", ".cjs", ".js", ".ts", ".mts", ".cts"];

/// The oldest version that the shim runs on, and the newest that is looked for.
const OLDEST: u32 = 20;
const NEWEST: u32 = 40;

/// Names of handlers, here and on other platforms, the likeliest first.
const USUAL_HANDLERS: [&str; 5] = ["handler", "handle", "main", "run", "lambdaHandler"];

/// The variables that Node reads before a function's code is there. `NODE_ENV`, which only packages read, is not one.
const READ_AT_START: &[&str] = &[
    "NODE_COMPILE_CACHE",
    "NODE_DEBUG",
    "NODE_DEBUG_NATIVE",
    "NODE_DISABLE_COMPILE_CACHE",
    "NODE_EXTRA_CA_CERTS",
    "NODE_ICU_DATA",
    "NODE_NO_WARNINGS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_PENDING_DEPRECATION",
    "NODE_PRESERVE_SYMLINKS",
    "NODE_REDIRECT_WARNINGS",
    "NODE_USE_ENV_PROXY",
    "NODE_USE_SYSTEM_CA",
    "NODE_V8_COVERAGE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_*",
];

const INTERACTIVE: &str = "it is for interactive sessions, and a function is not one";
const OF_A_PARENT: &str =
    "Node uses it to talk to a parent process that forked it, and a function has none";

const REFUSED: &[(&str, &str)] = &[
    ("NODE_REPL_EXTERNAL_MODULE", INTERACTIVE),
    ("NODE_REPL_HISTORY", INTERACTIVE),
    ("NODE_REPL_HISTORY_SIZE", INTERACTIVE),
    ("NODE_REPL_MODE", INTERACTIVE),
    ("NODE_CHANNEL_FD", OF_A_PARENT),
    ("NODE_CHANNEL_SERIALIZATION_MODE", OF_A_PARENT),
    ("NODE_UNIQUE_ID", OF_A_PARENT),
];

/// Accepts a major version from 20 on.
fn is_version(text: &str) -> bool {
    text.len() == 2 && text.parse::<u32>().is_ok_and(|major| major >= OLDEST)
}

/// Returns `20` for `20.11.1`.
fn major_of(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// Accepts a path without an ending and, after a dot, the name of an export.
fn is_handler(text: &str) -> bool {
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
            && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
    };
    text.rsplit_once('.').is_some_and(|(module, export)| is_name(export) && is_module(module))
}

/// Accepts names of letters, digits, `_`, `-` and `.` with `/` between them; none begins with a dot.
fn is_module(module: &str) -> bool {
    module.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    })
}

/// Returns the module's file with each ending. In place of the default one, `main` of package.json may name the file;
/// the shim reads it.
fn files(handler: &str) -> Vec<String> {
    let module = handler.rsplit_once('.').map_or(handler, |(module, _)| module);
    let mut files: Vec<String> =
        EXTENSIONS.iter().map(|extension| format!("{module}{extension}")).collect();
    if module == "function" {
        files.push("package.json".to_owned());
    }
    files
}

/// Returns an export with a usual name, or the only function that a module exports.
fn likely_function(text: &str) -> Option<String> {
    let exports: Vec<&str> = text.lines().filter_map(export_of).collect();
    let usual = USUAL_HANDLERS.into_iter().find(|usual| exports.contains(usual));
    match exports.as_slice() {
        _ if usual.is_some() => usual.map(str::to_owned),
        [only] => Some((*only).to_owned()),
        _ => None,
    }
}

/// Returns what a line at the top of a module exports.
fn export_of(line: &str) -> Option<&str> {
    let assigned = line.strip_prefix("module.exports.").or_else(|| line.strip_prefix("exports."));
    let rest = match (assigned, line.strip_prefix("export ")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) if rest.starts_with("default ") => return Some("default"),
        (None, Some(rest)) => {
            let rest = rest.strip_prefix("async ").unwrap_or(rest);
            ["function ", "const ", "let ", "var "].iter().find_map(|word| rest.strip_prefix(word))?
        }
        (None, None) => return None,
    };
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))?;
    (end > 0).then(|| &rest[..end])
}

fn all_names() -> Vec<String> {
    let numbered = (OLDEST..=NEWEST).rev().map(|major| format!("node{major}"));
    ["node".to_owned(), "nodejs".to_owned()].into_iter().chain(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_first_part() {
        for (version, major) in [("20.11.1", "20"), ("24", "24"), ("25.0.0-nightly", "25")] {
            assert_eq!(major_of(version), major);
        }
        for (text, accepted) in
            [("20", true), ("99", true), ("18", false), ("20.1", false), ("v20", false), ("", false)]
        {
            assert_eq!(is_version(text), accepted, "{text}");
        }
    }

    #[test]
    fn a_handler_is_a_module_and_an_export() {
        for (text, accepted) in [
            ("function.handler", true),
            ("src/my-app.v2.handler", true),
            ("index.default", true),
            ("a.$b_1", true),
            ("handler", false),
            (".handler", false),
            ("a.", false),
            ("a.1b", false),
            ("../a.handler", false),
            ("/a.handler", false),
            ("a//b.handler", false),
            ("a b.handler", false),
        ] {
            assert_eq!(is_handler(text), accepted, "{text}");
        }
        assert_eq!(
            files("src/index.handler"),
            ["mjs", "cjs", "js", "ts", "mts", "cts"].map(|end| format!("src/index.{end}"))
        );
        assert_eq!(files("function.handler").last().unwrap(), "package.json");
    }

    #[test]
    fn the_likely_handler_is_one_with_a_usual_name_or_the_only_export() {
        for (text, likely) in [
            ("export function other() {}\nexport async function handler(event) {}\n", Some("handler")),
            ("export const greet = (event) => event\n", Some("greet")),
            ("exports.a = 1;\nmodule.exports.handle = () => 1;\n", Some("handle")),
            ("export default function (event) {}\n", Some("default")),
            ("export const a = 1\nexport const b = 2\n", None),
            ("function handler() {}\n", None),
        ] {
            assert_eq!(likely_function(text).as_deref(), likely, "{text}");
        }
    }
}
