//! Programs in a function's folder: what is packed of them, and which ones are refused.

use super::{super::program, *};

/// Makes a folder of these files, all of them executable.
fn programs(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    folder
}

fn spec(manifest: &str) -> crate::model::FunctionSpec {
    manifest::parse(manifest, manifest::FILE, &Defaults::default()).unwrap().spec
}

fn problem(folder: &TempDir, manifest: &str) -> Option<String> {
    let listing = pack(folder.path()).unwrap().listing;
    check_code(&listing, &spec(manifest)).err().map(|error| match error.hint() {
        Some(hint) => format!("{error} | {hint}"),
        None => error.to_string(),
    })
}

const NATIVE: &str = "language = 'native'\n";
const REPORT: &str =
    "language = 'native'\ninterface = 'command'\ncommand = ['./bin/../report.sh', '--all']\n";

#[test]
fn an_executable_arrives_executable() {
    let folder = programs(&[("bin/run.sh", b"#!/bin/sh\n")]);
    fs::write(folder.path().join("data"), "").unwrap();
    let packed = pack(folder.path()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let out = tempfile::tempdir().unwrap();
    unpack(&packed.bytes, &out.path().join("bundle")).unwrap();
    // As a build command leaves it.
    let mut tree = Vec::new();
    pack_tree(folder.path(), &mut tree).unwrap();
    unpack(&tree, &out.path().join("built")).unwrap();
    unpack_tree(tree.as_slice(), &out.path().join("tree")).unwrap();
    for kind in ["bundle", "built", "tree"] {
        let top = out.path().join(kind);
        assert_eq!((mode(&top.join("bin/run.sh")), mode(&top.join("data"))), (0o755, 0o644), "{kind}");
    }
    assert_eq!(read(&tree).unwrap().digest, packed.listing.digest);
}

#[test]
fn the_program_has_to_be_there() {
    let data = || folder(&[("data", "")]);
    assert_eq!(
        problem(&data(), NATIVE).unwrap(),
        "no bootstrap in the folder: `interface = \"lambda\"` runs it"
    );
    assert_eq!(problem(&data(), REPORT).unwrap(), "no report.sh in the folder: `command` runs it");
    let absolute = "interface = 'command'\ncommand = ['/var/task/x/y']\n";
    assert_eq!(problem(&data(), absolute).unwrap(), "no x/y in the folder: `command` runs it");
    for elsewhere in [
        "interface = 'command'\ncommand = ['python3', '-m', 'x.py']\n",
        "interface = 'command'\ncommand = ['python3', '/opt/x.py']\n",
        "interface = 'command'\ncommand = ['python3', 'x.txt']\n",
        "interface = 'command'\ncommand = ['ruby', 'x.py']\n",
        "language = 'node'\ninterface = 'http'\ncommand = ['node', 'node_modules/next/next.js']\n",
        "interface = 'http'\ncommand = ['python3', 'x.py']\nbuild.command = ['make']\n",
        "interface = 'command'\ncommand = ['/usr/bin/env', 'sh']\n",
        "interface = 'command'\ncommand = ['../x']\n",
        "language = 'node'\ninterface = 'http'\ncommand = ['node_modules/.bin/next', 'start']\n",
        "image = 'i'\ninterface = 'http'\ncommand = ['./x']\n",
        "interface = 'http'\ncommand = ['./x']\nbuild.command = ['make']\n",
    ] {
        assert_eq!(problem(&data(), elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn a_program_that_is_missing_is_told_with_what_is_there() {
    let hint = |files: &[(&str, &str)], manifest: &str| {
        let problem = problem(&folder(files), manifest).unwrap();
        problem.split_once(" | ").map(|(_, hint)| hint.to_owned())
    };
    assert_eq!(
        hint(&[("scripts/report.sh", "")], REPORT).unwrap(),
        "there is scripts/report.sh: name it in cloudfunc.toml: `command = [\"./scripts/report.sh\", \"--all\"]`"
    );
    assert_eq!(
        hint(&[("bootstrap.sh", "")], NATIVE).unwrap(),
        "there is bootstrap.sh: name it in cloudfunc.toml: `command = [\"./bootstrap.sh\"]`"
    );
    assert_eq!(
        hint(&[("target/lambda/f/bootstrap", ""), ("Cargo.toml", "")], NATIVE).unwrap(),
        "there is target/lambda/f/bootstrap: `cp target/lambda/f/bootstrap bootstrap` puts it where it is looked for"
    );
    assert_eq!(
        hint(&[("function.py", "")], NATIVE).unwrap(),
        "there is function.py: the platform itself calls a handler in Python: write `language = \"python\"`, without \
         `interface`"
    );
    let python = "interface = 'lambda'\n";
    assert_eq!(
        hint(&[("lambda_function.py", ""), ("x.py", "")], python).unwrap(),
        "there is lambda_function.py: for a handler of AWS Lambda, write `command = [\"python3\", \"-m\", \"awslambdaric\", \
         \"lambda_function.lambda_handler\"]` into cloudfunc.toml, and a line `awslambdaric` into requirements.txt; a handler \
         of this platform is named by `handler = \"lambda_function.lambda_handler\"`, without `interface` (docs/lambda.md)"
    );
    let native = hint(&[("lambda_function.py", "")], NATIVE).unwrap();
    let start = "there is lambda_function.py: for a handler of AWS Lambda, write `language = \"python\"`, `interface = \
                 \"lambda\"` and `command = [\"python3\", \"-m\", \"awslambdaric\", \"lambda_function.lambda_handler\"]` into";
    assert!(native.starts_with(start), "{native}");
    assert_eq!(
        hint(&[("index.mjs", "")], "language = 'node'\ninterface = 'lambda'\n").unwrap(),
        "there is index.mjs: the platform itself calls a handler in Node: leave out `interface`, and name it: `handler = \
         \"index.handler\"`"
    );
    assert_eq!(
        hint(&[("bootstrap.go", ""), ("go.mod", "")], NATIVE).unwrap(),
        "there is go.mod: build the program first, as with `CGO_ENABLED=0 go build -o bootstrap .`",
        "a source of the same name is not the program"
    );
    assert_eq!(
        hint(&[("go.mod", ""), ("main.go", "")], NATIVE).unwrap(),
        "there is go.mod: build the program first, as with `CGO_ENABLED=0 go build -o bootstrap .`"
    );
    assert_eq!(hint(&[("function.py", "")], REPORT), None, "a handler has nothing to do with a command");
}

#[test]
fn a_script_that_an_interpreter_is_to_run_has_to_be_there() {
    let of = |program: &str, script: &str| {
        let manifest = format!("interface = 'command'\ncommand = ['{program}', '{script}', '--all']\n");
        (problem(&folder(&[("data", "")]), &manifest), problem(&folder(&[("src/x.py", "")]), &manifest))
    };
    let none = "no x.py in the folder: `command` runs it";
    let hint = |program: &str| {
        format!(
            "there is src/x.py: name it in cloudfunc.toml: `command = [\"{program}\", \"src/x.py\", \"--all\"]`"
        )
    };
    for program in ["python3", "python", "python3.12"] {
        for script in ["x.py", "./x.py", "/var/task/x.py"] {
            let expected = (Some(none.to_owned()), Some(format!("{none} | {}", hint(program))));
            assert_eq!(of(program, script), expected, "{program} {script}");
        }
        assert_eq!(of(program, "src/x.py").1, None);
    }
    let node = "language = 'node'\ninterface = 'http'\ncommand = ['node', 'server.mjs']\n";
    let expected = "no server.mjs in the folder: `command` runs it";
    assert_eq!(problem(&folder(&[("data", "")]), node).unwrap(), expected);
    // What a program is built from is not what a script is missing.
    assert_eq!(problem(&folder(&[("Makefile", ""), ("server.sh", "")]), node).unwrap(), expected);
}

#[test]
fn a_command_of_one_word_that_was_meant_as_several_is_refused_with_the_list() {
    let of = |word: &str| {
        let manifest = format!("interface = 'http'\ncommand = ['{word}']\n");
        problem(&folder(&[("data", "")]), &manifest)
    };
    for (word, list) in [
        ("gunicorn app:app", "[\"gunicorn\", \"app:app\"]"),
        ("./server --port 8080", "[\"./server\", \"--port\", \"8080\"]"),
        ("/usr/bin/python3 app.py", "[\"/usr/bin/python3\", \"app.py\"]"),
        ("cd app && make", "[\"sh\", \"-c\", \"cd app && make\"]"),
    ] {
        let expected = format!(
            "program \"{word}\" not found: no shell splits it at its spaces; write `command = {list}`"
        );
        assert_eq!(of(word), Some(expected));
    }
    assert_eq!(of("gunicorn"), None);
    let named = programs(&[("my report", b"#!/bin/sh\n")]);
    assert_eq!(problem(&named, "interface = 'command'\ncommand = ['my report']\n"), None);
}

#[test]
fn what_the_kernel_would_not_run_is_refused() {
    assert_eq!(
        problem(&folder(&[("report.sh", "#!/bin/sh\n")]), REPORT).unwrap(),
        "report.sh is not executable; run `chmod +x report.sh`"
    );
    let of_two_words = "language = 'native'\ninterface = 'command'\ncommand = ['./my report']\n";
    assert_eq!(
        problem(&folder(&[("my report", "#!/bin/sh\n")]), of_two_words).unwrap(),
        "my report is not executable; run `chmod +x './my report'`"
    );
    // A name may be that of a program on the PATH; one with an ending hardly is.
    let by_name = |name: &str| {
        let manifest = format!("interface = 'command'\ncommand = ['{name}', 'x']\n");
        problem(&folder(&[(name, "data")]), &manifest)
    };
    assert_eq!(by_name("tr"), None);
    assert_eq!(by_name("x.sh").unwrap(), "x.sh is not executable; run `chmod +x x.sh`");
    let of = |content: &[u8]| problem(&programs(&[("report.sh", content)]), REPORT);
    assert_eq!(of(b"#!/bin/sh\necho\r\n"), None);
    assert_eq!(of(&program::tests::program(0x3e, None)), None);
    for (content, expected) in [
        (
            &b"#!/bin/sh\r\necho\r\n"[..],
            "the first line of report.sh ends as lines of Windows do, so that its interpreter is not found; run `sed -i \
             's/\\r$//' report.sh`",
        ),
        (
            b"\xef\xbb\xbf#!/bin/sh\n",
            "report.sh begins with a byte order mark, so that its first line names no interpreter; save it without",
        ),
        (
            b"echo hello\n",
            "report.sh is executable and no program; a script begins with a line that names its interpreter, such as \
             `#!/bin/sh`",
        ),
        (
            b"\xcf\xfa\xed\xfe",
            "report.sh is a program for macOS; functions run on Linux, so build it for that",
        ),
    ] {
        assert_eq!(of(content).unwrap(), expected);
    }
    // A link is as good as what it leads to.
    let linked = programs(&[("bin/real.sh", b"echo\n")]);
    symlink("bin", linked.path().join("tools")).unwrap();
    symlink("tools/real.sh", linked.path().join("report.sh")).unwrap();
    assert!(problem(&linked, REPORT).unwrap().starts_with("bin/real.sh is executable and no program"));
    let turning = folder(&[("data", "")]);
    symlink("other", turning.path().join("report.sh")).unwrap();
    symlink("report.sh", turning.path().join("other")).unwrap();
    assert_eq!(problem(&turning, REPORT).unwrap(), "no report.sh in the folder: `command` runs it");
}

#[test]
fn a_program_for_another_machine_or_library_is_told() {
    let musl = program::tests::program(0x3e, Some("/lib/ld-musl-x86_64.so.1"));
    let listing = pack(programs(&[("bootstrap", &musl)]).path()).unwrap().listing;
    let spec = spec(NATIVE);
    assert_eq!(check_runnable(&listing, &spec, "x86_64"), Ok(()));
    assert_eq!(
        check_runnable(&listing, &spec, "aarch64").unwrap_err().to_string(),
        "bootstrap is for x86_64, this platform runs aarch64; build it for that"
    );
    assert_eq!(
        remarks(&listing, &spec),
        [
            "bootstrap needs musl's loader, /lib/ld-musl-x86_64.so.1, which images with glibc, such as the platform's usual \
          ones, do not have: link it statically, or use an image that has it"
        ]
    );
    for loader in [None, Some("/lib64/ld-linux-x86-64.so.2")] {
        let other = program::tests::program(0x3e, loader);
        let listing = pack(programs(&[("bootstrap", &other)]).path()).unwrap().listing;
        assert_eq!(remarks(&listing, &spec), [""; 0]);
    }
}

#[test]
fn a_folder_with_a_program_and_no_manifest_is_that_of_a_native_function() {
    let is_native = |folder: &TempDir| {
        let listing = pack(folder.path()).unwrap().listing;
        let is_native = listing.description() == manifest::OF_A_PROGRAM;
        assert_eq!(is_native, is_programs(folder.path()));
        is_native
    };
    let script: &[u8] = b"#!/bin/sh\n";
    let alone = programs(&[("bootstrap", script), ("lib/x.py", b"")]);
    assert!(is_native(&alone));
    assert_eq!(problem(&alone, manifest::OF_A_PROGRAM), None);
    assert!(!is_native(&folder(&[("bootstrap", "#!/bin/sh\n")])), "it is not executable");
    assert!(!is_native(&programs(&[("bootstrap", script), ("function.py", b"")])));
    assert!(!is_native(&programs(&[("bootstrap", script), ("cloudfunc.toml", b"")])));
    let linked = programs(&[("bin/x", script)]);
    symlink("bin/x", linked.path().join("bootstrap")).unwrap();
    assert!(is_native(&linked));
    assert_eq!(
        problem(&folder(&[("bootstrap", "")]), "").unwrap(),
        "no function.py in the folder: the handler \"function.handler\" needs it | there is bootstrap, which is not \
         executable; after `chmod +x bootstrap` it is a native function"
    );
}
