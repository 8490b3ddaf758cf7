//! A second Docker engine, as another host would have one: without any image of ours.

use std::process::Command;

pub struct Engine {
    folder: tempfile::TempDir,
}

impl Engine {
    /// Knows one image, a copy of the default engine's. Its containers have no network.
    pub async fn start(image: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cfd").tempdir_in("/var/tmp").unwrap();
        let engine = Self { folder };
        let copied = format!("start_second_engine && docker save {image} | second_docker load");
        let output = tokio::process::Command::from(engine.step(&copied)).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        engine
    }

    /// For `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    /// The names of its images.
    pub fn images(&self) -> String {
        let listed =
            self.step("second_docker images --format '{{.Repository}}:{{.Tag}}'").output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    }

    fn step(&self, step: &str) -> Command {
        let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup");
        let script =
            format!("set -euo pipefail; source {setup}/lib.sh; source {setup}/engine.sh; {step}");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env("CLOUDFUNC_TEST_STATE", self.folder.path());
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.step("stop_second_engine").status();
    }
}
