//! Functions in Node with a `package.json`: its packages are installed when they are deployed, once. The packages are made by
//! the tests and come from a registry of theirs.

mod fence;

use cloudfunc::{
    client::{Error, Outcome},
    model::{Problem, RevisionNumber},
    settings::Platform,
};
use serde_json::{Value, json};

use super::{
    dependencies, deploy,
    fence::own_address,
    on,
    registry::{Registry, greet},
    two_wait,
};
use crate::support::platform::{Stack, TestPlatform};

on! {
    light:
    packages_are_installed_once_and_found
    a_package_that_cannot_be_had_is_named_and_the_old_revision_goes_on
    a_registry_that_is_away_or_not_allowed_is_named
    packages_in_the_folder_are_used_as_they_are
    packages_that_a_command_leaves_are_used_and_a_cache_is_not
    settings_and_passwords_of_registries_stay_with_the_build;
    sqlite_embedded_oci:
    packages_are_installed_once_and_found
    a_package_that_cannot_be_had_is_named_and_the_old_revision_goes_on
    a_prewarmed_instance_finds_packages_and_those_of_others_not;
    postgres_rabbitmq_docker:
    packages_are_installed_once_and_found
    a_prewarmed_instance_finds_packages_and_those_of_others_not
    an_image_of_its_own_finds_packages_too
    an_image_of_its_own_has_packages_that_a_command_leaves;
}

const MANIFEST: (&str, &str) = ("cloudfunc.toml", "language = \"node\"\n");
const CODE: (&str, &str) =
    ("function.mjs", "import { hello } from 'greet';\nexport const handler = (name) => hello(name);\n");

/// Serves where the functions of a stack reach it.
pub async fn serve(stack: Stack, packages: Value) -> Registry {
    let ip = if stack.has_containers() { own_address().to_string() } else { "127.0.0.1".to_owned() };
    Registry::serve(packages, &ip).await
}

pub fn only(url: &str) -> impl FnOnce(&mut Platform) + use<> {
    let registry = Some(url.parse().unwrap());
    move |platform| platform.builds.npm_registry = registry
}

fn package(dependencies: &str) -> String {
    format!("{{\"dependencies\": {{{dependencies}}}}}")
}

/// A lock of npm's that names `greet` and this version of `words`.
fn lock(words: &str) -> String {
    let packages = json!({
        "": {"dependencies": {"greet": "1"}},
        "node_modules/greet": {"version": "1.0.0", "dependencies": {"words": ">=1"}},
        "node_modules/words": {"version": words},
    });
    json!({"lockfileVersion": 3, "requires": true, "packages": packages}).to_string()
}

fn installed(told: &[String]) -> bool {
    told.iter().any(|line| line.starts_with("installing the packages of package.json with npm "))
}

pub async fn refused(platform: &TestPlatform, files: &[(&str, &str)]) -> Problem {
    match deploy(platform, "f", &[&[MANIFEST, CODE], files].concat()).await {
        (Err(Error::Problem(problem)), _) => *problem,
        (other, told) => panic!("it was not refused: {other:?} {told:?}"),
    }
}

