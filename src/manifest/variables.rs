//! `[env]` and `secrets`: the variables that a function finds in its environment.

use std::collections::BTreeMap;

use super::{ManifestError, environment, interface, is_identifier};
use crate::{
    model::{Code, Interface, SecretName},
    toml_document::{Field, Section},
    units::show_bytes,
};

/// The size limit of all names and values of `[env]` together, in bytes: each answer and message about the function has them.
const MAX_ENV_BYTES: usize = 64 * 1024;
/// The limit of secrets that one function gets: each is read and decrypted at every start of an instance.
const MAX_SECRETS: usize = 100;
const SECRETS_EXAMPLE: &str = "[\"API_KEY\"]";

/// Reads both. No name is in both of them.
pub(super) fn read(
    root: &Section<'_>,
    code: &Code,
    interface: Interface,
) -> Result<(BTreeMap<String, String>, Vec<SecretName>), ManifestError> {
    let env = match root.get("env") {
        Some(field) => env(&field.section()?, code, interface)?,
        None => BTreeMap::new(),
    };
    let secrets = match root.get("secrets") {
        Some(field) => secrets(&field, code, interface, &env)?,
        None => Vec::new(),
    };
    Ok((env, secrets))
}

fn env(
    section: &Section<'_>,
    code: &Code,
    interface: Interface,
) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut env = BTreeMap::new();
    let mut size = 0;
    for (name, field) in section.fields() {
        if !is_identifier(name) {
            return Err(field.key_error(format!(
                "`{name}` is not a name for an environment variable; use letters, digits and '_', not \
                 starting with a digit"
            )));
        }
        if name.starts_with("CLOUDFUNC_") {
            return Err(
                field.key_error(format!("`{name}`: names that start with CLOUDFUNC_ are reserved"))
            );
        }
        if let Some(why) = refused(name, code, interface) {
            return Err(field.key_error(format!("`{name}` cannot be set: {why}")));
        }
        let value = field.string("\"…\"")?;
        if value.contains('\0') {
            return Err(field.error(format!("`env.{name}` has a NUL character")));
        }
        let value = environment::literal(value).map_err(|variable| {
            field.error(format!(
                "`env.{name}` has `{variable}`, but variables are not replaced here; `${variable}` stands for \
                 this text itself"
            ))
        })?;
        size += name.len() + value.len();
        if size > MAX_ENV_BYTES {
            let limit = show_bytes(MAX_ENV_BYTES as u64);
            return Err(field.key_error(format!("`env` has more than {limit} of names and values")));
        }
        env.insert(name.to_owned(), value);
    }
    Ok(env)
}

