//! What failed in a benchmark, and what to do about it.

use serde::Serialize;

use super::tally::Failures;
use crate::{error::Exit, model::FunctionName};

/// Failures with the same code.
#[derive(Serialize)]
pub struct Failure {
    code: String,
    pub count: usize,
    /// The message of the first one.
    example: String,
    #[serde(skip)]
    exit: Exit,
    #[serde(skip)]
    hint: Option<String>,
}

impl Failure {
    pub fn new((code, failures): (String, Failures)) -> Self {
        let Failures { count, example, exit, hint } = failures;
        Self { code, count, example, exit, hint }
    }

    pub fn row(&self) -> [String; 3] {
        [self.code.clone(), self.count.to_string(), self.first_line().to_owned()]
    }

    /// The first line of the example; the document has the whole text.
    fn first_line(&self) -> &str {
        self.example.lines().next().unwrap_or_default()
    }
}

/// Returns advice on what happened most often. The failures are sorted, the most frequent one first.
pub fn advice(failures: &[Failure], throttled: usize, function: &FunctionName) -> String {
    let Some(first) = failures.first().filter(|first| first.count >= throttled) else {
        return "fewer clients, or a larger `max_instances` in the manifest, are throttled less"
            .to_owned();
    };
    if first.exit == Exit::Function {
        return format!("`cloudfunc invoke {function}` shows the whole error");
    }
    let why = format!("most of them: {}: {}", first.code, first.first_line());
    match &first.hint {
        Some(hint) => format!("{why}; {hint}"),
        None if first.exit == Exit::Platform => {
            format!("{why}; `cloudfunc status` shows which roles are running")
        }
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: &str, count: usize, exit: Exit, hint: Option<&str>) -> Failure {
        let hint = hint.map(str::to_owned);
        Failure::new((code.to_owned(), Failures { count, example: "why\nso".to_owned(), exit, hint }))
    }

    #[test]
    fn the_advice_is_about_what_happened_most_often() {
        let function = "f".parse().unwrap();
        let advice = |failures: &[Failure], throttled| advice(failures, throttled, &function);
        let limited = [failure("rate_limited", 2, Exit::Throttled, Some("raise it"))];
        assert_eq!(advice(&limited, 0), "most of them: rate_limited: why; raise it");
        let fewer = "fewer clients, or a larger `max_instances` in the manifest, are throttled less";
        assert_eq!((advice(&limited, 3).as_str(), advice(&[], 1).as_str()), (fewer, fewer));
        let failed = [failure("function_failed", 2, Exit::Function, None)];
        assert_eq!(advice(&failed, 1), "`cloudfunc invoke f` shows the whole error");
        let away = [failure("not_reachable", 1, Exit::Platform, None)];
        assert_eq!(
            advice(&away, 0),
            "most of them: not_reachable: why; `cloudfunc status` shows which roles are running"
        );
    }
}
