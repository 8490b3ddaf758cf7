//! Advice for a handler that is not where the manifest says: where it may be.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    below::{is_function, is_list_of_packages},
    programs,
};
use crate::{
    bundle::{self, likely_module},
    language::HandlerGrammar,
    manifest,
    model::{FunctionSpec, Language},
};

/// The maximum number of entries of a folder that are looked at.
const MAX_ENTRIES: usize = 1000;
/// The maximum number of functions in subfolders that are named.
const MAX_NAMED: usize = 3;
/// The size limit of a module that is read, in bytes.
const MAX_MODULE: u64 = 1024 * 1024;

/// Returns a hint for a folder without the handler's file.
pub fn hint(folder: &Path, language: Language, handler: &str) -> Option<String> {
    let grammar = &language.facts().handler;
    let files = names(folder);
    if handler == grammar.default {
        let hint = of_lambda(folder, language, &files)
            .or_else(|| programs::web_application(folder, language))
            .or_else(|| other_module(folder, grammar, &files));
        if hint.is_some() {
            return hint;
        }
    }
    if let Some((other, file)) = other_language(folder, language) {
        return Some(format!(
            "there is {file}: a function in {} says `language = \"{other}\"` in {}",
            other.facts().title,
            folder.join(manifest::FILE).display()
        ));
    }
    let is_module = |file: &String| grammar.extensions.iter().any(|ending| file.ends_with(ending));
    let has_modules = files.iter().any(is_module);
    let below = functions_below(folder);
    let named: Vec<String> =
        below.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    match named.as_slice() {
        [] if has_modules => None,
        [] => programs::unbuilt(folder, &files).or_else(|| usual(folder, grammar, handler)),
        _ => Some(format!(
            "the folder of each function is deployed by itself: `cloudfunc deploy {}`",
            named.join(" ")
        )),
    }
}

/// Returns what to write for a handler whose folder asks for the client of AWS Lambda.
fn of_lambda(folder: &Path, language: Language, files: &[String]) -> Option<String> {
    let facts = language.facts();
    let (client, dependencies) = (facts.lambda_client.as_ref()?, facts.dependencies.as_ref()?);
    let list = programs::text(&folder.join(dependencies.file))?;
    if !list.lines().any(|line| line.trim_start().starts_with(client.package)) {
        return None;
    }
    let (source, named) = likely_handler(folder, &facts.handler, files)?;
    bundle::advice_for_lambda(language, "`interface = \"lambda\"` and ", &source, &named)
}

/// Returns the module that most likely has the handler, for a manifest that names none.
fn other_module(folder: &Path, grammar: &HandlerGrammar, files: &[String]) -> Option<String> {
    let (source, named) = likely_handler(folder, grammar, files)?;
    let file = folder.join(manifest::FILE);
    Some(format!("there is {source}: name its handler in {}: handler = \"{named}\"", file.display()))
}

/// Returns the file that most likely has the handler, and the handler as a manifest names it.
fn likely_handler(
    folder: &Path,
    grammar: &HandlerGrammar,
    files: &[String],
) -> Option<(String, String)> {
    let (module, extension) = likely_module(grammar, files.iter().map(String::as_str))?;
    let source = format!("{module}{extension}");
    let function = function_of(grammar, &folder.join(&source));
    let function = function.unwrap_or_else(|| (grammar.usual_function)(module).to_owned());
    Some((source, (grammar.named)(module, &function)))
}

/// Returns what a function is, for a folder that has nothing of one.
fn usual(folder: &Path, grammar: &HandlerGrammar, handler: &str) -> Option<String> {
    if folder.join(manifest::FILE).is_file() {
        return None;
    }
    Some(format!(
        "a function is a folder with {} or {}: `cloudfunc init {}` makes one there",
        (grammar.files)(handler).first()?,
        manifest::FILE,
        folder.join("hello").display()
    ))
}

/// Returns a hint for a folder without the program that its manifest names.
pub fn program_hint(folder: &Path, spec: &FunctionSpec, file: &str) -> Option<String> {
    let mut paths = names(folder);
    // What cargo and its plugins for static programs and AWS Lambda make.
    let target = folder.join("target");
    let inner = ["release".to_owned()].into_iter().chain(
        names(&target)
            .into_iter()
            .filter(|name| name.ends_with("-linux-musl"))
            .map(|name| format!("{name}/release")),
    );
    let of_lambda = names(&target.join("lambda")).into_iter().map(|name| format!("lambda/{name}"));
    for built in inner.chain(of_lambda) {
        paths.extend(
            names(&target.join(&built)).into_iter().map(|name| format!("target/{built}/{name}")),
        );
    }
    for name in folders(folder).iter().filter_map(|inner| Some(inner.file_name()?.to_str()?.to_owned()))
    {
        let inside = folder.join(&name);
        let files = names(&inside).into_iter().filter(|file| inside.join(file).is_file());
        paths.extend(files.map(|file| format!("{name}/{file}")));
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    bundle::advice_for_program(spec, file, &paths)
}

/// Returns another language whose handler is in the folder, and the handler's file.
fn other_language(folder: &Path, language: Language) -> Option<(Language, String)> {
    let others = Language::ALL.iter().copied().filter(|other| *other != language);
    others.into_iter().find_map(|other| {
        let grammar = &other.facts().handler;
        let files = (grammar.files)(grammar.default).into_iter();
        let mut handlers = files.filter(|file| !is_list_of_packages(file));
        Some((other, handlers.find(|file| folder.join(file).is_file())?))
    })
}

/// Lists the names of the folder's entries; empty if it cannot be read, which packing reports.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.take(MAX_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Returns the function in a module that is most likely its handler.
fn function_of(grammar: &HandlerGrammar, file: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(MAX_MODULE).read_to_string(&mut text).ok()?;
    (grammar.likely_function)(&text)
}

/// Finds folders of functions up to two levels below.
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
