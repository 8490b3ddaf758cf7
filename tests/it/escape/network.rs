//! To this host, its neighbours and the world.

use std::collections::BTreeMap;

use cloudfunc::{model::Network, runtime::Kind};
use serde_json::json;

use super::{
    Fixture,
    peer::Peer,
    planted::{Address, METADATA, Metadata, Service, host_addresses, ip},
};

/// How connects to a list of addresses with their ports end.
pub const CONNECT: &str = r#"
def connect(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    links = [index for index, name in socket.if_nameindex() if name != "lo"]
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(10)
        one.connect((address, port, 0, (links + [1])[0])[:4 if ":" in address else 2])
        return "reached"

def handler(targets):
    return {address: refusal(connect, address, port) for address, port in targets}
"#;

/// How connects to these addresses end, on one port.
async fn connects(fixture: &Fixture, targets: &[(Address, u16)]) -> BTreeMap<String, String> {
    let targets: Vec<_> = targets.iter().map(|(address, port)| json!([address.ip, port])).collect();
    serde_json::from_value(fixture.answer(CONNECT, json!(targets)).await).unwrap()
}

/// Connects to a service that is planted on this host, which works from the host itself.
async fn to_this_host(fixture: &Fixture, addresses: Vec<Address>) -> BTreeMap<String, String> {
    let service = Service::plant();
    addresses.iter().for_each(|address| service.works_at(address));
    let targets: Vec<_> = addresses.into_iter().map(|address| (address, service.port)).collect();
    connects(fixture, &targets).await
}

/// How a TCP connect ends that the sandbox refuses. What is planted can be connected to from the host,
/// so a reset is a rule's; what the sandbox's own rules refuse is not permitted.
pub fn shut_off(kind: Kind, network: Network, address: &str) -> &'static [&'static str] {
    match (network, kind) {
        _ if address.contains(':') => &["ENETUNREACH", "EADDRNOTAVAIL"],
        (Network::None, _) => &["ENETUNREACH"],
        (Network::Egress, Kind::Docker) => &["ECONNREFUSED"],
        (Network::Egress, _) => &["EACCES"],
    }
}

/// How a datagram's sender learns that it is refused.
fn no_datagram(fixture: &Fixture) -> &'static str {
    match fixture.kind {
        Kind::Docker => fixture.by_network("ENETUNREACH", "EHOSTUNREACH"),
        _ => shut_off(fixture.kind, fixture.network, "")[0],
    }
}

fn assert_shut_off(fixture: &Fixture, answers: &BTreeMap<String, String>) {
    assert!(!answers.is_empty());
    for (address, answer) in answers {
        let kinds = shut_off(fixture.kind, fixture.network, address);
        assert!(kinds.contains(&answer.as_str()), "{address}: {answer}, not {kinds:?}");
    }
}

pub async fn the_hosts_loopback_is_not_reached(fixture: &Fixture) {
    let answers = to_this_host(fixture, ["127.0.0.1", "::1"].map(Address::of).to_vec()).await;
    // It has a loopback of its own, where nobody listens.
    assert_eq!(answers["127.0.0.1"], "ECONNREFUSED");
    assert!(["ECONNREFUSED", "EADDRNOTAVAIL"].contains(&answers["::1"].as_str()), "{answers:?}");
}

pub async fn no_address_of_the_host_is_reached(fixture: &Fixture) {
    // One made after the sandbox's network counts too, where there are rules.
    let addresses: Vec<Address> = host_addresses().into_iter().collect();
    assert!(addresses.iter().any(|address| address.ip.is_ipv4()), "{addresses:?}");
    let answers = to_this_host(fixture, addresses).await;
    assert_shut_off(fixture, &answers);
}

