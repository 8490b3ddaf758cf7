//! Consumers of the functions' queues: for each queue a standing one, and a second one with a higher
//! priority while a live instance is here, so that warm managers are served first.

mod fit;
mod function_queue;
mod reading;
mod secrets;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::resume_unwind,
    sync::Arc,
};

use fit::{Fit, Fits};
use function_queue::{FunctionQueue, STANDING_PRIORITY};
use reading::Reading;
use secrets::{FollowedSecrets, SecretState};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    commands::{Command, Dispatch},
    retry::{PAUSE, Retry},
    shared::Shared,
};
use crate::{
    model::{Code, Function, FunctionId, Language, Mode, Revision, RevisionNumber},
    store::{self, ActiveFunction},
};

/// Functions read at once.
const PAGE: u32 = 500;

/// The consumers of one function.
struct Consuming {
    active: RevisionNumber,
    prefetch: u16,
    stop: CancellationToken,
}

/// A function that is left to others.
struct LeftToOthers {
    active: RevisionNumber,
    /// None while it is being found out.
    reason: Option<String>,
}

/// Consumes for every function there is, as functions come and go, until `stop`; then everything that
/// was handed out and has not begun is given back.
pub async fn run(shared: Arc<Shared>, dispatch: Dispatch, stop: CancellationToken) {
    let (unusable, reports) = watch::channel(Vec::new());
    shared.tasks.spawn_unawaited(fit::report(shared.clone(), reports));
    let mut followed = Followed::new(shared, dispatch, unusable, stop.clone());
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => break,
            ended = followed.follow() => ended,
        };
        if let Err(error) = ended {
            followed.retry.pause("functions cannot be followed", &*error, &stop).await;
        }
    }
    for one in followed.consuming.values() {
        one.stop.cancel();
    }
    while followed.tasks.join_next().await.is_some() {}
}

/// The functions, as this manager knows them from events and from the store.
struct Followed {
    shared: Arc<Shared>,
    dispatch: Dispatch,
    stop: CancellationToken,
    asking: Arc<Semaphore>,
    consuming: HashMap<FunctionId, Consuming>,
    /// Functions of which nothing is taken, since their packages or secrets cannot be used here, or that is not known yet.
    held: HashMap<FunctionId, LeftToOthers>,
    fits: Fits,
    secrets: FollowedSecrets,
    /// Functions to be read after the secrets.
    doubtful: BTreeSet<FunctionId>,
    unusable: watch::Sender<Vec<(FunctionId, String)>>,
    /// Languages that some function was seen in.
    languages: HashSet<Language>,
    /// The tasks of the consumers.
    tasks: JoinSet<()>,
    retry: Retry,
}

