//! Functions and their revisions.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, FunctionId, FunctionName, Language, RevisionNumber};

/// A deployed function. Exactly one of its revisions is active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub id: FunctionId,
    pub name: FunctionName,
    pub active_revision: RevisionNumber,
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
    /// What an external tool reported through the classic `PATCH /functions/{name}/warm`.
    pub reported_warm: bool,
}

/// An immutable snapshot of code, manifest and resolved image; numbered per function from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub function: FunctionId,
    pub name: FunctionName,
    pub number: RevisionNumber,
    pub spec: FunctionSpec,
    /// Of the uploaded source: two uploads with the same digest and spec are the same revision.
    pub source: Digest,
    /// Of the built `/var/task` tree, a gzipped tar in the store; none when the image holds the code.
    pub bundle: Option<Digest>,
    /// The engine's id of the image it was built against; informational, since another host rebuilds its own.
    pub image: String,
    #[serde(with = "super::time::moment")]
    pub created_at: Timestamp,
}

/// What a manifest says, checked, with every default filled in. Stored with the revision as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub code: Code,
    pub handler: String,
    /// Of one invocation on an instance.
    #[serde(rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// Of loading the code; none where the manifest says nothing, see [`FunctionSpec::load_limit`].
    #[serde(
        default,
        rename = "load_timeout_ms",
        with = "opt_millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub load_timeout: Option<Duration>,
    pub memory_bytes: u64,
    pub cpus: f64,
    pub network: Network,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    pub scaling: Scaling,
}

impl FunctionSpec {
    /// Without a word in the manifest, code may load for as long as an invocation may run, and for 30 s at least.
    const LEAST_LOAD: Duration = Duration::from_secs(30);

    /// How long the code may take to load; then it has failed.
    pub fn load_limit(&self) -> Duration {
        self.load_timeout.unwrap_or_else(|| self.timeout.max(Self::LEAST_LOAD))
    }
}

/// Where a function's code runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// The platform's image of a language; `version` is resolved (never empty).
    Language { language: Language, version: String, package: Package },
    /// An image of the user's own that speaks the runtime protocol and holds the code.
    Image { image: String },
}

/// How a bundle reaches its sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Package {
    /// Mounted at `/var/task`.
    Bundle,
    /// Copied into an image of the function's own.
    Image,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Only a loopback device of its own.
    None,
    /// An own bridge on which containers cannot reach each other.
    Egress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Starts when an invocation ends; none runs while the instance is busy.
    #[serde(rename = "idle_timeout_ms", with = "millis")]
    pub idle_timeout: Duration,
    /// Per manager.
    pub max_instances: u32,
}

/// The same of what may be missing.
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

/// Durations as whole milliseconds.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
