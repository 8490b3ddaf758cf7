//! `cloudfunc.toml`: the description of a function by its author, turned into a [`FunctionSpec`] with every
//! default filled in. Client and registry read it with the same code.
//!
//! A key that this version does not support is refused instead of ignored.

mod command;
mod dockerfile;
pub mod environment;
mod from_source;
mod http;
mod include;
mod interface;
mod variables;

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{
    model::{
        Code, FunctionName, FunctionSpec, Interface, Language, Network, Package, RateLimit, Scaling,
    },
    toml_document::{Document, Field, Section},
    units::{parse_bytes, parse_duration, show_bytes},
};

pub use self::{
    command::{as_list, list_of},
    include::Include,
    interface::{BOOTSTRAP, DEFAULT_PORT},
};
pub use crate::toml_document::LocatedError as ManifestError;

/// The manifest's name in a function's folder.
pub const FILE: &str = "cloudfunc.toml";

/// The manifest that a folder without one has where it holds a program in place of code.
pub const OF_A_PROGRAM: &str = "language = \"native\"\n";

/// The size limit of the manifest's text, in bytes. Reading it takes about fifty times as much memory.
pub const MAX_BYTES: usize = 64 * 1024;

const MIN_TIMEOUT: Duration = Duration::from_millis(1);
/// The shortest load timeout: an interpreter on a busy machine needs part of it for itself.
const MIN_LOAD_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const MAX_IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// The lowest memory limit: an interpreter needs about 10 MiB for itself.
const MIN_MEMORY: u64 = 16 << 20;
const MAX_MEMORY: u64 = 64 << 30;
/// The lowest value that Docker accepts.
const MIN_CPUS: f64 = 0.01;
const MAX_CPUS: f64 = 64.0;
const MAX_INSTANCES: u32 = 1000;
/// One process serves them all.
const MAX_CONCURRENCY: u32 = 1000;
/// The size limit of a description, a handler or an image's name, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

const KEYS: &[&str] = &[
    "name",
    "description",
    "language",
    "version",
    "image",
    "dockerfile",
    "interface",
    "command",
    "port",
    "handler",
    "timeout",
    "load_timeout",
    "memory",
    "cpus",
    "network",
    "package",
    "env",
    "secrets",
    "rate_limit",
    "http",
    "build",
    "scaling",
];
/// Keys of the design that this version does not support.
const LATER_KEYS: &[&str] = &["retry"];
const SCALING_KEYS: &[&str] = &["idle_timeout", "max_instances", "min_instances", "concurrency"];

/// A manifest that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The name; `None` means the name of the folder.
    pub name: Option<FunctionName>,
    pub spec: FunctionSpec,
    /// Folders from outside the function's own that are packed with it.
    pub include: Vec<Include>,
}

/// The defaults that the platform fills in where a manifest says nothing.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// The version of each language for functions that name none; a language that is missing here has its own
    /// default.
    pub versions: BTreeMap<Language, String>,
}

impl Defaults {
    /// Makes defaults with a version for one language.
    pub fn of(language: Language, version: impl Into<String>) -> Self {
        Self { versions: BTreeMap::from([(language, version.into())]) }
    }

    /// Returns the version of functions in this language that name none.
    pub fn version(&self, language: Language) -> &str {
        self.versions.get(&language).map_or(language.facts().versions.default, String::as_str)
    }
}

