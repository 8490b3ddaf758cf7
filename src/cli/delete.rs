//! `cloudfunc delete`

use serde::Serialize;

use super::{Error, Exit, Output, ask, target::Target};
use crate::{client::Client, error::Report, model::FunctionName};

/// Delete functions with all their revisions
///
/// All names are checked before the first function is deleted. Waiting invocations are cancelled, running ones
/// finish. With --json, one line for each function: {"deleted","error"}.
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
struct Item<'a> {
    deleted: Option<&'a FunctionName>,
    error: Option<Report>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, mut names) = (target.client(out)?, self.names);
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let listed = names.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ");
        if !self.yes && !out.can_ask() {
            return Err(Error::usage(format!(
                "deleting {listed} needs --yes without a terminal to ask on"
            )));
        }
        check(&client, &names).await?;
        if !self.yes {
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
        let found = client.function(name).await.map(drop);
        found.map_err(Error::from).map_err(|error| match names.len() {
            1 => error,
            _ => error.context("nothing was deleted".to_owned()),
        })?;
    }
    Ok(())
}

/// Deletes each function, goes on after a failure, and reports each result. The highest exit code wins.
async fn delete(client: &Client, names: &[FunctionName], out: &Output) -> Result<(), Error> {
    let mut worst = Exit::Ok;
    for name in names {
        let error = client.delete(name).await.err().map(Error::from);
        let error = error.map(|error| error.context(format!("{name} was not deleted")));
        if out.json() {
            let report = error.as_ref().map(Error::report);
            let deleted = error.is_none().then_some(name);
            out.json_line(&Item { deleted, error: report })?;
        }
        match error {
            Some(error) => {
                out.error(&error);
                worst = worst.max(error.exit);
            }
            None if out.json() => {}
            None => out.line(&format!("deleted {name}"))?,
        }
    }
    if worst != Exit::Ok {
        return Err(Error::silent(worst));
    }
    out.next("cloudfunc list");
    Ok(())
}
