//! `cloudfunc secret delete`

use serde_json::json;

use super::{NameArg, names, shown};
use crate::{
    cli::{Error, Output, ask, target::Target},
    client::Client,
    model::{FunctionName, SecretPlace, code},
};

/// Delete a secret
///
/// One that a function gets is not deleted without --force: the function could not be started any more, unless there is
/// another one of the same name for it.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Name of the secret
    name: NameArg,
    /// The one that was set for this function [default: the one for all functions]
    #[arg(long, value_name = "FUNCTION")]
    function: Option<FunctionName>,
    /// Delete it also if functions get it
    #[arg(long)]
    force: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

impl Delete {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let place = SecretPlace { name: self.name.name()?, function: self.function };
        let client = target.client(out)?;
        let secret = shown(&place);
        if !self.yes && !out.can_ask() {
            return Err(Error::usage(format!(
                "deleting {secret} needs --yes without a terminal to ask on"
            )));
        }
        let listed = client.secrets(place.function.as_ref()).await?.items;
        let known = listed.into_iter().find(|info| info.place == place);
        let exists = known.is_some();
        let used_by = known.map(|info| info.used_by).unwrap_or_default();
        if !self.yes && !self.force && !used_by.is_empty() && !stands_in(&client, &place).await {
            return Err(in_use(&secret, &used_by));
        }
        // The platform says that one does not exist.
        if !self.yes && exists {
            let users = match used_by.as_slice() {
                [] => String::new(),
                users => format!(", which is used by {}", names(users)),
            };
            if !ask::confirm(format!("Delete {secret}{users}?")).await? {
                out.note("nothing was deleted");
                return Ok(());
            }
        }
        client.delete_secret(&place.name, place.function.as_ref(), self.force).await?;
        // Without --force it would not have been deleted otherwise.
        let stands_in = place.function.is_some() && !used_by.is_empty() && {
            let platforms = SecretPlace { function: None, name: place.name.clone() };
            let all = if self.force { Some(client.secrets(None).await) } else { None };
            all.is_none_or(|all| {
                all.is_ok_and(|page| page.items.iter().any(|one| one.place == platforms))
            })
        };
        if out.json() {
            return out.document(&json!({ "deleted": place, "used_by": used_by }));
        }
        out.line(&format!("deleted {secret}"))?;
        if !used_by.is_empty() {
            out.note(&consequence(&place, &used_by, stands_in));
        }
        out.next("cloudfunc secret list");
        Ok(())
    }
}

/// Returns whether functions get another secret in place of this one, or may get one that the token cannot see: then it is the
/// platform that refuses.
async fn stands_in(client: &Client, place: &SecretPlace) -> bool {
    if place.function.is_none() {
        return false;
    }
    let of_all = SecretPlace { function: None, name: place.name.clone() };
    let listed = client.secrets(None).await;
    listed.map_or(true, |page| page.items.iter().any(|info| info.place == of_all))
}

/// The platform refuses this, too; said here, it is said before the question.
fn in_use(secret: &str, used_by: &[FunctionName]) -> Error {
    let them = if used_by.len() == 1 { "it" } else { "them" };
    Error::usage(format!("{secret} is used by {}", names(used_by)))
        .hint(format!(
            "deploy {them} without the secret first, or delete the secret all the same with --force"
        ))
        .code(code::SECRET_IN_USE.code)
}

/// `stands_in`: there is one of the same name for all functions.
fn consequence(place: &SecretPlace, used_by: &[FunctionName], stands_in: bool) -> String {
    let (users, name) = (names(used_by), &place.name);
    match stands_in {
        true => format!("it was used by {users}: instances get the {name} of all functions now"),
        false => format!("it was used by {users}: instances need another {name} to start"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_what_instances_get_instead() {
        let users: [FunctionName; 1] = ["shop".parse().unwrap()];
        let place = SecretPlace { function: Some(users[0].clone()), name: "API_KEY".parse().unwrap() };
        assert_eq!(
            consequence(&place, &users, true),
            "it was used by shop: instances get the API_KEY of all functions now"
        );
        assert_eq!(
            consequence(&place, &users, false),
            "it was used by shop: instances need another API_KEY to start"
        );
    }
}
