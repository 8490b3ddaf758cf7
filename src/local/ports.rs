//! Checks ports before anything is started: the error about a taken port names the flag that changes it.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

use crate::error::Error;

/// A port on which one of our programs will listen.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// The listener in a sentence: `the gateway`, `Postgres`.
    pub of: &'static str,
    pub address: SocketAddr,
    /// The flag that changes the port.
    pub flag: &'static str,
}

impl Port {
    /// Returns the flag with the kind of its value.
    pub fn choice(&self) -> String {
        choice(self.flag)
    }
}

/// Returns a flag of a port with the kind of its value.
pub fn choice(flag: &str) -> String {
    let value = if flag == PUBLIC { "IP:PORT" } else { "PORT" };
    format!("{flag} {value}")
}

/// The flag of the gateway's port for the addresses of functions alone.
pub const PUBLIC: &str = "--public-listen";

/// The flag of the gateway's port; its address has one of its own.
const GATEWAY: &str = "--gateway-port";

/// Checks that all ports are free; the error names the first one that is not.
pub fn check(ports: &[Port]) -> Result<(), Error> {
    for port in ports {
        let Port { of, address, flag } = port;
        let choice = port.choice();
        let problem = match TcpListener::bind(address) {
            Ok(_) => continue,
            Err(error) => error,
        };
        let port = address.port();
        return Err(match problem.kind() {
            io::ErrorKind::AddrInUse => {
                let owner = owner(port).map_or_else(String::new, |owner| format!(" by {owner}"));
                Error::usage(format!("port {port}, which {of} needs, is taken{owner}"))
                    .hint(format!("choose another with {choice}, or stop what holds it"))
            }
            io::ErrorKind::AddrNotAvailable => {
                let choice = if *flag == GATEWAY { "--gateway-host IP" } else { choice.as_str() };
                Error::usage(format!("{of} cannot listen on {address}: {problem}"))
                    .hint(format!("name an address of this host with {choice}"))
            }
            _ => Error::usage(format!("{of} cannot listen on {address}: {problem}"))
                .hint(format!("choose another with {flag}")),
        });
    }
    Ok(())
}

/// Puts a different free port in place of each 0.
pub fn choose(ports: &mut [&mut Option<u16>]) -> io::Result<()> {
    // All are held at the same time, so that no two are equal.
    let mut held = Vec::new();
    for port in ports.iter_mut().filter(|port| ***port == Some(0)) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        **port = Some(listener.local_addr()?.port());
        held.push(listener);
    }
    Ok(())
}

/// Returns the program that listens on a port, as far as /proc shows it: `python3 (process 1234)`.
pub fn owner(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(process.path().join("fd")).ok()?.flatten().any(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|target| links.iter().any(|link| target == Path::new(link)))
        });
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        holds.then(|| format!("{} (process {pid})", name.trim()))
    })
}

/// Returns the inodes of the sockets that listen on a port, from a table of /proc/net.
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&suffix) && *state == LISTEN).then(|| (*inode).to_owned())
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_its_flag() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let error = check(&[Port { of: "the gateway", address, flag: "--gateway-port" }])
            .unwrap_err()
            .chain()
            .join(": ");
        let (port, pid) = (address.port(), std::process::id());
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("port {port}, which the gateway needs, is taken by ")),
            "{text}"
        );
        assert!(text.ends_with(&format!("(process {pid})")), "{text}");
        drop(listener);
        check(&[Port { of: "the gateway", address, flag: "--gateway-port" }]).unwrap();
    }

    #[test]
    fn an_address_of_another_host_is_refused_with_the_flag_that_names_addresses() {
        // For documentation (RFC 5737): no host has it.
        let hint = |of, flag| {
            let address = "192.0.2.1:8000".parse().unwrap();
            check(&[Port { of, address, flag }]).unwrap_err().hint.unwrap()
        };
        assert_eq!(
            hint("the gateway", "--gateway-port"),
            "name an address of this host with --gateway-host IP"
        );
        assert_eq!(
            hint("the public port", PUBLIC),
            "name an address of this host with --public-listen IP:PORT"
        );
    }

    #[test]
    fn free_ports_differ() {
        let (mut one, mut two, mut fixed) = (Some(0), Some(0), Some(7));
        choose(&mut [&mut one, &mut two, &mut fixed]).unwrap();
        assert_ne!(one, two);
        assert_eq!(fixed, Some(7));
    }
}
