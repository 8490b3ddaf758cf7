//! Asks the registry whose a text is: one question for all requests that wait for the same, and a bounded number of questions
//! at once. One task ([`Asker::run`]) has all of them.

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
    memory::{Asked, Memory},
};
use crate::{
    error_chain::chain,
    http::Peer,
    model::{Problem, api::KnownToken, code, route},
};

/// The most questions to the registry at once.
const AT_ONCE: usize = 32;
/// The most questions that wait for their turn. Further requests are refused.
const WAITING: usize = 1024;
/// The longest time that an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The largest answer, in bytes: a token may be for many functions.
const MAX_ANSWER: usize = 256 * 1024;

/// An error: the registry has not said whose a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

/// What a question brings.
pub type Told = Result<Arc<Entry>, Silent>;

struct Question {
    key: Key,
    /// An answer from before this generation of tokens is not one.
    generation: u64,
    /// None: it is asked so that the answer is known.
    told: Option<oneshot::Sender<Told>>,
}

/// Where questions are asked.
#[derive(Clone)]
pub struct Questions(mpsc::Sender<Question>);

impl Questions {
    /// Asks whose the text is, in this generation of tokens or a later one. None: too many questions wait already.
    pub fn ask(&self, key: Key, generation: u64) -> Option<oneshot::Receiver<Told>> {
        let (told, answer) = oneshot::channel();
        let question = Question { key, generation, told: Some(told) };
        self.0.try_send(question).ok().map(|()| answer)
    }

    /// Has the text asked for, if there is room for one more question.
    pub fn ask_in_the_background(&self, key: Key, generation: u64) {
        let _ = self.0.try_send(Question { key, generation, told: None });
    }
}

/// The one task that asks.
pub struct Asker {
    questions: mpsc::Receiver<Question>,
    registry: Peer,
    memory: Arc<Memory>,
    /// Those who wait for the texts that are asked for at present.
    waiting: HashMap<Key, Vec<Question>>,
}

/// What became of a question to the registry.
struct Answered {
    key: Key,
    asked: Asked,
    told: Result<Option<KnownToken>, Silent>,
}

impl Asker {
    /// Makes one whose answers go into `memory`.
    pub fn new(registry: Peer, memory: Arc<Memory>) -> (Self, Questions) {
        let (sender, questions) = mpsc::channel(WAITING);
        (Self { questions, registry, memory, waiting: HashMap::new() }, Questions(sender))
    }

    /// Asks for as long as it is polled, and until nobody can ask any more.
    pub async fn run(&mut self) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                question = self.questions.recv(), if under_way.len() < AT_ONCE => match question {
                    Some(question) => under_way.extend(self.take(question)),
                    None => return,
                },
                Some(answered) = under_way.next() => under_way.extend(self.tell(answered)),
            }
        }
    }

    /// Adds a question to those that wait. Returns what is to be asked of the registry, if that is not under way.
    fn take(&mut self, question: Question) -> Option<BoxFuture<'static, Answered>> {
        // Its request has ended meanwhile.
        if question.told.as_ref().is_some_and(oneshot::Sender::is_closed) {
            return None;
        }
        let key = question.key;
        let waiting = self.waiting.entry(key).or_default();
        let is_first = waiting.is_empty();
        waiting.push(question);
        is_first.then(|| self.ask(key))
    }

    /// Tells those who wait for it. Returns another question if tokens have changed before some of them came.
    fn tell(&mut self, answered: Answered) -> Option<BoxFuture<'static, Answered>> {
        let Answered { key, asked, told } = answered;
        let told = told.map(|told| self.memory.learn(key, asked, told));
        let waiting = self.waiting.remove(&key).unwrap_or_default();
        let (later, now): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|question| question.generation > asked.generation);
        for question in now {
            if let Some(teller) = question.told {
                let _ = teller.send(told.clone());
            }
        }
        if later.is_empty() {
            return None;
        }
        self.waiting.insert(key, later);
        Some(self.ask(key))
    }

    fn ask(&self, key: Key) -> BoxFuture<'static, Answered> {
        let (registry, asked) = (self.registry.clone(), self.memory.asked());
        Box::pin(async move {
            let told = tokio::time::timeout(ANSWER, known_token(&registry, &key)).await;
            Answered { key, asked, told: told.unwrap_or(Err(Silent)) }
        })
    }
}

/// Returns what the registry says of a text; none: it is not one of a token.
async fn known_token(registry: &Peer, key: &Key) -> Result<Option<KnownToken>, Silent> {
    let body = serde_json::to_vec(&key.digest()).expect("a digest is plain data");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let answer = registry.send(Method::POST, route::KNOWN_TOKEN, headers, Body::from(body)).await;
    let answer = answer.map_err(|error| silent("it does not answer", &chain(&error)))?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), MAX_ANSWER).await;
    let body = body.map_err(|error| silent("its answer did not come whole", &chain(&error)))?;
    match status {
        StatusCode::OK => serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| silent("its answer cannot be read", &chain(&error))),
        StatusCode::NOT_FOUND if !is_of_router(&body) => Ok(None),
        status => Err(silent("it has no answer", status.as_str())),
    }
}

