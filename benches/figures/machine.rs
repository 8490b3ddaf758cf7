//! The machine that the figures are of, and what processes take of it, as the kernel counts it.

use std::{fs, process::Command, time::Duration};

use serde_json::{Value, json};

/// Running and waiting processes, averaged over a minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// Returns when nothing else uses the processors: what ended just now may still be cleaned up. A machine that
/// others use is not waited for without end.
pub async fn wait_until_idle() {
    const LOOK: Duration = Duration::from_millis(500);
    const LOOKS: usize = 40;
    const IDLE: f64 = 0.95;
    for _ in 0..LOOKS {
        let (idle_before, before) = processor_ticks();
        tokio::time::sleep(LOOK).await;
        let (idle, all) = processor_ticks();
        if idle - idle_before >= IDLE * (all - before) {
            return;
        }
    }
}

/// Since the machine started: of idling, and all.
fn processor_ticks() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    (ticks.get(3).copied().unwrap_or_default(), ticks.iter().sum())
}

/// User-space clock ticks, in which `stat` counts: 100 a second on every architecture that this runs on.
const TICK: Duration = Duration::from_millis(10);

/// Cores, kernel, versions.
pub fn description() -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": cpu(),
        "kernel": said(Command::new("uname").arg("-sr")),
        "docker": said(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"])),
        "python": crate::docker::python_version(),
    })
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned())
}

pub fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|| "unknown".to_owned())
}

/// Resident memory of a process and all that it started, in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    tree(pid).into_iter().map(resident_of).sum()
}

fn resident_of(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Processor time that a process and all that it started have used so far.
pub fn cpu_time(pid: u32) -> Duration {
    tree(pid).into_iter().map(cpu_time_of).sum()
}

/// Of all its threads and children, also those that have ended: `utime`, `stime`, `cutime` and `cstime`, the 14th
/// value of `stat` and those after it. The second, a name in brackets, may have spaces.
fn cpu_time_of(pid: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(4).filter_map(|value| value.parse::<u32>().ok());
    TICK * ticks.sum::<u32>()
}

fn tree(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = texts
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect();
    std::iter::once(pid).chain(children.into_iter().flat_map(tree)).collect()
}
