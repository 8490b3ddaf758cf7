//! Asks Docker Compose.

use std::time::Duration;

use tokio::time::timeout;

use super::judge::compose::{Facts, Service};
use crate::compose::{self, Project};

const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the services that compose runs for a platform, as `up` sees them.
pub async fn services(project: &Project) -> Result<Vec<compose::Service>, String> {
    match timeout(PATIENCE, project.services()).await {
        Ok(services) => services.map_err(|error| error.chain().join(": ")),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

pub async fn installed() -> Option<(String, String)> {
    let (words, version) = timeout(PATIENCE, compose::installed()).await.ok()??;
    Some((words.join(" "), version))
}

pub fn facts(
    installed: Option<(String, String)>,
    services: &Result<Vec<compose::Service>, String>,
    is_needed: bool,
) -> Facts {
    let service = |service: &compose::Service| Service {
        name: service.name.clone(),
        id: service.id.clone(),
        state: service.describe().to_owned(),
        is_healthy: service.is_healthy(),
    };
    let services = services.as_ref().map(|all| all.iter().map(service).collect());
    Facts { installed, services: services.map_err(|why| first_line(why)), is_needed }
}

/// Joins the lines of a program's message into one.
fn first_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
