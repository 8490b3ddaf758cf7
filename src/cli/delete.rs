//! `cloudfunc delete`

use serde::Serialize;

use super::{
    Error, Output, ask,
    each::{before_any, distinct, each, listed},
    target::Target,
    text::count,
};
use crate::{
    client::{self, Client, Deleted, RecordFilter},
    error::Report,
    model::{FunctionName, State},
};

/// The number of invocations in one state that are counted before the question.
const MAX_COUNTED: u32 = 1000;

/// Delete functions with all their revisions and their own secrets
///
/// All names are checked before the first function is deleted. Waiting invocations are cancelled, running ones
/// finish, and secrets that were set for the function alone are deleted with it: how many there are is said before the
/// question, and again at the end. With --json, one line for each function: {"deleted","cancelled","secrets","error"}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The functions
    #[arg(value_name = "NAME", required = true)]
    names: Vec<FunctionName>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// A line of `--json`; if there is an error, the function still exists.
#[derive(Serialize)]
struct Item {
    deleted: Option<FunctionName>,
    /// The number of waiting invocations that were cancelled; none if an older platform does not say so.
    cancelled: Option<u64>,
    /// The number of its own secrets, which went with it; none likewise.
    secrets: Option<u64>,
    error: Option<Report>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, names) = (target.client(out)?, distinct(self.names));
        let listed = listed(&names);
        if !self.yes && !out.can_ask() {
            return Err(Error::usage(format!(
                "deleting {listed} needs --yes without a terminal to ask on"
            )));
        }
        check(&client, &names).await?;
        if !self.yes {
            for name in &names {
                tell_under_way(&client, name, out).await?;
                if let Some(secrets) = its_secrets(own_secrets(&client, name).await) {
                    out.note(&format!("{name}: {secrets} would be deleted, too"));
                }
            }
            let what = if names.len() == 1 { "its" } else { "their" };
            if !ask::confirm(format!("Delete {listed} with all {what} revisions?")).await? {
                out.note("nothing was deleted");
                return Ok(());
            }
        }
        delete(&client, &names, out).await
    }
}

/// Checks that all functions exist; if one does not, nothing is deleted.
async fn check(client: &Client, names: &[FunctionName]) -> Result<(), Error> {
    for name in names {
        let found = client.function(name).await;
        found.map_err(|error| before_any(names, "nothing was deleted", error))?;
    }
    Ok(())
}

/// Says what becomes of the function's invocations that have not ended, if there are any.
async fn tell_under_way(client: &Client, name: &FunctionName, out: &Output) -> Result<(), Error> {
    let mut waiting = Counted::default();
    for state in [State::Queued, State::Retrying] {
        waiting = waiting.and(counted(client, name, state).await?);
    }
    let running = counted(client, name, State::Running).await?;
    if let Some(line) = under_way(name, waiting, running) {
        out.note(&line);
    }
    Ok(())
}

/// Returns the number of secrets that were set for the function alone; 0 if the token may not list them.
async fn own_secrets(client: &Client, name: &FunctionName) -> usize {
    client.secrets(Some(name)).await.map_or(0, |page| page.items.len())
}

/// Formats the number of secrets, if there are any: `its 1 secret`.
fn its_secrets(number: usize) -> Option<String> {
    (number > 0).then(|| format!("its {}", count(number, "secret")))
}

/// A number of invocations.
#[derive(Clone, Copy, Default)]
struct Counted {
    number: usize,
    /// There are more, which were not counted.
    more: bool,
}

impl Counted {
    fn and(self, other: Self) -> Self {
        Self { number: self.number + other.number, more: self.more || other.more }
    }

    /// Formats the number with what it counts: `1 waiting invocation`, `more than 1000 …`.
    fn of(self, what: &str) -> String {
        let least = if self.more { "more than " } else { "" };
        format!("{least}{}", count(self.number, what))
    }
}

async fn counted(client: &Client, name: &FunctionName, state: State) -> Result<Counted, client::Error> {
    let filter = RecordFilter {
        function: Some(name.clone()),
        state: Some(state),
        limit: Some(MAX_COUNTED),
        ..RecordFilter::default()
    };
    let page = client.records(&filter).await?;
    Ok(Counted { number: page.items.len(), more: page.next.is_some() })
}

fn under_way(name: &FunctionName, waiting: Counted, running: Counted) -> Option<String> {
    let waiting = (waiting.number > 0).then(|| {
        let will = if waiting.number == 1 { "would be cancelled" } else { "would all be cancelled" };
        format!("{} {will}", waiting.of("waiting invocation"))
    });
    let running = (running.number > 0).then(|| {
        let end = if running.number == 1 { "runs to its end" } else { "run to their end" };
        format!("{} {end}", running.of("running invocation"))
    });
    let parts: Vec<String> = [waiting, running].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")))
}

async fn delete(client: &Client, names: &[FunctionName], out: &Output) -> Result<(), Error> {
    let item = |name: &FunctionName, deleted: Result<&Deleted, Report>| Item {
        deleted: deleted.is_ok().then(|| name.clone()),
        cancelled: deleted.as_ref().ok().and_then(|deleted| deleted.cancelled),
        secrets: deleted.as_ref().ok().and_then(|deleted| deleted.secrets),
        error: deleted.err(),
    };
    let act = async |name: &FunctionName| client.delete(name).await;
    each(names, "was not deleted", out, act, item, result).await?;
    out.next("cloudfunc list");
    Ok(())
}

fn result(name: &FunctionName, deleted: &Deleted) -> String {
    let secrets = deleted.secrets.and_then(|number| its_secrets(usize::try_from(number).ok()?));
    let secrets = secrets.map_or_else(String::new, |secrets| format!(" and {secrets}"));
    match deleted.cancelled.unwrap_or(0) {
        0 => format!("deleted {name}{secrets}"),
        1 => format!("deleted {name}{secrets}; 1 waiting invocation was cancelled"),
        several => format!("deleted {name}{secrets}; {several} waiting invocations were cancelled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_with_a_function_is_said() {
        let name: FunctionName = "f".parse().unwrap();
        let told = |secrets: Option<u64>, cancelled: Option<u64>| {
            result(&name, &Deleted { cancelled, secrets })
        };
        assert_eq!(told(None, None), "deleted f");
        assert_eq!(told(Some(0), Some(0)), "deleted f");
        assert_eq!(told(Some(1), Some(0)), "deleted f and its 1 secret");
        assert_eq!(
            told(Some(2), Some(3)),
            "deleted f and its 2 secrets; 3 waiting invocations were cancelled"
        );
    }

    #[test]
    fn what_has_not_ended_is_told_before_the_question() {
        let name: FunctionName = "f".parse().unwrap();
        let told = |waiting: (usize, bool), running: (usize, bool)| {
            let [waiting, running] = [waiting, running].map(|(number, more)| Counted { number, more });
            under_way(&name, waiting, running)
        };
        assert_eq!(told((0, false), (0, false)), None);
        for (waiting, running, line) in [
            ((1, false), (0, false), "f: 1 waiting invocation would be cancelled"),
            ((0, false), (1, false), "f: 1 running invocation runs to its end"),
            (
                (3, false),
                (2, false),
                "f: 3 waiting invocations would all be cancelled, 2 running invocations run to their end",
            ),
            ((1000, true), (0, false), "f: more than 1000 waiting invocations would all be cancelled"),
        ] {
            assert_eq!(told(waiting, running).as_deref(), Some(line));
        }
    }
}
