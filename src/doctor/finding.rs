//! What doctor says: findings, and which stacks they leave.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Worth knowing; nothing fails.
    Note,
    /// It works, and is not as it should be.
    Warning,
    /// It keeps the platform that was asked about from working.
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

/// Which stacks a finding keeps from working.
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

/// Which stack was asked about: `up` as the settings have it, or the embedded one.
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

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable, for scripts: `kernel`, `runc`.
    pub name: &'static str,
    pub status: Status,
    /// What is so.
    pub found: String,
    /// What to do, as a sentence; none when all is well.
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

    /// A problem where it stops what is wanted, else a note: who wants Docker's stack need not mend
    /// what only the other one needs.
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

/// Findings of one kind.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: &'static str,
    pub findings: Vec<Finding>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Report {
    pub groups: Vec<Group>,
    /// The `up` that runs on the data folder that was asked about: which stack, as which process.
    pub running: Option<(Wanted, u32)>,
}

/// Whether a stack can run here; if not, the first reason, and if it does, as which process.
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
