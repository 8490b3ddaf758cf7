mod includes;
mod programs;

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
use crate::manifest::{self, Defaults};

/// Makes a folder of these files; a path that ends in `/` is an empty folder.
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

/// Makes an archive of entries as given, without the checks of tar's own writer.
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
    // The digest is frozen: a change of it would make every deployed function look changed.
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

fn notes(folder: &Path) -> Vec<String> {
    let packed = pack(folder).unwrap();
    let groups = packed.left_out.groups.iter().map(ToString::to_string);
    groups.chain(packed.warnings).collect()
}

#[test]
fn what_is_left_out_is_told_with_count_first_names_and_rule() {
    let outer = folder(&[
        (".git/info/exclude", "# mine\n\nlocal.txt\n"),
        (".gitignore", "*.tmp\n"),
        ("f/.gitignore", "# compiled\n\n*.so\nbuild/\n!kept.so\n"),
        ("f/.cloudfuncignore", "notes.md\n!wanted.tmp\n"),
        ("f/function.py", ""),
        ("f/kept.so", ""),
        ("f/wanted.tmp", ""),
        ("f/a.so", ""),
        ("f/b.so", ""),
        ("f/c.so", ""),
        ("f/pkg/d.so", ""),
        ("f/pkg/.gitignore", "*.csv\n"),
        ("f/pkg/data.csv", ""),
        ("f/build/lib/x", ""),
        ("f/x.tmp", ""),
        ("f/notes.md", ""),
        ("f/local.txt", ""),
    ]);
    let folder = outer.path().join("f");
    assert_eq!(
        notes(&folder),
        [
            "4 left out by .gitignore:3: *.so (a.so, b.so, c.so, …)",
            "1 left out by .gitignore:4: build/ (build/)",
            "1 left out by ../.git/info/exclude:3: local.txt (local.txt)",
            "1 left out by .cloudfuncignore:1: notes.md (notes.md)",
            "1 left out by pkg/.gitignore:1: *.csv (pkg/data.csv)",
            "1 left out by ../.gitignore:1: *.tmp (x.tmp)",
        ]
    );
    let packed = pack(&folder).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [".cloudfuncignore", ".gitignore", "function.py", "kept.so", "pkg/.gitignore", "wanted.tmp"]
    );
    let why = |path| packed.left_out.why(path).map(ToString::to_string);
    assert_eq!(why("build/lib/x").as_deref(), Some(".gitignore:4: build/"));
    assert_eq!(why("function.py"), None);
}

#[test]
fn rules_of_a_worktree_and_of_a_repository_inside_are_those_of_git() {
    let outer = folder(&[
        (".gitignore", "*.out\n"),
        ("main/.git/worktrees/w/commondir", "../..\n"),
        ("main/.git/info/exclude", "secret.txt\n"),
        ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
        ("w/function.py", ""),
        ("w/secret.txt", ""),
        ("w/x.out", "above the top of the repository"),
        ("w/.gitignore", "*.log\n"),
        ("w/a.log", ""),
        ("w/inner/.git/HEAD", ""),
        ("w/inner/b.log", "another repository"),
    ]);
    assert_eq!(
        notes(&outer.path().join("w")),
        [
            "2 left out, because no function needs them (.git, inner/.git/)",
            "1 left out by .gitignore:1: *.log (a.log)",
            "1 left out by ../main/.git/info/exclude:1: secret.txt (secret.txt)",
        ]
    );
}

