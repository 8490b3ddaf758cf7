//! Deploying: check, store, build, register, activate, announce.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::{
    Registry,
    build::Built,
    build_log::Recorder,
    change::to_the_end,
    source::{Report, Source},
};
use crate::{
    bundle,
    error_chain::chain,
    http::{Answer, Failure},
    manifest,
    model::{
        Code, Dependencies, Digest, FunctionName, FunctionSpec, Problem, api::Deployed, code,
        message::LoadCheck,
    },
    store::{self, NewRevision},
    units::show_bytes,
};

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

/// What else there is to a revision that is registered.
struct Aside {
    /// Whether its packages were resolved anew: others get them, too.
    refresh: bool,
    notice: Option<String>,
    output: Option<String>,
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
    pub async fn check(&self, name: FunctionName, archive: Bytes) -> Answer<Source> {
        let defaults = self.languages.defaults.clone();
        let checked = self.checks.run(move || check(name, archive, &defaults)).await;
        checked.and_then(|source| self.check_version(source))
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

    /// Deploys; `report` gets lines for people. Dropped before the revision is registered, it ends the build, and nothing is
    /// deployed; after that it goes on to its end.
    pub async fn deploy(self: Arc<Self>, source: Source, report: Report) -> Answer<Deployed> {
        let (name, recorder) = (source.name.clone(), Recorder::new(self.clock.clone()));
        let report = recorder.listening(report);
        let deployed = self.clone().build_and_register(source, &report, &recorder).await;
        if let Err(Failure(problem)) = &deployed
            && recorder.has_begun()
        {
            recorder.failed(problem);
            self.keep_log(&name, None, &recorder).await;
        }
        deployed
    }

    async fn build_and_register(
        self: Arc<Self>,
        mut source: Source,
        report: &Report,
        recorder: &Arc<Recorder>,
    ) -> Answer<Deployed> {
        let archive = source.archive.take();
        let kept = archive.clone().filter(|archive| archive.len() <= MAX_KEPT);
        let unchanged = self.unchanged(&source).await?;
        // A name of an image may stand for another one by now: that is looked up first.
        let by_name = matches!(source.spec.code, Code::Image { .. });
        if let Some(same) = &unchanged
            && same.is_usable
            && !by_name
            && !source.refresh
        {
            return Ok(same.deployed.clone());
        }
        self.check_kept_memory(&source.name, &source.spec).await?;
        if let Some(archive) = archive {
            report("storing the source".to_owned());
            self.store.put_blob(&source.digest, archive).await?;
        }
        let unless_image =
            unchanged.as_ref().filter(|_| by_name).map(|same| same.deployed.image.clone());
        let check = source.check.then_some(LoadCheck { unless_image });
        let mut gone = String::new();
        for _ in 0..2 {
            let mut built = self.build(&source, check.clone(), report).await?;
            let without = source.refresh.then(|| without_effect(&source.spec, &built)).flatten();
            if let Some(without) = without {
                built.notice = Some(match built.notice.take() {
                    Some(notice) => format!("{notice}; {without}"),
                    None => without.to_owned(),
                });
            }
            if let Some(Unchanged { deployed, packages, bundle, is_usable: _ }) = &unchanged
                && *bundle == built.bundle
                && (!by_name || deployed.image == built.image)
                && self.are_same(packages.as_ref(), built.dependencies.as_ref()).await?
            {
                return Ok(Deployed { notice: built.notice, ..deployed.clone() });
            }
            let (registry, kept, recorder) = (self.clone(), kept.clone(), recorder.clone());
            let (spec, digest) = (source.spec.clone(), source.digest.clone());
            let revision = NewRevision {
                name: source.name.clone(),
                spec,
                source: digest,
                bundle: built.bundle,
                dependencies: built.dependencies,
                image: built.image,
            };
            let aside = Aside { refresh: source.refresh, notice: built.notice, output: built.output };
            let registering = async move { registry.register(revision, kept, aside, &recorder).await };
            match to_the_end(registering).await? {
                Ok(deployed) => return Ok(deployed),
                Err(what) => gone = what,
            }
            report(format!("the {gone} went while this was built; building it once more"));
        }
        let detail = format!("the {gone} went while this was built; deploy again");
        Err(Problem::new(code::UNAVAILABLE, detail).into())
    }

    /// Registers and activates a revision. The inner error names what it needs that is not stored any more.
    async fn register(
        &self,
        new: NewRevision,
        archive: Option<Bytes>,
        aside: Aside,
        recorder: &Recorder,
    ) -> Answer<Result<Deployed, String>> {
        let Aside { refresh, notice, output } = aside;
        let (name, fresh) = (new.name.clone(), new.dependencies.clone().filter(|_| refresh));
        let mut added = self.store.add_revision(new.clone()).await;
        // It went, while this was built, with the last revision that had named it.
        if matches!(added, Err(store::Error::Missing(_)))
            && let Some(archive) = archive
        {
            self.store.put_blob(&new.source, archive).await?;
            added = self.store.add_revision(new).await;
        }
        let revision = match added {
            Err(store::Error::Missing(what)) => return Ok(Err(what)),
            added => added?,
        };
        // Only now: packages that nobody could use are not given to others.
        if let Some(tree) = fresh
            && let Err(error) = self.store.use_fresh(&tree).await
        {
            tracing::warn!(error = %chain(&error), "packages that were resolved anew are used by this revision only");
        }
        let (keep, function) = (self.limits.keep_revisions, revision.function);
        // With fewer, all of them are kept.
        if revision.number.0 > keep
            && let Err(error) = self.store.prune_revisions(keep, Some(function)).await
        {
            tracing::warn!(error = %chain(&error), "old revisions not deleted; the sweep tries again");
        }
        self.announce_changed(function).await;
        tracing::info!(function = %name, revision = %revision.number, "deployed");
        let (number, image) = (revision.number, revision.image);
        let deployed =
            Deployed { name: name.clone(), revision: number, unchanged: false, image, notice, output };
        recorder.deployed(&deployed);
        self.keep_log(&name, Some((function, number)), recorder).await;
        Ok(Ok(deployed))
    }

    /// Whether two trees hold the same versions of the same packages, for the same interpreter and machine.
    async fn are_same(&self, one: Option<&Digest>, other: Option<&Digest>) -> Answer<bool> {
        let (Some(one), Some(other)) = (one, other) else { return Ok(one == other) };
        if one == other {
            return Ok(true);
        }
        let (one, other) = (self.store.dependencies(one).await?, self.store.dependencies(other).await?);
        let held = |of: Option<Dependencies>| of.map(|of| (of.packages, of.target));
        Ok(one.is_some() && held(one) == held(other))
    }

    /// The active revision, when it was made from the same source and manifest.
    async fn unchanged(&self, source: &Source) -> Answer<Option<Unchanged>> {
        let Source { name, spec, digest, .. } = source;
        let Some(function) = self.store.function(name).await? else { return Ok(None) };
        let active = self.store.revision(function.id, function.active_revision).await?;
        let same = active.filter(|active| active.source == *digest && active.spec == *spec);
        let Some(active) = same else { return Ok(None) };
        let is_usable = self.store.unusable(function.id).await?.is_empty();
        let deployed = Deployed {
            name: name.clone(),
            revision: active.number,
            unchanged: true,
            image: active.image,
            notice: None,
            output: None,
        };
        let (packages, bundle) = (active.dependencies, active.bundle);
        Ok(Some(Unchanged { deployed, packages, bundle, is_usable }))
    }
}

/// An active revision that a deploy would make again.
struct Unchanged {
    deployed: Deployed,
    packages: Option<Digest>,
    bundle: Option<Digest>,
    /// False where a manager cannot run it: built by that one, its packages may be others.
    is_usable: bool,
}

/// Returns why packages were not resolved anew.
fn without_effect(spec: &FunctionSpec, built: &Built) -> Option<&'static str> {
    match (&built.dependencies, built.fresh) {
        // It was run again.
        (None, _) if spec.build_command.is_some() => None,
        (None, _) => Some("there was nothing to refresh: the function asks for no packages"),
        (Some(_), true) => None,
        (Some(_), false) => {
            Some("the packages were not refreshed: the manager that built this is of an earlier version")
        }
    }
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
    let (digest, archive) = (listing.digest, Some(archive));
    Ok(Source { name, spec: manifest.spec, digest, archive, check: true, refresh: false })
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
