//! Advice for a folder without the file that its manifest asks for: which other file may be meant.

use std::env::consts::ARCH;

use super::{command, left_out::shown};
use crate::{
    language::{self, HandlerGrammar},
    manifest::{self, BOOTSTRAP, list_of},
    model::{Code, FunctionSpec, Interface, Language},
};

/// Returns the folder that holds everything, if the archive contains a folder instead of its content.
pub(super) fn top_folder(paths: &[&str], extensions: &[&str]) -> Option<String> {
    let (folder, _) = paths.first()?.split_once('/')?;
    let within = format!("{folder}/");
    let is_named = |path: &str| {
        let name = path.strip_prefix(&within);
        name.is_some_and(|name| name == manifest::FILE || name == BOOTSTRAP)
    };
    let is_source = |path: &str| extensions.iter().any(|extension| path.ends_with(extension));
    let has_code = |path: &&str| is_source(path) || is_named(path);
    if !paths.iter().all(|path| path.starts_with(&within)) || !paths.iter().any(has_code) {
        return None;
    }
    let folder = shown(folder);
    Some(format!(
        "everything in the archive lies in the folder '{folder}': pack what is in it, with \
         `tar -C {folder} -czf function.tgz .`"
    ))
}

/// Returns the module that may have the handler, for a manifest that names none.
pub(super) fn other_module(paths: &[&str], grammar: &HandlerGrammar, handler: &str) -> Option<String> {
    let found = likely_module(grammar, paths.iter().copied());
    let (module, extension) = found.filter(|_| handler == grammar.default)?;
    let named = (grammar.named)(module, (grammar.usual_function)(module));
    Some(format!(
        "there is {module}{extension}: name the handler in cloudfunc.toml, for example `handler = \"{named}\"`"
    ))
}

/// Returns the module that most likely has the handler, and the ending of its file: one with a usual name, or the only
/// one. `files` are relative to the function's folder.
pub fn likely_module<'f>(
    grammar: &HandlerGrammar,
    files: impl Iterator<Item = &'f str>,
) -> Option<(&'f str, &'static str)> {
    let module = |file: &'f str| {
        let cut = |extension: &&'static str| Some((file.strip_suffix(extension)?, *extension));
        grammar.extensions.iter().find_map(cut)
    };
    let modules: Vec<_> =
        files.filter_map(module).filter(|(name, _)| (grammar.is_module)(name)).collect();
    let usual =
        grammar.usual_modules.iter().find_map(|usual| modules.iter().find(|(name, _)| name == usual));
    match modules.as_slice() {
        [only] => Some(*only),
        _ => usual.copied(),
    }
}