/// Reads a manifest; `file` is its name in errors. An empty text means a function in the default language with
/// all defaults, like a folder without a manifest.
pub fn parse(text: &str, file: &str, defaults: &Defaults) -> Result<Manifest, ManifestError> {
    if text.len() > MAX_BYTES {
        let (file, limit) = (file.to_owned(), show_bytes(MAX_BYTES as u64));
        let message = format!("the manifest has more than {limit}");
        return Err(ManifestError { file, line: 1, column: 1, message });
    }
    let document = Document::parse(text, file)?;
    let root = document.root();
    for key in LATER_KEYS {
        if let Some(field) = root.get(key) {
            return Err(field.key_error(format!("`{key}` is not supported by this version")));
        }
    }
    root.only(KEYS)?;

    let code = code(&root, defaults)?;
    let (interface, command) = interface::read(&root, &code)?;
    let name = root.get("name").map(|field| name(&field)).transpose()?;
    let build = root.get("build").map(|field| field.section()).transpose()?;
    build.as_ref().map_or(Ok(()), |build| dockerfile::check(build, &code))?;
    let from_source = build.as_ref().map_or(Ok(false), |build| from_source::read(build, &code))?;
    let include = build.as_ref().map_or_else(|| Ok(Vec::new()), include::read)?;
    let build_command = build.as_ref().map(|build| command::read(build, &code)).transpose()?.flatten();
    let (env, secrets) = variables::read(&root, &code, interface)?;
    let spec = FunctionSpec {
        description: root.get("description").map(|field| description(&field)).transpose()?,
        handler: handler(&root, &code, interface)?,
        interface,
        command,
        code,
        timeout: match root.get("timeout") {
            Some(field) => duration(&field, "\"30s\"", MIN_TIMEOUT..=MAX_TIMEOUT, "from 1ms to 15m")?,
            None => Duration::from_secs(30),
        },
        load_timeout: root
            .get("load_timeout")
            .map(|field| duration(&field, "\"60s\"", MIN_LOAD_TIMEOUT..=MAX_TIMEOUT, "from 1s to 15m"))
            .transpose()?,
        memory_bytes: root.get("memory").map_or(Ok(128 << 20), |field| memory(&field))?,
        cpus: root.get("cpus").map_or(Ok(1.0), |field| field.number(MIN_CPUS, MAX_CPUS))?,
        network: root.get("network").map_or(Ok(Network::None), |field| {
            field.one_of(&[("none", Network::None), ("egress", Network::Egress)])
        })?,
        env,
        secrets,
        rate_limit: root.get("rate_limit").map(|field| rate_limit(&field)).transpose()?,
        http: root.get("http").map(|field| http::read(&field)).transpose()?,
        build_command,
        scaling: scaling(
            root.get("scaling").map(|field| field.section()).transpose()?.as_ref(),
            interface,
        )?,
        from_source,
    };
    Ok(Manifest { name, spec, include })
}

/// Returns the function of a manifest that names nothing but the language, for each language.
pub fn usual(defaults: &Defaults) -> Vec<FunctionSpec> {
    let of = |language: &Language| {
        let text = format!("language = \"{language}\"");
        parse(&text, FILE, defaults).expect("all other keys are optional").spec
    };
    Language::ALL.iter().map(of).collect()
}

fn name(field: &Field<'_>) -> Result<FunctionName, ManifestError> {
    field.string("\"hello_fn\"")?.parse().map_err(|error| field.error(format!("{error}")))
}

