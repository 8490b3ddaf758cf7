//! The message when Ctrl-C ends a command: what continues without it, and how to follow that.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
};

use super::{Error, Exit};
use crate::{error::Kind, model::InvocationId};

/// The message that replaces a silent end.
pub struct Farewell {
    pub what: String,
    pub hint: Option<String>,
    pub invocation: Option<InvocationId>,
}

type Asked = Pin<Box<dyn Future<Output = Option<Farewell>> + Send>>;

/// The message to show on Ctrl-C, shared by all copies of an [`super::Output`].
#[derive(Clone, Default)]
pub struct OnInterrupt(Arc<Mutex<Option<Asked>>>);

impl OnInterrupt {
    /// Replaces the previous message. The future is polled only after the command has been dropped.
    pub fn set(&self, farewell: impl Future<Output = Option<Farewell>> + Send + 'static) {
        *self.0.lock().expect("no holder panics") = Some(Box::pin(farewell));
    }

    pub fn clear(&self) {
        *self.0.lock().expect("no holder panics") = None;
    }

    /// Returns the error with which the interrupted command ends.
    pub async fn ending(&self) -> Error {
        let asked = self.0.lock().expect("no holder panics").take();
        let farewell = match asked {
            Some(asked) => asked.await,
            None => None,
        };
        let Some(Farewell { what, hint, invocation }) = farewell else {
            return Error::silent(Exit::Interrupted);
        };
        let error = Error::new(Exit::Interrupted, anyhow::Error::msg(format!("interrupted: {what}")));
        Error { hint, ..error }.of(Kind { invocation, ..Kind::default() })
    }
}

impl fmt::Debug for OnInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnInterrupt")
    }
}
