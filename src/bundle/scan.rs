//! The selection of the files of a folder that are packed: all but those that a rule names, that no function
//! needs, or that may hold secrets.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{
    Error, MAX_DEPTH, MAX_FILES, MAX_FOLDERS, MAX_UNPACKED,
    docker_rules::{self, DockerRules, Matched},
    ignore_rules::{Rules, Verdict},
    include::Places,
    left_out::{LeftOut, Reason},
    path::clean,
};

/// Folders that no function needs; a line `!name` in .cloudfuncignore includes one again.
const FOLDERS: [&str; 14] = [
    ".hg",
    ".svn",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    ".idea",
    ".vscode",
    ".ipynb_checkpoints",
    ".hypothesis",
];
/// A folder of packages that only some functions can use.
pub(super) const NODE_MODULES: &str = "node_modules";
/// Files that no function needs.
const FILES: [&str; 2] = [".DS_Store", "Thumbs.db"];
/// Suffixes of `.env.…` files that are examples and hold no secrets.
const EXAMPLES: [&str; 4] = ["example", "sample", "template", "dist"];

/// The files that are packed, and those that are left out.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Everything except folders, relative to the folder, in order.
    pub files: Vec<PathBuf>,
    pub left_out: LeftOut,
    /// Lists of the files of installed packages: `x-1.dist-info/RECORD`.
    pub records: Vec<PathBuf>,
}

/// The files that a function can use.
#[derive(Debug)]
pub(super) enum Wanted {
    /// Code, without `node_modules`.
    Code,
    /// Code, and `node_modules`.
    CodeWithModules,
    /// Whatever a Dockerfile may copy: all but what `.dockerignore` and `.cloudfuncignore` name, and secrets.
    Everything(DockerRules),
}

/// Scans a folder, and those that it includes.
pub(super) fn scan(folder: &Path, places: &Places, wanted: Wanted) -> Result<Scanned, Error> {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let top = folder.canonicalize().map_err(unreadable)?;
    let rules = Rules::above(&top, &top)?;
    let mut scan = Scan { rules, wanted, folders: 0, size: 0, found: Scanned::default() };
    scan.folder(&top, Path::new(""), 0, &[])?;
    places.refuse_clashes(&scan.found.files)?;
    for included in &places.included {
        let before = scan.found.files.len();
        scan.rules = Rules::above(&included.folder, &top)?;
        let name = Path::new(&included.include.name);
        let (_, matched) = scan.docker(name, true, &[]);
        scan.folder(&included.folder, name, 1, &matched)?;
        if scan.found.files.len() == before {
            let problem = "no file of it is packed; add one, or remove it from the list";
            return Err(places.error(&included.include, problem));
        }
    }
    let mut found = scan.found;
    found.files.sort();
    Ok(found)
}

struct Scan {
    rules: Rules,
    wanted: Wanted,
    folders: usize,
    size: u64,
    found: Scanned,
}

impl Scan {
    /// Scans a folder; `above` are Docker's rules that match it.
    fn folder(
        &mut self,
        full: &Path,
        relative: &Path,
        depth: usize,
        above: &[bool],
    ) -> Result<(), Error> {
        self.folders += 1;
        // The folder itself does not count.
        if self.folders > MAX_FOLDERS + 1 {
            return Err(Error::TooManyFolders);
        }
        if depth > MAX_DEPTH {
            let path = relative.display().to_string();
            return Err(Error::entry(path, format!("lies more than {MAX_DEPTH} folders deep")));
        }
        let unreadable = |source| Error::Read { path: full.to_owned(), source };
        let mut names: Vec<OsString> = fs::read_dir(full)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(unreadable)?;
        names.sort();
        self.rules.enter(full)?;
        for name in &names {
            self.entry(full, relative, name, &names, (depth, above))?;
        }
        self.rules.leave();
        Ok(())
    }

    fn entry(
        &mut self,
        folder: &Path,
        relative: &Path,
        name: &OsStr,
        names: &[OsString],
        (depth, above): (usize, &[bool]),
    ) -> Result<(), Error> {
        let full = folder.join(name);
        let relative = relative.join(name);
        let metadata =
            fs::symlink_metadata(&full).map_err(|source| Error::Read { path: full.clone(), source })?;
        let is_folder = metadata.is_dir();
        if is_folder && name.as_bytes().ends_with(b".dist-info") && full.join("RECORD").is_file() {
            self.found.records.push(relative.join("RECORD"));
        }
        let slash = if is_folder { "/" } else { "" };
        let (verdict, matched) = self.docker(&relative, is_folder, above);
        let reason = match verdict {
            docker_rules::Verdict::LeftOut(reason) => Some(reason),
            _ => self.reason(&full, name, is_folder, names),
        };
        if let Some(reason) = reason {
            self.found.left_out.add(format!("{}{slash}", relative.display()), reason);
            return Ok(());
        }
        if is_folder {
            return self.folder(&full, &relative, depth + 1, &matched);
        }
        clean(relative.as_os_str().as_bytes())?;
        if self.found.files.len() == MAX_FILES {
            return Err(Error::TooManyFiles);
        }
        self.size += if metadata.is_file() { metadata.len() } else { 0 };
        if self.size > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        self.found.files.push(relative);
        Ok(())
    }

    /// Returns the verdict of `.dockerignore`, and its rules that match a path.
    fn docker(
        &self,
        relative: &Path,
        is_folder: bool,
        above: &[bool],
    ) -> (docker_rules::Verdict, Matched) {
        match &self.wanted {
            Wanted::Everything(rules) => rules.of(relative, is_folder, above),
            Wanted::Code | Wanted::CodeWithModules => (docker_rules::Verdict::Packed, Matched::new()),
        }
    }

    fn reason(&self, full: &Path, name: &OsStr, is_folder: bool, names: &[OsString]) -> Option<Reason> {
        if name == ".git" {
            return Some(Reason::NotNeeded);
        }
        let text = name.to_str().unwrap_or_default();
        let verdict = match &self.wanted {
            Wanted::Everything(_) => self.rules.of_own(full, is_folder),
            Wanted::Code | Wanted::CodeWithModules => self.rules.of(full, is_folder),
        };
        if self.is_not_needed(full, text, is_folder, names) && verdict != Verdict::TakenBack {
            return Some(Reason::NotNeeded);
        }
        if may_hold_secrets(text) {
            return Some(Reason::Secret { is_wanted: verdict == Verdict::TakenBack });
        }
        match verdict {
            Verdict::LeftOut { place, rule } => Some(Reason::Rule { place, rule }),
            Verdict::Nothing | Verdict::TakenBack => None,
        }
    }

    fn is_not_needed(&self, full: &Path, name: &str, is_folder: bool, names: &[OsString]) -> bool {
        if matches!(self.wanted, Wanted::Everything(_)) {
            return false;
        }
        if is_folder {
            return FOLDERS.contains(&name)
                || name == NODE_MODULES && matches!(self.wanted, Wanted::Code)
                || full.join("pyvenv.cfg").is_file();
        }
        // The interpreter uses the source if both exist.
        let stem = name.strip_suffix(".pyc").or_else(|| name.strip_suffix(".pyo"));
        let has_source = |stem: &str| {
            let source = OsString::from(format!("{stem}.py"));
            names.binary_search(&source).is_ok()
        };
        FILES.contains(&name) || stem.is_some_and(has_source)
    }
}

fn may_hold_secrets(name: &str) -> bool {
    let rest = name.strip_prefix(".env.");
    matches!(name, ".env" | ".envrc") || rest.is_some_and(|rest| !EXAMPLES.contains(&rest))
}