#[test]
fn what_no_function_needs_is_left_out_unless_it_is_taken_back() {
    let files = [
        ("function.py", ""),
        ("function.pyc", "of the source beside it"),
        ("only.pyc", "a module"),
        (".git/config", ""),
        (".venv/pyvenv.cfg", ""),
        ("venv/bin/python", ""),
        ("my-env/pyvenv.cfg", "a virtual environment, whatever its name"),
        (".mypy_cache/x", ""),
        (".pytest_cache/x", ""),
        (".ruff_cache/x", ""),
        (".tox/x", ""),
        ("pkg/__pycache__/x.pyc", ""),
        ("node_modules/x/index.js", ""),
        (".DS_Store", ""),
    ];
    let plain = folder(&files);
    let packed = pack(plain.path()).unwrap();
    assert_eq!(paths(&packed.listing), ["function.py", "only.pyc"]);
    assert_eq!(
        notes(plain.path()),
        ["12 left out, because no function needs them (.DS_Store, .git/, .mypy_cache/, …)"]
    );
    let back = (".cloudfuncignore", "!venv\n!.git\n");
    let mut files = files.to_vec();
    files.extend([back, ("cloudfunc.toml", "image = 'x'")]);
    let packed = pack(folder(&files).path()).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [
            ".cloudfuncignore",
            "cloudfunc.toml",
            "function.py",
            "node_modules/x/index.js",
            "only.pyc",
            "venv/bin/python"
        ],
        "an image of its own may want node_modules; .git is never taken back"
    );
}

#[test]
fn a_dockerfile_may_copy_whatever_no_rule_of_ours_leaves_out() {
    let files = [
        ("Dockerfile", ""),
        ("cloudfunc.toml", "dockerfile = 'Dockerfile'"),
        (".gitignore", "dist/\n"),
        (".dockerignore", "# nothing\n"),
        (".cloudfuncignore", "*.log\n"),
        ("dist/app", ""),
        ("node_modules/x/index.js", ""),
        ("venv/pyvenv.cfg", ""),
        ("a.log", ""),
        (".git/config", ""),
        (".env", ""),
    ];
    let packed = pack(folder(&files).path()).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [
            ".cloudfuncignore",
            ".dockerignore",
            ".gitignore",
            "Dockerfile",
            "cloudfunc.toml",
            "dist/app",
            "node_modules/x/index.js",
            "venv/pyvenv.cfg"
        ]
    );
    let without = [("cloudfunc.toml", "dockerfile = 'web/Dockerfile'")];
    let packed = pack(folder(&without).path()).unwrap();
    let spec = crate::manifest::parse(without[0].1, "cloudfunc.toml", &Default::default()).unwrap().spec;
    assert_eq!(
        check_code(&packed.listing, &spec).unwrap_err().to_string(),
        "no web/Dockerfile in the folder: `dockerfile` in cloudfunc.toml names it"
    );
}

#[test]
fn what_a_dockerignore_leaves_out_is_not_packed() {
    let rules = "*\n!src\n!data/keep\n.npmrc\nsrc/*.tmp\n";
    let files = [
        ("docker/web.dockerfile", "FROM scratch"),
        ("docker/other", ""),
        ("cloudfunc.toml", "dockerfile = 'docker/web.dockerfile'"),
        (".dockerignore", rules),
        (".npmrc", "//r/:_authToken=secret"),
        ("src/a.rs", ""),
        ("src/a.tmp", ""),
        ("data/keep", ""),
        ("data/other", ""),
        (".env", ""),
    ];
    let made = folder(&files);
    // Too large for an archive, and not even looked into.
    let target = made.path().join("target");
    fs::create_dir(&target).unwrap();
    let large = fs::File::create(target.join("large")).unwrap();
    large.set_len(MAX_UNPACKED + 1).unwrap();
    symlink("nowhere", target.join("link")).unwrap();
    let packed = pack(made.path()).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [".dockerignore", "cloudfunc.toml", "data/keep", "docker/web.dockerfile", "src/a.rs"]
    );
    let why = |path: &str| packed.left_out.why(path).unwrap().to_string();
    assert_eq!(why("target/large"), ".dockerignore:1: *");
    assert_eq!(why(".npmrc"), ".dockerignore:4: .npmrc");
    assert_eq!(why("src/a.tmp"), ".dockerignore:5: src/*.tmp");
    assert_eq!(why("data/other"), ".dockerignore:1: *");
    assert_eq!(why(".env"), ".dockerignore:1: *");
    assert_eq!(packed.warnings, Vec::<String>::new());
}

