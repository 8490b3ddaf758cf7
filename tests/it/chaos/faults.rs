//! Each fault: what is done, for how long, and how it is healed.

use std::{fs, io::Write as _, process::Command, time::Duration};

use cloudfunc::model::Mode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::{
    clients::{Clients, PASSING, WORK},
    plan::{Fault, Kind},
    project::Project,
    stacks::{PASSWORD, Rig, Servers},
};
use crate::support::{
    home::SOON,
    platform::{function, packed},
};

/// Manifest of the functions that the witness hears of.
pub const WITNESSED: &str =
    "network = \"egress\"\nmemory = \"48MiB\"\ntimeout = \"120s\"\n[scaling]\nmax_instances = 6\n";

/// A deploy is tried for so long: no fault lasts longer.
const DEPLOYED: Duration = Duration::from_secs(90);

/// Does it and heals it. Returns when it was healed, and when the process that had died was started again, as the clients
/// count time.
pub async fn commit(rig: &mut Rig, clients: &Clients, fault: &Fault) -> (f64, f64) {
    let role = match fault.kind {
        Kind::KillGateway => "gateway",
        Kind::KillRegistry => "registry",
        Kind::KillScheduler => "scheduler",
        Kind::KillManager => "manager",
        _ => {
            let healed = commit_and_heal(rig, clients, fault).await;
            return (healed, healed);
        }
    };
    let Some(old) = running(rig, role).await else { return (clients.now(), clients.now()) };
    let _ = kill_process(old, Signal::KILL);
    let died = clients.now();
    while rig.role(role).is_none_or(|new| Pid::from_raw(new) == Some(old)) && clients.now() < died + 5.0
    {
        sleep(Duration::from_millis(10)).await;
    }
    (died, clients.now())
}

async fn commit_and_heal(rig: &mut Rig, clients: &Clients, fault: &Fault) -> f64 {
    match fault.kind {
        Kind::KillAll => {
            rig.kill(0).await;
            sleep(fault.lasts).await;
            let healed = clients.now();
            rig.launch(0);
            return healed;
        }
        Kind::StopAndStart => {
            if let Some(wrong) = rig.stop(0).await {
                clients.found(wrong);
            }
            sleep(fault.lasts).await;
            let healed = clients.now();
            rig.launch(0);
            return healed;
        }
        Kind::KillSecondHost => {
            rig.kill(1).await;
            sleep(fault.lasts).await;
            rig.launch(1);
        }
        Kind::PauseAll | Kind::PauseAllPastLease => {
            rig.up(0).signal(Signal::STOP);
            sleep(fault.lasts).await;
            rig.up(0).signal(Signal::CONT);
        }
        Kind::PauseGateway => pause_role(rig, "gateway", fault).await,
        Kind::PauseRegistry => pause_role(rig, "registry", fault).await,
        Kind::PauseScheduler => pause_role(rig, "scheduler", fault).await,
        Kind::PauseManager | Kind::PauseManagerPastLease => pause_role(rig, "manager", fault).await,
        Kind::ClockForward | Kind::ClockBack => step_clock(rig, fault).await,
        Kind::SlowDisk => {
            rig.meddle.slow_down(Duration::from_millis(100 + fault.pick % 700));
            sleep(fault.lasts).await;
            rig.meddle.slow_down(Duration::ZERO);
        }
        Kind::FullDisk => fill_disk(rig, fault).await,
        Kind::KillSandbox => kill_sandbox(rig, fault),
        Kind::Deploy => deploy(&rig.witness.code(), clients, WORK).await,
        Kind::DeleteFunction => deploy_and_delete(&rig.witness.code(), clients).await,
        Kind::RestartEngine | Kind::EngineAbsent => {
            let (engine, namespace) = (rig.engine.as_ref().unwrap(), rig.namespace.as_ref().unwrap());
            engine.stop().await;
            sleep(fault.lasts).await;
            engine.start_again(&namespace.name).await;
        }
        Kind::CutSecondHost => {
            let namespace = rig.namespace.as_ref().unwrap();
            namespace.cut(true);
            sleep(fault.lasts).await;
            namespace.cut(false);
        }
        Kind::LinkDown => {
            let namespace = rig.namespace.as_ref().unwrap();
            namespace.link(false);
            sleep(fault.lasts).await;
            namespace.link(true);
        }
        _ => match (&rig.project, &rig.servers) {
            (Some(project), _) => commit_on_project(project, fault).await,
            (None, servers) => commit_on_servers(servers.as_ref().unwrap(), fault).await,
        },
    }
    clients.now()
}

