//! The report on a tally: as text, or as one JSON document.

use serde::Serialize;

use super::{
    failure::{self, Failure},
    tally::Tally,
};
use crate::{
    cli::{Error, Exit, Output, text::count},
    model::{FunctionName, rounded},
};

/// The width of the text where results do not go to a terminal.
const COLUMNS: usize = 80;
/// The number of buckets of the histogram.
const BUCKETS: usize = 12;

/// The phases in the order in which an invocation goes through them; the first answer need not have all of
/// them.
const PHASES: [&str; 5] = ["admit", "queue", "start", "load", "run"];

/// The document that `--json` prints. Times are in milliseconds and only of invocations that returned a value;
/// null means that it was not measured.
#[derive(Serialize)]
pub struct Report {
    function: FunctionName,
    clients: usize,
    /// Time from the end of the warm-up to the last answer.
    #[serde(serialize_with = "rounded::value")]
    duration_s: f64,
    /// A signal ended the benchmark.
    interrupted: bool,
    /// Answers with a value, per second.
    #[serde(serialize_with = "rounded::value")]
    succeeded_per_s: f64,
    succeeded: usize,
    /// The HTTP responses with a status of 400 or above that are values, by status.
    http_errors: Vec<HttpError>,
    /// Answers with status 429.
    throttled: usize,
    /// Answers with another error, and requests that got no answer.
    failed: usize,
    /// One invocation per client before everything else; not part of the numbers above.
    warm_up: WarmUp,
    warm: Option<Quantiles>,
    /// The times of cold starts, including those of the warm-up.
    cold: Option<Quantiles>,
    /// Medians of the phases that the platform reports.
    phases: Vec<PhaseTime>,
    /// The times of all warm invocations.
    histogram: Vec<Bucket>,
    /// Failures by code, most frequent first.
    failures: Vec<Failure>,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Serialize)]
struct HttpError {
    status: u16,
    count: usize,
}

#[derive(Serialize)]
struct WarmUp {
    invocations: usize,
    cold: usize,
    /// Requests that were refused, which are no invocations.
    refused: usize,
}

#[derive(Serialize)]
struct Quantiles {
    count: usize,
    #[serde(serialize_with = "rounded::value")]
    p50_ms: f32,
    #[serde(serialize_with = "rounded::value")]
    p90_ms: f32,
    #[serde(serialize_with = "rounded::value")]
    p99_ms: f32,
    #[serde(serialize_with = "rounded::value")]
    p99_9_ms: f32,
    #[serde(serialize_with = "rounded::value")]
    max_ms: f32,
}

#[derive(Serialize)]
struct PhaseTime {
    name: String,
    #[serde(serialize_with = "rounded::value")]
    p50_ms: f32,
}

/// The number of times from `from_ms` (inclusive) to `to_ms` (exclusive); the last bucket also holds the
/// largest time.
#[derive(Debug, PartialEq, Serialize)]
struct Bucket {
    #[serde(serialize_with = "rounded::value")]
    from_ms: f32,
    #[serde(serialize_with = "rounded::value")]
    to_ms: f32,
    count: usize,
}

impl Report {
    pub fn new(function: FunctionName, clients: usize, mut tally: Tally, interrupted: bool) -> Self {
        let duration_s = tally.length.as_secs_f64();
        let (succeeded, throttled, failed) = (tally.succeeded(), tally.throttled, tally.failed());
        #[expect(clippy::cast_precision_loss, reason = "no more than ten million")]
        let succeeded_per_s = if duration_s > 0.0 { succeeded as f64 / duration_s } else { 0.0 };
        let exit = if interrupted { Exit::Interrupted } else { tally.exit() };
        for times in [&mut tally.warm, &mut tally.cold] {
            times.sort_unstable_by(f32::total_cmp);
        }
        let mut phases = tally.phases;
        phases.sort_by_key(|(name, _)| PHASES.iter().position(|known| known == name));
        let phases = phases.into_iter().map(|(name, mut times)| {
            times.sort_unstable_by(f32::total_cmp);
            PhaseTime { name, p50_ms: quantile(&times, 0.5) }
        });
        let http_errors = tally.http_errors.into_iter();
        let http_errors = http_errors.map(|(status, count)| HttpError { status, count }).collect();
        let mut failures: Vec<_> = tally.failures.into_iter().map(Failure::new).collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        Self {
            function,
            clients,
            duration_s,
            interrupted,
            succeeded_per_s,
            succeeded,
            http_errors,
            throttled,
            failed,
            warm_up: WarmUp {
                invocations: tally.warm_ups,
                cold: tally.cold_warm_ups,
                refused: tally.refused_warm_ups,
            },
            warm: Quantiles::of(&tally.warm),
            cold: Quantiles::of(&tally.cold),
            phases: phases.collect(),
            histogram: histogram(&tally.warm),
            failures,
            exit,
        }
    }

