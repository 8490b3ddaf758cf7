//! Changes of tokens, which gateways follow: a number that grows with each one. This registry raises it for its own changes
//! at once, for those of other hosts when it hears of them, and whenever it may have missed one.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::Uri};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Registry;
use crate::{
    backoff::Backoff,
    error_chain::chain,
    http::{Answer, Query},
    model::{
        api::TokenChanges,
        message::{Change, Event, Parcel},
    },
    queue::Consumer,
};

/// The longest wait of a gateway for another generation; then it is told the one that it knows.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Pauses between attempts to subscribe.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Counts the changes since this process began.
pub struct Generations {
    process: Uuid,
    generation: watch::Sender<u64>,
}

impl Default for Generations {
    fn default() -> Self {
        Self { process: Uuid::now_v7(), generation: watch::Sender::new(0) }
    }
}

impl Generations {
    /// Has every gateway of this host ask again for each token before its next use.
    pub fn raise(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    fn now(&self) -> TokenChanges {
        TokenChanges { generation: *self.generation.borrow(), process: self.process }
    }

    /// Waits until the generation is not `known`, for at most [`LONGEST_WAIT`] and not beyond `stop`, and returns it.
    async fn after(&self, known: Option<TokenChanges>, stop: &CancellationToken) -> TokenChanges {
        if let Some(known) = known.filter(|known| known.process == self.process) {
            let mut generation = self.generation.subscribe();
            let changed = async { drop(generation.wait_for(|now| *now != known.generation).await) };
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(LONGEST_WAIT) => {}
                () = stop.cancelled() => {}
            }
        }
        self.now()
    }
}

impl Registry {
    /// Has every gateway ask again for what it knows of tokens: that of this host at once, those of others when they hear
    /// the broadcast.
    pub async fn tokens_changed(&self) {
        self.generations.raise();
        self.broadcast(Change::TokensChanged).await;
    }

    /// Follows the changes that other hosts broadcast; does not return. What came while there was no subscription may have
    /// been missed, which counts as a change.
    pub async fn follow_token_changes(&self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.queue.subscribe().await {
                Ok(events) => {
                    self.generations.raise();
                    backoff.reset();
                    self.raise_at(events).await;
                }
                Err(error) => tracing::debug!(error = %chain(&error), "no changes of tokens yet"),
            }
            // The broker is away, or has just come back.
            backoff.pause().await;
        }
    }

    /// Ends with the subscription.
    async fn raise_at(&self, mut events: Consumer) {
        while let Some(event) = events.next().await {
            let is_one = is_about_tokens(&event.parcel);
            drop(event.ack().await);
            if is_one {
                self.generations.raise();
            }
        }
    }
}

/// Returns whether tokens may have changed. An event that cannot be read may be a newer version's word for it.
fn is_about_tokens(event: &Parcel) -> bool {
    match event.open::<Event>() {
        Ok((Event { change, .. }, _)) => change == Change::TokensChanged,
        Err(_) => true,
    }
}

/// `GET /internal/v1/token-changes`: the generation, with `process` and `generation` as soon as it is another one.
pub async fn changes(State(registry): State<Arc<Registry>>, uri: Uri) -> Answer<Json<TokenChanges>> {
    let query = Query::read(uri.query(), &["process", "generation"])?;
    let process = query.one("process", str::parse::<Uuid>)?;
    let generation = query.one("generation", str::parse::<u64>)?;
    let known =
        process.zip(generation).map(|(process, generation)| TokenChanges { generation, process });
    Ok(Json(registry.generations.after(known, &registry.stop).await))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{
        FunctionId,
        message::{VERSION, encode},
    };

    /// Far from [`LONGEST_WAIT`].
    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_follower_is_answered_at_a_change_and_at_once_when_it_missed_one() {
        let (generations, stop) = (Generations::default(), CancellationToken::new());
        let first = generations.after(None, &stop).await;
        let of_another = TokenChanges { process: Uuid::now_v7(), ..first };
        assert_eq!(generations.after(Some(of_another), &stop).await, first);

        let raise = async {
            tokio::task::yield_now().await;
            generations.raise();
        };
        let following = async { tokio::join!(generations.after(Some(first), &stop), raise) };
        let (second, ()) = tokio::time::timeout(SOON, following).await.expect("it hears of the change");
        assert_eq!(second, TokenChanges { generation: first.generation + 1, ..first });
        let missed = tokio::time::timeout(SOON, generations.after(Some(first), &stop)).await;
        assert_eq!(missed, Ok(second));
    }

    #[tokio::test]
    async fn a_follower_does_not_hold_up_a_stop() {
        let (generations, stop) = (Generations::default(), CancellationToken::new());
        let now = generations.now();
        let stopping = async {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        let following = async { tokio::join!(generations.after(Some(now), &stop), stopping) };
        let (told, ()) = tokio::time::timeout(SOON, following).await.expect("it ends with the stop");
        assert_eq!(told, now);
    }

    #[test]
    fn an_event_about_tokens_and_one_that_cannot_be_read_are_changes() {
        let event = |change| Parcel::from(encode(&Event { v: VERSION, change }, b""));
        assert!(is_about_tokens(&event(Change::TokensChanged)));
        assert!(!is_about_tokens(&event(Change::FunctionChanged { function: FunctionId::new() })));
        let newer = serde_json::json!({ "v": 2, "change": { "kind": "tokens_changed" } });
        for unknown in [encode(&newer, b""), Bytes::from_static(b"x")] {
            assert!(is_about_tokens(&Parcel::from(unknown)));
        }
    }
}
