//! Ports: free, held by the platform itself, or held by another program.

use super::{Finding, Stops, Wanted};
use crate::local::ports::choice;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Free,
    /// The program that is meant to listen there does so.
    Ours,
    /// Another program listens there, such as `python3 (process 1234)`, if it can be seen.
    Taken(Option<String>),
    /// It is not possible to listen on this address.
    Refused(String),
}

#[derive(Clone, Debug)]
pub struct Port {
    /// The service in a sentence: `the gateway`, `Postgres`.
    pub of: &'static str,
    pub name: &'static str,
    /// The address with its port.
    pub address: String,
    pub number: u16,
    /// The flag that changes the port.
    pub flag: &'static str,
    pub state: State,
    /// The embedded stack needs this port, too.
    pub is_roles: bool,
}

pub fn judge(ports: &[Port], wanted: Wanted) -> Vec<Finding> {
    ports.iter().map(|port| finding(port, wanted)).collect()
}

fn finding(port: &Port, wanted: Wanted) -> Finding {
    let Port { of, name, address, number, flag, .. } = port;
    let stops = if port.is_roles { Stops::BOTH } else { Stops::UP };
    match &port.state {
        State::Free => Finding::ok(name, format!("{address} for {of} is free")),
        State::Ours => Finding::ok(name, format!("{of} listens on {address}")),
        State::Taken(owner) => {
            let by = owner.as_ref().map_or_else(
                || " by a process that this user cannot see".to_owned(),
                |owner| format!(" by {owner}"),
            );
            let found = format!("port {number}, which {of} needs, is taken{by}");
            let advice = match owner {
                Some(_) => format!("Choose another with {}, or stop what holds it.", choice(flag)),
                None => format!(
                    "Choose another with {}, or find what holds it with `sudo ss -ltnp sport = :{number}`.",
                    choice(flag)
                ),
            };
            Finding::stops(stops, wanted, name, found, advice)
        }
        State::Refused(why) => {
            let found = format!("{of} cannot listen on {address}: {why}");
            Finding::stops(
                stops,
                wanted,
                name,
                found,
                format!("Choose another address or port; {flag} is the port's flag."),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_its_flag() {
        let port = |state| Port {
            of: "the gateway",
            name: "gateway",
            address: "127.0.0.1:8000".to_owned(),
            number: 8000,
            flag: "--gateway-port",
            state,
            is_roles: true,
        };
        let ports = [
            State::Free,
            State::Ours,
            State::Taken(Some("python3 (process 7)".to_owned())),
            State::Taken(None),
            State::Refused("Permission denied".to_owned()),
        ];
        assert_eq!(
            shown(&judge(&ports.map(port), Wanted::Up)),
            [
                "ok gateway: 127.0.0.1:8000 for the gateway is free",
                "ok gateway: the gateway listens on 127.0.0.1:8000",
                "problem gateway: port 8000, which the gateway needs, is taken by python3 (process 7) | Choose another \
                 with --gateway-port PORT, or stop what holds it.",
                "problem gateway: port 8000, which the gateway needs, is taken by a process that this user cannot see \
                 | Choose another with --gateway-port PORT, or find what holds it with `sudo ss -ltnp sport = :8000`.",
                "problem gateway: the gateway cannot listen on 127.0.0.1:8000: Permission denied | Choose another \
                 address or port; --gateway-port is the port's flag.",
            ]
        );
    }
}
