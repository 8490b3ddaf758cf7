//! The part of this machine that a sandbox sees: an empty skeleton, and read-only mounts of the files that an
//! interpreter and the usual shell commands need. Made once per interpreter, shared by all its sandboxes; and once for the
//! languages without an interpreter, whose programs have the libraries and commands alone.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{host::Interpreter, seccomp};
use crate::{
    disk::sync_tree,
    language::{self, Image},
    model::Language,
    runtime::{
        Entry, Error, OUTPUT_PATH, PACKAGES_PATH, Spec, TASK_PATH, WHEELS_PATH, entry, limits::RUN_PATH,
    },
};

/// Libraries and commands of the system, certificates of authorities, time zones, and the links and the cache by which
/// they are found. None of these are secret; those that do not exist are left out.
const SYSTEM: &[&str] = &[
    "/usr/bin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/etc/alternatives",
    "/etc/ca-certificates/extracted",
    "/etc/ld.so.cache",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
];

/// The file with the filters, next to the skeleton, not in it.
const FILTERS: &str = "filters";

/// The mount points that are the same in every sandbox.
const FOLDERS: &[&str] = &[
    "/dev",
    "/proc",
    "/tmp",
    Image::FOLDER,
    TASK_PATH,
    RUN_PATH,
    PACKAGES_PATH,
    OUTPUT_PATH,
    WHEELS_PATH,
];

const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/false\n"),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1\tlocalhost function\n::1\tlocalhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/resolv.conf", ""),
    ("/etc/hostname", "function\n"),
];

/// Files that a container has from its base image: names of services, protocols and kinds of files. This machine's, or,
/// where it has none, a text of ours; read when the skeleton is made.
const TABLES: &[(&str, &str)] = &[
    ("/etc/services", include_str!("services")),
    ("/etc/protocols", include_str!("protocols")),
    ("/etc/rpc", ""),
    ("/etc/ethertypes", ""),
    ("/etc/mime.types", ""),
    ("/etc/os-release", ""),
];

/// The limit of this machine's table, in bytes; a longer one is not used.
const MAX_TABLE: u64 = 1024 * 1024;

const LINKS: &[(&str, &str)] = &[("/etc/mtab", "/proc/mounts")];

/// The parts of a root file system.
#[derive(Debug)]
pub(super) struct Root {
    /// The image's id, as people see it.
    pub(super) id: String,
    /// The skeleton.
    pub(super) folder: PathBuf,
    /// The read-only mounts: from here, to there. In the order in which they have to be made.
    pub(super) mounts: Vec<(PathBuf, PathBuf)>,
    /// Folders that builds see, too, at their own places.
    pub(super) headers: Vec<PathBuf>,
    /// The file with the compiled filters of system calls.
    pub(super) filters: PathBuf,
    /// The language of the functions.
    language: Language,
    /// The interpreter that runs the shim; none where the language has none.
    pub(super) interpreter: Option<Interpreter>,
}

impl Root {
    /// Returns the root for a language with this interpreter, made below `parent` where it is missing.
    pub(super) fn make(
        parent: &Path,
        language: Language,
        interpreter: Option<Interpreter>,
    ) -> Result<Self, Error> {
        let paths = visible(interpreter.as_ref());
        let filters = seccomp::compiled().map_err(|error| Error::Engine {
            action: "make a filter of system calls",
            source: error.into(),
        })?;
        let hash = key(interpreter.as_ref(), &paths, &filters);
        let name = match &interpreter {
            Some(interpreter) => format!("{language}-{}-{hash}", interpreter.release),
            None => format!("{language}-{hash}"),
        };
        let home = parent.join(&name);
        remove_leftovers(parent);
        if !home.exists() {
            build(parent, &home, interpreter.as_ref(), &paths, &filters)
                .map_err(|source| Error::Io { path: home.clone(), source })?;
        }
        Ok(Self {
            id: format!("host-{name}"),
            headers: headers(interpreter.as_ref(), &paths).cloned().collect(),
            mounts: mounts(&home, interpreter.as_ref(), paths),
            folder: home.join("root"),
            filters: home.join(FILTERS),
            language,
            interpreter,
        })
    }

    /// Returns the first command in a sandbox.
    pub(super) fn command(&self, spec: &Spec) -> Result<Vec<String>, Error> {
        if spec.entry == Entry::Helper {
            return Ok(entry::task_command());
        }
        let shim = self.interpreter.as_ref().and_then(|found| Some((found, facts(found)?)));
        let (found, shim) = shim.ok_or_else(|| entry::no_shim(self.language))?;
        Ok(shim.command(&found.executable.to_string_lossy(), &spec.env))
    }
}

