//! A recorded trace of invocations against each keep-alive policy, within the same memory.
//!
//! `cargo bench --bench replay -- TRACE.csv` replays it in virtual time: the manager's own pool, with a queue of
//! events for a world ([simulate]). With `--real` it is also sent to a platform, at its times, and what the
//! platform's records say stands beside what virtual time predicts with the start times just measured.
//!
//! `benches/replay/trace.csv`, which is taken when none is named, is synthetic ([generate]).

mod generate;
mod real;
mod simulate;
mod summary;
mod trace;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use cloudfunc::{
    client::Client,
    place::Token,
    runtime::Kind,
    settings::KeepAlivePolicy,
    units::{parse_bytes, parse_duration, show_bytes, show_duration},
};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::{real::Work, simulate::Setup, summary::Summary, trace::Trace};

/// Replays a trace of invocations against each keep-alive policy
#[derive(Debug, Parser)]
struct Args {
    /// CSV with the header function,time,duration,memory: seconds from the start, milliseconds, MiB
    #[arg(default_value = "benches/replay/trace.csv")]
    trace: PathBuf,
    /// Keep-alive policies, with commas between
    #[arg(long, value_delimiter = ',', default_value = "fixed,adaptive")]
    policy: Vec<KeepAlivePolicy>,
    /// Memory of all instances together; several, with commas between, are replayed one after the other
    #[arg(long, value_delimiter = ',', default_value = "8GiB,2GiB", value_parser = parse_bytes)]
    memory_budget: Vec<u64>,
    /// Of every function
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    idle_timeout: Duration,
    /// Of every function
    #[arg(long, default_value_t = 10)]
    max_instances: u32,
    /// Instances that are started at once
    #[arg(long, default_value_t = 4)]
    max_starts: usize,
    /// A call that found no free instance for so long is not run
    #[arg(long, default_value = "10s", value_parser = parse_duration)]
    queue_wait: Duration,
    /// What a start takes, in virtual time
    #[arg(long, default_value = "300ms", value_parser = parse_duration)]
    cold_start: Duration,
    /// What it takes for one function; may be repeated
    #[arg(long, value_name = "FUNCTION=TIME", value_parser = cold_start_of)]
    cold_start_of: Vec<(String, Duration)>,
    /// What it takes until a stopped instance is gone, in virtual time
    #[arg(long, default_value = "100ms", value_parser = parse_duration)]
    stop: Duration,
    /// Only this much of the trace
    #[arg(long, value_parser = parse_duration)]
    first: Option<Duration>,
    /// Arrivals and the idle timeout so many times as fast; starts and runs take their own time
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Against a platform as well; one that is started here unless --url names another
    #[arg(long)]
    real: bool,
    /// The gateway of a platform that runs already, with the policy and the budget that are named
    #[arg(long, requires = "real", requires = "token_file")]
    url: Option<url::Url>,
    /// The file with its token
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// What the functions of the platform that is started here run in: docker or oci
    #[arg(long, default_value = "docker")]
    runtime: Kind,
    /// Functions use a core for their time instead of sleeping
    #[arg(long)]
    spin: bool,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Prints a synthetic trace and does nothing else
    #[arg(long)]
    generate: bool,
    /// Of the synthetic trace
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cargo says this; without it (`cargo test --benches`) nothing is done
    #[arg(long, hide = true)]
    bench: bool,
}

fn cold_start_of(text: &str) -> Result<(String, Duration), String> {
    let (name, time) = text.split_once('=').ok_or("write FUNCTION=TIME, for example mailer=1.2s")?;
    Ok((name.to_owned(), parse_duration(time)?))
}

/// A line of the table.
#[derive(Debug, Serialize)]
struct Row {
    memory_budget: u64,
    policy: &'static str,
    how: &'static str,
    /// What a start took, or was taken to take.
    cold_start_ms: f64,
    #[serde(flatten)]
    summary: Summary,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.generate {
        print!("{}", generate::generate(args.seed).to_csv());
        return Ok(());
    }
    if !args.bench {
        return Ok(());
    }
    let trace = args.trace()?;
    let rows = tokio::runtime::Runtime::new()?.block_on(args.rows(&trace))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        args.print(&trace, &rows);
    }
    Ok(())
}

impl Args {
    fn trace(&self) -> anyhow::Result<Trace> {
        anyhow::ensure!(self.speed > 0.0, "--speed {}: it must be above 0", self.speed);
        let file = self.trace.display();
        let text =
            std::fs::read_to_string(&self.trace).with_context(|| format!("cannot read {file}"))?;
        let mut trace = Trace::parse(&text).with_context(|| format!("{file} is no trace"))?;
        if let Some(length) = self.first {
            trace = trace.first(length);
            anyhow::ensure!(!trace.calls.is_empty(), "nothing arrives in the first {length:?}");
        }
        for (name, _) in &self.cold_start_of {
            let is_known = trace.functions.iter().any(|function| function.name.as_str() == name);
            anyhow::ensure!(is_known, "--cold-start-of {name}: {file} has no such function");
        }
        Ok(trace.faster(self.speed))
    }

