//! The answers that clients of functions by HTTP get.

use axum::{
    body::HttpBody as _,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    addresses::Allow,
    cors::{self, Allowed, Refused},
};
use crate::{
    http::{Answer, Failure, as_sent},
    model::{
        Body, CallAnswer, CallEnding, Ended, HttpResponse, InvocationId, Problem, api::header as ours,
        code,
    },
};

/// The client that an answer is for.
#[derive(Clone, Copy)]
pub struct Client {
    /// It asked with HEAD.
    pub is_head: bool,
    /// It need not be known: the platform does not tell it why a function has failed.
    pub is_stranger: bool,
}

/// Makes the answer of what came of a call. The only header of the platform in it is the id of the invocation.
pub fn answer(came: Answer<CallAnswer>, client: Client) -> Response {
    let ended = match came {
        Ok(CallAnswer::Ended(ended)) => ended,
        // No request by HTTP is asynchronous.
        Ok(accepted @ CallAnswer::Accepted(_)) => return accepted.into_response(),
        Err(Failure(problem)) => return told(*problem, client),
    };
    let Ended { id, ending, .. } = ended;
    let mut answer = match ending {
        CallEnding::Response(response, body) => as_sent(&response, body, client.is_head),
        CallEnding::Value(Body { content_type, bytes }) => {
            let named = Some(content_type).filter(|content_type| !content_type.is_empty());
            let headers = named.map(|content_type| ("content-type".to_owned(), content_type));
            let headers = headers.into_iter().collect();
            as_sent(&HttpResponse { status: 200, headers }, bytes, client.is_head)
        }
        CallEnding::Problem(problem) => told(*problem, client),
    };
    name_invocation(answer.headers_mut(), id);
    answer
}

fn name_invocation(headers: &mut HeaderMap, id: InvocationId) {
    if let Ok(value) = HeaderValue::try_from(id.to_string()) {
        headers.insert(ours::INVOCATION_ID, value);
    }
}

fn told(problem: Problem, client: Client) -> Response {
    let problem = if client.is_stranger { for_strangers(problem) } else { problem };
    Failure::from(problem).into_response()
}

/// Takes the body out of an answer to HEAD, which has the length that it would have.
pub fn for_head(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length
        && !head.headers.contains_key(header::CONTENT_LENGTH)
    {
        head.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, axum::body::Body::empty())
}

/// Returns what strangers are told of a problem: its kind, in the words that every problem of the kind has. One about their
/// request stays as it is. Names of functions, what they are, and words of their code are not theirs to read.
fn for_strangers(problem: Problem) -> Problem {
    let of_request = [code::BAD_REQUEST, code::HEADERS_TOO_LARGE];
    if of_request.iter().any(|code| code.code == problem.code) {
        return problem;
    }
    if problem.code == code::FUNCTION_NOT_FOUND.code {
        return nothing_there();
    }
    let detail = problem.title.clone();
    Problem { detail, hint: None, error_type: None, trace: None, output: None, ..problem }
}

/// Returns the answer to a request on the public port that is for no function, in the same words for every path.
pub fn nothing_there() -> Problem {
    Problem::new(code::ROUTE_NOT_FOUND, "there is nothing at this address")
}

/// Returns the answer of a public port that does not know the addresses of functions yet.
pub fn not_ready() -> Problem {
    Problem::new(code::UNAVAILABLE, "the addresses of functions are not known yet").retry_after(1)
}

/// Returns the answer to a method that the path does not take: 204 to OPTIONS.
pub fn not_taken(method: &Method, path: &str, allow: &Allow) -> Response {
    let mut answer = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let detail = format!("{path} does not take {method}");
        Failure::from(Problem::new(code::METHOD_NOT_ALLOWED, detail)).into_response()
    };
    set(answer.headers_mut(), "allow", &allow.text());
    answer
}

