//! All roles in this process, from their start until the last one has ended.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::{
    role_lines::RoleLines,
    screen::Screen,
    supervisor::{End, STOPPING, all_ready},
};
use crate::{
    app::{Host, Role},
    cli::{Error, Exit, Output, logging, signals::Signals},
    local::probe::Prober,
    model::api::Health,
    place::{State, state::make_folder},
    settings::Platform,
    shutdown::Shutdown,
};

/// The time limit of an immediate stop, which still removes the containers; a slower engine is not waited for.
const HARD_GRACE: Duration = Duration::from_secs(10);

/// Calls `ready` once when all roles are ready, and returns when all have ended. There is no supervisor to
/// restart a role: when one ends, all end, and the store keeps everything.
pub async fn run(
    platform: &Platform,
    state: &State,
    screen: Screen,
    signals: &mut Signals,
    out: &Output,
    ready: impl FnOnce(&[Health]),
) -> Result<End, Error> {
    make_folder(&state.folder().join("logs")).map_err(|error| Error::new(Exit::Platform, error))?;
    let (lines, _written_behind) = RoleLines::open(state, &screen)?;
    logging::init_to(out, false, lines);
    serve(platform, screen, signals, ready).await
}

async fn serve(
    platform: &Platform,
    screen: Screen,
    signals: &mut Signals,
    ready: impl FnOnce(&[Health]),
) -> Result<End, Error> {
    let host = Host::bind(&Role::ALL, platform).await?;
    let shutdown = Shutdown::default();
    let mut roles = tokio::spawn(host.run(shutdown.clone()));
    let all_ready = all_ready(Prober::new(platform), screen.clone());
    tokio::pin!(all_ready);
    let mut ready = Some(ready);
    let stop = loop {
        tokio::select! {
            stop = signals.next() => break stop,
            health = &mut all_ready, if ready.is_some() => {
                if let Some(ready) = ready.take() {
                    ready(&health);
                }
            }
            ended = &mut roles => return Ok(End::Failed(failure(ended))),
        }
    };
    screen.note(STOPPING);
    shutdown.soft.cancel();
    tokio::select! {
        ended = &mut roles => match ended {
            Ok(Ok(())) => Ok(End::Stopped(stop)),
            failed => Ok(End::Failed(failure(failed))),
        },
        _ = signals.next() => {
            shutdown.hard.cancel();
            end_now(roles, &screen).await;
            Ok(End::Killed)
        }
    }
}

async fn end_now(roles: JoinHandle<anyhow::Result<()>>, screen: &Screen) {
    if tokio::time::timeout(HARD_GRACE, roles).await.is_err() {
        screen.note("not all containers are removed yet; the next start removes them");
    }
}

fn failure(ended: Result<anyhow::Result<()>, JoinError>) -> Error {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => Error::platform("the roles ended unasked"),
        Err(panic) => Error::new(Exit::Platform, panic).context("the platform broke down".to_owned()),
    }
}
