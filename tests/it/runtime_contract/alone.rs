//! What the runtime without an engine promises besides: it has to see to everything itself.

use super::*;

impl Fixture {
    /// As whom a function runs.
    pub(super) fn user(&self, spec: &Spec) -> u32 {
        match self.kind {
            // In a user namespace, the platform's own.
            Kind::Oci if !not_root::is_root() => 0,
            Kind::Oci => 0x7000_0000 | u32::try_from(spec.instance.0.as_u128() & 0x0fff_ffff).unwrap(),
            _ => 65532,
        }
    }

    /// The number of a container's first process.
    pub(super) fn pid(&self, instance: &Instance) -> String {
        let folder = self.folder.path().join("runtime/sandboxes").join(self.owner.manager.to_string());
        fs::read_to_string(folder.join(instance.sandbox.id()).join("pid")).unwrap()
    }

    pub(super) fn has_cgroups(&self) -> bool {
        self.kind != Kind::Oci || not_root::is_root()
    }

    /// Folders and cgroups of this owner.
    pub(super) fn left_in_files(&self) -> Vec<String> {
        let name = format!("cloudfunc-{}", self.owner.platform);
        let cgroups =
            ["", "memory", "cpu", "pids"].map(|part| Path::new("/sys/fs/cgroup").join(part).join(&name));
        let folder = self.folder.path().join("runtime/sandboxes").join(self.owner.manager.to_string());
        let there = cgroups.into_iter().chain([folder]).filter(|path| path.exists());
        there.map(|path| path.display().to_string()).collect()
    }
}

pub async fn each_instance_has_a_user_of_its_own(fixture: &Fixture) {
    let code = "import os\ndef handler(event): return os.getuid()\n";
    let mut one = fixture.ready(code).await;
    let mut two = fixture.ready(code).await;
    let ids = [one.result("{}").await, two.result("{}").await].map(|id| id.parse::<u32>().unwrap());
    if !not_root::is_root() {
        assert_eq!(ids, [0, 0]);
        let told = fixture.runtime.notices(Network::None).await;
        assert!(told[0].starts_with("all functions run as the platform's own user"), "{told:?}");
        assert!(told[1].contains("this platform may not write cgroups"), "{told:?}");
    } else {
        assert_eq!(fixture.runtime.notices(Network::None).await, Vec::<String>::new());
        let range = 0x7000_0000..1 << 31;
        assert!(ids[0] != ids[1] && ids.iter().all(|id| range.contains(id)), "{ids:?}");
    }
    one.sandbox.remove().await;
    two.sandbox.remove().await;
}

