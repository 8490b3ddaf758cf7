//! The table of all settings of a platform. The flags of the commands, the `CLOUDFUNC_…` variables, the keys of
//! the file's table `[platform]` and the environment of the roles are generated from it, and the table in the
//! manual is checked against it.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    BuildProxy, BuildVariables, Issuer, KeepAlivePolicy, PackageIndex, RoleRules, StorePlace,
    form::{Form, LISTEN, ON_OR_OFF, PROXIES, SWITCH, word},
    host_names,
    languages::{Languages, OfLanguage},
    oidc,
};
use crate::{
    model::{Language, PlatformName, TrustedProxies, message::MAX_BODY},
    queue, runtime,
    toml_document::{Field, LocatedError},
    units::{parse_bytes, parse_duration, show_bytes},
};

/// The group of a setting: it decides which commands take it, and its heading in their help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The platform's name and the place of its files.
    Place,
    /// The addresses on which the roles listen.
    Addresses,
    /// The settings with which the gateway listens, which only its own process has to know.
    Front,
    /// Store and queue, and the keys of what is encrypted in the store.
    Backends,
    /// The runtime of functions.
    Runtime,
    /// The sources of packages, for builds.
    Builds,
    /// Tokens that others have issued.
    Access,
    /// Limits, each with what happens when it is reached.
    Limits,
}

impl Group {
    pub fn heading(self) -> &'static str {
        match self {
            Self::Place | Self::Backends => "Platform",
            Self::Addresses | Self::Front => "Addresses",
            Self::Runtime => "Runtime",
            Self::Builds => "Builds",
            Self::Access => "Access",
            Self::Limits => "Limits",
        }
    }
}

/// One setting with all ways in which it can be given.
#[derive(Clone, Copy)]
pub enum Setting {
    /// A row of [`TABLE`].
    Platform(&'static Row),
    /// A setting that each language has.
    Language(Language, OfLanguage),
}

/// Returns all settings, in the order of help.
pub fn settings() -> impl Iterator<Item = Setting> {
    let (before, limits) = TABLE.split_at(TABLE.partition_point(|row| row.group != Group::Limits));
    let languages = Language::ALL.iter();
    let languages =
        languages.flat_map(|&language| OfLanguage::ALL.map(|of| Setting::Language(language, of)));
    before.iter().map(Setting::Platform).chain(languages).chain(limits.iter().map(Setting::Platform))
}

impl Setting {
    /// Returns the flag without its dashes.
    pub fn flag(self) -> String {
        match self {
            Self::Platform(row) => row.flag.to_owned(),
            Self::Language(language, of) => format!("{language}-{}", of.key()),
        }
    }

    /// Returns the environment variable.
    pub fn variable(self) -> String {
        match self {
            Self::Language(language, OfLanguage::Image) => language.image_variable(),
            _ => format!("CLOUDFUNC_{}", self.flag().replace('-', "_").to_uppercase()),
        }
    }

    /// Returns the key in the file's table `[platform]`. A language's setting also has the key
    /// `languages.<name>.<key>`.
    pub fn key(self) -> String {
        match self {
            Self::Platform(row) => row.key.to_owned(),
            Self::Language(..) => self.flag().replace('-', "_"),
        }
    }

    pub fn group(self) -> Group {
        match self {
            Self::Platform(row) => row.group,
            Self::Language(..) => Group::Runtime,
        }
    }

    /// Returns the placeholder for the value in help.
    pub fn value(self) -> &'static str {
        match self {
            Self::Platform(row) => row.value,
            Self::Language(_, of) => of.value(),
        }
    }

    /// Returns whether it is on or off, so that its flag may be given without a value.
    pub fn is_switch(self) -> bool {
        self.value() == SWITCH
    }

    /// Returns the help: one or two sentences without the last full stop, and the default if there is one.
    pub fn help(self) -> String {
        let (help, default) = match self {
            Self::Platform(row) => (row.help.to_owned(), row.default),
            Self::Language(language, of) => (of.help(language), Some(of.default(language))),
        };
        let help: Vec<_> = help.lines().map(str::trim).collect();
        let help = help.join(" ");
        match default {
            Some(default) => format!("{} [default: {default}]", help.trim()),
            None => help.trim().to_owned(),
        }
    }