impl Followed {
    /// None of them yet.
    fn new(
        shared: Arc<Shared>,
        dispatch: Dispatch,
        unusable: watch::Sender<Vec<(FunctionId, String)>>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            fits: Fits::new(shared.clone()),
            secrets: FollowedSecrets::new(shared.clone()),
            doubtful: BTreeSet::new(),
            held: HashMap::new(),
            unusable,
            shared,
            dispatch,
            stop,
            asking: Arc::new(Semaphore::new(1)),
            consuming: HashMap::new(),
            languages: HashSet::new(),
            tasks: JoinSet::new(),
            retry: Retry::new(),
        }
    }

    /// Subscribes first and reads everything then, so that nothing falls between. An event makes it read the one
    /// function that it names: with thousands of them a deploy costs no more than with ten. An event may be
    /// lost: everything is read again now and then. Ends when the subscription does; cancelled or failed, it
    /// begins anew with everything.
    async fn follow(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut events = self.shared.queue.subscribe().await?;
        self.read_all().await?;
        self.retry.reset();
        let every = self.shared.limits.reread;
        let mut tick = tokio::time::interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let versions = self.shared.secrets.versions.clone();
        let mut not_before = Instant::now();
        loop {
            let doubted = async {
                tokio::time::sleep_until(not_before).await;
                versions.doubted().await;
            };
            let reading = tokio::select! {
                event = events.next() => match event {
                    Some(event) => {
                        let reading = Reading::after(&event.parcel);
                        drop(event.ack().await);
                        reading
                    }
                    None => return Ok(()),
                },
                _ = tick.tick() => Reading::All,
                () = doubted => Reading::Secrets,
                answered = self.fits.answered() => {
                    for function in answered {
                        self.read_one(function).await?;
                    }
                    continue;
                }
                Some(ended) = self.tasks.join_next() => match ended {
                    // One that panics must not leave its queue to nobody: it takes us along.
                    Err(ended) if ended.is_panic() => resume_unwind(ended.into_panic()),
                    _ => continue,
                },
            };
            match reading {
                Reading::One(function) => self.read_one(function).await?,
                Reading::Secrets => match self.read_secrets().await {
                    // Every instance that starts while the store is away doubts them: nothing else is read for that.
                    Err(error) if error.is_transient() => {
                        not_before = Instant::now() + PAUSE;
                        versions.doubt();
                    }
                    read => read?,
                },
                Reading::Nothing => {}
                Reading::All => self.read_all().await?,
            }
        }
    }

    async fn read_one(&mut self, id: FunctionId) -> Result<(), store::Error> {
        match self.shared.store.active_function(id).await? {
            Some(found) => {
                if !found.revision.spec.secrets.is_empty() {
                    // They may have been set since they were last read: an event may be lost.
                    self.read_versions().await?;
                }
                self.is_there(found);
                // Its revision may be the one that was known: then older ones were deleted.
                self.shared.outdated.look_at(self.shared.revisions.digests(id));
            }
            None => self.is_gone(id),
        }
        Ok(())
    }

    /// Reads which secrets there are, and the functions that get another one than before or are in doubt.
    async fn read_secrets(&mut self) -> Result<(), store::Error> {
        self.doubtful.extend(self.shared.secrets.versions.doubtful());
        self.read_versions().await?;
        self.doubtful.extend(self.secrets.changed());
        while let Some(id) = self.doubtful.first().copied() {
            match self.shared.store.active_function(id).await? {
                Some(found) => self.is_there(found),
                None => self.is_gone(id),
            }
            self.doubtful.remove(&id);
        }
        Ok(())
    }

    /// Reads which secrets there are, and has the instances replaced that have old values.
    async fn read_versions(&self) -> Result<(), store::Error> {
        let outdated = self.secrets.read().await?;
        let functions: BTreeSet<_> = outdated.iter().map(|(_, function)| function.as_str()).collect();
        for function in functions {
            tracing::info!(function, "its secrets have changed: its instances are replaced");
        }
        for (slot, _) in outdated {
            self.dispatch.send(Command::Outdated { slot });
        }
        Ok(())
    }

    async fn read_all(&mut self) -> Result<(), store::Error> {
        let (mut present, mut trees) = (HashSet::new(), HashSet::new());
        self.read_versions().await?;
        let mut after = None;
        loop {
            let page = self.shared.store.active_functions(after.as_ref(), PAGE).await?;
            after = page.last().map(|found| found.function.name.clone());
            let is_last = page.len() < PAGE as usize;
            for found in page {
                present.insert(found.function.id);
                trees.extend(found.revision.dependencies.clone());
                self.is_there(found);
            }
            if is_last {
                break;
            }
        }
        let gone =
            self.consuming.keys().chain(self.held.keys()).filter(|id| !present.contains(id)).copied();
        for id in gone.collect::<Vec<_>>() {
            self.is_gone(id);
        }
        self.fits.keep(&trees);
        Ok(())
    }

    /// The function does not exist any more, or was never known here.
    fn is_gone(&mut self, id: FunctionId) {
        let (consumed, held) = (self.consuming.remove(&id), self.held.remove(&id));
        if let Some(one) = &consumed {
            one.stop.cancel();
        }
        if held.is_some() {
            self.report_unusable();
        }
        if consumed.is_some() || held.is_some() {
            self.shared.outdated.look_at(self.shared.revisions.digests(id));
            self.shared.revisions.forget(id);
            // After the revisions: what is read of it from now on is not remembered.
            self.secrets.forget(id);
            self.dispatch.warm().forget(id);
            self.dispatch.stalled().forget(id);
            self.dispatch.send(Command::Active { function: id, revision: None });
        }
    }

    /// The function exists, perhaps with another revision than was known.
    fn is_there(&mut self, found: ActiveFunction) {
        let ActiveFunction { function, revision } = found;
        let revision = self.shared.revisions.keep(revision);
        self.see_language(&revision);
        let held = self.held.remove(&function.id);
        let is_new = self.see_active(&function, held.as_ref());
        let SecretState { have_changed, unreadable } = self.secrets.look_at(&revision);
        if let Some(reason) = unreadable {
            if self.hold(&revision, held, Some(reason)) {
                // After its consumers were told to stop: what is given back does not come here again.
                self.dispatch.send(Command::LeaveToOthers { function: function.id });
            }
            return;
        }
        let was_unusable = held.as_ref().is_some_and(|held| held.reason.is_some());
        if have_changed || was_unusable {
            self.dispatch.send(Command::SecretsChanged { function: function.id });
        }
        match self.fits.of(&revision) {
            Fit::Asked => _ = self.hold(&revision, held, None),
            Fit::Unfit(reason) => _ = self.hold(&revision, held, Some(reason)),
            Fit::Fits | Fit::Unknown(_) => {
                if (is_new || held.is_some()) && revision.spec.scaling.min_instances > 0 {
                    self.dispatch.send(Command::Keep { revision: revision.clone() });
                }
                if was_unusable {
                    self.report_unusable();
                }
                self.consume(&function, &revision);
            }
        }
    }

    /// One that begins with another program has a class of its own, which is prewarmed when there is demand for it.
    fn see_language(&mut self, revision: &Revision) {
        if let Code::Language { language, version: _, package: _ } = revision.spec.code
            && revision.spec.interface.is_protocol() == language.facts().interpreter.is_some()
            && self.languages.insert(language)
        {
            self.dispatch.send(Command::Deployed { language });
        }
    }

    /// Returns whether another revision is active than was known, after telling of it.
    fn see_active(&self, function: &Function, held: Option<&LeftToOthers>) -> bool {
        let (id, active) = (function.id, function.active_revision);
        self.shared.revisions.set_active(id, active);
        let known = self.consuming.get(&id).map(|one| one.active).or(held.map(|held| held.active));
        if known == Some(active) {
            return false;
        }
        self.dispatch.send(Command::Active { function: id, revision: Some(active) });
        if known.is_some() {
            self.shared.outdated.look_at(self.shared.revisions.digests(id));
        }
        true
    }

    /// Takes its work, as many pieces at a time as it has places.
    fn consume(&mut self, function: &Function, revision: &Revision) {
        let (id, active) = (function.id, function.active_revision);
        let prefetch = u16::try_from(revision.spec.scaling.places()).unwrap_or(u16::MAX).max(1);
        match self.consuming.get_mut(&id) {
            Some(one) if one.prefetch == prefetch => one.active = active,
            _ => {
                if let Some(old) = self.consuming.remove(&id) {
                    old.stop.cancel();
                }
                let one = self.start(function, prefetch);
                self.consuming.insert(id, one);
            }
        }
    }

    /// Leaves a function to other managers; none as a reason: for now. Returns whether that is new.
    fn hold(
        &mut self,
        revision: &Revision,
        before: Option<LeftToOthers>,
        reason: Option<String>,
    ) -> bool {
        let (id, active) = (revision.function, revision.number);
        if let Some(one) = self.consuming.remove(&id) {
            one.stop.cancel();
        }
        let is_new = before.as_ref().is_none_or(|held| held.active != active || held.reason != reason);
        let was_unusable = before.is_some_and(|held| held.reason.is_some());
        if let Some(reason) = reason.as_ref().filter(|_| is_new) {
            tracing::warn!(
                function = %revision.name,
                revision = %active,
                reason,
                "cannot be run on this host, and is left to others"
            );
        }
        let is_unusable = reason.is_some();
        self.held.insert(id, LeftToOthers { active, reason });
        if is_new && (is_unusable || was_unusable) {
            self.report_unusable();
        }
        is_new
    }

    fn report_unusable(&self) {
        let unusable = |(id, held): (&FunctionId, &LeftToOthers)| Some((*id, held.reason.clone()?));
        self.unusable.send_replace(self.held.iter().filter_map(unusable).collect());
    }

    fn start(&mut self, function: &Function, prefetch: u16) -> Consuming {
        let token = self.stop.child_token();
        for mode in [Mode::Sync, Mode::Async] {
            let queue = FunctionQueue {
                shared: self.shared.clone(),
                dispatch: self.dispatch.clone(),
                function: function.id,
                mode,
                prefetch,
                asking: self.asking.clone(),
                manager_stop: self.stop.clone(),
            };
            self.tasks.spawn(queue.clone().consume(STANDING_PRIORITY, token.clone()));
            let warm = self.dispatch.warm().follow(function.id);
            self.tasks.spawn(queue.consume_while_warm(warm, token.clone()));
        }
        Consuming { active: function.active_revision, prefetch, stop: token }
    }
}

#[cfg(test)]
mod tests;
