//! The files of a platform on this host, and the choice of a platform: folders, locks, tokens, the platforms of
//! this user.

mod addresses;
pub mod client;
mod dirs;
pub mod lock;
pub mod platforms;
mod stack;
pub mod state;
mod token;
mod trust;
pub mod wipe;

pub use addresses::Addresses;
pub use client::read_config;
pub use dirs::{Dirs, NoHome};
pub use stack::Stack;
pub use state::State;
pub use token::{BadToken, Token};
pub use trust::{Trust, certificate_file};

pub use crate::private_file::Unread;
