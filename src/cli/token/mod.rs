//! `cloudfunc token create | list | revoke | rotate`

mod create;
mod revoke;

use super::{
    Error, Output,
    target::{Target, all},
};
use crate::model::{
    FunctionPattern,
    api::{Page, TokenInfo},
};

/// Make, list, revoke and rotate tokens
///
/// Every request to a platform carries a token. Its role says what it may do; it can be for some functions only, expire by
/// itself, and have a rate limit. A token holds on every host of the platform. The platform keeps a digest of it and cannot
/// show it again. Besides these tokens, the file `token` in the data folder of each host is one with the role admin.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(create::Create),
    /// List the tokens with their roles, the functions that they are for, and their last use
    #[command(visible_alias = "ls")]
    List,
    #[command(visible_aliases = ["delete", "rm"])]
    Revoke(revoke::Revoke),
    Rotate(create::Rotate),
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        match self.command {
            Command::Create(args) => args.run(target, out).await,
            Command::List => list(target, out).await,
            Command::Revoke(args) => args.run(target, out).await,
            Command::Rotate(args) => args.run(target, out).await,
        }
    }
}

async fn list(target: &Target, out: &Output) -> Result<(), Error> {
    let client = target.client(out)?;
    let items = all(async |cursor| client.tokens(cursor.as_deref()).await).await?;
    if out.json() {
        return out.document(&Page { items, next: None });
    }
    if items.is_empty() {
        out.note("no tokens yet, besides the file `token` of each host");
        out.next("cloudfunc token create ci --role deploy --expires 90d");
        return Ok(());
    }
    // A column for the few that have a limit would make all lines longer.
    if items.iter().any(|token| token.rate_limit.is_some()) {
        let rows: Vec<_> = items.iter().map(|token| row_with_limit(token, out)).collect();
        out.table(["NAME", "ROLE", "FUNCTIONS", "EXPIRES", "LAST USED", "RATE LIMIT"], &rows)?;
    } else {
        let rows: Vec<_> = items.iter().map(|token| row(token, out)).collect();
        out.table(["NAME", "ROLE", "FUNCTIONS", "EXPIRES", "LAST USED"], &rows)?;
    }
    match items.iter().find(|token| token.expired) {
        Some(token) => out.next(&format!("cloudfunc token revoke {}", token.name)),
        None => out.next("cloudfunc token rotate NAME"),
    }
    Ok(())
}

fn row(token: &TokenInfo, out: &Output) -> [String; 5] {
    [
        token.name.to_string(),
        token.role.to_string(),
        listed(&token.functions),
        match token.expires_at {
            None => "never".to_owned(),
            Some(_) if token.expired => "expired".to_owned(),
            Some(at) => out.coming(at),
        },
        token.last_used_at.map_or_else(|| "never".to_owned(), |at| out.moment(at)),
    ]
}

fn row_with_limit(token: &TokenInfo, out: &Output) -> [String; 6] {
    let [name, role, functions, expires, last_used] = row(token, out);
    let limit = token.rate_limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    [name, role, functions, expires, last_used, limit]
}

/// Formats the functions of a token; `all` stands for all of them.
fn listed(functions: &[FunctionPattern]) -> String {
    match functions {
        [] => "all".to_owned(),
        some => some.iter().map(FunctionPattern::as_str).collect::<Vec<_>>().join(", "),
    }
}
