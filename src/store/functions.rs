//! Functions, their revisions, and their blobs.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::Error;
use crate::model::{Digest, Function, FunctionId, FunctionName, FunctionSpec, Revision, RevisionNumber};

/// Functions, their revisions, and sources and bundles by their digest.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Stores bytes under their digest; has no effect when they are there.
    async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error>;
    /// Returns a blob; none when there is no such blob.
    async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error>;
    /// Adds a revision with the next number to the function of that name, creating the function where it is missing,
    /// and makes it active: atomically. [`Error::Missing`] when its bundle or its dependencies are not stored: they may have
    /// been deleted with the last function that used them, so store them and ask again. [`Error::AddressTaken`] when another
    /// function has an address of its `[http]`; those of the revision that was active before are free afterwards.
    async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error>;
    /// Makes an existing revision active. [`Error::Missing`] when the function or revision does not exist;
    /// [`Error::Conflict`] when `expected` is given and another revision is active; [`Error::AddressTaken`] when another
    /// function has an address of its `[http]`.
    async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
        expected: Option<RevisionNumber>,
    ) -> Result<Function, Error>;
    /// Returns a function; none when no function has this name.
    async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error>;
    /// Returns all functions, by name.
    async fn functions(&self) -> Result<Vec<Function>, Error>;
    /// Returns functions with their active revisions, by name: the first `limit` of those whose names come after this
    /// one, in the store's order of names.
    async fn active_functions(
        &self,
        after: Option<&FunctionName>,
        limit: u32,
    ) -> Result<Vec<ActiveFunction>, Error>;
    /// Returns a function with its active revision; none when it does not exist.
    async fn active_function(&self, id: FunctionId) -> Result<Option<ActiveFunction>, Error>;
    /// Returns a revision; none when the function or that revision does not exist.
    async fn revision(
        &self,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, Error>;
    /// Returns the revisions of a function, newest first; empty for an unknown function.
    async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error>;
    /// Sets the state that the classic `PATCH` reports. None when no function has this name.
    async fn report_warm(&self, name: &FunctionName, warm: bool) -> Result<Option<Function>, Error>;
    /// Deletes the function with its revisions, logs, own secrets, and blobs and dependencies that are no longer used. Its
    /// waiting invocations (queued, retrying) end by [`Ending::function_deleted`]; running ones continue, and all records
    /// stay. None when no function has this name: then secrets that were set for it before its first deploy stay, too. It is
    /// among the [`Functions::deleted_functions`] from then on.
    ///
    /// [`Ending::function_deleted`]: crate::lifecycle::Ending::function_deleted
    async fn delete_function(&self, name: &FunctionName) -> Result<Option<Deletion>, Error>;
    /// Returns the functions that were deleted and not forgotten since, in no order.
    async fn deleted_functions(&self) -> Result<Vec<DeletedFunction>, Error>;
    /// Forgets deleted functions, once nothing of them is left outside the store. Unknown ones change nothing.
    async fn forget_deleted(&self, functions: &[FunctionId]) -> Result<(), Error>;
    /// Deletes revisions beyond the newest `keep` of each function, or of one, with the blobs and dependencies that no
    /// other revision names; never the active one, nor one with live instances or running invocations. Without a function
    /// it also deletes those that no revision has named for an hour, as failed deploys leave them. Returns the functions that
    /// lost a revision. Over all functions it is a transaction for each that has such revisions.
    async fn prune_revisions(
        &self,
        keep: u32,
        function: Option<FunctionId>,
    ) -> Result<Vec<FunctionId>, Error>;
    /// Returns those of these digests that a revision names, as its source, its bundle or its dependencies.
    async fn named(&self, digests: &[Digest]) -> Result<Vec<Digest>, Error>;
    /// Returns the digests that the revisions of all functions name.
    async fn named_bundles(&self) -> Result<Vec<NamedBundle>, Error>;
}

/// A revision to be added.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// The function; created where it is missing.
    pub name: FunctionName,
    /// The manifest.
    pub spec: FunctionSpec,
    /// The digest of the uploaded source.
    pub source: Digest,
    /// The digest of the built tree, which is stored already; none when the image holds the code.
    pub bundle: Option<Digest>,
    /// The tree of its dependencies, which is stored already; none where it has none.
    pub dependencies: Option<Digest>,
    /// The image it was built against, by the engine's id.
    pub image: String,
}

/// A function with its active revision.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFunction {
    /// The function.
    pub function: Function,
    /// Its active revision.
    pub revision: Revision,
}

/// The deletion of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    /// The function, as it was.
    pub function: Function,
    /// The number of waiting invocations that ended with it.
    pub cancelled: u64,
    /// The number of its own secrets, which were deleted with it.
    pub secrets: u64,
}

/// A function that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletedFunction {
    /// Its id; a function of its name that was made later has another one.
    pub id: FunctionId,
    /// The time since its deletion, by the store's clock; zero if that was set back meanwhile.
    pub age: Duration,
}

/// A bundle that a revision names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedBundle {
    /// The function's name.
    pub function: FunctionName,
    /// The digest of the uploaded source.
    pub source: Digest,
    /// The digest of the built tree; none when the image holds the code.
    pub bundle: Option<Digest>,
    /// The image as the revision has it: the engine's id, or a tag.
    pub image: String,
}
