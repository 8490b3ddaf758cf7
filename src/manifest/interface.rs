//! `interface`, `command` and `port`: the way a function's instances are spoken to, and the program that is.

use super::{MAX_TEXT_BYTES, ManifestError, command::words, is_identifier};
use crate::{
    model::{Code, Interface, Language},
    toml_document::{Field, Section},
};

/// The port of a web server whose manifest names none.
pub const DEFAULT_PORT: u16 = 8080;
/// The lowest port that a process without privileges may listen on wherever functions run. Images have an engine, and that
/// lets every process in a container listen on all of them.
const MIN_PORT: u16 = 1024;
const MAX_PORT: u32 = u16::MAX as u32;
/// The limit of a word of a command that an error repeats, in characters.
const SHOWN: usize = 40;
/// The program of a function for AWS Lambda, as its runtimes for native code name it.
pub const BOOTSTRAP: &str = "bootstrap";

/// Reads interface and command; the command is empty where the interface has none, or the image's own is meant.
pub(super) fn read(root: &Section<'_>, code: &Code) -> Result<(Interface, Vec<String>), ManifestError> {
    const WORDS: &[(&str, &str)] =
        &[("protocol", "protocol"), ("command", "command"), ("lambda", "lambda"), ("http", "http")];
    let is_native = matches!(code, Code::Language { language: Language::Native, .. });
    let field = root.get("interface");
    let default = if is_native { "lambda" } else { "protocol" };
    let word = field.as_ref().map_or(Ok(default), |field| field.one_of(WORDS))?;
    let port = match root.get("port") {
        Some(field) if word != "http" => {
            return Err(
                field.key_error("`port` is the port of a web server: it needs `interface = \"http\"`")
            );
        }
        Some(field) => read_port(&field, code)?,
        None => DEFAULT_PORT,
    };
    let interface = match word {
        "command" => Interface::Command,
        "lambda" => Interface::Lambda,
        "http" => Interface::Http { port },
        _ => Interface::Protocol,
    };
    if let (Interface::Protocol, true, Some(field)) = (interface, is_native, &field) {
        return Err(field.error(
            "`interface` is \"protocol\", but `language = \"native\"` has no shim that speaks it; it must be \"command\", \
             \"lambda\" or \"http\"",
        ));
    }
    let command = match (root.get("command"), interface, code) {
        (Some(field), Interface::Protocol, _) => {
            return Err(field.key_error(
                "`command` has no effect here: `interface` says how the program that it starts is spoken to, and must be \
                 \"command\", \"lambda\" or \"http\" (a command that makes the code is `build.command`)",
            ));
        }
        (Some(field), _, _) => program(&field, interface, code)?,
        (None, Interface::Protocol, _) | (None, _, Code::Image { .. } | Code::Dockerfile { .. }) => {
            Vec::new()
        }
        (None, Interface::Lambda, _) => vec![BOOTSTRAP.to_owned()],
        (None, Interface::Command | Interface::Http { .. }, _) => {
            let field = field.expect("neither is a default");
            return Err(field.key_error(format!(
                "`interface = \"{word}\"` needs `command`, the program that runs; it looks like command = {}",
                example(interface, code)
            )));
        }
    };
    Ok((interface, command))
}

fn read_port(field: &Field<'_>, code: &Code) -> Result<u16, ManifestError> {
    let port = u16::try_from(field.integer(1, MAX_PORT)?).expect("within its range");
    match code {
        Code::Language { .. } if port < MIN_PORT => Err(field.refuse(format!(
            "with `language` it must be from {MIN_PORT} to {MAX_PORT}: not every runtime lets a program without rights \
             listen on a lower one"
        ))),
        _ => Ok(port),
    }
}

fn example(interface: Interface, code: &Code) -> &'static str {
    match (interface, code) {
        (Interface::Http { .. }, Code::Language { language, .. }) => language.facts().server_example,
        (Interface::Http { .. }, _) => "[\"./server\"]",
        (Interface::Lambda, _) => "[\"./bootstrap\"]",
        (Interface::Command | Interface::Protocol, _) => "[\"./report.sh\", \"--all\"]",
    }
}

