//! Containers without a daemon, their interpreter, and the network of functions.

use super::{Finding, Stops, Wanted, size};
use crate::model::Language;

#[derive(Clone, Debug)]
pub struct Facts {
    /// The version of the runtime without a daemon, or the reason why it cannot work.
    pub oci: Result<String, String>,
    /// The platform that runs uses it, or `--runtime` chooses it.
    pub is_chosen: bool,
    pub has_engine: bool,
    /// Functions run in images, with the interpreters of those.
    pub has_images: bool,
    /// One of each language.
    pub interpreters: Vec<Interpreter>,
    /// The name of the network helper, such as `slirp4netns`.
    pub network_helper: Option<String>,
    pub has_iptables: bool,
    /// The size of the helper that runs programs, in bytes, or the reason why this program was built without.
    pub program_helper: Result<usize, String>,
}

/// The interpreter of a language on this machine, for functions without Docker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub language: Language,
    pub found: Option<Found>,
    /// The version of functions whose manifest names none.
    pub default_version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    /// The version, such as `3.11.7`; `None` if it does not report one.
    pub version: Option<String>,
    /// True where the program that installs packages is there, or the language needs none.
    pub installs: bool,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let interpreters = facts.interpreters.iter().map(|one| interpreter(one, facts, wanted));
    let rest = [helper(facts), egress(facts), filter(facts)];
    std::iter::once(oci(facts, wanted)).chain(interpreters).chain(rest).collect()
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

/// The machine's interpreter of a language. Functions in Python are those of the examples; another language's interpreter
/// matters only to those who use it.
fn interpreter(of: &Interpreter, facts: &Facts, wanted: Wanted) -> Finding {
    let Interpreter { language, found, default_version } = of;
    let (name, about) = (language.name(), language.facts());
    let title = about.title;
    if facts.has_images {
        let found =
            format!("functions in {title} run in images; this machine's own {title} does not matter");
        return Finding::ok(name, found);
    }
    let program = about.interpreter.as_ref().map_or(name, |interpreter| interpreter.program);
    let Some(Found { path, version, installs }) = found else {
        let missing = format!("there is no {program} on the PATH");
        let advice = format!("Install {title} if functions in {title} are to run without Docker.");
        return match (wanted, facts.has_engine) {
            (Wanted::Embedded, false) if *language == Language::DEFAULT => {
                Finding::warning(name, missing, advice)
            }
            _ => Finding::note(name, missing, advice),
        };
    };
    let Some(version) = version else {
        let found = format!("{path} does not say its version");
        let advice = format!("Look whether it works: `{program} --version`.");
        return Finding::note(name, found, advice);
    };
    let found = format!("{title} {version} at {path}");
    let line = (about.versions.of_release)(version);
    let installer =
        about.dependencies.as_ref().and_then(|all| Some((all.file, all.installer.as_ref()?)));
    if line == (about.versions.of_release)(default_version) {
        return match installer.filter(|_| !installs) {
            Some((file, installer)) => Finding::note(
                name,
                format!("{found}, which has no {}", installer.tool),
                format!(
                    "Install {} if the packages of a {file} are to be installed without Docker.",
                    installer.debian
                ),
            ),
            None => Finding::ok(name, found),
        };
    }
    let found = format!("{found}; functions that name no version want {default_version}");
    let advice = format!(
        "Install {title} {default_version}, or set CLOUDFUNC_{}_VERSION={line}.",
        name.to_uppercase()
    );
    Finding::note(name, found, advice)
}

