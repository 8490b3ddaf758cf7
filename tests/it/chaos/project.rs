//! The services that `up` starts itself: containers of a compose project, on the machine's own engine.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use super::stacks::{PASSWORD, free_port};
use crate::support::{broker::listed, home::SOON};

const DATABASE: &str = "postgres";
const BROKER: &str = "rabbitmq";

pub struct Project {
    name: String,
    database: u16,
    broker: u16,
    management: u16,
}

impl Project {
    /// The services of a platform's `up`; nothing is started.
    pub fn of(platform: &str) -> Self {
        let name = format!("cloudfunc-{platform}");
        Self { name, database: free_port(), broker: free_port(), management: free_port() }
    }

    /// The services have the same ports in all lives of the platform.
    pub fn configure(&self, up: &mut Command) {
        up.env("POSTGRES_PORT", self.database.to_string());
        up.env("RABBITMQ_PORT", self.broker.to_string());
        up.env("RABBITMQ_MANAGEMENT_PORT", self.management.to_string());
        up.env("POSTGRES_PASSWORD", PASSWORD);
    }

    /// The URL of the store.
    pub fn store(&self) -> String {
        format!("postgres://cloudfunc:{PASSWORD}@127.0.0.1:{}/cloudfunc", self.database)
    }

    pub async fn kill_database(&self) {
        self.tell("kill", DATABASE).await;
    }

    pub async fn start_database(&self) {
        self.start(DATABASE).await;
    }

    pub async fn kill_broker(&self) {
        self.tell("kill", BROKER).await;
    }

    pub async fn start_broker(&self) {
        self.start(BROKER).await;
    }

    /// Both are told to stop, and start again.
    pub async fn restart(&self) {
        let restart = async |service| {
            self.tell("stop", service).await;
            self.start(service).await;
        };
        tokio::join!(restart(DATABASE), restart(BROKER));
    }

    async fn tell(&self, order: &str, service: &str) {
        docker(&[order, &self.container(service).await]).await;
    }

    /// Returns when it answers.
    async fn start(&self, service: &str) {
        let container = self.container(service).await;
        docker(&["start", &container]).await;
        let deadline = Instant::now() + SOON;
        while !self.answers(service, &container).await {
            assert!(Instant::now() < deadline, "{service} does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The messages in each queue of the broker.
    pub async fn queues(&self) -> Vec<(String, u64)> {
        let broker = self.container(BROKER).await;
        let list = ["rabbitmqctl", "list_queues", "--silent", "--no-table-headers", "name", "messages"];
        listed(&docker(&[&["exec", &broker][..], &list].concat()).await)
    }

    /// Finds a container by its labels: compose v1 and v2 name them differently.
    async fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let service = format!("label=com.docker.compose.service={service}");
        let list = ["ps", "--all", "--quiet", "--filter", &project, "--filter", &service];
        let found = tokio::process::Command::new("docker").args(list).output().await.unwrap();
        String::from_utf8(found.stdout).unwrap().trim().to_owned()
    }

    async fn answers(&self, service: &str, container: &str) -> bool {
        let broker = self.broker;
        match service {
            DATABASE => docker_ok(&["exec", container, "pg_isready", "-h", "127.0.0.1"]).await,
            _ => tokio::task::spawn_blocking(move || speaks_amqp(broker)).await.unwrap(),
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        for (list, remove) in [
            (&["ps", "--all", "--quiet"][..], &["rm", "--force", "--volumes"][..]),
            (&["volume", "ls", "--quiet"], &["volume", "rm", "--force"]),
            (&["network", "ls", "--quiet"], &["network", "rm"]),
        ] {
            let found = Command::new("docker").args(list).args(["--filter", &filter]).output().unwrap();
            for one in String::from_utf8_lossy(&found.stdout).lines() {
                let _ = Command::new("docker").args(remove).arg(one).output();
            }
        }
    }
}

/// The port alone says nothing: Docker's proxy accepts for a service that is not there yet.
fn speaks_amqp(port: u16) -> bool {
    let greeted = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first)
    });
    // The type of a method frame.
    greeted.is_ok_and(|first| first == [1])
}

async fn docker(arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("docker").args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn docker_ok(arguments: &[&str]) -> bool {
    tokio::process::Command::new("docker").args(arguments).output().await.unwrap().status.success()
}
