//! Builds: any manager may take one. The result is a bundle in the store; images are this host's
//! cache, which other managers make anew for themselves. Then the code is loaded once, before anything of it
//! is registered.

use std::{
    path::PathBuf,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc::UnboundedSender, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    bundles::Unpacked,
    consumers::Backoff,
    dispatch::{Command, Dispatch},
    instance::{function_tag, image_of},
    load_once::{Check, Checked},
};
use crate::{
    bundle,
    error_chain::{chain, chain_of_disk},
    model::{
        Code, Digest, FunctionError, FunctionSpec, Package, Revision, RevisionNumber,
        message::{self, Build, BuildEvent, BuildStep, Parcel},
    },
    queue::{Address, ConsumeOptions, Delivery, Message},
    runtime::{Error, Machine},
    units::{self, show_duration},
};

/// A message is taken by who is going to build it now.
const ONE: ConsumeOptions = ConsumeOptions { prefetch: 1, priority: 0 };
/// So many may be under way, most of them waiting for their code to be loaded; then the next build waits. Of those
/// that are built there is one at a time: they take all the cores they can get.
const AT_ONCE: usize = 64;
/// So much code is loaded at once, which takes a function's own time.
const LOADED_AT_ONCE: usize = 8;
/// While the code is loaded, or waits for that, whoever deploys hears of it.
const STILL: Duration = Duration::from_secs(30);

/// Takes builds until `stop`; one that is under way is finished.
pub async fn consume(shared: Arc<Shared>, dispatch: Dispatch, stop: CancellationToken) {
    let building = Arc::new(Semaphore::new(1));
    let loading = Loading { places: Semaphore::new(LOADED_AT_ONCE), stop: stop.clone(), still: STILL };
    let workers = (0..AT_ONCE).map(|_| work(&shared, &dispatch, &building, &loading, &stop));
    futures_util::future::join_all(workers).await;
}

async fn work(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    building: &Arc<Semaphore>,
    loading: &Loading,
    stop: &CancellationToken,
) {
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let next = async {
            let place = building.clone().acquire_owned().await.expect("it is never closed");
            // Only now: what was handed out to a consumer is kept from other managers.
            (place, shared.queue.consume(&Address::Builds, ONE).await)
        };
        let (place, consumer) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        let mut consumer = match consumer {
            Ok(consumer) => consumer,
            Err(error) => {
                backoff.pause("builds cannot be consumed", &error, stop).await;
                continue;
            }
        };
        backoff = Backoff::new();
        let delivery = tokio::select! {
            () = stop.cancelled() => return,
            delivery = consumer.next() => delivery,
        };
        drop(consumer);
        if let Some(delivery) = delivery {
            run(shared, dispatch, loading, delivery, place).await;
        }
    }
}

/// Tags that images of builds under way have or will have: no revision names them yet, and they stay.
#[derive(Default)]
pub struct UnderWay(Mutex<Vec<String>>);

impl UnderWay {
    pub fn tags(&self) -> Vec<String> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// Until the answer is dropped.
    fn enter(&self, tag: String) -> impl Drop {
        self.0.lock().expect("no holder panics").push(tag.clone());
        Entered { under_way: self, tag }
    }
}

struct Entered<'a> {
    under_way: &'a UnderWay,
    tag: String,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut tags = self.under_way.0.lock().expect("no holder panics");
        if let Some(place) = tags.iter().position(|tag| *tag == self.tag) {
            tags.swap_remove(place);
        }
    }
}

