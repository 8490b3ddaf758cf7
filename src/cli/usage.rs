//! Errors in the arguments, printed as text or as JSON.

use std::{ffi::OsString, io::ErrorKind, process::ExitCode};

use clap::error::{ContextKind, ContextValue};

use super::{Color, Error, Output};

/// Prints the error; help and version also arrive here, with code 0.
pub fn report(mut error: clap::Error, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    drop_value_tip(&mut error);
    let is_error = error.exit_code() != 0;
    if is_error && wants_json(arguments) {
        Output::new(true, false, false, Color::Never).error(&explain(&error.to_string()));
    } else {
        match error.print() {
            Err(broken) if !is_error && broken.kind() != ErrorKind::BrokenPipe => {
                let full = Error::platform(format!("cannot write to stdout: {broken}"));
                Output::new(false, false, false, Color::Auto).error(&full);
                return full.exit.into();
            }
            _ => {}
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Drops the tip that an option can be passed as a value after `--`: here it is never what was meant.
fn drop_value_tip(error: &mut clap::Error) {
    let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) else { return };
    let kept: Vec<_> =
        tips.iter().filter(|tip| !tip.to_string().contains(" as a value")).cloned().collect();
    let kept = if kept.is_empty() { ContextValue::None } else { ContextValue::StyledStrs(kept) };
    error.insert(ContextKind::Suggested, kept);
}

/// Looks for `--json` by hand: the arguments could not be parsed.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// Builds an error from clap's text: `error: …`, further lines, any number of `tip:` lines, the usage.
fn explain(text: &str) -> Error {
    let mut blocks = text.trim_end().split("\n\n").map(one_line);
    let first = blocks.next().unwrap_or_default();
    let Some(detail) = first.strip_prefix("error: ") else {
        return Error::usage("a command is missing").hint("`cloudfunc help` shows the commands");
    };
    let rest: Vec<String> = blocks.collect();
    let tips = rest.iter().filter_map(|block| block.strip_prefix("tip: ")).collect::<Vec<_>>();
    let usage = || rest.iter().find(|block| block.starts_with("Usage: ")).cloned();
    let hint = if tips.is_empty() { usage() } else { Some(tips.join("; ")) };
    Error { hint, ..Error::usage(detail) }
}

fn one_line(block: &str) -> String {
    block.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_usage_error_are_its_detail_and_its_tip_the_hint() {
        let told = |text: &str| {
            let error = explain(text).report();
            (error.detail, error.hint.unwrap_or_default())
        };
        let of = |detail: &str, hint: &str| (detail.to_owned(), hint.to_owned());
        let unknown = "error: unrecognized subcommand 'deplyo'\n\n  tip: a similar subcommand exists: \
                       'deploy'\n\nUsage: cloudfunc [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            told(unknown),
            of("unrecognized subcommand 'deplyo'", "a similar subcommand exists: 'deploy'")
        );
        let missing = "error: the following required arguments were not provided:\n  <NAME>\n\n\
                       Usage: cloudfunc invoke <NAME>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            told(missing),
            of(
                "the following required arguments were not provided: <NAME>",
                "Usage: cloudfunc invoke <NAME>"
            )
        );
        assert_eq!(told("A platform\n\nUsage: x").0, "a command is missing");
    }

    #[test]
    fn an_option_is_not_proposed_as_a_value() {
        use clap::{Arg, Command};
        let command = Command::new("x").arg(Arg::new("name")).arg(Arg::new("wait").long("wait"));
        let mut error = command.try_get_matches_from(["x", "f", "--timeout"]).unwrap_err();
        drop_value_tip(&mut error);
        assert_eq!(
            error.to_string().lines().next(),
            Some("error: unexpected argument '--timeout' found")
        );
        assert!(!error.to_string().contains("as a value"), "{error}");
    }

    #[test]
    fn json_is_asked_for_before_a_double_dash() {
        let asks = |arguments: &[&str]| wants_json(arguments.iter().map(OsString::from));
        assert!(asks(&["cloudfunc", "invoke", "--json"]));
        assert!(!asks(&["cloudfunc", "invoke", "f", "--", "--json"]));
        assert!(!asks(&["cloudfunc", "list"]));
    }
}
