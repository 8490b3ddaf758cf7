//! Containers without a daemon, their interpreter, and the network of functions.

use super::{super::version::Version, Finding, Stops, Wanted};

#[derive(Clone, Debug)]
pub struct Facts {
    /// The version of the runtime without a daemon, or the reason why it cannot work.
    pub oci: Result<String, String>,
    /// Whether `--runtime` chooses it.
    pub is_chosen: bool,
    pub has_engine: bool,
    pub python: Option<Python>,
    /// The version of functions whose manifest names none.
    pub default_version: String,
    /// The name of the network helper, such as `slirp4netns`.
    pub network_helper: Option<String>,
    pub has_iptables: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    pub path: String,
    /// The version, such as `3.11.7`; `None` if it does not report one.
    pub version: Option<String>,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    vec![oci(facts, wanted), python(facts, wanted), egress(facts), filter(facts)]
}

/// If no runtime works at all, the engine's finding says so: it knows both.
fn oci(facts: &Facts, wanted: Wanted) -> Finding {
    match &facts.oci {
        Ok(version) => Finding::ok("oci", format!("containers can be made without Docker ({version})")),
        Err(reason) => {
            let found = format!("containers cannot be made without Docker: {reason}");
            if facts.is_chosen {
                let advice =
                    "See the findings on namespaces and control groups, or choose `--runtime docker`.";
                return Finding::stops(Stops::BOTH, wanted, "oci", found, advice);
            }
            let advice = match facts.has_engine {
                true => "Nothing needs to be done: Docker is there.",
                false => "See the findings on namespaces and control groups, or start Docker.",
            };
            Finding::note("oci", found, advice)
        }
    }
}

fn python(facts: &Facts, wanted: Wanted) -> Finding {
    let wants = &facts.default_version;
    let Some(python) = &facts.python else {
        let advice = "Install Python 3 if functions are to run without Docker.";
        return match (wanted, facts.has_engine) {
            (Wanted::Embedded, false) => {
                Finding::warning("python", "there is no python3 on the PATH", advice)
            }
            _ => Finding::note("python", "there is no python3 on the PATH", advice),
        };
    };
    let Some(version) = &python.version else {
        let found = format!("{} does not say its version", python.path);
        return Finding::note("python", found, "Look whether it works: `python3 --version`.");
    };
    let found = format!("Python {version} at {}", python.path);
    let line = |text: &str| Version::parse(text).map(|version| (version.major(), version.minor()));
    if line(version) == line(wants) {
        return Finding::ok("python", found);
    }
    let found = format!("{found}; functions that name no version want {wants}");
    let minor = line(version).map_or_else(String::new, |(major, minor)| format!("{major}.{minor}"));
    let advice = format!(
        "Install Python {wants}, or set CLOUDFUNC_PYTHON_VERSION={minor}; with Docker the image decides."
    );
    Finding::note("python", found, advice)
}

fn egress(facts: &Facts) -> Finding {
    match &facts.network_helper {
        Some(helper) => Finding::ok("egress", format!("{helper} connects functions without Docker")),
        None => Finding::note(
            "egress",
            "slirp4netns is not installed",
            "Install slirp4netns if functions with `network = \"egress\"` are to run without Docker.",
        ),
    }
}

fn filter(facts: &Facts) -> Finding {
    if facts.has_iptables {
        return Finding::ok("iptables", "iptables can filter what functions with a network reach");
    }
    let advice = "Install iptables; without it functions with `network = \"egress\"` reach private addresses too.";
    Finding::note("iptables", "iptables is not installed", advice)
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn good() -> Facts {
        let python = Python { path: "/usr/bin/python3".to_owned(), version: Some("3.12.4".to_owned()) };
        Facts {
            oci: Ok("oci 0.5".to_owned()),
            is_chosen: false,
            has_engine: false,
            python: Some(python),
            default_version: "3.12".to_owned(),
            network_helper: Some("slirp4netns".to_owned()),
            has_iptables: true,
        }
    }

    #[test]
    fn a_machine_without_docker_can_be_fine() {
        assert_eq!(
            shown(&judge(&good(), Wanted::Embedded)),
            [
                "ok oci: containers can be made without Docker (oci 0.5)",
                "ok python: Python 3.12.4 at /usr/bin/python3",
                "ok egress: slirp4netns connects functions without Docker",
                "ok iptables: iptables can filter what functions with a network reach",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_said_with_what_it_is_for() {
        let facts = Facts {
            oci: Err("no user namespaces".to_owned()),
            python: None,
            network_helper: None,
            has_iptables: false,
            ..good()
        };
        assert_eq!(
            shown(&judge(&facts, Wanted::Embedded)),
            [
                "note oci: containers cannot be made without Docker: no user namespaces | See the findings on \
                 namespaces and control groups, or start Docker.",
                "warning python: there is no python3 on the PATH | Install Python 3 if functions are to run without \
                 Docker.",
                "note egress: slirp4netns is not installed | Install slirp4netns if \
                 functions with `network = \"egress\"` are to run without Docker.",
                "note iptables: iptables is not installed | Install iptables; without it functions with `network = \
                 \"egress\"` reach private addresses too.",
            ]
        );
    }

    #[test]
    fn a_runtime_that_was_chosen_has_to_work() {
        let facts = Facts { oci: Err("no user namespaces".to_owned()), is_chosen: true, ..good() };
        assert_eq!(
            shown(&[oci(&facts, Wanted::Up)]),
            [
                "problem oci: containers cannot be made without Docker: no user namespaces | See the findings on namespaces \
              and control groups, or choose `--runtime docker`."
            ]
        );
    }

    #[test]
    fn another_python_than_functions_want_is_named() {
        let python = Python { path: "/p".to_owned(), version: Some("3.11.7".to_owned()) };
        assert_eq!(
            shown(&[super::python(&Facts { python: Some(python), ..good() }, Wanted::Up)]),
            [
                "note python: Python 3.11.7 at /p; functions that name no version want 3.12 | Install Python 3.12, or \
              set CLOUDFUNC_PYTHON_VERSION=3.11; with Docker the image decides."
            ]
        );
    }
}
