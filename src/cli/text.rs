//! Small text functions that several commands use.

use std::time::Duration;

use jiff::Timestamp;

use crate::units::show_duration;
pub use crate::units::{parse_since, written_duration as setting};

/// Formats a moment to the second.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Formats the time since a moment in one unit; after a month, as a date.
pub fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs();
    match seconds {
        ..=0 => "now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..2_592_000 => format!("{} d ago", seconds / 86_400),
        _ => time.strftime("%Y-%m-%d").to_string(),
    }
}

/// Formats the time until a moment in one unit.
pub fn ahead(time: Timestamp, now: Timestamp) -> String {
    let seconds = time.duration_since(now).as_secs();
    match seconds {
        ..=0 => "now".to_owned(),
        1..60 => format!("in {seconds} s"),
        60..3600 => format!("in {} min", seconds / 60),
        3600..86_400 => format!("in {} h", seconds / 3600),
        _ => format!("in {} d", seconds / 86_400),
    }
}

/// Formats a moment to the millisecond.
pub fn exact_moment(time: Timestamp) -> String {
    crate::model::time::text(time)
}

pub fn milliseconds(ms: f64) -> String {
    Duration::try_from_secs_f64(ms / 1000.0).map_or_else(|_| "?".to_owned(), show_duration)
}

/// Formats a count with its noun: `1 file`, `3 files`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_told_to_one_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (time, told) in [
            ("2026-01-31T12:00:05Z", "now"),
            ("2026-01-31T11:59:59Z", "1 s ago"),
            ("2026-01-31T11:57:01Z", "2 min ago"),
            ("2026-01-31T01:00:00Z", "11 h ago"),
            ("2026-01-02T12:00:00Z", "29 d ago"),
            ("2025-12-31T12:00:00Z", "2025-12-31"),
        ] {
            assert_eq!(ago(time.parse().unwrap(), now), told);
        }
    }

    #[test]
    fn how_far_ahead_is_told_to_one_unit() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        for (time, told) in [
            ("2026-01-01T11:00:00Z", "now"),
            ("2026-01-01T12:00:01Z", "in 1 s"),
            ("2026-01-01T12:02:59Z", "in 2 min"),
            ("2026-01-01T23:00:00Z", "in 11 h"),
            ("2026-01-30T12:00:00Z", "in 29 d"),
            ("2026-04-01T12:00:00Z", "in 90 d"),
        ] {
            assert_eq!(ahead(time.parse().unwrap(), now), told);
        }
    }

    #[test]
    fn since_is_a_duration_or_a_moment() {
        assert_eq!(moment(parse_since("2026-01-31T12:00:00Z").unwrap()), "2026-01-31T12:00:00Z");
        let since = parse_since("10m").unwrap();
        let ago = Timestamp::now().duration_since(since);
        assert!((600..602).contains(&ago.as_secs()), "{ago}");
        assert_eq!(moment(parse_since("2026-01-31").unwrap()), "2026-01-31T00:00:00Z");
        assert!(parse_since("yesterday").is_err());
    }
}
