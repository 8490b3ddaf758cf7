//! `cloudfunc secret set` and `secret rotate`

use super::{NameArg, key, names, on_the_command_line, shown, value};
use crate::{
    cli::{Error, Output, target::Target},
    model::{FunctionName, SecretName, api::SecretSet},
};

/// Set a secret, of all functions or of one
///
/// The value comes from stdin. On a terminal it is asked for, twice, and not shown. It is never an argument: other users of
/// the machine and the shell's history see those. One line end at the end of stdin, which `echo` writes, is not part of the
/// value (`\n` or `\r\n`). Functions that get the secret are named, and their instances with another value are replaced; calls do not fail
/// for that.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Name of the secret, and of the environment variable in which functions find it
    name: NameArg,
    /// Taken only to be refused with an explanation
    #[arg(hide = true)]
    value: Vec<String>,
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
/// --secret-key-file. To add a key, write its line before the others, on every host of the platform, and restart these.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Name of the secret
    #[arg(required_unless_present = "key")]
    name: Option<NameArg>,
    /// Taken only to be refused with an explanation
    #[arg(hide = true)]
    value: Vec<String>,
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
        let Self { name, value, function, keep_newline } = self;
        set(New { name, value, function, keep_newline, existing: false }, target, out).await
    }
}

impl Rotate {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let Self { name, value, function, keep_newline, .. } = self;
        match name {
            // With --key.
            None => key::rotate(target, out).await,
            Some(name) => {
                set(New { name, value, function, keep_newline, existing: true }, target, out).await
            }
        }
    }
}

/// The arguments of a command that sets a value.
struct New {
    name: NameArg,
    value: Vec<String>,
    function: Option<FunctionName>,
    keep_newline: bool,
    /// There has to be a value already.
    existing: bool,
}

async fn set(new: New, target: &Target, out: &Output) -> Result<(), Error> {
    let name = new.name.name()?;
    if !new.value.is_empty() {
        return Err(on_the_command_line());
    }
    let client = target.client(out)?;
    let value = value::read(&name, new.keep_newline, out).await?;
    let set = client.set_secret(&name, new.function.as_ref(), new.existing, value).await?;
    if out.json() {
        return out.document(&set);
    }
    out.line(&result(&set))?;
    out.note(&consequence(&set));
    out.next(&next(&set));
    Ok(())
}

fn result(set: &SecretSet) -> String {
    let secret = shown(&set.place);
    if set.replaced { format!("replaced the value of {secret}") } else { format!("set {secret}") }
}

fn consequence(set: &SecretSet) -> String {
    match set.used_by.as_slice() {
        [] => not_used(&set.place.name),
        [one] => format!("{one} gets it: its instances with another value are replaced"),
        several => format!("{} get it: their instances with another value are replaced", names(several)),
    }
}

fn not_used(name: &SecretName) -> String {
    format!("no function gets it yet: name it in a manifest, secrets = [\"{name}\"], and deploy")
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
    use crate::model::SecretPlace;

    fn told(function: Option<&str>, replaced: bool, used_by: &[&str]) -> [String; 3] {
        let function = function.map(|name| name.parse().unwrap());
        let place = SecretPlace { function, name: "API_KEY".parse().unwrap() };
        let used_by = used_by.iter().map(|name| name.parse().unwrap()).collect();
        let set = SecretSet { place, replaced, used_by };
        [result(&set), consequence(&set), next(&set)]
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
                "shop gets it: its instances with another value are replaced",
                "cloudfunc invoke shop"
            ]
        );
        let [_, consequence, next] = told(None, true, &["a", "b"]);
        assert_eq!(consequence, "a, b get it: their instances with another value are replaced");
        assert_eq!(next, "cloudfunc invoke a");
        assert_eq!(told(Some("shop"), false, &[])[2], "cloudfunc deploy shop");
    }
}