/// Returns what to do about a program, or a script of an interpreter, that is missing from a folder with these paths.
pub fn for_program(spec: &FunctionSpec, file: &str, paths: &[&str]) -> Option<String> {
    if command::script(spec).is_some_and(|script| shown(&script) == file) {
        return other_script(spec, file, paths);
    }
    let is_lambda = matches!(spec.interface, Interface::Lambda);
    let handler = || if is_lambda { handler(spec, paths) } else { None };
    let same_stem = || of_stem(spec, file, paths);
    of_name(spec, file, paths).or_else(handler).or_else(|| source(file, paths)).or_else(same_stem)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Finds the script in another folder.
fn other_script(spec: &FunctionSpec, file: &str, paths: &[&str]) -> Option<String> {
    let found = paths.iter().find(|path| **path != file && name(path) == name(file))?;
    let (interpreter, found) = (spec.command.first()?, shown(found));
    let arguments = spec.command.iter().skip(2).map(String::as_str);
    let words = list_of([interpreter.as_str(), found.as_str()].into_iter().chain(arguments));
    Some(format!("there is {found}: name it in cloudfunc.toml: `command = {words}`"))
}

/// Finds the program under another path.
fn of_name(spec: &FunctionSpec, file: &str, paths: &[&str]) -> Option<String> {
    let wanted = name(file);
    if let Some(built) = paths.iter().find(|path| path.starts_with("target/") && name(path) == wanted) {
        let built = shown(built);
        return Some(format!("there is {built}: `cp {built} {file}` puts it where it is looked for"));
    }
    // A link that leads nowhere has the name, too.
    let found = paths.iter().find(|path| **path != file && name(path) == wanted)?;
    Some(named(spec, &shown(found)))
}

/// Finds the program with another ending.
fn of_stem(spec: &FunctionSpec, file: &str, paths: &[&str]) -> Option<String> {
    let stem = |path: &str| path.rsplit_once('.').map_or(path, |(stem, _)| stem).to_owned();
    let found = paths.iter().find(|path| **path != file && stem(path) == stem(file))?;
    Some(named(spec, &shown(found)))
}

fn named(spec: &FunctionSpec, found: &str) -> String {
    let program = format!("./{found}");
    let words = list_of(std::iter::once(&program).chain(spec.command.iter().skip(1)));
    format!("there is {found}: name it in cloudfunc.toml: `command = {words}`")
}

/// Returns what to write for a handler of AWS Lambda's, where its language has a client for that; `keys` goes before the
/// command.
pub fn for_lambda(language: Language, keys: &str, file: &str, handler: &str) -> Option<String> {
    let facts = language.facts();
    let (client, dependencies) = (facts.lambda_client.as_ref()?, facts.dependencies.as_ref()?);
    let command = list_of(client.command.iter().copied().chain([handler]));
    Some(format!(
        "there is {}: for a handler of AWS Lambda, write {keys}`command = {command}` into cloudfunc.toml, and a line `{}` \
         into {}; a handler of this platform is named by `handler = \"{handler}\"`, without `interface` (docs/lambda.md)",
        shown(file),
        client.package,
        dependencies.file
    ))
}

/// Finds a handler: a function that the platform calls itself is behind no interface of programs. One with another name than
/// the platform's is most likely AWS Lambda's.
fn handler(spec: &FunctionSpec, paths: &[&str]) -> Option<String> {
    let at_top = || paths.iter().copied().filter(|path| !path.contains('/'));
    let is_list = |file: &str| language::dependency_files().any(|list| list == file);
    Language::ALL.iter().find_map(|language| {
        let (facts, grammar) = (language.facts(), &language.facts().handler);
        let usual = (grammar.files)(grammar.default);
        let of_default = at_top().find(|path| !is_list(path) && usual.iter().any(|file| file == path));
        let is_said = matches!(&spec.code, Code::Language { language: own, .. } if own == language);
        let (file, named) = match of_default {
            Some(file) => (file.to_owned(), String::new()),
            None => {
                let (module, ending) = likely_module(grammar, at_top())?;
                let named = (grammar.named)(module, (grammar.usual_function)(module));
                let file = format!("{module}{ending}");
                let keys = match is_said {
                    true => String::new(),
                    false => format!("`language = \"{language}\"`, `interface = \"lambda\"` and "),
                };
                if let Some(hint) = for_lambda(*language, &keys, &file, &named) {
                    return Some(hint);
                }
                (file, format!(", and name it: `handler = \"{named}\"`"))
            }
        };
        let how = match is_said {
            true => "leave out `interface`".to_owned(),
            false => format!("write `language = \"{language}\"`, without `interface`"),
        };
        Some(format!(
            "there is {}: the platform itself calls a handler in {}: {how}{named}",
            shown(&file),
            facts.title
        ))
    })
}

/// Finds what the program is built from.
fn source(file: &str, paths: &[&str]) -> Option<String> {
    let has = |name: &str| paths.contains(&name);
    let go = "CGO_ENABLED=0 go build -o";
    let how = match () {
        () if has("Dockerfile") => {
            return Some(
                "there is Dockerfile: `dockerfile = \"Dockerfile\"` in cloudfunc.toml, in place of `language`, has the \
                 platform build its image; beside it, `interface` is \"http\", \"command\" or \"lambda\", unless the image \
                 speaks the runtime protocol"
                    .to_owned(),
            );
        }
        () if has("Cargo.toml") => format!(
            "there is Cargo.toml: build the program first, statically, as with `cargo build --release --target \
             {ARCH}-unknown-linux-musl`, and copy it to {file}"
        ),
        () if has("go.mod") => {
            format!("there is go.mod: build the program first, as with `{go} {file} .`")
        }
        () if has("main.go") => {
            format!("there is main.go: build the program first, as with `{go} {file} main.go`")
        }
        () if has("Makefile") => {
            format!("there is Makefile: build the program first, so that {file} is there")
        }
        () => return None,
    };
    Some(how)
}

/// The advice for a folder whose only code is a program that cannot be executed.
pub const BOOTSTRAP_NOT_EXECUTABLE: &str =
    "there is bootstrap, which is not executable; after `chmod +x bootstrap` it is a native function";

/// Returns what to do about a folder of sources that no language of the platform has.
pub fn for_sources(paths: &[&str]) -> Option<String> {
    source(BOOTSTRAP, paths)
}
