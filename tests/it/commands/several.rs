//! `deploy` of several functions, and of one with shared code, against a platform.

use std::{fs, path::Path};

use cloudfunc::client;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{ECHO, folder, interrupt, lines, start};
use crate::{
    on_stack,
    support::platform::{TestPlatform, function},
};

on_stack! {
    light:
    a_folder_of_functions_is_deployed_with_one_summary
    with_json_a_folder_of_functions_is_a_line_for_each
    ctrl_c_says_what_was_deployed_and_what_was_not
    an_included_folder_is_part_of_the_function
    an_upload_without_the_folder_that_it_includes_is_refused
}

const BROKEN: &str = "import nowhere\n\ndef handler(event):\n    return event\n";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

async fn a_folder_of_functions_is_deployed_with_one_summary(platform: &TestPlatform) {
    let all = folder(&[("one", ECHO), ("two", BROKEN), ("three", ECHO)]);
    write(all.path(), "docs/readme.md", "");
    let all_path = all.path().display().to_string();
    let deploy = async || platform.cli(&["deploy", &all_path]).await;
    let (code, stdout, stderr) = deploy().await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    let failed =
        "failed: the code of 'two' cannot be loaded: ModuleNotFoundError: No module named 'nowhere'";
    assert_eq!(
        stdout,
        format!(
            "NAME   REVISION  RESULT\n\
             one    1         deployed\n\
             three  1         deployed\n\
             two              {failed}\n"
        ),
        "{stderr}"
    );
    let skipped = format!("skipped, because they are not functions: {all_path}/docs\n");
    assert!(stderr.starts_with(&skipped), "{stderr}");
    for said in ["deployed one, revision 1\n", "deployed three, revision 1\n", "import nowhere\n"] {
        assert!(stderr.contains(said), "{stderr}");
    }
    assert!(!stderr.contains("next: "), "a failure is the last word: {stderr}");

    write(all.path(), "two/function.py", ECHO);
    write(all.path(), "three/function.py", "def handler(event):\n    return 3\n");
    let (code, stdout, stderr) = deploy().await;
    assert_eq!(
        (code, stdout.as_str()),
        (
            0,
            "NAME   REVISION  RESULT\n\
             one    1         unchanged\n\
             three  2         deployed\n\
             two    1         deployed\n"
        ),
        "{stderr}"
    );
    assert!(stderr.contains("one is unchanged: revision 1 is active already\n"), "{stderr}");
    assert!(stderr.ends_with("next: cloudfunc list\n"), "{stderr}");
    // Paths as they are typed, in that order; quiet leaves the table.
    let path = |name: &str| format!("{all_path}/{name}");
    let (code, stdout, stderr) = platform.cli(&["deploy", "--quiet", &path("two"), &path("one")]).await;
    let table = "NAME  REVISION  RESULT\ntwo   1         unchanged\none   1         unchanged\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, table, ""));
}

async fn with_json_a_folder_of_functions_is_a_line_for_each(platform: &TestPlatform) {
    let all = folder(&[("one", ECHO), ("two", BROKEN)]);
    let all_path = all.path().display().to_string();
    let (code, stdout, stderr) = platform.cli(&["deploy", "--json", &all_path]).await;
    let (items, errors) = (lines(&stdout), lines(&stderr));
    assert_eq!((code, items.len(), errors.len()), (1, 2, 1), "{stdout}{stderr}");
    assert_eq!(items[0]["path"], format!("{all_path}/one"));
    assert_eq!((&items[0]["name"], &items[0]["revision"]), (&json!("one"), &json!(1)));
    assert_eq!((&items[1]["name"], &items[1]["error"]["code"]), (&json!("two"), &json!("build_failed")));
    assert_eq!(items[1]["error"], errors[0], "the same on stderr");
    // The name is known also where the manifest has a mistake; one that cannot be read has none.
    write(all.path(), "two/cloudfunc.toml", "name = \"second\"\ntimeoute = \"1s\"\n");
    let path = all.path().join("two").display().to_string();
    let (code, stdout, _) = platform.cli(&["deploy", "--json", &path]).await;
    assert_eq!((code, &lines(&stdout)[0]["name"]), (2, &json!("second")), "{stdout}");
    let (_, stdout, _) = platform.cli(&["deploy", "--json", &all_path]).await;
    let names: Vec<Value> = lines(&stdout).iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["one", "second"], "{stdout}");
    write(all.path(), "two/cloudfunc.toml", "name = ");
    let (_, stdout, _) = platform.cli(&["deploy", "--json", &path]).await;
    assert_eq!(lines(&stdout)[0]["name"], Value::Null, "{stdout}");
}

