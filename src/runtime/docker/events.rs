//! The reasons why containers ended: one subscription to the engine's events for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bollard::{Docker, errors::Error as Answer, models::EventMessage, query_parameters::EventsOptions};
use futures_util::StreamExt;
use tokio::{sync::watch, time::timeout};

use super::{Shared, engine, sandbox};
use crate::runtime::Exit;

/// The pauses between tries to subscribe again, doubled from the first up to the second one: short, as an engine that is
/// back has ends to tell that somebody waits for.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// The exit code of a process that was killed, by the kernel for its memory or by another process.
const KILLED: i64 = 128 + 9;

/// The time that a kill waits for the engine's report that it was for memory: it comes from another part of the kernel,
/// and may come later.
const LATE_OOM: Duration = Duration::from_millis(250);

/// The same for a process in a container that lives: the guest may see its end much earlier than the engine.
const LATE_KILL: Duration = Duration::from_secs(1);

/// Everything known about one container's end.
#[derive(Debug, Default)]
struct State {
    removed: bool,
    /// The number of the engine's reports that the kernel has killed one of its processes for memory.
    memory_kills: u64,
    code: Option<i64>,
    /// It does not exist any more, and its end was not seen.
    gone: bool,
}

impl State {
    /// Our own kill > the engine's report on memory > the exit code. A process killed for its memory that the guest had
    /// started itself is not a reason: only the process that was killed counts.
    fn exit(&self) -> Option<Exit> {
        if self.removed {
            return Some(Exit::Removed);
        }
        match self.code {
            Some(KILLED) if self.memory_kills > 0 => Some(Exit::OutOfMemory),
            Some(code) => Some(Exit::Code(code)),
            None if self.gone => Some(Exit::Unknown),
            None => None,
        }
    }
}

/// One container's end, which can be waited for.
pub(super) struct End {
    state: watch::Sender<State>,
}

impl End {
    pub(super) async fn wait(&self) -> Exit {
        let mut state = self.state.subscribe();
        let exit = ended(&mut state).await;
        if exit != Exit::Code(KILLED) {
            return exit;
        }
        let changed = state.wait_for(|state| state.removed || state.memory_kills > 0);
        let _ = timeout(LATE_OOM, changed).await;
        ended(&mut state).await
    }

    /// Returns the number of kills for memory; waits a moment for more than the `known` ones.
    pub(super) async fn memory_kills(&self, known: u64) -> u64 {
        let mut state = self.state.subscribe();
        let more = state.wait_for(|state| state.memory_kills > known || state.exit().is_some());
        let _ = timeout(LATE_KILL, more).await;
        self.state.borrow().memory_kills
    }

    pub(super) fn removed(&self) {
        self.state.send_modify(|state| state.removed = true);
    }
}

async fn ended(state: &mut watch::Receiver<State>) -> Exit {
    match state.wait_for(|state| state.exit().is_some()).await {
        Ok(state) => state.exit().unwrap_or(Exit::Unknown),
        // Cannot happen: the sender is in the value that we borrow.
        Err(_) => Exit::Unknown,
    }
}

/// The containers whose end is waited for, by id.
#[derive(Default)]
pub(super) struct Ends(Mutex<HashMap<String, Weak<End>>>);

impl Ends {
    pub(super) fn register(&self, id: &str) -> Arc<End> {
        let end = Arc::new(End { state: watch::Sender::default() });
        self.0.lock().unwrap().insert(id.to_owned(), Arc::downgrade(&end));
        end
    }

    /// Notes that we removed it ourselves, whichever part of this program asked for it: there is nothing else to learn.
    pub(super) fn removed(&self, id: &str) {
        self.update(id, |state| state.removed = true);
        self.0.lock().unwrap().remove(id);
    }

    fn update(&self, id: &str, change: impl FnOnce(&mut State)) {
        let end = self.0.lock().unwrap().get(id).and_then(Weak::upgrade);
        if let Some(end) = end {
            end.state.send_modify(change);
        }
    }

    fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    fn apply(&self, event: EventMessage) {
        let Some(actor) = event.actor else { return };
        let (Some(id), Some(action)) = (actor.id, event.action) else { return };
        match action.as_str() {
            "oom" => self.update(&id, |state| state.memory_kills += 1),
            "die" => {
                let code = actor.attributes.and_then(|all| all.get("exitCode")?.parse().ok());
                self.update(&id, |state| match code {
                    Some(code) => state.code = Some(code),
                    None => state.gone = true,
                });
            }
            "destroy" => self.update(&id, |state| state.gone = true),
            _ => {}
        }
    }
}

/// Returns the time from which a subscription should report: the events before it stands are sent afterwards.
pub(super) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// Follows the engine's events for as long as `shared` exists, and subscribes again when they break off.
pub(super) async fn follow(shared: Weak<Shared>, mut since: String) {
    let mut backoff = BACKOFF[0];
    loop {
        if listen(&shared, &since).await {
            backoff = BACKOFF[0];
        }
        tokio::time::sleep(backoff).await;
        backoff = BACKOFF[1].min(backoff * 2);
        let Some(shared) = shared.upgrade() else { return };
        since = now();
        inspect_all(&shared).await;
    }
}

