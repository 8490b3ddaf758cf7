//! The check of an upload, and what a deploy is given then.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::Registry;
use crate::{
    bundle,
    error_chain::chain,
    http::Answer,
    manifest,
    model::{Code, Digest, FunctionName, FunctionSpec, Problem, code},
    units::show_bytes,
};

/// Uploads that are checked at once. Each keeps a processor busy, for seconds when it is large.
const MAX_CHECKS: usize = 2;
/// Uploads that wait to be checked, each in memory; one more is refused.
const MAX_WAITING: usize = 16;
/// In seconds, until an upload that was refused may come again.
const RETRY_AFTER: u64 = 5;
/// As `nice` has it: 0 is usual, 19 is the lowest priority.
const CHECK_NICENESS: i32 = 10;

/// The place for lines to the user.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;

/// A function to be deployed, checked.
pub struct Source {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub digest: Digest,
    /// None for an image function without files.
    pub archive: Option<Bytes>,
    /// Loads the code once before it is registered.
    pub check: bool,
    /// Resolves its packages anew.
    pub refresh: bool,
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
            let own = match language.facts().interpreter {
                Some(_) => format!("{} {only}", language.facts().title),
                None => "own libraries".to_owned(),
            };
            (
                format!("functions run on this machine's {own} (runtime oci)"),
                "leave out `version`, or start `up` or `run` with `--runtime docker`".to_owned(),
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
}

fn check(name: FunctionName, archive: Bytes, defaults: &manifest::Defaults) -> Answer<Source> {
    let invalid =
        |error: &(dyn std::error::Error + 'static)| Problem::new(code::INVALID_UPLOAD, chain(error));
    let listing = bundle::read(&archive).map_err(|error| invalid(&error))?;
    let manifest = manifest::parse(listing.description(), manifest::FILE, defaults)
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
