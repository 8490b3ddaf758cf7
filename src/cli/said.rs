//! The output of a function during an invocation, printed with its outcome.

use std::collections::VecDeque;

use super::{Error, Output, Style, text::count};
use crate::{
    client::{self, Client, LogQuery},
    model::{InvocationId, LineKind, LogLine, Record, Stream, Tail, code},
};

/// The maximum number of lines shown with a failure, and with a record.
const BESIDE_FAILURE: usize = 100;
const BESIDE_RECORD: usize = 20;
/// The limit of lines of an error's trace. They follow the function's own lines and do not count among them.
const TRACE: u32 = 1_001;

/// The last lines that an invocation wrote, without those of the error that ended it.
struct Said {
    lines: VecDeque<LogLine>,
    /// There are earlier lines.
    more: bool,
    missing: u64,
}

impl Said {
    async fn read(client: &Client, id: InvocationId, most: usize) -> Result<Self, client::Error> {
        let tail = Tail::Lines(TRACE + u32::try_from(most).unwrap_or(u32::MAX - TRACE));
        let query = LogQuery { invocation: Some(id.into()), tail: Some(tail), ..LogQuery::default() };
        let mut answer = client.logs(&query).await?;
        let mut said =
            Self { lines: VecDeque::new(), more: answer.older.is_some(), missing: answer.missing };
        while let Some(line) = answer.next().await? {
            if line.kind == Some(LineKind::Error) {
                continue;
            }
            said.lines.push_back(line);
            if said.lines.len() > most {
                said.lines.pop_front();
                said.more = true;
            }
        }
        Ok(said)
    }
}

/// Prints the output of a failed invocation on stderr. If it cannot be read, the failure is still reported in
/// full.
pub async fn beside_failure(client: &Client, id: InvocationId, out: &Output) {
    let said = match Said::read(client, id, BESIDE_FAILURE).await {
        Ok(said) => said,
        Err(error) => return out.detail(&format!("what it wrote cannot be read: {error}")),
    };
    if said.more {
        out.note(&format!(
            "[the last {BESIDE_FAILURE} lines; `cloudfunc logs --invocation {id} --tail all` shows all]"
        ));
    }
    said.lines.iter().for_each(|line| out.function_line(line));
    if said.missing > 0 {
        out.note(&format!("[{} more lines are not stored yet, or were lost]", said.missing));
    }
}

/// Returns whether the function of an invocation has been deleted since, maybe to be deployed again.
async fn is_deleted(client: &Client, record: &Record) -> Result<bool, client::Error> {
    match client.function(&record.function).await {
        Ok(function) => Ok(function.created_at > record.accepted_at),
        Err(client::Error::Problem(problem)) if client::is(&problem, code::FUNCTION_NOT_FOUND) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Prints the last lines of an invocation on stdout as a part of its record.
pub async fn beside_record(client: &Client, record: &Record, out: &Output) -> Result<(), Error> {
    let said = Said::read(client, record.id, BESIDE_RECORD).await?;
    if said.lines.is_empty() && said.missing == 0 {
        let written: u64 = record.attempts.iter().filter_map(|attempt| attempt.lines).sum();
        if written > 0 && is_deleted(client, record).await? {
            let lines = count(usize::try_from(written).unwrap_or(usize::MAX), "line");
            let were = if written == 1 { "was" } else { "were" };
            out.line(&format!("\n[its {lines} of output {were} deleted with the function]"))?;
        }
        return Ok(());
    }
    let which = if said.more { format!("the last {BESIDE_RECORD} lines") } else { "output".to_owned() };
    out.line(&format!("\n{which}:"))?;
    for line in &said.lines {
        let text = out.foreign(&line.line);
        match line.stream {
            Stream::Stdout => out.line(&text)?,
            Stream::Stderr => out.line(&out.style(Style::Yellow, &text))?,
            Stream::Platform => out.line(&format!("[{text}]"))?,
        }
    }
    if said.missing > 0 {
        out.line(&format!("[{} more lines are not stored yet, or were lost]", said.missing))?;
    }
    Ok(())
}
