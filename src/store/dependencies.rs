//! Installed packages: trees of files in pieces.

use async_trait::async_trait;
use bytes::Bytes;

use super::Error;
use crate::model;

/// The most bytes of a piece. Writes of others wait while one is stored, and it is held in memory.
pub const MAX_PIECE: usize = 1024 * 1024;

/// Trees of installed packages. A tree is stored piece by piece and named last, so that one that is named is whole; one that
/// no revision names is deleted by [`Functions::prune_revisions`].
///
/// [`Functions::prune_revisions`]: super::Functions::prune_revisions
#[async_trait]
pub trait Dependencies: Send + Sync {
    /// Stores a piece of a tree under its number, from 0; has no effect when it is there.
    async fn put_piece(&self, tree: &model::Digest, number: u32, bytes: Bytes) -> Result<(), Error>;
    /// Returns a piece; none when there is no such piece.
    async fn piece(&self, tree: &model::Digest, number: u32) -> Result<Option<Bytes>, Error>;
    /// Deletes the pieces of a tree that is not going to be named.
    async fn drop_pieces(&self, tree: &model::Digest) -> Result<(), Error>;
    /// Names a tree, all of whose pieces are stored. Returns the dependencies that have the key from now on: these, or
    /// those of another build that was sooner; then the pieces of this one are deleted.
    async fn add_dependencies(&self, new: &model::Dependencies) -> Result<model::Dependencies, Error>;
    /// Names a tree, all of whose pieces are stored, that does not have its key yet: nobody else finds it.
    async fn add_fresh(&self, new: &model::Dependencies) -> Result<(), Error>;
    /// Gives such a tree its key. The tree that had it keeps its name, for the revisions that use it. Has no effect on a tree
    /// that has its key, or that is not there.
    async fn use_fresh(&self, tree: &model::Digest) -> Result<(), Error>;
    /// Returns the dependencies with this key; none when they have to be installed.
    async fn dependencies_for(&self, key: &model::Digest) -> Result<Option<model::Dependencies>, Error>;
    /// Returns the dependencies with this tree; none when they have been deleted.
    async fn dependencies(&self, tree: &model::Digest) -> Result<Option<model::Dependencies>, Error>;
}
