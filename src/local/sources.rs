//! The platform's own sources of packages, as far as they are files: what is in them, and what can never work. And the
//! certificates for a provider of tokens, which are such a file, too.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::{
    fs::{Access, access},
    process::geteuid,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    certificates::{Pair, PairError, Validity},
    settings::{Settings, SettingsError, TlsFiles},
};

/// The setting of the authorities that builds trust.
pub const BUILD_CA_FILE: &str = "--build-ca-file";

/// The reason why a setting can never work.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("--build-find-links: {0} is not a folder")]
    NoFolder(PathBuf),
    #[error("--build-find-links: {path} cannot be read")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{flag}: {path} cannot be read")]
    File {
        flag: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{flag}: {path} has no certificate in PEM form")]
    NoCertificate { flag: &'static str, path: PathBuf },
    #[error("{flag}: {path} has a part that is not PEM: {problem}")]
    NoPem { flag: &'static str, path: PathBuf, problem: String },
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl SourceError {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoFolder(_) | Self::Folder { .. } => {
                "name a folder of wheels, or leave the setting out; `pip wheel -w FOLDER NAME` makes some"
            }
            Self::Settings(SettingsError::OnlyOne { given, .. }) if given.starts_with("--oidc-") => {
                "give --oidc-issuer, --oidc-audience and --oidc-roles together, or none of these settings"
            }
            Self::Settings(_) => "name the proxy, or leave --build-no-proxy out",
            _ => {
                "name a file with certificates of authorities, each between `-----BEGIN CERTIFICATE-----` and its end, or \
                 leave the setting out"
            }
        }
    }
}

/// Checks the files and folders that settings name, and that they fit each other.
pub fn check(settings: &Settings) -> Result<(), SourceError> {
    settings.builds()?;
    if let Some(path) = &settings.build_find_links {
        wheels(path)?;
    }
    if let Some(path) = &settings.build_ca_file {
        certificates(BUILD_CA_FILE, path)?;
    }
    Ok(())
}

/// Checks that the settings of a provider of tokens fit each other, and the file that they name.
pub fn check_oidc(settings: &Settings) -> Result<(), SourceError> {
    settings.oidc()?;
    if let Some(path) = &settings.oidc_ca_file {
        certificates("--oidc-ca-file", path)?;
    }
    Ok(())
}

/// Checks the certificate of the gateway and its key: that they can be read and fit each other. Returns what is wrong with its
/// time, in words that follow `the certificate`; `None` if it is valid, and not only for days.
pub fn check_tls(files: &TlsFiles) -> Result<Option<String>, PairError> {
    let pair = Pair::read(&files.cert, &files.key)?;
    let validity = Validity::of(pair.own());
    pair.server_config(&[])?;
    Ok(validity.and_then(|validity| validity.trouble(Timestamp::now())))
}

/// The content of a folder of wheels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wheels {
    pub count: usize,
    /// The first one that builds cannot read, or the folder itself.
    pub unreadable: Option<PathBuf>,
}

/// Looks into a folder of wheels.
pub fn wheels(path: &Path) -> Result<Wheels, SourceError> {
    if !path.is_dir() {
        return Err(SourceError::NoFolder(path.to_owned()));
    }
    let failed = |source| SourceError::Folder { path: path.to_owned(), source };
    let mut found = Wheels::default();
    if !is_readable(path, 0o005) {
        found.unreadable = Some(path.to_owned());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "whl") {
            files.push(file);
        }
    }
    files.sort();
    found.count = files.len();
    if found.unreadable.is_none() {
        found.unreadable = files.into_iter().find(|file| !is_readable(file, 0o004));
    }
    Ok(found)
}

/// Returns whether the user that builds run as may read it: one without rights where the platform is root's, else the
/// platform's own.
fn is_readable(path: &Path, mode: u32) -> bool {
    if geteuid().is_root() {
        return fs::metadata(path).is_ok_and(|found| found.permissions().mode() & mode == mode);
    }
    let wanted = if mode & 1 == 0 { Access::READ_OK } else { Access::READ_OK | Access::EXEC_OK };
    access(path, wanted).is_ok()
}

