//! `cloudfunc list`

use super::{
    Error, Output,
    target::{Target, all},
};
use crate::model::api::{FunctionInfo, Page};

/// List the functions
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let items = all(async |cursor| client.functions(cursor.as_deref()).await).await?;
        if out.json() {
            return out.document(&Page { items, next: None });
        }
        if items.is_empty() {
            // Of a token for some functions others are left out; the token does not say so itself.
            out.note(match target.names_token() {
                true => "no functions yet that this token is for",
                false => "no functions yet",
            });
            out.next("cloudfunc init hello");
            return Ok(());
        }
        let rows: Vec<_> = items.iter().map(|function| row(function, out)).collect();
        out.table(["NAME", "REVISION", "STATE", "INSTANCES", "DEPLOYED", "DESCRIPTION"], &rows)?;
        out.next("cloudfunc show NAME");
        Ok(())
    }
}

fn row(function: &FunctionInfo, out: &Output) -> [String; 6] {
    [
        function.name.to_string(),
        function.active_revision.to_string(),
        if function.is_warm { "warm" } else { "cold" }.to_owned(),
        function.instances.to_string(),
        out.moment(function.deployed_at),
        function.spec.description.clone().unwrap_or_default(),
    ]
}
