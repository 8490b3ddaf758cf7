//! The settings of npm in a function's folder, its `.npmrc`.

use super::super::Selected;

/// Its name.
pub(super) const FILE: &str = ".npmrc";

/// Settings of `.npmrc` that a build heeds, besides registries and their credentials.
const HEEDED: &[&str] = &[
    "before",
    "engine-strict",
    "force",
    "ignore-scripts",
    "install-strategy",
    "legacy-peer-deps",
    "min-release-age",
    "prefer-dedupe",
    "strict-peer-deps",
];

/// Settings that change nothing of an installation.
const INDIFFERENT: &[&str] = &[
    "access",
    "audit",
    "audit-level",
    "color",
    "fund",
    "git-tag-version",
    "lockfile-version",
    "loglevel",
    "message",
    "package-lock-only",
    "progress",
    "provenance",
    "sign-git-commit",
    "sign-git-tag",
    "tag-version-prefix",
    "update-notifier",
    "yes",
];

/// Settings of `.npmrc` with which npm shows a registry who asks.
const CREDENTIALS: &[&str] = &["_authToken", "_auth", "username", "_password", "email", "always-auth"];

const OWN_REGISTRY: &str = "the platform names the registry of packages (--build-npm-registry)";

/// Reads the lines of a `.npmrc`: those that an installation heeds are kept, the others that would change it are told.
pub(super) fn read(text: &str, has_registry: bool, selected: &mut Selected) -> Result<(), String> {
    let (mut kept, mut credentials) = (String::new(), String::new());
    // npm ends a line at both.
    let text = text.replace("\r\n", "\n");
    for (line, number) in text.split(['\n', '\r']).map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, "true"));
        let (name, value) = (name.trim().trim_end_matches("[]"), value.trim());
        let of_registry = name.starts_with("//").then(|| name.rsplit_once(':')).flatten();
        let names_registry = name == "registry" || name.starts_with('@') && name.ends_with(":registry");
        let is_secret = of_registry.is_some_and(|(_, name)| CREDENTIALS.contains(&name));
        if INDIFFERENT.contains(&name) || name.starts_with("save") || name.starts_with("init") {
            continue;
        }
        if names_registry && has_registry {
            return Err(format!("{FILE}:{number}: {OWN_REGISTRY}: {name}"));
        }
        let why = match () {
            () if !(names_registry || is_secret || HEEDED.contains(&name)) => {
                "has no effect on the packages of a deploy"
            }
            () if value.contains("${") => "has no effect: variables are not filled in",
            () => {
                let text = if is_secret { &mut credentials } else { &mut kept };
                text.push_str(&format!("{name}={value}\n"));
                continue;
            }
        };
        selected.notices.push(format!("{FILE}:{number}: {name} {why}"));
    }
    if !kept.is_empty() {
        selected.texts.insert(FILE.to_owned(), kept);
    }
    if !credentials.is_empty() {
        selected.secrets.insert("credentials".to_owned(), credentials);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heeded(text: &str, has_registry: bool) -> Result<Selected, String> {
        let mut selected = Selected::default();
        read(text, has_registry, &mut selected).map(|()| selected)
    }

    #[test]
    fn of_the_settings_of_npm_some_are_heeded_and_the_others_told() {
        let text = "; a comment\nregistry = https://npm.example/\n@own:registry=https://own.example\nsave-exact=true\n\
                    //own.example/:_authToken=hunter2\n//other.example/:_authToken=${TOKEN}\nlegacy-peer-deps\n\
                    cafile=/etc/ca.pem\n";
        let found = heeded(text, false).unwrap();
        assert_eq!(
            found.texts[FILE],
            "registry=https://npm.example/\n@own:registry=https://own.example\nlegacy-peer-deps=true\n"
        );
        assert_eq!(found.secrets["credentials"], "//own.example/:_authToken=hunter2\n");
        assert_eq!(
            found.notices,
            [
                ".npmrc:6: //other.example/:_authToken has no effect: variables are not filled in",
                ".npmrc:8: cafile has no effect on the packages of a deploy",
            ]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(
            heeded(text, true).unwrap_err(),
            ".npmrc:2: the platform names the registry of packages (--build-npm-registry): registry"
        );
        let hidden = heeded("before=2026-01-01\rscript-shell=/bin/x\r\nforce\n", false).unwrap();
        assert_eq!(hidden.texts[FILE], "before=2026-01-01\nforce=true\n");
        assert_eq!(hidden.notices, [".npmrc:2: script-shell has no effect on the packages of a deploy"]);
    }
}