async fn run(
    shared: &Arc<Shared>,
    dispatch: &Dispatch,
    loading: &Loading,
    delivery: Delivery,
    place: OwnedSemaphorePermit,
) {
    let build = match delivery.parcel.open::<Build>() {
        Ok((build, _)) => build,
        Err(error) => {
            tracing::error!(%error, "build dropped");
            return drop(delivery.ack().await);
        }
    };
    tracing::info!(function = %build.name, build = %build.build, "building");
    let _entered = shared.under_way.enter(function_tag(build.name.as_str(), &build.source));
    let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let forward = async {
        while let Some(message) = lines.recv().await {
            tell(shared, &build, BuildStep::Progress { message }).await;
        }
    };
    let work = async {
        let built = perform(shared, &build, &progress).await;
        dispatch.send(Command::ImageMade);
        drop(place);
        let step = match built {
            Ok(built) => load(dispatch, loading, &build, built, &progress).await,
            Err(failed) => failed,
        };
        drop(progress);
        step
    };
    let (step, ()) = tokio::join!(work, forward);
    if let BuildStep::Failed { message, .. } = &step {
        tracing::info!(function = %build.name, error = message, "build failed");
    } else {
        tracing::info!(function = %build.name, "built");
    }
    tell(shared, &build, step).await;
    drop(delivery.ack().await);
}

async fn tell(shared: &Shared, build: &Build, step: BuildStep) {
    let event = BuildEvent { v: message::VERSION, build: build.build, step };
    let message = Message { parcel: Parcel::new(event, Bytes::new()), expires: None };
    if let Err(error) = shared.queue.publish(&Address::Reply(build.reply_to.clone()), message).await {
        tracing::debug!(error = %chain(&error), "nobody waits for this build any more");
    }
}

/// The result of a build.
struct Built {
    image: String,
    bundle: Option<Digest>,
    /// Its unpacked source.
    _tree: Option<Arc<Unpacked>>,
}