async fn packages_are_installed_once_and_found(stack: Stack, test: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url());
    let Some(mut platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let wanted = package("\"greet\": \"1\"");
    let (package_json, lock_file) = (("package.json", wanted.as_str()), lock("1.0.0"));
    let locked = ("package-lock.json", lock_file.as_str());
    let (deployed, told) = deploy(&platform, "f", &[MANIFEST, CODE, package_json, locked]).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(installed(&told), "{told:?}");
    // What npm prints is told line by line.
    assert!(told.iter().any(|line| line.starts_with("added 2 packages in ")), "{told:?}");
    let end = "packages installed: greet 1.0.0, words 1.0.0 (";
    assert!(told.iter().any(|line| line.starts_with(end)), "{told:?}");
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");

    // Other code, other members of package.json, another function, a manager that starts again: nothing is installed.
    let other = "{\"name\": \"g\", \"type\": \"module\", \"dependencies\": {\"greet\": \"1\"}}";
    let code = ("function.mjs", format!("{}\n", CODE.1));
    let code = (code.0, code.1.as_str());
    for (name, files) in [("f", [code, package_json]), ("g", [CODE, ("package.json", other)])] {
        let (deployed, told) =
            deploy(&platform, name, &[&files[..], &[MANIFEST, locked]].concat()).await;
        deployed.unwrap();
        assert!(!installed(&told), "{told:?}");
        let before = "packages, installed before: greet 1.0.0, words 1.0.0";
        assert!(told.iter().any(|line| line == before), "{told:?}");
    }
    platform.restart().await;
    assert_eq!(platform.value("g", "\"Ada\"").await, "Hello, Ada");
    assert_eq!(dependencies(&platform, "f").await, dependencies(&platform, "g").await);

    // CommonJS, without a lock, and another version of the same package; a script and a program.
    let wanted = package("\"greet\": \"1\", \"made\": \"^1.0.0\"");
    let code = "const made = require('made');\nconst { execFileSync } = require('child_process');\n\
                exports.handler = async (name) => [(await import('greet')).hello(name), \
                made === Number(process.versions.modules), \
                execFileSync('node_modules/.bin/made', { encoding: 'utf8', env: { PATH: \
                `${require('path').dirname(process.execPath)}:/usr/bin:/bin` } }), require.resolve('made').split('/node_modules/')[1]];\n";
    let files = [MANIFEST, ("function.cjs", code), ("package.json", wanted.as_str())];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    assert_eq!(deployed.unwrap().revision, RevisionNumber(3));
    assert!(installed(&told) && told.iter().any(|line| line == "making it"), "{told:?}");
    let answer = "[\"Good day, Ada\",true,\"a program\\n\",\"made/index.js\"]";
    assert_eq!(platform.value("f", "\"Ada\"").await, answer);
    platform.client.activate(&"f".parse().unwrap(), RevisionNumber(2)).await.unwrap();
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");

    let (exit, shown, stderr) = platform.cli(&["show", "g"]).await;
    assert_eq!(exit, 0, "{stderr}");
    let line = shown.lines().find(|line| line.starts_with("packages ")).expect(&shown);
    assert!(line.starts_with("packages      greet 1.0.0, words 1.0.0 ("), "{line}");
    assert!(line.contains("; for node 2"), "{line}");
    platform.stop().await;
}

async fn a_package_that_cannot_be_had_is_named_and_the_old_revision_goes_on(stack: Stack, test: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url());
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let (good, locked) = (package("\"greet\": \"1\""), lock("1.0.0"));
    platform
        .deploy("f", &[MANIFEST, CODE, ("package.json", &good), ("package-lock.json", &locked)])
        .await;
    let searched = format!("npm has searched the registry {} (--build-npm-registry)", registry.url());
    let missing = format!("the registry has no package nothing-of-that-name@1; {searched}");
    let too_new = format!("No matching version found for words@9; {searched}");
    for (dependencies, why) in [
        ("\"nothing-of-that-name\": \"1\"", missing.as_str()),
        ("\"words\": \"9\"", too_new.as_str()),
        (
            "\"old\": \"1\", \"words\": \"2\"",
            "unable to resolve dependency tree; Found: words@2.0.0; words@\"2\" from the root project; Could not resolve \
             dependency: peer words@\"^1.0.0\" from old@1.0.0; old@\"1\" from the root project",
        ),
        ("\"broken\": \"1\"", "the script of broken failed (node fail.js); no compiler"),
    ] {
        let problem = refused(&platform, &[("package.json", &package(dependencies))]).await;
        assert_eq!((problem.status, problem.code.as_str()), (422, "build_failed"), "{problem:?}");
        assert_eq!(problem.detail, format!("the packages of package.json cannot be installed: {why}"));
    }
    let other = package("\"greet\": \"1\", \"words\": \"2\"");
    let problem = refused(&platform, &[("package.json", &other), ("package-lock.json", &locked)]).await;
    assert_eq!(
        problem.detail,
        "the packages of package.json cannot be installed: package-lock.json does not fit package.json: Invalid: lock \
         file's words@1.0.0 does not satisfy words@2.0.0; `npm install --package-lock-only` makes it anew"
    );
    let broken = ("package-lock.json", "{\"lockfileVersion\": 3,\n");
    let problem = refused(&platform, &[("package.json", &other), broken]).await;
    let start =
        "the packages of package.json cannot be installed: package-lock.json is not valid JSON: ";
    let end = "; `npm install --package-lock-only` makes it anew";
    assert!(problem.detail.starts_with(start) && problem.detail.ends_with(end), "{problem:?}");
    for (files, detail) in [
        (
            [
                ("package.json", package("\"x\": \"git+ssh://git:hunter2@h/a/x.git\"")),
                ("a", String::new()),
            ],
            "package.json: \"x\": \"git+ssh://h/a/x.git\": builds have no git; name a version, or the address of an \
             archive, such as https://github.com/OWNER/NAME/archive/refs/tags/v1.0.0.tar.gz",
        ),
        (
            [("package.json", good.clone()), ("yarn.lock", "# yarn lockfile v1\n".to_owned())],
            "yarn.lock is not read, and npm would choose other versions than it names; make a package-lock.json with \
             `npm install --package-lock-only`, or name yarn.lock in .cloudfuncignore to let npm choose",
        ),
    ] {
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let problem = refused(&platform, &files).await;
        assert_eq!((problem.status, problem.detail.as_str()), (422, detail));
    }
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");
    platform.stop().await;
}