    /// Prints the results on stdout; returns the worst failure as an error, if there was one.
    pub fn print(self, out: &Output) -> Result<(), Error> {
        if out.json() {
            out.document(&self)?;
        } else {
            self.print_text(out)?;
        }
        let answers = self.succeeded + self.throttled + self.failed;
        match self.exit {
            Exit::Ok => {
                out.next(&format!("cloudfunc show {}", self.function));
                Ok(())
            }
            Exit::Interrupted => Err(Error::silent(Exit::Interrupted)),
            exit => {
                let without = self.throttled + self.failed;
                let hint = failure::advice(&self.failures, self.throttled, &self.function);
                let message = format!("{without} of {} returned no value", count(answers, "invocation"));
                Err(Error::new(exit, anyhow::Error::msg(message)).hint(hint))
            }
        }
    }

    fn print_text(&self, out: &Output) -> Result<(), Error> {
        let clients = count(self.clients, "client");
        let early = if self.interrupted { ", interrupted" } else { "" };
        out.line(&format!("{}: {clients} for {:.1} s{early}", self.function, self.duration_s))?;
        let values = count(self.succeeded, "value");
        out.line(&format!("{values}, {} per second", rate(self.succeeded_per_s)))?;
        for HttpError { status, count } in &self.http_errors {
            out.line(&format!("of which {count} had HTTP {status}"))?;
        }
        let WarmUp { invocations, cold, refused } = self.warm_up;
        let refused = if refused > 0 { format!(", {refused} refused") } else { String::new() };
        out.line(&format!("warm-up: {}, {cold} cold{refused}", count(invocations, "invocation")))?;
        let rows: Vec<_> = [("warm", &self.warm), ("cold", &self.cold)]
            .into_iter()
            .filter_map(|(name, times)| Some(times.as_ref()?.row(name)))
            .collect();
        if !rows.is_empty() {
            out.line("")?;
            out.table(["START", "COUNT", "P50", "P90", "P99", "P99.9", "MAX"], &rows)?;
        }
        if !self.histogram.is_empty() {
            out.line("")?;
            for line in bars(&self.histogram, out.columns().unwrap_or(COLUMNS)) {
                out.line(&line)?;
            }
        }
        if !self.phases.is_empty() {
            out.line("")?;
            let rows: Vec<_> =
                self.phases.iter().map(|phase| [phase.name.clone(), time(phase.p50_ms)]).collect();
            out.table(["PHASE", "P50"], &rows)?;
        }
        if self.throttled > 0 {
            out.line("")?;
            out.line(&format!("throttled: {}", count(self.throttled, "answer")))?;
        }
        if !self.failures.is_empty() {
            out.line("")?;
            let rows: Vec<_> = self.failures.iter().map(Failure::row).collect();
            out.table(["FAILURE", "COUNT", "THE FIRST ONE"], &rows)?;
        }
        Ok(())
    }
}

impl Quantiles {
    /// Takes sorted times; returns `None` if there are none.
    fn of(times: &[f32]) -> Option<Self> {
        Some(Self {
            count: times.len(),
            p50_ms: quantile(times, 0.5),
            p90_ms: quantile(times, 0.9),
            p99_ms: quantile(times, 0.99),
            p99_9_ms: quantile(times, 0.999),
            max_ms: *times.last()?,
        })
    }

