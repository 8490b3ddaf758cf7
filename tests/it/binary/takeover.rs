//! A second manager with an engine of its own, which has none of our images, on the same broker and
//! database: it runs what it never built, and takes over when the first one is killed.

use rustix::process::Signal;

use super::SLEEPER;
use crate::{
    desk,
    support::{
        desk::SOON,
        engine::Engine,
        eventually, eventually_within,
        platform::{function, json},
        roles::HostFlags,
    },
};

const WHERE: &str = "import function\n\n\ndef handler(event):\n    return function.__file__\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_manager_takes_over_from_a_killed_one() {
    let mut desk = desk!();
    let image =
        std::env::var("CLOUDFUNC_PYTHON_IMAGE").unwrap_or_else(|_| "python:3.11-slim".to_owned());
    let engine = Engine::start(&image).await;
    desk.user.engines.push(engine.address());
    let here = HostFlags::new(&desk, "here");
    let there = HostFlags { engine: Some(engine.address()), ..HostFlags::new(&desk, "there") };
    let mut roles = ["registry", "scheduler", "gateway"].map(|role| here.start(&desk, role));
    let mut first = here.start(&desk, "manager");
    for role in roles.iter_mut().chain([&mut first]) {
        role.says(" ready", SOON).await;
    }
    let token = here.data_dir.join("token");
    let at = ["--url", &here.gateway(), "--token-file", token.to_str().unwrap()].map(str::to_owned);
    let call = async |arguments: &[&str]| {
        let at = at.each_ref().map(String::as_str);
        desk.run(&[arguments, &at].concat()).await
    };
    for (name, code, manifest) in [
        ("sleeper", SLEEPER, "[scaling]\nmax_instances = 2\n"),
        ("boxed", WHERE, "package = \"image\"\n"),
    ] {
        let folder = desk.write_function(name, code, manifest);
        call(&["deploy", folder.to_str().unwrap()]).await.ok();
    }
    assert_eq!(call(&["invoke", "boxed"]).await.ok(), "/var/task/function.py");

    assert_eq!(engine.images(), format!("{image}\n"), "the second one's engine has the base image only");
    let mut second = there.start(&desk, "manager");
    second.says("manager ready", SOON).await;
    let client = desk.client_at(&here.gateway(), &here.data_dir);
    let mut ids = Vec::new();
    for n in 0..8 {
        let payload = json(&format!("{{\"n\":{n},\"seconds\":1}}"));
        ids.push(client.invoke_async(&function("sleeper"), payload).await.unwrap().id);
    }
    eventually("the first one runs some", async || {
        first.stderr().contains("executing function=\"sleeper\"").then_some(())
    })
    .await;
    first.signal(Signal::KILL);
    assert_eq!(first.ended(SOON).await, None);
    let begun = tokio::time::Instant::now();
    for (n, id) in ids.iter().enumerate() {
        let record = client.record(*id, Some(SOON)).await.unwrap();
        assert_eq!(record.state.as_str(), "succeeded", "{record:?}\n{}", second.stderr());
        assert_eq!(client.result(*id).await.unwrap().bytes, n.to_string());
    }
    eprintln!("taken over, all ended {:?} after the first manager was killed", begun.elapsed());
    let boxed = call(&["invoke", "boxed"]).await;
    assert!(boxed.stderr.starts_with("cold start"), "{boxed:?}");
    assert_eq!(boxed.ok(), "/var/task/function.py");
    let images = engine.images();
    assert!(images.contains("cloudfunc/boxed:") && images.contains("cloudfunc/python:"), "{images}");

    // The first one comes back and removes what it has left, and nothing of the second's.
    let second_has = desk.containers_on(Some(&engine.address()));
    let left = desk.containers_on(None);
    assert!(!left.is_empty());
    let mut first = here.start(&desk, "manager");
    first.says("left-over sandboxes removed", SOON).await;
    // It has prewarmed ones of its new life soon.
    eventually_within(SOON, "its older containers are gone", async || {
        let there = desk.containers_on(None);
        left.iter().all(|container| !there.contains(container)).then_some(())
    })
    .await;
    assert_eq!(desk.containers_on(Some(&engine.address())), second_has);
    for process in [&mut first, &mut second].into_iter().chain(&mut roles) {
        process.signal(Signal::TERM);
        assert_eq!(process.ended(SOON).await, Some(0), "{}", process.stderr());
    }
    desk.leave().await;
}