pub async fn no_gateway_is_reached(fixture: &Fixture) {
    let code = r#"
def handler(targets):
    routes = [line.split() for line in read("/proc/net/route").splitlines()[1:]]
    gateways = {socket.inet_ntoa(struct.pack("=I", int(route[2], 16))) for route in routes}
    targets += [[gateway, targets[0][1]] for gateway in gateways - {"0.0.0.0"}]
    return {address: refusal(connect, address, port) for address, port in targets}
"#;
    // Its own and the host's; and the name of the host for those who use slirp.
    let service = Service::plant();
    let routes: serde_json::Value = serde_json::from_str(&ip("-json -4 route show default")).unwrap();
    let routers = routes.as_array().unwrap().iter().filter_map(|route| route["gateway"].as_str());
    let targets: Vec<_> = ["10.0.2.2", "10.0.2.3"].into_iter().chain(routers).collect();
    let targets: Vec<_> = targets.into_iter().map(|address| json!([address, service.port])).collect();
    let answers = fixture.answer(&format!("{CONNECT}{code}"), json!(targets)).await;
    let answers: BTreeMap<String, String> = serde_json::from_value(answers).unwrap();
    assert!(answers.len() >= fixture.by_network(2, 3), "{answers:?}");
    assert_shut_off(fixture, &answers);
}

pub async fn the_metadata_address_is_not_reached(fixture: &Fixture) {
    let _metadata = Metadata::plant();
    let answers = to_this_host(fixture, vec![Address::of(METADATA)]).await;
    assert_shut_off(fixture, &answers);
}

pub async fn a_private_address_is_not_reached(fixture: &Fixture) {
    let peer = Peer::plant();
    let answers = connects(fixture, &[(Address::of(&peer.private.to_string()), peer.port)]).await;
    assert_shut_off(fixture, &answers);
}

pub async fn a_public_address_is_reached_with_egress_only(fixture: &Fixture) {
    let peer = Peer::plant();
    let answers = connects(fixture, &[(Address::of(&peer.public.to_string()), peer.port)]).await;
    assert_eq!(answers[&peer.public.to_string()], fixture.by_network("ENETUNREACH", "reached"));
}

/// Sends a datagram and waits for what comes back: an answer, or why there is none. Again and again: the
/// kernel sends one sandbox no more than about one refusal a second.
const ASK: &str = r#"
def ask(address, port, text=b"cloudfunc"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(1)
        one.connect((address, port))
        for _ in range(20):
            one.send(text)
            try:
                return "answered" if one.recv(512) else "nothing"
            except TimeoutError:
                pass
        return "silence"
"#;

pub async fn the_resolver_is_asked_for_names_only(fixture: &Fixture) {
    let code = r#"
def handler(event):
    address = event["resolver"]
    # A query for the root's own servers.
    query = struct.pack(">HHHHHHBHH", 7, 0x100, 1, 0, 0, 0, 0, 2, 1)
    return [refusal(ask, address, 53, query), refusal(ask, address, 54), refusal(connect, address, 54)]
"#;
    let configured = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let servers = configured.lines().filter_map(|line| line.strip_prefix("nameserver "));
    let resolver = servers.map(str::trim).find(|server| !server.contains(':')).expect("a resolver");
    let answers =
        fixture.answer(&format!("{CONNECT}{ASK}{code}"), json!({ "resolver": resolver })).await;
    let shut = no_datagram(fixture);
    let connect = shut_off(fixture.kind, fixture.network, resolver)[0];
    assert_eq!(answers, json!([fixture.by_network("ENETUNREACH", "answered"), shut, connect]));
}

pub async fn no_datagram_reaches_the_host(fixture: &Fixture) {
    let code = "def handler(targets): return {a: refusal(ask, a, p) for a, p in targets}";
    let service = Service::plant();
    let addresses = host_addresses().into_iter().filter(|address| address.ip.is_ipv4());
    let targets: Vec<_> = addresses.map(|address| json!([address.ip, service.port])).collect();
    let answers = fixture.answer(&format!("{ASK}{code}"), json!(targets)).await;
    let shut = no_datagram(fixture);
    assert!(answers.as_object().unwrap().values().all(|answer| answer == shut), "{answers}");
    assert_eq!(service.datagrams(), Vec::<Vec<u8>>::new());
    let local = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    local.send_to(b"control", ("127.0.0.1", service.port)).unwrap();
    assert_eq!(service.datagrams(), [b"control"]);
}
