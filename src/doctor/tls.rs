//! Reads the certificate and the key of the gateway.

use super::judge::tls::{Certificate, Facts};
use crate::{local::sources, settings::Settings};

/// Gathers the facts.
pub fn gather(settings: &Settings) -> Facts {
    match settings.tls() {
        Ok(None) => Facts::Plain,
        Err(error) => {
            let hint = error.hint().unwrap_or_default().to_owned();
            Facts::Refused { why: error.to_string(), hint }
        }
        Ok(Some(files)) => match sources::check_tls(&files) {
            Ok(trouble) => {
                Facts::Certificate(Certificate { path: files.cert.display().to_string(), trouble })
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let why = format!("{error}{}", source.unwrap_or_default());
                Facts::Refused { why, hint: error.hint() }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_comes_with_what_to_do() {
        let told = |keys: &str| {
            let settings = Settings::parse(&format!("[platform]\n{keys}\n"), "config.toml").unwrap();
            match gather(&settings) {
                Facts::Refused { why, hint } => (why, hint),
                other => panic!("not refused: {other:?}"),
            }
        };
        assert_eq!(
            told("tls_cert = \"/c.pem\""),
            ("--tls-cert is given without --tls-key".to_owned(), "give both, or neither".to_owned())
        );
        let (why, hint) = told("gateway_host = \"0.0.0.0\"");
        assert!(why.starts_with("the gateway would listen on 0.0.0.0:8000"), "{why}");
        assert!(hint.starts_with("give a certificate with --tls-cert FILE"), "{hint}");
    }
}
