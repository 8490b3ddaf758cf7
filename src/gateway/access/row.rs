//! The row of the table that a request is for, found without the router: a refused request never gets there.

use axum::http::Method;

use crate::model::route::{self, Endpoint};

/// Returns the row; none where no route has this path and method. `HEAD` is answered as `GET` is.
pub fn row(method: &Method, path: &str) -> Option<&'static Endpoint> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut rows = route::ALL.iter().copied().filter(|row| Method::from(row.method) == method);
    rows.find(|row| is_of(row, path))
}

/// Returns a row in words: `GET /v1/functions/{function}`.
pub fn shown(row: &Endpoint) -> String {
    format!("{} {}", Method::from(row.method), row.path)
}

/// Returns whether a path is one of this row's.
fn is_of(row: &Endpoint, path: &str) -> bool {
    let (mut wanted, mut given) = (row.path.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_row() {
        for (method, path, expected) in [
            (Method::GET, "/v1/functions", Some("/v1/functions")),
            (Method::GET, "/v1/functions/f", Some("/v1/functions/{function}")),
            (Method::DELETE, "/v1/tokens/ci", Some("/v1/tokens/{token}")),
            (Method::PUT, "/v1/secrets/API_KEY", Some("/v1/secrets/{secret}")),
            (Method::POST, "/invoke/f", Some("/invoke/{function}")),
            (Method::GET, "/v1/invocations/1234/result", Some("/v1/invocations/{invocation}/result")),
            (Method::GET, "/v1/functions/cf_Secret", Some("/v1/functions/{function}")),
            (Method::HEAD, "/v1/functions", Some("/v1/functions")),
            (Method::HEAD, "/invoke/f", None),
            (Method::OPTIONS, "/v1/functions", None),
            (Method::PUT, "/v1/functions", None),
            (Method::GET, "/v1/functions/", Some("/v1/functions/{function}")),
            (Method::GET, "/v1/functions/f/", None),
            (Method::GET, "/", None),
            (Method::GET, "*", None),
        ] {
            assert_eq!(row(&method, path).map(|row| row.path), expected, "{method} {path}");
        }
    }
}
