//! TLS of the gateway: whether its certificate can be used, and whether it needs one.

use super::{Finding, Stops, Wanted, sentence};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    /// The gateway does not speak TLS, and need not.
    Plain,
    /// It does not start.
    Refused {
        why: String,
        hint: String,
    },
    Certificate(Certificate),
}

/// A certificate that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub path: String,
    /// The fault of its time, in words that follow `the certificate`.
    pub trouble: Option<String>,
}

const NAME: &str = "tls";

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    vec![match facts {
        Facts::Plain => Finding::ok(
            NAME,
            "the gateway speaks HTTP without TLS, on this host only or as --insecure allows",
        ),
        Facts::Refused { why, hint } => Finding::stops(Stops::BOTH, wanted, NAME, why, sentence(hint)),
        Facts::Certificate(Certificate { path, trouble: None }) => {
            Finding::ok(NAME, format!("the certificate in {path} fits its key, and is valid"))
        }
        Facts::Certificate(Certificate { path, trouble: Some(trouble) }) => Finding::warning(
            NAME,
            format!("the certificate in {path} {trouble}"),
            "Renew it: a gateway that runs uses the new one within seconds, without a restart.",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::judge::shown;

    fn said(facts: Facts) -> String {
        shown(&judge(&facts, Wanted::Up)).remove(0)
    }

    #[test]
    fn a_certificate_that_cannot_be_used_keeps_the_platform_from_starting() {
        let refused = Facts::Refused { why: "it is open".to_owned(), hint: "`chmod 600 /k`".to_owned() };
        assert_eq!(judge(&refused, Wanted::Embedded)[0].stops, Stops::BOTH);
        assert_eq!(said(refused), "problem tls: it is open | Run `chmod 600 /k`.");
        let refused = Facts::Refused { why: "it is empty".to_owned(), hint: "name another".to_owned() };
        assert_eq!(said(refused), "problem tls: it is empty | Name another.");
    }

    #[test]
    fn a_certificate_that_is_not_valid_for_long_is_a_warning() {
        let certificate = |trouble: Option<&str>| {
            let trouble = trouble.map(str::to_owned);
            Facts::Certificate(Certificate { path: "/c.pem".to_owned(), trouble })
        };
        assert_eq!(
            said(certificate(None)),
            "ok tls: the certificate in /c.pem fits its key, and is valid"
        );
        assert_eq!(
            said(certificate(Some("ends in 1 day, at T"))),
            "warning tls: the certificate in /c.pem ends in 1 day, at T | Renew it: a gateway that runs uses the new one within \
             seconds, without a restart."
        );
        assert_eq!(
            said(Facts::Plain),
            "ok tls: the gateway speaks HTTP without TLS, on this host only or as --insecure allows"
        );
    }
}
