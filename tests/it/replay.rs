//! `cargo bench --bench replay`: reading traces, and the pool in virtual time. Its modules are included, so
//! that what the benchmark says is checked without running it.

#[path = "../../benches/replay/generate.rs"]
mod generate;
#[path = "../../benches/replay/simulate.rs"]
mod simulate;
#[expect(dead_code, reason = "only what needs no platform is tested here")]
#[path = "../../benches/replay/summary.rs"]
mod summary;
#[expect(dead_code, reason = "only what needs no platform is tested here")]
#[path = "../../benches/replay/trace.rs"]
mod trace;

use std::time::Duration;

use cloudfunc::{model::Start, settings::KeepAlivePolicy};

use self::{
    generate::generate,
    simulate::{Done, Setup, replay},
    summary::Summary,
    trace::Trace,
};

const COLD: Duration = Duration::from_millis(300);

fn trace(lines: &str) -> Trace {
    Trace::parse(&format!("{}\n{lines}", trace::HEADER)).unwrap()
}

fn setup(trace: &Trace, policy: KeepAlivePolicy) -> Setup {
    Setup {
        policy,
        memory_budget: 8 << 30,
        max_starts: 4,
        max_instances: 10,
        idle_timeout: Duration::from_secs(60),
        queue_wait: Duration::from_secs(10),
        cold_starts: vec![COLD; trace.functions.len()],
        stop: Duration::from_millis(100),
        overhead: Duration::ZERO,
    }
}

fn done(start: Start, ms: u64) -> Done {
    Done { start: Some(start), total: Duration::from_millis(ms) }
}

#[test]
fn a_wrong_line_of_a_trace_is_explained() {
    let error = |text: &str| Trace::parse(text).unwrap_err().to_string();
    let line = |line: &str| error(&format!("function,time,duration,memory\na,0,1,128\n{line}\n"));
    let errors = [
        error(""),
        error("name,at\n"),
        error("function,time,duration,memory\n"),
        line("a,1,2"),
        line("A b,1,2,128"),
        line("a,-1,2,128"),
        line("a,1,0,128"),
        line("a,1,2,1.5"),
    ];
    let expected = [
        "line 1: the file is empty; the header is 'function,time,duration,memory'",
        "line 1: 'name,at' is not the header, which is 'function,time,duration,memory'",
        "line 2: no invocation follows the header",
        "line 3: 3 values; expected are the 4 of 'function,time,duration,memory'",
        "line 3: `function`: invalid function name 'A b': ",
        "line 3: `time` is '-1'; it must be seconds from the start, for example 12.5",
        "line 3: `duration` is '0'; it must be milliseconds above 0, for example 35",
        "line 3: `memory` is '1.5'; it must be a whole number of MiB from 1, for example 128",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_trace_may_be_out_of_order_and_an_instance_has_room_for_the_largest_line() {
    let trace = trace("b,2.5,10,128\na,1,20,64\nb,0,30,256\n");
    let order: Vec<_> = trace.calls.iter().map(|call| (call.function, call.run.as_millis())).collect();
    assert_eq!(order, [(0, 30), (1, 20), (0, 10)]);
    assert_eq!(trace.functions[0].memory_mib, 256);
    let faster = trace.faster(10.0);
    assert_eq!(faster.length(), Duration::from_millis(250));
    assert_eq!(faster.calls[0].run, Duration::from_millis(30), "a run is not faster");
}

#[test]
fn the_included_trace_is_the_generated_one() {
    let file = include_str!("../../benches/replay/trace.csv");
    assert_eq!(Trace::parse(file).unwrap().to_csv(), file);
    assert!(generate(1).to_csv() == file, "see --generate");
    assert!(generate(2).to_csv() != file);
}

#[test]
fn waiting_starting_and_running_take_virtual_time() {
    // The second finds the first one's instance, the third the limit, the fourth nothing idle any more.
    let trace = trace("a,0,100,128\na,1,50,128\na,1.01,50,128\na,70,100,128\n");
    let replayed = replay(&trace, &Setup { max_instances: 1, ..setup(&trace, KeepAlivePolicy::Fixed) });
    let expected =
        [done(Start::Cold, 400), done(Start::Warm, 50), done(Start::Warm, 90), done(Start::Cold, 400)];
    assert_eq!(replayed.calls, expected);
    assert_eq!(replayed.evictions, 0);
    // From 0.4 s to 1 s, and from 1.1 s for a minute; an eighth of a GiB.
    assert!((replayed.idle_gib_seconds - 60.6 / 8.0).abs() < 1e-6, "{}", replayed.idle_gib_seconds);
    let summary = Summary::of_replayed(&trace, &replayed);
    assert_eq!(summary.cells(), ["50.0 %", "1.80", "4.00", "0", "0", "8"]);
}

#[test]
fn who_waits_for_too_long_is_not_run_and_does_not_count_as_fast() {
    let trace = trace("a,0,60000,128\na,1,1000,128\n");
    let replayed = replay(&trace, &Setup { max_instances: 1, ..setup(&trace, KeepAlivePolicy::Fixed) });
    assert_eq!(replayed.calls[1], Done { start: None, total: Duration::from_secs(10) });
    let summary = Summary::of_replayed(&trace, &replayed);
    assert_eq!((summary.invocations, summary.not_run, summary.cold_ratio), (2, 1, 1.0));
}

#[test]
fn an_eviction_is_a_stop_before_its_time() {
    let trace = trace("a,0,100,128\nb,10,100,128\nb,100,100,128\n");
    let replayed =
        replay(&trace, &Setup { memory_budget: 128 << 20, ..setup(&trace, KeepAlivePolicy::Fixed) });
    assert_eq!(replayed.evictions, 1, "a makes room for b, b ends by its timeout");
    assert_eq!(replayed.calls[1], done(Start::Cold, 500), "after the other has gone");
    let trace = self::trace("a,0,1000,128\nb,0.5,100,128\n");
    let replayed =
        replay(&trace, &Setup { memory_budget: 128 << 20, ..setup(&trace, KeepAlivePolicy::Fixed) });
    assert_eq!(replayed.evictions, 1, "also in the moment in which it goes idle");
    assert_eq!(replayed.calls[1], done(Start::Cold, 1300));
}

#[test]
fn adaptive_starts_cold_less_often_than_fixed_within_the_same_memory() {
    let trace = generate(1);
    for memory_budget in [8 << 30, 2 << 30] {
        let of = |policy| {
            let replayed = replay(&trace, &Setup { memory_budget, ..setup(&trace, policy) });
            Summary::of_replayed(&trace, &replayed)
        };
        let [fixed, adaptive] = KeepAlivePolicy::ALL.map(of);
        assert!(adaptive.cold_ratio < 0.9 * fixed.cold_ratio, "{adaptive:?}, {fixed:?}");
        assert_eq!((adaptive.not_run, fixed.not_run), (0, 0));
    }
}

#[test]
fn the_benchmarks_page_shows_what_comes_out_of_the_included_trace() {
    let trace = generate(1);
    let rows: Vec<String> = include_str!("../../docs/benchmarks.md")
        .lines()
        .filter(|line| line.contains("  virtual  "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let mut expected = Vec::new();
    for gib in [8, 2] {
        for policy in KeepAlivePolicy::ALL {
            let setup = Setup { memory_budget: gib << 30, ..setup(&trace, policy) };
            let summary = Summary::of_replayed(&trace, &replay(&trace, &setup));
            let cells = summary.cells().join(" ");
            expected.push(format!("{gib} GiB {} virtual 300 ms {cells}", policy.as_str()));
        }
    }
    assert_eq!(rows, expected);
}
