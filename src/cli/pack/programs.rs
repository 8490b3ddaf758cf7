//! Advice for a folder that holds a program rather than a handler: a web application, or sources that the platform does not
//! build.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use super::procfile::{self, web_process};
use crate::{
    bundle::{BOOTSTRAP_NOT_EXECUTABLE, for_sources},
    manifest::{self, list_of},
    model::Language,
};

/// The size limit of a file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Returns what to do about a folder with a web application in place of a handler, for a manifest of this language.
pub fn web_application(folder: &Path, language: Language) -> Option<String> {
    let read = |file: &str| text(&folder.join(file));
    let known = Language::ALL
        .iter()
        .find_map(|language| Some((*language, (language.facts().web_application)(&read)?)));
    let process = read(procfile::FILE).and_then(|text| web_process(&text));
    // The line that its author wrote for another platform is better than a guess.
    let (of, found) = match (process, known) {
        (Some(process), known) if process.language.is_some() || known.is_some() => {
            (process.language.or(known.map(|(of, _)| of))?, process.application)
        }
        (_, known) => known?,
    };
    let keys = match of == language {
        true => "`interface = \"http\"`".to_owned(),
        false => format!("`language = \"{of}\"`, `interface = \"http\"`"),
    };
    Some(format!(
        "there is {}: for a web application, write {keys} and `command = {}` into {}; {}",
        found.seen,
        list_of(&found.command),
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
    let sources = for_sources(&files.iter().map(String::as_str).collect::<Vec<_>>());
    sources.or_else(|| only_program(folder, files))
}

/// Returns what to do about a folder without a manifest in which one file is executable: a script, most likely.
fn only_program(folder: &Path, files: &[String]) -> Option<String> {
    let manifest = folder.join(manifest::FILE);
    let is_executable = |name: &&String| {
        fs::metadata(folder.join(name))
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let programs: Vec<&String> = files.iter().filter(is_executable).collect();
    let [only] = programs.as_slice() else { return None };
    (!manifest.exists()).then(|| {
        format!(
            "there is {only}, which is executable: for a script or another program, write `language = \"native\"`, \
             `interface = \"command\"` and `command = {}` into {}",
            list_of([format!("./{only}")]),
            manifest.display()
        )
    })
}

/// Returns the text of a file, if it is one and not too long.
pub fn text(file: &Path) -> Option<String> {
    let mut text = String::new();
    let read = File::open(file).ok()?.take(MAX_FILE).read_to_string(&mut text);
    read.ok().map(|_| text)
}

#[cfg(test)]
mod tests {
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
        let rest = "`interface = \"http\"` and `command = [\"gunicorn\", \"--preload\", \"app:app\"]` into cloudfunc.toml; \
                    gunicorn has to be in requirements.txt";
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
    fn a_procfile_is_told_in_the_words_of_a_manifest() {
        let wsgi = ("wsgi.py", "application = get_wsgi_application()\n");
        let procfile = ("Procfile", "web: gunicorn --bind 0.0.0.0:$PORT wsgi:application\n");
        let rest = "for a web application, write `interface = \"http\"` and `command = [\"gunicorn\", \"--preload\", \
                    \"wsgi:application\"]` into cloudfunc.toml; gunicorn has to be in requirements.txt";
        assert_eq!(
            hint(Language::Python, &[wsgi]).unwrap(),
            format!("there is wsgi.py with `application`: {rest}")
        );
        let told = format!(
            "there is Procfile with a web process: {rest}, and takes its port from the variable PORT"
        );
        assert_eq!(hint(Language::Python, &[wsgi, procfile]).unwrap(), told);
        assert_eq!(hint(Language::Python, &[procfile]).unwrap(), told);
        assert_eq!(hint(Language::Python, &[("Procfile", "web: bundle exec rails\n")]), None);
        let express = ("package.json", "{\"dependencies\": {\"express\": \"5\"}}");
        let server = ("server.js", "app.listen(process.env.PORT);\n");
        assert_eq!(
            hint(Language::Python, &[express, server]).unwrap(),
            "there is package.json with express: for a web application, write `language = \"node\"`, `interface = \"http\"` \
             and `command = [\"node\", \"server.js\"]` into cloudfunc.toml; it has to listen on the port that PORT names"
        );
        let told = hint(Language::Python, &[express, server, ("Procfile", "web: ./start\n")]).unwrap();
        assert!(told.contains("`language = \"node\"`") && told.contains("[\"./start\"]"), "{told}");
    }

    #[test]
    fn the_only_executable_is_told_as_a_native_function() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["data", "report.sh"].map(str::to_owned);
        for name in &names {
            fs::write(folder.path().join(name), "#!/bin/sh\n").unwrap();
        }
        assert_eq!(unbuilt(folder.path(), &names), None);
        let allow = |name: &str| {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        allow("report.sh");
        assert_eq!(
            unbuilt(folder.path(), &names).unwrap(),
            format!(
                "there is report.sh, which is executable: for a script or another program, write `language = \"native\"`, \
                 `interface = \"command\"` and `command = [\"./report.sh\"]` into {}/cloudfunc.toml",
                folder.path().display()
            )
        );
        allow("data");
        assert_eq!(unbuilt(folder.path(), &names), None);
    }

    #[test]
    fn sources_of_other_languages_are_told_to_be_built() {
        for (file, start) in [
            (
                "Dockerfile",
                "there is Dockerfile: `dockerfile = \"Dockerfile\"` in cloudfunc.toml, in place of `language`, has the \
                 platform build its image; beside it, `interface` is \"http\", \"command\" or \"lambda\", unless the image \
                 speaks the runtime protocol",
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