#[test]
fn a_dockerignore_means_nothing_to_a_function_without_a_dockerfile() {
    let files = [(".dockerignore", "*\n"), ("function.py", "")];
    let packed = pack(folder(&files).path()).unwrap();
    assert_eq!(paths(&packed.listing), [".dockerignore", "function.py"]);
}

#[test]
fn a_dockerignore_that_cannot_be_used_is_said_before_anything_is_packed() {
    let large = "x\n".repeat(16 * 1024);
    for (rules, problem) in [
        ("a\n!\n", "'.dockerignore' cannot be used: line 2: an exception names no file"),
        (large.as_str(), "'.dockerignore' has more than 16 KiB"),
    ] {
        let manifest = ("cloudfunc.toml", "dockerfile = 'Dockerfile'");
        let made = folder(&[("Dockerfile", "FROM a"), manifest, (".dockerignore", rules)]);
        assert_eq!(pack(made.path()).unwrap_err().to_string(), problem);
    }
}

#[test]
fn files_that_may_hold_secrets_are_never_packed() {
    let folder = folder(&[
        (".cloudfuncignore", "!.env\n!.env.*\n"),
        (".env", "KEY=1"),
        (".env.production", ""),
        (".envrc", ""),
        ("pkg/.env", ""),
        (".env.example", ""),
        (".env.sample", ""),
        ("my.env", ""),
        ("function.py", ""),
    ]);
    let packed = pack(folder.path()).unwrap();
    assert_eq!(
        paths(&packed.listing),
        [".cloudfuncignore", ".env.example", ".env.sample", "function.py", "my.env"]
    );
    assert_eq!(
        notes(folder.path()),
        [
            "3 never packed, because they may hold secrets (.env, .env.production, pkg/.env); the line of \
             .cloudfuncignore with `!` is ignored; give the function its values with [env] in cloudfunc.toml",
            "1 never packed, because they may hold secrets (.envrc); give the function its values with [env] in \
             cloudfunc.toml",
        ]
    );
}

#[test]
fn a_package_of_which_files_are_left_out_is_warned_of() {
    let record = "numpy/__init__.py,sha256=x,1\n\
                  numpy/core/_multi.so,sha256=x,1\n\
                  \"numpy/core/a,b.so\",,\n\
                  numpy/gone.so,,\n\
                  numpy/__pycache__/x.cpython-312.pyc,,\n\
                  ../../bin/f2py,,\n\
                  numpy-1.26.4.dist-info/RECORD,,\n";
    let files = [
        ("function.py", ""),
        ("numpy/__init__.py", ""),
        ("numpy/__pycache__/x.cpython-312.pyc", ""),
        ("numpy/core/_multi.so", ""),
        ("numpy/core/a,b.so", ""),
        ("numpy-1.26.4.dist-info/RECORD", record),
    ];
    assert_eq!(pack(folder(&files).path()).unwrap().warnings, Vec::<String>::new());
    for (rules, warning) in [
        (
            "*.so\n",
            "the package numpy-1.26.4 is incomplete: 2 of its files are left out (numpy/core/_multi.so) by \
             .gitignore:1: *.so; a line `!*.so` in .cloudfuncignore takes them back in",
        ),
        (
            "*.dist-info/\ncore/\n",
            "the package numpy-1.26.4 is incomplete: 2 of its files are left out (numpy/core/_multi.so) by \
             .gitignore:2: core/; a line `!core/` in .cloudfuncignore takes them back in",
        ),
    ] {
        let mut files = files.to_vec();
        files.push((".gitignore", rules));
        assert_eq!(pack(folder(&files).path()).unwrap().warnings, [warning]);
        let rule = rules.lines().last().unwrap();
        let back = format!("!{rule}\n");
        files.push((".cloudfuncignore", &back));
        assert_eq!(pack(folder(&files).path()).unwrap().warnings, Vec::<String>::new(), "as advised");
    }
}

