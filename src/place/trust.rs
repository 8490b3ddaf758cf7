//! The files with the certificates that a client trusts.

use std::path::{Path, PathBuf};

/// The certificates that a client accepts in addition to those signed by the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// File with further authorities, or with the certificate of the server itself.
    pub ca: Option<PathBuf>,
    /// File with the certificates of the platform on this host that is asked: whatever their names. Without `ca` no others are
    /// accepted then.
    pub own: Option<PathBuf>,
}

/// Returns the file with the certificates that the gateway of a data folder shows, where clients of this host find them.
pub fn certificate_file(folder: &Path) -> PathBuf {
    folder.join("tls-certificate.pem")
}
