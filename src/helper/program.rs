//! The function's program: which file it is, with which variables it runs, and why it cannot be started.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use crate::{
    call::{FunctionError, Load, LoadError},
    children::{Child, Children},
    executable,
};

/// The PATH of a program whose image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The type of the errors of a program that cannot be started.
const KIND: &str = "command";

/// A program with its arguments and variables. It is looked for at each start.
pub struct Program {
    name: String,
    words: Vec<OsString>,
    variables: BTreeMap<OsString, OsString>,
    children: Children,
}

impl Program {
    /// Takes the program from `load`, or else the image's own words.
    pub fn new(load: &Load, of_image: &[OsString], children: &Children) -> Result<Self, LoadError> {
        let own: Vec<OsString> = load.command.iter().map(OsString::from).collect();
        let words = if own.is_empty() { of_image.to_vec() } else { own };
        if words.is_empty() {
            let message = "the image has neither an entry point nor a command: name the program in the manifest, for \
                           example command = [\"gunicorn\", \"app:app\"]";
            return Err(LoadError(FunctionError::new(KIND, message)));
        }
        let name = words[0].to_string_lossy().into_owned();
        Ok(Self { name, words, variables: variables(load), children: children.clone() })
    }

    /// Returns its name, as it was written.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Checks that it could be started, without doing so.
    pub fn check(&self) -> Result<(), FunctionError> {
        let path = self.find()?;
        executable::flaw(&path).map_or(Ok(()), |flaw| Err(self.error(&flaw)))
    }

    /// Starts it as the leader of a process group, with these variables besides its own, an empty standard input, and the
    /// host's outputs.
    pub fn spawn(&self, extra_env: &[(&str, String)]) -> Result<Child, FunctionError> {
        let streams = [Stdio::null(), Stdio::inherit(), Stdio::inherit()];
        Ok(self.start(extra_env, streams)?.0)
    }

    /// Starts it with these standard streams; those that are pipes are in what comes second. Only [`Child`] may wait for it.
    pub fn start(
        &self,
        extra_env: &[(&str, String)],
        [stdin, stdout, stderr]: [Stdio; 3],
    ) -> Result<(Child, process::Child), FunctionError> {
        let path = self.find()?;
        let is_by_name = !has_folder(&self.words[0]) && path.is_absolute();
        let started = Command::new(&path)
            .arg0(if is_by_name { self.words[0].as_os_str() } else { path.as_os_str() })
            .args(&self.words[1..])
            .env_clear()
            .envs(&self.variables)
            .envs(extra_env.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn();
        match started {
            Ok(process) => Ok((self.children.enter(process.id()), process)),
            Err(error) => {
                let flaw = executable::flaw(&path);
                Err(self.error(&flaw.unwrap_or_else(|| format!("cannot be started: {error}"))))
            }
        }
    }

    /// Finds its file: a name without a folder is one of the working directory's programs, or one on the PATH.
    fn find(&self) -> Result<PathBuf, FunctionError> {
        let name = &self.words[0];
        let here = env::current_dir().unwrap_or_default();
        if has_folder(name) {
            let path = Path::new(name);
            return match path.symlink_metadata() {
                Ok(_) => Ok(path.to_owned()),
                Err(_) => Err(self.error(&format!(
                    "is not found: there is no {}",
                    here.join(path.strip_prefix(".").unwrap_or(path)).display()
                ))),
            };
        }
        let own = Path::new(".").join(name);
        if executable::is_program(&own) {
            return Ok(own);
        }
        let path = self.variables.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let mut folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
        match folders.find(|folder| executable::is_program(&folder.join(name))) {
            Some(folder) => Ok(folder.join(name)),
            // The file may show why it is not a program.
            None if own.is_file() => Ok(own),
            None => Err(self.error(&format!(
                "is not found: it is neither in {} nor on the PATH, which is {}",
                here.display(),
                path.display()
            ))),
        }
    }

    fn error(&self, flaw: &str) -> FunctionError {
        FunctionError::new(KIND, format!("the program \"{}\" {flaw}", self.name))
    }
}

fn has_folder(name: &OsStr) -> bool {
    name.as_bytes().contains(&b'/')
}

/// Returns the variables of the program: those of this process, which are its image's, and then the function's own.
fn variables(load: &Load) -> BTreeMap<OsString, OsString> {
    let mut variables: BTreeMap<OsString, OsString> = env::vars_os().collect();
    variables.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH.into());
    let own = load.env.iter().chain(&load.secrets);
    variables.extend(own.map(|(name, value)| (name.into(), value.into())));
    if let Some(tree) = &load.packages {
        let trees = env::var_os("CLOUDFUNC_PACKAGES").unwrap_or_else(|| "/opt/packages".into());
        add_packages(&mut variables, &Path::new(&trees).join(tree));
    }
    variables
}

/// Lets the program find its installed packages, and the commands that came with them. Node finds them beside the code.
fn add_packages(variables: &mut BTreeMap<OsString, OsString>, tree: &Path) {
    let mut prepend = |name: &str, folder: PathBuf| {
        let before = variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let all = before.map_or_else(Vec::new, |value| env::split_paths(value).collect());
        if let Ok(value) = env::join_paths([folder].into_iter().chain(all)) {
            variables.insert(name.into(), value);
        }
    };
    if tree.join("node_modules").is_dir() {
        return prepend("PATH", tree.join("node_modules/.bin"));
    }
    prepend("PATH", tree.join("bin"));
    prepend("PYTHONPATH", tree.to_owned());
}