#[test]
fn links_that_lead_to_nothing_are_warned_of() {
    let folder = folder(&[("function.py", ""), ("d/x.log", ""), ("d/y", ""), (".gitignore", "*.log\n")]);
    for (link, target) in
        [("a", "nowhere"), ("d/b", "../d/x.log"), ("c", "d"), ("e", "c/y"), ("f", "function.py")]
    {
        symlink(target, folder.path().join(link)).unwrap();
    }
    assert_eq!(
        pack(folder.path()).unwrap().warnings,
        [
            "'a' is a link to 'nowhere', which is not there",
            "'d/b' is a link to 'd/x.log', which is left out by .gitignore:1: *.log"
        ]
    );
}

#[test]
fn names_with_control_characters_are_escaped_in_notes() {
    let folder = folder(&[("function.py", ""), (".gitignore", "*.log\n"), ("a\u{1b}[2J.log", "")]);
    assert_eq!(notes(folder.path()), ["1 left out by .gitignore:1: *.log (a\\u{1b}[2J.log)"]);
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

#[test]
fn the_manifest_is_not_unpacked_but_one_in_a_folder_is() {
    let files = [
        ("cloudfunc.toml", "[env]\nKEY = 'x'\n"),
        ("function.py", ""),
        ("other/cloudfunc.toml", "name = 'other'\n"),
    ];
    let packed = pack(folder(&files).path()).unwrap();
    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("task");
    let listing = unpack(&packed.bytes, &target).unwrap();
    assert_eq!(listing.manifest(), Some("[env]\nKEY = 'x'\n"));
    assert_eq!(listing.digest, packed.listing.digest);
    assert!(!target.join("cloudfunc.toml").exists());
    assert!(target.join("function.py").exists() && target.join("other/cloudfunc.toml").exists());
}

/// Pairs each hostile or unusual archive with the complete error that it causes.
#[test]
fn archives_outside_the_rules_are_refused() {
    use EntryType as T;
    for (entries, expected) in [
        (vec![Raw("../x", T::Regular, "")], "'../x' leads out of the folder"),
        (vec![Raw("a/../../x", T::Regular, "")], "'a/../../x' leads out of the folder"),
        (vec![Raw("/etc/passwd", T::Regular, "")], "'/etc/passwd' is an absolute path"),
        (vec![Raw("a\nb", T::Regular, "")], "'a\\nb' has a control character in its name"),
        (vec![Raw(".", T::Regular, "")], "'.' is not a file name"),
        (vec![Raw("a", T::Regular, ""), Raw("./a", T::Regular, "")], "'a' is there twice"),
        (
            vec![Raw("a", T::Regular, ""), Raw("a/b", T::Regular, "")],
            "'a/b' lies in 'a', which is not a folder",
        ),
        (
            vec![Raw("a", T::Symlink, "b"), Raw("a/c", T::Regular, "")],
            "'a/c' lies in 'a', which is not a folder",
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
            "'a' is a hard link; only files, folders and symbolic links can be deployed; write the archive with tar \
             --hard-dereference",
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
    for bytes in [&b""[..], b"what is this", &whole[..whole.len() / 2], &whole[..whole.len() - 4]] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.to_string(), "the archive is not a gzipped tar, or is cut off");
    }
}

#[test]
fn other_kinds_of_archives_are_named() {
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, what) in [
        (&b"PK\x03\x04 and more"[..], "a zip file"),
        (b"BZh91AY", "packed with bzip2"),
        (b"\xfd7zXZ\0\0", "packed with xz"),
        (b"\x28\xb5\x2f\xfd", "packed with zstd"),
        (&tar, "a tar without gzip"),
    ] {
        let error = read(bytes).unwrap_err().to_string();
        let expected = format!(
            "the archive is {what}; it has to be a gzipped tar, as `tar -C folder -czf function.tgz .` makes it"
        );
        assert_eq!(error, expected);
    }
}

