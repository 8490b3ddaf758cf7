//! The result of a deploy: as a line of `--json`, and for people.

use std::{collections::HashSet, path::Path};

use serde::Serialize;

use crate::{
    cli::{Error, Output},
    client,
    error::Report,
    model::{FunctionName, Problem, RevisionNumber, api::Deployed},
};

/// A line of `--json`: one for each function, whatever the result.
#[derive(Serialize)]
pub struct Item {
    path: String,
    name: Option<FunctionName>,
    /// The revision that is active now.
    revision: Option<RevisionNumber>,
    /// This revision was active already.
    unchanged: bool,
    image: Option<String>,
    error: Option<Report>,
    /// Remarks, a line each, such as why the code was not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// The output of the code while it was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The traceback of code that could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl Item {
    pub fn deployed(path: &Path, deployed: &Deployed) -> Self {
        let Deployed { name, revision, unchanged, image, notice, output } = deployed.clone();
        Self {
            path: path.display().to_string(),
            name: Some(name),
            revision: Some(revision),
            unchanged,
            image: Some(image),
            error: None,
            notice,
            output,
            trace: None,
        }
    }

    /// `name`: that of the function, as far as it is known.
    pub fn failed(path: &Path, name: Option<FunctionName>, error: &Error) -> Self {
        Self {
            path: path.display().to_string(),
            name,
            revision: None,
            unchanged: false,
            image: None,
            error: Some(error.report()),
            notice: None,
            output: problem(error).and_then(|problem| problem.output.clone()),
            trace: problem(error).and_then(|problem| problem.trace.clone()),
        }
    }
}

/// Prints the output of the code while it was loaded, and notices. Returns the line that says what was done.
pub fn report(deployed: &Deployed, out: &Output) -> String {
    let Deployed { name, revision, .. } = deployed;
    if let Some(output) = &deployed.output {
        out.detail(&format!("{name} wrote while it was loaded:\n{}", output.trim_end()));
    }
    deployed.notice.iter().flat_map(|notices| notices.lines()).for_each(|notice| out.warn(notice));
    match deployed.unchanged {
        true => format!("{name} is unchanged: revision {revision} is active already"),
        false => format!("deployed {name}, revision {revision}"),
    }
}

/// Prints the output of what failed, unless it is among the lines that are there already, and the code's traceback.
pub fn tell_why(error: &client::Error, told: &[String], out: &Output) {
    let client::Error::Problem(problem) = error else { return };
    if out.json() {
        return;
    }
    let output = problem.output.as_deref().filter(|output| !is_told(output, told));
    let trace = problem.trace.as_ref().map(|trace| without_summary(trace, &problem.detail));
    for text in [output, trace].into_iter().flatten().filter(|text| !text.is_empty()) {
        out.report(text);
    }
}

/// Leaves out the error's type and message at the end (Python) or the beginning (Node) of its trace, if they are the end
/// of the problem's text, which is printed below.
fn without_summary<'t>(trace: &'t str, detail: &str) -> &'t str {
    let trace = trace.trim_end();
    // Python names the place of a syntax error in front of it.
    let short =
        detail.rfind(" (").filter(|at| detail[*at..].contains(", line ")).map(|at| &detail[..at]);
    let repeats = |part: &str| {
        let is_end = |detail: &str| detail.ends_with(&format!(": {part}"));
        !part.is_empty() && (is_end(detail) || short.is_some_and(is_end))
    };
    // Of a message of several lines only a whole one counts.
    let ends = trace.char_indices().filter(|(_, c)| *c == '\n').map(|(at, _)| at);
    for at in ends.collect::<Vec<_>>() {
        if repeats(&trace[at + 1..]) {
            return &trace[..at];
        }
        if repeats(&trace[..at]) {
            return &trace[at + 1..];
        }
    }
    if repeats(trace) { "" } else { trace }
}

/// Returns whether every line of a text was told before. Of a long text there is the end, whose first line may be cut.
fn is_told(output: &str, told: &[String]) -> bool {
    let lines: HashSet<&str> = told.iter().map(String::as_str).collect();
    output.lines().enumerate().all(|(number, line)| {
        lines.contains(line) || (number == 0 && told.iter().any(|told| told.ends_with(line)))
    })
}

fn problem(error: &Error) -> Option<&Problem> {
    match error.reason.as_ref()?.downcast_ref()? {
        client::Error::Problem(problem) => Some(problem),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_does_not_repeat_the_message_below_it() {
        let detail = |words: &str| format!("the code of 'f' cannot be loaded: {words}");
        let python =
            "Traceback (most recent call last):\n  File \"function.py\", line 1, in <module>\n    x\n";
        let error = "NameError: name 'x' is not defined";
        assert_eq!(without_summary(&format!("{python}{error}\n"), &detail(error)), python.trim_end());
        let of_two_lines = "ValueError: a\nb";
        let trace = format!("{python}{of_two_lines}\n");
        assert_eq!(without_summary(&trace, &detail(of_two_lines)), python.trim_end());
        let node = "RangeError: no\n    at file:///var/task/function.mjs:1:7";
        let frames = "    at file:///var/task/function.mjs:1:7";
        assert_eq!(without_summary(node, &detail("RangeError: no")), frames);
        let placed = "SyntaxError: expected ':' (function.py, line 1)";
        assert_eq!(without_summary("a\nSyntaxError: expected ':'\n", &detail(placed)), "a");
        // With a cause behind it, or another message, it stays as it is.
        for (trace, words) in
            [(node, "RangeError: yes"), ("o\n", "RangeError: no"), ("", "RangeError: no")]
        {
            assert_eq!(without_summary(trace, &detail(words)), trace.trim_end());
        }
        assert_eq!(without_summary("RangeError: no", &detail("RangeError: no")), "");
    }

    #[test]
    fn what_was_told_line_by_line_is_not_told_again() {
        let told = ["Looking in links", "storing", "ERROR: no a"].map(str::to_owned);
        for output in ["Looking in links\nERROR: no a\n", "in links\nERROR: no a\n", ""] {
            assert!(is_told(output, &told), "{output}");
        }
        for output in ["Looking in links\nno a\n", "the code wrote this\n"] {
            assert!(!is_told(output, &told), "{output}");
        }
        assert!(!is_told("Looking in links\n", &[]));
    }
}
