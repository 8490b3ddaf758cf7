//! The flags of a platform, shared by `up`, `status`, `down` and the roles.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use super::{Error, Exit};
use crate::{
    model::PlatformName, place::Dirs, runtime, settings::Settings, settings::host_names,
    settings::platform::KeepAlivePolicy, units,
};

/// Which platform, and where its files are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PlaceArgs {
    /// Name of the platform; roles with the same name, store and queue work together
    #[arg(long, env = "CLOUDFUNC_PLATFORM", value_name = "NAME", help_heading = "Platform")]
    pub platform: Option<PlatformName>,
    /// Folder of tokens, caches and logs [default: $XDG_STATE_HOME/cloudfunc/<stack>]
    #[arg(long, env = "CLOUDFUNC_DATA_DIR", value_name = "DIR", help_heading = "Platform")]
    pub data_dir: Option<PathBuf>,
}

impl PlaceArgs {
    /// This user's folders; without a home everything is in the data folder.
    pub fn dirs(&self) -> Result<Dirs, Error> {
        Dirs::from_env(self.data_dir.as_deref())
            .map_err(|error| Error::new(Exit::Caller, error).hint("set HOME, or say --data-dir DIR"))
    }
}

/// Where the roles listen; 0 takes a free port.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AddressArgs {
    /// Address on which the gateway listens [default: 127.0.0.1]
    #[arg(long, env = "CLOUDFUNC_GATEWAY_HOST", value_name = "IP", help_heading = "Addresses")]
    pub gateway_host: Option<IpAddr>,
    /// Port of the gateway [default: 8000]
    #[arg(long, env = "CLOUDFUNC_GATEWAY_PORT", value_name = "PORT", help_heading = "Addresses")]
    pub gateway_port: Option<u16>,
    /// Names by which the gateway may be called besides IP addresses and localhost, with commas between
    #[arg(long, env = "CLOUDFUNC_GATEWAY_HOSTS", value_name = "NAMES", help_heading = "Addresses")]
    pub gateway_hosts: Option<HostNames>,
    /// Port of the registry, on loopback [default: 7000]
    #[arg(long, env = "CLOUDFUNC_REGISTRY_PORT", value_name = "PORT", help_heading = "Addresses")]
    pub registry_port: Option<u16>,
    /// Port of the scheduler, on loopback [default: 9000]
    #[arg(long, env = "CLOUDFUNC_SCHEDULER_PORT", value_name = "PORT", help_heading = "Addresses")]
    pub scheduler_port: Option<u16>,
    /// Port of the manager, on loopback [default: 9001]
    #[arg(long, env = "CLOUDFUNC_MANAGER_PORT", value_name = "PORT", help_heading = "Addresses")]
    pub manager_port: Option<u16>,
}

impl AddressArgs {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        let ports = [self.gateway_port, self.registry_port, self.scheduler_port, self.manager_port];
        self.gateway_host.is_none() && ports.iter().all(Option::is_none)
    }
}

/// One value: clap would take a `Vec` as a flag that may be repeated.
#[derive(Clone, Debug)]
pub struct HostNames(Vec<String>);

impl FromStr for HostNames {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        host_names(text).map(Self)
    }
}

/// What functions run in.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RuntimeArgs {
    /// What functions run in: docker, or oci, containers without a daemon. By default docker; a platform
    /// in one process takes oci where no engine answers
    #[arg(long, env = "CLOUDFUNC_RUNTIME", value_name = "KIND", help_heading = "Runtime")]
    pub runtime: Option<runtime::Kind>,
    /// Base image of Python; {version} stands for the version [default: python:{version}-slim]
    #[arg(long, env = "CLOUDFUNC_PYTHON_IMAGE", value_name = "IMAGE", help_heading = "Runtime")]
    pub python_image: Option<String>,
    /// Version of Python for functions that name none [default: 3.12]
    #[arg(long, env = "CLOUDFUNC_PYTHON_VERSION", value_name = "VERSION", help_heading = "Runtime")]
    pub python_version: Option<String>,
}

