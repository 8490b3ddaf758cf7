//! `cloudfunc secret set` and `secret rotate`

use std::io::{self, IsTerminal as _};

use super::{NameArg, key, names, on_the_command_line, shown, value};
use crate::{
    cli::{Error, Output, target::Target},
    client::Client,
    model::{
        FunctionName, SecretPlace,
        api::{SecretInfo, SecretSet},
        code,
    },
};

/// Set a secret, of all functions or of one
///
/// The value comes from stdin. On a terminal it is asked for, twice, and not shown. It is never an argument: other users of
/// the machine and the shell's history see those. One line end at the end of stdin, which `echo` writes, is not part of the
/// value (`\n` or `\r\n`). Functions that get the secret are named, and their instances that have an earlier value are
/// replaced, also if it is the same; calls do not fail for that.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Name of the secret, and of the environment variable in which functions find it
    name: NameArg,
    /// Taken only to be refused with an explanation
    #[arg(hide = true)]
    value: Vec<String>,
    /// Taken only to be refused with an explanation
    #[arg(long = "value", hide = true, num_args = 0..=1, value_name = "VALUE")]
    value_option: Option<Vec<String>>,
    /// Only for this function, which then gets it in place of one of the same name that is for all functions
    #[arg(long, value_name = "FUNCTION")]
    function: Option<FunctionName>,
    /// Keep a line end at the end of stdin as part of the value
    #[arg(long)]
    keep_newline: bool,
}

/// Replace the value of a secret, or encrypt all secrets with the newest key
///
/// A new value is read as that of `secret set`; a secret that does not exist is an error. With --key, no value changes: all
/// secrets are encrypted anew with the first key of the key file: `secret-key` in the data folder, or that of
/// --secret-key-file. To add a key, write its line after the others on every host of the platform and restart each; then move
/// it before the others and restart each again.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Name of the secret
    name: Option<NameArg>,
    /// Taken only to be refused with an explanation
    #[arg(hide = true)]
    value: Vec<String>,
    /// Taken only to be refused with an explanation
    #[arg(long = "value", hide = true, num_args = 0..=1, value_name = "VALUE")]
    value_option: Option<Vec<String>>,
    /// The one that was set for this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<FunctionName>,
    /// Keep a line end at the end of stdin as part of the value
    #[arg(long)]
    keep_newline: bool,
    /// Encrypt all secrets with the newest key
    #[arg(long, conflicts_with_all = ["name", "function", "keep_newline"])]
    key: bool,
}

impl Set {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let Self { name, value, value_option, function, keep_newline } = self;
        let has_value = !value.is_empty() || value_option.is_some();
        set(New { name, has_value, function, keep_newline, existing: false }, target, out).await
    }
}

impl Rotate {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let Self { name, value, value_option, function, keep_newline, key } = self;
        let has_value = !value.is_empty() || value_option.is_some();
        match name {
            Some(name) => {
                set(New { name, has_value, function, keep_newline, existing: true }, target, out).await
            }
            None if has_value => Err(on_the_command_line()),
            None if key => key::rotate(target, out).await,
            None => Err(Error::usage(
                "name the secret that gets a new value, or give --key to encrypt all secrets with the newest key",
            )),
        }
    }
}

/// The arguments of a command that sets a value.
struct New {
    name: NameArg,
    /// There is a value among the arguments.
    has_value: bool,
    function: Option<FunctionName>,
    keep_newline: bool,
    /// There has to be a value already.
    existing: bool,
}

async fn set(new: New, target: &Target, out: &Output) -> Result<(), Error> {
    let name = new.name.name()?;
    if new.has_value {
        return Err(on_the_command_line());
    }
    let client = target.client(out)?;
    let place = SecretPlace { function: new.function, name };
    if io::stdin().is_terminal() {
        check(&client, &place, new.existing).await?;
    }
    let SecretPlace { function, name } = place;
    let value = value::read(&name, new.keep_newline, out).await?;
    let set = client.set_secret(&name, function.as_ref(), new.existing, value).await?;
    if out.json() {
        return out.document(&set);
    }
    out.line(&result(&set))?;
    out.note(&consequence(&set, &with_their_own(&client, &set).await));
    out.next(&next(&set));
    Ok(())
}

