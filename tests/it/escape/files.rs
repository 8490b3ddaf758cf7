//! Into the files, devices and processes of this host and of other instances.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command},
};

use cloudfunc::runtime::{Entry, Kind};
use serde_json::{Value, json};

use super::Fixture;
use crate::support::eventually;

/// A word that is nowhere but where a test has put it.
fn secret() -> String {
    format!("secret-{}", uuid::Uuid::now_v7().simple())
}

const READ: &str = "def handler(paths): return {path: refusal(read, path) for path in paths}";

/// Files in the places where this host's users keep theirs; they go with it.
struct Homes {
    folders: Vec<tempfile::TempDir>,
}

impl Homes {
    fn plant(secret: &str) -> Self {
        fs::create_dir_all("/home").unwrap();
        let home = std::env::var("HOME").unwrap();
        let parents = ["/root", "/home", &home, "/tmp", "/var/tmp", "/srv", "/opt"];
        let plant = |parent| {
            let folder = tempfile::Builder::new().prefix(secret).tempdir_in(parent).unwrap();
            fs::write(folder.path().join(secret), secret).unwrap();
            folder
        };
        Self { folders: parents.into_iter().map(plant).collect() }
    }

    fn files(&self, secret: &str) -> Vec<PathBuf> {
        let files: Vec<_> = self.folders.iter().map(|folder| folder.path().join(secret)).collect();
        assert!(files.iter().all(|file| fs::read_to_string(file).unwrap() == secret), "the control");
        files
    }
}

/// Asserts that these files of the host are none of the function's. In an image's own `/root` only root
/// may look.
async fn assert_not_there(fixture: &Fixture, files: Vec<PathBuf>) {
    let answers = fixture.answer(READ, json!(files)).await;
    for file in files {
        let of_image = fixture.kind == Kind::Docker && file.starts_with("/root");
        let kind = if of_image { "EACCES" } else { "ENOENT" };
        assert_eq!(answers[file.to_str().unwrap()], kind, "{}", file.display());
    }
}

pub async fn the_hosts_home_folders_are_not_there(fixture: &Fixture) {
    let secret = secret();
    let homes = Homes::plant(&secret);
    assert_not_there(fixture, homes.files(&secret)).await;
}

pub async fn a_folder_of_the_hosts_is_another_one_inside(fixture: &Fixture) {
    let code = r#"
def handler(paths):
    return {path: refusal(lambda: [os.stat(path).st_dev, os.stat(path).st_ino]) for path in paths}
"#;
    let paths = ["/", "/root", "/home", "/tmp", "/etc", "/var", "/run"];
    let inside = fixture.answer(code, json!(paths)).await;
    for path in paths {
        let host = fs::metadata(path).unwrap();
        assert_ne!(inside[path], json!([host.dev(), host.ino()]), "{path}");
        assert!(inside[path].is_array() || inside[path] == "ENOENT", "{path}: {}", inside[path]);
    }
}

pub async fn the_platforms_own_files_are_not_there(fixture: &Fixture) {
    let names = ["token", "internal-token", "secret-key", "store.db", "runtime/state"];
    let files = names.map(|name| fixture.folder.path().join(name));
    for file in &files {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "secret").unwrap();
    }
    assert_not_there(fixture, files.to_vec()).await;
}

pub async fn the_folders_of_another_instance_are_not_there(fixture: &Fixture) {
    let code = r#"
def handler(folder):
    here = [os.listdir("/run/cloudfunc"), sorted(os.listdir("/var/task"))]
    return [here, refusal(os.listdir, folder), refusal(read, folder + "/task/function.py"),
            refusal(read, folder + "/task/" + SECRET)]
"#;
    let secret = secret();
    let other = fixture.spec("def handler(event): return 'I live'");
    fs::write(other.folder.join("task").join(&secret), &secret).unwrap();
    let mut other = fixture.start_spec(&other).await;
    let mut one = fixture.start(&format!("SECRET = '{secret}'\n{code}")).await;
    let seen = one.invoke(json!(other.folder)).await;
    let run = if fixture.entry == Entry::Helper { vec!["helper"] } else { vec![] };
    let files = json!([run, ["function.py"]]);
    assert_eq!(seen, json!([files, "ENOENT", "ENOENT", "ENOENT"]));
    assert_eq!(other.invoke(json!(null)).await, "I live");
    one.sandbox.remove().await;
    other.sandbox.remove().await;
}