/// An extension before an entry.
fn before(kind: u8, content: &str) -> Raw<'_> {
    Raw("ext", EntryType::new(kind), content)
}

fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
    format!("{length} {key}={value}\n")
}

#[test]
fn pax_records_and_long_names_are_applied() {
    let long = format!("{}/{}", "d".repeat(120), "n".repeat(120));
    let target = "t".repeat(150);
    let records = [
        record("path", &long),
        record("mtime", "1.5"),
        record("size", "4"),
        record("comment", "c"),
        record("hdrcharset", "BINARY"),
        record("SCHILY.xattr.user.x", "y"),
        record("LIBARCHIVE.creationtime", "1"),
        record("VENDOR.key", "1"),
    ]
    .concat();
    let link = record("linkpath", &target);
    let with = |name: &[Raw]| {
        let mut entries = vec![before(b'g', "")];
        entries.extend(name.iter().map(|Raw(path, kind, content)| Raw(path, *kind, content)));
        entries.push(Raw("short", EntryType::Regular, "text"));
        read(&archive(&entries)).unwrap()
    };
    let pax = with(&[before(b'x', &records)]);
    let gnu = with(&[before(b'L', &format!("{long}\0"))]);
    assert_eq!(paths(&pax), [&long]);
    assert_eq!(pax.digest, gnu.digest);
    for (kind, text) in [(b'x', link), (b'K', format!("{target}\0"))] {
        let listing =
            read(&archive(&[before(kind, &text), Raw("l", EntryType::Symlink, "short")])).unwrap();
        assert_eq!(listing.entries["l"], Kind::Link { target: target.clone() });
    }
}

#[test]
fn records_that_change_what_an_entry_means_and_are_not_applied_are_refused() {
    const HOLES: &str = "write the archive with GNU tar without -S, or with bsdtar --no-read-sparse";
    const TWICE: &str = "'f' is named twice, in pax records or long names";
    let x = |records: &[(&str, &str)]| {
        let text: String = records.iter().map(|(key, value)| record(key, value)).collect();
        vec![(b'x', text)]
    };
    for (extensions, expected) in [
        (
            x(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "big.bin")]),
            format!("'big.bin' is stored with holes (GNU.sparse.major); {HOLES}"),
        ),
        (x(&[("GNU.sparse.map", "0,1")]), format!("'f' is stored with holes (GNU.sparse.map); {HOLES}")),
        (x(&[("GNU.sparse.name", "big")]), format!("'big' is stored with holes; {HOLES}")),
        (x(&[("SCHILY.realsize", "9")]), format!("'f' is stored with holes (SCHILY.realsize); {HOLES}")),
        (x(&[("size", "5")]), "'f' has a pax size that differs from its header's".to_owned()),
        (x(&[("size", "-4")]), "'f' has a pax size that is not one number".to_owned()),
        (x(&[("size", "4"), ("size", "4")]), "'f' has a pax size that is not one number".to_owned()),
        (x(&[("path", "f"), ("path", "f")]), TWICE.to_owned()),
        (vec![(b'L', "f".to_owned()), (b'x', record("path", "f"))], TWICE.to_owned()),
        (vec![(b'L', "f".to_owned()), (b'L', "f".to_owned())], TWICE.to_owned()),
        (x(&[("path", "")]), "'' has a pax path that is empty or has a NUL character".to_owned()),
        (vec![(b'L', "f\0g".to_owned())], "'f\\0g' has a long name that is empty or has a NUL character".to_owned()),
        (x(&[("linkpath", "a")]), "'f' has the target of a link and is not one".to_owned()),
        (vec![(b'K', "a".to_owned())], "'f' has the target of a link and is not one".to_owned()),
        (
            x(&[("SCHILY.acl.access", "user::rwx")]),
            "'f' has an access control list; write the archive without: bsdtar --no-acls, or tar --no-acls".to_owned(),
        ),
        (
            x(&[("hdrcharset", "ISO-IR 8859 1 1998")]),
            "'f' has a 'hdrcharset' other than UTF-8; write the archive with UTF-8 names".to_owned(),
        ),
        (
            x(&[("SCHILY.filetype", "directory")]),
            "'f' has the pax record 'SCHILY.filetype', which may change what it means and is not known here; \
             write the archive with tar --format=gnu".to_owned(),
        ),
        (vec![(b'x', "9 a=b\n".to_owned())], "'f' has pax records that cannot be read".to_owned()),
        (vec![(b'x', "6 a=b".to_owned())], "'f' has pax records that cannot be read".to_owned()),
        (
            vec![(b'x', record("mtime", "1")), (b'x', record("mtime", "1"))],
            "'f' has two blocks of pax records".to_owned(),
        ),
        (
            vec![(b'g', record("path", "g"))],
            "'ext' sets the pax record 'path' for all entries; write the archive with tar --format=gnu".to_owned(),
        ),
        (vec![(b'g', record("GNU.sparse.size", "9"))], format!("'ext' is stored with holes (GNU.sparse.size); {HOLES}")),
        (vec![(b'x', "x".repeat(64 * 1024 + 1))], "'ext' has a name or attributes of more than 64 KiB".to_owned()),
    ] {
        let mut entries: Vec<Raw> =
            extensions.iter().map(|(kind, text)| before(*kind, text)).collect();
        entries.push(Raw("f", EntryType::Regular, "text"));
        assert_eq!(read(&archive(&entries)).unwrap_err().to_string(), expected, "{extensions:?}");
    }
    // And an extension that no entry follows.
    let alone = read(&archive(&[before(b'L', "f")])).unwrap_err().to_string();
    assert_eq!(alone, "the archive is not a gzipped tar, or is cut off");
}

