//! Errors of TLS in words: those of rustls are in part the names of variants.

use rustls::{CertificateError as Refused, Error};

/// The error of the library that checks certificates about one of an authority that a server shows. It has no variant in rustls.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";
/// The one about a certificate in an old form.
const OLD_VERSION: &str = "UnsupportedCertVersion";

/// Returns whether a server's certificate is refused because it says that it is an authority's, as those that tools make often
/// do, which are signed by themselves.
pub fn is_of_authority(refused: &Refused) -> bool {
    matches!(refused, Refused::Other(other) if other.0.to_string() == OF_AUTHORITY)
}

/// Says what is wrong with a certificate, in words that follow `the certificate`.
pub fn refusal(refused: &Refused) -> String {
    let known = match refused {
        Refused::BadEncoding => "cannot be read",
        Refused::Expired | Refused::ExpiredContext { .. } => "has expired",
        Refused::NotValidYet | Refused::NotValidYetContext { .. } => "is not valid yet",
        Refused::Revoked => "has been revoked",
        Refused::UnhandledCriticalExtension => "has a critical extension that is not known here",
        Refused::UnknownIssuer => "is not signed by an authority that is known here",
        Refused::UnknownRevocationStatus
        | Refused::ExpiredRevocationList
        | Refused::ExpiredRevocationListContext { .. } => {
            "may have been revoked, which cannot be found out"
        }
        Refused::BadSignature => "has a wrong signature",
        Refused::UnsupportedSignatureAlgorithmContext { .. }
        | Refused::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed with an algorithm that is not accepted"
        }
        Refused::NotValidForName | Refused::NotValidForNameContext { .. } => "is for another host",
        Refused::InvalidPurpose | Refused::InvalidPurposeContext { .. } => "is not one for a server",
        Refused::InvalidOcspResponse => "comes with a wrong answer about its revocation",
        Refused::Other(other) if other.0.to_string() == OLD_VERSION => {
            "is of an old version, and only version 3 is accepted"
        }
        other if is_of_authority(other) => "is signed by itself, or is an authority's",
        Refused::Other(other) => return unverified(&other.0.to_string()),
        other => return unverified(&other.to_string()),
    };
    known.to_owned()
}

fn unverified(reason: &str) -> String {
    format!("cannot be verified: {}", plain(reason))
}

/// Says what is wrong with a TLS connection, or with a certificate for one.
pub fn fault(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(refused) => format!("the certificate {}", refusal(refused)),
        Error::AlertReceived(alert) => {
            format!("the other end reports: {}", plain(&format!("{alert:?}")))
        }
        Error::PeerIncompatible(why) => {
            format!("the other end is not compatible: {}", plain(&format!("{why:?}")))
        }
        Error::PeerMisbehaved(why) => {
            format!("the other end breaks the rules of TLS: {}", plain(&format!("{why:?}")))
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the other end sent a message that is not expected".to_owned()
        }
        Error::InvalidMessage(_) => "the other end sent a message that cannot be read".to_owned(),
        Error::General(problem) => problem.clone(),
        Error::Other(other) => plain(&other.0.to_string()),
        other => other.to_string(),
    }
}

/// Writes the name of a variant, with or without fields, as words; leaves other texts as they are.
fn plain(text: &str) -> String {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let has_fields = rest.starts_with('(') || rest.starts_with(" {");
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) || !(rest.is_empty() || has_fields) {
        return text.to_owned();
    }
    let mut words = String::new();
    let mut is_after_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && is_after_small {
            words.push(' ');
        }
        is_after_small = !letter.is_ascii_uppercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use rustls::{AlertDescription, OtherError};

    use super::*;

    fn other(name: &str) -> Refused {
        Refused::Other(OtherError(Arc::new(io::Error::other(name.to_owned()))))
    }

    #[test]
    fn no_name_of_a_variant_is_told() {
        assert_eq!(refusal(&Refused::BadSignature), "has a wrong signature");
        assert_eq!(refusal(&Refused::Revoked), "has been revoked");
        assert_eq!(
            refusal(&other("UnsupportedCertVersion")),
            "is of an old version, and only version 3 is accepted"
        );
        assert_eq!(refusal(&other("BadDerTime")), "cannot be verified: bad der time");
        assert_eq!(refusal(&other("TrailingData(Certificate)")), "cannot be verified: trailing data");
        assert_eq!(
            refusal(&other("certificate had invalid extensions")),
            "cannot be verified: certificate had invalid extensions"
        );
        assert_eq!(
            fault(&Error::AlertReceived(AlertDescription::HandshakeFailure)),
            "the other end reports: handshake failure"
        );
        assert_eq!(fault(&Refused::Revoked.into()), "the certificate has been revoked");
        assert_eq!(fault(&Error::HandshakeNotComplete), "handshake not complete");
    }

    #[test]
    fn a_server_that_shows_a_certificate_of_an_authority_is_told_apart() {
        assert!(is_of_authority(&other("CaUsedAsEndEntity")));
        assert!(!is_of_authority(&other("BadDer")) && !is_of_authority(&Refused::UnknownIssuer));
        assert_eq!(refusal(&other("CaUsedAsEndEntity")), "is signed by itself, or is an authority's");
    }
}
