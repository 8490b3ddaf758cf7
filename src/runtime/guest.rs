//! The host's side of one guest: three connected sockets.

use std::time::Duration;

use bytes::Bytes;

use super::protocol::{Invoke, Load};
use crate::model::{Body, FunctionError, Stream};

/// Of one invocation's output; then one `truncated` line stands for the rest.
pub const MAX_LOG_BYTES: usize = 1024 * 1024;

/// A connected guest. One invocation at a time. Dropping it hangs up, upon which the guest exits.
pub struct Guest {}

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub stream: Stream,
    pub text: String,
}

/// An answer to `invoke`: both are the function's doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    Result(Body),
    Error(FunctionError),
}

/// The code could not be loaded.
#[derive(Debug)]
pub enum LoadFailure {
    /// The guest said why (`load_error`): a syntax error, a missing handler.
    Function(FunctionError),
    Guest(GuestError),
}

/// The guest is of no use any more: kill its sandbox.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// It hung up: ask the sandbox why.
    #[error("the guest closed its connection")]
    Closed(#[source] Option<std::io::Error>),
    /// It sent what the protocol does not allow.
    #[error("the guest broke the runtime protocol: {0}")]
    Violation(String),
    /// Nothing came in time.
    #[error("the guest did not answer within {0:?}")]
    TimedOut(Duration),
}

impl Guest {
    /// Sends `load` (once) and waits for `ready`, at most `limit`. What the code prints while it
    /// loads goes to `output`.
    pub async fn load(
        &mut self,
        load: &Load,
        limit: Duration,
        output: &mut (dyn FnMut(Line) + Send),
    ) -> Result<(), LoadFailure> {
        let _ = (load, limit, output);
        todo!()
    }

    /// Sends `invoke` and waits for its answer, at most `limit`. Every line that was written before
    /// the answer reaches `output` before this returns, also when it fails.
    pub async fn invoke(
        &mut self,
        invoke: &Invoke,
        payload: &Bytes,
        limit: Duration,
        output: &mut (dyn FnMut(Line) + Send),
    ) -> Result<Finished, GuestError> {
        let _ = (invoke, payload, limit, output);
        todo!()
    }

    /// Between invocations: passes on what the instance writes, and returns only when the guest hangs
    /// up or sends what it may not send now. Cancel safe: drop it to invoke.
    pub async fn idle(&mut self, output: &mut (dyn FnMut(Line) + Send)) -> GuestError {
        let _ = output;
        todo!()
    }
}
