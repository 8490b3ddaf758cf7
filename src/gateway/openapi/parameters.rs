//! The parameters of an operation: the places of its path, and the keys of its query.

use serde_json::{Value, json};

use super::schemas::Schemas;
use crate::model::{
    AuditOutcome, FunctionName, InvocationRef, SecretName, State, TokenName,
    audit::action,
    route::{self, Endpoint, Parameter},
};

/// Returns the parameters of a route, in the order of its path and its query.
///
/// # Panics
///
/// Panics if a place or a key has no schema here.
pub fn of(endpoint: &Endpoint, schemas: &mut Schemas) -> Vec<Value> {
    let places = endpoint.path.split('/').filter(|part| part.starts_with('{'));
    let mut all: Vec<Value> = places.map(|place| of_path(place, schemas)).collect();
    all.extend(endpoint.query.iter().map(|key| of_query(endpoint, key, schemas)));
    all
}

fn of_path(place: &str, schemas: &mut Schemas) -> Value {
    let schema = match place {
        FunctionName::PLACE => schemas.taken::<FunctionName>(),
        InvocationRef::PLACE => schemas.taken::<InvocationRef>(),
        TokenName::PLACE => schemas.taken::<TokenName>(),
        SecretName::PLACE => schemas.taken::<SecretName>(),
        _ => panic!("{place} has no schema: add it here"),
    };
    json!({ "name": place.trim_matches(['{', '}']), "in": "path", "required": true, "schema": schema })
}

fn of_query(endpoint: &Endpoint, key: &str, schemas: &mut Schemas) -> Value {
    let is_of_logs = [&route::LOGS.endpoint, &route::FUNCTION_LOGS.endpoint].contains(&endpoint);
    let flag = json!({ "type": "boolean", "default": false });
    let (schema, about) = match key {
        "cursor" => (
            cursor(endpoint, is_of_logs, schemas),
            "The `next` of the page before; of logs, Cloudfunc-Next-Cursor.",
        ),
        "limit" => {
            (json!({ "type": "integer", "minimum": 1, "maximum": 1000 }), "The most items of the page.")
        }
        "function" if is_of_logs => (
            json!({ "type": "array", "items": schemas.taken::<FunctionName>() }),
            "The functions that it is about; it may be repeated.",
        ),
        "function" => (schemas.taken::<FunctionName>(), "The function that it is about."),
        "invocation" => (schemas.taken::<InvocationRef>(), "The invocation whose lines are meant."),
        "state" => (schemas.taken::<State>(), "The state of the invocations."),
        "since" => (text("24h"), "How long ago, or a moment."),
        "older_than" => (text("24h"), "The age beyond which records and lines are deleted."),
        "wait" => (text("30s"), "The longest time to wait for the end: at most 60 s."),
        "tail" => (text("100"), "The number of the newest lines, or `all`."),
        "after" => {
            (json!({ "type": "integer", "minimum": 0 }), "The number of a line: only later ones.")
        }
        "revision" => (text("newest"), "The number of a revision, `failed` or `newest`."),
        "caller" => (json!({ "type": "string" }), "The caller of the entries."),
        "target" => (json!({ "type": "string" }), "The function, token or secret of the entries."),
        "action" => (json!({ "type": "string", "enum": action::ALL }), "What was done, or asked for."),
        "outcome" => (schemas.taken::<AuditOutcome>(), "What became of it."),
        "check" => (
            json!({ "type": "boolean", "default": true }),
            "The code is loaded once before it is deployed.",
        ),
        "refresh" => (flag, "Packages are resolved anew, and commands of the build run again."),
        "dry_run" => (flag, "Nothing is deleted, only counted."),
        "existing" => (flag, "There has to be a value already."),
        "force" => (flag, "Also if a function gets it."),
        "follow" => (flag, "The answer goes on with new lines, and does not end by itself."),
        "sequence" => (flag, "Each line has its number."),
        "events" => (flag, "Lines tell when invocations begin and end."),
        _ => panic!("the parameter {key} of {} has no schema: add it here", endpoint.path),
    };
    json!({ "name": key, "in": "query", "description": about, "schema": schema })
}

fn text(example: &str) -> Value {
    json!({ "type": "string", "examples": [example] })
}

fn cursor(endpoint: &Endpoint, is_of_logs: bool, schemas: &mut Schemas) -> Value {
    if is_of_logs || *endpoint == route::AUDIT_LOG.endpoint {
        return json!({ "type": "integer", "minimum": 0 });
    }
    let of_names: [(&Endpoint, Value); 3] = [
        (&route::LIST_INVOCATIONS.endpoint, schemas.taken::<InvocationRef>()),
        (&route::LIST_TOKENS.endpoint, schemas.taken::<TokenName>()),
        (&route::LIST_FUNCTIONS.endpoint, schemas.taken::<FunctionName>()),
    ];
    let found = of_names.into_iter().find(|(of, _)| *of == endpoint);
    found.unwrap_or_else(|| panic!("the cursor of {} has no schema: add it here", endpoint.path)).1
}
