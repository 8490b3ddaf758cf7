//! Messages of the old program, as bytes: each kind of header that went over its broker.

use base64::Engine as _;
use bytes::Bytes;
use cloudfunc::model::message::{Build, BuildEvent, Event, Header, Invoke, Outcome, decode};
use serde_json::Value;

use super::{assert_kept, fixture};

pub fn bytes(message: &Value) -> Bytes {
    let text = message["base64"].as_str().unwrap();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap().into()
}

/// Each is decoded, and the new program's header says what the old one said.
pub fn are_read(version: &str) {
    let recorded = fixture::read(&fixture::version(version).join("postgres/messages.json"));
    let mut kinds = Vec::new();
    for (name, message) in recorded.as_object().unwrap() {
        let kind = name.split(' ').next().unwrap();
        let bytes = bytes(message);
        match kind {
            "invoke" => is_read::<Invoke>(bytes),
            "outcome" => is_read::<Outcome>(bytes),
            "build" => is_read::<Build>(bytes),
            "build_event" => is_read::<BuildEvent>(bytes),
            "event" => is_read::<Event>(bytes),
            other => panic!("{other}"),
        }
        kinds.push(kind);
    }
    kinds.dedup();
    assert_eq!(kinds, ["build", "build_event", "event", "invoke", "outcome"]);
}

fn is_read<H: Header>(message: Bytes) {
    let length = u32::from_be_bytes(message[..4].try_into().unwrap()) as usize;
    let old: Value = serde_json::from_slice(&message[4..4 + length]).unwrap();
    let old_body = message.slice(4 + length..);
    let (header, body) = decode::<H>(message).unwrap();
    assert_kept(&old, &serde_json::to_value(&header).unwrap());
    assert_eq!(body, old_body);
}
