//! Settings before they are resolved: what one source (flags with the environment, or the file) says.
//!
//! Precedence: flag > `CLOUDFUNC_…` > `config.toml` > default. A [`Settings`] holds what a source
//! mentions, [`Settings::or`] lays one over another, [`Settings::platform`] adds the defaults.

mod file;
pub mod platform;
mod stack;
mod store_place;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use platform::{KeepAlivePolicy, Limits, Platform};
pub use store_place::StorePlace;

use crate::{
    model::{Language, PlatformName},
    place::{Addresses, Dirs, Stack},
    queue, runtime,
    toml_document::LocatedError,
};

const DEFAULT_NAME: &str = "default";

/// What a source says about a platform. Keys of the file's table `[platform]` and flags are named
/// alike, except that `--platform` is its `name`.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub name: Option<PlatformName>,
    pub data_dir: Option<PathBuf>,
    pub store: Option<StorePlace>,
    pub queue: Option<queue::Config>,
    pub runtime: Option<runtime::Kind>,
    pub gateway_host: Option<IpAddr>,
    pub gateway_port: Option<u16>,
    pub gateway_hosts: Option<Vec<String>>,
    pub registry_port: Option<u16>,
    pub scheduler_port: Option<u16>,
    pub manager_port: Option<u16>,
    pub python_image: Option<String>,
    pub python_version: Option<String>,
    pub queue_wait: Option<Duration>,
    pub max_waiting: Option<u32>,
    pub max_backlog: Option<u64>,
    pub memory_budget: Option<u64>,
    pub keep_alive: Option<KeepAlivePolicy>,
    pub prewarm_budget: Option<u64>,
    pub max_starts: Option<usize>,
    pub stop_grace: Option<Duration>,
    pub retention: Option<Duration>,
    pub keep_revisions: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{given} is given without {missing}")]
    OnlyOne { given: &'static str, missing: &'static str },
    #[error("no store and no queue are given")]
    NoBackends,
    #[error("the embedded queue cannot be used with Postgres: other processes may use it, too")]
    EmbeddedElsewhere,
    #[error("--embedded and {flag} contradict each other: --embedded means {means}")]
    NotEmbedded { flag: &'static str, means: &'static str },
    #[error("{one} and {other} both have port {port}")]
    SamePort { one: &'static str, other: &'static str, port: u16 },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] LocatedError),
}

