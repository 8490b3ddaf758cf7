//! Each fault: what is done, for how long, and how it is healed.

use std::{fs, io::Write as _, path::PathBuf, process::Command, time::Duration};

use cloudfunc::model::Mode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{
    clients::{Clients, PASSING, WORK},
    plan::{Fault, Kind},
    project::Project,
    stacks::{PASSWORD, Rig, Servers},
};
use crate::support::{
    home::SOON,
    platform::{function, packed},
    postgres::Server,
};

/// Manifest of the functions that the witness hears of.
pub const WITNESSED: &str =
    "network = \"egress\"\nmemory = \"48MiB\"\ntimeout = \"120s\"\n[scaling]\nmax_instances = 6\n";

/// A deploy is tried for so long: no fault lasts longer.
const DEPLOYED: Duration = Duration::from_secs(90);

/// A fault that has begun.
pub struct Begun<'a> {
    fault: &'a Fault,
    /// The process that was killed or paused, where it is that of a role.
    process: Option<Pid>,
    /// When the process died.
    died: f64,
    ballast: Option<AbortOnDropHandle<()>>,
}

impl Begun<'_> {
    pub fn kind(&self) -> Kind {
        self.fault.kind
    }
}

/// When a fault was over, as the clients count time.
pub struct Over {
    /// Its cause was gone.
    pub healed: f64,
    /// The process that had died was started again.
    pub restarted: f64,
}

/// Does it. What takes no time is over already.
pub async fn begin<'a>(rig: &mut Rig, clients: &Clients, fault: &'a Fault) -> Begun<'a> {
    let mut begun = Begun { fault, process: None, died: 0.0, ballast: None };
    if let Some((role, signal)) = role_and_signal(fault.kind) {
        begun.process = running(rig, role).await;
        if let Some(process) = begun.process {
            let _ = kill_process(process, signal);
        }
        begun.died = clients.now();
        return begun;
    }
    match fault.kind {
        Kind::KillAll => rig.kill(0).await,
        Kind::KillSecondHost => rig.kill(1).await,
        Kind::StopAndStart => {
            if let Some(wrong) = rig.stop(0).await {
                clients.found(wrong);
            }
        }
        Kind::PauseAll | Kind::PauseAllPastLease => rig.up(0).signal(Signal::STOP),
        Kind::ClockForward | Kind::ClockBack => rig.meddle.step_clock(clock_step(fault)),
        Kind::SlowDisk => rig.meddle.slow_down(Duration::from_millis(100 + fault.pick % 700)),
        Kind::FullDisk => begun.ballast = Some(fill_disk(rig)),
        Kind::KillSandbox => kill_sandbox(rig, fault),
        Kind::Deploy => deploy(&rig.witness.code(), clients, WORK).await,
        Kind::DeleteFunction => deploy_and_delete(&rig.witness.code(), clients).await,
        Kind::RestartEngine | Kind::EngineAbsent => rig.engine.as_ref().unwrap().stop().await,
        Kind::CutSecondHost => rig.namespace.as_ref().unwrap().cut(true),
        Kind::LinkDown => rig.namespace.as_ref().unwrap().link(false),
        _ => match (&rig.project, &rig.servers) {
            (Some(project), _) => begin_on_project(project, fault).await,
            (None, servers) => begin_on_servers(servers.as_ref().unwrap(), fault).await,
        },
    }
    begun
}

