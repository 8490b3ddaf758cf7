//! A user's home for the built binary, with a platform of his own, and everything that the two leave
//! behind is looked for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use cloudfunc::{
    client::Client,
    model::{InstanceId, InvocationId},
    place::Token,
};
use rustix::process::Signal;

use super::{
    eventually_within,
    process::{self, Process},
};

/// For anything that two busy cores do in seconds.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Home {
    folder: tempfile::TempDir,
    /// Of the platform.
    pub name: String,
    /// The program under test.
    pub program: PathBuf,
    /// As the data folder is called.
    stack: &'static str,
    /// Engines other than the default one that managers of this home used.
    pub engines: Vec<String>,
    left: bool,
}

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Its standard output, of a command that must succeed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Home {
    pub fn new(stack: &'static str) -> Self {
        // Short: the path of a socket in it has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let name = format!("t{}", InstanceId::new().0.simple());
        let program = env!("CARGO_BIN_EXE_cloudfunc").into();
        Self { folder, name, program, stack, engines: Vec::new(), left: false }
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home().join(format!("state/cloudfunc/{}-{}", self.stack, self.name))
    }

    /// The binary with this user's environment and nothing else, in the repository's folder.
    pub fn cloudfunc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
        for kept in [
            "PATH",
            "DOCKER_HOST",
            "CLOUDFUNC_PYTHON_IMAGE",
            "CLOUDFUNC_NODE_IMAGE",
            "CLOUDFUNC_NATIVE_IMAGE",
            "CLOUDFUNC_POSTGRES_IMAGE",
            "CLOUDFUNC_RABBITMQ_IMAGE",
        ] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        command
            .env("HOME", self.home())
            .env("XDG_STATE_HOME", self.home().join("state"))
            .env("XDG_CONFIG_HOME", self.home().join("config"))
            .env("CLOUDFUNC_PYTHON_VERSION", "3.11")
            .env("CLOUDFUNC_PLATFORM", &self.name);
        command
    }

    /// `cloudfunc up` on free ports, not awaited; `name` is that of the files with its output.
    pub fn begin(&self, name: &str, flags: &[&str]) -> Process {
        let mut command = self.cloudfunc(&["up"]);
        command.args(flags);
        for role in ["gateway", "registry", "scheduler", "manager"] {
            command.args([format!("--{role}-port"), "0".to_owned()]);
        }
        Process::start(command, self.home(), name)
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let command =
            tokio::process::Command::from(self.cloudfunc(arguments)).kill_on_drop(true).output();
        let output = tokio::time::timeout(SOON, command).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn write_function(&self, name: &str, code: &str, manifest: &str) -> PathBuf {
        let folder = self.home().join("functions").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("function.py"), code).unwrap();
        fs::write(folder.join("cloudfunc.toml"), manifest).unwrap();
        folder
    }

    /// Writes a function's folder and deploys it.
    pub async fn deploy(&self, name: &str, code: &str, manifest: &str) -> Ran {
        let folder = self.write_function(name, code, manifest);
        self.run(&["deploy", folder.to_str().unwrap()]).await
    }

    /// Of the platform that runs now.
    pub async fn client(&self) -> Client {
        let ready = self.run(&["status", "--json"]).await.json();
        let gateway = ready["roles"].as_array().unwrap().iter().find(|role| role["role"] == "gateway");
        self.client_at(gateway.unwrap()["url"].as_str().unwrap(), &self.data_dir())
    }

    pub fn client_at(&self, url: &str, data_dir: &Path) -> Client {
        let token = fs::read_to_string(data_dir.join("token")).unwrap();
        Client::new(url.parse().unwrap(), Some(Token::new(&token).unwrap())).unwrap()
    }

    /// What a role has said since it was first started.
    pub fn log(&self, role: &str) -> String {
        fs::read_to_string(self.data_dir().join(format!("logs/{role}.log"))).unwrap()
    }

    /// The containers of this platform, running or not, on all engines that it used.
    pub fn containers(&self) -> Vec<String> {
        let engines = self.engines.iter().map(String::as_str).map(Some).chain([None]);
        engines.flat_map(|engine| containers(&self.name, engine)).collect()
    }

    /// Those on one engine; None is the default one.
    pub fn containers_on(&self, engine: Option<&str>) -> Vec<String> {
        containers(&self.name, engine)
    }

    pub fn processes(&self) -> Vec<i32> {
        process::with_argument(&self.home().display().to_string())
    }

    /// What is there of this platform although all of its processes were told to end: one line each.
    pub fn leftovers(&self) -> Vec<String> {
        let line = |what: &str, found: String| format!("{what}: {found}");
        let processes = self.processes().into_iter().map(|pid| {
            line("process", format!("{pid} {:?}", process::arguments(pid).unwrap_or_default()))
        });
        let containers = self.containers().into_iter().map(|id| line("container", id));
        let folders = instance_folders(self.home()).into_iter().chain(control_groups(&self.name));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let home = self.home().display().to_string();
        let mounts: Vec<_> = mounts.lines().filter(|mount| mount.contains(&home)).collect();
        processes
            .chain(containers)
            .chain(folders.map(|folder| line("folder", folder.display().to_string())))
            .chain(mounts.into_iter().map(|mount| line("mount", mount.to_owned())))
            .collect()
    }

    /// Nothing may be left but what is kept on purpose: the data.
    pub async fn leave(mut self) {
        self.assert_left().await;
    }

    pub async fn assert_left(&mut self) {
        eventually_within(SOON, "all processes are gone", || {
            std::future::ready(self.processes().is_empty().then_some(()))
        })
        .await;
        assert_eq!(self.containers(), Vec::<String>::new(), "containers are left");
        assert_eq!(instance_folders(self.home()), Vec::<PathBuf>::new(), "instance folders are left");
        // Those of containers without a daemon; whatever ran in one has ended when it is gone.
        assert_eq!(control_groups(&self.name), Vec::<PathBuf>::new(), "control groups are left");
        self.left = true;
    }
}

