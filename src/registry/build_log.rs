//! The log of a build: written down while a deploy is told of its steps, stored at its end, read afterwards.

use std::sync::{Arc, Mutex};

use axum::{Json, extract::State, http::Uri};

use super::{Registry, checks::Report};
use crate::{
    clock::Clock,
    error_chain::chain,
    http::{Answer, At, CalledBy, Query},
    model::{
        BuildLine, BuildLog, FunctionId, FunctionName, Problem, RevisionNumber, WhichBuild,
        api::Deployed, code, route,
    },
    store::{MAX_BUILD_LOG, NewBuildLog},
};

/// The share that is left for the end of a log that was cut: how the build ended.
const FOR_THE_END: usize = 64 * 1024;
/// Of that, what is left after the output of code that was loaded, and after all but the last line.
const AFTER_OUTPUT: usize = 32 * 1024;
const FOR_THE_LAST: usize = 4 * 1024;
/// The characters of a last line that fit into that, however they are escaped.
const LAST: usize = 600;
const CUT: &str =
    "the log is cut here, since it is longer than 1 MiB; what follows is how the build ended";

/// Writes down what a deploy is told.
pub struct Recorder {
    clock: Clock,
    log: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    lines: Vec<BuildLine>,
    /// As JSON.
    bytes: usize,
    is_cut: bool,
}

impl Recorder {
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, log: Mutex::default() })
    }

    /// Returns what passes each line on to `report`, written down.
    pub fn listening(self: &Arc<Self>, report: Report) -> Report {
        let this = self.clone();
        Arc::new(move |line: String| {
            this.write(&line);
            report(line);
        })
    }

    fn write(&self, line: &str) {
        let line = self.line(line);
        let mut log = self.log.lock().expect("no holder panics");
        if log.is_cut {
            return;
        }
        if !log.add(line, MAX_BUILD_LOG - FOR_THE_END) {
            log.is_cut = true;
            let cut = self.line(CUT);
            log.add(cut, MAX_BUILD_LOG);
        }
    }

    /// Writes how it ended, also where the log was cut before, and leaves this much room. Returns whether all has fit.
    fn end(&self, lines: &str, room: usize) -> bool {
        let mut log = self.log.lock().expect("no holder panics");
        lines
            .lines()
            .map(|line| log.add(self.line(line), MAX_BUILD_LOG - room))
            .fold(true, |all, fit| all & fit)
    }

    fn last(&self, lines: &str) {
        if !self.end(lines, 0) {
            let short: String = lines.chars().take(LAST).collect();
            self.end(&format!("{short}…"), 0);
        }
    }

    pub fn deployed(&self, deployed: &Deployed) {
        self.ended_well(deployed, &format!("deployed revision {}", deployed.revision));
    }

    /// Writes that it made the revision again that is active.
    pub fn unchanged(&self, deployed: &Deployed) {
        self.ended_well(
            deployed,
            &format!("unchanged: revision {} is active already", deployed.revision),
        );
    }

    fn ended_well(&self, deployed: &Deployed, last: &str) {
        if let Some(output) = &deployed.output {
            self.end("the code wrote while it was loaded:", AFTER_OUTPUT);
            self.end(output, AFTER_OUTPUT);
        }
        self.end(deployed.notice.as_deref().unwrap_or_default(), FOR_THE_LAST);
        self.last(last);
    }

    /// Writes how it failed, with the output of code that was loaded; that of the installer was told line by line.
    pub fn failed(&self, problem: &Problem) {
        if problem.error_type.is_some() {
            self.end(problem.output.as_deref().unwrap_or_default(), AFTER_OUTPUT);
            self.end(problem.trace.as_deref().unwrap_or_default(), FOR_THE_LAST);
        }
        self.last(&format!("failed: {}", problem.detail));
    }

    fn line(&self, line: &str) -> BuildLine {
        BuildLine { ts: self.clock.now(), line: line.to_owned() }
    }

    /// Returns whether there is anything to store.
    pub fn has_begun(&self) -> bool {
        !self.log.lock().expect("no holder panics").lines.is_empty()
    }

    fn take(&self) -> Vec<BuildLine> {
        std::mem::take(&mut *self.log.lock().expect("no holder panics")).lines
    }
}

impl Written {
    /// Returns whether it has fit.
    fn add(&mut self, line: BuildLine, limit: usize) -> bool {
        // With a comma, and the brackets around all.
        let bytes = serde_json::to_vec(&line).map_or(0, |json| json.len()) + 1;
        let fits = self.bytes + bytes < limit;
        if fits {
            self.bytes += bytes;
            self.lines.push(line);
        }
        fits
    }
}

impl Registry {
    /// Stores what was written down, if anything was. A build is not undone when that fails.
    pub async fn keep_log(
        &self,
        name: &FunctionName,
        revision: Option<(FunctionId, RevisionNumber)>,
        recorder: &Recorder,
    ) {
        let new = NewBuildLog { name: name.clone(), revision, lines: recorder.take() };
        if let Err(error) = self.store.put_build_log(&new).await {
            tracing::warn!(function = %name, error = %chain(&error), "the log of a build is not stored");
        }
    }
}

