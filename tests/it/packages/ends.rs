//! How builds end that do not come to their end: with their client, and with their manager.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use cloudfunc::{
    app::{Host, Role},
    client::Error,
    model::{RevisionNumber, api::Deployed},
    place::Addresses,
    settings::Platform,
    shutdown::Shutdown,
    store::Store,
};
use reqwest::Method;
use tokio::task::JoinHandle;

use super::{
    CODE, dependencies, deploy, installed, on, only,
    wheelhouse::{Index, Wheelhouse, greet},
};
use crate::{
    escape::planted::host_addresses,
    support::{
        eventually, eventually_within,
        platform::{Stack, TestPlatform, function, packed},
    },
};

on! {
    light:
    a_client_that_hangs_up_ends_its_installation
    a_client_that_hangs_up_ends_the_load_of_its_code
    whoever_hangs_up_before_a_manager_has_it_is_not_built_for
    an_installation_ends_with_a_request_to_the_registry;
    sqlite_embedded_oci:
    a_client_that_hangs_up_ends_its_installation;
    postgres_rabbitmq_docker:
    a_client_that_hangs_up_ends_its_installation
    a_client_that_hangs_up_ends_the_load_of_its_code
    another_manager_takes_the_build_of_one_that_is_killed;
    postgres_rabbitmq_process:
    whoever_hangs_up_before_a_manager_has_it_is_not_built_for
    two_managers_that_install_the_same_keep_one_tree;
}

/// A client that hangs up is noticed within this time, and the sandbox is gone.
const SOON: Duration = Duration::from_secs(5);

const PACKAGES: [(&str, &str); 2] = [("function.py", CODE), ("requirements.txt", "greet\n")];

/// A platform whose index never answers.
async fn waiting(stack: Stack, test: &str) -> Option<(TestPlatform, Index)> {
    let ip = match stack.has_containers() {
        true => {
            host_addresses().into_iter().map(|one| one.ip).find(IpAddr::is_ipv4).unwrap().to_string()
        }
        false => "127.0.0.1".to_owned(),
    };
    let index = Index::silent(&ip).await;
    let url = index.url();
    let change = move |platform: &mut Platform| platform.builds.index = Some(url.parse().unwrap());
    Some((TestPlatform::start_with(stack, test, change).await?, index))
}

fn begin(
    platform: &TestPlatform,
    name: &str,
    files: &[(&str, &str)],
) -> JoinHandle<Result<Deployed, Error>> {
    let (client, name, archive) = (platform.client.clone(), function(name), packed(files));
    tokio::spawn(async move { client.deploy(&name, archive, |_| {}).await })
}

fn folders(platform: &TestPlatform) -> usize {
    let folder = platform.platform.data_dir.join("instances");
    std::fs::read_dir(folder).into_iter().flatten().count()
}

async fn is_cleared(platform: &TestPlatform) {
    eventually_within(SOON, "sandbox and folder are gone", || async {
        let none = !platform.stack.has_containers() || platform.containers().await.is_empty();
        (none && folders(platform) == 0).then_some(())
    })
    .await;
}

/// The function that was deployed next is the first one there is of its name.
async fn next_is_the_first(platform: &TestPlatform, name: &str) {
    let files = [("function.py", "def handler(event):\n    return 'there'\n")];
    assert_eq!(platform.deploy(name, &files).await.revision, RevisionNumber(1));
    assert_eq!(platform.value(name, "{}").await, "there");
}

async fn a_client_that_hangs_up_ends_its_installation(stack: Stack, test: &str) {
    let Some((platform, index)) = waiting(stack, test).await else { return };
    // Three: one of them waits for a place.
    let clients = ["f", "g", "h"].map(|name| begin(&platform, name, &PACKAGES));
    eventually("two are being installed", || async { (index.asked() >= 2).then_some(()) }).await;
    for client in clients {
        client.abort();
    }
    is_cleared(&platform).await;
    next_is_the_first(&platform, "f").await;
    // Their places are free.
    let asked = index.asked();
    let again = begin(&platform, "g", &PACKAGES);
    eventually("it is being installed", || async { (index.asked() > asked).then_some(()) }).await;
    again.abort();
    let store = platform.store().await;
    assert!(store.function(&function("g")).await.unwrap().is_none());
    store.close().await;
    platform.stop().await;
}

async fn a_client_that_hangs_up_ends_the_load_of_its_code(stack: Stack, test: &str) {
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let client = begin(&platform, "f", &[("function.py", "import time\ntime.sleep(600)\n")]);
    eventually("the code is being loaded", || async { (folders(&platform) == 1).then_some(()) }).await;
    client.abort();
    is_cleared(&platform).await;
    next_is_the_first(&platform, "f").await;
    platform.stop().await;
}

/// As a client without a stream, and without a gateway.
async fn an_installation_ends_with_a_request_to_the_registry(stack: Stack, test: &str) {
    let Some((platform, index)) = waiting(stack, test).await else { return };
    let request = platform
        .request(Role::Registry, Method::POST, "/v1/functions/f/revisions")
        .body(packed(&PACKAGES))
        .send();
    let client = tokio::spawn(request);
    eventually("it is being installed", || async { (index.asked() == 1).then_some(()) }).await;
    client.abort();
    is_cleared(&platform).await;
    next_is_the_first(&platform, "f").await;
    platform.stop().await;
}

