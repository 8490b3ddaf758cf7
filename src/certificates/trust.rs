//! The certificates that a client accepts: those signed by an authority of the system or of a file, those that are in that
//! file themselves, and that of a platform on this host.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use rustls::{
    CertificateError as Refused, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring::default_provider, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use rustls_platform_verifier::Verifier as OfSystem;

use super::{Validity, read_own};

/// Certificates that a client accepts besides those of the system's authorities.
#[derive(Clone, Debug, Default)]
pub struct Trusted {
    /// Authorities, or certificates of servers themselves.
    pub named: Vec<CertificateDer<'static>>,
    /// File in a data folder with the certificates of a platform on this host ([`trusting_own`]). Without authorities that are
    /// named, nothing else is accepted then.
    pub own: Option<PathBuf>,
}

impl Trusted {
    /// Makes the configuration of a client. An error if a certificate that is named cannot be one of an authority, or if there
    /// are no authorities at all.
    pub fn client_config(self) -> Result<ClientConfig, Error> {
        let Self { named, own } = self;
        let provider = Arc::new(default_provider());
        let authorities = match (&own, named.is_empty()) {
            (Some(_), true) => None,
            _ => Some(OfSystem::new_with_extra_roots(named.iter().cloned(), provider.clone())?),
        };
        Ok(config(provider, own, named, authorities))
    }
}

/// Makes the configuration of a client that accepts the certificates in this file, whatever their names and the time, and
/// nothing else.
///
/// The file is in the data folder of a platform on this host: only the platform's user can write there, and the platform
/// writes the certificates that it shows. A server that shows one of them has to sign the handshake with its private key, so it
/// is this platform. A name would add nothing: it says which of many servers one is, and here it is known. Nor would an
/// authority: it vouches for those who are not known.
pub fn trusting_own(file: PathBuf) -> ClientConfig {
    config(Arc::new(default_provider()), Some(file), Vec::new(), None)
}

fn config(
    provider: Arc<CryptoProvider>,
    own: Option<PathBuf>,
    named: Vec<CertificateDer<'static>>,
    authorities: Option<OfSystem>,
) -> ClientConfig {
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Verifier { own, named, authorities, algorithms };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions");
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct Verifier {
    /// Read at each handshake: a platform may get a new certificate while a client of it goes on.
    own: Option<PathBuf>,
    named: Vec<CertificateDer<'static>>,
    authorities: Option<OfSystem>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// A certificate that was named itself needs no authority, but fits its name and its time. Those that tools make for
    /// themselves often say that they are an authority's, and no authority vouches for such a server.
    fn is_named(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<bool, Error> {
        if !self.named.iter().any(|named| named == certificate) {
            return Ok(false);
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let at = |time: Timestamp| {
            let seconds = u64::try_from(time.as_second()).unwrap_or_default();
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
        };
        match Validity::of(certificate) {
            None => Err(Refused::BadEncoding.into()),
            Some(valid) if time < valid.starts_at => {
                Err(Refused::NotValidYetContext { time: now, not_before: at(valid.starts_at) }.into())
            }
            Some(valid) if time > valid.ends_at => {
                Err(Refused::ExpiredContext { time: now, not_after: at(valid.ends_at) }.into())
            }
            Some(_) => Ok(true),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let own = self.own.as_ref().and_then(|file| read_own(file).ok()).unwrap_or_default();
        if own.iter().any(|own| own == certificate) || self.is_named(certificate, name, now)? {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => {
                authorities.verify_server_cert(certificate, intermediates, name, ocsp_response, now)
            }
            None => Err(Refused::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
