//! The subject of the examination: the platform that the settings mean, on this machine.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use super::{
    backends, cgroups, clock, compose, disk, engine,
    finding::{Finding, Group, Report, Stops, Wanted},
    judge::{self, platform::Answer},
    limits, packages, platform, ports, sandbox, secrets, system, tls, tools,
};
use crate::{
    compose::{Credentials, Service, urls},
    error::{Error, Exit},
    local::{
        LocalPlatform,
        ports::{PUBLIC, Port},
    },
    model::Language,
    place::{Addresses, Dirs, Stack, lock::Holder},
    queue,
    runtime::{EngineSurvey, Kind},
    settings::Settings,
    store,
};

/// Ports inside the containers of the compose services, in the order of [`Subject`]'s ports.
const INSIDE: [(&str, u16); 3] =
    [("postgres", 5432), ("rabbitmq", 5672), ("rabbitmq-management", 15672)];

pub struct Subject {
    settings: Settings,
    /// The ports that `up` would give to the compose services; `None` if no free ones are available.
    compose_ports: Option<[Port; 3]>,
    dirs: Dirs,
    place: LocalPlatform,
    addresses: Addresses,
    wanted: Wanted,
    /// `up` with these settings starts Postgres and RabbitMQ.
    has_compose: bool,
    python_image: String,
}

impl Subject {
    pub fn new(
        (place, stack): (LocalPlatform, Stack),
        settings: Settings,
        compose_ports: Option<[Port; 3]>,
        dirs: Dirs,
    ) -> Result<Self, Error> {
        let caller = |error| Error::new(Exit::Caller, error);
        let wanted = if stack == Stack::Embedded { Wanted::Embedded } else { Wanted::Up };
        // The addresses where it would listen, or where it listens already.
        let addresses = match place.holder.as_ref().filter(|_| place.running) {
            Some(holder) => holder.addresses(),
            None => settings.addresses().map_err(caller)?,
        };
        // One that was started with --embedded has its own store and queue, whatever the flags of now say.
        let settings = match stack {
            Stack::Embedded => settings.clone().embedded().unwrap_or(settings),
            Stack::Compose | Stack::External => settings,
        };
        let python_image = settings.docker_languages().usual_image(Language::DEFAULT);
        Ok(Self {
            settings,
            compose_ports,
            dirs,
            place,
            addresses,
            wanted,
            has_compose: stack == Stack::Compose,
            python_image,
        })
    }

    /// Describes the subject in a sentence.
    pub fn describe(&self) -> String {
        let LocalPlatform { running, holder, .. } = &self.place;
        let described = self.place.describe();
        match (running, holder) {
            (true, Some(holder)) => {
                format!("looking at {described}, which runs as process {}", holder.pid)
            }
            (true, None) => format!("looking at {described}, which is starting"),
            (false, _) => format!("looking at {described}, which does not run"),
        }
    }

    /// Returns the `up` that is running.
    fn holder(&self) -> Option<&Holder> {
        self.place.holder.as_ref().filter(|_| self.place.running)
    }

    pub fn place(&self) -> &LocalPlatform {
        &self.place
    }

