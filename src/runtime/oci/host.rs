//! The interpreters of this machine, which are used in place of images.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::{
    model::Language,
    runtime::{Error, environment_of_programs},
};

/// An interpreter that this machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterpreter {
    /// The path of its executable, without links.
    pub path: PathBuf,
    /// The version as a manifest names it: `3.11`.
    pub version: String,
}

/// Returns the machine's own interpreter of a language: the best name of it in `PATH`. Runs it: blocks for some ten
/// milliseconds.
pub fn host_interpreter(language: Language) -> Result<HostInterpreter, Error> {
    let names = all_names(language);
    let mut paths = names.iter().filter_map(|name| in_path(name));
    let found = paths.find_map(|path| Interpreter::ask(language, &path).ok());
    let found = found.ok_or_else(|| missing(language, ""))?;
    Ok(HostInterpreter { version: found.version().to_owned(), path: found.parts.executable })
}

/// Returns all names of interpreters of a language; none where it has no interpreter.
fn all_names(language: Language) -> Vec<String> {
    language.facts().host.as_ref().map(|host| (host.all_names)()).unwrap_or_default()
}

/// The folder in a sandbox with the machine's program that installs packages, for builds.
const INSTALLER_PATH: &str = "/opt/installer";

/// The program of this machine that installs packages: from here, to there in a sandbox.
#[derive(Debug)]
pub(super) struct Installer {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
}

/// An interpreter of this machine and its parts.
#[derive(Clone, Debug)]
pub(super) struct Interpreter {
    pub(super) language: Language,
    pub(super) parts: Parts,
}

/// The description that an interpreter prints about itself. Every path is real: without links.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Parts {
    /// The whole release, as in `3.11.7`.
    #[serde(rename = "version")]
    pub(super) release: String,
    pub(super) executable: PathBuf,
    /// The folder below which its parts are installed.
    pub(super) prefix: PathBuf,
    pub(super) standard_library: Vec<PathBuf>,
    /// The file with the interpreter itself, where the executable only loads it.
    pub(super) shared_library: Vec<PathBuf>,
    /// The folders where packages are installed: functions bring their own.
    pub(super) packages: Vec<PathBuf>,
    /// The folders that a compiler reads, for builds only.
    #[serde(default)]
    pub(super) headers: Vec<PathBuf>,
}

impl std::ops::Deref for Interpreter {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Interpreter {
    /// Finds the machine's interpreter of this version, such as `3.11`: the first of its possible names that is one.
    pub(super) fn find(language: Language, version: &str) -> Result<Self, Error> {
        let facts = language.facts();
        let wanted = (facts.versions.of_release)(version);
        let names = facts.host.as_ref().map(|host| (host.names)(wanted)).unwrap_or_default();
        for name in names {
            let Some(path) = in_path(&name) else { continue };
            match Self::ask(language, &path) {
                Ok(found) if found.version() == wanted => return Ok(found),
                Ok(_) => {}
                Err(reason) => tracing::debug!(path = %path.display(), reason, "no usable interpreter"),
            }
        }
        Err(missing(language, version))
    }

    fn ask(language: Language, path: &Path) -> Result<Self, String> {
        Self::run(language, path, &[])
    }

    /// Returns the place in a sandbox of the program that installs packages; none where the language has none.
    pub(super) fn installer_path(&self) -> Option<PathBuf> {
        let installer = self.language.facts().dependencies.as_ref()?.installer.as_ref()?;
        Some(Path::new(INSTALLER_PATH).join(installer.tool))
    }

    /// Finds the program that installs packages. Runs the interpreter.
    pub(super) fn installer(&self) -> Result<Installer, Error> {
        let facts = self.language.facts();
        let installer = facts.dependencies.as_ref().and_then(|packages| packages.installer.as_ref());
        let (Some(installer), Some(to)) = (installer, self.installer_path()) else {
            return Err(Error::NoInstaller(format!("{} has no installer", facts.title)));
        };
        let output = program(&self.executable).args(installer.find).output();
        let found = output.ok().filter(|output| output.status.success());
        let path = found.map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        match path.map(PathBuf::from).filter(|path| path.is_dir()) {
            Some(from) => Ok(Installer { from, to }),
            None => Err(Error::NoInstaller(format!(
                "the runtime 'oci' installs them with this machine's own {tool}, and {title} {release} ({executable}) has \
                 none; install {tool} for it (Debian's package is {package}), or use --runtime docker",
                tool = installer.tool,
                title = facts.title,
                release = self.release,
                executable = self.executable.display(),
                package = installer.debian,
            ))),
        }
    }