/// Row 8 of the attacks: with `size=0` in pax records, one reader saw a file, the other a header.
#[test]
fn a_header_hidden_in_the_content_of_a_file_is_not_found_by_any_reading() {
    let hidden = archive(&[Raw("evil", EntryType::Regular, "")]);
    let mut tar = Vec::new();
    io::Read::read_to_end(&mut flate2::read::GzDecoder::new(hidden.as_slice()), &mut tar).unwrap();
    let tar = String::from_utf8(tar).unwrap();
    let zero = record("size", "0");
    let entries = [before(b'x', &zero), Raw("f", EntryType::Regular, &tar)];
    let error = read(&archive(&entries)).unwrap_err().to_string();
    assert_eq!(error, "'f' has a pax size that differs from its header's");
}

#[test]
fn entries_that_readers_understand_differently_are_refused() {
    use EntryType as T;
    for (entries, expected) in [
        (vec![Raw("a/", T::Regular, "x")], "'a/' is a file whose name ends like a folder's"),
        (vec![Raw("a/.", T::Regular, "")], "'a/.' is a file whose name ends like a folder's"),
        (vec![Raw("a/", T::Symlink, "b")], "'a/' is a link whose name ends like a folder's"),
        (vec![Raw("a", T::Directory, "x")], "'a' is a folder or link with content"),
        (vec![Raw("a", T::Symlink, "")], "'a' is a link without a target"),
        (
            vec![Raw("a", T::Directory, ""), Raw("a", T::Regular, "")],
            "'a' is there twice, once as a folder",
        ),
        (
            vec![Raw("holes", T::GNUSparse, "")],
            "'holes' is stored with holes; write the archive with GNU tar without -S, or with bsdtar \
             --no-read-sparse",
        ),
        (
            vec![Raw("v", T::new(b'V'), "")],
            "'v' is a label; only files, folders and symbolic links can be deployed",
        ),
    ] {
        assert_eq!(read(&archive(&entries)).unwrap_err().to_string(), expected);
    }
    let mut twice = Vec::new();
    for _ in 0..2 {
        twice.extend(archive(&[Raw("a", T::Regular, "x")]));
    }
    assert_eq!(
        read(&twice).unwrap_err().to_string(),
        "the archive goes on after its end, as when two are put one after the other; write all files into one archive"
    );
    let slash = read(&archive(&[Raw("a/", T::Regular, ""), Raw("a/b", T::Regular, "")])).unwrap();
    assert_eq!(paths(&slash), ["a/b"], "an old way to write a folder");
}

