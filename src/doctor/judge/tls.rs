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
    /// A gateway that runs shows it.
    Shown {
        certificate: Certificate,
        /// The reason why it cannot read its files anew, and what to do.
        kept: Option<(String, String)>,
    },
}

/// A certificate that is used, or can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub path: String,
    /// The fault of its time, in words that follow `the certificate`.
    pub trouble: Option<String>,
}

const NAME: &str = "tls";
const RENEW: &str = "Renew it: a gateway that runs uses the new one within seconds, without a restart.";

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    vec![match facts {
        Facts::Shown { certificate, kept } => return of_running(certificate, kept.as_ref()),
        Facts::Plain => Finding::ok(
            NAME,
            "the gateway speaks HTTP without TLS, on this host only or as --insecure allows",
        ),
        Facts::Refused { why, hint } => Finding::stops(Stops::BOTH, wanted, NAME, why, sentence(hint)),
        Facts::Certificate(Certificate { path, trouble: None }) => {
            Finding::ok(NAME, format!("the certificate in {path} fits its key, and is valid"))
        }
        Facts::Certificate(Certificate { path, trouble: Some(trouble) }) => {
            Finding::warning(NAME, format!("the certificate in {path} {trouble}"), RENEW)
        }
    }]
}

fn of_running(
    Certificate { path, trouble }: &Certificate,
    kept: Option<&(String, String)>,
) -> Vec<Finding> {
    let told = "the certificate that the gateway shows";
    let kept = kept.map(|(why, hint)| {
        let found =
            format!("the gateway cannot read its certificate anew, and uses the one that it has: {why}");
        Finding::warning(NAME, found, sentence(hint))
    });
    let shown = match trouble {
        Some(trouble) => Finding::warning(NAME, format!("{told}, of {path}, {trouble}"), RENEW),
        None => Finding::ok(NAME, format!("{told}, of {path}, is valid")),
    };
    [shown].into_iter().chain(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

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
    fn a_gateway_that_runs_is_judged_by_what_it_shows() {
        let facts = |trouble: Option<&str>, kept: Option<&str>| Facts::Shown {
            certificate: Certificate { path: "/c.pem".to_owned(), trouble: trouble.map(str::to_owned) },
            kept: kept.map(|why| (why.to_owned(), "name another".to_owned())),
        };
        let said = |facts| shown(&judge(&facts, Wanted::Up));
        assert_eq!(
            said(facts(None, None)),
            ["ok tls: the certificate that the gateway shows, of /c.pem, is valid"]
        );
        assert_eq!(
            said(facts(Some("has expired at T"), Some("it is empty"))),
            [
                "warning tls: the certificate that the gateway shows, of /c.pem, has expired at T | Renew it: a gateway that \
                 runs uses the new one within seconds, without a restart.",
                "warning tls: the gateway cannot read its certificate anew, and uses the one that it has: it is empty | Name \
                 another.",
            ]
        );
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
