//! The numbers that a benchmark keeps of each invocation. Pure, except that it reads the clock at its beginning
//! and end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    client::{self, InvokeAnswer, Outcome},
    error::{Exit, exit_of},
    model::{Problem, Start, code},
};

/// The limit of recorded invocations, at which a longer benchmark ends. Each takes four bytes, and four more
/// for each phase.
pub const MAX_SAMPLES: usize = 10_000_000;

/// Times in milliseconds, in no particular order.
pub type Times = Vec<f32>;

/// Invocations that returned no value, grouped by error code.
#[derive(Debug, PartialEq)]
pub struct Failures {
    pub count: usize,
    /// The message of the first one.
    pub example: String,
    pub exit: Exit,
    /// The advice that came with the first one.
    pub hint: Option<String>,
}

#[derive(Debug, Default)]
pub struct Tally {
    begun: Option<Instant>,
    pub length: Duration,
    /// Invocations that clients have begun since the warm-up.
    started: usize,
    /// Invocations of the warm-up, without those that were refused.
    pub warm_ups: usize,
    pub refused_warm_ups: usize,
    /// Times of warm invocations that returned a value.
    pub warm: Times,
    /// Times of cold starts that returned a value, including those of the warm-up.
    pub cold: Times,
    /// The number of times in `cold` that belong to the warm-up.
    pub cold_warm_ups: usize,
    /// Times of the phases of invocations that returned a value, without those of the warm-up, in the order in
    /// which answers list them.
    pub phases: Vec<(String, Times)>,
    /// The number of HTTP responses with a status of 400 and above that are values, by status.
    pub http_errors: BTreeMap<u16, usize>,
    pub throttled: usize,
    /// Failures by error code.
    pub failures: BTreeMap<String, Failures>,
}

impl Tally {
    /// Marks the end of the warm-up.
    pub fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    pub fn end(&mut self) {
        self.length = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
    }

    /// Returns whether a client may send another invocation, and counts it if so.
    pub fn begins(&mut self, may: impl FnOnce(usize) -> bool) -> bool {
        let begins = self.started < MAX_SAMPLES && may(self.started);
        self.started += usize::from(begins);
        begins
    }

    pub fn warm_up(&mut self, time: Duration, answer: &Result<InvokeAnswer, client::Error>) {
        match answer {
            Ok(_) => self.warm_ups += 1,
            Err(_) => self.refused_warm_ups += 1,
        }
        // An invocation that fails here fails again later, and is counted then.
        if let Ok(InvokeAnswer { start: Some(Start::Cold), outcome: Outcome::Value(_), .. }) = answer {
            self.cold.push(milliseconds(time));
            self.cold_warm_ups += 1;
        }
    }

    pub fn add(&mut self, time: Duration, answer: &Result<InvokeAnswer, client::Error>) {
        match answer {
            Ok(InvokeAnswer { outcome: Outcome::Failed(problem), .. }) => self.fail_problem(problem),
            Err(error) => self.fail(error),
            Ok(answer) => {
                let times = match answer.start {
                    Some(Start::Cold) => &mut self.cold,
                    _ => &mut self.warm,
                };
                times.push(milliseconds(time));
                let status = answer.http.as_ref().map(|http| http.response.status);
                if let Some(status) = status.filter(|status| *status >= 400) {
                    *self.http_errors.entry(status).or_default() += 1;
                }
                for (name, ms) in &answer.phases {
                    self.phase(name, *ms);
                }
            }
        }
    }

    fn phase(&mut self, name: &str, ms: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let ms = ms as f32;
        match self.phases.iter_mut().find(|(known, _)| known == name) {
            Some((_, times)) => times.push(ms),
            None => self.phases.push((name.to_owned(), vec![ms])),
        }
    }

    fn fail(&mut self, error: &client::Error) {
        let kind = match error {
            client::Error::Problem(problem) => return self.fail_problem(problem),
            client::Error::NotReachable { .. } => "not_reachable",
            client::Error::Lost { .. } => "connection_lost",
            client::Error::Tls { problem, .. } if problem.is_about_certificate() => {
                "certificate_refused"
            }
            client::Error::Tls { .. } => "no_tls_connection",
            client::Error::Authorities(_) => "usage",
            client::Error::Protocol(_) | client::Error::Client(_) => "unexpected_answer",
        };
        self.count_failure(kind, error.to_string(), Exit::Platform, || error.hint());
    }

    fn fail_problem(&mut self, problem: &Problem) {
        if client::is(problem, code::THROTTLED) {
            self.throttled += 1;
        } else {
            let hint = || client::Error::from(problem.clone()).hint();
            self.count_failure(&problem.code, problem.detail.clone(), exit_of(problem), hint);
        }
    }

