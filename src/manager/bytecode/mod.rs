//! Bytecode of functions' own code, and of the packages that lie in their folders.
//!
//! ```text
//! bundle ─▶ worth it? ─▶ on this host? ──────────────────────────────┐
//!                           └ no ─▶ sandbox ─▶ checked ─▶ the cache ─┴─▶ linked into instances
//! ```
//! A deploy has it made before the code is loaded for the first time; elsewhere, [`run`] makes it in the background after the
//! first start. Nobody waits for it, and a function works without. It is kept beside the unpacked bundles and not in them:
//! those are exactly what their digests say, also while instances are filled from them, and bytecode appears whole or not at
//! all.

pub mod cache;
mod collect;
pub mod links;
pub mod queue;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    bundles::Unpacked,
    dependencies::transfer::finished,
    instance::folder,
    shared::Shared,
    workshop::{Plan, Workshop, failure::Failure, files},
};
use crate::{
    error_chain::chain_of_disk,
    language::{BuildProgram, Bytecode},
    model::{Digest, FunctionSpec, Network},
    runtime::BuildRights,
};
use queue::Compilation;

/// The time that compiling may take. What has not been compiled by then stays as it is.
const LIMIT: Duration = Duration::from_secs(60);
/// The time for what comes before and after.
const MARGIN: Duration = Duration::from_secs(30);
/// The pause before code is compiled in the background: the start that has just fetched it needs the processors first.
const AFTER_START: Duration = Duration::from_secs(2);

/// Returns the folder with the bytecode of a bundle, for an instance that starts now. Where there is none yet, it is made in
/// the background.
pub fn for_start(
    shared: &Shared,
    spec: &FunctionSpec,
    bundle: &Digest,
    code: &Arc<Unpacked>,
) -> Option<PathBuf> {
    let wanted = Compilation::of(spec, bundle, code)?;
    let cache = shared.bundles.bytecode();
    let found = cache.find(&wanted.key);
    if found.is_none() && cache.may_be_made(&wanted.key) {
        shared.bytecode.add(wanted);
    }
    found
}

/// Makes the bytecode of code that is being deployed. It waits for nobody: where other builds have all places, it is made
/// later, after the first start.
pub async fn at_deploy(
    shared: &Arc<Shared>,
    spec: &FunctionSpec,
    bundle: &Digest,
    code: &Arc<Unpacked>,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) {
    let Some(wanted) = Compilation::of(spec, bundle, code) else { return };
    if shared.bundles.bytecode().find(&wanted.key).is_some() {
        return;
    }
    let Ok(_place) = shared.packages.places.try_acquire() else { return };
    let _ = progress.send("compiling the code".to_owned());
    let tell = |line: String| drop(progress.send(line));
    tokio::select! {
        () = stop.cancelled() => {}
        () = make(shared, &wanted, &tell) => {}
    }
}

/// Makes bytecode in the background, until `stop`: one bundle at a time, and each once.
pub async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let work = async {
        loop {
            let wanted = shared.bytecode.next().await;
            tokio::time::sleep(AFTER_START).await;
            let _place = shared.packages.place(|_| ()).await;
            if shared.bundles.bytecode().find(&wanted.key).is_none() {
                make(&shared, &wanted, &|_| ()).await;
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// A failure is logged and not tried again by the background.
async fn make(shared: &Arc<Shared>, wanted: &Compilation, tell: &(dyn Fn(String) + Send + Sync)) {
    let cache = shared.bundles.bytecode();
    let Some(_making) = cache.begin(&wanted.key) else { return };
    match compile(shared, wanted, tell).await {
        Ok(files) => tracing::info!(bundle = %wanted.key.bundle, files, "code compiled to bytecode"),
        Err(failure) => {
            cache.give_up(&wanted.key);
            tracing::warn!(
                bundle = %wanted.key.bundle,
                %failure,
                "code was not compiled; functions work without bytecode, and start later"
            );
        }
    }
}

/// The program's answer.
#[derive(Deserialize)]
struct Compiled {
    tag: String,
}

/// Returns the number of files that have been compiled.
async fn compile(
    shared: &Arc<Shared>,
    wanted: &Compilation,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<usize, Failure> {
    let (code, bytecode) = (wanted.code.folder().to_owned(), wanted.bytecode);
    let from = code.clone();
    let listing = tokio::task::spawn_blocking(move || collect::sources(&from, bytecode));
    let listed = finished(listing).await.map_err(Failure::from)?;
    let sources = listed.map_err(|error| Failure::Platform(chain_of_disk(&error)))?;
    let plan = Plan {
        language: wanted.language,
        version: wanted.version.clone(),
        handler: bytecode.program.handler,
        network: Network::None,
        rights: BuildRights::default(),
        packages: None,
    };
    let given = sources.clone();
    let fill = move |folder: &Path| prepare(folder, &code, &given, bytecode);
    let mut workshop = Workshop::make(shared, plan, fill).await?;
    let event = json!({"seconds": LIMIT.as_secs()});
    let answer = workshop.ask_watched(event, LIMIT + MARGIN, "compiling the code", tell).await;
    let collected = match answer {
        Ok(Compiled { tag }) => {
            let output = workshop.output().await?;
            let (key, cache) = (wanted.key.clone(), shared.bundles.bytecode().clone());
            // Dropped with this future: the sandbox's folder goes then, whatever has been collected.
            let given_up = CancellationToken::new();
            let _guard = given_up.clone().drop_guard();
            let collecting = tokio::task::spawn_blocking(move || {
                cache.fill(&key, &given_up, |beside| {
                    collect::collect(&output, &sources, bytecode, &tag, beside)
                })
            });
            let collected = finished(collecting).await.map_err(Failure::from);
            collected.and_then(|files| files.map_err(|error| Failure::Platform(chain_of_disk(&error))))
        }
        Err(failure) => Err(failure),
    };
    workshop.close().await;
    collected
}

/// Fills the folder of a sandbox that compiles these sources.
fn prepare(folder: &Path, code: &Path, sources: &[PathBuf], bytecode: &Bytecode) -> io::Result<()> {
    files::make(folder)?;
    let task = folder.join(folder::TASK);
    files::write(&task, bytecode.program.file, bytecode.program.text.as_bytes())?;
    for source in sources {
        let mut target = task.join(BuildProgram::CODE);
        files::make_folder(&target)?;
        for part in source.parent().into_iter().flatten() {
            target.push(part);
            files::make_folder(&target)?;
        }
        fs::hard_link(code.join(source), task.join(BuildProgram::CODE).join(source))?;
    }
    let listed: Vec<_> = sources.iter().map(|source| source.to_string_lossy()).collect();
    files::write(&task, Bytecode::SOURCES, json!(listed).to_string().as_bytes())
}
