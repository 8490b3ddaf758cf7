//! Measured times and what is said of them.

use std::time::Duration;

use serde_json::{Value, json};

/// Times of one path, from all rounds.
pub struct Series {
    pub name: String,
    sorted: Vec<Duration>,
}

impl Series {
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = ((self.sorted.len() - 1) as f64 * quantile) as usize;
        self.sorted[index].as_secs_f64() * 1000.0
    }

    pub fn p50(&self) -> f64 {
        self.quantile_ms(0.5)
    }

    pub fn p99(&self) -> f64 {
        self.quantile_ms(0.99)
    }

    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    pub fn json(&self) -> Value {
        json!({
            "name": self.name, "count": self.count(),
            "p50_ms": self.p50(), "p90_ms": self.quantile_ms(0.9), "p99_ms": self.p99(),
        })
    }
}

/// Series by name, in the order of their first times.
#[derive(Default)]
pub struct Times(Vec<Series>);

impl Times {
    pub fn add(&mut self, name: &str, times: Vec<Duration>) {
        let series = match self.0.iter_mut().position(|series| series.name == name) {
            Some(index) => &mut self.0[index],
            None => {
                self.0.push(Series { name: name.to_owned(), sorted: Vec::new() });
                self.0.last_mut().expect("just pushed")
            }
        };
        series.sorted.extend(times);
        series.sorted.sort_unstable();
    }

    pub fn all(&self) -> &[Series] {
        &self.0
    }

    pub fn get(&self, name: &str) -> Option<&Series> {
        self.0.iter().find(|series| series.name == name)
    }
}

/// Answers per second, one value per round; the median is what counts.
#[derive(Default)]
pub struct Rates(Vec<(String, usize, Vec<f64>)>);

impl Rates {
    pub fn add(&mut self, name: &str, clients: usize, per_second: f64) {
        match self.0.iter_mut().find(|(other, count, _)| other == name && *count == clients) {
            Some((_, _, all)) => all.push(per_second),
            None => self.0.push((name.to_owned(), clients, vec![per_second])),
        }
    }

    /// Name, clients, median.
    pub fn medians(&self) -> impl Iterator<Item = (&str, usize, f64)> {
        self.0.iter().map(|(name, clients, all)| {
            let mut sorted = all.clone();
            sorted.sort_by(f64::total_cmp);
            (name.as_str(), *clients, sorted[sorted.len() / 2])
        })
    }

    pub fn get(&self, name: &str, clients: usize) -> Option<f64> {
        self.medians()
            .find(|(other, count, _)| *other == name && *count == clients)
            .map(|(.., rate)| rate)
    }

    pub fn json(&self) -> Vec<Value> {
        self.medians()
            .map(|(name, clients, rate)| json!({ "name": name, "clients": clients, "per_second": rate }))
            .collect()
    }
}
