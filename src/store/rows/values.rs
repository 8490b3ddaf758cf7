//! Values of columns, to and from those of the model.

use std::{borrow::Cow, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::model::RevisionNumber;

/// Removes U+0000 from text: Postgres cannot hold it; SQLite could, but both return the same.
pub(in crate::store) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Writes one line of JSON; a NUL in it is escaped.
pub(in crate::store) fn json<T: Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Writes ids as a JSON array of hexadecimal digits, for `unhex(value) … json_each($1)`.
pub(in crate::store) fn hex_ids(ids: impl Iterator<Item = Uuid>) -> sqlx::Result<String> {
    json(&ids.map(|id| id.simple().to_string()).collect::<Vec<_>>())
}

/// Returns whole milliseconds, for an `interval` of the store's clock.
pub(in crate::store) fn millis(duration: std::time::Duration) -> i64 {
    // A tenth of the range: far beyond the life of any row, and a sum with a time never overflows.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 10)
}

/// Converts a size or count of something in memory.
pub(in crate::store) fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(in crate::store) fn unreadable(
    error: impl std::error::Error + Send + Sync + 'static,
) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(in crate::store) fn parse<T: FromStr>(text: &str) -> sqlx::Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(unreadable)
}

pub(in crate::store) fn from_json<T: DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

pub(in crate::store) fn time(milliseconds: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(unreadable)
}

pub(super) fn number(value: i64) -> sqlx::Result<u32> {
    u32::try_from(value).map_err(unreadable)
}

pub(in crate::store) fn revision(value: i64) -> sqlx::Result<RevisionNumber> {
    number(value).map(RevisionNumber)
}

/// Returns the value that this word of the store stands for.
pub(super) fn word<T: Copy>(values: &[T], name: fn(T) -> &'static str, text: &str) -> sqlx::Result<T> {
    values
        .iter()
        .copied()
        .find(|&value| name(value) == text)
        .ok_or_else(|| sqlx::Error::Decode(format!("'{text}' is not a word of this column").into()))
}
