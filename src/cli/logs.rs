//! `cloudfunc logs`

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Error, Output, Style,
    patience::Patience,
    role_log::{self, RoleLog},
    target::{IdArg, Target},
    text::{exact_moment, parse_since},
};
use crate::{
    app::Role,
    client::{Client, LogLines, LogQuery},
    model::{BuildLine, BuildLog, FunctionName, LineKind, LogLine, Stream, Tail, WhichBuild},
};

/// Print what functions wrote, the log of a build, or that of a role
///
/// Without a name, the logs of all functions are printed. Without --tail, the newest 10,000 lines are printed,
/// or fewer if they exceed 4 MiB in total; a note on stderr mentions older ones. On a terminal, control
/// characters are escaped; elsewhere, and with --json, lines are exact.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The functions whose logs to print [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<FunctionName>,
    /// Keep printing new lines until Ctrl-C, also across a restart of the platform
    #[arg(short, long)]
    follow: bool,
    /// Only lines since then, for example 10m or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only the last lines: at most this many, or all
    #[arg(long, value_name = "LINES|all")]
    tail: Option<Tail>,
    /// Also print when invocations began and ended, with their outcome and duration
    #[arg(long, conflicts_with = "role")]
    events: bool,
    /// Only lines of this invocation: its id, the beginning or end of its id, or @last for the last one made
    /// here
    #[arg(long, value_name = "ID")]
    invocation: Option<IdArg>,
    /// Print the log of a role of the platform on this machine: gateway, registry, scheduler or manager
    #[arg(long, value_parser = role_log::parse_role, conflicts_with_all = ["names", "since", "invocation"])]
    role: Option<Role>,
    /// Print what the build of the function said: that of a revision, by its number, or the last one that failed
    /// (failed) [without a value: the newest build]
    #[arg(long, value_name = "REVISION", num_args = 0..=1, default_missing_value = "newest",
          conflicts_with_all = ["follow", "since", "tail", "events", "invocation", "role"])]
    build: Option<WhichBuild>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        if let Some(role) = self.role {
            let tail = match self.tail {
                Some(Tail::Lines(lines)) => Some(lines),
                Some(Tail::All) | None => None,
            };
            return RoleLog::find(role, target)?.print(tail, self.follow, out).await;
        }
        if let Some(which) = self.build {
            let [name] = &self.names[..] else {
                return Err(Error::usage(
                    "--build takes the name of one function: `cloudfunc logs NAME --build`",
                ));
            };
            return print_build(&target.client(out)?.build_log(name, which).await?, out);
        }
        let invocation = self.invocation.map(|id| target.invocation(&id)).transpose()?;
        let with_name = self.names.len() != 1;
        let query = LogQuery {
            functions: self.names,
            follow: self.follow,
            since: self.since,
            tail: self.tail,
            invocation,
            sequence: self.follow,
            events: self.events,
            ..LogQuery::default()
        };
        let client = target.client(out)?;
        let mut lines = client.logs(&query).await?;
        if self.follow {
            tell_older(&lines, &query, out);
            return Following::new(&lines).follow(&client, query, lines, with_name, out).await;
        }
        let mut printed = false;
        while let Some(line) = lines.next().await? {
            printed = true;
            print(&line, with_name, out)?;
        }
        if !printed {
            out.note("no log lines");
        }
        tell_older(&lines, &query, out);
        if lines.missing > 0 {
            out.notice(&format!(
                "{} more lines of invocations that have ended are not stored yet, or were lost; another look may \
                 show them",
                lines.missing
            ));
        }
        Ok(())
    }
}

/// Notes that there are older lines, unless the user asked for a number of lines.
fn tell_older(lines: &LogLines, query: &LogQuery, out: &Output) {
    if query.tail.is_none() && lines.older.is_some() {
        let count = match &lines.older_lines {
            Some(count) => match count.strip_suffix('+') {
                Some(count) => format!("more than {count} older lines are"),
                None if count == "1" => "1 older line is".to_owned(),
                None => format!("{count} older lines are"),
            },
            None => "older lines are".to_owned(),
        };
        out.notice(&format!("{count} not shown; `--tail all`, or a number, shows more"));
    }
}

