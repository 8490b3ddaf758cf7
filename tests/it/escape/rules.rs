//! The rules behind egress on Docker, as `iptables` lists them.

use std::process::Command;

use cloudfunc::runtime::connect;
use futures_util::future::join_all;
use serde_json::json;

use super::{Entry, Fixture, Kind, Network, config, prerequisites};
use crate::{
    desk,
    support::{desk::SOON, process::Process},
};

const NOTHING: &str = "def handler(event): return 'done'";

fn iptables(arguments: &[&str]) -> String {
    let output = Command::new("iptables").arg("--wait").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Fixture {
    fn engine_network(&self) -> String {
        format!("cloudfunc-{}-egress", self.owner.platform)
    }

    /// The name of the bridge, asked of the engine.
    fn bridge(&self) -> String {
        let format = "{{index .Options \"com.docker.network.bridge.name\"}}";
        let arguments = ["network", "inspect", "--format", format, &self.engine_network()];
        let output = Command::new("docker").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Where the rules of a bridge are jumped to from.
fn hooks(bridge: &str) -> Vec<String> {
    let all = iptables(&["--list-rules"]);
    let jump = format!(" -i {bridge} -j {bridge}");
    all.lines().filter_map(|rule| rule.strip_suffix(&jump)).map(str::to_owned).collect()
}

const BOTH: [&str; 2] = ["-A INPUT", "-A DOCKER-USER"];

async fn they_go_with_the_network(fixture: &Fixture) {
    let mut instance = fixture.start(NOTHING).await;
    let bridge = fixture.bridge();
    assert_eq!(hooks(&bridge), BOTH);
    assert_eq!(fixture.runtime.notices(Network::Egress).await, Vec::<String>::new());
    assert_eq!(hooks(&bridge), BOTH, "set once, however often somebody looks");
    assert_eq!(instance.invoke(json!(null)).await, "done");
    instance.sandbox.remove().await;
    fixture.nothing_is_left().await;
    assert!(!iptables(&["--list-rules"]).contains(&bridge));
}

async fn one_manager_does_not_take_them_from_another(fixture: &Fixture) {
    let instance = fixture.start(NOTHING).await;
    let mut other = fixture.owner.clone();
    other.manager = cloudfunc::model::ManagerId::new();
    let config = config(Kind::Docker, &other, fixture.folder.path());
    let removed = connect(&config).unwrap().remove_all(&other).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    assert_eq!(hooks(&fixture.bridge()), BOTH);
    instance.sandbox.remove().await;
}

async fn those_that_somebody_took_away_are_set_again_by_the_next_process(fixture: &Fixture) {
    let instance = fixture.start(NOTHING).await;
    let bridge = fixture.bridge();
    let listed = iptables(&["--list-rules", &bridge]);
    iptables(&["--delete", "DOCKER-USER", "--in-interface", &bridge, "--jump", &bridge]);
    iptables(&["--flush", &bridge]);
    assert_eq!(hooks(&bridge), ["-A INPUT"]);

    let config = config(Kind::Docker, &fixture.owner, fixture.folder.path());
    let next = connect(&config).unwrap().start(&fixture.spec(NOTHING)).await.unwrap();
    assert_eq!(hooks(&bridge), BOTH);
    assert_eq!(iptables(&["--list-rules", &bridge]), listed);
    next.sandbox.remove().await;
    instance.sandbox.remove().await;
}

async fn managers_that_begin_together_share_one_network(fixture: &Fixture) {
    let config = config(Kind::Docker, &fixture.owner, fixture.folder.path());
    let managers: Vec<_> = (0..6).map(|_| connect(&config).unwrap()).collect();
    let notices = join_all(managers.iter().map(|manager| manager.notices(Network::Egress))).await;
    assert_eq!(notices, vec![Vec::<String>::new(); 6]);
    let filter = format!("name={}", fixture.engine_network());
    let listed = Command::new("docker").args(["network", "ls", "--quiet", "--filter", &filter]).output();
    assert_eq!(String::from_utf8(listed.unwrap().stdout).unwrap().lines().count(), 1);
}

macro_rules! rules {
    ($($property:ident)*) => {
        mod docker {
            use super::{Entry, Fixture, Kind, Network, prerequisites};
            $(#[tokio::test]
            async fn $property() {
                if !prerequisites(Kind::Docker, concat!(module_path!(), "::", stringify!($property))) {
                    return;
                }
                let fixture = Fixture::new(Kind::Docker, Network::Egress, Entry::Shim);
                super::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
    };
}

rules! {
    they_go_with_the_network
    one_manager_does_not_take_them_from_another
    those_that_somebody_took_away_are_set_again_by_the_next_process
    managers_that_begin_together_share_one_network
}

#[tokio::test]
async fn a_deploy_says_why_egress_is_open_where_no_rules_can_be_set() {
    let desk = desk!();
    if !prerequisites(Kind::Docker, "escape::rules") {
        return;
    }
    // Root without the right to set rules, as in many containers.
    let command = desk.cloudfunc(&[]);
    let binary = command.get_program().to_owned();
    let mut up = Command::new("setpriv");
    up.args(["--bounding-set", "-net_admin"]).arg(binary).arg("up").args(desk.backends());
    up.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    for role in ["gateway", "registry", "scheduler", "manager"] {
        up.args([format!("--{role}-port"), "0".to_owned()]);
    }
    let mut up = Process::start(up, desk.home(), "up");
    up.says("cloudfunc is ready", SOON).await;
    let deployed = desk.deploy("open_fn", NOTHING, "network = \"egress\"\n").await;
    let notice = "egress also reaches this host, private and link-local addresses: only root may set \
                  firewall rules (this process has not CAP_NET_ADMIN)";
    assert!(deployed.stderr.contains(notice), "{deployed:?}");
    assert_eq!(deployed.code, Some(0));
    up.signal(rustix::process::Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    desk.leave().await;
}
