//! Reads the logs of functions.

use jiff::Timestamp;
use reqwest::header::ACCEPT;

use super::{Client, Error, Lines};
use crate::model::{FunctionName, InvocationRef, LogLine, Tail, api::header, route};

/// The selection of log lines to read.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only lines of these functions; an empty list selects all functions.
    pub functions: Vec<FunctionName>,
    /// Goes on with new lines until the connection is closed.
    pub follow: bool,
    pub since: Option<Timestamp>,
    /// The number of last lines; `None` selects the newest lines that fit into a page.
    pub tail: Option<Tail>,
    pub invocation: Option<InvocationRef>,
    /// Only lines before those of the answer with this cursor ([`LogLines::older`]).
    pub cursor: Option<String>,
    /// Only lines after the one with this number.
    pub after: Option<i64>,
    /// Each line has its number.
    pub sequence: bool,
    /// Includes lines that say when invocations began and ended.
    pub events: bool,
}

/// Log lines, oldest first, with information about lines that are not among them.
#[derive(Debug)]
pub struct LogLines {
    lines: Lines<LogLine>,
    /// The cursor of the lines before these, if there are any.
    pub older: Option<String>,
    /// The number of those lines; with a `+` at its end, a lower bound.
    pub older_lines: Option<String>,
    /// The number of lines of ended invocations that are not stored yet, or were lost.
    pub missing: u64,
    /// The position for following: new lines have higher numbers.
    pub position: i64,
}

impl LogLines {
    /// Returns the next line, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        self.lines.next().await
    }
}

impl Client {
    /// Reads log lines, oldest first.
    pub async fn logs(&self, query: &LogQuery) -> Result<LogLines, Error> {
        let mut parameters: Vec<(&str, String)> = Vec::new();
        let target = match query.functions.as_slice() {
            [one] => route::FUNCTION_LOGS.at(one),
            several => {
                parameters.extend(several.iter().map(|name| ("function", name.to_string())));
                route::LOGS.target()
            }
        };
        let yes = |wanted: bool| wanted.then(|| "true".to_owned());
        let given = [
            ("follow", yes(query.follow)),
            ("since", query.since.map(|since| since.to_string())),
            ("tail", query.tail.map(|tail| tail.to_string())),
            ("invocation", query.invocation.as_ref().map(ToString::to_string)),
            ("cursor", query.cursor.clone()),
            ("after", query.after.map(|after| after.to_string())),
            ("sequence", yes(query.sequence)),
            ("events", yes(query.events)),
        ];
        parameters.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let request = self.request(target).header(ACCEPT, "application/x-ndjson").query(&parameters);
        let response = self.send(request).await?;
        let said = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let number = |name| said(name).and_then(|text| text.parse().ok());
        let (older, older_lines) = (said(header::NEXT_CURSOR), said(header::OLDER_LINES));
        let missing = number(header::MISSING_LINES).map_or(0, i64::unsigned_abs);
        let position = number(header::POSITION).unwrap_or(0);
        let lines = Lines::new(response, self.base.clone());
        Ok(LogLines { lines, older, older_lines, missing, position })
    }
}
