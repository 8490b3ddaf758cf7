//! Where a request has come from, through proxies that say it truly, and what a function is told of that: pure.
//!
//! Every client can send `X-Forwarded-For`. So what stands there counts from the right, for as long as a trusted proxy has
//! written it; from others, all of it is taken out, and written anew for functions by HTTP. `Forwarded` (RFC 7239) of a trusted
//! proxy is passed on and not read.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::headers::begins_with;
use crate::model::TrustedProxies;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED: &str = "forwarded";
const PREFIXED: &str = "x-forwarded-";

/// The other end of a connection, as the gateway sees it.
#[derive(Clone, Copy)]
pub struct OtherEnd<'t> {
    pub address: IpAddr,
    pub is_tls: bool,
    pub trusted: &'t TrustedProxies,
}

impl OtherEnd<'_> {
    fn is_trusted(&self) -> bool {
        self.trusted.contains(self.address)
    }

    /// Returns the address of the client: the last one, from the right, that is not a trusted proxy's.
    pub fn client(&self, headers: &HeaderMap) -> IpAddr {
        let mut client = self.address;
        if !self.is_trusted() {
            return client;
        }
        // Whatever the client has put in front: what the proxy has added counts.
        let values: Vec<_> =
            headers.get_all(FOR).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        for text in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let Some(before) = address(text.trim()) else { break };
            client = before.to_canonical();
            if !self.trusted.contains(client) {
                break;
            }
        }
        client
    }

    /// Returns the host that the client has called, and whether it did so by HTTPS for sure: what a trusted proxy says, else
    /// what this request does.
    pub fn called<'h>(&self, headers: &'h HeaderMap, host: &'h str) -> (&'h str, bool) {
        let told = |name: HeaderName| last(headers, name).filter(|_| self.is_trusted());
        let is_https =
            self.is_tls || told(PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        (told(HOST).unwrap_or(host), is_https)
    }

    /// Takes out what no trusted proxy has written. One with `_` in its name is nobody's: programs behind WSGI and CGI could not
    /// tell it from the one with `-`.
    pub fn take_out_forged(&self, headers: &mut HeaderMap) {
        let is_forged = |name: &&HeaderName| {
            let name = name.as_str();
            is_of_proxies(name) && (name.contains('_') || !self.is_trusted())
        };
        let forged: Vec<HeaderName> = headers.keys().filter(is_forged).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
    }

    /// Writes what a function is told: by this host, and below this prefix of its paths.
    pub fn tell(&self, headers: &mut HeaderMap, host: &str, prefix: Option<&str>) {
        self.take_out_forged(headers);
        let own = self.address.to_string();
        let others = headers.get_all(FOR).iter().map(HeaderValue::as_bytes);
        let way = others.chain([own.as_bytes()]).collect::<Vec<_>>().join(&b", "[..]);
        set(headers, FOR, &way);
        set_first(headers, PROTO, if self.is_tls { "https" } else { "http" });
        if !host.is_empty() {
            set_first(headers, HOST, host);
        }
        let port = port_of(headers, host);
        set_first(headers, PORT, &port);
        if let Some(prefix) = prefix {
            let outer = headers.get(PREFIX).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let whole = format!("{}{prefix}", outer.trim_end_matches('/'));
            set(headers, PREFIX, whole.as_bytes());
        }
    }
}