fn facts(interpreter: &Interpreter) -> Option<&'static language::Interpreter> {
    interpreter.language.facts().interpreter.as_ref()
}

/// Returns the paths that are mounted at their own place; one that lies in another one of them is left out.
fn visible(interpreter: Option<&Interpreter>) -> Vec<PathBuf> {
    let mut wanted: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    wanted.extend(interpreter.into_iter().flat_map(parts));
    wanted.sort_unstable();
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in wanted {
        let is_real = fs::symlink_metadata(&path).is_ok_and(|file| !file.is_symlink());
        if is_real && !paths.iter().any(|other| path.starts_with(other)) {
            paths.push(path);
        }
    }
    paths
}

/// Returns the paths that an interpreter needs.
fn parts(interpreter: &Interpreter) -> Vec<PathBuf> {
    let mut wanted = vec![interpreter.executable.clone()];
    wanted.extend_from_slice(&interpreter.standard_library);
    wanted.extend_from_slice(&interpreter.shared_library);
    if interpreter.executable.starts_with("/nix/store") {
        // Everything there is public, and the interpreter's libraries can be anywhere in it.
        wanted.push("/nix/store".into());
    }
    if interpreter.prefix.join("conda-meta").is_dir() {
        // Its libraries are its own, and are found next to it.
        wanted.push(interpreter.prefix.join("lib"));
    }
    wanted
}

/// Returns the folders that a compiler reads and that are not visible anyway.
fn headers<'p>(
    interpreter: Option<&'p Interpreter>,
    visible: &[PathBuf],
) -> impl Iterator<Item = &'p PathBuf> {
    let is_visible = |path: &PathBuf| visible.iter().any(|other| path.starts_with(other));
    let headers = interpreter.into_iter().flat_map(|interpreter| &interpreter.headers);
    headers.filter(move |path| !is_visible(path))
}

fn mounts(
    home: &Path,
    interpreter: Option<&Interpreter>,
    paths: Vec<PathBuf>,
) -> Vec<(PathBuf, PathBuf)> {
    let hidden: Vec<_> = interpreter
        .into_iter()
        .flat_map(|interpreter| &interpreter.packages)
        .filter(|packages| paths.iter().any(|path| packages.starts_with(path)))
        .map(|packages| (home.join("empty"), packages.clone()))
        .collect();
    let mut mounts: Vec<_> = paths.into_iter().map(|path| (path.clone(), path)).collect();
    mounts.extend(hidden);
    mounts.extend(interpreter.map(|_| (home.join("shim"), Image::FOLDER.into())));
    mounts
}

/// Returns a digest of everything that a skeleton is made from: another interpreter, another skeleton.
fn key(interpreter: Option<&Interpreter>, paths: &[PathBuf], filters: &[u8]) -> String {
    let mut hash = Sha256::new();
    let skeleton = format!("{paths:?}{FILES:?}{FOLDERS:?}{LINKS:?}{:?}{:?}", Image::LINKS, tables());
    for part in [format!("{interpreter:?}"), skeleton] {
        hash.update(part);
    }
    hash.update(interpreter.and_then(facts).map(|facts| facts.shim).unwrap_or_default());
    hash.update(filters);
    hex::encode(&hash.finalize()[..6])
}

/// Builds it next to its place first, so that no process sees half of it.
fn build(
    parent: &Path,
    home: &Path,
    interpreter: Option<&Interpreter>,
    paths: &[PathBuf],
    filters: &[u8],
) -> io::Result<()> {
    fs::create_dir_all(parent)?;
    let making = tempfile::Builder::new().prefix(".making-").tempdir_in(parent)?;
    let made = making.path();
    make_folder(made, "empty".as_ref())?;
    make_folder(made, "shim".as_ref())?;
    skeleton(&made.join("root"), paths)?;
    if let Some(installer) = interpreter.and_then(Interpreter::installer_path) {
        make_folder(&made.join("root"), inside(&installer))?;
    }
    for headers in headers(interpreter, paths) {
        make_folder(&made.join("root"), inside(headers))?;
    }
    if let Some(interpreter) = interpreter {
        compile_shim(made, interpreter)?;
    }
    fs::write(made.join(FILTERS), filters)?;
    fs::set_permissions(made, Permissions::from_mode(0o700))?;
    // A power cut would leave the new name with empty files.
    sync_tree(made)?;
    match fs::rename(made, home) {
        // Another process was quicker.
        Err(_) if home.exists() => Ok(()),
        other => other,
    }
}

