//! Deploying: check, store, build, register, activate, announce.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::Registry;
use crate::{
    bundle,
    error_chain::chain,
    http::Answer,
    manifest,
    model::{
        Code, Digest, FunctionError, FunctionName, FunctionSpec, InvocationId, Problem,
        api::Deployed,
        code,
        message::{self, Build, BuildEvent, BuildStep, LoadCheck, Parcel},
    },
    queue::{Address, Message},
    store::{self, NewRevision},
    units::show_bytes,
};

/// A build that has said nothing for so long has been lost with its manager, or there is none.
const SILENCE: Duration = Duration::from_secs(300);
/// Then the user is told what is waited for.
const NOTICE: Duration = Duration::from_secs(3);

/// Advice about code that does not load, when nothing better is known.
const NOT_LOADED: &str = "a deploy loads the code once, and keeps the old revision when that fails; \
                          --no-check (?check=false) deploys it without";

/// Uploads that are checked at once. Each keeps a processor busy, for seconds when it is large.
const MAX_CHECKS: usize = 2;
/// Uploads that wait to be checked, each in memory; one more is refused.
const MAX_WAITING: usize = 16;
/// In seconds, until an upload that was refused may come again.
const RETRY_AFTER: u64 = 5;
/// An archive up to this size is kept until it is registered, in case the stored one is removed meanwhile.
const MAX_KEPT: usize = 4 * 1024 * 1024;
/// As `nice` has it: 0 is usual, 19 is the lowest priority.
const CHECK_NICENESS: i32 = 10;

/// Where lines for the user go.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;

/// What is to be deployed, checked.
pub struct Source {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub digest: Digest,
    /// None for an image function without files.
    pub archive: Option<Bytes>,
    /// Whether the code is loaded once before it is registered.
    pub check: bool,
}

/// Where uploads are checked: few at once, the others wait, and invocations do not notice.
pub struct Checks {
    running: Arc<Semaphore>,
    /// Running or waiting.
    there: Arc<Semaphore>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(MAX_CHECKS)),
            there: Arc::new(Semaphore::new(MAX_CHECKS + MAX_WAITING)),
        }
    }
}

impl Checks {
    /// Runs on a thread of its own, whose priority is low. When the caller goes away, it ends all the
    /// same, and keeps its place until then.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let Ok(there) = self.there.clone().try_acquire_owned() else {
            let detail = format!(
                "{MAX_WAITING} uploads are waiting to be checked already, and no more can wait; deploy again in a \
                 few seconds"
            );
            return Err(Problem::new(code::OVERLOADED, detail).retry_after(RETRY_AFTER).into());
        };
        let place = self.running.clone().acquire_owned().await;
        let (done, result) = oneshot::channel();
        let work = move || {
            // Without a process it is that of the calling thread, on Linux.
            if let Err(error) = rustix::process::setpriority_process(None, CHECK_NICENESS) {
                tracing::debug!(%error, "an upload is checked with the usual priority");
            }
            let _ = done.send(work());
            drop((place, there));
        };
        let started = std::thread::Builder::new().name("check upload".to_owned()).spawn(work);
        let result = match started {
            Ok(_) => result.await.ok(),
            Err(error) => {
                tracing::error!(%error, "no thread to check an upload");
                None
            }
        };
        result.unwrap_or_else(|| {
            Err(Problem::new(code::INTERNAL, "the upload could not be checked").into())
        })
    }
}

pub fn upload_too_large() -> Problem {
    let limit = show_bytes(bundle::MAX_PACKED as u64);
    Problem::new(code::UPLOAD_TOO_LARGE, format!("the upload is larger than the limit of {limit}"))
        .hint("list what the function does not need in .cloudfuncignore")
}

impl Registry {
    /// Checks an upload without side effects.
    pub async fn check(&self, name: FunctionName, archive: Bytes, load: bool) -> Answer<Source> {
        let defaults = self.languages.defaults.clone();
        let checked = self.checks.run(move || check(name, archive, &defaults)).await;
        let checked = checked.and_then(|source| self.check_version(source));
        checked.map(|source| Source { check: load, ..source })
    }

    fn check_version(&self, source: Source) -> Answer<Source> {
        let Code::Language { language, version, package: _ } = &source.spec.code else {
            return Ok(source);
        };
        let only = self.languages.defaults.version(*language);
        if !self.languages.only_default.contains(language) || version == only {
            return Ok(source);
        }
        let (here, hint) = if self.languages.is_hosts {
            (
                format!(
                    "functions run on this machine's {} {only} (runtime oci)",
                    language.facts().title
                ),
                "leave out `version`, or start `up` with `--runtime docker`".to_owned(),
            )
        } else {
            let variable = language.image_variable();
            (
                format!("this platform has one image, for {only}"),
                format!("leave out `version`, or give the platform a {variable} with {{version}} in it"),
            )
        };
        let detail = format!("{language} {version} is not available: {here}");
        Err(Problem::new(code::INVALID_MANIFEST, detail).hint(hint).into())
    }