/// Returns the port that the client has called: the one beside its host, or that of its protocol.
fn port_of(headers: &HeaderMap, host: &str) -> String {
    let host = last(headers, HOST).unwrap_or(host);
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    let is_https = last(headers, PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    port.unwrap_or(if is_https { "443" } else { "80" }).to_owned()
}

/// Returns the last element of a list, which the nearest proxy has written.
fn last(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

fn is_of_proxies(name: &str) -> bool {
    name == FORWARDED || begins_with(name, PREFIXED)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.insert(name, value);
    }
}

/// Sets a header that is not there yet.
fn set_first(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !headers.contains_key(&name) {
        set(headers, name, value.as_bytes());
    }
}

/// Reads an address as proxies write it: some add a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            // Each character is a byte.
            let bytes: Vec<u8> = value.chars().map(|byte| u8::try_from(byte).unwrap()).collect();
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(&bytes).unwrap());
        }
        headers
    }

    fn other_end<'t>(address: &str, trusted: &'t TrustedProxies) -> OtherEnd<'t> {
        OtherEnd { address: address.parse().unwrap(), is_tls: false, trusted }
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        let trusted: TrustedProxies = "10.0.0.0/8,::1".parse().unwrap();
        for (from, values, expected) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            // As nginx adds to what is no text.
            ("10.0.0.1", &["\u{e9}, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["\u{e9}", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, \u{e9}"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
            ("::1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::1", &["::ffff:10.0.0.2, 2001:db8::1"], "2001:db8::1"),
        ] {
            let list: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let client = other_end(from, &trusted).client(&headers(&list));
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{from} {values:?}");
        }
    }

    fn shown(value: &HeaderValue) -> String {
        value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
    }

    fn told(end: OtherEnd<'_>, list: &[(&'static str, &str)], prefix: Option<&str>) -> Vec<String> {
        let mut headers = headers(list);
        end.tell(&mut headers, "app.example:8000", prefix);
        let mut told: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect();
        told.sort();
        told
    }

    #[test]
    fn what_others_than_trusted_proxies_say_is_written_anew() {
        let none = TrustedProxies::default();
        let forged = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/evil"),
            ("x-forwarded-ssl", "on"),
            ("forwarded", "for=203.0.113.9"),
            // Programs behind WSGI and CGI read these names as those above.
            ("x_forwarded_for", "203.0.113.9"),
            ("x-forwarded_proto", "https"),
            ("x-kept", "1"),
        ];
        let end = other_end("192.0.2.1", &none);
        let expected = [
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: app.example:8000",
            "x-forwarded-port: 8000",
            "x-forwarded-proto: http",
            "x-kept: 1",
        ];
        assert_eq!(told(end, &forged, None), expected);
        let with_prefix = told(OtherEnd { is_tls: true, ..end }, &forged, Some("/f/hello"));
        assert!(with_prefix.contains(&"x-forwarded-prefix: /f/hello".to_owned()), "{with_prefix:?}");
        assert!(with_prefix.contains(&"x-forwarded-proto: https".to_owned()), "{with_prefix:?}");
        assert_eq!(end.called(&headers(&forged), "app.example"), ("app.example", false));
    }

    #[test]
    fn a_trusted_proxys_words_stay_and_it_is_added_to_the_way() {
        let trusted: TrustedProxies = "10.0.0.1".parse().unwrap();
        let end = other_end("10.0.0.1", &trusted);
        let list = [
            ("x-forwarded-for", "\u{e9}, 198.51.100.1"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x_forwarded_for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-prefix", "/shop/"),
            ("forwarded", "for=203.0.113.9"),
        ];
        let expected = [
            "forwarded: for=203.0.113.9",
            "x-forwarded-for: \u{e9}, 198.51.100.1, 203.0.113.9, 10.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /shop/f/hello",
            "x-forwarded-proto: https",
        ];
        assert_eq!(told(end, &list, Some("/f/hello")), expected);
        assert_eq!(end.called(&headers(&list), "app.example"), ("shop.example", true));
    }

    #[test]
    fn of_several_elements_the_last_one_is_the_trusted_proxys() {
        let trusted: TrustedProxies = "10.0.0.1".parse().unwrap();
        let end = other_end("10.0.0.1", &trusted);
        for list in [
            &[
                ("x-forwarded-host", "evil.example, shop.example:8443"),
                ("x-forwarded-proto", "http,https"),
            ][..],
            &[
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-host", "shop.example:8443"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-proto", "https"),
            ],
        ] {
            assert_eq!(
                end.called(&headers(list), "app.example"),
                ("shop.example:8443", true),
                "{list:?}"
            );
            assert!(told(end, list, None).contains(&"x-forwarded-port: 8443".to_owned()), "{list:?}");
        }
    }
}
