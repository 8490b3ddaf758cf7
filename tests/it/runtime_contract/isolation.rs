//! What only a real sandbox promises.

use super::*;

pub async fn too_much_memory_is_the_reason(fixture: &Fixture) {
    let code =
        "def handler(event):\n    keep = []\n    while True:\n        keep.append(bytearray(1 << 20))\n";
    let mut spec = fixture.spec(code);
    spec.memory_bytes = 48 * MIB;
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    if fixture.has_cgroups() {
        let error = instance.invoke("{}").await.unwrap_err();
        assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
        assert_eq!(instance.exit().await, Exit::OutOfMemory);
    } else {
        assert_eq!(instance.error("{}").await.kind, "MemoryError");
    }
    instance.sandbox.remove().await;
}

pub async fn a_sandbox_may_do_little(fixture: &Fixture) {
    let code = r##"
import os, resource, socket, subprocess
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
def handler(event):
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    with open("/tmp/script", "w") as file:
        file.write("#!/bin/sh\necho ran")
    os.chmod("/tmp/script", 0o755)
    return {
        "ids": [os.getuid(), os.getgid(), os.getgroups()],
        "capabilities": [int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privileges": status["NoNewPrivs"],
        "seccomp": status["Seccomp"],
        "root": refused("/x"),
        "task": refused("/var/task/x"),
        "run": refused("/run/cloudfunc/x"),
        "tmp": subprocess.run(["/tmp/script"], stdout=subprocess.PIPE).stdout.decode().strip(),
        "tmp_bytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "network": [name for _, name in socket.if_nameindex()],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "home": os.environ["HOME"],
        "stdin": os.readlink("/proc/self/fd/0"),
        "socket": os.listdir("/run/cloudfunc"),
    }
"##;
    let spec = fixture.spec(code);
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    let seen: serde_json::Value = serde_json::from_str(&instance.result("{}").await).unwrap();
    let read_only = "Read-only file system";
    let user = fixture.user(&spec);
    assert_eq!(
        seen,
        serde_json::json!({
            "ids": [user, user, if user == 0 { vec![] } else { vec![user] }],
            "capabilities": [0, 0, 0, 0, 0],
            "no_new_privileges": "1",
            "seccomp": "2",
            "root": read_only,
            "task": read_only,
            "run": read_only,
            "tmp": "ran",
            "tmp_bytes": 64 * MIB,
            "network": ["lo"],
            "files": [1024, 4096],
            "home": "/tmp",
            "stdin": "/dev/null",
            "socket": [],
        })
    );
    instance.sandbox.remove().await;
}

pub async fn a_sandbox_has_room_for_few_processes(fixture: &Fixture) {
    let code = r#"
import os, time
def handler(event):
    children = []
    while len(children) < 1000:
        try:
            child = os.fork()
        except OSError as error:
            break
        if child == 0:
            time.sleep(60)
            os._exit(0)
        children.append(child)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)
"#;
    let mut spec = fixture.spec(code);
    spec.memory_bytes = 512 * MIB;
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    // Besides the guest and its init.
    assert_eq!(instance.result("{}").await, "254");
    instance.sandbox.remove().await;
}

pub async fn what_a_function_leaves_behind_is_reaped(fixture: &Fixture) {
    let code = r#"
import glob, subprocess, time
def handler(event):
    subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do true & done; sh -c 'sleep 0.1 &' &"], check=True)
    deadline = time.monotonic() + 10
    while len(glob.glob("/proc/[0-9]*")) > 2:  # the guest and its init
        if time.monotonic() > deadline:
            return "zombies are left"
        time.sleep(0.01)
    return "none"
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(instance.result("{}").await, "none");
    instance.sandbox.remove().await;
}

pub async fn containers_with_egress_cannot_reach_each_other(fixture: &Fixture) {
    let code = r#"
import socket
listener = None
def handler(event):
    global listener
    if event is None:
        listener = socket.create_server(("0.0.0.0", 8080))
        return socket.gethostbyname(socket.gethostname())
    try:
        socket.create_connection((event, 8080), timeout=1).close()
        return "reached"
    except OSError as error:
        return f"refused: {error}"
"#;
    let mut spec = fixture.spec(code);
    spec.network = Network::Egress;
    let mut one = fixture.start_spec(&spec).await;
    let mut spec = fixture.spec(code);
    spec.network = Network::Egress;
    let mut two = fixture.start_spec(&spec).await;
    one.load().await.unwrap();
    two.load().await.unwrap();
    let address = one.result("null").await;
    assert!(
        address.parse::<std::net::Ipv4Addr>().is_ok_and(|address| !address.is_loopback()),
        "{address}"
    );
    assert_eq!(one.result(&format!("\"{address}\"")).await, "reached");
    let answer = two.result(&format!("\"{address}\"")).await;
    assert!(answer.starts_with("refused"), "{answer}");
    one.sandbox.remove().await;
    two.sandbox.remove().await;
}

pub async fn a_functions_image_holds_its_code(fixture: &Fixture) {
    let bundle = fixture.folder.path().join("bundle");
    fs::create_dir_all(bundle.join("package")).unwrap();
    fs::write(bundle.join("package/__init__.py"), "WORD = 'from the image'\n").unwrap();
    fs::write(bundle.join("function.py"), "import package\ndef handler(event): return package.WORD\n")
        .unwrap();
    let mut spec = fixture.spec("");
    fs::remove_dir_all(spec.folder.join("task")).unwrap();
    let tag = format!("cloudfunc/contract:{}", spec.instance);
    spec.image = Image::Function {
        language: Language::Python,
        version: "3.11".to_owned(),
        tag: tag.clone(),
        bundle: bundle.clone(),
    };
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    assert_eq!(instance.result("{}").await, "from the image");
    instance.sandbox.remove().await;

    // Somebody removes it: the next start builds it again.
    docker(&["rmi", &tag]);
    spec.instance = InstanceId::new();
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    assert_eq!(instance.result("{}").await, "from the image");
    instance.sandbox.remove().await;
    docker(&["rmi", &tag]);
}

pub async fn an_image_that_is_not_there_says_what_to_do(fixture: &Fixture) {
    for reference in ["localhost:1/nowhere/nothing:1", "no image?"] {
        let image = Image::Own { reference: reference.to_owned() };
        let error = fixture.runtime.ensure_image(&image, &|_| {}).await.unwrap_err();
        assert!(matches!(&error, Error::NoImage { image, .. } if image == reference), "{error:?}");
        if fixture.kind == Kind::Oci {
            assert!(error.to_string().ends_with("has no images; use --runtime docker"), "{error}");
        }
    }
}

pub async fn an_image_that_cannot_be_had_names_the_setting(fixture: &Fixture) {
    let config = Config { python_image: "localhost:1/python:{version}".to_owned(), ..fixture.config() };
    let image = Image::Language { language: Language::Python, version: "3.99".to_owned() };
    let error = connect(&config).unwrap().ensure_image(&image, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("CLOUDFUNC_PYTHON_IMAGE"), "{error}");
    assert!(error.to_string().contains("localhost:1/python:3.99"), "{error}");
}

pub async fn the_engine_says_its_name(fixture: &Fixture) {
    let name = fixture.runtime.ping().await.unwrap();
    let known = match fixture.kind {
        Kind::Oci => ["OCI containers by libcontainer ", "cgroup"],
        _ => ["Docker ", "Podman "],
    };
    assert!(known.iter().any(|known| name.starts_with(known)), "{name}");
}