/// Functions that speak the protocol themselves do without it.
fn helper(facts: &Facts) -> Finding {
    match &facts.program_helper {
        Ok(bytes) => Finding::ok(
            "helper",
            format!("programs can be functions: the helper is there ({})", size(*bytes as u64)),
        ),
        Err(why) => Finding::warning(
            "helper",
            "functions with an `interface` other than \"protocol\" cannot run: this program was built without the helper",
            format!("Build it again if there are to be such functions: {}.", why.trim_end_matches('.')),
        ),
    }
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

    fn one(language: Language, found: Option<(&str, &str)>, default_version: &str) -> Interpreter {
        let found = found.map(|(path, version)| Found {
            path: path.to_owned(),
            version: Some(version.to_owned()),
            installs: true,
        });
        Interpreter { language, found, default_version: default_version.to_owned() }
    }

    fn good() -> Facts {
        Facts {
            oci: Ok("oci 0.5".to_owned()),
            is_chosen: false,
            has_engine: false,
            has_images: false,
            interpreters: vec![
                one(Language::Python, Some(("/usr/bin/python3", "3.12.4")), "3.12"),
                one(Language::Node, Some(("/usr/bin/node", "22.1.0")), "22"),
            ],
            network_helper: Some("slirp4netns".to_owned()),
            has_iptables: true,
            program_helper: Ok(3 << 20),
        }
    }

    #[test]
    fn without_the_helper_it_is_said_what_cannot_run_and_why() {
        let why = "there is no static libc; install musl-tools".to_owned();
        assert_eq!(
            shown(&[helper(&Facts { program_helper: Err(why), ..good() })]),
            [
                "warning helper: functions with an `interface` other than \"protocol\" cannot run: this program was built \
                 without the helper | Build it again if there are to be such functions: there is no static libc; install \
                 musl-tools."
            ]
        );
    }

    #[test]
    fn a_machine_without_docker_can_be_fine() {
        assert_eq!(
            shown(&judge(&good(), Wanted::Embedded)),
            [
                "ok oci: containers can be made without Docker (oci 0.5)",
                "ok python: Python 3.12.4 at /usr/bin/python3",
                "ok node: Node 22.1.0 at /usr/bin/node",
                "ok helper: programs can be functions: the helper is there (3.0 MiB)",
                "ok egress: slirp4netns connects functions without Docker",
                "ok iptables: iptables can filter what functions with a network reach",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_said_with_what_it_is_for() {
        let facts = Facts {
            oci: Err("no user namespaces".to_owned()),
            interpreters: vec![one(Language::Python, None, "3.12"), one(Language::Node, None, "22")],
            network_helper: None,
            has_iptables: false,
            ..good()
        };
        assert_eq!(
            shown(&judge(&facts, Wanted::Embedded)),
            [
                "note oci: containers cannot be made without Docker: no user namespaces | See the findings on \
                 namespaces and control groups, or start Docker.",
                "warning python: there is no python3 on the PATH | Install Python if functions in Python are to run \
                 without Docker.",
                "note node: there is no node on the PATH | Install Node if functions in Node are to run without Docker.",
                "ok helper: programs can be functions: the helper is there (3.0 MiB)",
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
    fn an_interpreter_that_cannot_install_packages_is_told() {
        let mut python = one(Language::Python, Some(("/p", "3.12.4")), "3.12");
        python.found.as_mut().unwrap().installs = false;
        assert_eq!(
            shown(&[interpreter(&python, &good(), Wanted::Up)]),
            [
                "note python: Python 3.12.4 at /p, which has no pip | Install python3-pip if the packages of a \
                 requirements.txt are to be installed without Docker."
            ]
        );
    }

    #[test]
    fn where_functions_run_in_images_the_machine_s_interpreters_do_not_matter() {
        let facts = Facts {
            interpreters: vec![
                one(Language::Python, Some(("/p", "3.8.1")), "3.12"),
                one(Language::Node, None, "22"),
            ],
            has_engine: true,
            has_images: true,
            ..good()
        };
        assert_eq!(
            shown(&judge(&facts, Wanted::Embedded))[1..3],
            [
                "ok python: functions in Python run in images; this machine's own Python does not matter",
                "ok node: functions in Node run in images; this machine's own Node does not matter",
            ]
        );
    }

    #[test]
    fn another_version_than_functions_want_is_named() {
        let shown = |language, found, wants| {
            shown(&[interpreter(&one(language, Some(found), wants), &good(), Wanted::Up)])
        };
        assert_eq!(
            shown(Language::Python, ("/p", "3.11.7"), "3.12"),
            [
                "note python: Python 3.11.7 at /p; functions that name no version want 3.12 | Install Python 3.12, or \
              set CLOUDFUNC_PYTHON_VERSION=3.11."
            ]
        );
        assert_eq!(
            shown(Language::Node, ("/n", "20.11.1"), "22"),
            [
                "note node: Node 20.11.1 at /n; functions that name no version want 22 | Install Node 22, or set \
              CLOUDFUNC_NODE_VERSION=20."
            ]
        );
    }
}
