//! Rules that keep a sandbox with `network = "egress"` away from this host. They belong to its network namespace, and
//! the helper sets them before any code of the function runs. The function has no right to change them.
//!
//! The kernel applies them to every connection, in this order, before it looks for a route: DNS of the host's resolvers
//! passes, and so do connections of a build to the platform's own sources of packages; forbidden addresses are refused ("permission denied", an error that a connect gets from no other cause), the
//! rest goes through the tap.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddrV4},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, IpProtocol, RouteNetlinkMessage,
    route::RouteHeader,
    rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange},
};
use rustix::net::{
    AddressFamily as Family, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use crate::runtime::forbidden;

/// The number of the first rule, after the kernel's own rule for addresses of the sandbox itself, which is 0.
const FIRST: u32 = 1;

/// The size of the kernel's answer to one rule, in bytes: an error with the head of the rule.
const ANSWER: usize = 256;

/// The rules; to be made while the process is in this host's network, and set when it is in the sandbox's.
pub(super) struct Fence(Vec<RuleMessage>);

impl Fence {
    /// Returns the rules, which let these addresses through.
    pub(super) fn around_this_host(reachable: &[SocketAddrV4]) -> io::Result<Self> {
        let addresses = host_addresses(&fs::read_to_string("/proc/net/fib_trie")?);
        let dns = forbidden::resolvers().into_iter().flat_map(|resolver| {
            let resolver = SocketAddrV4::new(resolver, forbidden::DNS_PORT);
            [IpProtocol::Udp, IpProtocol::Tcp].map(|protocol| passes(resolver, protocol))
        });
        let let_through = reachable.iter().map(|address| passes(*address, IpProtocol::Tcp));
        let single =
            addresses.into_iter().chain(forbidden::gateways()).map(|address| refused(address, 32));
        let blocks = forbidden::BLOCKS.map(|(block, bits)| refused(block, bits));
        Ok(Self(dns.chain(let_through).chain(single).chain(blocks).collect()))
    }

    pub(super) fn set(self) -> io::Result<()> {
        // There is no IPv6 through the tap, and there must not be any other way for it.
        let _ = fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        // Its protocol 0, the default, is the one for routes and rules.
        let kernel = socket_with(Family::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        for (priority, mut rule) in (FIRST..).zip(self.0) {
            rule.attributes.push(RuleAttribute::Priority(priority));
            let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewRule(rule));
            request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
            request.finalize();
            let mut bytes = vec![0; request.buffer_len()];
            request.serialize(&mut bytes);
            send(&kernel, &bytes, SendFlags::empty())?;
            let mut answer = [0; ANSWER];
            let (length, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
            accepted(&answer[..length])?;
        }
        Ok(())
    }
}

fn accepted(answer: &[u8]) -> io::Result<()> {
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::Error::other("the kernel answers something else than what was asked")),
    }
}

fn to(address: Ipv4Addr, bits: u8, action: RuleAction) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = AddressFamily::Inet;
    rule.header.dst_len = bits;
    rule.header.action = action;
    rule.attributes.push(RuleAttribute::Destination(address.into()));
    rule
}

fn refused(address: Ipv4Addr, bits: u8) -> RuleMessage {
    to(address, bits, RuleAction::Prohibit)
}

fn passes(address: SocketAddrV4, protocol: IpProtocol) -> RuleMessage {
    let mut rule = to(*address.ip(), 32, RuleAction::ToTable);
    rule.header.table = RouteHeader::RT_TABLE_MAIN;
    let (start, end) = (address.port(), address.port());
    rule.attributes.push(RuleAttribute::IpProtocol(protocol));
    rule.attributes.push(RuleAttribute::DestinationPortRange(RulePortRange { start, end }));
    rule
}

/// Returns all addresses of this network namespace, read from the kernel's table of routes: a line with an address, and
/// one with its kind.
fn host_addresses(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = None;
    for line in table.lines().map(str::trim) {
        match (line.strip_prefix("|-- "), last) {
            (Some(address), _) => last = address.parse().ok(),
            (None, Some(address)) if line == "/32 host LOCAL" => found.push(address),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_off_the_kernels_table() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 4\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            \x20    +-- 192.0.2.0/24 2 0 2\n           |-- 192.0.2.0\n              /24 link UNICAST\n\
            \x20          |-- 192.0.2.2\n              /32 host LOCAL\n\
            \x20       |-- 192.0.2.255\n           /32 link BROADCAST\nLocal:\n           |-- 192.0.2.2\n\
            \x20             /32 host LOCAL\n";
        assert_eq!(host_addresses(table), [Ipv4Addr::new(192, 0, 2, 2)]);
    }

    #[test]
    fn this_host_has_a_loopback() {
        let table = fs::read_to_string("/proc/net/fib_trie").unwrap();
        assert!(host_addresses(&table).contains(&Ipv4Addr::LOCALHOST));
    }
}
