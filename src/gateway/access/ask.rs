//! Asks the registry whose a text is: one question for all requests that wait for the same, and a bounded number of questions
//! at once. One task ([`Asker::run`]) has all of them.
//!
//! Texts that are the value of a token, as far as is known, have a queue of their own: no stranger who guesses takes their
//! places.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

use super::{
    cache::Key,
    entry::Entry,
    memory::{AskedAt, Memory},
};
use crate::{
    error_chain::chain,
    http::Peer,
    model::{Problem, api::KnownToken, code, route},
};

/// The most questions to the registry at once.
const AT_ONCE: usize = 32;
/// The most of them about texts of which nothing is known.
const UNKNOWN_AT_ONCE: usize = 8;
/// The most questions of a queue that wait for their turn, and the most that wait for the same answer. Further requests are
/// refused.
const WAITING: usize = 1024;
/// The longest time that an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The largest answer, in bytes: a token may be for many functions.
const MAX_ANSWER: usize = 256 * 1024;

/// An error: the registry has not said whose a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// It does not answer.
    NoAnswer,
    /// Too many requests wait already.
    TooMany,
}

/// What a question brings.
pub type Lookup = Result<Arc<Entry>, LookupError>;

/// What is known of a text that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is, or was a moment ago, the value of a token.
    Token,
    /// Nothing, or that it is not.
    Unknown,
}

struct Question {
    key: Key,
    kind: Kind,
    /// An answer from before this generation of tokens is not one.
    generation: u64,
    /// None: it is asked so that the answer is known.
    answer_to: Option<oneshot::Sender<Lookup>>,
}

impl Question {
    /// Its request has ended meanwhile.
    fn is_closed(&self) -> bool {
        self.answer_to.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    fn answer(self, lookup: Lookup) {
        if let Some(answer_to) = self.answer_to {
            let _ = answer_to.send(lookup);
        }
    }
}

/// Where questions are asked.
#[derive(Clone)]
pub struct Questions {
    of_tokens: mpsc::Sender<Question>,
    of_unknown: mpsc::Sender<Question>,
}

impl Questions {
    /// Asks whose the text is, in this generation of tokens or a later one. None: too many questions wait already.
    pub fn ask(&self, key: Key, kind: Kind, generation: u64) -> Option<oneshot::Receiver<Lookup>> {
        let (answer_to, answer) = oneshot::channel();
        let question = Question { key, kind, generation, answer_to: Some(answer_to) };
        self.queue(kind).try_send(question).ok().map(|()| answer)
    }

    /// Has the text asked for, if there is room for one more question.
    pub fn ask_in_the_background(&self, key: Key, kind: Kind, generation: u64) {
        let _ = self.queue(kind).try_send(Question { key, kind, generation, answer_to: None });
    }

    fn queue(&self, kind: Kind) -> &mpsc::Sender<Question> {
        match kind {
            Kind::Token => &self.of_tokens,
            Kind::Unknown => &self.of_unknown,
        }
    }
}

/// The one task that asks.
pub struct Asker {
    of_tokens: mpsc::Receiver<Question>,
    of_unknown: mpsc::Receiver<Question>,
    registry: Peer,
    memory: Arc<Memory>,
    /// Those who wait for the texts that are asked for at present.
    waiting: HashMap<Key, Vec<Question>>,
    /// The number of questions under way about texts of which nothing is known.
    unknown_under_way: usize,
}

/// What became of a question to the registry.
struct Answered {
    key: Key,
    kind: Kind,
    asked_at: AskedAt,
    answer: Result<Option<KnownToken>, LookupError>,
}

impl Asker {
    /// Makes one whose answers go into `memory`.
    pub fn new(registry: Peer, memory: Arc<Memory>) -> (Self, Questions) {
        let (to_tokens, of_tokens) = mpsc::channel(WAITING);
        let (to_unknown, of_unknown) = mpsc::channel(WAITING);
        let waiting = HashMap::new();
        let asker = Self { of_tokens, of_unknown, registry, memory, waiting, unknown_under_way: 0 };
        (asker, Questions { of_tokens: to_tokens, of_unknown: to_unknown })
    }

