//! Folders of functions: not a function themselves, but their direct subfolders are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{bundle, language, manifest, model::Language};

/// The direct subfolders of a folder of functions, in order.
pub struct Below {
    pub functions: Vec<PathBuf>,
    /// The rest, except for hidden ones.
    pub others: Vec<PathBuf>,
}

/// Looks for functions directly below a folder; `None` if the folder is a function, or none is there.
pub fn functions(folder: &Path) -> io::Result<Option<Below>> {
    if is_function(folder) || has_usual_module(folder) {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    let visible = names.iter().filter(|name| !name.to_string_lossy().starts_with('.'));
    let folders = visible.map(|name| folder.join(name)).filter(|path| path.is_dir());
    let (functions, others): (Vec<_>, Vec<_>) = folders.partition(|path| is_function(path));
    Ok((!functions.is_empty()).then_some(Below { functions, others }))
}

/// Returns whether a folder has a manifest, a file of a language's default handler, or a program for which neither is needed.
/// A list of packages alone, such as that of shared code, makes no function.
pub fn is_function(folder: &Path) -> bool {
    let has_handler = |language: &Language| {
        let grammar = &language.facts().handler;
        let files = (grammar.files)(grammar.default);
        let mut handlers = files.iter().filter(|file| !is_list_of_packages(file));
        handlers.any(|file| folder.join(file).is_file())
    };
    folder.join(manifest::FILE).is_file()
        || Language::ALL.iter().any(has_handler)
        || bundle::is_programs(folder)
}

/// Returns whether a file of this name lists packages, in some language.
pub fn is_list_of_packages(file: &str) -> bool {
    language::dependency_files().any(|list| list == file)
}

/// Returns whether a folder has a module that usually holds a handler: it is a function whose manifest is missing.
fn has_usual_module(folder: &Path) -> bool {
    Language::ALL.iter().any(|language| {
        let grammar = &language.facts().handler;
        let is_there = |module: &&str, ending: &&str| folder.join(format!("{module}{ending}")).is_file();
        let mut modules = grammar.usual_modules.iter();
        modules.any(|module| grammar.extensions.iter().any(|ending| is_there(module, ending)))
    })
}