/// Reads the names of secrets, in the order of the manifest.
fn secrets(
    list: &Field<'_>,
    code: &Code,
    interface: Interface,
    env: &BTreeMap<String, String>,
) -> Result<Vec<SecretName>, ManifestError> {
    let items = list.items(SECRETS_EXAMPLE)?;
    if items.len() > MAX_SECRETS {
        return Err(list.error(format!(
            "`secrets` has {} names, and at most {MAX_SECRETS} are accepted; put several values into one secret, as JSON \
             for example",
            items.len()
        )));
    }
    let mut secrets: Vec<SecretName> = Vec::with_capacity(items.len());
    for item in items {
        let secret: SecretName = item.parsed(SECRETS_EXAMPLE, str::parse)?;
        let name = secret.as_str();
        let why = refused(name, code, interface);
        if let Some(why) = why.or_else(|| comes_too_late(name, code, interface)) {
            return Err(item.error(format!("`{name}` cannot be a secret: {why}")));
        }
        if secrets.contains(&secret) {
            return Err(item.error(format!("`secrets` names `{name}` twice; remove one of the two")));
        }
        if env.contains_key(name) {
            return Err(item.error(format!(
                "`{name}` is in `secrets` and in `env`; remove it from one of the two"
            )));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

/// Returns the reason why a function cannot have this variable.
fn refused(name: &str, code: &Code, interface: Interface) -> Option<&'static str> {
    let by_interface = interface::refused_variable(interface, name);
    by_interface.or_else(|| match (code, interface) {
        (Code::Language { language, version: _, package: _ }, Interface::Protocol) => {
            environment::refusal(*language, name)
        }
        // A program that the helper starts gets its variables as they are.
        _ => None,
    })
}

/// Returns the reason why a variable would have no effect as a secret: secrets are set in a process that runs already.
fn comes_too_late(name: &str, code: &Code, interface: Interface) -> Option<&'static str> {
    match (code, interface) {
        (Code::Language { language, version: _, package: _ }, Interface::Protocol) => {
            environment::is_read_at_start(*language, name)
                .then_some("the process reads it when it starts, before it gets secrets; use `env`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{self, Defaults, Manifest},
        model::FunctionSpec,
    };

    fn read(text: &str) -> Result<FunctionSpec, String> {
        let parsed = manifest::parse(text, "cloudfunc.toml", &Defaults::default());
        parsed.map(|Manifest { spec, .. }| spec).map_err(|error| error.to_string())
    }

    fn names(spec: &FunctionSpec) -> Vec<&str> {
        spec.secrets.iter().map(SecretName::as_str).collect()
    }

    #[test]
    fn secrets_are_names_in_the_order_of_the_manifest() {
        let spec = read("secrets = ['B_KEY', 'A_KEY', '_x9']\n[env]\nGREETING = 'x'").unwrap();
        assert_eq!(names(&spec), ["B_KEY", "A_KEY", "_x9"]);
        assert_eq!(names(&read("secrets = []").unwrap()), Vec::<&str>::new());
    }

    #[test]
    fn secrets_work_with_every_interface_and_with_images() {
        for beside in [
            "",
            "language = 'node'",
            "language = 'native'",
            "image = 'i'",
            "dockerfile = 'Dockerfile'",
            "interface = 'command'\ncommand = ['x']",
            "interface = 'http'\ncommand = ['x']",
            "interface = 'lambda'\ncommand = ['x']",
        ] {
            let spec = read(&format!("secrets = ['API_KEY']\n{beside}")).unwrap();
            assert_eq!(names(&spec), ["API_KEY"], "{beside}");
        }
    }

    #[test]
    fn what_is_set_in_time_can_be_a_secret() {
        for text in [
            "secrets = ['PATH', 'HOME', 'NODE_OPTIONS']",
            "secrets = ['PYTHONPATH', 'LD_PRELOAD']\ninterface = 'command'\ncommand = ['x']",
            "secrets = ['LD_PRELOAD']\nimage = 'i'",
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
    }

    /// A manifest without the keys is stored as it was before they existed, and with them the revision is another one.
    #[test]
    fn secrets_and_a_rate_are_a_part_of_the_revision() {
        let plain = read("").unwrap();
        let json = serde_json::to_string(&plain).unwrap();
        assert!(!json.contains("secrets") && !json.contains("rate_limit"), "{json}");
        let spec = read("secrets = ['API_KEY']\nrate_limit = '60/m'").unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert!(json.contains(r#""secrets":["API_KEY"],"rate_limit":"60/m""#), "{json}");
        assert_eq!(serde_json::from_str::<FunctionSpec>(&json).unwrap(), spec);
        assert_ne!(read("secrets = ['API_KEY']").unwrap(), plain);
        assert_ne!(read("rate_limit = '60/m'").unwrap(), read("rate_limit = '1/s'").unwrap());
    }

    #[test]
    fn errors_say_where_and_what_is_accepted() {
        const RULE: &str = "a name is that of an environment variable: letters, digits and '_', not starting with a digit";
        let invalid = |name: &str, problem: &str| {
            format!("1:12: `secrets`: invalid secret name '{name}': {problem}; {RULE}")
        };
        let rate = "is not a rate; write a number from 1 to 9999999 and a period, s, m or h, for example \"100/s\"";
        for (text, expected) in [
            (
                "secrets = 'API_KEY'",
                "1:11: `secrets` is 'API_KEY'; it must be a list: secrets = [\"API_KEY\"]".to_owned(),
            ),
            (
                "secrets = [3]",
                "1:12: `secrets` is 3; it must be a string: secrets = [\"API_KEY\"]".to_owned(),
            ),
            ("secrets = ['']", invalid("", "it is empty")),
            ("secrets = ['9a']", invalid("9a", "it starts with a digit")),
            ("secrets = ['api-key']", invalid("api-key", "it has a character that is not allowed")),
            (
                "secrets = ['CLOUDFUNC_TOKEN']",
                invalid("CLOUDFUNC_TOKEN", "names that start with CLOUDFUNC_ are reserved"),
            ),
            (
                "secrets = ['A', 'B', 'A']",
                "1:22: `secrets` names `A` twice; remove one of the two".to_owned(),
            ),
            (
                "secrets = ['API_KEY']\nenv.API_KEY = 'x'",
                "1:12: `API_KEY` is in `secrets` and in `env`; remove it from one of the two".to_owned(),
            ),
            (
                "secrets = ['PORT']\ninterface = 'http'\ncommand = ['x']",
                "1:12: `PORT` cannot be a secret: the manifest's `port` sets it".to_owned(),
            ),
            (
                "secrets = ['PYTHONHOME']",
                "1:12: `PYTHONHOME` cannot be a secret: it moves the interpreter's own library, which comes from the \
                 platform"
                    .to_owned(),
            ),
            (
                "secrets = ['PYTHONPATH']",
                "1:12: `PYTHONPATH` cannot be a secret: the process reads it when it starts, before it gets secrets; use `env`"
                    .to_owned(),
            ),
            (
                "secrets = ['A', 'LD_PRELOAD']\nlanguage = 'node'",
                "1:17: `LD_PRELOAD` cannot be a secret: the process reads it when it starts, before it gets secrets; use `env`"
                    .to_owned(),
            ),
            (
                "rate_limit = 100",
                "1:14: `rate_limit` is 100; it must be a string: rate_limit = \"100/s\"".to_owned(),
            ),
            ("rate_limit = '100'", format!("1:14: `rate_limit`: '100' {rate}")),
            ("rate_limit = '0/s'", format!("1:14: `rate_limit`: '0/s' {rate}")),
            ("rate_limit = '1/d'", format!("1:14: `rate_limit`: '1/d' {rate}")),
        ] {
            assert_eq!(read(text), Err(format!("cloudfunc.toml:{expected}")), "{text}");
        }
    }

    #[test]
    fn a_function_has_at_most_a_hundred_secrets() {
        let text = |count: usize| {
            let names: Vec<_> = (0..count).map(|number| format!("'S{number}'")).collect();
            format!("secrets = [{}]", names.join(", "))
        };
        assert_eq!(read(&text(100)).unwrap().secrets.len(), 100);
        assert_eq!(
            read(&text(101)).unwrap_err(),
            "cloudfunc.toml:1:11: `secrets` has 101 names, and at most 100 are accepted; put several values into one \
             secret, as JSON for example"
        );
    }
}
