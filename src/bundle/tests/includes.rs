//! `[build] include`: folders from outside the function's own.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{folder, notes, paths};
use crate::{
    bundle::{Error, MAX_FILES, check_includes, pack, read},
    manifest::{self, Defaults},
    model::Digest,
};

/// Makes a repository with the function `functions/f`, whose manifest includes these paths, and more files.
fn repository(includes: &str, files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let manifest = format!("[build]\ninclude = [{includes}]\n");
    let own =
        [(".git/HEAD", ""), ("functions/f/function.py", ""), ("functions/f/cloudfunc.toml", &manifest)];
    let repository = folder(&[&own, files].concat());
    let function = repository.path().join("functions/f");
    (repository, function)
}

#[test]
fn an_included_folder_is_packed_under_its_own_name() {
    let files = [("common/util.py", "X = 1\n"), ("shared/models/user.py", ""), ("common/pkg/a.py", "")];
    let (_repository, function) = repository("'../../common', '../../shared/models/'", &files);
    let packed = pack(&function).unwrap();
    assert_eq!(
        paths(&packed.listing),
        ["cloudfunc.toml", "common/pkg/a.py", "common/util.py", "function.py", "models/user.py"]
    );
    assert_eq!(packed.warnings, Vec::<String>::new());
    assert_eq!(pack(&function).unwrap().bytes, packed.bytes, "the same files give the same bytes");
}

#[test]
fn only_a_change_in_an_included_folder_changes_the_digest() {
    let files = [("common/util.py", "X = 1\n"), ("other/x.py", "")];
    let (repository, function) = repository("'../../common'", &files);
    let digest = || -> Digest { pack(&function).unwrap().listing.digest };
    let first = digest();
    fs::write(repository.path().join("other/x.py"), "changed").unwrap();
    assert_eq!(digest(), first);
    fs::write(repository.path().join("common/util.py"), "X = 2\n").unwrap();
    assert_ne!(digest(), first);
}

#[test]
fn the_rules_of_an_included_folder_and_of_those_above_it_hold() {
    let (_repository, function) = repository(
        "'../../lib/common'",
        &[
            (".gitignore", "*.tmp\n"),
            ("lib/.cloudfuncignore", "\nnotes.md\n"),
            ("lib/common/.gitignore", "*.so\n"),
            ("lib/common/a.so", ""),
            ("lib/common/b.tmp", ""),
            ("lib/common/pkg/notes.md", ""),
            ("lib/common/util.py", ""),
            ("lib/common/.env", "KEY=1"),
            ("lib/common/__pycache__/util.cpython-312.pyc", ""),
            ("functions/f/.cloudfuncignore", "util.py\n"),
        ],
    );
    assert_eq!(
        notes(&function),
        [
            "1 never packed, because they may hold secrets (common/.env); give the function its values with [env] in \
             cloudfunc.toml",
            "1 left out, because no function needs them (common/__pycache__/)",
            "1 left out by ../../lib/common/.gitignore:1: *.so (common/a.so)",
            "1 left out by ../../.gitignore:1: *.tmp (common/b.tmp)",
            "1 left out by ../../lib/.cloudfuncignore:2: notes.md (common/pkg/notes.md)",
        ]
    );
    assert_eq!(
        paths(&pack(&function).unwrap().listing),
        [".cloudfuncignore", "cloudfunc.toml", "common/.gitignore", "common/util.py", "function.py"],
        "the function's own rules are about its own files"
    );
}

#[test]
fn a_package_in_an_included_folder_that_is_incomplete_is_warned_of() {
    let (_repository, function) = repository(
        "'../../vendor'",
        &[
            (".gitignore", "*.so\n"),
            ("vendor/pkg/__init__.py", ""),
            ("vendor/pkg/native.so", ""),
            ("vendor/pkg-1.0.dist-info/RECORD", "pkg/__init__.py,,\npkg/native.so,,\n"),
        ],
    );
    assert_eq!(
        pack(&function).unwrap().warnings,
        ["the package pkg-1.0 is incomplete: 1 of its files is left out (vendor/pkg/native.so) by \
          ../../.gitignore:1: *.so; a line `!*.so` in .cloudfuncignore takes them back in"]
    );
}

