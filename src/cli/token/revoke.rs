//! `cloudfunc token revoke`

use serde::Serialize;

use super::listed;
use crate::{
    cli::{
        Error, Output, ask,
        each::{before_any, distinct, each, listed as joined},
        target::Target,
    },
    client::Client,
    error::Report,
    model::{TokenName, api::TokenInfo},
};

/// Revoke tokens: they are refused on every host within seconds
///
/// All names are checked before the first token is revoked. With --json, one line for each token: {"revoked","error"}.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// The tokens
    #[arg(value_name = "NAME", required = true)]
    names: Vec<TokenName>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// A line of `--json`; if there is an error, the token may still be accepted.
#[derive(Serialize)]
struct Item {
    revoked: Option<TokenName>,
    error: Option<Report>,
}

impl Revoke {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, names) = (target.client(out)?, distinct(self.names));
        let joined = joined(&names);
        if !self.yes && !out.can_ask() {
            return Err(Error::usage(format!(
                "revoking {joined} needs --yes without a terminal to ask on"
            )));
        }
        // The answer to the request itself says that one does not exist.
        if !self.yes || names.len() > 1 {
            for name in &names {
                let token = client.token(name).await;
                let token = token.map_err(|error| before_any(&names, "nothing was revoked", error))?;
                if !self.yes {
                    out.note(&described(&token, out));
                }
            }
        }
        if !self.yes && !ask::confirm(format!("Revoke {joined}?")).await? {
            out.note("nothing was revoked");
            return Ok(());
        }
        revoke(&client, &names, out).await
    }
}

fn described(token: &TokenInfo, out: &Output) -> String {
    let used = match token.last_used_at {
        Some(at) => format!("last used {}", out.moment(at)),
        None => "never used".to_owned(),
    };
    let functions = listed(&token.functions);
    format!("{}: role {}, functions {functions}, {used}", token.name, token.role)
}

async fn revoke(client: &Client, names: &[TokenName], out: &Output) -> Result<(), Error> {
    let item = |name: &TokenName, revoked: Result<&(), Report>| Item {
        revoked: revoked.is_ok().then(|| name.clone()),
        error: revoked.err(),
    };
    let act = async |name: &TokenName| client.revoke_token(name).await;
    each(names, "was not revoked", out, act, item, |name, _| format!("revoked {name}")).await?;
    out.next("cloudfunc token list");
    Ok(())
}