async fn commit_on_project(project: &Project, fault: &Fault) {
    match fault.kind {
        Kind::KillBroker => project.kill_broker(fault.lasts).await,
        Kind::KillDatabase => project.kill_database(fault.lasts).await,
        Kind::RestartServices => project.restart().await,
        kind => panic!("{kind} is not a fault of compose"),
    }
}

async fn commit_on_servers(servers: &Servers, fault: &Fault) {
    let Servers { database, broker, to_database, to_broker, .. } = servers;
    match fault.kind {
        Kind::KillBroker => {
            broker.kill().await;
            sleep(fault.lasts).await;
            broker.start_again().await;
        }
        Kind::PurgeBroker => {
            let all = "[catch rabbit_amqqueue:purge(Q) || Q <- rabbit_amqqueue:list()], ok.";
            broker.control(&format!("eval '{all}'")).await;
        }
        Kind::BrokerAlarm => {
            broker.control("set_vm_memory_high_watermark 0.000001").await;
            sleep(fault.lasts).await;
            broker.control("set_vm_memory_high_watermark 0.6").await;
        }
        Kind::BrokerClosesConnections => broker.control("close_all_connections chaos").await,
        Kind::ResetBrokerConnections => to_broker.cut(),
        Kind::ResetDatabaseConnections => to_database.cut(),
        // Those of now are as if their network were gone, and for as long as it lasts there are no new ones.
        Kind::SilentBroker | Kind::SilentDatabase => {
            let proxy = if fault.kind == Kind::SilentBroker { to_broker } else { to_database };
            proxy.refuse(true);
            proxy.forget();
            sleep(fault.lasts).await;
            proxy.refuse(false);
            proxy.cut();
        }
        Kind::KillDatabase => {
            database.kill().await;
            sleep(fault.lasts).await;
            database.start_again().await;
        }
        Kind::ReadOnlyDatabase => {
            let set = |value| {
                database.say(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}"))
            };
            set("on");
            database.say("SELECT pg_reload_conf()");
            sleep(fault.lasts).await;
            set("off");
            database.say("SELECT pg_reload_conf()");
        }
        Kind::RotatedPassword => {
            database.say("ALTER ROLE chaos PASSWORD 'second'");
            let theirs = "FROM pg_stat_activity WHERE usename = 'chaos'";
            database.say(&format!("SELECT count(pg_terminate_backend(pid)) {theirs}"));
            sleep(fault.lasts).await;
            database.say(&format!("ALTER ROLE chaos PASSWORD '{PASSWORD}'"));
        }
        kind => panic!("{kind} is not a fault of servers"),
    }
}

async fn pause_role(rig: &Rig, role: &str, fault: &Fault) {
    let Some(pid) = running(rig, role).await else { return };
    let _ = kill_process(pid, Signal::STOP);
    sleep(fault.lasts).await;
    let _ = kill_process(pid, Signal::CONT);
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

/// By some seconds, or by an hour, or by ten days; and back to the truth.
async fn step_clock(rig: &Rig, fault: &Fault) {
    let seconds = [7, 40, 3600, 864_000][usize::try_from(fault.pick % 4).unwrap()];
    rig.meddle.step_clock(if fault.kind == Kind::ClockBack { -seconds } else { seconds });
    sleep(fault.lasts).await;
    rig.meddle.step_clock(0);
}

async fn fill_disk(rig: &Rig, fault: &Fault) {
    let ballast = rig.data_dir(0).join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    let block = vec![0; 1 << 16];
    while file.write_all(&block).is_ok() {}
    // To the last byte: blocks that others free meanwhile are taken, too.
    for _ in 0..fault.lasts.as_millis() / 50 {
        while file.write_all(&[0; 4096]).is_ok() {}
        sleep(Duration::from_millis(50)).await;
    }
    drop(file);
    fs::remove_file(ballast).unwrap();
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