/// Returns the refusal of a request of a page that may not send it.
pub fn foreign_origin(origin: &str, why: Refused) -> Failure {
    let (detail, hint) = match why {
        Refused::Null => (
            "requests from web pages without an origin of their own ('Origin: null') are not allowed here".to_owned(),
            "the pages of functions on the platform's own port send it: serve them on the port of --public-listen",
        ),
        Refused::Foreign => (
            format!("requests from web pages of '{origin}' are not allowed here"),
            "name the origin in `cors` of [http] in the function's cloudfunc.toml",
        ),
    };
    Problem::new(code::FORBIDDEN, detail).hint(hint).into()
}

/// Returns the answer to a preflight of an allowed origin.
pub fn preflight(allowed: Allowed<'_>, origin: &str, methods: &str, asked: Option<&str>) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    for (name, value) in cors::of_preflight(allowed, origin, methods, asked) {
        set(headers, name, &value);
    }
    vary_with_origin(headers);
    answer
}

/// Puts into an answer what browsers are told of origins, in place of what its function tells them. `allowed`: that of the
/// request, if it has an origin.
pub fn tell_origins(headers: &mut HeaderMap, allowed: Option<Allowed<'_>>) {
    let of_function: Vec<_> =
        headers.keys().filter(|name| cors::is_of_cors(name.as_str())).cloned().collect();
    for name in of_function {
        headers.remove(name);
    }
    if let Some(allowed) = allowed {
        for (name, value) in cors::of_answer(allowed, headers.keys().map(|name| name.as_str())) {
            set(headers, name, &value);
        }
    }
    vary_with_origin(headers);
}

