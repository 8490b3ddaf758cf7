//! The provider: where its keys are, and reading them.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::{Certificate, StatusCode, header::ACCEPT};
use serde::Deserialize;
use url::Url;

use super::{key_set::KeySet, refusal::shown};
use crate::settings::{Issuer, Oidc, is_safe_address};

/// The time limit for each of the two documents.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of a document.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// A provider of OpenID Connect.
pub struct Provider {
    issuer: Issuer,
    client: reqwest::Client,
}

/// What is of use here of the document with which a provider describes itself.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// Makes the client; nothing is asked yet. An error if the file of authorities is of no use.
    pub fn new(settings: &Oidc) -> anyhow::Result<Self> {
        // A second call finds the provider of cryptography installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("cloudfunc/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // Between two readings there are minutes.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &settings.ca_file {
            let at = file.display();
            let text =
                std::fs::read(file).with_context(|| format!("--oidc-ca-file: {at} cannot be read"))?;
            let authorities = Certificate::from_pem_bundle(&text)
                .with_context(|| format!("--oidc-ca-file: {at} has a part that is not a certificate"))?;
            ensure!(!authorities.is_empty(), "--oidc-ca-file: {at} has no certificate in PEM form");
            client = client.tls_certs_only(authorities);
        } else if settings.issuer.is_plain() {
            // The system's certificates are not needed, and may be missing.
            client = client.tls_certs_only([]);
        }
        if settings.issuer.is_on_this_host() {
            client = client.no_proxy();
        }
        let client = client.build().context("cannot make an HTTP client for the OIDC provider")?;
        Ok(Self { issuer: settings.issuer.clone(), client })
    }

    /// Reads its keys.
    pub async fn keys(&self) -> anyhow::Result<KeySet> {
        let address = self.discovery();
        let discovery = self.document(&address).await?;
        let discovery: Discovery = serde_json::from_slice(&discovery)
            .with_context(|| format!("{address} is not the description of a provider"))?;
        let (named, issuer) = (&discovery.issuer, &self.issuer);
        ensure!(
            named == issuer.as_str(),
            "{address} is of the issuer '{}', and --oidc-issuer is '{issuer}'",
            shown(named)
        );
        let address = self.keys_address(&discovery.jwks_uri)?;
        let document = self.document(address.as_str()).await?;
        KeySet::read(&document).map_err(|problem| anyhow::anyhow!("{address} {problem}"))
    }

    /// Returns the address of the provider's description.
    fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer.as_str().trim_end_matches('/'))
    }

    /// Checks the address of the keys: it is as safe as that of the issuer.
    fn keys_address(&self, text: &str) -> anyhow::Result<Url> {
        let url = Url::parse(text).ok().filter(is_safe_address);
        let url = url.filter(|url| url.scheme() == "https" || self.issuer.is_plain());
        url.with_context(|| {
            format!("the keys of '{}' are at '{}', which is not https", self.issuer, shown(text))
        })
    }

    async fn document(&self, address: &str) -> anyhow::Result<Vec<u8>> {
        let asked = self.client.get(address).header(ACCEPT, "application/json").send().await;
        let asked = asked.map_err(reqwest::Error::without_url);
        let mut answer = asked.with_context(|| format!("{address} does not answer"))?;
        if answer.status() != StatusCode::OK {
            bail!("{address} answers {}", answer.status());
        }
        let mut document = Vec::new();
        loop {
            let chunk = answer.chunk().await.map_err(reqwest::Error::without_url);
            let Some(chunk) = chunk.with_context(|| format!("{address} stopped answering"))? else {
                return Ok(document);
            };
            ensure!(document.len() + chunk.len() <= MAX_DOCUMENT, "{address} answers more than 1 MiB");
            document.extend_from_slice(&chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn settings(issuer: &str, ca_file: Option<PathBuf>) -> Oidc {
        let roles = "admin=sub:x".parse().unwrap();
        Oidc { issuer: issuer.parse().unwrap(), audience: "cloudfunc".to_owned(), roles, ca_file }
    }

    /// Makes a provider whose client trusts nobody: the system's certificates may be missing.
    fn provider(issuer: &str) -> Provider {
        let near = Provider::new(&settings("http://127.0.0.1", None)).unwrap();
        Provider { issuer: issuer.parse().unwrap(), ..near }
    }

    #[test]
    fn a_provider_describes_itself_below_its_address() {
        for (issuer, expected) in [
            ("https://id.example", "https://id.example/.well-known/openid-configuration"),
            ("https://id.example/", "https://id.example/.well-known/openid-configuration"),
            (
                "https://id.example/realms/a",
                "https://id.example/realms/a/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(provider(issuer).discovery(), expected);
        }
    }

    #[test]
    fn keys_come_over_tls_unless_the_whole_provider_is_on_this_host() {
        let far = provider("https://id.example");
        assert!(far.keys_address("https://keys.example/jwks").is_ok());
        for address in ["http://id.example/keys", "http://127.0.0.1/keys", "file:///etc/passwd", "/keys"]
        {
            let refused = far.keys_address(address).unwrap_err().to_string();
            let expected =
                format!("the keys of 'https://id.example' are at '{address}', which is not https");
            assert_eq!(refused, expected);
        }
        let near = provider("http://127.0.0.1:1");
        assert!(near.keys_address("http://127.0.0.1:1/keys").is_ok());
        assert!(near.keys_address("http://id.example/keys").is_err());
    }

    #[test]
    fn a_file_of_authorities_that_is_of_no_use_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let with = |file: &str| {
            let settings = settings("https://id.example", Some(folder.path().join(file)));
            Provider::new(&settings).map(|_| ()).unwrap_err().to_string()
        };
        std::fs::write(folder.path().join("empty.pem"), "").unwrap();
        let at = folder.path().display();
        assert_eq!(with("none.pem"), format!("--oidc-ca-file: {at}/none.pem cannot be read"));
        let empty = format!("--oidc-ca-file: {at}/empty.pem has no certificate in PEM form");
        assert_eq!(with("empty.pem"), empty);
    }
}
