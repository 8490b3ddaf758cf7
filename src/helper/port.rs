//! Waiting for a port to be opened.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    net::Ipv4Addr,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

/// The pause after the first attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The time after which the author is told that nobody listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until somebody accepts connections on a port.
pub async fn opened(port: u16) {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut is_told = false;
    while !accepts(port).await {
        if !is_told && began.elapsed() >= PATIENCE {
            is_told = true;
            tell_of_nobody(port);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn accepts(port: u16) -> bool {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        // Where nobody listens, a connection may by chance have got the port for its own end, and reach itself.
        Ok(stream) => stream.local_addr().ok() != stream.peer_addr().ok(),
        Err(_) => false,
    }
}

fn tell_of_nobody(port: u16) {
    let seconds = PATIENCE.as_secs();
    let others = listening().iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let others = match others.as_str() {
        "" => "the program listens on no port".to_owned(),
        others => format!("the program listens on {others}"),
    };
    tell(&format!(
        "cloudfunc: for {seconds} s nobody has listened on port {port} of 127.0.0.1, which the variable PORT names; {others}\n"
    ));
}

/// Writes a line among those of the program.
pub fn tell(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Returns the TCP ports that somebody listens on in this sandbox.
fn listening() -> BTreeSet<u16> {
    const LISTENS: &str = "0A";
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let mut ports = BTreeSet::new();
    for line in tables.iter().flat_map(|table| table.lines()) {
        let mut fields = line.split_whitespace().skip(1);
        let (address, state) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
        if let (LISTENS, Some((_, port))) = (state, address.rsplit_once(':')) {
            ports.extend(u16::from_str_radix(port, 16).ok());
        }
    }
    ports
}
