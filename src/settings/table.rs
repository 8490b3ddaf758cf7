//! Every setting of a platform, once. The flags of the commands, the `CLOUDFUNC_…` variables, the keys of the
//! file's table `[platform]`, the environment of the roles and the table in the manual are made of this one.

use std::{fmt::Display, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use super::{
    KeepAlivePolicy, StorePlace, host_names,
    languages::{Languages, OfLanguage},
};
use crate::{
    model::{Language, PlatformName},
    queue, runtime,
    toml_document::{Field, LocatedError},
    units::{parse_bytes, parse_duration},
};

/// Which commands take a setting, and the heading that it has in their help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which platform, and where its files are.
    Place,
    /// Where the roles listen.
    Addresses,
    /// Store and queue.
    Backends,
    /// What functions run in.
    Runtime,
    /// Bounds, each with what happens at it.
    Limits,
}

impl Group {
    pub fn heading(self) -> &'static str {
        match self {
            Self::Place | Self::Backends => "Platform",
            Self::Addresses => "Addresses",
            Self::Runtime => "Runtime",
            Self::Limits => "Limits",
        }
    }
}

/// One setting: every way in which it can be given.
#[derive(Clone, Copy)]
pub enum Setting {
    /// A row of [`TABLE`].
    Platform(&'static Row),
    /// One of those that each language has.
    Language(Language, OfLanguage),
}

/// All settings, in the order of help.
pub fn settings() -> impl Iterator<Item = Setting> {
    let (before, limits) = TABLE.split_at(TABLE.partition_point(|row| row.group != Group::Limits));
    let languages = Language::ALL.iter();
    let languages =
        languages.flat_map(|&language| OfLanguage::ALL.map(|of| Setting::Language(language, of)));
    before.iter().map(Setting::Platform).chain(languages).chain(limits.iter().map(Setting::Platform))
}

impl Setting {
    /// Without its dashes.
    pub fn flag(self) -> String {
        match self {
            Self::Platform(row) => row.flag.to_owned(),
            Self::Language(language, of) => format!("{language}-{}", of.key()),
        }
    }

    /// The environment variable.
    pub fn variable(self) -> String {
        format!("CLOUDFUNC_{}", self.flag().replace('-', "_").to_uppercase())
    }

    /// The key of the file's table `[platform]`. That of a language is `languages.<name>.<key>`, too.
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

    /// What stands for the value in help.
    pub fn value(self) -> &'static str {
        match self {
            Self::Platform(row) => row.value,
            Self::Language(_, of) => of.value(),
        }
    }

    /// One sentence or two without the last full stop, and the default where there is one.
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

    /// Whether its value may hold a password: it is never repeated in an error, nor shown by help.
    pub fn is_secret(self) -> bool {
        self.group() == Group::Backends
    }

    /// Takes the value of a flag or a variable. The error says what would be accepted, without the flag's name.
    pub fn read(self, settings: &mut Settings, text: &str) -> Result<(), String> {
        match self {
            Self::Platform(row) => return (row.read)(settings, text),
            Self::Language(language, of) => settings.languages.set(language, of, text),
        }
        Ok(())
    }

    /// Takes the value of the file.
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

    /// The value as [`Setting::read`] takes it; None where nothing is said. It may hold a password.
    pub fn show(self, settings: &Settings) -> Option<String> {
        match self {
            Self::Platform(row) => (row.show)(settings),
            Self::Language(language, of) => settings.languages.get(language, of).map(str::to_owned),
        }
    }
}

/// A setting that is no language's.
pub struct Row {
    key: &'static str,
    flag: &'static str,
    group: Group,
    value: &'static str,
    help: &'static str,
    /// As it would be written; None where there is none, or where it depends on other settings.
    default: Option<&'static str>,
    read: fn(&mut Settings, &str) -> Result<(), String>,
    read_field: fn(&mut Settings, &Field<'_>) -> Result<(), LocatedError>,
    show: fn(&Settings) -> Option<String>,
}

/// How the values of a type are written.
struct Form<T> {
    read: fn(&str) -> Result<T, String>,
    read_field: fn(&Field<'_>) -> Result<T, LocatedError>,
    show: fn(&T) -> String,
}

const PATH: Form<PathBuf> = Form {
    read: |text| Ok(text.into()),
    read_field: |field| field.string("\"/var/lib/cloudfunc\"").map(PathBuf::from),
    show: |path| path.display().to_string(),
};
const NAME: Form<PlatformName> = Form {
    read: word,
    read_field: |field| field.parsed("\"default\"", word),
    show: PlatformName::to_string,
};
const STORE: Form<StorePlace> = Form {
    read: word,
    read_field: |field| field.parsed("\"postgres://user:password@host:port/database\"", word),
    show: StorePlace::show,
};
const QUEUE: Form<queue::Config> = Form {
    read: word,
    read_field: |field| field.parsed("\"amqp://user:password@host:port/vhost\"", word),
    show: |queue| match queue {
        queue::Config::RabbitMq { url } => url.expose().to_owned(),
        queue::Config::Embedded => "embedded".to_owned(),
    },
};
const KIND: Form<runtime::Kind> = Form {
    read: word,
    read_field: |field| field.parsed("\"docker\"", word),
    show: |kind| kind.as_str().to_owned(),
};
const IP: Form<IpAddr> = Form {
    read: |text| text.parse().map_err(|_| "not an IP address".to_owned()),
    read_field: |field| field.parsed("\"127.0.0.1\"", word::<IpAddr>),
    show: IpAddr::to_string,
};
const HOST_NAMES: Form<Vec<String>> = Form {
    read: host_names,
    read_field: |field| field.parsed("\"faas.example,10.0.0.7\"", host_names),
    show: |names| names.join(","),
};
const POLICY: Form<KeepAlivePolicy> = Form {
    read: word,
    read_field: |field| field.parsed("\"adaptive\"", word),
    show: |policy| policy.as_str().to_owned(),
};
const DURATION: Form<Duration> = Form {
    read: parse_duration,
    read_field: |field| field.parsed("\"30s\"", parse_duration),
    show: |duration| format!("{}ms", duration.as_millis()),
};
const BYTES: Form<u64> = Form {
    read: parse_bytes,
    read_field: |field| field.parsed("\"8GiB\"", parse_bytes),
    show: |bytes| format!("{bytes}B"),
};
const PORT: Form<u16> = count::<u16, 0, { u16::MAX as u32 }>();

fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|problem: T::Err| problem.to_string())
}

