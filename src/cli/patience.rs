//! Waiting for a platform that restarts: a command that only waits or follows continues where it was.

use std::time::{Duration, Instant};

use super::{Error, Output};
use crate::{client, units::show_duration};

/// The time after which a platform that has not come back is given up.
const AT_MOST: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Pauses between attempts to reach a platform that was there before.
#[derive(Default)]
pub struct Patience {
    /// The time since which the platform does not answer, and the next pause.
    away: Option<(Instant, Duration)>,
}

impl Patience {
    /// Records that the platform answers.
    pub fn answered(&mut self) {
        self.away = None;
    }

    /// Waits before another attempt; returns the error if it is not a passing one, or if this has taken too
    /// long.
    pub async fn wait(&mut self, error: client::Error, out: &Output) -> Result<(), Error> {
        if !passes(&error) {
            return Err(error.into());
        }
        if self.away.is_none() {
            let most = show_duration(AT_MOST);
            // Without its causes, which are those of a library.
            out.warn(&format!("{error}; trying again for up to {most}"));
            self.away = Some((Instant::now(), FIRST_PAUSE));
            tokio::time::sleep(FIRST_PAUSE).await;
            return Ok(());
        }
        let (since, pause) = self.away.get_or_insert((Instant::now(), FIRST_PAUSE));
        if since.elapsed() >= AT_MOST {
            let waited = format!("the platform did not come back within {}", show_duration(AT_MOST));
            return Err(Error::from(error).context(waited));
        }
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Returns whether a restart of the platform may be the cause.
fn passes(error: &client::Error) -> bool {
    match error {
        client::Error::NotReachable { .. } | client::Error::Lost { .. } => true,
        // A gateway whose roles are not ready yet, or are stopping.
        client::Error::Problem(problem) => problem.status == 503,
        client::Error::Tls { .. }
        | client::Error::Authorities(_)
        | client::Error::Protocol(_)
        | client::Error::Client(_) => false,
    }
}
