//! Bundle and image of a build.

use std::{env::consts::ARCH, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        bundles::Unpacked,
        bytecode,
        dependencies::{self, cache::Tree},
        instance::image::{function_tag, image_of},
        shared::Shared,
    },
    size::too_large,
};
use crate::{
    bundle,
    error_chain::{chain, chain_of_disk},
    model::{
        Code, Digest, FunctionSpec, Package,
        message::{Build, BuildStep},
    },
    runtime::{self, Error, Image},
};

/// The result of a build.
pub(super) struct Built {
    /// Empty until a Dockerfile is built.
    pub image: String,
    pub bundle: Option<Digest>,
    /// Its installed packages.
    pub packages: Option<Arc<Tree>>,
    /// Remarks for its author.
    pub notices: Vec<String>,
    /// Its unpacked source.
    pub code: Option<Arc<Unpacked>>,
}

/// Makes bundle and image, without loading the code.
pub(super) async fn perform(
    shared: &Arc<Shared>,
    build: &Build,
    progress: &UnboundedSender<String>,
) -> Result<Built, BuildStep> {
    let platform = |error: &(dyn std::error::Error + 'static)| failed(chain_of_disk(error), false);
    fits(shared, build).await?;
    let mut notices = Vec::new();
    let (bundle, tree) = match &build.spec.code {
        Code::Image { .. } => (None, None),
        Code::Language { .. } | Code::Dockerfile { .. } => {
            let source = shared.store.blob(&build.source).await.map_err(|error| platform(&error))?;
            let source = source
                .ok_or_else(|| failed(format!("source {} is not in the store", build.source), false))?;
            notices = check(source, build).await?;
            let _ = progress.send("unpacking the source".to_owned());
            let tree = shared.bundles.get(&build.source).await.map_err(|error| platform(&error))?;
            (Some(build.source.clone()), Some(tree))
        }
    };
    if !build.spec.interface.is_protocol() {
        runtime::helper_program().map_err(|why| unfit(without_helper(&build.spec, why)))?;
    }
    for notice in shared.runtime.notices(build.spec.network).await {
        let _ = progress.send(notice);
    }
    // Held to the end: what is in use is not removed.
    let image = match (&build.spec.build_command, &build.spec.code) {
        // Its own image is made of what the command makes.
        (Some(_), Code::Language { language, version, package: _ }) => {
            let image = Image::Language { language: *language, version: version.clone() };
            made_image(shared, build, &image, progress).await?
        }
        // It is built without this build's place, which others wait for.
        (_, Code::Dockerfile { .. }) => String::new(),
        _ => function_image(shared, build, &build.source, tree.as_deref(), progress).await?,
    };
    Ok(Built { image, bundle, packages: None, notices, code: tree })
}

/// Adds the packages that the code asks for, installed where that has not been done.
pub(super) async fn with_packages(
    shared: &Arc<Shared>,
    build: &Build,
    built: Built,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) -> Result<Built, BuildStep> {
    let (Some(code), Code::Language { language, version, package }) = (&built.code, &build.spec.code)
    else {
        return Ok(built);
    };
    // An image of its own is not what packages are installed in.
    let image = match package {
        Package::Bundle => built.image.clone(),
        Package::Image => {
            let image = Image::Language { language: *language, version: version.clone() };
            let found = shared.runtime.ensure_image(&image, &|_| ()).await;
            found.map_err(|error| failed(chain(&error), false))?
        }
    };
    let folder = code.folder();
    let (packages, more) = dependencies::ensure(shared, build, folder, &image, progress, stop).await?;
    let notices = [built.notices, more].concat();
    Ok(Built { packages, notices, ..built })
}

/// Compiles the code, so that its first start is as fast as those that follow. Code that is not loaded here may never be.
pub(super) async fn compile(
    shared: &Arc<Shared>,
    build: &Build,
    built: &Built,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) {
    if let (Some(_), Some(bundle), Some(code)) = (&build.check, &built.bundle, &built.code) {
        bytecode::at_deploy(shared, &build.spec, bundle, code, progress, stop).await;
    }
}

/// No instance of what is larger than the machine or the budget could ever start.
async fn fits(shared: &Shared, build: &Build) -> Result<(), BuildStep> {
    let machine = shared.runtime.machine().await;
    let problem = too_large(&build.spec, machine, shared.limits.memory_budget);
    problem.map_or(Ok(()), |message| Err(unfit(message)))
}

/// Returns remarks for the author. The machine is that of this manager, which a registry need not have.
async fn check(source: Bytes, build: &Build) -> Result<Vec<String>, BuildStep> {
    let spec = build.spec.clone();
    let user = |error: &(dyn std::error::Error + 'static)| failed(chain(error), true);
    tokio::task::spawn_blocking(move || {
        let listing = bundle::read(&source).map_err(|error| user(&error))?;
        if spec.build_command.is_none() {
            bundle::check_runnable(&listing, &spec, ARCH).map_err(|error| user(&error))?;
        }
        Ok::<_, BuildStep>(bundle::remarks(&listing, &spec))
    })
    .await
    .expect("checking does not panic")
}

fn without_helper(spec: &FunctionSpec, why: &str) -> String {
    format!(
        "`interface = \"{}\"` needs the platform's helper, and this manager's program was built without it: {why}",
        spec.interface.name()
    )
}

/// Makes the image of a function whose command has made its code: its own, where it has one.
pub(super) async fn with_image(
    shared: &Arc<Shared>,
    build: &Build,
    built: Built,
    progress: &UnboundedSender<String>,
) -> Result<Built, BuildStep> {
    match (&build.spec.build_command, &build.spec.code, &built.bundle) {
        (Some(_), Code::Language { package: Package::Image, .. }, Some(bundle)) => {
            let code = built.code.as_deref();
            let _place = shared.packages.place(|line| drop(progress.send(line))).await;
            let image = function_image(shared, build, bundle, code, progress).await?;
            Ok(Built { image, ..built })
        }
        _ => Ok(built),
    }
}

/// Makes the image of a function with this code, and returns its id or tag.
async fn function_image(
    shared: &Arc<Shared>,
    build: &Build,
    digest: &Digest,
    code: Option<&Unpacked>,
    progress: &UnboundedSender<String>,
) -> Result<String, BuildStep> {
    let image = image_of(&build.name, &build.spec, digest, code.map(Unpacked::folder));
    let id = made_image(shared, build, &image, progress).await?;
    Ok(match &build.spec.code {
        Code::Language { package: Package::Image, .. } => function_tag(build.name.as_str(), digest),
        _ => id,
    })
}

async fn made_image(
    shared: &Arc<Shared>,
    build: &Build,
    image: &Image,
    progress: &UnboundedSender<String>,
) -> Result<String, BuildStep> {
    let progress = progress.clone();
    let report = move |line: String| drop(progress.send(line));
    shared.runtime.ensure_image(image, &report).await.map_err(|error| {
        // An image of the user's own that is not there is the user's to bring.
        let is_own = matches!(build.spec.code, Code::Image { .. }) && !error.is_transient();
        if matches!(error, Error::NoImages { .. }) {
            unfit(chain(&error))
        } else {
            failed(chain(&error), is_own)
        }
    })
}

pub(super) fn failed(message: String, user_error: bool) -> BuildStep {
    BuildStep::Failed { message, user_error, manifest: false, error: None, output: None }
}

/// The manifest asks for what is not here.
pub(super) fn unfit(message: String) -> BuildStep {
    BuildStep::Failed { message, user_error: true, manifest: true, error: None, output: None }
}
