//! `dockerfile`: functions in images that the engine builds from what was deployed.

use std::{net::IpAddr, time::Duration};

use cloudfunc::{
    app::Role,
    client::{DeployOptions, Error},
    model::{InstanceId, InvocationId, Language, Problem, RevisionNumber, api::Deployed},
    settings::Platform,
};
use serde_json::{Value, json};

use crate::{
    escape::planted::host_addresses,
    packages::{deploy, on},
    support::{
        eventually, eventually_within,
        platform::{Stack, TestPlatform, function, packed},
    },
};

on! {
    sqlite_embedded_docker:
    an_image_is_built_once_and_again_where_it_is_missing
    a_web_server_is_built_and_called
    arguments_and_the_files_that_no_rule_leaves_out_are_there
    what_cannot_be_built_is_told_in_plain_words
    a_build_has_no_network_or_one_that_does_not_reach_this_host
    a_client_that_hangs_up_ends_its_build
    a_build_ends_after_its_time
    a_start_that_cannot_build_its_image_is_the_functions_fault_and_says_why
    what_a_dockerignore_names_is_not_uploaded;
    postgres_rabbitmq_docker:
    an_image_is_built_once_and_again_where_it_is_missing;
    sqlite_embedded_oci:
    without_images_a_dockerfile_is_refused_with_what_to_do;
}

const BUILDING: &str = "building the image of Dockerfile: ";

async fn docker(arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("docker").args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An image that is there, with Python.
fn base(platform: &TestPlatform) -> String {
    platform.platform.languages.usual_image(Language::Python)
}

fn is_built(told: &[String]) -> bool {
    told.iter().any(|line| line.starts_with(BUILDING))
}

/// Deploys without loading the code, so that only the image is made.
async fn build(
    platform: &TestPlatform,
    name: &str,
    files: &[(&str, &str)],
) -> (Result<Deployed, Error>, Vec<String>) {
    let (mut told, options) = (Vec::new(), DeployOptions { check: false, ..DeployOptions::default() });
    let deployed = platform
        .client
        .deploy_with(&function(name), packed(files), options, |_| {}, |line| told.push(line.to_owned()))
        .await;
    (deployed, told)
}

async fn refused(platform: &TestPlatform, dockerfile: &str, files: &[(&str, &str)]) -> Problem {
    let manifest = ("cloudfunc.toml", "dockerfile = 'Dockerfile'\n");
    let mut all = vec![("Dockerfile", dockerfile), manifest];
    all.extend(files);
    match build(platform, "f", &all).await {
        (Err(Error::Problem(problem)), _) => *problem,
        (other, told) => panic!("it was not refused: {other:?} {told:?}"),
    }
}

async fn an_image_is_built_once_and_again_where_it_is_missing(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    // An image that speaks the runtime protocol.
    // All tests share the engine, and equal code its image.
    let code = format!("# {}\ndef handler(event):\n    return 'packed'\n", InvocationId::new());
    let packed_code = [("function.py", code.as_str()), ("cloudfunc.toml", "package = \"image\"\n")];
    let guest = platform.deploy("guest", &packed_code).await.image;
    let dockerfile = format!("FROM {guest}\nCOPY function.py /var/task/\n");
    let files = [
        ("Dockerfile", dockerfile.as_str()),
        ("function.py", "def handler(event):\n    return 'built'\n"),
        ("cloudfunc.toml", "dockerfile = 'Dockerfile'\n"),
    ];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    let deployed = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(is_built(&told) && told.iter().any(|line| line.starts_with("Step 2/")), "{told:?}");
    assert!(deployed.image.starts_with("sha256:"), "{deployed:?}");
    assert_eq!(platform.value("f", "{}").await, "built");
    let (exit, shown, stderr) = platform.cli(&["show", "f"]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(shown.contains("runs on       Dockerfile\n"), "{shown}");
    let (_, log, _) = platform.cli(&["logs", "f", "--build"]).await;
    assert!(log.contains("COPY function.py /var/task/"), "{log}");

    let (again, told) = deploy(&platform, "f", &files).await;
    assert!(again.unwrap().unchanged && !is_built(&told), "{told:?}");
    // The same source makes the same image, whatever was deployed meanwhile.
    let other = [files[0], ("function.py", "def handler(event):\n    return 'other'\n"), files[2]];
    let (second, told) = deploy(&platform, "f", &other).await;
    assert!(is_built(&told), "{told:?}");
    assert_eq!(second.unwrap().revision, RevisionNumber(2));
    assert_eq!(platform.value("f", "{}").await, "other");
    let (third, told) = deploy(&platform, "f", &files).await;
    let third = third.unwrap();
    assert_eq!((third.revision, &third.image), (RevisionNumber(3), &deployed.image));
    assert!(!is_built(&told), "{told:?}");
    // Asked to, it is built anew, and a new image is a new revision.
    let (mut told, options) = (Vec::new(), DeployOptions { refresh: true, ..DeployOptions::default() });
    let fresh = platform
        .client
        .deploy_with(&function("f"), packed(&files), options, |_| {}, |line| told.push(line.to_owned()))
        .await
        .unwrap();
    assert!(is_built(&told), "{told:?}");
    assert_eq!(fresh.revision, RevisionNumber(4));
    assert_ne!(fresh.image, deployed.image);

    // Somebody removes it: the next start builds it from the source.
    let again = [files[0], ("function.py", "def handler(event):\n    return 'again'\n"), files[2]];
    let (there, _) = deploy(&platform, "g", &again).await;
    let image = there.unwrap().image;
    eventually("no container has it any more", || async {
        let removing = tokio::process::Command::new("docker").args(["rmi", &image]).output();
        removing.await.unwrap().status.success().then_some(())
    })
    .await;
    assert_eq!(platform.value("g", "{}").await, "again");
    for name in ["f", "g", "guest"] {
        platform.client.delete(&function(name)).await.unwrap();
    }
    let manager = std::fs::read_to_string(platform.platform.data_dir.join("manager-id"));
    if let Ok(manager) = manager {
        let filter = format!("label=cloudfunc.image-manager={}", manager.trim());
        eventually("the images went with their functions", || async {
            docker(&["images", "-q", "--filter", &filter]).await.is_empty().then_some(())
        })
        .await;
    }
    platform.stop().await;
}

const SERVER: &str = r#"
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        answer = b"served " + body
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

async fn a_web_server_is_built_and_called(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let dockerfile = format!(
        "FROM {}\nCOPY server.py /app/\nCMD [\"python3\", \"/app/server.py\"]\n",
        base(&platform)
    );
    let files = [
        ("docker/web.dockerfile", dockerfile.as_str()),
        ("server.py", SERVER),
        ("cloudfunc.toml", "dockerfile = 'docker/web.dockerfile'\ninterface = 'http'\n"),
    ];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "\"Ada\"").await, "served \"Ada\"");
    platform.stop().await;
}

