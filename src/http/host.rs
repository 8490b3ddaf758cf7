//! The host that a request calls.

use axum::http::{HeaderMap, header};

use super::Answer;
use crate::model::{Problem, code};

/// Returns the name that a request calls in its Host, without the port; none if it has no Host, or an empty one. 400 if it has
/// several, or one that is no host.
pub fn named_host(headers: &HeaderMap) -> Answer<Option<&str>> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        let several = Problem::new(code::BAD_REQUEST, "the request has several Host headers");
        return Err(several.hint("send one").into());
    }
    match host {
        Some(host) if !host.is_empty() => {
            let name = host.to_str().ok().and_then(host_name);
            name.map(Some).ok_or_else(|| no_valid_host().into())
        }
        _ => Ok(None),
    }
}

/// Returns the refusal of a request whose Host is no host, or is not there.
pub fn no_valid_host() -> Problem {
    Problem::new(code::BAD_REQUEST, "the request has no valid Host header")
        .hint("send the name or the IP address that you call, such as 'Host: api.example.com:8443'")
}

/// Returns the name of `name`, `name:port`, `[address]` or `[address]:port`; none of another text, such as one with a user or a
/// path. A name has the characters that names in DNS and of containers have.
pub fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    (is_name(name) && port.is_none_or(is_port)).then_some(name)
}

/// An address of IPv6 has come out of its brackets.
fn is_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    !name.is_empty() && name.bytes().all(of_name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn named(hosts: &[&[u8]]) -> Result<Option<String>, Box<Problem>> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        named_host(&headers).map(|name| name.map(str::to_owned)).map_err(|failure| failure.0)
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for (host, name) in [
            ("app.example", "app.example"),
            ("App.Example.:8443", "App.Example."),
            ("web_1:", "web_1"),
            ("127.0.0.1:8000", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1"),
        ] {
            assert_eq!(named(&[host.as_bytes()]), Ok(Some(name.to_owned())), "{host}");
        }
        assert_eq!(named(&[]), Ok(None));
        assert_eq!(named(&[b""]), Ok(None));
    }

    #[test]
    fn any_other_text_is_refused_as_a_host() {
        let invalid = Problem::new(code::BAD_REQUEST, "the request has no valid Host header")
            .hint("send the name or the IP address that you call, such as 'Host: api.example.com:8443'");
        for host in [
            &b"a\"><script>"[..],
            b"user@app.example",
            b"user:1@app.example",
            b"evil/x?",
            b"app.example/",
            b"a b",
            b"a,b",
            b"a%2fb",
            b"caf\xe9.example",
            b":80",
            b"app.example:80:80",
            b"app.example:x",
            b"app.example:123456",
            b"::1",
            b"[::1",
            b"[::1]evil",
            b"[localhost]",
            b"[]",
        ] {
            assert_eq!(
                named(&[host]),
                Err(Box::new(invalid.clone())),
                "{}",
                String::from_utf8_lossy(host)
            );
        }
        let several =
            Problem::new(code::BAD_REQUEST, "the request has several Host headers").hint("send one");
        assert_eq!(named(&[b"app.example", b"app.example"]), Err(Box::new(several)));
    }
}
