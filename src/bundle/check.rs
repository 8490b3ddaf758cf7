//! The check that a folder holds what its manifest names: done by the client before it uploads, and by the
//! registry, which trusts no client.

use super::{Listing, left_out::shown};
use crate::{
    language::HandlerGrammar,
    model::{Code, FunctionSpec, Language},
};

/// A file that is missing from the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("no {file} in the folder: the handler \"{handler}\" needs it")]
    NoModule { file: String, handler: String, hint: Option<String> },
    #[error("no {file} in the folder: `dockerfile` in cloudfunc.toml names it")]
    NoDockerfile { file: String },
}

impl CodeError {
    /// Returns advice if something in the folder gives a clue.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoModule { hint, .. } => hint.as_deref(),
            Self::NoDockerfile { .. } => None,
        }
    }
}

/// Checks the code of a function against its specification. What a command makes of it is checked later, and a function
/// with an image of its own may keep its code there.
pub fn check_code(listing: &Listing, spec: &FunctionSpec) -> Result<(), CodeError> {
    match spec.build_command {
        Some(_) => Ok(()),
        None => check_built_code(listing, spec),
    }
}

/// Does the same for what a command has made.
pub fn check_built_code(listing: &Listing, spec: &FunctionSpec) -> Result<(), CodeError> {
    match &spec.code {
        Code::Language { language, version: _, package: _ } => {
            check_files(listing, *language, &spec.handler)
        }
        Code::Image { .. } => Ok(()),
        Code::Dockerfile { dockerfile, .. } => match listing.has(dockerfile) {
            true => Ok(()),
            false => Err(CodeError::NoDockerfile { file: dockerfile.clone() }),
        },
    }
}

fn check_files(listing: &Listing, language: Language, handler: &str) -> Result<(), CodeError> {
    let facts = language.facts();
    let files = (facts.handler.files)(handler);
    if !files.iter().any(|file| listing.has(file)) {
        let file = files.into_iter().next().unwrap_or_default();
        let hint = top_folder(listing, facts.handler.extensions)
            .or_else(|| other_module(listing, &facts.handler, handler));
        return Err(CodeError::NoModule { file, handler: handler.to_owned(), hint });
    }
    Ok(())
}

/// Returns the folder that holds everything, if the archive contains a folder instead of its content.
fn top_folder(listing: &Listing, extensions: &[&str]) -> Option<String> {
    let (folder, _) = listing.paths().next()?.split_once('/')?;
    let within = format!("{folder}/");
    let is_source = |path: &str| extensions.iter().any(|extension| path.ends_with(extension));
    let has_code = |path: &str| is_source(path) || path == format!("{within}cloudfunc.toml");
    if !listing.paths().all(|path| path.starts_with(&within)) || !listing.paths().any(has_code) {
        return None;
    }
    let folder = shown(folder);
    Some(format!(
        "everything in the archive lies in the folder '{folder}': pack what is in it, with \
         `tar -C {folder} -czf function.tgz .`"
    ))
}

fn other_module(listing: &Listing, grammar: &HandlerGrammar, handler: &str) -> Option<String> {
    let (module, extension) =
        likely_module(grammar, listing.paths()).filter(|_| handler == grammar.default)?;
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