/// Counts the certificates in the file that a setting names.
pub fn certificates(flag: &'static str, path: &Path) -> Result<usize, SourceError> {
    let owned = || path.to_owned();
    let bytes = fs::read(path).map_err(|source| SourceError::File { flag, path: owned(), source })?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        certificate.map_err(|error| {
            let problem = error.to_string();
            SourceError::NoPem { flag, path: owned(), problem }
        })?;
        count += 1;
    }
    if count == 0 { Err(SourceError::NoCertificate { flag, path: owned() }) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as its form is looked at.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn files_and_folders_that_can_never_work_are_named_with_their_setting() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let of = |find_links: Option<PathBuf>, ca_file: Option<PathBuf>| {
            let (build_find_links, build_ca_file) = (find_links, ca_file);
            check(&Settings { build_find_links, build_ca_file, ..Settings::default() })
        };
        of(Some(dir.path().to_owned()), Some(path("good.pem", PEM))).unwrap();
        of(None, None).unwrap();
        let at = dir.path().display();
        let file = path("file", "");
        assert_eq!(
            of(Some(file.clone()), None).unwrap_err().to_string(),
            format!("--build-find-links: {at}/file is not a folder")
        );
        let none = of(None, Some(dir.path().join("none"))).unwrap_err();
        assert_eq!(
            format!("{none}: {}", std::error::Error::source(&none).unwrap()),
            format!("--build-ca-file: {at}/none cannot be read: No such file or directory (os error 2)")
        );
        let empty = of(None, Some(file)).unwrap_err();
        assert_eq!(
            empty.to_string(),
            format!("--build-ca-file: {at}/file has no certificate in PEM form")
        );
        let cut = path("cut.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n");
        let cut = of(None, Some(cut)).unwrap_err().to_string();
        let expected = format!("--build-ca-file: {at}/cut.pem has a part that is not PEM: ");
        assert!(cut.starts_with(&expected), "{cut}");
    }

    #[test]
    fn a_provider_without_its_audience_or_its_certificates_is_refused() {
        let issuer = "https://id.example".parse().unwrap();
        let given = Settings { oidc_issuer: Some(issuer), ..Settings::default() };
        let wrong = check_oidc(&given).unwrap_err();
        assert_eq!(wrong.to_string(), "--oidc-issuer is given without --oidc-audience");
        assert_eq!(
            wrong.hint(),
            "give --oidc-issuer, --oidc-audience and --oidc-roles together, or none of these settings"
        );
        let dir = tempfile::tempdir().unwrap();
        let given = Settings {
            oidc_audience: Some("cloudfunc".to_owned()),
            oidc_roles: Some("admin=sub:x".parse().unwrap()),
            oidc_ca_file: Some(dir.path().join("none")),
            ..given
        };
        let expected = format!("--oidc-ca-file: {}/none cannot be read", dir.path().display());
        assert_eq!(check_oidc(&given).unwrap_err().to_string(), expected);
        fs::write(dir.path().join("none"), PEM).unwrap();
        check_oidc(&given).unwrap();
    }

    #[test]
    fn hosts_without_a_proxy_are_refused_where_there_is_none() {
        let build_no_proxy = Some(vec!["corp.example".to_owned()]);
        let wrong = check(&Settings { build_no_proxy, ..Settings::default() }).unwrap_err();
        assert_eq!(wrong.to_string(), "--build-no-proxy is given without --build-proxy");
        assert_eq!(wrong.hint(), "name the proxy, or leave --build-no-proxy out");
    }

    #[test]
    fn wheels_are_counted_and_the_first_one_that_builds_cannot_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "note.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(wheels(dir.path()).unwrap(), Wheels { count: 2, unreadable: None });
        let second = dir.path().join("b-1-py3-none-any.whl");
        fs::set_permissions(&second, fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(wheels(dir.path()).unwrap(), Wheels { count: 2, unreadable: Some(second) });
    }
}
