//! What a deploy refuses of functions that are programs, before anything of them runs: by the command line, the registry
//! and the manager that builds.

use std::{env::consts::ARCH, fs, os::unix::fs::PermissionsExt as _, path::Path};

use cloudfunc::{client::Error, model::code};

use crate::{
    on_stack,
    support::platform::{TestPlatform, function, packed},
};

on_stack! {
    light:
    a_program_that_is_missing_or_cannot_run_is_refused_by_the_command_line
    a_registry_trusts_no_client
    a_program_for_another_machine_is_refused_by_the_manager
    a_folder_without_a_manifest_is_taken_for_what_is_in_it
    a_program_that_is_left_out_is_told_with_the_rule
}

/// A folder with a name that a function may have.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path()).unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("f")
    }

    fn allow(&self, name: &str) {
        allow(&self.path().join(name));
    }

    /// Deploys it, and answers with the exit code and what is written to stderr, without the folder's own path.
    async fn deploy(&self, platform: &TestPlatform) -> (i32, String) {
        let (exit, stdout, stderr) = platform.cli(&["deploy", self.path().to_str().unwrap()]).await;
        assert_eq!(stdout, "", "{stderr}");
        (exit, stderr.replace(&self.path().display().to_string(), "f"))
    }
}

fn allow(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

const NATIVE: &[u8] = b"language = \"native\"\n";
const REPORT: &[u8] = b"language = \"native\"\ninterface = \"command\"\ncommand = [\"./report.sh\"]\n";

async fn a_program_that_is_missing_or_cannot_run_is_refused_by_the_command_line(
    platform: &TestPlatform,
) {
    let folder = Folder::of(&[("cloudfunc.toml", NATIVE), ("data", b"")]);
    let missing =
        "error: cannot deploy f: no bootstrap in the folder: `interface = \"lambda\"` runs it\n";
    assert_eq!(folder.deploy(platform).await, (2, missing.to_owned()));
    // Those are left out by most rules, and looked at nevertheless.
    let built = folder.path().join("target/lambda/validate");
    fs::create_dir_all(&built).unwrap();
    fs::write(built.join("bootstrap"), "").unwrap();
    fs::write(folder.path().join(".gitignore"), "target\n").unwrap();
    let hint = "hint: there is target/lambda/validate/bootstrap: `cp target/lambda/validate/bootstrap bootstrap` puts it \
                where it is looked for\n";
    assert_eq!(folder.deploy(platform).await, (2, format!("{missing}{hint}")));

    let folder = Folder::of(&[("cloudfunc.toml", REPORT), ("report.sh", b"echo hello\n")]);
    let (exit, said) = folder.deploy(platform).await;
    assert_eq!(exit, 2);
    let expected = "error: cannot deploy f: report.sh is not executable; run `chmod +x report.sh`\n";
    assert_eq!(said, expected);
    folder.allow("report.sh");
    let expected = "error: cannot deploy f: report.sh is executable and no program; a script begins with a line that names \
                    its interpreter, such as `#!/bin/sh`\n";
    assert_eq!(folder.deploy(platform).await, (2, expected.to_owned()));
    fs::write(folder.path().join("report.sh"), "#!/bin/sh\r\necho hello\r\n").unwrap();
    let expected = "error: cannot deploy f: the first line of report.sh ends as lines of Windows do, so that its interpreter \
                    is not found; run `sed -i 's/\\r$//' report.sh`\n";
    assert_eq!(folder.deploy(platform).await, (2, expected.to_owned()));
    fs::write(folder.path().join(".cloudfuncignore"), "*.sh\n").unwrap();
    let (exit, said) = folder.deploy(platform).await;
    assert_eq!(exit, 2);
    assert!(said.starts_with("error: f/report.sh is left out by .cloudfuncignore:1: *.sh\n"), "{said}");
}

async fn a_registry_trusts_no_client(platform: &TestPlatform) {
    let files = |program: (&'static str, &'static str)| {
        packed(&[("cloudfunc.toml", std::str::from_utf8(NATIVE).unwrap()), program])
    };
    for (program, detail, hint) in [
        (("data", ""), "no bootstrap in the folder: `interface = \"lambda\"` runs it", None),
        (
            ("Makefile", ""),
            "no bootstrap in the folder: `interface = \"lambda\"` runs it",
            Some("there is Makefile: build the program first, so that bootstrap is there"),
        ),
        (("bootstrap", "#!/bin/sh\n"), "bootstrap is not executable; run `chmod +x bootstrap`", None),
    ] {
        let answer = platform.client.deploy(&function("f"), files(program), |_| {}).await;
        let problem = match answer {
            Err(Error::Problem(problem)) => problem,
            other => panic!("it was not refused: {other:?}"),
        };
        assert_eq!(problem.code, code::INVALID_UPLOAD.code, "{problem:?}");
        assert_eq!((problem.detail.as_str(), problem.hint.as_deref()), (detail, hint));
    }
}

/// The beginning of a program for a machine that is not this one, and that one's name.
fn foreign() -> (Vec<u8>, &'static str) {
    let (number, name) = if ARCH == "aarch64" { (0x3e, "x86_64") } else { (0xb7, "aarch64") };
    let mut head = vec![0; 128];
    head[..6].copy_from_slice(b"\x7fELF\x02\x01");
    head[18] = number;
    (head, name)
}

async fn a_program_for_another_machine_is_refused_by_the_manager(platform: &TestPlatform) {
    let (program, machine) = foreign();
    let folder = Folder::of(&[("cloudfunc.toml", NATIVE), ("bootstrap", &program)]);
    folder.allow("bootstrap");
    let (exit, said) = folder.deploy(platform).await;
    let refusal =
        format!("error: bootstrap is for {machine}, this platform runs {ARCH}; build it for that\n");
    assert!(said.contains(&refusal), "{said}");
    assert_eq!(exit, 1, "{said}");
}

async fn a_folder_without_a_manifest_is_taken_for_what_is_in_it(platform: &TestPlatform) {
    let (program, machine) = foreign();
    let folder = Folder::of(&[("bootstrap", &program)]);
    let none = "error: cannot deploy f: no function.py in the folder: the handler \"function.handler\" needs it\n";
    let hint = "hint: there is bootstrap, which is not executable; after `chmod +x bootstrap` it is a native function\n";
    assert_eq!(folder.deploy(platform).await, (2, format!("{none}{hint}")));
    folder.allow("bootstrap");
    let (_, said) = folder.deploy(platform).await;
    let taken = "there is no cloudfunc.toml: bootstrap is deployed as a native program (`language = \"native\"`, `interface = \
                 \"lambda\"`)\n";
    assert!(
        said.starts_with(taken) && said.contains(&format!("bootstrap is for {machine}, ")),
        "{said}"
    );

    let folder = Folder::of(&[("app.py", b"from flask import Flask\napp = Flask(__name__)\n")]);
    let hint = "hint: there is app.py with Flask: for a web application, write `interface = \"http\"` and `command = \
                [\"gunicorn\", \"--preload\", \"app:app\"]` into f/cloudfunc.toml; gunicorn has to be in requirements.txt\n";
    assert_eq!(folder.deploy(platform).await, (2, format!("{none}{hint}")));

    let folder = Folder::of(&[("lambda_function.py", b""), ("requirements.txt", b"awslambdaric==3\n")]);
    let hint = "hint: there is lambda_function.py: for a handler of AWS Lambda, write `interface = \"lambda\"` and `command = \
                [\"python3\", \"-m\", \"awslambdaric\", \"lambda_function.lambda_handler\"]` into cloudfunc.toml, and a line \
                `awslambdaric` into requirements.txt; a handler of this platform is named by `handler = \
                \"lambda_function.lambda_handler\"`, without `interface` (docs/lambda.md)\n";
    assert_eq!(folder.deploy(platform).await, (2, format!("{none}{hint}")));
}

async fn a_program_that_is_left_out_is_told_with_the_rule(platform: &TestPlatform) {
    let folder = Folder::of(&[("bootstrap", b"#!/bin/sh\n"), (".gitignore", b"bootstrap\n")]);
    folder.allow("bootstrap");
    let hint = "hint: a line `!<file>` in .cloudfuncignore takes a file back in\n";
    let said = format!("error: f/bootstrap is left out by .gitignore:1: bootstrap\n{hint}");
    assert_eq!(folder.deploy(platform).await, (2, said));
    // A link to what is left out.
    let folder = Folder::of(&[("built", b"#!/bin/sh\n"), (".gitignore", b"built\n")]);
    folder.allow("built");
    std::os::unix::fs::symlink("built", folder.path().join("bootstrap")).unwrap();
    let said = format!("error: f/built is left out by .gitignore:1: built\n{hint}");
    assert_eq!(folder.deploy(platform).await, (2, said));
}
