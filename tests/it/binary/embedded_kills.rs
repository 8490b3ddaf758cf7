//! `kill -9` of one `cloudfunc up --embedded` at several moments of 500 async invocations: what was
//! answered 202 ends once, and of the killed lives nothing is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use cloudfunc::{
    client::{Client, RecordFilter},
    store::{self, Totals},
};
use rustix::process::Signal;

use super::SLEEPER;
use crate::{
    desk,
    support::{
        accepted::Accepted,
        desk::{Desk, SOON},
        eventually_within,
        process::Process,
    },
};

/// What clients want to have accepted in the end.
const WANTED: usize = 500;
const CLIENTS: usize = 8;
const MANIFEST: &str = "[scaling]\nmax_instances = 4\n";
const LONG: Duration = Duration::from_secs(180);

fn payload(number: usize) -> String {
    format!("{{\"n\":{number},\"seconds\":0.02}}")
}

/// One `up --embedded` after the other, on the same data folder.
pub struct Embedded {
    pub desk: Desk,
    runtime: &'static str,
    lives: usize,
}

impl Embedded {
    pub fn new(desk: Desk, runtime: &'static str) -> Self {
        Self { desk, runtime, lives: 0 }
    }

    fn data_dir(&self) -> PathBuf {
        self.desk.home().join(format!("state/cloudfunc/embedded-{}", self.desk.name))
    }

    /// Starts it on the same data folder, until it is ready.
    pub async fn up(&mut self) -> (Process, Client) {
        let mut command = self.desk.cloudfunc(&["up", "--embedded", "--runtime", self.runtime]);
        for role in ["gateway", "registry", "scheduler", "manager"] {
            command.args([format!("--{role}-port"), "0".to_owned()]);
        }
        self.lives += 1;
        let mut up = Process::start(command, self.desk.home(), &format!("up{}", self.lives));
        up.says("cloudfunc is ready", SOON).await;
        let status = self.desk.run(&["status", "--json"]).await.json();
        let roles = status["roles"].as_array().unwrap();
        let gateway = roles.iter().find(|role| role["role"] == "gateway").unwrap();
        let client = self.desk.client_at(gateway["url"].as_str().unwrap(), &self.data_dir());
        (up, client)
    }

    /// Kills it, and starts the next life. Whatever sandbox the killed one has left is gone then.
    async fn next_life(&mut self, mut up: Process) -> (Process, Client) {
        up.signal(Signal::KILL);
        assert_eq!(up.ended(SOON).await, None);
        let old: BTreeSet<String> = self.desk.containers().into_iter().collect();
        let next = self.up().await;
        let now: BTreeSet<String> = self.desk.containers().into_iter().collect();
        assert!(old.is_disjoint(&now), "left over: {:?}", old.intersection(&now));
        next
    }

    async fn totals(&self) -> Totals {
        let config = format!("sqlite:{}", self.data_dir().join("store.db").display());
        let store = store::connect(&config.parse().unwrap()).await.unwrap();
        let totals = store.totals().await.unwrap();
        store.close().await;
        totals
    }

    /// Mounts and cgroups that name this desk or its home.
    fn mounts_and_cgroups(&self) -> Vec<String> {
        let home = self.desk.home().display().to_string();
        let is_ours = |text: &str| text.contains(&home) || text.contains(&self.desk.name);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut found: Vec<String> =
            mounts.lines().filter(|line| is_ours(line)).map(str::to_owned).collect();
        let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
        while let Some(folder) = folders.pop() {
            // One that has just gone is not there any more.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    let path = entry.path();
                    found.extend(Some(path.display().to_string()).filter(|path| is_ours(path)));
                    folders.push(path);
                }
            }
        }
        found
    }
}

async fn states(client: &Client) -> BTreeMap<&'static str, usize> {
    let filter = RecordFilter { limit: Some(500), ..RecordFilter::default() };
    let mut states = BTreeMap::new();
    for record in client.records(&filter).await.unwrap().items {
        *states.entry(record.state.as_str()).or_default() += 1;
    }
    states
}

async fn a_platform_killed_at_any_moment_loses_nothing(desk: Desk, runtime: &'static str) {
    let mut platform = Embedded::new(desk, runtime);
    let before = platform.mounts_and_cgroups();
    let told = Accepted::default();
    let (up, client) = platform.up().await;
    platform.desk.deploy("sleeper", SLEEPER, MANIFEST).await.ok();

    // While requests are being accepted.
    let clients = told.post(&client, CLIENTS, WANTED, "sleeper", payload);
    eventually_within(SOON, "some are accepted", async || (told.count() >= 150).then_some(())).await;
    let (up, client) = platform.next_life(up).await;
    clients.join_all().await;
    let during = told.count();
    assert!(during < WANTED, "it was killed while they posted");

    // While some run, others wait, and others have ended.
    told.post(&client, CLIENTS, WANTED, "sleeper", payload).join_all().await;
    assert!(told.count() >= WANTED);
    eventually_within(LONG, "some run, others wait", async || {
        let states = states(&client).await;
        let count = |state| states.get(state).copied().unwrap_or(0);
        (count("running") > 0 && count("queued") > 0 && count("succeeded") > 20).then_some(())
    })
    .await;
    let (up, _) = platform.next_life(up).await;

    // At once after a restart, while what was left is taken up again.
    let (mut up, client) = platform.next_life(up).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(told.lost(&client).await, []);
    eventually_within(LONG, "those without an answer have ended, too", async || {
        let states = states(&client).await;
        states.keys().all(|state| *state == "succeeded").then_some(())
    })
    .await;
    let took = begun.elapsed();

    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    let totals = platform.totals().await;
    let (ids, sent) = (told.count() as u64, told.sent() as u64);
    assert!(totals.accepted >= ids && totals.accepted <= sent, "{ids} of {sent}: {totals:?}");
    let expected = Totals { accepted: totals.accepted, terminal: totals.accepted, ..Totals::default() };
    assert_eq!(totals, expected);
    assert_eq!(platform.mounts_and_cgroups(), before);
    eprintln!("{during} accepted before the first kill, {ids} in all; the last ended after {took:?}");
    platform.desk.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oci() {
    a_platform_killed_at_any_moment_loses_nothing(desk!(), "oci").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn docker() {
    a_platform_killed_at_any_moment_loses_nothing(desk!(), "docker").await;
}
