//! `[env]` of a manifest: the variables that a process must be started with, those that cannot work, and the
//! syntax of values.

use std::collections::BTreeMap;

use crate::model::{Code, FunctionSpec, Language};

/// The variables that any program's loader or C library reads when the process starts; the language adds those
/// of its interpreter. A name ending in `*` stands for all names with that beginning.
const READ_AT_START: [&str; 11] = [
    "LD_*",
    "MALLOC_*",
    "GLIBC_*",
    "GCONV_PATH",
    "LOCPATH",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TZDIR",
    "OPENSSL_*",
];

/// The variables of the sandbox: an image's program is found by the first and writes to the second before it
/// receives a function.
const OF_THE_SANDBOX: [&str; 2] = ["PATH", "HOME"];

/// Returns the reason why a function in this language cannot have this variable.
pub fn refusal(language: Language, name: &str) -> Option<&'static str> {
    let refused = language.facts().variables.refused;
    refused.iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why)
}

/// Returns the variables with which a function's process must be started. The others are set together with its
/// code.
pub fn of_start(spec: &FunctionSpec) -> BTreeMap<String, String> {
    // The helper starts the program with all of them, and itself needs none.
    if !spec.interface.is_protocol() {
        return BTreeMap::new();
    }
    let is_wanted = |name: &str| match &spec.code {
        // Revisions of an older version may have names that are now refused; they had no effect then, either.
        Code::Language { language, version: _, package: _ } => {
            is_read_at_start(*language, name) && refusal(*language, name).is_none()
        }
        // An image's program decides itself which variables it reads at its start.
        Code::Image { .. } | Code::Dockerfile { .. } => !OF_THE_SANDBOX.contains(&name),
    };
    let wanted = spec.env.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Returns whether an interpreter or its loader reads a variable only when the process starts.
pub fn is_read_at_start(language: Language, name: &str) -> bool {
    READ_AT_START.iter().chain(language.facts().variables.read_at_start).any(|pattern| {
        match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *pattern,
        }
    })
}

/// Returns the literal value: `$${` stands for `${`. The error is a `${…}` that is not escaped, shortened.
pub fn literal(value: &str) -> Result<String, String> {
    const SHOWN: usize = 40;
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        let Some(before) = rest[..at].strip_suffix('$') else {
            let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
            return Err(rest[at..end].chars().take(SHOWN).collect());
        };
        text.push_str(before);
        text.push_str("${");
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    #[test]
    fn only_what_is_read_at_the_start_is_given_at_the_start() {
        let given = |manifest: &str| {
            let defaults = Defaults::default();
            let spec = manifest::parse(manifest, manifest::FILE, &defaults).unwrap().spec;
            of_start(&spec).into_keys().collect::<Vec<_>>().join(" ")
        };
        let env = "[env]\nTZ = 'UTC'\nLC_ALL = 'C'\nPATH = '/x'\nHOME = '/x'\nGREETING = 'x'\n";
        assert_eq!(given(env), "LC_ALL TZ");
        assert_eq!(given(&format!("image = 'i'\n{env}")), "GREETING LC_ALL TZ");
        assert_eq!(given(""), "");
    }

    #[test]
    fn names_that_are_refused_now_are_not_given_to_an_older_revision() {
        let defaults = Defaults::default();
        let mut spec = manifest::parse("", manifest::FILE, &defaults).unwrap().spec;
        for name in ["PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH"] {
            spec.env.insert(name.to_owned(), "/x".to_owned());
        }
        assert_eq!(of_start(&spec).into_keys().collect::<Vec<_>>(), ["PYTHONPATH"]);
    }

    #[test]
    fn two_dollars_before_a_brace_are_one() {
        for (value, meant) in [
            ("", Ok("")),
            ("a $VAR $5 {x} $", Ok("a $VAR $5 {x} $")),
            ("$${HOME}/x", Ok("${HOME}/x")),
            ("$${A}$${B}", Ok("${A}${B}")),
            ("$$${A}", Ok("$${A}")),
            ("x ${HOME}/y", Err("${HOME}")),
            ("$${A} ${B", Err("${B")),
            ("${A:-${B}}", Err("${A:-${B}")),
        ] {
            let told = literal(value);
            assert_eq!(told, meant.map(str::to_owned).map_err(str::to_owned), "{value}");
        }
        assert_eq!(literal(&format!("${{{}", "ä".repeat(99))).unwrap_err().chars().count(), 40);
    }
}