    /// Makes the file of the shim that this interpreter runs.
    pub(super) fn compile(&self, source: &Path, target: &Path) -> Result<(), String> {
        Self::run(self.language, &self.executable, &[source, target]).map(drop)
    }

    fn run(language: Language, path: &Path, arguments: &[&Path]) -> Result<Self, String> {
        let describe = language.facts().host.as_ref().map(|host| host.describe).unwrap_or_default();
        let output =
            program(path).args(describe).args(arguments).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
        }
        let parts = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        Ok(Self { language, parts })
    }

    /// Returns the version as a manifest names it: `3.11` for `3.11.7`.
    pub(super) fn version(&self) -> &str {
        (self.language.facts().versions.of_release)(&self.release)
    }
}

fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().envs(environment_of_programs()).current_dir("/");
    command
}

/// Returns the error for a missing interpreter; an empty version means any.
fn missing(language: Language, version: &str) -> Error {
    let facts = language.facts();
    let mut there: Vec<String> = all_names(language)
        .iter()
        .filter_map(|name| Interpreter::ask(language, &in_path(name)?).ok())
        .map(|found| format!("{} ({})", found.release, found.executable.display()))
        .collect();
    there.sort_unstable();
    there.dedup();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    let title = facts.title;
    let wanted = if version.is_empty() { title.to_owned() } else { format!("{title} {version}") };
    let help = format!(
        "the runtime 'oci' runs functions with this machine's own {title}, and PATH has no {wanted}; found: {there}; \
         install it, or name another `version` in cloudfunc.toml, or use --runtime docker"
    );
    Error::NoImage { image: format!("{language} {version}").trim_end().to_owned(), help, source: None }
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
    fn a_version_that_is_not_there_is_answered_with_those_that_are() {
        let found = host_interpreter(Language::Python).unwrap();
        let error = Interpreter::find(Language::Python, "3.1").unwrap_err().to_string();
        assert!(error.contains("no Python 3.1;") && error.contains("--runtime docker"), "{error}");
        assert!(error.contains(&format!("{}.", found.version)), "{error}");
        assert!(error.contains(found.path.to_str().unwrap()), "{error}");
    }

    #[test]
    fn an_interpreter_without_pip_is_told() {
        let version = host_interpreter(Language::Python).unwrap().version;
        let mut found = Interpreter::find(Language::Python, &version).unwrap();
        found.parts.executable = "/bin/false".into();
        found.parts.release = "3.12.4".to_owned();
        assert_eq!(
            found.installer().unwrap_err().to_string(),
            "packages cannot be installed: the runtime 'oci' installs them with this machine's own pip, and Python \
             3.12.4 (/bin/false) has none; install pip for it (Debian's package is python3-pip), or use --runtime docker"
        );
    }

    #[test]
    fn the_npm_of_an_interpreter_is_found_or_told_to_be_missing() {
        let version = host_interpreter(Language::Node).unwrap().version;
        let mut found = Interpreter::find(Language::Node, &version).unwrap();
        let installer = found.installer().unwrap();
        assert!(installer.from.join("bin/npm-cli.js").is_file(), "{installer:?}");
        assert_eq!(installer.to, Path::new("/opt/installer/npm"));
        found.parts.executable = "/bin/false".into();
        found.parts.release = "22.1.0".to_owned();
        assert_eq!(
            found.installer().unwrap_err().to_string(),
            "packages cannot be installed: the runtime 'oci' installs them with this machine's own npm, and Node 22.1.0 \
             (/bin/false) has none; install npm for it (Debian's package is npm), or use --runtime docker"
        );
    }

    #[test]
    fn an_interpreter_is_asked_without_variables_that_may_be_secrets() {
        let told = program(Path::new("env")).output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let names: Vec<_> = told.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        let needed: Vec<_> = environment_of_programs().map(|(name, _)| name).collect();
        assert!(names.contains(&"PATH") && names.iter().all(|name| needed.contains(name)), "{told}");
    }

    #[test]
    fn an_interpreter_knows_its_parts() {
        let found =
            Interpreter::find(Language::Python, &host_interpreter(Language::Python).unwrap().version)
                .unwrap();
        assert!(found.executable.is_file());
        assert!(found.standard_library.iter().any(|folder| folder.join("json/__init__.py").is_file()));
    }
}
