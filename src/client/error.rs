//! The reasons why a request did not get the expected answer.

use url::Url;

use crate::model::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The platform answered with a problem: it refuses, cannot do it now, or cannot do it in this form.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The connection failed, so nothing was sent.
    #[error("no platform answers at {}", shown(.url))]
    NotReachable { url: Url, source: reqwest::Error },
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
            Self::Problem(problem) => problem.hint.clone(),
            Self::NotReachable { .. } => Some(
                "is the platform running? start it with `cloudfunc up` or `cloudfunc up --embedded`"
                    .to_owned(),
            ),
            Self::Protocol(_) => Some("is this the address of a CloudFunc gateway?".to_owned()),
            Self::Lost { .. } | Self::Client(_) => None,
        }
    }

    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        Self::Protocol(format!("{what} is not as expected: {error}"))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// Shows a URL without the trailing slash, which only helps to append routes.
fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}
