//! `cloudfunc delete`

use serde_json::json;

use super::{Error, Output, ask, target::Target};
use crate::model::FunctionName;

/// Delete a function with all its revisions
///
/// Invocations that wait are cancelled, running ones finish.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, name) = (target.client(out)?, &self.name);
        if !self.yes {
            if !out.can_ask() {
                return Err(Error::usage(format!(
                    "deleting {name} needs --yes without a terminal to ask on"
                )));
            }
            if !ask::confirm(format!("Delete {name} with all its revisions?")).await? {
                out.note("nothing was deleted");
                return Ok(());
            }
        }
        client.delete(name).await?;
        if out.json() {
            return out.document(&json!({ "deleted": name }));
        }
        out.line(&format!("deleted {name}"))
    }
}
