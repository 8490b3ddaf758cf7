//! Further variables of builds.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Variables that builds have, by name. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BuildVariables(BTreeMap<String, String>);

/// Variables that are refused, in lower case, each with the reason.
const REFUSED: [(&str, &str); 21] = [
    ("path", OF_THE_SANDBOX),
    ("home", OF_THE_SANDBOX),
    ("tmpdir", OF_THE_SANDBOX),
    ("all_proxy", OF_THE_PROXY),
    ("http_proxy", OF_THE_PROXY),
    ("https_proxy", OF_THE_PROXY),
    ("no_proxy", OF_THE_PROXY),
    ("npm_config_proxy", OF_THE_PROXY),
    ("npm_config_https_proxy", OF_THE_PROXY),
    ("npm_config_noproxy", OF_THE_PROXY),
    ("pip_proxy", OF_THE_PROXY),
    ("pip_index_url", OF_THE_INDEX),
    ("pip_extra_index_url", OF_THE_INDEX),
    ("pip_no_index", "--build-index none stands in its place"),
    ("pip_config_file", "--build-index and the settings beside it stand in the place of pip's files"),
    ("pip_find_links", "--build-find-links stands in its place"),
    ("npm_config_userconfig", OF_NPMS_FILES),
    ("npm_config_globalconfig", OF_NPMS_FILES),
    ("pip_cert", OF_AUTHORITIES),
    ("npm_config_cafile", OF_AUTHORITIES),
    ("node_extra_ca_certs", OF_AUTHORITIES),
];
const OF_THE_SANDBOX: &str = "it belongs to the sandbox";
const OF_THE_PROXY: &str = "--build-proxy and --build-no-proxy stand in its place";
const OF_THE_INDEX: &str = "--build-index stands in its place";
const OF_THE_REGISTRY: &str = "--build-npm-registry stands in its place";
const OF_NPMS_FILES: &str =
    "--build-npm-registry and the settings beside it stand in the place of npm's files";
const OF_AUTHORITIES: &str = "--build-ca-file stands in its place";
const OURS: &str = "names that begin with CLOUDFUNC_ belong to the platform";

impl BuildVariables {
    /// Returns the form that is parsed, with the values: one variable on each line.
    pub fn show(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Returns all of them.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for BuildVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads `NAME=VALUE`, separated by commas; where there is more than one line, one on each. Errors repeat no value.
impl FromStr for BuildVariables {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let separator = if text.contains('\n') { '\n' } else { ',' };
        let entries = text.split(separator).map(str::trim).filter(|entry| !entry.is_empty());
        let mut found = BTreeMap::new();
        for entry in entries {
            let Some((name, value)) = entry.split_once('=') else {
                let how = "write NAME=VALUE, separated by commas, or one on each line where values have commas";
                return Err(format!("an entry has no `=`; {how}"));
            };
            check(name, value)?;
            if found.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        Ok(Self(found))
    }
}

fn check(name: &str, value: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !starts || !name.bytes().all(fits) {
        return Err("a name may have letters, digits and `_` only, and begins with no digit".to_owned());
    }
    if value.contains(|c: char| c.is_control()) {
        return Err(format!("the value of {name} has a control character"));
    }
    let lower = name.to_ascii_lowercase();
    let refused = REFUSED.iter().find(|(refused, _)| *refused == lower).map(|(_, why)| *why);
    // That of a scope of packages has the scope's name in it.
    let is_registry = lower.starts_with("npm_config_") && lower.ends_with("registry");
    let refused = refused.or_else(|| is_registry.then_some(OF_THE_REGISTRY));
    match refused.or_else(|| lower.starts_with("cloudfunc_").then_some(OURS)) {
        Some(why) => Err(format!("{name} cannot be set: {why}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        text.parse::<BuildVariables>().unwrap_err()
    }

    #[test]
    fn variables_are_separated_by_commas_or_one_on_each_line() {
        let two: BuildVariables = "A=1, B_2=x=y".parse().unwrap();
        assert_eq!(two.show(), "A=1\nB_2=x=y\n");
        assert_eq!(two.show().parse::<BuildVariables>().unwrap(), two);
        let lines: BuildVariables = "FLAGS=-O2,-g\n".parse().unwrap();
        assert_eq!(lines.all()["FLAGS"], "-O2,-g");
        assert_eq!(lines.show().parse::<BuildVariables>().unwrap(), lines);
        assert_eq!("".parse::<BuildVariables>().unwrap(), BuildVariables::default());
        let secret: BuildVariables = "TOKEN=hunter2".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "{\"TOKEN\"}");
    }

    #[test]
    fn variables_that_would_stand_beside_a_setting_are_refused_with_it_in_any_case_of_letters() {
        for (names, setting) in [
            (&["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "pip_extra_index_url"][..], "--build-index "),
            (&["PIP_NO_INDEX"], "--build-index none "),
            (&["PIP_CONFIG_FILE"], "--build-index "),
            (&["PIP_FIND_LINKS"], "--build-find-links "),
            (&["PIP_PROXY", "ALL_PROXY", "all_proxy"], "--build-proxy "),
            (
                &["npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config__corp_registry"],
                "--build-npm-registry ",
            ),
            (&["npm_config_userconfig", "NPM_CONFIG_GLOBALCONFIG"], "--build-npm-registry "),
        ] {
            for name in names {
                let refused = problem(&format!("{name}=x"));
                assert!(refused.starts_with(&format!("{name} cannot be set: {setting}")), "{refused}");
            }
        }
        let others = "PIP_TIMEOUT=60,npm_config_loglevel=info,REGISTRY=x";
        assert_eq!(others.parse::<BuildVariables>().unwrap().all().len(), 3);
    }

    #[test]
    fn variables_that_cannot_work_are_refused_without_their_values() {
        for (text, expected) in [
            (
                "hunter2",
                "an entry has no `=`; write NAME=VALUE, separated by commas, or one on each line where values have commas",
            ),
            ("A=1,A=2", "A is given twice"),
            ("=1", "a name may have letters, digits and `_` only, and begins with no digit"),
            ("1A=1", "a name may have letters, digits and `_` only, and begins with no digit"),
            ("A=\u{7}", "the value of A has a control character"),
            ("PATH=/bin", "PATH cannot be set: it belongs to the sandbox"),
            (
                "https_proxy=http://u:hunter2@h",
                "https_proxy cannot be set: --build-proxy and --build-no-proxy stand in its place",
            ),
            ("PIP_INDEX_URL=x", "PIP_INDEX_URL cannot be set: --build-index stands in its place"),
            (
                "CLOUDFUNC_TOKEN=x",
                "CLOUDFUNC_TOKEN cannot be set: names that begin with CLOUDFUNC_ belong to the platform",
            ),
        ] {
            assert_eq!(problem(text), expected, "{text}");
        }
    }
}
