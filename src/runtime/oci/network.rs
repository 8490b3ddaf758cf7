//! The network of a sandbox: a namespace of its own, which the helper makes before the container.
//!
//! With `network = "egress"` a `slirp4netns` connects it: a process of this host that makes the sandbox's connections
//! as its own, and does not need root's rights. It is a child of the manager and holds a pipe whose other end is the
//! manager's [`Link`]: it ends with the sandbox, and with the manager, however the manager ends. (`pasta`, which others
//! prefer, has no way to end with another process in its older versions.)
//!
//! ```text
//! helper: namespaces ─▶ "there" ──────────────────────────▶ rules ([`super::fence`]) ─▶ container
//! manager:                 └─▶ slirp4netns ─▶ ready ─▶ "go" ┘
//! ```

use std::{
    fs, io,
    io::{Read, Write},
    net::Ipv4Addr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use libcontainer::network::{NetworkError, link::LinkClient, wrapper::create_network_client};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
    process::Pid,
};

use super::{
    exchange::{ARGUMENT, CONNECT},
    host::in_path,
};
use crate::{
    model::Network,
    runtime::{START_TIMEOUT, forbidden},
};

/// The number of `lo` in every new network namespace.
const LOOPBACK: u32 = 1;

const CONNECTOR: &str = "slirp4netns";

const TUN: &str = "/dev/net/tun";

/// The MTU of the link to `slirp4netns`, which is memory and not a wire: the largest that it accepts, as fewer packets
/// cost less.
const MTU: &str = "65520";

/// Sets `lo` up. Called in the new namespace: functions may talk to themselves, as in Docker.
pub(super) fn loopback_up() -> Result<(), NetworkError> {
    LinkClient::new(create_network_client())?.set_up(LOOPBACK)
}

fn connector() -> Option<PathBuf> {
    in_path(CONNECTOR)
}

/// Returns whether a sandbox with this network is to be connected, and can be.
pub(super) fn is_connected(network: Network) -> bool {
    network == Network::Egress && obstacle().is_none()
}

/// Returns the reason why no sandbox can be connected.
fn obstacle() -> Option<Obstacle> {
    if connector().is_none() {
        return Some(Obstacle::NotInstalled);
    }
    // Opening it does not make a device yet.
    let opened = fs::File::options().read(true).write(true).open(TUN);
    opened.err().map(|error| Obstacle::Tun(error.kind()))
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Obstacle {
    #[error("the runtime 'oci' connects it with {CONNECTOR}, which is not installed; install it")]
    NotInstalled,
    #[error(
        "{CONNECTOR} needs {TUN}, which says: {0}; run `sudo modprobe tun` where it is not there, and \
         `sudo chmod 666 {TUN}` where only root may use it"
    )]
    Tun(io::ErrorKind),
}

/// Returns what the owner of a function with this network should know.
pub(super) fn notice(network: Network) -> Option<String> {
    match network {
        Network::None => None,
        Network::Egress => missing(obstacle(), !forbidden::resolvers().is_empty()),
    }
}

fn missing(obstacle: Option<Obstacle>, resolver: bool) -> Option<String> {
    if let Some(obstacle) = obstacle {
        return Some(format!("the function will have no network: {obstacle}, or use --runtime docker"));
    }
    let names = "the function cannot resolve names: /etc/resolv.conf names no server with an IPv4 address other \
                 than this host's loopback";
    (!resolver).then(|| names.to_owned())
}

/// Returns the program that connects functions with egress, for `ping`.
pub(super) fn summary() -> &'static str {
    match obstacle() {
        None => "egress by slirp4netns",
        Some(Obstacle::NotInstalled) => "no egress (slirp4netns is not installed)",
        Some(Obstacle::Tun(_)) => "no egress (/dev/net/tun cannot be used)",
    }
}

/// Returns the `/etc/resolv.conf` of a sandbox that is connected.
pub(super) fn resolv_conf() -> String {
    let line = |server: Ipv4Addr| format!("nameserver {server}\n");
    forbidden::resolvers().into_iter().map(line).collect()
}

