//! How long the server is waited for, and what becomes of a connection whose answer was not awaited.
//!
//! When a network falls silent, nothing tells: a statement would wait until TCP gives up after a quarter
//! of an hour. So methods end after their time; but their connection goes back to its pool, which first
//! asks it for a sign of life, without a bound, and counts it as used meanwhile. Therefore a connection
//! that comes back while some are in doubt is asked beforehand, with a bound, and closed without an answer.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};

/// For an empty statement, whose answer is one round trip.
const PING: Duration = Duration::from_secs(2);
/// A connection comes back to its pool at once after its statement was given up.
const DOUBT: Duration = Duration::from_secs(30);

/// When a statement was last given up; shared by a store and its pools.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<Option<Instant>>>);

impl Patience {
    /// What `work` answers within this time; else, in words, that nothing was answered.
    pub async fn wait<T>(
        &self,
        within: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, sqlx::Error> {
        // In this order: whoever drops this future has noted it before the connection goes back.
        let work = pin!(work);
        let mut unfinished = Unfinished(Some(self));
        match tokio::time::timeout(within, work).await {
            Ok(done) => {
                unfinished.0 = None;
                Ok(done)
            }
            Err(_) => {
                let said = format!("no answer within {} s", within.as_secs());
                Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, said)))
            }
        }
    }

    /// Whether a connection that comes back may be one that still owes an answer.
    pub fn in_doubt(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < DOUBT)
    }
}

struct Unfinished<'a>(Option<&'a Patience>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(patience) = self.0 {
            *patience.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

/// A sign of life, in time.
pub async fn ping(connection: &mut PgConnection) -> sqlx::Result<()> {
    let silence = || io::Error::new(io::ErrorKind::TimedOut, "no answer to a ping");
    tokio::time::timeout(PING, connection.ping()).await.map_err(|_| silence())?
}
