//! Deploying: check, store, build, register, activate, announce.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::Registry;
use crate::{
    bundle,
    config::{manifest, units::show_bytes},
    http::{Answer, chain},
    model::{
        Code, Digest, FunctionName, FunctionSpec, InvocationId, Problem,
        api::Deployed,
        code,
        message::{self, Build, BuildEvent, BuildStep, Parcel},
    },
    queue::{Address, Message},
    store::{self, NewRevision},
};

/// A build that has said nothing for so long has been lost with its manager, or there is none.
const SILENCE: Duration = Duration::from_secs(300);
/// Then the user is told what is waited for.
const NOTICE: Duration = Duration::from_secs(3);

/// Where lines for the user go.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;

/// What is to be deployed, checked.
pub struct Source {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub digest: Digest,
    /// None for an image function without files.
    pub archive: Option<Bytes>,
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
        tokio::task::spawn_blocking(move || check(name, archive, &defaults))
            .await
            .expect("checking does not panic")
            .and_then(|source| self.check_version(source))
    }

    fn check_version(&self, source: Source) -> Answer<Source> {
        let only = &self.languages.defaults.python_version;
        match &source.spec.code {
            Code::Language { language, version, .. } if self.languages.is_fixed && version != only => {
                let detail = format!(
                    "{language} {version} is not to be had here: this platform has one image, for {only}"
                );
                Err(Problem::new(code::INVALID_MANIFEST, detail)
                    .hint("leave out 'version', or give the platform a CLOUDFUNC_PYTHON_IMAGE with {version} in it")
                    .into())
            }
            _ => Ok(source),
        }
    }

    /// Deploys; `report` gets lines for people.
    pub async fn deploy(&self, source: Source, report: Report) -> Answer<Deployed> {
        let Source { name, spec, digest, archive } = source;
        let kept = archive.clone();
        let unchanged = self.unchanged(&name, &spec, &digest).await?;
        // A name of an image may stand for another one by now: that is looked up first.
        let by_name = matches!(spec.code, Code::Image { .. });
        if let Some(unchanged) = unchanged.clone().filter(|_| !by_name) {
            return Ok(unchanged);
        }
        if let Some(archive) = archive {
            report("storing the source".to_owned());
            self.store.put_blob(&digest, archive).await?;
        }
        let (image, bundle) = self.build(&name, &spec, &digest, &report).await?;
        if let Some(unchanged) = unchanged.filter(|unchanged| unchanged.image == image) {
            return Ok(unchanged);
        }
        let revision = NewRevision { name: name.clone(), spec, source: digest, bundle, image };
        let revision = match (self.store.add_revision(revision.clone()).await, kept) {
            // It went, while this was built, with the last revision that had named it.
            (Err(store::Error::Missing(_)), Some(archive)) => {
                self.store.put_blob(&revision.source, archive).await?;
                self.store.add_revision(revision).await?
            }
            (added, _) => added?,
        };
        let (keep, function) = (self.room.keep_revisions, revision.function);
        if let Err(error) = self.store.prune_revisions(keep, Some(function)).await {
            tracing::warn!(error = %chain(&error), "old revisions not deleted; the sweep tries again");
        }
        self.announce_changed(function).await;
        tracing::info!(function = %name, revision = %revision.number, "deployed");
        Ok(Deployed { name, revision: revision.number, unchanged: false, image: revision.image })
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
            }
        }))
    }

    async fn build(
        &self,
        name: &FunctionName,
        spec: &FunctionSpec,
        source: &Digest,
        report: &Report,
    ) -> Answer<(String, Option<Digest>)> {
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
                        .hint("'cloudfunc status' tells whether a manager is running")
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
                BuildStep::Done { image, bundle } => return Ok((image, bundle)),
                BuildStep::Failed { message, user_error: true } => {
                    return Err(Problem::new(code::BUILD_FAILED, message).into());
                }
                BuildStep::Failed { message, user_error: false } => {
                    return Err(Problem::new(
                        code::UNAVAILABLE,
                        format!("the build could not be done: {message}"),
                    )
                    .hint("'cloudfunc logs --role manager' tells more")
                    .into());
                }
            }
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
    bundle::check_code(&listing, &manifest.spec)
        .map_err(|error| Problem::new(code::INVALID_UPLOAD, error.to_string()))?;
    Ok(Source { name, spec: manifest.spec, digest: listing.digest, archive: Some(archive) })
}