/// Takes its cause away.
pub async fn heal(rig: &mut Rig, clients: &Clients, begun: Begun<'_>) -> Over {
    let Begun { fault, process, died, ballast } = begun;
    match role_and_signal(fault.kind) {
        Some((_, Signal::STOP)) => {
            let _ = process.map(|process| kill_process(process, Signal::CONT));
            return now(clients);
        }
        Some((role, _)) => {
            // The supervisor starts it again by itself.
            let is_back = |rig: &Rig| rig.role(role).is_some_and(|new| Pid::from_raw(new) != process);
            while !is_back(rig) && clients.now() < died + 5.0 {
                sleep(Duration::from_millis(10)).await;
            }
            return Over { healed: died, restarted: clients.now() };
        }
        None => {}
    }
    match fault.kind {
        Kind::KillAll | Kind::StopAndStart => {
            let over = now(clients);
            rig.launch(0);
            return over;
        }
        Kind::KillSecondHost => rig.launch(1),
        Kind::PauseAll | Kind::PauseAllPastLease => rig.up(0).signal(Signal::CONT),
        Kind::ClockForward | Kind::ClockBack => rig.meddle.step_clock(0),
        Kind::SlowDisk => rig.meddle.slow_down(Duration::ZERO),
        Kind::FullDisk => {
            drop(ballast);
            fs::remove_file(ballast_of(rig)).unwrap();
        }
        Kind::RestartEngine | Kind::EngineAbsent => {
            let (engine, namespace) = (rig.engine.as_ref().unwrap(), rig.namespace.as_ref().unwrap());
            engine.start_again(&namespace.name).await;
        }
        Kind::CutSecondHost => rig.namespace.as_ref().unwrap().cut(false),
        Kind::LinkDown => rig.namespace.as_ref().unwrap().link(true),
        _ => match (&rig.project, &rig.servers) {
            (Some(project), _) => heal_on_project(project, fault).await,
            (None, Some(servers)) => heal_on_servers(servers, fault).await,
            (None, None) => {}
        },
    }
    now(clients)
}

fn now(clients: &Clients) -> Over {
    let now = clients.now();
    Over { healed: now, restarted: now }
}

fn role_and_signal(kind: Kind) -> Option<(&'static str, Signal)> {
    Some(match kind {
        Kind::KillGateway => ("gateway", Signal::KILL),
        Kind::KillRegistry => ("registry", Signal::KILL),
        Kind::KillScheduler => ("scheduler", Signal::KILL),
        Kind::KillManager => ("manager", Signal::KILL),
        Kind::PauseGateway => ("gateway", Signal::STOP),
        Kind::PauseRegistry => ("registry", Signal::STOP),
        Kind::PauseScheduler => ("scheduler", Signal::STOP),
        Kind::PauseManager | Kind::PauseManagerPastLease => ("manager", Signal::STOP),
        _ => return None,
    })
}

async fn begin_on_project(project: &Project, fault: &Fault) {
    match fault.kind {
        Kind::KillBroker => project.kill_broker().await,
        Kind::KillDatabase => project.kill_database().await,
        Kind::RestartServices => project.restart().await,
        kind => panic!("{kind} is not a fault of compose"),
    }
}

async fn heal_on_project(project: &Project, fault: &Fault) {
    match fault.kind {
        Kind::KillBroker => project.start_broker().await,
        Kind::KillDatabase => project.start_database().await,
        _ => {}
    }
}

async fn begin_on_servers(servers: &Servers, fault: &Fault) {
    let Servers { database, broker, to_database, to_broker, .. } = servers;
    match fault.kind {
        Kind::KillBroker => broker.kill().await,
        Kind::PurgeBroker => {
            let all = "[catch rabbit_amqqueue:purge(Q) || Q <- rabbit_amqqueue:list()], ok.";
            broker.control(&format!("eval '{all}'")).await;
        }
        Kind::BrokerAlarm => {
            broker.control("set_vm_memory_high_watermark 0.000001").await;
        }
        Kind::BrokerClosesConnections => {
            broker.control("close_all_connections chaos").await;
        }
        Kind::ResetBrokerConnections => to_broker.cut(),
        Kind::ResetDatabaseConnections => to_database.cut(),
        // Those of now are as if their network were gone, and for as long as it lasts there are no new ones.
        Kind::SilentBroker | Kind::SilentDatabase => {
            let proxy = if fault.kind == Kind::SilentBroker { to_broker } else { to_database };
            proxy.refuse(true);
            proxy.forget();
        }
        Kind::KillDatabase => database.kill().await,
        Kind::ReadOnlyDatabase => make_read_only(database, "on"),
        Kind::RotatedPassword => {
            database.say("ALTER ROLE chaos PASSWORD 'second'");
            let theirs = "FROM pg_stat_activity WHERE usename = 'chaos'";
            database.say(&format!("SELECT count(pg_terminate_backend(pid)) {theirs}"));
        }
        kind => panic!("{kind} is not a fault of servers"),
    }
}

