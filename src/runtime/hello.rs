//! Waiting for a guest's `hello`, the same for every backend: start, wait, keep the sandbox's output meanwhile, and say
//! why no `hello` came.

use std::{future::pending, io, pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{sleep, timeout};

use super::{
    Error, Exit, START_TIMEOUT, Sandbox,
    guest::{EarlyOutput, Guest, GuestError, Listener},
    show_code,
};

/// The limit of waiting for the reason of an end, and for the last output of an ended sandbox.
const LAST: Duration = Duration::from_secs(1);

/// Starts a sandbox and waits for its guest, for up to [`START_TIMEOUT`]. `start` is awaited even when the guest is
/// quicker; its error is passed on as it is. `output` is the sandbox's output, from its start on. `advice` follows the
/// message about a guest that stays silent. On error the caller has to remove the sandbox, and also when this future is
/// dropped.
pub(super) async fn hello(
    sandbox: &dyn Sandbox,
    listener: &Listener,
    start: impl Future<Output = Result<(), Error>> + Send,
    output: impl Stream<Item = io::Result<Bytes>> + Send,
    advice: &str,
) -> Result<Guest, Error> {
    let mut output = pin!(output);
    let mut early = EarlyOutput::default();
    let outcome = tokio::select! {
        outcome = ready(sandbox, listener, start, advice) => outcome,
        () = async { collect(&mut output, &mut early).await; pending().await } => {
            unreachable!("it waits for ever")
        }
    };
    match outcome {
        Ok(guest) => Ok(guest),
        Err(NotReady::Start(error)) => Err(error),
        Err(NotReady::Guest(NoHello { reason, code })) => {
            let _ = timeout(LAST, collect(&mut output, &mut early)).await;
            Err(Error::Start { reason, output: early.into_text(), code })
        }
    }
}

async fn ready(
    sandbox: &dyn Sandbox,
    listener: &Listener,
    start: impl Future<Output = Result<(), Error>> + Send,
    advice: &str,
) -> Result<Guest, NotReady> {
    let start = async { start.await.map_err(NotReady::Start) };
    let hello = async { listener.accept().await.map_err(NotReady::from) };
    let both = async { tokio::try_join!(start, hello).map(|((), guest)| guest) };
    tokio::select! {
        biased;
        outcome = both => match outcome {
            // It may have hung up because the sandbox has ended: then that is the reason.
            Err(NotReady::Guest(reason)) => {
                let exit = timeout(LAST, sandbox.exited()).await;
                Err(NotReady::Guest(exit.map_or(reason, Exit::before_hello)))
            }
            other => other,
        },
        exit = sandbox.exited() => Err(NotReady::Guest(exit.before_hello())),
        () = sleep(START_TIMEOUT) => {
            let reason = format!("it sent no 'hello' message within {} s{advice}", START_TIMEOUT.as_secs());
            Err(NotReady::Guest(reason.into()))
        }
    }
}

/// Reads until the output ends. Cancel safe: all bytes read are in `early`.
async fn collect(output: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin), early: &mut EarlyOutput) {
    while let Some(Ok(chunk)) = output.next().await {
        early.push(&chunk);
    }
}

/// The reason why there is no guest.
enum NotReady {
    /// The sandbox was not started.
    Start(Error),
    /// It was started, and its guest did not say `hello`.
    Guest(NoHello),
}

impl From<GuestError> for NotReady {
    fn from(error: GuestError) -> Self {
        Self::Guest(error.to_string().into())
    }
}

impl Exit {
    /// Returns the reason of a start that failed.
    fn before_hello(self) -> NoHello {
        let reason = match self {
            Self::Removed => "it was removed".to_owned(),
            Self::OutOfMemory => "it ran out of memory while it was starting".to_owned(),
            Self::Code(code) => {
                let reason = format!("it exited with {} while it was starting", show_code(code));
                return NoHello { reason, code: Some(code) };
            }
            Self::Unknown => "it ended for an unknown reason".to_owned(),
        };
        reason.into()
    }
}

/// The reason why no `hello` came, with the exit code if the sandbox's process ended.
struct NoHello {
    reason: String,
    code: Option<i64>,
}

impl From<String> for NoHello {
    fn from(reason: String) -> Self {
        Self { reason, code: None }
    }
}
