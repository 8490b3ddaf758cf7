//! The platform that is disturbed, with everything it stands on: servers, an engine and a second host of its own, so that
//! each of them may be killed.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use cloudfunc::{client::Client, store};
use rustix::process::Signal;

use super::{network::Namespace, plan::Stack, project::Project, witness::Witness};
use crate::support::{
    broker::Broker,
    engine::Engine,
    home::{Home, SOON},
    postgres::Server,
    process::{self, Process},
    proxy::Proxy,
};

pub const ROLES: [&str; 4] = ["gateway", "registry", "scheduler", "manager"];
/// Of the embedded data folder, so that it can be full.
const DISK: &str = "192m";
/// Of the database's user.
pub const PASSWORD: &str = "first";

/// A PostgreSQL and a RabbitMQ, behind proxies whose connections can be cut.
pub struct Servers {
    pub database: Server,
    pub broker: Broker,
    pub to_database: Proxy,
    pub to_broker: Proxy,
    /// What the second host has instead.
    second: Option<[Proxy; 2]>,
}

impl Servers {
    async fn start(second: Option<&Namespace>) -> Self {
        let (database, broker) = tokio::join!(Server::start(PASSWORD), Broker::start());
        let targets = [format!("127.0.0.1:{}", database.port()), address_of(&broker.url())];
        let [to_database, to_broker] = proxies(Ipv4Addr::LOCALHOST, &targets).await;
        let second = match second {
            Some(namespace) => Some(proxies(namespace.here, &targets).await),
            None => None,
        };
        Self { database, broker, to_database, to_broker, second }
    }

    /// Store and queue, as a host is told them.
    fn backends(&self, host: Ipv4Addr, [database, broker]: [&Proxy; 2]) -> [(&'static str, String); 2] {
        let database = format!("postgres://chaos:{PASSWORD}@{host}:{}/cloudfunc", database.port());
        let broker = format!("amqp://guest:guest@{host}:{}/%2f", broker.port());
        [("CLOUDFUNC_STORE", database), ("CLOUDFUNC_QUEUE", broker)]
    }
}

fn address_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    format!("127.0.0.1:{}", url.port().unwrap())
}

async fn proxies(address: Ipv4Addr, targets: &[String; 2]) -> [Proxy; 2] {
    let address = address.to_string();
    let [database, broker] = targets.clone().map(|target| Proxy::start_at(&address, target));
    tokio::join!(database, broker).into()
}

/// A clock and a disk that are changed while the platform runs.
pub struct Meddle {
    folder: tempfile::TempDir,
}

impl Meddle {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cfmeddle").tempdir_in("/var/tmp").unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/chaos/meddle.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        compiler.arg(folder.path().join("meddle.so")).arg(source).arg("-ldl");
        let made = compiler.output().expect("a C compiler is there, as `cc`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(folder.path().join("control"), [0; 16]).unwrap();
        Self { folder }
    }

    fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.folder.path().join("meddle.so"));
        command.env("CHAOS_CONTROL", self.folder.path().join("control"));
    }

    fn set(&self, place: u64, value: i64) {
        let control = fs::OpenOptions::new().write(true).open(self.folder.path().join("control"));
        control.unwrap().write_all_at(&value.to_ne_bytes(), place).unwrap();
    }

    /// The wall clock is so far ahead, or behind, from now on.
    pub fn step_clock(&self, seconds: i64) {
        self.set(0, seconds * 1_000_000_000);
    }

    /// Each sync takes so much longer.
    pub fn slow_down(&self, by: Duration) {
        self.set(8, i64::try_from(by.as_micros()).unwrap());
    }
}

/// A disk in memory for the data folder.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        let options = format!("size={DISK},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "cloudfunc-chaos"]).arg(&at);
        assert!(mount.status().unwrap().success());
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: after a failure something may still be open on it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// One host's processes.
struct Host {
    data_dir: PathBuf,
    ports: [u16; 4],
    is_second: bool,
    up: Option<Process>,
    lives: usize,
}

impl Host {
    fn new(data_dir: PathBuf, is_second: bool) -> Self {
        Self { data_dir, ports: [0; 4].map(|_| free_port()), is_second, up: None, lives: 0 }
    }
}

