use std::sync::Arc;

use axum::{Json, Router, routing::post};

use super::*;
use crate::{
    http::TOKEN_HINT,
    model::{Caller, Problem, code},
};

fn kind(detail: &str) -> Kind {
    Kind { detail: detail.to_owned(), ..Kind::further() }
}

/// What waits, as `detail × count`.
fn waiting(collected: &mut Collected) -> Vec<String> {
    let entries = mem::take(&mut collected.waiting).into_iter();
    entries.map(|entry| format!("{} × {}", entry.detail.unwrap(), entry.count)).collect()
}

#[test]
fn equal_refusals_are_told_soon_and_then_together_at_the_end_of_their_minute() {
    let (mut collected, begun) = (Collected::default(), Instant::now());
    let at = |seconds| begun + Duration::from_secs(seconds);
    for second in [0, 0, 1] {
        collected.add(kind("a"), at(second));
    }
    collected.collect(at(1), false);
    assert!(waiting(&mut collected).is_empty(), "more may come");
    collected.collect(at(2), false);
    assert_eq!(waiting(&mut collected), ["a × 3"]);
    for second in 3..50 {
        collected.add(kind("a"), at(second));
        collected.collect(at(second), false);
    }
    collected.add(kind("b"), at(50));
    collected.collect(at(59), false);
    assert_eq!(waiting(&mut collected), ["b × 1"], "those of 'a' wait for the end of their minute");
    collected.collect(at(60), false);
    assert_eq!(waiting(&mut collected), ["a × 47"]);
    collected.collect(at(120), false);
    assert!(waiting(&mut collected).is_empty() && collected.groups.is_empty());
}

#[test]
fn kinds_beyond_the_bound_are_counted_as_one_and_the_oldest_entries_go_first() {
    let (mut collected, now) = (Collected::default(), Instant::now());
    for number in 0..KINDS + 500 {
        collected.add(kind(&number.to_string()), now);
    }
    assert_eq!(collected.groups.len(), KINDS + 1);
    collected.collect(now, true);
    let told = waiting(&mut collected);
    assert!(told.contains(&"further refusals × 500".to_owned()) && told.contains(&"0 × 1".to_owned()));

    for round in 0..WAITING + 3 {
        collected.add(kind(&round.to_string()), now);
        collected.collect(now, true);
    }
    assert_eq!(collected.dropped, 3);
    let told = waiting(&mut collected);
    assert_eq!((told.len(), told[0].as_str()), (WAITING, "3 × 1"));
}

#[test]
fn what_was_not_stored_is_told_again_in_order() {
    let (mut collected, now) = (Collected::default(), Instant::now());
    for number in 0..AT_ONCE + 1 {
        collected.add(kind(&number.to_string()), now);
        collected.collect(now, true);
    }
    let some = collected.take();
    assert_eq!(some.len(), AT_ONCE);
    collected.put_back(some);
    let told = waiting(&mut collected);
    assert_eq!((told.len(), &*told[0], &*told[AT_ONCE]), (AT_ONCE + 1, "0 × 1", "100 × 1"));
}

/// A registry that stores what it is sent, if it is there.
async fn registry(status: Arc<Mutex<StatusCode>>) -> (Peer, Arc<Mutex<Vec<NewAuditEntry>>>) {
    let stored = Arc::new(Mutex::new(Vec::new()));
    let store = stored.clone();
    let answer = async move |Json(entries): Json<Vec<NewAuditEntry>>| {
        let status = *status.lock().unwrap();
        if status.is_success() {
            store.lock().unwrap().extend(entries);
        }
        status
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer::at(listener.local_addr().unwrap(), "token").unwrap();
    let routes = Router::new().route(route::REFUSALS, post(answer));
    tokio::spawn(async { axum::serve(listener, routes).await });
    (peer, stored)
}

#[tokio::test]
async fn entries_name_caller_route_and_target_and_wait_for_a_registry_that_is_away() {
    let status = Arc::new(Mutex::new(StatusCode::SERVICE_UNAVAILABLE));
    let (peer, stored) = registry(status.clone()).await;
    let refusals = Refusals::new(peer);
    let from: IpAddr = "192.0.2.1".parse().unwrap();
    let problem = Problem::new(code::UNAUTHORIZED, "not one of ours").hint(TOKEN_HINT);
    let refuse = |method: &Method, path: &str| {
        refusals.of_guard(&Refusal { caller: None, from, method, path, problem: &problem });
    };
    let (method, path, no_role) =
        (&Method::GET, "/v1/functions", Problem::new(code::FORBIDDEN, "no role"));
    refusals.of_guard(&Refusal { caller: Some("oidc bob"), from, method, path, problem: &no_role });
    refuse(&Method::DELETE, "/v1/tokens/ci");
    refuse(&Method::GET, "/v1/functions/cf_Secret");
    refuse(&Method::GET, "/cf_Secret");
    let role = TokenRole::Invoke;
    let caller = Caller { name: "token ci".to_owned(), role, functions: Vec::new(), from: None };
    let sent_by = SentBy { caller: Arc::new(caller), from };
    let (prune, logs) = (&route::PRUNE.endpoint, &route::LOGS.endpoint);
    refusals.of_caller(&sent_by, prune, None, Some(&"x".repeat(1000)));
    refusals.of_caller(&sent_by, logs, Some("f".to_owned()), None);
    refusals.of_caller(&sent_by, logs, Some("f".to_owned()), None);
    refusals.tell(true).await;
    assert!(stored.lock().unwrap().is_empty());
    *status.lock().unwrap() = StatusCode::NO_CONTENT;
    let stop = CancellationToken::new();
    stop.cancel();
    refusals.run(stop).await;

    let mut told: Vec<String> = stored
        .lock()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!((entry.action.as_str(), entry.outcome), ("request", AuditOutcome::Refused));
            assert_eq!(entry.from, Some(from));
            let role = entry.role.map_or("none", TokenRole::as_str);
            let (caller, count, target) = (&entry.caller, entry.count, entry.target.as_deref());
            let detail = entry.detail.as_deref().unwrap();
            format!("{caller} {role} {} {detail} × {count}", target.unwrap_or("-"))
        })
        .collect();
    told.sort();
    let long = format!("token ci invoke - POST /v1/prune: {} × 1", "x".repeat(MAX_REASON));
    assert_eq!(
        told,
        [
            "oidc bob none - GET /v1/functions: no role × 1",
            long.as_str(),
            "token ci invoke f GET /v1/logs × 2",
            "unknown none - DELETE /v1/tokens/{token}: not one of ours × 1",
            "unknown none - GET /v1/functions/{function}: not one of ours × 1",
            "unknown none - a request without a route: not one of ours × 1",
        ]
    );
}

#[tokio::test]
async fn what_a_registry_refuses_is_not_sent_again() {
    let status = Arc::new(Mutex::new(StatusCode::NOT_FOUND));
    let (peer, stored) = registry(status.clone()).await;
    let refusals = Refusals::new(peer);
    refusals.add(kind("a"));
    refusals.tell(true).await;
    *status.lock().unwrap() = StatusCode::NO_CONTENT;
    refusals.tell(true).await;
    assert!(stored.lock().unwrap().is_empty());
}
