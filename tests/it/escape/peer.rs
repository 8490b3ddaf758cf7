//! Another host, as far as functions can tell: a network namespace that this host routes to, with a
//! public address and a private one.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::planted::ip;

/// Of tests at the same time; each has four addresses of TEST-NET-2.
const PEERS: u8 = 64;

pub struct Peer {
    /// Of its namespace.
    pub name: String,
    /// Of tests at the same time this one's alone.
    pub place: u8,
    /// Of the block for documentation: nobody's, and not private.
    pub public: Ipv4Addr,
    pub private: Ipv4Addr,
    pub port: u16,
    pub listener: TcpListener,
    _lock: File,
}

impl Peer {
    pub fn plant() -> Self {
        let (number, lock) = (0..PEERS).find_map(free_place).expect("a free place");
        let name = format!("cfpeer{number}");
        // Of a test that was killed.
        remove(&name);
        let [here, public] = [1, 2].map(|last| Ipv4Addr::new(198, 51, 100, 4 * number + last));
        let private = Ipv4Addr::new(10, 203, number, 1);
        ip(&format!("netns add {name}"));
        ip(&format!("link add {name} type veth peer name eth0 netns {name}"));
        ip(&format!("address add {here}/30 dev {name}"));
        ip(&format!("link set {name} up"));
        ip(&format!("-netns {name} address add {public}/30 dev eth0"));
        ip(&format!("-netns {name} address add {private}/32 dev eth0"));
        ip(&format!("-netns {name} link set eth0 up"));
        ip(&format!("route replace {private}/32 via {public}"));
        let listener = listen_in(&name);
        let port = listener.local_addr().unwrap().port();
        let peer = Self { name, place: number, public, private, port, listener, _lock: lock };
        peer.works();
        peer
    }

    /// Shows that this host reaches it on both addresses.
    fn works(&self) {
        for address in [self.public, self.private] {
            let target = (address, self.port).into();
            let connected = TcpStream::connect_timeout(&target, Duration::from_secs(5));
            connected.unwrap_or_else(|error| panic!("the control connection to {target}: {error}"));
        }
    }
}

fn free_place(number: u8) -> Option<(u8, File)> {
    let file = File::create(format!("/tmp/cloudfunc-test-peer-{number}.lock")).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok().map(|()| (number, file))
}

/// A socket belongs to the namespace it was made in; the thread that goes there ends there.
fn listen_in(namespace: &str) -> TcpListener {
    let namespace = File::open(format!("/run/netns/{namespace}")).unwrap();
    let listen = move || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
        TcpListener::bind("0.0.0.0:0").unwrap()
    };
    std::thread::spawn(listen).join().unwrap()
}

impl Drop for Peer {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// The link first, with its other end and the routes: a namespace gives up what is in it only later.
fn remove(name: &str) {
    for arguments in [["link", "del", name], ["netns", "del", name]] {
        let _ = Command::new("ip").args(arguments).output();
    }
}
