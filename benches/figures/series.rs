//! What was measured, by row and round.

use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Program, harness};

/// A round speaks for a quantile when so many of its samples lie beyond it.
const BEYOND: f64 = 10.0;

/// Times of one row. The first name is of its group.
pub struct Series {
    pub group: &'static str,
    pub name: String,
    /// What the program was built from: commit and profile.
    pub build: String,
    /// Sorted, in milliseconds.
    rounds: Vec<Vec<f64>>,
    /// Of all rounds, sorted.
    all: Vec<f64>,
}

impl Series {
    /// In milliseconds: the median of the rounds' where each has enough samples for it, else of all rounds'
    /// samples together. So one disturbed round does not make a 99th percentile.
    pub fn quantile(&self, quantile: f64) -> f64 {
        let enough = |round: &Vec<f64>| count(round.len()) * (1.0 - quantile) >= BEYOND;
        if quantile <= 0.5 || self.rounds.iter().all(enough) {
            return median(self.rounds.iter().map(|round| at(round, quantile)));
        }
        at(&self.all, quantile)
    }

    /// Of all samples, for a curve.
    pub fn at(&self, quantile: f64) -> f64 {
        at(&self.all, quantile)
    }

    pub fn p50(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    fn json(&self) -> Value {
        json!({
            "group": self.group, "name": self.name, "build": self.build, "count": self.count(), "rounds": self.rounds.len(),
            "p50_ms": self.p50(), "p90_ms": self.quantile(0.9), "p99_ms": self.p99(), "max_ms": self.at(1.0),
        })
    }
}

/// One number per round; the median is what counts.
pub struct Values {
    pub group: &'static str,
    pub name: String,
    /// What the program was built from: commit and profile.
    pub build: String,
    pub unit: &'static str,
    rounds: Vec<f64>,
}

impl Values {
    pub fn median(&self) -> f64 {
        median(self.rounds.iter().copied())
    }

    fn json(&self) -> Value {
        json!({
            "group": self.group, "name": self.name, "build": self.build, "unit": self.unit, "median": self.median(),
            "rounds": self.rounds,
        })
    }
}

/// All rows, in the order in which they were first measured.
pub struct Figures {
    pub series: Vec<Series>,
    pub values: Vec<Values>,
    /// What is behind the names of the platform's rows, and what the program of these was built from.
    program: (Option<String>, String),
    /// What the floors were built from.
    floors: String,
    /// The names of servers that are not ours.
    others: Vec<String>,
}

impl Figures {
    pub fn new(program: &Program, others: Vec<String>) -> Self {
        let program = (program.name.clone(), program.build.clone());
        Self { series: Vec::new(), values: Vec::new(), program, floors: harness(), others }
    }

    /// The platform's rows are of this program from now on.
    pub fn turn_to(&mut self, program: &Program) {
        self.program = (program.name.clone(), program.build.clone());
    }

    /// The whole name of a row, and what its program was built from.
    fn of(&self, name: &str) -> (String, String) {
        if self.others.iter().any(|other| name.contains(other)) {
            return (name.to_owned(), "another server".to_owned());
        }
        // All rows of the platform say so; floors do not.
        if !name.contains("cloudfunc") {
            return (name.to_owned(), self.floors.clone());
        }
        let (program, build) = self.program.clone();
        (program.map_or_else(|| name.to_owned(), |program| format!("{name} [{program}]")), build)
    }

    /// A round's times, if there are any: another server may have refused all calls.
    pub fn times(&mut self, group: &'static str, name: &str, times: Vec<Duration>) {
        self.milliseconds(group, name, times.iter().map(|time| time.as_secs_f64() * 1000.0).collect());
    }

    pub fn milliseconds(&mut self, group: &'static str, name: &str, mut times: Vec<f64>) {
        if times.is_empty() {
            return;
        }
        let (name, build) = self.of(name);
        let index = match self.series.iter().position(|row| row.group == group && row.name == name) {
            Some(index) => index,
            None => {
                let (rounds, all) = (Vec::new(), Vec::new());
                self.series.push(Series { group, name, build, rounds, all });
                self.series.len() - 1
            }
        };
        let row = &mut self.series[index];
        times.sort_unstable_by(f64::total_cmp);
        row.all.extend(&times);
        row.all.sort_unstable_by(f64::total_cmp);
        row.rounds.push(times);
    }

    /// A round's number.
    pub fn value(&mut self, group: &'static str, name: &str, unit: &'static str, value: f64) {
        let (name, build) = self.of(name);
        match self.values.iter_mut().find(|row| row.group == group && row.name == name) {
            Some(row) => row.rounds.push(value),
            None => self.values.push(Values { group, name, build, unit, rounds: vec![value] }),
        }
    }

    pub fn get(&self, group: &str, name: &str) -> Option<&Series> {
        self.series.iter().find(|row| row.group == group && row.name == name)
    }

    pub fn number(&self, group: &str, name: &str) -> Option<f64> {
        let row = self.values.iter().find(|row| row.group == group && row.name == name);
        row.map(Values::median)
    }

    pub fn group<'g>(&'g self, group: &'g str) -> impl Iterator<Item = &'g Series> {
        self.series.iter().filter(move |row| row.group == group)
    }

    pub fn json(&self) -> Value {
        json!({
            "times": self.series.iter().map(Series::json).collect::<Vec<_>>(),
            "values": self.values.iter().map(Values::json).collect::<Vec<_>>(),
        })
    }
}

#[expect(clippy::cast_precision_loss)]
pub fn count(number: usize) -> f64 {
    number as f64
}

/// Of sorted values: the smallest that so large a share of them does not exceed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let index = (count(sorted.len()) * quantile).ceil() as usize;
    sorted[index.clamp(1, sorted.len()) - 1]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    at(&sorted, 0.5)
}
