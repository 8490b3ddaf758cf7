//! The limits of every sandbox, in addition to its function's memory and cpus, whichever backend makes it.

use std::num::NonZero;

use rustix::process::{Resource, getrlimit};

/// The folder in which a sandbox finds the socket.
pub(super) const RUN_PATH: &str = "/run/cloudfunc";

/// Variables in place of an account, which a sandbox does not have: a name for programs that ask for one, and a home
/// that can be written to.
pub(super) const ACCOUNT: [(&str, &str); 3] =
    [("HOME", "/tmp"), ("USER", "function"), ("LOGNAME", "function")];

/// The limit of `/tmp`, which counts as the function's memory. A write over it fails in the function.
pub(super) const TMP_BYTES: u64 = 64 * 1024 * 1024;

/// The limit of `/dev/shm`, likewise; for locks and queues between processes.
pub(super) const SHM_BYTES: u64 = 16 * 1024 * 1024;

/// The limit of processes and threads; a fork over it fails in the function.
pub(super) const PIDS: u64 = 256;

/// The limit of open files, soft and hard: an engine in a container of its own cannot grant more than it has.
pub(super) const OPEN_FILES: [u64; 2] = [1024, 4096];

/// Returns the same for a sandbox that this process makes itself, which cannot grant more than it has either.
pub(super) fn own_open_files() -> [u64; 2] {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    OPEN_FILES.map(|limit| limit.min(most))
}

/// Returns the limit of a core dump in bytes, soft and hard: less than any has. With 0, Linux would still start a program to
/// which `core_pattern` pipes dumps (`man 5 core`). Where this process has 0 itself, it may not be able to give more to others.
pub(super) fn core_bytes() -> u64 {
    getrlimit(Resource::Core).maximum.map_or(1, |most| most.min(1))
}

/// The period of a cpu quota, in microseconds: the kernel's own default.
pub(super) const CPU_PERIOD: u32 = 100_000;

/// The rank of all functions together on a processor that other programs want too: half of one other process, so that
/// the platform is served first. Not less: a starting function counts too, and with an eighth a cold start on a busy
/// machine took three times as long. Out of 1024, in version 1 of the kernel's interface and for the engine.
pub(super) const CPU_SHARES: u32 = 512;

/// The same in version 2: out of 100.
pub(super) const CPU_WEIGHT: u32 = 50;

/// Returns the limit of one function's cpus, with all its instances: one processor is always left to other programs,
/// where there is more than one.
pub(super) fn most_cpus() -> Option<f64> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores - 1).ok().filter(|most| *most > 0).map(f64::from)
}

/// Returns the limit of one instance's cpus.
pub(super) fn cpus_of_instance(cpus: f64) -> f64 {
    most_cpus().map_or(cpus, |most| cpus.min(most))
}
