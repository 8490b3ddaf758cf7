//! Tests the ports on which `up` would listen.

use std::{io, net::TcpListener};

use super::judge::ports::{Port, State};
use crate::local::ports;

/// A port, and whether the program that is meant to listen there was found to do so.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub port: ports::Port,
    pub name: &'static str,
    pub is_ours: bool,
    pub is_roles: bool,
}

/// Tests the ports. Port 0 takes a free one and needs no test.
pub fn gather(wanted: &[Wanted]) -> Vec<Port> {
    wanted.iter().filter(|wanted| wanted.port.address.port() != 0).map(look).collect()
}

fn look(wanted: &Wanted) -> Port {
    let ports::Port { of, address, flag } = wanted.port;
    let state = match wanted.is_ours {
        true => State::Ours,
        false => match TcpListener::bind(address) {
            Ok(_) => State::Free,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                State::Taken(ports::owner(address.port()))
            }
            Err(error) => State::Refused(error.to_string()),
        },
    };
    let (name, is_roles) = (wanted.name, wanted.is_roles);
    Port { of, name, address: address.to_string(), number: address.port(), flag, state, is_roles }
}
