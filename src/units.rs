//! Durations and sizes as people write them: `500ms`, `30s`, `15m`, `6h`, `90d`; `128MiB`, `64KiB`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Parses `<number><unit>` with unit `ms`, `s`, `m`, `h` or `d` (24 hours); the number may have a fraction (`1.5s`).
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(duration_error(text)),
    };
    let number: f64 = number.parse().map_err(|_| duration_error(text))?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| duration_error(text))
}

fn duration_error(text: &str) -> String {
    format!("'{text}' is not a duration; write a number and one of ms, s, m, h, d, for example \"30s\"")
}

/// Parses the beginning of a period: a duration before now (`10m`), a moment (RFC 3339) or a day in UTC (`2026-01-31`).
pub fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(moment) = format!("{text}T00:00:00Z").parse::<Timestamp>() {
        return Ok(moment);
    }
    let since = parse_duration(text)
        .ok()
        .and_then(|ago| Timestamp::now().checked_sub(SignedDuration::try_from(ago).ok()?).ok());
    since.ok_or_else(|| {
        "write how long ago, for example 10m, or a moment, for example 2026-01-31T12:00:00Z".to_owned()
    })
}

/// Parses `<number><unit>` with unit `B`, `KiB`, `MiB` or `GiB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let error = || {
        format!(
            "'{text}' is not a size; write a number and one of B, KiB, MiB, GiB, for example \"128MiB\""
        )
    };
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(error()),
    };
    let number: u64 = number.parse().map_err(|_| error())?;
    number.checked_mul(factor).ok_or_else(error)
}

/// Formats a duration for people, not for parsing: `1.2 s`, `60 s`, `350 ms`, `2 m 5 s`.
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else if ms < 120_000.0 && ms % 1000.0 == 0.0 {
        format!("{:.0} s", ms / 1000.0)
    } else if ms < 60_000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        let seconds = duration.as_secs();
        format!("{} m {} s", seconds / 60, seconds % 60)
    }
}

/// Formats a duration as a manifest or a flag has it, in the largest unit without a fraction: `7d`, `90s`, `1500ms`.
pub fn written_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// Formats a size for people: `128 MiB`, `1.5 KiB`.
pub fn show_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if bytes >= size {
            let whole = bytes / size;
            return if bytes.is_multiple_of(size) {
                format!("{whole} {unit}")
            } else {
                format!("{whole}.{} {unit}", (bytes % size) * 10 / size)
            };
        }
    }
    format!("{bytes} B")
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("6h"), Ok(Duration::from_secs(6 * 3600)));
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 24 * 3600)));
        for bad in ["", "30", "s", "-1s", "1w", "1..2s", "1 s"] {
            assert!(parse_duration(bad).unwrap_err().contains("is not a duration"), "{bad}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0s", "250ms", "1500ms", "2s", "90s", "15m", "23h", "1d", "25h", "7d", "90d"] {
            assert_eq!(written_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(written_duration(Duration::from_secs(24 * 3600)), "1d");
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_bytes("128MiB"), Ok(128 << 20));
        for bad in ["", "128", "128MB", "-1B", "99999999999GiB", "1.5MiB"] {
            assert!(parse_bytes(bad).unwrap_err().contains("is not a size"), "{bad}");
        }
        assert_eq!(show_bytes(6 << 20), "6 MiB");
        assert_eq!(show_bytes(1536), "1.5 KiB");
    }
}
