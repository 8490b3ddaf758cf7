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
        engine
            .perform(&format!("start_second_engine && docker save {image} | second_docker load"))
            .await;
        engine
    }

    /// The same, but its containers reach what this network namespace reaches.
    pub async fn start_in(namespace: &str, image: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cfd").tempdir_in("/var/tmp").unwrap();
        let engine = Self { folder };
        engine.perform(&format!("start_second_engine_in {namespace}")).await;
        engine.perform(&format!("docker save {image} | second_docker load")).await;
        engine
    }

    /// Stops it, with what runs in it.
    pub async fn stop(&self) {
        self.perform("stop_engine").await;
    }

    /// With the images that it had, in this network namespace.
    pub async fn start_again(&self, namespace: &str) {
        self.perform(&format!("start_second_engine_in {namespace}")).await;
    }

    async fn perform(&self, step: &str) {
        let output = tokio::process::Command::from(self.step(step)).output().await.unwrap();
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
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
