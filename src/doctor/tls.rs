//! Reads the certificate and the key of the gateway.

use super::judge::tls::{Certificate, Facts};
use crate::{local::sources, settings::Settings};

/// Gathers the facts.
pub fn gather(settings: &Settings) -> Facts {
    match settings.tls() {
        Ok(None) => Facts::Plain,
        Err(error) => {
            let hint = error.hint().unwrap_or("give both, or none of them").to_owned();
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