/// Everything that a role needs to know.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SettingsArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(flatten)]
    pub addresses: AddressArgs,
    /// Store: postgres://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:PATH, or sqlite (in the data folder)
    #[arg(long, env = "CLOUDFUNC_STORE", hide_env_values = true)]
    #[arg(value_name = "URL", help_heading = "Platform")]
    pub store: Option<String>,
    /// Queue: amqp://USER:PASSWORD@HOST:PORT/VHOST, or embedded (with sqlite, all roles in one process)
    #[arg(long, env = "CLOUDFUNC_QUEUE", hide_env_values = true)]
    #[arg(value_name = "URL", help_heading = "Platform")]
    pub queue: Option<String>,
    #[command(flatten)]
    pub runtime: RuntimeArgs,
    /// How long a sync call waits for a free instance before it is answered 429 [default: 10s]
    #[arg(long, env = "CLOUDFUNC_QUEUE_WAIT", value_parser = units::parse_duration)]
    #[arg(value_name = "DURATION", help_heading = "Limits")]
    pub queue_wait: Option<Duration>,
    /// Sync calls of one function that may wait at once; one more is answered 429 [default: 100]
    #[arg(long, env = "CLOUDFUNC_MAX_WAITING", value_name = "COUNT", help_heading = "Limits")]
    pub max_waiting: Option<u32>,
    /// Async invocations that may be queued; one more is answered 503 [default: 100000]
    #[arg(long, env = "CLOUDFUNC_MAX_BACKLOG", value_name = "COUNT", help_heading = "Limits")]
    pub max_backlog: Option<u64>,
    /// Memory of all instances of a manager together [default: 8GiB]
    #[arg(long, env = "CLOUDFUNC_MEMORY_BUDGET", value_parser = units::parse_bytes)]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub memory_budget: Option<u64>,
    /// How long idle instances are kept: fixed, for their idle_timeout, or adaptive, for longer where the
    /// past of the function says that it will be invoked again [default: fixed]
    #[arg(long, env = "CLOUDFUNC_KEEP_ALIVE", value_name = "POLICY", help_heading = "Limits")]
    pub keep_alive: Option<KeepAlivePolicy>,
    /// Memory of the instances that wait for a function yet to come, so that a cold start is quick; out of
    /// what --memory-budget has left. 0B: none waits [default: 512MiB]
    #[arg(long, env = "CLOUDFUNC_PREWARM_BUDGET", value_parser = units::parse_bytes)]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub prewarm_budget: Option<u64>,
    /// Instances that a manager starts at once [default: twice the cores]
    #[arg(long, env = "CLOUDFUNC_MAX_STARTS", value_name = "COUNT", help_heading = "Limits")]
    pub max_starts: Option<usize>,
    /// How long a stop waits for running invocations [default: 30s]
    #[arg(long, env = "CLOUDFUNC_STOP_GRACE", value_parser = units::parse_duration)]
    #[arg(value_name = "DURATION", help_heading = "Limits")]
    pub stop_grace: Option<Duration>,
    /// How long records and logs are kept [default: 168h]
    #[arg(long, env = "CLOUDFUNC_RETENTION", value_parser = units::parse_duration)]
    #[arg(value_name = "DURATION", help_heading = "Limits")]
    pub retention: Option<Duration>,
    /// Revisions of a function that are kept for a rollback, the newest ones; the active one always is
    /// [default: 10]
    #[arg(long, env = "CLOUDFUNC_KEEP_REVISIONS", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(value_name = "COUNT", help_heading = "Limits")]
    pub keep_revisions: Option<u32>,
}

impl SettingsArgs {
    /// These flags (clap has looked at the environment) over the user's file.
    pub fn load(self, dirs: &Dirs) -> Result<Settings, Error> {
        Ok(self.settings()?.or(of_user(dirs)?))
    }

    /// The same for who may have no home, and then has no file.
    pub fn load_anywhere(self) -> Result<Settings, Error> {
        match self.place.dirs() {
            Ok(dirs) => self.load(&dirs),
            Err(_) => self.settings(),
        }
    }

