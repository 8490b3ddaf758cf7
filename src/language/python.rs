//! Python.

use std::collections::BTreeMap;

use super::{
    Dependencies, Facts, HandlerGrammar, Host, Image, Installer, Interpreter, Line, Variables, Versions,
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
        asks: |text| {
            let asks = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
            text.lines().any(asks)
        },
        install: |folder, file| format!("pip install --target {folder} -r {file}"),
        folder: None,
        installer: Some(Installer {
            tool: "pip",
            debian: "python3-pip",
            find: &[
                "-I",
                "-c",
                "import os, pip; print(os.path.dirname(os.path.realpath(pip.__file__)))",
            ],
            program: include_str!("../../templates/python/runtime/install.py"),
            program_file: "install.py",
            handler: "install.handler",
            line,
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

const ONLY_WHEELS: &str = "this version installs wheels only, from an index or a folder of them";
const OWN_FOLDER: &str = "a path is not installed; code of your own is packed with the function, or included by \
                          `build.include`";
const NO_LIST: &str = "a list from the network is not read; put the file into the function's folder";

/// Returns what a line of `requirements.txt` means: what it includes is part of what is installed, and what would run
/// code of a package to install it is refused.
fn line(line: &str) -> Line<'_> {
    let line = line.trim();
    if line.starts_with('#') {
        return Line::Plain;
    }
    for option in ["--requirement", "--constraint", "-r", "-c"] {
        let Some(rest) = line.strip_prefix(option) else { continue };
        let is_apart = rest.starts_with([' ', '\t', '=']) || !option.starts_with("--");
        let rest =
            rest.trim_start_matches([' ', '\t', '=']).split(" #").next().unwrap_or_default().trim();
        match rest {
            _ if !is_apart => {}
            _ if rest.contains("://") => return Line::Refused(NO_LIST),
            _ => return Line::File(rest),
        }
    }
    if ["-e", "--editable", "--no-binary"].iter().any(|option| line.starts_with(option)) {
        return Line::Refused(ONLY_WHEELS);
    }
    if line.starts_with(['.', '/']) || line.starts_with("file:") {
        return Line::Refused(OWN_FOLDER);
    }
    let is_option = line.starts_with('-');
    match line.find("://").filter(|_| !is_option) {
        Some(_) if !is_wheel(line) => Line::Refused(ONLY_WHEELS),
        _ => Line::Plain,
    }
}

/// Returns whether a requirement with an address is a wheel.
fn is_wheel(line: &str) -> bool {
    let address = line.split_once('@').map_or(line, |(_, address)| address).trim();
    let address = address.split(['#', ';', ' ', '?']).next().unwrap_or_default();
    address.ends_with(".whl")
}

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
    fn a_line_of_requirements_is_plain_a_file_or_refused() {
        for plain in [
            "requests==2.31.0",
            "requests[socks] >= 2 ; python_version < '3.12'  # why",
            "# -r other.txt",
            "",
            "--index-url https://example.org/simple",
            "a @ https://example.org/a-1.0-py3-none-any.whl#sha256=0",
            "-retry",
        ] {
            let expected = if plain == "-retry" { Line::File("etry") } else { Line::Plain };
            assert_eq!(line(plain), expected, "{plain}");
        }
        for file in ["-r base.txt", "-rbase.txt", "--requirement=base.txt", " -c base.txt  # why"] {
            assert_eq!(line(file), Line::File("base.txt"), "{file}");
        }
        for (refused, why) in [
            ("-e .", ONLY_WHEELS),
            ("--no-binary :all:", ONLY_WHEELS),
            ("a @ https://example.org/a-1.0.tar.gz", ONLY_WHEELS),
            ("git+https://example.org/a.git", ONLY_WHEELS),
            ("./lib", OWN_FOLDER),
            ("file:///a.whl", OWN_FOLDER),
            ("-r https://example.org/list.txt", NO_LIST),
        ] {
            assert_eq!(line(refused), Line::Refused(why), "{refused}");
        }
    }

    #[test]
    fn a_version_is_known_by_its_first_two_parts() {
        for (version, minor) in [("3.11.7", "3.11"), ("3.11", "3.11"), ("3", "3"), ("3.9.0rc1", "3.9")] {
            assert_eq!(minor_of(version), minor);
        }
    }
}
