//! Reading function logs.

use jiff::Timestamp;
use reqwest::header::ACCEPT;

use super::{Client, Error, Lines};
use crate::model::{FunctionName, InvocationRef, LogLine, Tail, api::header, route};

/// Which log lines to read.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// None: of all functions.
    pub functions: Vec<FunctionName>,
    /// Go on with new lines until the connection is closed.
    pub follow: bool,
    pub since: Option<Timestamp>,
    /// None: the newest that fit into a page.
    pub tail: Option<Tail>,
    pub invocation: Option<InvocationRef>,
    /// Only lines before those of an answer that said this of itself ([`LogLines::next`]).
    pub cursor: Option<String>,
    /// All lines after the one of this number.
    pub after: Option<i64>,
    /// Each line tells its number.
    pub sequence: bool,
    /// Lines that say when invocations began and ended are put between the others.
    pub events: bool,
}

/// Log lines, oldest first, and what is told of those that are not among them.
#[derive(Debug)]
pub struct LogLines {
    lines: Lines<LogLine>,
    /// The cursor of the lines before these, when there are any.
    pub older: Option<String>,
    /// How many those are, as a number, or one with a `+` behind it.
    pub older_lines: Option<String>,
    /// Lines of ended invocations that are not stored yet, or were lost.
    pub missing: u64,
    /// Who follows: new lines have higher numbers.
    pub position: i64,
}

impl LogLines {
    /// None at the end.
    pub async fn next(&mut self) -> Result<Option<LogLine>, Error> {
        self.lines.next().await
    }
}

impl Client {
    /// Log lines, oldest first.
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
        Ok(LogLines { lines: Lines::new(response), older, older_lines, missing, position })
    }
}
