//! Containers without a daemon, their interpreter, and the network of functions.

use super::{Finding, Stops, Wanted};
use crate::model::Language;

#[derive(Clone, Debug)]
pub struct Facts {
    /// The version of the runtime without a daemon, or the reason why it cannot work.
    pub oci: Result<String, String>,
    /// Whether `--runtime` chooses it.
    pub is_chosen: bool,
    pub has_engine: bool,
    /// One of each language that has one.
    pub interpreters: Vec<Interpreter>,
    /// The name of the network helper, such as `slirp4netns`.
    pub network_helper: Option<String>,
    pub has_iptables: bool,
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
    /// Whether it has the program that installs packages; true where the language needs none.
    pub installs: bool,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let interpreters = facts.interpreters.iter().map(|one| interpreter(one, facts, wanted));
    let network = [egress(facts), filter(facts)];
    std::iter::once(oci(facts, wanted)).chain(interpreters).chain(network).collect()
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
        "Install {title} {default_version}, or set CLOUDFUNC_{}_VERSION={line}; with Docker the image decides.",
        name.to_uppercase()
    );
    Finding::note(name, found, advice)
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
            interpreters: vec![
                one(Language::Python, Some(("/usr/bin/python3", "3.12.4")), "3.12"),
                one(Language::Node, Some(("/usr/bin/node", "22.1.0")), "22"),
            ],
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
                "ok node: Node 22.1.0 at /usr/bin/node",
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
    fn another_version_than_functions_want_is_named() {
        let shown = |language, found, wants| {
            shown(&[interpreter(&one(language, Some(found), wants), &good(), Wanted::Up)])
        };
        assert_eq!(
            shown(Language::Python, ("/p", "3.11.7"), "3.12"),
            [
                "note python: Python 3.11.7 at /p; functions that name no version want 3.12 | Install Python 3.12, or \
              set CLOUDFUNC_PYTHON_VERSION=3.11; with Docker the image decides."
            ]
        );
        assert_eq!(
            shown(Language::Node, ("/n", "20.11.1"), "22"),
            [
                "note node: Node 20.11.1 at /n; functions that name no version want 22 | Install Node 22, or set \
              CLOUDFUNC_NODE_VERSION=20; with Docker the image decides."
            ]
        );
    }
}
