//! What a revision asks for before it is built or activated: secrets that are set and that its author may use, and room for
//! them. And what a new value has to leave room for.

use std::io;

use serde::Serialize;

use super::Registry;
use crate::{
    http::Answer,
    keyring,
    model::{
        Caller, FunctionName, FunctionSpec, Problem, SealedSecret, SecretName, SecretPlace,
        StoredSecret, code, limits::MAX_LOAD,
    },
};

/// Room in the message `load` for what it has besides variables, secrets, handler and command: a few names and numbers, and the
/// variables of a language.
const REST: usize = 1024;

impl Registry {
    /// Refuses a revision that asks for a secret which is not set, or is not the function's own while the caller's token is for
    /// some functions only, or for more than can be handed to it. A secret whose key is not on this host may be on others.
    pub async fn check_secrets(
        &self,
        caller: &Caller,
        function: &FunctionName,
        spec: &FunctionSpec,
    ) -> Answer<()> {
        if spec.secrets.is_empty() {
            return Ok(());
        }
        let found = self.store.secrets_of(function, &spec.secrets).await?;
        check_own(caller, function, &spec.secrets, &found)?;
        check_found(function, &spec.secrets, &found)?;
        let sizes = found.iter().map(|one| (&one.secret.place.name, self.size_of(&one.secret)));
        let Some(large) = too_large(spec, sizes) else { return Ok(()) };
        let hint = "ask for fewer secrets, or keep what is large in a store, and its key in a secret";
        Err(Problem::new(code::INVALID_MANIFEST, format!("the function's {large}")).hint(hint).into())
    }

    /// Refuses a value with which one of these functions, which get the secret, could not be started.
    pub async fn check_room_for(
        &self,
        place: &SecretPlace,
        value: &[u8],
        users: &[(FunctionName, FunctionSpec)],
    ) -> Answer<()> {
        let size = size_of_value(value);
        let old = self.store.secret(place).await?.map(|old| self.size_of(&old.secret));
        // As most new values are. There may be many users, each of which has to be asked for.
        if old.is_some_and(|old| size <= old) {
            return Ok(());
        }
        for (user, spec) in users {
            let others: Vec<SecretName> =
                spec.secrets.iter().filter(|name| **name != place.name).cloned().collect();
            let others = self.store.secrets_of(user, &others).await?;
            let others = others.iter().map(|one| (&one.secret.place.name, self.size_of(&one.secret)));
            let new = (&place.name, size);
            if let Some(large) = too_large(spec, others.chain([new])) {
                let detail =
                    format!("with this value the function '{user}' could not be started: its {large}");
                let hint =
                    "set a shorter value, or keep what is large in a store, and its key in the secret";
                return Err(Problem::new(code::INVALID_SECRET, detail).hint(hint).into());
            }
        }
        Ok(())
    }

    /// The size of a secret's value as JSON; without its key, the least that it may have.
    fn size_of(&self, secret: &SealedSecret) -> usize {
        match self.keyring.open(secret) {
            Ok(value) => size_of_value(&value),
            Err(_) => secret.sealed.len().saturating_sub(keyring::OVERHEAD) + 2,
        }
    }
}