    fn count_failure(
        &mut self,
        kind: &str,
        example: String,
        exit: Exit,
        hint: impl FnOnce() -> Option<String>,
    ) {
        match self.failures.get_mut(kind) {
            Some(failures) => failures.count += 1,
            None => {
                let failures = Failures { count: 1, example, exit, hint: hint() };
                self.failures.insert(kind.to_owned(), failures);
            }
        }
    }

    /// The number of invocations since the warm-up that returned a value.
    pub fn succeeded(&self) -> usize {
        self.warm.len() + self.cold.len() - self.cold_warm_ups
    }

    pub fn failed(&self) -> usize {
        self.failures.values().map(|failures| failures.count).sum()
    }

    /// The number of invocations since the warm-up that were answered in any way.
    pub fn count(&self) -> usize {
        self.succeeded() + self.throttled + self.failed()
    }

    /// The highest exit code of all failures, as for `deploy` with several paths.
    pub fn exit(&self) -> Exit {
        let throttled = if self.throttled > 0 { Exit::Throttled } else { Exit::Ok };
        self.failures.values().map(|failures| failures.exit).fold(throttled, Exit::max)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
fn milliseconds(time: Duration) -> f32 {
    (time.as_secs_f64() * 1000.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ServerAnswer,
        model::{Body, HttpResponse, InvocationId},
    };

    fn value(start: Start) -> Result<InvokeAnswer, client::Error> {
        let body = Body { content_type: "text/plain".to_owned(), bytes: "x".into() };
        Ok(InvokeAnswer {
            id: InvocationId::new(),
            start: Some(start),
            instance: None,
            phases: vec![("run".to_owned(), 2.0)],
            outcome: Outcome::Value(body),
            http: None,
        })
    }

    #[test]
    fn cold_starts_of_the_warm_up_count_as_cold_and_nowhere_else() {
        let mut tally = Tally::default();
        tally.warm_up(Duration::from_millis(300), &value(Start::Cold));
        tally.warm_up(Duration::from_millis(3), &value(Start::Warm));
        tally.add(Duration::from_millis(2), &value(Start::Warm));
        tally.add(Duration::from_millis(200), &value(Start::Cold));
        assert_eq!((tally.warm.as_slice(), tally.cold.as_slice()), (&[2.0][..], &[300.0, 200.0][..]));
        assert_eq!((tally.warm_ups, tally.succeeded(), tally.count()), (2, 2, 2));
        assert_eq!(tally.phases, [("run".to_owned(), vec![2.0, 2.0])]);
        assert_eq!(tally.exit(), Exit::Ok);
    }

    #[test]
    fn what_was_refused_in_the_warm_up_is_no_invocation() {
        let mut tally = Tally::default();
        tally.warm_up(Duration::ZERO, &Err(Problem::new(code::RATE_LIMITED, "too many").into()));
        tally.warm_up(Duration::ZERO, &value(Start::Warm));
        assert_eq!((tally.warm_ups, tally.refused_warm_ups), (1, 1));
    }

    #[test]
    fn values_that_came_with_a_status_of_400_and_above_are_counted_by_status() {
        let mut tally = Tally::default();
        for status in [200, 404, 304, 404, 409] {
            let mut answer = value(Start::Warm).unwrap();
            let Outcome::Value(body) = &answer.outcome else { panic!() };
            let response = HttpResponse { status, headers: Vec::new() };
            answer.http = Some(ServerAnswer { response, body: body.clone() });
            tally.add(Duration::ZERO, &Ok(answer));
        }
        assert_eq!(tally.http_errors, BTreeMap::from([(404, 2), (409, 1)]));
        assert_eq!((tally.succeeded(), tally.exit()), (5, Exit::Ok));
    }

    #[test]
    fn failures_are_counted_by_code_and_throttling_apart() {
        let mut tally = Tally::default();
        let refused = |code, detail: &str| Err(client::Error::from(Problem::new(code, detail)));
        tally.add(Duration::ZERO, &refused(code::INTERRUPTED, "one"));
        tally.add(Duration::ZERO, &refused(code::INTERRUPTED, "two"));
        assert_eq!(tally.exit(), Exit::Platform);
        tally.add(Duration::ZERO, &refused(code::THROTTLED, "three"));
        let failures =
            Failures { count: 2, example: "one".to_owned(), exit: Exit::Platform, hint: None };
        assert_eq!(tally.failures, BTreeMap::from([("interrupted".to_owned(), failures)]));
        assert_eq!((tally.throttled, tally.failed(), tally.count()), (1, 2, 3));
        assert_eq!(tally.exit(), Exit::Throttled);
    }

    #[test]
    fn no_more_begin_than_are_asked_for() {
        let mut tally = Tally::default();
        let begun = (0..5).filter(|_| tally.begins(|made| made < 3)).count();
        assert_eq!(begun, 3);
    }
}
