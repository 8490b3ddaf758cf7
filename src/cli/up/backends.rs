//! The compose stack's store and queue: starts them, waits until they are healthy, and returns how to reach
//! them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    cli::{Error, Exit, Output, Progress},
    compose::{self, Credentials, Project, Service, urls},
    local::ports::{self, Port},
    queue, store,
};

/// The time limit for becoming healthy. A first start initialises a database, possibly on a slow disk.
const HEALTHY_WITHIN: Duration = Duration::from_secs(180);
/// The interval of health checks. Compose v1 cannot wait for health, and each check starts a program.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// The number of restarts after which a container is not expected to recover.
const MAX_RESTARTS: u32 = 3;

/// Ports of the compose services, on loopback; 0 takes a free one.
#[derive(Clone, Debug, clap::Args)]
pub struct ComposeArgs {
    /// Port of Postgres
    #[arg(long, env = "POSTGRES_PORT", value_name = "PORT", default_value_t = 5432)]
    #[arg(help_heading = "Compose services")]
    postgres_port: u16,
    /// Port of RabbitMQ
    #[arg(long, env = "RABBITMQ_PORT", value_name = "PORT", default_value_t = 5672)]
    #[arg(help_heading = "Compose services")]
    rabbitmq_port: u16,
    /// Port of RabbitMQ's management page
    #[arg(long, env = "RABBITMQ_MANAGEMENT_PORT", value_name = "PORT", default_value_t = 15672)]
    #[arg(help_heading = "Compose services")]
    rabbitmq_management_port: u16,
}

impl ComposeArgs {
    /// Returns the ports, with a free one in place of each 0.
    pub fn ports(&self) -> Result<[Port; 3], Error> {
        let mut chosen =
            [self.postgres_port, self.rabbitmq_port, self.rabbitmq_management_port].map(Some);
        ports::choose(&mut chosen.each_mut()).map_err(|error| Error::new(Exit::Platform, error))?;
        let port = |index: usize, of, flag| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, chosen[index].unwrap_or_default()));
            Port { of, address, flag }
        };
        Ok([
            port(0, "Postgres", "--postgres-port"),
            port(1, "RabbitMQ", "--rabbitmq-port"),
            port(2, "RabbitMQ's management page", "--rabbitmq-management-port"),
        ])
    }
}

/// Starts the services that are not running, waits until all are healthy, and returns how to reach them.
pub async fn start(
    project: &Project,
    args: &ComposeArgs,
    out: &Output,
) -> Result<(store::Config, queue::Config), Error> {
    let ports = args.ports()?;
    if !project.services().await?.iter().any(|service| service.state == "running") {
        ports::check(&ports)?;
    }
    let variable = |name: &str| std::env::var(name).ok();
    let volumes = project.has_volumes().await?;
    let (credentials, notes) = Credentials::load(&project.folder, &project.name, variable, volumes)?;
    notes.iter().for_each(|note| out.note(note));

    let progress = out.progress("starting Postgres and RabbitMQ (their images are pulled if missing)");
    let [postgres, rabbitmq, management] = ports.map(|port| port.address.port());
    let settings = [
        ("POSTGRES_PORT", postgres.to_string()),
        ("RABBITMQ_PORT", rabbitmq.to_string()),
        ("RABBITMQ_MANAGEMENT_PORT", management.to_string()),
    ];
    project.up(&credentials, &settings).await?;
    wait_healthy(project, &progress).await?;
    Ok(urls(&credentials, postgres, rabbitmq))
}

async fn wait_healthy(project: &Project, progress: &Progress) -> Result<(), Error> {
    let deadline = Instant::now() + HEALTHY_WITHIN;
    let mut shown = String::new();
    loop {
        let services = project.services().await?;
        let now: Vec<String> =
            services.iter().map(|service| format!("{} {}", service.name, service.describe())).collect();
        let now = now.join(", ");
        if now != shown {
            progress.say(&now);
            shown = now;
        }
        if !services.is_empty() && services.iter().all(Service::is_healthy) {
            return Ok(());
        }
        if let Some(ended) = services.iter().find(|service| is_lost(service)) {
            let problem = format!("{} does not stay up ({})", ended.name, ended.describe());
            return Err(with_last_lines(problem, ended).await);
        }
        if Instant::now() > deadline {
            let seconds = HEALTHY_WITHIN.as_secs();
            return Err(match services.iter().find(|service| !service.is_healthy()) {
                Some(slow) => {
                    let now = slow.describe();
                    with_last_lines(format!("{} is {now} after {seconds} s", slow.name), slow).await
                }
                None => Error::platform("compose has started no container"),
            });
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn is_lost(service: &Service) -> bool {
    matches!(service.state.as_str(), "exited" | "dead") || service.restarts >= MAX_RESTARTS
}

async fn with_last_lines(problem: String, service: &Service) -> Error {
    let lines = compose::last_lines(&service.id).await.replace('\n', "\n  ");
    Error::platform(format!("{problem}; its last lines:\n  {lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_with_odd_characters_survive_the_url() {
        let dir = tempfile::tempdir().unwrap();
        let odd = |variable: &str| variable.ends_with("PASSWORD").then(|| "p@/:#%?".to_owned());
        let (credentials, _) = Credentials::load(dir.path(), "cloudfunc-x", odd, false).unwrap();
        let (store, queue) = urls(&credentials, 5433, 5673);
        let store::Config::Postgres { url } = store else { panic!("not Postgres") };
        assert_eq!(url.expose(), "postgres://cloudfunc:p%40%2F%3A%23%%3F@127.0.0.1:5433/cloudfunc");
        let queue::Config::RabbitMq { url } = queue else { panic!("not RabbitMQ") };
        assert_eq!(url.expose(), "amqp://cloudfunc:p%40%2F%3A%23%%3F@127.0.0.1:5673/%2f");
    }
}
