//! Packages of a `pyproject.toml`, packages that are built from their sources, and what a deploy has to say of packages
//! although it succeeds.

use std::fs;

use cloudfunc::{client::Error, model::RevisionNumber};
use serde_json::json;

use super::{
    CODE, deploy, offline, on,
    wheelhouse::{Wheelhouse, greet},
};
use crate::support::platform::Stack;

on! {
    light:
    the_packages_of_a_project_are_installed
    files_that_are_not_read_are_named
    a_module_that_hides_an_installed_one_is_told_at_every_deploy;
    sqlite_embedded_oci:
    the_packages_of_a_project_are_installed
    a_package_in_c_is_compiled_by_this_machines_compiler
    a_package_is_built_from_its_source_where_the_function_asks_for_that;
    postgres_rabbitmq_docker:
    the_packages_of_a_project_are_installed
    a_package_is_built_from_its_source_where_the_function_asks_for_that;
}

async fn the_packages_of_a_project_are_installed(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let project = "[project]\nname = 'x'\nrequires-python = '>=3.8'\ndependencies = [\n  'greet',\n  'words<2; \
                   python_version>\"3\"',\n]\n";
    let (deployed, told) =
        deploy(&platform, "f", &[("function.py", CODE), ("pyproject.toml", project)]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    let begun = "installing the packages of pyproject.toml with pip ";
    assert!(told.iter().any(|line| line.starts_with(begun)), "{told:?}");
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");
    // What else it says changes nothing about packages.
    let more = format!("{project}[tool.ruff]\nline-length = 100\n");
    let (deployed, told) =
        deploy(&platform, "f", &[("function.py", CODE), ("pyproject.toml", &more)]).await;
    assert_eq!(deployed.unwrap().revision, RevisionNumber(2));
    assert!(told.contains(&"packages, installed before: greet 1.0, words 1.0".to_owned()), "{told:?}");

    for (project, detail) in [
        (
            "[project]\ndependencies = ['words==9']\n",
            format!(
                "the packages of pyproject.toml cannot be installed: words has no version ==9, but 2.0, 1.0; pip has searched \
                 the folder {} (--build-find-links), and no index, since --build-index is none",
                house.path().display()
            ),
        ),
        (
            "[project]\ndependencies = ['-e .']\n",
            "pyproject.toml: a package is not installed as an editable one; code of your own is packed with the function, or \
             included by `build.include`: -e ."
                .to_owned(),
        ),
        (
            "[project]\nrequires-python = '<3.9'\n",
            format!(
                "pyproject.toml: `project.requires-python` is \"<3.9\", and the function has Python {}; a `version` in \
                 cloudfunc.toml that it allows, or another `requires-python`, is needed",
                "3.11"
            ),
        ),
        (
            "[tool.poetry.dependencies]\nwords = '1'\n",
            "pyproject.toml: it names its packages for Poetry alone (`tool.poetry.dependencies`); `poetry export -f \
             requirements.txt -o requirements.txt` (with the plugin poetry-plugin-export) writes them to a requirements.txt, \
             which is read. Then deploy again"
                .to_owned(),
        ),
    ] {
        let files =
            [("function.py", CODE), ("pyproject.toml", project), ("cloudfunc.toml", "version = '3.11'\n")];
        match deploy(&platform, "f", &files).await {
            (Err(Error::Problem(problem)), _) => {
                assert_eq!((problem.status, problem.detail), (422, detail));
            }
            (other, told) => panic!("it was not refused: {other:?} {told:?}"),
        }
    }
    let locked = [("function.py", CODE), ("pyproject.toml", project), ("uv.lock", "version = 1\n")];
    let (deployed, _) = deploy(&platform, "f", &locked).await;
    let Err(Error::Problem(problem)) = deployed else { panic!("{deployed:?}") };
    assert_eq!(
        problem.detail,
        "pyproject.toml: the versions of its packages are fixed by uv.lock, which is not read; `uv export --no-dev \
         --no-emit-project -o requirements.txt` writes them to a requirements.txt, which is. Then deploy again"
    );
    platform.stop().await;
}

async fn files_that_are_not_read_are_named(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("function.py", "def handler(event): pass\n");
    write("cloudfunc.toml", "name = 'f'\n");
    let path = folder.path().to_str().unwrap();
    let project = "[project]\nname = 'x'\ndependencies = ['words']\n";
    for (files, warning) in [
        (
            vec![("Requirements.txt", "words\n")],
            Some(
                "warning: Requirements.txt is not read: the file that lists packages is requirements.txt; rename it\n",
            ),
        ),
        (
            vec![("Pipfile", "")],
            Some(
                "warning: Pipfile is not read: the file that lists packages is requirements.txt; `pipenv requirements > \
                 requirements.txt` writes it\n",
            ),
        ),
        (
            vec![("pyproject.toml", project), ("requirements.txt", "words<2\n")],
            Some(
                "warning: pyproject.toml names packages, too; those of requirements.txt are installed\n",
            ),
        ),
        (vec![("pyproject.toml", "[tool.black]\n"), ("requirements.txt", "words\n")], None),
        (vec![("pyproject.toml", "[tool.black]\n")], None),
        (vec![("pyproject.toml", project), ("Pipfile", "")], None),
    ] {
        files.iter().for_each(|(name, text)| write(name, text));
        let (code, _, stderr) = platform.cli(&["deploy", path]).await;
        assert_eq!(code, 0, "{stderr}");
        let warnings: String =
            stderr.split_inclusive('\n').filter(|line| line.starts_with("warning")).collect();
        assert_eq!(warnings, warning.unwrap_or_default());
        files.iter().for_each(|(name, _)| fs::remove_file(folder.path().join(name)).unwrap());
    }
    platform.stop().await;
}

async fn a_module_that_hides_an_installed_one_is_told_at_every_deploy(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("function.py", CODE);
    write("cloudfunc.toml", "name = 'f'\n");
    write("requirements.txt", "greet\n");
    write("words.py", "HELLO = 'My own'\n");
    let warning = "warning: words.py in the function's folder hides the installed module words of the package words 2.0\n";
    for _ in 0..2 {
        let (code, _, stderr) = platform.cli(&["deploy", folder.path().to_str().unwrap()]).await;
        assert!(code == 0 && stderr.contains(warning), "{stderr}");
        assert_eq!(platform.value("f", "\"Ada\"").await, "My own, Ada");
        // Installed before, and told nevertheless.
        write("more.txt", "");
    }
    platform.stop().await;
}

/// What a package does when it is built.
const BACKEND: &str = r#"
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info, file = "greet-3.0.dist-info", "greet-3.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as archive:
        archive.writestr("greet.py", "def hello(name): return f'Built for {name}'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greet\nVersion: 3.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"greet.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return file
"#;

async fn a_package_is_built_from_its_source_where_the_function_asks_for_that(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    house.add(&json!([
        {"name": "greet", "version": "3.0", "source": BACKEND},
        {"name": "broken", "version": "1.0", "source": "import sys\nprint('looking for a compiler')\nsys.exit('no compiler')"},
    ]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    let code = ("function.py", CODE);
    platform.deploy("f", &[code, ("requirements.txt", "greet\n")]).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    // The same requirements, which mean another version now.
    let from_source = ("cloudfunc.toml", "[build]\nfrom_source = true\n");
    let (deployed, told) =
        deploy(&platform, "f", &[code, ("requirements.txt", "greet\n"), from_source]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Built for Ada");
    let (deployed, _) =
        deploy(&platform, "f", &[code, ("requirements.txt", "broken\n"), from_source]).await;
    let Err(Error::Problem(problem)) = deployed else { panic!("{deployed:?}") };
    assert_eq!(
        problem.detail,
        "the packages of requirements.txt cannot be installed: broken-1.0.tar.gz cannot be built from its source (Getting \
         requirements to build wheel):\n  looking for a compiler\n  no compiler"
    );
    platform.stop().await;
}

/// A module in C, and the wheel with it.
const IN_C: &str = r#"
import os, subprocess, sysconfig, zipfile

SOURCE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_fast(void) {
    PyObject *made = PyModule_Create(&module);
    PyModule_AddIntConstant(made, "ANSWER", 42);
    return made;
}
"""

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("fast.c", "w") as file:
        file.write(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-I", sysconfig.get_path("include"), "-o", "fast.so", "fast.c"], check=True)
    info, file = "fast-1.0.dist-info", "fast-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as archive:
        archive.write("fast.so")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fast\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"fast.so,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return file
"#;

async fn a_package_in_c_is_compiled_by_this_machines_compiler(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&json!([{"name": "fast", "version": "1.0", "source": IN_C}]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    let files = [
        ("function.py", "import fast\ndef handler(event):\n    return fast.ANSWER\n"),
        ("requirements.txt", "fast\n"),
        ("cloudfunc.toml", "[build]\nfrom_source = true\n"),
    ];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "{}").await, "42");
    platform.stop().await;
}