    /// Returns whether its value may hold a password: it is never repeated in an error, nor shown by help.
    pub fn is_secret(self) -> bool {
        match self {
            Self::Platform(row) => row.is_secret,
            Self::Language(..) => false,
        }
    }

    /// Returns whether it may be left out without a default in its place.
    pub(super) fn is_optional(self) -> bool {
        const OTHERS: [&str; 3] = ["public_listen", "secret_key_file", "tls_cert"];
        let is_of_group = matches!(self.group(), Group::Builds | Group::Access | Group::Front);
        is_of_group || OTHERS.contains(&self.key().as_str())
    }

    /// Reads the value of a flag or a variable. The error says what would be accepted, without the flag's name.
    pub fn read(self, settings: &mut Settings, text: &str) -> Result<(), String> {
        match self {
            Self::Platform(row) => return (row.read)(settings, text),
            Self::Language(language, of) => settings.languages.set(language, of, text),
        }
        Ok(())
    }

    /// Reads the value in the file.
    pub fn read_field(self, settings: &mut Settings, field: &Field<'_>) -> Result<(), LocatedError> {
        match self {
            Self::Platform(row) => return (row.read_field)(settings, field),
            Self::Language(language, of) => {
                let text = field.string(&format!("{:?}", of.default(language)))?;
                settings.languages.set(language, of, text);
            }
        }
        Ok(())
    }

    /// Returns the value in the form that [`Setting::read`] takes; `None` if it is not given. It may hold a
    /// password.
    pub fn show(self, settings: &Settings) -> Option<String> {
        match self {
            Self::Platform(row) => (row.show)(settings),
            Self::Language(language, of) => settings.languages.get(language, of).map(str::to_owned),
        }
    }
}

/// A setting that does not belong to a language.
pub struct Row {
    key: &'static str,
    flag: &'static str,
    group: Group,
    value: &'static str,
    help: &'static str,
    /// The default as it would be written; `None` if there is none, or if it depends on other settings.
    default: Option<&'static str>,
    is_secret: bool,
    read: fn(&mut Settings, &str) -> Result<(), String>,
    read_field: fn(&mut Settings, &Field<'_>) -> Result<(), LocatedError>,
    show: fn(&Settings) -> Option<String>,
}

const PATH: Form<PathBuf> = Form {
    is_secret: false,
    read: path,
    read_field: |field| field.parsed("\"/var/lib/cloudfunc\"", path),
    show: |path| path.display().to_string(),
};
const NAME: Form<PlatformName> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"default\"", word),
    show: PlatformName::to_string,
};
const STORE: Form<StorePlace> = Form {
    is_secret: true,
    read: word,
    read_field: |field| field.parsed("\"postgres://user:password@host:port/database\"", word),
    show: StorePlace::show,
};
const QUEUE: Form<queue::Config> = Form {
    is_secret: true,
    read: word,
    read_field: |field| field.parsed("\"amqp://user:password@host:port/vhost\"", word),
    show: |queue| match queue {
        queue::Config::RabbitMq { url } => url.expose().to_owned(),
        queue::Config::Embedded => "embedded".to_owned(),
    },
};
const KIND: Form<runtime::Kind> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"docker\"", word),
    show: |kind| kind.as_str().to_owned(),
};
const INDEX: Form<PackageIndex> = Form {
    is_secret: true,
    read: word,
    read_field: |field| field.parsed("\"https://pypi.example/simple\"", word),
    show: PackageIndex::show,
};
const PROXY: Form<BuildProxy> = Form {
    is_secret: true,
    read: word,
    read_field: |field| field.parsed("\"http://proxy.example:3128\"", word),
    show: BuildProxy::show,
};
const VARIABLES: Form<BuildVariables> = Form {
    is_secret: true,
    read: word,
    read_field: |field| field.parsed("\"NAME=VALUE,OTHER=VALUE\"", word),
    show: BuildVariables::show,
};
const ISSUER: Form<Issuer> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"https://id.example\"", word),
    show: Issuer::to_string,
};
const AUDIENCE: Form<String> = Form {
    is_secret: false,
    read: oidc::audience,
    read_field: |field| field.parsed("\"cloudfunc\"", oidc::audience),
    show: String::clone,
};
const ROLES: Form<RoleRules> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"deploy=groups:developers\"", word),
    show: RoleRules::show,
};
const IP: Form<IpAddr> = Form {
    is_secret: false,
    read: |text| text.parse().map_err(|_| "not an IP address".to_owned()),
    read_field: |field| field.parsed("\"127.0.0.1\"", word::<IpAddr>),
    show: IpAddr::to_string,
};
const HOST_NAMES: Form<Vec<String>> = Form {
    is_secret: false,
    read: host_names,
    read_field: |field| field.parsed("\"faas.example,10.0.0.7\"", host_names),
    show: |names| names.join(","),
};
const POLICY: Form<KeepAlivePolicy> = Form {
    is_secret: false,
    read: word,
    read_field: |field| field.parsed("\"adaptive\"", word),
    show: |policy| policy.as_str().to_owned(),
};
const DURATION: Form<Duration> = Form {
    is_secret: false,
    read: parse_duration,
    read_field: |field| field.parsed("\"30s\"", parse_duration),
    show: |duration| format!("{}ms", duration.as_millis()),
};
const BYTES: Form<u64> = Form {
    is_secret: false,
    read: parse_bytes,
    read_field: |field| field.parsed("\"8GiB\"", parse_bytes),
    show: |bytes| format!("{bytes}B"),
};
/// A payload of the largest size has to fit in.
const BACKLOG_BYTES: Form<u64> = Form {
    is_secret: false,
    read: backlog_bytes,
    read_field: |field| field.parsed("\"8GiB\"", backlog_bytes),
    show: |bytes| format!("{bytes}B"),
};
const PORT: Form<u16> = count::<u16, 0, { u16::MAX as u32 }>();

