//! `cloudfunc bench`: measures how fast a function answers.
//!
//! It is a closed loop: each client sends its next invocation when its previous one was answered. All clients
//! share this one thread, which does little else: [`tally`] keeps the times, [`report`] presents them.

mod failure;
mod report;
mod tally;

use std::{
    cell::RefCell,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use self::{
    report::Report,
    tally::{MAX_SAMPLES, Tally},
};
use super::{
    Error, Exit, Output, Progress,
    data::DataArgs,
    request::{RequestArgs, with_flags},
    signals::Signals,
    target::Target,
};
use crate::{
    client::{self, CallOptions, Client, InvokeAnswer},
    model::{Body, Fault, FunctionName},
    units::{parse_duration, show_duration},
};

/// The maximum of `--clients`. With more, the benchmark would measure this program instead of the platform.
const MAX_CLIENTS: usize = 1024;
/// The pause of a client that was refused or could not connect: without it, clients that are refused at once
/// would spin.
const REFUSED: Duration = Duration::from_millis(100);

/// Measure how fast a function answers
///
/// Each client sends its next invocation when its last one was answered. Before that, one invocation of each
/// client warms up the function; it counts only among the cold starts. If the function does not exist, nothing
/// is sent.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    /// Clients that invoke at the same time, at most 1024
    #[arg(short, long, value_name = "COUNT", default_value = "1", value_parser = clients)]
    clients: NonZeroUsize,
    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// Number of invocations to send instead of measuring for a time, at most 10000000
    #[arg(short = 'n', long, value_name = "COUNT", conflicts_with = "duration")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MAX_SAMPLES as u64))]
    invocations: Option<u64>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    request: RequestArgs,
}

/// Refuses a payload that looks like a duration: `-d` was once the option for the duration.
fn refuse_duration(payload: Option<&str>) -> Result<(), Error> {
    match payload {
        Some(text) if parse_duration(text).is_ok() => Err(Error::usage(format!(
            "'{text}' is a duration, but -d is the payload, as in the other commands"
        ))
        .hint(format!("to set the length: --duration {text}"))),
        _ => Ok(()),
    }
}

fn clients(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MAX_CLIENTS);
    count.ok_or_else(|| format!("a count of clients is a number from 1 to {MAX_CLIENTS}"))
}

/// The condition that ends the benchmark.
#[derive(Clone, Copy)]
enum Until {
    Passed(Duration),
    Made(usize),
}

impl Args {
    /// Runs the benchmark. Ctrl-C ends it early, and the results so far are printed.
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        refuse_duration(self.data.value())?;
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let client = target.client(out)?;
        let until = match self.invocations {
            Some(count) => Until::Made(usize::try_from(count).unwrap_or(MAX_SAMPLES)),
            None => Until::Passed(self.duration),
        };
        let options = self.request.options()?;
        let prepared = async {
            let payload = self.data.read(options.http.as_ref(), out).await?;
            // An unknown name, or a platform that is not running, ends the command here.
            client.function(&self.name).await?;
            Ok::<_, Error>(payload)
        };
        let payload = tokio::select! {
            prepared = prepared => prepared?,
            _ = signals.next() => return Err(Error::silent(Exit::Interrupted)),
        };
        let bench = Bench { client, name: self.name, payload, options, clients: self.clients.get() };
        let (tally, interrupted) = bench.measure(until, &mut signals, out).await?;
        let (name, clients) = (bench.name, bench.clients);
        Report::new(name, clients, tally, interrupted).print(out)
    }
}

struct Bench {
    client: Client,
    name: FunctionName,
    payload: Body,
    options: CallOptions,
    clients: usize,
}

impl Bench {
    /// Runs the warm-up and the measurement; returns the tally, and whether a signal ended it.
    async fn measure(
        &self,
        until: Until,
        signals: &mut Signals,
        out: &Output,
    ) -> Result<(Tally, bool), Error> {
        let tally = RefCell::new(Tally::default());
        let progress = out.waiting(&format!("warming up {}", self.name));
        let work = async {
            self.warm_up(&tally).await?;
            let begun = Instant::now();
            tally.borrow_mut().begin();
            tokio::select! {
                _ = join_all((0..self.clients).map(|_| self.client(until, begun, &tally))) => {}
                never = self.tell(until, begun, &tally, &progress) => match never {},
            }
            Ok(())
        };
        let interrupted = tokio::select! {
            worked = work => worked.map(|()| false),
            _ = signals.next() => Ok(true),
        };
        drop(progress);
        let interrupted: Result<bool, Error> = interrupted;
        let mut tally = tally.into_inner();
        tally.end();
        Ok((tally, interrupted?))
    }

    /// Sends one invocation per client. An error that every further invocation would get, too, ends the
    /// benchmark.
    async fn warm_up(&self, tally: &RefCell<Tally>) -> Result<(), Error> {
        let answers = join_all((0..self.clients).map(|_| self.invoke())).await;
        for (time, answer) in answers {
            match answer {
                Err(error) if is_final(&error) => return Err(with_flags(error).into()),
                answer => tally.borrow_mut().warm_up(time, &answer),
            }
        }
        Ok(())
    }

    async fn client(&self, until: Until, begun: Instant, tally: &RefCell<Tally>) {
        while tally.borrow_mut().begins(|made| match until {
            Until::Passed(length) => begun.elapsed() < length,
            Until::Made(count) => made < count,
        }) {
            let (time, answer) = self.invoke().await;
            let refused = answer.is_err();
            tally.borrow_mut().add(time, &answer);
            if refused {
                tokio::time::sleep(REFUSED).await;
            }
        }
    }

    async fn invoke(&self) -> (Duration, Result<InvokeAnswer, client::Error>) {
        let begun = Instant::now();
        let answer = self.client.invoke_with(&self.name, self.payload.clone(), &self.options).await;
        (begun.elapsed(), answer)
    }

    /// Shows the progress; never returns.
    async fn tell(
        &self,
        until: Until,
        begun: Instant,
        tally: &RefCell<Tally>,
        progress: &Progress,
    ) -> std::convert::Infallible {
        loop {
            let done = tally.borrow().count();
            let whole = match until {
                Until::Passed(length) => show_duration(length),
                Until::Made(count) => format!("{count} invocations"),
            };
            progress.say(&format!(
                "measuring {}: {done} invocations in {} s of {whole}",
                self.name,
                begun.elapsed().as_secs()
            ));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Returns whether every further request would fail the same way: the platform is not there, or does not accept such a
/// request from this caller.
fn is_final(error: &client::Error) -> bool {
    match error {
        // One that came too early or too often is answered differently later.
        client::Error::Problem(problem) => problem.fault == Fault::Caller && !problem.retry_safe,
        _ => true,
    }
}
