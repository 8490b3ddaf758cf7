//! A server's certificate and its private key, from two files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{CertificateError, fault, read_chain};
use crate::private_file::{Kind, Rule, Unread};

/// The most bytes of a file with a private key.
const MAX_KEY_FILE: usize = 64 * 1024;

/// The reason why a certificate and a key are of no use to a server.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Key(#[from] Unread),
    #[error("the key file {0} has no private key in PEM form")]
    NoKey(PathBuf),
    #[error("the private key in {0} is encrypted with a passphrase, which nobody can enter here")]
    Encrypted(PathBuf),
    #[error("the private key in {key} does not belong to the first certificate in {cert}")]
    Mismatch { cert: PathBuf, key: PathBuf },
    #[error("the certificate in {cert} cannot be used with the private key in {key}: {problem}")]
    Unusable { cert: PathBuf, key: PathBuf, problem: String },
}

impl PairError {
    /// Says what is wrong, with the reason.
    pub fn told(&self) -> String {
        let reason = std::error::Error::source(self).map(|reason| format!(": {reason}"));
        format!("{self}{}", reason.unwrap_or_default())
    }

    /// Returns advice about the next step.
    pub fn hint(&self) -> String {
        match self {
            Self::Certificate(wrong) => wrong.hint(),
            Self::Key(unread) => unread.hint("have another key and certificate made"),
            Self::NoKey(_) => {
                "name a file with a key between `-----BEGIN PRIVATE KEY-----` and its end".to_owned()
            }
            Self::Encrypted(path) => format!(
                "write it without one: `openssl pkey -in {} -out FILE`, and close FILE to others",
                path.display()
            ),
            Self::Mismatch { .. } => {
                "name the certificate that was made for this key; the server's own comes first in its file".to_owned()
            }
            Self::Unusable { .. } => {
                "have a certificate made for a key of ECDSA (P-256), Ed25519, or RSA of 2048 bits or more".to_owned()
            }
        }
    }
}

/// A certificate with those of its authorities, and its private key.
#[derive(Debug)]
pub struct Pair {
    cert: PathBuf,
    key: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    private_key: PrivateKeyDer<'static>,
}

impl Pair {
    /// Reads both files. Blocks.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, PairError> {
        let chain = read_chain(cert)?;
        let content = Kind { what: "the key file", rule: Rule::Given, limit: MAX_KEY_FILE }.read(key)?;
        let Ok(private_key) = PrivateKeyDer::from_pem_slice(&content) else {
            let is_encrypted = content.windows(9).any(|part| part == b"ENCRYPTED");
            let path = key.to_owned();
            return Err(if is_encrypted { PairError::Encrypted(path) } else { PairError::NoKey(path) });
        };
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), chain, private_key })
    }

    /// Returns the server's own certificate.
    pub fn own(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Makes the configuration of a server that shows the certificate; it agrees on one of these protocols (ALPN).
    pub fn server_config(self, protocols: &[&[u8]]) -> Result<ServerConfig, PairError> {
        let Self { cert, key, chain, private_key } = self;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the usual versions");
        let made = builder.with_no_client_auth().with_single_cert(chain, private_key);
        let mut config = made.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => PairError::Mismatch { cert, key },
            error => PairError::Unusable { cert, key, problem: fault(&error) },
        })?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}
