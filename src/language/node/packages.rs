//! The packages of a function in Node: what in its `package.json`, and in the files of npm beside it, decides about them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{super::Selected, npmrc};

/// The file that names packages.
pub(super) const FILE: &str = "package.json";

/// Files of npm that count where they are there: of the locks, the first one.
pub(super) const BESIDE: &[&str] = &[
    SHRINKWRAP,
    LOCK,
    npmrc::FILE,
    YARN, // Looked for, and not read, as those that follow.
    PNPM,
    BUN,
];

const LOCK: &str = "package-lock.json";
const SHRINKWRAP: &str = "npm-shrinkwrap.json";
const YARN: &str = "yarn.lock";
const PNPM: &str = "pnpm-lock.yaml";
const BUN: &str = "bun.lock";
const FOREIGN: [&str; 3] = [YARN, PNPM, BUN];

/// The members of `package.json` that decide which packages there are; all others may change without an installation.
const DECIDING: &[&str] = &[
    "allowScripts",
    "cpu",
    "dependencies",
    "engines",
    "libc",
    "optionalDependencies",
    "os",
    "overrides",
    "peerDependencies",
    "peerDependenciesMeta",
];

/// The members with packages that are installed.
const INSTALLED: [&str; 2] = ["dependencies", "optionalDependencies"];

