//! The proxy of builds.

use std::{fmt, str::FromStr};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use url::Url;

/// An HTTP proxy. Its address may have a user and a password, which `Debug` and messages do not show.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildProxy(Url);

/// The text in place of a secret.
const HIDDEN: &str = "***";
/// The letters of the shortest text that is hidden wherever it stands: a shorter one is part of words.
const SHORTEST: usize = 4;

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

    /// Returns a text without its user and password as they stand in an address, without both as a request has them (in
    /// base64), and without the password by itself. A user without a password is left out of the proxy's own address only:
    /// anything could be called so.
    pub fn hide_in(&self, text: &str) -> String {
        let (user, host) = (self.0.username(), self.0.host_str().unwrap_or_default());
        let Some(password) = self.0.password() else {
            let its_own = format!("{user}@{host}");
            return if user.is_empty() { text.to_owned() } else { text.replace(&its_own, host) };
        };
        let plain = decoded(password);
        let pairs = [format!("{user}:{password}"), format!("{}:{plain}", decoded(user))];
        let mut shown = text.to_owned();
        for pair in &pairs {
            shown =
                shown.replace(&format!("{pair}@"), "").replace(&BASE64_STANDARD.encode(pair), HIDDEN);
        }
        let secrets = pairs.iter().map(String::as_str).chain([password, plain.as_str()]);
        for secret in secrets.filter(|secret| secret.chars().count() >= SHORTEST) {
            shown = shown.replace(secret, HIDDEN);
        }
        shown
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

/// Reads `%41` as `A`; anything that is not such an escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        let escape = if *first == b'%' { digit(0).zip(digit(1)) } else { None };
        let read = escape.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(read.unwrap_or(*first));
        rest = if read.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    fn user_and_password_are_hidden_in_the_forms_in_which_programs_print_them() {
        let hide = |proxy: &str, text: &str| proxy.parse::<BuildProxy>().unwrap().hide_in(text);
        let escaped = "http://ann:p%40ss%3Aword@proxy.example:3128";
        for (text, shown) in [
            ("via http://ann:p%40ss%3Aword@proxy.example:3128", "via http://proxy.example:3128"),
            ("via http://ann:p@ss:word@proxy.example", "via http://proxy.example"),
            // base64 of `ann:p@ss:word`.
            ("Proxy-Authorization: Basic YW5uOnBAc3M6d29yZA==", "Proxy-Authorization: Basic ***"),
            ("user ann, password p@ss:word", "user ann, password ***"),
            ("p%40ss%3Aword of ann@proxy.example", "*** of ann@proxy.example"),
        ] {
            assert_eq!(hide(escaped, text), shown);
        }
        // A short password is part of other words, and a user alone may be called as others are.
        assert_eq!(hide("http://u:abc@h:1", "abc abcd u:abc@h dTphYmM="), "abc abcd h ***");
        assert_eq!(hide("http://git@h:1", "git@example.org, git@h:1"), "git@example.org, h:1");
        assert_eq!(decoded("a%4"), "a%4");
        assert_eq!(decoded("%C3%A9%zz%"), "é%zz%");
    }

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
