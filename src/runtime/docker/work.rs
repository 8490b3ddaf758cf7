//! Images of the engine: looked for, pulled, built.

use std::pin::pin;

use bollard::{
    Docker, body_try_stream,
    errors::Error as Answer,
    models::ImageInspect,
    query_parameters::{BuildImageOptions, CreateImageOptions},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::engine::{self, Engine};
use crate::runtime::{Error, Progress};

/// The advice for an image that cannot be pulled.
pub(super) const PULL_HELP: &str =
    "connect to a network so that it can be pulled, or load it with `docker load`";

/// One image being made ready.
pub(super) struct Work<'a> {
    engine: &'a Engine,
    client: &'a Docker,
    pub progress: &'a Progress,
}

impl<'a> Work<'a> {
    /// Connects to the engine.
    pub async fn on(engine: &'a Engine, progress: &'a Progress) -> Result<Self, Error> {
        Ok(Self { engine, client: engine.client().await?, progress })
    }

    /// Returns the system and the processor of the engine.
    pub async fn platform(&self) -> Result<(Option<String>, Option<String>), Error> {
        let version = self.client.version().await;
        let version = version.map_err(self.engine.failed("answer with its version"))?;
        Ok((version.os, version.arch))
    }

    /// Returns what the engine knows of an image; none if it is not there.
    pub async fn inspect(&self, reference: &str) -> Result<Option<ImageInspect>, Error> {
        if !is_reference(reference) {
            return Err(no_image(reference, "this is not the name of an image", None));
        }
        match self.client.inspect_image(reference).await {
            Ok(image) => Ok(Some(image)),
            Err(error) if engine::is_missing(&error) => Ok(None),
            Err(error) if engine::is_refused(&error) => {
                Err(no_image(reference, "this is not the name of an image", Some(error)))
            }
            Err(error) => Err(self.engine.failed("look for an image")(error)),
        }
    }

    /// Returns the id of an image; none if it is not there.
    pub async fn id(&self, reference: &str) -> Result<Option<String>, Error> {
        Ok(self.inspect(reference).await?.and_then(|image| image.id))
    }

    /// Returns the id of an image, which is pulled where it is missing; `help` says what to do if it cannot be.
    pub async fn found_or_pulled(&self, reference: &str, help: &str) -> Result<String, Error> {
        if let Some(id) = self.id(reference).await? {
            return Ok(id);
        }
        (self.progress)(format!("pulling {reference}"));
        let options = CreateImageOptions { from_image: Some(with_tag(reference)), ..Default::default() };
        let mut lines = pin!(self.client.create_image(Some(options), None, None));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| no_image(reference, help, Some(error)))?;
            // Per layer, report only the steps that happen once, not every percent.
            if let (Some(status), None) = (line.status, line.progress_detail.and_then(|d| d.current)) {
                (self.progress)(line.id.map_or(status.clone(), |id| format!("{id}: {status}")));
            }
        }
        self.id(reference).await?.ok_or_else(|| no_image(reference, help, None))
    }

    /// Builds an image of the platform's own, without a network; returns its id.
    pub async fn build<C>(&self, tag: &str, context: C) -> Result<String, Error>
    where
        C: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let options = BuildImageOptions {
            t: Some(tag.to_owned()),
            rm: true,
            forcerm: true,
            networkmode: Some("none".to_owned()),
            ..Default::default()
        };
        let mut lines = pin!(self.client.build_image(options, None, Some(body_try_stream(context))));
        while let Some(line) = lines.next().await {
            let line = line.map_err(self.engine.failed("build an image"))?;
            if let Some(text) = line.stream.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                (self.progress)(text.to_owned());
            }
        }
        self.built_id(tag).await
    }

    /// Returns the id of an image that was just built.
    pub async fn built_id(&self, tag: &str) -> Result<String, Error> {
        let missing = || no_image(tag, "the engine built it and does not have it", None);
        self.id(tag).await?.ok_or_else(missing)
    }
}

/// Returns the error of an image that is not there.
pub(super) fn no_image(image: &str, help: &str, source: Option<Answer>) -> Error {
    Error::NoImage {
        image: image.to_owned(),
        help: help.to_owned(),
        source: source.map(|source| Box::new(source) as _),
    }
}

/// Returns whether the text may stand in the path of a request to the engine.
pub(super) fn is_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed) && !text.contains("..")
}

/// Adds the tag `latest` where there is no tag: without one the engine would pull all of them.
fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_tag_means_the_latest() {
        assert_eq!(with_tag("python"), "python:latest");
        assert_eq!(with_tag("localhost:5000/python"), "localhost:5000/python:latest");
        assert_eq!(with_tag("python:3.12"), "python:3.12");
        assert_eq!(with_tag("a/python@sha256:00"), "a/python@sha256:00");
    }

    #[test]
    fn a_reference_cannot_change_the_request() {
        for text in ["", "a?b", "a b", "../containers", "a%2f"] {
            assert!(!is_reference(text), "{text}");
        }
    }
}