pub async fn a_sandbox_sees_only_what_it_needs(fixture: &Fixture) {
    let code = r#"
import os, site, sys
def files(path):
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
def handler(event):
    prefix = sys.base_prefix
    inside = [sys.executable, *site.getsitepackages(), os.path.dirname(os.__file__)]
    return {
        "root": sorted(set(os.listdir("/")) - {"lib32", "libx32", "lib64", "sbin"}),
        "etc": sorted(os.listdir("/etc")),
        "homes": [name for name in files("/root") + files("/home") if not name.startswith(prefix)],
        "local": [name for name in files("/usr/local") if not name.startswith("/usr/local/lib/python") and name != sys.executable],
        "var": [name for name in files("/var") if not name.startswith("/var/task/")],
        "run": files("/run"),
        "opt": files("/opt"),
        "dev": sorted(os.listdir("/dev")),
        "packages": [name for folder in site.getsitepackages() if os.path.isdir(folder) for name in os.listdir(folder)],
        "name": os.uname().nodename,
        "processes": sorted(name for name in os.listdir("/proc") if name.isdigit()),
        "cgroups": {line.rstrip().split(":")[2] for line in open("/proc/self/cgroup") if line.split(":")[1] in ("memory", "")} == {"/"},
        "hidden": len(open("/proc/keys").read()) + len(open("/proc/timer_list").read() if os.path.exists("/proc/timer_list") else ""),
        "writable": [line.split()[4] for line in open("/proc/self/mountinfo") if line.split()[5].startswith("rw")],
    }
"#;
    let mut instance = fixture.ready(code).await;
    let seen: serde_json::Value = serde_json::from_str(&instance.result("{}").await).unwrap();
    let folders = ["bin", "dev", "etc", "lib", "opt", "proc", "run", "tmp", "usr", "var"];
    let mut root: Vec<&str> =
        seen["root"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // Where the interpreter is.
    root.retain(|name| !["root", "home", "nix", "opt"].contains(name) || folders.contains(name));
    assert_eq!(root, folders);
    for (place, expected) in [
        ("homes", serde_json::json!([])),
        ("local", serde_json::json!([])),
        ("var", serde_json::json!([])),
        ("run", serde_json::json!([])),
        ("opt", serde_json::json!(["/opt/cloudfunc/bin/python3", "/opt/cloudfunc/shim.pyc"])),
        ("packages", serde_json::json!([])),
        ("name", serde_json::json!("function")),
        ("processes", serde_json::json!(["1", "2"])),
        ("cgroups", serde_json::json!(true)),
        ("hidden", serde_json::json!(0)),
    ] {
        assert_eq!(seen[place], expected, "{place}");
    }
    let etc = [
        "alternatives",
        "ca-certificates",
        "ethertypes",
        "group",
        "hostname",
        "hosts",
        "ld.so.cache",
        "mime.types",
        "mtab",
        "nsswitch.conf",
        "os-release",
        "passwd",
        "pki",
        "protocols",
        "resolv.conf",
        "rpc",
        "services",
        "ssl",
    ];
    for name in seen["etc"].as_array().unwrap() {
        assert!(etc.contains(&name.as_str().unwrap()), "/etc/{name}");
    }
    let dev = [
        "core", "fd", "full", "kcore", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
        "stdout", "tty", "urandom", "zero",
    ];
    for name in seen["dev"].as_array().unwrap() {
        assert!(dev.contains(&name.as_str().unwrap()), "/dev/{name}");
    }
    for path in seen["writable"].as_array().unwrap() {
        let path = path.as_str().unwrap();
        assert!(
            ["/proc", "/tmp"].contains(&path) || path.starts_with("/dev") || path.starts_with("/proc/"),
            "{path}"
        );
    }
    instance.sandbox.remove().await;
}

pub async fn system_calls_that_reach_out_are_refused(fixture: &Fixture) {
    let code = r#"
import ctypes, errno, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
machine = os.uname().machine
NUMBERS = {
    "x86_64": {"ptrace": 101, "syslog": 103, "pivot_root": 155, "mount": 165, "umount2": 166, "swapon": 167,
               "reboot": 169, "init_module": 175, "quotactl": 179, "add_key": 248, "keyctl": 250, "unshare": 272,
               "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304,
               "setns": 308, "process_vm_readv": 310, "kexec_load": 246, "bpf": 321, "userfaultfd": 323, "acct": 163,
               "settimeofday": 164, "clone": 56, "personality": 135, "ioctl": 16},
    "aarch64": {"ptrace": 117, "syslog": 116, "pivot_root": 41, "mount": 40, "umount2": 39, "swapon": 224,
                "reboot": 142, "init_module": 105, "quotactl": 60, "add_key": 217, "keyctl": 219, "unshare": 97,
                "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
                "setns": 268, "process_vm_readv": 270, "kexec_load": 104, "bpf": 280, "userfaultfd": 282, "acct": 89,
                "settimeofday": 170, "clone": 220, "personality": 92, "ioctl": 29},
}[machine]
NUMBERS.update({"open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442, "io_uring_setup": 425, "pidfd_getfd": 438})
USES = {"clone": [(flag,) for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)],
        "personality": [(0x0040000,)], "ioctl": [(0, 0x5412, 0), (0, 0x541c, 0)]}
def answer(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)) < 0:
        return errno.errorcode[ctypes.get_errno()]
    return "done"
def family(number):
    try:
        socket.socket(number, socket.SOCK_DGRAM).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def handler(event):
    seen = {}
    for name, number in NUMBERS.items():
        for arguments in USES.get(name, [()]):
            seen.setdefault(answer(number, *arguments), set()).add(name)
    return {
        "calls": {key: sorted(names) for key, names in seen.items()},
        "clone3": answer(435, 0, 0),
        "unknown": answer(9999),
        "other ABI": answer(0x40000000 | 39) if machine == "x86_64" else "ENOSYS",
        "query": answer(NUMBERS["personality"], 0xffffffff),
        "families": {str(number): family(number) for number in (1, 2, 10, 16, 17, 38, 40)},
    }
"#;
    let mut instance = fixture.ready(code).await;
    let seen: serde_json::Value = serde_json::from_str(&instance.result("{}").await).unwrap();
    let calls = seen["calls"].as_object().unwrap();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["EPERM"], "{seen}");
    assert_eq!(calls["EPERM"].as_array().unwrap().len(), 32, "{seen}");
    for (name, expected) in
        [("clone3", "ENOSYS"), ("unknown", "ENOSYS"), ("other ABI", "ENOSYS"), ("query", "done")]
    {
        assert_eq!(seen[name], expected, "{name}");
    }
    let allowed = serde_json::json!({
        "1": "done", "2": "done", "10": "done", "16": "EPROTONOSUPPORT", "17": "EPERM", "38": "EPERM", "40": "EPERM",
    });
    let mut families = seen["families"].clone();
    if families["16"] == "done" {
        families["16"] = "EPROTONOSUPPORT".into();
    }
    assert_eq!(families, allowed);
    instance.sandbox.remove().await;
}

