//! Which web pages may send requests to a function, and what their browsers are told (CORS): pure.
//!
//! Every request with an `Origin` is decided about, before its function runs: a page can send some requests without asking
//! first, and the function would act on them though the page never sees the answer.

/// The longest time that a browser may keep the answer to a preflight, in seconds.
const MAX_AGE: &str = "600";

/// An origin that may send requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed<'o> {
    /// The request's own.
    Own,
    /// Listed in `cors`: with cookies, too.
    Listed(&'o str),
    /// Any, as `cors` has `*`: without cookies.
    Any,
}

/// An origin that may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `null`: a sandboxed page, such as that of a function on the port of the platform, or a local file.
    Null,
    /// Another one.
    Foreign,
}

/// Decides about an origin. `host` is the one that the client has called, and `is_https` says that it did so by HTTPS, as far as
/// is known for sure.
pub fn decide<'o>(
    origin: &'o str,
    host: &str,
    is_https: bool,
    cors: &[String],
) -> Result<Allowed<'o>, Refused> {
    if is_own(origin, host, is_https) {
        return Ok(Allowed::Own);
    }
    if cors.iter().any(|listed| listed != "*" && listed.eq_ignore_ascii_case(origin)) {
        return Ok(Allowed::Listed(origin));
    }
    match cors.iter().any(|listed| listed == "*") {
        true => Ok(Allowed::Any),
        false if origin == "null" => Err(Refused::Null),
        false => Err(Refused::Foreign),
    }
}

/// A proxy in front may speak HTTPS where the platform is asked by HTTP.
fn is_own(origin: &str, host: &str, is_https: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = match scheme {
        "https" => 443,
        "http" if !is_https => 80,
        _ => return false,
    };
    let own = name_and_port(host, usual);
    own.zip(name_and_port(authority, usual)).is_some_and(|((name, port), (other, other_port))| {
        !name.is_empty() && name.eq_ignore_ascii_case(other) && port == other_port
    })
}

fn name_and_port(text: &str, usual: u16) -> Option<(&str, u16)> {
    match text.rsplit_once(':') {
        // The colons of an IPv6 address stand before its bracket.
        Some((name, port)) if !port.contains(']') => Some((name, port.parse().ok()?)),
        _ => Some((text, usual)),
    }
}

/// A header and its value.
pub type Header = (&'static str, String);

/// Returns the headers of the answer to a preflight for a path that takes these methods.
pub fn of_preflight(allowed: Allowed<'_>, own: &str, methods: &str, asked: Option<&str>) -> Vec<Header> {
    let mut headers = of_origin(allowed, own);
    headers.push(("access-control-allow-methods", methods.to_owned()));
    headers.extend(asked.map(|asked| ("access-control-allow-headers", asked.to_owned())));
    headers.push(("access-control-max-age", MAX_AGE.to_owned()));
    headers
}

/// Returns the headers of an answer whose own headers have these names. A page of the same origin needs none.
pub fn of_answer<'n>(allowed: Allowed<'_>, names: impl Iterator<Item = &'n str>) -> Vec<Header> {
    if allowed == Allowed::Own {
        return Vec::new();
    }
    let mut headers = of_origin(allowed, "");
    let mut exposed: Vec<&str> = names.filter(|name| *name != "set-cookie").collect();
    exposed.sort_unstable();
    exposed.dedup();
    if !exposed.is_empty() {
        headers.push(("access-control-expose-headers", exposed.join(", ")));
    }
    headers
}

fn of_origin(allowed: Allowed<'_>, own: &str) -> Vec<Header> {
    let (origin, with_cookies) = match allowed {
        Allowed::Own => (own, false),
        Allowed::Listed(origin) => (origin, true),
        Allowed::Any => ("*", false),
    };
    let mut headers = vec![("access-control-allow-origin", origin.to_owned())];
    if with_cookies {
        headers.push(("access-control-allow-credentials", "true".to_owned()));
    }
    headers
}

