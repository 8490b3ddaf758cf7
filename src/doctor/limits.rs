//! Reads the limits of this process and of the kernel. `up` raises its limit of open files to the hard one.

use rustix::process::{Resource, getrlimit};

use super::{judge::limits::Facts, tools};

pub fn gather() -> Facts {
    Facts {
        files: getrlimit(Resource::Nofile).maximum,
        processes: tools::read_number("/proc/sys/kernel/pid_max"),
        inotify: tools::read_number("/proc/sys/fs/inotify/max_user_instances"),
    }
}
