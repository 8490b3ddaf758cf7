//! The addresses of functions, as the registry needs them.
//!
//! A row of the table `addresses` gives an address to one function; [`Functions`](super::Functions) writes the rows of a function
//! whenever one of its revisions becomes active, in the same transaction, and its deletion takes them along. The rows are for
//! that only: which function is reached at an address is said by the active revisions.

use async_trait::async_trait;

use super::{ActiveFunction, Error};
use crate::model::{AddressTaken, FunctionName, HttpSpec};

/// Addresses of functions.
#[async_trait]
pub trait Addresses: Send + Sync {
    /// Returns the functions whose active revisions have `[http]`, by name. Every function is looked at, and only these are
    /// read: some milliseconds for thousands. One that cannot be read is left out, and the log says so.
    async fn http_functions(&self) -> Result<Vec<ActiveFunction>, Error>;
    /// Returns the first of the addresses of `http` that another function than `name` has; none if they are free. It may be another one
    /// a moment later: [`add_revision`](super::Functions::add_revision) decides.
    async fn taken_address(
        &self,
        name: &FunctionName,
        http: &HttpSpec,
    ) -> Result<Option<AddressTaken>, Error>;
}