/// Reads the program and its arguments, and refuses variables in them that only a shell would replace.
fn program(field: &Field<'_>, interface: Interface, code: &Code) -> Result<Vec<String>, ManifestError> {
    let example = example(interface, code);
    let words = words(field, "command", example)?;
    // Also behind a program that runs another one, such as `env` or `tini`.
    if words.iter().any(|word| is_shell(word)) {
        return Ok(words);
    }
    let items = field.items(example)?;
    // `$NAME` may be a program's own syntax; what a web server is started with hardly has any.
    let is_server = matches!(interface, Interface::Http { .. });
    let is_refused = |word: &str| {
        has_variable(word) && (is_server || word.contains("PORT") || word.starts_with("${"))
    };
    let Some((word, item)) = words.iter().zip(&items).find(|(word, _)| is_refused(word)) else {
        return Ok(words);
    };
    let value = match interface {
        Interface::Http { port } if word.contains("PORT") => {
            format!("the variable PORT is {port}, so write that")
        }
        _ => "write the value itself".to_owned(),
    };
    let shown: String = word.chars().take(SHOWN).collect();
    Err(item.error(format!(
        "`command` has {shown:?}, but nothing is replaced in `command`, since no shell reads it: {value}, or have a shell \
         replace it, with [\"sh\", \"-c\", \"…\"]"
    )))
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "busybox")
}

/// Returns whether a word is a variable of a shell's, or has the port as one. Any other `$` may be meant.
fn has_variable(word: &str) -> bool {
    let name = word.strip_prefix('$').map(|name| {
        let inner = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        inner.unwrap_or(name)
    });
    name.is_some_and(is_identifier)
        || [":$PORT", "=$PORT", ":${PORT}", "=${PORT}"].iter().any(|port| word.contains(port))
}

/// Reads the handler that a runtime of AWS Lambda is told; empty where the manifest names none.
pub(super) fn lambda_handler(root: &Section<'_>) -> Result<String, ManifestError> {
    let Some(field) = root.get("handler") else { return Ok(String::new()) };
    let text = field.string("\"app.handler\"")?;
    if text.is_empty() || text.chars().any(char::is_control) || text.len() > MAX_TEXT_BYTES {
        return Err(field.refuse("a handler is a text of one line, for example \"app.handler\""));
    }
    Ok(text.to_owned())
}

