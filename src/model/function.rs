//! Functions and their revisions.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Digest, FunctionId, FunctionName, HttpSpec, Language, RateLimit, RevisionNumber, SecretName,
};

/// A deployed function. Exactly one of its revisions is active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its id, for as long as it exists.
    pub id: FunctionId,
    /// Its name, unique on the platform.
    pub name: FunctionName,
    /// The revision that new invocations run on.
    pub active_revision: RevisionNumber,
    /// The time of its first deployment.
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
    /// Whether an external tool reported it as warm, through the classic `PATCH /functions/{name}/warm`.
    pub reported_warm: bool,
}

/// An immutable snapshot of code, manifest and resolved image; numbered per function from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The function it belongs to.
    pub function: FunctionId,
    /// The function's name.
    pub name: FunctionName,
    /// Its number, from 1.
    pub number: RevisionNumber,
    /// Its manifest.
    pub spec: FunctionSpec,
    /// The digest of the uploaded source: two uploads with the same digest and spec are the same revision.
    pub source: Digest,
    /// The digest of the built `/var/task` tree, a gzipped tar in the store; none when the image holds the code.
    pub bundle: Option<Digest>,
    /// The tree of its installed packages, in the store; none for a function that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Digest>,
    /// The image it was built against, by the engine's id; informational, since another host builds its own.
    pub image: String,
    /// The time of its deployment.
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
}

/// A manifest, checked, with every default filled in. Stored with the revision as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FunctionSpec {
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the code runs.
    pub code: Code,
    /// The handler, in the form of its language (`app.handle`); empty where the interface has none.
    pub handler: String,
    /// The way an instance is spoken to. Revisions of earlier versions speak the runtime protocol.
    #[serde(default, skip_serializing_if = "Interface::is_protocol")]
    pub interface: Interface,
    /// The program that the interface speaks to, with its arguments; empty where the image's own entry point is it, and for
    /// the interface `protocol`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The limit of one invocation on an instance; the function is killed at it.
    #[serde(rename = "timeout_ms", with = "millis")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub timeout: Duration,
    /// The limit of loading the code; where the manifest gives none, it is the larger of 30 s and `timeout`.
    #[serde(
        default,
        rename = "load_timeout_ms",
        with = "opt_millis",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(test, schemars(with = "Option<u64>"))]
    pub load_timeout: Option<Duration>,
    /// The memory of one instance, in bytes. An instance that needs more is killed.
    pub memory_bytes: u64,
    /// The CPU time of one instance, in CPUs: 0.5 is half of one.
    pub cpus: f64,
    /// The network that an instance can reach.
    pub network: Network,
    /// Environment variables of the function.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The secrets that it gets as environment variables. Revisions of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
    /// The limit of its calls, sync and async, on each host; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Its addresses; none for a function that has none of its own. Revisions of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSpec>,
    /// The command that makes its code from the source; none where the source is the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<BuildCommand>,
    /// The number of instances, and when idle ones stop.
    pub scaling: Scaling,
    /// Packages may be built from their sources. Revisions of earlier versions have wheels only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_source: bool,
}

impl FunctionSpec {
    /// The least default: without a limit in the manifest, code may load for as long as an invocation may run, and for
    /// at least 30 s.
    const LEAST_LOAD: Duration = Duration::from_secs(30);

    /// The time the code may take to load; after it, the load has failed.
    pub fn load_limit(&self) -> Duration {
        self.load_timeout.unwrap_or_else(|| self.timeout.max(Self::LEAST_LOAD))
    }
}

/// The way an instance is spoken to. Behind all but the first, the platform's helper is the first process of a sandbox, and
/// translates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Interface {
    /// The runtime protocol: a shim of a language, or an image that speaks it.
    #[default]
    Protocol,
    /// A process for each invocation: the payload is its standard input, its standard output the result.
    Command,
    /// A program that asks for invocations, as AWS Lambda's Runtime API has it.
    Lambda,
    /// A web server.
    Http {
        /// The port on the sandbox's loopback device that it listens on.
        port: u16,
    },
}

impl Interface {
    /// Returns its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Command => "command",
            Self::Lambda => "lambda",
            Self::Http { .. } => "http",
        }
    }

    /// Returns whether the guest itself speaks the runtime protocol.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
    pub fn is_protocol(&self) -> bool {
        *self == Self::Protocol
    }
}

/// A command that makes a function's code, in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildCommand {
    /// The program and its arguments, at least one.
    pub command: Vec<String>,
    /// The network that it can reach.
    pub network: Network,
}

/// The image that a function's code runs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// The platform's image of a language.
    Language {
        /// The language.
        language: Language,
        /// Its version as a manifest names it (`3.12`); resolved, never empty.
        version: String,
        /// The way the code reaches its sandbox.
        package: Package,
    },
    /// An image of the user's own that holds the code.
    Image {
        /// Its reference, as in the manifest.
        image: String,
    },
    /// An image that the engine builds from the source.
    Dockerfile {
        /// The path of its Dockerfile in the function's folder.
        dockerfile: String,
        /// The values of its `ARG`s.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        args: BTreeMap<String, String>,
        /// The network of its `RUN`s.
        #[serde(default = "no_network", skip_serializing_if = "is_no_network")]
        network: Network,
    },
}

impl Code {
    /// Returns whether the code is in an image of the function's author, who also chooses its program.
    pub fn is_own_image(&self) -> bool {
        match self {
            Self::Language { .. } => false,
            Self::Image { .. } | Self::Dockerfile { .. } => true,
        }
    }
}

/// The way a bundle reaches its sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Package {
    /// Mounted at `/var/task`.
    Bundle,
    /// Copied into an image of the function's own.
    Image,
}

/// The network that a sandbox can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Only a loopback device of its own.
    None,
    /// A bridge of its own, on which containers cannot reach each other.
    Egress,
}

/// The limits of a function's instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scaling {
    /// The time after which an idle instance stops. It starts when an invocation ends, and does not run while the
    /// instance is busy.
    #[serde(rename = "idle_timeout_ms", with = "millis")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub idle_timeout: Duration,
    /// The most instances on one manager.
    pub max_instances: u32,
    /// The instances that each manager keeps, whether anybody calls or not. Revisions of earlier versions have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_instances: u32,
    /// The most invocations in one instance at the same time. Revisions of earlier versions have one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub concurrency: u32,
}

impl Scaling {
    /// The most places of one manager, that is of its instances together. A message broker counts those that it hands out in
    /// 16 bits, so that there cannot be more.
    pub const MAX_PLACES: u32 = 65_535;

    /// Returns the number of invocations that one manager runs at the same time, at most.
    pub fn places(&self) -> u32 {
        self.max_instances.saturating_mul(self.concurrency).clamp(1, Self::MAX_PLACES)
    }
}

fn no_network() -> Network {
    Network::None
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_no_network(network: &Network) -> bool {
    *network == Network::None
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Returns the concurrency of instances where none is named.
pub fn one() -> u32 {
    1
}

/// Returns whether a concurrency need not be named.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
pub fn is_one(number: &u32) -> bool {
    *number == 1
}

/// Optional durations as whole milliseconds.
mod opt_millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::millis::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

/// Durations as whole milliseconds, for `#[serde(with = …)]`.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the milliseconds; more than `u64::MAX` become `u64::MAX`.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads whole milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
