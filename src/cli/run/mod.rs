//! `cloudfunc run`: runs one function without a running platform.
//!
//! ```text
//! pack ─▶ set the stage ─▶ secrets ─▶ deploy ─▶ invoke, invoke, … ─▶ clear the stage
//!            (a platform of its own in a temporary folder: nothing of it remains)
//! ```
//! Only the packages that it has installed are kept, in the user's caches.

mod secrets;
mod stage;

use std::{future::Future, path::PathBuf, time::Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use self::{secrets::GivenSecrets, stage::Window};
use super::{
    Error, Exit, Output,
    answer::Answer,
    data::DataArgs,
    deploy::report::{Item, tell_why},
    pack::{Function, pack},
    request::{RequestArgs, with_flags},
    secret::NameArg,
    settings::{RuntimeArgs, SettingsArgs},
    signals::Signals,
    up::prepare::check_sources,
};
use crate::{
    app::KeptPackages,
    client::CallOptions,
    model::{Body, Language, LogLine, SecretName},
    place::Dirs,
    runtime::Kind,
    settings::Settings,
};

/// The beginnings of the steps from which on all are shown off a terminal, too: they take long.
const LONG: [&str; 3] =
    ["installing the packages", "running the build command", "building the image of"];

/// Build a function and invoke it here, without a platform
///
/// Everything runs in one process, whose temporary state is deleted at the end. The exact bytes of the result
/// go to stdout; what the function writes and everything else go to stderr. Installed packages are kept for the
/// next run, in $XDG_CACHE_HOME/cloudfunc (~/.cache/cloudfunc): at most 2 GiB, those used last.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the function (`.` for this one if a PAYLOAD follows); one that does not exist here is looked
    /// up in ./functions
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    request: RequestArgs,
    /// Number of invocations, one after the other; the first one is a cold start. Each result ends with a
    /// newline
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Give the function the secret of this name, with the value of the environment variable of the same name; may be
    /// repeated
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<NameArg>,
    /// Install the packages anew, also if an earlier run has kept them
    #[arg(long)]
    refresh: bool,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// The checked input of the command.
struct Order {
    path: PathBuf,
    function: Function,
    payload: Body,
    options: CallOptions,
    secrets: GivenSecrets,
    settings: Settings,
    repeat: u32,
}

impl Args {
    /// Runs the function; nothing remains however the command ends. A signal ends it with exit code 130.
    pub async fn run(self, out: &Output) -> Result<(), Error> {
        let refresh = self.refresh;
        let mut signals = Signals::new().map_err(|error| Error::new(Exit::Platform, error))?;
        let order = unless(&mut signals, self.order(out)).await?;
        let language = order.function.language.unwrap_or(Language::DEFAULT);
        let mut settings = order.settings.clone();
        if order.function.language.is_none() {
            // Only an engine has images.
            settings.runtime.get_or_insert(Kind::Docker);
        }
        let names_packages = order.function.names_packages;
        let kept = names_packages.then(|| KeptPackages::open(Dirs::caches().as_deref(), refresh));
        let (mut stage, mut window) =
            unless(&mut signals, stage::set(settings, language, kept, out)).await?;
        let performed = tokio::select! {
            performed = unless(&mut signals, order.perform(&mut window, out)) => performed,
            broken = stage.broken() => Err(broken),
        };
        let interrupted = performed.as_ref().is_err_and(|error| error.exit == Exit::Interrupted);
        stage.clear(interrupted, out).await;
        performed
    }

    async fn order(self, out: &Output) -> Result<Order, Error> {
        let flags = SettingsArgs::from(self.runtime.settings()?);
        let settings = flags.load_anywhere()?;
        check_sources(&settings)?;
        let options = self.request.options()?;
        let secrets: Vec<SecretName> =
            self.secrets.into_iter().map(secret_name).collect::<Result<_, _>>()?;
        let secrets = GivenSecrets::read(&secrets, |name| std::env::var_os(name.as_str()))?;
        let payload = self.data.read(options.http.as_ref(), out).await?;
        let function = pack(&self.path, out).await?;
        let (secrets, warnings) = secrets.for_manifest(&function.secrets)?;
        warnings.iter().for_each(|warning| out.warn(warning));
        let (path, repeat) = (self.path, self.repeat);
        Ok(Order { path, function, payload, options, secrets, settings, repeat })
    }
}

/// Returns the name of a secret; one with a value is refused, and the value is not repeated.
fn secret_name(argument: NameArg) -> Result<SecretName, Error> {
    match argument {
        NameArg::Name(name) => Ok(name),
        NameArg::WithValue => {
            Err(Error::usage("--secret takes a name only: other users of the machine can see arguments")
                .hint("the value is that of the environment variable of the same name"))
        }
    }
}

/// Waits for the work or an interruption.
async fn unless<T>(
    signals: &mut Signals,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        _ = signals.next() => Err(Error::silent(Exit::Interrupted)),
    }
}

