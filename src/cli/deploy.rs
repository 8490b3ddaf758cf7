//! `cloudfunc deploy`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Error, Exit, Output,
    interrupt::Farewell,
    pack::{Function, pack},
    target::Target,
    text::count,
};
use crate::{
    client::{self, Client},
    error::Report,
    model::{FunctionName, Problem, RevisionNumber, api::Deployed},
    units::show_bytes,
};

/// Deploy functions: pack each folder, upload it, follow its build
///
/// Before the new revision becomes active, the platform loads its code once in an instance of its own, so
/// top-level code runs one extra time. If that fails, nothing is deployed and the active revision stays active.
///
/// Left out, with a note: files that .gitignore, .git/info/exclude or .cloudfuncignore name (git's global
/// excludes have no effect), files that no function needs (.git, virtual environments, caches, node_modules),
/// and .env files, which may hold secrets. A line `!name` in .cloudfuncignore includes a file again, except for
/// .env files.
///
/// With --json, one line for each path: {"path","name","revision","unchanged","image","error"}, plus "notice"
/// and "output" of loading the code, if there are any.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of functions; a folder that does not exist here is looked up in ./functions
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Deploy without loading the code first: errors in it show at the first invocation
    #[arg(long)]
    no_check: bool,
}

/// A line of `--json`: one for each path, whatever the result.
#[derive(Serialize)]
struct Item {
    path: String,
    name: Option<FunctionName>,
    /// The revision that is active now.
    revision: Option<RevisionNumber>,
    /// Whether this revision was active already.
    unchanged: bool,
    image: Option<String>,
    error: Option<Report>,
    /// The reason why the code was not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// The output of the code while it was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The traceback of code that could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl Item {
    fn of(path: &Path, result: &Result<Deployed, Error>) -> Self {
        let path = path.display().to_string();
        match result {
            Ok(Deployed { name, revision, unchanged, image, notice, output }) => Self {
                path,
                name: Some(name.clone()),
                revision: Some(*revision),
                unchanged: *unchanged,
                image: Some(image.clone()),
                error: None,
                notice: notice.clone(),
                output: output.clone(),
                trace: None,
            },
            Err(error) => Self {
                path,
                name: None,
                revision: None,
                unchanged: false,
                image: None,
                error: Some(error.report()),
                notice: None,
                output: problem(error).and_then(|problem| problem.output.clone()),
                trace: problem(error).and_then(|problem| problem.trace.clone()),
            },
        }
    }
}

impl Args {
    /// Tries every path; the highest exit code wins.
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let single = self.paths.len() == 1;
        let mut worst = Exit::Ok;
        for path in self.paths {
            let result = deploy(&client, &path, self.no_check, out).await;
            if out.json() {
                out.json_line(&Item::of(&path, &result))?;
            }
            match result {
                Ok(_) if out.json() => {}
                Ok(deployed) => report(&deployed, out)?,
                Err(error) if single => return Err(error),
                Err(error) => {
                    out.error(&error);
                    worst = worst.max(error.exit);
                }
            }
        }
        if worst == Exit::Ok { Ok(()) } else { Err(Error::silent(worst)) }
    }
}

fn report(deployed: &Deployed, out: &Output) -> Result<(), Error> {
    let Deployed { name, revision, .. } = deployed;
    if let Some(output) = &deployed.output {
        out.detail(&format!("{name} wrote while it was loaded:\n{}", output.trim_end()));
    }
    if let Some(notice) = &deployed.notice {
        out.warn(notice);
    }
    if deployed.unchanged {
        out.line(&format!("{name} is unchanged: revision {revision} is active already"))?;
    } else {
        out.line(&format!("deployed {name}, revision {revision}"))?;
    }
    out.next(&format!("cloudfunc invoke {name}"));
    Ok(())
}

async fn deploy(client: &Client, path: &Path, no_check: bool, out: &Output) -> Result<Deployed, Error> {
    let Function { name, archive, files } = pack(path, out).await?;
    let (files, size) = (count(files, "file"), show_bytes(archive.len() as u64));
    let what = format!("deploying {name}: {files}, {size} packed");
    let progress = out.progress(&what);
    out.on_interrupt().set(async { Some(cut_off()) });
    let (ticker, on_interrupt, total) = (progress.ticker(), out.on_interrupt().clone(), archive.len());
    let (goes_on, sent_all) = (name.clone(), name.clone());
    let sent = move |bytes: usize| {
        ticker.say(format!("{what}, {} sent", show_bytes(bytes as u64)));
        if bytes == total {
            let name = sent_all.clone();
            on_interrupt.set(async move { Some(not_known(&name)) });
        }
    };
    let step = |step: &str| {
        progress.say(step);
        let name = goes_on.clone();
        out.on_interrupt().set(async move { Some(build_goes_on(&name)) });
    };
    let deployed = client.deploy_watched(&name, archive, !no_check, sent, step).await;
    out.on_interrupt().clear();
    drop(progress);
    deployed.map_err(|error| {
        tell_why(&error, out);
        error.into()
    })
}

fn problem(error: &Error) -> Option<&Problem> {
    match error.reason.as_ref()?.downcast_ref()? {
        client::Error::Problem(problem) => Some(problem),
        _ => None,
    }
}

/// Prints the output of the code while it was loaded, and its traceback.
fn tell_why(error: &client::Error, out: &Output) {
    let client::Error::Problem(problem) = error else { return };
    if out.json() {
        return;
    }
    for text in [&problem.output, &problem.trace].into_iter().flatten() {
        out.report(text);
    }
}

fn cut_off() -> Farewell {
    let what = "the upload was cut off, and nothing was deployed".to_owned();
    Farewell { what, hint: None, invocation: None }
}

/// The message for when everything has been sent and no answer has come.
fn not_known(name: &FunctionName) -> Farewell {
    Farewell {
        what: format!("it is not known whether {name} was deployed"),
        hint: Some(format!("`cloudfunc show {name}` shows the active revision")),
        invocation: None,
    }
}

/// The message for when the platform has the whole source: the build goes on even if no client waits.
fn build_goes_on(name: &FunctionName) -> Farewell {
    Farewell {
        what: format!(
            "the platform continues to build {name}, and its revision becomes the active one if the code loads"
        ),
        hint: Some(format!("`cloudfunc show {name}` shows it as soon as it is active")),
        invocation: None,
    }
}
