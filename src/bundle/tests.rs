use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::config::manifest::{self, Defaults};

/// A folder of these files; a path that ends in `/` is an empty folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.to_str().unwrap().ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::write(path, content).unwrap();
        }
    }
    folder
}

/// One entry of a hand-made archive.
struct Raw<'a>(&'a str, EntryType, &'a str);

/// An archive of entries as they are given, without the checks of tar's own writer.
fn archive(entries: &[Raw]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for Raw(path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o600);
        let linked = matches!(kind, EntryType::Symlink | EntryType::Link);
        let data = if linked { "" } else { content };
        if linked {
            header.set_link_name_literal(content.as_bytes()).unwrap();
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        tar.append(&header, data.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn paths(listing: &Listing) -> Vec<&str> {
    listing.paths().collect()
}

#[test]
fn a_folder_packs_to_the_same_bytes_whatever_its_times_and_modes() {
    let files = [("function.py", "def handler(event): pass\n"), ("pkg/a.py", ""), ("pkg/b.py", "b")];
    let (one, two) = (folder(&files), folder(&files));
    fs::set_permissions(two.path().join("pkg/b.py"), fs::Permissions::from_mode(0o600)).unwrap();
    let (one, two) = (pack(one.path()).unwrap(), pack(two.path()).unwrap());
    assert_eq!(one.bytes, two.bytes);
    assert_eq!(paths(&one.listing), ["function.py", "pkg/a.py", "pkg/b.py"]);
    assert_eq!(one.listing.size, 26);
}

#[test]
fn the_digest_is_of_the_tree_and_not_of_the_archive() {
    let file = |path| Raw(path, EntryType::Regular, "x");
    let one = read(&archive(&[file("a"), file("b/c")])).unwrap();
    let other =
        read(&archive(&[Raw("b/", EntryType::Directory, ""), file("./b/c"), file("./a")])).unwrap();
    let third = read(&archive(&[file("a"), file("b")])).unwrap();
    assert_eq!(one.digest, other.digest);
    assert_ne!(one.digest, third.digest);
    // Frozen: a change of it would make every deployed function look changed.
    assert_eq!(one.digest.short(), "14920022cefd");
}

#[test]
fn the_digest_tells_executables_and_links_from_plain_files() {
    let plain = folder(&[("a", "x"), ("b", "x")]);
    let before = pack(plain.path()).unwrap().listing.digest;
    fs::set_permissions(plain.path().join("a"), fs::Permissions::from_mode(0o700)).unwrap();
    let executable = pack(plain.path()).unwrap().listing.digest;
    fs::remove_file(plain.path().join("b")).unwrap();
    symlink("a", plain.path().join("b")).unwrap();
    let linked = pack(plain.path()).unwrap().listing.digest;
    assert!(before != executable && executable != linked && before != linked);
}

#[test]
fn ignored_files_are_left_out() {
    let folder = folder(&[
        (".gitignore", "*.log\nbuild/\n"),
        (".cloudfuncignore", "notes.md\n!keep.log\n"),
        (".env.example", "kept: hidden files are files"),
        (".git/config", "never"),
        ("__pycache__/function.cpython-312.pyc", "never"),
        ("pkg/__pycache__/x.pyc", "never"),
        ("build/out", "ignored"),
        ("function.py", ""),
        ("keep.log", "kept"),
        ("notes.md", "ignored"),
        ("run.log", "ignored"),
    ]);
    let packed = pack(folder.path()).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [".cloudfuncignore", ".env.example", ".gitignore", "function.py", "keep.log"]
    );
}

#[test]
fn an_archive_unpacks_to_the_tree_that_was_packed() {
    let source = folder(&[("function.py", "code"), ("bin/tool", "#!"), ("empty/", "")]);
    fs::set_permissions(source.path().join("bin/tool"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(source.path().join("function.py"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("../function.py", source.path().join("bin/link")).unwrap();
    let long = "n".repeat(150);
    fs::write(source.path().join(&long), "long").unwrap();
    let packed = pack(source.path()).unwrap();

    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("task");
    let listing = unpack(&packed.bytes, &target).unwrap();
    assert_eq!(listing.digest, packed.listing.digest);
    assert_eq!(pack(&target).unwrap().bytes, packed.bytes);
    let mode = |path: &str| fs::metadata(target.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(""), mode("bin"), mode("bin/tool"), mode("function.py"), mode(&long)),
        (0o755, 0o755, 0o755, 0o644, 0o644)
    );
    assert_eq!(fs::read_link(target.join("bin/link")).unwrap(), Path::new("../function.py"));
    assert!(!target.join("empty").exists(), "an empty folder is no content");
    assert!(unpack(&packed.bytes, &target).is_err(), "an existing folder is never filled");
    assert!(target.join("function.py").exists());
}

/// Each hostile or odd archive with the whole error that it gets.
#[test]
fn archives_outside_the_rules_are_refused() {
    use EntryType as T;
    for (entries, expected) in [
        (vec![Raw("../x", T::Regular, "")], "'../x' leads out of the folder"),
        (vec![Raw("a/../../x", T::Regular, "")], "'a/../../x' leads out of the folder"),
        (vec![Raw("/etc/passwd", T::Regular, "")], "'/etc/passwd' is an absolute path"),
        (vec![Raw("a\nb", T::Regular, "")], "'a\\nb' has a control character in its name"),
        (vec![Raw("./", T::Regular, "")], "'.' is no file name"),
        (vec![Raw("a", T::Regular, ""), Raw("./a", T::Regular, "")], "'a' is there twice"),
        (
            vec![Raw("a", T::Regular, ""), Raw("a/b", T::Regular, "")],
            "'a/b' lies in 'a', which is no folder",
        ),
        (
            vec![Raw("a", T::Symlink, "b"), Raw("a/c", T::Regular, "")],
            "'a/c' lies in 'a', which is no folder",
        ),
        (
            vec![Raw("a", T::Symlink, "/etc")],
            "'a' is a link to '/etc', out of the folder; copy what it points to, or name it in \
             .cloudfuncignore",
        ),
        (
            vec![Raw("d/a", T::Symlink, "../../x")],
            "'d/a' is a link to '../../x', out of the folder; copy what it points to, or name it in \
             .cloudfuncignore",
        ),
        (
            vec![Raw("d/a", T::Symlink, "b/../c")],
            "'d/a' is a link to 'b/../c', with '..' behind a name; write it without",
        ),
        (
            vec![Raw("a", T::Link, "b")],
            "'a' is a hard link; only files, folders and symbolic links can be deployed",
        ),
        (
            vec![Raw("null", T::Char, "")],
            "'null' is a device; only files, folders and symbolic links can be deployed",
        ),
        (
            vec![Raw("pipe", T::Fifo, "")],
            "'pipe' is a named pipe; only files, folders and symbolic links can be deployed",
        ),
        (vec![Raw("cloudfunc.toml", T::Symlink, "x")], "'cloudfunc.toml' must be a file, not a link"),
    ] {
        let bytes = archive(&entries);
        assert_eq!(read(&bytes).unwrap_err().to_string(), expected);
        let target = tempfile::tempdir().unwrap();
        unpack(&bytes, &target.path().join("task")).unwrap_err();
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn bytes_that_are_no_archive_are_refused() {
    let whole = archive(&[Raw("a", EntryType::Regular, &"text ".repeat(1000))]);
    for bytes in
        [&b""[..], b"PK\x03\x04 a zip file", &whole[..whole.len() / 2], &whole[..whole.len() - 4]]
    {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.to_string(), "the archive is no gzipped tar, or is cut off");
    }
}

#[test]
fn a_small_archive_of_huge_files_is_refused() {
    // A header that promises 1 GiB is enough: nothing of it is read.
    let mut header = Header::new_gnu();
    header.set_path("bomb").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(header.as_bytes()).unwrap();
    assert!(matches!(read(&gzip.finish().unwrap()), Err(Error::TooLarge)));
}

#[test]
fn too_many_files_are_refused() {
    let names: Vec<String> = (0..=MAX_FILES).map(|n| n.to_string()).collect();
    let entries: Vec<Raw> = names.iter().map(|name| Raw(name, EntryType::Regular, "")).collect();
    assert!(matches!(read(&archive(&entries)), Err(Error::TooManyFiles)));
    assert!(read(&archive(&entries[1..])).is_ok());
}

#[test]
fn packing_refuses_what_is_no_file() {
    let folder = folder(&[("function.py", "")]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
    let error = pack(folder.path()).unwrap_err().to_string();
    assert_eq!(error, "'s' is no file, folder or symbolic link; name it in .cloudfuncignore");
    let error = pack(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.ends_with("/nowhere is no folder"), "{error}");
}

#[test]
fn the_code_must_have_the_handlers_module_and_no_requirements() {
    let check = |files: &[(&str, &str)]| {
        let packed = pack(folder(files).path()).unwrap().listing;
        let defaults = Defaults { python_version: "3.12".to_owned() };
        let text = packed.manifest().unwrap_or_default();
        let spec = manifest::parse(text, manifest::FILE, &defaults).unwrap().spec;
        check_code(&packed, &spec).map_err(|error| error.to_string())
    };
    assert_eq!(check(&[("function.py", "")]), Ok(()));
    assert_eq!(
        check(&[("main.py", "")]).unwrap_err(),
        "no function.py in the folder: the handler \"function.handler\" needs it"
    );
    let manifest = ("cloudfunc.toml", "handler = 'pkg.mod.run'");
    assert_eq!(check(&[manifest, ("pkg/mod.py", "")]), Ok(()));
    assert_eq!(check(&[manifest, ("pkg/mod/__init__.py", "")]), Ok(()));
    assert_eq!(
        check(&[manifest, ("function.py", "")]).unwrap_err(),
        "no pkg/mod.py in the folder: the handler \"pkg.mod.run\" needs it"
    );
    assert_eq!(check(&[("cloudfunc.toml", "image = 'x'")]), Ok(()));
    assert_eq!(check(&[("function.py", ""), ("requirements.txt", "# none\n\n")]), Ok(()));
    assert_eq!(
        check(&[("function.py", ""), ("requirements.txt", "requests==2\n")]).unwrap_err(),
        "requirements.txt is not installed by this version: install the packages into the folder with `pip \
         install --target . -r requirements.txt`, then name requirements.txt in .cloudfuncignore"
    );
}
