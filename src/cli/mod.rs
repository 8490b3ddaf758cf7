//! Temporary: the CLI's own mod.rs comes with its branch. This one only lets `up` be tried.

pub mod down;
mod error;
mod logging;
mod output;
pub mod roles;
mod settings;
mod signals;
pub mod status;
pub mod up;

pub use error::{Error, Exit};
pub use output::{Color, Output, Progress, Style};

use clap::Parser as _;

use crate::app::Role;

#[derive(clap::Parser)]
#[command(name = "cloudfunc", version)]
struct Cli {
    #[arg(long, global = true)]
    json: bool,
    #[arg(long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Up(Box<up::Args>),
    Down(down::Args),
    Status(status::Args),
    Gateway(Box<roles::Args>),
    Registry(Box<roles::Args>),
    Scheduler(Box<roles::Args>),
    Manager(Box<roles::Args>),
}

pub async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.json, false, cli.verbose, Color::Auto);
    let result = match cli.command {
        Command::Up(args) => args.run(&out).await,
        Command::Down(args) => args.run(&out).await,
        Command::Status(args) => args.run(&out).await,
        Command::Gateway(args) => args.run(Role::Gateway, &out).await,
        Command::Registry(args) => args.run(Role::Registry, &out).await,
        Command::Scheduler(args) => args.run(Role::Scheduler, &out).await,
        Command::Manager(args) => args.run(Role::Manager, &out).await,
    };
    match result {
        Ok(()) => 0.into(),
        Err(error) => {
            out.error(&error);
            error.exit.into()
        }
    }
}
