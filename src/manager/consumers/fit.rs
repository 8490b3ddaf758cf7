//! The packages of a revision, and if they can be used on this host. While that is not known, and where they cannot,
//! nothing is taken from the function's queues: another manager may be able to run it, and here it could only fail.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

use super::super::{dependencies::host, shared::Shared};
use crate::{
    error_chain::chain,
    model::{Code, Digest, FunctionId, Language, Revision},
};

/// The pause before an open question is asked again; the function is run meanwhile.
const AGAIN: Duration = Duration::from_secs(60);

/// A tree, and the version of the language that it is used with.
type TreeUse = (Digest, Language, String);

/// The state of our knowledge of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    /// It is being found out.
    Asked,
    Fits,
    /// It cannot be used here, for this reason.
    Unfit(String),
    /// It could not be found out.
    Unknown(Instant),
}

/// An answer, and the function for which it was asked.
pub struct Answer {
    of: TreeUse,
    pub function: FunctionId,
    fit: Fit,
}

/// Every tree that a function of this platform uses, as far as it was asked for.
pub struct Fits {
    shared: Arc<Shared>,
    known: HashMap<TreeUse, Fit>,
    /// Functions that wait for an answer which another one has asked for.
    waiting: HashMap<TreeUse, Vec<FunctionId>>,
    answers: (mpsc::UnboundedSender<Answer>, mpsc::UnboundedReceiver<Answer>),
}

impl Fits {
    pub fn new(shared: Arc<Shared>) -> Self {
        let answers = mpsc::unbounded_channel();
        Self { shared, known: HashMap::new(), waiting: HashMap::new(), answers }
    }

    /// Returns what is known of the packages of a revision. What is not known yet is asked for in the background, and
    /// [`Fits::answered`] tells of it.
    pub fn of(&mut self, revision: &Revision) -> Fit {
        let (Some(tree), Code::Language { language, version, package: _ }) =
            (&revision.dependencies, &revision.spec.code)
        else {
            return Fit::Fits;
        };
        let of: TreeUse = (tree.clone(), *language, version.clone());
        let known = self.known.get(&of).cloned();
        match &known {
            Some(Fit::Fits | Fit::Unfit(_)) => {}
            Some(Fit::Asked) => self.waiting.entry(of).or_default().push(revision.function),
            Some(Fit::Unknown(since)) if since.elapsed() < AGAIN => {}
            Some(Fit::Unknown(_)) => {
                self.known.insert(of.clone(), Fit::Unknown(Instant::now()));
                self.ask(of, revision.function);
            }
            None => {
                self.known.insert(of.clone(), Fit::Asked);
                self.ask(of, revision.function);
            }
        }
        known.unwrap_or(Fit::Asked)
    }

    fn ask(&self, of: TreeUse, function: FunctionId) {
        let (shared, answers) = (self.shared.clone(), self.answers.0.clone());
        self.shared.tasks.spawn_unawaited(async move {
            let fit = look(&shared, &of).await.unwrap_or_else(|reason| {
                tracing::warn!(reason, "it is not known whether packages can be used on this host");
                Fit::Unknown(Instant::now())
            });
            // Nobody follows functions any more when the manager stops.
            let _ = answers.send(Answer { of, function, fit });
        });
    }

    /// Returns the functions of which more is known now. Cancel safe.
    pub async fn answered(&mut self) -> Vec<FunctionId> {
        let Some(Answer { of, function, fit }) = self.answers.1.recv().await else {
            return std::future::pending().await;
        };
        let mut functions = self.waiting.remove(&of).unwrap_or_default();
        functions.push(function);
        self.known.insert(of, fit);
        functions
    }

    /// Forgets the other trees; these are used by the functions that there are.
    pub fn keep(&mut self, used: &HashSet<Digest>) {
        self.known.retain(|(tree, ..), fit| *fit == Fit::Asked || used.contains(tree));
    }
}

async fn look(shared: &Arc<Shared>, (tree, language, version): &TreeUse) -> Result<Fit, String> {
    let found = shared.store.dependencies(tree).await.map_err(|error| chain(&error))?;
    // A tree that is gone is told where it is used.
    let Some(found) = found else { return Ok(Fit::Fits) };
    let here = host::target(shared, *language, version).await.map_err(|failure| failure.to_string())?;
    let misfit = here.and_then(|here| found.target.misfit(&here));
    Ok(misfit.map_or(Fit::Fits, Fit::Unfit))
}

/// Tells the store which functions cannot be run here, whenever that changes, or this manager is a new owner.
pub async fn report(shared: Arc<Shared>, mut unusable: watch::Receiver<Vec<(FunctionId, String)>>) {
    let mut lives = shared.lives.follow();
    let mut is_reported = false;
    loop {
        tokio::select! {
            changed = unusable.changed() => if changed.is_err() { return },
            _ = lives.changed() => {}
        }
        let now = unusable.borrow_and_update().clone();
        // Most managers never have any.
        if now.is_empty() && !is_reported {
            continue;
        }
        is_reported = true;
        let owner = shared.lives.now().owner;
        if let Err(error) = shared.store.report_unusable(owner, shared.manager, &now).await {
            tracing::warn!(error = %chain(&error), "what cannot be run here is not reported");
            // The store may be away: it is not asked again at once.
            tokio::time::sleep(Duration::from_secs(1)).await;
            unusable.mark_changed();
        }
    }
}
