//! `cloudfunc rollback`

use serde_json::json;

use super::{
    Error, Output,
    addresses::{Addresses, next},
    target::{Target, all},
};
use crate::model::{FunctionName, RevisionNumber};

/// Make an earlier revision of a function the active one again
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    /// The number of the revision [default: the one before the active revision]
    #[arg(long, value_name = "REVISION")]
    to: Option<u32>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, name) = (target.client(out)?, &self.name);
        let revision = match self.to {
            Some(number) => RevisionNumber(number),
            None => {
                let active = client.function(name).await?.active_revision;
                let revisions =
                    all(async |cursor| client.revisions(name, cursor.as_deref()).await).await?;
                let earlier = revisions.iter().map(|revision| revision.number).filter(|n| *n < active);
                earlier.max().ok_or_else(|| {
                    Error::usage(format!("{name} has no revision before {active}"))
                        .hint(format!("`cloudfunc show {name}` lists its revisions"))
                })?
            }
        };
        let spec = client.activate(name, revision).await?.spec;
        if out.json() {
            return out.document(&json!({ "name": name, "revision": revision }));
        }
        out.line(&format!("revision {revision} of {name} is active"))?;
        let base = client.base();
        let lines = spec.http.as_ref().map(|http| Addresses { http, base }.lines());
        lines.unwrap_or_default().iter().try_for_each(|line| out.line(line))?;
        out.next(&next(name, spec.interface, spec.http.as_ref(), base));
        Ok(())
    }
}
