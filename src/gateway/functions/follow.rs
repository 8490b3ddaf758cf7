//! Follows the registry's changes of functions with addresses, by a request that waits for the next one.
//!
//! A request names the generation that is in use, which the registry waits for before it says that a function is deployed. So
//! the next one is sent at once after a change. While the registry cannot be followed, the last table stays in use.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use uuid::Uuid;

use super::addresses::Table;
use crate::{
    backoff::Backoff,
    gateway::told::told,
    http::Peer,
    model::{
        api::{HttpFunction, HttpFunctions},
        route,
    },
};

/// The longest time that an answer may take: the registry waits for a change for 20 s.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer, in bytes: thousands of functions.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The pause after an answer that brings nothing new, and the first one after a failure.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between requests that fail.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The addresses of functions, as far as the registry has told.
#[derive(Default)]
pub struct Addresses(RwLock<Option<Arc<Table>>>);

impl Addresses {
    /// Returns the table; none before the registry's first answer.
    pub fn table(&self) -> Option<Arc<Table>> {
        self.0.read().expect("no holder panics").clone()
    }

    /// Returns the functions that have addresses, by name; none before the registry's first answer.
    pub fn functions(&self) -> Arc<[HttpFunction]> {
        self.table().map(|table| table.listed()).unwrap_or_default()
    }

    pub(super) fn set(&self, table: Table) {
        let before = self.0.write().expect("no holder panics").replace(Arc::new(table));
        // Dropped here, and not while others wait for the lock.
        drop(before);
    }
}

/// A state of the functions that is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    process: Uuid,
    generation: u64,
}

/// Keeps the addresses up to date, for as long as it is polled.
pub async fn follow(registry: Peer, addresses: Arc<Addresses>) {
    let mut backoff = Backoff::new(PAUSE, LONGEST_PAUSE);
    let (mut last, mut was_followed): (Option<State>, _) = (None, false);
    loop {
        match next(&registry, last).await {
            Ok(HttpFunctions { process, generation, functions }) => {
                if !backoff.is_fresh() {
                    tracing::info!("addresses of functions are followed");
                    backoff.reset();
                }
                was_followed = true;
                let now = State { process, generation };
                let is_news = functions.is_some();
                if let Some(functions) = functions {
                    addresses.set(Table::of(functions));
                }
                // Nothing was sent for another state: asked without one, the registry sends all.
                last = Some(now).filter(|now| is_news || last == Some(*now));
                if !is_news {
                    // A registry that answers at once, without waiting for news, is not asked in a busy loop.
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Err(error) => {
                // At the start the registry may not be there yet.
                if backoff.is_fresh() && was_followed {
                    tracing::warn!(error, "addresses of functions cannot be followed; trying again");
                }
                backoff.pause().await;
            }
        }
    }
}

async fn next(registry: &Peer, last: Option<State>) -> Result<HttpFunctions, String> {
    let path = match last {
        None => route::HTTP_FUNCTIONS.to_owned(),
        Some(State { process, generation }) => {
            format!("{}?process={process}&generation={generation}", route::HTTP_FUNCTIONS)
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

    use super::*;
    use crate::model::{FunctionName, HttpAuth, HttpSpec, api::HttpFunction};

    fn function(name: &str) -> HttpFunction {
        let http = HttpSpec {
            paths: vec!["/a".parse().unwrap()],
            methods: Vec::new(),
            host: None,
            auth: HttpAuth::Token,
            cors: Vec::new(),
            max_body: 1,
        };
        let created_at = jiff::Timestamp::from_second(1).unwrap();
        HttpFunction { name: name.parse().unwrap(), created_at, http }
    }

    #[tokio::test]
    async fn each_change_is_used_and_acknowledged_and_a_registry_that_is_away_changes_nothing() {
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let state = |process, generation, names: Option<&[&str]>| {
            let functions = names.map(|names| names.iter().map(|name| function(name)).collect());
            Some(HttpFunctions { process, generation, functions })
        };
        // The last one comes first. Of `two`, nothing is sent at first.
        let script = Arc::new(Mutex::new(vec![
            state(two, 1, Some(&["c"])),
            state(two, 1, None),
            None,
            state(one, 2, None),
            state(one, 2, Some(&["b"])),
            state(one, 1, Some(&["a"])),
        ]));
        let addresses = Arc::new(Addresses::default());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, in_use) = (asked.clone(), addresses.clone());
        let known =
            |table: &Table, name: &str| table.function(&name.parse::<FunctionName>().unwrap()).is_some();
        let answer = async move |uri: Uri| {
            let names = in_use.table().map(|table| {
                ["a", "b", "c"].into_iter().filter(|name| known(&table, name)).collect::<String>()
            });
            let query = uri.query().unwrap_or_default().to_owned();
            seen.lock().unwrap().push((query, names));
            let next = script.lock().unwrap().pop().flatten();
            next.map_or_else(
                || StatusCode::SERVICE_UNAVAILABLE.into_response(),
                |functions| Json(functions).into_response(),
            )
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::at(listener.local_addr().unwrap(), "token").unwrap();
        let routes = Router::new().route(route::HTTP_FUNCTIONS, get(answer));
        tokio::spawn(async { axum::serve(listener, routes).await });
        let waiting = async {
            while asked.lock().unwrap().len() < 7 {
                tokio::task::yield_now().await;
            }
        };
        let both = async {
            tokio::select! {
                () = follow(peer, addresses.clone()) => {}
                () = waiting => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it follows");
        let told = |process: Uuid, generation, names: &str| {
            (format!("process={process}&generation={generation}"), Some(names.to_owned()))
        };
        let expected = [
            (String::new(), None),
            told(one, 1, "a"),
            told(one, 2, "b"),
            told(one, 2, "b"),
            told(one, 2, "b"),
            (String::new(), Some("b".to_owned())),
            told(two, 1, "c"),
        ];
        assert_eq!(asked.lock().unwrap()[..7], expected);
    }
}
