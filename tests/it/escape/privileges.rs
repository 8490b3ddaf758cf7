//! To rights that nobody gave: mounts, capabilities, other processes, the kernel.

use std::{fs, os::unix::fs::PermissionsExt};

use cloudfunc::runtime::Finished;
use serde_json::json;

use super::{Fixture, files::Neighbour};

/// Asserts that each of the calls that `code` names in its answer is refused for want of a right.
async fn assert_all_not_permitted(fixture: &Fixture, code: &str) {
    let answers = fixture.answer(code, json!(null)).await;
    let answers = answers.as_object().unwrap();
    assert!(!answers.is_empty());
    assert!(answers.values().all(|answer| answer == "EPERM"), "{answers:?}");
}

pub async fn nothing_can_be_mounted(fixture: &Fixture) {
    let code = r#"
BIND, REMOUNT, MOVE, PRIVATE = 4096, 32, 8192, 1 << 18
def handler(event):
    os.mkdir("/tmp/new")
    return {
        "tmpfs": refusal(libc.mount, b"none", b"/tmp/new", b"tmpfs", 0, None),
        "proc": refusal(libc.mount, b"none", b"/tmp/new", b"proc", 0, None),
        "cgroup": refusal(libc.mount, b"none", b"/tmp/new", b"cgroup2", 0, None),
        "bind": refusal(libc.mount, b"/etc", b"/tmp/new", None, BIND, None),
        "root, writable": refusal(libc.mount, None, b"/", None, REMOUNT, None),
        "task, writable": refusal(libc.mount, None, b"/var/task", None, REMOUNT | BIND, None),
        "move": refusal(libc.mount, b"/proc", b"/tmp/new", None, MOVE, None),
        "propagate": refusal(libc.mount, None, b"/", None, PRIVATE, None),
        "unmount": refusal(libc.umount2, b"/proc", 2),
    }
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn no_new_root_can_be_made(fixture: &Fixture) {
    let code = r#"
import stat
def handler(event):
    return {
        "chroot": refusal(os.chroot, "/tmp"),
        "character device": refusal(os.mknod, "/tmp/memory", stat.S_IFCHR | 0o666, os.makedev(1, 1)),
        "block device": refusal(os.mknod, "/tmp/disk", stat.S_IFBLK | 0o666, os.makedev(8, 0)),
    }
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn no_namespace_can_be_made_or_entered(fixture: &Fixture) {
    let code = r#"
KINDS = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000}
def enter(kind):
    with open(f"/proc/self/ns/{kind}") as namespace:
        return libc.setns(namespace.fileno(), 0)
def handler(event):
    made = {f"make {kind}": refusal(libc.unshare, flag) for kind, flag in KINDS.items()}
    both = {"make user and mnt": refusal(libc.unshare, KINDS["user"] | KINDS["mnt"])}
    return {**made, **both, **{f"enter {kind}": refusal(enter, kind) for kind in KINDS if kind != "user"}}
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn no_capability_can_be_gained(fixture: &Fixture) {
    let code = r#"
def capset():
    header = struct.pack("=Ii", 0x20080522, 0)
    return libc.capset(header, struct.pack("=6I", *[0xFFFFFFFF] * 6))
def handler(event):
    held = [line.split()[1] for line in read("/proc/self/status").splitlines() if line.startswith("Cap")]
    return [{
        "capset": refusal(capset),
        "ambient": refusal(libc.prctl, 47, 2, 21, 0, 0),
        "user": refusal(os.setuid, 0),
        "group": refusal(os.setgid, 0),
        "groups": refusal(os.setgroups, [0]),
        "all of the user's": refusal(os.setresuid, 0, 0, 0),
    }, held]
"#;
    let answer = fixture.answer(code, json!(null)).await;
    let refused = answer[0].as_object().unwrap();
    assert!(refused.values().all(|kind| kind == "EPERM"), "{refused:?}");
    assert_eq!(answer[1], json!(vec!["0000000000000000"; 5]));
}

pub async fn a_program_of_roots_runs_as_the_function(fixture: &Fixture) {
    let code = r#"
import subprocess
def handler(event):
    status = os.stat("/var/task/id")
    ran = subprocess.run(["/var/task/id", "-u"], stdout=subprocess.PIPE, check=True)
    return [oct(status.st_mode), status.st_uid, int(ran.stdout) == os.getuid(), os.getuid()]
"#;
    let spec = fixture.spec(code);
    let program = spec.folder.join("task/id");
    fs::copy("/usr/bin/id", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let mut instance = fixture.start_spec(&spec).await;
    let answer = instance.invoke(json!(null)).await;
    assert_eq!(answer.as_array().unwrap()[..3], [json!("0o104755"), json!(0), json!(true)]);
    assert_ne!(answer[3], 0);
    instance.sandbox.remove().await;
}

pub async fn no_raw_packet_can_be_sent(fixture: &Fixture) {
    let code = r#"
def handler(event):
    return {
        "raw": refusal(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "raw of IPv6": refusal(socket.socket, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        "packet": refusal(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0x300),
    }
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn its_network_cannot_be_changed(fixture: &Fixture) {
    // Requests of the kernel's socket interface: an address, a link's state, a route there and away.
    let code = r#"
import fcntl
def control(request, argument):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        return fcntl.ioctl(one.fileno(), request, argument)
def handler(event):
    address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("10.0.0.0"))
    link = b"lo".ljust(16, b"\0")
    route = struct.pack("=Q", 0) + address + bytes(16) + struct.pack("=HH4s8x", socket.AF_INET, 0, bytes(4))
    route += struct.pack("=H", 1) + bytes(70)
    return {
        "address": refusal(control, 0x8916, link + address),
        "down": refusal(control, 0x8914, link + bytes(24)),
        "add a route": refusal(control, 0x890B, route),
        "remove a route": refusal(control, 0x890C, route),
    }
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn the_kernel_cannot_be_reached(fixture: &Fixture) {
    let code = r#"
def now():
    return libc.clock_settime(0, struct.pack("=qq", int(time.time()), 0))
def handler(event):
    bpf, perf, kexec, module = {"x86_64": (321, 298, 246, 175), "aarch64": (280, 241, 104, 105)}[os.uname().machine]
    return {
        "bpf": refusal(libc.syscall, bpf, 0, bytes(128), 128),
        "perf_event_open": refusal(libc.syscall, perf, struct.pack("=II", 0, 128) + bytes(120), -1, 0, -1, 0),
        "kexec_load": refusal(libc.syscall, kexec, 0, 0, None, 0),
        "init_module": refusal(libc.syscall, module, b"", 0, b""),
        "acct": refusal(libc.acct, b"/tmp/x"),
        "swapon": refusal(libc.swapon, b"/tmp/x", 0),
        "reboot": refusal(libc.reboot, 0),
        "clock_settime": refusal(now),
        "sethostname": refusal(libc.sethostname, b"x", 1),
        "kernel log": refusal(libc.klogctl, 4, None, 0),
        "open_by_handle_at": refusal(libc.open_by_handle_at, -100, bytes(64), 0),
    }
"#;
    assert_all_not_permitted(fixture, code).await;
}

pub async fn no_process_of_the_host_is_traced(fixture: &Fixture) {
    let code = r#"
ATTACH, SEIZE = 16, 0x4206
def peek(id):
    buffer = ctypes.create_string_buffer(8)
    part = struct.pack("=QQ", ctypes.addressof(buffer), 8)
    return libc.process_vm_readv(id, part, 1, part, 1, 0)
def handler(id):
    return [refusal(libc.ptrace, ATTACH, id, None, None), refusal(libc.ptrace, SEIZE, id, None, None),
            refusal(peek, id)]
"#;
    let mut neighbour = Neighbour::plant("traced");
    let answers = fixture.answer(code, json!(neighbour.id())).await;
    // There is no such process, or the call itself is not for functions.
    for answer in answers.as_array().unwrap() {
        assert!(answer == "ESRCH" || answer == "EPERM", "{answers}");
    }
    assert!(neighbour.lives());
}

pub async fn no_process_of_the_host_is_signalled(fixture: &Fixture) {
    let code = r#"
def handler(event):
    if event is None:
        return "alive"
    answers = [refusal(os.kill, event, number) for number in (0, signal.SIGTERM, signal.SIGKILL)]
    answers += [refusal(os.killpg, event, signal.SIGKILL), refusal(os.pidfd_open, event)]
    # Everything that it may kill, once it is sure that the host's are not among them.
    if answers == ["ESRCH"] * 5 and os.getuid() != 0 and os.fork() == 0:
        os.kill(-1, signal.SIGKILL)
        os._exit(0)
    return answers
"#;
    let mut neighbour = Neighbour::plant("signalled");
    let mut other = fixture.start(code).await;
    let mut one = fixture.start(code).await;
    // Its answer may be lost with it.
    match one.try_invoke(json!(neighbour.id())).await {
        Ok(Finished::Result(body)) => {
            let answers: Vec<String> = serde_json::from_slice(&body.bytes).unwrap();
            assert_eq!(answers, ["ESRCH"; 5]);
        }
        Ok(other) => panic!("{other:?}"),
        Err(closed) => assert!(matches!(closed, cloudfunc::runtime::GuestError::Closed(_)), "{closed}"),
    }
    assert!(neighbour.lives());
    assert_eq!(other.invoke(json!(null)).await, "alive");
    one.sandbox.remove().await;
    other.sandbox.remove().await;
}
