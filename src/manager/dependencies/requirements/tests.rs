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
    let asked =
        |files| read_of("", files).unwrap().map(|Texts(texts)| texts.into_keys().collect::<Vec<_>>());
    assert_eq!(asked(&[("function.py", "")]), None);
    assert_eq!(asked(&[("requirements.txt", "# none\n\n")]), None);
    assert_eq!(asked(&[("requirements.txt", "a\n")]), Some(vec!["requirements.txt".to_owned()]));
    let nested = [
        ("requirements.txt", "-r sets/base.txt\n"),
        ("sets/base.txt", "-c ../limits.txt\na\n-r more.txt\n"),
        ("sets/more.txt", "-c ../limits.txt\n"),
        ("limits.txt", "a<2\n"),
    ];
    assert_eq!(
        asked(&nested).unwrap(),
        ["limits.txt", "requirements.txt", "sets/base.txt", "sets/more.txt"]
    );
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
            "requirements.txt:1: a package is not installed as an editable one; code of your own is packed with the \
             function, or included by `build.include`: -e .",
        ),
        (
            "a\n-r b.txt \\\n  -e git+https://u:hunter2@h/a@b.git#egg=a # why",
            "requirements.txt:2: a package is not installed as an editable one; code of your own is packed with the \
             function, or included by `build.include`: -r b.txt   -e git+https://h/a@b.git#egg=a",
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
fn files_that_include_each_other_are_refused_with_the_circle() {
    let told = |files| read_of("", files).unwrap_err();
    assert_eq!(
        told(&[("requirements.txt", "a\n-r requirements.txt\n")]),
        "requirements.txt:2: files include each other in a circle (requirements.txt includes requirements.txt): -r \
         requirements.txt"
    );
    let files = [
        ("requirements.txt", "-r sets/base.txt\n"),
        ("sets/base.txt", "-c more.txt\n"),
        ("sets/more.txt", "a\n\n-r base.txt"),
    ];
    assert_eq!(
        told(&files),
        "sets/more.txt:3: files include each other in a circle (sets/base.txt includes sets/more.txt includes \
         sets/base.txt): -r base.txt"
    );
}

#[test]
fn a_project_is_read_where_there_is_no_list() {
    let project = ("pyproject.toml", "[project]\ndependencies = ['b>=1', 'a']\n");
    let read = |files: &[(&str, &str)]| read_of("", files);
    let texts = read(&[project]).unwrap().unwrap();
    assert_eq!(texts.0, [("pyproject.toml".to_owned(), "b>=1\na".to_owned())].into());
    let texts = read(&[project, ("requirements.txt", "c")]).unwrap().unwrap();
    assert_eq!(texts.0, [("requirements.txt".to_owned(), "c".to_owned())].into());
    assert_eq!(read(&[("pyproject.toml", "[tool.ruff]\n"), ("uv.lock", "")]), Ok(None));
    assert!(read(&[project, ("uv.lock", "")]).unwrap_err().contains("`uv export "));
    let not_one = "pyproject.toml: it is not the name of a package with its versions: ";
    for (package, told) in [
        ("-r more.txt", format!("{not_one}-r more.txt")),
        ("a # b", format!("{not_one}a # b")),
        ("a\\\\", format!("{not_one}a\\")),
        ("a\\nb", format!("{not_one}a\nb")),
        ("", not_one.to_owned()),
        (
            "a @ git+https://u:hunter2@h/a.git",
            "pyproject.toml: a repository is not read; name a release of the package, or the https address of a wheel or \
             an archive: a @ git+https://h/a.git"
                .to_owned(),
        ),
        (
            "a @ file:///a",
            "pyproject.toml: a path is not installed; code of your own is packed with the function, or included by \
             `build.include`: a @ file:///a"
                .to_owned(),
        ),
    ] {
        let text = format!("[project]\ndependencies = [\"{package}\"]\n");
        assert_eq!(read(&[("pyproject.toml", &text)]).unwrap_err(), told, "{package}");
    }
}

#[test]
fn what_is_asked_for_is_known_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("requirements.txt"), "# x\n-r b.txt\na==1 --hash=sha256:00\n")
        .unwrap();
    std::fs::write(folder.path().join("b.txt"), "-i https://h/simple\nb\n").unwrap();
    let spec = manifest::parse("", manifest::FILE, &Defaults::default()).unwrap().spec;
    let read = read(&spec, folder.path(), |_| false).unwrap().unwrap();
    let package = |place: &str, text: &str| Package { place: place.to_owned(), text: text.to_owned() };
    assert_eq!(read.packages, [package("b.txt:2", "b"), package("requirements.txt:3", "a==1")]);
    assert_eq!(read.indexes, ["-i https://h/simple"]);
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