async fn a_registry_that_is_away_or_not_allowed_is_named(stack: Stack, test: &str) {
    let change = only("http://127.0.0.1:1/npm/");
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, &[("package.json", &package("\"greet\": \"1\""))]).await;
    assert_eq!((problem.status, problem.code.as_str()), (503, "unavailable"), "{problem:?}");
    assert_eq!(
        problem.detail,
        "the build could not be done: the registry http://127.0.0.1:1/npm/ (--build-npm-registry) cannot be reached: \
         request to http://127.0.0.1:1/npm/greet failed, reason: connect ECONNREFUSED 127.0.0.1:1"
    );
    platform.stop().await;
    let test = format!("{test}::none");
    let Some(platform) = TestPlatform::start_with(stack, &test, only("none")).await else { return };
    let problem = refused(&platform, &[("package.json", &package("\"greet\": \"1\""))]).await;
    assert_eq!(
        (problem.status, problem.detail.as_str()),
        (
            422,
            "the packages of package.json cannot be installed: the platform allows no registry of npm \
             (--build-npm-registry is none); pack node_modules with the function"
        )
    );
    platform.stop().await;
}

async fn packages_in_the_folder_are_used_as_they_are(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start_with(stack, test, only("none")).await else { return };
    let module = "exports.hello = (name) => `Vendored ${name}`;\n";
    let wanted = package("\"greet\": \"1\"");
    let files =
        [MANIFEST, CODE, ("package.json", wanted.as_str()), ("node_modules/greet/index.js", module)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    let deployed = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(!installed(&told), "{told:?}");
    let notice = "the packages are those of node_modules in the function's folder, as they are; a line `/node_modules` in \
                  .cloudfuncignore has those of package.json installed instead";
    assert_eq!(deployed.notice.as_deref(), Some(notice));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Vendored Ada");
    assert_eq!(platform.client.function(&"f".parse().unwrap()).await.unwrap().installed, None);
    platform.stop().await;
}

/// Leaves a cache in the folder of packages, or a package too, and not the file that asks for packages.
const LEAVE: (&str, &str) = (
    "make.cjs",
    "const fs = require('fs');\nfs.mkdirSync('node_modules/.cache', { recursive: true });\n\
     fs.writeFileSync('node_modules/.cache/x', '');\nfs.rmSync('package.json');\n\
     if (process.env.LEAVES === 'packages') {\n  fs.mkdirSync('node_modules/greet');\n  \
     fs.writeFileSync('node_modules/greet/index.js', 'exports.hello = (name) => \"Vendored \" + name;\\n');\n}\n",
);

/// `package_line`: the manifest's line for it.
async fn left_by_a_command(stack: Stack, test: &str, package_line: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url());
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let wanted = package("\"greet\": \"1\"");
    for (leaves, said) in [("nothing", "Good day, Ada"), ("packages", "Vendored Ada")] {
        let manifest = format!(
            "language = \"node\"\n{package_line}[build]\ncommand = [\"node\", \"make.cjs\"]\n[env]\nLEAVES = \"{leaves}\"\n"
        );
        let files =
            [("cloudfunc.toml", manifest.as_str()), CODE, LEAVE, ("package.json", wanted.as_str())];
        let (deployed, told) = deploy(&platform, "f", &files).await;
        let deployed = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        assert_eq!(platform.value("f", "\"Ada\"").await, said);
        let function = platform.client.function(&"f".parse().unwrap()).await.unwrap();
        assert_eq!(function.installed.is_some(), leaves == "nothing");
        let notice = "the packages are those of node_modules that the build command left; those that were installed are not \
                      used";
        let is_told = deployed.notice.as_deref().is_some_and(|told| told.contains(notice));
        assert_eq!(is_told, leaves == "packages", "{:?}", deployed.notice);
    }
    platform.stop().await;
}

