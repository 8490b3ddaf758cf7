//! Small pieces of text that several commands use.

use std::time::Duration;

use jiff::Timestamp;

pub use crate::config::units::parse_since;
use crate::config::units::show_duration;

/// A moment, to the second.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment, to the millisecond.
pub fn exact_moment(time: Timestamp) -> String {
    crate::model::time::text(time)
}

pub fn milliseconds(ms: f64) -> String {
    Duration::try_from_secs_f64(ms / 1000.0).map_or_else(|_| "?".to_owned(), show_duration)
}

/// A setting as a manifest writes it: `30s`, `15m`.
pub fn setting(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// `1 file`, `3 files`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::parse_duration;

    #[test]
    fn settings_read_like_a_manifest() {
        for text in ["0s", "250ms", "1500ms", "2s", "90s", "15m", "24h"] {
            assert_eq!(setting(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn since_is_a_duration_or_a_moment() {
        assert_eq!(moment(parse_since("2026-01-31T12:00:00Z").unwrap()), "2026-01-31T12:00:00Z");
        let since = parse_since("10m").unwrap();
        let ago = Timestamp::now().duration_since(since);
        assert!((600..602).contains(&ago.as_secs()), "{ago}");
        assert!(parse_since("yesterday").is_err());
    }
}
