//! The addresses that a function with `network = "egress"` may not reach, whatever the runtime: this host, its
//! gateways, and every address that is not public. Names must still be resolved, so the host's resolvers are excepted,
//! on their port only.

use std::{fs, net::Ipv4Addr};

/// The port of DNS, the only thing that a resolver on a forbidden address is needed for.
pub(super) const DNS_PORT: u16 = 53;

/// Blocks that are not public (RFC 6890): private, link-local with the metadata services of clouds, loopback, carriers'
/// own, protocol assignments, benchmarks, multicast, reserved and broadcast.
pub(super) const BLOCKS: [(Ipv4Addr, u8); 11] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Returns the routers that this host sends everything else through; they may have public addresses.
pub(super) fn gateways() -> Vec<Ipv4Addr> {
    gateways_in(&fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// Returns the servers that this host asks for names. A sandbox cannot ask one that listens on the host's loopback
/// only; systemd keeps the real servers in a file of its own.
pub(super) fn resolvers() -> Vec<Ipv4Addr> {
    let read = |path| resolvers_in(&fs::read_to_string(path).unwrap_or_default());
    let (direct, behind): (Vec<_>, Vec<_>) =
        (read("/etc/resolv.conf"), read("/run/systemd/resolve/resolv.conf"));
    let all = if direct.iter().any(Ipv4Addr::is_loopback) { [direct, behind].concat() } else { direct };
    all.into_iter().filter(|address| !address.is_loopback()).collect()
}

fn gateways_in(table: &str) -> Vec<Ipv4Addr> {
    let gateway = |line: &str| {
        let [_, "00000000", gateway, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        u32::from_str_radix(gateway, 16).ok()
    };
    // The kernel prints the number in memory order.
    let addresses =
        table.lines().skip(1).filter_map(gateway).map(|raw| Ipv4Addr::from(raw.to_ne_bytes()));
    let mut found: Vec<_> = addresses.filter(|address| !address.is_unspecified()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn resolvers_in(text: &str) -> Vec<Ipv4Addr> {
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words.first() == Some(&"nameserver"))
        .filter_map(|words| words.get(1)?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_read_off_the_kernels_table() {
        let table = "Iface\tDestination\tGateway \tFlags\n\
            eth0\t00000000\t010200C0\t0003\n\
            eth1\t00000000\t010200C0\t0003\n\
            eth1\t0007A8C0\t020200C0\t0003\n\
            docker0\t000011AC\t00000000\t0001\n";
        assert_eq!(gateways_in(table), [Ipv4Addr::new(192, 0, 2, 1)]);
        assert_eq!(gateways_in(""), [Ipv4Addr::UNSPECIFIED; 0]);
    }

    #[test]
    fn resolvers_are_read_off_resolv_conf() {
        let text =
            "# nameserver 1.1.1.1\nsearch lan\nnameserver 10.0.0.53\nnameserver fd00::1\nnameserver\n";
        assert_eq!(resolvers_in(text), [Ipv4Addr::new(10, 0, 0, 53)]);
    }

    #[test]
    fn every_private_address_is_in_a_block() {
        let inside = |address: Ipv4Addr| {
            let holds = |(block, bits): &(Ipv4Addr, u8)| {
                (address.to_bits() ^ block.to_bits()).checked_shr(32 - u32::from(*bits)) == Some(0)
            };
            BLOCKS.iter().any(holds)
        };
        for first in 0..=255 {
            for second in 0..=255 {
                let address = Ipv4Addr::new(first, second, 0, 1);
                let special = address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || address.is_multicast();
                assert!(inside(address) || !special, "{address}");
            }
        }
        assert!(!inside(Ipv4Addr::new(8, 8, 8, 8)) && !inside(Ipv4Addr::new(198, 51, 100, 1)));
    }
}
