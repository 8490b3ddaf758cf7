//! Makes the platform's part of the document, and compares it with the one that is compiled in.

use std::{env, fs, path::Path};

use serde_json::{Map, Value, json};

use super::{
    PATH, PLATFORM,
    operation::Operation,
    operations, parameters,
    responses::{self, Problems},
    schemas::Schemas,
};
use crate::model::{
    Problem,
    api::{ClassicHealth, Health},
    code,
    route::{self, Endpoint, Method},
};

const ABOUT: &str = "The HTTP API of CloudFunc. Every function answers HTTP requests below /f/NAME/, too, to holders of a token \
                     that may invoke it; the addresses of functions are listed for those who may invoke them.";

fn document() -> Value {
    let (mut schemas, mut problems) = (Schemas::new(), Problems::default());
    // The collector does not see it in the answers that refer to it.
    schemas.answered::<Problem>();
    let table = operations::all(&mut schemas);
    let mut paths = Map::new();
    for endpoint in route::ALL {
        let mut found = table.iter().filter(|(of, _)| of == endpoint);
        let (Some((_, operation)), None) = (found.next(), found.next()) else {
            panic!("{:?} {} has no entry, or two, in operations.rs", endpoint.method, endpoint.path);
        };
        let described = described(endpoint, operation, &mut schemas, &mut problems);
        put(&mut paths, endpoint.path, endpoint.method, described);
    }
    assert_eq!(
        table.len(),
        route::ALL.len(),
        "operations.rs describes a route that is not in the table"
    );
    for (path, operation) in without_token(&mut schemas) {
        let responses = responses::of(&operation, false, &mut problems);
        let described = json!({ "summary": operation.summary, "security": [], "responses": responses });
        put(&mut paths, path, Method::Get, described);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "CloudFunc", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "responses": problems.all(),
            "schemas": schemas.all(),
        },
    });
    without_links(&mut document);
    document
}

fn put(paths: &mut Map<String, Value>, path: &str, method: Method, operation: Value) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[format!("{method:?}").to_lowercase()] = operation;
}

fn described(
    endpoint: &Endpoint,
    operation: &Operation,
    schemas: &mut Schemas,
    problems: &mut Problems,
) -> Value {
    let mut described = json!({
        "summary": operation.summary,
        "security": [{ "bearer": [endpoint.needs] }],
        "responses": responses::of(operation, true, problems),
    });
    let mut parameters = parameters::of(endpoint, schemas);
    parameters.extend(operation.headers.iter().cloned());
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.takes {
        described["requestBody"] = body.clone();
    }
    if endpoint.watches {
        described["x-watches"] = true.into();
    }
    described
}

/// The paths that are open to all.
fn without_token(schemas: &mut Schemas) -> [(&'static str, Operation); 4] {
    let lives = Operation::new("Says that the gateway lives.");
    let ready = Operation::new("Says whether the gateway is ready.");
    let mut this =
        Operation::new("Returns this document, and with a token the addresses that it reaches.")
            .gives_json::<Value>(schemas, 200, "The document.");
    this.problems = vec![
        code::BAD_REQUEST,
        code::UNAUTHORIZED,
        code::FORBIDDEN,
        code::RATE_LIMITED,
        code::HEADERS_TOO_LARGE,
        code::OVERLOADED,
        code::UNAVAILABLE,
    ];
    [
        ("/healthz", lives.gives_json::<Health>(schemas, 200, "It lives.")),
        (
            route::READY.endpoint.path,
            ready.gives_json::<Health>(schemas, 200, "It is ready.").gives_json::<Health>(
                schemas,
                503,
                "It is not, and says what it waits for.",
            ),
        ),
        (
            "/health",
            Operation::new("Classic: says that the gateway lives.").gives_json::<ClassicHealth>(
                schemas,
                200,
                "It lives.",
            ),
        ),
        (PATH, this),
    ]
}

/// Descriptions are comments of the code, which link to other items of it.
fn without_links(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_links),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if key == "description" => *text = without_link(text),
                    field => without_links(field),
                }
            }
        }
        _ => {}
    }
}

/// Returns a text in which [`X`](super::X) and [`X`] are `X`.
fn without_link(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, after)) = after.split_once("`]") else { break };
        plain += &format!("{before}`{name}`");
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

#[test]
fn the_document_is_what_the_handlers_types_say() {
    let made = format!("{:#}\n", document());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway/openapi/openapi.json");
    if env::var_os("CLOUDFUNC_UPDATE_OPENAPI").is_some() {
        fs::write(&path, &made).unwrap();
        return;
    }
    let line = made.lines().zip(PLATFORM.lines()).position(|(made, there)| made != there);
    let line = line.unwrap_or_else(|| made.lines().count().min(PLATFORM.lines().count())) + 1;
    assert!(
        made == PLATFORM,
        "{}:{line} is not what the types of the handlers say; if the change is meant, write the file anew with\n\
         CLOUDFUNC_UPDATE_OPENAPI=1 cargo test --lib openapi\nand look at its diff: clients rely on it",
        path.display(),
    );
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("references stay in the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// Descriptions are comments of the code, and their readers do not know the code.
#[test]
fn no_description_names_an_item_of_the_code() {
    fn descriptions<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| descriptions(item, found)),
            Value::Object(fields) => {
                found.extend(fields.get("description").and_then(Value::as_str));
                found.extend(fields.get("summary").and_then(Value::as_str));
                fields.values().for_each(|field| descriptions(field, found));
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    descriptions(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    let items: Vec<_> = found.into_iter().filter(|text| text.contains("::")).collect();
    assert!(items.is_empty(), "say it in the words of the API: {items:#?}");
}

#[test]
fn links_of_comments_become_plain_names() {
    for (text, plain) in [
        ("A word of [`code`].", "A word of `code`."),
        ("see [`FunctionSpec::load_limit`](x::y), and [`B`]", "see `FunctionSpec::load_limit`, and `B`"),
        ("[1, 2] and [`open", "[1, 2] and [`open"),
    ] {
        assert_eq!(without_link(text), plain);
    }
}
