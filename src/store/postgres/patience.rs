//! The time limit of a server's answer, and the fate of a connection whose answer was not awaited.
//!
//! When a network falls silent, there is no signal: a statement would wait until TCP gives up after a quarter of an
//! hour. So methods end after their limit; but their connection goes back to its pool, which first tests it, without a
//! bound, and counts it as used meanwhile. Therefore a connection that comes back while some are in doubt is tested
//! beforehand, with a bound, and closed when it does not answer.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};

/// The limit of an empty statement, whose answer takes one round trip.
const PING: Duration = Duration::from_secs(2);
/// The time for which connections are in doubt: a connection comes back to its pool at once after its statement was
/// given up.
const DOUBT: Duration = Duration::from_secs(30);

/// The time when a statement was last given up; shared by a store and its pools.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<Option<Instant>>>);

impl Patience {
    /// Returns the output of `work` within this time; else, in words, that there was no answer.
    pub async fn wait<T>(
        &self,
        within: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, sqlx::Error> {
        // In this order: when this future is dropped, that is noted before the connection goes back.
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

    /// Returns whether a connection that comes back may be one that still owes an answer.
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

/// Tests a connection, with a time limit.
pub async fn ping(connection: &mut PgConnection) -> sqlx::Result<()> {
    let silence = || io::Error::new(io::ErrorKind::TimedOut, "no answer to a ping");
    tokio::time::timeout(PING, connection.ping()).await.map_err(|_| silence())?
}
