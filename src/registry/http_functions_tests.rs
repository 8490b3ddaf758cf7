//! Tests of the answers to a gateway that follows the functions with addresses.

use jiff::Timestamp;

use super::*;
use crate::{
    http::Failure,
    model::{HttpAuth, HttpSpec},
};

/// Far from [`LONGEST_WAIT`].
const SOON: Duration = Duration::from_secs(5);

fn at(name: &str, path: &str) -> HttpFunction {
    let http = HttpSpec {
        paths: vec![path.parse().unwrap()],
        methods: Vec::new(),
        host: None,
        auth: HttpAuth::Token,
        cors: Vec::new(),
        max_body: 1024,
    };
    HttpFunction { name: name.parse().unwrap(), created_at: Timestamp::UNIX_EPOCH, http }
}

fn known_of(functions: &HttpFunctions) -> Option<Known> {
    Some(Known { process: functions.process, generation: functions.generation })
}

async fn ask(addressed: &Addressed, known: Option<Known>) -> HttpFunctions {
    let stop = CancellationToken::new();
    let asked = tokio::time::timeout(SOON, addressed.after(known, &stop)).await;
    asked.expect("it is answered at once").expect("they are read")
}

#[tokio::test]
async fn a_follower_is_told_of_each_change_with_all_functions_by_name() {
    let (addressed, one, two) = (Addressed::default(), FunctionId::new(), FunctionId::new());
    let reading = async {
        tokio::task::yield_now().await;
        addressed.set(one, Some(at("lost", "/lost")));
        addressed.set_all([(one, at("b", "/b")), (two, at("a", "/a"))].into());
    };
    let (first, ()) = tokio::join!(ask(&addressed, None), reading);
    let expected = HttpFunctions {
        process: addressed.process,
        generation: 1,
        functions: Some(vec![at("a", "/a"), at("b", "/b")]),
    };
    assert_eq!(first, expected, "nothing is told until all were read");

    let of_another = Known { process: Uuid::now_v7(), generation: 1 };
    assert_eq!(ask(&addressed, Some(of_another)).await, expected);
    let change = async {
        tokio::task::yield_now().await;
        addressed.set(two, Some(at("a", "/a")));
        addressed.set_all([(one, at("b", "/b")), (two, at("a", "/a"))].into());
        assert_eq!(addressed.now(0).unwrap().generation, 1, "nothing has changed");
        addressed.set(one, None);
    };
    let (second, ()) = tokio::join!(ask(&addressed, known_of(&first)), change);
    assert_eq!((second.generation, second.functions), (2, Some(vec![at("a", "/a")])));
    addressed.set(FunctionId::new(), None);
    assert_eq!(addressed.now(2).unwrap().functions, None);
}

#[tokio::test]
async fn a_follower_does_not_hold_up_a_stop() {
    let (addressed, stop) = (Addressed::default(), CancellationToken::new());
    stop.cancel();
    let Failure(problem) = addressed.after(None, &stop).await.expect_err("they were not read");
    assert_eq!((problem.status, problem.code.as_str()), (503, "unavailable"));
    assert_eq!(problem.detail, "the functions with addresses could not be read yet");
    assert_eq!(problem.retry_after, Some(1));
    addressed.set_all(HashMap::new());
    let known = Known { process: addressed.process, generation: 1 };
    let now = tokio::time::timeout(SOON, addressed.after(Some(known), &stop)).await.unwrap().unwrap();
    assert_eq!((now.generation, now.functions), (1, None));
}

#[tokio::test]
async fn a_change_waits_until_the_gateway_asks_with_it() {
    let addressed = Addressed::default();
    addressed.set_all(HashMap::new());
    let begun = Instant::now();
    addressed.used_by_gateway(1).await;
    assert!(begun.elapsed() < PATIENCE, "no gateway follows");

    let first = ask(&addressed, None).await;
    addressed.set(FunctionId::new(), Some(at("a", "/a")));
    let asked = async {
        let second = ask(&addressed, known_of(&first)).await;
        assert_eq!(second.generation, 2);
        // It is not used before the next question, which waits here until it is dropped.
        let stop = CancellationToken::new();
        stop.cancel();
        addressed.after(known_of(&second), &stop).await.unwrap();
        2
    };
    let waited = async {
        addressed.used_by_gateway(2).await;
        addressed.gateway.borrow().generation
    };
    assert_eq!(tokio::join!(waited, asked), (2, 2));

    // A gateway that has stopped to follow holds it up no longer than that.
    let changed = addressed.set(FunctionId::new(), Some(at("b", "/b"))).expect("it has addresses");
    let begun = Instant::now();
    tokio::time::timeout(SOON, addressed.used_by_gateway(changed)).await.expect("it is bounded");
    assert!(begun.elapsed() >= PATIENCE);
}

#[tokio::test]
async fn a_change_is_waited_for_whoever_has_read_it_and_one_without_addresses_is_not() {
    let (addressed, one, two) = (Addressed::default(), FunctionId::new(), FunctionId::new());
    assert_eq!(addressed.set(one, Some(at("lost", "/lost"))), None, "all of them are read first");
    addressed.set_all([(one, at("a", "/a"))].into());
    assert_eq!(addressed.set(two, None), None);
    assert_eq!(addressed.set(one, Some(at("a", "/a"))), Some(1));
    assert_eq!(addressed.set(one, Some(at("a", "/new"))), Some(2));
    assert_eq!(addressed.set(two, Some(at("b", "/b"))), Some(3));
    assert_eq!(addressed.set(one, Some(at("a", "/new"))), Some(2), "it has not changed since");
    addressed.set_all([(two, at("b", "/b"))].into());
    assert_eq!(addressed.set(one, None), Some(4), "another reading was first");
    for _ in 0..REMEMBERED / 2 {
        addressed.set(two, None);
        addressed.set(two, Some(at("b", "/b")));
    }
    addressed.set_all([(two, at("b", "/b"))].into());
    assert_eq!(addressed.set(one, None), None, "that was long ago");
    assert_eq!(addressed.functions.borrow().changed.len(), 1);
}

#[tokio::test]
async fn a_gateway_that_was_started_anew_has_nothing_in_use_before_it_says_so() {
    let (addressed, stop) = (Addressed::default(), CancellationToken::new());
    addressed.set_all([(FunctionId::new(), at("a", "/a"))].into());
    stop.cancel();
    let known = Known { process: addressed.process, generation: 1 };
    addressed.after(Some(known), &stop).await.unwrap();
    assert_eq!(addressed.gateway.borrow().generation, 1);
    addressed.after(None, &stop).await.unwrap();
    assert_eq!(addressed.gateway.borrow().generation, 0);
}

#[test]
fn many_changed_functions_are_read_together() {
    let some = |count: usize| Due { all: false, some: (0..count).map(|_| FunctionId::new()).collect() };
    let mut due = Due::default();
    due.add(some(MOST_DUE));
    assert_eq!((due.all, due.some.len()), (false, MOST_DUE));
    due.add(some(1));
    assert_eq!(due, Due { all: true, some: HashSet::new() });
    due.add(some(1));
    assert_eq!(due, Due { all: true, some: HashSet::new() });
}
