//! Where builds get packages from.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use url::Url;

use super::{BuildProxy, BuildVariables};

/// The sources of packages that a platform has of its own. Only builds get them, and only builds may connect to them
/// where they have private addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builds {
    /// The index of Python's packages in place of the public one.
    pub index: Option<PackageIndex>,
    /// The registry of npm's packages in place of the public one.
    pub npm_registry: Option<PackageIndex>,
    /// A file with certificates of authorities, in place of those that the installer has.
    pub ca_file: Option<PathBuf>,
    /// A folder with packages, in addition to the index.
    pub find_links: Option<PathBuf>,
    /// The proxy through which everything is asked that is not excepted.
    pub proxy: Option<BuildProxy>,
    /// Hosts that are asked without the proxy, with all names below them.
    pub no_proxy: Vec<String>,
    /// Further variables of builds.
    pub variables: BuildVariables,
}

/// The hosts that stand for the sandbox itself, which no proxy leads to.
const ITSELF: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Builds {
    /// Returns the proxy through which a host is asked; none where it is asked directly.
    pub fn proxy_for(&self, host: &str) -> Option<&BuildProxy> {
        let host = host.to_ascii_lowercase();
        let is_in = |entry: &str| {
            let domain = entry.trim_start_matches('.');
            let below = host.strip_suffix(domain);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        };
        let is_direct =
            ITSELF.contains(&host.as_str()) || self.no_proxy.iter().any(|entry| is_in(entry));
        self.proxy.as_ref().filter(|_| !is_direct)
    }

    /// Returns the variables of a build, with the password of the proxy; that is of use only to one with a network.
    pub fn environment(&self, has_network: bool) -> BTreeMap<String, String> {
        let mut found = self.variables.all().clone();
        let Some(proxy) = self.proxy.as_ref().filter(|_| has_network) else { return found };
        let direct = ITSELF.into_iter().chain(self.no_proxy.iter().map(String::as_str));
        let direct = direct.collect::<Vec<_>>().join(",");
        // Some programs read one form only.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            found.insert(name.to_owned(), proxy.show());
        }
        for name in ["NO_PROXY", "no_proxy"] {
            found.insert(name.to_owned(), direct.clone());
        }
        found
    }

    /// Returns a line that a build has printed, without user and password of the proxy.
    pub fn hide_in(&self, line: String) -> String {
        match &self.proxy {
            Some(proxy) => proxy.hide_in(&line),
            None => line,
        }
    }
}

/// A setting that names a server for builds, as messages show it.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerSetting {
    /// The flag, with the dashes.
    pub flag: &'static str,
    /// The word for such a server.
    pub what: &'static str,
    /// The host that is asked by default; none where none is.
    pub usual: Option<&'static str>,
}

impl ServerSetting {
    pub const INDEX: Self = Self { flag: "--build-index", what: "index", usual: Some("pypi.org") };
    pub const NPM_REGISTRY: Self =
        Self { flag: "--build-npm-registry", what: "registry", usual: Some("registry.npmjs.org") };
    pub const PROXY: Self = Self { flag: "--build-proxy", what: "proxy", usual: None };

    /// Returns the flag's name among the settings of builds.
    pub fn name(&self) -> &'static str {
        self.flag.trim_start_matches("--build-")
    }
}

/// An index of packages. Its address may have a password.
#[derive(Clone, PartialEq, Eq)]
pub enum PackageIndex {
    /// None at all: packages are those of the folder.
    None,
    /// The one at this address.
    At(Url),
}

impl PackageIndex {
    const NONE: &str = "none";

    /// Returns the form that is parsed, with the password.
    pub fn show(&self) -> String {
        match self {
            Self::None => Self::NONE.to_owned(),
            Self::At(url) => url.to_string(),
        }
    }

    /// Returns the form that is parsed, without user and password.
    pub fn without_password(&self) -> String {
        let Self::At(url) = self else { return self.show() };
        let mut url = url.clone();
        // An address with a host may have both, so neither fails.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// Returns host and port, without names and passwords.
    pub fn host(&self) -> Option<(String, u16)> {
        let Self::At(url) = self else { return None };
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
    }
}

impl fmt::Debug for PackageIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host() {
            Some((host, port)) => write!(f, "At({host}:{port})"),
            None => f.write_str("None"),
        }
    }
}

impl FromStr for PackageIndex {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::NONE {
            return Ok(Self::None);
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.filter(Url::has_host)
            .map(Self::At)
            .ok_or("not an index; accepted are an address such as https://pypi.example/simple, and none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_proxy() -> Builds {
        Builds {
            proxy: Some("http://u:hunter2@proxy.example:3128".parse().unwrap()),
            no_proxy: vec!["corp.example".to_owned(), ".lan".to_owned()],
            variables: "A=1".parse().unwrap(),
            ..Builds::default()
        }
    }

    #[test]
    fn hosts_are_asked_through_the_proxy_but_for_those_that_are_named_and_the_sandbox_itself() {
        let builds = with_proxy();
        for host in ["pypi.org", "corp.example.org", "notcorp.example", "10.0.0.7"] {
            assert!(builds.proxy_for(host).is_some(), "{host}");
        }
        for host in ["corp.example", "PyPI.corp.example", "npm.lan", "localhost", "127.0.0.1", "::1"] {
            assert_eq!(builds.proxy_for(host), None, "{host}");
        }
        assert_eq!(Builds::default().proxy_for("pypi.org"), None);
    }

    #[test]
    fn a_build_has_the_proxy_as_variables_if_it_has_a_network() {
        let builds = with_proxy();
        let found = builds.environment(true);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            assert_eq!(found[name], "http://u:hunter2@proxy.example:3128");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(found[name], "localhost,127.0.0.1,::1,corp.example,.lan");
        }
        assert_eq!(found["A"], "1");
        assert_eq!(Vec::from_iter(builds.environment(false)), [("A".to_owned(), "1".to_owned())]);
        assert!(Builds::default().environment(true).is_empty());
    }

    #[test]
    fn the_password_of_the_proxy_is_not_shown() {
        let builds = with_proxy();
        let shown = format!("{builds:?}");
        assert!(shown.contains("proxy.example:3128") && !shown.contains("hunter2"), "{shown}");
        let line = "using http://u:hunter2@proxy.example:3128".to_owned();
        assert_eq!(builds.hide_in(line), "using http://proxy.example:3128");
        assert_eq!(Builds::default().hide_in("a@b".to_owned()), "a@b");
    }

    #[test]
    fn an_index_is_an_address_or_none_and_shows_no_password() {
        let index = |text: &str| text.parse::<PackageIndex>();
        assert_eq!(index("none"), Ok(PackageIndex::None));
        let at = index("https://u:hunter2@pypi.example/simple/").unwrap();
        assert_eq!(at.host(), Some(("pypi.example".to_owned(), 443)));
        assert_eq!(format!("{at:?}"), "At(pypi.example:443)");
        assert_eq!(at.without_password(), "https://pypi.example/simple/");
        assert_eq!(PackageIndex::None.without_password(), "none");
        assert_eq!(index(&at.show()), Ok(at));
        assert_eq!(index("http://[::1]:8080/").unwrap().host(), Some(("::1".to_owned(), 8080)));
        for wrong in ["", "pypi.example", "ftp://pypi.example/", "http://"] {
            assert_eq!(
                index(wrong).unwrap_err(),
                "not an index; accepted are an address such as https://pypi.example/simple, and none",
                "{wrong}"
            );
        }
    }
}
