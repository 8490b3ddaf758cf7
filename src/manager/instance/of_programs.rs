//! Advice about the errors of programs that the platform's helper runs: by what the helper says of them, and by the last
//! lines that they wrote. Looked at only when there is an error.

use crate::model::{Code, FunctionError, FunctionSpec, Interface};

/// Words of any program that cannot listen on its port.
const IN_USE: [&str; 3] = ["Address already in use", "EADDRINUSE", "address already in use"];
/// The loader's words about a C library that is older than the program's.
const OLD_LIBRARY: [&str; 2] = ["version `GLIBC_", "version 'GLIBC_"];
/// Programs with the name of their package, besides web servers.
const PROGRAMS: [&str; 2] = ["flask", "tsx"];

/// Returns the error about a missing module that a program has written, as its language would raise it.
pub fn missing_module(error: &FunctionError) -> Option<FunctionError> {
    let texts = [Some(error.message.as_str()), error.trace.as_deref()];
    texts.into_iter().flatten().find_map(|text| of_python(text).or_else(|| of_node(text)))
}

fn of_python(text: &str) -> Option<FunctionError> {
    const WORDS: &str = "No module named ";
    let rest = &text[text.find(WORDS)? + WORDS.len()..];
    // `python -m` does not quote it.
    let rest = rest.strip_prefix('\'').unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_alphanumeric() && !"._".contains(c)).unwrap_or(rest.len());
    let module = rest[..end].trim_end_matches('.');
    (!module.is_empty()).then(|| raised("ModuleNotFoundError", format!("{WORDS}'{module}'")))
}

fn of_node(text: &str) -> Option<FunctionError> {
    let words = ["Cannot find package '", "Cannot find module '"];
    let start = words.into_iter().find_map(|words| text.find(words))?;
    Some(raised("ModuleNotFound", text[start..].to_owned()))
}

fn raised(kind: &str, message: String) -> FunctionError {
    FunctionError { kind: kind.to_owned(), message, trace: None, hint: None }
}

/// Returns advice about a program that cannot be run, or has failed.
pub fn advice(error: &FunctionError, spec: &FunctionSpec, has_packages: bool) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|words| error.message.contains(words));
    let is_server = matches!(spec.interface, Interface::Http { .. });
    if is_server && has(&IN_USE) {
        let own = "something of the program has the port already: a server is started once, and `port` is its alone";
        return Some(own.to_owned());
    }
    if has(&OLD_LIBRARY) {
        return Some(
            "the program was built on a newer system than the image's: link it statically, or build it on one as old as \
             the image"
                .to_owned(),
        );
    }
    match error.kind.as_str() {
        // What else is wrong with a program says what to do.
        "command" if has(&["is not found"]) => not_found(spec, has_packages),
        "exit" => exit(&error.message, spec.interface),
        kind => kind.strip_prefix("http_").and_then(|status| {
            let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
            let whose = if is_server { "server" } else { "function" };
            is_status.then(|| {
                format!(
                    "the status is the {whose}'s own; what it wrote meanwhile is in the function's log"
                )
            })
        }),
    }
}

/// A program of the image, or of a package.
fn not_found(spec: &FunctionSpec, has_packages: bool) -> Option<String> {
    let program = spec.command.first().filter(|program| !program.contains('/'))?;
    let Code::Language { language, .. } = &spec.code else {
        return Some("a program has to be in the function's image, on its PATH".to_owned());
    };
    Some(match &language.facts().dependencies {
        Some(dependencies) => {
            let mut known = language.facts().servers.iter().chain(&PROGRAMS);
            let package =
                if known.any(|known| known == program) { program.as_str() } else { "its package" };
            let file = dependencies.file;
            match has_packages {
                true => format!(
                    "{package} is not among the function's packages: name it in {file}, then deploy again"
                ),
                false => format!(
                    "no packages are installed for the function: name {package} in {file}, and the next deploy installs it"
                ),
            }
        }
        None => {
            "the program has to be a file of the function's folder, or one of the image's".to_owned()
        }
    })
}