/// A manager of this platform in this process, with a folder of its own.
pub(super) struct Another {
    data_dir: PathBuf,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Another {
    pub(super) async fn start(platform: &TestPlatform) -> Self {
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        let host =
            Host::bind(&[Role::Manager], &beside(&platform.platform, folder.path())).await.unwrap();
        let (data_dir, shutdown) = (host.platform().data_dir.clone(), Shutdown::default());
        let running = tokio::spawn(host.run(shutdown.clone()));
        Self { data_dir, shutdown, running, _folder: folder }
    }

    pub(super) async fn stop(self) {
        self.shutdown.soft.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// The settings of another host.
fn beside(platform: &Platform, folder: &Path) -> Platform {
    let manager = "127.0.0.1:0".parse().unwrap();
    let addresses = Addresses { manager, ..platform.addresses };
    Platform { data_dir: folder.join("data"), addresses, ..platform.clone() }
}

pub(super) const NO_MANAGER: [Role; 3] = [Role::Registry, Role::Scheduler, Role::Gateway];

async fn whoever_hangs_up_before_a_manager_has_it_is_not_built_for(stack: Stack, test: &str) {
    if stack == Stack::LIGHT {
        // The embedded queue is that of one host: its manager is busy instead.
        return hung_up_while_the_manager_is_busy(stack, test).await;
    }
    let Some(platform) = TestPlatform::start_roles(stack, test, &NO_MANAGER, |_| {}).await else {
        return;
    };
    let files = [("function.py", "def handler(event):\n    return 1\n")];
    let mut told = Vec::new();
    let (name, client) = (function("f"), platform.client.clone());
    let hangs_up = async {
        let _ = client.deploy(&name, packed(&files), |line| told.push(line.to_owned())).await;
    };
    let waits = "waiting for a manager to build it";
    let _ = tokio::time::timeout(Duration::from_secs(4), hangs_up).await;
    assert_eq!(told.last().map(String::as_str), Some(waits), "{told:?}");
    let manager = Another::start(&platform).await;
    next_is_the_first(&platform, "f").await;
    manager.stop().await;
    platform.stop().await;
}

async fn hung_up_while_the_manager_is_busy(stack: Stack, test: &str) {
    let Some((platform, index)) = waiting(stack, test).await else { return };
    let first = [begin(&platform, "f", &PACKAGES), begin(&platform, "g", &PACKAGES)];
    eventually("two are being installed", || async { (index.asked() == 2).then_some(()) }).await;
    let third = begin(&platform, "h", &PACKAGES);
    third.abort();
    let _ = third.await;
    first.iter().for_each(JoinHandle::abort);
    is_cleared(&platform).await;
    assert_eq!(index.asked(), 2);
    next_is_the_first(&platform, "h").await;
    platform.stop().await;
}

async fn another_manager_takes_the_build_of_one_that_is_killed(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let folder = house.path();
    let change = move |platform: &mut Platform| only(platform, folder);
    let Some(platform) = TestPlatform::start_roles(stack, test, &NO_MANAGER, change).await else {
        return;
    };
    let first_folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
    let first = beside(&platform.platform, first_folder.path());
    let start_first = || {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"))
            .arg("manager")
            .env_clear()
            .env("HOME", first_folder.path())
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(first.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let mut killed = start_first();
    let (tell, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let (client, archive) = (platform.client.clone(), packed(&PACKAGES));
    let deploying = tokio::spawn(async move {
        client.deploy(&function("f"), archive, |line| tell.send(line.to_owned()).unwrap()).await
    });
    let mut installing = async || {
        while let Some(line) = lines.recv().await {
            if installed(std::slice::from_ref(&line)) {
                return;
            }
        }
        panic!("it does not install")
    };
    installing().await;
    killed.kill().await.unwrap();
    let instances = first.data_dir.join("instances");
    let left = || std::fs::read_dir(&instances).unwrap().count();
    assert_eq!(left(), 1, "it was killed in the middle");
    let second = Another::start(&platform).await;
    installing().await;
    assert_eq!(deploying.await.unwrap().unwrap().revision, RevisionNumber(1));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    // What it has left goes at its next start.
    let mut again = start_first();
    eventually("folder and sandbox are gone", || async {
        let live = platform.sandboxes("f").await;
        (left() == 0 && platform.containers().await == live).then_some(())
    })
    .await;
    let id = rustix::process::Pid::from_raw(again.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(again.wait().await.unwrap().success());
    second.stop().await;
    platform.stop().await;
}

async fn two_managers_that_install_the_same_keep_one_tree(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let folder = house.path();
    let change = move |platform: &mut Platform| only(platform, folder);
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let second = Another::start(&platform).await;
    // Both take one of the first builds; which of them the others go to does not matter.
    let (f, g) = tokio::join!(deploy(&platform, "f", &PACKAGES), deploy(&platform, "g", &PACKAGES));
    for (deployed, told) in [f, g] {
        deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        assert!(installed(&told), "{told:?}");
    }
    let tree = dependencies(&platform, "f").await;
    assert_eq!(dependencies(&platform, "g").await, tree);
    let unpacked = |data_dir: &Path| {
        let entries = std::fs::read_dir(data_dir.join("cache/dependencies")).into_iter().flatten();
        entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    for data_dir in [&platform.platform.data_dir, &second.data_dir] {
        let unpacked = unpacked(data_dir);
        assert!(unpacked.is_empty() || unpacked == [tree.tree.as_str()], "{unpacked:?}");
    }
    for name in ["f", "g"] {
        assert_eq!(platform.value(name, "\"Ada\"").await, "Good day, Ada");
    }
    let store = platform.store().await;
    assert!(has_all(&*store, &tree).await);
    store.close().await;
    second.stop().await;
    platform.stop().await;
}

async fn has_all(store: &dyn Store, tree: &cloudfunc::model::Dependencies) -> bool {
    for number in 0..tree.pieces {
        if store.piece(&tree.tree, number).await.unwrap().is_none() {
            return false;
        }
    }
    true
}