/// Removes builds that a killed process left unfinished: a live one does not take that long. Also where there is nothing to
/// build: the start after the kill has built it anew, and came too early for this.
fn remove_leftovers(parent: &Path) {
    const LONG_AGO: std::time::Duration = std::time::Duration::from_secs(600);
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_begun = entry.file_name().to_string_lossy().starts_with(".making-");
        let begun = entry.metadata().and_then(|metadata| metadata.modified());
        if is_begun && begun.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LONG_AGO)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes what is seen at [`Image::FOLDER`]: the shim, and a link by which the interpreter is found by its name.
fn compile_shim(made: &Path, interpreter: &Interpreter) -> io::Result<()> {
    let facts = facts(interpreter).ok_or_else(|| io::Error::other("a language without a shim"))?;
    let links = Path::new("shim/bin");
    make_folder(made, links)?;
    symlink(&interpreter.executable, made.join(links).join(facts.program))?;
    let source = made.join(facts.source_file);
    let target = made.join("shim").join(facts.image_file);
    fs::write(&source, facts.shim)?;
    interpreter.compile(&source, &target).map_err(io::Error::other)?;
    fs::set_permissions(&target, Permissions::from_mode(0o644))
}

/// Makes plain folders and files as targets of mounts, and the links that this system has at its root.
fn skeleton(root: &Path, paths: &[PathBuf]) -> io::Result<()> {
    for folder in FOLDERS {
        make_folder(root, inside(folder.as_ref()))?;
    }
    for (path, text) in FILES {
        make_file(root, inside(path.as_ref()), text)?;
    }
    for (path, text) in tables() {
        make_file(root, inside(path.as_ref()), &text)?;
    }
    for (path, target) in LINKS {
        symlink(target, root.join(inside(path.as_ref())))?;
    }
    for path in paths {
        match path.is_dir() {
            true => make_folder(root, inside(path))?,
            false => make_file(root, inside(path), "")?,
        }
    }
    for path in SYSTEM.iter().map(Path::new) {
        if let Ok(target) = fs::read_link(path) {
            make_folder(root, inside(path.parent().unwrap_or(path)))?;
            symlink(target, root.join(inside(path)))?;
        }
    }
    Ok(())
}

/// Returns the tables that are not empty.
fn tables() -> Vec<(&'static str, String)> {
    let text = |path: &str, ours: &str| match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() <= MAX_TABLE => {
            fs::read_to_string(path).unwrap_or_else(|_| ours.to_owned())
        }
        _ => ours.to_owned(),
    };
    let tables = TABLES.iter().map(|(path, ours)| (*path, text(path, ours)));
    tables.filter(|(_, text)| !text.is_empty()).collect()
}

fn inside(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Makes a folder with its parents, each open to all users whatever the umask is: the code inside runs as another user.
fn make_folder(root: &Path, path: &Path) -> io::Result<()> {
    let mut folder = root.to_owned();
    for part in std::iter::once(Path::new("")).chain(path.iter().map(Path::new)) {
        folder.push(part);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn make_file(root: &Path, path: &Path, text: &str) -> io::Result<()> {
    make_folder(root, path.parent().unwrap_or(path))?;
    let path = root.join(path);
    fs::write(&path, text)?;
    fs::set_permissions(&path, Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::UNIX_EPOCH};

    use super::{super::host::host_interpreter, *};

    #[test]
    fn builds_that_a_killed_process_left_are_removed_by_a_later_start() {
        let parent = tempfile::tempdir().unwrap();
        let version = host_interpreter(Language::Python).unwrap().version;
        let interpreter = Interpreter::find(Language::Python, &version).unwrap();
        let make = || Root::make(parent.path(), Language::Python, Some(interpreter.clone())).unwrap();
        let made = make();
        for name in [".making-killed", ".making-now"] {
            fs::create_dir_all(parent.path().join(name).join("root/etc")).unwrap();
        }
        let killed = fs::File::open(parent.path().join(".making-killed")).unwrap();
        killed.set_modified(UNIX_EPOCH).unwrap();
        let again = make();
        assert_eq!(again.folder, made.folder);
        let names = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let home = made.folder.parent().unwrap().file_name().unwrap().to_owned();
        assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from([".making-now".into(), home]));
    }

    #[test]
    fn a_language_without_an_interpreter_has_the_machines_libraries_and_commands_alone() {
        let parent = tempfile::tempdir().unwrap();
        let root = Root::make(parent.path(), Language::Native, None).unwrap();
        assert!(root.id.starts_with("host-native-"), "{}", root.id);
        assert!(root.interpreter.is_none() && root.headers.is_empty());
        assert!(root.mounts.iter().all(|(from, to)| from == to), "{:?}", root.mounts);
        assert!(root.mounts.iter().any(|(from, _)| from == Path::new("/usr/lib")), "{:?}", root.mounts);
        assert!(
            root.folder.join("opt/cloudfunc").is_dir() && root.folder.join("run/cloudfunc").is_dir()
        );
    }
}
