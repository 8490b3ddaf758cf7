//! Docker Compose, and the containers that it runs for the platform.

use super::{Finding, Stops, Wanted};

#[derive(Clone, Debug)]
pub struct Facts {
    /// The program and its version.
    pub installed: Option<(String, String)>,
    /// The services, or the reason why they cannot be listed.
    pub services: Result<Vec<Service>, String>,
    /// Compose is needed: false if store and queue are given, or embedded.
    pub is_needed: bool,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    pub id: String,
    /// The state, such as `healthy` or `exited`.
    pub state: String,
    pub is_healthy: bool,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let mut findings = vec![program(facts, wanted)];
    match &facts.services {
        Ok(services) if services.is_empty() && facts.is_needed => {
            findings.push(Finding::ok(
                "services",
                "Postgres and RabbitMQ are not started yet: `cloudfunc up` does it",
            ));
        }
        Ok(services) => findings.extend(services.iter().map(service)),
        Err(_) if !facts.is_needed => {}
        Err(why) => {
            let advice = "See the finding on Docker.";
            findings.push(Finding::note(
                "services",
                format!("the containers cannot be seen: {why}"),
                advice,
            ));
        }
    }
    findings
}

fn program(facts: &Facts, wanted: Wanted) -> Finding {
    const NAME: &str = "compose";
    match &facts.installed {
        Some((program, version)) => {
            Finding::ok(NAME, format!("{program} {}", version.trim_start_matches('v')))
        }
        None if facts.is_needed => Finding::stops(
            Stops::UP,
            wanted,
            NAME,
            "neither `docker compose` nor `docker-compose` works",
            "Install Docker Compose, or give --store and --queue of servers that you run yourself.",
        ),
        None => Finding::ok(NAME, "not installed, and not needed: store and queue come from elsewhere"),
    }
}

fn service(service: &Service) -> Finding {
    let Service { name, id, state, .. } = service;
    let found = format!("{name} is {state}");
    if service.is_healthy {
        return Finding::ok("services", found);
    }
    let short: String = id.chars().take(12).collect();
    let advice =
        format!("Read what it says with `docker logs {short}`; `cloudfunc up` starts it again.");
    Finding::warning("services", found, advice)
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn facts() -> Facts {
        let service = |name: &str, state: &str| Service {
            name: name.to_owned(),
            id: "0123456789abcdef".to_owned(),
            state: state.to_owned(),
            is_healthy: state == "healthy",
        };
        Facts {
            installed: Some(("docker compose".to_owned(), "v2.29.7".to_owned())),
            services: Ok(vec![service("postgres", "healthy"), service("rabbitmq", "exited")]),
            is_needed: true,
        }
    }

    #[test]
    fn a_service_that_is_not_healthy_is_named() {
        assert_eq!(
            shown(&judge(&facts(), Wanted::Up)),
            [
                "ok compose: docker compose 2.29.7",
                "ok services: postgres is healthy",
                "warning services: rabbitmq is exited | Read what it says with `docker logs 0123456789ab`; `cloudfunc \
                 up` starts it again.",
            ]
        );
    }

    #[test]
    fn compose_is_missed_only_where_it_is_needed() {
        let none = Facts { installed: None, services: Ok(Vec::new()), ..facts() };
        assert_eq!(
            shown(&judge(&none, Wanted::Up)),
            [
                "problem compose: neither `docker compose` nor `docker-compose` works | Install Docker Compose, or give \
                 --store and --queue of servers that you run yourself.",
                "ok services: Postgres and RabbitMQ are not started yet: `cloudfunc up` does it",
            ]
        );
        let elsewhere = Facts { is_needed: false, ..none };
        assert_eq!(
            shown(&judge(&elsewhere, Wanted::Up)),
            ["ok compose: not installed, and not needed: store and queue come from elsewhere"]
        );
        let hidden = Facts { services: Err("Docker is down".to_owned()), ..facts() };
        assert_eq!(
            shown(&judge(&hidden, Wanted::Up))[1],
            "note services: the containers cannot be seen: Docker is down | See the finding on Docker."
        );
    }
}
