//! What users write: manifests, platform settings, units. Parsed into types that cannot be wrong.

pub mod client;
pub mod document;
pub mod manifest;
pub mod platform;
mod secret_url;
pub mod units;

pub use platform::Platform;
pub use secret_url::SecretUrl;