async fn ctrl_c_says_what_was_deployed_and_what_was_not(platform: &TestPlatform) {
    let slow = "import time\ntime.sleep(3)\n\ndef handler(event):\n    return event\n";
    let all = folder(&[("a", ECHO), ("b", BROKEN), ("c", slow), ("d", ECHO), ("e", ECHO)]);
    let mut deploy = start(platform.command(&["deploy", &all.path().display().to_string()]));
    let mut said = BufReader::new(deploy.stderr.take().unwrap());
    let mut line = String::new();
    let mut of_c = 0;
    // The second line of it is a step of its build.
    while of_c < 2 {
        line.clear();
        assert!(said.read_line(&mut line).await.unwrap() > 0, "it ends too soon");
        of_c += usize::from(of_c > 0 || line.starts_with("deploying c: "));
    }
    interrupt(&deploy);
    let mut rest = String::new();
    said.read_to_string(&mut rest).await.unwrap();
    let output = deploy.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{rest}");
    let ending = "error: interrupted: deployed a, revision 1; b failed; the deploy of c was cancelled, unless its revision had \
                  become active already; not deployed: d, e\nhint: `cloudfunc show c` shows the active revision\n";
    assert!(rest.ends_with(ending), "{rest}");
}

async fn an_included_folder_is_part_of_the_function(platform: &TestPlatform) {
    let repository = tempfile::tempdir().unwrap();
    let root = repository.path();
    write(root, ".git/HEAD", "");
    write(root, "common/words.py", "def greet(name):\n    return f'Hello {name}!'\n");
    write(root, "greeter/cloudfunc.toml", "[build]\ninclude = [\"../common\"]\n");
    let code =
        "from common.words import greet\n\ndef handler(event):\n    return greet(event['name'])\n";
    write(root, "greeter/function.py", code);
    let folder = root.join("greeter").display().to_string();
    let deploy = async || platform.cli(&["deploy", &folder]).await;
    assert_eq!(deploy().await.1, "deployed greeter, revision 1\n");
    assert_eq!(platform.value("greeter", r#"{"name":"Ada"}"#).await, "Hello Ada!");
    assert_eq!(deploy().await.1, "greeter is unchanged: revision 1 is active already\n");

    write(root, "common/words.py", "def greet(name):\n    raise ValueError('no ' + name)\n");
    assert_eq!(deploy().await.1, "deployed greeter, revision 2\n");
    let problem = platform.problem("greeter", r#"{"name":"Ada"}"#).await;
    let trace = problem.trace.unwrap();
    assert!(trace.contains("common/words.py\", line 2, in greet"), "{trace}");
    assert!(!trace.contains(root.to_str().unwrap()), "{trace}");
    let (code, stdout, _) = platform.cli(&["show", "greeter"]).await;
    assert_eq!((code, stdout.lines().next()), (0, Some("name          greeter")));
}

/// A gzipped tar of these files, packed by another client than ours.
fn archive(files: &[(&str, &str)]) -> bytes::Bytes {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap().into()
}

async fn an_upload_without_the_folder_that_it_includes_is_refused(platform: &TestPlatform) {
    let deploy = async |manifest: &str| {
        let files = [("function.py", ECHO), ("other/x.py", ""), ("cloudfunc.toml", manifest)];
        platform.client.deploy(&function("f"), archive(&files), |_| {}).await
    };
    for (manifest, detail) in [
        (
            "[build]\ninclude = [\"../common\"]\n",
            "cloudfunc.toml:2:12: `build.include` has '../common', but 'common' is not in the archive; `cloudfunc \
             deploy` packs it, another client has to add it",
        ),
        (
            "[build]\ninclude = [\"/etc\"]\n",
            "cloudfunc.toml:2:12: `build.include`: '/etc' is an absolute path; write the folder as seen from the \
             function's own, for example \"../common\"",
        ),
        (
            "[build]\nargs = {}\n",
            "cloudfunc.toml:2:1: `build.args` are the arguments of a Dockerfile, which is not given; name it with `dockerfile`",
        ),
    ] {
        let Err(client::Error::Problem(problem)) = deploy(manifest).await else { panic!("{manifest}") };
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_manifest"));
        assert_eq!(problem.detail, detail);
    }
    // The platform does not look for the folder: it takes what was packed.
    deploy("build.include = ['../other']").await.unwrap();
}