    /// Asks for as long as it is polled, and until nobody can ask any more.
    pub async fn run(&mut self) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let has_place = under_way.len() < AT_ONCE;
            let has_place_for_unknown = has_place && self.unknown_under_way < UNKNOWN_AT_ONCE;
            tokio::select! {
                biased;
                Some(answered) = under_way.next() => under_way.extend(self.tell(answered)),
                Some(question) = self.of_tokens.recv(), if has_place => {
                    under_way.extend(self.take(question));
                }
                Some(question) = self.of_unknown.recv(), if has_place_for_unknown => {
                    under_way.extend(self.take(question));
                }
                else => return,
            }
        }
    }

    /// Adds a question to those that wait. Returns what is to be asked of the registry, if that is not under way.
    fn take(&mut self, question: Question) -> Option<BoxFuture<'static, Answered>> {
        if question.is_closed() {
            return None;
        }
        let (key, kind) = (question.key, question.kind);
        let Some(waiting) = self.waiting.get_mut(&key) else {
            self.waiting.insert(key, vec![question]);
            return Some(self.ask(key, kind));
        };
        if waiting.len() >= WAITING {
            waiting.retain(|question| !question.is_closed());
        }
        match waiting.len() < WAITING {
            true => waiting.push(question),
            false => question.answer(Err(LookupError::TooMany)),
        }
        None
    }

    /// Tells those who wait for it. Returns another question if tokens have changed before some of them came.
    fn tell(&mut self, answered: Answered) -> Option<BoxFuture<'static, Answered>> {
        let Answered { key, kind, asked_at, answer } = answered;
        if kind == Kind::Unknown {
            self.unknown_under_way -= 1;
        }
        let lookup = answer.map(|answer| self.memory.learn(key, asked_at, answer));
        let waiting = self.waiting.remove(&key).unwrap_or_default();
        let (later, now): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|question| question.generation > asked_at.generation);
        for question in now {
            question.answer(lookup.clone());
        }
        if later.is_empty() {
            return None;
        }
        self.waiting.insert(key, later);
        Some(self.ask(key, kind))
    }

    fn ask(&mut self, key: Key, kind: Kind) -> BoxFuture<'static, Answered> {
        if kind == Kind::Unknown {
            self.unknown_under_way += 1;
        }
        let (registry, asked_at) = (self.registry.clone(), self.memory.asked_at());
        Box::pin(async move {
            let answer = tokio::time::timeout(ANSWER, known_token(&registry, &key)).await;
            Answered { key, kind, asked_at, answer: answer.unwrap_or(Err(LookupError::NoAnswer)) }
        })
    }
}

/// Returns what the registry says of a text; none: it is not the value of one.
async fn known_token(registry: &Peer, key: &Key) -> Result<Option<KnownToken>, LookupError> {
    let body = serde_json::to_vec(&key.digest()).expect("a digest is plain data");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let answer = registry.send(Method::POST, route::KNOWN_TOKEN, headers, Body::from(body)).await;
    let answer = answer.map_err(|error| no_answer("it does not answer", &chain(&error)))?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), MAX_ANSWER).await;
    let body = body.map_err(|error| no_answer("its answer did not come whole", &chain(&error)))?;
    match status {
        StatusCode::OK => serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| no_answer("its answer cannot be read", &chain(&error))),
        StatusCode::NOT_FOUND if !is_of_router(&body) => Ok(None),
        status => Err(no_answer("it has no answer", status.as_str())),
    }
}

/// Returns whether an answer is one of a registry that does not know this route: an earlier version, for a moment.
fn is_of_router(body: &[u8]) -> bool {
    let problem = serde_json::from_slice(body);
    problem.is_ok_and(|problem: Problem| problem.code == code::ROUTE_NOT_FOUND.code)
}

fn no_answer(what: &str, error: &str) -> LookupError {
    tracing::debug!(what, error, "the registry has not said whose a token is");
    LookupError::NoAnswer
}

#[cfg(test)]
impl Asker {
    /// Answers the next question about a text of which nothing is known, without asking the registry.
    pub fn answer_next(&mut self, entry: Arc<Entry>) {
        self.of_unknown.try_recv().expect("a question waits").answer(Ok(entry));
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
