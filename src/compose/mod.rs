//! Postgres and RabbitMQ in containers, with Docker Compose: `docker compose` or `docker-compose`.

mod credentials;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use tokio::process::Command;

pub use self::credentials::{Credentials, project, remove, urls};

use crate::{
    error::{Error, Exit},
    model::PlatformName,
    place::state::{make_folder, write_private},
};

const FILE: &str = include_str!("../../compose/compose.yaml");
const PROJECT_LABEL: &str = "com.docker.compose.project";
const FOLDER_LABEL: &str = "com.docker.compose.project.working_dir";
const SERVICE_LABEL: &str = "com.docker.compose.service";

/// Returns the name of a platform's compose project.
pub fn project_name(platform: &PlatformName) -> String {
    format!("cloudfunc-{platform}")
}

/// A compose project whose file is in the data folder.
#[derive(Clone, Debug)]
pub struct Project {
    pub name: String,
    pub folder: PathBuf,
}

/// A container of a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// `running`, `exited`, …
    pub state: String,
    /// `starting`, `healthy` or `unhealthy`; `None` without a health check.
    pub health: Option<String>,
    pub restarts: u32,
    /// Ports of this host that lead to the container, as pairs of the container's port and the host's.
    pub published: Vec<(u16, u16)>,
}

impl Service {
    pub fn is_healthy(&self) -> bool {
        self.state == "running" && self.health.as_deref().is_none_or(|health| health == "healthy")
    }

    /// Returns the health if there is one and the container runs, else the state.
    pub fn describe(&self) -> &str {
        match &self.health {
            Some(health) if self.state == "running" => health,
            _ => &self.state,
        }
    }
}

/// Finds out which of the two programs is installed.
async fn tool() -> Result<Vec<&'static str>, Error> {
    if let Some((tool, _)) = installed().await {
        return Ok(tool);
    }
    Err(Error::platform(
        "Docker Compose is not installed: neither `docker compose` nor `docker-compose` works",
    )
    .hint("install it, or give --store and --queue of servers that you run yourself"))
}

/// Returns the installed program as the words of a command, with its version.
pub async fn installed() -> Option<(Vec<&'static str>, String)> {
    for tool in [vec!["docker", "compose"], vec!["docker-compose"]] {
        let mut version = Command::new(tool[0]);
        version.args(&tool[1..]).args(["version", "--short"]).stdin(Stdio::null()).kill_on_drop(true);
        if let Ok(output) = version.output().await
            && output.status.success()
        {
            return Some((tool, String::from_utf8_lossy(&output.stdout).trim().to_owned()));
        }
    }
    None
}

impl Project {
    /// Creates what is missing and starts it; returns when the containers run, healthy or not.
    pub async fn up(&self, credentials: &Credentials, settings: &[(&str, String)]) -> Result<(), Error> {
        make_folder(&self.folder).map_err(|error| Error::new(Exit::Platform, error))?;
        write_private(&self.folder.join("compose.yaml"), FILE)
            .map_err(|error| Error::new(Exit::Platform, error))?;
        let mut command = self.compose(&["up", "--detach"]).await?;
        command.envs(credentials.variables()).envs(settings.iter().map(|(name, value)| (name, value)));
        match run(command, "start Postgres and RabbitMQ").await {
            Ok(_) => Ok(()),
            Err(error) => Err(match missing_images().await {
                Some(hint) => error.hint(hint),
                None => error,
            }),
        }
    }

    /// Stops and removes the containers, and the data too if `volumes` is true.
    pub async fn down(&self, volumes: bool) -> Result<(), Error> {
        // The file may be from an older version, or gone: containers are found by the project's name.
        make_folder(&self.folder).map_err(|error| Error::new(Exit::Platform, error))?;
        write_private(&self.folder.join("compose.yaml"), FILE)
            .map_err(|error| Error::new(Exit::Platform, error))?;
        let arguments: &[&str] = if volumes { &["down", "--volumes"] } else { &["down"] };
        run(self.compose(arguments).await?, "stop Postgres and RabbitMQ").await.map(drop)
    }

