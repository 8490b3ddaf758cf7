//! `--secret`: secrets for one run, whose values come from the environment of the command.

use std::{collections::BTreeMap, ffi::OsString};

use bytes::Bytes;

use crate::{
    cli::Error,
    client::{self, Client},
    model::{MAX_SECRET, SecretName},
    units::show_bytes,
};

/// Secrets with their values. There is no `Debug`, so that no value can be shown.
pub struct GivenSecrets(BTreeMap<SecretName, Bytes>);

impl GivenSecrets {
    /// Reads the value of each from the variable of its name.
    pub fn read(
        names: &[SecretName],
        variable: impl Fn(&SecretName) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let value = |name: &SecretName| {
            let wrong = |problem: &str| {
                Error::usage(format!("--secret {name}: the environment variable {name} {problem}"))
            };
            let of_terminal =
                || format!("`read -rs {name} && export {name}` reads its value from the terminal");
            let value = variable(name).ok_or_else(|| wrong("is not set").hint(of_terminal()))?;
            let text = value.into_string().map_err(|_| wrong("is not UTF-8"))?;
            match text.len() {
                0 => Err(wrong("is empty").hint(of_terminal())),
                1..=MAX_SECRET => Ok((name.clone(), Bytes::from(text))),
                _ => {
                    let limit = show_bytes(MAX_SECRET as u64);
                    Err(wrong(&format!("has more than {limit}, the most of a secret")))
                }
            }
        };
        names.iter().map(value).collect::<Result<_, _>>().map(Self)
    }

    /// Keeps those that the manifest asks for, and returns a warning for each of the others. One that the manifest asks for
    /// and that is not given is an error.
    pub fn for_manifest(mut self, wanted: &[SecretName]) -> Result<(Self, Vec<String>), Error> {
        let missing: Vec<&SecretName> =
            wanted.iter().filter(|name| !self.0.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(not_given(&missing));
        }
        let warnings = self.0.keys().filter(|name| !wanted.contains(name)).map(|name| {
            format!(
                "--secret {name}: the function does not get it, since the manifest does not ask for it; \
                 `secrets = [\"{name}\"]` in cloudfunc.toml does"
            )
        });
        let warnings = warnings.collect();
        self.0.retain(|name, _| wanted.contains(name));
        Ok((self, warnings))
    }

    /// Stores them on a platform.
    pub async fn set(&self, client: &Client) -> Result<(), client::Error> {
        for (name, value) in &self.0 {
            client.set_secret(name, None, false, value.clone()).await?;
        }
        Ok(())
    }
}

fn not_given(missing: &[&SecretName]) -> Error {
    let all = |each: &dyn Fn(&SecretName) -> String, between: &str| {
        missing.iter().map(|name| each(name)).collect::<Vec<_>>().join(between)
    };
    let s = if missing.len() == 1 { "" } else { "s" };
    let names = all(&|name| format!("'{name}'"), ", ");
    let variables = all(&|name| name.to_string(), ", ");
    let flags = all(&|name| format!("--secret {name}"), " ");
    Error::usage(format!("the manifest asks for the secret{s} {names}"))
        .hint(format!("set the variable{s} {variables} and add {flags}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    fn given(names: &[&str]) -> Result<GivenSecrets, Error> {
        use std::os::unix::ffi::OsStringExt as _;
        let names: Vec<_> = names.iter().map(|text| name(text)).collect();
        GivenSecrets::read(&names, |name| match name.as_str() {
            "API_KEY" => Some("hunter2".into()),
            "OTHER_KEY" => Some("hunter3".into()),
            "LONGEST" => Some("x".repeat(MAX_SECRET).into()),
            "EMPTY" => Some("".into()),
            "LONG" => Some("x".repeat(MAX_SECRET + 1).into()),
            "BYTES" => Some(OsString::from_vec(vec![0xff])),
            _ => None,
        })
    }

    /// The message and the hint.
    fn refused<T>(result: Result<T, Error>) -> (String, Option<String>) {
        let report = result.map(drop).unwrap_err().report();
        assert_eq!(report.code, "usage");
        (report.detail, report.hint)
    }

    #[test]
    fn a_value_comes_from_the_variable_of_the_secrets_name() {
        let GivenSecrets(values) = given(&["API_KEY", "OTHER_KEY", "API_KEY"]).ok().unwrap();
        let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
        assert_eq!(values, [("API_KEY", &b"hunter2"[..]), ("OTHER_KEY", &b"hunter3"[..])]);
        let hint = "`read -rs ABSENT && export ABSENT` reads its value from the terminal";
        assert_eq!(
            refused(given(&["API_KEY", "ABSENT"])),
            (
                "--secret ABSENT: the environment variable ABSENT is not set".to_owned(),
                Some(hint.to_owned())
            )
        );
        let problem = "--secret BYTES: the environment variable BYTES is not UTF-8";
        assert_eq!(refused(given(&["BYTES"])), (problem.to_owned(), None));
    }

    #[test]
    fn a_value_that_no_secret_has_is_refused_with_the_name_of_its_variable() {
        assert!(given(&["LONGEST"]).is_ok());
        let hint = "`read -rs EMPTY && export EMPTY` reads its value from the terminal";
        let problem = "--secret EMPTY: the environment variable EMPTY is empty";
        assert_eq!(refused(given(&["EMPTY"])), (problem.to_owned(), Some(hint.to_owned())));
        let problem =
            "--secret LONG: the environment variable LONG has more than 64 KiB, the most of a secret";
        assert_eq!(refused(given(&["LONG"])), (problem.to_owned(), None));
    }

    #[test]
    fn the_manifest_gets_what_it_asks_for_and_nothing_else() {
        let both = given(&["API_KEY", "OTHER_KEY"]).ok().unwrap();
        let (kept, warnings) = both.for_manifest(&[name("API_KEY")]).ok().unwrap();
        assert_eq!(kept.0.into_keys().collect::<Vec<_>>(), [name("API_KEY")]);
        let warning = "--secret OTHER_KEY: the function does not get it, since the manifest does not ask for it; `secrets = \
                       [\"OTHER_KEY\"]` in cloudfunc.toml does";
        assert_eq!(warnings, [warning]);
        let none = || given(&[]).ok().unwrap();
        assert_eq!(
            refused(none().for_manifest(&[name("API_KEY")])),
            (
                "the manifest asks for the secret 'API_KEY'".to_owned(),
                Some("set the variable API_KEY and add --secret API_KEY".to_owned())
            )
        );
        assert_eq!(
            refused(none().for_manifest(&[name("A"), name("B")])),
            (
                "the manifest asks for the secrets 'A', 'B'".to_owned(),
                Some("set the variables A, B and add --secret A --secret B".to_owned())
            )
        );
    }
}