async fn arguments_and_the_files_that_no_rule_leaves_out_are_there(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let check = "import os; print('FOUND', os.environ['VERSION'], sorted(os.path.join(d, f) for d, _, fs in \
                 os.walk('/src') for f in fs))";
    let dockerfile = format!(
        "ARG BASE\nFROM $BASE\nARG VERSION=1\nENV VERSION=$VERSION RUN={}\nCOPY . /src\nRUN [\"python3\", \"-c\", \"{check}\"]\n",
        // The engine prints nothing of a step that it has in its cache.
        InvocationId::new()
    );
    let manifest = |version: &str| {
        format!(
            "dockerfile = 'Dockerfile'\ninterface = 'command'\ncommand = ['true']\n[build.args]\nBASE = '{}'\n{version}\n",
            base(&platform)
        )
    };
    let found = async |version: &str, manifest: &str| -> String {
        let files = [
            ("Dockerfile", dockerfile.as_str()),
            (".dockerignore", "*.log\ndata\n!data/kept\nDockerfile\n.*\n"),
            // Git's rules are not Docker's.
            (".gitignore", "built\n"),
            ("built/app", version),
            ("a.log", ""),
            ("logs/a.log", ""),
            ("data/kept", ""),
            ("data/other", ""),
            // Whatever the rules say, it is not sent to the engine.
            ("cloudfunc.toml", manifest),
        ];
        let (deployed, told) = build(&platform, "f", &files).await;
        deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        told.into_iter().find(|line| line.starts_with("FOUND ")).expect("it is told")
    };
    let files = "['/src/built/app', '/src/data/kept', '/src/logs/a.log']";
    assert_eq!(found("1", &manifest("")).await, format!("FOUND 1 {files}"));
    assert_eq!(found("2", &manifest("VERSION = '2 two'")).await, format!("FOUND 2 two {files}"));
    platform.stop().await;
}

