//! Reads the limits of this process and of the kernel.

use rustix::process::{Resource, getrlimit};

use super::{judge::limits::Facts, tools};

pub fn gather() -> Facts {
    Facts {
        files: getrlimit(Resource::Nofile).current,
        processes: tools::read_number("/proc/sys/kernel/pid_max"),
        inotify: tools::read_number("/proc/sys/fs/inotify/max_user_instances"),
    }
}
