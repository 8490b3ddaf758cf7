//! Where a request has come from, through proxies that say it truly, and what its function is told of that: pure.
//!
//! Every client can send `X-Forwarded-For`. So what stands there counts from the right, for as long as a trusted proxy has
//! written it; from others, all of it is taken out and written anew. `Forwarded` (RFC 7239) of a trusted proxy is passed on and
//! not read.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

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
        let values: Vec<&str> =
            headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok()).collect();
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
        let told = |name: HeaderName| {
            let value = headers.get(name).filter(|_| self.is_trusted())?.to_str().ok()?;
            value.split(',').next().map(str::trim)
        };
        let is_https =
            self.is_tls || told(PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        (told(HOST).unwrap_or(host), is_https)
    }

    /// Writes what a function is told: by this host, and below this prefix of its paths.
    pub fn tell(&self, headers: &mut HeaderMap, host: &str, prefix: Option<&str>) {
        if !self.is_trusted() {
            take_out(headers);
        }
        let others = headers.get_all(FOR).iter().filter_map(|value| value.to_str().ok());
        let mut way: Vec<String> = others.map(str::to_owned).collect();
        way.push(self.address.to_string());
        set(headers, FOR, &way.join(", "));
        set_first(headers, PROTO, if self.is_tls { "https" } else { "http" });
        if !host.is_empty() {
            set_first(headers, HOST, host);
        }
        let port = port_of(headers, host);
        set_first(headers, PORT, &port);
        if let Some(prefix) = prefix {
            let outer = headers.get(PREFIX).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let whole = format!("{}{prefix}", outer.trim_end_matches('/'));
            set(headers, PREFIX, &whole);
        }
    }
}

/// Returns the port that the client has called: the one beside its host, or that of its protocol.
fn port_of(headers: &HeaderMap, host: &str) -> String {
    let text = |name: HeaderName| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(HOST).unwrap_or(host);
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    let is_https = text(PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    port.unwrap_or(if is_https { "443" } else { "80" }).to_owned()
}

fn take_out(headers: &mut HeaderMap) {
    let is_one = |name: &&HeaderName| name.as_str().starts_with(PREFIXED) || name.as_str() == FORWARDED;
    let names: Vec<HeaderName> = headers.keys().filter(is_one).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Sets a header that is not there yet.
fn set_first(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !headers.contains_key(&name) {
        set(headers, name, value);
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
            headers.append(HeaderName::from_static(*name), value.parse().unwrap());
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

    fn told(end: OtherEnd<'_>, list: &[(&'static str, &str)], prefix: Option<&str>) -> Vec<String> {
        let mut headers = headers(list);
        end.tell(&mut headers, "app.example:8000", prefix);
        let mut told: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
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
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-prefix", "/shop/"),
            ("forwarded", "for=203.0.113.9"),
        ];
        let expected = [
            "forwarded: for=203.0.113.9",
            "x-forwarded-for: 198.51.100.1, 203.0.113.9, 10.0.0.1",
            "x-forwarded-host: shop.example",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /shop/f/hello",
            "x-forwarded-proto: https",
        ];
        assert_eq!(told(end, &list, Some("/f/hello")), expected);
        assert_eq!(end.called(&headers(&list), "app.example"), ("shop.example", true));
    }
}
