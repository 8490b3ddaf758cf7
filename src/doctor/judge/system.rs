//! The kernel.

use super::{Finding, Stops, Wanted, list};

/// The oldest supported kernel: earlier ones lack features that containers without a daemon use (pidfd,
/// `close_range`).
const OLDEST: (u32, u32) = (5, 9);

/// Features of the kernel.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The release of the kernel, such as `6.1.0-18-amd64`.
    pub kernel: Option<String>,
    /// The kinds of namespaces that this kernel lacks.
    pub missing_namespaces: Vec<&'static str>,
    pub is_root: bool,
    /// The value of `user.max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// The value of `kernel.unprivileged_userns_clone`, which exists in some distributions.
    pub unprivileged_clone: Option<u64>,
    /// The value of `kernel.apparmor_restrict_unprivileged_userns`, which exists in Ubuntu.
    pub apparmor_restricts: Option<u64>,
    pub has_seccomp: bool,
    pub has_overlay: bool,
    pub has_tmpfs: bool,
    pub has_tun: bool,
    pub has_pidfd: bool,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    vec![
        kernel(facts),
        namespaces(facts, wanted),
        user_namespaces(facts),
        seccomp(facts, wanted),
        file_systems(facts, wanted),
        tun(facts),
        pidfd(facts),
    ]
}

fn kernel(facts: &Facts) -> Finding {
    let Some(kernel) = &facts.kernel else {
        return Finding::note("kernel", "the kernel's version cannot be read", "Mount /proc.");
    };
    let version = super::super::version::Version::parse(kernel);
    let found = format!("Linux {kernel}");
    match version {
        Some(version) if (version.major(), version.minor()) < OLDEST => Finding::warning(
            "kernel",
            format!("{found} is old"),
            format!("Update to Linux {}.{} or newer.", OLDEST.0, OLDEST.1),
        ),
        _ => Finding::ok("kernel", found),
    }
}

fn namespaces(facts: &Facts, wanted: Wanted) -> Finding {
    if facts.missing_namespaces.is_empty() {
        return Finding::ok("namespaces", "user, pid, mount, network, ipc and uts namespaces");
    }
    let missing = list(&facts.missing_namespaces);
    let found = format!("this kernel has no {missing} namespaces, so that nothing can be isolated");
    Finding::stops(
        Stops::BOTH,
        wanted,
        "namespaces",
        found,
        "Use a kernel that has them, as every distribution's does.",
    )
}

fn user_namespaces(facts: &Facts) -> Finding {
    const NAME: &str = "user-namespaces";
    if facts.is_root {
        return Finding::ok(NAME, "not needed: this is root");
    }
    let only = "containers without Docker need them when `cloudfunc` does not run as root";
    let forbidden = |found: &str, setting: &str| {
        let advice = format!("Run `sudo sysctl -w {setting}`, or use Docker; {only}.");
        Finding::warning(NAME, found, advice)
    };
    if facts.max_user_namespaces == Some(0) {
        return forbidden("user namespaces are turned off", "user.max_user_namespaces=16384");
    }
    if facts.unprivileged_clone == Some(0) {
        return forbidden("only root may make user namespaces", "kernel.unprivileged_userns_clone=1");
    }
    if facts.apparmor_restricts == Some(1) {
        let setting = "kernel.apparmor_restrict_unprivileged_userns=0";
        return forbidden("AppArmor lets only programs with a profile make user namespaces", setting);
    }
    Finding::ok(NAME, "this user may make them")
}

fn seccomp(facts: &Facts, wanted: Wanted) -> Finding {
    if facts.has_seccomp {
        return Finding::ok("seccomp", "system calls can be filtered");
    }
    let found = "this kernel cannot filter system calls (seccomp)";
    Finding::stops(Stops::EMBEDDED, wanted, "seccomp", found, "Use a kernel with CONFIG_SECCOMP_FILTER.")
}

