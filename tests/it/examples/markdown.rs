//! The example with a package: a stand-in of it comes from a registry of the test, since tests ask no public one.

use std::{fs, path::Path};

use cloudfunc::settings::Platform;
use serde_json::{Value, json};

use super::{FUNCTIONS, shop, thumbnail, validate, webhook};
use crate::{
    packages::{
        node::{only, serve},
        on,
        registry::Registry,
    },
    support::platform::{Stack, TestPlatform},
};

on! {
    light:
    all_examples_are_deployed_at_once
    markdown_becomes_html;
    sqlite_embedded_oci: markdown_becomes_html;
    postgres_rabbitmq_docker: markdown_becomes_html;
}

/// What the example wants of `marked`, in the version of its lock.
async fn stand_in(stack: Stack) -> Registry {
    let lock: Value = serde_json::from_str(&read("markdown/package-lock.json")).unwrap();
    let code = "export const marked = { parse: (text) => text.replace(/^# (.*)$/gm, '<h1>$1</h1>') };\n";
    let package = json!([{
        "name": "marked", "version": lock["packages"]["node_modules/marked"]["version"], "type": "module",
        "exports": "./marked.js", "files": {"marked.js": code},
    }]);
    serve(stack, package).await
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{FUNCTIONS}/{path}")).unwrap()
}

/// Copies the examples, or one of them; the lock of the copy has no checksums, which would not be those of the stand-in.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else if entry.file_name() == "package-lock.json" {
            let mut lock: Value = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
            for package in lock["packages"].as_object_mut().unwrap().values_mut() {
                package.as_object_mut().unwrap().remove("integrity");
            }
            fs::write(to, lock.to_string()).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

async fn deployed(stack: Stack, test: &str, which: &str) -> Option<(TestPlatform, String, Registry)> {
    let registry = stand_in(stack).await;
    let is_all = which.is_empty();
    let of_python = match is_all {
        // Those of both examples are in the same folder.
        true => shop::packages(stack).and(thumbnail::packages(stack)).map(Some)?,
        false => None,
    };
    let of_node = only(&registry.url());
    let change = |platform: &mut Platform| {
        of_node(platform);
        of_python.into_iter().for_each(|change| change(platform));
    };
    let platform = TestPlatform::start_with(stack, test, change).await?;
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("functions");
    copy(FUNCTIONS.as_ref(), &functions);
    if is_all {
        validate::build(&functions.join("validate"));
        webhook::set_secret(&platform).await;
        // Where there are no sandboxes, its server has the machine's ports.
        let manifest = functions.join("shop/cloudfunc.toml");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(&manifest, format!("{}port = {port}\n", fs::read_to_string(&manifest).unwrap()))
            .unwrap();
    }
    let (code, out, stderr) = platform.cli(&["deploy", functions.join(which).to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    Some((platform, out, registry))
}

async fn all_examples_are_deployed_at_once(stack: Stack, test: &str) {
    let Some((platform, out, _registry)) = deployed(stack, test, "").await else { return };
    for entry in fs::read_dir(FUNCTIONS).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(out.contains(&name), "{out}");
    }
    platform.stop().await;
}

async fn markdown_becomes_html(stack: Stack, test: &str) {
    let Some((platform, _, _registry)) = deployed(stack, test, "markdown").await else { return };
    let invoke = ["invoke", "markdown", "--data", "# Hello", "--content-type", "text/markdown"];
    let (code, out, stderr) = platform.cli(&invoke).await;
    assert_eq!((code, out.trim_end()), (0, "<h1>Hello</h1>"), "{stderr}");
    let (code, _, stderr) = platform.cli(&["invoke", "markdown", "--data", "{}"]).await;
    let told = "TypeError: send the text with a content type such as text/markdown";
    assert!(code == 1 && stderr.contains(told), "{stderr}");
    platform.stop().await;
}