/// Returns whether a header, by its name in lower case, is one by which a server tells browsers of origins.
pub fn is_of_cors(name: &str) -> bool {
    name.starts_with("access-control-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(origin: &str, host: &str, is_https: bool, cors: &[&str]) -> String {
        let cors: Vec<String> = cors.iter().map(|origin| (*origin).to_owned()).collect();
        match decide(origin, host, is_https, &cors) {
            Ok(Allowed::Own) => "own".to_owned(),
            Ok(Allowed::Listed(origin)) => format!("listed {origin}"),
            Ok(Allowed::Any) => "any".to_owned(),
            Err(refused) => format!("{refused:?}"),
        }
    }

    #[test]
    fn the_requests_own_origin_has_its_host_and_its_port() {
        for (origin, host, is_https, expected) in [
            ("http://app.example", "app.example", false, "own"),
            ("http://app.example", "APP.example:80", false, "own"),
            ("https://app.example", "app.example", false, "own"),
            ("https://app.example", "app.example:443", true, "own"),
            ("https://app.example:8443", "app.example:8443", true, "own"),
            ("http://[::1]:8000", "[::1]:8000", false, "own"),
            ("http://[::1]", "[::1]", false, "own"),
            ("http://app.example", "app.example", true, "Foreign"),
            ("http://app.example:8000", "app.example", false, "Foreign"),
            ("https://app.example", "app.example:80", false, "Foreign"),
            ("http://app.example", "other.example", false, "Foreign"),
            ("http://app.example", "app.example:", false, "Foreign"),
            ("http://app.example:x", "app.example:x", false, "Foreign"),
            ("ftp://app.example", "app.example", false, "Foreign"),
            ("http://", "", false, "Foreign"),
            ("app.example", "app.example", false, "Foreign"),
            ("null", "null", false, "Null"),
            ("", "", false, "Foreign"),
        ] {
            assert_eq!(decided(origin, host, is_https, &[]), expected, "{origin} {host} {is_https}");
        }
    }

    #[test]
    fn other_origins_are_listed_or_all_are_allowed() {
        let list = ["https://app.example", "https://b.example:8443"];
        for (origin, cors, expected) in [
            ("https://app.example", &list[..], "listed https://app.example"),
            ("https://App.Example", &list[..], "listed https://App.Example"),
            ("https://b.example:8443", &list[..], "listed https://b.example:8443"),
            ("http://app.example", &list[..], "Foreign"),
            ("https://app.example.evil", &list[..], "Foreign"),
            ("null", &list[..], "Null"),
            ("https://evil.example", &["*"][..], "any"),
            ("null", &["*"][..], "any"),
            ("*", &list[..], "Foreign"),
        ] {
            assert_eq!(decided(origin, "h.example", true, cors), expected, "{origin}");
        }
    }

    fn shown(headers: Vec<Header>) -> Vec<String> {
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_preflight_is_told_methods_and_the_headers_that_it_asked_for() {
        let listed = Allowed::Listed("https://app.example");
        assert_eq!(
            shown(of_preflight(listed, "https://app.example", "GET, POST", Some("x-a, content-type"))),
            [
                "access-control-allow-origin: https://app.example",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET, POST",
                "access-control-allow-headers: x-a, content-type",
                "access-control-max-age: 600",
            ]
        );
        assert_eq!(
            shown(of_preflight(Allowed::Any, "https://app.example", "GET", None)),
            [
                "access-control-allow-origin: *",
                "access-control-allow-methods: GET",
                "access-control-max-age: 600"
            ]
        );
    }

    #[test]
    fn an_answer_to_another_origin_names_it_and_the_headers_that_its_page_may_read() {
        let names = || ["x-b", "set-cookie", "content-type", "x-b"].into_iter();
        assert_eq!(
            shown(of_answer(Allowed::Listed("https://app.example"), names())),
            [
                "access-control-allow-origin: https://app.example",
                "access-control-allow-credentials: true",
                "access-control-expose-headers: content-type, x-b",
            ]
        );
        assert_eq!(shown(of_answer(Allowed::Any, [].into_iter())), ["access-control-allow-origin: *"]);
        assert!(of_answer(Allowed::Own, names()).is_empty());
    }
}
