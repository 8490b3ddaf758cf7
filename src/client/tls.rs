//! Faults of a TLS connection, in words.

use std::error::Error as StdError;

use jiff::Timestamp;
use rustls::{CertificateError as Refused, Error as TlsError, pki_types::UnixTime};
use url::Url;

use crate::certificates::{fault, is_of_authority, refusal, tls_error};

/// The reason why there is no TLS connection to a platform. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// None of the authorities that are known has signed the certificate.
    UnknownIssuer,
    /// It is signed by itself, or says that it is an authority's.
    OwnIssuer,
    /// The platform of this host that has this address shows other certificates.
    NotOwn,
    /// The certificate is for these names, in words; for none if empty.
    WrongName(Vec<String>),
    /// It ended at this time, if that is known.
    Expired(Option<Timestamp>),
    /// It begins at this time, if that is known.
    NotYetValid(Option<Timestamp>),
    /// Something else is wrong with the certificate, in words that follow it.
    Certificate(String),
    /// The authorities of the system, or those that were named, cannot be used.
    Authorities(String),
    /// TLS was spoken, and the other end does not speak it.
    NotTls,
    /// HTTP was spoken, and the answer is something else.
    NotHttp,
    /// The two ends do not agree.
    Handshake(String),
}

impl TlsProblem {
    /// Finds the reason in the error of a request to this address; `None` if it is none of these.
    pub(super) fn of(url: &Url, error: &(dyn StdError + 'static)) -> Option<Self> {
        match tls_error(error) {
            Some(error) => Some(Self::of_tls(error)),
            None => (url.scheme() == "http" && is_not_http(error)).then_some(Self::NotHttp),
        }
    }

    fn of_tls(error: &TlsError) -> Self {
        let refused = match error {
            TlsError::InvalidCertificate(refused) => refused,
            // A server without TLS answers a handshake with something that TLS cannot read.
            TlsError::InvalidMessage(_) => return Self::NotTls,
            other => return Self::Handshake(fault(other)),
        };
        match refused {
            Refused::UnknownIssuer => Self::UnknownIssuer,
            Refused::ApplicationVerificationFailure => Self::NotOwn,
            Refused::NotValidForName => Self::WrongName(Vec::new()),
            Refused::NotValidForNameContext { presented, .. } => {
                Self::WrongName(presented.iter().map(|name| plain_name(name).to_owned()).collect())
            }
            Refused::Expired => Self::Expired(None),
            Refused::ExpiredContext { not_after, .. } => Self::Expired(time(*not_after)),
            Refused::NotValidYet => Self::NotYetValid(None),
            Refused::NotValidYetContext { not_before, .. } => Self::NotYetValid(time(*not_before)),
            other if is_of_authority(other) => Self::OwnIssuer,
            other => Self::Certificate(refusal(other)),
        }
    }

    /// Returns whether the certificate was refused.
    pub fn is_about_certificate(&self) -> bool {
        !matches!(self, Self::Authorities(_) | Self::NotTls | Self::NotHttp | Self::Handshake(_))
    }

    /// Says what is wrong, of this address.
    pub(super) fn told(&self, url: &Url) -> String {
        let (at, host) = (shown(url), url.host_str().unwrap_or_default());
        match self {
            Self::UnknownIssuer => {
                format!("the certificate of {at} is not signed by an authority that is known here")
            }
            Self::OwnIssuer => {
                format!("the certificate of {at} is signed by itself, or is an authority's")
            }
            Self::NotOwn => format!(
                "the certificate of {at} is not the one of the platform of this machine that has this address"
            ),
            Self::WrongName(names) if names.is_empty() => {
                format!("the certificate of {at} is not for {host}, and names no other host")
            }
            Self::WrongName(names) => {
                format!("the certificate of {at} is not for {host}, but for {}", names.join(", "))
            }
            Self::Expired(None) => format!("the certificate of {at} has expired"),
            Self::Expired(Some(time)) => format!("the certificate of {at} has expired at {time}"),
            Self::NotYetValid(None) => format!("the certificate of {at} is not valid yet"),
            Self::NotYetValid(Some(time)) => {
                format!("the certificate of {at} is not valid before {time}")
            }
            Self::Certificate(problem) => format!("the certificate of {at} {problem}"),
            Self::Authorities(problem) => {
                format!("no certificate of {at} can be checked: {problem}")
            }
            Self::NotTls => format!("{at} does not speak TLS"),
            Self::NotHttp => format!("the answer of {at} is not HTTP"),
            Self::Handshake(problem) => format!("there is no TLS connection to {at}: {problem}"),
        }
    }

    /// Returns advice about the next step.
    pub(super) fn hint(&self, url: &Url) -> Option<String> {
        let instead = |scheme: &str| {
            let rest = shown(url).split_once("://").map_or("", |(_, rest)| rest);
            format!("{scheme}://{rest}")
        };
        Some(match self {
            Self::UnknownIssuer => {
                "if it is signed by an authority of your own, or by none, name the file with the certificate of that authority, \
                 or of the platform: --ca FILE or CLOUDFUNC_CA"
                    .to_owned()
            }
            Self::OwnIssuer => {
                "if it is the platform's own, name the file with it: --ca FILE or CLOUDFUNC_CA".to_owned()
            }
            Self::NotOwn => "another program may have the port by now: see `cloudfunc status`; with --ca FILE the authorities \
                             in a file are accepted, too"
                .to_owned(),
            Self::WrongName(names) if names.is_empty() => {
                "have a certificate made for this host, as a subject alternative name".to_owned()
            }
            Self::WrongName(_) => {
                "call it by a name of the certificate, with --url, or have one made for this name".to_owned()
            }
            Self::Expired(_) => {
                "renew it: the platform uses the new one within seconds, without a restart; or see that the clock of this \
                 machine is right"
                    .to_owned()
            }
            Self::NotYetValid(_) => "see that the clock of this machine is right".to_owned(),
            Self::Authorities(_) => {
                "install the system's certificates (the package `ca-certificates`), or name a file with those of authorities: \
                 --ca FILE or CLOUDFUNC_CA"
                    .to_owned()
            }
            Self::NotTls => format!("for HTTP without TLS, use {}", instead("http")),
            Self::NotHttp => format!("if it speaks TLS, use {}", instead("https")),
            Self::Certificate(_) | Self::Handshake(_) => return None,
        })
    }
}

/// Returns the host or the address of a name in a certificate, which comes as `DnsName("faas.example")`,
/// `IpAddress(127.0.0.1)` or plain.
fn plain_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn time(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

/// Returns whether the answer could not be read as HTTP.
fn is_not_http(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse() && !error.is_parse_too_large() && !error.is_parse_status();
        }
        next = error.source();
    }
    false
}

