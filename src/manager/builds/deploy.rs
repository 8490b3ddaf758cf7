//! The deploy that waits for a build: it hears of every step, and of one that takes long again and again. A build that nobody
//! waits for any more ends.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::shared::Shared;
use crate::{
    error_chain::chain,
    model::message::{self, Build, BuildEvent, BuildStep, Parcel},
    queue::{Address, Message},
    units::show_duration,
};

/// A client that hangs up ends its build within 5 s: this, and what the registry and the sandbox's removal take.
const LOOK: Duration = Duration::from_secs(1);
/// A step that says nothing for this long is named again: the registry gives up a build that is silent for minutes. Longer
/// than the 30 s after which the long steps speak by themselves.
const QUIET: Duration = Duration::from_secs(40);

/// Returns whether the deploy still waits, as far as can be told: a broker that does not answer tells nothing.
pub(super) async fn is_awaited(shared: &Shared, build: &Build) -> bool {
    match shared.queue.is_awaited(&build.reply_to).await {
        Ok(is_awaited) => is_awaited,
        Err(error) => {
            tracing::debug!(build = %build.build, error = %chain(&error), "not known whether this build is waited for");
            true
        }
    }
}

/// Returns once nobody waits for the build any more.
pub(super) async fn hung_up(shared: &Shared, build: &Build) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !is_awaited(shared, build).await {
            return;
        }
    }
}

/// Tells the deploy every line, until there are no more.
pub(super) async fn forward(shared: &Shared, build: &Build, lines: UnboundedReceiver<String>) {
    let mut steps = Steps { lines, quiet: QUIET, last: "building".to_owned(), passed: Duration::ZERO };
    while let Some(message) = steps.next().await {
        tell(shared, build, BuildStep::Progress { message }).await;
    }
}

/// Lines; the last one is repeated until another comes.
struct Steps {
    lines: UnboundedReceiver<String>,
    /// [`QUIET`], but for tests.
    quiet: Duration,
    last: String,
    passed: Duration,
}

impl Steps {
    async fn next(&mut self) -> Option<String> {
        match tokio::time::timeout(self.quiet, self.lines.recv()).await {
            Ok(line) => {
                (self.last, self.passed) = (line.clone().unwrap_or_default(), Duration::ZERO);
                line
            }
            Err(_) => {
                self.passed += self.quiet;
                Some(format!("after {}, still: {}", show_duration(self.passed), self.last))
            }
        }
    }
}

pub(super) async fn tell(shared: &Shared, build: &Build, step: BuildStep) {
    let event = BuildEvent { v: message::VERSION, build: build.build, step };
    let message = Message { parcel: Parcel::new(event, Bytes::new()), expires: None };
    if let Err(error) = shared.queue.publish(&Address::Reply(build.reply_to.clone()), message).await {
        tracing::debug!(error = %chain(&error), "nobody waits for this build any more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_that_takes_long_is_named_again_and_again() {
        let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
        let quiet = Duration::from_millis(10);
        let mut steps = Steps { lines, quiet, last: "building".to_owned(), passed: Duration::ZERO };
        assert_eq!(steps.next().await.unwrap(), "after 10 ms, still: building");
        sender.send("storing the packages".to_owned()).unwrap();
        assert_eq!(steps.next().await.unwrap(), "storing the packages");
        assert_eq!(steps.next().await.unwrap(), "after 10 ms, still: storing the packages");
        assert_eq!(steps.next().await.unwrap(), "after 20 ms, still: storing the packages");
        drop(sender);
        assert_eq!(steps.next().await, None);
    }
}
