//! The start of an instance: its folder, its code, its sandbox.

use std::{path::Path, sync::Arc, time::Instant};

use super::{
    super::{
        bundles::{self, Unpacked},
        bytecode,
        logs::LoadOutput,
        shared::Shared,
        start_failure::{StartFailure, function_error},
    },
    Instance,
    folder::{TASK, make_folder},
    image::image_of_revision,
    memory_kills::MemoryKills,
    own_image,
};
use crate::{
    error_chain::{chain, chain_of_disk},
    manifest::environment,
    model::{Code, FunctionSpec, InstanceId, Package, Revision},
    runtime::{self, Entry, Image, Spec, Started},
};

/// A sandbox with the revision's code in it, not loaded yet. `waits` is called before it waits for an image that is built.
pub(super) async fn start(
    shared: &Arc<Shared>,
    id: InstanceId,
    folder: &Path,
    revision: &Arc<Revision>,
    waits: &(dyn Fn() + Sync),
) -> Result<Instance, StartFailure> {
    let begun = Instant::now();
    let platform =
        |error: &(dyn std::error::Error + 'static)| StartFailure::Platform(chain_of_disk(error));
    make_folder(folder).map_err(|error| platform(&error))?;
    let bundle = fill(shared, folder, revision).await?;
    let image = image_of_revision(revision, bundle.as_ref().map(|bundle| bundle.folder()));
    let spec = Spec {
        instance: id,
        function: revision.name.to_string(),
        image,
        entry: Entry::of(revision.spec.interface),
        folder: folder.to_owned(),
        memory_bytes: revision.spec.memory_bytes,
        cpus: revision.spec.cpus,
        network: revision.spec.network,
        env: environment::of_start(&revision.spec),
        packages: Some(shared.packages.cache.shown()),
        build: None,
    };
    let started = match (shared.runtime.start(&spec).await, &revision.spec.code) {
        // Another host than the one that resolved the name; an image of the same name has to do.
        (Err(runtime::Error::NoImage { .. }), Code::Image { image }) => {
            let image = Image::Own { reference: image.clone() };
            shared.runtime.start(&Spec { image, ..spec }).await
        }
        (Err(runtime::Error::NotBuilt { .. }), _) => {
            waits();
            own_image::make(shared, &spec.image).await?;
            shared.runtime.start(&spec).await
        }
        (started, _) => started,
    };
    let Started { sandbox, guest } = started.map_err(|error| not_started(&error, &revision.spec))?;
    let ready = Instant::now();
    Ok(Instance {
        shared: shared.clone(),
        id,
        revision: revision.clone(),
        sandbox,
        guest,
        memory_kills: MemoryKills::default(),
        packages: None,
        prewarmed: false,
        begun,
        ready,
        loaded: ready,
        load_output: LoadOutput::default(),
    })
}

/// The words added to the reason of an image whose program has not said hello.
const OTHER_INTERFACES: &str = "; an image that does not speak the runtime protocol needs `interface = \"http\"`, \"command\" or \
                                \"lambda\" in cloudfunc.toml";

fn not_started(error: &runtime::Error, spec: &FunctionSpec) -> StartFailure {
    let runtime::Error::Start { output, code, .. } = error else {
        return StartFailure::Platform(chain(error));
    };
    let mut reason = chain(error);
    if !output.is_empty() {
        reason.push_str(&format!("; it wrote: {}", output.trim_end()));
    }
    // Nothing of the function runs before the platform's own program has said hello.
    if Entry::of(spec.interface) == Entry::Helper {
        if is_forbidden(&reason) {
            reason.push_str(
                "; is the platform's data folder on a file system that is mounted with `noexec`?",
            );
        }
        return StartFailure::Platform(reason);
    }
    match spec.code {
        Code::Image { .. } | Code::Dockerfile { .. } => {
            StartFailure::Image(format!("{reason}{OTHER_INTERFACES}"))
        }
        Code::Language { .. }
            if code.is_some_and(|code| ended_itself(code, output))
                && !environment::of_start(spec).is_empty() =>
        {
            let message = format!("{reason} (it was started with variables of [env])");
            StartFailure::Crashed(function_error("start", message))
        }
        Code::Language { .. } => StartFailure::Platform(reason),
    }
}

/// Returns whether the kernel has refused to run a file.
fn is_forbidden(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("permission denied")
}

/// Returns whether a process that exited with this code did so of its own accord, so that its variables may be why. SIGKILL
/// and SIGTERM come from outside; an engine gives 126 to 128 to a process that it could not run, which wrote nothing.
fn ended_itself(code: i64, output: &str) -> bool {
    match code {
        137 | 143 => false,
        126..=128 => !output.is_empty(),
        _ => true,
    }
}

/// Puts the revision's code into an instance's folder, unless its image has it; answers the bundle.
pub(super) async fn fill(
    shared: &Shared,
    folder: &Path,
    revision: &Revision,
) -> Result<Option<Arc<Unpacked>>, StartFailure> {
    let platform = |error: bundles::Error| StartFailure::Platform(chain_of_disk(&error));
    let Some(digest) = &revision.bundle else { return Ok(None) };
    let bundle = shared.bundles.get(digest).await.map_err(platform)?;
    if let Code::Language { package: Package::Bundle, .. } = &revision.spec.code {
        let bytecode = bytecode::for_start(shared, &revision.spec, digest, &bundle);
        bundle.fill(&folder.join(TASK), bytecode).await.map_err(platform)?;
    }
    Ok(Some(bundle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    #[test]
    fn a_helper_that_does_not_start_is_nobodys_but_the_platforms() {
        let defaults = Defaults::default();
        let told = |text: &str, output: &str| {
            let spec = manifest::parse(text, manifest::FILE, &defaults).unwrap().spec;
            let (reason, output) = ("it exited with code 1".to_owned(), output.to_owned());
            match not_started(&runtime::Error::Start { reason, output, code: Some(1) }, &spec) {
                StartFailure::Platform(reason) => reason,
                other => panic!("{other:?}"),
            }
        };
        let denied = "cannot run /run/cloudfunc/helper: Permission denied (os error 13)";
        for text in ["language = 'native'\n[env]\nTZ = 'UTC'", "image = 'i'\ninterface = 'http'"] {
            let reason = "the sandbox did not get ready: it exited with code 1";
            assert_eq!(told(text, ""), reason);
            assert_eq!(
                told(text, denied),
                format!(
                    "{reason}; it wrote: {denied}; is the platform's data folder on a file system that is mounted with \
                     `noexec`?"
                )
            );
        }
    }

    #[test]
    fn an_image_whose_program_says_no_hello_is_told_of_the_other_interfaces() {
        for text in ["image = 'i'", "dockerfile = 'D'"] {
            let spec = manifest::parse(text, manifest::FILE, &Defaults::default()).unwrap().spec;
            let reason =
                "it sent no 'hello' message within 30 s; does the image speak the runtime protocol?";
            let (reason, output) = (reason.to_owned(), "listening on 80\n".to_owned());
            match not_started(&runtime::Error::Start { reason, output, code: None }, &spec) {
                StartFailure::Image(reason) => assert_eq!(
                    reason,
                    "the sandbox did not get ready: it sent no 'hello' message within 30 s; does the image speak the runtime \
                     protocol?; it wrote: listening on 80; an image that does not speak the runtime protocol needs \
                     `interface = \"http\"`, \"command\" or \"lambda\" in cloudfunc.toml"
                ),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn only_a_process_that_ended_itself_may_have_failed_by_its_variables() {
        let defaults = Defaults::default();
        let spec = |text: &str| manifest::parse(text, manifest::FILE, &defaults).unwrap().spec;
        let (plain, varied) = (spec(""), spec("[env]\nPYTHONHASHSEED = 'none'\n"));
        let is_crash = |spec: &FunctionSpec, code: Option<i64>, output: &str| {
            let (reason, output) = ("a reason".to_owned(), output.to_owned());
            match not_started(&runtime::Error::Start { reason, output, code }, spec) {
                StartFailure::Crashed(_) => true,
                StartFailure::Platform(_) => false,
                other => panic!("{other:?}"),
            }
        };
        assert!(is_crash(&varied, Some(1), "Fatal Python error"));
        assert!(is_crash(&varied, Some(139), ""));
        assert!(is_crash(&varied, Some(127), "error while loading shared libraries"));
        assert!(!is_crash(&plain, Some(1), "Fatal Python error"));
        for code in [None, Some(127), Some(137), Some(143)] {
            assert!(!is_crash(&varied, code, ""), "{code:?}");
        }
    }
}
