//! Advice for a folder that holds a program rather than a handler: a web application, or sources that the platform does not
//! build.

use std::{fs::File, io::Read as _, path::Path};

use crate::{
    bundle::{BOOTSTRAP_NOT_EXECUTABLE, for_sources},
    manifest,
    model::Language,
};

/// The size limit of a file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Returns what to do about a folder with a web application in place of a handler, for a manifest of this language.
pub fn web_application(folder: &Path, language: Language) -> Option<String> {
    let read = |file: &str| text(&folder.join(file));
    let (of, found) = Language::ALL
        .iter()
        .find_map(|language| Some((*language, (language.facts().web_application)(&read)?)))?;
    let keys = match of == language {
        true => "`interface = \"http\"`".to_owned(),
        false => format!("`language = \"{of}\"`, `interface = \"http\"`"),
    };
    let words: Vec<String> = found.command.iter().map(|word| format!("{word:?}")).collect();
    Some(format!(
        "there is {}: for a web application, write {keys} and `command = [{}]` into {}; {}",
        found.seen,
        words.join(", "),
        folder.join(manifest::FILE).display(),
        found.needs
    ))
}

/// Returns what to do about a folder without any code that the platform runs; `files` are the names in it.
pub fn unbuilt(folder: &Path, files: &[String]) -> Option<String> {
    let is_there = |name: &str| folder.join(name).is_file();
    if is_there(manifest::BOOTSTRAP) && !is_there(manifest::FILE) {
        return Some(BOOTSTRAP_NOT_EXECUTABLE.to_owned());
    }
    for_sources(&files.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Returns the text of a file, if it is one and not too long.
fn text(file: &Path) -> Option<String> {
    let mut text = String::new();
    let read = File::open(file).ok()?.take(MAX_FILE).read_to_string(&mut text);
    read.ok().map(|_| text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn hint(language: Language, files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let hint = web_application(folder.path(), language);
        let hint = hint.or_else(|| unbuilt(folder.path(), &names))?;
        Some(hint.replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_web_application_is_told_with_the_command_of_its_server() {
        let app = [("app.py", "app = Flask(__name__)\n")];
        let rest = "`interface = \"http\"` and `command = [\"gunicorn\", \"app:app\"]` into cloudfunc.toml; gunicorn has to \
                    be in requirements.txt";
        assert_eq!(
            hint(Language::Python, &app).unwrap(),
            format!("there is app.py with Flask: for a web application, write {rest}")
        );
        assert_eq!(
            hint(Language::Node, &app).unwrap(),
            format!(
                "there is app.py with Flask: for a web application, write `language = \"python\"`, {rest}"
            )
        );
    }

    #[test]
    fn sources_of_other_languages_are_told_to_be_built() {
        for (file, start) in [
            (
                "Dockerfile",
                "there is Dockerfile: `dockerfile = \"Dockerfile\"` in cloudfunc.toml, in place of `language`, has the \
                 platform build its image; `interface = \"http\"`, \"command\" or \"lambda\" beside it says what the \
                 image is",
            ),
            (
                "Cargo.toml",
                "there is Cargo.toml: build the program first, statically, as with `cargo build --release --target ",
            ),
            (
                "go.mod",
                "there is go.mod: build the program first, as with `CGO_ENABLED=0 go build -o bootstrap .`",
            ),
            (
                "main.go",
                "there is main.go: build the program first, as with `CGO_ENABLED=0 go build -o bootstrap main.go`",
            ),
            ("Makefile", "there is Makefile: build the program first, so that bootstrap is there"),
            ("bootstrap", BOOTSTRAP_NOT_EXECUTABLE),
        ] {
            let told = hint(Language::Python, &[(file, "")]).unwrap();
            assert!(told.starts_with(start), "{told}");
        }
        assert_eq!(hint(Language::Python, &[("readme", "")]), None);
    }
}