async fn what_cannot_be_built_is_told_in_plain_words(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let base = base(&platform);
    let problem =
        refused(&platform, &format!("FROM {base}\nRUN echo no compiler && exit 3\nRUN true\n"), &[])
            .await;
    assert_eq!((problem.status, problem.code.as_str()), (422, "build_failed"), "{problem:?}");
    assert_eq!(
        problem.detail,
        "step 2 of Dockerfile failed with code 3 (RUN echo no compiler && exit 3)"
    );
    assert_eq!(problem.output.as_deref(), Some("no compiler\n"));
    for (dockerfile, beginning) in [
        (
            format!("FROM {base}\nCOPY nothing /\n"),
            "step 2 of Dockerfile failed (COPY nothing /): COPY failed: ",
        ),
        (
            format!("FROM {base}\nRUNN true\n"),
            "Dockerfile cannot be built: line 2: unknown instruction: RUNN",
        ),
        (
            "FROM localhost:1/nothing:1\n".to_owned(),
            "image 'localhost:1/nothing:1' is not available: Dockerfile needs it; connect to a network so that it can be \
             pulled, or load it with `docker load`: ",
        ),
        ("FROM No-Image\n".to_owned(), "image 'No-Image' is not available: "),
    ] {
        let problem = refused(&platform, &dockerfile, &[]).await;
        assert_eq!((problem.status, problem.code.as_str()), (422, "build_failed"), "{problem:?}");
        assert!(problem.detail.starts_with(beginning), "{problem:?}");
    }
    for (dockerfile, detail) in [
        ("", "Dockerfile cannot be built: it has no `FROM`"),
        (
            "FROM a\nADD http://169.254.169.254/ /\n",
            "Dockerfile cannot be built: line 2: `ADD` with an address, a variable, a quote or a `:` is not supported, since \
             the engine would download it with the network of its host; use `COPY` for files, and for others a `RUN` with \
             `network = \"egress\"` under [build]",
        ),
        (
            "FROM a\nADD http:/\\/169.254.169.254/latest /\n",
            "Dockerfile cannot be built: line 2: `ADD` with an address, a variable, a quote or a `:` is not supported, since \
             the engine would download it with the network of its host; use `COPY` for files, and for others a `RUN` with \
             `network = \"egress\"` under [build]",
        ),
    ] {
        assert_eq!(refused(&platform, dockerfile, &[]).await.detail, detail);
    }
    let only = [("cloudfunc.toml", "dockerfile = 'web/Dockerfile'\n")];
    let (missing, _) = build(&platform, "f", &only).await;
    let Err(Error::Problem(problem)) = missing else { panic!("{missing:?}") };
    assert_eq!(
        problem.detail,
        "no web/Dockerfile in the folder: `dockerfile` in cloudfunc.toml names it"
    );
    let bare = [
        ("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n"),
        ("cloudfunc.toml", "dockerfile = 'Dockerfile'\ninterface = 'command'\n"),
    ];
    let (bare, _) = build(&platform, "f", &bare).await;
    let Err(Error::Problem(problem)) = bare else { panic!("{bare:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_manifest"), "{problem:?}");
    assert_eq!(
        problem.detail,
        "the image of Dockerfile has no program to run: name the program with `command` in cloudfunc.toml, or give the \
         image an ENTRYPOINT or a CMD"
    );
    platform.stop().await;
}

const ATTEMPT: &str = r#"
import json, socket

def connect(address):
    try:
        with socket.create_connection(tuple(address), 5):
            return "reached"
    except OSError as error:
        return error.strerror or str(error)

print("FOUND " + json.dumps([connect(address) for address in CONNECT]))
"#;

async fn a_build_has_no_network_or_one_that_does_not_reach_this_host(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let gateway = platform.address(Role::Gateway).port();
    let own = host_addresses().into_iter().map(|address| address.ip).find(IpAddr::is_ipv4);
    let connect =
        json!([[own.expect("this host has one"), gateway], ["169.254.169.254", 80], ["192.0.2.1", 80]]);
    let dockerfile = format!(
        "FROM {}\nCOPY attempt.py /\nRUN [\"python3\", \"/attempt.py\"]\nCMD [\"true\"]\n",
        base(&platform)
    );
    for network in ["none", "egress"] {
        // The engine takes a step from its cache, whatever network it had.
        let attempt = format!("# {network}\nCONNECT = {connect}\n{ATTEMPT}");
        let manifest = format!(
            "dockerfile = 'Dockerfile'\ninterface = 'command'\n[build]\nnetwork = '{network}'\n"
        );
        let files = [
            ("Dockerfile", dockerfile.as_str()),
            ("attempt.py", attempt.as_str()),
            ("cloudfunc.toml", manifest.as_str()),
        ];
        let (deployed, told) = build(&platform, "f", &files).await;
        deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        let found = told.iter().find_map(|line| line.strip_prefix("FOUND "));
        let found = found.unwrap_or_else(|| panic!("{told:?}"));
        let found: Vec<Value> = serde_json::from_str(found).unwrap();
        assert!(!found.contains(&json!("reached")), "{network}: {found:?}");
        assert_eq!(found[2] == json!("Network is unreachable"), network == "none", "{found:?}");
    }
    platform.stop().await;
}

