//! The proxy of builds.

use std::{fmt, str::FromStr};

use url::Url;

/// An HTTP proxy. Its address may have a user and a password, which `Debug` and texts for people do not show.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildProxy(Url);

impl BuildProxy {
    /// Returns the form that is parsed, with user and password. It always has a port: programs differ in the usual one.
    pub fn show(&self) -> String {
        let (scheme, host, port) = self.parts();
        format!("{scheme}://{}{host}:{port}", self.user())
    }

    /// Returns the form that is parsed, without user and password.
    pub fn without_password(&self) -> String {
        let (scheme, host, port) = self.parts();
        format!("{scheme}://{host}:{port}")
    }

    /// Returns host and port.
    pub fn host(&self) -> (String, u16) {
        let (_, host, port) = self.parts();
        (host.trim_matches(['[', ']']).to_owned(), port)
    }

    /// Returns a text in which its user and password do not stand any more.
    pub fn hide_in(&self, text: &str) -> String {
        let user = self.user();
        if user.is_empty() { text.to_owned() } else { text.replace(&user, "") }
    }

    fn parts(&self) -> (&str, &str, u16) {
        let host = self.0.host_str().unwrap_or_default();
        (self.0.scheme(), host, self.0.port_or_known_default().unwrap_or_default())
    }

    /// Returns user and password as an address has them, with the sign that ends them.
    fn user(&self) -> String {
        match (self.0.username(), self.0.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(password)) => format!("{user}:{password}@"),
        }
    }
}

impl fmt::Debug for BuildProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_password())
    }
}

impl FromStr for BuildProxy {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_proxy = |url: &Url| {
            let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare
        };
        let url = Url::parse(text).ok().filter(is_proxy);
        url.map(Self).ok_or("not a proxy; accepted is an address such as http://proxy.example:3128")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_with_a_port_and_shows_no_password() {
        let proxy = |text: &str| text.parse::<BuildProxy>();
        let at = proxy("http://u:hunter2@proxy.example:3128").unwrap();
        assert_eq!(at.host(), ("proxy.example".to_owned(), 3128));
        assert_eq!(at.show(), "http://u:hunter2@proxy.example:3128");
        assert_eq!(
            format!("{at:?} {}", at.without_password()),
            "http://proxy.example:3128 ".repeat(2).trim_end()
        );
        assert_eq!(proxy(&at.show()), Ok(at.clone()));
        assert_eq!(
            at.hide_in("via http://u:hunter2@proxy.example:3128/"),
            "via http://proxy.example:3128/"
        );
        let usual = proxy("https://proxy.example/").unwrap();
        assert_eq!(
            (usual.show().as_str(), usual.hide_in("a@b")),
            ("https://proxy.example:443", "a@b".to_owned())
        );
        assert_eq!(proxy("http://[::1]").unwrap().host(), ("::1".to_owned(), 80));
        for wrong in
            ["", "none", "proxy.example:3128", "socks5://proxy.example", "http://h/path", "http://h/?q"]
        {
            assert_eq!(
                proxy(wrong).unwrap_err(),
                "not a proxy; accepted is an address such as http://proxy.example:3128",
                "{wrong}"
            );
        }
    }
}
