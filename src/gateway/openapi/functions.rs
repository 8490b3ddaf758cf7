//! The addresses of functions in the document: pure.
//!
//! OpenAPI has each path once, whatever its parameters are called, and no methods beyond its own list. So the
//! first function with a path is described below `paths`, and `x-addresses` has all addresses as they are in the manifests.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::model::{HttpAuth, HttpSpec, PathPattern, api::HttpFunction, path_pattern::Segment};

/// The methods that a path of OpenAPI 3.1 can have, without TRACE, which reaches no function.
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"];
/// Those of them whose requests have a body as a rule.
const WITH_BODY: [&str; 3] = ["PUT", "POST", "PATCH"];

/// Adds the addresses of functions to a document.
pub fn add<'f>(document: &mut Value, functions: impl Iterator<Item = &'f HttpFunction>) {
    let (mut paths, mut addresses) = (Map::new(), Vec::new());
    // How the path of a key is written in the document.
    let mut written: HashMap<String, String> = HashMap::new();
    for function in functions {
        addresses.push(address(function));
        for pattern in &function.http.paths {
            let template = template(pattern);
            // Paths that differ only in the names or the kind of their parameters are the same to OpenAPI.
            let key = pattern.key().replace("{+}", "{}");
            let is_first = written.entry(key).or_insert_with(|| template.clone()) == &template;
            if is_first {
                let item = paths.entry(template).or_insert_with(|| json!({}));
                describe(item, function, pattern);
            }
        }
    }
    if let Some(own) = document["paths"].as_object_mut() {
        own.extend(paths);
    }
    document["x-addresses"] = addresses.into();
}

/// Returns a pattern as OpenAPI writes it: `{rest+}` is `{rest}`.
fn template(pattern: &PathPattern) -> String {
    pattern.as_str().replace("+}", "}")
}

/// Returns all addresses of a function, as its manifest has them.
fn address(HttpFunction { name, http, .. }: &HttpFunction) -> Value {
    let mut address = json!({ "function": name, "paths": http.paths, "auth": http.auth });
    if !http.methods.is_empty() {
        address["methods"] = json!(http.methods);
    }
    if let Some(host) = &http.host {
        address["host"] = json!(host);
    }
    address
}

/// Adds the operations of a function to a path. Those that another function has there stay.
fn describe(item: &mut Value, function: &HttpFunction, pattern: &PathPattern) {
    let http = &function.http;
    let is_taken =
        |method: &&&str| http.methods.is_empty() || http.methods.iter().any(|one| one == **method);
    for method in METHODS.iter().filter(is_taken) {
        let key = method.to_ascii_lowercase();
        if item.get(&key).is_none() {
            item[key] = operation(function, pattern, method);
        }
    }
}

fn operation(
    HttpFunction { name, http, .. }: &HttpFunction,
    pattern: &PathPattern,
    method: &str,
) -> Value {
    let mut operation = json!({
        "summary": format!("The function {name}."),
        "operationId": format!("{name} {method} {pattern}"),
        "tags": ["functions"],
        "x-function": name,
        "security": security(http),
        "responses": { "default": {
            "description": "The answer of the function, or a problem of the platform.",
            "content": { "*/*": {} },
        } },
    });
    let parameters: Vec<Value> = pattern.segments().filter_map(parameter).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if WITH_BODY.contains(&method) {
        operation["requestBody"] = json!({ "content": { "*/*": {} } });
    }
    if let Some(host) = &http.host {
        operation["servers"] = json!([{ "url": format!("//{host}") }]);
    }
    operation
}

fn security(http: &HttpSpec) -> Value {
    match http.auth {
        HttpAuth::Token => json!([{ "bearer": ["invoke"] }]),
        HttpAuth::None => json!([]),
    }
}

fn parameter(segment: Segment<'_>) -> Option<Value> {
    let (name, about) = match segment {
        Segment::Literal(_) => return None,
        Segment::One(name) => (name, "One segment of the path."),
        Segment::Rest(name) => (name, "One segment of the path or more, with the slashes between them."),
    };
    Some(json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": about,
        "schema": { "type": "string", "minLength": 1 },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, paths: &[&str], methods: &[&str], host: Option<&str>) -> HttpFunction {
        HttpFunction {
            name: name.parse().unwrap(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            http: HttpSpec {
                paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
                methods: methods.iter().map(|method| (*method).to_owned()).collect(),
                host: host.map(str::to_owned),
                auth: HttpAuth::None,
                cors: Vec::new(),
                max_body: 1,
            },
        }
    }

    fn with(functions: &[HttpFunction]) -> Value {
        let mut document = json!({ "paths": { "/health": {} } });
        add(&mut document, functions.iter());
        document
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn an_address_is_a_path_with_its_methods_and_parameters() {
        let document = with(&[function("users", &["/users/{id}/{rest+}"], &["GET", "PURGE"], None)]);
        assert_eq!(keys(&document["paths"]), ["/health", "/users/{id}/{rest}"]);
        let item = &document["paths"]["/users/{id}/{rest}"];
        assert_eq!(keys(item), ["get"]);
        assert_eq!(item["get"]["x-function"], "users");
        assert_eq!(item["get"]["security"], json!([]));
        let parameters = item["get"]["parameters"].as_array().unwrap();
        let names: Vec<_> = parameters.iter().map(|parameter| &parameter["name"]).collect();
        assert_eq!(names, ["id", "rest"]);
        let all = json!([{
            "function": "users", "paths": ["/users/{id}/{rest+}"], "auth": "none", "methods": ["GET", "PURGE"],
        }]);
        assert_eq!(document["x-addresses"], all);
    }

    #[test]
    fn an_address_for_all_methods_has_each_and_those_with_a_body_take_one() {
        let document = with(&[function("any", &["/any"], &[], Some("app.example"))]);
        let item = &document["paths"]["/any"];
        assert_eq!(keys(item), ["delete", "get", "head", "options", "patch", "post", "put"]);
        for (method, operation) in item.as_object().unwrap() {
            let has_body = ["patch", "post", "put"].contains(&method.as_str());
            assert_eq!(operation.get("requestBody").is_some(), has_body, "{method}");
            assert_eq!(operation["servers"][0]["url"], "//app.example");
        }
    }

    #[test]
    fn what_is_the_same_path_to_openapi_is_described_once_and_listed_whole() {
        let document = with(&[
            function("one", &["/a/{x}"], &["GET"], None),
            function("same", &["/a/{x}"], &["GET", "POST"], Some("other.example")),
            function("rest", &["/a/{y+}"], &[], None),
        ]);
        assert_eq!(keys(&document["paths"]), ["/a/{x}", "/health"]);
        let item = &document["paths"]["/a/{x}"];
        assert_eq!(
            (&item["get"]["x-function"], &item["post"]["x-function"]),
            (&json!("one"), &json!("same"))
        );
        assert_eq!(document["x-addresses"].as_array().unwrap().len(), 3);
    }
}
