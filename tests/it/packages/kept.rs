//! What is kept of builds: their logs, and packages that are resolved anew.

use cloudfunc::{
    client::{DeployOptions, Error},
    model::{BuildLog, RevisionNumber, WhichBuild, api::Deployed},
};
use serde_json::{Value, json};

use super::{CODE, dependencies, deploy, installed, offline, on, wheelhouse::Wheelhouse};
use crate::support::platform::{Stack, TestPlatform, function, packed};

on! {
    light:
    the_log_of_every_build_is_kept
    what_the_terminal_does_not_keep_is_told_once
    packages_are_resolved_anew_when_that_is_asked_for;
    postgres_rabbitmq_process:
    the_log_of_every_build_is_kept
    packages_are_resolved_anew_when_that_is_asked_for;
}

async fn log(platform: &TestPlatform, which: WhichBuild) -> Result<BuildLog, (String, String)> {
    match platform.client.build_log(&function("f"), which).await {
        Ok(log) => Ok(log),
        Err(Error::Problem(problem)) => Err((problem.code.clone(), problem.detail)),
        Err(error) => panic!("{error:?}"),
    }
}

fn has(log: &BuildLog, part: &str) -> bool {
    log.lines.iter().any(|line| line.line.contains(part))
}

async fn the_log_of_every_build_is_kept(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&super::greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let of = |code: &str, detail: &str| Err((code.to_owned(), detail.to_owned()));
    assert_eq!(
        log(&platform, WhichBuild::Newest).await,
        of("function_not_found", "there is no function 'f'")
    );

    // A first deploy that fails leaves a log and no function.
    let absent = [("function.py", CODE), ("requirements.txt", "absent\n")];
    let (refused, _) = deploy(&platform, "f", &absent).await;
    let Err(Error::Problem(problem)) = refused else { panic!("{refused:?}") };
    let hint = "`cloudfunc logs f --build` shows all that the build said";
    assert_eq!(problem.hint.as_deref(), Some(hint));
    let failed = log(&platform, WhichBuild::Newest).await.unwrap();
    assert_eq!(failed.revision, None);
    assert!(has(&failed, "Looking in links: ") && has(&failed, "No matching distribution found"));
    let last = &failed.lines.last().unwrap().line;
    assert_eq!(*last, format!("failed: {}", problem.detail));
    assert!(failed.lines.is_sorted_by_key(|line| line.ts));

    let good = [("function.py", CODE), ("requirements.txt", "greet\n")];
    let (deployed, told) = deploy(&platform, "f", &good).await;
    deployed.unwrap();
    let first = log(&platform, WhichBuild::Newest).await.unwrap();
    assert_eq!(first.revision, Some(RevisionNumber(1)));
    let lines: Vec<_> = first.lines.iter().map(|line| line.line.clone()).collect();
    assert_eq!(lines[..told.len()], told[..], "all that the deploy was told");
    assert_eq!(lines.last().unwrap(), "deployed revision 1");
    assert_eq!(log(&platform, WhichBuild::Failed).await.unwrap(), failed);

    // Code that does not load: what it wrote and its trace are there as well.
    let broken = [("function.py", "print('so far')\n1 / 0\n"), ("requirements.txt", "greet\n")];
    assert!(deploy(&platform, "f", &broken).await.0.is_err());
    let newest = log(&platform, WhichBuild::Newest).await.unwrap();
    assert_eq!(newest, log(&platform, WhichBuild::Failed).await.unwrap());
    assert!(has(&newest, "so far") && has(&newest, "ZeroDivisionError") && !has(&newest, "absent"));
    assert_eq!(log(&platform, WhichBuild::Of(RevisionNumber(1))).await.unwrap(), first);
    let missing = log(&platform, WhichBuild::Of(RevisionNumber(2))).await;
    assert_eq!(missing, of("revision_not_found", "'f' has no revision 2"));

    let (exit, stdout, stderr) = platform.cli(&["logs", "f", "--build", "1"]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(
        stderr.starts_with("the build of revision 1 of f, ") && stderr.lines().count() == 1,
        "{stderr}"
    );
    let of_cli: Vec<&str> = stdout.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(of_cli, lines);
    let (_, _, stderr) = platform.cli(&["logs", "f", "--build"]).await;
    assert!(stderr.starts_with("a build of f that failed, "), "{stderr}");
    let (_, stdout, _) = platform.cli(&["--json", "logs", "f", "--build", "1"]).await;
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&document["function"], &document["revision"]), (&json!("f"), &json!(1)));
    let (exit, _, stderr) = platform.cli(&["logs", "--build"]).await;
    let told = "error: --build takes the name of one function: `cloudfunc logs NAME --build`\n";
    assert_eq!((exit, stderr.as_str()), (2, told));

    platform.client.delete(&function("f")).await.unwrap();
    let none = of("build_not_found", "no build of 'f' is known that failed");
    assert_eq!(log(&platform, WhichBuild::Failed).await, none);
    let store = platform.store().await;
    assert_eq!(store.build_log(&function("f"), WhichBuild::Newest).await.unwrap(), None);
    store.close().await;
    platform.stop().await;
}

