//! Durations in JSON: at most three decimals, in milliseconds or seconds. More would be noise.

use serde::{Serialize as _, Serializer};

/// Writes a number with at most three decimals, for `#[serde(serialize_with = "rounded::value")]`.
pub fn value<T: Copy + Into<f64>, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    round((*value).into()).serialize(serializer)
}

/// Writes an optional number likewise.
pub fn option<T: Copy + Into<f64>, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.map(|value| round(value.into())).serialize(serializer)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    #[derive(Serialize)]
    struct Times {
        #[serde(serialize_with = "super::value")]
        one: f64,
        #[serde(serialize_with = "super::value")]
        short: f32,
        #[serde(serialize_with = "super::option")]
        maybe: Option<f64>,
        #[serde(serialize_with = "super::option")]
        none: Option<f64>,
    }

    #[test]
    fn durations_have_at_most_three_decimals() {
        let times = Times { one: 412.300_000_000_1, short: 0.1, maybe: Some(1.0 / 3.0), none: None };
        let json = serde_json::to_string(&times).unwrap();
        assert_eq!(json, r#"{"one":412.3,"short":0.1,"maybe":0.333,"none":null}"#);
        let large =
            Times { one: 54_000_000.123_456, short: 16_777.217, maybe: Some(0.000_4), none: None };
        let json = serde_json::to_string(&large).unwrap();
        assert_eq!(json, r#"{"one":54000000.123,"short":16777.217,"maybe":0.0,"none":null}"#);
    }
}
