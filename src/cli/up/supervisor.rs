//! The four roles as children, from their start until the last one has ended.
//!
//! ```text
//!  start ──▶ waiting ──all ready──▶ serving ──signal──▶ stopping ──▶ done
//!               └──── signal, or a role given up ────────▲  └─second signal: killed
//! ```
//! The roles start together (each waits for what it needs) and stop one after the other, beginning with those
//! that accept work: the gateway answers the requests it has taken, the manager finishes running work and gives
//! the rest back, the scheduler records the outcomes, and the registry stops last.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    keeper::{Failed, Keeper},
    screen::{RoleLog, Screen},
};
use crate::{
    app::{Role, Watched},
    cli::{
        Error, Exit, logging,
        signals::{Signals, Stop},
    },
    local::probe::{Answer, Prober},
    model::{ManagerId, api::Health},
    place::{State, state::make_folder},
    settings::Platform,
};

/// The interval of checks of a starting role.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// The time after which a role that is not ready is reported, with what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The message when a stop begins.
pub const STOPPING: &str =
    "stopping: running work finishes, the rest is given back; press Ctrl-C again to stop at once";

pub struct Supervisor {
    roles: JoinSet<(Role, Result<(), Failed>)>,
    running: HashSet<Role>,
    stops: HashMap<Role, CancellationToken>,
    kill: CancellationToken,
    prober: Prober,
    screen: Screen,
    watched: Arc<Watched>,
}

/// The outcome of the run.
pub enum End {
    Stopped(Stop),
    /// A second signal came during the stop.
    Killed,
    /// A role was given up; the others have been stopped.
    Failed(Error),
}

impl Supervisor {
    /// Starts all roles.
    pub fn start(
        platform: &Platform,
        state: &State,
        verbose: bool,
        screen: Screen,
    ) -> Result<Self, Error> {
        let manager = state.manager_id().map_err(|error| Error::new(Exit::Platform, error))?;
        make_folder(&state.folder().join("logs")).map_err(|error| Error::new(Exit::Platform, error))?;
        let mut this = Self {
            roles: JoinSet::new(),
            running: HashSet::from(Role::ALL),
            stops: HashMap::new(),
            kill: CancellationToken::new(),
            prober: Prober::new(platform),
            screen,
            watched: Arc::new(Watched::of(platform)),
        };
        let platform = Arc::new(platform.clone());
        for role in Role::ALL {
            this.keep(role, &platform, state, manager, verbose)?;
        }
        Ok(this)
    }

    fn keep(
        &mut self,
        role: Role,
        platform: &Arc<Platform>,
        state: &State,
        manager: ManagerId,
        verbose: bool,
    ) -> Result<(), Error> {
        let path = state.log_file(role.as_str());
        let unwritable = |error| Error::platform(format!("cannot write {}: {error}", path.display()));
        let log = RoleLog::open(role, path.clone(), self.screen.clone()).map_err(unwritable)?;
        let stop = CancellationToken::new();
        self.stops.insert(role, stop.clone());
        let keeper = Keeper {
            role,
            platform: platform.clone(),
            manager,
            log: Arc::new(Mutex::new(log)),
            log_filter: logging::filter(verbose),
            screen: self.screen.clone(),
            prober: self.prober.clone(),
            stop,
            kill: self.kill.clone(),
            watched: self.watched.clone(),
        };
        self.roles.spawn(async move { (role, keeper.run().await) });
        Ok(())
    }

    /// Calls `ready` once when all roles are ready, and returns when all have ended.
    pub async fn run(mut self, signals: &mut Signals, ready: impl FnOnce(&[Health])) -> End {
        let all_ready = all_ready(self.prober.clone(), self.screen.clone());
        tokio::pin!(all_ready);
        let mut ready = Some(ready);
        let watched = self.watched.clone();
        let end = loop {
            tokio::select! {
                stop = signals.next() => break End::Stopped(stop),
                health = &mut all_ready, if ready.is_some() => {
                    if let Some(ready) = ready.take() {
                        ready(&health);
                    }
                }
                gone = watched.gone() => break End::Failed(Error::new(Exit::Platform, gone)),
                Some(Err(failed)) = self.ended() => break End::Failed(Error::new(Exit::Platform, failed)),
            }
        };
        self.screen.note(STOPPING);
        tokio::select! {
            () = self.stop_in_order() => end,
            _ = signals.next() => {
                self.kill_all().await;
                End::Killed
            }
        }
    }

    /// Stops the roles in order: the next one is told only when the previous one has ended.
    async fn stop_in_order(&mut self) {
        for role in Role::STOP {
            self.stops[&role].cancel();
            while self.running.contains(&role) && self.ended().await.is_some() {}
        }
    }

    async fn kill_all(&mut self) {
        self.kill.cancel();
        self.stops.values().for_each(CancellationToken::cancel);
        while self.ended().await.is_some() {}
    }

    /// Waits for the next role that ends for good. Cancel safe.
    async fn ended(&mut self) -> Option<Result<(), Failed>> {
        let (role, result) = self.roles.join_next().await?.expect("a keeper does not panic");
        self.running.remove(&role);
        Some(result)
    }
}

/// Waits until every role is ready; if that takes long, reports what they wait for, each text once.
pub async fn all_ready(prober: Prober, screen: Screen) -> Vec<Health> {
    let mut tasks = JoinSet::new();
    for (place, role) in Role::ALL.into_iter().enumerate() {
        let (prober, screen) = (prober.clone(), screen.clone());
        tasks.spawn(async move { (place, one_ready(role, &prober, &screen).await) });
    }
    let mut health = tasks.join_all().await;
    health.sort_by_key(|(place, _)| *place);
    health.into_iter().map(|(_, health)| health).collect()
}

async fn one_ready(role: Role, prober: &Prober, screen: &Screen) -> Health {
    let since = tokio::time::Instant::now();
    let mut said = String::new();
    loop {
        let waits = match prober.ask(role).await {
            Answer::Ready(health) => return health,
            Answer::Waiting(what) => format!("the {role} waits for {what}"),
            Answer::Down => format!("the {role} has not started yet"),
            Answer::Stranger(who) => format!("{who} answers in place of the {role}"),
        };
        if since.elapsed() > PATIENCE && waits != said {
            screen.note(waits.clone());
            said = waits;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
