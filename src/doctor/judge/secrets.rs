//! The keys of secrets: whether they can be read, and whether other hosts need them.

use std::collections::BTreeMap;

use super::{Finding, Stops, Wanted, list, sentence};

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The data folder has no such file.
    None,
    /// The ids of the keys, the newest first.
    Found(Vec<String>),
    /// The platform does not use it.
    Refused { why: String, hint: String },
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub path: String,
    /// Store and queue are given: other hosts may use them too.
    pub has_other_hosts: bool,
    pub keys: Keys,
    /// Keys that the running platform does not have here, with the number of secrets that each encrypts.
    pub missing: BTreeMap<String, usize>,
}

const NAME: &str = "secret-key";
const COPY: &str = "If other hosts use the same store, copy the file of one of them before that: all need the same keys.";

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let mut findings = of_file(facts, wanted);
    findings.extend(of_missing(facts));
    findings
}

/// A file that was lost is made anew at the next start, with another key.
fn of_missing(Facts { path, missing, .. }: &Facts) -> Option<Finding> {
    let count: usize = missing.values().sum();
    let ids: Vec<String> = missing.keys().cloned().collect();
    let which = match &ids[..] {
        [] => return None,
        [one] => format!("the key {one}, which is"),
        all => format!("the keys {}, which are", list(all)),
    };
    let secrets = if count == 1 { "1 secret is".to_owned() } else { format!("{count} secrets are") };
    let found = format!(
        "{secrets} encrypted with {which} not in {path}: functions that get them are not started here"
    );
    let advice = "Add the line of each from a copy of the file or from another host, and restart the platform; \
                  `cloudfunc secret list` names the secrets. A value whose key is lost has to be set again.";
    Some(Finding::warning("secrets", found, advice))
}

fn of_file(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let Facts { path, has_other_hosts, keys, missing: _ } = facts;
    let found = match keys {
        Keys::Refused { why, hint } => {
            return vec![Finding::stops(Stops::BOTH, wanted, NAME, why, sentence(hint))];
        }
        Keys::None => {
            let found = format!("no keys of secrets yet; the first start makes {path}");
            // From then on it is this host's, and `secret list` marks the secrets whose key it does not have.
            return vec![match has_other_hosts {
                true => Finding::note(NAME, found, COPY),
                false => Finding::ok(NAME, found),
            }];
        }
        Keys::Found(ids) => match &ids[..] {
            [one] => format!("secrets are encrypted with the key {one} ({path})"),
            [newest, older @ ..] => format!(
                "secrets are encrypted with the key {newest}, and {} can be read too ({path})",
                match older {
                    [one] => format!("those of the key {one}"),
                    all => format!("those of the keys {}", list(all)),
                }
            ),
            [] => format!("{path} holds no key"),
        },
    };
    vec![Finding::ok(NAME, found)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::judge::shown;

    fn facts(keys: Keys) -> Facts {
        Facts {
            path: "/s/secret-key".to_owned(),
            has_other_hosts: false,
            keys,
            missing: BTreeMap::new(),
        }
    }

    #[test]
    fn keys_that_can_be_read_are_named() {
        let said = |keys| shown(&judge(&facts(keys), Wanted::Up)).remove(0);
        let ids = |ids: &[&str]| Keys::Found(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(
            said(Keys::None),
            "ok secret-key: no keys of secrets yet; the first start makes /s/secret-key"
        );
        assert_eq!(
            said(ids(&["aa"])),
            "ok secret-key: secrets are encrypted with the key aa (/s/secret-key)"
        );
        assert_eq!(
            said(ids(&["aa", "bb"])),
            "ok secret-key: secrets are encrypted with the key aa, and those of the key bb can be read too (/s/secret-key)"
        );
        assert_eq!(
            said(ids(&["aa", "bb", "cc"])),
            "ok secret-key: secrets are encrypted with the key aa, and those of the keys bb and cc can be read too \
             (/s/secret-key)"
        );
    }

    #[test]
    fn a_host_that_has_no_keys_yet_is_told_that_it_may_need_those_of_others() {
        let shared = Facts { has_other_hosts: true, ..facts(Keys::None) };
        assert_eq!(
            shown(&judge(&shared, Wanted::Up)),
            [
                "note secret-key: no keys of secrets yet; the first start makes /s/secret-key | If other hosts use the same \
                 store, copy the file of one of them before that: all need the same keys."
            ]
        );
        let has_some = Facts { keys: Keys::Found(vec!["aa".to_owned()]), ..shared };
        assert!(shown(&judge(&has_some, Wanted::Up))[0].starts_with("ok "));
    }

    #[test]
    fn secrets_whose_keys_are_missing_are_a_warning() {
        let said = |missing: &[(&str, usize)]| {
            let missing = missing.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect();
            let facts = Facts { missing, ..facts(Keys::Found(vec!["aa".to_owned()])) };
            shown(&judge(&facts, Wanted::Up)).split_off(1)
        };
        let advice = "Add the line of each from a copy of the file or from another host, and restart the platform; \
                      `cloudfunc secret list` names the secrets. A value whose key is lost has to be set again.";
        assert_eq!(said(&[]), Vec::<String>::new());
        assert_eq!(
            said(&[("bb", 1)]),
            [format!(
                "warning secrets: 1 secret is encrypted with the key bb, which is not in /s/secret-key: functions that get \
                 them are not started here | {advice}"
            )]
        );
        assert_eq!(
            said(&[("bb", 1), ("cc", 2)]),
            [format!(
                "warning secrets: 3 secrets are encrypted with the keys bb and cc, which are not in /s/secret-key: functions \
                 that get them are not started here | {advice}"
            )]
        );
    }

    #[test]
    fn a_file_that_is_refused_keeps_the_platform_from_starting() {
        let refused = |hint: &str| Keys::Refused { why: "it is open".to_owned(), hint: hint.to_owned() };
        let findings = judge(&facts(refused("`chmod 600 /s/secret-key`")), Wanted::Embedded);
        assert_eq!(
            shown(&findings),
            ["problem secret-key: it is open | Run `chmod 600 /s/secret-key`."]
        );
        assert_eq!(findings[0].stops, Stops::BOTH);
        let findings = judge(&facts(refused("name another")), Wanted::Up);
        assert_eq!(shown(&findings), ["problem secret-key: it is open | Name another."]);
    }
}
