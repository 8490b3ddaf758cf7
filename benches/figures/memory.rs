//! Memory of processes, as the kernel counts it.

use std::fs;

/// Resident memory of a process and all that it started, in MiB: private and shared pages (each process
/// counts what it shares with the others), and the part that is only its own.
pub fn resident_mib(pid: u32) -> (f64, f64) {
    let mut sum = of_process(pid);
    for child in children(pid) {
        let (all, own) = resident_mib(child);
        sum = (sum.0 + all, sum.1 + own);
    }
    sum
}

fn of_process(pid: u32) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let mib = |key: &str| -> f64 {
        text.lines()
            .filter(|line| line.starts_with(key))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
            .sum::<f64>()
            / 1024.0
    };
    (mib("Rss:"), mib("Private_Clean:") + mib("Private_Dirty:"))
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}