impl Settings {
    /// These, and where they say nothing, those.
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            data_dir: self.data_dir.or(other.data_dir),
            store: self.store.or(other.store),
            queue: self.queue.or(other.queue),
            runtime: self.runtime.or(other.runtime),
            gateway_host: self.gateway_host.or(other.gateway_host),
            gateway_port: self.gateway_port.or(other.gateway_port),
            gateway_hosts: self.gateway_hosts.or(other.gateway_hosts),
            registry_port: self.registry_port.or(other.registry_port),
            scheduler_port: self.scheduler_port.or(other.scheduler_port),
            manager_port: self.manager_port.or(other.manager_port),
            python_image: self.python_image.or(other.python_image),
            python_version: self.python_version.or(other.python_version),
            queue_wait: self.queue_wait.or(other.queue_wait),
            max_waiting: self.max_waiting.or(other.max_waiting),
            max_backlog: self.max_backlog.or(other.max_backlog),
            memory_budget: self.memory_budget.or(other.memory_budget),
            keep_alive: self.keep_alive.or(other.keep_alive),
            prewarm_budget: self.prewarm_budget.or(other.prewarm_budget),
            max_starts: self.max_starts.or(other.max_starts),
            stop_grace: self.stop_grace.or(other.stop_grace),
            retention: self.retention.or(other.retention),
            keep_revisions: self.keep_revisions.or(other.keep_revisions),
        }
    }

    pub fn name(&self) -> PlatformName {
        self.name.clone().unwrap_or_else(|| DEFAULT_NAME.parse().expect("a valid name"))
    }

    /// Python's base image (`{version}` in it is the version's place), and the version of functions that
    /// name none.
    pub fn python(&self) -> (String, String) {
        let image =
            self.python_image.clone().unwrap_or_else(|| Language::Python.facts().image.base.to_owned());
        // Asked only where it is needed: for some runtimes that runs an interpreter.
        let default = || default_python_version(self.runtime.unwrap_or(runtime::Kind::Docker));
        (image, self.python_version.clone().unwrap_or_else(default))
    }

    /// The base image of Docker for functions that name no version.
    pub fn base_image(&self) -> String {
        let docker = Self { runtime: Some(runtime::Kind::Docker), ..self.clone() };
        let (image, version) = docker.python();
        image.replace("{version}", &version)
    }

    /// `$XDG_STATE_HOME/cloudfunc/<stack>`, with `-<name>` behind it for a platform that has a name of
    /// its own, so that two platforms of one user do not share tokens and credentials.
    pub fn data_dir(&self, dirs: &Dirs, stack: Stack) -> PathBuf {
        if let Some(given) = &self.data_dir {
            return std::path::absolute(given).unwrap_or_else(|_| given.clone());
        }
        let name = self.name();
        match name.as_str() {
            DEFAULT_NAME => dirs.state.join(stack.as_str()),
            name => dirs.state.join(format!("{}-{name}", stack.as_str())),
        }
    }

    /// Internal roles listen on loopback, whatever is said.
    pub fn addresses(&self) -> Result<Addresses, SettingsError> {
        let port = |default: SocketAddr, port: Option<u16>| {
            SocketAddr::new(default.ip(), port.unwrap_or(default.port()))
        };
        let default = Addresses::default();
        let mut gateway = port(default.gateway, self.gateway_port);
        gateway.set_ip(self.gateway_host.unwrap_or(gateway.ip()));
        let addresses = Addresses {
            gateway,
            registry: port(default.registry, self.registry_port),
            scheduler: port(default.scheduler, self.scheduler_port),
            manager: port(default.manager, self.manager_port),
        };
        let ports = [
            ("--gateway-port", addresses.gateway.port()),
            ("--registry-port", addresses.registry.port()),
            ("--scheduler-port", addresses.scheduler.port()),
            ("--manager-port", addresses.manager.port()),
        ];
        for (index, (one, port)) in ports.into_iter().enumerate() {
            if let Some((other, _)) = ports[index + 1..].iter().find(|(_, p)| *p == port && port != 0) {
                return Err(SettingsError::SamePort { one, other, port });
            }
        }
        Ok(addresses)
    }

    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            queue_wait: self.queue_wait.unwrap_or(default.queue_wait),
            max_waiting: self.max_waiting.unwrap_or(default.max_waiting),
            max_backlog: self.max_backlog.unwrap_or(default.max_backlog),
            memory_budget: self.memory_budget.unwrap_or(default.memory_budget),
            keep_alive: self.keep_alive.unwrap_or(default.keep_alive),
            prewarm_budget: self.prewarm_budget.unwrap_or(default.prewarm_budget),
            max_starts: self.max_starts.unwrap_or(default.max_starts).max(1),
            check_wait: default.check_wait,
            reread: default.reread,
            stop_grace: self.stop_grace.unwrap_or(default.stop_grace),
            retention: self.retention.unwrap_or(default.retention),
            keep_revisions: self.keep_revisions.unwrap_or(default.keep_revisions),
        }
    }

    /// With the defaults; the store and the queue must be there by now.
    pub fn platform(self, dirs: &Dirs) -> Result<Platform, SettingsError> {
        let data_dir = self.data_dir(dirs, self.stack()?);
        let (name, addresses, limits) = (self.name(), self.addresses()?, self.limits());
        let (python_image, python_version) = self.python();
        let (Some(store), Some(queue)) = (self.store, self.queue) else {
            return Err(SettingsError::NoBackends);
        };
        let runtime = self.runtime.unwrap_or(runtime::Kind::Docker);
        Ok(Platform {
            name,
            store: store.within(&data_dir),
            data_dir,
            queue,
            runtime,
            program: runtime::THIS_PROGRAM.into(),
            addresses,
            gateway_hosts: self.gateway_hosts.unwrap_or_default(),
            python_image,
            python_version,
            limits,
        })
    }
}

