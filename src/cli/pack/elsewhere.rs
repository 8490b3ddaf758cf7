//! Where the handler may be when it is not where the manifest says: what to do about it.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::{
    bundle::{likely_module, usual_function},
    manifest::{self, DEFAULT_HANDLER},
};

/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1000;
/// Functions in folders further down that are named.
const MAX_NAMED: usize = 3;
/// Limit of a module that is read, in bytes.
const MAX_MODULE: u64 = 1024 * 1024;
/// Names of handlers on other platforms, the likeliest first.
const USUAL_HANDLERS: [&str; 6] = ["lambda_handler", "handler", "handle", "main", "run", "app"];

/// A hint for a folder without the handler's file.
pub fn hint(folder: &Path, handler: &str) -> Option<String> {
    let modules = modules(folder);
    if handler == DEFAULT_HANDLER
        && let Some(module) = likely_module(modules.iter().map(String::as_str))
    {
        let function = function_of(&folder.join(format!("{module}.py")));
        let function = function.unwrap_or_else(|| usual_function(module).to_owned());
        let file = folder.join(manifest::FILE);
        return Some(format!(
            "there is {module}.py: name its handler in {}: handler = \"{module}.{function}\"",
            file.display()
        ));
    }
    let below = functions_below(folder);
    let named: Vec<String> =
        below.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    match named.as_slice() {
        [] => None,
        _ => Some(format!(
            "the folder of each function is deployed by itself: `cloudfunc deploy {}`",
            named.join(" ")
        )),
    }
}

/// The names of the folder's entries; nothing where it cannot be read, which packing will say.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.take(MAX_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn modules(folder: &Path) -> Vec<String> {
    names(folder).iter().filter_map(|name| name.strip_suffix(".py").map(str::to_owned)).collect()
}

/// The function at the top of a module that is most likely its handler.
fn function_of(file: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(MAX_MODULE).read_to_string(&mut text).ok()?;
    let name = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?;
        rest.split(['(', ' ', '[']).next().map(str::to_owned)
    };
    let assigned = |line: &str| line.split_once(" = ").map(|(name, _)| name.to_owned());
    let defined: Vec<String> = text.lines().filter_map(name).collect();
    let all: Vec<String> = defined.iter().cloned().chain(text.lines().filter_map(assigned)).collect();
    let usual = USUAL_HANDLERS.into_iter().find(|usual| all.iter().any(|name| name == usual));
    match defined.as_slice() {
        _ if usual.is_some() => usual.map(str::to_owned),
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Folders of functions up to two levels further down.
fn functions_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for outer in folders(folder) {
        if is_function(&outer) {
            found.push(outer);
        } else {
            found.extend(folders(&outer).into_iter().filter(|inner| is_function(inner)));
        }
        if found.len() >= MAX_NAMED {
            break;
        }
    }
    found
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let visible = names(folder).into_iter().filter(|name| !name.starts_with('.'));
    visible.map(|name| folder.join(name)).filter(|path| path.is_dir() && !path.is_symlink()).collect()
}

fn is_function(folder: &Path) -> bool {
    folder.join(manifest::FILE).is_file() || folder.join("function.py").is_file()
}
