//! A URL with credentials, which `Debug` and errors never show.

use std::fmt;

use url::Url;

/// A URL that is shown as `scheme://host:port/path`, whatever else it holds.
#[derive(Clone)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Parses a URL that names a host. The error says what is wrong without repeating the text, which may hold a
    /// password.
    pub fn new(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err("the URL names no host".to_owned());
        }
        Ok(Self(url))
    }

    /// Returns the whole URL, credentials included.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Returns `host:port`, or only the host when the URL gives no port.
    pub fn address(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.0.scheme(), self.address(), self.0.path())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SecretUrl;

    #[test]
    fn credentials_are_never_shown() {
        let url = SecretUrl::new("amqp://user:hunter2@localhost:5672/%2f").unwrap();
        assert_eq!(format!("{url} {url:?}"), "amqp://localhost:5672/%2f amqp://localhost:5672/%2f");
        assert!(url.expose().contains("hunter2"));
    }
}
