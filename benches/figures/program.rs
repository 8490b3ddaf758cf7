//! The program that a row is measured on, and what it was built from.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{machine::said, options::Options};

const PROGRAM: &str = "CLOUDFUNC_PROGRAM";

#[derive(Clone, Debug)]
pub struct Program {
    /// Its rows have it behind their names; the first program's have none, and the goals are about them.
    pub name: Option<String>,
    pub path: PathBuf,
    /// Commit and profile.
    pub build: String,
}

impl Program {
    /// The program that cargo has built together with this one.
    fn built() -> Self {
        let path = PathBuf::from(env!("CARGO_BIN_EXE_cloudfunc"));
        let build = format!("{}, {}", commit(), profile(&path));
        Self { name: None, path, build }
    }

    /// Another one, of which only the file is known: its digest tells builds apart.
    fn given(name: Option<&str>, path: &Path) -> Self {
        let content = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let digest = hex::encode(&Sha256::digest(content)[..5]);
        let named = name.map(|name| format!("{name}: ")).unwrap_or_default();
        let build = format!("{named}file {digest}, commit unknown, {}", profile(path));
        Self { name: name.map(str::to_owned), path: path.to_owned(), build }
    }

    /// Those that take turns.
    pub fn all(options: &Options) -> Vec<Self> {
        if options.programs.is_empty() {
            let other = env::var_os(PROGRAM).map(PathBuf::from);
            return vec![other.map_or_else(Self::built, |path| Self::given(None, &path))];
        }
        let given = options.programs.iter().map(|(name, path)| Self::given(Some(name), path));
        let mut all: Vec<_> = given.collect();
        all[0].name = None;
        all
    }
}

/// What this program was built from, and with it the floors.
pub fn harness() -> String {
    format!("{}, {}", commit(), profile(&env::current_exe().unwrap_or_default()))
}

/// Of the sources that cargo has just built, with `-dirty` when they are changed; a tarball has none.
fn commit() -> String {
    let mut git = std::process::Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=10"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    match said(&mut git).as_str() {
        "unknown" => "commit unknown".to_owned(),
        commit => commit.to_owned(),
    }
}

/// Cargo puts what it builds into a folder of the profile's name.
fn profile(path: &Path) -> &'static str {
    let is_in = |name: &str| path.iter().rev().skip(1).take(2).any(|part| part == name);
    ["dist", "release", "debug"].into_iter().find(|name| is_in(name)).unwrap_or("profile unknown")
}
