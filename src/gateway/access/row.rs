//! The row of the table that a request is for, found without the router: a refused request never gets there.

use axum::http::Method;

use crate::model::{
    FunctionName, SecretName, TokenName,
    route::{self, Endpoint, Parameter as _},
};

/// Returns the row, and the function, token or secret that the path names; none where no route has this path and method. A name
/// that is not one is left out: what stands in its place may be anything.
pub fn row(method: &Method, path: &str) -> Option<(&'static Endpoint, Option<String>)> {
    let mut rows = route::ALL.iter().copied().filter(|row| Method::from(row.method) == method);
    rows.find_map(|row| Some((row, target(row, path)?)))
}

/// Returns what a path names if it is one of this row's.
fn target(row: &Endpoint, path: &str) -> Option<Option<String>> {
    let (mut wanted, mut given) = (row.path.split('/'), path.split('/'));
    let mut target = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(target),
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(place), Some(given)) if place.starts_with('{') => target = name(place, given),
            _ => return None,
        }
    }
}

fn name(place: &str, text: &str) -> Option<String> {
    let is_name = match place {
        FunctionName::PLACE => text.parse::<FunctionName>().is_ok(),
        TokenName::PLACE => text.parse::<TokenName>().is_ok(),
        SecretName::PLACE => text.parse::<SecretName>().is_ok(),
        _ => false,
    };
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Option<(&'static str, Option<String>)> {
        row(&method, path).map(|(row, target)| (row.path, target))
    }

    #[test]
    fn a_path_leads_to_its_row_and_to_what_it_names() {
        let some = |text: &str| Some(text.to_owned());
        for (method, path, expected) in [
            (Method::GET, "/v1/functions", Some(("/v1/functions", None))),
            (Method::GET, "/v1/functions/f", Some(("/v1/functions/{function}", some("f")))),
            (Method::DELETE, "/v1/tokens/ci", Some(("/v1/tokens/{token}", some("ci")))),
            (Method::PUT, "/v1/secrets/API_KEY", Some(("/v1/secrets/{secret}", some("API_KEY")))),
            (Method::POST, "/invoke/f", Some(("/invoke/{function}", some("f")))),
            (
                Method::GET,
                "/v1/invocations/1234/result",
                Some(("/v1/invocations/{invocation}/result", None)),
            ),
            (Method::GET, "/v1/functions/cf_Secret", Some(("/v1/functions/{function}", None))),
            (Method::PUT, "/v1/functions", None),
            (Method::GET, "/v1/functions/", Some(("/v1/functions/{function}", None))),
            (Method::GET, "/v1/functions/f/", None),
            (Method::GET, "/", None),
            (Method::GET, "*", None),
        ] {
            assert_eq!(found(method.clone(), path), expected, "{method} {path}");
        }
    }
}
