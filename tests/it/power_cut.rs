//! The power is cut under the real program: of its files is left what it has synced (`power_cut/disk.c`, preloaded), and
//! the platform starts again on that. A kill alone shows nothing: the kernel keeps what was written.

mod caches;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use cloudfunc::{
    client::{Client, Error, Outcome},
    model::{Record, State},
    store::{self, Totals},
};
use rustix::process::Signal;

use crate::support::{
    accepted::Accepted,
    eventually_within,
    home::{Home, SOON},
    platform::{function, json},
    process::Process,
};

const CLIENTS: usize = 64;
const ECHO: &str = "def handler(event):\n    return event\n";

/// The disk of the platform, of which only synced data survive a power cut.
struct Disk {
    /// The library, what it keeps, and the order to lie about syncs.
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/power_cut/disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        compiler.arg(folder.path().join("disk.so")).arg(source).args(["-ldl", "-lpthread"]);
        let made = compiler.output().expect("a C compiler is there, as `cc`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::create_dir(folder.path().join("shadow")).unwrap();
        Self { folder }
    }

    fn shadow(&self) -> PathBuf {
        self.folder.path().join("shadow")
    }

    /// While this exists, syncs do nothing.
    fn lies(&self) -> PathBuf {
        self.folder.path().join("lies")
    }

    /// While this exists, syncs fail.
    fn fails(&self) -> PathBuf {
        self.folder.path().join("fails")
    }

    /// Has a program write to this disk, below an empty folder.
    fn under(&self, command: &mut Command, state: &Path, delay: usize) {
        command
            .env("LD_PRELOAD", self.folder.path().join("disk.so"))
            .env("POWER_CUT_FOLDER", state)
            .env("POWER_CUT_SHADOW", self.shadow())
            .env("POWER_CUT_LIES", self.lies())
            .env("POWER_CUT_FAILS", self.fails())
            .env("POWER_CUT_DELAY", delay.to_string());
    }

    /// Replaces the folder by what was synced of it.
    fn restore(&self, state: &Path) {
        fs::remove_dir_all(state).unwrap();
        let root = fs::read_to_string(self.shadow().join("root")).unwrap();
        self.restore_folder(&root, 0o700, state);
    }

