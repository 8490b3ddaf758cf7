//! The image of a Dockerfile where this host does not have it: another host has built it, or it was removed. It is
//! built before the sandbox is started, as a deploy builds it: in a place of the builds, within their time.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::super::{shared::Shared, start_failure::StartFailure};
use crate::{
    error_chain::chain_of_disk,
    runtime::{Error, Image},
    units::show_duration,
};

/// The end of a failed step's output that is told, in bytes: it becomes a part of the reason.
const MAX_OUTPUT: usize = 2048;

/// Builds the image. Dropped, it ends the build, unless others wait for the same image.
pub(super) async fn make(shared: &Arc<Shared>, image: &Image) -> Result<(), StartFailure> {
    let Image::Dockerfile { tag, .. } = image else { return Ok(()) };
    let making = {
        let (shared, image, tag) = (shared.clone(), image.clone(), tag.clone());
        async move { built(&shared, &image, &tag).await }.boxed()
    };
    tokio::select! {
        biased;
        () = shared.given_up.cancelled() => Err(StartFailure::Platform("the manager stopped".to_owned())),
        made = shared.under_way.image(tag, making) => made,
    }
}

async fn built(shared: &Shared, image: &Image, tag: &str) -> Result<(), StartFailure> {
    let limit = shared.limits.build_time;
    let Ok(_place) = tokio::time::timeout(limit, shared.packages.place(|_| ())).await else {
        let limit = show_duration(limit);
        let reason =
            format!("the image is not on this host, and none of its builds ended within {limit}");
        return Err(StartFailure::Platform(reason));
    };
    tracing::info!(image = tag, "the image of a function is not on this host and is built");
    let progress = |line: String| tracing::debug!(line, "an image for a start");
    match tokio::time::timeout(limit, shared.runtime.ensure_image(image, &progress)).await {
        Ok(made) => made.map(drop).map_err(|error| not_built(&error)),
        Err(_) => {
            let limit = show_duration(limit);
            let reason = format!("the image took longer to build than a build may: {limit}");
            Err(StartFailure::Image(reason))
        }
    }
}

/// A build that fails is its Dockerfile's fault, here as at a deploy.
fn not_built(error: &Error) -> StartFailure {
    match error {
        Error::Dockerfile { reason, output } => {
            let cut = output.ceil_char_boundary(output.len().saturating_sub(MAX_OUTPUT));
            let wrote = match output[cut..].trim() {
                "" => String::new(),
                output => format!("; it wrote: {output}"),
            };
            StartFailure::Image(format!(
                "the image is not on this host and cannot be built: {reason}{wrote}"
            ))
        }
        other => StartFailure::Platform(chain_of_disk(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_cannot_be_built_for_a_start_is_the_functions_fault_and_says_why() {
        let told = |output: &str| {
            let reason = "step 2 of Dockerfile failed with code 3 (RUN make)".to_owned();
            match not_built(&Error::Dockerfile { reason, output: output.to_owned() }) {
                StartFailure::Image(reason) => reason,
                other => panic!("{other:?}"),
            }
        };
        let reason = "the image is not on this host and cannot be built: step 2 of Dockerfile failed with code 3 (RUN make)";
        assert_eq!(told(""), reason);
        assert_eq!(told("no compiler\n"), format!("{reason}; it wrote: no compiler"));
        let long = told(&format!("{}\nthe end\n", "ä".repeat(MAX_OUTPUT)));
        assert!(long.len() < reason.len() + MAX_OUTPUT + 20 && long.ends_with("ä\nthe end"), "{long}");
    }

    #[test]
    fn an_engine_that_does_not_answer_is_the_platforms_fault() {
        let address = "unix:///run/docker.sock".to_owned();
        let error = Error::Unavailable { address, source: "refused".into() };
        assert!(matches!(not_built(&error), StartFailure::Platform(_)));
    }
}
