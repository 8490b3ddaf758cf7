//! What every sandbox may use besides its function's memory and cpus, whichever backend makes it.

use std::num::NonZero;

/// Where a sandbox finds the socket.
pub(super) const RUN_PATH: &str = "/run/cloudfunc";

/// What the environment says of the account that there is not: a name for those who ask for one, and a home that
/// may be written to.
pub(super) const ACCOUNT: [(&str, &str); 3] =
    [("HOME", "/tmp"), ("USER", "function"), ("LOGNAME", "function")];

/// Limit of `/tmp`, which counts as the function's memory. A write over it fails in the function.
pub(super) const TMP_BYTES: u64 = 64 * 1024 * 1024;

/// Limit of `/dev/shm`, likewise; for locks and queues between processes.
pub(super) const SHM_BYTES: u64 = 16 * 1024 * 1024;

/// Processes and threads; a fork over it fails in the function.
pub(super) const PIDS: u64 = 256;

/// Open files, soft and hard: an engine in a container of its own cannot grant more than it has.
pub(super) const OPEN_FILES: [u64; 2] = [1024, 4096];

/// What the kernel shares out in one period of a cpu quota, in microseconds: its own default.
pub(super) const CPU_PERIOD: u32 = 100_000;

/// How functions, all together, rank on a processor that others want too: as half of one other process, so that
/// the platform is served first. Not less: what starts is a function too, and with an eighth a cold start on
/// a busy machine took three times as long. Of 1024 in version 1 of the kernel's interface, and for the
/// engine.
pub(super) const CPU_SHARES: u32 = 512;

/// The same in version 2: of 100.
pub(super) const CPU_WEIGHT: u32 = 50;

/// What one function may use of the processors, with all its instances: one is always left to the
/// others, where there is more than one.
pub(super) fn most_cpus() -> Option<f64> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores - 1).ok().filter(|most| *most > 0).map(f64::from)
}

/// What one instance may use of them.
pub(super) fn cpus_of_instance(cpus: f64) -> f64 {
    most_cpus().map_or(cpus, |most| cpus.min(most))
}
