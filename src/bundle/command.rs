//! The check of the program that a function's `command` names, where it is a file of the function's folder. A program that
//! the image has is looked for by the first load.

use super::{Listing, left_out::shown, program::Program};
use crate::{
    manifest::{self, BOOTSTRAP},
    model::{Code, FunctionSpec, Interface, Language},
};

/// The beginning of the path of a function's folder in its sandbox.
const TASK: &str = "/var/task/";
/// The part of a path that only musl's loaders have.
const MUSL: &str = "/ld-musl-";

/// The reason why a program of the folder cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// `key` is the key of the manifest that names it.
    #[error("no {file} in the folder: {key} runs it")]
    Missing { file: String, key: &'static str, hint: Option<String> },
    /// The command is one word that was meant as several; `list` is how they are written.
    #[error("program {word:?} not found: no shell splits it at its spaces; write `command = {list}`")]
    Blank { word: String, list: String },
    #[error("{file} is not executable; run `chmod +x {}`", word(.file))]
    NotExecutable { file: String },
    #[error(
        "the first line of {file} ends as lines of Windows do, so that its interpreter is not found; run \
         `sed -i 's/\\r$//' {}`", word(.file)
    )]
    WindowsLines { file: String },
    #[error(
        "{file} begins with a byte order mark, so that its first line names no interpreter; save it without"
    )]
    Mark { file: String },
    #[error(
        "{file} is executable and no program; a script begins with a line that names its interpreter, such as \
         `#!/bin/sh`"
    )]
    NoInterpreter { file: String },
    #[error("{file} is a program for {system}; functions run on Linux, so build it for that")]
    OtherSystem { file: String, system: &'static str },
    #[error("{file} is for {machine}, this platform runs {here}; build it for that")]
    OtherMachine { file: String, machine: String, here: String },
}

impl ProgramError {
    /// Makes the error of a file that has to be there.
    pub fn missing(spec: &FunctionSpec, file: String, hint: Option<String>) -> Self {
        Self::of_one_word(spec).unwrap_or_else(|| Self::Missing { file, key: key(spec), hint })
    }

    /// Makes the error of a command that is one word with a blank in it, which no file has as its name.
    fn of_one_word(spec: &FunctionSpec) -> Option<Self> {
        match spec.command.as_slice() {
            [word] if word.contains(char::is_whitespace) => {
                Some(Self::Blank { word: shown(word), list: manifest::as_list(word) })
            }
            _ => None,
        }
    }
}

/// Returns the path of the file that has to be in a function's folder because its command names it; none where the command
/// is a program of the image, or may be one.
pub fn program_file(spec: &FunctionSpec) -> Option<String> {
    named(spec).filter(|named| named.is_in_folder).map(|named| named.path)
}

/// Returns remarks for the author of a program that may not start in the platform's images.
pub fn remarks(listing: &Listing, spec: &FunctionSpec) -> Vec<String> {
    let Some((file, Program::Elf(elf))) = program(listing, spec) else { return Vec::new() };
    let musl = elf.loader.iter().filter(|loader| loader.contains(MUSL));
    let remark = |loader: &String| {
        format!(
            "{} needs musl's loader, {}, which images with glibc, such as the platform's usual ones, do not have: link it \
             statically, or use an image that has it",
            shown(&file),
            shown(loader)
        )
    };
    musl.map(remark).collect()
}

/// Checks the program itself. Its machine is another matter: see [`check_machine`].
pub(super) fn check(listing: &Listing, spec: &FunctionSpec) -> Result<(), ProgramError> {
    if let Some(script) = script(spec).filter(|script| listing.file_at(script).is_none()) {
        return Err(ProgramError::missing(spec, shown(&script), None));
    }
    let named = named(spec);
    let found = named.as_ref().and_then(|named| listing.file_at(&named.path));
    if let (None, Some(error)) = (&found, ProgramError::of_one_word(spec)) {
        return Err(error);
    }
    let Some(named) = named else { return Ok(()) };
    let Some((path, is_executable)) = found else {
        return match named.is_in_folder {
            true => Err(ProgramError::missing(spec, shown(&named.path), None)),
            false => Ok(()),
        };
    };
    let file = shown(&path);
    if !is_executable {
        // Then the PATH is searched; a name with an ending is most likely meant to be a file here.
        let may_be_elsewhere = !named.is_in_folder && !named.path.contains('.');
        return if may_be_elsewhere { Ok(()) } else { Err(ProgramError::NotExecutable { file }) };
    }
    match listing.programs.get(&path) {
        Some(Program::Script { is_windows: true }) => Err(ProgramError::WindowsLines { file }),
        Some(Program::Text { has_mark: true }) => Err(ProgramError::Mark { file }),
        Some(Program::Text { has_mark: false }) => Err(ProgramError::NoInterpreter { file }),
        Some(Program::Foreign(system)) => Err(ProgramError::OtherSystem { file, system }),
        Some(Program::Script { .. } | Program::Elf(_) | Program::Unknown) | None => Ok(()),
    }
}

