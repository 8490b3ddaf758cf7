//! Processes of the built binary, and what /proc tells of them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::eventually_within;

/// A process that a test has started; killed when it is dropped. What it says is in files, so that
/// nobody has to read along.
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Its output goes to `<folder>/<name>.{out,err}`.
    pub fn start(mut command: Command, folder: &Path, name: &str) -> Self {
        let (stdout, stderr) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, stdout, stderr, ended: None }
    }

    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// None while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended
    }

    pub fn signal(&self, with: Signal) {
        signal(self.id(), with);
    }

    /// Its exit code; none when a signal ended it.
    pub async fn ended(&mut self, within: Duration) -> Option<i32> {
        let what = format!("{} ends", self.stderr.display());
        let status = eventually_within(within, &what, || std::future::ready(self.status())).await;
        status.code()
    }

    /// Waits until its output holds a text; fails at once when it ends without.
    pub async fn says(&mut self, text: &str, within: Duration) {
        let what = format!("it says '{text}'");
        eventually_within(within, &what, || {
            let said = self.stdout() + &self.stderr();
            let found = said.contains(text);
            assert!(found || self.status().is_none(), "it ended without saying '{text}':\n{said}");
            std::future::ready(found.then_some(()))
        })
        .await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}{}", self.stderr.display(), self.stdout(), self.stderr());
        }
    }
}

pub fn signal(pid: i32, with: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), with).unwrap();
}

/// The arguments of a process; none once it is gone or a zombie.
pub fn arguments(pid: i32) -> Option<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|line| !line.is_empty())?;
    Some(line.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect())
}

/// The id of the parent and the state (`Z` for a zombie).
fn parent_and_state(pid: i32) -> Option<(i32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, also a parenthesis.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The living processes whose arguments hold a text.
pub fn with_argument(text: &str) -> Vec<i32> {
    let holds = |pid: &i32| arguments(*pid).is_some_and(|all| all.iter().any(|one| one.contains(text)));
    all().filter(holds).collect()
}

/// The ended children of a process that it has not waited for.
pub fn zombies_of(pid: i32) -> Vec<i32> {
    all().filter(|one| parent_and_state(*one) == Some((pid, 'Z'))).collect()
}

pub fn children_of(pid: i32) -> Vec<i32> {
    all().filter(|one| parent_and_state(*one).is_some_and(|(parent, _)| parent == pid)).collect()
}

/// The child of a supervisor that runs a role.
pub fn role_of(supervisor: i32, role: &str) -> Option<i32> {
    let is_role =
        |pid: &i32| arguments(*pid).is_some_and(|all| all.get(1).is_some_and(|one| one == role));
    let is_child = |pid: &i32| parent_and_state(*pid).is_some_and(|(parent, _)| parent == supervisor);
    all().find(|pid| is_role(pid) && is_child(pid))
}
