//! Where a build gets packages from: the platform's settings, looked at for each build.

use std::{
    net::{SocketAddr, SocketAddrV4},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::failure::Failure;
use crate::{
    language::Index,
    settings::{Builds, PackageIndex},
};

/// The sources of one build.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The index, which shows its password to the installer only; none for the installer's own.
    index: Option<PackageIndex>,
    /// Addresses that the build may connect to.
    pub reachable: Vec<SocketAddrV4>,
    /// A folder with packages.
    pub wheels: Option<PathBuf>,
    /// Certificates of authorities.
    pub certificates: Option<Vec<u8>>,
}

impl Sources {
    /// The name of the file with certificates in a build's folder.
    pub const CERTIFICATES: &str = "certificates.pem";

    /// Looks up the index, and reads the certificates. `is_fenced`: builds have a network of their own.
    pub async fn find(builds: &Builds, kind: Index, is_fenced: bool) -> Result<Self, Failure> {
        let mut found = Self { wheels: folder_of(builds, kind).cloned(), ..Self::default() };
        if let Some(folder) = &found.wheels
            && !folder.is_dir()
        {
            let problem = format!("--build-find-links: {} is not a folder", folder.display());
            return Err(Failure::Platform(problem));
        }
        if let Some(file) = &builds.ca_file {
            let read = tokio::fs::read(file).await;
            found.certificates = Some(read.map_err(|error| {
                Failure::Platform(format!("--build-ca-file: cannot read {}: {error}", file.display()))
            })?);
        }
        if let Some(index) = index_of(builds, kind) {
            found.index = Some(index.clone());
            found.reachable = addresses(index, kind, is_fenced).await?;
        }
        Ok(found)
    }

    /// Returns the event of the program that installs what this file asks for.
    pub fn event(&self, file: &str) -> Value {
        let no_index = self.index == Some(PackageIndex::None);
        let index = self.index.as_ref().filter(|_| !no_index);
        json!({
            "do": "install",
            "file": file,
            "index": index.map(PackageIndex::show),
            "no_index": no_index,
            "wheels": self.wheels.is_some(),
            "certificates": self.certificates.as_ref().map(|_| Self::CERTIFICATES),
        })
    }
}

/// Returns the platform's index of this kind.
pub fn index_of(builds: &Builds, kind: Index) -> Option<&PackageIndex> {
    match kind {
        Index::Python => builds.index.as_ref(),
        Index::Npm => builds.npm_registry.as_ref(),
    }
}

/// Returns what people call an index of this kind.
pub fn name_of(kind: Index) -> &'static str {
    match kind {
        Index::Python => "index",
        Index::Npm => "registry",
    }
}

/// Returns the platform's folder with packages of this kind.
fn folder_of(builds: &Builds, kind: Index) -> Option<&PathBuf> {
    builds.find_links.as_ref().filter(|_| kind == Index::Python)
}

/// Returns where packages come from, as a key has it: without a password, which a digest would not hide.
pub fn origins(builds: &Builds, kind: Index) -> [Option<String>; 2] {
    let index = index_of(builds, kind).map(PackageIndex::without_password);
    [index, folder_of(builds, kind).map(|folder| folder.display().to_string())]
}

