//! The one way in for calls, from whatever door they come: a typed call, a typed answer.
//!
//! How much may wait here, and what happens beyond it:
//!
//! ```text
//!  calls  of one function   rate_limit of its manifest        429 rate_limited
//!  sync   of one function   max_waiting + its places          429 throttled
//!         of those, with managers   sync/slots.rs             the others wait for a slot, up to queue_wait
//!  async  of the platform   max_backlog, max_backlog_size     503 overloaded
//!         to be committed   bounds::COMMIT_ROWS               the caller waits
//!         to be published   bounds::BATCHES_BEHIND            the sweeper has the rest
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Scheduler,
    background::admit,
    cached_function::{CachedFunction, InFlight, TooFast},
    input::Input,
    sync::response::throttled,
};
use crate::{
    backends::of_store,
    error_chain::chain,
    http::Failure,
    model::{Call, CallAnswer, FunctionName, Mode, Problem, code},
    store::{self, Backlog},
    units::show_bytes,
};

/// Seconds that a caller of a full platform is told to wait.
const OVERLOADED_RETRY: u64 = 5;

impl Scheduler {
    /// Carries out a call. Sync: answers when it has ended; dropped before, nothing has happened if it waited for a slot,
    /// and otherwise the invocation goes on and its record is kept. Async: answers when it is on disk; dropped before, it
    /// may be there or not. An error says that the platform refused it, or that it does not know what came of it.
    pub async fn submit(&self, call: Call) -> Result<CallAnswer, Failure> {
        match call.mode {
            Mode::Sync => self.invoke(call).await.map(CallAnswer::Ended),
            Mode::Async => {
                let (id, function) = (call.id, self.functions.find(&call.function).await?);
                self.admit(&function, call).await?;
                Ok(CallAnswer::Accepted(id))
            }
        }
    }

    /// Lets a sync call in. It counts until what is returned is dropped.
    pub(super) fn enter(&self, function: &CachedFunction) -> Result<InFlight, Failure> {
        function.check_rate().map_err(|too_fast| rate_limited(&function.name, too_fast))?;
        let waiting = self.limits.max_waiting;
        let entered = function.enter(waiting.saturating_add(function.places));
        let name = &function.name;
        Ok(entered.ok_or_else(|| {
            throttled(format!("{waiting} invocations of '{name}' are waiting already"))
        })?)
    }

    fn check_backlog(&self, payload: &Bytes) -> Result<(), Failure> {
        let Backlog { rows, bytes } = self.admission.backlog();
        let (most_rows, most_bytes) = (self.limits.max_backlog, self.limits.max_backlog_size);
        let detail = if rows >= most_rows {
            format!("{most_rows} async invocations are waiting already")
        } else if bytes.saturating_add(payload.len() as u64) > most_bytes {
            let most = show_bytes(most_bytes);
            format!(
                "the payloads of async invocations that are waiting already take up the limit of {most}"
            )
        } else {
            return Ok(());
        };
        Err(Problem::new(code::OVERLOADED, detail).retry_after(OVERLOADED_RETRY).into())
    }

    /// Lets an async call of this function in: when this answers, it is on disk. Where there is no room, its payload is not
    /// looked at.
    pub(super) async fn admit(&self, function: &Arc<CachedFunction>, call: Call) -> Result<(), Failure> {
        function.check_rate().map_err(|too_fast| rate_limited(&function.name, too_fast))?;
        self.check_backlog(&call.payload)?;
        let id = call.id;
        let input = Input::of(function, call).await?;
        let row = admit::row(id, function, input, self.clock.now());
        match self.admission.admit(row, function.clone()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.functions.not_found(&function.name).into()),
            Err(error) => Err(match &*error {
                store::Error::UnknownFate { .. } => {
                    let detail = "the store was lost while it committed; look whether the invocation is there before you repeat it";
                    Problem::new(code::UNKNOWN_FATE, detail).invocation(id).into()
                }
                error => {
                    tracing::error!(error = %chain(error), "not accepted");
                    of_store(error).into()
                }
            }),
        }
    }
}

/// The refusal of a call that comes too fast. Nothing of the call was kept, not even an id.
fn rate_limited(name: &FunctionName, TooFast { limit, retry_after }: TooFast) -> Problem {
    let detail = format!("the function '{name}' has had more than its {}", limit.in_words("call"));
    Problem::new(code::RATE_LIMITED, detail)
        .retry_after(retry_after)
        .hint("wait for as long as Retry-After says, or raise `rate_limit` in the function's manifest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_comes_too_fast_is_told_the_limit_and_when_to_come_again() {
        for (limit, expected) in [
            ("100/s", "the function 'hello' has had more than its 100 calls a second"),
            ("1/m", "the function 'hello' has had more than its 1 call a minute"),
            ("60/h", "the function 'hello' has had more than its 60 calls an hour"),
        ] {
            let too_fast = TooFast { limit: limit.parse().unwrap(), retry_after: 7 };
            let problem = rate_limited(&"hello".parse().unwrap(), too_fast);
            let of = (problem.code.as_str(), problem.status, problem.retry_after, problem.retry_safe);
            assert_eq!(of, ("rate_limited", 429, Some(7), true));
            assert_eq!((problem.detail.as_str(), problem.invocation_id), (expected, None));
        }
    }
}
