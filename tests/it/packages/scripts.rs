//! Programs of packages: two runtimes have the same packages, and each has its interpreter in a place of its own.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::json;

use super::{deploy, offline, on, wheelhouse::Wheelhouse};
use crate::support::platform::Stack;

on! {
    light:
    a_program_of_a_package_runs_on_any_interpreter;
    sqlite_embedded_oci:
    a_program_of_a_package_runs_on_any_interpreter;
    postgres_rabbitmq_docker:
    a_program_of_a_package_runs_on_any_interpreter;
}

/// It prints its own first line.
const MADE: &str = "import sys\ndef main():\n    with open(sys.argv[0]) as file:\n        print(file.readline(), end='')\n";

async fn a_program_of_a_package_runs_on_any_interpreter(stack: Stack, test: &str) {
    let entry_points = "[console_scripts]\nmade = made:main\n";
    let house = Wheelhouse::new(&json!([{"name": "made", "version": "1.0", "files": {
        "made.py": MADE, "made-1.0.dist-info/entry_points.txt": entry_points
    }}]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    let manifest = ("cloudfunc.toml", "interface = \"command\"\ncommand = [\"made\"]\n");
    let (deployed, told) = deploy(&platform, "f", &[manifest, ("requirements.txt", "made\n")]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "1").await, "#!/usr/bin/env python3\n");
    platform.stop().await;
}

/// Writes the scripts of a folder as an installation leaves them; `$` stands for the interpreter.
const SHARE: &str = "import os, sys\nsys.path.insert(0, sys.argv[1])\nimport install\n\
                     for name in os.listdir(sys.argv[2]):\n    path = os.path.join(sys.argv[2], name)\n    \
                     mode, text = os.stat(path).st_mode, open(path).read().replace('$PYTHON', sys.executable)\n    \
                     os.chmod(path, 0o755)\n    open(path, 'w').write(text)\n    os.chmod(path, mode)\n\
                     install.share_scripts(sys.argv[2])\ninstall.share_scripts(sys.argv[2] + '/nothing')\n";

#[test]
fn scripts_that_name_the_interpreter_of_their_installation_get_any() {
    let cases = [
        ("plain", "#!$PYTHON\nprint(1)\n", "#!/usr/bin/env python3\nprint(1)\n"),
        ("options", "#!$PYTHON -E\nprint(1)\n", "#!/usr/bin/env -S python3 -E\nprint(1)\n"),
        (
            "long",
            "#!/bin/sh\n'''exec' $PYTHON \"$0\" \"$@\"\n' '''\nprint(1)\n",
            "#!/usr/bin/env python3\nprint(1)\n",
        ),
        (
            "quoted",
            "#!/bin/sh\n'''exec' \"$PYTHON\" \"$0\" \"$@\"\n' '''\nprint(1)\n",
            "#!/usr/bin/env python3\nprint(1)\n",
        ),
        ("shell", "#!/bin/sh\nexit 0\n", "#!/bin/sh\nexit 0\n"),
        ("other", "#!/nowhere/python3\nprint(1)\n", "#!/nowhere/python3\nprint(1)\n"),
        ("binary", "\u{7f}ELF", "\u{7f}ELF"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, text, _) in cases {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/python/runtime");
    let output = Command::new("python3").args(["-B", "-c", SHARE, program]).arg(folder.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, _, expected) in cases {
        let path = folder.path().join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{name}");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o555, "{name}");
    }
}