/// Prints the log of a build, and on stderr which one it is.
fn print_build(log: &BuildLog, out: &Output) -> Result<(), Error> {
    if out.json() {
        return out.document(log);
    }
    let ended = out.moment(log.ended_at);
    match log.revision {
        Some(revision) => {
            out.note(&format!("the build of revision {revision} of {}, {ended}:", log.function))
        }
        None => out.note(&format!("a build of {} that failed, {ended}:", log.function)),
    }
    for BuildLine { ts, line } in &log.lines {
        let time = out.style(Style::Dim, &exact_moment(*ts).to_string());
        out.line(&format!("{time} {}", out.foreign(line)))?;
    }
    Ok(())
}

fn print(line: &LogLine, with_name: bool, out: &Output) -> Result<(), Error> {
    if out.json() { out.json_line(line) } else { out.line(&render(line, with_name, out)) }
}

/// The part of a followed log that was printed: enough to continue after a restart without repeating lines.
struct Following {
    /// Numbers of the lines of the last seconds: a line that is stored late may have a lower number.
    printed: BTreeMap<i64, Instant>,
    /// No line before this number is missing.
    position: i64,
}

/// The maximum time by which a line can appear after one with a higher number.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// The limit of remembered numbers; with more lines in that time, the oldest count as settled.
const REMEMBERED: usize = 100_000;

impl Following {
    fn new(lines: &LogLines) -> Self {
        Self { printed: BTreeMap::new(), position: lines.position }
    }

    async fn follow(
        mut self,
        client: &Client,
        mut query: LogQuery,
        mut lines: LogLines,
        with_name: bool,
        out: &Output,
    ) -> Result<(), Error> {
        let mut patience = Patience::default();
        loop {
            let broken = loop {
                match lines.next().await {
                    Ok(Some(mut line)) => {
                        if line.sequence.take().is_none_or(|number| self.is_new(number, Instant::now()))
                        {
                            print(&line, with_name, out)?;
                        }
                    }
                    // The platform is stopping and has ended the stream.
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if let Some(error) = broken {
                patience.wait(error, out).await?;
            }
            query.after = Some(self.position);
            lines = loop {
                match client.logs(&query).await {
                    Ok(lines) => break lines,
                    Err(error) => patience.wait(error, out).await?,
                }
            };
            patience.answered();
        }
    }

    fn is_new(&mut self, number: i64, now: Instant) -> bool {
        let new = self.printed.insert(number, now).is_none();
        while let Some(first) = self.printed.first_entry() {
            let settled = now - *first.get() >= SETTLED_AFTER || self.printed.len() > REMEMBERED;
            if !settled {
                break;
            }
            let Some((number, _)) = self.printed.pop_first() else { break };
            self.position = self.position.max(number);
        }
        if let Some((first, _)) = self.printed.first_key_value() {
            // The tail that was printed first may be older than the starting position.
            self.position = self.position.min(first - 1);
        }
        new
    }
}

/// Formats a line as `2026-01-31T12:00:00.123Z 5a1c2e4f greeting Alice`; the second word is the end of the
/// invocation id.
fn render(line: &LogLine, with_name: bool, out: &Output) -> String {
    let invocation = line.invocation_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let short = &invocation[invocation.len().saturating_sub(8)..];
    let name = if with_name { format!("{} ", line.function) } else { String::new() };
    let prefix = format!("{} {name}{short:>8}", exact_moment(line.ts));
    let foreign = out.foreign(&line.line);
    let text = match (line.stream, line.kind) {
        (Stream::Stdout, _) => foreign.into_owned(),
        (Stream::Stderr, _) => out.style(Style::Yellow, &foreign),
        (Stream::Platform, Some(LineKind::Error)) => out.style(Style::Red, &foreign),
        (Stream::Platform, _) => format!("[{foreign}]"),
    };
    format!("{} {text}", out.style(Style::Dim, &prefix))
}
