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
        let ask = |_| questions.ask(Key::of(text), Kind::Unknown, memory.generation()).unwrap();
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
    let mut waiting = Vec::new();
    // Those of the first round keep their places during the second one.
    for (kind, at_once) in [(Kind::Unknown, UNKNOWN_AT_ONCE), (Kind::Token, AT_ONCE - UNKNOWN_AT_ONCE)] {
        let before = registry.questions.load(Ordering::SeqCst);
        let asked = || registry.questions.load(Ordering::SeqCst) - before;
        let key = |number: usize| Key::of(&format!("{kind:?} {number}"));
        let ask = |number| questions.ask(key(number), kind, memory.generation());
        waiting.extend((0..at_once).map(|number| ask(number).unwrap()));
        until("all are asked", || asked() == at_once).await;
        waiting.extend((0..WAITING).map(|number| ask(1000 + number).unwrap()));
        assert!(ask(5000).is_none(), "there is no room for another one");
        assert_eq!(asked(), at_once);
    }
    registry.may_answer.add_permits(waiting.len());
    for answer in waiting {
        assert!(answer.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_token_that_is_known_waits_for_no_stranger() {
    let registry = registry().await;
    let (memory, questions) = start(&registry.peer);
    let ask = |text: &str, kind| questions.ask(Key::of(text), kind, memory.generation()).unwrap();
    let strangers: Vec<_> = (0..WAITING).map(|number| ask(&number.to_string(), Kind::Unknown)).collect();
    let asked = || registry.questions.load(Ordering::SeqCst);
    until("as many strangers are asked about as may be", || asked() == UNKNOWN_AT_ONCE).await;
    let token = ask("token", Kind::Token);
    until("it is asked about beside them", || asked() == UNKNOWN_AT_ONCE + 1).await;
    registry.may_answer.add_permits(WAITING + 1);
    assert!(token.await.unwrap().is_ok());
    for stranger in strangers {
        assert!(stranger.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn as_many_as_the_bound_wait_for_the_same_answer_and_those_who_have_gone_make_room() {
    let registry = registry().await;
    let (memory, questions) = start(&registry.peer);
    let ask = || questions.ask(Key::of("text"), Kind::Token, memory.generation()).unwrap();
    let taken = || questions.of_tokens.capacity() == WAITING;
    let waiting: Vec<_> = (0..WAITING).map(|_| ask()).collect();
    until("all are taken", taken).await;
    assert_eq!(ask().await.unwrap().err(), Some(LookupError::TooMany));
    drop(waiting);
    let again = ask();
    until("it is taken", taken).await;
    registry.may_answer.add_permits(1);
    assert!(again.await.unwrap().is_ok());
}

#[tokio::test]
async fn who_comes_after_a_change_gets_an_answer_from_after_it() {
    let registry = registry().await;
    let (memory, questions) = start(&registry.peer);
    let key = Key::of("text");
    let before = questions.ask(key, Kind::Token, memory.generation()).unwrap();
    until("it is asked", || registry.questions.load(Ordering::SeqCst) == 1).await;
    memory.changed(None);
    let mut after = questions.ask(key, Kind::Token, memory.generation()).unwrap();
    // It is in the asker's hands before the answer comes.
    until("it is taken", || questions.of_tokens.capacity() == WAITING).await;
    registry.may_answer.add_permits(1);
    before.await.unwrap().unwrap();
    until("it is asked again", || registry.questions.load(Ordering::SeqCst) == 2).await;
    assert!(after.try_recv().is_err(), "the first answer is not for it");
    registry.may_answer.add_permits(1);
    after.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_registry_that_is_away_or_does_not_know_the_route_is_no_answer() {
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let earlier = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = earlier.local_addr().unwrap();
    let nowhere = || async { Failure::from(Problem::new(code::ROUTE_NOT_FOUND, "no route")) };
    let routes = Router::new().fallback(nowhere);
    tokio::spawn(async { axum::serve(earlier, routes).await });
    for address in [away, address] {
        let (memory, questions) = start(&Peer::at(address, "token").unwrap());
        let told =
            questions.ask(Key::of("text"), Kind::Token, memory.generation()).unwrap().await.unwrap();
        assert_eq!(told.err(), Some(LookupError::NoAnswer), "{address}");
    }
}
