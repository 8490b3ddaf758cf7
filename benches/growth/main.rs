//! How the platform's times grow with functions, records and log lines.
//!
//! `cargo bench --bench growth` (after `eval "$(tests/run setup)"` for the stack with servers) starts the platform as its
//! users do, with more and more functions and then with more and more stored rows, measures, and prints a table per curve.
//! Tables are also written to `target/growth/`, with a picture of each curve. Options follow `--`: see [options].
//! `CLOUDFUNC_PROGRAM` names another build to measure than the one that cargo has just made.
//!
//! Functions beyond the first are copies of its rows, and stored invocations and lines are rows of SQL as well ([fill]):
//! the platform does not run while they are made. Everything that is measured goes over its HTTP API, except the pieces
//! of a deletion, whose lengths only the store knows.

mod fill;
mod measure;
mod options;
mod platform;
mod report;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    fill::Database,
    options::{Options, Stack},
    platform::Platform,
    report::{Point, Report},
};

const PROGRAM: &str = "CLOUDFUNC_PROGRAM";

/// The program that is measured.
pub fn program() -> PathBuf {
    std::env::var_os(PROGRAM).map_or_else(|| env!("CARGO_BIN_EXE_cloudfunc").into(), PathBuf::from)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        // Run by `cargo test --benches`: that only has to see it compile.
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = Report::default();
    for stack in &options.stacks {
        tokio.block_on(measure_stack(*stack, &options, &mut report));
    }
    report.print();
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    report.write(&folder.join("growth")).unwrap();
    ExitCode::SUCCESS
}

async fn measure_stack(stack: Stack, options: &Options, report: &mut Report) {
    let mut database = Database::create(stack).await;
    let mut platform = Platform::new(stack, &database);
    platform.start().await;
    platform.deploy(0).await;
    for functions in &options.functions {
        platform.stop().await;
        database.fill_functions(&platform, *functions).await;
        let begun = Instant::now();
        platform.start().await;
        let ready = begun.elapsed();
        platform.first_call().await;
        let serving = begun.elapsed();
        let mut point = Point::new(stack, "functions", *functions);
        point.add("start until ready", &[ready]);
        point.add("start until the first answer", &[serving]);
        measure::functions(&mut platform, options, &mut point).await;
        for (role, mib) in platform.memory() {
            point.value(&format!("memory of {role}"), "MiB", mib);
        }
        report.add(point);
    }
    for rows in &options.rows {
        platform.stop().await;
        let begun = Instant::now();
        database.fill_rows(&platform, *rows).await;
        eprintln!("{stack}: {rows} records and lines made in {:.0} s", begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        platform.start().await;
        let mut point = Point::new(stack, "rows", *rows);
        point.add("start until ready", &[begun.elapsed()]);
        measure::rows(&platform, options, &mut point).await;
        for (role, mib) in platform.memory() {
            point.value(&format!("memory of {role}"), "MiB", mib);
        }
        report.add(point);
    }
    platform.stop().await;
    if let Some(rows) = options.rows.last() {
        let mut point = Point::new(stack, "deletion", *rows);
        measure::deletion(&platform, &mut point).await;
        report.add(point);
    }
    platform.remove().await;
    database.remove().await;
}

/// In milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
