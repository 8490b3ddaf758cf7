//! The platform beside what it stands on, as ratios measured in one run.
//!
//! `cargo bench --bench figures` (after `eval "$(tests/run setup)"`) starts the platform as its users do and
//! the [floors] beside it, measures in alternating rounds, prints medians, 99th percentiles, ratios and which
//! goals they meet, and writes `target/figures/figures.json` and pictures. Options follow `--`: see [options].
//! `CLOUDFUNC_PROGRAM` or `--program` name another build to measure than the one that cargo has just made: [program].
//!
//! What is comparable, and why: the clients are tasks of this process for all rows alike. Every server is
//! another process: the platform, and each floor. The functions' code, the image and the guest are the same;
//! floors make their containers with the engine's API directly and speak to the guest themselves ([docker],
//! [wire]), so that nothing that is made better or worse in the platform moves them. Only a bare container
//! without an engine has to come from our own runtime ([oci]).
//!
//! Absolute times are of this machine in this hour; the ratios hold better. All that a run has made is removed
//! at its end, also after an error or Ctrl-C.

mod crowd;
mod docker;
mod floors;
mod goals;
mod load;
mod machine;
mod names;
mod oci;
mod options;
mod pictures;
mod platform;
mod program;
mod report;
mod rows;
mod series;
mod servers;
mod stage;
mod wheels;
mod wire;

use std::{panic::AssertUnwindSafe, path::PathBuf, process::ExitCode};

use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::{floors::Given, options::Options, rows::Run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", kind, run, database] => {
            let given = Given { run: run.to_owned(), database: database.to_owned() };
            tokio.block_on(floors::serve(kind, given));
            ExitCode::SUCCESS
        }
        _ if arguments.iter().any(|argument| argument == "--bench") => {
            match Options::parse(&arguments) {
                Ok(options) => tokio.block_on(run(options)),
                Err(problem) => {
                    eprintln!("{problem}");
                    ExitCode::from(2)
                }
            }
        }
        // Also run by `cargo test --benches`: that only has to see it compile.
        _ => ExitCode::SUCCESS,
    }
}

pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/run setup)\" first"))
}

async fn run(options: Options) -> ExitCode {
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut run = Run::new(options);
    // A failed expectation has said what it is; what was started still has to end.
    let ended = tokio::select! {
        ended = AssertUnwindSafe(run.measure()).catch_unwind() => ended.map_or(1, |()| 0),
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    if ended == 0 {
        report::print(&run);
        report::write(&run, &target().join("figures")).unwrap();
    } else {
        eprintln!("stopped; removing what was made");
    }
    run.stage.close().await;
    ExitCode::from(ended)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}
