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
    /// Whether this revision was active already.
    unchanged: bool,
    image: Option<String>,
    error: Option<Report>,
    /// The reason why the code was not loaded.
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

    pub fn failed(path: &Path, error: &Error) -> Self {
        Self {
            path: path.display().to_string(),
            name: None,
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

/// Prints the output of the code while it was loaded, and a notice. Returns the line that says what was done.
pub fn report(deployed: &Deployed, out: &Output) -> String {
    let Deployed { name, revision, .. } = deployed;
    if let Some(output) = &deployed.output {
        out.detail(&format!("{name} wrote while it was loaded:\n{}", output.trim_end()));
    }
    if let Some(notice) = &deployed.notice {
        out.warn(notice);
    }
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
    let output = problem.output.as_ref().filter(|output| !is_told(output, told));
    for text in [output, problem.trace.as_ref()].into_iter().flatten() {
        out.report(text);
    }
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
