//! `[http]`: the addresses at which a function answers HTTP requests, and who may send them.

use std::collections::BTreeMap;

use url::{Origin, Url};

use super::ManifestError;
use crate::{
    model::{HttpAuth, HttpSpec, PathPattern, http::check_method, message::MAX_BODY},
    toml_document::{Field, Section},
    units::{parse_bytes, show_bytes},
};

const KEYS: &[&str] = &["path", "methods", "host", "auth", "cors", "max_body"];
/// The most paths of a function: each is a row of the store for each of its methods.
const MAX_PATHS: usize = 64;
const MAX_METHODS: usize = 16;
/// The most origins of a function: every request with `Origin` is compared with all of them.
const MAX_ORIGINS: usize = 100;
/// The length limit of a host's name, that of the DNS, in bytes.
const MAX_HOST_BYTES: usize = 253;
/// The length limit of one part of it.
const MAX_LABEL_BYTES: usize = 63;
const PATH_EXAMPLE: &str = "\"/hooks/github\"";
const METHODS_EXAMPLE: &str = "[\"GET\", \"POST\"]";
const HOST_EXAMPLE: &str = "\"app.example\"";
const ORIGINS_EXAMPLE: &str = "[\"https://app.example\"]";

/// Reads the table.
pub(super) fn read(table: &Field<'_>) -> Result<HttpSpec, ManifestError> {
    let section = table.section()?;
    section.only(KEYS)?;
    let Some(path) = section.get("path") else {
        return Err(table.key_error(format!(
            "`http` needs `path`, at which the function answers: path = {PATH_EXAMPLE}"
        )));
    };
    Ok(HttpSpec {
        paths: paths(&path)?,
        methods: section.get("methods").map_or_else(|| Ok(Vec::new()), |field| methods(&field))?,
        host: section.get("host").map(|field| host(&field)).transpose()?,
        auth: section.get("auth").map_or(Ok(HttpAuth::Token), |field| {
            field.one_of(&[("token", HttpAuth::Token), ("none", HttpAuth::None)])
        })?,
        cors: section.get("cors").map_or_else(|| Ok(Vec::new()), |field| origins(&field))?,
        max_body: max_body(&section)?,
    })
}

fn paths(field: &Field<'_>) -> Result<Vec<PathPattern>, ManifestError> {
    let items = texts(field, "path", PATH_EXAMPLE, MAX_PATHS)?;
    if items.is_empty() {
        let must = format!("it must have a path: http.path = {PATH_EXAMPLE}");
        return Err(field.refuse(must));
    }
    let mut paths: Vec<PathPattern> = Vec::with_capacity(items.len());
    // Patterns with one key differ in the names of their parameters only.
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for item in items {
        let path: PathPattern = item.parsed(PATH_EXAMPLE, str::parse)?;
        match keys.insert(path.key(), path.to_string()) {
            Some(other) if other == path.as_str() => return Err(twice(&item, "path", &other)),
            Some(other) => {
                return Err(item.error(format!(
                    "`http.path` has `{path}`, which matches the same paths as `{other}`; remove one of the two"
                )));
            }
            None => paths.push(path),
        }
    }
    Ok(paths)
}

fn methods(field: &Field<'_>) -> Result<Vec<String>, ManifestError> {
    const ALL: &str = "leave `http.methods` out for all methods";
    let items = texts(field, "methods", METHODS_EXAMPLE, MAX_METHODS)?;
    if items.is_empty() {
        return Err(field.refuse(format!("it must have a method; {ALL}")));
    }
    let mut methods: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let method = item.string(METHODS_EXAMPLE)?;
        check_method(method).map_err(|error| item.refuse(error))?;
        let capitals = method.to_ascii_uppercase();
        if matches!(capitals.as_str(), "*" | "ANY" | "ALL") {
            return Err(item.refuse(format!("it is not a method; {ALL}")));
        }
        if capitals != method {
            return Err(item.refuse(format!("methods are told apart by their case: write {capitals:?}")));
        }
        if methods.contains(&capitals) {
            return Err(twice(&item, "methods", method));
        }
        methods.push(capitals);
    }
    Ok(methods)
}