/// The codes of a shell, and of a program that took itself for done.
fn exit(message: &str, interface: Interface) -> Option<String> {
    let has_code = |code: &str| {
        let end =
            message.find(&format!(" with code {code}")).map(|at| at + " with code ".len() + code.len());
        end.is_some_and(|end| !message[end..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let advice = match interface {
        _ if has_code("127") => {
            "with 127 a shell says that it has not found a program: look at what it was to run, and at PATH"
        }
        _ if has_code("126") => {
            "with 126 a shell says that it could not run a file: `chmod +x` makes one executable, and its first line names \
             its interpreter"
        }
        Interface::Http { .. } if has_code("0") => {
            "a web server goes on until it is stopped: keep it in the foreground, without an option such as --daemon"
        }
        Interface::Lambda if has_code("0") => {
            "a program for AWS Lambda asks for the next invocation again and again, and does not end by itself"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::advice::advised, *};
    use crate::manifest::{self, Defaults};

    fn hint(manifest: &str, kind: &str, message: &str) -> Option<String> {
        hint_with(false, manifest, kind, message)
    }

    fn hint_with(has_packages: bool, manifest: &str, kind: &str, message: &str) -> Option<String> {
        let spec = manifest::parse(manifest, manifest::FILE, &Defaults::default()).unwrap().spec;
        advised(raised(kind, message.to_owned()), &spec, has_packages).hint
    }

    const HTTP: &str = "interface = 'http'\ncommand = ['gunicorn', 'app:app']";
    const NATIVE: &str = "language = 'native'\ninterface = 'command'\ncommand = ['report.sh']";

    #[test]
    fn a_module_that_a_program_misses_is_told_as_a_functions_own() {
        let python = "requirements.txt in that folder has a line with its name, usually `gunicorn`";
        for message in [
            "the program ended with code 1; its last output: /usr/bin/python3: No module named gunicorn",
            "the program ended with code 1; its last output: x / ModuleNotFoundError: No module named 'gunicorn.app'",
            "Unable to import module 'app': No module named 'gunicorn'",
        ] {
            let told = hint(HTTP, "exit", message).unwrap();
            assert!(told.contains(python), "{told}");
        }
        let node = "language = 'node'\ninterface = 'http'\ncommand = ['node', 'a.js']";
        let message =
            "the program ended with code 1; its last output: Error: Cannot find module 'express'";
        let told = hint(node, "exit", message).unwrap();
        assert!(told.contains("npm install --package-lock-only --prefix DIR express"), "{told}");
        assert_eq!(hint(node, "exit", "Cannot find module '/var/task/b.js'"), None);
    }

    #[test]
    fn a_programs_error_is_told_with_what_to_do() {
        for (manifest, kind, message, expected) in [
            (
                HTTP,
                "exit",
                "the program ended with code 1; its last output: OSError: [Errno 98] Address already in use",
                "something of the program has the port already: a server is started once, and `port` is its alone",
            ),
            (
                NATIVE,
                "exit",
                "the program ended with code 1; its last output: ./x: version `GLIBC_2.38' not found",
                "the program was built on a newer system than the image's: link it statically, or build it on one as old as \
                 the image",
            ),
            (
                HTTP,
                "command",
                "the program \"gunicorn\" is not found: it is neither in /var/task nor on the PATH, which is /bin",
                "no packages are installed for the function: name gunicorn in requirements.txt, and the next deploy installs \
                 it",
            ),
            (
                "interface = 'http'\ncommand = ['serve']",
                "command",
                "the program is not found: x",
                "no packages are installed for the function: name its package in requirements.txt, and the next deploy \
                 installs it",
            ),
            (
                "language = 'node'\ninterface = 'http'\ncommand = ['tsx', 'a.ts']",
                "command",
                "the program is not found: x",
                "no packages are installed for the function: name tsx in package.json, and the next deploy installs it",
            ),
            (
                NATIVE,
                "command",
                "the program is not found: x",
                "the program has to be a file of the function's folder, or one of the image's",
            ),
            (
                "image = 'i'\ninterface = 'http'\ncommand = ['serve']",
                "command",
                "the program is not found: x",
                "a program has to be in the function's image, on its PATH",
            ),
            (
                NATIVE,
                "exit",
                "the program ended with code 127",
                "with 127 a shell says that it has not found a program: look at what it was to run, and at PATH",
            ),
            (
                NATIVE,
                "exit",
                "the program ended with code 126",
                "with 126 a shell says that it could not run a file: `chmod +x` makes one executable, and its first line \
                 names its interpreter",
            ),
            (
                HTTP,
                "exit",
                "the program ended with code 0; its last output: started",
                "a web server goes on until it is stopped: keep it in the foreground, without an option such as --daemon",
            ),
            (
                "language = 'native'",
                "exit",
                "the program ended with code 0",
                "a program for AWS Lambda asks for the next invocation again and again, and does not end by itself",
            ),
            (
                HTTP,
                "http_503",
                "the server answered 503",
                "the status is the server's own; what it wrote meanwhile is in the function's log",
            ),
        ] {
            assert_eq!(hint(manifest, kind, message).as_deref(), Some(expected), "{manifest} {message}");
        }
        for (kind, message) in [
            ("exit", "the program ended with code 1"),
            ("exit", "ended with code 1270"),
            ("http_x", ""),
            ("command", "x"),
        ] {
            assert_eq!(hint(NATIVE, kind, message), None, "{message}");
        }
    }

    #[test]
    fn a_program_that_no_installed_package_has_is_told_with_the_file_to_name_it_in() {
        let message =
            "the program \"x\" is not found: it is neither in /var/task nor on the PATH, which is /bin";
        let of = |manifest: &str| hint_with(true, manifest, "command", message).unwrap();
        assert_eq!(
            of(HTTP),
            "gunicorn is not among the function's packages: name it in requirements.txt, then deploy again"
        );
        assert_eq!(
            of("language = 'node'\ninterface = 'http'\ncommand = ['serve']"),
            "its package is not among the function's packages: name it in package.json, then deploy again"
        );
    }

    #[test]
    fn a_program_without_a_network_is_told_of_the_key_that_gives_one() {
        let message = "the program ended with code 1; its last output: curl: (6) Could not resolve host: example.com";
        assert!(hint(NATIVE, "exit", message).unwrap().contains("network = \"egress\""));
    }
}
