//! What a deploy says when its packages cannot be installed: in words of our own, whichever release of pip it is.

use std::{env::consts::ARCH, fs, os::unix::fs::PermissionsExt as _, process::Command};

use cloudfunc::{
    client::Error,
    model::Language,
    settings::{OfLanguage, Platform},
};
use serde_json::json;

use super::{
    CODE, deploy, offline, on, refused,
    wheelhouse::{Index, Wheelhouse, greet},
};
use crate::support::platform::{Stack, TestPlatform};

on! {
    light:
    what_cannot_be_installed_is_told_and_the_old_revision_goes_on
    an_index_tells_which_python_a_version_needs
    a_wrong_address_of_the_index_is_told_with_its_setting
    an_index_that_does_not_answer_is_named
    an_index_that_lets_nobody_in_is_the_platforms_failure;
    sqlite_embedded_oci:
    what_cannot_be_installed_is_told_and_the_old_revision_goes_on
    a_folder_of_packages_that_builds_cannot_read_is_the_platforms_failure;
    postgres_rabbitmq_docker:
    what_cannot_be_installed_is_told_and_the_old_revision_goes_on
    an_image_without_pip_is_told_with_its_setting;
}

/// Says what it runs on, in the words of a refusal.
const WHERE: &str = "import os, platform\ndef handler(event):\n    return f\"Python {platform.python_version()} on \
                     {platform.machine()} with {os.confstr('CS_GNU_LIBC_VERSION')}\"\n";

const BEGIN: &str = "the packages of requirements.txt cannot be installed: ";