async fn packages_that_a_command_leaves_are_used_and_a_cache_is_not(stack: Stack, test: &str) {
    left_by_a_command(stack, test, "").await;
}

async fn an_image_of_its_own_has_packages_that_a_command_leaves(stack: Stack, test: &str) {
    left_by_a_command(stack, test, "package = \"image\"\n").await;
}

async fn settings_and_passwords_of_registries_stay_with_the_build(stack: Stack, test: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url_with("ada:hunter2@"));
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let wanted = "{\"scripts\": {\"prepare\": \"husky\"}, \"dependencies\": {\"greet\": \"1\"}}";
    let settings = "cafile=/nowhere\nsave-exact=true\n";
    let files = [MANIFEST, CODE, ("package.json", wanted), (".npmrc", settings)];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    let deployed = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    // Basic authentication of ada:hunter2.
    let heard = registry.heard();
    assert!(!heard.is_empty() && heard.iter().all(|one| one == "Basic YWRhOmh1bnRlcjI="), "{heard:?}");
    assert!(!told.iter().any(|line| line.contains("hunter2")), "{told:?}");
    for notice in [
        "package.json: its script \"prepare\" is not run: packages are installed without the function's code",
        ".npmrc:1: cafile has no effect on the packages of a deploy",
    ] {
        let is_told = deployed.notice.iter().flat_map(|told| told.lines()).any(|line| line == notice);
        assert!(is_told, "{:?}", deployed.notice);
    }
    let own = ("package.json", wanted);
    let problem = refused(&platform, &[own, (".npmrc", "registry=https://npm.example\n")]).await;
    assert_eq!(
        problem.detail,
        ".npmrc:1: the platform names the registry of packages (--build-npm-registry): registry"
    );
    platform.stop().await;
}

/// One that was there before it was known whose it is, and before the packages were unpacked.
async fn a_prewarmed_instance_finds_packages_and_those_of_others_not(stack: Stack, test: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url());
    let change = |platform: &mut Platform| {
        change(platform);
        platform.limits.prewarm_budget = 256 << 20;
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let spy = "import fs from 'fs';\nconst said = (action) => { try { return action(); } catch (error) { return error.code; } };\n\
               export const handler = async (path) => [said(() => fs.readdirSync('/opt/packages')), \
               fs.existsSync('node_modules'), await import('greet').catch((error) => error.code), \
               said(() => fs.appendFileSync(path, 'x'))];\n";
    // Instances for Node are prewarmed once there was a function in it.
    platform.deploy("first", &[MANIFEST, ("function.mjs", "export const handler = () => 1;\n")]).await;
    platform.value("first", "{}").await;
    platform.client.delete(&"first".parse().unwrap()).await.unwrap();
    two_wait(&platform).await;
    let wanted = package("\"greet\": \"1\"");
    platform.deploy_unchecked("f", &[MANIFEST, CODE, ("package.json", &wanted)]).await;
    let answer = platform.invoke("f", "\"Ada\"").await;
    let Outcome::Value(value) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(value.bytes, "Good day, Ada");
    assert!(platform.client.record(answer.id, None).await.unwrap().prewarmed);
    platform.deploy("spy", &[MANIFEST, ("function.mjs", spy)]).await;
    let tree = dependencies(&platform, "f").await.tree;
    let path = format!("\"/opt/packages/{tree}/node_modules/greet/greet.js\"");
    let answer = platform.value("spy", &path).await;
    let refusals = ["EROFS", "EACCES"]
        .map(|code| format!("[\"EACCES\",false,\"ERR_MODULE_NOT_FOUND\",\"{code}\"]"));
    assert!(refusals.contains(&answer), "{answer}");
    platform.stop().await;
}

async fn an_image_of_its_own_finds_packages_too(stack: Stack, test: &str) {
    let registry = serve(stack, greet()).await;
    let change = only(&registry.url());
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let wanted = package("\"greet\": \"1\"");
    let manifest = ("cloudfunc.toml", "language = \"node\"\npackage = \"image\"\n");
    platform.deploy("f", &[manifest, CODE, ("package.json", &wanted)]).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    platform.stop().await;
}
