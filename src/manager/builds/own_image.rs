//! Images of a function's author: built from a Dockerfile, and looked at before anything runs in them.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        instance::{advice, image::image_of},
        shared::Shared,
        workshop::failure::end,
    },
    make::{Built, failed, unfit},
    told::Told,
};
use crate::{
    error_chain::chain,
    model::{
        Code, FunctionSpec, Network,
        message::{Build, BuildStep},
    },
    runtime::{Error, Image, ImageFacts},
    units::show_duration,
};

const NOT_TOLD: &str =
    "further output of the build is not shown, but the end of its last step is if that fails";

/// Builds the image of a Dockerfile where it is not there, and refuses an image that cannot be run here.
pub(super) async fn with_own_image(
    shared: &Arc<Shared>,
    build: &Build,
    mut built: Built,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) -> Result<Built, BuildStep> {
    let name = match &build.spec.code {
        Code::Language { .. } => return Ok(built),
        Code::Image { image } => format!("image '{image}'"),
        Code::Dockerfile { dockerfile, network, .. } => {
            if *network == Network::Egress && build.spec.network == Network::None {
                for notice in shared.runtime.notices(*network).await {
                    let _ = progress.send(notice);
                }
            }
            built.image = tokio::select! {
                biased;
                // Dropped, a build leaves nothing.
                () = stop.cancelled() => Err(failed("the manager stops".to_owned(), false)),
                image = from_dockerfile(shared, build, &built, progress) => image,
            }?;
            format!("the image of {dockerfile}")
        }
    };
    let facts = shared.runtime.image_facts(&built.image).await;
    let facts = facts.map_err(|error| failed(chain(&error), false))?;
    match facts.and_then(|facts| misfit(&name, &build.spec, &facts)) {
        Some(problem) => Err(unfit(problem)),
        None => Ok(built),
    }
}

/// Returns the id of the image.
async fn from_dockerfile(
    shared: &Arc<Shared>,
    build: &Build,
    built: &Built,
    progress: &UnboundedSender<String>,
) -> Result<String, BuildStep> {
    let folder = built.code.as_ref().map(|code| code.folder());
    let mut image = image_of(&build.name, &build.spec, &build.source, folder);
    if let Image::Dockerfile { refresh, .. } = &mut image {
        *refresh = build.refresh;
    }
    let _place = shared.packages.place(|line| drop(progress.send(line))).await;
    let told = Mutex::new(Told::default());
    let sender = progress.clone();
    let tell = move |line: String| {
        if let Some(line) = told.lock().expect("no holder panics").shown(line, NOT_TOLD) {
            let _ = sender.send(line);
        }
    };
    let limit = shared.limits.build_time;
    let building = shared.runtime.ensure_image(&image, &tell);
    match tokio::time::timeout(limit, building).await {
        Ok(made) => made.map_err(|error| into_step(&error, &build.spec)),
        Err(_) => {
            let limit = show_duration(limit);
            let message = format!("the image took longer to build than a build may: {limit}");
            Err(failed(message, true))
        }
    }
}

/// Returns the last step of a build whose image was not made.
fn into_step(error: &Error, spec: &FunctionSpec) -> BuildStep {
    match error {
        Error::Dockerfile { reason, output } => BuildStep::Failed {
            message: format!("{reason}{}", network_hint(spec, output)),
            user_error: true,
            manifest: false,
            error: None,
            output: Some(end(output.clone())).filter(|text| !text.is_empty()),
        },
        Error::NoImages { .. } => unfit(chain(error)),
        // A base image that is not there is its author's to bring.
        Error::NoImage { .. } => failed(chain(error), true),
        other => failed(chain(other), false),
    }
}

/// Returns what is added to the reason of a step that has most likely failed because it had no network.
fn network_hint(spec: &FunctionSpec, output: &str) -> &'static str {
    match spec.code {
        Code::Dockerfile { network: Network::None, .. } if advice::tells_of_no_network(output) => {
            "; a Dockerfile is built without a network: `network = \"egress\"` under [build] gives it one"
        }
        _ => "",
    }
}

/// Returns why an image cannot be run here.
fn misfit(name: &str, spec: &FunctionSpec, facts: &ImageFacts) -> Option<String> {
    let ImageFacts { platform, engine, has_command } = facts;
    if !platform.is_empty() && !engine.is_empty() && platform != engine {
        return Some(format!(
            "{name} is for {platform}, and this platform's engine runs {engine}; give it one for {engine}"
        ));
    }
    if !has_command && spec.command.is_empty() {
        // With the runtime protocol, the guest is the image's own program.
        let advice = match spec.interface.is_protocol() {
            true => "give it an ENTRYPOINT or a CMD",
            false => {
                "name the program with `command` in cloudfunc.toml, or give the image an ENTRYPOINT or a CMD"
            }
        };
        return Some(format!("{name} has no program to run: {advice}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn spec(text: &str) -> FunctionSpec {
        manifest::parse(text, manifest::FILE, &Defaults::default()).unwrap().spec
    }

    fn facts(platform: &str, has_command: bool) -> ImageFacts {
        ImageFacts { platform: platform.to_owned(), engine: "linux/amd64".to_owned(), has_command }
    }

    #[test]
    fn an_image_that_cannot_be_run_here_is_refused_with_what_to_do() {
        let problem = |text: &str, facts: &ImageFacts| misfit("image 'i'", &spec(text), facts);
        let web = "image = 'i'\ninterface = 'http'";
        assert_eq!(problem(web, &facts("linux/amd64", true)), None);
        assert_eq!(problem(web, &facts("", true)), None);
        assert_eq!(
            problem(web, &facts("linux/arm64", true)).unwrap(),
            "image 'i' is for linux/arm64, and this platform's engine runs linux/amd64; give it one for linux/amd64"
        );
        let bare = facts("linux/amd64", false);
        assert_eq!(
            problem(web, &bare).unwrap(),
            "image 'i' has no program to run: name the program with `command` in cloudfunc.toml, or give the image an \
             ENTRYPOINT or a CMD"
        );
        assert_eq!(problem(&format!("{web}\ncommand = ['/server']"), &bare), None);
        assert_eq!(
            problem("image = 'i'", &bare).unwrap(),
            "image 'i' has no program to run: give it an ENTRYPOINT or a CMD"
        );
    }

    #[test]
    fn a_step_that_fails_without_a_network_is_told_of_the_key_that_gives_one() {
        let output = "curl: (6) Could not resolve host: example.com\n";
        let hint = "; a Dockerfile is built without a network: `network = \"egress\"` under [build] gives it one";
        assert_eq!(network_hint(&spec("dockerfile = 'D'"), output), hint);
        assert_eq!(network_hint(&spec("dockerfile = 'D'"), "make: *** Error 2"), "");
        let open = spec("dockerfile = 'D'\nbuild.network = 'egress'");
        assert_eq!(network_hint(&open, output), "");
    }
}
