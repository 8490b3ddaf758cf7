//! Rules of the host's firewall for the bridge of functions with `network = "egress"`.
//!
//! ```text
//!  from the bridge to this host   INPUT ───────┐
//!                                              ├─▶ chain of the bridge's name ─▶ rejected, or back
//!  from the bridge to elsewhere   DOCKER-USER ─┘   (the next rules of the table decide)
//! ```
//! The engine asks `DOCKER-USER` first and leaves it alone, even when it restarts. Connections are rejected, not
//! dropped, so that a function's connect fails at once; with a reset, because the kernel sends one sandbox at most
//! about one ICMP message a second. Setting the rules again changes nothing; the chain's content is replaced in one
//! step, so that there is no moment without it.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::Stdio,
};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use super::super::{environment_of_programs, forbidden};

/// The chain that forwarded packets pass first; the engine makes it.
const FORWARDED: &str = "DOCKER-USER";

/// The capability to set rules, as a bit of the kernel's mask.
const CAP_NET_ADMIN: u32 = 12;

/// The limit of waiting for other programs that are setting rules, in seconds; a start waits meanwhile.
const LOCK_WAIT: &str = "5";

/// The most equal rules that are looked for, which several managers set at the same moment.
const MOST_DOUBLES: usize = 16;

/// The reason why there are no rules. The network works all the same, unprotected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Open {
    #[error("the engine's bridge {0} is not on this host's network, so rules set here would not hold")]
    Elsewhere(String),
    #[error("the engine's network {0} has IPv6; remove it, so that it is made again without")]
    SixToo(String),
    #[error("only root may set firewall rules (this process has not CAP_NET_ADMIN)")]
    NotAllowed,
    #[error("iptables is not installed")]
    NotInstalled,
    #[error("iptables knows no chain {FORWARDED}, so the engine filters by other means")]
    NoChain,
    #[error("iptables refuses: {0}")]
    Refused(String),
}

/// Sets the rules of a bridge; these addresses are let through.
pub(super) async fn set(bridge: &str, reachable: &[SocketAddrV4]) -> Result<(), Open> {
    if !Path::new("/sys/class/net").join(bridge).exists() {
        return Err(Open::Elsewhere(bridge.to_owned()));
    }
    if !may_set_rules() {
        return Err(Open::NotAllowed);
    }
    if !said_yes(iptables(&["--list-rules", FORWARDED]).await?) {
        return Err(Open::NoChain);
    }
    let rules = chain(bridge, reachable, &forbidden::resolvers(), &forbidden::gateways());
    run("iptables-restore", &["--wait", LOCK_WAIT, "--noflush"], &rules)
        .await?
        .map_err(Open::Refused)?;
    for hook in ["INPUT", FORWARDED] {
        if !said_yes(iptables(&jump("--check", hook, bridge)).await?) {
            iptables(&jump("--insert", hook, bridge)).await?.map_err(Open::Refused)?;
        }
    }
    Ok(())
}

/// Removes the rules of a bridge, if there are any.
pub(super) async fn clear(bridge: &str) -> Result<(), Open> {
    if !may_set_rules() || !said_yes(iptables(&["--list-rules", bridge]).await?) {
        return Ok(());
    }
    for hook in ["INPUT", FORWARDED] {
        for _ in 0..MOST_DOUBLES {
            if !said_yes(iptables(&jump("--delete", hook, bridge)).await?) {
                break;
            }
        }
    }
    iptables(&["--flush", bridge]).await?.map_err(Open::Refused)?;
    iptables(&["--delete-chain", bridge]).await?.map_err(Open::Refused)
}

fn jump<'a>(verb: &'a str, hook: &'a str, bridge: &'a str) -> [&'a str; 6] {
    [verb, hook, "--in-interface", bridge, "--jump", bridge]
}

