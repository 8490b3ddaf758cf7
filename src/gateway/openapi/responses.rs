//! The answers of an operation, by their statuses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::operation::{Content, Given, Operation};
use crate::model::{ProblemCode, code};

/// The problems of every route that needs a token: of the guard, of bodies, and of the roles behind the gateway.
const COMMON: [ProblemCode; 12] = [
    code::BAD_REQUEST,
    code::UNAUTHORIZED,
    code::FORBIDDEN,
    code::REQUEST_TIMEOUT,
    code::RATE_LIMITED,
    code::HEADERS_TOO_LARGE,
    code::INTERNAL,
    code::INTERRUPTED,
    code::OVERLOADED,
    code::UNAVAILABLE,
    code::DISK_FULL,
    code::UNKNOWN_FATE,
];

/// The answers with problems, which operations share: by their names, which are made of their codes.
#[derive(Default)]
pub struct Problems(BTreeMap<String, Value>);

impl Problems {
    /// Returns the answers by the names by which operations refer to them.
    pub fn all(self) -> Value {
        Value::Object(self.0.into_iter().collect())
    }

    /// Returns a reference to the answer that has one of these codes, all of one status.
    fn one_of(&mut self, status: u16, codes: &[ProblemCode]) -> Value {
        let name = codes.iter().map(|code| code.code).collect::<Vec<_>>().join(".");
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        self.0.entry(name).or_insert_with(|| problem(status, codes));
        reference
    }
}

fn problem(status: u16, codes: &[ProblemCode]) -> Value {
    let words: Vec<&str> = codes.iter().map(|code| code.code).collect();
    let titles: Vec<&str> = codes.iter().map(|code| code.title).collect();
    json!({
        "description": format!("A problem: {}.", titles.join("; ")),
        "headers": headers_of(status),
        "content": { "application/problem+json": { "schema": { "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "properties": { "code": { "enum": words }, "status": { "const": status } } },
        ] } } },
    })
}

fn headers_of(status: u16) -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    match status {
        401 => json!({ "WWW-Authenticate": text("Bearer.") }),
        409 | 429 | 503 => json!({ "Retry-After": {
            "description": "The number of seconds to wait before a repeat.",
            "schema": { "type": "integer", "minimum": 0 },
        } }),
        _ => json!({}),
    }
}

/// Returns the answers of an operation. `needs_token`: those of the guard are among them.
pub fn of(operation: &Operation, needs_token: bool, problems: &mut Problems) -> Value {
    let mut responses = Map::new();
    for given in &operation.gives {
        responses.insert(given.status.to_string(), given_response(given));
    }
    let common = COMMON.iter().filter(|_| needs_token);
    let codes: Vec<ProblemCode> = common.chain(&operation.problems).copied().collect();
    let statuses: BTreeSet<u16> = codes.iter().map(|code| code.status).collect();
    for status in statuses {
        let of_status: Vec<ProblemCode> = code::ALL
            .iter()
            .filter(|code| code.status == status && codes.contains(code))
            .copied()
            .collect();
        let refused = problems.one_of(status, &of_status);
        responses.insert(status.to_string(), refused);
    }
    if operation.is_of_function {
        add_function(&mut responses, problems);
    }
    Value::Object(responses)
}

/// A function may answer with every status, and with every type, also with those of a problem.
fn add_function(responses: &mut Map<String, Value>, problems: &Problems) {
    const OWN: &str = "The response of the function, with the header Cloudfunc-Outcome.";
    for response in responses.values_mut() {
        let name = response["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        if let Some(of_platform) = name.and_then(|name| problems.0.get(name)) {
            *response = of_platform.clone();
        }
        let about = response["description"].as_str().unwrap_or_default().to_owned();
        response["description"] = format!("{about} Or: {OWN}").into();
        response["content"]["*/*"] = json!({});
    }
    responses.insert("default".to_owned(), json!({ "description": OWN, "content": { "*/*": {} } }));
}

fn given_response(given: &Given) -> Value {
    let mut response = json!({ "description": given.about });
    let content = match &given.content {
        Content::Nothing => None,
        Content::Json(schema) => Some(json!({ "application/json": { "schema": schema } })),
        Content::JsonOrLines(schema, line) => Some(json!({
            "application/json": { "schema": schema },
            "application/x-ndjson": { "schema": lines_of(line) },
        })),
        Content::Lines(line) => Some(json!({ "application/x-ndjson": { "schema": lines_of(line) } })),
        Content::Any => Some(json!({ "*/*": {} })),
    };
    if let Some(content) = content {
        response["content"] = content;
    }
    if !given.headers.is_empty() {
        let header = |(name, about): &(&str, &str)| {
            ((*name).to_owned(), json!({ "description": about, "schema": { "type": "string" } }))
        };
        response["headers"] = Value::Object(given.headers.iter().map(header).collect());
    }
    response
}

/// OpenAPI 3.1 has no words for lines of JSON.
fn lines_of(line: &Value) -> Value {
    json!({ "type": "array", "items": line, "description": "Each item is a line of its own, without brackets and commas." })
}