fn backlog_bytes(text: &str) -> Result<u64, String> {
    match parse_bytes(text)? {
        bytes if bytes < MAX_BODY as u64 => Err(format!(
            "must be at least {}, the size of the largest payload",
            show_bytes(MAX_BODY as u64)
        )),
        bytes => Ok(bytes),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty; write a path".to_owned()) } else { Ok(text.into()) }
}

/// Accepts a whole number within the range.
const fn count<T: TryFrom<u32> + Display, const MIN: u32, const MAX: u32>() -> Form<T> {
    Form {
        is_secret: false,
        read: |text| {
            let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
            let number = number.and_then(|number| T::try_from(number).ok());
            number.ok_or_else(|| format!("must be a whole number from {MIN} to {MAX}"))
        },
        read_field: |field| {
            let number = field.integer(MIN, MAX)?;
            T::try_from(number).map_err(|_| field.refuse("it is too large"))
        },
        show: T::to_string,
    }
}

macro_rules! settings {
    (
        platform {$(
            $(#[doc = $doc:literal])+
            $name:ident: $type:ty, $form:expr, $group:ident, $flag:literal, $value:literal $(, $default:literal)?;
        )+}
        limits {$(
            $(#[doc = $limit_doc:literal])+
            $limit:ident: $limit_type:ty, $limit_form:expr, $limit_flag:literal, $limit_value:literal,
            $limit_default:literal $(= $limit_computed:expr)?;
        )+}
        fixed {$(
            $(#[doc = $fixed_doc:literal])+
            $fixed:ident: $fixed_type:ty = $fixed_value:expr;
        )+}
    ) => {
        /// The settings of a platform that one source (flags with the environment, or the file) gives.
        #[derive(Clone, Debug, Default)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: Option<$type>,)+
            pub languages: Languages,
            $($(#[doc = $limit_doc])+ pub $limit: Option<$limit_type>,)+
        }

        /// Limits, each with what happens when it is reached.
        #[derive(Clone, Copy, Debug)]
        pub struct Limits {
            $($(#[doc = $limit_doc])+ pub $limit: $limit_type,)+
            $($(#[doc = $fixed_doc])+ pub $fixed: $fixed_type,)+
        }

        impl Settings {
            /// Returns these settings, with the other ones where these are not given.
            pub fn or(self, other: Self) -> Self {
                Self {
                    $($name: self.$name.or(other.$name),)+
                    languages: self.languages.or(other.languages),
                    $($limit: self.$limit.or(other.$limit),)+
                }
            }

            /// Returns the limits, with the defaults where none is given.
            pub fn limits(&self) -> Limits {
                let default = Limits::default();
                Limits {
                    $($limit: self.$limit.unwrap_or(default.$limit),)+
                    $($fixed: default.$fixed,)+
                }
            }

            /// Returns the same settings with these limits.
            pub(super) fn with_limits(self, limits: &Limits) -> Self {
                Self { $($limit: Some(limits.$limit),)+ ..self }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self {
                    $($limit: settings!(@default $limit_form, $limit_default $(, $limit_computed)?),)+
                    $($fixed: $fixed_value,)+
                }
            }
        }

        /// The settings that do not belong to a language, limits last.
        const TABLE: &[Row] = &[
            $(Row {
                key: stringify!($name),
                flag: $flag,
                group: Group::$group,
                value: $value,
                help: concat!($($doc, "\n"),+),
                default: settings!(@some $($default)?),
                is_secret: $form.is_secret,
                read: |settings, text| {
                    settings.$name = Some(($form.read)(text)?);
                    Ok(())
                },
                read_field: |settings, field| {
                    settings.$name = Some(($form.read_field)(field)?);
                    Ok(())
                },
                show: |settings| settings.$name.as_ref().map(|value| ($form.show)(value)),
            },)+
            $(Row {
                key: stringify!($limit),
                flag: $limit_flag,
                group: Group::Limits,
                value: $limit_value,
                help: concat!($($limit_doc, "\n"),+),
                default: Some($limit_default),
                is_secret: $limit_form.is_secret,
                read: |settings, text| {
                    settings.$limit = Some(($limit_form.read)(text)?);
                    Ok(())
                },
                read_field: |settings, field| {
                    settings.$limit = Some(($limit_form.read_field)(field)?);
                    Ok(())
                },
                show: |settings| settings.$limit.as_ref().map(|value| ($limit_form.show)(value)),
            },)+
        ];
    };
    (@some) => { None };
    (@some $default:literal) => { Some($default) };
    (@default $form:expr, $default:literal) => { ($form.read)($default).expect("a default") };
    (@default $form:expr, $default:literal, $computed:expr) => { $computed };
}

settings! {
    platform {
        /// Name of the platform; roles with the same name, store and queue work together
        name: PlatformName, NAME, Place, "platform", "NAME";
        /// Folder of tokens, caches and logs [default: $XDG_STATE_HOME/cloudfunc/<stack>]
        data_dir: PathBuf, PATH, Place, "data-dir", "DIR";
        /// Address on which the gateway listens
        gateway_host: IpAddr, IP, Addresses, "gateway-host", "IP", "127.0.0.1";
        /// Port of the gateway
        gateway_port: u16, PORT, Addresses, "gateway-port", "PORT", "8000";
        /// Names by which the gateway may be called in addition to IP addresses and localhost, separated by
        /// commas
        gateway_hosts: Vec<String>, HOST_NAMES, Addresses, "gateway-hosts", "NAMES";
        /// Address with a port on which the addresses of functions are served, and nothing else, such as
        /// 0.0.0.0:8443
        public_listen: SocketAddr, LISTEN, Addresses, "public-listen", "ADDR";
        /// File with the certificate of the gateway, in PEM form, for TLS on its port and the public one. It is read
        /// again when it changes
        tls_cert: PathBuf, PATH, Addresses, "tls-cert", "FILE";
        /// File with the private key of that certificate, in PEM form
        tls_key: PathBuf, PATH, Front, "tls-key", "FILE";
        /// Addresses and networks of proxies in front of the gateway that are believed about where a request has come from,
        /// separated by commas
        trusted_proxies: TrustedProxies, PROXIES, Front, "trusted-proxies", "LIST";
        /// Let the gateway listen beyond this host without TLS
        insecure: bool, ON_OR_OFF, Front, "insecure", "true|false", "false";
        /// Port of the registry, on loopback
        registry_port: u16, PORT, Addresses, "registry-port", "PORT", "7000";
        /// Port of the scheduler, on loopback
        scheduler_port: u16, PORT, Addresses, "scheduler-port", "PORT", "9000";
        /// Port of the manager, on loopback
        manager_port: u16, PORT, Addresses, "manager-port", "PORT", "9001";
        /// Store: postgres://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:PATH, or sqlite (in the data folder)
        store: StorePlace, STORE, Backends, "store", "URL";
        /// Queue: amqp://USER:PASSWORD@HOST:PORT/VHOST, or embedded (with sqlite, all roles in one process)
        queue: queue::Config, QUEUE, Backends, "queue", "URL";
        /// File with the keys that secrets are encrypted with, one a line, the newest first. Hosts with the same
        /// store need the same keys [default: secret-key in the data folder]
        secret_key_file: PathBuf, PATH, Backends, "secret-key-file", "FILE";
        /// Runtime of functions: docker, or oci (containers without a daemon). By default docker; a platform in
        /// one process uses oci if no Docker engine answers
        runtime: runtime::Kind, KIND, Runtime, "runtime", "KIND";
        /// Index of Python packages for builds, in place of the public one: an address, or none. Builds may
        /// connect to it also where its address is private
        build_index: PackageIndex, INDEX, Builds, "build-index", "URL";
        /// Registry of npm packages for builds, in place of the public one: an address, or none. Builds may
        /// connect to it also where its address is private
        build_npm_registry: PackageIndex, INDEX, Builds, "build-npm-registry", "URL";
        /// File with the certificates of the authorities that builds trust, in place of the usual ones
        build_ca_file: PathBuf, PATH, Builds, "build-ca-file", "FILE";
        /// Folder with packages (wheels) that builds use in addition to the index
        build_find_links: PathBuf, PATH, Builds, "build-find-links", "DIR";
        /// HTTP proxy of builds, with a user and a password if it asks for them. Builds may connect to it also
        /// where its address is private
        build_proxy: BuildProxy, PROXY, Builds, "build-proxy", "URL";
        /// Hosts that builds ask without the proxy, with all names below them, separated by commas
        build_no_proxy: Vec<String>, HOST_NAMES, Builds, "build-no-proxy", "NAMES";
        /// Further variables of builds, as NAME=VALUE, separated by commas, or one on each line
        build_env: BuildVariables, VARIABLES, Builds, "build-env", "VARIABLES";
        /// Address of an OpenID Connect provider, as its tokens name it. They are accepted in addition to the
        /// platform's own
        oidc_issuer: Issuer, ISSUER, Access, "oidc-issuer", "URL";
        /// Audience that tokens of the OpenID Connect provider have to be for
        oidc_audience: String, AUDIENCE, Access, "oidc-audience", "TEXT";
        /// Roles of tokens of the OpenID Connect provider, as ROLE=CLAIM:VALUE or ROLE@FUNCTIONS=CLAIM:VALUE, in
        /// which * stands for any characters, separated by commas, or one on each line
        oidc_roles: RoleRules, ROLES, Access, "oidc-roles", "RULES";
        /// File with the certificates of the authorities that are trusted for the OpenID Connect provider, in place
        /// of the usual ones
        oidc_ca_file: PathBuf, PATH, Access, "oidc-ca-file", "FILE";
    }
    limits {
        /// How long a sync call waits for a free instance; after that it is answered with 429
        queue_wait: Duration, DURATION, "queue-wait", "DURATION", "10s";
        /// Maximum number of sync calls of one function that wait at the same time; further ones are answered
        /// with 429
        max_waiting: u32, count::<u32, 0, { u32::MAX }>(), "max-waiting", "COUNT", "100";
        /// Maximum number of queued async invocations; further ones are answered with 503 before anything is
        /// stored
        max_backlog: u64, count::<u64, 0, { u32::MAX }>(), "max-backlog", "COUNT", "100000";
        /// Maximum size of the payloads of queued async invocations together; further ones are answered with 503
        /// before anything is stored
        max_backlog_size: u64, BACKLOG_BYTES, "max-backlog-size", "SIZE", "8GiB";
        /// Memory of all instances of a manager together, by their limits. When it is used up, an idle instance
        /// is evicted; if none is idle, a start waits
        memory_budget: u64, BYTES, "memory-budget", "SIZE", "8GiB, or three quarters of the memory if that is less" = usual_budget();
        /// How long idle instances are kept: fixed, for their idle_timeout, or adaptive, for longer if the past
        /// of the function predicts further invocations
        keep_alive: KeepAlivePolicy, POLICY, "keep-alive", "POLICY", "fixed";
        /// Part of --memory-budget for instances that are started in advance, before their function is known, so
        /// that cold starts are quick; they only take what is left of it. 0B: no such instances
        prewarm_budget: u64, BYTES, "prewarm-budget", "SIZE", "512MiB";
        /// Maximum number of instances that a manager starts at the same time; others wait
        max_starts: usize, count::<usize, 0, 10_000>(), "max-starts", "COUNT", "twice the cores" = twice_the_cores();
        /// How long a stop waits for running invocations before it abandons them
        stop_grace: Duration, DURATION, "stop-grace", "DURATION", "30s";
        /// How long records and logs are kept
        retention: Duration, DURATION, "retention", "DURATION", "168h";
        /// How long entries of the audit log are kept
        audit_retention: Duration, DURATION, "audit-retention", "DURATION", "2160h";
        /// Number of newest revisions of a function that are kept for a rollback; the active one is always
        /// kept, and so are those still in use
        keep_revisions: u32, count::<u32, 1, { u32::MAX }>(), "keep-revisions", "COUNT", "10";
    }
    fixed {
        /// The time for which the installation of packages may run; after that the build has failed. Tests shorten it.
        build_time: Duration = Duration::from_secs(600);
        /// The time for which a deploy's load check waits for memory; after that it is skipped. Tests shorten
        /// it.
        check_wait: Duration = Duration::from_secs(10);
        /// The interval at which a role that follows the functions reads all of them, because the announcement
        /// of a change may have been lost. Tests shorten it.
        reread: Duration = Duration::from_secs(60);
        /// The time for which an outcome may be on its way, through a queue, or a scheduler whose store is away; after
        /// that it counts as lost, and the invocation is run again. Tests shorten it.
        outcome_wait: Duration = Duration::from_secs(600);
        /// The time for which a gateway uses what it knows of a token before it asks again. Tests shorten it.
        token_recheck: Duration = Duration::from_secs(30);
        /// The time after which a gateway no longer uses what it knows of a token, if nothing has answered it since. Tests
        /// shorten it.
        token_age: Duration = Duration::from_secs(60);
    }
}

/// Returns twice the number of cores, which saturates an engine (measured: 4 starts on 2 cores).
fn twice_the_cores() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

/// Returns the budget for this machine, or for the container that this process runs in.
fn usual_budget() -> u64 {
    let machine = rustix::system::sysinfo();
    let memory = machine.totalram.saturating_mul(machine.mem_unit.into());
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    budget_of(memory.min(limit))
}

/// A quarter of the memory is left to everything else.
fn budget_of(memory: u64) -> u64 {
    (memory / 4 * 3).min(8 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_leaves_memory_to_everything_else() {
        assert_eq!([budget_of(2 << 30), budget_of(64 << 30)], [3 << 29, 8 << 30]);
    }

    #[test]
    fn a_backlog_has_room_for_the_largest_payload() {
        let setting = settings().find(|setting| setting.key() == "max_backlog_size").unwrap();
        let refused = setting.read(&mut Settings::default(), "5MiB").unwrap_err();
        assert_eq!(refused, "must be at least 6 MiB, the size of the largest payload");
        assert_eq!(setting.read(&mut Settings::default(), "6MiB"), Ok(()));
    }

    #[test]
    fn settings_that_may_hold_a_password_are_secret() {
        let secret: Vec<String> =
            settings().filter(|setting| setting.is_secret()).map(Setting::key).collect();
        let expected =
            ["store", "queue", "build_index", "build_npm_registry", "build_proxy", "build_env"];
        assert_eq!(secret, expected);
    }

    #[test]
    fn every_setting_is_shown_as_it_is_read_and_every_default_can_be_read() {
        for setting in settings() {
            let mut settings = Settings::default();
            assert_eq!(setting.show(&settings), None, "{}", setting.key());
            let help = setting.help();
            let default =
                help.rsplit_once("[default: ").map(|(_, default)| default.trim_end_matches(']'));
            if let Some(default) = default.filter(|default| !default.contains([' ', '$'])) {
                setting.read(&mut settings, default).expect(default);
                let shown = setting.show(&settings).expect(default);
                let mut again = Settings::default();
                setting.read(&mut again, &shown).expect(&shown);
                assert_eq!(format!("{again:?}"), format!("{settings:?}"));
            }
        }
    }

    #[test]
    fn flags_keys_and_variables_are_named_alike() {
        for setting in settings().filter(|setting| setting.key() != "name") {
            assert_eq!(setting.key().replace('_', "-"), setting.flag());
        }
        let port = settings().find(|setting| setting.key() == "gateway_port").unwrap();
        assert_eq!(port.variable(), "CLOUDFUNC_GATEWAY_PORT");
        assert_eq!(port.help(), "Port of the gateway [default: 8000]");
        let image = settings().find(|setting| setting.flag() == "python-image").unwrap();
        assert_eq!(image.variable(), "CLOUDFUNC_PYTHON_IMAGE");
    }
}
