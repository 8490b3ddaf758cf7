//! The addresses of functions, as commands show them and call them.

use std::net::IpAddr;

use url::{Host, Url};

use crate::{
    client::Client,
    model::{FunctionName, HttpAuth, HttpSpec, Interface, PathPattern, Record, path_pattern::Segment},
    units::show_bytes,
};

/// The addresses of a function on the platform that was asked.
pub struct Addresses<'a> {
    /// The table `[http]` of its manifest.
    pub http: &'a HttpSpec,
    /// Where functions answer: [`base`].
    pub base: &'a Url,
}

/// Returns where the functions of a platform answer, as far as it says: at its public port, if it has one, or else at its own.
pub async fn base(client: &Client) -> Url {
    // It is only shown: a gateway that does not tell it, or one of an earlier version, is no failure.
    let health = client.health().await.ok();
    let public = health.and_then(|health| health.public_url?.parse::<Url>().ok());
    public.and_then(|public| reached(public, client.base())).unwrap_or_else(|| client.base().clone())
}

/// Returns the address of a public port for those who reach the platform at `base`: one on all addresses of its host is reached
/// by the same name. None for a port that only the platform's own host reaches, if `base` is elsewhere: others know it by the
/// name of a proxy.
fn reached(mut public: Url, base: &Url) -> Option<Url> {
    match ip(&public) {
        Some(ip) if ip.is_unspecified() => public.set_host(base.host_str()).ok()?,
        Some(ip) if ip.is_loopback() && !is_of_this_host(base) => return None,
        _ => {}
    }
    Some(public)
}

fn is_of_this_host(url: &Url) -> bool {
    url.host() == Some(Host::Domain("localhost")) || ip(url).is_some_and(|ip| ip.is_loopback())
}

fn ip(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
    }
}

impl Addresses<'_> {
    /// Returns one for each path, with the function's own host if it has one.
    pub fn urls(&self) -> Vec<String> {
        // Its own host leads to a proxy, or to the usual port.
        let place = match &self.http.host {
            Some(host) => format!("{}://{host}", self.base.scheme()),
            None => place(self.base),
        };
        self.http.paths.iter().map(|path| format!("{place}{path}")).collect()
    }

    /// Returns a line for each path: its address, its methods, and who may call it.
    pub fn lines(&self) -> Vec<String> {
        let methods = match self.http.methods.as_slice() {
            [] => "any method".to_owned(),
            methods => methods.join(", "),
        };
        let who = match self.http.auth {
            HttpAuth::Token => "with a token",
            HttpAuth::None => "open to everybody",
        };
        self.urls().into_iter().map(|url| format!("{url}  {methods}, {who}")).collect()
    }

    /// Returns the rows of `show`.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let HttpSpec { paths: _, methods, host, auth, cors, max_body } = self.http;
        let methods = if methods.is_empty() { "all".to_owned() } else { methods.join(", ") };
        let auth = match auth {
            HttpAuth::Token => "token",
            HttpAuth::None => "none: open to everybody",
        };
        let mut settings: Vec<_> = self.urls().into_iter().map(|url| ("address", url)).collect();
        settings.push(("methods", methods));
        settings.extend(host.clone().map(|host| ("host", host)));
        settings.push(("auth", auth.to_owned()));
        if !cors.is_empty() {
            settings.push(("cors", cors.join(", ")));
        }
        settings.push(("max body", show_bytes(*max_body)));
        settings
    }

    /// Returns a command that sends a request to the function `name`.
    fn command(&self, name: &FunctionName) -> String {
        let HttpSpec { paths, methods, host, auth, .. } = self.http;
        let without_parameters = paths.iter().find(|path| path.names().next().is_none());
        let Some(path) = without_parameters.or(paths.first()) else {
            return format!("cloudfunc invoke {name}");
        };
        let path = filled(path);
        let method = ["GET", "POST"].into_iter().find(|usual| methods.iter().any(|m| m == usual));
        let method = method.or(methods.first().map(String::as_str)).unwrap_or("GET");
        if *auth == HttpAuth::Token {
            return format!("cloudfunc invoke {name} --method {method} --path {}", word(&path));
        }
        let how = match method {
            "GET" => String::new(),
            "HEAD" => "--head ".to_owned(),
            "POST" => "--data '{}' ".to_owned(),
            other => format!("--request {} ", word(other)),
        };
        // The name may lead to another place, or to none yet.
        let host = host.as_ref().map(|host| format!("--header 'Host: {host}' ")).unwrap_or_default();
        format!("curl {how}{host}{}", word(&format!("{}{path}", place(self.base))))
    }
}

