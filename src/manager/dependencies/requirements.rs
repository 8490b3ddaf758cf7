//! The files that say which packages a function needs: the one that its language names, and those that it includes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;

use crate::{
    language::{Installer, MAX_DEPENDENCY_FILE},
    model::{Code, FunctionSpec, Language},
};

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
}

/// Texts by path; one form for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Texts(pub BTreeMap<String, String>);

/// Reads them from the unpacked code of a function; none when it asks for nothing. An error is the author's.
/// `has_index`: the platform names the index of packages.
pub fn read(spec: &FunctionSpec, code: &Path, has_index: bool) -> Result<Option<Requirements>, String> {
    let Code::Language { language, version, package: _ } = &spec.code else { return Ok(None) };
    let dependencies = language.facts().dependencies.as_ref();
    let Some((dependencies, installer)) =
        dependencies.and_then(|all| Some((all, all.installer.as_ref()?)))
    else {
        return Ok(None);
    };
    let file = dependencies.file;
    if !code.join(file).is_file() {
        return Ok(None);
    }
    let mut texts = BTreeMap::new();
    let mut waiting = vec![file.to_owned()];
    while let Some(path) = waiting.pop() {
        if texts.contains_key(&path) {
            continue;
        }
        if texts.len() == MAX_FILES {
            return Err(format!("{file} includes more than {MAX_FILES} files"));
        }
        let text = text(code, &path)?;
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
    let asks = texts.values().any(|text| (dependencies.asks)(text));
    let (language, version) = (*language, version.clone());
    Ok(asks.then_some(Requirements { language, version, installer, file, texts: Texts(texts) }))
}

fn text(code: &Path, path: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(code.join(path))
        .and_then(|file| file.take(MAX_DEPENDENCY_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{path}: {error}"))?;
    if bytes.len() as u64 > MAX_DEPENDENCY_FILE {
        return Err(format!("{path} is larger than 1 MiB"));
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
        Ok(read(&spec, folder.path(), false)?.map(|requirements| requirements.texts))
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
