//! Failures as RFC 9457 answers.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    model::{Caller, FunctionName, Problem, code},
    suggest::suggest,
};

/// The encodings that a body may have; sent as `Accept-Encoding` with a refusal.
pub(super) const ACCEPTED_ENCODINGS: &str = "gzip, deflate";

/// What a handler answers.
pub type Answer<T = Response> = Result<T, Failure>;

/// A problem on its way out. `?` makes it of the errors of store and queue (`backends.rs`).
#[derive(Debug)]
pub struct Failure(pub Box<Problem>);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

/// The hint where no name is near.
const SEE_FUNCTIONS: &str = "'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one";

impl Failure {
    /// Returns what a caller is told of a call, which the scheduler answers without knowing the caller: a token for some
    /// functions is not told the names of others.
    pub fn told(mut self, caller: &Caller) -> Self {
        if caller.is_limited() && self.0.code == code::FUNCTION_NOT_FOUND.code {
            self.0.hint = Some(SEE_FUNCTIONS.to_owned());
        }
        self
    }
}

/// Returns 403 where the caller's token is not for the function.
pub fn check_reach(caller: &Caller, function: &FunctionName) -> Answer<()> {
    caller.check_reaches(function).map_err(|detail| {
        let hint = format!(
            "an admin makes a token for it with 'cloudfunc token create NAME --role {} --function {function}'",
            caller.role
        );
        Problem::new(code::FORBIDDEN, detail).hint(hint).into()
    })
}

/// 404 with the near names, if any.
pub fn function_not_found<'a>(name: &FunctionName, names: impl Iterator<Item = &'a str>) -> Problem {
    let problem = Problem::new(code::FUNCTION_NOT_FOUND, format!("there is no function '{name}'"));
    let near = suggest(name.as_str(), names);
    match near.is_empty() {
        true => problem.hint(SEE_FUNCTIONS),
        false => problem.hint(format!("did you mean {}?", near.join(" or "))),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = *self.0;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = problem.retry_after;
        let id = problem.invocation_id;
        let encoding = problem.code == code::UNSUPPORTED_ENCODING.code;
        let is_unauthorized = status == StatusCode::UNAUTHORIZED;
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if encoding {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_ENCODINGS));
        }
        if is_unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
            headers.insert(crate::model::api::header::INVOCATION_ID, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> Caller {
        let functions = vec!["team_*".parse().unwrap()];
        Caller { name: "token ci".to_owned(), functions, ..Caller::internal() }
    }

    #[test]
    fn a_token_for_some_functions_is_not_told_the_names_of_others() {
        let name: FunctionName = "team_reports".parse().unwrap();
        let told = |caller: &Caller, problem: Problem| Failure::from(problem).told(caller).0.hint;
        let near = || function_not_found(&name, ["teem_reports"].into_iter());
        assert_eq!(told(&Caller::internal(), near()).as_deref(), Some("did you mean 'teem_reports'?"));
        assert_eq!(told(&limited(), near()).as_deref(), Some(SEE_FUNCTIONS));
        let other = Problem::new(code::BAD_REQUEST, "it is wrong").hint("mend it");
        assert_eq!(told(&limited(), other).as_deref(), Some("mend it"));
    }

    #[test]
    fn a_function_out_of_reach_is_refused_with_a_token_to_ask_for() {
        let name = |text: &str| text.parse::<FunctionName>().unwrap();
        assert!(check_reach(&limited(), &name("team_a")).is_ok());
        let Failure(problem) = check_reach(&limited(), &name("hello")).unwrap_err();
        assert_eq!((problem.code.as_str(), problem.status), ("forbidden", 403));
        assert_eq!(problem.detail, "the token 'ci' is for the functions team_*, and not for 'hello'");
        let hint = "an admin makes a token for it with 'cloudfunc token create NAME --role admin --function hello'";
        assert_eq!(problem.hint.as_deref(), Some(hint));
    }
}
