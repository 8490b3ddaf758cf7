//! Packages that attack the platform by what they are, or by what their own code writes while they are built.

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::{Value, json};

use super::{
    CODE, deploy, offline, on, packages_over_a_limit_are_refused,
    wheelhouse::{Wheelhouse, greet},
};
use crate::support::platform::{Stack, TestPlatform};

on! {
    sqlite_embedded_oci:
    a_wheel_with_links_devices_and_set_bits_becomes_plain_files
    a_wheel_that_leads_out_of_its_folder_is_refused
    what_a_build_writes_is_not_followed
    a_build_over_its_memory_is_told_so
    packages_over_a_limit_are_refused;
    postgres_rabbitmq_docker:
    what_a_build_writes_is_not_followed
    a_build_over_its_memory_is_told_so;
}

const FROM_SOURCE: (&str, &str) = ("cloudfunc.toml", "[build]\nfrom_source = true\n");

async fn told(platform: &TestPlatform, requirements: &str) -> String {
    let files = [("function.py", CODE), ("requirements.txt", requirements), FROM_SOURCE];
    match deploy(platform, "f", &files).await {
        (Err(cloudfunc::client::Error::Problem(problem)), _) => {
            assert_eq!(problem.status, 422, "{problem:?}");
            problem.detail.replace("the packages of requirements.txt cannot be installed: ", "")
        }
        (other, told) => panic!("it was not refused: {other:?} {told:?}"),
    }
}

async fn a_wheel_with_links_devices_and_set_bits_becomes_plain_files(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let (link, device, set) = (0o120_777, 0o020_666, 0o106_755);
    house.add(&json!([{"name": "odd", "version": "1.0",
        "files": {"odd_link.py": "/etc/passwd", "odd_device": "", "odd_set": "#!/bin/sh\n"},
        "modes": {"odd_link.py": link, "odd_device": device, "odd_set": set}}]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    platform.deploy("f", &[("function.py", CODE), ("requirements.txt", "greet\nodd\n")]).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    let tree = super::dependencies(&platform, "f").await.tree;
    let tree = platform.platform.data_dir.join("cache/dependencies").join(tree.as_str());
    for file in ["odd_link.py", "odd_device", "odd_set"] {
        let metadata = fs::symlink_metadata(tree.join(file)).unwrap();
        assert!(metadata.is_file(), "{file}: {metadata:?}");
        assert_eq!(metadata.mode() & 0o7022, 0, "{file}: {:o}", metadata.mode());
    }
    platform.stop().await;
}

async fn a_wheel_that_leads_out_of_its_folder_is_refused(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&json!([
        {"name": "above", "version": "1.0", "files": {"../../escaped.py": ""}},
        {"name": "absolute", "version": "1.0", "files": {"/tmp/escaped.py": ""}},
    ]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    for name in ["above", "absolute"] {
        let told = told(&platform, name).await;
        let expected =
            format!("For req: {name}. The wheel '/opt/wheels/{name}-1.0-py3-none-any.whl' has a file ");
        assert!(told.starts_with(&expected) && told.contains("outside the target directory"), "{told}");
    }
    platform.stop().await;
}

/// Makes a wheel of its own after it has run `attack`, in the folder that is packed.
fn backend(attack: &str) -> String {
    format!(
        "import os, zipfile\nOUT = '/var/output/packages'\n{attack}\n{}",
        r#"
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    attack()
    info, file = "evil-1.0.dist-info", "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as archive:
        archive.writestr("evil.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"evil.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return file
"#
    )
}

fn evil(attack: &str) -> Value {
    json!([{"name": "evil", "version": "1.0", "source": backend(attack)}])
}

async fn what_a_build_writes_is_not_followed(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    for (attack, expected) in [
        (
            "def attack(): os.symlink('/etc/passwd', f'{OUT}/link')",
            "their file 'link' is a link that leads out of them",
        ),
        (
            "def attack(): os.symlink('../../..', f'{OUT}/up')",
            "their file 'up' is a link that leads out of them",
        ),
        ("def attack(): os.mkfifo(f'{OUT}/pipe')", "their file 'pipe' is not a file, folder or link"),
        ("def attack(): os.rename(OUT, OUT + '2'); os.symlink('/', OUT)", ""),
    ] {
        house.add(&evil(attack));
        let files = [("function.py", CODE), ("requirements.txt", "evil\n"), FROM_SOURCE];
        let (deployed, lines) = deploy(&platform, "f", &files).await;
        let Err(cloudfunc::client::Error::Problem(problem)) = deployed else {
            panic!("{attack}: {deployed:?} {lines:?}")
        };
        assert!(problem.detail.contains(expected), "{attack}: {problem:?}");
    }
    // Rights of a file are not kept, and a device cannot be made.
    house.add(&evil(
        "def attack():\n    open(f'{OUT}/set', 'w').close()\n    os.chmod(f'{OUT}/set', 0o6777)\n    try:\n        os.mknod(\
         f'{OUT}/device', 0o020666, os.makedev(1, 3))\n    except OSError as error:\n        open(f'{OUT}/told.txt', \
         'w').write(error.strerror)",
    ));
    let files = [("function.py", CODE), ("requirements.txt", "evil\ngreet\n"), FROM_SOURCE];
    let (deployed, lines) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {lines:?}"));
    let tree = super::dependencies(&platform, "f").await.tree;
    let tree = platform.platform.data_dir.join("cache/dependencies").join(tree.as_str());
    assert_eq!(fs::metadata(tree.join("set")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_to_string(tree.join("told.txt")).unwrap(), "Operation not permitted");
    platform.stop().await;
}

async fn a_build_over_its_memory_is_told_so(stack: Stack, test: &str) {
    let attack = "def attack():\n    kept = []\n    while True:\n        kept.append(b'x' * (64 << 20))";
    let house = Wheelhouse::new(&evil(attack));
    let Some(platform) = offline(stack, test, &house).await else { return };
    assert_eq!(
        told(&platform, "evil\n").await,
        "evil-1.0.tar.gz cannot be built from its source (Preparing metadata (pyproject.toml)): this took more memory than 1 \
         GiB"
    );
    platform.stop().await;
}