/// Returns the chain as a file for `iptables-restore`. `LOCAL` is every address of this host, including those that it
/// gets later.
fn chain(
    bridge: &str,
    reachable: &[SocketAddrV4],
    resolvers: &[Ipv4Addr],
    gateways: &[Ipv4Addr],
) -> String {
    let dns = forbidden::DNS_PORT;
    let excepted = resolvers.iter().flat_map(|resolver| {
        ["udp", "tcp"].map(|kind| {
            format!("--destination {resolver} --protocol {kind} --dport {dns} --jump RETURN")
        })
    });
    let let_through = reachable.iter().map(|address| {
        let (ip, port) = (address.ip(), address.port());
        format!("--destination {ip} --protocol tcp --dport {port} --jump RETURN")
    });
    let local = "--match addrtype --dst-type LOCAL".to_owned();
    let blocks = forbidden::BLOCKS.iter().map(|(block, bits)| format!("--destination {block}/{bits}"));
    let routers = gateways.iter().map(|gateway| format!("--destination {gateway}"));
    let rejected = std::iter::once(local).chain(routers).chain(blocks).flat_map(|what| {
        [
            format!("{what} --protocol tcp --jump REJECT --reject-with tcp-reset"),
            format!("{what} --jump REJECT --reject-with icmp-admin-prohibited"),
        ]
    });
    let rules: String = excepted
        .chain(let_through)
        .chain(rejected)
        .map(|rule| format!("--append {bridge} {rule}\n"))
        .collect();
    format!("*filter\n:{bridge} - [0:0]\n{rules}COMMIT\n")
}

fn may_set_rules() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> CAP_NET_ADMIN & 1 == 1)
}

/// The answer of a program: success, or the first line of its error.
type Answer = Result<(), String>;

fn said_yes(answer: Answer) -> bool {
    answer.is_ok()
}

/// Runs `iptables`, which waits for other programs that are setting rules.
async fn iptables(arguments: &[&str]) -> Result<Answer, Open> {
    run("iptables", &[&["--wait", LOCK_WAIT], arguments].concat(), "").await
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Result<Answer, Open> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Open::NotInstalled,
        _ => Open::Refused(error.to_string()),
    };
    let mut child = spawn(program, arguments).map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(failed)?;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok(match output.status.success() {
        true => Ok(()),
        false => Err(complaint.lines().next().unwrap_or("without a word").to_owned()),
    })
}

fn spawn(program: &str, arguments: &[&str]) -> io::Result<Child> {
    // Not every user has the folders of such programs in PATH.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment_of_programs())
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_is_excepted_before_anything_is_rejected() {
        let text = chain(
            "cf-0123456789ab",
            &[],
            &["10.0.0.53".parse().unwrap()],
            &["192.0.2.1".parse().unwrap()],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["*filter", ":cf-0123456789ab - [0:0]"]);
        assert_eq!(
            lines[2..6],
            [
                "--append cf-0123456789ab --destination 10.0.0.53 --protocol udp --dport 53 --jump RETURN",
                "--append cf-0123456789ab --destination 10.0.0.53 --protocol tcp --dport 53 --jump RETURN",
                "--append cf-0123456789ab --match addrtype --dst-type LOCAL --protocol tcp --jump REJECT \
                 --reject-with tcp-reset",
                "--append cf-0123456789ab --match addrtype --dst-type LOCAL --jump REJECT \
                 --reject-with icmp-admin-prohibited",
            ]
        );
        assert!(text.contains("--destination 192.0.2.1 --jump REJECT"));
        assert!(text.contains("--destination 169.254.0.0/16 --jump REJECT"));
        assert!(text.ends_with("COMMIT\n"));
    }

    #[test]
    fn the_sources_of_a_build_are_let_through_on_their_port_only() {
        let text = chain("cb-0123456789ab", &["10.0.0.7:8080".parse().unwrap()], &[], &[]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2],
            "--append cb-0123456789ab --destination 10.0.0.7 --protocol tcp --dport 8080 --jump RETURN"
        );
        assert!(lines[3].contains("--dst-type LOCAL"), "{text}");
    }

    #[test]
    fn it_is_said_why_a_network_is_open() {
        let bridge = "cf-0123456789ab".to_owned();
        let texts = [
            Open::Elsewhere(bridge.clone()),
            Open::SixToo("cloudfunc-p-egress".to_owned()),
            Open::NotAllowed,
            Open::NotInstalled,
            Open::NoChain,
            Open::Refused("no memory".to_owned()),
        ];
        assert_eq!(
            texts.map(|open| open.to_string()),
            [
                "the engine's bridge cf-0123456789ab is not on this host's network, so rules set here would not \
                 hold",
                "the engine's network cloudfunc-p-egress has IPv6; remove it, so that it is made again without",
                "only root may set firewall rules (this process has not CAP_NET_ADMIN)",
                "iptables is not installed",
                "iptables knows no chain DOCKER-USER, so the engine filters by other means",
                "iptables refuses: no memory",
            ]
        );
    }

    #[tokio::test]
    async fn a_bridge_of_another_host_gets_no_rules() {
        let open = set("cf-not-here", &[]).await.unwrap_err();
        assert_eq!(open, Open::Elsewhere("cf-not-here".to_owned()));
    }
}
