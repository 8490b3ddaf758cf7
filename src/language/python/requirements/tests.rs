use super::*;

const OWN_INDEX_RULES: Rules = Rules { has_index: true, from_source: false };
const FROM_SOURCE: Rules = Rules { has_index: false, from_source: true };

fn of(text: &str) -> Result<Vec<String>, &'static str> {
    let mut entries = entries(text, Rules::default());
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0).includes
}

#[test]
fn what_an_index_has_is_asked_for() {
    for line in [
        "requests",
        "requests==2.31.0",
        "requests==2.31.0 --hash=sha256:00 --hash sha256:11",
        "requests==2.31.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11",
        "numpy>=1.26,<3 ; python_version >= \"3.9\"",
        "numpy~=1.26;sys_platform == \"a/b\" and extra == '-x'",
        "a (>=1, !=1.5.*)",
        "a===1.0+local",
        "a[b,c]==1",
        "requests[socks] >= 2 ; python_version < '3.12'  # why",
        "zope.interface",
        "a @ https://h/a-1-py3-none-any.whl#sha256=00",
        "a[b]@http://u:p@h/a-1-py3-none-any.whl?x=1 ; python_version > '3'",
        "https://h/a-1-py3-none-any.whl ; python_version > '3'",
        "HTTPS://h/a@1/a-1-py3-none-any.whl --hash=sha256:00",
        "--pre --prefer-binary",
        "--require-hashes",
        "--only-binary :all:",
        "--only-binary=a,b",
        "-i https://h/simple",
        "--index-url=http://u:p@h/simple --extra-index-url https://h/more",
    ] {
        assert_eq!(of(line), Ok(Vec::new()), "{line}");
    }
    for text in ["", "\n \n", "# -r other.txt", "  # a\n#b"] {
        assert_eq!((entries(text, OWN_INDEX_RULES), asks(text)), (Vec::new(), false), "{text}");
    }
    assert!(asks("# a\n b"));
}