async fn heal_on_servers(servers: &Servers, fault: &Fault) {
    let Servers { database, broker, to_database, to_broker, .. } = servers;
    match fault.kind {
        Kind::KillBroker => broker.start_again().await,
        Kind::BrokerAlarm => {
            broker.control("set_vm_memory_high_watermark 0.6").await;
        }
        Kind::SilentBroker | Kind::SilentDatabase => {
            let proxy = if fault.kind == Kind::SilentBroker { to_broker } else { to_database };
            proxy.refuse(false);
            proxy.cut();
        }
        Kind::KillDatabase => database.start_again().await,
        Kind::ReadOnlyDatabase => make_read_only(database, "off"),
        Kind::RotatedPassword => database.say(&format!("ALTER ROLE chaos PASSWORD '{PASSWORD}'")),
        _ => {}
    }
}

fn make_read_only(database: &Server, value: &str) {
    database.say(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
    database.say("SELECT pg_reload_conf()");
}

/// None when it has died of something else and does not come back: it has had its fault.
async fn running(rig: &Rig, role: &str) -> Option<Pid> {
    for _ in 0..100 {
        if let Some(pid) = rig.role(role) {
            return Pid::from_raw(pid);
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Some seconds, an hour, or ten days.
fn clock_step(fault: &Fault) -> i64 {
    let seconds = [7, 40, 3600, 864_000][usize::try_from(fault.pick % 4).unwrap()];
    if fault.kind == Kind::ClockBack { -seconds } else { seconds }
}

fn ballast_of(rig: &Rig) -> PathBuf {
    rig.data_dir(0).join("ballast")
}

/// Blocks that others free are taken, too, until the task is dropped.
fn fill_disk(rig: &Rig) -> AbortOnDropHandle<()> {
    let mut file = fs::File::create(ballast_of(rig)).unwrap();
    let block = vec![0; 1 << 16];
    while file.write_all(&block).is_ok() {}
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            while file.write_all(&[0; 4096]).is_ok() {}
            sleep(Duration::from_millis(50)).await;
        }
    }))
}

/// Whatever runs in it.
fn kill_sandbox(rig: &Rig, fault: &Fault) {
    let pick = usize::try_from(fault.pick % 1009).unwrap();
    if let Some(engine) = &rig.engine {
        let containers = rig.home.containers_on(Some(&engine.address()));
        if let Some(container) = containers.get(pick % containers.len().max(1)) {
            let mut docker = Command::new("docker");
            docker.args(["--host", &engine.address(), "rm", "--force", container]);
            let _ = docker.output().unwrap();
        }
        return;
    }
    let guests = rig.guests();
    if let Some(guest) = guests.get(pick % guests.len().max(1)) {
        let _ = kill_process(Pid::from_raw(*guest).unwrap(), Signal::KILL);
    }
}

/// Repeats the deploy until it succeeds, as people do.
pub async fn deploy(code: &str, clients: &Clients, name: &str) {
    let code = format!("{code}# {:.6}\n", clients.now());
    let files = packed(&[("function.py", &code), ("cloudfunc.toml", WITNESSED)]);
    let function = function(name);
    let until = clients.now() + DEPLOYED.as_secs_f64();
    while clients.now() < until {
        let deploying = clients.client.deploy(&function, files.clone(), |_| {});
        match tokio::time::timeout(SOON, deploying).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => eprintln!("{:.3} deploy of {name}: {error:?}", clients.now()),
            Err(_) => clients.found(format!("a deploy of {name} was not answered for {SOON:?}")),
        }
        sleep(Duration::from_millis(300)).await;
    }
    clients.found(format!("a deploy of {name} did not succeed within {DEPLOYED:?}"));
}

/// While some of its invocations run and others wait.
async fn deploy_and_delete(code: &str, clients: &Clients) {
    deploy(code, clients, PASSING).await;
    let calls = (0..12).map(|n| clients.invoke(PASSING, Mode::Async, f64::from(n % 3) * 0.4));
    futures_util::future::join_all(calls).await;
    for _ in 0..20 {
        if clients.client.delete(&function(PASSING)).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(300)).await;
    }
    clients.found("a function could not be deleted in 20 tries".to_owned());
}

/// Whether its processes are there; one that has given up is started again, as an operator would.
pub fn keep_alive(rig: &mut Rig, clients: &Clients) {
    for host in 0..if rig.has_second_host() { 2 } else { 1 } {
        let up = rig.up(host);
        if let Some(status) = up.status() {
            let said = up.stderr();
            let last: Vec<_> = said.lines().rev().take(8).collect();
            clients.found(format!("host {host} ended by itself: {status}: {last:?}"));
            rig.launch(host);
        }
    }
}