    /// Looks in two rounds: the second needs results of the first.
    pub async fn look(&self) -> Report {
        let name = self.place.platform.clone();
        let (engine, runc_package, installed, services, (roles, runtime)) = tokio::join!(
            engine::gather(&self.python_image),
            engine::runc_package(),
            compose::installed(),
            self.services(),
            platform::roles(&self.place, self.addresses),
        );
        // A platform that runs has chosen, whatever the flags of now say.
        let chosen = runtime.or(self.settings.runtime);
        let used = used(chosen, engine.is_ok());
        let running = services.as_deref().unwrap_or_default();
        let (store, queue) = self.backends(running);
        let ports = self.ports(&roles, running);
        let missing_keys = platform::missing_keys(&self.place, self.addresses, &roles).await;
        let survey = engine.as_ref().ok();
        let languages = Settings { runtime: Some(used), ..self.settings.clone() }.languages();
        let (
            (backends, ahead),
            mut sandbox,
            ports,
            disk,
            platform,
            system,
            cgroups,
            mut clock,
            packages,
            secrets,
            tls,
        ) = tokio::join!(
            backends::gather(store.as_ref(), queue.as_ref(), &name),
            sandbox::gather(name.clone(), &languages),
            tools::blocking(move || ports::gather(&ports)),
            self.disk(survey, store.as_ref()),
            self.platform(survey, roles),
            tools::blocking(system::gather),
            tools::blocking(cgroups::gather),
            clock::gather(),
            packages::gather(&self.settings),
            self.secrets(missing_keys),
            self.tls(),
        );
        clock.store_ahead_ms = ahead;
        sandbox.has_engine = engine.is_ok();
        sandbox.is_chosen = chosen == Some(Kind::Oci);
        sandbox.has_images = used == Kind::Docker;
        let engine = judge::engine::Facts {
            engine: engine.as_ref().map(engine::facts).map_err(Clone::clone),
            base_image: self.python_image.clone(),
            runc_package,
            needed_by: needs_docker(self.has_compose, chosen, sandbox.oci.is_ok()),
            // The functions of the compose stack may also run without Docker.
            image_needed_by: needs_docker(false, chosen, sandbox.oci.is_ok()),
        };
        let compose = compose::facts(installed, &services, self.has_compose);
        let wanted = self.wanted;
        let runtime = [judge::engine::judge(&engine, wanted), judge::sandbox::judge(&sandbox, wanted)];
        let groups = vec![
            group("system", system.map(|facts| judge::system::judge(&facts, wanted))),
            group("cgroups", cgroups.map(|facts| judge::cgroups::judge(&facts))),
            group("runtime", Some(runtime.concat())),
            group("ports", ports.map(|facts| judge::ports::judge(&facts, wanted))),
            group("tls", tls.map(|facts| judge::tls::judge(&facts, wanted))),
            group("disk", disk.map(|facts| judge::disk::judge(&facts, wanted))),
            group("compose", Some(judge::compose::judge(&compose, wanted))),
            group("backends", Some(judge::backends::judge(&backends, wanted))),
            group("packages", Some(judge::packages::judge(&packages, wanted))),
            group("secrets", secrets.map(|facts| judge::secrets::judge(&facts, wanted))),
            group("clock", Some(judge::clock::judge(&clock))),
            group("limits", Some(judge::limits::judge(&limits::gather()))),
            group("platform", platform.map(|facts| judge::platform::judge(&facts))),
        ];
        Report { groups, running: self.holder().map(|holder| (wanted, holder.pid)) }
    }

    /// Returns the command to type next.
    pub fn next(&self, report: &Report) -> &'static str {
        let (up, embedded) = (report.up().can_run, report.embedded().can_run);
        match self.wanted {
            _ if self.place.running => "cloudfunc status",
            Wanted::Up if up => "cloudfunc up",
            _ if embedded => "cloudfunc up --embedded",
            _ => "cloudfunc doctor, when the problems are fixed",
        }
    }

    /// Returns the services of the compose project, if one was ever started from this folder.
    async fn services(&self) -> Result<Vec<Service>, String> {
        match self.place.project().filter(|_| self.has_compose) {
            Some(project) => compose::services(&project).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns the backends that are given, or those of the running compose services.
    fn backends(&self, services: &[Service]) -> (Option<store::Config>, Option<queue::Config>) {
        if !self.has_compose {
            let store = self.settings.store.clone().map(|store| store.within(&self.place.folder));
            return (store, self.settings.queue.clone());
        }
        let [postgres, rabbitmq, _] = INSIDE.map(|(_, inside)| published(services, inside));
        let Some(project) = self.place.project() else { return (None, None) };
        // The last argument says that data exist, so that no credentials are created where there are none.
        let credentials = Credentials::load(&project.folder, &project.name, |_| None, true);
        let Ok((credentials, _)) = credentials else { return (None, None) };
        let (store, queue) = urls(&credentials, postgres.unwrap_or(0), rabbitmq.unwrap_or(0));
        (postgres.map(|_| store), rabbitmq.map(|_| queue))
    }

    fn ports(&self, roles: &[judge::platform::Role], services: &[Service]) -> Vec<ports::Wanted> {
        let Addresses { gateway, registry, scheduler, manager, public, is_tls: _ } = self.addresses;
        let role = |name: &'static str, of, address, flag| {
            let answer = roles.iter().find(|role| role.name == name).map(|role| &role.answer);
            let answers = matches!(answer, Some(Answer::Ready(_) | Answer::Waiting(_)));
            let port = Port { of, address, flag };
            ports::Wanted { port, name, is_ours: self.place.running && answers, is_roles: true }
        };
        let mut ports = vec![
            role("gateway", "the gateway", gateway, "--gateway-port"),
            role("registry", "the registry", registry, "--registry-port"),
            role("scheduler", "the scheduler", scheduler, "--scheduler-port"),
            role("manager", "the manager", manager, "--manager-port"),
        ];
        if let Some(address) = public {
            let of_gateway = ports[0].is_ours;
            let port = Port { of: "the public port", address, flag: PUBLIC };
            ports.push(ports::Wanted { port, name: "public", is_ours: of_gateway, is_roles: true });
        }
        let compose = self.compose_ports.filter(|_| self.has_compose);
        for (mut port, (name, inside)) in compose.into_iter().flatten().zip(INSIDE) {
            let ours = published(services, inside);
            if let Some(ours) = ours {
                port.address = SocketAddr::from((Ipv4Addr::LOCALHOST, ours));
            }
            ports.push(ports::Wanted { port, name, is_ours: ours.is_some(), is_roles: false });
        }
        ports
    }

    async fn disk(
        &self,
        engine: Option<&EngineSurvey>,
        store: Option<&store::Config>,
    ) -> Option<judge::disk::Facts> {
        let folder = self.place.folder.clone();
        let is_here = |engine: &&EngineSurvey| engine.address.starts_with("unix:");
        let root = engine.filter(is_here).map(|engine| engine.root.clone());
        let has_sqlite =
            self.wanted == Wanted::Embedded || matches!(store, Some(store::Config::Sqlite { .. }));
        tools::blocking(move || disk::gather(&folder, root, has_sqlite)).await
    }

    async fn secrets(&self, missing: BTreeMap<String, usize>) -> Option<judge::secrets::Facts> {
        let given = self.settings.secret_key_file.clone();
        let default = self.place.folder.join("secret-key");
        let has_other_hosts = !self.has_compose && self.wanted == Wanted::Up;
        let look = move || secrets::gather(given.as_deref(), default, has_other_hosts);
        let facts = tools::blocking(look).await?;
        Some(judge::secrets::Facts { missing, ..facts })
    }

    async fn tls(&self) -> Option<judge::tls::Facts> {
        let (place, settings) = (self.place.clone(), self.settings.clone());
        tools::blocking(move || tls::gather(&place, &settings)).await
    }

    async fn platform(
        &self,
        engine: Option<&EngineSurvey>,
        roles: Vec<judge::platform::Role>,
    ) -> Option<judge::platform::Facts> {
        let (place, dirs) = (self.place.clone(), self.dirs.clone());
        let containers = engine.map(|engine| engine.containers.clone()).unwrap_or_default();
        tools::blocking(move || platform::gather(&place, &dirs, &containers, roles)).await
    }
}

