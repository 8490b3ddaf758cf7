//! The platform's own sources of packages.

use super::{Finding, Stops, Wanted, size};
use crate::{local::sources::Wheels, settings::ServerSetting};

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `None` if looking at them took too long.
    pub files: Option<Files>,
    /// `None` if Python's packages come from the public index.
    pub index: Option<Index>,
    /// `None` if Node's packages come from the public registry.
    pub npm_registry: Option<Index>,
    /// `None` if builds connect to everything directly.
    pub proxy: Option<Index>,
    /// Builds have a network of their own.
    pub is_fenced: bool,
    /// The platform runs as root; builds then run as a user without rights.
    pub is_root: bool,
}

/// The files that settings name, with their paths; errors name the setting.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub wheels: Option<(String, Result<Wheels, String>)>,
    pub certificates: Option<(String, Result<usize, String>)>,
    /// The packages that `run` keeps.
    pub kept: Option<Kept>,
}

/// Installed packages in this user's caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub path: String,
    pub trees: usize,
    pub bytes: u64,
    /// The limit of these bytes.
    pub most: u64,
}

/// A server for builds: an index, a registry, the proxy.
#[derive(Clone, Debug)]
pub struct Index {
    pub host: String,
    pub port: u16,
    pub state: IndexState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// The setting is `none`.
    None,
    /// The server is asked through the proxy, which may know more names than this machine.
    Proxied,
    /// The address is not known, and why.
    Unknown(String),
    Loopback,
    /// No connection, and why.
    Silent(String),
    Answers,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let Some(files) = &facts.files else {
        let found = "the sources of packages could not be looked at in time";
        let advice = "See whether the disk or network file system that has them answers.";
        return vec![Finding::warning("packages", found, advice)];
    };
    let mut findings = Vec::new();
    findings.extend(files.wheels.as_ref().map(|(path, wheels)| folder(path, wheels, facts, wanted)));
    findings.extend(files.certificates.as_ref().map(|(path, count)| authorities(path, count, wanted)));
    let has_wheels = files.wheels.is_some();
    findings.extend(facts.index.as_ref().map(|found| match found.state {
        IndexState::None => no_index(has_wheels),
        _ => address(found, &ServerSetting::INDEX, facts.is_fenced),
    }));
    findings.extend(facts.npm_registry.as_ref().map(|found| match found.state {
        IndexState::None => {
            let name = ServerSetting::NPM_REGISTRY.name();
            Finding::ok(name, "none: functions in Node bring their node_modules")
        }
        _ => address(found, &ServerSetting::NPM_REGISTRY, facts.is_fenced),
    }));
    let proxy = facts.proxy.as_ref();
    findings.extend(proxy.map(|found| address(found, &ServerSetting::PROXY, facts.is_fenced)));
    findings.extend(files.kept.as_ref().map(|Kept { path, trees, bytes, most }| {
        let sets = if *trees == 1 { "set" } else { "sets" };
        let (bytes, most) = (size(*bytes), size(*most));
        let found =
            format!("`run` keeps {trees} {sets} of packages, {bytes} of at most {most}, in {path}");
        Finding::ok("run-cache", found)
    }));
    findings
}

fn folder(path: &str, wheels: &Result<Wheels, String>, facts: &Facts, wanted: Wanted) -> Finding {
    const NAME: &str = "find-links";
    match wheels {
        Err(problem) => {
            let advice = "Name a folder of wheels with --build-find-links, or leave the setting out.";
            Finding::stops(Stops::BOTH, wanted, NAME, problem, advice)
        }
        Ok(Wheels { unreadable: Some(unreadable), .. }) => Finding::warning(
            NAME,
            format!(
                "builds, which run as {}, cannot read {}",
                if facts.is_root { "a user without rights" } else { "this user" },
                unreadable.display()
            ),
            format!("Run `chmod -R a+rX {path}`."),
        ),
        Ok(Wheels { count: 0, .. }) => Finding::warning(
            NAME,
            format!("{path} has no wheels"),
            format!("Put some there: `pip wheel -w {path} NAME`."),
        ),
        Ok(Wheels { count: 1, .. }) => Finding::ok(NAME, format!("{path} has 1 wheel")),
        Ok(Wheels { count, .. }) => Finding::ok(NAME, format!("{path} has {count} wheels")),
    }
}

