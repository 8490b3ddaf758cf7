//! The check that a folder holds what its manifest names: done by the client before it uploads, and by the
//! registry, which trusts no client.

use super::{
    Listing,
    advice::{BOOTSTRAP_NOT_EXECUTABLE, for_program, other_module, top_folder},
    command::{self, ProgramError},
};
use crate::{
    manifest::BOOTSTRAP,
    model::{Code, FunctionSpec, Language},
};

/// A file that is missing from the code, or cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("no {file} in the folder: the handler \"{handler}\" needs it")]
    NoModule { file: String, handler: String, hint: Option<String> },
    #[error("no {file} in the folder: `dockerfile` in cloudfunc.toml names it")]
    NoDockerfile { file: String },
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl CodeError {
    /// Returns advice if something in the folder gives a clue.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoModule { hint, .. } | Self::Program(ProgramError::Missing { hint, .. }) => {
                hint.as_deref()
            }
            Self::Program(_) | Self::NoDockerfile { .. } => None,
        }
    }

    /// Returns the file that is missing.
    pub fn missing_file(&self) -> Option<&str> {
        match self {
            Self::NoModule { file, .. } | Self::Program(ProgramError::Missing { file, .. }) => {
                Some(file)
            }
            Self::NoDockerfile { file } => Some(file),
            Self::Program(_) => None,
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
        Code::Language { .. } if !spec.interface.is_protocol() => check_program(listing, spec),
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

/// Does the same for code that is about to run on a machine of this architecture, as [`std::env::consts::ARCH`] names it:
/// that of a manager. A client and a registry may be on another one.
pub fn check_runnable(listing: &Listing, spec: &FunctionSpec, machine: &str) -> Result<(), CodeError> {
    check_built_code(listing, spec)?;
    Ok(command::check_machine(listing, spec, machine)?)
}

fn check_program(listing: &Listing, spec: &FunctionSpec) -> Result<(), CodeError> {
    let with_hint = |error: ProgramError| match error {
        ProgramError::Missing { file, key, hint: _ } => {
            let paths: Vec<&str> = listing.paths().collect();
            let hint = for_program(spec, &file, &paths);
            ProgramError::Missing { file, key, hint }
        }
        other => other,
    };
    command::check(listing, spec).map_err(|error| with_hint(error).into())
}

fn check_files(listing: &Listing, language: Language, handler: &str) -> Result<(), CodeError> {
    let facts = language.facts();
    let files = (facts.handler.files)(handler);
    if !files.iter().any(|file| listing.has(file)) {
        let file = files.into_iter().next().unwrap_or_default();
        let paths: Vec<&str> = listing.paths().collect();
        let hint = top_folder(&paths, facts.handler.extensions)
            .or_else(|| other_module(&paths, &facts.handler, handler))
            .or_else(|| not_executable(listing));
        return Err(CodeError::NoModule { file, handler: handler.to_owned(), hint });
    }
    Ok(())
}

/// Returns what makes the folder that of a program, if it may be meant as one.
fn not_executable(listing: &Listing) -> Option<String> {
    let is_there = matches!(listing.file_at(BOOTSTRAP), Some((_, false)));
    (is_there && listing.manifest().is_none()).then(|| BOOTSTRAP_NOT_EXECUTABLE.to_owned())
}
