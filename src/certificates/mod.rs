//! Certificates: reading them from files in PEM form, the time for which they are valid, the pair of certificate and key that
//! a server shows, and those that a client accepts.

mod pair;
mod trust;
mod words;

use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

pub use self::{
    pair::{Pair, PairError},
    trust::{Trusted, trusting_own},
    words::{fault, is_of_authority, refusal},
};
use crate::private_file::{Kind, Rule, Unread};

/// A certificate that ends within this number of days should be renewed by now.
pub const RENEW_WITHIN_DAYS: i64 = 14;

/// The most bytes of a file of certificates; a system's bundle has about 250 KiB.
const MAX_FILE: usize = 1024 * 1024;

/// The reason why a file of certificates is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("{what} {path} has a part that is not PEM: {problem}")]
    NotPem { what: &'static str, path: PathBuf, problem: String },
    #[error("{what} {path} has no certificate in PEM form")]
    Empty { what: &'static str, path: PathBuf },
    #[error(
        "{what} {path} has something that is not a certificate where its first certificate should be"
    )]
    NotACertificate { what: &'static str, path: PathBuf },
}

impl CertificateError {
    /// Returns advice about the next step.
    pub fn hint(&self) -> String {
        match self {
            Self::Unread(unread) => unread.hint("have another certificate made"),
            _ => "name a file with certificates, each between `-----BEGIN CERTIFICATE-----` and its end"
                .to_owned(),
        }
    }
}

/// Reads the file with the certificate of a server, its own one first, followed by those of the authorities between it and a
/// known one.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    read(Kind { what: "the certificate file", rule: Rule::Settings, limit: MAX_FILE }, path)
}

/// Reads a file of authorities that a user names.
pub fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    read(Kind { what: "the file of authorities", rule: Rule::Settings, limit: MAX_FILE }, path)
}

/// Reads the file in a data folder with the certificates that the gateway of that folder shows.
pub fn read_own(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    read(
        Kind { what: "the file of the platform's certificate", rule: Rule::Ours, limit: MAX_FILE },
        path,
    )
}

fn read(kind: Kind, path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let what = kind.what;
    let content = kind.read(path)?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&content) {
        certificates.push(certificate.map_err(|error| CertificateError::NotPem {
            what,
            path: path.to_owned(),
            problem: error.to_string(),
        })?);
    }
    match certificates.first() {
        None => Err(CertificateError::Empty { what, path: path.to_owned() }),
        Some(first) if Validity::of(first).is_none() => {
            Err(CertificateError::NotACertificate { what, path: path.to_owned() })
        }
        Some(_) => Ok(certificates),
    }
}

/// Writes certificates in PEM form.
pub fn to_pem(certificates: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        for line in encoded.as_bytes().chunks(64) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The time for which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Validity {
    /// Returns that of a certificate; `None` if it is not a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let validity = parsed.validity();
        let at = |seconds: i64| Timestamp::from_second(seconds).ok();
        Some(Self {
            starts_at: at(validity.not_before.timestamp())?,
            ends_at: at(validity.not_after.timestamp())?,
        })
    }

    /// Returns the whole days until its end; negative once it has ended.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.ends_at.as_second() - now.as_second()).div_euclid(24 * 60 * 60)
    }

    /// Returns what is wrong with it, or soon will be, in words that follow `the certificate`; `None` if all is well.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        if now < self.starts_at {
            return Some(format!("is not valid before {}", self.starts_at));
        }
        match self.days_left(now) {
            ..0 => Some(format!("has expired at {}", self.ends_at)),
            days @ 0..RENEW_WITHIN_DAYS => {
                Some(format!("ends in {}, at {}", days_text(days), self.ends_at))
            }
            _ => None,
        }
    }
}

/// Returns a number of days in words.
pub fn days_text(days: i64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// Returns the TLS error behind an error of an HTTP library, if that is what went wrong.
pub fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of an I/O error is that of the error in it, which would be left out.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