fn description(field: &Field<'_>) -> Result<String, ManifestError> {
    let text = field.string("\"Greets\"")?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(field.refuse(format_args!("it must have at most {MAX_TEXT_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// Accepts at most one of `language`, `image` and `dockerfile`; none means the default language.
fn code(root: &Section<'_>, defaults: &Defaults) -> Result<Code, ManifestError> {
    if let Some(field) = root.get("dockerfile") {
        return dockerfile::read(root, &field);
    }
    let Some(image) = root.get("image") else { return language(root, defaults) };
    if let Some(language) = root.get("language") {
        return Err(language.key_error(
            "both `language` and `image` are given; give `language` for a function that the platform's \
             image runs, or `image` for an image of your own",
        ));
    }
    for key in ["version", "package"] {
        if let Some(field) = root.get(key) {
            return Err(field.key_error(format!("`{key}` belongs to `language`, but `image` is given")));
        }
    }
    let text = image.string("\"registry.example/greeter:1\"")?;
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte));
    if !first || !rest || text.len() > MAX_TEXT_BYTES {
        return Err(image.refuse("an image looks like \"registry.example/greeter:1\""));
    }
    Ok(Code::Image { image: text.to_owned() })
}

fn language(root: &Section<'_>, defaults: &Defaults) -> Result<Code, ManifestError> {
    let languages: Vec<_> = Language::ALL.iter().map(|language| (language.name(), *language)).collect();
    let language =
        root.get("language").map_or(Ok(Language::DEFAULT), |field| field.one_of(&languages))?;
    let version = match root.get("version") {
        Some(field) => version(&field, language)?,
        None => defaults.version(language).to_owned(),
    };
    let package = root.get("package").map_or(Ok(Package::Bundle), |field| {
        field.one_of(&[("bundle", Package::Bundle), ("image", Package::Image)])
    })?;
    Ok(Code::Language { language, version, package })
}

fn version(field: &Field<'_>, language: Language) -> Result<String, ManifestError> {
    let facts = language.facts();
    let text = field.string(&format!("\"{}\"", facts.versions.example))?;
    if !(facts.versions.accepts)(text) {
        let oldest = facts.versions.oldest.map(|oldest| format!(", and is {oldest} or later"));
        return Err(field.refuse(format_args!(
            "a version of {} looks like \"{}\"{}",
            facts.title,
            facts.versions.example,
            oldest.unwrap_or_default()
        )));
    }
    Ok(text.to_owned())
}

/// Returns the handler. For an image it has the form that the image expects; an image without one gets the
/// default language's. What no shim runs has none, but for the one that AWS Lambda's runtimes are told.
fn handler(root: &Section<'_>, code: &Code, interface: Interface) -> Result<String, ManifestError> {
    match interface {
        Interface::Protocol => {}
        Interface::Lambda => return interface::lambda_handler(root),
        Interface::Command | Interface::Http { .. } => {
            return match root.get("handler") {
                Some(field) => Err(field.key_error(format!(
                    "`handler` has no effect with `interface = \"{}\"`: `command` says what runs",
                    interface.name()
                ))),
                None => Ok(String::new()),
            };
        }
    }
    let language = match code {
        Code::Language { language, version: _, package: _ } => Some(*language),
        Code::Image { .. } | Code::Dockerfile { .. } => None,
    };
    let grammar = &language.unwrap_or(Language::DEFAULT).facts().handler;
    let Some(field) = root.get("handler") else { return Ok(grammar.default.to_owned()) };
    let text = field.string(&format!("\"{}\"", grammar.default))?;
    let fits = match language {
        Some(_) => (grammar.accepts)(text),
        None => !text.is_empty() && !text.chars().any(char::is_control),
    };
    if !fits || text.len() > MAX_TEXT_BYTES {
        return Err(field.refuse(format_args!("a handler is {}", grammar.form)));
    }
    Ok(text.to_owned())
}

fn memory(field: &Field<'_>) -> Result<u64, ManifestError> {
    let bytes = field.parsed("\"128MiB\"", parse_bytes)?;
    if !(MIN_MEMORY..=MAX_MEMORY).contains(&bytes) {
        let (min, max) = (show_bytes(MIN_MEMORY), show_bytes(MAX_MEMORY));
        return Err(field.refuse(format_args!("it must be from {min} to {max}")));
    }
    Ok(bytes)
}

fn duration(
    field: &Field<'_>,
    example: &str,
    range: RangeInclusive<Duration>,
    range_text: &str,
) -> Result<Duration, ManifestError> {
    let value = field.parsed(example, parse_duration)?;
    if !range.contains(&value) {
        return Err(field.refuse(format_args!("it must be {range_text}")));
    }
    Ok(value)
}

fn rate_limit(field: &Field<'_>) -> Result<RateLimit, ManifestError> {
    field.parsed("\"100/s\"", str::parse)
}

fn scaling(section: Option<&Section<'_>>, interface: Interface) -> Result<Scaling, ManifestError> {
    let mut scaling = Scaling {
        idle_timeout: Duration::from_secs(60),
        max_instances: 10,
        min_instances: 0,
        concurrency: 1,
    };
    let Some(section) = section else { return Ok(scaling) };
    section.only(SCALING_KEYS)?;
    if let Some(field) = section.get("idle_timeout") {
        scaling.idle_timeout =
            duration(&field, "\"60s\"", Duration::ZERO..=MAX_IDLE_TIMEOUT, "from 0s to 24h")?;
    }
    if let Some(field) = section.get("max_instances") {
        scaling.max_instances = field.integer(1, MAX_INSTANCES)?;
    }
    if let Some(field) = section.get("min_instances") {
        scaling.min_instances = field.integer(0, MAX_INSTANCES)?;
        if scaling.min_instances > scaling.max_instances {
            return Err(field.error(format!(
                "`scaling.min_instances` is {}, more than `scaling.max_instances`, which is {}",
                scaling.min_instances, scaling.max_instances
            )));
        }
    }
    if let Some(field) = section.get("concurrency") {
        scaling.concurrency = field.integer(1, MAX_CONCURRENCY)?;
        if scaling.concurrency > 1 && interface == Interface::Lambda {
            return Err(field.error(
                "`scaling.concurrency` is above 1, but a program with `interface = \"lambda\"` asks for one invocation at a \
                 time; remove it, and raise `scaling.max_instances`",
            ));
        }
        let places = scaling.max_instances.saturating_mul(scaling.concurrency);
        if places > Scaling::MAX_PLACES {
            return Err(field.error(format!(
                "`scaling.concurrency` is {}, which with `scaling.max_instances`, {}, makes {places} invocations at \
                 the same time; lower one of them, since a manager runs at most {} of one function",
                scaling.concurrency,
                scaling.max_instances,
                Scaling::MAX_PLACES
            )));
        }
    }
    Ok(scaling)
}

/// Whether the text matches `[A-Za-z_][A-Za-z0-9_]*`.
fn is_identifier(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
