//! Whether a folder holds what its manifest says: asked by the client before it uploads, and by the
//! registry, which trusts no client.

use super::{Listing, REQUIREMENTS, left_out::shown};
use crate::{
    manifest::DEFAULT_HANDLER,
    model::{Code, FunctionSpec, Language},
};

/// Modules that hold the handler elsewhere.
const USUAL_MODULES: [&str; 5] = ["lambda_function", "main", "app", "handler", "index"];

/// What is missing from the code, or in it without effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("no {file} in the folder: the handler \"{handler}\" needs it")]
    NoModule { file: String, handler: String, hint: Option<String> },
    #[error(
        "requirements.txt is not installed by this version: install the packages into the folder with \
         `pip install --target . -r requirements.txt`, then name requirements.txt in .cloudfuncignore"
    )]
    Requirements,
}

impl CodeError {
    /// Advice, where something in the folder gives a clue.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoModule { hint, .. } => hint.as_deref(),
            Self::Requirements => None,
        }
    }
}

/// Checks the code of a function against its specification. A function with an image of its own may
/// keep its code there.
pub fn check_code(listing: &Listing, spec: &FunctionSpec) -> Result<(), CodeError> {
    match spec.code {
        Code::Language { language: Language::Python, .. } => check_python(listing, &spec.handler),
        Code::Image { .. } => Ok(()),
    }
}

fn check_python(listing: &Listing, handler: &str) -> Result<(), CodeError> {
    let module = handler.rsplit_once('.').map_or(handler, |(module, _)| module).replace('.', "/");
    let file = format!("{module}.py");
    if !listing.has(&file) && !listing.has(&format!("{module}/__init__.py")) {
        let hint = top_folder(listing).or_else(|| other_module(listing, handler));
        return Err(CodeError::NoModule { file, handler: handler.to_owned(), hint });
    }
    let requirements = listing.texts.get(REQUIREMENTS).map_or("", String::as_str);
    let asks = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if requirements.lines().any(asks) { Err(CodeError::Requirements) } else { Ok(()) }
}

/// An archive of a folder instead of what is in it.
fn top_folder(listing: &Listing) -> Option<String> {
    let (folder, _) = listing.paths().next()?.split_once('/')?;
    let within = format!("{folder}/");
    let has_code = |path: &str| path.ends_with(".py") || path == format!("{within}cloudfunc.toml");
    if !listing.paths().all(|path| path.starts_with(&within)) || !listing.paths().any(has_code) {
        return None;
    }
    let folder = shown(folder);
    Some(format!(
        "everything in the archive lies in the folder '{folder}': pack what is in it, with \
         `tar -C {folder} -czf function.tgz .`"
    ))
}

fn other_module(listing: &Listing, handler: &str) -> Option<String> {
    let modules = listing.paths().filter_map(|path| path.strip_suffix(".py"));
    let module = likely_module(modules).filter(|_| handler == DEFAULT_HANDLER)?;
    Some(format!(
        "there is {module}.py: name the handler in cloudfunc.toml, for example `handler = \"{module}.{}\"`",
        usual_function(module)
    ))
}

/// The module of a folder that most likely has the handler: one with a usual name, or the
/// only one.
pub fn likely_module<'m>(modules: impl Iterator<Item = &'m str>) -> Option<&'m str> {
    let is_module = |name: &&str| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let modules: Vec<&str> = modules.filter(is_module).collect();
    let usual = USUAL_MODULES.into_iter().find_map(|usual| modules.iter().find(|name| **name == usual));
    match modules.as_slice() {
        [only] => Some(*only),
        _ => usual.copied(),
    }
}

/// Usual names of a handler in such a module.
pub fn usual_function(module: &str) -> &'static str {
    if module == "lambda_function" { "lambda_handler" } else { "handler" }
}
