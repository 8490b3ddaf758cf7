//! Follows the registry's changes of tokens, by a request that waits for the next one.
//!
//! While the registry cannot be followed, what is remembered ends by its age alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::memory::Memory;
use crate::{
    backoff::Backoff,
    gateway::told::told,
    http::Peer,
    model::{api::TokenChanges, route},
};

/// The longest time that an answer may take: the registry waits for a change for 20 s.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: thousands of names.
const MAX_ANSWER: usize = 1024 * 1024;
/// The pause between an answer and the next request. Changes within it are told in one answer.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between requests that fail: a token is refused within 2 s of its revocation.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The pause between looks for what is not used any more.
const TIDY: Duration = Duration::from_secs(60);

/// Notes every change in `memory`, for as long as it is polled.
pub async fn follow(registry: Peer, memory: Arc<Memory>) {
    let mut backoff = Backoff::new(PAUSE, LONGEST_PAUSE);
    let (mut last, mut tidied): (Option<TokenChanges>, _) = (None, Instant::now());
    loop {
        match next(&registry, last.as_ref()).await {
            Ok(changes) => {
                if !backoff.is_fresh() {
                    tracing::info!("changes of tokens are followed");
                    backoff.reset();
                }
                note(&memory, last.as_ref(), &changes);
                last = Some(changes);
                if tidied.elapsed() >= TIDY {
                    memory.forget_unused();
                    tidied = Instant::now();
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                // At the start the registry may not be there yet.
                if backoff.is_fresh() && last.is_some() {
                    tracing::warn!(error, "changes of tokens cannot be followed; trying again");
                }
                backoff.pause().await;
            }
        }
    }
}

/// Notes what has changed since the last answer.
fn note(memory: &Memory, last: Option<&TokenChanges>, now: &TokenChanges) {
    match last {
        Some(last) if last.process == now.process && last.generation == now.generation => {}
        Some(last) if last.process == now.process => memory.changed(now.changed.as_deref()),
        // Another process does not know what was before it, and of the first answer nobody does.
        _ => memory.changed(None),
    }
}

async fn next(registry: &Peer, last: Option<&TokenChanges>) -> Result<TokenChanges, String> {
    let path = match last {
        None => route::TOKEN_CHANGES.to_owned(),
        Some(TokenChanges { generation, process, .. }) => {
            format!("{}?process={process}&generation={generation}", route::TOKEN_CHANGES)
        }
    };
    told(registry, &path, ANSWER, MAX_ANSWER).await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::{
        Json, Router,
        http::{StatusCode, Uri},
        response::IntoResponse as _,
        routing::get,
    };
    use uuid::Uuid;

    use super::{
        super::{cache::Key, entry::Freshness},
        *,
    };
    use crate::model::{TokenName, TokenRole, api::KnownToken};

    #[test]
    fn tokens_that_have_changed_are_asked_for_first_and_all_where_nobody_knows_which() {
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let (ci, other): (TokenName, TokenName) = ("ci".parse().unwrap(), "other".parse().unwrap());
        let state = |process, generation, changed| TokenChanges { process, generation, changed };
        let last = state(one, 7, None);
        for (last, now, expected) in [
            (None, state(one, 7, None), Freshness::Due),
            (Some(&last), state(one, 7, None), Freshness::Fresh),
            (Some(&last), state(one, 8, Some(vec![other.clone()])), Freshness::Fresh),
            (Some(&last), state(one, 9, Some(vec![other.clone(), ci.clone()])), Freshness::Stale),
            (Some(&last), state(one, 9, None), Freshness::Due),
            (Some(&last), state(two, 7, Some(Vec::new())), Freshness::Due),
        ] {
            let memory = Memory::new(Duration::from_secs(30), Duration::from_secs(60));
            let known = KnownToken {
                name: ci.clone(),
                role: TokenRole::Invoke,
                functions: Vec::new(),
                rate_limit: None,
                left_ms: None,
                is_old: false,
                expires_at: None,
            };
            let entry = memory.learn(Key::of("text"), memory.asked_at(), Some(known));
            note(&memory, last, &now);
            assert_eq!(entry.freshness(0), expected, "{last:?} {now:?}");
        }
    }

    #[tokio::test]
    async fn each_change_and_each_new_process_counts_and_nothing_else() {
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let state = |process, generation| Some(TokenChanges { process, generation, changed: None });
        // The last one stays.
        let script = vec![None, state(two, 1), state(two, 1), None, state(one, 8), state(one, 7)];
        let script = Arc::new(Mutex::new(script));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let answer = async move |uri: Uri| {
            seen.lock().unwrap().push(uri.query().unwrap_or_default().to_owned());
            let mut script = script.lock().unwrap();
            let next = if script.len() > 1 { script.pop().unwrap() } else { None };
            next.map_or_else(
                || StatusCode::SERVICE_UNAVAILABLE.into_response(),
                |changes| Json(changes).into_response(),
            )
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::at(listener.local_addr().unwrap(), "token").unwrap();
        let routes = Router::new().route(route::TOKEN_CHANGES, get(answer));
        tokio::spawn(async { axum::serve(listener, routes).await });
        let memory = Arc::new(Memory::new(Duration::from_secs(30), Duration::from_secs(60)));
        let following = follow(peer, memory.clone());
        let waiting = async {
            while asked.lock().unwrap().len() < 6 {
                tokio::task::yield_now().await;
            }
        };
        let both = async {
            tokio::select! {
                () = following => {}
                () = waiting => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it follows");
        let told = |process: Uuid, generation| format!("process={process}&generation={generation}");
        let expected =
            [String::new(), told(one, 7), told(one, 8), told(one, 8), told(two, 1), told(two, 1)];
        assert_eq!(asked.lock().unwrap()[..6], expected);
        assert_eq!(memory.generation(), 3, "two of one process, and another process");
    }
}