/// Returns whether an answer is one of a registry that does not know this route: an earlier version, for a moment.
fn is_of_router(body: &[u8]) -> bool {
    let problem = serde_json::from_slice(body);
    problem.is_ok_and(|problem: Problem| problem.code == code::ROUTE_NOT_FOUND.code)
}

fn silent(what: &str, error: &str) -> Silent {
    tracing::debug!(what, error, "the registry was asked for a token in vain");
    Silent
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Json, Router, response::IntoResponse as _, routing::post};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{
        http::Failure,
        model::{Digest, TokenRole},
    };

    /// A registry that counts its questions, and answers each when it may.
    struct Registry {
        peer: Peer,
        questions: Arc<AtomicUsize>,
        may_answer: Arc<Semaphore>,
    }

    async fn registry() -> Registry {
        let (questions, may_answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (count, may) = (questions.clone(), may_answer.clone());
        let answer = async move |Json(digest): Json<Digest>| {
            count.fetch_add(1, Ordering::SeqCst);
            may.acquire().await.unwrap().forget();
            if digest == Digest::of(b"unknown") {
                let problem = Problem::new(code::TOKEN_NOT_FOUND, "there is no such token");
                return Failure::from(problem).into_response();
            }
            let known = KnownToken {
                name: "ci".parse().unwrap(),
                role: TokenRole::Deploy,
                functions: Vec::new(),
                rate_limit: None,
                left_ms: None,
                is_old: false,
                expires_at: None,
            };
            Json(known).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::at(listener.local_addr().unwrap(), "token").unwrap();
        let routes = Router::new().route(route::KNOWN_TOKEN, post(answer));
        tokio::spawn(async { axum::serve(listener, routes).await });
        Registry { peer, questions, may_answer }
    }

    fn start(peer: &Peer) -> (Arc<Memory>, Questions) {
        let memory = Arc::new(Memory::new(Duration::from_secs(30), Duration::from_secs(60)));
        let (mut asker, questions) = Asker::new(peer.clone(), memory.clone());
        tokio::spawn(async move { asker.run().await });
        (memory, questions)
    }

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
    }

    #[tokio::test]
    async fn all_who_wait_for_one_text_share_a_question() {
        let registry = registry().await;
        let (memory, questions) = start(&registry.peer);
        for (text, is_known) in [("text", true), ("unknown", false)] {
            let before = registry.questions.load(Ordering::SeqCst);
            let ask = |_| questions.ask(Key::of(text), memory.generation()).unwrap();
            let waiting: Vec<_> = (0..100).map(ask).collect();
            registry.may_answer.add_permits(1);
            for answer in waiting {
                let entry = answer.await.unwrap().unwrap();
                assert_eq!(entry.answer(memory.now()).is_ok(), is_known);
            }
            assert_eq!(registry.questions.load(Ordering::SeqCst) - before, 1, "{text}");
        }
    }

    #[tokio::test]
    async fn no_more_questions_are_under_way_than_the_bound_and_no_more_wait() {
        let registry = registry().await;
        let (memory, questions) = start(&registry.peer);
        let ask = |number: usize| questions.ask(Key::of(&number.to_string()), memory.generation());
        let mut waiting: Vec<_> = (0..AT_ONCE).map(|number| ask(number).unwrap()).collect();
        until("all are asked", || registry.questions.load(Ordering::SeqCst) == AT_ONCE).await;
        waiting.extend((0..WAITING).map(|number| ask(1000 + number).unwrap()));
        assert!(ask(5000).is_none(), "there is no room for another one");
        assert_eq!(registry.questions.load(Ordering::SeqCst), AT_ONCE);
        registry.may_answer.add_permits(AT_ONCE + WAITING);
        for answer in waiting {
            assert!(answer.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn who_comes_after_a_change_gets_an_answer_from_after_it() {
        let registry = registry().await;
        let (memory, questions) = start(&registry.peer);
        let key = Key::of("text");
        let before = questions.ask(key, memory.generation()).unwrap();
        until("it is asked", || registry.questions.load(Ordering::SeqCst) == 1).await;
        memory.changed();
        let mut after = questions.ask(key, memory.generation()).unwrap();
        // It is in the asker's hands before the answer comes.
        until("it is taken", || questions.0.capacity() == WAITING).await;
        registry.may_answer.add_permits(1);
        before.await.unwrap().unwrap();
        until("it is asked again", || registry.questions.load(Ordering::SeqCst) == 2).await;
        assert!(after.try_recv().is_err(), "the first answer is not for it");
        registry.may_answer.add_permits(1);
        after.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_registry_that_is_away_or_does_not_know_the_route_is_silent() {
        let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let earlier = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = earlier.local_addr().unwrap();
        let nowhere = || async { Failure::from(Problem::new(code::ROUTE_NOT_FOUND, "no route")) };
        let routes = Router::new().fallback(nowhere);
        tokio::spawn(async { axum::serve(earlier, routes).await });
        for address in [away, address] {
            let (memory, questions) = start(&Peer::at(address, "token").unwrap());
            let told = questions.ask(Key::of("text"), memory.generation()).unwrap().await.unwrap();
            assert_eq!(told.err(), Some(Silent), "{address}");
        }
    }
}
