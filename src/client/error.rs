//! The reasons why a request did not get the expected answer.

use std::error::Error as StdError;

use url::Url;

use super::tls::{TlsProblem, shown};
use crate::{
    certificates::CertificateError,
    model::{Problem, code},
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The platform answered with a problem: it refuses, cannot do it now, or cannot do it in this form.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The connection failed, so nothing was sent.
    #[error("no platform answers at {}", shown(.url))]
    NotReachable { url: Url, source: reqwest::Error },
    /// The other end is not trusted, or does not speak what it was spoken to. Nothing was sent, but for a request to an address
    /// that begins with `http:`.
    #[error("{}", .problem.told(.url))]
    Tls { url: Url, problem: Box<TlsProblem> },
    /// The file of authorities that was named is of no use. Nothing was sent.
    #[error(transparent)]
    Authorities(#[from] CertificateError),
    /// The connection broke after the request had been sent: whether it was carried out is not known.
    #[error("the connection to {} was lost", shown(.url))]
    Lost { url: Url, source: reqwest::Error },
    /// The server at this address does not speak our API.
    #[error("unexpected answer: {0}")]
    Protocol(String),
    /// Nothing was sent: a header has characters that HTTP forbids, or the system's certificates cannot be read.
    #[error("cannot make the request")]
    Client(#[source] reqwest::Error),
}

impl Error {
    /// Returns the next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => hint_of(problem),
            Self::NotReachable { source, .. } if is_about_name(source) => Some(
                "the name of the host cannot be resolved: see that it is written right, and that this machine reaches a name \
                 server"
                    .to_owned(),
            ),
            Self::NotReachable { .. } => Some(
                "is the platform running? start it with `cloudfunc up` or `cloudfunc up --embedded`"
                    .to_owned(),
            ),
            Self::Tls { url, problem } => problem.hint(url),
            Self::Authorities(wrong) => Some(wrong.hint()),
            Self::Protocol(_) => Some("is this the address of a CloudFunc gateway?".to_owned()),
            Self::Lost { .. } | Self::Client(_) => None,
        }
    }

    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        Self::Protocol(format!("{what} is not as expected: {error}"))
    }
}

/// Returns whether the address of a host could not be found. The library's error has no type that is public.
fn is_about_name(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string() == "dns error" {
            return true;
        }
        next = error.source();
    }
    false
}
/// The hint of an answer 404 for an unknown route.
const PUBLIC_PORT: &str = "this may be a port of --public-listen, which serves functions only";

/// Returns the hint of a problem. With one about requests that come too fast, the pause is said as a time.
fn hint_of(problem: &Problem) -> Option<String> {
    let hint = problem.hint.as_deref();
    // A gateway names the path that it has no route for.
    if problem.code == code::ROUTE_NOT_FOUND.code && !problem.detail.contains("/v1/") {
        return Some(hint.unwrap_or(PUBLIC_PORT).to_owned());
    }
    let Some(seconds) = problem.retry_after.filter(|_| problem.status == 429) else {
        return hint.map(str::to_owned);
    };
    let again = format!("try again in {seconds} s");
    let header = "wait for as long as Retry-After says, ";
    Some(match hint.map(|hint| hint.strip_prefix(header).ok_or(hint)) {
        None => again,
        Some(Ok(rest)) => format!("{again}, {rest}"),
        Some(Err(hint)) => format!("{again}; {hint}"),
    })
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_is_not_said_to_be_a_platform_that_does_not_run() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let hint = async |url: &str| {
            let source = http.get(url).send().await.unwrap_err();
            Error::NotReachable { url: url.parse().unwrap(), source }.hint().unwrap()
        };
        assert_eq!(
            hint("http://name.invalid/").await,
            "the name of the host cannot be resolved: see that it is written right, and that this machine reaches a name server"
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = hint(&format!("http://127.0.0.1:{port}/")).await;
        assert!(refused.starts_with("is the platform running?"), "{refused}");
    }

    #[test]
    fn who_comes_too_fast_is_told_when_to_try_again() {
        let hint = |hint: Option<&str>, seconds: Option<u64>| {
            let mut problem = Problem::new(code::RATE_LIMITED, "too many");
            (problem.hint, problem.retry_after) = (hint.map(str::to_owned), seconds);
            Error::from(problem).hint()
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(hint(None, Some(20)), told("try again in 20 s"));
        assert_eq!(hint(Some("raise it"), Some(1)), told("try again in 1 s; raise it"));
        let by_header = "wait for as long as Retry-After says, or raise it";
        assert_eq!(hint(Some(by_header), Some(3)), told("try again in 3 s, or raise it"));
        assert_eq!(hint(Some("raise it"), None), told("raise it"));
        let away = Problem::new(code::UNAVAILABLE, "away").retry_after(1);
        assert_eq!(Error::from(away).hint(), None);
    }

    #[test]
    fn a_port_that_serves_functions_only_is_told_of_where_there_is_no_route() {
        let hint = |detail: &str| Error::from(Problem::new(code::ROUTE_NOT_FOUND, detail)).hint();
        let told = "this may be a port of --public-listen, which serves functions only";
        assert_eq!(hint("there is nothing at this address").as_deref(), Some(told));
        // A gateway of an earlier version.
        assert_eq!(hint("there is no route /v1/new"), None);
    }
}