    /// Deploys; `report` gets lines for people.
    pub async fn deploy(&self, source: Source, report: Report) -> Answer<Deployed> {
        let Source { name, spec, digest, archive, check } = source;
        let kept = archive.clone().filter(|archive| archive.len() <= MAX_KEPT);
        let unchanged = self.unchanged(&name, &spec, &digest).await?;
        // A name of an image may stand for another one by now: that is looked up first.
        let by_name = matches!(spec.code, Code::Image { .. });
        if let Some(unchanged) = unchanged.clone().filter(|_| !by_name) {
            return Ok(unchanged);
        }
        self.check_kept_memory(&name, &spec).await?;
        if let Some(archive) = archive {
            report("storing the source".to_owned());
            self.store.put_blob(&digest, archive).await?;
        }
        let unless_image = unchanged.as_ref().map(|unchanged| unchanged.image.clone());
        let check = check.then_some(LoadCheck { unless_image });
        let Built { image, bundle, dependencies, notice, output } =
            self.build(&name, &spec, &digest, check, &report).await?;
        if let Some(unchanged) = unchanged.filter(|unchanged| unchanged.image == image) {
            return Ok(unchanged);
        }
        let revision =
            NewRevision { name: name.clone(), spec, source: digest, bundle, dependencies, image };
        let mut added = self.store.add_revision(revision.clone()).await;
        // It went, while this was built, with the last revision that had named it.
        if matches!(added, Err(store::Error::Missing(_)))
            && let Some(archive) = kept
        {
            self.store.put_blob(&revision.source, archive).await?;
            added = self.store.add_revision(revision).await;
        }
        let revision = match added {
            Err(store::Error::Missing(what)) => {
                let detail = format!("the {what} went while this was built; deploy again");
                return Err(Problem::new(code::UNAVAILABLE, detail).into());
            }
            added => added?,
        };
        let (keep, function) = (self.limits.keep_revisions, revision.function);
        // With fewer, all of them are kept.
        if revision.number.0 > keep
            && let Err(error) = self.store.prune_revisions(keep, Some(function)).await
        {
            tracing::warn!(error = %chain(&error), "old revisions not deleted; the sweep tries again");
        }
        self.announce_changed(function).await;
        tracing::info!(function = %name, revision = %revision.number, "deployed");
        let (revision, image) = (revision.number, revision.image);
        Ok(Deployed { name, revision, unchanged: false, image, notice, output })
    }

    /// The active revision, when it was made from the same source and manifest.
    async fn unchanged(
        &self,
        name: &FunctionName,
        spec: &FunctionSpec,
        digest: &Digest,
    ) -> Answer<Option<Deployed>> {
        let Some(function) = self.store.function(name).await? else { return Ok(None) };
        let active = self.store.revision(function.id, function.active_revision).await?;
        Ok(active.filter(|active| active.source == *digest && active.spec == *spec).map(|active| {
            Deployed {
                name: name.clone(),
                revision: active.number,
                unchanged: true,
                image: active.image,
                notice: None,
                output: None,
            }
        }))
    }

    async fn build(
        &self,
        name: &FunctionName,
        spec: &FunctionSpec,
        source: &Digest,
        check: Option<LoadCheck>,
        report: &Report,
    ) -> Answer<Built> {
        let (address, mut replies) = self.queue.open_replies().await?;
        let Address::Reply(reply_to) = address else {
            return Err(Problem::new(code::INTERNAL, "the queue gave no reply address").into());
        };
        let build = Build {
            v: message::VERSION,
            build: InvocationId::new(),
            name: name.clone(),
            spec: spec.clone(),
            source: source.clone(),
            reply_to,
            check,
        };
        let message = Message { parcel: Parcel::new(build.clone(), Bytes::new()), expires: None };
        self.queue.publish(&Address::Builds, message).await?;
        let mut patience = NOTICE;
        loop {
            let delivery = match tokio::time::timeout(patience, replies.next()).await {
                Ok(Some(delivery)) => delivery,
                Ok(None) => {
                    let detail = "the message broker was lost during the build; deploy again";
                    return Err(Problem::new(code::UNAVAILABLE, detail).into());
                }
                Err(_) if patience == NOTICE => {
                    report("waiting for a manager to build it".to_owned());
                    patience = SILENCE;
                    continue;
                }
                Err(_) => {
                    let detail = format!("no manager has built it within {} s", SILENCE.as_secs());
                    return Err(Problem::new(code::UNAVAILABLE, detail)
                        .hint("'cloudfunc status' shows whether a manager is running")
                        .into());
                }
            };
            patience = SILENCE;
            let event = delivery.parcel.open::<BuildEvent>();
            drop(delivery.ack().await);
            let step = match event {
                Ok((event, _)) if event.build == build.build => event.step,
                Ok(_) => continue,
                Err(error) => return Err(Problem::new(code::INTERNAL, chain(&error)).into()),
            };
            match step {
                BuildStep::Progress { message } => report(message),
                BuildStep::Done { image, bundle, dependencies, notice, output } => {
                    return Ok(Built { image, bundle, dependencies, notice, output });
                }
                BuildStep::Failed { message, manifest: true, .. } => {
                    return Err(Problem::new(code::INVALID_MANIFEST, message).into());
                }
                BuildStep::Failed { message, user_error, error, output, .. } => {
                    return Err(build_failed(message, user_error, error, output).into());
                }
            }
        }
    }
}

