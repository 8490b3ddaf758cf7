//! The platforms of this machine as commands and the doctor see them: which one is meant, what its roles
//! answer, which programs hold its ports, what it has left behind, where its packages come from.

pub mod leftovers;
mod platform;
pub mod ports;
pub mod probe;
pub mod sources;

pub use self::platform::LocalPlatform;