    /// Returns all containers of the project by service, including those that have ended.
    pub async fn services(&self) -> Result<Vec<Service>, Error> {
        let filter = format!("label={PROJECT_LABEL}={}", self.name);
        let ids = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]).await?;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let inspected = docker(&[&["inspect"], ids.as_slice()].concat()).await?;
        parse(&inspected)
    }

    /// Returns the folder from which the existing containers were started, if that is the data folder of
    /// another platform. `None` if there are no containers, or if they were started from this folder.
    pub async fn stranger(&self) -> Result<Option<PathBuf>, Error> {
        let filter = format!("label={PROJECT_LABEL}={}", self.name);
        let label = format!("{{{{.Label \"{FOLDER_LABEL}\"}}}}");
        let folders = docker(&["ps", "--all", "--filter", &filter, "--format", &label]).await?;
        // Compose resolves links.
        let own = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        let mut folders = folders.lines().filter(|line| !line.is_empty()).map(PathBuf::from);
        Ok(folders.find(|folder| *folder != own && *folder != self.folder))
    }

    /// Returns whether data of the project exist.
    pub async fn has_volumes(&self) -> Result<bool, Error> {
        let filter = format!("label={PROJECT_LABEL}={}", self.name);
        let names = docker(&["volume", "ls", "--quiet", "--filter", &filter]).await?;
        Ok(!names.trim().is_empty())
    }

    async fn compose(&self, arguments: &[&str]) -> Result<Command, Error> {
        let tool = tool().await?;
        let mut command = Command::new(tool[0]);
        command.args(&tool[1..]).args(["--project-name", &self.name, "--file"]);
        command.arg(self.folder.join("compose.yaml")).args(arguments).current_dir(&self.folder);
        Ok(command)
    }
}

/// The variables of the compose file that name images, with their default images.
const IMAGES: [(&str, &str); 2] =
    [("CLOUDFUNC_POSTGRES_IMAGE", "postgres:16"), ("CLOUDFUNC_RABBITMQ_IMAGE", "rabbitmq:3-management")];

/// Returns advice if the engine lacks some images; `None` if it has all of them.
async fn missing_images() -> Option<String> {
    let mut missing = Vec::new();
    for (variable, default) in IMAGES {
        let given = std::env::var(variable).ok().filter(|image| !image.is_empty());
        let image = given.unwrap_or_else(|| default.to_owned());
        if docker(&["image", "inspect", "--format", "{{.Id}}", &image]).await.is_err() {
            missing.push((variable, image));
        }
    }
    (!missing.is_empty()).then(|| without_images(missing))
}

/// Says what to do about images that the engine lacks, each with the variable that names it.
fn without_images(missing: Vec<(&str, String)>) -> String {
    let (load_them, they, others) = match missing.len() {
        1 => ("load it", "it", "an image that is"),
        _ => ("load them", "they", "images that are"),
    };
    let (variables, images): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    format!(
        "Docker does not have {}: {load_them} with `docker load` where {they} cannot be pulled, or set {} to {others} \
         there; `cloudfunc up --embedded` needs none",
        images.join(" and "),
        variables.join(" and ")
    )
}

/// Returns the last output of a container, standard output and error together.
pub async fn last_lines(id: &str) -> String {
    let output = Command::new("docker").args(["logs", "--tail", "15", id]).stdin(Stdio::null()).output();
    output.await.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim_end().to_owned(),
    )
}

async fn docker(arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("docker");
    command.args(arguments);
    run(command, &format!("ask Docker ({})", arguments[0])).await
}