/// Returns the host in lower case, as it is compared.
fn host(field: &Field<'_>) -> Result<String, ManifestError> {
    let text = field.string(HOST_EXAMPLE)?;
    if is_host(text) {
        return Ok(text.to_ascii_lowercase());
    }
    let rule = "a host is a name without scheme, port and path";
    Err(field.refuse(match bare_host(text) {
        Some(host) => format!("{rule}: write {host:?}"),
        None => {
            format!("{rule}, such as {HOST_EXAMPLE}; letters outside of ASCII are written as `xn--…`")
        }
    }))
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_BYTES).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= MAX_HOST_BYTES && text.split('.').all(is_label)
}

/// Returns the name in what has a scheme, a port, a path or a dot at its end, too.
fn bare_host(text: &str) -> Option<&str> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', ':']).next().unwrap_or_default();
    let text = text.strip_suffix('.').unwrap_or(text);
    is_host(text).then_some(text)
}

/// Reads the origins of web pages, in the form in which browsers send them.
fn origins(field: &Field<'_>) -> Result<Vec<String>, ManifestError> {
    let items = texts(field, "cors", ORIGINS_EXAMPLE, MAX_ORIGINS)?;
    let is_alone = items.len() == 1;
    let mut origins: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let origin = item.string(ORIGINS_EXAMPLE)?;
        match origin {
            "*" if !is_alone => {
                return Err(item.error(
                    "`http.cors` has \"*\", which stands for all origins, and others beside it; keep one of the two",
                ));
            }
            "*" => {}
            _ => check_origin(origin).map_err(|why| item.refuse(why))?,
        }
        if origins.iter().any(|known| known == origin) {
            return Err(twice(&item, "cors", origin));
        }
        origins.push(origin.to_owned());
    }
    Ok(origins)
}

/// Returns why browsers never send a text as an origin, and what they send instead.
fn check_origin(text: &str) -> Result<(), String> {
    const RULE: &str = "an origin is a scheme, a host and, unless it is the usual one, a port, such as \"https://app.example\"";
    if text == "null" {
        return Err(
            "sandboxed pages and local files of everybody send it, so it cannot be allowed".into()
        );
    }
    if text.contains('*') {
        return Err("each origin is listed by itself; \"*\" alone stands for all".into());
    }
    if !text.contains("://") {
        let is_local = ["localhost", "127."].iter().any(|local| text.starts_with(local));
        let scheme = if is_local { "http" } else { "https" };
        return Err(match as_sent(&format!("{scheme}://{text}")) {
            Some(sent) => format!("an origin begins with its scheme: write {sent:?}"),
            None => RULE.into(),
        });
    }
    match as_sent(text) {
        Some(sent) if sent == text => Ok(()),
        Some(sent) => Err(format!("browsers send it as {sent:?}: write that")),
        None => Err(RULE.into()),
    }
}

/// Returns the origin of an address as browsers send it.
fn as_sent(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    if let origin @ Origin::Tuple(..) = url.origin() {
        return Some(origin.ascii_serialization());
    }
    // Extensions of browsers and applications have schemes of their own.
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{}://{host}{port}", url.scheme()))
}

fn max_body(section: &Section<'_>) -> Result<u64, ManifestError> {
    let most = MAX_BODY as u64;
    let Some(field) = section.get("max_body") else { return Ok(most) };
    let bytes = field.parsed("\"1MiB\"", parse_bytes)?;
    if !(1..=most).contains(&bytes) {
        let must = format!("it must be from {} to {}", show_bytes(1), show_bytes(most));
        return Err(field.refuse(must));
    }
    Ok(bytes)
}

/// Reads a list of strings, or one string in place of a list of one.
fn texts<'d>(
    field: &Field<'d>,
    key: &str,
    example: &str,
    most: usize,
) -> Result<Vec<Field<'d>>, ManifestError> {
    if field.string(example).is_ok() {
        return Ok(vec![field.clone()]);
    }
    let Ok(items) = field.items(example) else {
        let must = format!("it must be a string or a list of strings: http.{key} = {example}");
        return Err(field.refuse(must));
    };
    if items.len() > most {
        let what = format!("`http.{key}` has {} values, and at most {most} are accepted", items.len());
        return Err(field.error(what));
    }
    Ok(items)
}

fn twice(item: &Field<'_>, key: &str, text: &str) -> ManifestError {
    item.error(format!("`http.{key}` names `{text}` twice; remove one of the two"))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
