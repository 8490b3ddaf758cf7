//! Limits of this process and of the kernel.

use super::Finding;

/// The lowest sufficient limit of open files. A container takes three connections, a log reader and a folder or
/// two; ten functions with ten instances each need about a thousand.
const FILES: u64 = 4096;
/// The lowest sufficient limit of threads and processes; each container may have 256.
const PROCESSES: u64 = 32_768;
/// The lowest sufficient limit of inotify instances, which Docker, editors and desktops share.
const INOTIFY: u64 = 128;

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The hard limit of open files, to which `up` raises its own; `None` if there is no limit.
    pub files: Option<u64>,
    pub processes: Option<u64>,
    pub inotify: Option<u64>,
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    vec![files(facts), processes(facts), inotify(facts)]
}

fn files(facts: &Facts) -> Finding {
    match facts.files {
        Some(files) if files < FILES => Finding::warning(
            "open-files",
            format!("a process may open only {files} files"),
            format!(
                "Run `ulimit -n {FILES}` before `cloudfunc up`, or raise LimitNOFILE of its service."
            ),
        ),
        Some(files) => Finding::ok("open-files", format!("{files} at once")),
        None => Finding::ok("open-files", "any number at once"),
    }
}

fn processes(facts: &Facts) -> Finding {
    match facts.processes {
        Some(processes) if processes < PROCESSES => Finding::note(
            "processes",
            format!("this machine may have only {processes} processes and threads"),
            format!("Run `sudo sysctl -w kernel.pid_max={PROCESSES}` where many functions run at once."),
        ),
        Some(processes) => Finding::ok("processes", format!("{processes} on this machine")),
        None => Finding::ok("processes", "their limit cannot be seen here"),
    }
}

fn inotify(facts: &Facts) -> Finding {
    match facts.inotify {
        Some(instances) if instances < INOTIFY => Finding::note(
            "inotify",
            format!("a user may watch files only {instances} times"),
            format!(
                "Run `sudo sysctl -w fs.inotify.max_user_instances={INOTIFY}` if a program says 'too many open files'."
            ),
        ),
        Some(instances) => Finding::ok("inotify", format!("{instances} watches of a user")),
        None => Finding::ok("inotify", "its limit cannot be seen here"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    #[test]
    fn limits_that_are_low_are_named_with_the_command_that_raises_them() {
        let facts = Facts { files: Some(256), processes: Some(1000), inotify: Some(8) };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "warning open-files: a process may open only 256 files | Run `ulimit -n 4096` before `cloudfunc up`, or \
                 raise LimitNOFILE of its service.",
                "note processes: this machine may have only 1000 processes and threads | Run `sudo sysctl -w \
                 kernel.pid_max=32768` where many functions run at once.",
                "note inotify: a user may watch files only 8 times | Run `sudo sysctl -w \
                 fs.inotify.max_user_instances=128` if a program says 'too many open files'.",
            ]
        );
        let facts = Facts { files: None, processes: Some(4_194_304), inotify: Some(128) };
        assert_eq!(
            shown(&judge(&facts)),
            [
                "ok open-files: any number at once",
                "ok processes: 4194304 on this machine",
                "ok inotify: 128 watches of a user"
            ]
        );
    }
}