/// Pairs each include that is refused with the complete error; REPO stands for the repository.
#[test]
fn an_include_that_cannot_be_packed_is_refused_with_its_place_and_what_to_do() {
    let outside = folder(&[("lib/x.py", "")]);
    let outside = outside.path().canonicalize().unwrap();
    let files = [
        ("common/util.py", ""),
        ("file.py", ""),
        ("empty/", ""),
        ("ignored/.gitignore", "*\n"),
        ("functions/f/lib/x.py", ""),
        ("functions/f/own/x.py", ""),
        ("own/x.py", ""),
    ];
    let (repository, function) = repository("", &files);
    let at = repository.path().canonicalize().unwrap();
    symlink(outside.join("lib"), at.join("linked")).unwrap();
    symlink("common", at.join("again")).unwrap();
    symlink("functions/f/lib", at.join("inner")).unwrap();
    symlink("functions", at.join("outer")).unwrap();
    symlink(".git", at.join("history")).unwrap();
    for (includes, column, problem) in [
        (
            "'../../nowhere'",
            12,
            "`build.include` has '../../nowhere': there is no folder REPO/nowhere; correct the path, or make the folder",
        ),
        (
            "'../../common', '../../file.py'",
            28,
            "`build.include` has '../../file.py': REPO/file.py is a file, and only folders can be included; put it \
             into a folder and include that",
        ),
        (
            "'../../../lib'",
            12,
            "`build.include` has '../../../lib': PARENT/lib lies outside the repository REPO, and only folders in it \
             can be included; copy or move it into the repository",
        ),
        (
            "'../../linked'",
            12,
            "`build.include` has '../../linked': it is a link, and OUTSIDE/lib lies outside the repository REPO, and \
             only folders in it can be included; copy or move it into the repository",
        ),
        (
            "'../f'",
            12,
            "`build.include` has '../f': it is the function's own folder, which is packed anyway; remove it",
        ),
        (
            "'../../functions'",
            12,
            "`build.include` has '../../functions': REPO/functions contains the function's own folder; name the \
             folders in it that the function needs",
        ),
        (
            "'../../outer'",
            12,
            "`build.include` has '../../outer': REPO/functions contains the function's own folder; name the folders \
             in it that the function needs",
        ),
        (
            "'../f/lib'",
            12,
            "`build.include` has '../f/lib': REPO/functions/f/lib lies in the function's own folder, which is packed \
             anyway; remove it",
        ),
        (
            "'../../inner'",
            12,
            "`build.include` has '../../inner': REPO/functions/f/lib lies in the function's own folder, which is \
             packed anyway; remove it",
        ),
        (
            "'../../history'",
            12,
            "`build.include` has '../../history': REPO/.git lies in .git, which is never packed; remove it",
        ),
        (
            "'../../common', '../../again'",
            28,
            "`build.include` has '../../again': it is the same folder as '../../common' (REPO/common); remove one of \
             the two",
        ),
        (
            "'../../own'",
            12,
            "`build.include` has '../../own': it would be packed as 'own', and the function has F/own itself; rename \
             one of the two, or exclude the function's own in .cloudfuncignore",
        ),
        (
            "'../../empty'",
            12,
            "`build.include` has '../../empty': no file of it is packed; add one, or remove it from the list",
        ),
        (
            "'../../ignored'",
            12,
            "`build.include` has '../../ignored': no file of it is packed; add one, or remove it from the list",
        ),
    ] {
        let manifest = function.join(manifest::FILE);
        fs::write(&manifest, format!("[build]\ninclude = [{includes}]\n")).unwrap();
        let error = pack(&function).expect_err(includes);
        assert!(matches!(error, Error::Manifest(_)), "{error:?}");
        let shown = |path: &Path| path.display().to_string();
        let problem = problem
            .replace("REPO", &shown(&at))
            .replace("PARENT", &shown(at.parent().unwrap()))
            .replace("OUTSIDE", &shown(&outside))
            .replace("F/own", &shown(&function.join("own")));
        assert_eq!(error.to_string(), format!("{}:2:{column}: {problem}", manifest.display()));
    }
    // As the message for a clash says.
    fs::write(function.join("cloudfunc.toml"), "build.include = ['../../own']").unwrap();
    fs::write(function.join(".cloudfuncignore"), "own\n").unwrap();
    assert!(pack(&function).unwrap().listing.has("own/x.py"));
}

