//! A RabbitMQ of one test, which may be killed and started again; by the pieces of `tests/run`.

use std::process::Command;

pub struct Broker {
    folder: tempfile::TempDir,
    /// A line of its `rabbitmq.conf`.
    config: &'static str,
}

impl Broker {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    pub async fn start_with(config: &'static str) -> Self {
        // Where the broker's own user can reach it.
        let folder = tempfile::Builder::new().prefix("cfmq").tempdir_in("/var/tmp").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let broker = Self { folder, config };
        broker.perform("start_rabbitmq").await;
        broker
    }

    pub fn url(&self) -> String {
        let port = std::fs::read_to_string(self.folder.path().join("rabbitmq/port")).unwrap();
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", port.trim())
    }

    /// `kill -9`.
    pub async fn kill(&self) {
        self.perform("halt_rabbitmq").await;
    }

    /// With the ports and the data that it had.
    pub async fn start_again(&self) {
        self.perform("launch_rabbitmq").await;
    }

    /// `rabbitmqctl`; the words are those of a shell.
    pub async fn control(&self, command: &str) {
        self.perform(&format!("control_rabbitmq {command}")).await;
    }

    /// The messages in each queue, those that a consumer holds included.
    pub async fn queues(&self) -> Vec<(String, u64)> {
        listed(&self.perform("control_rabbitmq list_queues --no-table-headers name messages").await)
    }

    async fn perform(&self, step: &str) -> String {
        let output = tokio::process::Command::from(self.step(step)).output().await.unwrap();
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn step(&self, step: &str) -> Command {
        let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/setup");
        let script =
            format!("set -euo pipefail; source {setup}/lib.sh; source {setup}/services.sh; {step}");
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env("CLOUDFUNC_TEST_STATE", self.folder.path());
        command.env("CLOUDFUNC_TEST_RABBITMQ_CONF", self.config);
        command
    }
}

/// Reads `rabbitmqctl list_queues name messages`.
pub fn listed(text: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let (name, messages) = line.split_once('\t')?;
        Some((name.to_owned(), messages.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.step("stop_rabbitmq").status();
    }
}