    fn setup(&self, trace: &Trace, policy: KeepAlivePolicy, memory_budget: u64) -> Setup {
        let of = |name: &str| self.cold_start_of.iter().rfind(|(known, _)| known == name);
        let functions = trace.functions.iter();
        Setup {
            policy,
            memory_budget,
            max_starts: self.max_starts,
            max_instances: self.max_instances,
            idle_timeout: self.idle_timeout.div_f64(self.speed),
            queue_wait: self.queue_wait,
            cold_starts: functions
                .map(|function| of(function.name.as_str()).map_or(self.cold_start, |(_, time)| *time))
                .collect(),
            stop: self.stop,
            overhead: Duration::ZERO,
        }
    }

    async fn rows(&self, trace: &Trace) -> anyhow::Result<Vec<Row>> {
        let one = self.policy.len() == 1 && self.memory_budget.len() == 1;
        anyhow::ensure!(
            self.url.is_none() || one,
            "--url: name the one policy and the one memory budget with which that platform runs"
        );
        let stop = if self.real { stopped_by_signal()? } else { CancellationToken::new() };
        let mut rows = Vec::new();
        for budget in &self.memory_budget {
            for policy in &self.policy {
                let setup = self.setup(trace, *policy, *budget);
                if self.real {
                    rows.extend(self.beside(trace, &setup, &stop).await?);
                } else {
                    rows.push(virtually(trace, &setup, "virtual", self.cold_start));
                }
            }
        }
        Ok(rows)
    }

    /// Measured, and what virtual time predicts with the times that were measured.
    async fn beside(
        &self,
        trace: &Trace,
        setup: &Setup,
        stop: &CancellationToken,
    ) -> anyhow::Result<[Row; 2]> {
        let length = show_duration(Duration::from_secs(trace.length().as_secs()));
        eprintln!("{} for {length}: {} invocations", setup.policy.as_str(), trace.calls.len());
        let work = if self.spin { Work::Spin } else { Work::Sleep };
        let measured = match (&self.url, &self.token_file) {
            (Some(url), Some(file)) => {
                let token = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                let client = Client::new(url.clone(), Some(Token::new(&token)?))?;
                real::on(&client, trace, setup, work, stop).await?
            }
            _ => real::on_own_platform(trace, setup, self.runtime, work, stop).await?,
        };
        for reason in &measured.reasons {
            eprintln!("not run: {reason}");
        }
        let cold_start = measured.cold_start.unwrap_or(self.cold_start);
        let predicted = Setup {
            cold_starts: vec![cold_start; trace.functions.len()],
            overhead: measured.overhead.unwrap_or_default(),
            ..setup.clone()
        };
        let summary = Summary::of_calls(trace, &measured.calls);
        Ok([
            row(setup, "real", cold_start, summary),
            virtually(trace, &predicted, "predicted", cold_start),
        ])
    }

    fn print(&self, trace: &Trace, rows: &[Row]) {
        let length = show_duration(Duration::from_secs(trace.length().as_secs()));
        println!(
            "{}: {} invocations of {} functions in {length}",
            self.trace.display(),
            trace.calls.len(),
            trace.functions.len()
        );
        let mut table = vec![["memory", "policy", "", "cold start"].map(str::to_owned).to_vec()];
        table[0].extend(summary::HEADINGS.map(str::to_owned));
        for row in rows {
            let start = show_duration(Duration::from_secs_f64(row.cold_start_ms / 1000.0));
            let (policy, how) = (row.policy.to_owned(), row.how.to_owned());
            let mut cells = vec![show_bytes(row.memory_budget), policy, how, start];
            cells.extend(row.summary.cells());
            table.push(cells);
        }
        print!("{}", aligned(&table));
    }
}

/// By Ctrl-C or the signal to terminate. A platform that was started has containers and a folder, which are to go.
fn stopped_by_signal() -> anyhow::Result<CancellationToken> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("stopped; removing what was made");
        token.cancel();
    });
    Ok(stop)
}

fn virtually(trace: &Trace, setup: &Setup, how: &'static str, cold_start: Duration) -> Row {
    let replayed = simulate::replay(trace, setup);
    row(setup, how, cold_start, Summary::of_replayed(trace, &replayed))
}

fn row(setup: &Setup, how: &'static str, cold_start: Duration, summary: Summary) -> Row {
    let (memory_budget, policy) = (setup.memory_budget, setup.policy.as_str());
    Row { memory_budget, policy, how, cold_start_ms: cold_start.as_secs_f64() * 1000.0, summary }
}

/// Columns as wide as their widest cell, words to the left and figures to the right.
fn aligned(table: &[Vec<String>]) -> String {
    const WORDS: usize = 3;
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in table {
        let cells = row.iter().enumerate().map(|(column, cell)| match column < WORDS {
            true => format!("{cell:<0$}", width(column)),
            false => format!("{cell:>0$}", width(column)),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
