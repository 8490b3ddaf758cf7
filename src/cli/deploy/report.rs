//! The result of a deploy: as a line of `--json`, and for people.

use std::path::Path;

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

/// Prints the output of the code while it was loaded, and its traceback.
pub fn tell_why(error: &client::Error, out: &Output) {
    let client::Error::Problem(problem) = error else { return };
    if out.json() {
        return;
    }
    for text in [&problem.output, &problem.trace].into_iter().flatten() {
        out.report(text);
    }
}

fn problem(error: &Error) -> Option<&Problem> {
    match error.reason.as_ref()?.downcast_ref()? {
        client::Error::Problem(problem) => Some(problem),
        _ => None,
    }
}
