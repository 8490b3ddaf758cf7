//! To more than its share: processes, memory, disk, files.

use std::process::Command;

use cloudfunc::runtime::{Exit, GuestError};
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use super::{Fixture, Instance, MIB};

/// Another function's instance, which must not notice anything.
async fn neighbour(fixture: &Fixture) -> Instance {
    fixture.start("def handler(event): return 'unharmed'").await
}

async fn assert_unharmed(mut neighbour: Instance) {
    assert_eq!(neighbour.invoke(json!(null)).await, "unharmed");
    assert!(Command::new("true").status().unwrap().success(), "this host starts processes");
    neighbour.sandbox.remove().await;
}

pub async fn forking_without_end_ends_at_256(fixture: &Fixture) {
    let code = r#"
def handler(event):
    children = 0
    try:
        while children < 5000:
            if os.fork() == 0:
                signal.pause()
            children += 1
    except OSError as error:
        return [errno.errorcode[error.errno], children]
"#;
    let other = neighbour(fixture).await;
    let mut spec = fixture.spec(code);
    // The processes share theirs, but not all of it.
    spec.memory_bytes = 1024 * MIB;
    let mut instance = fixture.start_spec(&spec).await;
    let answer = instance.invoke(json!(null)).await;
    let children = answer[1].as_u64().unwrap();
    assert_eq!(answer[0], "EAGAIN");
    assert!((200..256).contains(&children), "{children}");
    // While they are all there.
    assert_unharmed(other).await;
    instance.sandbox.remove().await;
}

pub async fn a_fork_bomb_harms_nobody_else(fixture: &Fixture) {
    let code = r#"
def bomb():
    while True:
        try:
            os.fork()
        except OSError:
            pass
def handler(event):
    if os.fork() == 0:
        bomb()
    return "thrown"
"#;
    let other = neighbour(fixture).await;
    let mut instance = fixture.start(code).await;
    // It may not come to its answer any more.
    let _ = instance.try_invoke(json!(null)).await;
    assert_unharmed(other).await;
    instance.sandbox.remove().await;
}

pub async fn taking_a_gibibyte_is_the_end(fixture: &Fixture) {
    let code = r#"
def handler(event):
    kept = [b"x" * (1 << 20) for _ in range(1024)]
    return len(kept)
"#;
    let other = neighbour(fixture).await;
    let mut instance = fixture.start(code).await;
    let error = instance.try_invoke(json!(null)).await.unwrap_err();
    assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
    assert_eq!(instance.exit().await, Exit::OutOfMemory);
    assert_unharmed(other).await;
    instance.sandbox.remove().await;
}

pub async fn filling_tmp_ends_within_its_size(fixture: &Fixture) {
    let code = r#"
def fill(folder):
    written = 0
    try:
        with open(folder + "/full", "wb", buffering=0) as file:
            while written < 1 << 30:
                written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return [errno.errorcode[error.errno], written]
    finally:
        os.remove(folder + "/full")
def handler(event):
    kinds = {line.split()[1]: line.split()[2] for line in read("/proc/self/mounts").splitlines()}
    return {folder: fill(folder) + [kinds[folder]] for folder in ("/tmp", "/dev/shm") if folder in kinds}
"#;
    let mut spec = fixture.spec(code);
    spec.memory_bytes = 256 * MIB;
    let mut instance = fixture.start_spec(&spec).await;
    let answers = instance.invoke(json!(null)).await;
    // A file system in memory: the host's disks do not notice.
    assert_eq!(answers["/tmp"], json!(["ENOSPC", 64 * MIB, "tmpfs"]));
    if !answers["/dev/shm"].is_null() {
        assert_eq!(answers["/dev/shm"], json!(["ENOSPC", 16 * MIB, "tmpfs"]));
    }
    instance.sandbox.remove().await;
}

pub async fn so_many_files_that_tmp_is_full_are_refused(fixture: &Fixture) {
    let code = r#"
def handler(event):
    try:
        for number in range(1_000_000):
            os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
    except OSError as error:
        return errno.errorcode[error.errno]
"#;
    let other = neighbour(fixture).await;
    let mut instance = fixture.start(code).await;
    // Each counts as memory of the sandbox: that may be at its end first.
    match instance.try_invoke(json!(null)).await {
        Ok(finished) => assert_eq!(super::value(finished), "ENOSPC"),
        Err(error) => {
            assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
            assert_eq!(instance.exit().await, Exit::OutOfMemory);
        }
    }
    assert_unharmed(other).await;
    instance.sandbox.remove().await;
}

pub async fn opening_files_without_end_ends_at_the_limit(fixture: &Fixture) {
    let code = r#"
import resource
def exhaust():
    opened = []
    try:
        while len(opened) < 10_000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return [errno.errorcode[error.errno], len(opened)]
    finally:
        for one in opened:
            os.close(one)
def limit(soft, hard):
    return libc.setrlimit(resource.RLIMIT_NOFILE, struct.pack("=QQ", soft, hard))
def handler(event):
    return [exhaust(), refusal(limit, 4096, 4096), exhaust(), refusal(limit, 65536, 65536)]
"#;
    let other = neighbour(fixture).await;
    let answer = fixture.answer(code, json!(null)).await;
    let opened = |index: usize| answer[index][1].as_u64().unwrap();
    assert_eq!([&answer[0][0], &answer[2][0]], ["EMFILE", "EMFILE"]);
    assert!((900..1024).contains(&opened(0)) && (3900..4096).contains(&opened(2)), "{answer}");
    assert_eq!([&answer[1], &answer[3]], [&json!(0), &json!("EPERM")]);
    assert_unharmed(other).await;
}

/// Of a limit of 1, Linux makes neither a file nor a pipe to a program of the host; of 0, no file.
pub async fn no_core_dump_is_written_or_piped_to_a_program(fixture: &Fixture) {
    let code = r#"
import resource
def raise_it():
    return libc.setrlimit(resource.RLIMIT_CORE, struct.pack("=QQ", 1 << 20, 1 << 20))
def handler(event):
    return [resource.getrlimit(resource.RLIMIT_CORE), refusal(raise_it)]
"#;
    let answer = fixture.answer(code, json!(null)).await;
    let least = getrlimit(Resource::Core).maximum.map_or(1, |most| most.min(1));
    assert_eq!(answer, json!([[least, least], "EPERM"]));
}