/// Listens until the stream breaks off; returns whether it had reported anything.
async fn listen(shared: &Weak<Shared>, since: &str) -> bool {
    let Some(strong) = shared.upgrade() else { return false };
    let options = EventsOptions {
        since: Some(since.to_owned()),
        until: None,
        filters: Some(HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), ["oom", "die", "destroy"].map(str::to_owned).to_vec()),
            ("label".to_owned(), sandbox::owner_filter(&strong.owner)),
        ])),
    };
    let Ok(client) = strong.engine.client().await.cloned() else { return false };
    let mut events = Box::pin(client.events(Some(options)));
    // An event in progress must not keep the backend alive.
    drop(strong);
    let mut told = false;
    while let Some(event) = events.next().await {
        let Some(strong) = shared.upgrade() else { return told };
        match event {
            Ok(event) => {
                told = true;
                strong.ends.apply(event);
            }
            Err(error) => {
                tracing::warn!(error = %error, "the engine's events broke off");
                return told;
            }
        }
    }
    told
}

/// Looks at all containers: the events may have missed an end.
async fn inspect_all(shared: &Shared) {
    let Ok(client) = shared.engine.client().await else { return };
    for id in shared.ends.ids() {
        if inspect(shared, client, &id).await.is_err() {
            return;
        }
    }
}

/// Looks at one container, and notes its end if it has ended. Returns whether it runs; the engine's error if it does not
/// answer.
pub(super) async fn inspect(shared: &Shared, client: &Docker, id: &str) -> Result<bool, Answer> {
    let state = match client.inspect_container(id, None).await {
        Ok(container) => container.state.unwrap_or_default(),
        Err(error) if engine::is_missing(&error) => {
            shared.ends.update(id, |state| state.gone = true);
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let ended =
        state.running == Some(false) && state.finished_at.is_some_and(|at| !at.starts_with("0001"));
    if ended {
        shared.ends.update(id, |known| {
            known.memory_kills = known.memory_kills.max(u64::from(state.oom_killed == Some(true)));
            known.code = known.code.or(state.exit_code);
            known.gone = true;
        });
    }
    Ok(state.running == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, code: Option<&str>) -> EventMessage {
        let attributes = code.map(|code| HashMap::from([("exitCode".to_owned(), code.to_owned())]));
        EventMessage {
            action: Some(action.to_owned()),
            actor: Some(bollard::models::EventActor { id: Some("c".to_owned()), attributes }),
            ..Default::default()
        }
    }

    fn end_of(events: &[(&str, Option<&str>)], removed: bool) -> Option<Exit> {
        let ends = Ends::default();
        let end = ends.register("c");
        for (action, code) in events {
            ends.apply(event(action, *code));
        }
        if removed {
            end.removed();
        }
        end.state.borrow().exit()
    }

    #[test]
    fn the_true_reason_is_our_kill_then_memory_then_the_code() {
        let oom = ("oom", None);
        let killed = ("die", Some("137"));
        assert_eq!(end_of(&[], false), None);
        assert_eq!(end_of(&[("die", Some("3"))], false), Some(Exit::Code(3)));
        assert_eq!(end_of(&[oom, killed], false), Some(Exit::OutOfMemory));
        assert_eq!(end_of(&[killed, oom], false), Some(Exit::OutOfMemory));
        assert_eq!(end_of(&[killed], false), Some(Exit::Code(137)));
        assert_eq!(end_of(&[oom, killed], true), Some(Exit::Removed));
        assert_eq!(end_of(&[oom, ("die", Some("1"))], false), Some(Exit::Code(1)));
        assert_eq!(end_of(&[("destroy", None)], false), Some(Exit::Unknown));
    }

    #[tokio::test]
    async fn each_kill_for_memory_counts_and_the_next_one_is_waited_for() {
        let ends = Ends::default();
        let end = ends.register("c");
        ends.apply(event("oom", None));
        assert_eq!(end.memory_kills(0).await, 1);
        let late = async {
            tokio::task::yield_now().await;
            ends.apply(event("oom", None));
        };
        let (kills, ()) = tokio::join!(end.memory_kills(1), late);
        assert_eq!(kills, 2);
        ends.apply(event("die", Some("3")));
        assert_eq!(end.memory_kills(2).await, 2);
    }

    #[tokio::test]
    async fn a_late_word_on_memory_is_waited_for() {
        let ends = Ends::default();
        let end = ends.register("c");
        ends.apply(event("die", Some("137")));
        let late = async {
            tokio::task::yield_now().await;
            ends.apply(event("oom", None));
        };
        let (exit, ()) = tokio::join!(end.wait(), late);
        assert_eq!(exit, Exit::OutOfMemory);
    }
}
