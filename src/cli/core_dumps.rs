//! Core dumps: a process of the platform writes none, since there are tokens, keys and secrets in its memory.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Less than any core dump has, in bytes. With 0, Linux would still start the program to which `core_pattern` pipes dumps
/// (systemd-coredump, apport); with 1 it does not, as that is how such a program marks itself (`man 5 core`; `fs/coredump.c`
/// in the kernel).
const LIMIT: u64 = 1;

/// Keeps this process and those that it starts from writing core dumps, for good.
pub fn forbid() {
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    if setrlimit(Resource::Core, limit(LIMIT)).is_err() {
        // Only root may raise a limit that is 0 already. To set it again is always allowed.
        let hard = getrlimit(Resource::Core).maximum.unwrap_or(LIMIT);
        let _ = setrlimit(Resource::Core, limit(hard.min(LIMIT)));
        // Then there is no dump to be piped either. This ends with `exec`: a role, and the helper that makes a user namespace of
        // its own, are this program again and decide for themselves.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
