//! Images of functions' authors: built from a Dockerfile, or ready-made.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    Shared,
    build::{self, Order},
    downloads::downloads,
    recipe::FUNCTION_RECIPE,
    work::{PULL_HELP, Work, no_image},
};
use crate::{
    model::Digest,
    runtime::{Error, ImageFacts},
};

/// The label for what an image was built with, besides its source.
pub(super) const BUILD_LABEL: &str = "cloudfunc.build";

impl Work<'_> {
    /// Returns entry point and command of the image with this id, as one list. It may be empty.
    pub async fn own_command(&self, id: &str) -> Result<Arc<[String]>, Error> {
        let image = self.inspect(id).await?.ok_or_else(|| no_image(id, PULL_HELP, None))?;
        let config = image.config.unwrap_or_default();
        Ok(config.entrypoint.into_iter().chain(config.cmd).flatten().collect())
    }

    /// Returns what decides whether an image can be run here; none if it is gone.
    pub async fn facts(&self, id: &str) -> Result<Option<ImageFacts>, Error> {
        let Some(image) = self.inspect(id).await? else { return Ok(None) };
        let (os, architecture) = self.platform().await?;
        let config = image.config.unwrap_or_default();
        let mut words = [config.entrypoint, config.cmd].into_iter().flatten().flatten();
        Ok(Some(ImageFacts {
            platform: platform(image.os, image.architecture),
            engine: platform(os, architecture),
            has_command: words.any(|word| !word.is_empty()),
        }))
    }

    /// Returns an image that was built from a function's source before, as `key` says: the one with this id, or else with this tag.
    pub async fn built(&self, tag: &str, id: Option<&str>, key: &str) -> Result<Option<String>, Error> {
        for name in id.into_iter().chain([tag]) {
            let Some(image) = self.inspect(name).await? else { continue };
            let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
            if let Some(id) = image.id
                && labels.get(BUILD_LABEL).is_some_and(|label| label == key)
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Builds an image from a function's source.
    pub async fn build_source(
        &self,
        shared: &Shared,
        source: &Path,
        order: Order<'_>,
    ) -> Result<String, Error> {
        let Order { tag, dockerfile, .. } = order;
        (self.progress)(format!("building the image of {dockerfile}: {tag}"));
        let prepared = build::prepare(source, dockerfile, order.args).await?;
        let help = format!("{dockerfile} needs it; {PULL_HELP}");
        for image in &prepared.images {
            let id = self.found_or_pulled(image, &help).await?;
            let config = self.inspect(&id).await?.and_then(|image| image.config);
            let triggers = config.and_then(|config| config.on_build).unwrap_or_default();
            if let Some(trigger) = triggers.iter().find(|trigger| downloads(trigger)) {
                return Err(build::refused(dockerfile, &refused_trigger(image, trigger)));
            }
        }
        if order.network != "none" {
            shared.egress.ensure(&shared.engine, &[]).await?;
        }
        build::build(&shared.engine, &order, prepared, self.progress).await?;
        self.built_id(tag).await
    }
}

/// Says which trigger of an image is refused. An image's text may be anything.
fn refused_trigger(image: &str, trigger: &str) -> String {
    format!(
        "image '{image}' has `ONBUILD {}`, for which the engine may download something with the network of its host",
        build::shown(&trigger.escape_debug().to_string())
    )
}

/// Returns a digest of everything but the source that a build depends on.
pub(super) fn key(dockerfile: &str, args: &BTreeMap<String, String>, network: &str) -> String {
    let has_network = network != "none";
    let all = (FUNCTION_RECIPE, dockerfile, args, has_network);
    Digest::of(&serde_json::to_vec(&all).expect("texts are JSON")).to_string()
}

/// Returns `linux/amd64`; empty where the engine does not know it.
fn platform(os: Option<String>, architecture: Option<String>) -> String {
    let known = |text: Option<String>| text.filter(|text| !text.is_empty());
    match (known(os), known(architecture)) {
        (Some(os), Some(architecture)) => format!("{os}/{architecture}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_built_anew_with_other_arguments() {
        let args = |value: &str| BTreeMap::from([("A".to_owned(), value.to_owned())]);
        let first = key("Dockerfile", &args("1"), "none");
        assert_eq!(key("Dockerfile", &args("1"), "none"), first);
        assert_ne!(key("Dockerfile", &args("2"), "none"), first);
        assert_ne!(key("web.dockerfile", &args("1"), "none"), first);
        let open = key("Dockerfile", &args("1"), "cloudfunc-a-egress");
        assert_ne!(open, first);
        // Platforms that share an engine share its images.
        assert_eq!(key("Dockerfile", &args("1"), "cloudfunc-b-egress"), open);
    }

    #[test]
    fn an_image_of_an_earlier_version_is_built_anew() {
        let args = BTreeMap::new();
        let earlier = Digest::of(&serde_json::to_vec(&("Dockerfile", &args, false)).unwrap());
        assert_ne!(key("Dockerfile", &args, "none"), earlier.to_string());
    }

    #[test]
    fn a_platform_that_is_not_known_is_none() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(platform(text("linux"), text("arm64")), "linux/arm64");
        assert_eq!(platform(text("linux"), text("")), "");
        assert_eq!(platform(None, text("arm64")), "");
    }

    #[test]
    fn a_trigger_that_downloads_is_shown_in_a_line() {
        assert_eq!(
            refused_trigger("a:1", "ADD http:/\\/h\n /x"),
            "image 'a:1' has `ONBUILD ADD http:/\\\\/h\\n /x`, for which the engine may download something with the \
             network of its host"
        );
    }
}
