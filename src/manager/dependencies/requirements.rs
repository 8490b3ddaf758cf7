//! The files that say which packages a function needs: the one that its language names and those that it includes, or
//! else the one that describes the whole project.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;

use crate::{
    language::{Dependencies, Entry, Index, Installer, MAX_DEPENDENCY_FILE, Project, Rules, Selected},
    model::{Code, FunctionSpec, Language},
    units::show_bytes,
};

/// The limit of the files beside the first one, in bytes: a lock of npm's names each package with its checksum.
const MAX_BESIDE: u64 = 8 * MAX_DEPENDENCY_FILE;

/// The most files.
const MAX_FILES: usize = 100;

/// The packages that a function asks for.
#[derive(Clone, Debug)]
pub struct Requirements {
    pub language: Language,
    /// The version of the language, as the function's manifest has it.
    pub version: String,
    pub installer: &'static Installer,
    /// The name of the first file.
    pub file: &'static str,
    /// The texts of all files, by their paths in the function's folder.
    pub texts: Texts,
    /// The texts that only the installer sees.
    pub secrets: Secrets,
    /// Lines for people who deploy.
    pub notices: Vec<String>,
    /// Each package that is asked for, without options, and where.
    pub packages: Vec<Package>,
    /// The entries that name an index of packages.
    pub indexes: Vec<String>,
    /// Packages are built from their sources where there is nothing else.
    pub from_source: bool,
}

/// A package that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Package {
    /// The file and line, for people.
    pub place: String,
    pub text: String,
}

/// Texts by path that are shown nowhere.
#[derive(Clone, Default)]
pub struct Secrets(pub BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Texts by path; one form for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Texts(pub BTreeMap<String, String>);

impl Requirements {
    /// Returns those of a function that asks for nothing: enough to open its language's sandbox.
    pub fn none(
        language: Language,
        version: String,
        installer: &'static Installer,
        file: &'static str,
    ) -> Self {
        Self {
            language,
            version,
            installer,
            file,
            texts: Texts::default(),
            secrets: Secrets::default(),
            notices: Vec::new(),
            packages: Vec::new(),
            indexes: Vec::new(),
            from_source: false,
        }
    }

    /// Returns the texts without what makes no difference.
    pub fn normal(&self) -> Texts {
        let normal = |(path, text): (&String, &String)| (path.clone(), (self.installer.normal)(text));
        Texts(self.texts.0.iter().map(normal).collect())
    }
}

/// Reads them from the unpacked code of a function; none when it asks for nothing. An error is the author's.
/// `has_index`: whether the platform names the index of packages of this kind.
pub fn read(
    spec: &FunctionSpec,
    code: &Path,
    has_index: impl Fn(Index) -> bool,
) -> Result<Option<Requirements>, String> {
    let Code::Language { language, version, package: _ } = &spec.code else { return Ok(None) };
    let dependencies = language.facts().dependencies.as_ref();
    let Some((dependencies, installer)) =
        dependencies.and_then(|all| Some((all, all.installer.as_ref()?)))
    else {
        return Ok(None);
    };
    if has_own(dependencies, code) {
        return Ok(None);
    }
    let rules = Rules { has_index: has_index(installer.index), from_source: spec.from_source };
    let mut found = Found::new(code, installer, rules);
    let (file, asks) = match &dependencies.project {
        _ if code.join(dependencies.file).is_file() => {
            found.follow(&mut vec![dependencies.file.to_owned()])?;
            (dependencies.file, found.texts.values().any(|text| (dependencies.asks)(text)))
        }
        Some(project) if code.join(project.file).is_file() => {
            (project.file, found.project(project, version)?)
        }
        _ => return Ok(None),
    };
    if !asks {
        return Ok(None);
    }
    let Found { mut texts, packages, indexes, .. } = found;
    for path in installer.beside.iter().filter(|path| code.join(path).is_file()) {
        texts.insert((*path).to_owned(), text(code, path, MAX_BESIDE)?);
    }
    let selected = (installer.select)(&texts, rules.has_index).map_err(|why| without_passwords(&why))?;
    let Selected { texts, secrets, notices } = selected;
    Ok(Some(Requirements {
        language: *language,
        version: version.clone(),
        installer,
        file,
        texts: Texts(texts),
        secrets: Secrets(secrets),
        notices,
        packages,
        indexes,
        from_source: spec.from_source,
    }))
}

/// The files that were read so far.
struct Found<'f> {
    code: &'f Path,
    installer: &'static Installer,
    rules: Rules,
    texts: BTreeMap<String, String>,
    packages: Vec<Package>,
    indexes: Vec<String>,
    /// Those whose included files were read, too.
    followed: BTreeSet<String>,
}

impl<'f> Found<'f> {
    fn new(code: &'f Path, installer: &'static Installer, rules: Rules) -> Self {
        let (texts, followed) = (BTreeMap::new(), BTreeSet::new());
        Self { code, installer, rules, texts, packages: Vec::new(), indexes: Vec::new(), followed }
    }

