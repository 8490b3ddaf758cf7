//! Python.

mod lines;
mod project;
mod requirements;
mod requires_python;

use std::collections::BTreeMap;

use super::{
    Dependencies, Facts, HandlerGrammar, Host, Image, Index, Installer, Interpreter, Project, Selected,
    Variables, Versions,
};

pub(super) const FACTS: Facts = Facts {
    name: "python",
    title: "Python",
    versions: Versions {
        default: "3.12",
        example: "3.12",
        oldest: None,
        accepts: is_version,
        of_release: minor_of,
    },
    handler: HandlerGrammar {
        default: "function.handler",
        form: "`module.attribute`, for example \"function.handler\"",
        accepts: is_handler,
        files,
        extensions: &[".py"],
        usual_modules: &["lambda_function", "main", "app", "handler", "index"],
        is_module,
        named: |module, function| format!("{module}.{function}"),
        usual_function: |module| if module == "lambda_function" { "lambda_handler" } else { "handler" },
        likely_function,
    },
    image: Image {
        base: "python:{version}-slim",
        files: &[("shim.py", SHIM), ("compile.py", COMPILE)],
        steps: &[&["python3", "/opt/cloudfunc/compile.py"]],
        env: &[("LANG", "C.UTF-8")],
    },
    interpreter: Interpreter {
        program: "python3",
        init: &[],
        shim: SHIM,
        source_file: "shim.py",
        image_file: "shim.pyc",
        options,
    },
    host: Host {
        names: |version| vec!["python3".to_owned(), format!("python{version}")],
        all_names,
        describe: &["-I", "-B", "-c", include_str!("../../templates/python/runtime/host.py")],
    },
    variables: Variables { read_at_start: &["PYTHON*"], refused: REFUSED },
    dependencies: Some(Dependencies {
        file: "requirements.txt",
        asks: requirements::asks,
        folder: None,
        installer: Some(Installer {
            tool: "pip",
            debian: "python3-pip",
            find: &[
                "-I",
                "-c",
                "import os, pip; print(os.path.dirname(os.path.realpath(pip.__file__)))",
            ],
            program: &[
                ("install.py", include_str!("../../templates/python/runtime/install.py")),
                ("explain.py", include_str!("../../templates/python/runtime/explain.py")),
            ],
            handler: "install.handler",
            entries: requirements::entries,
            index: Index::Python,
            beside: &[],
            select: |files, _| Ok(Selected { texts: files.clone(), ..Selected::default() }),
            normal: requirements::normal,
            builds_sources: true,
        }),
        project: Some(Project {
            file: project::FILE,
            packages: project::packages,
            asks: project::asks,
            unread: project::unread,
        }),
    }),
    template: &[
        ("function.py", include_str!("../../templates/python/function.py")),
        ("cloudfunc.toml", include_str!("../../templates/python/cloudfunc.toml")),
    ],
};

const SHIM: &str = include_str!("../../templates/python/runtime/shim.py");

/// A program that compiles the shim, and the standard library where the image has no bytecode for it (the public Python
/// images have none): a start takes 22 ms less.
const COMPILE: &str = r#"
import compileall, py_compile, re, sysconfig
py_compile.compile("/opt/cloudfunc/shim.py", "/opt/cloudfunc/shim.pyc", doraise=True)
skip = re.compile(r"/(test|tests|idlelib|lib2to3|turtledemo|ensurepip|pip|site-packages)/")
compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2, rx=skip, workers=0)
"#;

/// The newest minor version of Python 3 that is looked for.
const NEWEST: u32 = 30;

/// Names of handlers on other platforms, the likeliest first.
const USUAL_HANDLERS: [&str; 6] = ["lambda_handler", "handler", "handle", "main", "run", "app"];

const OWN_LIBRARY: &str = "it moves the interpreter's own library, which comes from the platform";
const INTERACTIVE: &str = "it is for interactive sessions, and a function is none";
const NOT_LINUX: &str = "it has no effect on Linux";

const REFUSED: &[(&str, &str)] = &[
    ("PYTHONHOME", OWN_LIBRARY),
    ("PYTHONPLATLIBDIR", OWN_LIBRARY),
    ("PYTHONSTARTUP", INTERACTIVE),
    ("PYTHONINSPECT", INTERACTIVE),
    ("PYTHON_HISTORY", INTERACTIVE),
    ("PYTHONEXECUTABLE", NOT_LINUX),
    ("PYTHONCASEOK", NOT_LINUX),
    ("PYTHONLEGACYWINDOWSSTDIO", NOT_LINUX),
    ("PYTHONLEGACYWINDOWSFSENCODING", NOT_LINUX),
];

/// Accepts `3.` and one or two digits.
fn is_version(text: &str) -> bool {
    let minor = text.strip_prefix("3.").unwrap_or_default();
    matches!(minor.len(), 1..=2) && minor.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `3.11` for `3.11.7`.
fn minor_of(version: &str) -> &str {
    let minor =
        version.find('.').and_then(|dot| version[dot + 1..].find('.').map(|next| dot + 1 + next));
    minor.map_or(version, |end| &version[..end])
}

/// Accepts at least two identifiers with dots between them.
fn is_handler(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_identifier)
}

/// Accepts `[A-Za-z_][A-Za-z0-9_]*`.
fn is_identifier(text: &str) -> bool {
    is_module(text) && !text.is_empty()
}

fn is_module(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn files(handler: &str) -> Vec<String> {
    let module = handler.rsplit_once('.').map_or(handler, |(module, _)| module).replace('.', "/");
    vec![format!("{module}.py"), format!("{module}/__init__.py")]
}

/// Returns a function with a usual name, or the only one at the top of the module.
fn likely_function(text: &str) -> Option<String> {
    let name = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?;
        rest.split(['(', ' ', '[']).next().map(str::to_owned)
    };
    let assigned = |line: &str| line.split_once(" = ").map(|(name, _)| name.to_owned());
    let defined: Vec<String> = text.lines().filter_map(name).collect();
    let all: Vec<String> = defined.iter().cloned().chain(text.lines().filter_map(assigned)).collect();
    let usual = USUAL_HANDLERS.into_iter().find(|usual| all.iter().any(|name| name == usual));
    match defined.as_slice() {
        _ if usual.is_some() => usual.map(str::to_owned),
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Returns options that isolate the interpreter from the environment and from the shim's own folder, and keep it from
/// writing bytecode to a read-only file system. Where the interpreter's variables must have an effect, it cannot be
/// isolated from the environment; the shim itself then takes its own folder off the path.
fn options(env: &BTreeMap<String, String>) -> &'static [&'static str] {
    if env.keys().any(|name| name.starts_with("PYTHON")) { &["-B"] } else { &["-I", "-B"] }
}

fn all_names() -> Vec<String> {
    let numbered = (0..=NEWEST).rev().map(|minor| format!("python3.{minor}"));
    std::iter::once("python3".to_owned()).chain(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_first_two_parts() {
        for (version, minor) in [("3.11.7", "3.11"), ("3.11", "3.11"), ("3", "3"), ("3.9.0rc1", "3.9")] {
            assert_eq!(minor_of(version), minor);
        }
    }
}
