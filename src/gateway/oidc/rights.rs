//! What a token may do, by its claims.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::refusal::shown;
use crate::{
    model::{FunctionPattern, TokenRole, access::matches},
    settings::{RoleRule, RoleRules},
};

/// The claims that are a text of several values, separated by spaces.
const SPACED: [&str; 2] = ["scope", "scp"];
/// The most names of claims in a message.
const MOST_NAMES: usize = 50;

/// What a token may do.
#[derive(Debug, PartialEq, Eq)]
pub struct Rights {
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them.
    pub functions: Vec<FunctionPattern>,
}

/// Returns the highest role of the rules that match, and the functions of all rules that give this role. A rule without
/// functions is for all of them. None if no rule matches.
pub fn rights(rules: &RoleRules, claims: &Map<String, Value>) -> Option<Rights> {
    let matching: Vec<&RoleRule> = rules.all().iter().filter(|rule| is_met(rule, claims)).collect();
    let role = matching.iter().map(|rule| rule.role).max()?;
    let functions = matching.iter().filter(|rule| rule.role == role).map(|rule| rule.functions.clone());
    let functions: Option<BTreeSet<FunctionPattern>> = functions.collect();
    Some(Rights { role, functions: functions.unwrap_or_default().into_iter().collect() })
}

/// Returns the names of claims as a message lists them.
pub fn names(claims: &Map<String, Value>) -> String {
    let mut names: Vec<String> = claims.keys().take(MOST_NAMES).map(|name| shown(name)).collect();
    if claims.len() > MOST_NAMES {
        names.push("others".to_owned());
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn is_met(rule: &RoleRule, claims: &Map<String, Value>) -> bool {
    let Some(found) = claim(claims, &rule.claim) else { return false };
    let fits = |value: &str| matches(&rule.value, value);
    match found {
        Value::String(text) if SPACED.contains(&rule.claim.as_str()) => {
            text.split(' ').filter(|word| !word.is_empty()).any(fits)
        }
        Value::String(text) => fits(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).any(fits),
        _ => false,
    }
}

/// Finds a claim by its name, or inside of other claims by their names, joined by `.`; names may have dots themselves.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        name.match_indices('.')
            .find_map(|(at, _)| claim(claims.get(&name[..at])?.as_object()?, &name[at + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(rules: &str, claims: Value) -> Option<(TokenRole, Vec<String>)> {
        let Value::Object(claims) = claims else { panic!("an object") };
        let found = rights(&rules.parse().unwrap(), &claims)?;
        Some((found.role, found.functions.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn the_highest_role_wins_and_its_functions_are_joined() {
        let rules = "invoke=groups:all,deploy@b_*=groups:b,deploy@a_*=groups:a,deploy@a_*=sub:ann,admin=groups:root";
        let groups = |names: &[&str]| of(rules, json!({ "sub": "ann", "groups": names }));
        let patterns = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(groups(&["all"]), Some((TokenRole::Deploy, patterns(&["a_*"]))));
        assert_eq!(groups(&["all", "a", "b"]), Some((TokenRole::Deploy, patterns(&["a_*", "b_*"]))));
        assert_eq!(groups(&["b", "root"]), Some((TokenRole::Admin, Vec::new())));
        let others = of(rules, json!({ "sub": "bob", "groups": "all" }));
        assert_eq!(others, Some((TokenRole::Invoke, Vec::new())));
        assert_eq!(of(rules, json!({ "sub": "bob" })), None);
        // A rule for all functions beside one for some.
        let both = of("deploy@a=sub:*,deploy=sub:ann", json!({ "sub": "ann" }));
        assert_eq!(both, Some((TokenRole::Deploy, Vec::new())));
    }

    #[test]
    fn a_claim_is_a_text_a_list_or_a_scope() {
        let has = |rule: &str, claims: Value| of(&format!("invoke={rule}"), claims).is_some();
        assert!(has("sub:repo:octo/app:*", json!({ "sub": "repo:octo/app:ref:refs/heads/main" })));
        assert!(!has("sub:repo:octo/app:*", json!({ "sub": "repo:octo/app2:ref:refs/heads/main" })));
        assert!(!has("sub:ann", json!({ "sub": "Ann" })));
        assert!(has("scope:deploy", json!({ "scope": "openid  deploy email" })));
        assert!(!has("scope:openid*email", json!({ "scope": "openid email" })));
        assert!(has("scp:deploy", json!({ "scp": ["deploy"] })));
        assert!(!has("name:deploy", json!({ "name": "openid deploy" })));
        for odd in [json!(true), json!(1), json!(null), json!({ "a": "x" }), json!([1, ["x"]])] {
            assert!(!has("a:*", json!({ "a": odd })), "{odd}");
        }
    }

    #[test]
    fn a_claim_may_be_inside_of_others_and_have_dots_and_colons_in_its_name() {
        let has = |rule: &str, claims: Value| of(&format!("invoke={rule}"), claims).is_some();
        let claims = json!({ "realm_access": { "roles": ["dev"] }, "a.b": { "c.d": "x" }, "https://app/roles": "y" });
        assert!(has("realm_access.roles:dev", claims.clone()));
        assert!(has("a.b.c.d:x", claims.clone()));
        assert!(has("\"https://app/roles\":y", claims.clone()));
        for absent in
            ["realm_access:dev", "realm_access.roles.dev:*", "realm_access.:*", ".:*", "a.b.c:*"]
        {
            assert!(!has(absent, claims.clone()), "{absent}");
        }
    }

    #[test]
    fn names_of_claims_are_listed_without_their_values() {
        let list = |claims: Value| names(claims.as_object().unwrap());
        assert_eq!(list(json!({ "aud": "secret", "exp": 1, "s\nub": "x" })), "aud, exp and s\u{fffd}ub");
        assert_eq!(list(json!({ "aud": 1 })), "aud");
        let many: Map<String, Value> = (0..60).map(|n| (format!("c{n:02}"), json!(1))).collect();
        let listed = names(&many);
        assert!(listed.ends_with(", c49 and others"), "{listed}");
    }
}
