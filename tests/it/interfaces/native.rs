//! `language = "native"`: from `init` to the log, and prewarmed.

use cloudfunc::model::Start;

use super::deploy;
use crate::{
    on_stack,
    packages::on,
    prewarmed,
    support::{
        eventually,
        platform::{Stack, TestPlatform, function},
    },
};

on_stack! {
    light:
    what_init_makes_is_deployed_invoked_and_logged
}

on_stack! {
    @ sqlite_embedded_oci:
    what_init_makes_is_deployed_invoked_and_logged
}

on_stack! {
    real:
    what_init_makes_is_deployed_invoked_and_logged
}

async fn what_init_makes_is_deployed_invoked_and_logged(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let greeter = folder.path().join("greeter");
    let greeter = greeter.to_str().unwrap();
    let (code, out, _) = platform.cli(&["init", greeter, "--language", "native"]).await;
    let made = format!("made {greeter}/cloudfunc.toml\nmade {greeter}/report.sh\n");
    assert_eq!((code, out), (0, made));
    let (code, _, stderr) = platform.cli(&["deploy", greeter]).await;
    assert_eq!(code, 0, "{stderr}");
    let invoke = ["invoke", "greeter", "--data", "Ada", "--content-type", "text/plain"];
    let (code, out, stderr) = platform.cli(&invoke).await;
    assert_eq!((code, out.as_str()), (0, "Hello Ada!\n"), "{stderr}");
    eventually("its line is in the log", || async {
        let (_, out, _) = platform.cli(&["logs", "greeter"]).await;
        out.contains("greeting Ada in invocation ").then_some(())
    })
    .await;
    let (code, out, _) = platform.cli(&["show", "greeter"]).await;
    assert!(code == 0 && out.contains("native") && out.contains("command"), "{out}");
}

/// The helper waits in place of an interpreter; variables are the program's only, so that any may be set.
async fn one_that_waits_is_taken(stack: Stack, test: &str) {
    let prewarm =
        |platform: &mut cloudfunc::settings::Platform| platform.limits.prewarm_budget = 256 << 20;
    let Some(platform) = TestPlatform::start_with(stack, test, prewarm).await else { return };
    prewarmed::full(&platform, 2).await;
    let manifest = "language = \"native\"\ninterface = \"command\"\ncommand = [\"./run.sh\"]\n\
                    [env]\nLD_LIBRARY_PATH = \"/var/task\"\nTZ = \"XYZ-3\"\n";
    // Two of Python wait at first; then one of each.
    for name in ["first", "second"] {
        let script = format!("#!/bin/sh\necho {name} \"$TZ\"\n");
        deploy(&platform, name, &[("run.sh", &script), ("cloudfunc.toml", manifest)]).await;
        prewarmed::full(&platform, 2).await;
        let answer = platform.invoke(name, "{}").await;
        assert_eq!(answer.start, Some(Start::Cold), "{answer:?}");
        let record = platform.client.record(answer.id, None).await.unwrap();
        assert!(record.prewarmed || name == "first", "{record:?}");
        assert_eq!(platform.value(name, "{}").await, format!("{name} XYZ-3\n"));
        platform.client.delete(&function(name)).await.unwrap();
        prewarmed::full(&platform, 2).await;
    }
    platform.stop().await;
}

mod waiting {
    use super::*;

    on! {
        sqlite_embedded_oci: one_that_waits_is_taken;
        postgres_rabbitmq_docker: one_that_waits_is_taken;
    }
}
