//! Remarks of a deploy about addresses: those that are not the function's any more, and those that it divides with others.
//!
//! All methods of a path may belong to one function, and single methods of it to others. That is allowed, and takes requests from
//! a function that its author may have forgotten: so it is said.

use super::Registry;
use crate::model::{Caller, FunctionName, HttpSpec, PathPattern, api::HttpFunction};

impl Registry {
    /// Returns remarks on the addresses of a new revision, a line each, as long as its change is not announced: the revision before
    /// is still the known one. Functions that the caller's token does not reach are not named.
    pub fn address_notices(
        &self,
        caller: &Caller,
        name: &FunctionName,
        now: Option<&HttpSpec>,
    ) -> Option<String> {
        let (own, mut others): (Vec<_>, Vec<_>) =
            self.addressed.known_functions().into_iter().partition(|function| function.name == *name);
        others.retain(|function| caller.reaches(&function.name));
        let before = own.first().map(|function| &function.http);
        let mut lines = before.map(|before| lost(name, before, now)).unwrap_or_default();
        lines.extend(now.into_iter().flat_map(|now| divided(name, now, before, &others)));
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Returns a line for each path that the function had, of which it has less now.
fn lost(name: &FunctionName, before: &HttpSpec, now: Option<&HttpSpec>) -> Vec<String> {
    let line = |path: &PathPattern| {
        let shown = shown(before, path);
        let Some(now) = now.filter(|now| has(now, before, path)) else {
            return Some(format!("{shown} is no address of '{name}' any more"));
        };
        let is_less = !now.methods.is_empty()
            && (before.methods.is_empty()
                || before.methods.iter().any(|method| !now.methods.contains(method)));
        is_less.then(|| format!("{shown}: '{name}' takes only {} of it now", now.methods.join(", ")))
    };
    before.paths.iter().filter_map(line).collect()
}

/// Returns a line for each path that another function has, too, if the revision before did not divide it in the same way.
fn divided(
    name: &FunctionName,
    now: &HttpSpec,
    before: Option<&HttpSpec>,
    others: &[HttpFunction],
) -> Vec<String> {
    let mut lines = Vec::new();
    for path in &now.paths {
        let is_known =
            before.is_some_and(|before| before.methods == now.methods && has(before, now, path));
        if is_known {
            continue;
        }
        let shown = shown(now, path);
        for HttpFunction { name: other, http, .. } in others {
            let is_divided = has(http, now, path) && http.methods.is_empty() != now.methods.is_empty();
            if !is_divided {
                continue;
            }
            let (named, methods, rest) = match now.methods.is_empty() {
                false => (name, &now.methods, other),
                true => (other, &http.methods, name),
            };
            let methods = methods.join(", ");
            lines.push(format!(
                "'{named}' takes {methods} of {shown}, and '{rest}' only the other methods of it"
            ));
        }
    }
    lines
}

/// Returns whether `one` has the path of `other`, whatever its parameters are called, and for the same host.
fn has(one: &HttpSpec, other: &HttpSpec, path: &PathPattern) -> bool {
    let key = path.key();
    one.host == other.host && one.paths.iter().any(|path| path.key() == key)
}

fn shown(http: &HttpSpec, path: &PathPattern) -> String {
    format!("{}{path}", http.host.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn spec(paths: &[&str], methods: &[&str], host: Option<&str>) -> HttpSpec {
        let json = serde_json::json!({ "paths": paths, "methods": methods, "host": host });
        serde_json::from_value(json).unwrap()
    }

    fn name(text: &str) -> FunctionName {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_of_which_the_function_has_less_is_said() {
        let lost = |before: &HttpSpec, now: Option<&HttpSpec>| lost(&name("f"), before, now);
        let before = spec(&["/a/{id}", "/b"], &["GET", "PUT"], None);
        assert_eq!(
            lost(&before, None),
            ["/a/{id} is no address of 'f' any more", "/b is no address of 'f' any more"]
        );
        let of_host = spec(&["/b"], &[], Some("h.example"));
        assert_eq!(
            lost(&of_host, Some(&spec(&["/b"], &[], None))),
            ["h.example/b is no address of 'f' any more"]
        );
        let fewer = spec(&["/a/{name}"], &["PUT", "POST"], None);
        assert_eq!(
            lost(&before, Some(&fewer)),
            ["/a/{id}: 'f' takes only PUT, POST of it now", "/b is no address of 'f' any more"]
        );
        let all = spec(&["/a/{id}", "/b", "/c"], &[], None);
        assert_eq!(lost(&before, Some(&all)), Vec::<String>::new());
        assert_eq!(lost(&all, Some(&spec(&["/a/{id}", "/b", "/c"], &["GET"], None))).len(), 3);
    }

    #[test]
    fn a_path_that_is_divided_with_another_function_is_said_once() {
        let other = |other: &str, http| {
            let created_at = Timestamp::UNIX_EPOCH;
            HttpFunction { name: name(other), created_at, http }
        };
        let others = [
            other("hello_fn", spec(&["/hi/{name}"], &[], None)),
            other("reader", spec(&["/items"], &["GET", "PUT"], None)),
            other("elsewhere", spec(&["/hi/{name}", "/items"], &[], Some("h.example"))),
        ];
        let divided =
            |now: &HttpSpec, before: Option<&HttpSpec>| divided(&name("e4"), now, before, &others);
        let get = spec(&["/hi/{other}", "/x"], &["GET"], None);
        let told = ["'e4' takes GET of /hi/{other}, and 'hello_fn' only the other methods of it"];
        assert_eq!(divided(&get, None), told);
        assert_eq!(divided(&get, Some(&spec(&["/x"], &["GET"], None))), told);
        assert_eq!(divided(&get, Some(&get)), Vec::<String>::new(), "it was so before");
        assert_eq!(
            divided(&spec(&["/items"], &[], None), None),
            ["'reader' takes GET, PUT of /items, and 'e4' only the other methods of it"]
        );
        assert_eq!(divided(&spec(&["/items"], &["POST"], None), None), Vec::<String>::new());
    }
}
