//! The network of a sandbox: a namespace of its own, which the helper makes before the container.

use crate::model::Network;
use libcontainer::network::{NetworkError, link::LinkClient, wrapper::create_network_client};

/// The number of `lo` in every new network namespace.
const LOOPBACK: u32 = 1;

/// Called in the new namespace: functions may talk to themselves, as in Docker.
pub(super) fn loopback_up() -> Result<(), NetworkError> {
    LinkClient::new(create_network_client())?.set_up(LOOPBACK)
}

/// What the owner of a function with this network should know.
pub(super) fn notice(network: Network) -> Option<String> {
    match network {
        Network::None => None,
        Network::Egress => Some(
            "the function will have no network: the runtime 'oci' cannot connect it yet; use --runtime docker"
                .to_owned(),
        ),
    }
}