/// A token for some functions gives these no secret that is for all functions. It is not told if there is one.
fn check_own(
    caller: &Caller,
    function: &FunctionName,
    asked: &[SecretName],
    found: &[StoredSecret],
) -> Answer<()> {
    let is_own = |name: &SecretName| {
        let mut places = found.iter().map(|one| &one.secret.place);
        places.any(|place| place.name == *name && place.function.is_some())
    };
    match asked.iter().find(|name| !is_own(name)) {
        Some(name) if caller.is_limited() => {
            let limits = caller.reach_in_words();
            let detail = format!("{limits}, and '{function}' has no secret '{name}' of its own");
            let hint =
                format!("set it for this function: cloudfunc secret set {name} --function {function}");
            Err(Problem::new(code::FORBIDDEN, detail).hint(hint).into())
        }
        _ => Ok(()),
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

/// Returns what is wrong where the message `load` has no room for variables and secrets; these come with the sizes of their
/// values as JSON.
fn too_large<'s>(
    spec: &FunctionSpec,
    secrets: impl Iterator<Item = (&'s SecretName, usize)>,
) -> Option<String> {
    // Each with a colon and a comma.
    let secrets: usize = secrets.map(|(name, value)| json_size(name) + value + 2).sum();
    let others = json_size(&spec.env) + json_size(&spec.handler) + json_size(&spec.command) + REST;
    let sum = secrets + others;
    (sum > MAX_LOAD).then(|| {
        format!(
            "variables and secrets are too large together: the message with them needs up to {sum} bytes of JSON, and at most \
             {MAX_LOAD} are accepted"
        )
    })
}

/// The size of a value as JSON, which writes some characters longer than they are.
fn size_of_value(value: &[u8]) -> usize {
    std::str::from_utf8(value).map_or(value.len() + 2, json_size)
}

/// Without a copy of it: it may be a secret.
fn json_size(value: &(impl Serialize + ?Sized)) -> usize {
    struct Counted(usize);
    impl io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).expect("plain data, which is counted only");
    counted.0
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        manifest,
        model::{KeyId, SecretVersion, TokenRole},
    };

    fn stored(function: Option<&str>, name: &str) -> StoredSecret {
        let function = function.map(|name| name.parse().unwrap());
        let secret = SealedSecret {
            place: SecretPlace { function, name: name.parse().unwrap() },
            version: SecretVersion::new(),
            key: KeyId("0".repeat(16)),
            sealed: vec![0; 1 + keyring::OVERHEAD],
            set_by: "token file".to_owned(),
        };
        StoredSecret { secret, created_at: Timestamp::UNIX_EPOCH, set_at: Timestamp::UNIX_EPOCH }
    }

    fn refused(answer: Answer<()>) -> (u16, String, Option<String>) {
        let problem = answer.unwrap_err().0;
        (problem.status, problem.detail, problem.hint)
    }

    #[test]
    fn a_secret_that_is_not_set_is_named_with_how_to_set_it() {
        let function: FunctionName = "hello".parse().unwrap();
        let asked = ["A", "API_KEY", "C"].map(|name| name.parse::<SecretName>().unwrap());
        let found = ["A", "API_KEY", "C"].map(|name| stored(None, name));
        assert!(check_found(&function, &asked, &found).is_ok());
        let hint = |name: &str| {
            Some(format!(
                "set it with `cloudfunc secret set {name}` (for all functions) or `cloudfunc secret set {name} --function \
                 hello`"
            ))
        };
        let one = [found[0].clone(), found[2].clone()];
        let expected = "the function asks for the secret 'API_KEY', which is not set".to_owned();
        assert_eq!(refused(check_found(&function, &asked, &one)), (422, expected, hint("API_KEY")));
        let expected = "the function asks for the secrets 'A', 'C', which are not set".to_owned();
        assert_eq!(refused(check_found(&function, &asked, &found[1..2])), (422, expected, hint("A")));
    }

    #[test]
    fn a_token_for_some_functions_gives_them_their_own_secrets_only() {
        let function: FunctionName = "team_a".parse().unwrap();
        let asked = ["A", "X"].map(|name| name.parse::<SecretName>().unwrap());
        let own = [stored(Some("team_a"), "A"), stored(Some("team_a"), "X")];
        let platforms = [own[0].clone(), stored(None, "X")];
        let functions = vec!["team_*".parse().unwrap(), "b".parse().unwrap()];
        let ci = Caller { name: "token ci".to_owned(), role: TokenRole::Deploy, functions, from: None };
        assert!(check_own(&ci, &function, &asked, &own).is_ok());
        assert!(check_own(&Caller::internal(), &function, &asked, &platforms).is_ok());
        assert!(check_own(&Caller::internal(), &function, &asked, &own[..1]).is_ok());
        let told = refused(check_own(&ci, &function, &asked, &platforms));
        assert_eq!(
            told,
            (
                403,
                "the token 'ci' is for the functions team_*, b, and 'team_a' has no secret 'X' of its own"
                    .to_owned(),
                Some(
                    "set it for this function: cloudfunc secret set X --function team_a".to_owned()
                ),
            )
        );
        let not_set = refused(check_own(&ci, &function, &asked, &own[..1]));
        assert_eq!(not_set, told, "it does not tell if there is one for all functions");
    }

    #[test]
    fn what_is_handed_over_is_measured_as_json() {
        let mut spec = manifest::parse("", manifest::FILE, &manifest::Defaults::default()).unwrap().spec;
        spec.handler = String::new();
        let name: SecretName = "S".parse().unwrap();
        // `{}`, `""`, `[]`, and the name in quotes with a colon and a comma.
        let room = MAX_LOAD - REST - 6 - 5;
        let with = |spec: &FunctionSpec, size| too_large(spec, [(&name, size)].into_iter());
        assert_eq!(with(&spec, room), None);
        assert_eq!(
            with(&spec, room + 1).unwrap(),
            "variables and secrets are too large together: the message with them needs up to 1048577 bytes of JSON, and at \
             most 1048576 are accepted"
        );
        spec.env.insert("A".to_owned(), "\n".repeat(10));
        assert_eq!(with(&spec, room - 26), None, "`\"A\":\"…\"` with ten times `\\n`");
        assert!(with(&spec, room - 25).is_some());
        assert_eq!(size_of_value(b"a\"\x01\n"), 2 + 1 + 2 + 6 + 2);
        assert_eq!(size_of_value("ü".as_bytes()), 4, "as it is");
    }
}
