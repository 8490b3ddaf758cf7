//! Whether a folder holds what its manifest says: asked by the client before it uploads, and by the
//! registry, which trusts no client.

use super::{Listing, REQUIREMENTS};
use crate::model::{Code, FunctionSpec, Language};

/// What is missing from the code, or in it without effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("no {file} in the folder: the handler \"{handler}\" needs it")]
    NoModule { file: String, handler: String },
    #[error(
        "requirements.txt is not installed by this version: install the packages into the folder with \
         `pip install --target . -r requirements.txt`, then name requirements.txt in .cloudfuncignore"
    )]
    Requirements,
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
        return Err(CodeError::NoModule { file, handler: handler.to_owned() });
    }
    let requirements = listing.texts.get(REQUIREMENTS).map_or("", String::as_str);
    let asks = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if requirements.lines().any(asks) { Err(CodeError::Requirements) } else { Ok(()) }
}
