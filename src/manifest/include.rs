//! `[build] include`: folders from outside the function's own that are packed with it.
//!
//! Checked here is what the text alone tells. What is on the disk is checked by the client that packs the
//! folders; a platform gets them packed, and reads nothing but their names.

use super::{MAX_TEXT_BYTES, ManifestError};
use crate::toml_document::{Field, Section};

/// The limit of folders that one manifest includes.
const MAX_INCLUDES: usize = 100;
const EXAMPLE: &str = "[\"../common\"]";
const KEYS: &[&str] = &["include", "from_source", "command", "network", "args"];

/// A folder to pack with the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The path as it is written, which begins at the function's folder: `../common`.
    pub path: String,
    /// Its last component, which is the folder's name beside the function's own files.
    pub name: String,
    line: usize,
    column: usize,
}

impl Include {
    /// Makes an error at this path in the manifest; `file` is the manifest's name.
    pub fn error(&self, file: &str, message: impl Into<String>) -> ManifestError {
        let (line, column) = (self.line, self.column);
        ManifestError { file: file.to_owned(), line, column, message: message.into() }
    }
}

/// Reads `include` of the table `[build]`, and refuses keys that it does not have.
pub(super) fn read(build: &Section<'_>) -> Result<Vec<Include>, ManifestError> {
    build.only(KEYS)?;
    let Some(list) = build.get("include") else { return Ok(Vec::new()) };
    let items = list.items(EXAMPLE)?;
    if items.len() > MAX_INCLUDES {
        let problem = format!(
            "`build.include` names {} folders, and at most {MAX_INCLUDES} are accepted; put them into one \
             folder and include that",
            items.len()
        );
        return Err(list.error(problem));
    }
    let mut includes: Vec<Include> = Vec::new();
    for item in items {
        let include = include(&item)?;
        if let Some(other) = includes.iter().find(|other| other.name == include.name) {
            return Err(item.error(twice(other, &include)));
        }
        includes.push(include);
    }
    Ok(includes)
}

fn include(item: &Field<'_>) -> Result<Include, ManifestError> {
    let path = item.string(EXAMPLE)?;
    let name = name(path).map_err(|problem| item.error(format!("`build.include`: {problem}")))?;
    let place = item.error("");
    Ok(Include { path: path.to_owned(), name, line: place.line, column: place.column })
}

/// Returns the name of the folder at a path that leads out of the function's folder: any number of `..`, then
/// names.
fn name(path: &str) -> Result<String, String> {
    const ACCEPTED: &str = "write the folder as seen from the function's own, for example \"../common\"";
    if path.is_empty() {
        return Err(format!("the path is empty; {ACCEPTED}"));
    }
    if path.len() > MAX_TEXT_BYTES {
        return Err(format!("a path has more than {MAX_TEXT_BYTES} bytes; {ACCEPTED}"));
    }
    if path.chars().any(char::is_control) {
        return Err(format!("the path {path:?} has a control character; {ACCEPTED}"));
    }
    if path.starts_with('/') {
        return Err(format!("'{path}' is an absolute path; {ACCEPTED}"));
    }
    let parts = parts(path);
    let ups = parts.iter().take_while(|part| **part == "..").count();
    let names = &parts[ups..];
    match (ups, names.last()) {
        (0, None) => {
            Err(format!("'{path}' is the function's own folder, which is packed anyway; remove it"))
        }
        (0, Some(_)) => Err(format!(
            "'{path}' lies in the function's own folder, which is packed anyway; remove it (a folder beside the \
             function's is \"../{}\")",
            names.join("/")
        )),
        (_, None) => Err(format!(
            "'{path}' contains the function's own folder; name the folders in it that the function needs, for \
             example \"{}/common\"",
            parts.join("/")
        )),
        _ if names.contains(&"..") => {
            Err(format!("'{path}' has '..' after a name; write the path without it"))
        }
        _ if names.contains(&".git") => {
            Err(format!("'{path}' lies in .git, which is never packed; remove it"))
        }
        (_, Some(name)) => Ok((*name).to_owned()),
    }
}

/// Splits a path, without the parts that lead nowhere.
fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect()
}

/// Words the error for two includes of the same name.
fn twice(first: &Include, second: &Include) -> String {
    let (first_path, second_path) = (&first.path, &second.path);
    if parts(first_path) == parts(second_path) {
        return match first_path == second_path {
            true => format!("`build.include` names '{second_path}' twice; remove one of the two"),
            false => format!(
                "`build.include` names the same folder twice, as '{first_path}' and as '{second_path}'; remove one \
                 of the two"
            ),
        };
    }
    format!(
        "`build.include`: '{first_path}' and '{second_path}' would both be packed as '{}'; rename one of the two \
         folders",
        second.name
    )
}
