//! The request of a call as given on the command line: method, path and headers.

use super::Error;
use crate::{
    client::{self, CallOptions},
    model::{
        HttpRequest, UnfitRequest, code,
        http::{check_method, check_target, is_token},
    },
};

/// The request options of every command that invokes a function.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    /// Method of the HTTP request that the function gets [default: POST, with --path or for a web server]
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Option<String>,
    /// Path of the HTTP request that the function gets, with its query [default: /, with --method or for a web server]
    #[arg(long = "path", value_name = "PATH", value_parser = target)]
    target: Option<String>,
    /// Header of the request, which the function sees; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
}

impl RequestArgs {
    /// Returns what the client sends besides the payload. A header that has its meaning in HTTP requests only needs method or
    /// path.
    pub fn options(self) -> Result<CallOptions, Error> {
        let Self { method, target, headers } = self;
        let is_named = method.is_some() || target.is_some();
        if !is_named && headers.iter().any(|(name, _)| name == "accept-encoding") {
            let refused = "'accept-encoding' is for HTTP requests: the platform itself compresses the answers of other calls";
            let hint = "name the request with --method or --path, or leave the header out";
            return Err(Error::usage(refused).hint(hint));
        }
        let http = is_named.then(|| {
            let named = HttpRequest::named(method.as_deref(), target.as_deref());
            named.expect("both were checked when they were read")
        });
        Ok(CallOptions { http, headers })
    }
}

/// The usual methods: they are sent in capitals, however they are given. Servers tell the letters' case apart.
const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

fn method(text: &str) -> Result<String, UnfitRequest> {
    check_method(text)?;
    let usual = USUAL.into_iter().find(|usual| usual.eq_ignore_ascii_case(text));
    Ok(usual.unwrap_or(text).to_owned())
}

fn target(text: &str) -> Result<String, UnfitRequest> {
    check_target(text).map(|()| text.to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header looks like 'Name: value'")?;
    let (name, value) = (name.to_ascii_lowercase(), value.trim());
    if !is_token(&name) {
        return Err(format!("'{name}' is not the name of a header"));
    }
    if value.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(format!("the value of '{name}' has a control character"));
    }
    match refusal(&name) {
        Some(why) => Err(format!("'{name}' cannot be given: {why}")),
        None => Ok((name, value.to_owned())),
    }
}

/// Returns why a header would not reach the function as it was given.
fn refusal(name: &str) -> Option<&'static str> {
    Some(match name {
        "content-type" => "--content-type says the type of the payload",
        "content-length" => "it is counted",
        "prefer" => "--async asks for an answer before the end",
        "authorization" => "it is for the platform, and no function sees it",
        "host" => "it names the platform",
        "connection" | "expect" | "http2-settings" | "keep-alive" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => "it is about one connection, and ends at the platform",
        name if name.starts_with("proxy-") => "it is about one connection, and ends at the platform",
        name if name.starts_with("cloudfunc-") => {
            "such headers are the platform's; see --method and --path"
        }
        _ => return None,
    })
}

/// Names the flags in place of the headers that they become: platforms of earlier versions refuse them for functions that are
/// not web servers.
pub fn with_flags(error: client::Error) -> client::Error {
    match error {
        client::Error::Problem(mut problem) if client::is(&problem, code::BAD_REQUEST) => {
            let headers = "Cloudfunc-Http-Method and Cloudfunc-Http-Path";
            problem.detail = problem.detail.replace(headers, "--method and --path");
            client::Error::Problem(problem)
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;

    #[test]
    fn headers_are_read_by_name_and_value() {
        let read = |text| header(text).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("X-Name:  Zoë "), pair("x-name", "Zoë"));
        assert_eq!(read("accept:*/*"), pair("accept", "*/*"));
        assert_eq!(read("x-time: 12:30"), pair("x-time", "12:30"));
        assert_eq!(read("x-empty:"), pair("x-empty", ""));
    }

    #[test]
    fn headers_that_would_not_reach_the_function_are_refused_with_the_reason() {
        for (text, expected) in [
            ("x-name", "a header looks like 'Name: value'"),
            ("x name: 1", "'x name' is not the name of a header"),
            (": 1", "'' is not the name of a header"),
            ("x: a\nb", "the value of 'x' has a control character"),
            (
                "Content-Type: a/b",
                "'content-type' cannot be given: --content-type says the type of the payload",
            ),
            ("content-length: 1", "'content-length' cannot be given: it is counted"),
            (
                "Prefer: respond-async",
                "'prefer' cannot be given: --async asks for an answer before the end",
            ),
            (
                "Authorization: Bearer x",
                "'authorization' cannot be given: it is for the platform, and no function sees it",
            ),
            ("Host: x", "'host' cannot be given: it names the platform"),
            (
                "TE: trailers",
                "'te' cannot be given: it is about one connection, and ends at the platform",
            ),
            (
                "Proxy-Authorization: x",
                "'proxy-authorization' cannot be given: it is about one connection, and ends at the platform",
            ),
            (
                "Cloudfunc-Http-Path: /",
                "'cloudfunc-http-path' cannot be given: such headers are the platform's; see --method and --path",
            ),
        ] {
            assert_eq!(header(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn one_of_method_and_path_is_enough_and_neither_is_no_request() {
        let options = |method: Option<&str>, target: Option<&str>| {
            let (method, target) = (method.map(str::to_owned), target.map(str::to_owned));
            let http = RequestArgs { method, target, headers: Vec::new() }.options().unwrap().http;
            http.map(|http| format!("{} {}", http.method, http.target()))
        };
        assert_eq!(options(None, None), None);
        assert_eq!(options(Some("GET"), None).as_deref(), Some("GET /"));
        assert_eq!(options(None, Some("/a?b")).as_deref(), Some("POST /a?b"));
    }

    #[test]
    fn the_usual_methods_are_sent_in_capitals_and_others_as_they_are_given() {
        let sent = |text| method(text).unwrap();
        assert_eq!(
            (sent("get").as_str(), sent("Patch").as_str(), sent("POST").as_str()),
            ("GET", "PATCH", "POST")
        );
        assert_eq!((sent("PURGE").as_str(), sent("purge").as_str()), ("PURGE", "purge"));
    }

    #[test]
    fn an_encoding_is_asked_for_in_an_http_request_only() {
        let options = |method: Option<&str>| {
            let headers = vec![header("Accept-Encoding: gzip").unwrap()];
            RequestArgs { method: method.map(str::to_owned), target: None, headers }.options()
        };
        let sent = options(Some("GET")).unwrap().headers;
        assert_eq!(sent, [("accept-encoding".to_owned(), "gzip".to_owned())]);
        let refused = options(None).unwrap_err().report();
        let expected = "'accept-encoding' is for HTTP requests: the platform itself compresses the answers of other calls";
        assert_eq!((refused.code.as_str(), refused.detail.as_str()), ("usage", expected));
    }

    #[test]
    fn a_refusal_names_the_flags() {
        let detail = "function 'f' is not a web server: Cloudfunc-Http-Method and Cloudfunc-Http-Path have no effect";
        let refused = with_flags(Problem::new(code::BAD_REQUEST, detail).into());
        let expected = "function 'f' is not a web server: --method and --path have no effect";
        assert_eq!(refused.to_string(), expected);
    }
}