fn file_systems(facts: &Facts, wanted: Wanted) -> Finding {
    const NAME: &str = "file-systems";
    match (facts.has_tmpfs, facts.has_overlay) {
        (true, true) => Finding::ok(NAME, "tmpfs and overlay"),
        (true, false) => Finding::note(
            NAME,
            "tmpfs; overlay is not loaded",
            "Run `sudo modprobe overlay` if Docker is to use its fast storage driver.",
        ),
        (false, _) => {
            let advice = "Use a kernel with CONFIG_TMPFS.";
            Finding::stops(
                Stops::BOTH,
                wanted,
                NAME,
                "there is no tmpfs, which functions need for /tmp",
                advice,
            )
        }
    }
}

fn tun(facts: &Facts) -> Finding {
    if facts.has_tun {
        return Finding::ok("tun", "/dev/net/tun");
    }
    let advice =
        "Run `sudo modprobe tun` if functions with `network = \"egress\"` are to run without Docker.";
    Finding::note("tun", "there is no /dev/net/tun", advice)
}

fn pidfd(facts: &Facts) -> Finding {
    if facts.has_pidfd {
        return Finding::ok("pidfd", "processes can be held by descriptor");
    }
    let advice = "Use Docker, or Linux 5.3 or newer without a filter on pidfd_open.";
    Finding::note("pidfd", "processes cannot be held by descriptor", advice)
}

#[cfg(test)]
pub mod tests {
    use super::{super::shown, *};

    pub fn good() -> Facts {
        Facts {
            kernel: Some("6.1.0-18-amd64".to_owned()),
            is_root: true,
            max_user_namespaces: Some(96_000),
            has_seccomp: true,
            has_overlay: true,
            has_tmpfs: true,
            has_tun: true,
            has_pidfd: true,
            ..Facts::default()
        }
    }

    #[test]
    fn a_usual_kernel_is_fine() {
        let findings = judge(&good(), Wanted::Embedded);
        assert!(findings.iter().all(|finding| finding.advice.is_none()), "{findings:?}");
        assert_eq!(shown(&findings)[0], "ok kernel: Linux 6.1.0-18-amd64");
    }

    #[test]
    fn who_forbids_user_namespaces_is_named() {
        let user = Facts { is_root: false, ..good() };
        let only =
            "or use Docker; containers without Docker need them when `cloudfunc` does not run as root.";
        for (facts, expected) in [
            (
                Facts { max_user_namespaces: Some(0), ..user.clone() },
                "user namespaces are turned off | Run `sudo sysctl -w user.max_user_namespaces=16384`",
            ),
            (
                Facts { unprivileged_clone: Some(0), ..user.clone() },
                "only root may make user namespaces | Run `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
            ),
            (
                Facts { apparmor_restricts: Some(1), ..user.clone() },
                "AppArmor lets only programs with a profile make user namespaces | Run `sudo sysctl -w \
                 kernel.apparmor_restrict_unprivileged_userns=0`",
            ),
        ] {
            assert_eq!(
                shown(&[user_namespaces(&facts)]),
                [format!("warning user-namespaces: {expected}, {only}")]
            );
        }
        assert_eq!(shown(&[user_namespaces(&user)]), ["ok user-namespaces: this user may make them"]);
    }

    #[test]
    fn what_a_kernel_lacks_is_said_with_what_it_is_for() {
        let facts = Facts {
            kernel: Some("4.19.0".to_owned()),
            missing_namespaces: vec!["user", "net"],
            ..Facts::default()
        };
        assert_eq!(
            shown(&judge(&facts, Wanted::Up)),
            [
                "warning kernel: Linux 4.19.0 is old | Update to Linux 5.9 or newer.",
                "problem namespaces: this kernel has no user and net namespaces, so that nothing can be isolated | \
                 Use a kernel that has them, as every distribution's does.",
                "ok user-namespaces: this user may make them",
                "note seccomp: this kernel cannot filter system calls (seccomp) | Use a kernel with \
                 CONFIG_SECCOMP_FILTER.",
                "problem file-systems: there is no tmpfs, which functions need for /tmp | Use a kernel with \
                 CONFIG_TMPFS.",
                "note tun: there is no /dev/net/tun | Run `sudo modprobe tun` if functions with `network = \
                 \"egress\"` are to run without Docker.",
                "note pidfd: processes cannot be held by descriptor | Use Docker, or Linux 5.3 or newer without a \
                 filter on pidfd_open.",
            ]
        );
    }
}