async fn perform(
    shared: &Arc<Shared>,
    build: &Build,
    progress: &UnboundedSender<String>,
) -> Result<Built, BuildStep> {
    let platform = |error: &(dyn std::error::Error + 'static)| failed(chain_of_disk(error), false);
    fits(shared, build).await?;
    let (bundle, tree) = match &build.spec.code {
        Code::Image { .. } => (None, None),
        Code::Language { .. } => {
            let source = shared.store.blob(&build.source).await.map_err(|error| platform(&error))?;
            let source = source
                .ok_or_else(|| failed(format!("source {} is not in the store", build.source), false))?;
            check(source, build).await?;
            let _ = progress.send("unpacking the source".to_owned());
            let tree = shared.bundles.get(&build.source).await.map_err(|error| platform(&error))?;
            (Some(build.source.clone()), Some(tree))
        }
    };
    for notice in shared.runtime.notices(build.spec.network).await {
        let _ = progress.send(notice);
    }
    // Held to the end: what is in use is not removed.
    let folder = tree.as_ref().map(|tree| tree.folder().to_owned());
    let image = ensure_image(shared, build, folder, progress.clone()).await?;
    Ok(Built { image, bundle, _tree: tree })
}

/// No instance of what is larger than the machine or the budget could ever start.
async fn fits(shared: &Shared, build: &Build) -> Result<(), BuildStep> {
    let machine = shared.runtime.machine().await;
    let problem = too_large(&build.spec, machine, shared.limits.memory_budget);
    problem.map_or(Ok(()), |message| Err(unfit(message)))
}

fn too_large(spec: &FunctionSpec, machine: Machine, budget: u64) -> Option<String> {
    let (memory, cpus) = (spec.memory_bytes, spec.cpus);
    if let Some(has) = machine.cpus.filter(|has| cpus > f64::from(*has)) {
        return Some(format!(
            "`cpus` is {cpus}, and the machine has {has}; set `cpus` to at most {has}"
        ));
    }
    if let Some(has) = machine.memory_bytes.filter(|has| memory > *has) {
        let (memory, has) = (units::show_bytes(memory), units::show_bytes(has));
        return Some(format!(
            "`memory` is {memory}, and the machine has {has}; set `memory` to at most {has}"
        ));
    }
    (memory > budget).then(|| {
        format!(
            "`memory` is {}, and all functions together may have {budget} here; set `memory` to at most {budget}, or \
             start the platform with a larger --memory-budget",
            units::show_bytes(memory),
            budget = units::show_bytes(budget)
        )
    })
}

async fn check(source: Bytes, build: &Build) -> Result<(), BuildStep> {
    let spec = build.spec.clone();
    let user = |error: &(dyn std::error::Error + 'static)| failed(chain(error), true);
    tokio::task::spawn_blocking(move || {
        let listing = bundle::read(&source).map_err(|error| user(&error))?;
        bundle::check_code(&listing, &spec).map_err(|error| user(&error))
    })
    .await
    .expect("checking does not panic")
}

async fn ensure_image(
    shared: &Arc<Shared>,
    build: &Build,
    tree: Option<PathBuf>,
    progress: UnboundedSender<String>,
) -> Result<String, BuildStep> {
    let image = image_of(&unregistered(build, None, String::new()), tree.as_deref());
    let report = move |line: String| drop(progress.send(line));
    let id = shared.runtime.ensure_image(&image, &report).await.map_err(|error| {
        // An image of the user's own that is not there is the user's to bring.
        let is_own = matches!(build.spec.code, Code::Image { .. }) && !error.is_transient();
        if matches!(error, Error::NoImages { .. }) {
            unfit(chain(&error))
        } else {
            failed(chain(&error), is_own)
        }
    })?;
    Ok(match &build.spec.code {
        Code::Language { package: Package::Image, .. } => {
            function_tag(build.name.as_str(), &build.source)
        }
        _ => id,
    })
}

/// A build as a revision that is not registered.
fn unregistered(build: &Build, bundle: Option<Digest>, image: String) -> Revision {
    Revision {
        function: crate::model::FunctionId::new(),
        name: build.name.clone(),
        number: RevisionNumber(0),
        spec: build.spec.clone(),
        source: build.source.clone(),
        bundle,
        image,
        created_at: jiff::Timestamp::now(),
    }
}

/// Has the code loaded once, where that is asked for. That the platform cannot do it is no reason not to deploy.
async fn load(
    dispatch: &Dispatch,
    loading: &Loading,
    build: &Build,
    built: Built,
    progress: &UnboundedSender<String>,
) -> BuildStep {
    let Built { image, bundle, _tree } = built;
    let is_wanted =
        build.check.as_ref().is_some_and(|check| check.unless_image.as_ref() != Some(&image));
    let (mut notice, mut output) = (None, None);
    if is_wanted {
        let revision = Arc::new(unregistered(build, bundle.clone(), image.clone()));
        match load_once(dispatch, loading, revision, progress).await {
            Checked::Loaded { printed } => output = Some(printed).filter(|text| !text.is_empty()),
            Checked::Failed { error, printed } => return not_loaded(build, error, printed),
            Checked::Skipped { reason } => {
                tracing::warn!(function = %build.name, reason, "the code was not loaded");
                notice = Some(format!("the code was not loaded before it was deployed: {reason}"));
            }
        }
    }
    BuildStep::Done { image, bundle, notice, output }
}

/// Places for code that is loaded.
struct Loading {
    places: Semaphore,
    stop: CancellationToken,
    /// [`STILL`], but for tests.
    still: Duration,
}

impl Loading {
    /// Waits for one; none when the manager stops.
    async fn place(&self, progress: &UnboundedSender<String>) -> Option<SemaphorePermit<'_>> {
        let mut place = pin!(self.places.acquire());
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                place = &mut place => return place.ok(),
                () = tokio::time::sleep(self.still) => {
                    let waits = "waiting for the code of other deploys to be loaded first";
                    let _ = progress.send(waits.to_owned());
                }
            }
        }
    }
}

async fn load_once(
    dispatch: &Dispatch,
    loading: &Loading,
    revision: Arc<Revision>,
    progress: &UnboundedSender<String>,
) -> Checked {
    let Some(_place) = loading.place(progress).await else {
        return Checked::Skipped { reason: "the manager stops".to_owned() };
    };
    let _ = progress.send("loading the code once".to_owned());
    let limit = revision.spec.load_limit();
    let (answer, checked) = oneshot::channel();
    dispatch.send(Command::Check(Box::new(Check { revision, answer })));
    answered(checked, limit, progress).await
}

async fn answered(
    mut checked: oneshot::Receiver<Checked>,
    limit: Duration,
    progress: &UnboundedSender<String>,
) -> Checked {
    let mut passed = Duration::ZERO;
    loop {
        match tokio::time::timeout(STILL, &mut checked).await {
            Ok(Ok(checked)) => return checked,
            Ok(Err(_)) => return Checked::Skipped { reason: "the manager stopped".to_owned() },
            Err(_) => {
                passed += STILL;
                let (passed, limit) = (show_duration(passed), show_duration(limit));
                let _ = progress.send(format!("still loading the code: {passed} of at most {limit}"));
            }
        }
    }
}

