//! `cloudfunc secret set | list | delete | rotate`

mod delete;
mod key;
mod set;
mod value;

use std::str::FromStr;

use super::{Error, Output, target::Target};
use crate::model::{FunctionName, SecretName, SecretPlace, api::SecretInfo, secret::InvalidSecretName};

/// Set, list, delete and rotate secrets, which functions find in their environment
///
/// A function gets those that its manifest names: secrets = ["API_KEY"]. One that was set for it alone comes before one of the
/// same name that was set for all functions. The platform keeps values encrypted, and shows none.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(set::Set),
    #[command(visible_alias = "ls")]
    List(List),
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
    Rotate(set::Rotate),
}

/// List secrets, without their values, and the functions that get them
///
/// A key that the host which answers does not have is marked: there, functions that get such a secret are not started.
#[derive(Debug, clap::Args)]
struct List {
    /// Only secrets that were set for this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<FunctionName>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        match self.command {
            Command::Set(args) => args.run(target, out).await,
            Command::List(args) => args.run(target, out).await,
            Command::Delete(args) => args.run(target, out).await,
            Command::Rotate(args) => args.run(target, out).await,
        }
    }
}

impl List {
    async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let page = target.client(out)?.secrets(self.function.as_ref()).await?;
        if out.json() {
            return out.document(&page);
        }
        if page.items.is_empty() {
            match &self.function {
                None => out.note("no secrets yet"),
                Some(function) => out.note(&format!("no secrets were set for {function} alone")),
            }
            let option =
                self.function.map_or_else(String::new, |function| format!(" --function {function}"));
            out.next(&format!("cloudfunc secret set API_KEY{option}"));
            return Ok(());
        }
        let rows: Vec<_> = page.items.iter().map(|secret| row(secret, out)).collect();
        out.table(["NAME", "FUNCTION", "SET", "BY", "KEY", "USED BY"], &rows)?;
        let away: Vec<String> = page.items.iter().filter(|one| !one.key_is_here).map(shown_of).collect();
        if !away.is_empty() {
            out.warn(&format!(
                "the host that answered does not have the key of {}: functions that get {} are not started there",
                away.join(", "),
                if away.len() == 1 { "it" } else { "them" }
            ));
            out.hint(
                "add the line of each key that is missing to the host's key file (`secret-key` in its data folder, or that \
                 of --secret-key-file), and restart its platform",
            );
        }
        out.next("cloudfunc secret rotate NAME");
        Ok(())
    }
}

fn row(secret: &SecretInfo, out: &Output) -> [String; 6] {
    let all = || "(all)".to_owned();
    [
        secret.place.name.to_string(),
        secret.place.function.as_ref().map_or_else(all, FunctionName::to_string),
        out.moment(secret.set_at),
        secret.set_by.clone(),
        format!("{}{}", secret.key, if secret.key_is_here { "" } else { " (missing)" }),
        if secret.used_by.is_empty() { "-".to_owned() } else { names(&secret.used_by) },
    ]
}

fn shown_of(secret: &SecretInfo) -> String {
    shown(&secret.place)
}

/// Formats a place as `API_KEY`, or as `API_KEY of shop`.
fn shown(place: &SecretPlace) -> String {
    match &place.function {
        None => place.name.to_string(),
        Some(function) => format!("{} of {function}", place.name),
    }
}

fn names(functions: &[FunctionName]) -> String {
    functions.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ")
}

/// The name of a secret as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameArg {
    Name(SecretName),
    /// `NAME=VALUE`, which is refused without being shown.
    WithValue,
}

impl FromStr for NameArg {
    type Err = InvalidSecretName;
    fn from_str(text: &str) -> Result<Self, InvalidSecretName> {
        if text.contains('=') { Ok(Self::WithValue) } else { text.parse().map(Self::Name) }
    }
}

impl NameArg {
    fn name(self) -> Result<SecretName, Error> {
        match self {
            Self::Name(name) => Ok(name),
            Self::WithValue => Err(on_the_command_line()),
        }
    }
}

/// The error about a value among the arguments.
fn on_the_command_line() -> Error {
    Error::usage(
        "the value of a secret does not belong on the command line: other users of the machine and the shell's \
         history can see it",
    )
    .hint("on a terminal, `cloudfunc secret set NAME` asks for the value; elsewhere the value comes from stdin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_beside_the_name_is_not_repeated() {
        let with_value: NameArg = "API_KEY=hunter2".parse().unwrap();
        let error = with_value.name().unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        assert_eq!("API_KEY".parse::<NameArg>().unwrap().name().unwrap().as_str(), "API_KEY");
        assert!("api-key".parse::<NameArg>().is_err());
    }

    #[test]
    fn a_place_is_shown_with_its_function() {
        let mut place = SecretPlace { function: None, name: "API_KEY".parse().unwrap() };
        assert_eq!(shown(&place), "API_KEY");
        place.function = Some("shop".parse().unwrap());
        assert_eq!(shown(&place), "API_KEY of shop");
    }
}
