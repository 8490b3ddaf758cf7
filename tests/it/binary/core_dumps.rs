//! Core dumps: there are secrets in the memory of the platform's processes, and none of them writes one.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use crate::{
    desk, home,
    support::{
        desk::SOON,
        eventually,
        process::{self, Process},
    },
};

/// The soft and the hard limit of a process for the size of a core dump.
fn limits(process: &str) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

/// One byte, or none where that was so before and only root could change it.
fn least() -> [&'static str; 2] {
    let is_none = limits("self")[1] == "0" && !rustix::process::geteuid().is_root();
    if is_none { ["0", "0"] } else { ["1", "1"] }
}

fn cores(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with("core")).collect()
}

/// Started where cores of any size are allowed, in a folder of its own.
#[tokio::test]
async fn a_platform_that_aborts_leaves_no_core_dump() {
    let home = home!("embedded");
    let folder = home.home().join("here");
    fs::create_dir(&folder).unwrap();
    let mut up = home.cloudfunc(&["up", "--embedded"]);
    for role in ["gateway", "registry", "scheduler", "manager"] {
        up.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let mut shell = Command::new("sh");
    let script = "ulimit -S -c \"$(ulimit -H -c)\"; ulimit -S -c; exec \"$0\" \"$@\"";
    shell.args(["-c", script]).arg(up.get_program()).args(up.get_args());
    shell.env_clear().current_dir(&folder);
    shell.envs(up.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut up = Process::start(shell, home.home(), "up");
    up.says("cloudfunc is ready", SOON).await;
    let allowed = up.stdout().lines().next().unwrap().to_owned();
    assert_eq!(allowed == "0", limits("self")[1] == "0", "the control: {allowed}");
    assert_eq!(limits(&up.id().to_string()), least());
    up.signal(Signal::ABORT);
    assert_eq!(up.ended(SOON).await, None);
    let status = up.status().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    assert_eq!(cores(&folder), Vec::<String>::new());
    assert_eq!(cores(&home.data_dir()), Vec::<String>::new());

    // The next life removes what this one had prewarmed.
    let mut up = home.begin("next", &["--embedded"]);
    up.says("cloudfunc is ready", SOON).await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_of_each_role_may_write_none() {
    let desk = desk!();
    let mut up = desk.up().await;
    assert_eq!(limits(&up.id().to_string()), least());
    for role in ["gateway", "registry", "scheduler", "manager"] {
        let process = process::role_of(up.id(), role).expect(role);
        assert_eq!(limits(&process.to_string()), least(), "{role}");
    }
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}

/// No account has it.
const USER: u32 = 54_321;

/// A command that waits for its standard input, with a hard limit that was 0 before where `is_none`, as a user who is not root.
fn waiting(program: &Path, is_none: bool) -> Child {
    let script = if is_none { "ulimit -c 0; exec \"$0\" \"$@\"" } else { "exec \"$0\" \"$@\"" };
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program);
    command.args(["--url", "http://127.0.0.1:9", "secret", "set", "API_KEY"]);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(USER).gid(USER);
    }
    command.spawn().unwrap()
}

/// The files in `/proc` of a process that cannot be dumped are root's.
#[tokio::test]
async fn a_command_whose_limit_was_0_cannot_be_dumped_at_all() {
    // The binary may be in a folder of root's own.
    let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("cloudfunc");
    fs::copy(env!("CARGO_BIN_EXE_cloudfunc"), &program).unwrap();
    let has_none = limits("self")[1] == "0";
    for is_none in [false, true] {
        let mut child = waiting(&program, is_none);
        let process = child.id().to_string();
        let expected = if is_none || has_none { ["0", "0"] } else { ["1", "1"] };
        eventually("it has set its limit", async || {
            let is_ours = fs::read(format!("/proc/{process}/cmdline")).unwrap().starts_with(b"/tmp/");
            (is_ours && limits(&process) == expected).then_some(())
        })
        .await;
        let roots = expected == ["0", "0"];
        eventually("it has set whether it can be dumped", async || {
            let owner = fs::metadata(format!("/proc/{process}/environ")).unwrap().uid();
            ((owner == 0) == roots).then_some(())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
