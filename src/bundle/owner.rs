//! The package that a file among installed packages belongs to, for messages.

use std::{fs, fs::File, io::Read as _, path::Path};

use super::shorten;

/// The size limit of a list of a package's files that is read, in bytes.
const MAX_RECORD: u64 = 4 * 1024 * 1024;
/// The limit of packages that are looked at.
const MAX_PACKAGES: usize = 1000;

/// Returns the name of the package of a file in this folder, as far as it is known. `path` is as messages show it.
pub(super) fn owner(folder: &Path, path: &str) -> Option<String> {
    let is_it = |named: &str| shorten(&named.escape_debug().to_string()) == path;
    of_node(path).or_else(|| python_package(folder, is_it))
}

/// Returns the name behind the last `node_modules`; that of a scope has two parts.
fn of_node(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let last = parts.iter().rposition(|part| *part == "node_modules")?;
    let name = parts.get(last + 1).filter(|_| parts.len() > last + 2)?;
    match name.strip_prefix('@') {
        Some(_) => Some(format!("{name}/{}", parts.get(last + 2)?)),
        None => Some((*name).to_owned()),
    }
}

/// Looks for a file in the lists that packages come with: `<name>-<version>.dist-info/RECORD`. Returns the first package, in
/// the order of names, with its version.
pub fn python_package(folder: &Path, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let names = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let mut infos: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".dist-info"))
        .take(MAX_PACKAGES)
        .collect();
    infos.sort();
    for info in infos {
        let Some(package) = info.strip_suffix(".dist-info") else { continue };
        let mut text = Vec::new();
        let record = folder.join(&info).join("RECORD");
        // What installed it is not trusted: a link may lead anywhere.
        if !fs::symlink_metadata(&record).is_ok_and(|found| found.is_file()) {
            continue;
        }
        let read = File::open(record).and_then(|file| file.take(MAX_RECORD).read_to_end(&mut text));
        if read.is_err() {
            continue;
        }
        let text = String::from_utf8_lossy(&text);
        let has_it = |line: &str| {
            let named = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => line.split(',').next(),
            };
            named.is_some_and(&is_it)
        };
        if text.lines().any(has_it) {
            let shown = package
                .rsplit_once('-')
                .map_or(package.to_owned(), |(name, version)| format!("{name} {version}"));
            return Some(shorten(&shown.escape_debug().to_string()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_file_is_known_by_its_own_list_or_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let info = folder.path().join("greet_more-1.0.dist-info");
        fs::create_dir(&info).unwrap();
        fs::write(
            info.join("RECORD"),
            "greet/a.py,sha256=x,1\n\"greet/b,c.py\",,\ngreet/d\u{202e}.py,,\n",
        )
        .unwrap();
        let of = |path| owner(folder.path(), path);
        assert_eq!(of("greet/a.py").as_deref(), Some("greet_more 1.0"));
        assert_eq!(of("greet/b,c.py").as_deref(), Some("greet_more 1.0"));
        assert_eq!(of("greet/d\\u{202e}.py").as_deref(), Some("greet_more 1.0"));
        assert_eq!(of("greet/z.py"), None);
        assert_eq!(of("node_modules/a/node_modules/b/c.js").as_deref(), Some("b"));
        assert_eq!(of("node_modules/@s/b/c.js").as_deref(), Some("@s/b"));
        assert_eq!(of("node_modules/.bin"), None);
        fs::remove_file(info.join("RECORD")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", info.join("RECORD")).unwrap();
        assert_eq!(of("greet/a.py"), None);
    }
}
