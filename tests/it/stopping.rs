//! What could hold up a stop and does not, and what could make a store take nothing: a disk that is full, a
//! data folder that is deleted. The disk is a file system in memory, which only root can mount.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use cloudfunc::{
    app::Role,
    client::Error,
    lifecycle::{Ending, Kind},
    model::{Body, Problem, code},
};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    home,
    support::{
        eventually, eventually_within,
        home::SOON,
        platform::{Stack, TestPlatform},
    },
};

/// Longer than a stop takes, shorter than its grace: that is 60 s here, and not to be used up.
const WITHOUT_GRACE: Duration = Duration::from_secs(30);

async fn patient(test: &str) -> TestPlatform {
    let grace = |platform: &mut cloudfunc::settings::Platform| {
        platform.limits.stop_grace = Duration::from_secs(60);
    };
    TestPlatform::start_with(Stack::LIGHT, test, grace).await.unwrap()
}

#[tokio::test]
async fn requests_that_have_not_come_whole_do_not_hold_up_a_stop() {
    let platform = patient("half_requests").await;
    let token = fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
    let internal = fs::read_to_string(platform.platform.data_dir.join("internal-token")).unwrap();
    let mut held = Vec::new();
    for role in Role::ALL {
        let token = if role == Role::Gateway { token.trim() } else { internal.trim() };
        let address = platform.address(role);
        let head = format!(
            "POST /v1/functions/f/invoke HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n"
        );
        for sent in [
            String::new(),
            "GET /healthz HTTP/1.1\r\nHos".to_owned(),
            format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\nGET /heal"),
            format!("{head}Content-Length: 100\r\n\r\nab"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        ] {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(sent.as_bytes()).unwrap();
            held.push(connection);
        }
    }
    tokio::time::timeout(WITHOUT_GRACE, platform.stop()).await.expect("it waits for nobody");
    for mut connection in held {
        connection.set_read_timeout(Some(SOON)).unwrap();
        let mut answers = Vec::new();
        // An end, or a reset: what was sent was not read.
        let _ = connection.read_to_end(&mut answers);
    }
}

#[tokio::test]
async fn a_request_that_has_come_whole_is_answered_though_the_platform_stops() {
    let platform = patient("whole_request").await;
    let code = "import time\n\ndef handler(event):\n    time.sleep(1.5)\n    return event\n";
    platform.deploy("slow", &[("function.py", code)]).await;
    let request = platform.post("/v1/functions/slow/invoke").body(r#"{"n":7}"#);
    let answer = tokio::spawn(request.send());
    eventually("it runs", || async {
        let instances = platform.get("/v1/functions/slow/instances").send().await.ok()?;
        let instances: Value = instances.json().await.ok()?;
        instances["items"].as_array().filter(|items| !items.is_empty()).map(drop)
    })
    .await;
    platform.stop().await;
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, r#"{"n":7}"#.to_owned()));
}

/// Its caller knows what to look for once the platform is back.
#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_told_its_id_and_has_a_record() {
    let test = "a_call_that_outlasts_the_grace_is_told_its_id_and_has_a_record";
    let mut platform = TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.limits.stop_grace = Duration::from_millis(300);
    })
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let code = "import pathlib, time\n\ndef handler(event):\n    pathlib.Path(event).touch()\n    time.sleep(60)\n";
    platform.deploy("slow", &[("function.py", code)]).await;
    let body = serde_json::to_string(&begun).unwrap();
    let call = tokio::spawn(platform.post("/v1/functions/slow/invoke").body(body).send());
    eventually("it runs", || std::future::ready(begun.exists().then_some(()))).await;
    platform.restart().await;
    let answer = call.await.unwrap().expect("an answer");
    assert_eq!(answer.status(), 502);
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!((&*problem.code, problem.retry_safe), (code::INTERRUPTED.code, false), "{problem:?}");
    let id = problem.invocation_id.expect("its id");
    let record = platform.client.record(id, None).await.unwrap();
    assert_eq!(Ending::of_record(&record).unwrap().kind(), Kind::Interrupted, "{record:?}");
    platform.stop().await;
}

