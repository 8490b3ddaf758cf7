//! What users write: manifests, platform settings, units. Parsed into types that cannot be wrong.

pub mod manifest;
mod secret_url;
pub mod units;

pub use secret_url::SecretUrl;