/// Shows a URL without the trailing slash, which only helps to append routes.
pub(super) fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use rustls::{InvalidMessage, OtherError};

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn of(error: impl Into<TlsError>) -> TlsProblem {
        // As a connector wraps it.
        let error: TlsError = error.into();
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        TlsProblem::of(&url("https://faas.example:8443/"), &error).unwrap()
    }

    #[test]
    fn errors_of_tls_are_told_with_what_to_do() {
        let day = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 24 * 60 * 60));
        let presented = vec!["DnsName(\"a.example\")".to_owned(), "IpAddress(127.0.0.1)".to_owned()];
        let expected = "faas.example".try_into().unwrap();
        let at = "https://faas.example:8443";
        let by_itself = OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity")));
        let cases: [(TlsProblem, String, Option<&str>); 10] = [
            (
                of(Refused::UnknownIssuer),
                format!("the certificate of {at} is not signed by an authority that is known here"),
                Some(
                    "if it is signed by an authority of your own, or by none, name the file with the certificate of that \
                     authority, or of the platform: --ca FILE or CLOUDFUNC_CA",
                ),
            ),
            (
                of(Refused::Other(by_itself)),
                format!("the certificate of {at} is signed by itself, or is an authority's"),
                Some("if it is the platform's own, name the file with it: --ca FILE or CLOUDFUNC_CA"),
            ),
            (of(Refused::Revoked), format!("the certificate of {at} has been revoked"), None),
            (
                of(Refused::ApplicationVerificationFailure),
                format!(
                    "the certificate of {at} is not the one of the platform of this machine that has this address"
                ),
                Some(
                    "another program may have the port by now: see `cloudfunc status`; with --ca FILE the authorities in a \
                     file are accepted, too",
                ),
            ),
            (
                of(Refused::NotValidForNameContext { expected, presented }),
                format!("the certificate of {at} is not for faas.example, but for a.example, 127.0.0.1"),
                Some("call it by a name of the certificate, with --url, or have one made for this name"),
            ),
            (
                of(Refused::NotValidForName),
                format!("the certificate of {at} is not for faas.example, and names no other host"),
                Some("have a certificate made for this host, as a subject alternative name"),
            ),
            (
                of(Refused::ExpiredContext { time: day(2), not_after: day(1) }),
                format!("the certificate of {at} has expired at 1970-01-02T00:00:00Z"),
                Some(
                    "renew it: the platform uses the new one within seconds, without a restart; or see that the clock of this \
                     machine is right",
                ),
            ),
            (
                of(Refused::NotValidYetContext { time: day(1), not_before: day(2) }),
                format!("the certificate of {at} is not valid before 1970-01-03T00:00:00Z"),
                Some("see that the clock of this machine is right"),
            ),
            (
                of(InvalidMessage::InvalidContentType),
                format!("{at} does not speak TLS"),
                Some("for HTTP without TLS, use http://faas.example:8443"),
            ),
            (
                of(TlsError::HandshakeNotComplete),
                format!("there is no TLS connection to {at}: handshake not complete"),
                None,
            ),
        ];
        for (problem, told, hint) in cases {
            let url = url("https://faas.example:8443/");
            assert_eq!(problem.told(&url), told);
            assert_eq!(problem.hint(&url).as_deref(), hint);
        }
        let http = url("http://faas.example:8443/");
        assert_eq!(
            TlsProblem::NotHttp.told(&http),
            "the answer of http://faas.example:8443 is not HTTP"
        );
        assert_eq!(
            TlsProblem::NotHttp.hint(&http).unwrap(),
            "if it speaks TLS, use https://faas.example:8443"
        );
    }

    #[test]
    fn what_is_known_less_of_is_told_as_far_as_it_is() {
        let url = url("https://faas.example/");
        let clock = "see that the clock of this machine is right";
        let renew = format!(
            "renew it: the platform uses the new one within seconds, without a restart; or {clock}"
        );
        let authorities = "install the system's certificates (the package `ca-certificates`), or name a file with those of \
                           authorities: --ca FILE or CLOUDFUNC_CA";
        for (problem, told, hint) in [
            (of(Refused::Expired), "the certificate of AT has expired", Some(&*renew)),
            (of(Refused::NotValidYet), "the certificate of AT is not valid yet", Some(clock)),
            (
                TlsProblem::Authorities("there are none".to_owned()),
                "no certificate of AT can be checked: there are none",
                Some(authorities),
            ),
            (
                TlsProblem::Certificate("cannot be verified: it is odd".to_owned()),
                "the certificate of AT cannot be verified: it is odd",
                None,
            ),
        ] {
            assert_eq!(problem.told(&url), told.replace("AT", "https://faas.example"));
            assert_eq!(problem.hint(&url).as_deref(), hint);
        }
    }

    #[test]
    fn other_errors_of_a_connection_are_none_of_these() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(TlsProblem::of(&url("https://faas.example/"), &refused), None);
        assert_eq!(TlsProblem::of(&url("http://faas.example/"), &refused), None);
    }
}
