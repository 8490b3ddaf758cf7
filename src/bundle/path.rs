//! The rules for paths and links in an archive.

use super::{Error, shorten};

const MAX_COMPONENT: usize = 255;
const MAX_PATH: usize = 1024;

/// Returns the path of an entry as `a/b/c`; empty for the folder itself (`./`).
pub(super) fn clean(raw: &[u8]) -> Result<String, Error> {
    let refuse = |problem: &str| Err(Error::entry_bytes(raw, problem));
    let Ok(text) = std::str::from_utf8(raw) else {
        return refuse("has a name that is not UTF-8; rename it, or name it in .cloudfuncignore");
    };
    if text.starts_with('/') {
        return refuse("is an absolute path");
    }
    if text.chars().any(is_control) {
        return refuse("has a control character in its name");
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return refuse("leads out of the folder");
    }
    if text.len() > MAX_PATH || parts.iter().any(|part| part.len() > MAX_COMPONENT) {
        return refuse("has a name that is too long: at most 1,024 bytes, and 255 between two slashes");
    }
    Ok(parts.join("/"))
}

/// Returns the target of the link at `path` in the form in which it is created: any number of `..`, then names.
///
/// A `..` after a name is refused: the name may be a link itself, and `..` would then start from where
/// that one leads. Without it, a link at a depth of n folders that goes up at most n times stays
/// inside, as do links that pass through it.
pub(super) fn clean_link(path: &str, raw: &[u8]) -> Result<String, Error> {
    let refuse = |problem: String| Err(Error::entry(path, problem));
    let Ok(target) = std::str::from_utf8(raw) else {
        return refuse("is a link whose target is not UTF-8".to_owned());
    };
    if target.is_empty() {
        return refuse("is a link without a target".to_owned());
    }
    let shown = shorten(&target.escape_debug().to_string());
    let parts: Vec<&str> = target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let ups = parts.iter().take_while(|part| **part == "..").count();
    let depth = path.matches('/').count();
    if target.starts_with('/') || ups > depth {
        return refuse(format!(
            "is a link to '{shown}', out of the folder; copy what it points to, or name it in \
             .cloudfuncignore"
        ));
    }
    if parts[ups..].contains(&"..") {
        return refuse(format!("is a link to '{shown}', with '..' behind a name; write it without"));
    }
    if target.len() > MAX_PATH || target.chars().any(is_control) {
        return refuse("is a link whose target is too long or has a control character".to_owned());
    }
    Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

/// Returns where the link at `path` leads, a path of the same folder; empty for the folder itself. Its target is clean.
pub(super) fn target(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the folders that contain a path, outermost first: `a/b/c` gives `a` and `a/b`.
pub(super) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// Returns whether a character is not allowed in a name: control characters, and those that reverse the direction of
/// writing, which make a name look like another one.
pub(super) fn is_control(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || character.is_control()
}
