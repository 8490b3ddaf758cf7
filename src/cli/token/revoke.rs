//! `cloudfunc token revoke`

use std::collections::BTreeSet;

use serde::Serialize;

use super::listed;
use crate::{
    cli::{
        Error, Exit, Output, ask,
        target::{Target, all},
    },
    client::Client,
    error::Report,
    model::{TokenName, api::TokenInfo, code},
    suggest::suggest,
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
struct Item<'a> {
    revoked: Option<&'a TokenName>,
    error: Option<Report>,
}

impl Revoke {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let (client, mut names) = (target.client(out)?, self.names);
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let joined = names.iter().map(TokenName::as_str).collect::<Vec<_>>().join(", ");
        if !self.yes && !out.can_ask() {
            return Err(Error::usage(format!(
                "revoking {joined} needs --yes without a terminal to ask on"
            )));
        }
        // The answer to the request itself says that one does not exist.
        if !self.yes || names.len() > 1 {
            let tokens = all(async |cursor| client.tokens(cursor.as_deref()).await).await?;
            for name in &names {
                let token = find(&tokens, name).map_err(|error| match names.len() {
                    1 => error,
                    _ => error.context("nothing was revoked".to_owned()),
                })?;
                if !self.yes {
                    out.note(&described(token, out));
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

fn find<'t>(tokens: &'t [TokenInfo], name: &TokenName) -> Result<&'t TokenInfo, Error> {
    tokens.iter().find(|token| token.name == *name).ok_or_else(|| {
        let near = suggest(name.as_str(), tokens.iter().map(|token| token.name.as_str()));
        let hint = match near.is_empty() {
            true => "`cloudfunc token list` shows the tokens".to_owned(),
            false => format!("did you mean {}?", near.join(" or ")),
        };
        let error = Error::usage(format!("there is no token '{name}'")).hint(hint);
        error.code(code::TOKEN_NOT_FOUND.code)
    })
}

fn described(token: &TokenInfo, out: &Output) -> String {
    let used = match token.last_used_at {
        Some(at) => format!("last used {}", out.moment(at)),
        None => "never used".to_owned(),
    };
    let functions = listed(&token.functions);
    format!("{}: role {}, functions {functions}, {used}", token.name, token.role)
}

/// Revokes each token, goes on after a failure, and reports each result. The highest exit code wins; the error of a single
/// token is that of the command.
async fn revoke(client: &Client, names: &[TokenName], out: &Output) -> Result<(), Error> {
    let mut worst = Exit::Ok;
    for name in names {
        let revoked = client.revoke_token(name).await.map_err(Error::from);
        let revoked = revoked.map_err(|error| error.context(format!("{name} was not revoked")));
        if out.json() {
            let (gone, error) = (revoked.is_ok(), revoked.as_ref().err().map(Error::report));
            out.json_line(&Item { revoked: gone.then_some(name), error })?;
        }
        match revoked {
            Err(error) if names.len() == 1 => return Err(error),
            Err(error) => {
                out.error(&error);
                worst = worst.max(error.exit);
            }
            Ok(()) if out.json() => {}
            Ok(()) => out.line(&format!("revoked {name}"))?,
        }
    }
    if worst != Exit::Ok {
        return Err(Error::silent(worst));
    }
    out.next("cloudfunc token list");
    Ok(())
}
