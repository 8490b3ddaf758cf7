//! The interpreters of this machine, which take the place of images.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::runtime::{Error, python};

/// Tells where an interpreter's parts are, and compiles the shim for it.
const SCRIPT: &str = include_str!("host.py");

/// The newest minor version of Python 3 that is looked for.
const NEWEST: u32 = 30;

/// A Python of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPython {
    pub path: PathBuf,
    /// Major and minor, as in `3.11`.
    pub version: String,
}

/// The machine's own Python: `python3`, otherwise the newest `python3.X` in `PATH`. Runs it: blocks
/// for some ten milliseconds.
pub fn host_python() -> Result<HostPython, Error> {
    let names = std::iter::once("python3".to_owned()).chain(numbered());
    let found = names.filter_map(|name| in_path(&name)).find_map(|path| Interpreter::ask(&path).ok());
    let found = found.ok_or_else(|| missing("3"))?;
    Ok(HostPython { version: found.minor_version().to_owned(), path: found.executable })
}

/// What an interpreter says of itself. Every path is real: without links.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Interpreter {
    /// With all its parts, as in `3.11.7`.
    pub(super) version: String,
    pub(super) executable: PathBuf,
    /// What its parts are installed below.
    pub(super) prefix: PathBuf,
    pub(super) standard_library: Vec<PathBuf>,
    /// The file with the interpreter itself, where the executable only loads it.
    pub(super) shared_library: Vec<PathBuf>,
    /// Where packages are installed: functions bring their own.
    pub(super) packages: Vec<PathBuf>,
}

impl Interpreter {
    /// The machine's interpreter of this version, as in `3.11`: `python3` if it is one.
    pub(super) fn find(version: &str) -> Result<Self, Error> {
        let wanted = minor_of(version);
        for name in ["python3".to_owned(), format!("python{wanted}")] {
            let Some(path) = in_path(&name) else { continue };
            match Self::ask(&path) {
                Ok(found) if found.minor_version() == wanted => return Ok(found),
                Ok(_) => {}
                Err(reason) => tracing::debug!(path = %path.display(), reason, "no usable Python"),
            }
        }
        Err(missing(version))
    }

    fn ask(path: &Path) -> Result<Self, String> {
        Self::run(path, &[])
    }

    /// Compiles the shim for this interpreter.
    pub(super) fn compile(&self, source: &Path, target: &Path) -> Result<(), String> {
        Self::run(&self.executable, &[source, target]).map(drop)
    }

    fn run(path: &Path, arguments: &[&Path]) -> Result<Self, String> {
        let mut command = Command::new(path);
        command.args(python::OPTIONS).args(["-c", SCRIPT]).args(arguments).current_dir("/");
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }

    pub(super) fn minor_version(&self) -> &str {
        minor_of(&self.version)
    }
}

/// `3.11` of `3.11.7`.
fn minor_of(version: &str) -> &str {
    let minor =
        version.find('.').and_then(|dot| version[dot + 1..].find('.').map(|next| dot + 1 + next));
    minor.map_or(version, |end| &version[..end])
}

fn missing(version: &str) -> Error {
    let mut there: Vec<String> = std::iter::once("python3".to_owned())
        .chain(numbered())
        .filter_map(|name| Interpreter::ask(&in_path(&name)?).ok())
        .map(|found| format!("{} ({})", found.version, found.executable.display()))
        .collect();
    there.sort_unstable();
    there.dedup();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    let help = format!(
        "the runtime 'oci' runs functions with this machine's own Python, and PATH has no Python {version}; \
         found: {there}; install it, or name another `version` in cloudfunc.toml, or use --runtime docker"
    );
    Error::NoImage { image: format!("python {version}"), help, source: None }
}

fn numbered() -> impl Iterator<Item = String> {
    (0..=NEWEST).rev().map(|minor| format!("python3.{minor}"))
}

pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_first_two_parts() {
        for (version, minor) in [("3.11.7", "3.11"), ("3.11", "3.11"), ("3", "3"), ("3.9.0rc1", "3.9")] {
            assert_eq!(minor_of(version), minor);
        }
    }

    #[test]
    fn a_version_that_is_not_there_is_answered_with_those_that_are() {
        let found = host_python().unwrap();
        let error = Interpreter::find("3.1").unwrap_err().to_string();
        assert!(error.contains("no Python 3.1;") && error.contains("--runtime docker"), "{error}");
        assert!(error.contains(&format!("{}.", found.version)), "{error}");
        assert!(error.contains(found.path.to_str().unwrap()), "{error}");
    }

    #[test]
    fn an_interpreter_knows_its_parts() {
        let found = Interpreter::find(&host_python().unwrap().version).unwrap();
        assert!(found.executable.is_file());
        assert!(found.standard_library.iter().any(|folder| folder.join("json/__init__.py").is_file()));
    }
}
