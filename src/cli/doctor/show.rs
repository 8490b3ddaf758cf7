//! The presentation of findings: a line each for people, one document for programs.

use std::{borrow::Cow, path::Path};

use serde::Serialize;

use crate::doctor::finding::{Group, Report, Status, Verdict};
use crate::{cli::Style, local::LocalPlatform, place::Stack};

/// The column where the text of a finding begins.
const INDENT: usize = 11;
/// The narrowest terminal for which lines are wrapped.
const NARROWEST: usize = 40;

/// The document of `doctor --json`.
#[derive(Serialize)]
pub struct Document<'r> {
    subject: Subject<'r>,
    checks: Vec<Check<'r>>,
    stacks: Stacks,
}

/// The platform that was examined.
#[derive(Serialize)]
pub struct Subject<'r> {
    platform: &'r str,
    stack: Option<Stack>,
    data_dir: &'r Path,
    running: bool,
}

impl<'r> From<&'r LocalPlatform> for Subject<'r> {
    fn from(place: &'r LocalPlatform) -> Self {
        let LocalPlatform { platform, stack, running, folder, .. } = place;
        Self { platform: platform.as_str(), stack: *stack, data_dir: folder, running: *running }
    }
}

#[derive(Serialize)]
struct Check<'r> {
    group: &'r str,
    name: &'r str,
    status: Status,
    found: &'r str,
    advice: Option<&'r str>,
}

#[derive(Serialize)]
struct Stacks {
    up: Verdict,
    embedded: Verdict,
}

pub fn document<'r>(report: &'r Report, subject: Subject<'r>) -> Document<'r> {
    let checks = report.findings().map(|(group, finding)| Check {
        group,
        name: finding.name,
        status: finding.status,
        found: &finding.found,
        advice: finding.advice.as_deref(),
    });
    Document {
        subject,
        checks: checks.collect(),
        stacks: Stacks { up: report.up(), embedded: report.embedded() },
    }
}

/// Formats the findings for people. `columns` is the width of the terminal, `foreign` escapes text that others
/// may have written, and `paint` gives a text its style.
pub fn lines(
    report: &Report,
    columns: Option<usize>,
    foreign: impl for<'t> Fn(&'t str) -> Cow<'t, str>,
    paint: impl Fn(Style, &str) -> String,
) -> Vec<String> {
    let columns = columns.filter(|columns| *columns >= NARROWEST);
    let groups = report.groups.iter().filter(|group| !group.findings.is_empty());
    let mut lines: Vec<String> =
        groups.flat_map(|group| of_group(group, columns, &foreign, &paint)).collect();
    let stacks = [("cloudfunc up", report.up()), ("cloudfunc up --embedded", report.embedded())];
    for (command, verdict) in stacks {
        let answer = if verdict.can_run { paint(Style::Green, "yes") } else { paint(Style::Red, "no") };
        let why = verdict.why.map_or_else(String::new, |why| format!(" ({why})"));
        lines.push(format!("{command}: {answer}{why}"));
    }
    lines
}

fn of_group(
    group: &Group,
    columns: Option<usize>,
    foreign: &impl for<'t> Fn(&'t str) -> Cow<'t, str>,
    paint: &impl Fn(Style, &str) -> String,
) -> Vec<String> {
    let mut lines = vec![paint(Style::Bold, group.name)];
    for finding in &group.findings {
        let advice = finding.advice.as_ref().map_or_else(String::new, |advice| format!(". {advice}"));
        let text = format!("{}: {}{advice}", finding.name, finding.found);
        let text = wrapped(&foreign(&text), columns);
        let status = finding.status.as_str();
        let padding = " ".repeat(INDENT - 2 - status.len());
        lines.push(format!("  {}{padding}{text}", paint(style(finding.status), status)));
    }
    lines
}

fn style(status: Status) -> Style {
    match status {
        Status::Ok => Style::Green,
        Status::Note => Style::Cyan,
        Status::Warning => Style::Yellow,
        Status::Problem => Style::Red,
    }
}

/// Breaks a text between words and indents each further line; a word that is too long stays whole.
fn wrapped(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("it begins with one");
        if !line.is_empty() && INDENT + line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join(&format!("\n{}", " ".repeat(INDENT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::{Finding, Stops, Wanted};

    fn report() -> Report {
        let problem = Finding::stops(
            Stops::UP,
            Wanted::Up,
            "docker",
            "no engine answers at unix:///x",
            "Start it, or set DOCKER_HOST to the engine to use.",
        );
        let groups = vec![
            Group { name: "system", findings: vec![Finding::ok("kernel", "Linux 6.1")] },
            Group { name: "runtime", findings: vec![problem] },
            Group { name: "empty", findings: Vec::new() },
        ];
        Report { groups, running: None }
    }

    fn plain(_: Style, text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn off_a_terminal_a_finding_is_a_line() {
        assert_eq!(
            lines(&report(), None, |text| text.into(), plain),
            [
                "system",
                "  ok       kernel: Linux 6.1",
                "runtime",
                "  problem  docker: no engine answers at unix:///x. Start it, or set DOCKER_HOST to the engine to use.",
                "cloudfunc up: no (no engine answers at unix:///x)",
                "cloudfunc up --embedded: yes",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_wraps_between_words() {
        let lines = lines(&report(), Some(48), |text| text.into(), plain);
        assert_eq!(
            lines[3],
            "  problem  docker: no engine answers at\n           unix:///x. Start it, or set\n           \
             DOCKER_HOST to the engine to use."
        );
        assert!(lines[3].lines().all(|line| line.chars().count() <= 48));
    }

    #[test]
    fn colours_change_no_column() {
        let painted = lines(&report(), None, |text| text.into(), |_, text| format!("<{text}>"));
        assert_eq!(painted[1], "  <ok>       kernel: Linux 6.1");
    }

    #[test]
    fn the_document_is_this_one() {
        let expected = serde_json::json!({
            "subject": {"platform": "team", "stack": "embedded", "data_dir": "/d", "running": false},
            "checks": [
                {"group": "system", "name": "kernel", "status": "ok", "found": "Linux 6.1", "advice": null},
                {"group": "runtime", "name": "docker", "status": "problem", "found": "no engine answers at unix:///x",
                 "advice": "Start it, or set DOCKER_HOST to the engine to use."},
            ],
            "stacks": {
                "up": {"can_run": false, "why": "no engine answers at unix:///x"},
                "embedded": {"can_run": true, "why": null},
            },
        });
        let subject = Subject {
            platform: "team",
            stack: Some(Stack::Embedded),
            data_dir: Path::new("/d"),
            running: false,
        };
        assert_eq!(serde_json::to_value(document(&report(), subject)).unwrap(), expected);
    }
}
