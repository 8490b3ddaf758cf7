//! The tables of docs/http.md about payload format 2.0: each row names a vector that shows it.

use std::fs;

use serde_json::Value;

use super::markdown::{page, root};

fn vectors(of: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join("tests/payload_2_0.json")).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(all[of].take()).unwrap()
}

fn named<'v>(vectors: &'v [Value], name: &str, field: &str) -> &'v Value {
    let found = vectors.iter().find(|vector| vector["name"] == name);
    found.unwrap_or_else(|| panic!("no vector of tests/payload_2_0.json is called {name:?} ({field})"))
}

/// Returns what an object has at `a.b.c`.
fn at<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    field.split('.').try_fold(value, |value, key| value.get(key))
}

/// Returns the paths of all values in an object that are not objects, as far as the names of fields are fixed.
fn fields(value: &Value, before: &str, found: &mut Vec<String>) {
    const FREE: [&str; 3] = ["headers", "queryStringParameters", "pathParameters"];
    for (key, field) in value.as_object().unwrap() {
        let path = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        match field {
            Value::Object(_) if !FREE.contains(&key.as_str()) => fields(field, &path, found),
            _ => found.push(path),
        }
    }
}

#[test]
fn each_field_of_an_event_is_in_the_table_and_is_there_or_not_in_the_vector_that_it_names() {
    let (page, vectors) = (page("docs/http.md"), vectors("requests"));
    let mut documented = Vec::new();
    for row in page.rows("### Fields of requests").filter(|row| row[0].starts_with('`')) {
        let (field, here, case) = (row[0].trim_matches('`'), row[1], row[3]);
        let event = &named(&vectors, case, field)["event"];
        let is_there = match here {
            "present" | "different" => true,
            "absent" => false,
            other => panic!("{field} is {other:?}"),
        };
        assert_eq!(at(event, field).is_some(), is_there, "{field} of {case}: {event:#}");
        documented.push(field.to_owned());
    }
    let mut found = Vec::new();
    for vector in &vectors {
        fields(&vector["event"], "", &mut found);
    }
    assert!(found.len() > 100, "{found:?}");
    for field in found {
        assert!(documented.contains(&field), "docs/http.md does not have the field {field} of events");
    }
}

#[test]
fn each_field_of_an_answer_names_a_vector_that_shows_it() {
    let (page, vectors) = (page("docs/http.md"), vectors("answers"));
    let mut rows = 0;
    for row in page.rows("### Fields of answers").filter(|row| row[0].contains('`')) {
        let (field, here, case) = (row[0], row[1], row[3]);
        assert!(["present", "different", "ignored"].contains(&here), "{field} is {here:?}");
        let value = &named(&vectors, case, field)["value"];
        let names: Vec<&str> = field.split('`').skip(1).step_by(2).collect();
        for name in names {
            let in_headers =
                value["headers"].as_object().is_some_and(|headers| headers.contains_key(name));
            let is_there = value.get(name).is_some() || in_headers;
            assert_eq!(is_there, !field.starts_with("no "), "{field} of {case}: {value}");
        }
        rows += 1;
    }
    assert!(rows >= 9, "{rows}");
}
