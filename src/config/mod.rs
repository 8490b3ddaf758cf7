//! What users write: manifests, platform settings, units. Parsed into types that cannot be wrong.
//! And where the platform keeps what it needs between two runs.

pub mod client;
mod dirs;
pub mod document;
pub mod environment;
pub mod lock;
pub mod manifest;
pub mod platform;
pub mod platforms;
mod secret_url;
pub mod settings;
pub mod state;
pub mod units;
pub mod wipe;

pub use dirs::{Dirs, NoHome};
pub use platform::{Addresses, Limits, Platform};
pub use secret_url::SecretUrl;
pub use settings::{Settings, SettingsError, Stack, StorePlace, host_names};
pub use state::State;