async fn what_cannot_be_installed_is_told_and_the_old_revision_goes_on(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    house.add(&json!([
        {"name": "old", "version": "1.0", "requires": ["words<2"], "files": {"old.py": ""}},
        {"name": "picky", "version": "1.0", "requires": ["words>=3"], "files": {"picky.py": ""}},
        {"name": "fast", "version": "1.0", "tag": format!("cp38-cp38-manylinux_2_17_{ARCH}")},
        {"name": "fast", "version": "1.0", "tag": "cp38-cp38-win_amd64"},
        {"name": "window", "version": "1.0", "tag": "cp38-cp38-win_amd64"},
        {"name": "ancient", "version": "1.0", "python": "<3.9"},
        {"name": "raw", "version": "1.0", "source": ""},
    ]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    let files = [("function.py", CODE), ("requirements.txt", "greet\nwords==1.0\n")];
    platform.deploy("f", &files).await;
    platform.deploy("where", &[("function.py", WHERE)]).await;
    let here = platform.value("where", "{}").await;
    let python = here.split(' ').nth(1).unwrap();
    let searched = format!(
        "pip has searched the folder {} (--build-find-links), and no index, since --build-index is none",
        house.path().display()
    );
    let from_source = "`from_source = true` under [build] in cloudfunc.toml";
    let hash = "0".repeat(64);
    for (requirements, detail) in [
        ("nothing-of-that-name\n", format!("there is no package named nothing-of-that-name; {searched}")),
        ("words==9\n", format!("words has no version ==9, but 2.0, 1.0; {searched}")),
        ("picky\n", format!("picky needs words>=3, and words has no version >=3, but 2.0, 1.0; {searched}")),
        (
            "fast\n",
            format!(
                "fast 1.0 has no wheel for {here}, but for cp38-manylinux_2_17_{ARCH}, cp38-win_amd64; `version = \"3.8\"` \
                 in cloudfunc.toml, where the platform has it, runs the function with it"
            ),
        ),
        (
            "window\n",
            format!(
                "window 1.0 has no wheel for {here}, but for cp38-win_amd64; make one with `pip wheel`, and give the platform \
                 its folder (--build-find-links)"
            ),
        ),
        (
            "ancient\n",
            format!(
                "ancient needs Python <3.9, and the function has {python}; `version = \"3.8\"` in cloudfunc.toml, \
                 where the platform has it, runs the function with it"
            ),
        ),
        (
            "raw\n",
            format!("raw 1.0 has no wheel, only its source, and only wheels are installed; {from_source} builds it"),
        ),
        (
            "old\nwords==2.0\n",
            "these requirements contradict each other:\n  the function asks for words==2.0\n  old 1.0 depends on words<2"
                .to_owned(),
        ),
        (
            "words==1.0 --hash=sha256:WRONG\n",
            format!(
                "a file has another hash than the one that is given for it:\n  words==1.0 (requirements.txt:1)\n    expected \
                 sha256 {hash}\n    got RIGHT\nIf you have not changed the version, it is not the file that was there \
                 before"
            ),
        ),
        (
            "--require-hashes\nwords\n",
            "where packages have hashes, all need one version (==). These have none: words".to_owned(),
        ),
    ] {
        let problem = refused(&platform, &requirements.replace("WRONG", &hash)).await;
        assert_eq!((problem.status, problem.code.as_str()), (422, "build_failed"), "{problem:?}");
        let told = match problem.detail.split_once("got ") {
            Some((before, hash)) => format!("{before}got RIGHT{}", &hash[64..]),
            None => problem.detail.clone(),
        };
        assert_eq!(told, format!("{BEGIN}{detail}"));
        assert!(problem.output.unwrap().contains("Looking in links: "));
    }
    // The rest of these texts is pip's.
    let told = refused(&platform, "greet\n\nwords ; nonsense\n").await.detail;
    assert!(
        told.starts_with(&format!(
            "{BEGIN}requirements.txt:3: it is not understood: words ; nonsense\n  "
        )),
        "{told}"
    );
    for (requirements, detail) in [
        ("-r base.txt\n", "requirements.txt:1: the function's folder has no base.txt: -r base.txt"),
        (
            "a\n-r requirements.txt\n",
            "requirements.txt:2: files include each other in a circle (requirements.txt includes requirements.txt): -r \
             requirements.txt",
        ),
        (
            "--no-binary :all:\n",
            "requirements.txt:1: only wheels are installed; `from_source = true` under [build] in cloudfunc.toml has \
             packages built from their sources, too: --no-binary :all:",
        ),
        (
            "a==\n",
            "requirements.txt:1: it is not understood; a line names one package, for example requests==2.31.0: a==",
        ),
    ] {
        assert_eq!(refused(&platform, requirements).await.detail, detail);
    }
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");
    // Lines stay lines on their way to the terminal.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("function.py"), CODE).unwrap();
    fs::write(folder.path().join("cloudfunc.toml"), "name = 'f'\n").unwrap();
    fs::write(folder.path().join("requirements.txt"), "old\nwords==2.0\n").unwrap();
    let (code, _, stderr) = platform.cli(&["deploy", folder.path().to_str().unwrap()]).await;
    let told = format!(
        "error: {BEGIN}these requirements contradict each other:\n  the function asks for words==2.0\n  old 1.0 depends on \
         words<2\nhint: `cloudfunc logs f --build` shows all that the build said\n"
    );
    assert!(code == 1 && stderr.ends_with(&told), "{stderr}");
    platform.stop().await;
}

async fn an_index_tells_which_python_a_version_needs(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&json!([
        {"name": "slow", "version": "1.0"},
        {"name": "slow", "version": "2.0", "python": "<3.9"},
    ]));
    let index = Index::serve(house.path(), "127.0.0.1").await;
    let url = index.url();
    let change = move |platform: &mut Platform| platform.builds.index = Some(url.parse().unwrap());
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    platform.deploy("where", &[("function.py", WHERE)]).await;
    let here = platform.value("where", "{}").await;
    let python = here.split(' ').nth(1).unwrap();
    assert_eq!(
        refused(&platform, "slow==2.0\n").await.detail,
        format!(
            "{BEGIN}slow 2.0 needs Python <3.9, and the function has {python}; `version = \"3.8\"` in cloudfunc.toml, \
             where the platform has it, runs the function with it. Versions for the function's own: 1.0"
        )
    );
    platform.stop().await;
}

async fn a_wrong_address_of_the_index_is_told_with_its_setting(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let index = Index::serve(house.path(), "127.0.0.1").await;
    let address = index.address;
    let change = move |platform: &mut Platform| {
        platform.builds.index = Some(format!("http://u:hunter2@{address}/wrong").parse().unwrap());
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, "greet\n").await;
    assert_eq!(
        problem.detail,
        format!(
            "{BEGIN}there is no package named greet; pip has searched the index http://{address}/wrong (--build-index)"
        )
    );
    assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    platform.stop().await;
}

async fn an_index_that_does_not_answer_is_named(stack: Stack, test: &str) {
    let change = |platform: &mut Platform| {
        platform.builds.index = Some("http://u:hunter2@127.0.0.1:1/simple".parse().unwrap());
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, "greet\n").await;
    assert_eq!((problem.status, problem.code.as_str()), (503, "unavailable"), "{problem:?}");
    assert_eq!(
        problem.detail,
        "the build could not be done: the index http://127.0.0.1:1/simple (--build-index) cannot be reached: Failed to \
         establish a new connection: [Errno 111] Connection refused"
    );
    platform.stop().await;
}

async fn an_index_that_lets_nobody_in_is_the_platforms_failure(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let index = Index::serve(house.path(), "127.0.0.1").await;
    let url = format!("http://{}/forbidden", index.address);
    let set = url.parse().unwrap();
    let change = move |platform: &mut Platform| platform.builds.index = Some(set);
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, "greet\n").await;
    assert_eq!(
        (problem.status, problem.detail),
        (
            503,
            format!(
                "the build could not be done: the index {url} (--build-index) cannot be reached: it answers 403 Forbidden"
            )
        )
    );
    platform.stop().await;
}

