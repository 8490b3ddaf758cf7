//! On which hosts the packages of a function can be used.

use std::{sync::Arc, time::Duration};

use cloudfunc::{
    client::Outcome,
    model::{Mode, api::Unusable},
    queue::Address,
    settings::Platform,
};

use super::{
    CODE, deploy,
    ends::{Another, NO_MANAGER},
    installed, on, only,
    wheelhouse::{Wheelhouse, greet},
};
use crate::support::{
    beside::{Beside, Between, EngineSwitch, Fate},
    eventually,
    platform::{Stack, TestPlatform, function},
};

on! {
    postgres_rabbitmq_process: a_manager_takes_no_work_whose_packages_it_cannot_use;
}

async fn unusable(platform: &TestPlatform) -> Vec<Unusable> {
    platform.client.function(&function("f")).await.unwrap().unusable
}

async fn a_manager_takes_no_work_whose_packages_it_cannot_use(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let folder = house.path();
    let change = move |platform: &mut Platform| {
        only(platform, folder);
        platform.limits.queue_wait = Duration::from_secs(2);
    };
    let Some(platform) = TestPlatform::start_roles(stack, test, &NO_MANAGER, change).await else {
        return;
    };
    let first = Another::start(&platform).await;
    let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
    platform.deploy("f", &files).await;
    platform.deploy("g", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    assert_eq!(unusable(&platform).await, []);

    let engine = Arc::new(EngineSwitch::default());
    engine.pretend("pdp11");
    let queue = Between::new(platform.queue().await, |_, _| Fate::Sent);
    let second = Beside::start(&platform, &engine, queue.clone()).await;
    let said = eventually("it says what it cannot run", || async {
        unusable(&platform).await.into_iter().next()
    })
    .await;
    let here = std::env::consts::ARCH;
    let reason = format!("its packages are for {here}, and the host is pdp11");
    assert_eq!(said.reason, reason);
    let store = platform.store().await;
    let [f, g] = ["f", "g"].map(function);
    let [f, g] =
        [store.function(&f).await.unwrap().unwrap(), store.function(&g).await.unwrap().unwrap()];
    let consumed = |id, mode| queue.consumed(&Address::Function(id, mode));
    for mode in [Mode::Sync, Mode::Async] {
        eventually("it takes other work", || async { (!consumed(g.id, mode).is_empty()).then_some(()) })
            .await;
        assert!(consumed(f.id, mode).is_empty());
    }
    for _ in 0..3 {
        assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    }
    let (_, shown, _) = platform.cli(&["show", "f"]).await;
    let line = shown.lines().find(|line| line.starts_with("not on ")).expect(&shown);
    let manager = said.manager.to_string();
    assert_eq!(line, format!("not on        manager {}: {reason}", &manager[manager.len() - 12..]));

    // Without the other one nobody takes it, and its caller is told why.
    first.stop().await;
    let problem = platform.problem("f", "\"Ada\"").await;
    let hint = format!(
        "manager {manager} cannot run it: {reason}; `cloudfunc show f` names all that cannot, and another manager has to be \
         running"
    );
    assert_eq!((problem.code.as_str(), problem.hint.as_deref()), ("interrupted", Some(&hint[..])));
    assert!(consumed(f.id, Mode::Sync).is_empty());
    // What it builds itself it can run: the same source, and the same packages for another host.
    let (deployed, told) = deploy(&platform, "f", &files).await;
    let deployed = deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert!(!deployed.unchanged && installed(&told), "{deployed:?}: {told:?}");
    let answer = platform.invoke("f", "\"Ada\"").await;
    assert!(matches!(answer.outcome, Outcome::Value(_)), "{answer:?}");
    eventually("it says so", || async { unusable(&platform).await.is_empty().then_some(()) }).await;
    store.close().await;
    second.stop().await;
    platform.stop().await;
}
