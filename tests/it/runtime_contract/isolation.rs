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

pub async fn a_function_finds_what_programs_expect_of_a_machine(fixture: &Fixture) {
    let code = r#"
import getpass, os, pty, socket
def handler(event):
    main, other = os.openpty()
    os.write(other, b"typed")
    names = [socket.getservbyname("https"), socket.getprotobyname("udp")] if event == "names" else None
    return [getpass.getuser(), os.path.expanduser("~"), names, os.read(main, 9).decode(), os.isatty(other),
            os.path.ismount("/sys")]
"#;
    let mut instance = fixture.ready(code).await;
    // An image has these tables or not; without one, they are the platform's doing.
    let (event, expected) = match fixture.kind {
        Kind::Docker => ("", r#"["function","/tmp",null,"typed",true,true]"#),
        _ => ("names", r#"["function","/tmp",[443,17],"typed",true,false]"#),
    };
    assert_eq!(instance.result(&format!("\"{event}\"")).await, expected);
    instance.sandbox.remove().await;
}

/// The folder of the group that limits its processors, as the machine sees it.
fn cpu_group(fixture: &Fixture, instance: &Instance) -> PathBuf {
    let pid = match fixture.kind {
        Kind::Docker => docker(&["inspect", "--format", "{{.State.Pid}}", instance.sandbox.id()]),
        _ => fixture.pid(instance),
    };
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid.trim())).unwrap();
    let path_of = |line: &str| {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let root = match controllers {
            "" if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() => "/sys/fs/cgroup",
            list if list.split(',').any(|one| one == "cpu") => "/sys/fs/cgroup/cpu",
            _ => return None,
        };
        Some(PathBuf::from(format!("{root}{path}")))
    };
    groups.lines().find_map(path_of).expect("a group with the controller cpu")
}

/// A group's share of the processors, and how many of them it may use; version 1 or 2.
fn cpu_limits(group: &Path) -> (String, Option<f64>) {
    let read = |name: &str| fs::read_to_string(group.join(name)).map(|text| text.trim().to_owned());
    let rank = read("cpu.shares").or_else(|_| read("cpu.weight")).unwrap();
    let most = read("cpu.max").or_else(|_| {
        read("cpu.cfs_quota_us").map(|quota| format!("{quota} {}", read("cpu.cfs_period_us").unwrap()))
    });
    let most = most.unwrap();
    let (quota, period) = most.split_once(' ').unwrap();
    let quota = quota.parse::<f64>().ok().filter(|quota| *quota > 0.0);
    (rank, quota.map(|quota| quota / period.parse::<f64>().unwrap()))
}

pub async fn functions_yield_the_processors_and_leave_one_to_the_others(fixture: &Fixture) {
    if !fixture.has_cgroups() {
        return;
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let most = (cores > 1).then(|| f64::from(u32::try_from(cores - 1).unwrap()));
    let start = async |function: &str| {
        // The engine would refuse so many.
        let cpus = if cores > 1 { 1000.0 } else { 1.0 };
        let spec = Spec { function: function.to_owned(), cpus, ..fixture.spec(ECHO) };
        fixture.start_spec(&spec).await
    };
    let instances = [start("contract").await, start("contract").await, start("").await];
    let groups: Vec<_> = instances.iter().map(|instance| cpu_group(fixture, instance)).collect();
    for group in &groups {
        if cores > 1 {
            assert_eq!(cpu_limits(group).1, most, "{}", group.display());
        }
        let top = group.iter().position(|part| part.to_string_lossy().starts_with("cloudfunc-"));
        let top: PathBuf = group.iter().take(top.unwrap() + 1).collect();
        let (rank, unlimited) = cpu_limits(&top);
        assert!(["512", "50"].contains(&&*rank) && unlimited.is_none(), "{rank} {unlimited:?}");
    }
    let above: Vec<_> = groups.iter().map(|group| group.parent().unwrap().to_owned()).collect();
    assert_eq!(above[0], above[1]);
    assert!(above[0].ends_with("function.contract"), "{}", above[0].display());
    assert_eq!(cpu_limits(&above[0]).1, most);
    // Whose function is not known yet shares with nobody.
    assert!(above[2].ends_with("none") && cpu_limits(&above[2]).1.is_none(), "{}", above[2].display());
    for instance in instances {
        instance.sandbox.remove().await;
    }
    let left = || above.iter().filter(|group| group.exists()).count();
    assert_eq!(left(), 0);
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

/// Writes more than the limit to each of two folders.
const FILL: &str = r#"
import json, os

def fill(folder):
    written, path = 0, folder + "/file"
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(80):
                written += file.write(bytes(1 << 20))
    except OSError as error:
        return [written >> 20, error.strerror]
    finally:
        os.unlink(path)

print(json.dumps([fill("/data"), fill("/var/more")]))
"#;

pub async fn a_volume_of_an_image_has_a_limit_and_is_not_on_the_disk(fixture: &Fixture) {
    let context = fixture.folder.path().join("context");
    fs::create_dir_all(&context).unwrap();
    let base = base_image(Language::Python);
    fs::write(context.join("Dockerfile"), format!("FROM {base}\nVOLUME /data /var/more/\n")).unwrap();
    let tag = "cloudfunc-test/volumes";
    docker(&["build", "-q", "-t", tag, context.to_str().unwrap()]);
    let mut spec = fixture.helper_spec();
    spec.image = Image::Own { reference: tag.to_owned() };
    spec.memory_bytes = 256 * MIB;
    let mut instance = fixture.start_helped(&spec).await;
    instance.load_program(Interface::Command, 1, &["python3", "-c", FILL]).await.unwrap();
    let told = text(instance.invoke_as("text/plain", b"").await.unwrap());
    let format = "{{range .Mounts}}{{.Type}} {{.Destination}}\n{{end}}";
    let mounts = docker(&["inspect", "--format", format, instance.sandbox.id()]);
    instance.sandbox.remove().await;
    let full = serde_json::json!([64, "No space left on device"]);
    let seen: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(seen, serde_json::json!([full, full]));
    // The engine has made no volume.
    assert!(!mounts.lines().any(|mount| mount.starts_with("volume ")), "{mounts}");
    assert!(mounts.contains("/run/cloudfunc"), "{mounts}");
}

pub async fn an_image_that_is_not_there_says_what_to_do(fixture: &Fixture) {
    for reference in ["localhost:1/nowhere/nothing:1", "no image?"] {
        let image = Image::Own { reference: reference.to_owned() };
        let error = fixture.runtime.ensure_image(&image, &|_| {}).await.unwrap_err();
        let (Error::NoImage { image, .. } | Error::NoImages { image, .. }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(image, reference);
        if fixture.kind == Kind::Oci {
            assert!(
                error.to_string().ends_with(
                    "has no images; start `up` or `run` with `--runtime docker`, or name a `language` in its place: \
                     \"native\" runs any program"
                ),
                "{error}"
            );
        }
    }
}

pub async fn an_image_that_cannot_be_had_names_the_setting(fixture: &Fixture) {
    let images = BaseImages::of(Language::Python, "localhost:1/python:{version}");
    let config = Config::Docker { owner: fixture.owner.clone(), images, helper: no_helper() };
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