/// Returns the addresses of an index. One that is away is not looked up: the installer says so.
async fn addresses(
    index: &PackageIndex,
    kind: Index,
    is_fenced: bool,
) -> Result<Vec<SocketAddrV4>, Failure> {
    let Some((host, port)) = index.host() else { return Ok(Vec::new()) };
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found = found.into_iter().flatten().filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    let mut addresses: Vec<SocketAddrV4> = found.collect();
    addresses.sort_unstable();
    addresses.dedup();
    if is_fenced && addresses.iter().any(|address| address.ip().is_loopback()) {
        let setting = match kind {
            Index::Python => "--build-index",
            Index::Npm => "--build-npm-registry",
        };
        let what = name_of(kind);
        return Err(Failure::Platform(format!(
            "{setting}: {host} is this host's loopback, which builds cannot reach; give the {what} another address of \
             this host"
        )));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builds(index: &str) -> Builds {
        Builds { index: Some(index.parse().unwrap()), ..Builds::default() }
    }

    async fn problem(builds: &Builds) -> String {
        match Sources::find(builds, Index::Python, true).await {
            Err(Failure::Platform(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn only_the_index_is_let_through() {
        let sources =
            Sources::find(&builds("http://192.0.2.7:8080/simple"), Index::Python, true).await.unwrap();
        assert_eq!(sources.reachable, ["192.0.2.7:8080".parse().unwrap()]);
        assert_eq!(sources.event("r.txt")["index"], "http://192.0.2.7:8080/simple");
        let none = Sources::find(&builds("none"), Index::Python, true).await.unwrap();
        let event = none.event("r.txt");
        assert_eq!(
            (none.reachable.len(), &event["no_index"], &event["index"]),
            (0, &json!(true), &json!(null))
        );
        assert_eq!(
            problem(&builds("http://127.0.0.1:8080/")).await,
            "--build-index: 127.0.0.1 is this host's loopback, which builds cannot reach; give the index another \
             address of this host"
        );
        assert!(Sources::find(&builds("http://127.0.0.1:8080/"), Index::Python, false).await.is_ok());
    }

    #[tokio::test]
    async fn the_password_of_the_index_is_for_the_installer_only() {
        let url = "https://u:hunter2@192.0.2.7/simple";
        let sources = Sources::find(&builds(url), Index::Python, true).await.unwrap();
        assert_eq!(sources.event("r.txt")["index"], url);
        let shown = format!("{sources:?}");
        assert!(shown.contains("192.0.2.7") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_key_does_not_depend_on_the_password_of_the_index() {
        let of = |index: &str, kind| {
            let (find_links, npm_registry) = (Some("/srv/wheels".into()), Some("none".parse().unwrap()));
            origins(&Builds { find_links, npm_registry, ..builds(index) }, kind)
        };
        let expected = [Some("https://h/simple".to_owned()), Some("/srv/wheels".to_owned())];
        assert_eq!(of("https://u:hunter2@h/simple", Index::Python), expected);
        assert_eq!(of("https://h/simple", Index::Python), expected);
        assert_ne!(of("none", Index::Python), expected);
        assert_eq!(of("https://h/simple", Index::Npm), [Some("none".to_owned()), None]);
    }

    #[tokio::test]
    async fn each_kind_of_package_has_an_index_of_its_own() {
        let both = Builds {
            npm_registry: Some("http://127.0.0.1:4873".parse().unwrap()),
            find_links: Some("/nowhere".into()),
            ..builds("http://192.0.2.7/simple")
        };
        let Err(Failure::Platform(problem)) = Sources::find(&both, Index::Npm, true).await else {
            panic!("it is not reachable")
        };
        assert_eq!(
            problem,
            "--build-npm-registry: 127.0.0.1 is this host's loopback, which builds cannot reach; give the registry \
             another address of this host"
        );
        let sources = Sources::find(&both, Index::Npm, false).await.unwrap();
        let event = sources.event("package.json");
        assert_eq!(
            (&event["index"], &event["wheels"]),
            (&json!("http://127.0.0.1:4873/"), &json!(false))
        );
    }

    #[tokio::test]
    async fn a_source_that_is_not_there_is_named_with_its_setting() {
        let folder = Builds { find_links: Some("/nowhere".into()), ..Builds::default() };
        assert_eq!(problem(&folder).await, "--build-find-links: /nowhere is not a folder");
        let file = Builds { ca_file: Some("/nowhere".into()), ..Builds::default() };
        assert!(problem(&file).await.starts_with("--build-ca-file: cannot read /nowhere: "));
    }
}