/// Of functions that name none, where the platform is told none either: an image is of any version,
/// the host has the one that it has. Where it has none the runtime says so.
fn default_python_version(runtime: runtime::Kind) -> String {
    let host = match runtime {
        runtime::Kind::Oci => runtime::host_interpreter(Language::Python).ok(),
        runtime::Kind::Docker | runtime::Kind::Process => None,
    };
    host.map_or_else(|| Language::Python.facts().versions.default.to_owned(), |python| python.version)
}

/// Names of hosts, separated by commas: as in a URL, without a port. An empty text names none.
pub fn host_names(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(host_name).collect()
}

fn host_name(name: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.bytes().all(fits) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(format!("'{name}' is no host name; write names without ports, separated by commas"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs() -> Dirs {
        Dirs { config: "/c".into(), state: "/s".into() }
    }

    fn from(text: &str) -> Settings {
        Settings::parse(text, "config.toml").unwrap()
    }

    fn error(text: &str) -> String {
        Settings::parse(text, "config.toml").unwrap_err().to_string()
    }

    #[test]
    fn one_source_lies_over_another_and_defaults_are_below() {
        let flags = Settings { gateway_port: Some(8001), ..Settings::default() };
        let file = from(
            "[platform]\ngateway_port = 1\nregistry_port = 7001\nqueue_wait = \"2s\"\n\
             store = \"postgres://u:p@db/x\"\nqueue = \"amqp://u:p@mq/%2f\"\nmemory_budget = \"1GiB\"\n\
             keep_alive = \"adaptive\"",
        );
        let platform = flags.or(file).platform(&dirs()).unwrap();
        assert_eq!(platform.addresses.gateway.port(), 8001);
        assert_eq!(platform.addresses.registry.port(), 7001);
        assert_eq!(platform.addresses.scheduler.port(), 9000);
        assert_eq!(platform.limits.queue_wait, Duration::from_secs(2));
        assert_eq!(platform.limits.memory_budget, 1 << 30);
        assert_eq!(platform.limits.keep_alive, KeepAlivePolicy::Adaptive);
        assert_eq!(platform.python_version, "3.12");
        assert_eq!(platform.data_dir, PathBuf::from("/s/external"));
    }

    #[test]
    fn host_names_are_separated_by_commas_and_have_no_port() {
        assert_eq!(host_names(" Faas.example, b-2 ,").unwrap(), ["faas.example", "b-2"]);
        assert!(host_names("").unwrap().is_empty());
        assert_eq!(
            error("[platform]\ngateway_hosts = \"faas.example:8000\""),
            "config.toml:2:17: `platform.gateway_hosts`: 'faas.example:8000' is no host name; write names \
             without ports, separated by commas"
        );
    }

    #[test]
    fn a_platform_with_a_name_of_its_own_has_its_own_folder() {
        let named = Settings { name: Some("team".parse().unwrap()), ..Settings::default() };
        assert_eq!(named.data_dir(&dirs(), Stack::Compose), PathBuf::from("/s/compose-team"));
    }

    #[test]
    fn two_roles_on_one_port_are_refused() {
        let same = Settings { scheduler_port: Some(8000), ..Settings::default() };
        assert_eq!(
            same.addresses().unwrap_err().to_string(),
            "--gateway-port and --scheduler-port both have port 8000"
        );
        let free = Settings { gateway_port: Some(0), manager_port: Some(0), ..Settings::default() };
        assert_eq!(free.addresses().unwrap().gateway.port(), 0);
    }

    #[test]
    fn a_wrong_file_is_explained_without_its_passwords() {
        assert_eq!(
            error("[platform]\nregistry_prot = 7001"),
            "config.toml:2:1: unknown key `platform.registry_prot`; did you mean `platform.registry_port`?"
        );
        let store = error("[platform]\nstore = \"mysql://u:hunter2@db\"");
        assert!(
            store.starts_with("config.toml:2:9: `platform.store`: not a store; accepted are"),
            "{store}"
        );
        assert!(!store.contains("hunter2"));
        assert_eq!(
            error("[platform]\nkeep_alive = \"lru\""),
            "config.toml:2:14: `platform.keep_alive`: not a keep-alive policy; accepted are fixed and adaptive"
        );
        assert!(error("[platform]\ngateway_port = 65536").contains("from 0 to 65535"));
        assert!(error("[platform]\nstop_grace = \"30\"").contains("'30' is no duration"));
    }
}