/// Below those that are given to whoever asks for any: it has to be free again after each death.
pub fn free_port() -> u16 {
    let mut random = [0; 2];
    loop {
        getrandom::fill(&mut random).unwrap();
        let port = 20_000 + u16::from_ne_bytes(random) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

pub struct Rig {
    pub stack: Stack,
    pub start: Instant,
    pub witness: Witness,
    pub servers: Option<Servers>,
    pub project: Option<Project>,
    pub engine: Option<Engine>,
    pub meddle: Meddle,
    pub namespace: Option<Namespace>,
    hosts: Vec<Host>,
    // Dropped in this order: the disk is mounted in the home.
    _disk: Option<SmallDisk>,
    pub home: Home,
}

impl Rig {
    /// Starts everything. `program` is the one under test.
    pub async fn start(stack: Stack, program: Option<PathBuf>) -> Self {
        let start = Instant::now();
        let mut home = Home::new(match stack {
            Stack::Compose => "compose",
            _ if stack.is_embedded() => "embedded",
            _ => "external",
        });
        home.program = program.unwrap_or_else(|| home.program.clone());
        let witness = Witness::plant(start);
        let needs_namespace = stack.has_docker() || stack == Stack::TwoHosts;
        let namespace = needs_namespace.then(|| Namespace::plant(&witness.peer));
        let engine = match &namespace {
            Some(namespace) if stack.has_docker() => {
                let image = std::env::var("CLOUDFUNC_PYTHON_IMAGE");
                let image = image.unwrap_or_else(|_| "python:3.11-slim".to_owned());
                Some(Engine::start_in(&namespace.name, &image).await)
            }
            _ => None,
        };
        home.engines.extend(engine.iter().map(Engine::address));
        let servers = match stack.has_servers() {
            true => Some(Servers::start(namespace.as_ref().filter(|_| stack == Stack::TwoHosts)).await),
            false => None,
        };
        let project = (stack == Stack::Compose).then(|| Project::of(&home.name));
        let disk = stack.is_embedded().then(|| SmallDisk::mount(home.data_dir()));
        let mut hosts = vec![Host::new(home.data_dir(), false)];
        if stack == Stack::TwoHosts {
            hosts.push(Host::new(home.home().join("second"), true));
        }
        let meddle = Meddle::new();
        let mut rig = Self {
            stack,
            start,
            witness,
            servers,
            project,
            engine,
            meddle,
            namespace,
            hosts,
            _disk: disk,
            home,
        };
        for host in 0..rig.hosts.len() {
            rig.launch(host);
            // A database and a broker of compose begin from nothing.
            rig.up(host).says("cloudfunc is ready", SOON * 3).await;
        }
        rig
    }

    /// Of the first host's gateway, over all of its lives.
    pub fn client(&self) -> Client {
        let url = format!("http://127.0.0.1:{}", self.hosts[0].ports[0]);
        self.home.client_at(&url, &self.hosts[0].data_dir)
    }

    /// Of the second host's gateway, which is reached in its namespace only.
    pub fn second_client(&self) -> Option<(&Namespace, Client)> {
        let host = self.hosts.get(1)?;
        let url = format!("http://127.0.0.1:{}", host.ports[0]);
        Some((self.namespace.as_ref()?, self.home.client_at(&url, &host.data_dir)))
    }

    pub fn has_second_host(&self) -> bool {
        self.hosts.len() > 1
    }

    pub fn up(&mut self, host: usize) -> &mut Process {
        self.hosts[host].up.as_mut().expect("it was launched")
    }

    pub fn data_dir(&self, host: usize) -> &Path {
        &self.hosts[host].data_dir
    }

    /// Starts a host's platform, and does not wait for it.
    pub fn launch(&mut self, host: usize) {
        let command = self.command(&self.hosts[host]);
        let host_of = &mut self.hosts[host];
        host_of.lives += 1;
        let name = format!("up{}-{}", host, host_of.lives);
        host_of.up = Some(Process::start(command, self.home.home(), &name));
    }

    fn command(&self, host: &Host) -> Command {
        let mut command = self.home.cloudfunc(&["up", "--data-dir", host.data_dir.to_str().unwrap()]);
        command.args(["--runtime", if self.stack.has_docker() { "docker" } else { "oci" }]);
        // What is kept for a week is deleted when the clock goes on by ten days.
        command.args(["--memory-budget", "1GiB", "--stop-grace", "10s", "--retention", "9600h"]);
        for (role, port) in ROLES.iter().zip(host.ports) {
            command.args([format!("--{role}-port"), port.to_string()]);
        }
        command.envs(self.engine.as_ref().map(|engine| ("DOCKER_HOST", engine.address())));
        self.meddle.under(&mut command);
        if let Some(project) = &self.project {
            project.configure(&mut command);
            return command;
        }
        let Some(servers) = &self.servers else {
            command.arg("--embedded");
            return command;
        };
        match (&servers.second, &self.namespace) {
            (Some([database, broker]), Some(namespace)) if host.is_second => {
                command.envs(servers.backends(namespace.here, [database, broker]));
                namespace.command(&command)
            }
            _ => {
                let proxies = [&servers.to_database, &servers.to_broker];
                command.envs(servers.backends(Ipv4Addr::LOCALHOST, proxies));
                command
            }
        }
    }

    /// The process of a role on the first host. None while there is none, or where roles have no processes of their own.
    pub fn role(&self, role: &str) -> Option<i32> {
        let up = self.hosts[0].up.as_ref().expect("it was launched");
        process::role_of(up.id(), role)
    }

    /// Every process of a host's platform ends at once.
    pub async fn kill(&mut self, host: usize) {
        let supervisor = self.up(host).id();
        let roles = ROLES.iter().filter_map(|role| process::role_of(supervisor, role));
        for pid in std::iter::once(supervisor).chain(roles.collect::<Vec<_>>()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        self.up(host).ended(SOON).await;
    }

    /// Asks a host's platform to stop. Returns what is wrong with how it did, if anything is.
    pub async fn stop(&mut self, host: usize) -> Option<String> {
        let up = self.up(host);
        if let Some(status) = up.status() {
            return Some(format!(
                "host {host} had ended by itself: {status}: {}",
                last_lines(&up.stderr())
            ));
        }
        up.signal(Signal::TERM);
        let deadline = Instant::now() + SOON;
        while up.status().is_none() {
            if Instant::now() > deadline {
                return Some(format!("host {host} did not stop: {}", last_lines(&up.stderr())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let status = up.status().unwrap();
        (status.code() != Some(0))
            .then(|| format!("host {host} stopped with {status}: {}", last_lines(&up.stderr())))
    }

    /// The guests of this platform that run without a daemon.
    pub fn guests(&self) -> Vec<i32> {
        let mut guests = Vec::new();
        let mut folders =
            vec![PathBuf::from(format!("/sys/fs/cgroup/pids/cloudfunc-{}", self.home.name))];
        folders.push(PathBuf::from(format!("/sys/fs/cgroup/cloudfunc-{}", self.home.name)));
        while let Some(folder) = folders.pop() {
            let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            guests.extend(processes.lines().filter_map(|pid| pid.parse::<i32>().ok()));
            let inside = fs::read_dir(folder).into_iter().flatten().flatten();
            folders.extend(inside.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
        guests.sort_unstable();
        guests
    }

    /// What is left when all hosts have stopped, and sums that are wrong.
    pub async fn left(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut left = self.leftovers();
        while !left.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(500)).await;
            left = self.leftovers();
        }
        let url = match (&self.servers, &self.project) {
            (Some(servers), _) => {
                format!("postgres://postgres@127.0.0.1:{}/cloudfunc", servers.database.port())
            }
            (None, Some(project)) => project.store(),
            (None, None) => format!("sqlite:{}", self.data_dir(0).join("store.db").display()),
        };
        let store = store::connect(&url.parse().unwrap()).await.unwrap();
        let totals = store.totals().await.unwrap();
        if !totals.balance() || totals.terminal != totals.accepted {
            left.push(format!("sums: {totals:?}"));
        }
        left.extend(store.leases().await.unwrap().iter().map(|lease| format!("lease: {lease:?}")));
        store.close().await;
        left
    }

    /// Messages that nobody takes, although all has ended, by queue.
    pub async fn messages_left(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let queues = match (&self.servers, &self.project) {
                (Some(servers), _) => servers.broker.queues().await,
                (None, Some(project)) => project.queues().await,
                // A queue in memory ends with its process.
                (None, None) => return Vec::new(),
            };
            let full: Vec<_> = queues.into_iter().filter(|(_, messages)| *messages > 0).collect();
            if full.is_empty() || Instant::now() > deadline {
                return full
                    .iter()
                    .map(|(queue, messages)| format!("{messages} messages in {queue}"))
                    .collect();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn leftovers(&self) -> Vec<String> {
        let disk = self.data_dir(0).display().to_string();
        let mut left = self.home.leftovers();
        // The data folder itself is one.
        left.retain(|line| !(line.starts_with("mount: ") && line.contains(&format!(" {disk} "))));
        left.extend(self.guests().iter().map(|pid| format!("guest: {pid}")));
        left
    }

    /// What the processes said, of all lives.
    pub fn copy_logs(&self, to: &Path) {
        fs::create_dir_all(to).unwrap();
        let said = fs::read_dir(self.home.home()).unwrap().flatten().map(|entry| entry.path());
        for path in said.filter(|path| path.extension().is_some_and(|kind| kind == "err")) {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
        for (number, host) in self.hosts.iter().enumerate() {
            for log in fs::read_dir(host.data_dir.join("logs")).into_iter().flatten().flatten() {
                let name = format!("host{number}-{}", log.file_name().to_string_lossy());
                fs::copy(log.path(), to.join(name)).unwrap();
            }
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}

impl Drop for Rig {
    /// After a failure nothing may stay that others see.
    fn drop(&mut self) {
        self.hosts.clear();
        for guest in self.guests() {
            if let Some(pid) = rustix::process::Pid::from_raw(guest) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}
