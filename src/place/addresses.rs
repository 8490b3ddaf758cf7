//! The addresses on which the roles of one host listen.

use std::net::{Ipv4Addr, SocketAddr};

/// The address of each role. Port 0 takes a free one (tests).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub gateway: SocketAddr,
    pub registry: SocketAddr,
    pub scheduler: SocketAddr,
    pub manager: SocketAddr,
    /// The gateway's port for the addresses of functions alone, if it has one.
    pub public: Option<SocketAddr>,
    /// The ports of the gateway speak TLS.
    pub is_tls: bool,
}

impl Addresses {
    /// Returns the beginning of the URLs of the gateway's ports.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Returns the first port of the gateway that other hosts reach without TLS, with what it is called.
    pub fn in_clear(&self) -> Option<(&'static str, SocketAddr)> {
        let ports = [("the gateway", Some(self.gateway)), ("the public port", self.public)];
        let is_open = |address: &SocketAddr| !self.is_tls && !address.ip().to_canonical().is_loopback();
        ports.into_iter().find_map(|(what, address)| Some((what, address.filter(is_open)?)))
    }
}

impl Default for Addresses {
    /// Returns the default ports, on loopback.
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            gateway: local(8000),
            registry: local(7000),
            scheduler: local(9000),
            manager: local(9001),
            public: None,
            is_tls: false,
        }
    }
}
