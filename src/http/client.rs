//! The HTTP client between roles.

use std::time::Duration;

use anyhow::Context as _;

/// The most headers of an answer: those of a web server's response, of which there may be a hundred, and ours.
const MAX_HEADERS: usize = 128;

/// Keeps its connections; the other end is on this host, so that not connecting is known soon.
pub fn client() -> anyhow::Result<reqwest::Client> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        // Roles talk over loopback without TLS: the system's certificates need not be there.
        .tls_certs_only([])
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(2))
        // Shorter than the other end keeps one, which might else close it while a request is sent.
        .pool_idle_timeout(Duration::from_secs(90))
        .redirect(reqwest::redirect::Policy::none())
        .http1_max_headers(MAX_HEADERS)
        .build()
        .context("cannot make an HTTP client")
}
