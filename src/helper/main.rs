//! The first process in the sandbox of a function whose program does not speak the runtime protocol: it starts the program,
//! and translates. `helper task` is for images of the platform's, `helper image WORD…` for one of the author's with its
//! entry point and command.
//!
//! `serve` is a sandbox's life; `control`, `protocol` and `frames` are the way to the host; `program` and `executable` know
//! the program's file, `children` the processes; `command`, `http` (with `connections`, `headers` and `port`) and `lambda`
//! are the interfaces, and `call` is what they have in common; `limits` is the platform's own file.

mod call;
mod children;
mod command;
mod connections;
mod control;
mod executable;
mod frames;
mod headers;
mod http;
mod lambda;
#[path = "../model/limits.rs"]
mod limits;
mod port;
mod program;
mod protocol;
mod serve;

use std::{env, ffi::OsString, io, process::ExitCode};

use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior};

use self::serve::{Place, serve};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code.into(),
        Err(error) => {
            port::tell(&format!("cloudfunc: the helper has ended: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<u8> {
    // The program is of the same user, and must not look into this process, nor open its descriptors.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // The first process of a sandbox is that anyway.
    set_child_subreaper(Some(getpid()))?;
    let place = place(env::args_os().skip(1))?;
    let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tasks.block_on(serve(&place))
}

fn place(mut words: impl Iterator<Item = OsString>) -> io::Result<Place> {
    match words.next() {
        Some(word) if word == "task" => Ok(Place::Task),
        Some(word) if word == "image" => Ok(Place::Image(words.collect())),
        _ => Err(io::Error::other(
            "it is started as `helper task` or `helper image WORD…`, by the platform",
        )),
    }
}