    fn row(&self, name: &str) -> [String; 7] {
        let Self { count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms } = *self;
        let [p50, p90, p99, p99_9, max] = [p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms].map(time);
        [name.to_owned(), count.to_string(), p50, p90, p99, p99_9, max]
    }
}

/// Returns the smallest of the sorted times that at least this share of them does not exceed; 0 if there are
/// none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "no more than ten million"
)]
fn quantile(sorted: &[f32], quantile: f64) -> f32 {
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

/// Sorts the times into buckets of growing width: each ends at the same multiple of its beginning. Empty if
/// there are no times.
fn histogram(sorted: &[f32]) -> Vec<Bucket> {
    let (Some(lowest), Some(highest)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let lowest = lowest.max(0.001);
    if *highest <= lowest {
        return vec![Bucket { from_ms: lowest, to_ms: *highest, count: sorted.len() }];
    }
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    let edge = |index: usize| lowest * (highest / lowest).powf(index as f32 / BUCKETS as f32);
    let mut below = 0;
    (0..BUCKETS)
        .map(|index| {
            let (from_ms, to_ms) = (edge(index), edge(index + 1));
            let end = match index + 1 {
                BUCKETS => sorted.len(),
                _ => sorted.partition_point(|time| *time < to_ms),
            };
            let count = end - below;
            below = end;
            Bucket { from_ms, to_ms, count }
        })
        .collect()
}

/// Draws the buckets as lines of at most `columns` columns: where a bucket begins, its count, its bar.
fn bars(buckets: &[Bucket], columns: usize) -> Vec<String> {
    let starts: Vec<String> = buckets.iter().map(|bucket| time(bucket.from_ms)).collect();
    let counts: Vec<String> = buckets.iter().map(|bucket| bucket.count.to_string()).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let (start, number) = (widest(&starts), widest(&counts));
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    let room = columns.saturating_sub(start + number + 4).max(1);
    let line = |(index, bucket): (usize, &Bucket)| {
        // A bucket that is not empty always has a visible bar.
        let length = (bucket.count * room).div_ceil(most);
        let bar = "█".repeat(length);
        format!("{:>start$}  {:>number$}  {bar}", starts[index], counts[index]).trim_end().to_owned()
    };
    buckets.iter().enumerate().map(line).collect()
}

/// Formats a time with three significant digits.
fn time(ms: f32) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.3} ms"),
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

fn rate(per_second: f64) -> String {
    if per_second < 100.0 { format!("{per_second:.1}") } else { format!("{per_second:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Vec<f32> = (1..=1000_u16).map(f32::from).collect();
        let seen = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| quantile(&times, share));
        assert_eq!(seen, [500.0, 900.0, 990.0, 999.0, 1000.0]);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn every_time_is_in_one_bucket() {
        let times: Vec<f32> = (1..=5000_u16).map(|step| 0.3 + f32::from(step) * 0.01).collect();
        let buckets = histogram(&times);
        assert_eq!(buckets.len(), BUCKETS);
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<usize>(), times.len());
        assert!(buckets.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
        assert!(histogram(&[]).is_empty());
        assert_eq!(histogram(&[2.0, 2.0]), [Bucket { from_ms: 2.0, to_ms: 2.0, count: 2 }]);
    }

    #[test]
    fn bars_fit_the_width_and_show_what_is_there() {
        let bucket = |from_ms, count| Bucket { from_ms, to_ms: from_ms * 2.0, count };
        let buckets = [bucket(0.5, 1000), bucket(1.0, 500), bucket(2.0, 1), bucket(4.0, 0)];
        let lines = bars(&buckets, 28);
        assert_eq!(
            lines,
            [
                "0.500 ms  1000  ████████████",
                " 1.00 ms   500  ██████",
                " 2.00 ms     1  █",
                " 4.00 ms     0",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 28));
    }

    #[test]
    fn times_have_three_digits() {
        let texts = [0.1234, 1.234, 12.34, 123.4, 1234.0, 12_340.0].map(time);
        assert_eq!(texts, ["0.123 ms", "1.23 ms", "12.3 ms", "123 ms", "1234 ms", "12.3 s"]);
    }
}
