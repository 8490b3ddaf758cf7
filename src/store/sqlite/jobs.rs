//! A write, whatever its type, on its way through a group (`groups.rs`).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use crate::store::failure::Failure;

/// The statements of one write. They may be run again after a rollback.
pub type Statements<A, T> = for<'c> fn(&'c mut SqliteConnection, &'c A) -> Answer<'c, T>;
pub type Answer<'c, T> = BoxFuture<'c, Result<T, Failure>>;

/// When a write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// When it is on disk: somebody relies on it.
    Synced,
    /// When it is committed. A process that is killed loses nothing of it; a power cut takes about the last second.
    Committed,
}

pub struct Waiting {
    pub bytes: usize,
    pub answered: Answered,
    pub job: Box<dyn Job>,
}

/// A write, whatever its type.
#[async_trait]
pub trait Job: Send {
    /// Returns false when its caller no longer waits for it: then it must not run.
    fn take(&self) -> bool;
    async fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure>;
    /// It is committed and is not run again: what it was to write needs no memory any more.
    fn committed(&mut self);
    fn answer(self: Box<Self>, committed: Result<(), Failure>);
}

pub struct Write<A, T> {
    /// Until it is committed.
    pub arguments: Option<A>,
    pub run: Statements<A, T>,
    /// The output of the last run.
    pub output: Option<T>,
    /// Set by the task, or back by a caller that waited too long: the one that sets it first decides.
    pub taken: Arc<AtomicBool>,
    pub tell: oneshot::Sender<Result<T, Failure>>,
}

#[async_trait]
impl<A: Send + Sync, T: Send> Job for Write<A, T> {
    fn take(&self) -> bool {
        !self.tell.is_closed() && !self.taken.swap(true, Ordering::AcqRel)
    }

    async fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        if let Some(arguments) = &self.arguments {
            self.output = Some((self.run)(connection, arguments).await?);
        }
        Ok(())
    }

    fn committed(&mut self) {
        self.arguments = None;
    }

    fn answer(self: Box<Self>, committed: Result<(), Failure>) {
        let Self { output, tell, .. } = *self;
        let answer = committed.map(|()| output.expect("it ran before it was committed"));
        // A caller that dropped the future does not need the answer.
        let _ = tell.send(answer);
    }
}