    /// Reads the last file of a path of includes, and those that it includes.
    fn follow(&mut self, path: &mut Vec<String>) -> Result<(), String> {
        let file = path.last().cloned().unwrap_or_default();
        if self.texts.len() == MAX_FILES {
            return Err(format!("{} includes more than {MAX_FILES} files", path[0]));
        }
        let text = text(self.code, &file, MAX_DEPENDENCY_FILE)?;
        let entries = (self.installer.entries)(&text, self.rules);
        self.texts.insert(file.clone(), text);
        for entry in entries {
            let line = entry.line;
            let wrong =
                |why: &str, text: &str| without_passwords(&format!("{file}:{line}: {why}: {text}"));
            let text = entry.text.clone();
            for other in self.take(entry, format!("{file}:{line}")).map_err(|why| wrong(why, &text))? {
                let other =
                    beside(&file, &other).ok_or_else(|| wrong("it leads out of the folder", &text))?;
                if !self.code.join(&other).is_file() {
                    return Err(wrong(&format!("the function's folder has no {other}"), &text));
                }
                if let Some(begin) = path.iter().position(|open| *open == other) {
                    let circle = [&path[begin..], &[other]].concat().join(" includes ");
                    return Err(wrong(
                        &format!("files include each other in a circle ({circle})"),
                        &text,
                    ));
                }
                if !self.followed.contains(&other) {
                    path.push(other);
                    self.follow(path)?;
                    path.pop();
                }
            }
        }
        self.followed.insert(file);
        Ok(())
    }

    /// Takes an entry; returns the files that it includes.
    fn take(&mut self, entry: Entry, place: String) -> Result<Vec<String>, &'static str> {
        let includes = entry.includes?;
        if entry.names_index {
            self.indexes.push(entry.text);
        }
        self.packages.extend(entry.package.map(|text| Package { place, text }));
        Ok(includes)
    }

    /// Reads the packages of a project, as a file that lists them; returns whether there are any.
    fn project(&mut self, project: &Project, version: &str) -> Result<bool, String> {
        let has = |name: &str| self.code.join(name).is_file();
        let listed =
            (project.packages)(&text(self.code, project.file, MAX_DEPENDENCY_FILE)?, version, &has)?;
        for package in &listed {
            let wrong = |why: &str| without_passwords(&format!("{}: {why}: {package}", project.file));
            let mut entries = (self.installer.entries)(package, self.rules).into_iter();
            // A line is one package, and nothing of it leads to the next line.
            let entry = match (entries.next(), entries.next()) {
                (Some(entry), None) if entry.text == *package && !package.contains('\\') => entry,
                _ => return Err(wrong("it is not the name of a package with its versions")),
            };
            if entry.package.is_none() && entry.includes.is_ok() {
                return Err(wrong("it is not the name of a package with its versions"));
            }
            let includes = self.take(entry, project.file.to_owned()).map_err(wrong)?;
            debug_assert!(includes.is_empty(), "a package includes no file");
        }
        self.texts.insert(project.file.to_owned(), listed.join("\n"));
        Ok(!listed.is_empty())
    }
}

/// Returns whether the function's folder has its packages itself: they are used as they are.
fn has_own(dependencies: &Dependencies, code: &Path) -> bool {
    dependencies.folder.is_some_and(|folder| fs::symlink_metadata(code.join(folder)).is_ok())
}

/// Returns the name of the folder in which code has its packages itself; none where it has no such folder.
pub fn own_folder(spec: &FunctionSpec, code: &Path) -> Option<&'static str> {
    let Code::Language { language, version: _, package: _ } = &spec.code else { return None };
    let dependencies = language.facts().dependencies.as_ref()?;
    dependencies.folder.filter(|_| has_own(dependencies, code))
}

/// Returns a line for whoever deploys a function that asks for packages and has them itself.
pub fn notice(spec: &FunctionSpec, code: &Path) -> Option<String> {
    let Code::Language { language, version: _, package: _ } = &spec.code else { return None };
    let dependencies = language.facts().dependencies.as_ref()?;
    let (file, folder) = (dependencies.file, dependencies.folder?);
    let asks = text(code, file, MAX_DEPENDENCY_FILE).is_ok_and(|text| (dependencies.asks)(&text));
    (asks && has_own(dependencies, code)).then(|| {
        format!(
            "the packages are those of {folder} in the function's folder, as they are; a line `/{folder}` in .cloudfuncignore \
             has those of {file} installed instead"
        )
    })
}

fn text(code: &Path, path: &str, most: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(code.join(path)).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{path}: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("{path} is larger than {}", show_bytes(most)));
    }
    String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))
}

/// Returns the path of a file that another one names, in the function's folder; none where it leads out.
fn beside(path: &str, other: &str) -> Option<String> {
    let mut full = PathBuf::from(path);
    full.pop();
    for part in Path::new(other).components() {
        match part {
            Component::Normal(part) => full.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !full.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    full.to_str().map(str::to_owned)
}

/// Leaves out users and passwords of addresses.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("//");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#');
        let host = &part[..part.find(ends).unwrap_or(part.len())];
        let user = host.rfind('@').map_or(0, |at| at + 1);
        shown.push_str("//");
        shown.push_str(&part[user..]);
    }
    shown
}

#[cfg(test)]
mod tests;
