//! Changes of tokens, which gateways follow: a number that grows with each one, and the names of the last ones. This registry
//! counts its own changes at once and those of other hosts when it hears of them. Where it may have missed one, any token may
//! have changed.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::{Json, extract::State, http::Uri};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Registry;
use crate::{
    http::{Answer, Query},
    model::{TokenName, api::TokenChanges, message::Change},
};

/// The longest wait of a gateway for another generation; then it is told the one that it knows.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Changes whose tokens are remembered. An answer with all of them is shorter than the 1 MiB that gateways read.
const MOST_NAMED: usize = 5000;

/// Counts the changes since this process began.
pub struct Generations {
    process: Uuid,
    changes: watch::Sender<Changes>,
}

#[derive(Default)]
struct Changes {
    generation: u64,
    /// The token of each change after `since`, with the generation that the change began.
    named: VecDeque<(u64, TokenName)>,
    /// The generation since which every change is named.
    since: u64,
}

impl Changes {
    fn add(&mut self, name: TokenName) {
        self.generation += 1;
        self.named.push_back((self.generation, name));
        if self.named.len() > MOST_NAMED
            && let Some((generation, _)) = self.named.pop_front()
        {
            self.since = generation;
        }
    }

    fn may_have_missed(&mut self) {
        self.generation += 1;
        self.named.clear();
        self.since = self.generation;
    }

    /// The tokens that were changed since `known`; none where that is not known.
    fn after(&self, known: u64) -> Option<Vec<TokenName>> {
        if !(self.since..=self.generation).contains(&known) {
            return None;
        }
        let later = self.named.iter().filter(|(generation, _)| *generation > known);
        let names: BTreeSet<&TokenName> = later.map(|(_, name)| name).collect();
        Some(names.into_iter().cloned().collect())
    }
}

/// A generation of one process, which a gateway knows.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub process: Uuid,
    pub generation: u64,
}

impl Default for Generations {
    fn default() -> Self {
        Self { process: Uuid::now_v7(), changes: watch::Sender::default() }
    }
}

impl Generations {
    /// Has the gateway of this host ask again for this token before its next use.
    pub fn changed(&self, name: TokenName) {
        self.changes.send_modify(|changes| changes.add(name));
    }

    /// Has the gateway of this host ask again for every token.
    pub fn may_have_missed(&self) {
        self.changes.send_modify(Changes::may_have_missed);
    }

    fn now(&self, known: Option<Known>) -> TokenChanges {
        let changes = self.changes.borrow();
        let changed = known.and_then(|known| changes.after(known.generation));
        TokenChanges { generation: changes.generation, process: self.process, changed }
    }

    /// Waits until the generation is not `known`, for at most [`LONGEST_WAIT`] and not beyond `stop`, and returns it.
    async fn after(&self, known: Option<Known>, stop: &CancellationToken) -> TokenChanges {
        let known = known.filter(|known| known.process == self.process);
        if let Some(known) = known {
            let mut changes = self.changes.subscribe();
            let is_another = |now: &Changes| now.generation != known.generation;
            let changed = async { drop(changes.wait_for(is_another).await) };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(LONGEST_WAIT) => {}
                () = stop.cancelled() => {}
            }
        }
        self.now(known)
    }
}

impl Registry {
    /// Has every gateway ask again for this token: that of this host at once, those of others when they hear the broadcast.
    pub async fn token_changed(&self, name: &TokenName) {
        self.generations.changed(name.clone());
        self.broadcast(Change::TokenChanged { name: name.clone() }).await;
    }
}

/// `GET /internal/v1/token-changes`: the generation, with `process` and `generation` as soon as it is another one.
pub async fn changes(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer<Json<TokenChanges>> {
    let known = known(&uri)?;
    Ok(Json(registry.generations.after(known, &registry.stop).await))
}

/// Reads the generation that a gateway says it knows; none without one.
pub fn known(uri: &Uri) -> Answer<Option<Known>> {
    let query = Query::read(uri.query(), &["process", "generation"])?;
    let process = query.one("process", str::parse::<Uuid>)?;
    let generation = query.one("generation", str::parse::<u64>)?;
    Ok(process.zip(generation).map(|(process, generation)| Known { process, generation }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from [`LONGEST_WAIT`].
    const SOON: Duration = Duration::from_secs(5);

    fn name(text: &str) -> TokenName {
        text.parse().unwrap()
    }

    fn known(changes: &TokenChanges) -> Option<Known> {
        Some(Known { process: changes.process, generation: changes.generation })
    }

    #[tokio::test]
    async fn a_follower_is_answered_at_a_change_and_at_once_when_it_missed_one() {
        let (generations, stop) = (Generations::default(), CancellationToken::new());
        let first = generations.after(None, &stop).await;
        assert_eq!(first.changed, None);
        let of_another = Known { process: Uuid::now_v7(), generation: first.generation };
        assert_eq!(generations.after(Some(of_another), &stop).await, first);

        let change = async {
            tokio::task::yield_now().await;
            generations.changed(name("ci"));
        };
        let following = async { tokio::join!(generations.after(known(&first), &stop), change) };
        let (second, ()) = tokio::time::timeout(SOON, following).await.expect("it hears of the change");
        let expected = TokenChanges {
            generation: first.generation + 1,
            process: first.process,
            changed: Some(vec![name("ci")]),
        };
        assert_eq!(second, expected);
        let missed = tokio::time::timeout(SOON, generations.after(known(&first), &stop)).await;
        assert_eq!(missed, Ok(second));
    }

    #[tokio::test]
    async fn a_follower_does_not_hold_up_a_stop() {
        let (generations, stop) = (Generations::default(), CancellationToken::new());
        let now = generations.now(None);
        let stopping = async {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        let following = async { tokio::join!(generations.after(known(&now), &stop), stopping) };
        let (told, ()) = tokio::time::timeout(SOON, following).await.expect("it ends with the stop");
        assert_eq!(told, TokenChanges { changed: Some(Vec::new()), ..now });
    }

    #[test]
    fn the_changed_tokens_are_named_unless_a_change_may_have_been_missed_since() {
        let generations = Generations::default();
        let since = |generation| {
            generations.now(Some(Known { process: generations.process, generation })).changed
        };
        for changed in ["b", "a", "b"] {
            generations.changed(name(changed));
        }
        assert_eq!(since(0), Some(vec![name("a"), name("b")]));
        assert_eq!(since(2), Some(vec![name("b")]));
        assert_eq!(since(3), Some(Vec::new()));
        assert_eq!(since(4), None, "there was no such generation");
        generations.may_have_missed();
        assert_eq!((since(3), since(4)), (None, Some(Vec::new())));
        generations.changed(name("c"));
        assert_eq!((since(3), since(4)), (None, Some(vec![name("c")])));
    }

    #[test]
    fn so_many_changes_are_named_as_an_answer_has_room_for() {
        let generations = Generations::default();
        let longest = |number: usize| name(&format!("{number:x>63}"));
        for number in 0..=MOST_NAMED {
            generations.changed(longest(number));
        }
        let since =
            |generation| generations.now(Some(Known { process: generations.process, generation }));
        assert_eq!(since(0).changed, None, "the first one is forgotten");
        let answer = since(1);
        assert_eq!(answer.changed.as_ref().map(Vec::len), Some(MOST_NAMED));
        assert!(serde_json::to_vec(&answer).unwrap().len() < 1024 * 1024);
    }
}