impl Drop for Home {
    /// After a failed test: what it left must not disturb the others.
    fn drop(&mut self) {
        if self.left {
            return;
        }
        for pid in self.processes() {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                Signal::KILL,
            );
        }
        for id in containers(&self.name, None) {
            let _ = Command::new("docker").args(["rm", "--force", &id]).output();
        }
    }
}

fn containers(platform: &str, engine: Option<&str>) -> Vec<String> {
    let mut docker = Command::new("docker");
    docker.envs(engine.map(|engine| ("DOCKER_HOST", engine)));
    let filter = format!("label=cloudfunc.platform={platform}");
    let output = docker.args(["ps", "--all", "--quiet", "--filter", &filter]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What is in the folders `instances` below this one.
/// Of instances, and of containers without a daemon.
fn instance_folders(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).into_iter().flatten().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path());
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for folder in folders {
        let of_a_manager = below.parent().is_some_and(|parent| parent.ends_with("sandboxes"));
        match below.ends_with("instances") || of_a_manager {
            true => found.push(folder),
            false => others.push(folder),
        }
    }
    found.extend(others.iter().flat_map(|folder| instance_folders(folder)));
    found
}

/// Of a platform, in every hierarchy of version 1 or in that of version 2.
fn control_groups(platform: &str) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = hierarchies.chain([root.to_owned()]);
    all.map(|hierarchy| hierarchy.join(format!("cloudfunc-{platform}")))
        .filter(|group| group.exists())
        .collect()
}

/// The id that a command names at its end, as `invoke` does.
pub fn id_in(text: &str) -> InvocationId {
    let id = text.split_whitespace().rev().find_map(|word| word.parse().ok());
    id.unwrap_or_else(|| panic!("no id in: {text}"))
}

/// `let home = home!("embedded");`: returns from the test where there is no Docker.
#[macro_export]
macro_rules! home {
    ($stack:literal) => {{
        let _ = $crate::need!("CLOUDFUNC_TEST_DOCKER");
        $crate::support::home::Home::new($stack)
    }};
}