#[test]
fn an_included_file_is_named_as_pip_reads_it() {
    for (line, file) in [
        ("-r base.txt", "base.txt"),
        ("-rbase.txt", "base.txt"),
        ("-retry", "etry"),
        ("-r=base.txt", "=base.txt"),
        (" -c ../base.txt  # why", "../base.txt"),
        ("-r base.txt\t# why", "base.txt"),
        ("-r base.txt#1", "base.txt#1"),
        ("-r \"a b.txt\"", "a b.txt"),
        ("-r a\\ b.txt", "a b.txt"),
        ("--requirement=base.txt", "base.txt"),
        ("--constraint \\\n base.txt", "base.txt"),
    ] {
        assert_eq!(of(line), Ok(vec![file.to_owned()]), "{line}");
    }
    assert_eq!(of("-r a -c b --pre"), Ok(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn what_would_run_code_or_is_elsewhere_is_refused() {
    let refused: &[(&str, &[&str])] = &[
        (
            "only wheels are installed; `from_source = true` under [build] in cloudfunc.toml has packages built from \
             their sources, too",
            &[
                "--no-binary :all:",
                "--no-\\\nbinary :all:",
                "# a\u{2028}--no-binary :all:",
                "--only-binary :none:",
                "--only-binary=:all:,':none:'",
                "https://h/a-1.tar.gz",
                "https://h/a-1.tar.gz#.whl",
                "https://h/a-1.tar.gz?.whl",
                "https://h/a-1.tar.whl",
                "https://h/a.whl;a.tar.gz",
                "https://h/a.whl a.tar.gz",
                "a @ https://h/a-1.tar.gz",
            ],
        ),
        (
            "a package is not installed as an editable one; code of your own is packed with the function, or included by \
             `build.include`",
            &["-e .", "-e.", "--editable=lib", "a -e .", "--pre -e ."],
        ),
        (
            "a repository is not read; name a release of the package, or the https address of a wheel or an archive",
            &[
                "git+https://h/x.whl",
                "git+ssh://git@h/x.git",
                "a @ git+https://h/x.whl",
                "ftp://h/a-1-py3-none-any.whl",
            ],
        ),
        (
            "this option of pip is not supported",
            &[
                "--edit .",
                "--edit git+https://h/x.git",
                "--no-bin :all:",
                "--only-bin :none:",
                "--constr https://h/list.txt",
                "--req base.txt",
                "--index https://h/simple",
                "--pypi-url https://h/simple",
                "--pre=1",
                "--no-index",
                "--trusted-host h",
                "-f lib",
                "-flib",
                "--find-links=https://h/",
                "--use-feature fast-deps",
                "--config-settings a=b",
                "a==1 --config-settings=a=b",
                "a -r base.txt",
                "--",
                "--\u{e4}",
                "-\u{e4}",
            ],
        ),
        (
            "a path is not installed; code of your own is packed with the function, or included by `build.include`",
            &[
                ".",
                "..",
                "./a",
                ".[b]",
                "/a",
                "lib/",
                "lib/a",
                "x.whl",
                "x.whl[b]",
                "X.ZIP",
                "a-1.tar.gz",
                "a==1.tgz",
                "a==1/..",
                "file:///a.whl",
                "file:a.whl",
                "a @ file:///x.whl",
                "a @ file:x.whl",
                "a @ ./x.whl",
            ],
        ),
        (
            "a list from the network is not read; put the file into the function's folder",
            &[
                "-r https://h/list.txt",
                "-rhttps://h/list.txt",
                "--constraint=HTTP:list.txt",
                "-c file:///list.txt",
            ],
        ),
        ("this option lacks its value", &["-r", "--constraint", "--requirement=", "-r ''"]),
        (
            "the address of an index begins with http:// or https://",
            &["-i lib", "--extra-index-url file:///lib", "--index-url https://"],
        ),
        (
            "variables are not filled in; write the value",
            &["-r ${HOME}/a", "a @ https://h/${PIP_INDEX_URL}.whl"],
        ),
        ("it has a control character", &["a\u{1f}", "\u{1f}#\\\n-e ."]),
        ("the file has to be UTF-8", &["# coding: utf-7"]),
        (
            "it is not understood; a line names one package, for example requests==2.31.0",
            &[
                "a b",
                "a[b",
                "a['b']",
                "-r \"a",
                "-r a b",
                "- a",
                "\"\" --no-binary :all:",
                "_a",
                "a.",
                "a==1 @ b",
                "a==",
                "a>=1<2",
                "a=1",
                "a>=1,",
                "a (>=1",
            ],
        ),
    ];
    for (why, lines) in refused {
        for line in *lines {
            assert_eq!(of(line), Err(*why), "{line:?}");
        }
    }
}

#[test]
fn the_index_of_the_platform_is_not_replaced() {
    for line in [
        "-i https://h/simple",
        "--index-url=https://h/simple",
        "--extra-index-url https://h/simple",
        "--trusted-host h",
        "-f lib",
        "--find-links https://h/",
    ] {
        let entries = entries(line, OWN_INDEX_RULES);
        let why = "the platform names the index of packages (--build-index)";
        assert_eq!(entries[0].includes, Err(why), "{line}");
    }
    assert_eq!(entries("a\n--pre", OWN_INDEX_RULES).len(), 2);
}

#[test]
fn sources_are_accepted_where_the_function_asks_for_them() {
    for line in [
        "--no-binary :all:",
        "--only-binary :none:",
        "https://h/a-1.tar.gz",
        "a @ https://h/a-1.zip ; python_version > '3'",
        "a==1",
    ] {
        assert_eq!(entries(line, FROM_SOURCE)[0].includes, Ok(Vec::new()), "{line}");
    }
    for line in [
        "-e .",
        "git+https://h/x.git",
        "a @ git+https://h/x.git",
        "./a",
        "a-1.tar.gz",
        "https://h/x.git",
    ] {
        assert!(entries(line, FROM_SOURCE)[0].includes.is_err(), "{line}");
    }
}

#[test]
fn what_an_entry_asks_for_is_known() {
    let of = |text: &str| {
        let entry = entries(text, Rules::default()).remove(0);
        (entry.package, entry.names_index)
    };
    assert_eq!(
        of("a[b] >=1 ; os_name == 'x' --hash=sha256:00"),
        (Some("a[b] >=1 ; os_name == 'x'".to_owned()), false)
    );
    assert_eq!(
        of("a @ https://h/a-1-py3-none-any.whl").0.as_deref(),
        Some("a @ https://h/a-1-py3-none-any.whl")
    );
    assert_eq!(of("https://h/a-1-py3-none-any.whl"), (None, false));
    assert_eq!(of("--extra-index-url https://h/simple"), (None, true));
    assert_eq!(of("-r a.txt"), (None, false));
}

#[test]
fn comments_blank_lines_and_the_order_of_packages_mean_nothing() {
    let one = "# why\nb==1 \\\n  --hash=sha256:00\n\n--pre\na  # x\n-i https://h/1\n-i https://h/2\na\n";
    let other = "--pre\n-i https://h/1\n-i https://h/2\n\na\nb==1   --hash=sha256:00";
    assert_eq!(normal(one), normal(other));
    assert_eq!(normal(other), "--pre\n-i https://h/1\n-i https://h/2\na\nb==1   --hash=sha256:00");
    for different in [
        "--pre\n-i https://h/2\n-i https://h/1\na\nb==1   --hash=sha256:00",
        "--pre\n-i https://h/1\n-i https://h/2\na\nb==1   --hash=sha256:11",
        "-i https://h/1\n-i https://h/2\na\nb==1   --hash=sha256:00",
    ] {
        assert_ne!(normal(different), normal(other), "{different}");
    }
}