/// Returns a command that invokes a function: where everybody may call it, one that is not ours. Most web servers answer a
/// `GET`.
pub fn next(name: &FunctionName, interface: Interface, http: Option<&HttpSpec>, base: &Url) -> String {
    match (http, interface) {
        (Some(http), _) => Addresses { http, base }.command(name),
        (None, Interface::Http { .. }) => format!("cloudfunc invoke {name} --method GET"),
        (None, _) => format!("cloudfunc invoke {name}"),
    }
}

/// Returns the address below which a function answers by its name.
pub fn by_name(name: &FunctionName, base: &Url) -> String {
    format!("{}/f/{name}/", place(base))
}

/// Returns the paths of a function, as `list` has them.
pub fn short(http: &HttpSpec) -> String {
    let host = http.host.as_deref().unwrap_or_default();
    http.paths.iter().map(|path| format!("{host}{path}")).collect::<Vec<_>>().join(", ")
}

/// Returns the request of a record and, if it was answered, the status: `GET /users/7 200`. Empty for a call without one.
pub fn request(record: &Record) -> String {
    let Some(http) = &record.http else { return String::new() };
    let status = record.http_status().map(|status| format!(" {status}")).unwrap_or_default();
    format!("{} {}{status}", http.method, http.target())
}

/// Returns an address without a `/` at its end.
fn place(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    let port = base.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}{}", base.scheme(), base.path().trim_end_matches('/'))
}

