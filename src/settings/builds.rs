//! Where builds get packages from.

use std::{fmt, path::PathBuf, str::FromStr};

use url::Url;

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