/// The type is told of what Python raised, not of our own words.
fn not_loaded(build: &Build, error: FunctionError, printed: String) -> BuildStep {
    let is_raised = !matches!(
        error.kind.as_str(),
        "exit" | "out_of_memory" | "protocol" | "load" | "start" | "too_large"
    );
    let kind = if is_raised { format!("{}: ", error.kind) } else { String::new() };
    let message = format!("the code of '{}' cannot be loaded: {kind}{}", build.name, error.message);
    let output = Some(printed).filter(|text| !text.is_empty());
    BuildStep::Failed {
        message,
        user_error: true,
        manifest: false,
        error: Some(Box::new(error)),
        output,
    }
}

fn failed(message: String, user_error: bool) -> BuildStep {
    BuildStep::Failed { message, user_error, manifest: false, error: None, output: None }
}

/// The manifest asks for what is not here.
fn unfit(message: String) -> BuildStep {
    BuildStep::Failed { message, user_error: true, manifest: true, error: None, output: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{self, Defaults},
        model::Language,
    };

    #[tokio::test]
    async fn whoever_waits_for_a_load_hears_of_it_and_a_stop_ends_the_wait() {
        let loading = Loading {
            places: Semaphore::new(LOADED_AT_ONCE),
            stop: CancellationToken::new(),
            still: Duration::from_millis(1),
        };
        let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let mut taken = Vec::new();
        for _ in 0..LOADED_AT_ONCE {
            taken.push(loading.place(&progress).await.unwrap());
        }
        assert!(lines.try_recv().is_err());
        let waiting = loading.place(&progress);
        let freeing = async {
            for _ in 0..3 {
                let line = lines.recv().await.unwrap();
                assert_eq!(line, "waiting for the code of other deploys to be loaded first");
            }
            taken.pop();
        };
        let (place, ()) = tokio::join!(waiting, freeing);
        let _place = place.unwrap();
        let stopping = async { loading.stop.cancel() };
        let (none, ()) = tokio::join!(loading.place(&progress), stopping);
        assert!(none.is_none());
    }

    #[test]
    fn the_images_of_builds_under_way_are_known_until_the_last_ends() {
        let under_way = UnderWay::default();
        let [first, second] = [0, 1].map(|_| under_way.enter("cloudfunc/f:1".to_owned()));
        drop(first);
        assert_eq!(under_way.tags(), ["cloudfunc/f:1"]);
        drop(second);
        assert!(under_way.tags().is_empty());
    }

    #[test]
    fn what_is_larger_than_the_machine_is_refused_with_its_figures() {
        let spec = |manifest: &str| {
            let defaults = Defaults::of(Language::Python, "3.11");
            manifest::parse(manifest, "cloudfunc.toml", &defaults).unwrap().spec
        };
        let machine = Machine { cpus: Some(2), memory_bytes: Some(4 << 30) };
        let refused = |manifest| too_large(&spec(manifest), machine, 3 << 30);
        assert_eq!(refused("cpus = 2\nmemory = \"3GiB\""), None);
        assert_eq!(
            refused("cpus = 2.5").as_deref(),
            Some("`cpus` is 2.5, and the machine has 2; set `cpus` to at most 2")
        );
        assert_eq!(
            refused("memory = \"5GiB\"").as_deref(),
            Some("`memory` is 5 GiB, and the machine has 4 GiB; set `memory` to at most 4 GiB")
        );
        assert_eq!(
            refused("memory = \"3500MiB\"").as_deref(),
            Some(
                "`memory` is 3.4 GiB, and all functions together may have 3 GiB here; set `memory` to at most \
                 3 GiB, or start the platform with a larger --memory-budget"
            )
        );
        let unknown = Machine::default();
        assert_eq!(too_large(&spec("cpus = 2.5"), unknown, 8 << 30), None);
    }
}
