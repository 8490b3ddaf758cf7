//! What ended an attempt, as lines of the function's log.

use crate::model::FunctionError;

/// The words before the last lines of the output in the message of a load that failed.
pub const LAST_OUTPUT: &str = "; its last output: ";

/// Limits of an error's trace in a function's log; the last bytes and lines are kept.
const MAX_TRACE: usize = 64 * 1024;
const MAX_TRACE_LINES: usize = 1_000;

/// The lines of an error: its trace, and its type and message where the trace does not end with them. The
/// last ones tell most; how many before them are left out is the first answer.
pub(super) fn error_lines(error: &FunctionError) -> (usize, Vec<String>) {
    let mut text = error.trace.clone().unwrap_or_default();
    if !ends_with_it(&text, error) {
        // What it wrote last stands above as lines of its own.
        let message = match error.trace {
            None if is_ours(&error.kind) => error.message.split(LAST_OUTPUT).next(),
            _ => None,
        };
        let message = message.unwrap_or(&error.message);
        let error = FunctionError { message: message.to_owned(), ..error.clone() };
        text = format!("{text}\n{}", error.summary());
    }
    // The first line may be indented.
    let all: Vec<&str> = text.trim_end().lines().skip_while(|line| line.trim().is_empty()).collect();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for line in all.iter().rev().take(MAX_TRACE_LINES) {
        bytes += line.len() + 1;
        if bytes > MAX_TRACE && !lines.is_empty() {
            break;
        }
        let end = line.floor_char_boundary(MAX_TRACE);
        lines.push(if end < line.len() { format!("{}…", &line[..end]) } else { (*line).to_owned() });
    }
    lines.reverse();
    (all.len() - lines.len(), lines)
}

/// Returns whether a type is one of the platform's own: only their messages have the last output.
fn is_ours(kind: &str) -> bool {
    kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Returns whether a trace has the error's message. That of a SyntaxError goes on with the place, which the trace has above.
fn ends_with_it(trace: &str, error: &FunctionError) -> bool {
    let last = trace.trim_end().lines().last().unwrap_or_default();
    let said = last.strip_prefix(&*error.kind).and_then(|rest| rest.strip_prefix(": "));
    let goes_on = said.is_some_and(|said| {
        error
            .message
            .strip_prefix(said)
            .is_some_and(|rest| rest.starts_with(" (") && rest.ends_with(')'))
    });
    !trace.trim().is_empty() && (goes_on || trace.contains(&error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, trace: Option<String>) -> FunctionError {
        FunctionError { kind: "ValueError".to_owned(), message: message.to_owned(), trace, hint: None }
    }

    #[test]
    fn an_error_is_its_trace_or_its_message() {
        let trace = "Traceback (most recent call last):\n  File \"f.py\"\nValueError: no\n";
        let expected = ["Traceback (most recent call last):", "  File \"f.py\"", "ValueError: no"];
        assert_eq!(
            error_lines(&error("no", Some(trace.to_owned()))),
            (0, expected.map(str::to_owned).to_vec())
        );
        assert_eq!(error_lines(&error("a\nb", None)).1, ["ValueError: a", "b"]);
        assert_eq!(error_lines(&error("no", Some("at f:1".to_owned()))).1, ["at f:1", "ValueError: no"]);
        assert_eq!(error_lines(&error("", None)).1, ["ValueError"]);
        let syntax = |message: &str, trace: &str| FunctionError {
            kind: "SyntaxError".to_owned(),
            ..error(message, Some(trace.to_owned()))
        };
        let trace = "  File \"function.py\", line 1\n    def h(\nSyntaxError: expected ':'\n";
        assert_eq!(
            error_lines(&syntax("expected ':' (function.py, line 1)", trace)).1,
            ["  File \"function.py\", line 1", "    def h(", "SyntaxError: expected ':'"]
        );
        let exit =
            FunctionError { kind: "exit".to_owned(), ..error("it ended; its last output: bye", None) };
        assert_eq!(error_lines(&exit).1, ["exit: it ended"]);
    }

    #[test]
    fn of_a_long_error_the_end_is_kept() {
        let (cut, lines) = error_lines(&error("0", Some("x\n".repeat(5_000) + "0")));
        assert_eq!((cut, lines.len(), lines.last().unwrap().as_str()), (4_001, MAX_TRACE_LINES, "0"));
        let (cut, lines) = error_lines(&error(&"é".repeat(70_000), None));
        assert!(cut == 0 && lines.len() == 1 && lines[0].len() <= MAX_TRACE + 3);
        assert!(lines[0].ends_with("é…"));
    }
}