/// Sockets are found by path even where the folder cannot be listed.
pub async fn the_socket_of_another_instance_is_not_there(fixture: &Fixture) {
    let code = r#"
def handler(path):
    with socket.socket(socket.AF_UNIX) as one:
        return refusal(one.connect, path)
"#;
    let path = fixture.folder.path().join("planted.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::os::unix::net::UnixStream::connect(&path).expect("the control");
    assert_eq!(fixture.answer(code, json!(path)).await, "ENOENT");
    for engine in ["/var/run/docker.sock", "/run/containerd/containerd.sock"] {
        assert_eq!(fixture.answer(code, json!(engine)).await, "ENOENT", "{engine}");
    }
}

pub async fn nothing_of_the_host_is_found_by_searching(fixture: &Fixture) {
    let code = r#"
def handler(word):
    found, seen = [], 0
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders.remove("proc")
        seen += len(files)
        found += [os.path.join(folder, name) for name in folders + files if word in name]
    return [found, seen > 1000]
"#;
    let secret = secret();
    let homes = Homes::plant(&secret);
    homes.files(&secret);
    assert_eq!(fixture.answer(code, json!(secret)).await, json!([[], true]));
}

/// A process of the host's that holds a secret.
pub struct Neighbour(Child);

impl Neighbour {
    pub fn plant(secret: &str) -> Self {
        let mut command = Command::new("sleep");
        let child = command.arg0(secret).arg("600").env("SECRET", secret).spawn().unwrap();
        Self(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn no_process_of_the_host_is_seen(fixture: &Fixture) {
    let code = r#"
def handler(event):
    ids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    texts = {f"{id}/{name}": refusal(read, f"/proc/{id}/{name}")
             for id in ids for name in ("cmdline", "environ", "cgroup", "mountinfo")}
    host = {name: refusal(read, f"/proc/{event}/{name}") for name in ("cmdline", "environ", "root/etc/passwd")}
    return {"ids": ids, "texts": texts, "host": host}
"#;
    let secret = secret();
    let neighbour = Neighbour::plant(&secret);
    let environment = format!("/proc/{}/environ", neighbour.id());
    // It is there before its program is.
    eventually("the host sees its secret", async || {
        fs::read_to_string(&environment).is_ok_and(|text| text.contains(&secret)).then_some(())
    })
    .await;
    let seen = fixture.answer(code, json!(neighbour.id())).await;
    assert!(!seen["texts"].to_string().contains(&secret), "{seen}");
    let ids: Vec<u32> = serde_json::from_value(seen["ids"].clone()).unwrap();
    assert!(
        ids.len() <= 2 && ids.iter().all(|id| *id < 100),
        "more than the guest and its init: {ids:?}"
    );
    let none = json!({ "cmdline": "ENOENT", "environ": "ENOENT", "root/etc/passwd": "ENOENT" });
    assert_eq!(seen["host"], none);
}

pub async fn only_memory_can_be_written(fixture: &Fixture) {
    let code = r#"
def handler(event):
    places = set()
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders.remove("proc")
        if os.access(folder, os.W_OK):
            places.add(folder)
    lines = [line.split() for line in read("/proc/self/mounts").splitlines()]
    kinds = {line[1]: line[2] for line in lines}
    return {place: kinds.get(place) for place in places}
"#;
    let places = fixture.answer(code, json!(null)).await;
    let places: std::collections::BTreeMap<String, Option<String>> =
        serde_json::from_value(places).unwrap();
    assert!(places.contains_key("/tmp"), "{places:?}");
    for (place, kind) in &places {
        let in_memory = matches!(kind.as_deref(), Some("tmpfs" | "mqueue"));
        assert!(
            in_memory && ["/tmp", "/dev/shm", "/dev/mqueue"].contains(&place.as_str()),
            "{places:?}"
        );
    }
}

pub async fn the_system_cannot_be_written(fixture: &Fixture) {
    let code = "def handler(paths): return {path: refusal(write, path) for path in paths}";
    let read_only = ["/x", "/etc/passwd", "/usr/bin/x", "/var/task/x", "/run/cloudfunc/x", "/opt/x"];
    let kernel = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/x",
        "/sys/x",
    ];
    let paths: Vec<_> = read_only.into_iter().chain(kernel).collect();
    let answers = fixture.answer(code, json!(paths)).await;
    for path in paths {
        // Read-only mounts say EROFS, another user's files EACCES, and what was hidden is not there.
        let kinds: &[&str] = match path.starts_with("/proc") || path.starts_with("/sys") {
            true => &["EROFS", "EACCES", "ENOENT"],
            false => &["EROFS", "EACCES"],
        };
        assert!(kinds.iter().any(|kind| answers[path] == *kind), "{path}: {}", answers[path]);
    }
}

/// On a machine with systemd all mounts are shared: what is taken away in a namespace that was not made
/// private is taken from everybody.
pub async fn the_hosts_mounts_stay(fixture: &Fixture) {
    let outer = tempfile::tempdir_in("/var/tmp").unwrap();
    let inner = outer.path().join("inner");
    let mount = |arguments: &[&std::ffi::OsStr]| {
        let done = Command::new("mount").args(arguments).status().unwrap();
        assert!(done.success(), "{arguments:?}");
    };
    let [shared, tmpfs, kind] = ["--make-shared", "tmpfs", "-t"].map(std::ffi::OsStr::new);
    mount(&[kind, tmpfs, tmpfs, outer.path().as_os_str()]);
    let _unmounted = Unmounted(outer.path().to_owned());
    mount(&[shared, outer.path().as_os_str()]);
    fs::create_dir(&inner).unwrap();
    mount(&[kind, tmpfs, tmpfs, inner.as_os_str()]);
    let mounted = || {
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        table.lines().filter(|line| line.contains(outer.path().to_str().unwrap())).count()
    };
    assert_eq!(mounted(), 2, "the control");
    let mut instance = fixture.start("def handler(event): return 'ran'").await;
    assert_eq!(instance.invoke(json!(null)).await, "ran");
    assert_eq!(mounted(), 2);
    instance.sandbox.remove().await;
    assert_eq!(mounted(), 2);
}

struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--recursive").arg(&self.0).status();
    }
}

pub async fn there_is_no_device_but_the_harmless_ones(fixture: &Fixture) {
    let code = r#"
import stat
def handler(event):
    found = {}
    for folder, _, files in os.walk("/dev"):
        for name in files:
            path = os.path.join(folder, name)
            status = os.stat(path) if os.path.exists(path) else None
            if status and (stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)):
                found[path] = [os.major(status.st_rdev), stat.S_ISBLK(status.st_mode)]
    memory = {path: refusal(read, path) for path in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda")}
    return [found, memory, refusal(read, "/proc/kcore"), refusal(read, "/proc/kmsg")]
"#;
    let seen = fixture.answer(code, json!(null)).await;
    // Character devices of memory (null, zero, full, random) and of terminals.
    for (path, device) in seen[0].as_object().unwrap() {
        assert!([json!([1, false]), json!([5, false]), json!([136, false])].contains(device), "{path}");
    }
    let nothing = "ENOENT";
    let expected =
        json!({ "/dev/mem": nothing, "/dev/kmsg": nothing, "/dev/sda": nothing, "/dev/vda": nothing });
    assert_eq!(seen[1], expected);
    // Hidden behind a device that is always empty, or another user's.
    for kernel in [&seen[2], &seen[3]] {
        assert!(
            [json!(""), json!("EACCES"), json!("EPERM"), json!("ENOENT")].contains(kernel),
            "{kernel}"
        );
    }
}

/// What the functions' own results say of what they hold.
pub async fn no_setting_of_the_platform_is_in_its_environment(fixture: &Fixture) {
    let code = "def handler(event): return dict(os.environ)";
    let environment = fixture.answer(code, json!(null)).await;
    let Value::Object(environment) = environment else { panic!("{environment}") };
    for key in environment.keys() {
        assert!(!key.starts_with("CLOUDFUNC") && !key.starts_with("CARGO"), "{environment:?}");
    }
    assert_eq!(environment["HOME"], "/tmp");
}
