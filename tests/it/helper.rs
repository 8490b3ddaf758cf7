//! Promises of the helper to its host and to the program, asked of the program itself: each test is its host.

mod commands;
mod host;
mod life;
mod servers;

use self::host::{Host, error, free_port};
