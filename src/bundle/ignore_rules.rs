//! The rules of `.gitignore`, `.cloudfuncignore` and `.git/info/exclude` for a path, with the line of each.
//!
//! `.cloudfuncignore` has precedence over the two of git, and a file in a subfolder over one further up; within
//! a file, the last matching line counts. Files of parent folders count up to the top of the repository. A
//! user's global excludes do not: the same folder must be the same function on every machine.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder, Glob},
};

use super::Error;

/// The file of rules for deploying.
pub(super) const OWN: &str = ".cloudfuncignore";
/// The size limit of a file of rules, in bytes.
const MAX_RULES: u64 = 1024 * 1024;

/// The rules that apply in a folder: those of the folders above it come first.
#[derive(Debug)]
pub(super) struct Rules {
    /// The function's folder, from which places are shown.
    seen_from: PathBuf,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    own: Gitignore,
    git: Gitignore,
    /// The top folder of the repository.
    exclude: Option<Gitignore>,
}

/// The verdict of the rules on a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// A line of `.cloudfuncignore` begins with `!`.
    TakenBack,
    LeftOut {
        /// The place of the rule, relative to the function's folder: `.gitignore:3`.
        place: String,
        /// The text of the line.
        rule: String,
    },
}

impl Rules {
    /// Reads the rules of the folders above `top`, and shows their places as seen from another folder. Both are
    /// absolute paths without links.
    pub fn above(top: &Path, seen_from: &Path) -> Result<Self, Error> {
        let is_repository = |folder: &&Path| folder.join(".git").exists();
        let mut above: Vec<&Path> = Vec::new();
        if !is_repository(&top) {
            for folder in top.ancestors().skip(1) {
                above.push(folder);
                if is_repository(&folder) {
                    break;
                }
            }
        }
        let mut rules = Self { seen_from: seen_from.to_owned(), levels: Vec::new() };
        for folder in above.into_iter().rev() {
            rules.enter(folder)?;
        }
        Ok(rules)
    }

    /// Reads the rules of a folder.
    pub fn enter(&mut self, folder: &Path) -> Result<(), Error> {
        let own = self.read(folder, &folder.join(OWN))?;
        let git = self.read(folder, &folder.join(".gitignore"))?;
        let exclude = exclude_file(folder).map(|file| self.read(folder, &file)).transpose()?;
        self.levels.push(Level { own, git, exclude });
        Ok(())
    }

    /// Drops the rules of the folder that was entered last.
    pub fn leave(&mut self) {
        self.levels.pop();
    }

    /// Returns the verdict of `.cloudfuncignore` alone.
    pub fn of_own(&self, path: &Path, is_folder: bool) -> Verdict {
        for level in self.levels.iter().rev() {
            match level.own.matched(path, is_folder) {
                Match::None => {}
                Match::Ignore(glob) => return left_out(glob),
                Match::Whitelist(_) => return Verdict::TakenBack,
            }
        }
        Verdict::Nothing
    }

    pub fn of(&self, path: &Path, is_folder: bool) -> Verdict {
        let own = self.of_own(path, is_folder);
        if own != Verdict::Nothing {
            return own;
        }
        for level in self.levels.iter().rev() {
            match level.git.matched(path, is_folder) {
                Match::None => {}
                Match::Ignore(glob) => return left_out(glob),
                Match::Whitelist(_) => return Verdict::Nothing,
            }
            if let Some(exclude) = &level.exclude {
                return match exclude.matched(path, is_folder) {
                    Match::Ignore(glob) => left_out(glob),
                    Match::None | Match::Whitelist(_) => Verdict::Nothing,
                };
            }
        }
        Verdict::Nothing
    }

    /// Reads a file of rules. A file that does not exist has no rules. A line that is not a valid rule has no
    /// effect, as in git.
    fn read(&self, folder: &Path, file: &Path) -> Result<Gitignore, Error> {
        let mut bytes = Vec::new();
        let read =
            File::open(file).and_then(|opened| opened.take(MAX_RULES + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(Error::Read { path: file.to_owned(), source }),
        }
        let shown = self.shown(file);
        if bytes.len() as u64 > MAX_RULES {
            return Err(Error::entry(shown, "is larger than 1 MiB"));
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut builder = GitignoreBuilder::new(folder);
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let place = format!("{shown}:{}", number + 1);
            let _ = builder.add_line(Some(place.into()), line);
        }
        builder.build().map_err(|error| Error::entry(shown, format!("cannot be used: {error}")))
    }

    /// Shows a path relative to the function's folder: `pkg/.gitignore`, `../../.gitignore`.
    fn shown(&self, file: &Path) -> String {
        let mut ups = String::new();
        for folder in self.seen_from.ancestors() {
            if let Ok(rest) = file.strip_prefix(folder) {
                return format!("{ups}{}", rest.display());
            }
            ups.push_str("../");
        }
        file.display().to_string()
    }
}

fn left_out(glob: &Glob) -> Verdict {
    let place = glob.from().map(|place| place.display().to_string()).unwrap_or_default();
    Verdict::LeftOut { place, rule: glob.original().to_owned() }
}

/// Returns the exclude file of a repository: in a worktree or submodule, `.git` is a file that says where the
/// rest is.
fn exclude_file(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git.join("info/exclude"));
    }
    let text = std::fs::read_to_string(&git).ok()?;
    let own = folder.join(text.strip_prefix("gitdir:")?.trim());
    let common = std::fs::read_to_string(own.join("commondir"));
    let common = common.map_or_else(|_| own.clone(), |common| own.join(common.trim()));
    // Without `..` inside, messages about it stay short.
    Some(common.canonicalize().unwrap_or(common).join("info/exclude"))
}
