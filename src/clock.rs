//! The wall clock, as an input of every role. What is measured within a process is an `Instant`.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// Where a role reads what time it is. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// This machine's clock. It may jump, and those of two hosts may differ.
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// A clock that shows what `now` answers.
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
