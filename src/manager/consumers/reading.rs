//! What an event asks a manager to read.

use crate::model::{
    FunctionId,
    message::{Change, Event, Parcel},
};

/// What has to be read after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    One(FunctionId),
    Secrets,
    /// The event is none of a manager's business.
    Nothing,
    /// The event is not one that this program knows, or cannot be read: anything may have changed.
    All,
}

impl Reading {
    /// A function that was deleted is read, too: that it is not there says so.
    pub fn after(event: &Parcel) -> Self {
        match event.open::<Event>() {
            Ok((Event { change: Change::FunctionChanged { function }, .. }, _))
            | Ok((Event { change: Change::FunctionDeleted { function }, .. }, _)) => Self::One(function),
            Ok((Event { change: Change::SecretChanged { place: _ }, .. }, _)) => Self::Secrets,
            Ok((Event { change: Change::TokenChanged { name: _ }, .. }, _)) => Self::Nothing,
            Err(_) => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{
        SecretPlace,
        message::{self, encode},
    };

    #[test]
    fn an_event_names_the_function_to_read_and_one_that_is_not_known_means_all() {
        let function = FunctionId::new();
        for change in [Change::FunctionChanged { function }, Change::FunctionDeleted { function }] {
            let event = encode(&Event { v: message::VERSION, change }, b"");
            assert_eq!(Reading::after(&Parcel::from(event)), Reading::One(function));
        }
        let newer = serde_json::json!({ "v": 1, "change": { "kind": "clock_changed", "name": "x" } });
        let version = serde_json::json!({ "v": 2, "change": { "kind": "function_changed" } });
        for unknown in [encode(&newer, b""), encode(&version, b""), Bytes::from_static(b"x")] {
            assert_eq!(Reading::after(&Parcel::from(unknown)), Reading::All);
        }
    }

    #[test]
    fn after_a_change_of_a_secret_those_are_read_and_after_one_of_a_token_nothing_is() {
        let place = SecretPlace { function: None, name: "API_KEY".parse().unwrap() };
        for (change, reading) in [
            (Change::SecretChanged { place }, Reading::Secrets),
            (Change::TokenChanged { name: "ci".parse().unwrap() }, Reading::Nothing),
        ] {
            let event = encode(&Event { v: message::VERSION, change }, b"");
            assert_eq!(Reading::after(&Parcel::from(event)), reading);
        }
    }
}