/// Returns a path of a pattern, with the names of its parameters in capitals where their values belong.
fn filled(pattern: &PathPattern) -> String {
    let parts = pattern.segments().map(|segment| match segment {
        Segment::Literal(text) => text.to_owned(),
        Segment::One(name) | Segment::Rest(name) => name.to_ascii_uppercase(),
    });
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

/// Returns a word as a shell reads it.
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@%+,=".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(json: serde_json::Value) -> HttpSpec {
        serde_json::from_value(json).unwrap()
    }

    fn base(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_the_place_of_the_platform_or_the_host_of_the_function() {
        let urls = |host: Option<&str>, at: &str| {
            let spec = http(serde_json::json!({ "paths": ["/", "/users/{id}"], "host": host }));
            Addresses { http: &spec, base: &base(at) }.urls()
        };
        assert_eq!(
            urls(None, "http://127.0.0.1:8000"),
            ["http://127.0.0.1:8000/", "http://127.0.0.1:8000/users/{id}"]
        );
        assert_eq!(
            urls(None, "https://platform.example/cloud/"),
            ["https://platform.example/cloud/", "https://platform.example/cloud/users/{id}"]
        );
        assert_eq!(
            urls(Some("app.example"), "https://platform.example:8443/cloud/"),
            ["https://app.example/", "https://app.example/users/{id}"]
        );
        let name = "shop".parse().unwrap();
        assert_eq!(by_name(&name, &base("http://[::1]:8000")), "http://[::1]:8000/f/shop/");
    }

    #[test]
    fn a_public_port_is_named_as_those_who_ask_reach_it() {
        for (public, asked, expected) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8000", Some("http://127.0.0.1:8080/")),
            ("http://127.0.0.1:8080", "http://localhost:8000", Some("http://127.0.0.1:8080/")),
            ("http://127.0.0.1:8080", "http://[::1]:8000", Some("http://127.0.0.1:8080/")),
            ("https://0.0.0.0:8443", "https://faas.example:8000/", Some("https://faas.example:8443/")),
            ("http://[::]:8080", "http://[::1]:8000", Some("http://[::1]:8080/")),
            ("https://203.0.113.5:443", "https://10.0.0.7:8000", Some("https://203.0.113.5/")),
            ("http://127.0.0.1:8080", "https://faas.example", None),
        ] {
            let found = reached(base(public), &base(asked));
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{public} of {asked}");
        }
    }

    #[test]
    fn a_line_says_which_methods_an_address_takes_and_who_may_call_it() {
        let lines = |spec: serde_json::Value| {
            Addresses { http: &http(spec), base: &base("http://127.0.0.1:8000") }.lines()
        };
        assert_eq!(
            lines(serde_json::json!({ "paths": ["/hooks/github"] })),
            ["http://127.0.0.1:8000/hooks/github  any method, with a token"]
        );
        let open = serde_json::json!({ "paths": ["/a"], "methods": ["GET", "POST"], "auth": "none" });
        assert_eq!(lines(open), ["http://127.0.0.1:8000/a  GET, POST, open to everybody"]);
    }

    #[test]
    fn the_rows_of_a_function_say_everything_about_its_addresses() {
        let rows = |spec: serde_json::Value| {
            let spec = http(spec);
            let addresses = Addresses { http: &spec, base: &base("http://127.0.0.1:8000") };
            let rows = addresses.settings().into_iter();
            rows.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            rows(serde_json::json!({ "paths": ["/a"] })),
            ["address: http://127.0.0.1:8000/a", "methods: all", "auth: token", "max body: 6 MiB"]
        );
        let whole = serde_json::json!({
            "paths": ["/a", "/b"], "methods": ["GET", "PUT"], "host": "app.example", "auth": "none",
            "cors": ["https://one.example", "https://two.example"], "max_body": 1024,
        });
        assert_eq!(
            rows(whole),
            [
                "address: http://app.example/a",
                "address: http://app.example/b",
                "methods: GET, PUT",
                "host: app.example",
                "auth: none: open to everybody",
                "cors: https://one.example, https://two.example",
                "max body: 1 KiB"
            ]
        );
    }

    #[test]
    fn the_command_that_follows_a_deploy_is_one_that_the_function_answers() {
        let name = "shop".parse().unwrap();
        let next = |interface, http: Option<HttpSpec>| {
            super::next(&name, interface, http.as_ref(), &base("http://127.0.0.1:8000"))
        };
        assert_eq!(next(Interface::Http { port: 8080 }, None), "cloudfunc invoke shop --method GET");
        for interface in [Interface::Protocol, Interface::Command, Interface::Lambda] {
            assert_eq!(next(interface, None), "cloudfunc invoke shop");
        }
        let of = |paths: &[&str], methods: &[&str], auth: &str, host: Option<&str>| {
            let spec = serde_json::json!({
                "paths": paths, "methods": methods, "auth": auth, "host": host,
            });
            next(Interface::Protocol, Some(http(spec)))
        };
        for (command, expected) in [
            (of(&["/shop"], &[], "token", None), "cloudfunc invoke shop --method GET --path /shop"),
            (
                of(&["/users/{id}"], &["PUT", "POST"], "token", None),
                "cloudfunc invoke shop --method POST --path /users/ID",
            ),
            (of(&["/shop"], &[], "none", None), "curl http://127.0.0.1:8000/shop"),
            (of(&["/"], &["HEAD"], "none", None), "curl --head http://127.0.0.1:8000/"),
            (of(&["/{x}", "/a"], &["POST"], "none", None), "curl --data '{}' http://127.0.0.1:8000/a"),
            (
                of(&["/files/{rest+}"], &["PURGE"], "none", Some("app.example")),
                "curl --request PURGE --header 'Host: app.example' http://127.0.0.1:8000/files/REST",
            ),
            (of(&["/it's"], &[], "none", None), r"curl 'http://127.0.0.1:8000/it'\''s'"),
        ] {
            assert_eq!(command, expected);
        }
    }

    #[test]
    fn a_list_has_paths_with_their_host() {
        let paths = ["/a", "/users/{id}"];
        assert_eq!(short(&http(serde_json::json!({ "paths": paths }))), "/a, /users/{id}");
        let with = serde_json::json!({ "paths": paths, "host": "app.example" });
        assert_eq!(short(&http(with)), "app.example/a, app.example/users/{id}");
    }

    #[test]
    fn a_record_is_told_by_its_request_and_status() {
        let told = |http: serde_json::Value, status: Option<u16>| {
            let record: Result<Record, _> = serde_json::from_value(serde_json::json!({
                "id": "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f", "function": "f", "mode": "sync", "state": "succeeded",
                "dead_letter": false, "prewarmed": false, "accepted_at": "2026-01-31T12:00:00Z", "phases": [],
                "http": http, "attempts": [{ "number": 1, "http_status": status }],
            }));
            request(&record.unwrap())
        };
        let sent = serde_json::json!({ "method": "GET", "path": "/a", "query": "b=1" });
        assert_eq!(told(sent.clone(), Some(404)), "GET /a?b=1 404");
        assert_eq!(
            (told(sent, None), told(serde_json::Value::Null, None)),
            ("GET /a?b=1".into(), String::new())
        );
    }
}
