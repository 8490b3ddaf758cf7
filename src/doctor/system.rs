//! Examines the kernel.

use std::{fs, path::Path};

use rustix::process::{PidfdFlags, geteuid, getpid, pidfd_open};

use super::{judge::system::Facts, tools};

const NAMESPACES: [&str; 6] = ["user", "pid", "mnt", "net", "ipc", "uts"];

pub fn gather() -> Facts {
    let missing = |kind: &&str| !Path::new("/proc/self/ns").join(kind).exists();
    let file_systems = tools::read("/proc/filesystems").unwrap_or_default();
    let has_file_system = |name| file_systems.lines().any(|line| line.ends_with(&format!("\t{name}")));
    let kernel = tools::read("/proc/sys/kernel/osrelease");
    Facts {
        missing_namespaces: NAMESPACES.into_iter().filter(missing).collect(),
        is_root: geteuid().is_root(),
        max_user_namespaces: tools::read_number("/proc/sys/user/max_user_namespaces"),
        unprivileged_clone: tools::read_number("/proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_restricts: tools::read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        has_seccomp: has_seccomp(),
        has_overlay: has_file_system("overlay") || kernel.as_deref().is_some_and(has_overlay_module),
        has_tmpfs: has_file_system("tmpfs"),
        has_tun: Path::new("/dev/net/tun").exists(),
        has_pidfd: pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
        kernel,
    }
}

/// Returns whether the kernel has seccomp filters, and not only the older strict mode.
fn has_seccomp() -> bool {
    let actions = tools::read("/proc/sys/kernel/seccomp/actions_avail");
    let status = tools::read("/proc/self/status").unwrap_or_default();
    actions.map_or(status.contains("\nSeccomp:"), |actions| actions.contains("errno"))
}

/// Returns whether the overlay module can be loaded at its first use.
fn has_overlay_module(kernel: &str) -> bool {
    let folder = Path::new("/lib/modules").join(kernel);
    let lists = ["modules.builtin", "modules.dep"].map(|list| fs::read_to_string(folder.join(list)));
    lists.iter().flatten().any(|list| list.contains("/overlay.ko"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_what_it_needs() {
        let facts = gather();
        assert!(facts.kernel.is_some_and(|kernel| kernel.starts_with(|c: char| c.is_ascii_digit())));
        assert_eq!(facts.missing_namespaces, Vec::<&str>::new());
        assert!(facts.has_tmpfs && facts.has_seccomp);
    }
}
