//! The JSON of the classic routes, as the first version had it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{FunctionName, InvocationId, RevisionNumber};

/// The body of `POST /deploy`: registers an image; the answer is a [`ClassicDeployed`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClassicDeploy {
    /// The name of the function.
    pub name: String,
    /// The reference of the image, which is there already.
    pub image: String,
    /// The language, which clients of this route send; the image holds it already, so that it is not looked at.
    #[serde(default)]
    pub runtime: Option<String>,
}

/// The answer to `POST /deploy` (201).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassicDeployed {
    /// A sentence for people.
    pub message: String,
    /// The function that was deployed.
    pub name: FunctionName,
    /// The active revision.
    pub revision: RevisionNumber,
}

/// The body of `POST /invoke/{function}`; the answer is a [`ClassicInvoked`].
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClassicInvoke {
    /// The payload: any JSON; an empty object where it is left out.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
    pub payload: Option<Box<RawValue>>,
}

/// The answer to `POST /invoke/{function}` (202).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassicInvoked {
    /// The function.
    pub function: FunctionName,
    /// The id of its invocation.
    pub id: InvocationId,
    /// A sentence for people.
    pub message: String,
}

/// The answer to `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassicHealth {
    /// `healthy`.
    pub status: String,
}