/// The result of a manager's build.
struct Built {
    image: String,
    bundle: Option<Digest>,
    dependencies: Option<Digest>,
    notice: Option<String>,
    output: Option<String>,
}

fn build_failed(
    message: String,
    user_error: bool,
    error: Option<Box<FunctionError>>,
    output: Option<String>,
) -> Problem {
    if !user_error {
        let detail = format!("the build could not be done: {message}");
        return Problem::new(code::UNAVAILABLE, detail)
            .hint("'cloudfunc logs --role manager' shows more");
    }
    let mut problem = Problem::new(code::BUILD_FAILED, message);
    problem.output = output;
    if let Some(error) = error {
        problem.hint = Some(error.hint.unwrap_or_else(|| NOT_LOADED.to_owned()));
        problem.error_type = Some(error.kind);
        problem.trace = error.trace;
    }
    problem
}

fn check(name: FunctionName, archive: Bytes, defaults: &manifest::Defaults) -> Answer<Source> {
    let invalid =
        |error: &(dyn std::error::Error + 'static)| Problem::new(code::INVALID_UPLOAD, chain(error));
    let listing = bundle::read(&archive).map_err(|error| invalid(&error))?;
    let text = listing.manifest().unwrap_or_default();
    let manifest = manifest::parse(text, manifest::FILE, defaults)
        .map_err(|error| Problem::new(code::INVALID_MANIFEST, error.to_string()))?;
    if let Some(named) = manifest.name.filter(|named| *named != name) {
        let detail = format!("the manifest names the function '{named}', the address names it '{name}'");
        return Err(Problem::new(code::INVALID_MANIFEST, detail).into());
    }
    bundle::check_includes(&listing, &manifest.include)
        .map_err(|error| Problem::new(code::INVALID_MANIFEST, error.to_string()))?;
    bundle::check_code(&listing, &manifest.spec).map_err(|error| {
        let problem = Problem::new(code::INVALID_UPLOAD, error.to_string());
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    })?;
    Ok(Source { name, spec: manifest.spec, digest: listing.digest, archive: Some(archive), check: true })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    #[tokio::test]
    async fn two_uploads_are_checked_at_once_and_the_rest_waits() {
        let checks = Arc::new(Checks::default());
        let running = Arc::new(AtomicUsize::new(0));
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let callers: Vec<_> = (0..5)
            .map(|number| {
                let (checks, running, begun, wait) =
                    (checks.clone(), running.clone(), begun.clone(), wait.clone());
                tokio::spawn(async move {
                    let work = move || {
                        let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                        begun.send(at_once).unwrap();
                        wait.lock().unwrap().recv().unwrap();
                        running.fetch_sub(1, Ordering::SeqCst);
                        Ok(number)
                    };
                    checks.run(work).await.map_err(|failure| failure.0.detail)
                })
            })
            .collect();
        for _ in 0..2 {
            assert!(begins.recv().await.unwrap() <= MAX_CHECKS);
        }
        assert!(begins.try_recv().is_err());
        for _ in 0..3 {
            go.send(()).unwrap();
            assert!(begins.recv().await.unwrap() <= MAX_CHECKS);
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        for (number, caller) in callers.into_iter().enumerate() {
            assert_eq!(caller.await.unwrap(), Ok(number));
        }
    }

    #[tokio::test]
    async fn an_upload_that_cannot_wait_is_told_to_come_again() {
        let checks = Arc::new(Checks::default());
        let (go, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let begin = || {
            let (checks, wait) = (checks.clone(), wait.clone());
            tokio::spawn(async move {
                let work = move || wait.lock().unwrap().recv().map_err(|_| unreachable!("it is sent"));
                checks.run(work).await.map_err(|failure| failure.0)
            })
        };
        let callers: Vec<_> = (0..MAX_CHECKS + MAX_WAITING).map(|_| begin()).collect();
        while checks.there.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = begin().await.unwrap().unwrap_err();
        assert_eq!((refused.status, refused.retry_after), (503, Some(RETRY_AFTER)), "{refused:?}");
        callers.iter().for_each(|_| go.send(()).unwrap());
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        while checks.there.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        begin().await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_check_that_panics_is_an_answer() {
        let checks = Checks::default();
        for _ in 0..=MAX_CHECKS {
            let failed = checks.run::<()>(|| panic!("a test")).await;
            assert_eq!(failed.unwrap_err().0.code, code::INTERNAL.code);
        }
    }
}
