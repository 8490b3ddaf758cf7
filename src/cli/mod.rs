//! The command line. A command is one file: a clap struct whose doc comments are its help, and `run`.
//!
//! Commands return [`Error`]s with their exit code; only [`output`] prints.

mod addresses;
mod answer;
mod ask;
mod audit_log;
mod bench;
mod core_dumps;
mod data;
mod delete;
mod deploy;
mod doctor;
mod down;
mod each;
mod escape;
mod init;
mod interrupt;
mod invocation;
mod invoke;
mod list;
mod log_format;
mod log_writer;
mod logging;
mod logs;
mod output;
mod pack;
mod patience;
mod platform;
mod prune;
mod ps;
mod request;
mod role_log;
mod roles;
mod rollback;
mod run;
mod said;
mod secret;
mod settings;
mod show;
mod signals;
mod status;
mod stdin;
mod table;
mod target;
mod text;
mod token;
mod up;
mod usage;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

pub use crate::error::{Error, Exit};
pub use output::{Color, Output, Progress, Style};
use target::Target;

use crate::{
    app::Role,
    model::{PlatformName, name::InvalidName},
    open_files,
};

/// The time that may be spent after Ctrl-C to find out what continues.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// A self-hosted serverless function platform in one binary
///
/// Write a function, `deploy` it, `invoke` it, read its `logs`.
#[derive(Debug, Parser)]
#[command(name = "cloudfunc", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Address of the gateway [env: CLOUDFUNC_URL]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// File with the token to send [env: CLOUDFUNC_TOKEN_FILE, or CLOUDFUNC_TOKEN for the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with certificates of authorities, or of the platform itself, that are trusted in addition to the system's
    /// [env: CLOUDFUNC_CA]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Name of the platform on this machine to talk to; `platform list` shows the names
    // A text, as that of the same name in the settings: both are one option to clap.
    #[arg(long, global = true, env = "CLOUDFUNC_PLATFORM", value_name = "NAME", value_parser = checked_name)]
    platform: Option<String>,
    /// Print the result as one JSON document (streams: one document per line)
    #[arg(long, global = true)]
    json: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = false
    )]
    color: Color,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print more details
    #[arg(short, long, global = true)]
    verbose: bool,
}

fn checked_name(text: &str) -> Result<String, InvalidName> {
    text.parse::<PlatformName>().map(|_| text.to_owned())
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Deploy(deploy::Args),
    Run(Box<run::Args>),
    Bench(bench::Args),
    Invoke(invoke::Args),
    Logs(logs::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Show(show::Args),
    Ps(ps::Args),
    Rollback(rollback::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    Invocation(invocation::Args),
    Token(token::Args),
    Secret(secret::Args),
    AuditLog(audit_log::Args),
    Prune(prune::Args),
    Up(Box<up::Args>),
    Down(Box<down::Args>),
    Status(Box<status::Args>),
    Platform(platform::Args),
    Doctor(Box<doctor::Args>),
    /// Run the gateway alone; `up` runs all roles
    Gateway(Box<roles::Args>),
    /// Run the registry alone
    Registry(Box<roles::Args>),
    /// Run the scheduler alone
    Scheduler(Box<roles::Args>),
    /// Run the manager alone
    Manager(Box<roles::Args>),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // This must come before any thread is started: only a single-threaded process can make a container.
    if let Some(code) = crate::runtime::helper(std::env::args_os()) {
        return code;
    }
    // Every command may have a token, and some have keys and values of secrets.
    core_dumps::forbid();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version also arrive as errors, with code 0.
        Err(error) => return usage::report(error, std::env::args_os()),
    };
    let Global { url, token_file, ca, platform, json, color, quiet, verbose } = cli.global;
    let out = Output::new(json, quiet, verbose, color);
    let platform = platform.map(|name| name.parse().expect("clap has checked it"));
    let target = Target::new(url, token_file, ca, platform);
    match execute(cli.command, &target, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = target.explain(error);
            out.error(&error);
            error.exit.into()
        }
    }
}

fn execute(command: Command, target: &Target, out: &Output) -> Result<(), Error> {
    if command.is_service() {
        open_files::raise();
    }
    let mut builder = match command.is_service() {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| anyhow::Error::new(error).context("cannot start the async runtime"))?;
    let result = match command.takes_signals() {
        true => runtime.block_on(command.run(target, out)),
        false => runtime.block_on(interruptible(command.run(target, out), out)),
    };
    // A thread that still reads stdin must not keep the process alive.
    runtime.shutdown_background();
    result
}

/// Runs a command until Ctrl-C, which drops it where it waits: progress is cleared and connections are closed.
/// Then the user is told what continues without it; the platform may be asked about that for a moment, and a
/// second Ctrl-C ends the wait.
async fn interruptible(
    command: impl Future<Output = Result<(), Error>>,
    out: &Output,
) -> Result<(), Error> {
    // Registered before the command begins: from here on the signal does not end the process by itself.
    let interrupt = signal(SignalKind::interrupt());
    let mut interrupt = interrupt.map_err(|error| anyhow::Error::new(error).context("no signals"))?;
    {
        tokio::pin!(command);
        tokio::select! {
            result = &mut command => return result,
            _ = interrupt.recv() => {}
        }
    }
    ask::abandon();
    tokio::select! {
        ending = tokio::time::timeout(FAREWELL, out.on_interrupt().ending()) => {
            Err(ending.unwrap_or_else(|_| Error::silent(Exit::Interrupted)))
        }
        _ = interrupt.recv() => Err(Error::silent(Exit::Interrupted)),
    }
}

impl Command {
    /// Returns whether the command runs until it is told to stop, and then stops in its own time.
    fn is_service(&self) -> bool {
        matches!(
            self,
            Self::Up(_)
                | Self::Run(_)
                | Self::Gateway(_)
                | Self::Registry(_)
                | Self::Scheduler(_)
                | Self::Manager(_)
        )
    }

    /// Returns whether the command handles Ctrl-C itself instead of being dropped.
    fn takes_signals(&self) -> bool {
        self.is_service() || matches!(self, Self::Bench(_))
    }

    async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        match self {
            Self::Init(args) => args.run(out).await,
            Self::Deploy(args) => args.run(target, out).await,
            Self::Run(args) => args.run(out).await,
            Self::Bench(args) => args.run(target, out).await,
            Self::Invoke(args) => args.run(target, out).await,
            Self::Logs(args) => args.run(target, out).await,
            Self::List(args) => args.run(target, out).await,
            Self::Show(args) => args.run(target, out).await,
            Self::Ps(args) => args.run(target, out).await,
            Self::Rollback(args) => args.run(target, out).await,
            Self::Delete(args) => args.run(target, out).await,
            Self::Invocation(args) => args.run(target, out).await,
            Self::Token(args) => args.run(target, out).await,
            Self::Secret(args) => args.run(target, out).await,
            Self::AuditLog(args) => args.run(target, out).await,
            Self::Prune(args) => args.run(target, out).await,
            Self::Up(args) => args.run(out).await,
            Self::Down(args) => args.run(target, out).await,
            Self::Status(args) => args.run(target, out).await,
            Self::Platform(args) => args.run(target, out).await,
            Self::Doctor(args) => args.run(target, out).await,
            Self::Gateway(args) => args.run(Role::Gateway, out).await,
            Self::Registry(args) => args.run(Role::Registry, out).await,
            Self::Scheduler(args) => args.run(Role::Scheduler, out).await,
            Self::Manager(args) => args.run(Role::Manager, out).await,
        }
    }
}