/// Returns the runtime by which interpreters are judged: the one that is chosen, else Docker where an engine answers.
fn used(chosen: Option<Kind>, has_engine: bool) -> Kind {
    chosen.unwrap_or(if has_engine { Kind::Docker } else { Kind::Oci })
}

/// Returns the stacks that need an engine. Only the embedded one may choose the runtime of functions.
fn needs_docker(has_compose: bool, runtime: Option<Kind>, oci_works: bool) -> Stops {
    let is_chosen = runtime.map(|kind| kind == Kind::Docker);
    Stops { up: has_compose || is_chosen.unwrap_or(true), embedded: is_chosen.unwrap_or(!oci_works) }
}

/// Returns the port of this host that leads to this port of a running service.
fn published(services: &[Service], inside: u16) -> Option<u16> {
    let running = services.iter().filter(|service| service.state == "running");
    let mut ports = running.flat_map(|service| service.published.iter());
    ports.find(|(own, _)| *own == inside).map(|(_, host)| *host)
}

/// Makes a group; `None` means that the checks took too long.
fn group(name: &'static str, findings: Option<Vec<Finding>>) -> Group {
    let late = || {
        let found = format!("looking at this took longer than {} s", tools::FILES.as_secs());
        let advice =
            "See whether a disk or a network file system does not answer: `df` hangs then, too.";
        vec![Finding::warning("deadline", found, advice)]
    };
    Group { name, findings: findings.unwrap_or_else(late) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_judged_by_the_runtime_that_functions_have() {
        assert_eq!(used(Some(Kind::Oci), true), Kind::Oci);
        assert_eq!(used(Some(Kind::Docker), false), Kind::Docker);
        assert_eq!([used(None, true), used(None, false)], [Kind::Docker, Kind::Oci]);
    }

    #[test]
    fn docker_is_missed_only_by_what_cannot_do_without_it() {
        assert_eq!(needs_docker(true, None, true), Stops::UP);
        assert_eq!(needs_docker(true, None, false), Stops::BOTH);
        assert_eq!(needs_docker(true, Some(Kind::Oci), false), Stops::UP, "compose runs in it");
        assert_eq!(needs_docker(false, Some(Kind::Oci), true), Stops::NONE);
        assert_eq!(needs_docker(false, Some(Kind::Docker), true), Stops::BOTH);
    }

    #[test]
    fn what_takes_too_long_is_a_finding() {
        let late = group("disk", None);
        assert_eq!(late.findings[0].found, "looking at this took longer than 5 s");
        assert!(group("disk", Some(Vec::new())).findings.is_empty());
    }
}
