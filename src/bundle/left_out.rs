//! The files that packing leaves out, with the reasons: reported after every deploy.

use std::{collections::BTreeMap, fmt};

use super::MAX_FILES;

/// The maximum number of names that are shown for each reason.
const FIRST: usize = 3;

/// The reason why a file or folder is not packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A line of a file of rules.
    Rule {
        place: String,
        rule: String,
    },
    NotNeeded,
    Secret {
        /// A line of `.cloudfuncignore` asks to pack it nevertheless.
        is_wanted: bool,
    },
}

/// Everything that was left out for one reason. A folder counts once, whatever it contains.
#[derive(Debug, Clone)]
pub struct Group {
    pub reason: Reason,
    pub count: usize,
    /// The first names, folders with a slash at the end.
    pub first: Vec<String>,
}

/// The files that were left out of a folder.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    pub groups: Vec<Group>,
    /// Paths with the index of their group: only the first 20,000 ones, so that this stays small.
    paths: BTreeMap<String, usize>,
}

impl LeftOut {
    /// Adds a path; the path of a folder ends with a slash.
    pub(super) fn add(&mut self, path: String, reason: Reason) {
        let at = self.groups.iter().position(|group| group.reason == reason).unwrap_or_else(|| {
            self.groups.push(Group { reason, count: 0, first: Vec::new() });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.count += 1;
        if group.first.len() < FIRST {
            group.first.push(path.clone());
        }
        if self.paths.len() < MAX_FILES {
            self.paths.insert(path, at);
        }
    }

    /// Returns the reason why a path is left out: by itself, or as part of a folder.
    pub fn why(&self, path: &str) -> Option<&Reason> {
        let folders = path.match_indices('/').map(|(end, _)| &path[..=end]);
        let mut all = folders.chain([path]);
        all.find_map(|path| self.paths.get(path)).map(|at| &self.groups[*at].reason)
    }
}

/// Shows a rule as `.gitignore:3: *.so`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { place, rule } => write!(f, "{}: {}", shown(place), shown(rule)),
            Self::NotNeeded => f.write_str("what no function needs"),
            Self::Secret { .. } => f.write_str("what may hold secrets"),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = self.first.iter().map(|name| shown(name)).collect();
        if self.count > names.len() {
            names.push("…".to_owned());
        }
        let names = names.join(", ");
        match &self.reason {
            Reason::Rule { .. } => write!(f, "{} left out by {} ({names})", self.count, self.reason),
            Reason::NotNeeded => {
                write!(f, "{} left out, because no function needs them ({names})", self.count)
            }
            Reason::Secret { is_wanted } => write!(
                f,
                "{} never packed, because they may hold secrets ({names}); {}give the function its values with [env] \
                 in cloudfunc.toml",
                self.count,
                if *is_wanted { "the line of .cloudfuncignore with `!` is ignored; " } else { "" }
            ),
        }
    }
}

/// Shows a name or rule without control characters, shortened to one line.
pub(super) fn shown(text: &str) -> String {
    let escaped = match text.chars().any(super::path::is_control) {
        true => text.escape_debug().to_string(),
        false => text.to_owned(),
    };
    super::shorten(&escaped)
}
