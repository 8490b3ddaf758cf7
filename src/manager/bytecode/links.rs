//! Bytecode in the folders of instances.

use std::{fs, io, path::Path};

use crate::model::Language;

/// Returns the size of those of these files of a folder that can be compiled, in bytes. One that cannot be looked at does
/// not count.
pub fn compilable<'p>(folder: &Path, files: impl Iterator<Item = &'p Path>) -> u64 {
    let is_source = |path: &&Path| {
        let ending = |language: &Language| Some(language.facts().bytecode.as_ref()?.extension);
        let name = path.as_os_str().as_encoded_bytes();
        Language::ALL.iter().filter_map(ending).any(|ending| name.ends_with(ending.as_bytes()))
    };
    let size = |path: &Path| Some(fs::symlink_metadata(folder.join(path)).ok()?.len());
    files.filter(is_source).filter_map(size).sum()
}

/// Links bytecode into an instance's folder, and makes folders that are missing. What is there is not replaced. Somebody may
/// clear the cache meanwhile.
pub fn add(bytecode: &Path, task: &Path) -> io::Result<()> {
    for entry in fs::read_dir(bytecode)? {
        let entry = entry?;
        let (from, to) = (entry.path(), task.join(entry.file_name()));
        let is_folder = entry.file_type()?.is_dir();
        let added = if is_folder { fs::create_dir(&to) } else { fs::hard_link(&from, &to) };
        match added {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            added => added?,
        }
        if is_folder {
            add(&from, &to)?;
        }
    }
    Ok(())
}
