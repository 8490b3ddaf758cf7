//! Reads the certificate and the key of the gateway: of the platform that runs, or of one that settings describe.

use jiff::Timestamp;

use super::judge::tls::{Certificate, Facts};
use crate::{
    local::{LocalPlatform, sources},
    place::certificate_file,
    settings::Settings,
};

/// Gathers the facts. A platform that runs has its own settings, whatever those of now say.
pub fn gather(place: &LocalPlatform, settings: &Settings) -> Facts {
    match place.holder.as_ref().filter(|_| place.running) {
        Some(holder) if holder.tls => shown(place),
        Some(_) => Facts::Plain,
        None => to_be(settings),
    }
}

/// Looks at what a gateway that runs shows.
fn shown(place: &LocalPlatform) -> Facts {
    let path = place.tls_files().map_or_else(|| certificate_file(&place.folder), |files| files.cert);
    let trouble = match place.certificate() {
        Some(validity) => validity.trouble(Timestamp::now()),
        None => Some("cannot be seen in the data folder".to_owned()),
    };
    let kept = place.kept_certificate().map(|problem| (problem.told(), problem.hint()));
    Facts::Shown { certificate: Certificate { path: path.display().to_string(), trouble }, kept }
}

fn to_be(settings: &Settings) -> Facts {
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
            Err(error) => Facts::Refused { why: error.told(), hint: error.hint() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_comes_with_what_to_do() {
        let told = |keys: &[(&str, &str)]| {
            let mut settings = Settings::default();
            for (key, value) in keys {
                let setting = crate::settings::settings().find(|setting| setting.key() == *key).unwrap();
                setting.read(&mut settings, value).unwrap();
            }
            match to_be(&settings) {
                Facts::Refused { why, hint } => (why, hint),
                other => panic!("not refused: {other:?}"),
            }
        };
        assert_eq!(
            told(&[("tls_cert", "/c.pem")]),
            ("--tls-cert is given without --tls-key".to_owned(), "give both, or neither".to_owned())
        );
        let (why, hint) = told(&[("gateway_host", "0.0.0.0")]);
        assert!(why.starts_with("the gateway would listen on 0.0.0.0:8000"), "{why}");
        assert!(hint.starts_with("give a certificate with --tls-cert FILE"), "{hint}");
    }
}
