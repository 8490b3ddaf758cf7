//! Deploying: store, build, register, activate, announce.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Registry,
    build::Built,
    build_log::Recorder,
    change::to_the_end,
    checks::{Report, Source},
    taken_address::refused,
};
use crate::{
    error_chain::chain,
    http::{Answer, Failure},
    model::{
        Caller, Code, Dependencies, Digest, FunctionId, FunctionSpec, Problem, api::Deployed,
        audit::action, code, message::LoadCheck, secret::is_lack_of_key,
    },
    store::{self, NewRevision},
};

/// An archive up to this size is kept until it is registered, in case the stored one is removed meanwhile.
const MAX_KEPT: usize = 4 * 1024 * 1024;

/// The rest of a registration.
struct Registration {
    by: Caller,
    /// Its packages were resolved anew: others get them, too.
    refresh: bool,
    notice: Option<String>,
    output: Option<String>,
}

impl Registry {
    /// Deploys; `report` gets lines for people. Dropped before the revision is registered, it ends the build, and nothing
    /// is deployed; after that it goes on to its end.
    pub async fn deploy(
        self: Arc<Self>,
        source: Source,
        by: Caller,
        report: Report,
    ) -> Answer<Deployed> {
        let (name, recorder) = (source.name.clone(), Recorder::new(self.clock.clone()));
        let report = recorder.listening(report);
        let deployed = self.clone().build_and_register(source, &by, &report, &recorder).await;
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
        by: &Caller,
        report: &Report,
        recorder: &Arc<Recorder>,
    ) -> Answer<Deployed> {
        let archive = source.archive.take();
        let kept = archive.clone().filter(|archive| archive.len() <= MAX_KEPT);
        // Before the build, which may take minutes, and again when it is registered.
        self.check_secrets(by, &source.name, &source.spec).await?;
        let unchanged = self.unchanged(&source).await?;
        // A name of an image may stand for another one by now: that is looked up first.
        let by_name = matches!(source.spec.code, Code::Image { .. });
        let has_own_image = source.spec.code.is_own_image();
        if let Some(same) = &unchanged
            && same.is_usable
            && !by_name
            && !source.refresh
        {
            return Ok(same.deployed.clone());
        }
        self.check_addresses(by, &source.name, &source.spec).await?;
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
                built.notice = joined(built.notice.take(), Some(without.to_owned()));
            }
            if let Some(Unchanged { function, deployed, packages, bundle, is_usable: _ }) = &unchanged
                && *bundle == built.bundle
                && (!has_own_image || deployed.image == built.image)
                && self.are_same(packages.as_ref(), built.dependencies.as_ref()).await?
            {
                let deployed = Deployed { notice: built.notice, ..deployed.clone() };
                if source.refresh {
                    recorder.unchanged(&deployed);
                    let revision = (*function, deployed.revision);
                    self.keep_log(&source.name, Some(revision), recorder).await;
                }
                return Ok(deployed);
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
            let (by, refresh) = (by.clone(), source.refresh);
            let rest = Registration { by, refresh, notice: built.notice, output: built.output };
            let registering = async move { registry.register(revision, kept, rest, &recorder).await };
            match to_the_end(self.changes.clone(), registering).await? {
                Ok(deployed) => return Ok(deployed),
                Err(what) => gone = what,
            }
            report(format!("{gone}: deleted from the store during the build; building once more"));
        }
        let detail = format!("{gone}: deleted from the store during the build; deploy again");
        Err(Problem::new(code::UNAVAILABLE, detail).into())
    }

    /// Registers and activates a revision. The inner error names what it needs that is not stored any more.
    async fn register(
        &self,
        new: NewRevision,
        archive: Option<Bytes>,
        rest: Registration,
        recorder: &Recorder,
    ) -> Answer<Result<Deployed, String>> {
        let Registration { by, refresh, notice, output } = rest;
        let (name, fresh) = (new.name.clone(), new.dependencies.clone().filter(|_| refresh));
        let changes = match new.spec.secrets.is_empty() {
            true => None,
            false => Some(self.secret_changes.lock().await),
        };
        self.check_secrets(&by, &name, &new.spec).await?;
        let mut added = self.store.add_revision(new.clone()).await;
        // It went, while this was built, with the last revision that had named it.
        if matches!(added, Err(store::Error::Missing(_)))
            && let Some(archive) = archive
        {
            self.store.put_blob(&new.source, archive).await?;
            added = self.store.add_revision(new).await;
        }
        drop(changes);
        if matches!(added, Err(store::Error::UnknownFate { .. }))
            && let Ok(Some(function)) = self.store.function(&name).await
        {
            self.announce_changed(function.id).await;
        }
        self.audit_unknown(&added, &by, action::DEPLOY, Some(name.to_string())).await;
        let revision = match added {
            Err(store::Error::Missing(what)) => return Ok(Err(what)),
            added => added.map_err(|error| refused(error, &by))?,
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
        let of_addresses = self.address_notices(&by, &name, revision.spec.http.as_ref());
        self.announce_changed(function).await;
        let detail = Some(format!("revision {}", revision.number));
        self.audit(&by, action::DEPLOY, Some(name.to_string()), detail).await;
        tracing::info!(function = %name, revision = %revision.number, "deployed");
        let (number, image) = (revision.number, revision.image);
        let mut deployed =
            Deployed { name: name.clone(), revision: number, unchanged: false, image, notice, output };
        recorder.deployed(&deployed);
        self.keep_log(&name, Some((function, number)), recorder).await;
        // Not in the log, which others may read: it names functions that this caller may know of.
        deployed.notice = joined(deployed.notice, of_addresses);
        Ok(Ok(deployed))
    }

    /// Returns whether two trees hold the same versions of the same packages, for the same interpreter and machine.
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
        let is_usable = match active.dependencies {
            None => true,
            // Another build does not give a host the key of a secret.
            Some(_) => {
                let unusable = self.store.unusable(function.id).await?;
                unusable.iter().all(|one| is_lack_of_key(&one.reason))
            }
        };
        let deployed = Deployed {
            name: name.clone(),
            revision: active.number,
            unchanged: true,
            image: active.image,
            notice: None,
            output: None,
        };
        let (packages, bundle) = (active.dependencies, active.bundle);
        Ok(Some(Unchanged { function: function.id, deployed, packages, bundle, is_usable }))
    }
}

/// An active revision that a deploy would make again.
struct Unchanged {
    function: FunctionId,
    deployed: Deployed,
    packages: Option<Digest>,
    bundle: Option<Digest>,
    /// False where a manager cannot use its packages: built by that one, they may be others.
    is_usable: bool,
}

/// Returns all lines of two notices.
fn joined(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one}\n{other}")),
        (one, other) => one.or(other),
    }
}

/// Returns why packages were not resolved anew.
fn without_effect(spec: &FunctionSpec, built: &Built) -> Option<&'static str> {
    match (&built.dependencies, built.fresh) {
        // It was run again.
        (None, _) if spec.build_command.is_some() || matches!(spec.code, Code::Dockerfile { .. }) => {
            None
        }
        (None, _) => Some("there was nothing to refresh: the function asks for no packages"),
        (Some(_), true) => None,
        (Some(_), false) => {
            Some("the packages were not refreshed: the manager that built this is of an earlier version")
        }
    }
}