fn authorities(path: &str, count: &Result<usize, String>, wanted: Wanted) -> Finding {
    const NAME: &str = "ca-file";
    match count {
        Err(problem) => {
            let advice = "Name a file of certificates in PEM form with --build-ca-file, or leave the setting out.";
            Finding::stops(Stops::BOTH, wanted, NAME, problem, advice)
        }
        Ok(1) => Finding::ok(NAME, format!("{path} has 1 certificate")),
        Ok(count) => Finding::ok(NAME, format!("{path} has {count} certificates")),
    }
}

fn no_index(has_wheels: bool) -> Finding {
    let name = ServerSetting::INDEX.name();
    if has_wheels {
        return Finding::ok(name, "none: packages are those of the folder");
    }
    Finding::warning(
        name,
        "builds have neither an index nor a folder of wheels, so no Python package can be installed",
        "Name a folder with --build-find-links, or an index with --build-index.",
    )
}

fn address(Index { host, port, state }: &Index, setting: &ServerSetting, is_fenced: bool) -> Finding {
    let (name, ServerSetting { flag, what, .. }) = (setting.name(), setting);
    match state {
        IndexState::Unknown(why) => Finding::warning(
            name,
            format!("the address of {host} is not known: {why}"),
            format!("Correct {flag}, or see whether this machine's name service answers."),
        ),
        IndexState::Loopback if is_fenced => Finding::warning(
            name,
            format!("{host} is this host's loopback, which builds cannot reach"),
            format!("Give the {what} another address of this host, and {flag} that one."),
        ),
        IndexState::Proxied => Finding::ok(name, format!("{host} is asked through the proxy")),
        IndexState::Loopback | IndexState::None => {
            Finding::ok(name, format!("{host} is this host's loopback"))
        }
        IndexState::Silent(why) => Finding::warning(
            name,
            format!("{host} does not accept a connection on port {port}: {why}"),
            format!(
                "See whether the {what} runs and its firewall lets this machine through, or correct {flag}."
            ),
        ),
        IndexState::Answers => Finding::ok(name, format!("{host} accepts connections on port {port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn of(files: Files, index: Option<IndexState>) -> Vec<String> {
        let index = index.map(|state| Index { host: "pypi.example".to_owned(), port: 443, state });
        let (npm_registry, proxy) = (None, None);
        let facts =
            Facts { files: Some(files), index, npm_registry, proxy, is_fenced: true, is_root: true };
        shown(&judge(&facts, Wanted::Up))
    }

    fn wheels(wheels: Result<Wheels, String>) -> Files {
        Files { wheels: Some(("/srv/wheels".to_owned(), wheels)), ..Files::default() }
    }

    #[test]
    fn nothing_is_said_of_the_public_index() {
        assert_eq!(of(Files::default(), None), Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_builds_cannot_use_is_named_with_what_to_do() {
        for (found, said) in [
            (Ok(Wheels { count: 3, unreadable: None }), "ok find-links: /srv/wheels has 3 wheels"),
            (
                Ok(Wheels::default()),
                "warning find-links: /srv/wheels has no wheels | Put some there: `pip wheel -w /srv/wheels NAME`.",
            ),
            (
                Ok(Wheels { count: 1, unreadable: Some("/srv/wheels/a.whl".into()) }),
                "warning find-links: builds, which run as a user without rights, cannot read /srv/wheels/a.whl | Run \
                 `chmod -R a+rX /srv/wheels`.",
            ),
            (
                Err("--build-find-links: /srv/wheels is not a folder".to_owned()),
                "problem find-links: --build-find-links: /srv/wheels is not a folder | Name a folder of wheels with \
                 --build-find-links, or leave the setting out.",
            ),
        ] {
            assert_eq!(of(wheels(found), None), [said]);
        }
    }

    #[test]
    fn a_registry_is_judged_like_an_index() {
        let of = |state| {
            let npm_registry = Some(Index { host: "npm.example".to_owned(), port: 80, state });
            let files = Some(Files::default());
            shown(&judge(
                &Facts { files, npm_registry, is_fenced: true, ..Facts::default() },
                Wanted::Up,
            ))
        };
        assert_eq!(
            of(IndexState::None),
            ["ok npm-registry: none: functions in Node bring their node_modules"]
        );
        assert_eq!(
            of(IndexState::Silent("timed out".to_owned())),
            [
                "warning npm-registry: npm.example does not accept a connection on port 80: timed out | See whether the \
              registry runs and its firewall lets this machine through, or correct --build-npm-registry."
            ]
        );
    }

    #[test]
    fn a_proxy_is_asked_in_place_of_what_it_leads_to() {
        let at = |host: &str, state| Some(Index { host: host.to_owned(), port: 3128, state });
        let facts = Facts {
            files: Some(Files::default()),
            index: at("pypi.example", IndexState::Proxied),
            proxy: at("proxy.example", IndexState::Answers),
            is_fenced: true,
            ..Facts::default()
        };
        assert_eq!(
            shown(&judge(&facts, Wanted::Up)),
            [
                "ok index: pypi.example is asked through the proxy",
                "ok proxy: proxy.example accepts connections on port 3128",
            ]
        );
        let silent = IndexState::Silent("timed out".to_owned());
        let away = Facts { index: None, proxy: at("proxy.example", silent), ..facts };
        assert_eq!(
            shown(&judge(&away, Wanted::Up)),
            [
                "warning proxy: proxy.example does not accept a connection on port 3128: timed out | See whether the proxy \
                 runs and its firewall lets this machine through, or correct --build-proxy."
            ]
        );
    }

    #[test]
    fn what_run_keeps_is_counted() {
        let path = "/home/a/.cache/cloudfunc".to_owned();
        let kept = Kept { path, trees: 2, bytes: 300 << 20, most: 2 << 30 };
        assert_eq!(
            of(Files { kept: Some(kept), ..Files::default() }, None),
            [
                "ok run-cache: `run` keeps 2 sets of packages, 300.0 MiB of at most 2.0 GiB, in /home/a/.cache/cloudfunc"
            ]
        );
    }

    #[test]
    fn certificates_are_counted() {
        let file =
            |count| Files { certificates: Some(("/ca.pem".to_owned(), count)), ..Files::default() };
        assert_eq!(of(file(Ok(2)), None), ["ok ca-file: /ca.pem has 2 certificates"]);
        let wrong = "--build-ca-file: /ca.pem has no certificate in PEM form".to_owned();
        assert_eq!(
            of(file(Err(wrong)), None),
            [
                "problem ca-file: --build-ca-file: /ca.pem has no certificate in PEM form | Name a file of certificates in \
              PEM form with --build-ca-file, or leave the setting out."
            ]
        );
    }

    #[test]
    fn an_index_that_builds_cannot_reach_is_named_with_what_to_do() {
        for (state, said) in [
            (IndexState::Answers, "ok index: pypi.example accepts connections on port 443"),
            (
                IndexState::None,
                "warning index: builds have neither an index nor a folder of wheels, so no Python package can be installed | Name \
                 a folder with --build-find-links, or an index with --build-index.",
            ),
            (
                IndexState::Unknown("no answer within 3 s".to_owned()),
                "warning index: the address of pypi.example is not known: no answer within 3 s | Correct --build-index, \
                 or see whether this machine's name service answers.",
            ),
            (
                IndexState::Loopback,
                "warning index: pypi.example is this host's loopback, which builds cannot reach | Give the index another \
                 address of this host, and --build-index that one.",
            ),
            (
                IndexState::Silent("Connection refused (os error 111)".to_owned()),
                "warning index: pypi.example does not accept a connection on port 443: Connection refused (os error \
                 111) | See whether the index runs and its firewall lets this machine through, or correct --build-index.",
            ),
        ] {
            assert_eq!(of(Files::default(), Some(state)), [said]);
        }
        let files = wheels(Ok(Wheels { count: 1, unreadable: None }));
        assert_eq!(
            of(files, Some(IndexState::None)),
            [
                "ok find-links: /srv/wheels has 1 wheel",
                "ok index: none: packages are those of the folder"
            ]
        );
    }
}