async fn a_folder_of_packages_that_builds_cannot_read_is_the_platforms_failure(
    stack: Stack,
    test: &str,
) {
    let house = Wheelhouse::new(&greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let told = format!(
        "the build could not be done: --build-find-links: a build cannot read {} or what is in it: Permission denied; every \
         user has to be able to",
        house.path().display()
    );
    // Its user is the platform's own where that is not root.
    for path in [house.path(), house.path().join("greet-1.0-py3-none-any.whl")] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
        let (deployed, lines) = deploy(&platform, "f", &files).await;
        fs::set_permissions(&path, before).unwrap();
        match deployed {
            Err(Error::Problem(problem)) => {
                assert_eq!((problem.status, problem.detail), (503, told.clone()), "{lines:?}");
            }
            other => panic!("{other:?}: {lines:?}"),
        }
    }
    platform.stop().await;
}

async fn an_image_without_pip_is_told_with_its_setting(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let (folder, tag) = (house.path(), "cloudfunc-test/python-without-pip");
    let mut whole = String::new();
    let change = |platform: &mut Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(folder);
        whole = platform.languages.usual_image(Language::Python);
        platform.languages.set(Language::Python, OfLanguage::Image, tag);
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let context = tempfile::tempdir().unwrap();
    let remove = "import os, pip, shutil; shutil.rmtree(os.path.dirname(pip.__file__))";
    let dockerfile = format!("FROM {whole}\nRUN [\"python3\", \"-c\", \"{remove}\"]\n");
    fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    let built =
        Command::new("docker").args(["build", "-q", "-t", tag]).arg(context.path()).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    let (deployed, told) =
        deploy(&platform, "f", &[("function.py", CODE), ("requirements.txt", "greet\n")]).await;
    let Err(Error::Problem(problem)) = deployed else { panic!("{deployed:?}: {told:?}") };
    assert_eq!(
        problem.detail,
        "the build could not be done: packages cannot be installed: the image of python 3.11 has no pip; add it to the image \
         that CLOUDFUNC_PYTHON_IMAGE names"
    );
    platform.stop().await;
}
