//! The token in the head of a request, and tokens in wrong places.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Answer, sender::bearer};
use crate::model::{Problem, code};

/// Parameters by which clients of other services send a token.
const TOKEN_PARAMETERS: [&str; 4] = ["token", "access_token", "api_key", "key"];

/// Refuses a token in the address, whether it is valid or not: it was sent to the wrong place.
pub(super) fn check_query(query: &str) -> Answer<()> {
    let is_token = |key: &str| TOKEN_PARAMETERS.into_iter().find(|name| key.eq_ignore_ascii_case(name));
    let mut keys = url::form_urlencoded::parse(query.as_bytes()).map(|(key, _)| key);
    match keys.find_map(|key| is_token(&key)) {
        None => Ok(()),
        Some(name) => {
            let detail =
                format!("the address has a token in it ('{name}='), and addresses end up in logs");
            Err(Problem::new(code::BAD_REQUEST, detail).hint(ADDRESS_HINT).into())
        }
    }
}

/// The one bearer token of a request, and the header that it stands in.
pub(super) fn bearer_token(headers: &HeaderMap) -> Answer<(&HeaderValue, &str)> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (value, another) = (sent.next(), sent.next());
    if another.is_some() {
        return Err(Problem::new(code::BAD_REQUEST, SEVERAL).hint("send one").into());
    }
    let token = value.and_then(|value| Some((value, bearer(value.to_str().ok()?)?)));
    token.ok_or_else(|| {
        // No more of the header is repeated: it may be a token without its scheme.
        if !value.is_some_and(is_basic) {
            return no_token().into();
        }
        let detail = "the request's Authorization is Basic, a user and a password, and no bearer token";
        Problem::new(code::UNAUTHORIZED, detail).hint(TOKEN_HINT).into()
    })
}

pub(super) fn no_token() -> Problem {
    Problem::new(code::UNAUTHORIZED, "the request carries no bearer token").hint(TOKEN_HINT)
}

fn is_basic(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
}

const SEVERAL: &str = "the request has several Authorization headers";
const ADDRESS_HINT: &str =
    "revoke that token, and send another one in the header 'Authorization: Bearer <token>'";

/// The hint of answers to requests without a token that this platform knows.
pub const TOKEN_HINT: &str = "send 'Authorization: Bearer <token>'; 'cloudfunc up' has put the token into the file 'token' of its state folder";
