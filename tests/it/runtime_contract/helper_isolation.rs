//! The helper in front of a program that attacks it.

use super::*;

/// Prints what comes of each attempt.
const ATTACK: &str = r#"
import errno, json, os, socket

def refusal(action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]

def changed(path):
    open(path, "r+b").close()
    return "changed"

def replaced():
    open("/tmp/other", "w").close()
    os.replace("/tmp/other", "/run/cloudfunc/helper")
    return "replaced"

def connected(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
    return "connected"

def read(path):
    with open(path, "rb") as file:
        return file.read(1).decode(errors="replace")

def descriptors():
    return sorted({refusal(os.readlink, f"/proc/1/fd/{number}") for number in os.listdir("/proc/1/fd")})

print(json.dumps({
    "run": os.listdir("/run/cloudfunc"),
    "mode": oct(os.stat("/run/cloudfunc/helper").st_mode & 0o777),
    "changed": [refusal(changed, path) for path in ("/run/cloudfunc/helper", "/proc/1/exe")],
    "replaced": [refusal(replaced), refusal(os.unlink, "/run/cloudfunc/helper")],
    "opened": [refusal(os.chmod, path, 0o777) for path in ("/run/cloudfunc/helper", "/run/cloudfunc")],
    "socket": [refusal(connected, f"/run/cloudfunc/{name}") for name in ("runtime.sock", "stdout", "host")],
    "environ": refusal(read, "/proc/1/environ"),
    "memory": [refusal(read, "/proc/1/mem"), refusal(read, "/proc/1/maps")],
    "descriptors": refusal(descriptors),
}))
"#;

pub async fn nothing_of_the_helper_can_be_changed_or_read(fixture: &Fixture) {
    let mut instance = fixture.start_helped(&fixture.helper_spec()).await;
    instance.load_program(Interface::Command, 1, &["python3", "-c", ATTACK]).await.unwrap();
    let told = text(instance.invoke_as("text/plain", b"").await.unwrap());
    instance.sandbox.remove().await;
    let seen: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(seen["run"], serde_json::json!(["helper"]), "{seen}");
    assert_eq!(seen["mode"], "0o555", "{seen}");
    let all = |what: &str, refusals: &[&str]| {
        let answers = seen[what].as_array().unwrap();
        assert!(
            answers.iter().all(|answer| refusals.iter().any(|refusal| answer == refusal)),
            "{what}: {seen}"
        );
    };
    all("changed", &["EROFS", "EACCES", "ETXTBSY"]);
    all("replaced", &["EROFS", "EACCES", "EXDEV"]);
    all("opened", &["EROFS", "EPERM"]);
    // They have no names since it has said hello.
    all("socket", &["ENOENT"]);
    assert_eq!(seen["environ"], "EACCES", "{seen}");
    all("memory", &["EACCES", "EPERM"]);
    // Where the function's user is the helper's owner it sees the numbers, and not what they are.
    let hidden = [serde_json::json!("EACCES"), serde_json::json!(["EACCES"])];
    assert!(hidden.contains(&seen["descriptors"]), "{seen}");
}
