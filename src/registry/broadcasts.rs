//! The broadcasts of a platform's hosts, for the gateway that follows this registry: changes of tokens, and of functions.

use std::time::Duration;

use super::Registry;
use crate::{
    backoff::Backoff,
    error_chain::chain,
    model::{
        FunctionId, TokenName,
        message::{Change, Event, Parcel},
    },
    queue::Consumer,
};

/// Pauses between attempts to subscribe.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Registry {
    /// Follows the changes that other hosts broadcast; does not return. What came while there was no subscription may have
    /// been missed.
    pub async fn follow_broadcasts(&self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.queue.subscribe().await {
                Ok(events) => {
                    self.generations.may_have_missed();
                    self.addressed.may_have_missed();
                    backoff.reset();
                    self.hear(events).await;
                }
                Err(error) => tracing::debug!(error = %chain(&error), "no broadcasts yet"),
            }
            // The broker is away, or has just come back.
            backoff.pause().await;
        }
    }

    /// Ends with the subscription. A change counts before its event is acknowledged: a slow broker does not hold it up. Nothing
    /// here waits for the store, so that a revoked token does not.
    async fn hear(&self, mut events: Consumer) {
        while let Some(event) = events.next().await {
            match Heard::of(&event.parcel) {
                Heard::Token(name) => self.generations.changed(name),
                Heard::Function(function) => self.addressed.may_have_changed(function),
                Heard::Anything => {
                    self.generations.may_have_missed();
                    self.addressed.may_have_missed();
                }
                Heard::Nothing => {}
            }
            drop(event.ack().await);
        }
    }
}

/// The subject of an event.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// This token was changed.
    Token(TokenName),
    /// This function was changed or deleted.
    Function(FunctionId),
    /// The event cannot be read: it may be a newer version's word for a change of anything.
    Anything,
    /// It is about something that nobody follows here.
    Nothing,
}

impl Heard {
    fn of(event: &Parcel) -> Self {
        let Ok((Event { change, .. }, _)) = event.open::<Event>() else { return Self::Anything };
        match change {
            Change::TokenChanged { name } => Self::Token(name),
            Change::FunctionChanged { function } | Change::FunctionDeleted { function } => {
                Self::Function(function)
            }
            Change::SecretChanged { .. } => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{
        SecretPlace,
        message::{VERSION, encode},
    };

    #[test]
    fn an_event_names_what_was_changed_and_one_that_cannot_be_read_may_be_about_anything() {
        let event = |change| Parcel::from(encode(&Event { v: VERSION, change }, b""));
        let name: TokenName = "ci".parse().unwrap();
        let about_ci = Change::TokenChanged { name: name.clone() };
        assert_eq!(Heard::of(&event(about_ci)), Heard::Token(name));
        let function = FunctionId::new();
        for change in [Change::FunctionChanged { function }, Change::FunctionDeleted { function }] {
            assert_eq!(Heard::of(&event(change)), Heard::Function(function));
        }
        let place = SecretPlace { function: None, name: "API_KEY".parse().unwrap() };
        assert_eq!(Heard::of(&event(Change::SecretChanged { place })), Heard::Nothing);
        let newer = serde_json::json!({ "v": 2, "change": { "kind": "token_changed", "name": "ci" } });
        for unknown in [encode(&newer, b""), Bytes::from_static(b"x")] {
            assert_eq!(Heard::of(&Parcel::from(unknown)), Heard::Anything);
        }
    }
}
