//! Modules of a function that hide installed ones: Python looks into the function's own folder first.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{bundle, language::HandlerGrammar};

/// The most notices that are told.
const MAX_TOLD: usize = 5;

/// Returns a notice for each module of the function's folder that has the name of one in the folder of packages.
pub fn notices(grammar: &HandlerGrammar, code: &Path, packages: &Path) -> Vec<String> {
    let (own, installed) = (modules(grammar, code), modules(grammar, packages));
    let hidden: Vec<_> =
        own.iter().filter_map(|(module, file)| Some((module, file, installed.get(module)?))).collect();
    let mut told: Vec<String> = hidden
        .iter()
        .take(MAX_TOLD)
        .map(|(module, own, installed)| {
            let file = installed.as_str();
            let is_it = |named: &str| named == file || file.ends_with('/') && named.starts_with(file);
            let package = bundle::python_package(packages, is_it);
            let of = package.map_or_else(String::new, |package| format!(" of the package {package}"));
            format!("{own} in the function's folder hides the installed module {module}{of}")
        })
        .collect();
    if hidden.len() > MAX_TOLD {
        told.push(format!(
            "{} more modules of the function hide installed ones",
            hidden.len() - MAX_TOLD
        ));
    }
    told
}

/// Returns the modules at the top of a folder, with their files. A folder without a file of its own hides nothing.
fn modules(grammar: &HandlerGrammar, folder: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let module = |name: String| {
        let cut = grammar.extensions.iter().find_map(|ending| name.strip_suffix(ending));
        if let Some(module) = cut.or_else(|| name.strip_suffix(".so")?.split('.').next()) {
            return (grammar.is_module)(module).then(|| (module.to_owned(), name.clone()));
        }
        let files = (grammar.files)(&(grammar.named)(&name, "x"));
        let inside = files.iter().any(|file| file.contains('/') && folder.join(file).is_file());
        inside.then(|| (name.clone(), format!("{name}/")))
    };
    names.filter_map(module).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Language;

    #[test]
    fn a_module_of_the_function_that_hides_an_installed_one_is_told_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for own in [
            "yaml/__init__.py",
            "six.py",
            "function.py",
            "google/own.py",
            "fast.cpython-312.so",
            "bin/x",
        ] {
            write(&format!("code/{own}"), "");
        }
        for installed in ["yaml/__init__.py", "six.py", "google/api.py", "fast/__init__.py", "bin/x"] {
            write(&format!("packages/{installed}"), "");
        }
        write("packages/PyYAML-6.0.dist-info/RECORD", "yaml/__init__.py,sha256=00,1\n");
        write("packages/six-1.16.0.dist-info/RECORD", "six.py,sha256=00,1\n");
        let grammar = &Language::Python.facts().handler;
        let of =
            |code: &str| notices(grammar, &folder.path().join(code), &folder.path().join("packages"));
        assert_eq!(
            of("code"),
            [
                "fast.cpython-312.so in the function's folder hides the installed module fast",
                "six.py in the function's folder hides the installed module six of the package six 1.16.0",
                "yaml/ in the function's folder hides the installed module yaml of the package PyYAML 6.0",
            ]
        );
        for number in 0..7 {
            write(&format!("packages/m{number}.py"), "");
            write(&format!("many/m{number}.py"), "");
        }
        assert_eq!(of("many").len(), 6);
        assert_eq!(of("many")[5], "2 more modules of the function hide installed ones");
        assert_eq!(of("nowhere"), [""; 0]);
    }
}