/// A whole number of the range.
const fn count<T: TryFrom<u32> + Display, const MIN: u32, const MAX: u32>() -> Form<T> {
    Form {
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
        /// What one source (flags with the environment, or the file) says about a platform.
        #[derive(Clone, Debug, Default)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: Option<$type>,)+
            pub languages: Languages,
            $($(#[doc = $limit_doc])+ pub $limit: Option<$limit_type>,)+
        }

        /// Bounds, each with what happens at it.
        #[derive(Clone, Copy, Debug)]
        pub struct Limits {
            $($(#[doc = $limit_doc])+ pub $limit: $limit_type,)+
            $($(#[doc = $fixed_doc])+ pub $fixed: $fixed_type,)+
        }

        impl Settings {
            /// These, and where they say nothing, those.
            pub fn or(self, other: Self) -> Self {
                Self {
                    $($name: self.$name.or(other.$name),)+
                    languages: self.languages.or(other.languages),
                    $($limit: self.$limit.or(other.$limit),)+
                }
            }

            /// The limits, with the defaults where nothing is said.
            pub fn limits(&self) -> Limits {
                let default = Limits::default();
                Limits {
                    $($limit: self.$limit.unwrap_or(default.$limit),)+
                    $($fixed: default.$fixed,)+
                }
            }

            /// The same settings with these limits.
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

        /// Those that are no language's, limits last.
        const TABLE: &[Row] = &[
            $(Row {
                key: stringify!($name),
                flag: $flag,
                group: Group::$group,
                value: $value,
                help: concat!($($doc, "\n"),+),
                default: settings!(@some $($default)?),
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
        /// Names by which the gateway may be called besides IP addresses and localhost, with commas between
        gateway_hosts: Vec<String>, HOST_NAMES, Addresses, "gateway-hosts", "NAMES";
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
        /// What functions run in: docker, or oci, containers without a daemon. By default docker; a platform
        /// in one process takes oci where no engine answers
        runtime: runtime::Kind, KIND, Runtime, "runtime", "KIND";
    }
    limits {
        /// How long a sync call waits for a free instance before it is answered 429
        queue_wait: Duration, DURATION, "queue-wait", "DURATION", "10s";
        /// Sync calls of one function that may wait at once; one more is answered 429
        max_waiting: u32, count::<u32, 0, { u32::MAX }>(), "max-waiting", "COUNT", "100";
        /// Async invocations that may be queued; one more is answered 503 before anything is stored
        max_backlog: u64, count::<u64, 0, { u32::MAX }>(), "max-backlog", "COUNT", "100000";
        /// Memory of all instances of a manager together, by their limits. An idle one is evicted at it, and
        /// where none is idle, a start waits
        memory_budget: u64, BYTES, "memory-budget", "SIZE", "8GiB";
        /// How long idle instances are kept: fixed, for their idle_timeout, or adaptive, for longer where the
        /// past of the function says that it will be invoked again
        keep_alive: KeepAlivePolicy, POLICY, "keep-alive", "POLICY", "fixed";
        /// Memory of the instances that wait for a function yet to come, so that a cold start is quick; out of
        /// what --memory-budget has left. 0B: none waits
        prewarm_budget: u64, BYTES, "prewarm-budget", "SIZE", "512MiB";
        /// Instances that a manager starts at once; others wait their turn
        max_starts: usize, count::<usize, 1, 10_000>(), "max-starts", "COUNT", "twice the cores" = twice_the_cores();
        /// How long a stop waits for running invocations before it gives up on them
        stop_grace: Duration, DURATION, "stop-grace", "DURATION", "30s";
        /// How long records and logs are kept
        retention: Duration, DURATION, "retention", "DURATION", "168h";
        /// Revisions of a function that are kept for a rollback, the newest ones; the active one always is, and
        /// one that is still in use until it is not
        keep_revisions: u32, count::<u32, 1, { u32::MAX }>(), "keep-revisions", "COUNT", "10";
    }
    fixed {
        /// How long a deploy's load check waits for memory; then it is skipped. Tests shorten it.
        check_wait: Duration = Duration::from_secs(10);
        /// How often a role that follows the functions reads all of them, as the announcement of a change may have
        /// been lost. Tests shorten it.
        reread: Duration = Duration::from_secs(60);
    }
}

/// Starts saturate an engine at about twice the cores (measured: 4 on 2 cores).
fn twice_the_cores() -> usize {
    2 * std::thread::available_parallelism().map_or(2, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

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
