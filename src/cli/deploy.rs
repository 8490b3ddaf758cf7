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
/// The platform loads the code once before it becomes active, in an instance of its own: top-level code runs one
/// more time. When that fails nothing is deployed, and the revision that was active goes on.
///
/// Left out, with a note: what .gitignore, .git/info/exclude and .cloudfuncignore name (global excludes
/// of git have no effect), what no function needs (.git, virtual environments, caches, node_modules), and
/// .env files, which may hold secrets. A line `!name` in .cloudfuncignore takes something back in, but not
/// .env files.
///
/// With --json one line for each path: {"path","name","revision","unchanged","image","error"}, and "notice" and
/// "output" of that load where there are any.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of functions; one that is not here is looked up in ./functions
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Deploy without loading the code first: what is wrong with it shows at the first invocation
    #[arg(long)]
    no_check: bool,
}

/// A line of `--json`: of each path one, whatever came of it.
#[derive(Serialize)]
struct Item {
    path: String,
    name: Option<FunctionName>,
    /// The active one now.
    revision: Option<RevisionNumber>,
    /// It was active already.
    unchanged: bool,
    image: Option<String>,
    error: Option<Report>,
    /// The code was not loaded, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// Output of the code while it was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The trace of code that could not be loaded.
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

/// Prints the output of the code while it was loaded, and its trace.
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

/// Everything is on its way, and nothing has come back.
fn not_known(name: &FunctionName) -> Farewell {
    Farewell {
        what: format!("whether {name} is deployed is not known"),
        hint: Some(format!("`cloudfunc show {name}` tells")),
        invocation: None,
    }
}

/// The platform has all of the source, and does not stop when nobody waits.
fn build_goes_on(name: &FunctionName) -> Farewell {
    Farewell {
        what: format!(
            "the platform goes on building {name}, and its revision becomes the active one if the code loads"
        ),
        hint: Some(format!("`cloudfunc show {name}` tells when it is there")),
        invocation: None,
    }
}
