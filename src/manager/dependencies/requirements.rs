//! The files that say which packages a function needs: the one that its language names, and those that it includes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;

use crate::{
    language::{Dependencies, Index, Installer, MAX_DEPENDENCY_FILE, Selected},
    model::{Code, FunctionSpec, Language},
    units::show_bytes,
};

/// The limit of the files beside the first one, in bytes: a lock of npm's names each package with its checksum.
const MAX_BESIDE: u64 = 8 * MAX_DEPENDENCY_FILE;

/// The most files, so that they end: a file may include itself.
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
    /// What of them only the installer sees.
    pub secrets: Secrets,
    /// Lines for people who deploy.
    pub notices: Vec<String>,
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
    let file = dependencies.file;
    if !code.join(file).is_file() || has_own(dependencies, code) {
        return Ok(None);
    }
    let has_index = has_index(installer.index);
    let mut texts = BTreeMap::new();
    let mut waiting = vec![file.to_owned()];
    while let Some(path) = waiting.pop() {
        if texts.contains_key(&path) {
            continue;
        }
        if texts.len() == MAX_FILES {
            return Err(format!("{file} includes more than {MAX_FILES} files"));
        }
        let text = text(code, &path, MAX_DEPENDENCY_FILE)?;
        for entry in (installer.entries)(&text, has_index) {
            let wrong =
                |why: &str| without_passwords(&format!("{path}:{}: {why}: {}", entry.line, entry.text));
            for other in entry.includes.map_err(wrong)? {
                let other = beside(&path, &other).ok_or_else(|| wrong("it leads out of the folder"))?;
                if !code.join(&other).is_file() {
                    return Err(wrong(&format!("the function's folder has no {other}")));
                }
                waiting.push(other);
            }
        }
        texts.insert(path, text);
    }
    if !texts.values().any(|text| (dependencies.asks)(text)) {
        return Ok(None);
    }
    for path in installer.beside.iter().filter(|path| code.join(path).is_file()) {
        texts.insert((*path).to_owned(), text(code, path, MAX_BESIDE)?);
    }
    let selected = (installer.select)(&texts, has_index).map_err(|why| without_passwords(&why))?;
    let Selected { texts, secrets, notices } = selected;
    let (language, version) = (*language, version.clone());
    let (texts, secrets) = (Texts(texts), Secrets(secrets));
    Ok(Some(Requirements { language, version, installer, file, texts, secrets, notices }))
}

/// Whether the function's folder has its packages itself: they are used as they are.
fn has_own(dependencies: &Dependencies, code: &Path) -> bool {
    dependencies.folder.is_some_and(|folder| fs::symlink_metadata(code.join(folder)).is_ok())
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
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn read_of(manifest: &str, files: &[(&str, &str)]) -> Result<Option<Texts>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let spec = manifest::parse(manifest, manifest::FILE, &Defaults::default()).unwrap().spec;
        Ok(read(&spec, folder.path(), |_| false)?.map(|requirements| requirements.texts))
    }

    #[test]
    fn a_function_asks_for_what_its_files_name() {
        let asked = |files| {
            read_of("", files).unwrap().map(|Texts(texts)| texts.into_keys().collect::<Vec<_>>())
        };
        assert_eq!(asked(&[("function.py", "")]), None);
        assert_eq!(asked(&[("requirements.txt", "# none\n\n")]), None);
        assert_eq!(asked(&[("requirements.txt", "a\n")]), Some(vec!["requirements.txt".to_owned()]));
        let nested = [
            ("requirements.txt", "-r sets/base.txt\n"),
            ("sets/base.txt", "-c ../limits.txt\na\n-r base.txt\n"),
            ("limits.txt", "a<2\n"),
        ];
        assert_eq!(asked(&nested).unwrap(), ["limits.txt", "requirements.txt", "sets/base.txt"]);
        assert_eq!(read_of("image = 'x'", &[("requirements.txt", "a")]), Ok(None));
        assert_eq!(read_of("language = 'node'", &[("requirements.txt", "a")]), Ok(None));
    }

    #[test]
    fn a_line_that_cannot_be_followed_is_named_with_its_place() {
        for (text, message) in [
            ("a\n-r base.txt", "requirements.txt:2: the function's folder has no base.txt: -r base.txt"),
            ("-r ../base.txt", "requirements.txt:1: it leads out of the folder: -r ../base.txt"),
            ("-r /base.txt", "requirements.txt:1: it leads out of the folder: -r /base.txt"),
            (
                " -e .",
                "requirements.txt:1: this version installs wheels only, from an index or a folder of them: -e .",
            ),
            (
                "a\n-r b.txt \\\n  -e git+https://u:hunter2@h/a@b.git#egg=a # why",
                "requirements.txt:2: this version installs wheels only, from an index or a folder of them: -r b.txt   -e \
                 git+https://h/a@b.git#egg=a",
            ),
            (
                "./a",
                "requirements.txt:1: a path is not installed; code of your own is packed with the function, or included \
                 by `build.include`: ./a",
            ),
        ] {
            assert_eq!(read_of("", &[("requirements.txt", text)]).unwrap_err(), message);
        }
        let large = "#".repeat(1024 * 1024 + 1);
        assert_eq!(
            read_of("", &[("requirements.txt", &large)]).unwrap_err(),
            "requirements.txt is larger than 1 MiB"
        );
    }

    #[test]
    fn a_line_is_shown_without_passwords() {
        for (line, shown) in [
            ("a @ https://u:hunter2@h/x.zip", "a @ https://h/x.zip"),
            ("https://u:hunt@er2@h?x -i //hunter2@h", "https://h?x -i //h"),
            ("git+ssh://git@h/x.git@v1", "git+ssh://h/x.git@v1"),
            ("a // b@c ///d@e", "a // b@c ///d@e"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(line), shown);
        }
    }
}
