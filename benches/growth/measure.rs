//! The measurements at one point of the curves.

use std::time::{Duration, Instant};

use cloudfunc::store;

use crate::{options::Options, platform::Platform, report::Point};

/// Deploys, calls and lists, with as many functions as there are.
pub async fn functions(platform: &mut Platform, options: &Options, point: &mut Point) {
    let name = platform.function();
    let mut deploys = Vec::new();
    let mut firsts = Vec::new();
    for number in 0..options.samples(40) {
        deploys.push(platform.deploy(0).await);
        // Other functions get more with each round; so few do not count.
        if number % 8 == 0 {
            firsts.push(platform.deploy(point.size * 100 + number as u64 + 1).await);
        }
    }
    point.add("deploy", &deploys);
    point.add("deploy of a new function", &firsts);
    platform.call().await;
    for (what, path) in [
        ("show", format!("/v1/functions/{name}")),
        ("list, first page of 100", "/v1/functions?limit=100".to_owned()),
        ("list, a later page", "/v1/functions?limit=100&cursor=copy_000005".to_owned()),
    ] {
        point.add(what, &repeated(platform, options.samples(40), &path).await);
    }
    let mut calls = Vec::new();
    for _ in 0..options.samples(400) {
        calls.push(platform.call().await);
    }
    point.add("warm call", &calls);
}

/// Pages of records and lines, with as many of them as there are.
pub async fn rows(platform: &Platform, options: &Options, point: &mut Point) {
    platform.call().await;
    for (what, path) in [
        ("invocation list", "/v1/invocations"),
        ("… of a function", "/v1/invocations?function=copy_000001"),
        ("… in the usual state", "/v1/invocations?state=succeeded"),
        ("… in a state that one has", "/v1/invocations?state=timed_out"),
        ("… of a function in that state", "/v1/invocations?function=copy_000001&state=timed_out"),
        ("… since a moment ago", "/v1/invocations?since=1s"),
        ("… of a function, 1000", "/v1/invocations?function=copy_000001&limit=1000"),
        ("logs --tail 100", "/v1/logs?tail=100"),
        ("… of a function", "/v1/functions/copy_000001/logs?tail=100"),
        (
            "… of three functions",
            "/v1/logs?tail=100&function=copy_000001&function=copy_000002&function=measured",
        ),
        ("… since a moment ago", "/v1/functions/copy_000001/logs?tail=100&since=1s"),
    ] {
        point.add(what, &repeated(platform, options.samples(20), path).await);
    }
    let mut calls = Vec::new();
    for _ in 0..options.samples(400) {
        calls.push(platform.call().await);
    }
    point.add("warm call", &calls);
}

async fn repeated(platform: &Platform, times: usize, path: &str) -> Vec<Duration> {
    let mut measured = Vec::with_capacity(times);
    for _ in 0..times {
        measured.push(platform.get(path).await);
    }
    measured
}

/// How long the pieces of a deletion hold the store's writer, and how fast they are together.
pub async fn deletion(platform: &Platform, point: &mut Point) {
    const PIECES: usize = 50;
    let store = store::connect(&platform.store()).await.unwrap();
    let (mut pieces, mut rows) = (Vec::new(), 0);
    for _ in 0..PIECES {
        let begun = Instant::now();
        rows += store.prune(Duration::from_secs(60), store::PRUNE_PIECE).await.unwrap();
        pieces.push(begun.elapsed());
    }
    store.close().await;
    point.add("a piece", &pieces);
    let longest = pieces.iter().max().copied().unwrap_or_default();
    point.add("the longest piece", &[longest]);
    let together: Duration = pieces.iter().sum();
    #[expect(clippy::cast_precision_loss)]
    point.value("rows deleted", "per second", rows as f64 / together.as_secs_f64());
}