async fn a_client_that_hangs_up_ends_its_build(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let marker = InstanceId::new().0.simple().to_string();
    let dockerfile = format!(
        "FROM {}\nRUN [\"python3\", \"-c\", \"import time; time.sleep(600)\", \"{marker}\"]\n",
        base(&platform)
    );
    let files = [("Dockerfile", dockerfile.as_str()), ("cloudfunc.toml", "dockerfile = 'Dockerfile'\n")];
    let (client, archive) = (platform.client.clone(), packed(&files));
    let deploying = tokio::spawn(async move { client.deploy(&function("f"), archive, |_| {}).await });
    let is_running = async || {
        let commands = docker(&["ps", "--no-trunc", "--format", "{{.Command}}"]).await;
        commands.contains(&marker)
    };
    eventually("it is being built", || async { is_running().await.then_some(()) }).await;
    deploying.abort();
    eventually_within(Duration::from_secs(10), "its container is gone", || async {
        (!is_running().await).then_some(())
    })
    .await;
    // Its place is free.
    platform.deploy("g", &[("function.py", "def handler(event):\n    return 'there'\n")]).await;
    platform.stop().await;
}

async fn a_build_ends_after_its_time(stack: Stack, test: &str) {
    let change = |platform: &mut Platform| platform.limits.build_time = Duration::from_secs(2);
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let dockerfile = format!(
        "FROM {}\nRUN [\"python3\", \"-c\", \"import time; time.sleep(600)\"]\n",
        base(&platform)
    );
    let problem = refused(&platform, &dockerfile, &[]).await;
    assert_eq!(problem.detail, "the image took longer to build than a build may: 2 s");
    platform.stop().await;
}

async fn a_start_that_cannot_build_its_image_is_the_functions_fault_and_says_why(
    stack: Stack,
    test: &str,
) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let name = format!("cloudfunc-test:{}", InstanceId::new().0.simple());
    docker(&["tag", &base(&platform), &name]).await;
    let check = "import os, sys; 'BROKEN' in os.environ and sys.exit('no compiler')";
    let dockerfile = format!("FROM {name}\nRUN [\"python3\", \"-c\", \"{check}\"]\nCMD [\"true\"]\n");
    let manifest = "dockerfile = 'Dockerfile'\ninterface = 'command'\n";
    let files = [("Dockerfile", dockerfile.as_str()), ("cloudfunc.toml", manifest)];
    let (deployed, told) = build(&platform, "f", &files).await;
    let image = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}")).image;
    // The same name stands for another image on this host, and that of the function is gone.
    let container = docker(&["create", &name, "true"]).await;
    docker(&["commit", "--change", "ENV BROKEN=1", container.trim(), &name]).await;
    docker(&["rm", container.trim()]).await;
    docker(&["rmi", &image]).await;
    let problem = platform.problem("f", "{}").await;
    let reason = "the image is not on this host and cannot be built: step 2 of Dockerfile failed with code 1 (RUN [";
    assert!(problem.detail.contains(reason), "{problem:?}");
    assert!(problem.detail.contains("; it wrote: no compiler"), "{problem:?}");
    docker(&["rmi", &name]).await;
    platform.stop().await;
}

async fn what_a_dockerignore_names_is_not_uploaded(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM {}\nCOPY . /src\nCMD [\"ls\", \"/src\"]\n", base(&platform));
    for (path, text) in [
        ("Dockerfile", dockerfile.as_str()),
        (".dockerignore", "target\n.npmrc\n"),
        (".npmrc", "//registry/:_authToken=secret\n"),
        ("cloudfunc.toml", "name = 'f'\ndockerfile = 'Dockerfile'\ninterface = 'command'\n"),
    ] {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    std::fs::create_dir(folder.path().join("target")).unwrap();
    let large = std::fs::File::create(folder.path().join("target/app")).unwrap();
    large.set_len(1 << 30).unwrap();
    let (exit, _, stderr) = platform.cli(&["deploy", folder.path().to_str().unwrap()]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(stderr.contains("left out by .dockerignore:1: target (target/)"), "{stderr}");
    assert_eq!(platform.value("f", "{}").await, "Dockerfile\n");
    platform.stop().await;
}

async fn without_images_a_dockerfile_is_refused_with_what_to_do(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let advice = "cannot be used: the runtime 'oci' has no images; start `up` or `run` with `--runtime docker`, or \
                  name a `language` in its place: \"native\" runs any program";
    let problem = refused(&platform, "FROM a\n", &[]).await;
    assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_manifest"), "{problem:?}");
    assert_eq!(problem.detail, format!("the Dockerfile 'Dockerfile' {advice}"));
    let (image, _) = build(&platform, "f", &[("cloudfunc.toml", "image = 'a:1'\n")]).await;
    let Err(Error::Problem(problem)) = image else { panic!("{image:?}") };
    assert_eq!(problem.detail, format!("image 'a:1' {advice}"));
    platform.stop().await;
}