#[test]
fn without_a_repository_nothing_is_included() {
    let manifest = "[build]\ninclude = ['../common']\n";
    let files = [("f/function.py", ""), ("f/cloudfunc.toml", manifest), ("common/util.py", "")];
    let place = folder(&files);
    let function = place.path().join("f");
    assert_eq!(
        pack(&function).unwrap_err().to_string(),
        format!(
            "{0}/cloudfunc.toml:2:12: `build.include` has '../common': {0} is not in a repository, and only folders \
             of the same repository can be included; run `git init` in the folder that holds both",
            function.display()
        )
    );
    // In a worktree and a submodule it is a file.
    fs::write(place.path().join(".git"), "gitdir: /elsewhere\n").unwrap();
    assert!(pack(&function).unwrap().listing.has("common/util.py"));
}

#[test]
fn links_of_an_included_folder_stay_in_it() {
    let files = [("common/pkg/a.py", ""), ("secret/key", "")];
    let (repository, function) = repository("'../../common'", &files);
    let common = repository.path().join("common");
    symlink("pkg/a.py", common.join("inside")).unwrap();
    symlink("../pkg", common.join("pkg/again")).unwrap();
    let packed = pack(&function).unwrap();
    assert!(packed.listing.has("common/inside") && packed.listing.has("common/pkg/again"));
    assert_eq!(packed.warnings, Vec::<String>::new());
    // It would be /var/task/secret, which is something else.
    symlink("../secret", common.join("out")).unwrap();
    assert_eq!(
        pack(&function).unwrap_err().to_string(),
        "'common/out' is a link to '../secret', out of the folder; copy what it points to, or name it in \
         .cloudfuncignore"
    );
}

#[test]
fn the_limits_hold_for_all_folders_together() {
    let (repository, function) = repository("'../../common'", &[]);
    let common = repository.path().join("common");
    fs::create_dir(&common).unwrap();
    let deep = common.join("d/".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let error = pack(&function).unwrap_err().to_string();
    assert!(error.ends_with("…' lies more than 100 folders deep"), "{error}");
    fs::remove_dir_all(common.join("d")).unwrap();
    // The function has two files.
    for number in 0..MAX_FILES - 2 {
        fs::write(common.join(number.to_string()), "").unwrap();
    }
    assert_eq!(pack(&function).unwrap().listing.paths().len(), MAX_FILES);
    fs::write(common.join("one more"), "").unwrap();
    assert!(matches!(pack(&function), Err(Error::TooManyFiles)));
    fs::remove_file(common.join("0")).unwrap();
    fs::File::create(common.join("one more")).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(pack(&function), Err(Error::TooLarge)));
}

#[test]
fn an_archive_has_to_hold_what_its_manifest_includes() {
    let (repository, function) = repository("'../../common'", &[("common/util.py", "")]);
    let packed = pack(&function).unwrap();
    let text = packed.listing.manifest().unwrap().to_owned();
    let include = manifest::parse(&text, manifest::FILE, &Defaults::default()).unwrap().include;
    assert_eq!(check_includes(&read(&packed.bytes).unwrap(), &include), Ok(()));
    // As `tar` packs the function's folder alone.
    let alone = folder(&[("function.py", ""), ("common", "")]);
    for (without, what) in [("common", "is not in"), ("", "is not a folder in")] {
        let _ = fs::remove_file(alone.path().join(without));
        let listing = pack(alone.path()).unwrap().listing;
        let error = check_includes(&listing, &include).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cloudfunc.toml:2:12: `build.include` has '../../common', but 'common' {what} the archive; `cloudfunc \
                 deploy` packs it, another client has to add it"
            )
        );
        fs::write(alone.path().join("common"), "").unwrap();
    }
    drop(repository);
}
