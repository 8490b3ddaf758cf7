//! What every sandbox may use besides its function's memory and cpus, whichever backend makes it.

/// Where a sandbox finds the socket.
pub(super) const RUN_PATH: &str = "/run/cloudfunc";

/// Of `/tmp`, which counts as the function's memory. A write over it fails in the function.
pub(super) const TMP_BYTES: u64 = 64 * 1024 * 1024;

/// Of `/dev/shm`, likewise; for locks and queues between processes.
pub(super) const SHM_BYTES: u64 = 16 * 1024 * 1024;

/// Processes and threads; a fork over it fails in the function.
pub(super) const PIDS: u64 = 256;

/// Open files, soft and hard: an engine in a container of its own cannot grant more than it has.
pub(super) const OPEN_FILES: [u64; 2] = [1024, 4096];

/// What the kernel shares out in one period of a cpu quota, in microseconds: its own default.
pub(super) const CPU_PERIOD: u32 = 100_000;
