//! What a `requirements.txt` asks for: packages, other files, or what is refused.

use super::{
    super::{Entry, Rules},
    lines::{foreign_encoding, logical, words},
};

const ONLY_WHEELS: &str = "only wheels are installed; `from_source = true` under [build] in cloudfunc.toml has packages \
                           built from their sources, too";
const EDITABLE: &str = "a package is not installed as an editable one; code of your own is packed with the function, or \
                        included by `build.include`";
const REPOSITORY: &str = "a repository is not read; name a release of the package, or the https address of a wheel or an \
                          archive";
const OWN_FOLDER: &str = "a path is not installed; code of your own is packed with the function, or included by \
                          `build.include`";
const NO_LIST: &str = "a list from the network is not read; put the file into the function's folder";
const NO_OPTION: &str = "this option of pip is not supported";
const NO_VALUE: &str = "this option lacks its value";
const OWN_INDEX: &str = "the platform names the index of packages (--build-index)";
const NO_ADDRESS: &str = "the address of an index begins with http:// or https://";
const NO_VARIABLE: &str = "variables are not filled in; write the value";
const NO_CONTROL: &str = "it has a control character";
const NO_ENCODING: &str = "the file has to be UTF-8";
const NOT_UNDERSTOOD: &str =
    "it is not understood; a line names one package, for example requests==2.31.0";

/// The characters that end the name of a package.
const AFTER_NAME: [char; 11] = ['<', '>', '=', '!', '~', ';', '(', ' ', '\t', '@', '['];

/// Endings of files that pip takes for a package on the disk.
const ARCHIVES: [&str; 12] = [
    ".whl",
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tar.lz",
    ".tlz",
    ".tar.lzma",
];

/// Returns the entries of a file. What is not known to be harmless is refused: unless the function asks for that, pip must
/// not run code of a package to install it, and it must not read a file that is not part of what decides what is
/// installed.
pub(super) fn entries(text: &str, rules: Rules) -> Vec<Entry> {
    let foreign = foreign_encoding(text).map(|(line, text)| Entry {
        line,
        text: text.trim().to_owned(),
        includes: Err(NO_ENCODING),
        package: None,
        names_index: false,
    });
    let read = logical(text).into_iter().map(|(line, text)| {
        let includes = includes(&text, rules);
        let (wanted, options) = parts(&text);
        let is_named =
            !wanted.is_empty() && !wanted.split(AFTER_NAME).next().unwrap_or(wanted).contains(':');
        let package = is_named.then(|| wanted.to_owned());
        let names_index =
            ["-i", "--index-url", "--extra-index-url"].iter().any(|name| options.starts_with(name));
        Entry { line, text, includes, package, names_index }
    });
    foreign.into_iter().chain(read).collect()
}

/// Returns whether a file asks for anything.
pub(super) fn asks(text: &str) -> bool {
    !logical(text).is_empty()
}

/// Returns what pip reads of a file: options in their order, since the last of some counts, then what is asked for, in
/// an order of its own.
pub(super) fn normal(text: &str) -> String {
    let lines = logical(text).into_iter().map(|(_, line)| line);
    let (options, mut wanted): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('-'));
    wanted.sort();
    wanted.dedup();
    [options, wanted].concat().join("\n")
}

/// Splits a line before its first option.
fn parts(line: &str) -> (&str, &str) {
    let start = if line.starts_with('-') { Some(0) } else { line.find(" -").map(|at| at + 1) };
    let (wanted, options) = line.split_at(start.unwrap_or(line.len()));
    (wanted.trim(), options)
}

/// Returns the files that a line includes.
fn includes(line: &str, rules: Rules) -> Result<Vec<String>, &'static str> {
    // The address of the platform's index is in a variable.
    if line.contains("${") {
        return Err(NO_VARIABLE);
    }
    if line.contains(|c: char| c.is_control() && c != '\t') {
        return Err(NO_CONTROL);
    }
    let (wanted, options) = parts(line);
    if !wanted.is_empty() {
        requirement(wanted, rules)?;
    }
    let mut files = Vec::new();
    let mut words = words(options).ok_or(NOT_UNDERSTOOD)?.into_iter();
    while let Some(word) = words.next() {
        let (name, value) = option(&word).ok_or(NOT_UNDERSTOOD)?;
        match name {
            "-e" | "--editable" => return Err(EDITABLE),
            "--no-binary" if !rules.from_source => return Err(ONLY_WHEELS),
            "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" | "--trusted-host"
                if rules.has_index =>
            {
                return Err(OWN_INDEX);
            }
            // Others have no effect behind a package.
            _ if !wanted.is_empty() && name != "--hash" => return Err(NO_OPTION),
            "--pre" | "--prefer-binary" | "--require-hashes" if value.is_none() => {}
            "-r" | "--requirement" | "-c" | "--constraint" | "--only-binary" | "--no-binary"
            | "--hash" | "-i" | "--index-url" | "--extra-index-url" => {
                let value = value.map(str::to_owned).or_else(|| words.next());
                let value = value.filter(|value| !value.is_empty()).ok_or(NO_VALUE)?;
                files.extend(included(name, value, rules)?);
            }
            _ => return Err(NO_OPTION),
        }
    }
    Ok(files)
}

