//! Sandboxes as containers that this program makes itself, from the host's own interpreters.

use async_trait::async_trait;

use super::{Config, Error, Image, Owner, Progress, Runtime, Spec, Started};
use crate::model::Network;

/// The backend.
pub(super) struct Oci;

impl Oci {
    pub(super) fn new(_config: &Config) -> Self {
        Self
    }

    fn absent() -> Error {
        let source = std::io::Error::from(std::io::ErrorKind::Unsupported).into();
        Error::Unavailable { address: "this program".to_owned(), source }
    }
}

#[async_trait]
impl Runtime for Oci {
    fn kind(&self) -> &'static str {
        "oci"
    }

    async fn ping(&self) -> Result<String, Error> {
        Err(Self::absent())
    }

    async fn ensure_image(&self, _image: &Image, _progress: &Progress) -> Result<String, Error> {
        Err(Self::absent())
    }

    async fn start(&self, _spec: &Spec) -> Result<Started, Error> {
        Err(Self::absent())
    }

    async fn notices(&self, _network: Network) -> Vec<String> {
        Vec::new()
    }

    async fn remove_all(&self, _owner: &Owner) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}