/// Returns the reason why a program behind this interface cannot have this variable.
pub(super) fn refused_variable(interface: Interface, name: &str) -> Option<&'static str> {
    match interface {
        Interface::Http { .. } if name == "PORT" => Some("the manifest's `port` sets it"),
        Interface::Lambda if name == "_HANDLER" => Some("the manifest's `handler` sets it"),
        Interface::Lambda
            if name.starts_with("AWS_LAMBDA_")
                || matches!(name, "AWS_EXECUTION_ENV" | "LAMBDA_TASK_ROOT" | "LAMBDA_RUNTIME_DIR") =>
        {
            Some("the platform sets it, as AWS Lambda does")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn read(text: &str) -> Result<(Interface, Vec<String>), String> {
        let parsed = manifest::parse(text, "cloudfunc.toml", &Defaults::default());
        let parsed = parsed.map_err(|error| error.to_string())?;
        Ok((parsed.spec.interface, parsed.spec.command))
    }

    #[test]
    fn each_interface_has_its_program() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        for (text, interface, command) in [
            ("", Interface::Protocol, words(&[])),
            ("language = 'native'", Interface::Lambda, words(&["bootstrap"])),
            ("interface = 'lambda'", Interface::Lambda, words(&["bootstrap"])),
            ("image = 'i'\ninterface = 'lambda'", Interface::Lambda, words(&[])),
            (
                "interface = 'http'\ncommand = ['gunicorn', 'app:app']",
                Interface::Http { port: 8080 },
                words(&["gunicorn", "app:app"]),
            ),
            ("image = 'i'\ninterface = 'http'\nport = 3000", Interface::Http { port: 3000 }, words(&[])),
            ("image = 'i'\ninterface = 'http'\nport = 80", Interface::Http { port: 80 }, words(&[])),
            ("dockerfile = 'D'\ninterface = 'http'\nport = 1", Interface::Http { port: 1 }, words(&[])),
            ("interface = 'command'\ncommand = ['./x']", Interface::Command, words(&["./x"])),
        ] {
            assert_eq!(read(text), Ok((interface, command)), "{text}");
        }
    }

    #[test]
    fn a_dollar_may_be_meant() {
        for words in [
            "'sh', '-c', '$PORT'",
            "'/bin/bash', '-c', 'exec x --port=${PORT}', '$HOME'",
            "'awk', '{ print $1 }'",
            "'grep', 'a$', '$1', '$'",
        ] {
            let read = read(&format!("interface = 'http'\ncommand = [{words}]"));
            assert!(read.is_ok(), "{words} {read:?}");
        }
        for words in ["'jq', '-n', '$ENV'", "'env', 'bash', '-c', '${HOME}'"] {
            let read = read(&format!("interface = 'command'\ncommand = [{words}]"));
            assert!(read.is_ok(), "{words} {read:?}");
        }
        for word in ["$PORT", "${PORT}", "--port=$PORT", "--bind=:${PORT}", "$HOME_2"] {
            assert!(has_variable(word), "{word}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_to_do() {
        for (text, expected) in [
            ("port = 80", "1:1: `port` is the port of a web server: it needs `interface = \"http\"`"),
            (
                "interface = 'http'\nport = 80\ncommand = ['x']",
                "2:8: `port` is 80; with `language` it must be from 1024 to 65535: not every runtime lets a program without \
                 rights listen on a lower one",
            ),
            (
                "image = 'i'\ninterface = 'http'\nport = 0",
                "3:8: `port` is 0; it must be a whole number from 1 to 65535",
            ),
            (
                "interface = 'http'",
                "1:1: `interface = \"http\"` needs `command`, the program that runs; it looks like command = \
                 [\"gunicorn\", \"--preload\", \"app:app\"]",
            ),
            (
                "language = 'native'\ninterface = 'http'",
                "2:1: `interface = \"http\"` needs `command`, the program that runs; it looks like command = [\"./server\"]",
            ),
            (
                "language = 'node'\ninterface = 'http'",
                "2:1: `interface = \"http\"` needs `command`, the program that runs; it looks like command = [\"node\", \
                 \"server.js\"]",
            ),
            (
                "interface = 'http'\nport = 3000\ncommand = ['gunicorn', '--bind', '0.0.0.0:$PORT', 'app:app']",
                "3:34: `command` has \"0.0.0.0:$PORT\", but nothing is replaced in `command`, since no shell reads it: the \
                 variable PORT is 3000, so write that, or have a shell replace it, with [\"sh\", \"-c\", \"…\"]",
            ),
            (
                "interface = 'command'\ncommand = ['./report.sh', '${HOME}']",
                "2:27: `command` has \"${HOME}\", but nothing is replaced in `command`, since no shell reads it: write the \
                 value itself, or have a shell replace it, with [\"sh\", \"-c\", \"…\"]",
            ),
            (
                "command = ['x']",
                "1:1: `command` has no effect here: `interface` says how the program that it starts is spoken to, and must \
                 be \"command\", \"lambda\" or \"http\" (a command that makes the code is `build.command`)",
            ),
            (
                "interface = 'command'\ncommand = 'ls -l'",
                "2:11: `command` is a list of a program and its arguments, and no shell reads it: write [\"ls\", \"-l\"]",
            ),
            (
                "interface = 'command'\ncommand = []",
                "2:11: `command` names no program; it looks like command = [\"./report.sh\", \"--all\"]",
            ),
            (
                "language = 'native'\ninterface = 'protocol'",
                "2:13: `interface` is \"protocol\", but `language = \"native\"` has no shim that speaks it; it must be \
                 \"command\", \"lambda\" or \"http\"",
            ),
            (
                "interface = 'command'\ncommand = ['x']\nhandler = 'a.b'",
                "3:1: `handler` has no effect with `interface = \"command\"`: `command` says what runs",
            ),
            (
                "interface = 'http'\ncommand = ['x']\n[env]\nPORT = '1'",
                "4:1: `PORT` cannot be set: the manifest's `port` sets it",
            ),
            (
                "interface = 'lambda'\n[env]\nAWS_LAMBDA_RUNTIME_API = '1'",
                "3:1: `AWS_LAMBDA_RUNTIME_API` cannot be set: the platform sets it, as AWS Lambda does",
            ),
            (
                "interface = 'lambda'\n[scaling]\nconcurrency = 2",
                "3:15: `scaling.concurrency` is above 1, but a program with `interface = \"lambda\"` asks for one invocation \
                 at a time; remove it, and raise `scaling.max_instances`",
            ),
        ] {
            assert_eq!(read(text), Err(format!("cloudfunc.toml:{expected}")), "{text}");
        }
    }
}
