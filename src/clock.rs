//! The wall clock, as an input of every role. Durations within a process are measured with `Instant`.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// The source of the current time for a role. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// Returns this machine's clock. It may jump, and the clocks of two hosts may differ.
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// Makes a clock that shows the result of `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
