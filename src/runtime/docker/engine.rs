//! The connection to the engine, made at the first use.

use std::time::Duration;

use bollard::{Docker, errors::Error as Answer};
use tokio::{sync::OnceCell, time::timeout};

use super::super::Error;

/// The engine's address, unless another one is set.
const DEFAULT_ADDRESS: &str = "unix:///var/run/docker.sock";

/// The limit of asking for the engine's version: a running engine answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit of waiting for the first byte of any other answer. Creating and starting take a second on a busy host.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Engine {
    address: String,
    client: OnceCell<Docker>,
}

impl Engine {
    pub(super) fn from_environment() -> Self {
        Self { address: address(), client: OnceCell::new() }
    }

    pub(super) async fn client(&self) -> Result<&Docker, Error> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    /// Returns name and version, asked for now.
    pub(super) async fn ping(&self) -> Result<String, Error> {
        let client = self.client().await?;
        let answer =
            timeout(CONNECT_TIMEOUT, client.version()).await.map_err(|late| self.unavailable(late))?;
        let version = answer.map_err(self.failed("answer with its version"))?;
        let name = match version.components.unwrap_or_default().first() {
            Some(component) if component.name.starts_with("Podman") => "Podman",
            _ => "Docker",
        };
        let number = version.version.unwrap_or_default();
        // Distributions add their own suffix, as in 20.10.24+dfsg1.
        Ok(format!("{name} {}", number.split('+').next().unwrap_or_default()))
    }

    async fn connect(&self) -> Result<Docker, Error> {
        let client = Docker::connect_with_host(&self.address)
            .map_err(|error| self.unavailable(error))?
            .with_timeout(REQUEST_TIMEOUT);
        timeout(CONNECT_TIMEOUT, client.negotiate_version())
            .await
            .map_err(|late| self.unavailable(late))?
            .map_err(|error| self.unavailable(error))
    }

    fn unavailable(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Unavailable { address: self.address.clone(), source: Box::new(source) }
    }

    /// Turns the engine's answer to `action` into our error.
    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(Answer) -> Error {
        move |error| match error {
            Answer::HyperLegacyError { .. }
            | Answer::HyperResponseError { .. }
            | Answer::IOError { .. }
            | Answer::RequestTimeoutError
            | Answer::SocketNotFoundError(_) => self.unavailable(error),
            other => Error::Engine { action, source: Box::new(other) },
        }
    }
}

/// Returns the address in `DOCKER_HOST`, else the default socket.
pub(in super::super) fn address() -> String {
    let given = std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty());
    given.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned())
}

fn status(error: &Answer) -> Option<u16> {
    match error {
        Answer::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Returns whether it is a 404: the image, the network or the container does not exist (any more).
pub(super) fn is_missing(error: &Answer) -> bool {
    status(error) == Some(404)
}

/// Returns whether it is a 409: another caller is doing the same.
pub(super) fn is_conflict(error: &Answer) -> bool {
    status(error) == Some(409)
}

/// Returns whether it is a 400: our request makes no sense, for example for an image without a command.
pub(super) fn is_refused(error: &Answer) -> bool {
    status(error) == Some(400)
}

/// Returns the engine's own message.
pub(super) fn text(error: &Answer) -> String {
    match error {
        Answer::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named() {
        for address in ["unix:///nowhere/docker.sock", "gopher://docker"] {
            let engine = Engine { address: address.to_owned(), client: OnceCell::new() };
            let error = engine.ping().await.unwrap_err();
            assert!(error.is_transient() && error.to_string().contains(address), "{error}");
        }
    }
}
