//! Settings from the user's `config.toml`.

use std::{fs, io, path::PathBuf};

use super::{Settings, SettingsError, host_names};
use crate::{
    place::Dirs,
    place::client,
    toml_document::{Document, LocatedError, Section},
    units,
};

/// Of the table `[platform]`.
const KEYS: [&str; 23] = [
    "name",
    "data_dir",
    "store",
    "queue",
    "runtime",
    "gateway_host",
    "gateway_port",
    "gateway_hosts",
    "registry_port",
    "scheduler_port",
    "manager_port",
    "python_image",
    "python_version",
    "queue_wait",
    "max_waiting",
    "max_backlog",
    "memory_budget",
    "keep_alive",
    "prewarm_budget",
    "max_starts",
    "stop_grace",
    "retention",
    "keep_revisions",
];

impl Settings {
    /// Of the user's `config.toml`; an absent file is an empty one.
    pub fn of_user(dirs: &Dirs) -> Result<Self, SettingsError> {
        let path = dirs.config_file();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text, &path.display().to_string())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::Read { path, source }),
        }
    }

    pub(super) fn parse(text: &str, file: &str) -> Result<Self, LocatedError> {
        let document = Document::parse(text, file)?;
        let root = document.root();
        root.only(&client::FILE_KEYS)?;
        match root.get("platform") {
            Some(table) => Self::of_table(&table.section()?),
            None => Ok(Self::default()),
        }
    }

    fn of_table(table: &Section<'_>) -> Result<Self, LocatedError> {
        table.only(&KEYS)?;
        let text = |key, example| table.get(key).map(|field| field.string(example)).transpose();
        let number = |key, max| table.get(key).map(|field| field.integer(0, max)).transpose();
        let port = |key| {
            let port = number(key, u32::from(u16::MAX))?;
            Ok(port.and_then(|port| u16::try_from(port).ok()))
        };
        let duration = |key| {
            let field = table.get(key);
            field.map(|field| field.parsed("\"30s\"", units::parse_duration)).transpose()
        };
        macro_rules! parsed {
            ($key:literal, $example:literal) => {
                table.get($key).map(|field| field.parsed($example, str::parse)).transpose()?
            };
        }
        let bytes = |key| {
            let field = table.get(key);
            field.map(|field| field.parsed("\"8GiB\"", units::parse_bytes)).transpose()
        };
        Ok(Self {
            name: parsed!("name", "\"default\""),
            data_dir: text("data_dir", "\"/var/lib/cloudfunc\"")?.map(PathBuf::from),
            store: parsed!("store", "\"postgres://user:password@host:port/database\""),
            queue: parsed!("queue", "\"amqp://user:password@host:port/vhost\""),
            runtime: parsed!("runtime", "\"docker\""),
            gateway_host: parsed!("gateway_host", "\"127.0.0.1\""),
            gateway_port: port("gateway_port")?,
            gateway_hosts: table
                .get("gateway_hosts")
                .map(|field| field.parsed("\"faas.example,10.0.0.7\"", host_names))
                .transpose()?,
            registry_port: port("registry_port")?,
            scheduler_port: port("scheduler_port")?,
            manager_port: port("manager_port")?,
            python_image: text("python_image", "\"python:{version}-slim\"")?.map(str::to_owned),
            python_version: text("python_version", "\"3.12\"")?.map(str::to_owned),
            queue_wait: duration("queue_wait")?,
            max_waiting: number("max_waiting", u32::MAX)?,
            max_backlog: number("max_backlog", u32::MAX)?.map(u64::from),
            memory_budget: bytes("memory_budget")?,
            keep_alive: parsed!("keep_alive", "\"adaptive\""),
            prewarm_budget: bytes("prewarm_budget")?,
            max_starts: number("max_starts", 10_000)?.map(|count| count as usize),
            stop_grace: duration("stop_grace")?,
            retention: duration("retention")?,
            keep_revisions: table
                .get("keep_revisions")
                .map(|field| field.integer(1, u32::MAX))
                .transpose()?,
        })
    }
}