    /// The same with `--embedded`.
    pub fn load_embedded(self, dirs: &Dirs) -> Result<Settings, Error> {
        let flags = self.settings()?.embedded().map_err(|error| Error::new(Exit::Caller, error))?;
        Ok(flags.or(of_user(dirs)?))
    }

    fn settings(self) -> Result<Settings, Error> {
        Ok(Settings {
            name: self.place.platform,
            data_dir: self.place.data_dir,
            store: url("--store", self.store)?,
            queue: url("--queue", self.queue)?,
            runtime: self.runtime.runtime,
            gateway_host: self.addresses.gateway_host,
            gateway_port: self.addresses.gateway_port,
            gateway_hosts: self.addresses.gateway_hosts.map(|names| names.0),
            registry_port: self.addresses.registry_port,
            scheduler_port: self.addresses.scheduler_port,
            manager_port: self.addresses.manager_port,
            python_image: self.runtime.python_image,
            python_version: self.runtime.python_version,
            queue_wait: self.queue_wait,
            max_waiting: self.max_waiting,
            max_backlog: self.max_backlog,
            memory_budget: self.memory_budget,
            keep_alive: self.keep_alive,
            prewarm_budget: self.prewarm_budget,
            max_starts: self.max_starts,
            stop_grace: self.stop_grace,
            retention: self.retention,
            keep_revisions: self.keep_revisions,
        })
    }
}

fn of_user(dirs: &Dirs) -> Result<Settings, Error> {
    Settings::of_user(dirs).map_err(|error| Error::new(Exit::Caller, error))
}

/// Not a value parser of clap, whose errors repeat the value: it may hold a password.
fn url<T: std::str::FromStr<Err = String>>(
    flag: &str,
    value: Option<String>,
) -> Result<Option<T>, Error> {
    value
        .map(|text| text.parse().map_err(|problem| Error::usage(format!("{flag}: {problem}"))))
        .transpose()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn parse(arguments: &[String]) -> SettingsArgs {
        let command = SettingsArgs::augment_args(Command::new("x").no_binary_name(true));
        SettingsArgs::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn the_environment_of_a_child_says_the_same_as_the_flags_of_its_parent() {
        let flags = "--platform team --data-dir /d --store postgres://u:p@db/x --queue amqp://u:p@mq/%2f \
                     --runtime process --gateway-host 0.0.0.0 --gateway-hosts a.b,c --gateway-port 1 --registry-port 2 \
                     --scheduler-port 3 --manager-port 4 --python-image p:{version} \
                     --python-version 3.11 --queue-wait 1500ms --max-waiting 5 --max-backlog 6 \
                     --memory-budget 7GiB --keep-alive adaptive --prewarm-budget 1GiB --max-starts 8 --stop-grace 9s --retention 10h \
                     --keep-revisions 3";
        let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        let dirs = Dirs { config: "/c".into(), state: "/s".into() };
        let platform = parse(&flags).settings().unwrap().platform(&dirs).unwrap();

        let command = SettingsArgs::augment_args(Command::new("x"));
        let mut as_flags = Vec::new();
        for (variable, value) in platform.environment() {
            let known = |arg: &&clap::Arg| arg.get_env().is_some_and(|env| env == variable);
            let arg = command.get_arguments().find(known).expect(variable);
            as_flags.extend([format!("--{}", arg.get_long().unwrap()), value]);
        }
        assert_eq!(as_flags.len(), flags.len(), "every setting is handed down");
        let child = parse(&as_flags).settings().unwrap().platform(&dirs).unwrap();
        assert_eq!(format!("{child:?}"), format!("{platform:?}"));
        assert_eq!(child.environment(), platform.environment());
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        let args = parse(&["--store".to_owned(), "mysql://u:hunter2@db".to_owned()]);
        let error = args.settings().unwrap_err().chain().join(": ");
        assert!(error.starts_with("--store: not a store; accepted are"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}
