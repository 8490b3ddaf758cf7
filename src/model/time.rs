//! Moments in JSON: always to the millisecond, as the store keeps them. All have one width, so they sort as text in the
//! order of time.

use jiff::Timestamp;
use serde::{Deserializer, Serializer};

/// Returns the text of a moment: `2026-01-31T12:00:00.120Z`.
pub fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Moments, for `#[serde(with = …)]`.
pub mod moment {
    use super::{Deserializer, Serializer, Timestamp, text};
    use serde::Deserialize as _;

    /// Writes the moment to the millisecond.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(*time))
    }

    /// Reads a moment of any precision.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

/// Optional moments, for `#[serde(with = …)]`.
pub mod optional {
    use super::{Deserializer, Serializer, Timestamp, text};
    use serde::Deserialize as _;

    /// Writes the moment to the millisecond, or `null`.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_str(&text(*time)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a moment of any precision, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn moments_have_one_width_and_sort_as_text() {
        let given = [
            "2026-01-31T11:59:59.9999Z",
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00.1Z",
            "2026-01-31T12:00:00.100000001Z",
            "2026-01-31T12:00:00.12Z",
            "2026-01-31T12:00:01Z",
        ];
        let texts = given.map(|time| text(time.parse().unwrap()));
        assert_eq!(texts[1], "2026-01-31T12:00:00.000Z");
        assert!(texts.iter().all(|text| text.len() == texts[1].len()), "{texts:?}");
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