/// Returns the name of an option, and its value where that is in the same word.
fn option(word: &str) -> Option<(&str, Option<&str>)> {
    if word.starts_with("--") {
        let parts = word.split_once('=');
        return Some(parts.map_or((word, None), |(name, value)| (name, Some(value))));
    }
    let letter = word.strip_prefix('-')?.chars().next()?;
    let (name, value) = word.split_at(1 + letter.len_utf8());
    Some((name, (!value.is_empty()).then_some(value)))
}

/// Returns the file that an option includes, if it is one that does.
fn included(option: &str, value: String, rules: Rules) -> Result<Option<String>, &'static str> {
    match option {
        "-r" | "--requirement" | "-c" | "--constraint" => {
            let scheme = value.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
            let is_address = matches!(scheme.as_deref(), Some("http" | "https" | "file"));
            if is_address || value.contains("://") { Err(NO_LIST) } else { Ok(Some(value)) }
        }
        // It takes back what the platform says.
        "--only-binary" if value.contains(":none:") && !rules.from_source => Err(ONLY_WHEELS),
        "-i" | "--index-url" | "--extra-index-url" if !is_of_web(&value) => Err(NO_ADDRESS),
        _ => Ok(None),
    }
}

/// Checks what stands before the options.
fn requirement(text: &str, rules: Rules) -> Result<(), &'static str> {
    let (name, rest) = text.split_at(text.find(AFTER_NAME).unwrap_or(text.len()));
    if name.contains(':') {
        return address(text.split_once("; ").map_or(text, |(address, _)| address).trim(), rules);
    }
    if name.starts_with('.') || name.contains('/') || is_archive(name) {
        return Err(OWN_FOLDER);
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_of_name);
    let mut rest = rest.split_once(';').map_or(rest, |(rest, _)| rest).trim();
    if let Some(inside) = rest.strip_prefix('[') {
        let (extras, behind) = inside.split_once(']').ok_or(NOT_UNDERSTOOD)?;
        if !extras.chars().all(|c| is_of_name(c) || matches!(c, ',' | ' ')) {
            return Err(NOT_UNDERSTOOD);
        }
        rest = behind.trim_start();
    }
    if let Some(place) = rest.strip_prefix('@').filter(|_| is_name) {
        return address(place.trim(), rules);
    }
    if rest.contains('/') || is_archive(rest) {
        return Err(OWN_FOLDER);
    }
    if is_name && (rest.is_empty() || is_versions(rest)) { Ok(()) } else { Err(NOT_UNDERSTOOD) }
}

/// Accepts versions with operators, separated by commas, in parentheses or not. Some releases of pip take others for
/// something else.
fn is_versions(text: &str) -> bool {
    let inside = text.strip_prefix('(').map_or(Some(text), |text| text.strip_suffix(')'));
    inside.is_some_and(|text| {
        text.split(',').map(str::trim).all(|clause| {
            let version = clause.trim_start_matches(['<', '>', '=', '!', '~']);
            let operator = &clause[..clause.len() - version.len()];
            let version = version.trim_start();
            let is_of_version = |c: char| c.is_ascii_alphanumeric() || ".+*_-!".contains(c);
            ["===", "==", "!=", "<=", ">=", "~=", "<", ">"].contains(&operator)
                && !version.is_empty()
                && version.chars().all(is_of_version)
        })
    })
}

/// Checks the address of a package.
fn address(address: &str, rules: Rules) -> Result<(), &'static str> {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if scheme.is_none_or(|scheme| scheme == "file") {
        return Err(OWN_FOLDER);
    }
    if !is_of_web(address) {
        return Err(REPOSITORY);
    }
    let path = address.split(['?', '#']).next().unwrap_or_default();
    // pip takes the other for an archive of sources.
    let is_wheel = path.ends_with(".whl") && !path.to_ascii_lowercase().ends_with(".tar.whl");
    let fits = is_wheel || (rules.from_source && is_archive(path));
    let is_one = !address.contains(char::is_whitespace);
    if fits && is_one { Ok(()) } else { Err(ONLY_WHEELS) }
}

fn is_of_web(address: &str) -> bool {
    let parts = address.split_once("://");
    parts.is_some_and(|(scheme, rest)| {
        ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) && !rest.is_empty()
    })
}

fn is_archive(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ARCHIVES.iter().any(|ending| text.ends_with(ending))
}

#[cfg(test)]
mod tests;
