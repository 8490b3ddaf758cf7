//! What a test plants on the host for a function to try.

use std::{
    collections::BTreeSet,
    fs::File,
    net::{IpAddr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket},
    process::Command,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

/// The metadata services of clouds.
pub const METADATA: &str = "169.254.169.254";

/// Runs iproute2's `ip`.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Listens on every address of the host, of both families, for as long as it lives.
pub struct Service {
    _tcp: TcpListener,
    udp: UdpSocket,
    pub port: u16,
}

impl Service {
    pub fn plant() -> Self {
        let tcp = TcpListener::bind("[::]:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let udp = UdpSocket::bind(("::", port)).unwrap();
        udp.set_nonblocking(true).unwrap();
        Self { _tcp: tcp, udp, port }
    }

    /// Whether it can be reached from here, this host.
    pub fn works_at(&self, address: &Address) -> bool {
        TcpStream::connect_timeout(&address.with_port(self.port), Duration::from_secs(5)).is_ok()
    }

    /// The datagrams that arrived since it was last asked.
    pub fn datagrams(&self) -> Vec<Vec<u8>> {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| self.udp.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
            .collect()
    }
}

/// An address of this host, with the interface that a link-local one is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub ip: IpAddr,
    interface: u32,
}

impl Address {
    pub fn of(ip: &str) -> Self {
        Self { ip: ip.parse().unwrap(), interface: 0 }
    }

    fn with_port(&self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => (ip, port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, self.interface).into(),
        }
    }
}

/// All of this host's but those of the loopback's own block.
pub fn host_addresses() -> BTreeSet<Address> {
    let interfaces: Value = serde_json::from_str(&ip("-json address show")).unwrap();
    let mut found = BTreeSet::new();
    for interface in interfaces.as_array().unwrap() {
        let index = u32::try_from(interface["ifindex"].as_u64().unwrap()).unwrap();
        for info in interface["addr_info"].as_array().unwrap() {
            // One that is still being tried, or not any more, cannot be connected to.
            if info["tentative"] == true || interface["operstate"] == "DOWN" && info["scope"] == "link" {
                continue;
            }
            if let Some(Ok(ip)) = info["local"].as_str().map(str::parse::<IpAddr>) {
                found.insert(Address { ip, interface: index });
            }
        }
    }
    found.into_iter().filter(|address| !address.ip.is_loopback()).collect()
}

/// The host has the address of the metadata services while one of these lives, in whatever process.
pub struct Metadata {
    users: File,
}

impl Metadata {
    pub fn plant() -> Self {
        let users = File::create("/tmp/cloudfunc-test-metadata.lock").unwrap();
        flock(&users, FlockOperation::LockShared).unwrap();
        ip(&format!("address replace {METADATA}/32 dev lo"));
        Self { users }
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // The last one of all processes takes it away.
        if flock(&self.users, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = Command::new("ip").args(["address", "del", METADATA, "dev", "lo"]).output();
        }
    }
}
