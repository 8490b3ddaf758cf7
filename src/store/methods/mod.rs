//! The traits of the store for both backends, written once: which statements a method runs on which connections, and
//! its time limit. A backend has modules of the same names and functions, and defines:
//!
//! - `synced()` and `relaxed()`, which write: data that others rely on, and data that may be lost with the store's last
//!   moments (records of sync invocations, log lines, reports, notes of publishing and of a token's use);
//! - `readers()`, which read;
//! - `sweep_readers()`, which read what is read again and again (sweeps, lookups of tokens), and the audit log, with plans
//!   that do not depend on how much there is;
//! - `leases()` and `lease_readers()`, which the load that leases protect does not hold up;
//! - `read` and `write`, which turn a failure, or silence, into an error: only what `write` was given may have
//!   happened.

pub(super) mod access;
pub(super) mod functions;
pub(super) mod invocations;

use std::time::Duration;

/// The limit for statements over a few rows, the wait for a connection included. They take milliseconds, so silence for
/// this long is a lost server or network, which the operating system would notice after a quarter of an hour. The
/// caller gets [`super::Error::Unavailable`] or, from a write whose commit may have happened,
/// [`super::Error::UnknownFate`]. A file is never lost in this way: SQLite's bound is the wait for the writing
/// connection.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// The limit for statements that move up to 64 MiB or touch thousands of rows.
pub(super) const LONG: Duration = Duration::from_secs(60);

macro_rules! store {
    ($backend:ty, $kind:literal) => {
        use std::time::Duration;

        use async_trait::async_trait;

        use crate::{
            model::{Digest, FunctionId, FunctionName},
            store::{
                Error, Health,
                methods::{LONG, SOON},
            },
        };

        $crate::store::methods::access::access_methods!($backend);
        $crate::store::methods::functions::function_methods!($backend);
        $crate::store::methods::invocations::invocation_methods!($backend);

        #[async_trait]
        impl Health for $backend {
            fn kind(&self) -> &'static str {
                $kind
            }

            async fn ping(&self) -> Result<(), Error> {
                self.read(SOON, reads::ping(self.readers())).await?;
                if let Some(refused) = self.has_no_room() {
                    return Err(refused);
                }
                match self.refusals.is_refusing() {
                    true => self.write(SOON, records::try_write(self.synced())).await,
                    false => Ok(()),
                }
            }

            fn refused(&self) -> u64 {
                self.refusals.count()
            }

            async fn broken(&self) {
                self.writing_broken().await;
            }

            async fn close(&self) {
                self.close_connections().await;
            }
        }
    };
}

pub(super) use store;