impl Order {
    async fn perform(&self, window: &mut Window, out: &Output) -> Result<(), Error> {
        let Window { client, lines } = window;
        self.secrets.set(client).await.map_err(|error| of_run(error, out))?;
        let name = &self.function.name;
        let progress = out.waiting(&format!("building {name}"));
        let archive = self.function.archive.clone();
        // The load check is skipped: the code is about to be loaded anyway.
        let mut is_long = false;
        let mut told = Vec::new();
        let step = |step: &str| {
            is_long |= LONG.iter().any(|start| step.starts_with(start));
            if is_long {
                progress.say_in_line(step);
            } else {
                progress.say(step);
            }
            if is_long && progress.stays_in_line() {
                told.push(step.to_owned());
            }
        };
        let deployed = client.deploy_unchecked(name, archive, step).await;
        drop(progress);
        let deployed = match deployed {
            Ok(deployed) => deployed,
            Err(error) => {
                tell_why(&error, &told, out);
                let error = of_run(error, out);
                if out.json() {
                    out.json_line(&Item::failed(&self.path, Some(name.clone()), &error))?;
                }
                return Err(error);
            }
        };
        if !out.is_quiet() {
            let notices = deployed.notice.iter().flat_map(|notices| notices.lines());
            notices.for_each(|notice| out.warn(notice));
        }
        for _ in 0..self.repeat {
            let begun = Instant::now();
            let invoked = client.invoke_with(name, self.payload.clone(), &self.options);
            let answer = along(lines, &format!("invoking {name}"), invoked, out).await;
            let answer = answer.map_err(|error| of_run(with_flags(error), out))?;
            let waited = begun.elapsed().as_secs_f64() * 1000.0;
            let answer = Answer::of_call(answer, waited).advised(&self.options);
            if self.repeat == 1 { answer.print(out)? } else { answer.print_in_row(out)? }
        }
        Ok(())
    }
}

/// Shows what the function writes while `work` runs, including lines that are left when it is done.
async fn along<T>(
    lines: &mut UnboundedReceiver<LogLine>,
    what: &str,
    work: impl Future<Output = T>,
    out: &Output,
) -> T {
    let mut progress = Some(out.waiting(what));
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            Some(line) = lines.recv() => {
                // A spinner and lines do not go together.
                progress = None;
                out.function_line(&line);
            }
        }
    };
    drop(progress);
    while let Ok(line) = lines.try_recv() {
        out.function_line(&line);
    }
    done
}

/// Replaces hints that name the log of the manager, and leaves out those that name the log of a build, all of which is
/// shown: `run` keeps none.
fn of_run(error: impl Into<Error>, out: &Output) -> Error {
    let error: Error = error.into();
    let hint = error.hint.filter(|hint| !hint.contains("--build`")).and_then(|hint| {
        match hint.contains("--role manager") {
            true => (!out.is_verbose()).then(|| "`cloudfunc run --verbose` shows more".to_owned()),
            false => Some(hint),
        }
    });
    Error { hint, ..error }
}