/// A cache would give the page of one origin the answer to that of another.
fn vary_with_origin(headers: &mut HeaderMap) {
    let values = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    let mut names = values.flat_map(|value| value.split(',')).map(str::trim);
    if !names.any(|name| name == "*" || name.eq_ignore_ascii_case("origin")) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Keeps a page of a function apart from the platform, whose port it comes from: a browser gives it an origin of its own, and
/// takes nothing for a page that does not say so.
pub fn keep_apart(headers: &mut HeaderMap) {
    const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox allow-scripts allow-forms");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if may_be_a_page(headers) {
        // Beside one of the function's own: a browser obeys all of them.
        headers.append(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
}

/// Scripts run in HTML, and in XML of whatever kind, such as images. A browser chooses for itself among several types, and where
/// there is none.
fn may_be_a_page(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else { return true };
    let Ok(text) = first.to_str() else { return true };
    let text = text.to_ascii_lowercase();
    // The parts of `multipart/x-mixed-replace` have types of their own.
    let is_of_pages = ["html", "xml", "multipart/"].iter().any(|part| text.contains(part));
    is_of_pages || !text.contains('/') || text.contains(',')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const STRANGER: Client = Client { is_head: false, is_stranger: true };

    fn ended(ending: CallEnding) -> Answer<CallAnswer> {
        let (id, start, instance) = (InvocationId::new(), Some(crate::model::Start::Cold), None);
        Ok(CallAnswer::Ended(Ended { id, ending, start, instance, phases: [].into_iter().collect() }))
    }

    async fn shown(answer: Response) -> (u16, Vec<String>, String) {
        let (head, body) = answer.into_parts();
        let mut names: Vec<String> = head.headers.keys().map(ToString::to_string).collect();
        names.sort();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (head.status.as_u16(), names, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn an_answer_has_the_functions_headers_and_the_id_of_its_invocation() {
        let headers = vec![("x-own".to_owned(), "1".to_owned())];
        let response = HttpResponse { status: 404, headers };
        let came = ended(CallEnding::Response(response, Bytes::from_static(b"none")));
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = (404, names(&["cloudfunc-invocation-id", "x-own"]), "none".to_owned());
        assert_eq!(shown(answer(came, STRANGER)).await, expected);
        let value = Body { content_type: "text/plain".to_owned(), bytes: Bytes::from_static(b"out") };
        let expected = (200, names(&["cloudfunc-invocation-id", "content-type"]), "out".to_owned());
        assert_eq!(shown(answer(ended(CallEnding::Value(value.clone())), STRANGER)).await, expected);
        let head = Client { is_head: true, is_stranger: false };
        let names = names(&["cloudfunc-invocation-id", "content-length", "content-type"]);
        let expected = (200, names, String::new());
        assert_eq!(shown(answer(ended(CallEnding::Value(value)), head)).await, expected);
    }

    #[test]
    fn strangers_are_told_that_a_function_failed_and_not_why() {
        let failed = || {
            let mut problem =
                Problem::new(code::FUNCTION_FAILED, "function 'web' failed: secret").hint("h");
            problem.error_type = Some("KeyError".to_owned());
            problem.trace = Some("secret".to_owned());
            problem.invocation(InvocationId::new())
        };
        let problem = failed();
        let expected = Problem {
            invocation_id: problem.invocation_id,
            ..Problem::new(code::FUNCTION_FAILED, "the function failed")
        };
        assert_eq!(for_strangers(problem), expected);
        for (code, detail) in [
            (code::FUNCTION_TIMED_OUT, "the function timed out"),
            (code::FUNCTION_CRASHED, "the function crashed"),
            (code::START_FAILED, "no instance could be started"),
            (code::FUNCTION_NOT_FOUND, "there is nothing at this address"),
        ] {
            assert_eq!(for_strangers(Problem::new(code, "function 'web' is no more")).detail, detail);
        }
        let of_scheduler = Problem::new(
            code::PAYLOAD_TOO_LARGE,
            "the body has 4718593 bytes, over the limit of 4.5 MiB for function 'web': a program with `interface = \"lambda\"` \
             gets the request as an event, in which base64 makes a body a third longer",
        );
        let expected = Problem::new(code::PAYLOAD_TOO_LARGE, "the payload is too large");
        assert_eq!(for_strangers(of_scheduler.hint("send a reference to the data")), expected);
        let waits = for_strangers(Problem::new(code::RATE_LIMITED, "f").retry_after(7));
        assert_eq!((waits.status, waits.retry_after), (429, Some(7)));
    }

    #[test]
    fn what_may_be_a_page_is_kept_apart_from_the_platform() {
        for (content_type, is_page) in [
            (Some("text/html; charset=utf-8"), true),
            (Some("TEXT/HTML"), true),
            (Some("application/xhtml+xml"), true),
            (Some("image/svg+xml"), true),
            (Some("multipart/x-mixed-replace; boundary=b"), true),
            (Some("application/json, text/html"), true),
            (Some("nonsense"), true),
            (None, true),
            (Some("application/json"), false),
            (Some("text/plain; charset=utf-8"), false),
            (Some("image/png"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-security-policy", HeaderValue::from_static("default-src 'self'"));
            if let Some(text) = content_type {
                headers.insert("content-type", HeaderValue::from_static(text));
            }
            keep_apart(&mut headers);
            let policies: Vec<_> = headers.get_all("content-security-policy").iter().collect();
            let sandbox = is_page.then_some("sandbox allow-scripts allow-forms");
            let expected: Vec<_> = ["default-src 'self'"].into_iter().chain(sandbox).collect();
            assert_eq!(policies, expected, "{content_type:?}");
            assert_eq!(headers["x-content-type-options"], "nosniff");
        }
    }

    #[test]
    fn an_answer_says_once_that_it_varies_with_the_origin() {
        for (vary, expected) in [
            (None, vec!["Origin"]),
            (Some("accept"), vec!["accept", "Origin"]),
            (Some("accept, origin"), vec!["accept, origin"]),
            (Some("*"), vec!["*"]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                "access-control-allow-origin",
                HeaderValue::from_static("https://other.example"),
            );
            if let Some(vary) = vary {
                headers.insert("vary", HeaderValue::from_static(vary));
            }
            tell_origins(&mut headers, Some(Allowed::Any));
            assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), expected);
            assert_eq!(headers["access-control-allow-origin"], "*");
            tell_origins(&mut headers, None);
            assert_eq!(headers.get("access-control-allow-origin"), None);
        }
    }
}
