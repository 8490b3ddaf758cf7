//! The proxies in front of a platform that say truly where a request has come from.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net};

/// Addresses and networks of proxies; none unless they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Returns whether this is the address of one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    /// Reads addresses and networks (`10.0.0.7,192.0.2.0/24`), separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |part: &str| -> Result<IpNet, String> {
            let network = part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
            network.map(canonical).map_err(|_| {
                format!(
                    "'{part}' is neither an IP address nor a network; write addresses and networks separated by commas, such as \
                     10.0.0.7,192.0.2.0/24"
                )
            })
        };
        parts.map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Makes a network of IPv4 of one that is written in IPv6 (`::ffff:10.0.0.0/104`), as [`TrustedProxies::contains`] does with
/// addresses.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(written) = network else { return network };
    let address = written.addr().to_ipv4_mapped();
    let network = address.zip(written.prefix_len().checked_sub(96));
    let network = network.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    network.map_or(IpNet::V6(written), IpNet::V4)
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&networks.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_by_its_address_or_its_network() {
        let proxies: TrustedProxies = "10.0.0.7, 192.0.2.0/24,2001:db8::/32".parse().unwrap();
        for (address, is_one) in [
            ("10.0.0.7", true),
            ("10.0.0.8", false),
            ("192.0.2.9", true),
            ("::ffff:192.0.2.9", true),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            assert_eq!(proxies.contains(address.parse().unwrap()), is_one, "{address}");
        }
        assert_eq!(proxies.to_string(), "10.0.0.7/32,192.0.2.0/24,2001:db8::/32");
        assert_eq!(proxies.to_string().parse(), Ok(proxies));
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv4_that_is_written_in_ipv6_is_one_of_ipv4() {
        for (written, expected) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.7", "10.0.0.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            let proxies: TrustedProxies = written.parse().unwrap();
            assert_eq!(proxies.to_string(), expected, "{written}");
        }
        let proxies: TrustedProxies = "::ffff:10.0.0.0/104".parse().unwrap();
        assert!(proxies.contains("10.1.2.3".parse().unwrap()));
        assert!(proxies.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!proxies.contains("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn what_is_neither_address_nor_network_is_refused() {
        assert_eq!(
            "proxy.example".parse::<TrustedProxies>().unwrap_err(),
            "'proxy.example' is neither an IP address nor a network; write addresses and networks separated by commas, such as \
             10.0.0.7,192.0.2.0/24"
        );
    }
}
