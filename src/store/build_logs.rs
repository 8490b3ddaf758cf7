//! The logs of builds.

use async_trait::async_trait;

use super::Error;
use crate::model::{BuildLine, BuildLog, FunctionId, FunctionName, RevisionNumber, WhichBuild};

/// The most bytes of a log, as JSON.
pub const MAX_BUILD_LOG: usize = 1024 * 1024;

/// The log of each revision's build, which goes with the revision, and of each name the last build that failed. That goes with
/// the function, and where there is none, [`Functions::prune_revisions`] deletes it after a week.
///
/// [`Functions::prune_revisions`]: super::Functions::prune_revisions
#[async_trait]
pub trait BuildLogs: Send + Sync {
    /// Stores the log of a build that has ended now. It replaces the one before of the same revision, or of the name's last
    /// failure.
    async fn put_build_log(&self, new: &NewBuildLog) -> Result<(), Error>;
    /// Returns the log of a build; none where there is none.
    async fn build_log(
        &self,
        function: &FunctionName,
        which: WhichBuild,
    ) -> Result<Option<BuildLog>, Error>;
}

/// The log of a build that has ended.
#[derive(Clone, Debug)]
pub struct NewBuildLog {
    /// The function's name.
    pub name: FunctionName,
    /// The revision that came of it; none where it failed.
    pub revision: Option<(FunctionId, RevisionNumber)>,
    /// Its lines.
    pub lines: Vec<BuildLine>,
}