#[test]
fn a_header_that_cannot_be_read_is_named_by_its_number() {
    let whole = archive(&[Raw("a", EntryType::Regular, ""), Raw("b", EntryType::Regular, "")]);
    let mut tar = Vec::new();
    io::Read::read_to_end(&mut flate2::read::GzDecoder::new(whole.as_slice()), &mut tar).unwrap();
    for (at, byte, problem) in [
        (0, b'x', "has a wrong checksum"),
        (257, b'U', "is not of the formats ustar, pax, GNU and Version 7"),
        (124, b'9', "has a size that is not a number"),
        (100, b'-', "has a mode that is not a number"),
    ] {
        let mut tar = tar.clone();
        tar[512 + at] = byte;
        if at > 0 {
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(&tar[512..1024]);
            header.set_cksum();
            tar[512..1024].copy_from_slice(header.as_bytes());
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&tar).unwrap();
        assert_eq!(
            read(&gzip.finish().unwrap()).unwrap_err().to_string(),
            format!("header 2 of the archive {problem}; write the archive with tar --format=gnu")
        );
    }
}

#[test]
fn folders_are_counted_before_any_is_made() {
    let deep = |number: usize| format!("{number}/{}f", "d/".repeat(99));
    let names: Vec<String> = (0..=200).map(deep).collect();
    let entries = |count: usize| {
        let raw = names[..count].iter();
        raw.flat_map(|name| [before(b'L', name), Raw("f", EntryType::Regular, "")]).collect::<Vec<_>>()
    };
    // 100 folders each.
    assert!(read(&archive(&entries(200))).is_ok());
    let error = read(&archive(&entries(201))).unwrap_err().to_string();
    assert_eq!(
        error,
        "more than 20,000 folders; name what the function does not need in .cloudfuncignore"
    );

    let too_deep = format!("{}f", "d/".repeat(101));
    let error =
        read(&archive(&[before(b'L', &too_deep), Raw("f", EntryType::Regular, "")])).unwrap_err();
    let shown = "d/".repeat(50);
    assert_eq!(error.to_string(), format!("'{shown}…' lies more than 100 folders deep"));
}

#[test]
fn names_that_turn_the_direction_of_writing_are_refused_and_errors_are_short() {
    for name in ["a\u{202e}gpj.py", "\u{2066}x", "x\u{200f}"] {
        let error = read(&archive(&[Raw(name, EntryType::Regular, "")])).unwrap_err().to_string();
        let shown = name.escape_debug();
        assert_eq!(error, format!("'{shown}' has a control character in its name"));
        let link = read(&archive(&[Raw("l", EntryType::Symlink, name)])).unwrap_err().to_string();
        assert_eq!(link, "'l' is a link whose target is too long or has a control character");
    }
    let long = "\u{1}".repeat(60_000);
    let error = read(&archive(&[before(b'L', &long), Raw("f", EntryType::Regular, "")])).unwrap_err();
    assert!(error.to_string().len() < 500, "{error}");
}

#[test]
fn a_manifest_has_at_most_64_kib() {
    let fits = "#".repeat(64 * 1024);
    let listing = read(&archive(&[Raw("cloudfunc.toml", EntryType::Regular, &fits)])).unwrap();
    assert_eq!(listing.manifest().unwrap().len(), 64 * 1024);
    let larger = fits + "#";
    let error = read(&archive(&[Raw("cloudfunc.toml", EntryType::Regular, &larger)])).unwrap_err();
    assert_eq!(error.to_string(), "'cloudfunc.toml' is larger than 64 KiB");
}

