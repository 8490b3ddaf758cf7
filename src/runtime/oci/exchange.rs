//! The data that the manager and the helper, two processes of this program, exchange: the helper's arguments, and the
//! files in the folder of a container.

use std::{net::SocketAddrV4, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The hidden first argument; the second one is the folder.
pub(super) const ARGUMENT: &str = "oci-helper";

/// The argument in place of a folder when the helper only tries the things that a container needs.
pub(super) const TRIAL: &str = "--trial";

/// The argument in place of a folder when the helper becomes the program that connects a sandbox, which follows with
/// its arguments.
pub(super) const CONNECT: &str = "--connect";

/// Files in the folder.
pub(super) const REQUEST: &str = "request.json";
pub(super) const CONFIG: &str = "config.json";
/// The id of the container's first process, as soon as it exists.
pub(super) const PID: &str = "pid";
/// The reason why there is no container.
pub(super) const REASON: &str = "reason";

/// The needs of a container in addition to its `config.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Request {
    /// Files that take a process into the container's cgroups.
    pub(super) entrances: Vec<PathBuf>,
    /// The file with the compiled filters of system calls.
    pub(super) filters: PathBuf,
    /// Whether root comes from a user namespace of its own.
    pub(super) user_namespace: bool,
    /// Whether the manager, which is at the other end of standard input, connects it to a network.
    pub(super) connected: bool,
    /// Addresses that it may connect to wherever they are.
    pub(super) reachable: Vec<SocketAddrV4>,
}
