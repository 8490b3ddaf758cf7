//! Clients that never stop: each sends a number that no other call has, and remembers how it was answered.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cloudfunc::{
    client::{Client, Error, InvokeAnswer, Outcome},
    model::{Body, InvocationId, Mode, Problem},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    history::{Answer, Call, Told},
    plan::Random,
};
use crate::support::platform::{function, json};

/// A function of asynchronous invocations, one of synchronous ones, and one that is asked after each fault.
pub const WORK: &str = "work";
pub const CALL: &str = "call";
pub const PROBE: &str = "probe";
/// One that comes and goes.
pub const PASSING: &str = "passing";

const ASYNC_CLIENTS: u64 = 3;
const SYNC_CLIENTS: u64 = 3;
/// Nobody has to wait for longer: a synchronous call waits 12.5 s for an instance, and runs for as long as it says; pauses
/// of what it waits for come on top.
const SILENCE: Duration = Duration::from_secs(90);

/// The state that all clients share.
#[derive(Clone)]
pub struct Clients {
    pub client: Client,
    /// Whose gateway is asked.
    host: usize,
    start: Instant,
    numbers: Arc<AtomicU64>,
    calls: Arc<Mutex<Vec<Call>>>,
    ends_seen: Arc<Mutex<Vec<(InvocationId, Told)>>>,
    found: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
}

impl Clients {
    pub fn new(client: Client, start: Instant) -> Self {
        Self {
            client,
            host: 0,
            start,
            numbers: Arc::default(),
            calls: Arc::default(),
            ends_seen: Arc::default(),
            found: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// The same, for the gateway of the second host.
    pub fn of_second_host(&self, client: Client) -> Self {
        Self { client, host: 1, ..self.clone() }
    }

    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Starts those that go on until [`Self::stop`].
    pub fn begin(&self, seed: u64) -> JoinSet<()> {
        let mut all = JoinSet::new();
        for client in 0..ASYNC_CLIENTS + SYNC_CLIENTS {
            let number = client + 1 + 100 * self.host as u64;
            let random = Random(seed ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d));
            match client < ASYNC_CLIENTS {
                true => all.spawn(self.clone().post(random)),
                false => all.spawn(self.clone().call(random)),
            };
        }
        all.spawn(self.clone().read());
        all
    }

    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Something is wrong that no call shows.
    pub fn found(&self, what: String) {
        eprintln!("{:.3} {what}", self.now());
        self.found.lock().unwrap().push(format!("at {:.3}: {what}", self.now()));
    }

    /// Returns the findings so far.
    pub fn findings(&self) -> Vec<String> {
        self.found.lock().unwrap().clone()
    }

    /// Whether every call of now is answered.
    pub fn are_answered(&self) -> bool {
        self.numbers.load(Ordering::Relaxed) == self.calls.lock().unwrap().len() as u64
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn ends_seen(&self) -> Vec<(InvocationId, Told)> {
        self.ends_seen.lock().unwrap().clone()
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = tokio::time::sleep(Duration::from_millis(milliseconds));
        let _ = self.stop.run_until_cancelled(pause).await;
    }

    async fn post(self, mut random: Random) {
        while !self.stop.is_cancelled() {
            let seconds = [0.0, 0.02, 0.05, 0.1, 0.3, 2.5][random.below(6)];
            self.invoke(WORK, Mode::Async, seconds).await;
            self.pause(random.between(300, 900)).await;
        }
    }

    async fn call(self, mut random: Random) {
        while !self.stop.is_cancelled() {
            let seconds = [0.0, 0.02, 0.05, 0.1, 0.3, 1.5][random.below(6)];
            self.invoke(CALL, Mode::Sync, seconds).await;
            self.pause(random.between(50, 400)).await;
        }
    }

    /// Reads what was accepted a while ago, and remembers the ends that it is told.
    async fn read(self) {
        let mut next = 0;
        while !self.stop.is_cancelled() {
            let (accepted, all) = {
                let calls = self.calls.lock().unwrap();
                let id = calls.get(next).and_then(|call| match call.answer {
                    Answer::Accepted(id) => Some(id),
                    _ => None,
                });
                (id, calls.len())
            };
            if let Some(id) = accepted {
                let read = self.client.record(id, Some(Duration::from_secs(2)));
                if let Ok(Ok(record)) = tokio::time::timeout(SILENCE, read).await
                    && record.state.is_terminal()
                {
                    self.ends_seen.lock().unwrap().push((id, Told::from(&record)));
                }
            }
            next = (next + 1).min(all);
            self.pause(if next < all { 5 } else { 100 }).await;
        }
    }

    /// One call, remembered.
    pub async fn invoke(&self, name: &'static str, mode: Mode, seconds: f64) -> Call {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let is_witnessed = name != PROBE;
        let payload = json(
            &serde_json::json!({ "n": number, "seconds": seconds, "is_witnessed": is_witnessed })
                .to_string(),
        );
        let sent = self.now();
        let answer = tokio::time::timeout(SILENCE, self.answer(name, mode, payload)).await;
        let answer = answer.unwrap_or(Answer::Silence);
        let host = self.host;
        let call = Call { number, function: name, host, mode, sent, answered: self.now(), answer };
        self.calls.lock().unwrap().push(call.clone());
        call
    }

    async fn answer(&self, name: &str, mode: Mode, payload: Body) -> Answer {
        let answer = match mode {
            Mode::Async => match self.client.invoke_async(&function(name), payload).await {
                Ok(accepted) => return Answer::Accepted(accepted.id),
                Err(error) => Err(error),
            },
            Mode::Sync => self.client.invoke(&function(name), payload).await,
        };
        match answer {
            Ok(InvokeAnswer { outcome: Outcome::Value(value), .. }) => {
                Answer::Value(String::from_utf8_lossy(&value.bytes).into_owned())
            }
            Ok(InvokeAnswer { outcome: Outcome::Failed(problem), .. })
            | Err(Error::Problem(problem)) => refused(&problem),
            Err(Error::NotReachable { .. }) => Answer::NotReachable,
            Err(Error::Lost { .. }) => Answer::Lost,
            Err(error) => Answer::Strange(error.to_string()),
        }
    }

    /// Calls until one is answered with its value, a new one every 100 ms whatever became of those before. Returns when that
    /// was; none when a minute has passed.
    pub async fn served(&self) -> Option<f64> {
        let mut calls = JoinSet::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut next = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = next.tick(), if calls.len() < 20 => {
                    let clients = self.clone();
                    calls.spawn(async move { clients.invoke(PROBE, Mode::Sync, 0.0).await });
                }
                Some(call) = calls.join_next() => {
                    let call = call.unwrap();
                    if matches!(call.answer, Answer::Value(_)) {
                        // The others are answered in their own time.
                        calls.detach_all();
                        return Some(call.answered);
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    calls.detach_all();
                    return None;
                }
            }
        }
    }
}

fn refused(problem: &Problem) -> Answer {
    Answer::Refused {
        status: problem.status,
        code: problem.code.clone(),
        retry_safe: problem.retry_safe,
        detail: problem.detail.clone(),
    }
}
