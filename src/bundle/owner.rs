//! The package that a file among installed packages belongs to, for messages.

use std::{fs, fs::File, io::Read as _, path::Path};

use super::shorten;

/// The size limit of a list of a package's files that is read, in bytes.
const MAX_RECORD: u64 = 4 * 1024 * 1024;
/// The limit of packages that are looked at.
const MAX_PACKAGES: usize = 1000;

/// Returns the name of the package of a file in this folder, as far as it is known. `path` is as messages show it.
pub(super) fn owner(folder: &Path, path: &str) -> Option<String> {
    of_node(path).or_else(|| of_python(folder, path))
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

/// Looks for the file in the lists that packages come with: `<name>-<version>.dist-info/RECORD`.
fn of_python(folder: &Path, path: &str) -> Option<String> {
    for entry in fs::read_dir(folder).ok()?.flatten().take(MAX_PACKAGES) {
        let info = entry.file_name().to_string_lossy().into_owned();
        let Some(package) = info.strip_suffix(".dist-info") else { continue };
        let mut text = Vec::new();
        let record = entry.path().join("RECORD");
        // What installed it is not trusted: a link may lead anywhere.
        if !fs::symlink_metadata(&record).is_ok_and(|found| found.is_file()) {
            continue;
        }
        let read = File::open(record).and_then(|file| file.take(MAX_RECORD).read_to_end(&mut text));
        if read.is_err() {
            continue;
        }
        let text = String::from_utf8_lossy(&text);
        let is_it = |line: &str| {
            let named = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => line.split(',').next(),
            };
            named.is_some_and(|named| shorten(&named.escape_debug().to_string()) == path)
        };
        if text.lines().any(is_it) {
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