/// Checks before a value is asked for that it can be set: the token is accepted, and a value that is to be replaced is there.
async fn check(client: &Client, place: &SecretPlace, existing: bool) -> Result<(), Error> {
    let listed = client.secrets(place.function.as_ref()).await?.items;
    if !existing || listed.iter().any(|info| info.place == *place) {
        return Ok(());
    }
    let hint = "`cloudfunc secret list` shows the secrets, `cloudfunc secret set` sets one";
    let error = Error::usage(format!("there is no secret {}", shown(place)));
    Err(error.hint(hint).code(code::SECRET_NOT_FOUND.code))
}

/// The functions that name a secret which was set for all functions, and get one of their own in place of it; none if some
/// function gets this one, or if they cannot be listed.
async fn with_their_own(client: &Client, set: &SecretSet) -> Vec<FunctionName> {
    if set.place.function.is_some() || !set.used_by.is_empty() {
        return Vec::new();
    }
    let listed = client.secrets(None).await.map(|page| page.items).unwrap_or_default();
    listed.into_iter().filter(|info| info.place.name == set.place.name).flat_map(users_of_own).collect()
}

fn users_of_own(info: SecretInfo) -> Vec<FunctionName> {
    if info.place.function.is_some() { info.used_by } else { Vec::new() }
}

fn result(set: &SecretSet) -> String {
    let secret = shown(&set.place);
    if set.replaced { format!("replaced the value of {secret}") } else { format!("set {secret}") }
}

fn consequence(set: &SecretSet, with_their_own: &[FunctionName]) -> String {
    match (set.used_by.as_slice(), with_their_own) {
        ([], []) => not_used(&set.place),
        ([], [one]) => format!("no function gets it: {one} names it, and has its own"),
        ([], several) => format!("no function gets it: {} name it, and have their own", names(several)),
        ([one], _) => format!("{one} gets it: its instances that have an earlier value are replaced"),
        (several, _) => {
            format!("{} get it: their instances that have an earlier value are replaced", names(several))
        }
    }
}

fn not_used(SecretPlace { function, name }: &SecretPlace) -> String {
    let (who, manifest) = match function {
        None => ("no function gets it".to_owned(), "a manifest"),
        Some(function) => (format!("{function} does not get it"), "its manifest"),
    };
    format!("{who} yet: name it in {manifest}, secrets = [\"{name}\"], and deploy")
}

fn next(set: &SecretSet) -> String {
    match (set.used_by.first(), &set.place.function) {
        (Some(user), _) => format!("cloudfunc invoke {user}"),
        (None, Some(function)) => format!("cloudfunc deploy {function}"),
        (None, None) => "cloudfunc secret list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(function: Option<&str>, replaced: bool, used_by: &[&str]) -> [String; 3] {
        let function = function.map(|name| name.parse().unwrap());
        let place = SecretPlace { function, name: "API_KEY".parse().unwrap() };
        let used_by = used_by.iter().map(|name| name.parse().unwrap()).collect();
        let set = SecretSet { place, replaced, used_by };
        [result(&set), consequence(&set, &[]), next(&set)]
    }

    #[test]
    fn the_functions_that_get_it_are_named() {
        assert_eq!(
            told(None, false, &[]),
            [
                "set API_KEY",
                "no function gets it yet: name it in a manifest, secrets = [\"API_KEY\"], and deploy",
                "cloudfunc secret list"
            ]
        );
        assert_eq!(
            told(Some("shop"), true, &["shop"]),
            [
                "replaced the value of API_KEY of shop",
                "shop gets it: its instances that have an earlier value are replaced",
                "cloudfunc invoke shop"
            ]
        );
        let [_, consequence, next] = told(None, true, &["a", "b"]);
        assert_eq!(consequence, "a, b get it: their instances that have an earlier value are replaced");
        assert_eq!(next, "cloudfunc invoke a");
        let [_, consequence, next] = told(Some("shop"), false, &[]);
        assert_eq!(
            consequence,
            "shop does not get it yet: name it in its manifest, secrets = [\"API_KEY\"], and deploy"
        );
        assert_eq!(next, "cloudfunc deploy shop");
    }

    #[test]
    fn a_function_that_has_its_own_is_named_where_nobody_gets_the_secret() {
        let place = SecretPlace { function: None, name: "API_KEY".parse().unwrap() };
        let set = SecretSet { place, replaced: false, used_by: Vec::new() };
        let own = |names: &[&str]| -> Vec<FunctionName> {
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        assert_eq!(
            consequence(&set, &own(&["shop"])),
            "no function gets it: shop names it, and has its own"
        );
        assert_eq!(
            consequence(&set, &own(&["a", "b"])),
            "no function gets it: a, b name it, and have their own"
        );
    }
}