/// Scripts of the function's own that npm would run: its code is not there while packages are installed.
const SCRIPTS: &[&str] =
    &["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];

const OWN_FOLDER: &str = "a path is not installed; code of your own is packed with the function, or included by \
                          `build.include`";
const GIT: &str = "builds have no git; name a version, or the address of an archive, such as \
                   https://github.com/OWNER/NAME/archive/refs/tags/v1.0.0.tar.gz";
const UNKNOWN: &str = "npm does not know this form; name a version, for example \"^1.0.0\"";

/// Returns whether a `package.json` names packages that the function needs; those for its development do not count. One that
/// is not understood asks, too, so that it is refused.
pub(super) fn asks(text: &str) -> bool {
    let Ok(package) = serde_json::from_str::<Value>(text) else { return true };
    INSTALLED.into_iter().filter_map(|member| package.get(member)).any(|names| match names {
        Value::Object(names) => !names.is_empty(),
        names => !names.is_null(),
    })
}

/// Returns what packages are installed from, of the files that are there; an error is the author's.
pub(super) fn select(files: &BTreeMap<String, String>, has_registry: bool) -> Result<Selected, String> {
    let package = package(files.get(FILE).map_or("", String::as_str))?;
    let mut selected = Selected::default();
    let lock = [SHRINKWRAP, LOCK].into_iter().find(|lock| files.contains_key(*lock));
    if let Some(lock) = lock {
        selected.texts.insert(lock.to_owned(), files[lock].clone());
    } else if let Some(foreign) = FOREIGN.iter().find(|lock| files.contains_key(**lock)) {
        return Err(format!(
            "{foreign} is not read, and npm would choose other versions than it names; make a {LOCK} with `npm install \
             --package-lock-only`, or name {foreign} in .cloudfuncignore to let npm choose"
        ));
    }
    let scripts = package.get("scripts").and_then(Value::as_object);
    for script in SCRIPTS.iter().filter(|script| scripts.is_some_and(|all| all.contains_key(**script))) {
        selected.notices.push(format!(
            "{FILE}: its script \"{script}\" is not run: packages are installed without the function's code"
        ));
    }
    if let Some(text) = files.get(npmrc::FILE) {
        npmrc::read(text, has_registry, &mut selected)?;
    }
    let deciding = package.into_iter().filter(|(name, _)| DECIDING.contains(&name.as_str()));
    let deciding = Value::Object(deciding.collect());
    selected.texts.insert(FILE.to_owned(), deciding.to_string());
    Ok(selected)
}

/// Reads a `package.json`, and refuses what cannot be installed.
fn package(text: &str) -> Result<Map<String, Value>, String> {
    let package = serde_json::from_str::<Value>(text);
    let package = package.map_err(|error| format!("{FILE} is not JSON: {error}"))?;
    let Value::Object(package) = package else { return Err(format!("{FILE} is not an object")) };
    let has_workspaces = match package.get("workspaces") {
        Some(Value::Array(folders)) => !folders.is_empty(),
        Some(Value::Object(_)) => true,
        _ => false,
    };
    if has_workspaces {
        return Err(format!(
            "{FILE}: \"workspaces\" are not installed; name what the function needs in \"dependencies\", and include code \
             of your own by `build.include`"
        ));
    }
    for member in INSTALLED {
        if let Some(other) = package.get(member).filter(|names| !names.is_object() && !names.is_null()) {
            return Err(format!(
                "{FILE}: \"{member}\" is {other}; it has to be an object of names and versions, for example \
                 {{\"marked\": \"^18.2.1\"}}"
            ));
        }
        for (name, version) in package.get(member).and_then(Value::as_object).into_iter().flatten() {
            let Some(text) = version.as_str() else {
                return Err(format!("{FILE}: \"{name}\": {version}: this is not a version"));
            };
            if let Err(why) = version_of(text.trim()) {
                return Err(format!("{FILE}: \"{name}\": \"{text}\": {why}"));
            }
        }
    }
    Ok(package)
}

/// Checks the text beside a package's name.
fn version_of(text: &str) -> Result<(), &'static str> {
    let lower = text.to_ascii_lowercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| lower.starts_with(start));
    let path = lower.split(['?', '#']).next().unwrap_or_default();
    let is_archive = [".tgz", ".tar.gz", ".tar"].iter().any(|end| path.ends_with(end));
    if begins(&["git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:"]) {
        return Err(GIT);
    }
    if let Some(rest) = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) {
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        let is_host = |name: &&str| {
            ["github.com", "gitlab.com", "bitbucket.org"]
                .contains(&name.rsplit('@').next().unwrap_or(name))
        };
        // npm takes the page of a repository for its address.
        let is_repository = parts.len() == 3 && parts.first().is_some_and(is_host);
        return if rest.ends_with(".git") || is_repository && !is_archive { Err(GIT) } else { Ok(()) };
    }
    if begins(&["file:", ".", "/", "~/", "link:"]) || is_archive {
        return Err(OWN_FOLDER);
    }
    match lower.split_once(':') {
        Some(("npm", _)) => Ok(()),
        Some(_) => Err(UNKNOWN),
        // OWNER/NAME is a repository at GitHub.
        None if lower.contains('/') => Err(GIT),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(files: &[(&str, &str)], has_registry: bool) -> Result<Selected, String> {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        select(&files, has_registry)
    }

    #[test]
    fn packages_for_development_only_are_not_asked_for() {
        for (text, expected) in [
            (r#"{"dependencies": {"express": "5"}}"#, true),
            (r#"{"optionalDependencies": {"sharp": "1"}}"#, true),
            (r#"{"dependencies": {}, "devDependencies": {"typescript": "5"}}"#, false),
            (r#"{"type": "module"}"#, false),
            ("[", true),
            (r#"{"dependencies": ["express"]}"#, true),
            (r#"{"dependencies": null}"#, false),
        ] {
            assert_eq!(asks(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_decides_about_packages_counts() {
        let one = selected(
            &[(
                FILE,
                r#"{"name": "f", "version": "1", "main": "a.js", "dependencies": {"b": "1", "a": "2"}}"#,
            )],
            false,
        );
        let other = selected(
            &[(
                FILE,
                r#"{"type": "module", "devDependencies": {"t": "file:../t"}, "dependencies": {"a": "2", "b": "1"}}"#,
            )],
            false,
        );
        let texts = one.unwrap().texts;
        assert_eq!(texts[FILE], r#"{"dependencies":{"a":"2","b":"1"}}"#);
        assert_eq!(texts, other.unwrap().texts);
    }

    #[test]
    fn the_lock_of_npm_counts_and_that_of_others_is_not_passed_over() {
        let package = (FILE, r#"{"dependencies": {"a": "1"}}"#);
        let both = selected(&[package, (LOCK, "l"), (SHRINKWRAP, "s"), ("yarn.lock", "y")], false);
        let texts = both.unwrap().texts;
        assert_eq!(texts.keys().map(String::as_str).collect::<Vec<_>>(), [SHRINKWRAP, FILE]);
        for lock in FOREIGN {
            assert_eq!(
                selected(&[package, (lock, "")], false).unwrap_err(),
                format!(
                    "{lock} is not read, and npm would choose other versions than it names; make a package-lock.json \
                     with `npm install --package-lock-only`, or name {lock} in .cloudfuncignore to let npm choose"
                )
            );
        }
    }

    #[test]
    fn what_cannot_be_installed_is_named() {
        for version in [
            "",
            "*",
            "^1.2.3",
            "~1",
            ">=1 <2 || 3.x",
            "latest",
            "npm:@a/b@1",
            "https://h/a/b/-/b-1.tgz",
            "https://github.com/a/b/archive/refs/tags/v1.tar.gz",
            "1.0.0 - 2.0.0",
        ] {
            assert_eq!(version_of(version), Ok(()), "{version}");
        }
        for (version, why) in [
            ("file:../a", OWN_FOLDER),
            ("./a", OWN_FOLDER),
            ("../a.tgz", OWN_FOLDER),
            ("a-1.0.tgz", OWN_FOLDER),
            ("~/a", OWN_FOLDER),
            ("link:a", OWN_FOLDER),
            ("git+ssh://git@h/a/b.git#v1", GIT),
            ("git@github.com:a/b.git", GIT),
            ("github:a/b", GIT),
            ("a/b", GIT),
            ("https://github.com/a/b#v1", GIT),
            ("https://h/a.git", GIT),
            ("workspace:*", UNKNOWN),
            ("catalog:", UNKNOWN),
        ] {
            assert_eq!(version_of(version), Err(why), "{version}");
        }
        for (package, message) in [
            ("{", "package.json is not JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "package.json is not an object"),
            (r#"{"dependencies": {"a": 1}}"#, "package.json: \"a\": 1: this is not a version"),
            (
                r#"{"dependencies": ["a"]}"#,
                "package.json: \"dependencies\" is [\"a\"]; it has to be an object of names and versions, for example \
                 {\"marked\": \"^18.2.1\"}",
            ),
            (
                r#"{"optionalDependencies": {"a": "file:a"}}"#,
                "package.json: \"a\": \"file:a\": a path is not installed; code of your own is packed with the function, \
                 or included by `build.include`",
            ),
            (
                r#"{"workspaces": ["a"], "dependencies": {"b": "1"}}"#,
                "package.json: \"workspaces\" are not installed; name what the function needs in \"dependencies\", and \
                 include code of your own by `build.include`",
            ),
        ] {
            assert_eq!(selected(&[(FILE, package)], false).unwrap_err(), message);
        }
    }

    #[test]
    fn scripts_of_the_functions_own_are_told_to_be_left_out() {
        let package = r#"{"scripts": {"test": "t", "prepare": "husky"}, "dependencies": {"a": "1"}}"#;
        let notices = selected(&[(FILE, package)], false).unwrap().notices;
        let told = "package.json: its script \"prepare\" is not run: packages are installed without the function's code";
        assert_eq!(notices, [told]);
    }
}