#[test]
fn a_small_archive_of_huge_files_is_refused() {
    // A header that promises 1 GiB is enough: nothing of it is read.
    let mut header = Header::new_gnu();
    header.set_path("bomb").unwrap();
    header.set_mode(0o644);
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
fn packing_refuses_what_cannot_be_packed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let refused = |make: &dyn Fn(&Path)| {
        let folder = folder(&[("function.py", "")]);
        make(folder.path());
        pack(folder.path()).unwrap_err().to_string()
    };
    let advice = "remove it, or name it in .cloudfuncignore";
    let socket = refused(&|at| drop(std::os::unix::net::UnixListener::bind(at.join("s")).unwrap()));
    assert_eq!(socket, format!("'s' is a socket; {advice}"));
    let pipe = refused(&|at| {
        let made = std::process::Command::new("mkfifo").arg(at.join("p")).status().unwrap();
        assert!(made.success());
    });
    assert_eq!(pipe, format!("'p' is a named pipe; {advice}"));
    let name = refused(&|at| fs::write(at.join(OsStr::from_bytes(b"caf\xe9")), "").unwrap());
    assert_eq!(
        name,
        "'caf\u{fffd}' has a name that is not UTF-8; rename it, or name it in .cloudfuncignore"
    );
    let long = refused(&|at| {
        let deep = at.join(format!("{}/", "d".repeat(200)).repeat(6));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("f"), "").unwrap();
    });
    assert!(
        long.ends_with("has a name that is too long: at most 1,024 bytes, and 255 between two slashes"),
        "{long}"
    );
    let deep = refused(&|at| fs::create_dir_all(at.join("d/".repeat(101))).unwrap());
    assert!(deep.ends_with("…' lies more than 100 folders deep"), "{deep}");
    let large = refused(&|at| fs::File::create(at.join("big")).unwrap().set_len(1 << 40).unwrap());
    assert_eq!(
        large,
        "more than 512 MiB of files; name what the function does not need in .cloudfuncignore"
    );

    let error = pack(Path::new("/nowhere")).unwrap_err().to_string();
    assert_eq!(error, "/nowhere is not a folder");
}

#[test]
fn the_code_must_have_the_handlers_module_and_no_requirements() {
    let check = |files: &[(&str, &str)]| {
        let packed = pack(folder(files).path()).unwrap().listing;
        let defaults = Defaults::default();
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
    assert_eq!(check(&[("function.py", ""), ("requirements.txt", "requests==2\n")]), Ok(()));
}

#[test]
fn an_archive_without_the_handler_gets_advice() {
    let hint = |names: &[&str]| {
        let entries: Vec<Raw> = names.iter().map(|name| Raw(name, EntryType::Regular, "")).collect();
        let defaults = Defaults::default();
        let spec = manifest::usual(&defaults).swap_remove(0);
        check_code(&read(&archive(&entries)).unwrap(), &spec).unwrap_err().hint().map(str::to_owned)
    };
    let top = "everything in the archive lies in the folder 'f': pack what is in it, with \
               `tar -C f -czf function.tgz .`";
    assert_eq!(hint(&["f/function.py", "f/data.csv"]).as_deref(), Some(top));
    assert_eq!(hint(&["f/cloudfunc.toml", "f/src/x"]).as_deref(), Some(top));
    assert_eq!(hint(&["data/a.csv"]), None);
    assert_eq!(hint(&[]), None);
    let other = |module: &str, function: &str| {
        Some(format!(
            "there is {module}.py: name the handler in cloudfunc.toml, for example `handler = \"{module}.{function}\"`"
        ))
    };
    assert_eq!(hint(&["lambda_function.py", "other.py"]), other("lambda_function", "lambda_handler"));
    assert_eq!(hint(&["main.py", "util.py"]), other("main", "handler"));
    assert_eq!(hint(&["greet.py", "data.csv"]), other("greet", "handler"));
    assert_eq!(hint(&["one.py", "two.py"]), None);
}
