//! What a revision asks for before it is built or activated: secrets that are set, and room for them.

use super::Registry;
use crate::{
    http::Answer,
    keyring,
    model::{FunctionName, FunctionSpec, Problem, SecretName, StoredSecret, code, limits::MAX_LOAD},
    units::show_bytes,
};

impl Registry {
    /// Refuses a revision that asks for a secret which is not set, or for more than can be handed to it. A secret whose key is not
    /// on this host may be on others.
    pub async fn check_secrets(&self, function: &FunctionName, spec: &FunctionSpec) -> Answer<()> {
        if spec.secrets.is_empty() {
            return Ok(());
        }
        let found = self.store.secrets_of(function, &spec.secrets).await?;
        check_found(function, &spec.secrets, &found)?;
        check_room(spec, &found)
    }
}

fn check_found(function: &FunctionName, asked: &[SecretName], found: &[StoredSecret]) -> Answer<()> {
    let is_set = |name: &SecretName| found.iter().any(|one| one.secret.place.name == *name);
    let missing: Vec<String> =
        asked.iter().filter(|name| !is_set(name)).map(|name| format!("'{name}'")).collect();
    let (what, first) = match &missing[..] {
        [] => return Ok(()),
        [one] => (format!("the secret {one}, which is not set"), one),
        all => (format!("the secrets {}, which are not set", all.join(", ")), &all[0]),
    };
    let first = first.trim_matches('\'');
    let hint = format!(
        "set it with `cloudfunc secret set {first}` (for all functions) or `cloudfunc secret set {first} --function {function}`"
    );
    let detail = format!("the function asks for {what}");
    Err(Problem::new(code::INVALID_MANIFEST, detail).hint(hint).into())
}

/// As they are: JSON writes some values longer, and the load check may refuse them even so.
fn check_room(spec: &FunctionSpec, found: &[StoredSecret]) -> Answer<()> {
    let of_variables = spec.env.iter().map(|(name, value)| name.len() + value.len());
    let of_secrets = found.iter().map(|one| {
        let value = one.secret.sealed.len().saturating_sub(keyring::OVERHEAD);
        one.secret.place.name.as_str().len() + value
    });
    let sum: usize = of_variables.chain(of_secrets).sum();
    if sum <= MAX_LOAD {
        return Ok(());
    }
    let (sum, limit) = (show_bytes(sum as u64), show_bytes(MAX_LOAD as u64));
    let detail =
        format!("the function's variables and secrets have {sum} together, over the limit of {limit}");
    let hint = "ask for fewer secrets, or keep what is large in a store, and its key in a secret";
    Err(Problem::new(code::INVALID_MANIFEST, detail).hint(hint).into())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        manifest,
        model::{KeyId, SealedSecret, SecretPlace, SecretVersion},
    };

    fn stored(name: &str, bytes: usize) -> StoredSecret {
        let secret = SealedSecret {
            place: SecretPlace { function: None, name: name.parse().unwrap() },
            version: SecretVersion::new(),
            key: KeyId("0".repeat(16)),
            sealed: vec![0; bytes + keyring::OVERHEAD],
            set_by: "token file".to_owned(),
        };
        StoredSecret { secret, created_at: Timestamp::UNIX_EPOCH, set_at: Timestamp::UNIX_EPOCH }
    }

    fn refused(answer: Answer<()>) -> (String, Option<String>) {
        let problem = answer.unwrap_err().0;
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_manifest"));
        (problem.detail, problem.hint)
    }

    #[test]
    fn a_secret_that_is_not_set_is_named_with_how_to_set_it() {
        let function: FunctionName = "hello".parse().unwrap();
        let asked = ["A", "API_KEY", "C"].map(|name| name.parse::<SecretName>().unwrap());
        let found = ["A", "API_KEY", "C"].map(|name| stored(name, 1));
        assert!(check_found(&function, &asked, &found).is_ok());
        let hint = |name: &str| {
            Some(format!(
                "set it with `cloudfunc secret set {name}` (for all functions) or `cloudfunc secret set {name} --function \
                 hello`"
            ))
        };
        let one = [found[0].clone(), found[2].clone()];
        let expected = "the function asks for the secret 'API_KEY', which is not set".to_owned();
        assert_eq!(refused(check_found(&function, &asked, &one)), (expected, hint("API_KEY")));
        let expected = "the function asks for the secrets 'A', 'C', which are not set".to_owned();
        assert_eq!(refused(check_found(&function, &asked, &found[1..2])), (expected, hint("A")));
    }

    #[test]
    fn more_than_can_be_handed_over_is_refused() {
        let mut spec = manifest::parse("", manifest::FILE, &manifest::Defaults::default()).unwrap().spec;
        let found: Vec<_> = (0..16).map(|number| stored(&format!("S{number:02}"), 65_533)).collect();
        assert!(check_room(&spec, &found).is_ok(), "exactly 1 MiB");
        spec.env.insert("A".to_owned(), String::new());
        let expected =
            "the function's variables and secrets have 1.0 MiB together, over the limit of 1 MiB";
        assert_eq!(refused(check_room(&spec, &found)).0, expected);
    }
}
