use super::*;

fn of(text: &str) -> Result<Vec<String>, &'static str> {
    let mut entries = entries(text, false);
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
        assert_eq!((entries(text, true), asks(text)), (Vec::new(), false), "{text}");
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
            "this version installs wheels only, from an index or a folder of them",
            &[
                "-e .",
                "-e.",
                "--editable=lib",
                "a -e .",
                "--pre -e .",
                "--no-binary :all:",
                "--no-\\\nbinary :all:",
                "# a\u{2028}--no-binary :all:",
                "--only-binary :none:",
                "--only-binary=:all:,':none:'",
                "git+https://h/x.whl",
                "git+ssh://git@h/x.git",
                "a @ git+https://h/x.whl",
                "https://h/a-1.tar.gz",
                "https://h/a-1.tar.gz#.whl",
                "https://h/a-1.tar.gz?.whl",
                "https://h/a-1.tar.whl",
                "https://h/a.whl;a.tar.gz",
                "https://h/a.whl a.tar.gz",
                "a @ https://h/a-1.tar.gz",
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
        let entries = entries(line, true);
        let why = "the platform names the index of packages (--build-index)";
        assert_eq!(entries[0].includes, Err(why), "{line}");
    }
    assert_eq!(entries("a\n--pre", true).len(), 2);
}
