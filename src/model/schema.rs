//! JSON Schemas of types that write their JSON by hand, for the OpenAPI document. All other types derive theirs.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    Digest, FunctionId, FunctionName, FunctionPattern, InstanceId, InvocationId, InvocationRef, KeyId,
    ManagerId, PathPattern, PlatformName, RateLimit, Reason, RevisionNumber, SecretName, TokenName,
};

/// A moment, as [`time`](super::time) writes it.
pub struct Moment;

macro_rules! schemas {
    ($($of:ident $schema:tt)*) => {$(
        impl JsonSchema for $of {
            fn schema_name() -> Cow<'static, str> {
                stringify!($of).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

schemas! {
    FunctionName {
        "type": "string",
        "description": "The name of a function.",
        "pattern": "^[a-z0-9]+([_-][a-z0-9]+)*$",
        "maxLength": 63,
    }
    PlatformName {
        "type": "string",
        "description": "The name of a platform.",
        "pattern": "^[a-z0-9]+([_-][a-z0-9]+)*$",
        "maxLength": 63,
    }
    TokenName {
        "type": "string",
        "description": "The name of a token.",
        "pattern": "^[a-z0-9]+([_-][a-z0-9]+)*$",
        "maxLength": 63,
    }
    SecretName {
        "type": "string",
        "description": "The name of a secret; names that start with CLOUDFUNC_ are reserved.",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
        "maxLength": 128,
    }
    FunctionPattern {
        "type": "string",
        "description": "Functions by their names: each * stands for any characters, or none.",
        "pattern": "^[a-z0-9_*-]+$",
        "maxLength": 63,
    }
    PathPattern {
        "type": "string",
        "description": "A pattern of paths: {name} is one segment, {name+} at the end one or more.",
        "pattern": "^/",
        "maxLength": 512,
    }
    RateLimit {
        "type": "string",
        "description": "A number and a period: s, m or h.",
        "pattern": "^[1-9][0-9]{0,6}/[smh]$",
    }
    Digest {
        "type": "string",
        "description": "A SHA-256.",
        "pattern": "^[0-9a-f]{64}$",
    }
    KeyId {
        "type": "string",
        "description": "The id of a key of secrets.",
        "pattern": "^[0-9a-f]{16}$",
    }
    Reason {
        "type": "string",
        "description": "A code, followed by a colon and the cause where there is one.",
    }
    RevisionNumber {
        "type": "integer",
        "description": "The number of a revision, from 1; 0 where none is known.",
        "minimum": 0,
        "maximum": 4_294_967_295_u32,
    }
    Moment {
        "type": "string",
        "description": "A moment in UTC, to the millisecond.",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
    }
    FunctionId { "type": "string", "description": "The id of a function.", "format": "uuid" }
    InstanceId { "type": "string", "description": "The id of an instance.", "format": "uuid" }
    InvocationId { "type": "string", "description": "The id of an invocation.", "format": "uuid" }
    ManagerId { "type": "string", "description": "The id of a manager.", "format": "uuid" }
    InvocationRef {
        "type": "string",
        "description": "The id of an invocation, or at least four digits of its beginning or end.",
        "pattern": "^[0-9A-Fa-f-]{4,36}$",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::time;

    /// Returns what a schema says under a key.
    fn says<T: JsonSchema>(key: &str) -> Value {
        T::json_schema(&mut SchemaGenerator::default()).get(key).cloned().unwrap_or_default()
    }

    #[test]
    fn the_limits_of_schemas_are_those_of_the_types() {
        assert_eq!(says::<FunctionName>("maxLength"), json!(crate::model::name::MAX_NAME_LENGTH));
        assert_eq!(says::<SecretName>("maxLength"), json!(SecretName::MAX_LENGTH));
        assert_eq!(says::<FunctionPattern>("maxLength"), json!(FunctionPattern::MAX_LENGTH));
        assert_eq!(says::<PathPattern>("maxLength"), json!(PathPattern::MAX_BYTES));
        assert_eq!(says::<RevisionNumber>("maximum"), json!(u32::MAX));
        let digest = Digest::of(b"x").as_str().len();
        assert_eq!(says::<Digest>("pattern"), json!(format!("^[0-9a-f]{{{digest}}}$")));
        let least = crate::model::id::MIN_PART;
        assert_eq!(says::<InvocationRef>("pattern"), json!(format!("^[0-9A-Fa-f-]{{{least},36}}$")));
        // As wide as its pattern: 4-2-2, T, 2:2:2, a point, 3 and Z.
        assert_eq!(time::text(jiff::Timestamp::UNIX_EPOCH).len(), "0000-00-00T00:00:00.000Z".len());
    }
}