async fn what_the_terminal_does_not_keep_is_told_once(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&super::greet());
    let Some(platform) = offline(stack, test, &house).await else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("f")).unwrap();
    std::fs::write(folder.path().join("f/function.py"), CODE).unwrap();
    std::fs::write(folder.path().join("f/requirements.txt"), "absent\n").unwrap();
    let path = folder.path().join("f").display().to_string();
    let (exit, stdout, stderr) = platform.cli(&["deploy", &path]).await;
    assert_eq!((exit, stdout.as_str()), (1, ""), "{stderr}");
    assert_eq!(stderr.matches("Looking in links: ").count(), 1, "{stderr}");
    let hint = "hint: `cloudfunc logs f --build` shows all that the build said\n";
    assert!(stderr.ends_with(hint), "{stderr}");
    // Where nothing was told before, all of it is.
    let (_, _, stderr) = platform.cli(&["deploy", "--quiet", &path]).await;
    assert_eq!(stderr.matches("Looking in links: ").count(), 1, "{stderr}");
    platform.stop().await;
}

/// Deploys, resolving packages anew; returns what the build told.
async fn refresh(platform: &TestPlatform, files: &[(&str, &str)]) -> (Deployed, Vec<String>) {
    let (mut told, options) = (Vec::new(), DeployOptions { refresh: true, ..DeployOptions::default() });
    let step = |line: &str| told.push(line.to_owned());
    let name = function("f");
    let deployed = platform.client.deploy_with(&name, packed(files), options, |_| {}, step).await;
    (deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}")), told)
}

async fn packages_are_resolved_anew_when_that_is_asked_for(stack: Stack, test: &str) {
    let words = |version: &str, hello: &str| {
        let code = format!("HELLO = '{hello}'\n");
        json!({"name": "words", "version": version, "files": {"words.py": code}})
    };
    let all = super::greet();
    let house = Wheelhouse::new(&json!([all[0], words("1.0", "Hello")]));
    let Some(platform) = offline(stack, test, &house).await else { return };
    let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
    platform.deploy("f", &files).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");

    // The same versions: nothing changes.
    let before = dependencies(&platform, "f").await;
    let (same, told) = refresh(&platform, &files).await;
    assert!(same.unchanged && same.notice.is_none() && installed(&told), "{same:?} {told:?}");
    assert!(
        told.contains(&"packages, the same versions as before: greet 1.0, words 1.0".to_owned()),
        "{told:?}"
    );
    assert_eq!(dependencies(&platform, "f").await, before);
    let newest = log(&platform, WhichBuild::Newest).await.unwrap();
    assert_eq!(newest.revision, Some(RevisionNumber(1)));
    assert!(
        has(&newest, "the same versions as before") && has(&newest, "unchanged: revision 1 "),
        "{newest:?}"
    );

    // Another version is there: who does not ask keeps the old one.
    house.add(&json!([words("2.0", "Good day")]));
    assert!(platform.deploy("f", &files).await.unchanged);
    let changed = [("function.py", &format!("{CODE}#\n")[..]), files[1]];
    platform.deploy("f", &changed).await;
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");
    let (fresh, _) = refresh(&platform, &changed).await;
    assert_eq!((fresh.revision, fresh.unchanged), (RevisionNumber(3), false));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    // The revisions before keep theirs, and other functions get the new ones.
    platform.client.activate(&function("f"), RevisionNumber(2)).await.unwrap();
    assert_eq!(platform.value("f", "\"Ada\"").await, "Hello, Ada");
    let (other, told) = deploy(&platform, "g", &files).await;
    other.unwrap();
    assert!(told.contains(&"packages, installed before: greet 1.0, words 2.0".to_owned()), "{told:?}");
    // An active revision with older packages gets those that others have got meanwhile.
    let (fresh, _) = refresh(&platform, &changed).await;
    assert_eq!((fresh.revision, fresh.unchanged), (RevisionNumber(4), false));
    assert_eq!(dependencies(&platform, "f").await, dependencies(&platform, "g").await);

    // Packages with which the code does not load are not given to others.
    house.add(&json!([{"name": "words", "version": "3.0", "files": {"words.py": "1 / 0\n"}}]));
    let options = DeployOptions { refresh: true, ..DeployOptions::default() };
    let name = function("f");
    let failed = platform.client.deploy_with(&name, packed(&changed), options, |_| {}, |_| {}).await;
    assert!(matches!(failed, Err(Error::Problem(_))), "{failed:?}");
    let (other, told) = deploy(&platform, "h", &files).await;
    other.unwrap();
    assert!(told.contains(&"packages, installed before: greet 1.0, words 2.0".to_owned()), "{told:?}");

    let plain = [("function.py", "def handler(event):\n    return 1\n")];
    let notice = "there was nothing to refresh: the function asks for no packages";
    let (deployed, _) = refresh(&platform, &plain).await;
    assert_eq!((deployed.unchanged, deployed.notice.as_deref()), (false, Some(notice)));
    let (deployed, _) = refresh(&platform, &plain).await;
    assert_eq!((deployed.unchanged, deployed.notice.as_deref()), (true, Some(notice)));
    platform.stop().await;
}
