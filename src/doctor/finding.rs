//! The output of the doctor: findings, and the stacks that can run according to them.

use serde::Serialize;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Worth knowing; nothing fails.
    Note,
    /// It works, but not as it should.
    Warning,
    /// It keeps the requested platform from working.
    Problem,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// The stacks that a finding keeps from working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    pub up: bool,
    pub embedded: bool,
}

impl Stops {
    pub const NONE: Self = Self { up: false, embedded: false };
    pub const UP: Self = Self { up: true, embedded: false };
    pub const EMBEDDED: Self = Self { up: false, embedded: true };
    pub const BOTH: Self = Self { up: true, embedded: true };
}

/// The stack that was asked about: `up` as the settings have it, or the embedded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Up,
    Embedded,
}

impl Wanted {
    fn is_stopped(self, stops: Stops) -> bool {
        match self {
            Self::Up => stops.up,
            Self::Embedded => stops.embedded,
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name for scripts: `kernel`, `runc`.
    pub name: &'static str,
    pub status: Status,
    /// The fact that was found.
    pub found: String,
    /// The advice as a sentence; `None` if all is well.
    pub advice: Option<String>,
    #[serde(skip)]
    pub stops: Stops,
}

impl Finding {
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), advice: None, stops: Stops::NONE }
    }

    pub fn note(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Note, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    pub fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Warning, ..Self::note(name, found, advice) }
    }

    /// Makes a problem if it stops the wanted stack, else a note: a user who wants the embedded stack need not
    /// fix what only Docker's stack needs.
    pub fn stops(
        stops: Stops,
        wanted: Wanted,
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let status = if wanted.is_stopped(stops) { Status::Problem } else { Status::Note };
        Self { status, stops, ..Self::note(name, found, advice) }
    }
}

/// The findings of one area.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: &'static str,
    pub findings: Vec<Finding>,
}

/// All findings.
#[derive(Clone, Debug)]
pub struct Report {
    pub groups: Vec<Group>,
    /// The `up` that is running on the data folder that was asked about: its stack and its process id.
    pub running: Option<(Wanted, u32)>,
}

/// Tells whether a stack can run here. If not, this has the first reason; if it is running, its process id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub can_run: bool,
    pub why: Option<String>,
}

impl Report {
    pub fn findings(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        self.groups.iter().flat_map(|group| group.findings.iter().map(|finding| (group.name, finding)))
    }

    pub fn count(&self, status: Status) -> usize {
        self.findings().filter(|(_, finding)| finding.status == status).count()
    }

    pub fn up(&self) -> Verdict {
        self.verdict(Wanted::Up)
    }

    pub fn embedded(&self) -> Verdict {
        self.verdict(Wanted::Embedded)
    }

    fn verdict(&self, stack: Wanted) -> Verdict {
        let stopped = self.findings().find(|(_, finding)| stack.is_stopped(finding.stops));
        let why = stopped.map(|(_, finding)| finding.found.clone());
        let can_run = why.is_none();
        let running = self.running.filter(|(running, _)| *running == stack);
        let running = running.map(|(_, pid)| format!("it is running, process {pid}"));
        Verdict { can_run, why: why.or(running) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_only_the_other_stack_is_no_problem() {
        let finding = |wanted| Finding::stops(Stops::UP, wanted, "engine", "no engine", "Start it.");
        assert_eq!(finding(Wanted::Up).status, Status::Problem);
        assert_eq!(finding(Wanted::Embedded).status, Status::Note);

        let groups = vec![Group { name: "runtime", findings: vec![finding(Wanted::Embedded)] }];
        let report = Report { groups, running: None };
        assert_eq!(report.up(), Verdict { can_run: false, why: Some("no engine".to_owned()) });
        assert_eq!(report.embedded(), Verdict { can_run: true, why: None });
        let running = Report { groups: Vec::new(), running: Some((Wanted::Up, 7)) };
        let why = Some("it is running, process 7".to_owned());
        assert_eq!(running.up(), Verdict { can_run: true, why });
        assert_eq!(running.embedded(), Verdict { can_run: true, why: None });
        assert_eq!((report.count(Status::Problem), report.count(Status::Note)), (0, 1));
    }
}