/// A file system in memory; unmounted when it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where this user may not mount.
    fn mount(path: &Path, test: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            let note = format!("SKIPPED {test}: only root can mount a file system\n");
            let _ = std::io::stderr().write_all(note.as_bytes());
        }
        mounted.then(|| Self(path.to_owned()))
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=200m"]).arg(&self.0).status();
        assert!(grown.unwrap().success());
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 1 << 16]).is_ok() {}
        while file.write_all(&[0; 1]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn large(bytes: usize) -> Body {
    Body { content_type: "text/plain".to_owned(), bytes: vec![b'x'; bytes].into() }
}

fn problem<T: std::fmt::Debug>(answer: Result<T, Error>) -> Problem {
    match answer {
        Err(Error::Problem(problem)) => *problem,
        other => panic!("no problem: {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_named_counted_and_no_longer_there_once_it_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let test = "a_full_disk_is_named_counted_and_no_longer_there_once_it_has_room";
    let Some(disk) = Disk::mount(&folder.path().join("disk"), test) else { return };
    let place = disk.0.clone();
    let platform = TestPlatform::start_with(Stack::LIGHT, test, |platform| {
        platform.data_dir = place.join("data");
        platform.store = format!("sqlite:{}", place.join("data/store.db").display()).parse().unwrap();
    })
    .await
    .unwrap();
    platform.deploy("one", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    assert_eq!(platform.value("one", "{}").await, "1");

    disk.fill();
    let name = "one".parse().unwrap();
    // What the log still has room for is taken.
    let refused = eventually("an accept is refused", || async {
        platform.client.invoke_async(&name, large(3 << 20)).await.err()
    });
    let refused = problem::<()>(Err(refused.await));
    let told = (refused.status, refused.code.as_str(), refused.detail.as_str(), refused.retry_safe);
    assert_eq!(told, (503, "disk_full", "the disk of the data folder is full", true));
    assert_eq!(platform.value("one", "{}").await, "1", "a call needs no disk");
    let health = platform.get("/readyz").send().await.unwrap();
    assert_eq!(health.status(), 503);
    let health: Value = health.json().await.unwrap();
    let waits = health["waiting_for"].as_str().unwrap();
    assert!(waits.ends_with("the disk of the data folder is full"), "{waits}");
    let scheduler: Value = platform
        .request(Role::Scheduler, Method::GET, "/healthz")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(scheduler["dropped"]["refused"].as_u64().unwrap() >= 1, "{scheduler}");
    let deployed = platform.try_deploy("two", &[("function.py", "def handler(event):\n    return 2\n")]);
    let told = problem(deployed.await);
    assert_eq!(told.status, 503);
    assert!(told.detail.contains("the disk of the data folder is full"), "{told:?}");

    disk.make_room();
    eventually("it is ready again", || async {
        platform.client.health().await.ok().filter(|health| health.ready)
    })
    .await;
    let accepted = platform.client.invoke_async(&name, large(100)).await.unwrap();
    platform.client.record(accepted.id, Some(Duration::from_secs(30))).await.unwrap();
    platform.deploy("two", &[("function.py", "def handler(event):\n    return 2\n")]).await;
    assert_eq!(platform.value("two", "{}").await, "2");
    platform.stop().await;
}

/// The lines that waited for the store were what the stop waited for, for ever.
#[tokio::test]
async fn after_a_full_disk_got_room_again_a_stop_ends() {
    let mut home = home!("embedded");
    let data = home.data_dir();
    let test = "after_a_full_disk_got_room_again_a_stop_ends";
    let Some(disk) = Disk::mount(&data, test) else { return home.leave().await };
    let mut up = home.begin("up", &["--embedded", "--runtime", "oci"]);
    up.says("next, in another terminal", SOON).await;
    let chatty =
        "def handler(event):\n    for number in range(5000):\n        print(number)\n    return 1\n";
    home.deploy("chatty", chatty, "").await.ok();
    let client = home.client().await;
    let (chatty, json) = ("chatty".parse().unwrap(), || Body {
        content_type: "application/json".to_owned(),
        bytes: "{}".into(),
    });
    // Its instance is there before the disk is full: another one needs a folder.
    client.invoke(&chatty, json()).await.unwrap();
    disk.fill();
    // More lines than can wait.
    for _ in 0..16 {
        client.invoke(&chatty, json()).await.unwrap();
        let _ = client.invoke_async(&chatty, large(300_000)).await;
    }
    disk.make_room();
    disk.grow();
    up.signal(Signal::INT);
    assert_eq!(up.ended(Duration::from_secs(25)).await, Some(130), "within its grace of 30 s");
    assert!(!up.stderr().contains("not stopped in time"), "{}", up.stderr());
    drop(disk);
    home.assert_left().await;
}

#[tokio::test]
async fn a_data_folder_that_is_deleted_ends_the_platform_with_its_reason() {
    for (deleted, what) in [("", "the data folder"), ("store.db", "the store")] {
        let mut home = home!("embedded");
        let mut up = home.begin("up", &["--embedded", "--runtime", "oci"]);
        up.says("next, in another terminal", SOON).await;
        home.deploy("one", "def handler(event):\n    return 1\n", "").await.ok();
        home.run(&["invoke", "one"]).await.ok();
        let path = home.data_dir().join(deleted);
        match deleted {
            // Somebody writes into it meanwhile.
            "" => {
                eventually_within(SOON, "it is deleted", || {
                    let _ = fs::remove_dir_all(&path);
                    std::future::ready((!path.exists()).then_some(()))
                })
                .await
            }
            _ => fs::remove_file(&path).unwrap(),
        }
        assert_eq!(up.ended(SOON).await, Some(3), "{deleted}");
        let path = path.display().to_string();
        let reason = format!(
            "{what} {} was deleted or replaced while the platform ran",
            path.trim_end_matches('/')
        );
        assert!(up.stderr().contains(&reason), "{reason}: {}", up.stderr());
        assert!(!Path::new(&path).exists(), "it is not made anew");
        home.assert_left().await;
    }
}