/// Checks that a machine of this architecture can run the program.
pub(super) fn check_machine(
    listing: &Listing,
    spec: &FunctionSpec,
    here: &str,
) -> Result<(), ProgramError> {
    let Some((file, Program::Elf(elf))) = program(listing, spec) else { return Ok(()) };
    match elf.other_machine(here) {
        Some(machine) => {
            Err(ProgramError::OtherMachine { file: shown(&file), machine, here: here.to_owned() })
        }
        None => Ok(()),
    }
}

/// Returns the program in the folder that the command names, and its path.
fn program<'l>(listing: &'l Listing, spec: &FunctionSpec) -> Option<(String, &'l Program)> {
    let (path, _) = listing.file_at(&named(spec)?.path)?;
    let program = listing.programs.get(&path)?;
    Some((path, program))
}

/// A file of the folder, as a command names it.
struct Named {
    /// Relative to the folder, without `.` and `..`.
    path: String,
    /// True where the path can only mean this file: a name without a slash may also be that of a program on the `PATH`.
    is_in_folder: bool,
}

fn named(spec: &FunctionSpec) -> Option<Named> {
    // A ready-made image has its own folder.
    let Code::Language { language, .. } = &spec.code else { return None };
    let word = spec.command.first().filter(|_| !spec.interface.is_protocol())?;
    let path = inside(word)?;
    let is_in_folder = (word.contains('/') || word == BOOTSTRAP) && !is_of_packages(*language, &path);
    Some(Named { path, is_in_folder })
}

/// Returns a path relative to the function's folder, without `.` and `..`; none where it leads elsewhere.
fn inside(word: &str) -> Option<String> {
    let inside = word.strip_prefix(TASK).unwrap_or(word);
    if inside.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in inside.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Returns whether a path is that of packages: those that are installed are not in the folder yet.
fn is_of_packages(language: Language, path: &str) -> bool {
    let folder = language.facts().dependencies.as_ref().and_then(|all| all.folder);
    folder.is_some_and(|folder| path.split('/').next() == Some(folder))
}

/// Returns the path of the source file in the folder that the language's interpreter is to run, if that is the command.
pub(super) fn script(spec: &FunctionSpec) -> Option<String> {
    let Code::Language { language, .. } = &spec.code else { return None };
    let [program, script, ..] = spec.command.as_slice() else { return None };
    let facts = language.facts();
    let interpreter = facts.interpreter.as_ref()?.program;
    let is_source = facts.handler.extensions.iter().any(|ending| script.ends_with(ending));
    if without_version(program) != without_version(interpreter) || !is_source || script.starts_with('-')
    {
        return None;
    }
    inside(script).filter(|path| !is_of_packages(*language, path))
}

/// Returns `python` for `python3.12`.
fn without_version(program: &str) -> &str {
    program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// Returns the key of the manifest that asks for the program, as messages show it.
fn key(spec: &FunctionSpec) -> &'static str {
    match (spec.interface, spec.command.as_slice()) {
        (Interface::Lambda, [only]) if only == BOOTSTRAP => "`interface = \"lambda\"`",
        _ => "`command`",
    }
}

/// Returns a path as a word of a shell.
fn word(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+=:,/@%".contains(c);
    match path.chars().all(is_plain) && !path.starts_with('-') {
        true => path.to_owned(),
        false => format!("'{}'", format!("./{path}").replace('\'', "'\\''")),
    }
}