/// `GET /v1/functions/{function}/build-log`; `revision` names the build: the number of a revision, `failed` or `newest`.
pub async fn show(
    State(registry): State<Arc<Registry>>,
    CalledBy(caller): CalledBy,
    At(name): At<FunctionName>,
    uri: Uri,
) -> Answer<Json<BuildLog>> {
    let query = Query::read(uri.query(), route::BUILD_LOG.endpoint.query)?;
    let which = query.one("revision", |text| {
        text.parse::<WhichBuild>().map_err(|problem| format!("revision: {problem}"))
    })?;
    let which = which.unwrap_or_default();
    if let Some(log) = registry.store.build_log(&name, which).await? {
        return Ok(Json(log));
    }
    // A first deploy that fails leaves a log and no function.
    let none = |detail: String| Problem::new(code::BUILD_NOT_FOUND, detail).into();
    match which {
        WhichBuild::Failed => return Err(none(format!("no build of '{name}' is known that failed"))),
        WhichBuild::Newest => drop(registry.find(&name, &caller).await?),
        WhichBuild::Of(number) => {
            let function = registry.find(&name, &caller).await?;
            if registry.store.revision(function.id, number).await?.is_none() {
                let detail = format!("'{name}' has no revision {number}");
                return Err(Problem::new(code::REVISION_NOT_FOUND, detail).into());
            }
        }
    }
    let hint = "logs of builds are kept since version 0.1, and a deploy that was cancelled leaves none";
    let detail = format!("no log of that build of '{name}' is kept");
    Err(Problem::new(code::BUILD_NOT_FOUND, detail).hint(hint).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_too_long_is_cut_and_says_so_and_how_the_build_ended() {
        let recorder = Recorder::new(Clock::new(|| jiff::Timestamp::UNIX_EPOCH));
        let report = recorder.listening(Arc::new(|_| {}));
        for number in 0..3000 {
            report(format!("{number} {}", "\u{1}".repeat(200)));
        }
        recorder.failed(&Problem::new(code::BUILD_FAILED, "no a"));
        let lines = recorder.take();
        assert!(serde_json::to_vec(&lines).unwrap().len() <= MAX_BUILD_LOG);
        let texts: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
        let [first, .., cut, end] = texts[..] else { panic!("{}", texts.len()) };
        assert!(first.starts_with("0 "), "{first}");
        assert_eq!((cut, end), (CUT, "failed: no a"));
        assert!(texts.len() > 500, "{}", texts.len());
    }

    #[test]
    fn how_a_build_ended_is_in_a_log_that_output_fills() {
        let recorder = Recorder::new(Clock::new(|| jiff::Timestamp::UNIX_EPOCH));
        let report = recorder.listening(Arc::new(|_| {}));
        for _ in 0..3000 {
            report("x".repeat(1000));
        }
        let mut problem = Problem::new(code::BUILD_FAILED, "no a");
        problem.error_type = Some("NameError".to_owned());
        problem.output = Some("\n".repeat(16 * 1024));
        problem.trace = Some(format!("Traceback\n{}", "at\n".repeat(16 * 1024)));
        recorder.failed(&problem);
        let lines = recorder.take();
        assert!(serde_json::to_vec(&lines).unwrap().len() <= MAX_BUILD_LOG);
        let texts: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
        assert!(texts.contains(&"") && texts.contains(&"Traceback"), "{}", texts.len());
        assert_eq!(texts.last(), Some(&"failed: no a"));
    }

    #[test]
    fn a_last_line_that_is_too_long_is_shortened() {
        let recorder = Recorder::new(Clock::new(|| jiff::Timestamp::UNIX_EPOCH));
        let report = recorder.listening(Arc::new(|_| {}));
        for _ in 0..3000 {
            report("x".repeat(1000));
        }
        recorder.failed(&Problem::new(code::BUILD_FAILED, "\u{1}".repeat(64 * 1024)));
        let lines = recorder.take();
        let last = &lines.last().unwrap().line;
        assert!(last.starts_with("failed: \u{1}") && last.ends_with("\u{1}…"), "{}", last.len());
        assert!(serde_json::to_vec(&lines).unwrap().len() <= MAX_BUILD_LOG);
    }

    #[test]
    fn what_code_wrote_before_it_failed_is_in_the_log() {
        let recorder = Recorder::new(Clock::new(|| jiff::Timestamp::UNIX_EPOCH));
        let mut problem = Problem::new(code::BUILD_FAILED, "the code cannot be loaded");
        problem.output = Some("hello\nthere\n".to_owned());
        recorder.failed(&problem);
        problem.error_type = Some("NameError".to_owned());
        problem.trace = Some("Traceback\n".to_owned());
        recorder.failed(&problem);
        let lines = recorder.take();
        let lines: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
        let end = "failed: the code cannot be loaded";
        assert_eq!(lines, [end, "hello", "there", "Traceback", end]);
    }
}
