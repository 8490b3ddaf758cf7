//! A build, as the registry follows it. It lasts for as long as somebody waits here: once the place for its replies is gone,
//! the manager that has it gives it up.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Registry,
    checks::{Report, Source},
};
use crate::{
    error_chain::chain,
    http::Answer,
    model::{
        Digest, FunctionError, FunctionName, InvocationId, Problem, Revision, code,
        message::{self, Build, BuildEvent, BuildStep, LoadCheck, Parcel},
    },
    queue::{Address, Message},
};

/// A build that has said nothing for so long has been lost with its manager, or there is none: a manager speaks at least
/// every 40 s.
const SILENCE: Duration = Duration::from_secs(300);
/// Then the user is told what is waited for.
const NOTICE: Duration = Duration::from_secs(3);

/// Advice about code that does not load, when nothing better is known.
const NOT_LOADED: &str = "a deploy loads the code once, and keeps the old revision when that fails; \
                          --no-check (?check=false) deploys it without";

/// The same about a program.
const NOT_STARTED: &str = "a deploy starts the program once, and keeps the old revision when that fails; \
                           --no-check (?check=false) deploys it without";

/// Types of errors with which every start would fail in the same way: to deploy without the check helps nobody.
const AT_EACH_START: [&str; 3] = ["HandlerInvalid", "HandlerNotFound", "command"];

/// The result of a manager's build.
pub struct Built {
    pub image: String,
    pub bundle: Option<Digest>,
    pub dependencies: Option<Digest>,
    /// The packages were resolved anew.
    pub fresh: bool,
    pub notice: Option<String>,
    pub output: Option<String>,
}

impl Registry {
    /// Returns what the command of the same manifest has made of the same source, for a revision that is kept.
    async fn built_before(&self, source: &Source) -> Answer<Option<Digest>> {
        if source.spec.build_command.is_none() || source.refresh {
            return Ok(None);
        }
        let Some(function) = self.store.function(&source.name).await? else { return Ok(None) };
        let revisions = self.store.revisions(function.id).await?;
        let is_same = |one: &Revision| one.source == source.digest && one.spec == source.spec;
        Ok(revisions.into_iter().filter(is_same).find_map(|revision| revision.bundle))
    }

    /// Has it built. Dropped, it ends the build.
    pub async fn build(
        &self,
        source: &Source,
        check: Option<LoadCheck>,
        report: &Report,
    ) -> Answer<Built> {
        let (address, mut replies) = self.queue.open_replies().await?;
        let Address::Reply(reply_to) = address else {
            return Err(Problem::new(code::INTERNAL, "the queue gave no reply address").into());
        };
        let build = Build {
            v: message::VERSION,
            build: InvocationId::new(),
            name: source.name.clone(),
            spec: source.spec.clone(),
            source: source.digest.clone(),
            built: self.built_before(source).await?,
            reply_to,
            check,
            refresh: source.refresh,
        };
        let message = Message { parcel: Parcel::new(build.clone(), Bytes::new()), expires: None };
        self.queue.publish(&Address::Builds, message).await?;
        let mut patience = NOTICE;
        loop {
            let delivery = match tokio::time::timeout(patience, replies.next()).await {
                Ok(Some(delivery)) => delivery,
                Ok(None) => {
                    let detail = "the message broker was lost during the build; deploy again";
                    return Err(Problem::new(code::UNAVAILABLE, detail).into());
                }
                Err(_) if patience == NOTICE => {
                    report("waiting for a manager to build it".to_owned());
                    patience = SILENCE;
                    continue;
                }
                Err(_) => {
                    let detail = format!("no manager has built it within {} s", SILENCE.as_secs());
                    return Err(Problem::new(code::UNAVAILABLE, detail)
                        .hint("'cloudfunc status' shows whether a manager is running")
                        .into());
                }
            };
            patience = SILENCE;
            let event = delivery.parcel.open::<BuildEvent>();
            drop(delivery.ack().await);
            let step = match event {
                Ok((event, _)) if event.build == build.build => event.step,
                Ok(_) => continue,
                Err(error) => return Err(Problem::new(code::INTERNAL, chain(&error)).into()),
            };
            match step {
                BuildStep::Progress { message } => report(message),
                BuildStep::Done { image, bundle, dependencies, fresh, notice, output } => {
                    return Ok(Built { image, bundle, dependencies, fresh, notice, output });
                }
                BuildStep::Failed { message, manifest: true, .. } => {
                    return Err(Problem::new(code::INVALID_MANIFEST, message).into());
                }
                BuildStep::Failed { message, user_error, error, output, .. } => {
                    return Err(failed(source, message, user_error, error, output).into());
                }
            }
        }
    }
}

fn failed(
    Source { name, spec, .. }: &Source,
    message: String,
    user_error: bool,
    error: Option<Box<FunctionError>>,
    output: Option<String>,
) -> Problem {
    if !user_error {
        let detail = format!("the build could not be done: {message}");
        return Problem::new(code::UNAVAILABLE, detail).hint(all_said(name));
    }
    let mut problem = Problem::new(code::BUILD_FAILED, message);
    if error.is_none() && output.is_some() {
        problem = problem.hint(all_said(name));
    }
    problem.output = output;
    if let Some(error) = error {
        let may_load = !AT_EACH_START.contains(&error.kind.as_str());
        let usual = if spec.interface.is_protocol() { NOT_LOADED } else { NOT_STARTED };
        problem.hint = error.hint.or_else(|| may_load.then(|| usual.to_owned()));
        problem.error_type = Some(error.kind);
        problem.trace = error.trace;
    }
    problem
}

fn all_said(name: &FunctionName) -> String {
    format!("`cloudfunc logs {name} --build` shows all that the build said")
}
