//! The folder that a build command has left, packed and checked as an upload is.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use bytes::Bytes;

use super::super::{dependencies::own_folder, workshop::failure::Failure};
use crate::{
    bundle::{self, Listing, TreeError},
    error_chain::{chain, chain_of_disk},
    model::FunctionSpec,
};

/// Packs a folder that nobody writes to any more, and checks it as an upload is checked.
pub(super) fn packed(folder: &Path, spec: &FunctionSpec) -> Result<(Bytes, Listing), Failure> {
    let left =
        |problem: String| Failure::reason(format!("left something that cannot be deployed: {problem}"));
    // A link in its place would lead anywhere.
    if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Err(left("the function's folder is missing, or is a link".to_owned()));
    }
    let mut archive = Archive(Vec::new());
    if let Err(error) = bundle::pack_tree_without(folder, without_packages(folder, spec), &mut archive) {
        return Err(match of_tree(&error) {
            Some(problem) => left(problem),
            None => Failure::Platform(chain_of_disk(&error)),
        });
    }
    let bytes = Bytes::from(archive.0);
    let listing = bundle::read(&bytes).map_err(|error| left(of_bundle(&error)))?;
    let checked = bundle::check_runnable(&listing, spec, std::env::consts::ARCH);
    checked.map_err(|error| left(chain(&error)))?;
    Ok((bytes, listing))
}

/// Returns the name of the folder of packages if no package is in it, which is left out: tools keep their caches there, and
/// in its place there has to be room for the packages that are installed.
fn without_packages(folder: &Path, spec: &FunctionSpec) -> Option<&'static str> {
    let name = own_folder(spec, folder)?;
    let path = folder.join(name);
    if !path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return None;
    }
    let mut entries = fs::read_dir(&path).ok()?;
    let is_hidden = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
    };
    entries.all(is_hidden).then_some(name)
}

/// Returns what is wrong with a tree; none where the disk is.
fn of_tree(error: &TreeError) -> Option<String> {
    Some(match error {
        TreeError::TooManyFiles => of_bundle(&bundle::Error::TooManyFiles),
        TreeError::TooLarge | TreeError::TooMuchBytecode => of_bundle(&bundle::Error::TooLarge),
        TreeError::Entry { path, problem, package: _ } => {
            format!("'{path}' {}", problem.replace("out of them", "out of the folder"))
        }
        TreeError::Stream(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            of_bundle(&bundle::Error::TooLargePacked)
        }
        TreeError::Io { .. } | TreeError::Stream(_) => return None,
    })
}

fn of_bundle(error: &bundle::Error) -> String {
    // What is left out is named for an upload.
    let (text, advice) = (chain(error), "; name what the function does not need in .cloudfuncignore");
    match text.strip_suffix(advice) {
        Some(limit) => format!("{limit}; let the command remove what the function does not need"),
        None => text,
    }
}

/// An archive in memory, up to the limit of an upload.
struct Archive(Vec<u8>);

impl Write for &mut Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > bundle::MAX_PACKED {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::manifest::{self, Defaults};

    fn spec() -> FunctionSpec {
        let text = "build.command = ['make']";
        manifest::parse(text, manifest::FILE, &Defaults::default()).unwrap().spec
    }

    fn problem(folder: &Path) -> String {
        match packed(folder, &spec()).map(|(_, listing)| listing.digest) {
            Err(Failure::Packages { reason, .. }) => {
                let prefix = "left something that cannot be deployed: ";
                reason.strip_prefix(prefix).unwrap_or_else(|| panic!("{reason}")).to_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_command_leaves_has_the_digest_of_the_same_upload() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pkg")).unwrap();
        fs::write(dir.path().join("function.py"), "x").unwrap();
        fs::write(dir.path().join("pkg/a.py"), "y").unwrap();
        symlink("a.py", dir.path().join("pkg/b.py")).unwrap();
        let (_, listing) = packed(dir.path(), &spec()).unwrap();
        assert_eq!(listing.digest, bundle::pack(dir.path()).unwrap().listing.digest);
    }

    #[test]
    fn a_folder_of_packages_without_packages_is_left_out() {
        let text = "language = 'node'\nbuild.command = ['make']";
        let spec = manifest::parse(text, manifest::FILE, &Defaults::default()).unwrap().spec;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("function.mjs"), "x").unwrap();
        let (_, alone) = packed(dir.path(), &spec).unwrap();
        let modules = dir.path().join("node_modules");
        fs::create_dir_all(modules.join(".cache/tool")).unwrap();
        fs::write(modules.join(".cache/tool/x"), "y").unwrap();
        fs::write(modules.join(".package-lock.json"), "{}").unwrap();
        assert_eq!(packed(dir.path(), &spec).unwrap().1.digest, alone.digest);
        // With a package it is what the code brings.
        fs::create_dir(modules.join("one")).unwrap();
        fs::write(modules.join("one/index.js"), "").unwrap();
        let (_, with) = packed(dir.path(), &spec).unwrap();
        assert_eq!(with.paths().len(), alone.paths().len() + 3);
    }

    #[test]
    fn what_cannot_be_deployed_is_refused_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("function");
        assert_eq!(problem(&folder), "the function's folder is missing, or is a link");
        symlink("/etc", &folder).unwrap();
        assert_eq!(problem(&folder), "the function's folder is missing, or is a link");
        fs::remove_file(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        assert_eq!(
            problem(&folder),
            "no function.py in the folder: the handler \"function.handler\" needs it"
        );
        fs::write(folder.join("function.py"), "").unwrap();
        symlink("/etc/passwd", folder.join("users")).unwrap();
        assert_eq!(problem(&folder), "'users' is a link that leads out of the folder");
        fs::remove_file(folder.join("users")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap();
        assert_eq!(problem(&folder), "'s' is not a file, folder or link");
        drop(socket);
        fs::remove_file(folder.join("s")).unwrap();
        let mut noise = vec![0; bundle::MAX_PACKED + 1];
        getrandom::fill(&mut noise).unwrap();
        fs::write(folder.join("noise"), noise).unwrap();
        assert_eq!(
            problem(&folder),
            "more than 64 MiB when packed; let the command remove what the function does not need"
        );
        fs::write(folder.join("noise"), "").unwrap();
        for number in 0..bundle::MAX_FILES {
            fs::write(folder.join(number.to_string()), "").unwrap();
        }
        assert_eq!(
            problem(&folder),
            "more than 20000 files; let the command remove what the function does not need"
        );
    }
}
