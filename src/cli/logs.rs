//! `cloudfunc logs`

use jiff::Timestamp;

use super::{
    Error, Output, Style,
    role_log::{self, RoleLog},
    target::{IdArg, Target},
    text::{exact_moment, parse_since},
};
use crate::{
    app::Role,
    client::LogQuery,
    model::{FunctionName, LogLine, Stream},
};

/// Print what functions wrote, or a role's own log
///
/// Without a name: the logs of all functions.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The functions
    #[arg(value_name = "NAME")]
    names: Vec<FunctionName>,
    /// Go on with new lines until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only lines since then: 10m, or a moment like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only the last lines, so many
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// Only lines of this invocation; @last is the last one made here
    #[arg(long, value_name = "ID")]
    invocation: Option<IdArg>,
    /// The log of a role of the platform on this host: gateway, registry, scheduler or manager
    #[arg(long, value_parser = role_log::parse_role, conflicts_with_all = ["names", "since", "invocation"])]
    role: Option<Role>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        if let Some(role) = self.role {
            return RoleLog::find(role, target)?.print(self.tail, self.follow, out).await;
        }
        let invocation = self.invocation.map(|id| target.invocation(&id)).transpose()?;
        let with_name = self.names.len() != 1;
        let query = LogQuery {
            functions: self.names,
            follow: self.follow,
            since: self.since,
            tail: self.tail,
            invocation,
        };
        let mut lines = target.client(out)?.logs(&query).await?;
        let mut printed = false;
        while let Some(line) = lines.next().await? {
            printed = true;
            if out.json() {
                out.json_line(&line)?;
            } else {
                out.line(&render(&line, with_name, out))?;
            }
        }
        if !printed {
            out.note("no log lines");
        }
        Ok(())
    }
}

/// `2026-01-31T12:00:00.123Z 5a1c2e4f greeting Alice`; the second word is the invocation id's end.
fn render(line: &LogLine, with_name: bool, out: &Output) -> String {
    let invocation = line.invocation_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let short = &invocation[invocation.len().saturating_sub(8)..];
    let name = if with_name { format!("{} ", line.function) } else { String::new() };
    let prefix = format!("{} {name}{short:>8}", exact_moment(line.ts));
    let text = match line.stream {
        Stream::Stdout => line.line.clone(),
        Stream::Stderr => out.style(Style::Yellow, &line.line),
        Stream::Platform => format!("[{}]", line.line),
    };
    format!("{} {text}", out.style(Style::Dim, &prefix))
}
