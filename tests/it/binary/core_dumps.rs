//! Core dumps: there are secrets in the memory of the platform's processes, and none of them writes one.

use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, process::Command};

use rustix::process::Signal;

use crate::{
    desk, home,
    support::{
        desk::SOON,
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
