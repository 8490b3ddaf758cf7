//! A second host, as far as its network tells: a namespace with a link to this one and a link to the witness.

use std::{
    fs::File,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    process::{Command, Output},
    thread::JoinHandle,
};

use crate::escape::{peer::Peer, planted::ip};

pub struct Namespace {
    pub name: String,
    /// Address of this host, as the other one reaches it.
    pub here: Ipv4Addr,
}

impl Namespace {
    /// One per witness.
    pub fn plant(witness: &Peer) -> Self {
        let (place, peer) = (witness.place, &witness.name);
        let name = format!("cfhost{place}");
        // Of blocks for benchmarks and for documentation: nobody's. 192.0.2.0/24 is taken on some virtual machines.
        let [here, there] = [1, 2].map(|last| Ipv4Addr::new(198, 18, 0, 4 * place + last));
        let [near, far] = [1, 2].map(|last| Ipv4Addr::new(203, 0, 113, 4 * place + last));
        remove(&name);
        ip(&format!("netns add {name}"));
        let namespace = Self { name, here };
        let name = &namespace.name;
        ip(&format!("-netns {name} link set lo up"));
        ip(&format!("link add {name} type veth peer name main netns {name}"));
        ip(&format!("address add {here}/30 dev {name}"));
        ip(&format!("link set {name} up"));
        ip(&format!("-netns {name} address add {there}/30 dev main"));
        ip(&format!("-netns {name} link set main up"));
        ip(&format!("-netns {name} link add world type veth peer name {name} netns {peer}"));
        ip(&format!("-netns {name} address add {near}/30 dev world"));
        ip(&format!("-netns {name} link set world up"));
        ip(&format!("-netns {peer} address add {far}/30 dev {name}"));
        ip(&format!("-netns {peer} link set {name} up"));
        ip(&format!("-netns {name} route add {}/32 via {far}", witness.public));
        namespace
    }

    /// Has a program run on this host. Only its network is another one: mounts and control groups are ours.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/run/netns/{}", self.name)).arg("--").arg(command.get_program());
        inside.args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().unwrap());
        inside
    }

    /// Does something on this host: what connects in it, connects from there. It has a thread of its own, as a thread is in
    /// one network.
    pub fn perform<F: Future<Output = ()>>(
        &self,
        what: impl FnOnce() -> F + Send + 'static,
    ) -> JoinHandle<()> {
        let network = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::spawn(move || {
            let kind = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(network.as_fd(), kind).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(what());
        })
    }

    /// Packets between the hosts vanish, without a word to anybody.
    pub fn cut(&self, is_cut: bool) {
        let order = if is_cut { "--insert" } else { "--delete" };
        for chain in ["INPUT", "OUTPUT"] {
            let link = if chain == "INPUT" { "--in-interface" } else { "--out-interface" };
            let mut iptables = Command::new("nsenter");
            iptables.arg(format!("--net=/run/netns/{}", self.name));
            iptables.args(["iptables", "--wait", order, chain, link, "main", "--jump", "DROP"]);
            succeeded(&iptables.output().unwrap());
        }
    }

    /// The link between the hosts goes down on this side.
    pub fn link(&self, is_up: bool) {
        ip(&format!("link set {} {}", self.name, if is_up { "up" } else { "down" }));
    }
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// The link first, with its other end: a namespace gives up what is in it only later.
fn remove(name: &str) {
    for arguments in [["link", "del", name], ["netns", "del", name]] {
        let _ = Command::new("ip").args(arguments).output();
    }
}
