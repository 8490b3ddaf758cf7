//! What a deploy is given.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Digest, FunctionName, FunctionSpec};

/// Where lines for the user go.
pub type Report = Arc<dyn Fn(String) + Send + Sync>;

/// What is to be deployed, checked.
pub struct Source {
    pub name: FunctionName,
    pub spec: FunctionSpec,
    pub digest: Digest,
    /// None for an image function without files.
    pub archive: Option<Bytes>,
    /// Whether the code is loaded once before it is registered.
    pub check: bool,
    /// Whether its packages are resolved anew.
    pub refresh: bool,
}
