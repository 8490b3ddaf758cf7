//! Functions, their revisions, and the blobs these are made of.

use async_trait::async_trait;
use bytes::Bytes;

use super::Error;
use crate::model::{Digest, Function, FunctionId, FunctionName, FunctionSpec, Revision, RevisionNumber};

/// Functions, their revisions, and sources and bundles by their digest.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Stores bytes under their digest; no effect when they are there.
    async fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<(), Error>;
    /// None when there is no such blob.
    async fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error>;
    /// Adds a revision with the next number to the function of that name, creating the function
    /// where it is missing, and makes it active: atomically. [`Error::Missing`] when its bundle is not
    /// stored: it may have gone with the last function that used it, so store it and ask again.
    async fn add_revision(&self, revision: NewRevision) -> Result<Revision, Error>;
    /// Makes an existing revision active. [`Error::Missing`] when the function or revision is not
    /// there; [`Error::Conflict`] when `expected` is given and another revision is active.
    async fn activate(
        &self,
        name: &FunctionName,
        revision: RevisionNumber,
        expected: Option<RevisionNumber>,
    ) -> Result<Function, Error>;
    /// None when no function has this name.
    async fn function(&self, name: &FunctionName) -> Result<Option<Function>, Error>;
    /// All functions, by name.
    async fn functions(&self) -> Result<Vec<Function>, Error>;
    /// All functions with their active revisions, by name, in one query; or this one, if it is there.
    async fn active_functions(&self, only: Option<FunctionId>) -> Result<Vec<ActiveFunction>, Error>;
    /// None when the function or that revision is not there.
    async fn revision(
        &self,
        function: FunctionId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, Error>;
    /// Newest first; empty for an unknown function.
    async fn revisions(&self, function: FunctionId) -> Result<Vec<Revision>, Error>;
    /// Sets what the seed's PATCH reports. None when no function has this name.
    async fn report_warm(&self, name: &FunctionName, warm: bool) -> Result<Option<Function>, Error>;
    /// Deletes the function with its revisions, logs and no longer used blobs. Its waiting invocations
    /// (queued, retrying) end by [`Ending::function_deleted`]; running ones go on, and all
    /// records stay. None when no function has this name.
    ///
    /// [`Ending::function_deleted`]: crate::lifecycle::Ending::function_deleted
    async fn delete_function(&self, name: &FunctionName) -> Result<Option<Function>, Error>;
    /// Deletes revisions beyond the newest `keep` of each function, or of one, with the blobs that no other
    /// revision names; never the active one, nor one with live instances or running invocations. Without a
    /// function also blobs that no revision has named for an hour, as deploys that failed leave them. Answers
    /// the functions that lost one.
    async fn prune_revisions(
        &self,
        keep: u32,
        function: Option<FunctionId>,
    ) -> Result<Vec<FunctionId>, Error>;
    /// The digests that the revisions of all functions are made of.
    async fn named_bundles(&self) -> Result<Vec<NamedBundle>, Error>;
}

#[derive(Clone, Debug)]
pub struct NewRevision {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub source: Digest,
    pub bundle: Option<Digest>,
    pub image: String,
}

/// A function with the revision that is active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFunction {
    pub function: Function,
    pub revision: Revision,
}

/// A bundle that a revision names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedBundle {
    pub function: FunctionName,
    pub source: Digest,
    pub bundle: Option<Digest>,
    /// As the revision has it: the engine's id, or a tag.
    pub image: String,
}