pub async fn what_a_dead_process_left_is_removed(fixture: &Fixture) {
    let mut instance = fixture.ready(ECHO).await;
    assert_eq!(instance.result("1").await, "1");
    // As a process that comes later: it knows of nothing but what there is.
    let later = connect(&fixture.config()).unwrap();
    let removed = later.remove_all(&fixture.owner).await.unwrap();
    assert_eq!(removed, [instance.sandbox.id()]);
    assert_eq!(fixture.sandboxes(), Vec::<String>::new());
    assert_eq!(instance.exit().await, Exit::Code(128 + 9), "somebody else did it");
    instance.sandbox.remove().await;
    assert_eq!(instance.exit().await, Exit::Removed);
}

pub async fn nothing_is_mounted_on_the_machine_and_nobody_is_left_unreaped(fixture: &Fixture) {
    let mounts = || {
        let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
        // An engine's come and go beside this test.
        all.lines().filter(|line| !line.contains("docker")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = mounts();
    let instance = fixture.ready(ECHO).await;
    assert_eq!(mounts(), before);
    assert!(!fixture.sandboxes().is_empty());
    // The helper and its own helper are gone, the container is there.
    eventually("all helpers are waited for", async || {
        none_unreaped("(cloudfunc").and(none_unreaped("(youki"))
    })
    .await;
    let pid = fixture.pid(&instance);
    assert!(Path::new("/proc").join(&pid).exists());
    instance.sandbox.remove().await;
    assert_eq!(mounts(), before);
    assert!(!Path::new("/proc").join(&pid).exists());
}

/// Something, if no child of this process with this name has ended and waits for being reaped.
fn none_unreaped(name: &str) -> Option<()> {
    let own = std::process::id().to_string();
    let ended = |text: &String| {
        let (start, rest) = text.rsplit_once(')').unwrap();
        let mut fields = rest.split_whitespace();
        fields.next() == Some("Z") && fields.next() == Some(&own) && start.contains(name)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    (texts.filter(ended).count() == 0).then_some(())
}

pub async fn a_function_with_egress_is_connected_or_its_owner_is_told_why_not(fixture: &Fixture) {
    let code = "import socket\ndef handler(event): return [name for _, name in socket.if_nameindex()]\n";
    let mut spec = fixture.spec(code);
    spec.network = Network::Egress;
    let mut instance = fixture.start_spec(&spec).await;
    instance.load().await.unwrap();
    let links = instance.result("{}").await;
    instance.sandbox.remove().await;
    let told = fixture.runtime.notices(Network::Egress).await;
    let unconnected = told.iter().any(|notice| notice.starts_with("the function will have no network"));
    assert_eq!(links, if unconnected { "[\"lo\"]" } else { "[\"lo\",\"tap0\"]" }, "{told:?}");
    // Only on machines whose device for it is root's own may the lack be no fault.
    assert!(!unconnected || !rustix::process::geteuid().is_root(), "{told:?}");
}

pub async fn a_program_that_is_no_helper_is_an_error(fixture: &Fixture) {
    for (program, expected) in
        [("/usr/bin/false", "the helper ended without a word"), ("/nowhere", "No such file")]
    {
        let folder = fixture.folder.path().join("runtime");
        let (owner, helper) = (fixture.owner.clone(), no_helper());
        let config = Config::Oci { owner, folder, program: program.into(), helper };
        let runtime = connect(&config).unwrap();
        let Err(Error::Engine { source, .. }) = runtime.start(&fixture.spec(ECHO)).await else {
            panic!()
        };
        assert!(source.to_string().contains(expected), "{source}");
        assert!(matches!(runtime.ping().await, Err(Error::Engine { .. })));
    }
}