/// Returns the standard output of a program; if it fails, an error with the end of its output.
async fn run(mut command: Command, what: &str) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::platform(format!("cannot {what}: {program} is not installed"))
                .hint("install Docker, or give --store and --queue of servers that you run yourself")
        }
        _ => Error::platform(format!("cannot {what}: {program}: {error}")),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
    Err(Error::platform(format!("cannot {what}: {program} ended with {}\n  {last}", output.status)))
}

/// Parses the output of `docker inspect`.
fn parse(inspected: &str) -> Result<Vec<Service>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Container {
        id: String,
        config: Config,
        state: State,
        restart_count: u32,
        #[serde(default)]
        network_settings: Network,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Network {
        /// Keyed like `5432/tcp`; null for a port that is not published.
        ports: std::collections::BTreeMap<String, Option<Vec<Binding>>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Binding {
        host_port: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        labels: std::collections::BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct State {
        status: String,
        health: Option<Health>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Health {
        status: String,
    }
    let containers: Vec<Container> = serde_json::from_str(inspected)
        .map_err(|error| Error::platform(format!("Docker's answer is not understood: {error}")))?;
    let mut services: Vec<Service> = containers
        .into_iter()
        .map(|container| Service {
            name: container.config.labels.get(SERVICE_LABEL).cloned().unwrap_or_default(),
            id: container.id,
            state: container.state.status,
            health: container.state.health.map(|health| health.status),
            restarts: container.restart_count,
            published: container
                .network_settings
                .ports
                .iter()
                .flat_map(|(inside, bindings)| bindings.iter().flatten().map(move |b| (inside, b)))
                .filter_map(|(inside, binding)| {
                    let inside = inside.split('/').next()?.parse().ok()?;
                    Some((inside, binding.host_port.parse().ok()?))
                })
                .collect(),
        })
        .collect();
    services.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(services)
}

/// Returns whether a project was ever started from this folder.
pub fn was_used(folder: &Path) -> bool {
    folder.join("compose.yaml").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_those_of_the_compose_file() {
        for (variable, default) in IMAGES {
            assert!(FILE.contains(&format!("image: ${{{variable}:-{default}}}\n")), "{variable}");
        }
    }

    #[test]
    fn advice_about_images_speaks_of_one_or_of_two() {
        let [postgres, rabbitmq] = IMAGES.map(|(variable, image)| (variable, image.to_owned()));
        assert_eq!(
            without_images(vec![postgres.clone()]),
            "Docker does not have postgres:16: load it with `docker load` where it cannot be pulled, or set \
             CLOUDFUNC_POSTGRES_IMAGE to an image that is there; `cloudfunc up --embedded` needs none"
        );
        assert_eq!(
            without_images(vec![postgres, rabbitmq]),
            "Docker does not have postgres:16 and rabbitmq:3-management: load them with `docker load` where they cannot \
             be pulled, or set CLOUDFUNC_POSTGRES_IMAGE and CLOUDFUNC_RABBITMQ_IMAGE to images that are there; \
             `cloudfunc up --embedded` needs none"
        );
    }

    #[test]
    fn services_are_read_from_what_docker_says() {
        let text = r#"[
          {"Id":"b2","RestartCount":0,"State":{"Status":"running","Health":{"Status":"starting","Log":[]}},
           "NetworkSettings":{"Ports":{"4369/tcp":null,"5672/tcp":[{"HostIp":"127.0.0.1","HostPort":"5673"}]}},
           "Config":{"Labels":{"com.docker.compose.service":"rabbitmq"}}},
          {"Id":"a1","RestartCount":2,"State":{"Status":"exited"},
           "Config":{"Labels":{"com.docker.compose.service":"postgres"}}}]"#;
        let services = parse(text).unwrap();
        let shown: Vec<_> =
            services.iter().map(|s| (s.name.as_str(), s.describe(), s.is_healthy())).collect();
        assert_eq!(shown, [("postgres", "exited", false), ("rabbitmq", "starting", false)]);
        assert_eq!(services[1].published, [(5672, 5673)]);
    }
}
