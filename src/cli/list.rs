//! `cloudfunc list`

use super::{
    Error, Output, addresses,
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
        let rows = items.iter().map(|function| row(function, out));
        if items.iter().any(|function| function.spec.http.is_some()) {
            let rows: Vec<_> =
                rows.zip(&items).map(|(row, function)| with_address(row, function)).collect();
            out.table(WITH_ADDRESS, &rows)?;
        } else {
            out.table(HEADS, &rows.collect::<Vec<_>>())?;
        }
        out.next("cloudfunc show NAME");
        Ok(())
    }
}

const HEADS: [&str; 6] = ["NAME", "REVISION", "STATE", "INSTANCES", "DEPLOYED", "DESCRIPTION"];
const WITH_ADDRESS: [&str; 7] =
    ["NAME", "REVISION", "STATE", "INSTANCES", "DEPLOYED", "ADDRESS", "DESCRIPTION"];

fn with_address(row: [String; 6], function: &FunctionInfo) -> [String; 7] {
    let [name, revision, state, instances, deployed, description] = row;
    let address = function.spec.http.as_ref().map(addresses::short).unwrap_or_default();
    [name, revision, state, instances, deployed, address, description]
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