    fn restore_folder(&self, file: &str, mode: u32, to: &Path) {
        fs::create_dir(to).unwrap();
        let names = fs::read_to_string(self.shadow().join("folders").join(file)).unwrap_or_default();
        for line in names.lines() {
            let [kind, file, mode, name] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let (mode, to) = (u32::from_str_radix(mode, 8).unwrap(), to.join(name));
            if kind == "d" {
                self.restore_folder(file, mode, &to);
                continue;
            }
            let content = fs::read(self.shadow().join("files").join(file)).unwrap_or_default();
            fs::write(&to, content).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// A platform on such a disk.
struct Platform {
    home: Home,
    disk: Disk,
}

impl Platform {
    fn new() -> Self {
        let home = Home::new("embedded");
        fs::create_dir(home.home().join("state")).unwrap();
        Self { home, disk: Disk::new() }
    }

    fn state(&self) -> PathBuf {
        self.home.home().join("state")
    }

    /// Short: the path of a socket in it has at most 107 bytes.
    fn data_dir(&self) -> PathBuf {
        self.state().join("data")
    }

    /// Starts it; on the disk that loses what is not synced, each sync takes so many microseconds.
    async fn up(&self, name: &str, delay: Option<usize>) -> (Process, Client) {
        self.up_with("process", name, delay).await
    }

    async fn up_with(&self, runtime: &str, name: &str, delay: Option<usize>) -> (Process, Client) {
        let mut command = self.home.cloudfunc(&["up", "--embedded", "--runtime", runtime]);
        for role in ["gateway", "registry", "scheduler", "manager"] {
            command.args([format!("--{role}-port"), "0".to_owned()]);
        }
        command.arg("--data-dir").arg(self.data_dir());
        if let Some(delay) = delay {
            self.disk.under(&mut command, &self.state(), delay);
        }
        let mut up = Process::start(command, self.home.home(), name);
        up.says("cloudfunc is ready", SOON).await;
        let status = self.home.run(&["status", "--json"]).await.json();
        let roles = status["roles"].as_array().unwrap();
        let gateway = roles.iter().find(|role| role["role"] == "gateway").unwrap();
        (up, self.home.client_at(gateway["url"].as_str().unwrap(), &self.data_dir()))
    }

    async fn cut_the_power(&self, mut up: Process) {
        up.signal(Signal::KILL);
        assert_eq!(up.ended(SOON).await, None);
        self.disk.restore(&self.state());
    }

    async fn totals(&self) -> Totals {
        let config = format!("sqlite:{}", self.data_dir().join("store.db").display());
        let store = store::connect(&config.parse().unwrap()).await.unwrap();
        let totals = store.totals().await.unwrap();
        store.close().await;
        totals
    }
}

/// Looks at what was accepted, in the order of ids, until nobody answers: the ends that clients were shown.
async fn ends(client: Client, told: Accepted) -> Vec<Record> {
    let mut ended = Vec::new();
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    loop {
        looks.tick().await;
        let Some(next) = told.nth(ended.len()) else { continue };
        let Ok(record) = client.record(next, Some(SOON)).await else { return ended };
        ended.push(record);
    }
}

/// A life with 64 clients, which ends with the power when so many were told 202, and a second one on what is left of it.
/// Returns what was accepted, how many ends were shown before the cut, and how many were lost.
async fn accept_and_cut(
    accepts: usize,
    delay: usize,
    the_disk_lies: bool,
) -> (Platform, Accepted, usize, usize) {
    let platform = Platform::new();
    let (up, client) = platform.up("first", Some(delay)).await;
    platform.home.deploy("echo", ECHO, "").await.ok();
    if the_disk_lies {
        fs::write(platform.disk.lies(), "").unwrap();
    }
    let told = Accepted::default();
    let clients = told.post(&client, CLIENTS, usize::MAX, "echo", |number| number.to_string());
    let ends = tokio::spawn(ends(client, told.clone()));
    eventually_within(SOON, "some are accepted", async || (told.count() >= accepts).then_some(())).await;
    platform.cut_the_power(up).await;
    clients.join_all().await;

    let (mut up, client) = platform.up("second", None).await;
    let lost = told.lost(&client).await.len();
    let shown = ends.await.unwrap();
    for before in shown.iter().filter(|_| !the_disk_lies) {
        let record = client.record(before.id, None).await.unwrap();
        assert_eq!((record.state, record.finished_at), (before.state, before.finished_at), "{before:?}");
    }
    eventually_within(SOON, "those without an answer have ended, too", async || {
        let totals = platform.totals().await;
        (totals.accepted == totals.terminal).then_some(())
    })
    .await;
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    (platform, told, shown.len(), lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_202_survives_and_ends_once() {
    let mut all_shown = 0;
    for (accepts, delay) in [(150, 3000), (401, 300), (700, 0)] {
        let (platform, told, shown, lost) = accept_and_cut(accepts, delay, false).await;
        let (ids, sent) = (told.count(), told.sent());
        assert_eq!(lost, 0, "of {ids} accepted, with syncs of {delay} µs");
        let totals = platform.totals().await;
        assert!((ids as u64..=sent as u64).contains(&totals.accepted), "{ids} of {sent}: {totals:?}");
        assert!(totals.balance(), "{totals:?}");
        all_shown += shown;
        eprintln!("{ids} accepted and {shown} shown to end before the cut, {} in all", totals.accepted);
        platform.home.leave().await;
    }
    assert!(all_shown > 0, "no end was shown before a cut");
}

/// The test above would find what is not synced.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_that_lies_about_syncs_losses_are_found() {
    let (platform, told, _, lost) = accept_and_cut(200, 300, true).await;
    assert!(lost > 0, "none of {} accepted", told.count());
    platform.home.leave().await;
}

/// The kernel may count what it could not write as written, so that what comes later would be lost behind it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_sync_that_failed_nothing_is_accepted_until_the_next_start() {
    let platform = Platform::new();
    let (mut up, client) = platform.up("first", Some(0)).await;
    platform.home.deploy("echo", ECHO, "").await.ok();
    let before = client.invoke_async(&function("echo"), json("1")).await.unwrap().id;
    assert_eq!(client.record(before, Some(SOON)).await.unwrap().state, State::Succeeded);
    let refusal = async || match client.invoke_async(&function("echo"), json("2")).await {
        Err(Error::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    };

    fs::write(platform.disk.fails(), "").unwrap();
    // Unless lines of the call before were synced in between.
    let first = refusal().await;
    let told = (first.code.as_str(), first.retry_safe);
    assert!([("unknown_fate", false), ("disk_full", true)].contains(&told), "{first:?}");
    fs::remove_file(platform.disk.fails()).unwrap();
    let refused = refusal().await;
    assert_eq!((refused.status, refused.code.as_str()), (503, "disk_full"), "{refused:?}");
    assert_eq!(refused.detail, "the disk of the data folder has failed");
    let advice =
        "calls that wait for their result are still served; check the disk, then restart the platform";
    assert_eq!(refused.hint.as_deref(), Some(advice));
    assert!(!client.health().await.unwrap().ready);
    // What a read shows is on disk: after an accept that may not be, there are none.
    match (first.code.as_str(), client.record(before, None).await) {
        ("unknown_fate", Err(Error::Problem(problem))) => assert_eq!(problem.code, "disk_full"),
        ("disk_full", Ok(record)) => assert_eq!(record.state, State::Succeeded),
        (first, read) => panic!("{first}, then {read:?}"),
    }
    let answer = client.invoke(&function("echo"), json("3")).await.unwrap();
    assert!(matches!(&answer.outcome, Outcome::Value(body) if body.bytes == "3"), "{answer:?}");

    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    let (mut up, client) = platform.up("second", None).await;
    let after = client.invoke_async(&function("echo"), json("4")).await.unwrap().id;
    for id in [before, after] {
        assert_eq!(client.record(id, Some(SOON)).await.unwrap().state, State::Succeeded);
    }
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    platform.home.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_was_ready_starts_again_with_its_functions_tokens_and_name() {
    let platform = Platform::new();
    let (up, _) = platform.up("first", Some(300)).await;
    platform.home.deploy("echo", ECHO, "").await.ok();
    let file = |name: &str| fs::read_to_string(platform.data_dir().join(name)).unwrap();
    let names = ["token", "internal-token", "secret-key", "manager-id"];
    let before = names.map(file);
    platform.cut_the_power(up).await;
    assert_eq!(names.map(file), before);

    let (mut up, client) = platform.up("second", None).await;
    let answer = client.invoke(&function("echo"), json("1")).await.unwrap();
    assert!(matches!(&answer.outcome, Outcome::Value(body) if body.bytes == "1"), "{answer:?}");
    let listed = platform.home.run(&["platform", "list"]).await.ok();
    assert!(listed.contains(&platform.home.name), "{listed}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    platform.home.leave().await;
}
