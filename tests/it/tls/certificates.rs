//! The certificates of the tests, and a folder in which one replaces another.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use cloudfunc::settings::TlsFiles;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tempfile::TempDir;

pub fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/it/tls", name].iter().collect()
}

/// The authority that has signed all of them but `self.pem`.
pub fn authority() -> PathBuf {
    file("authority.pem")
}

pub fn der(name: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(file(name)).unwrap().to_vec()
}

/// A folder with a certificate and its key.
pub struct Pem(TempDir);

impl Pem {
    pub fn new(name: &str) -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.put(name);
        this
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.0.path().join("cert.pem"), key: self.0.path().join("key.pem") }
    }

    /// Puts another certificate and its key in place of those that are there.
    pub fn put(&self, name: &str) {
        self.put_certificate(name);
        self.replace(&self.files().key, &format!("{name}_key.pem"));
    }

    pub fn put_certificate(&self, name: &str) {
        self.replace(&self.files().cert, &format!("{name}.pem"));
    }

    /// Only this user may read a key, and a checkout leaves it open.
    fn replace(&self, path: &Path, by: &str) {
        let new = self.0.path().join("new");
        fs::write(&new, fs::read(file(by)).unwrap()).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, path).unwrap();
    }
}
