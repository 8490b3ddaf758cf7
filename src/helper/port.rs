//! Waiting for a port to be opened.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// The pause after the first attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The time after which the author is told that nothing listens on the port.
const NOTICE_AFTER: Duration = Duration::from_secs(5);

/// Waits until a program accepts connections on a port.
pub async fn opened(port: u16) {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut is_told = false;
    while !accepts(port).await {
        if !is_told && began.elapsed() >= NOTICE_AFTER {
            is_told = true;
            tell_of_no_listener(port);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn accepts(port: u16) -> bool {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        // Where nothing listens, a connection may by chance get this port as its local one, and connect to itself.
        Ok(stream) => stream.local_addr().ok() != stream.peer_addr().ok(),
        Err(_) => false,
    }
}

fn tell_of_no_listener(port: u16) {
    let seconds = NOTICE_AFTER.as_secs();
    let instead = instead(port, &listening());
    tell(&format!(
        "cloudfunc: for {seconds} s nothing has listened on port {port} of 127.0.0.1, which the variable PORT names; {instead}\n"
    ));
}

/// Says where the program listens, and what to change.
fn instead(port: u16, listening: &BTreeSet<SocketAddr>) -> String {
    let all = listening.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    if listening.is_empty() {
        return "the program listens on no port".to_owned();
    }
    let change = match listening.iter().any(|address| address.port() == port) {
        true => "let it listen on 127.0.0.1 or 0.0.0.0 (in Node: host: \"0.0.0.0\")".to_owned(),
        false => format!(
            "let it listen on 127.0.0.1:{port}, or name its own port as `port` in cloudfunc.toml"
        ),
    };
    format!("the program listens on {all}: {change}")
}

/// Writes a line among those of the program.
pub fn tell(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Returns the addresses that programs listen on in this sandbox.
fn listening() -> BTreeSet<SocketAddr> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).filter_map(listener).collect()
}

/// Reads the address of a line of the kernel's table, if a program listens there.
fn listener(line: &str) -> Option<SocketAddr> {
    const LISTENS: &str = "0A";
    let mut fields = line.split_whitespace().skip(1);
    let (address, state) = (fields.next()?, fields.nth(1)?);
    let (address, port) = address.split_once(':')?;
    // Each word of an address is written as a number of this machine's.
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::from(word(0)?),
        _ => {
            let bytes = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()
        }
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    (state == LISTENS).then_some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn addresses_are_those_of_the_kernels_tables() {
        for (address, state, expected) in [
            ("0100007F:2382", "0A", Some("127.0.0.1:9090")),
            ("00000000:1F90", "0A", Some("0.0.0.0:8080")),
            ("00000000000000000000000001000000:1F90", "0A", Some("[::1]:8080")),
            ("0000000000000000FFFF00000100007F:1F90", "0A", Some("127.0.0.1:8080")),
            ("0100007F:2382", "01", None),
        ] {
            let line = format!("   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000");
            assert_eq!(listener(&line).map(|address| address.to_string()).as_deref(), expected);
        }
        assert_eq!(listener("  sl  local_address rem_address   st tx_queue rx_queue"), None);
    }

    #[test]
    fn a_program_that_listens_elsewhere_is_told_what_to_change() {
        let told = |addresses: &[&str]| {
            instead(8080, &addresses.iter().map(|address| address.parse().unwrap()).collect())
        };
        assert_eq!(told(&[]), "the program listens on no port");
        assert_eq!(
            told(&["[::1]:8080"]),
            "the program listens on [::1]:8080: let it listen on 127.0.0.1 or 0.0.0.0 (in Node: host: \"0.0.0.0\")"
        );
        assert_eq!(
            told(&["[::1]:9091", "127.0.0.1:9090"]),
            "the program listens on 127.0.0.1:9090, [::1]:9091: let it listen on 127.0.0.1:8080, or name its own port as \
             `port` in cloudfunc.toml"
        );
    }
}