/// A connected sandbox. Dropping it disconnects.
pub(super) struct Link {
    process: Child,
    /// The pipe whose end ends the process.
    _hold: io::PipeWriter,
}

/// Connects the network namespace of this process, which is one of the caller's own children. Blocks for some ten
/// milliseconds, at most [`START_TIMEOUT`].
fn connect(program: &Path, namespaces: Pid) -> io::Result<Link> {
    let connector = connector().ok_or_else(|| io::Error::other("slirp4netns is gone"))?;
    let (held, hold) = io::pipe()?;
    let (mut said, say) = io::pipe()?;
    let process = Command::new(program)
        .args([ARGUMENT, CONNECT])
        .arg(connector)
        .args(["--configure", "--disable-host-loopback", "--disable-dns", "--mtu", MTU])
        // It works on packets that a function made: it needs no files, and few system calls.
        .args(["--enable-sandbox", "--enable-seccomp"])
        .args(["--exit-fd=0", &namespaces.to_string(), "tap0"])
        .env_clear()
        .stdin(held)
        .stdout(say)
        .stderr(Stdio::piped())
        .spawn()?;
    let mut link = Link { process, _hold: hold };
    match is_ready(&mut said) {
        true => Ok(link),
        false => Err(io::Error::other(link.complaint())),
    }
}

/// Waits for its 1, which says that it is ready.
fn is_ready(said: &mut io::PipeReader) -> bool {
    let limit = Timespec { tv_sec: START_TIMEOUT.as_secs().cast_signed(), tv_nsec: 0 };
    let mut word = [0];
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(&*said, PollFlags::IN)], Some(&limit)));
    ready.is_ok_and(|ready| ready > 0) && said.read_exact(&mut word).is_ok() && word == *b"1"
}

impl Link {
    /// Returns its output, once it has ended.
    fn complaint(&mut self) -> String {
        let _ = self.process.kill();
        let mut text = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            let _ = stderr.read_to_string(&mut text);
        }
        let lines: Vec<&str> = text.lines().collect();
        let said =
            if lines.is_empty() { "it ended without a word".to_owned() } else { lines.join("; ") };
        format!("{CONNECTOR}: {said}")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the manager's side of a helper's start: connects the helper when its namespace exists. `None` when the helper
/// ended before: it leaves the reason itself.
pub(super) fn accompany(program: &Path, mut helper: UnixStream, pid: Pid) -> io::Result<Option<Link>> {
    helper.set_read_timeout(Some(START_TIMEOUT))?;
    if helper.read_exact(&mut [0]).is_err() {
        return Ok(None);
    }
    let link = connect(program, pid)?;
    // A helper that has ended meanwhile does not read it.
    let _ = helper.write_all(b"1");
    Ok(Some(link))
}

/// Runs the helper's side, which has the manager at its standard input; at the end that input is closed.
pub(super) fn wait_for_connection() -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    rustix::io::write(stdin, b"1")?;
    let connected = rustix::io::read(stdin, &mut [0; 1])? == 1;
    rustix::stdio::dup2_stdin(fs::File::open("/dev/null")?)?;
    connected.then_some(()).ok_or_else(|| io::Error::other("the manager does not connect the sandbox"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_what_a_function_with_egress_lacks() {
        assert_eq!(missing(None, true), None);
        let tun = Obstacle::Tun(io::ErrorKind::PermissionDenied);
        let texts = [(Some(Obstacle::NotInstalled), false), (Some(tun), true), (None, false)];
        assert_eq!(
            texts.map(|(obstacle, resolver)| missing(obstacle, resolver).unwrap()),
            [
                "the function will have no network: the runtime 'oci' connects it with slirp4netns, which is not \
                 installed; install it, or use --runtime docker",
                "the function will have no network: slirp4netns needs /dev/net/tun, which says: permission \
                 denied; run `sudo modprobe tun` where it is not there, and `sudo chmod 666 /dev/net/tun` where \
                 only root may use it, or use --runtime docker",
                "the function cannot resolve names: /etc/resolv.conf names no server with an IPv4 address other \
                 than this host's loopback",
            ]
        );
    }
}
