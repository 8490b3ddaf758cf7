//! Python.

mod application;
mod lines;
mod project;
mod requirements;
mod requires_python;

use std::collections::BTreeMap;

use super::{
    BuildProgram, Bytecode, Dependencies, Facts, HandlerGrammar, Host, Image, Index, Installer,
    Interpreter, LambdaClient, Project, Selected, Variables, Versions,
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
        files: &[("shim.py", SHIM), ("compile.py", COMPILE), ("bytecode.py", BYTECODE)],
        steps: &[&["python3", "/opt/cloudfunc/compile.py"]],
        env: &[("LANG", "C.UTF-8")],
    },
    interpreter: Some(Interpreter {
        program: "python3",
        init: &[],
        shim: SHIM,
        source_file: "shim.py",
        image_file: "shim.pyc",
        options,
    }),
    host: Some(Host {
        names: |version| vec!["python3".to_owned(), format!("python{version}")],
        all_names,
        describe: &["-I", "-B", "-c", include_str!("../../templates/python/runtime/host.py")],
    }),
    variables: Variables {
        read_at_start: &["PYTHON*"],
        refused: REFUSED,
        // What is printed goes to a pipe: without it lines would come late, and those of a killed program never.
        of_programs: &[("PYTHONUNBUFFERED", "1")],
    },
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
            // 1: without bytecode; 2: scripts with the path of the interpreter that installed them.
            form: 3,
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
    command: Some(BuildProgram {
        text: include_str!("../../templates/python/runtime/command.py"),
        file: "command.py",
        handler: "command.handler",
        calls_installer: false,
    }),
    bytecode: Some(Bytecode {
        extension: ".py",
        folder: "__pycache__",
        program: BuildProgram {
            text: BYTECODE,
            file: "bytecode.py",
            handler: "bytecode.handler",
            calls_installer: false,
        },
        compiled,
        is_usable,
        in_image: &["python3", "-I", "-B", "-c", COMPILE_TASK],
    }),
    web_application: application::find,
    server_example: "[\"gunicorn\", \"--preload\", \"app:app\"]",
    servers: &["gunicorn", "uvicorn", "hypercorn", "daphne"],
    lambda_client: Some(LambdaClient {
        package: "awslambdaric",
        command: &["python3", "-m", "awslambdaric"],
    }),
    template: &[
        ("function.py", include_str!("../../templates/python/function.py")),
        ("cloudfunc.toml", include_str!("../../templates/python/cloudfunc.toml")),
    ],
};

const SHIM: &str = include_str!("../../templates/python/runtime/shim.py");
const BYTECODE: &str = include_str!("../../templates/python/runtime/bytecode.py");

/// Compiles the code in an image, in a process of its own: a file may take the interpreter down.
const COMPILE_TASK: &str = "import os, sys; os.chdir('/opt/cloudfunc'); sys.path.insert(0, '.'); import bytecode; \
                            bytecode.compile_apart(60, '/var/task')";

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

/// The limit of a file's name on Linux, in bytes.
const MAX_NAME: usize = 255;

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

/// Returns `a.cpython-312.pyc` for `a.py`.
fn compiled(source: &str, tag: &str) -> Option<String> {
    let of_a_tag = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_tag = matches!(tag.len(), 1..=32) && tag.bytes().all(of_a_tag);
    let stem = source.strip_suffix(".py").filter(|_| is_tag)?;
    Some(format!("{stem}.{tag}.pyc")).filter(|name| name.len() <= MAX_NAME)
}

/// PEP 552: after the magic number, the flags say that there is a hash, which is not compared with the source.
fn is_usable(start: &[u8; 16]) -> bool {
    start[2..4] == *b"\r\n" && start[4..8] == 1_u32.to_le_bytes()
}

fn all_names() -> Vec<String> {
    let numbered = (0..=NEWEST).rev().map(|minor| format!("python3.{minor}"));
    std::iter::once("python3".to_owned()).chain(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_lies_where_the_interpreter_looks_for_it_and_nowhere_else() {
        assert_eq!(compiled("a.py", "cpython-312").as_deref(), Some("a.cpython-312.pyc"));
        for (source, tag) in
            [("a.txt", "cpython-312"), ("a.py", ""), ("a.py", "../../b"), ("a.py", "x.y")]
        {
            assert_eq!(compiled(source, tag), None, "{source} {tag}");
        }
        assert_eq!(compiled(&format!("{}.py", "a".repeat(240)), "cpython-312"), None);
        let start = |flags: u8| {
            let mut start = [0; 16];
            start[2..5].copy_from_slice(&[b'\r', b'\n', flags]);
            start
        };
        assert!(is_usable(&start(1)));
        // By its times, and by a hash that is compared.
        assert!(!is_usable(&start(0)) && !is_usable(&start(3)) && !is_usable(&[1; 16]));
    }

    #[test]
    fn a_version_is_known_by_its_first_two_parts() {
        for (version, minor) in [("3.11.7", "3.11"), ("3.11", "3.11"), ("3", "3"), ("3.9.0rc1", "3.9")] {
            assert_eq!(minor_of(version), minor);
        }
    }
}
