use std::sync::Arc;

use axum::{Json, Router, routing::post};

use super::*;
use crate::model::Caller;

/// A kind of an unknown sender, from an address of its own.
fn kind(detail: &str) -> Kind {
    of_address(0, detail)
}

fn of_address(number: u32, detail: &str) -> Kind {
    let (caller, from) = (UNKNOWN.to_owned(), Some(IpAddr::from(number.to_be_bytes())));
    Kind { caller, role: None, from, target: None, detail: detail.to_owned() }
}

fn of_caller(name: &str, detail: &str) -> Kind {
    Kind { caller: name.to_owned(), role: Some(TokenRole::Invoke), ..kind(detail) }
}

/// What waits, as `detail × count`.
fn waiting(collected: &mut Collected) -> Vec<String> {
    let entries = mem::take(&mut collected.waiting).into_iter();
    let shown = |entry: NewAuditEntry| format!("{} × {}", entry.detail.unwrap(), entry.count);
    entries.map(|waiting| shown(waiting.entry)).collect()
}

/// The entries with this detail, as `caller from × count`, sorted.
fn with_detail(collected: &mut Collected, detail: &str) -> Vec<String> {
    let entries = mem::take(&mut collected.waiting).into_iter().map(|waiting| waiting.entry);
    let from = |entry: &NewAuditEntry| entry.from.map_or("-".to_owned(), |from| from.to_string());
    let shown = |entry: NewAuditEntry| format!("{} {} × {}", entry.caller, from(&entry), entry.count);
    let of_detail = entries.filter(|entry| entry.detail.as_deref() == Some(detail));
    let mut list: Vec<String> = of_detail.map(shown).collect();
    list.sort();
    list
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
    assert!(waiting(&mut collected).is_empty() && collected.unknown.of.is_empty());
}

#[test]
fn a_sender_that_fills_its_bound_hides_only_its_own_refusals() {
    let (mut collected, now) = (Collected::default(), Instant::now());
    for number in 0..KINDS_OF_ADDRESS + 7 {
        collected.add(of_address(1, &number.to_string()), now);
    }
    for number in 0..KINDS_OF_CALLER + 9 {
        collected.add(of_caller("token ci", &number.to_string()), now);
    }
    collected.add(of_address(2, "other"), now);
    collected.add(of_caller("token other", "other"), now);
    collected.collect(now, true);
    assert_eq!(collected.waiting.len(), KINDS_OF_ADDRESS + 1 + KINDS_OF_CALLER + 1 + 2);
    let others =
        collected.waiting.iter().filter(|waiting| waiting.entry.detail.as_deref() == Some("other"));
    assert_eq!(others.count(), 2);
    assert_eq!(with_detail(&mut collected, FURTHER), ["token ci - × 9", "unknown 0.0.0.1 × 7"]);
}

#[test]
fn many_addresses_take_no_more_entries_than_their_bound_and_none_of_known_callers() {
    let (mut collected, now) = (Collected::default(), Instant::now());
    for number in 0..10_000 {
        collected.add(of_address(number, "no token"), now);
    }
    collected.add(of_caller("token ci", "f"), now);
    collected.collect(now, true);
    assert_eq!(collected.waiting.len(), 2 * UNKNOWN_KINDS + 1 + 1);
    let shown = waiting(&mut collected);
    assert!(shown.contains(&"f × 1".to_owned()));
    let all_others = format!("{FURTHER} × {}", 10_000 - 2 * UNKNOWN_KINDS);
    assert!(shown.contains(&all_others), "{shown:?}");
}

#[test]
fn entries_are_told_in_the_order_of_their_refusals_with_their_age_and_the_oldest_go_first() {
    let (mut collected, begun) = (Collected::default(), Instant::now());
    for second in [3, 1, 0, 2] {
        let at = begun + Duration::from_secs(second);
        collected.add(kind(&second.to_string()), at);
    }
    collected.collect(begun + Duration::from_secs(4), true);
    let now = begun + Duration::from_secs(10);
    let ages: Vec<u64> = collected.waiting.iter().map(|waiting| waiting.entry_at(now).age_ms).collect();
    assert_eq!(ages, [10_000, 9000, 8000, 7000]);
    assert_eq!(waiting(&mut collected), ["0 × 1", "1 × 1", "2 × 1", "3 × 1"]);

    for round in 0..WAITING + 3 {
        collected.add(kind(&round.to_string()), begun);
        collected.collect(begun, true);
    }
    assert_eq!(collected.dropped, 3);
    let told = waiting(&mut collected);
    assert_eq!((told.len(), told[0].as_str()), (WAITING, "3 × 1"));
}

#[test]
fn what_is_left_at_the_end_is_what_is_not_known_to_be_stored() {
    let (mut collected, now) = (Collected::default(), Instant::now());
    collected.add(kind("a"), now);
    assert_eq!(collected.left(), 1);
    collected.collect(now, true);
    assert_eq!(collected.left(), 1);
    let sending = collected.take();
    assert_eq!(collected.left(), 1, "it may have been stored");
    collected.put_back(sending);
    assert_eq!(collected.left(), 1);
    drop(collected.take());
    collected.sent();
    assert_eq!(collected.left(), 0);
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
    let refuse = |method: &Method, path: &str| {
        let (path, reason) = (Some(path), "no valid token");
        refusals.of_guard(&Refusal { caller: None, from, method, path, reason });
    };
    let (method, path, reason) = (&Method::GET, Some("/v1/functions"), "a token without a role");
    refusals.of_guard(&Refusal { caller: Some("oidc bob"), from, method, path, reason });
    refuse(&Method::DELETE, "/v1/tokens/ci");
    refuse(&Method::GET, "/v1/functions/cf_Secret");
    refuse(&Method::GET, "/cf_Secret");
    let role = TokenRole::Invoke;
    let caller = Caller { name: "token ci".to_owned(), role, functions: Vec::new(), from: None };
    let sent_by = SentBy::of(caller, from);
    let (prune, logs) = (&route::PRUNE.endpoint, &route::LOGS.endpoint);
    refusals.of_caller(&sent_by, prune, None, Some(&"x".repeat(1000)));
    refusals.of_caller(&sent_by, logs, Some("f".to_owned()), None);
    refusals.of_caller(&sent_by, logs, Some("f".to_owned()), None);
    refusals.of_function(&sent_by, &"f".parse().unwrap(), "it is for others");
    let (method, path, reason) = (&Method::PATCH, None, "no token");
    refusals.of_guard(&Refusal { caller: None, from, method, path, reason });
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
            "oidc bob none - GET /v1/functions: a token without a role × 1",
            long.as_str(),
            "token ci invoke f GET /v1/logs × 2",
            "token ci invoke f an HTTP request to a function: it is for others × 1",
            "unknown none - DELETE /v1/tokens/{token}: no valid token × 1",
            "unknown none - GET /v1/functions/{function}: no valid token × 1",
            "unknown none - a request without a route: no valid token × 1",
            "unknown none - an HTTP request to a function: no token × 1",
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
