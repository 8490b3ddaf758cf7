//! Where a build gets packages from: the platform's settings, looked at for each build.

use std::{
    net::{SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{super::workshop::failure::Failure, requirements::Requirements};
use crate::{
    language::Index,
    settings::{BuildProxy, Builds, PackageIndex, ServerSetting},
};

/// The sources of one build.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The platform's settings.
    builds: Builds,
    /// The index, which shows its password to the installer only; none for the installer's own.
    index: Option<PackageIndex>,
    /// Addresses that the build may connect to: those of the proxy and of all indexes that are asked without it, whichever
    /// it asks, since builds share a network.
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
        let mut found = Self {
            builds: builds.clone(),
            wheels: folder_of(builds, kind).cloned(),
            reachable: proxy_addresses(builds, is_fenced).await?,
            ..Self::default()
        };
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
        }
        for each in Index::ALL {
            let Some((host, port)) = index_of(builds, each).and_then(PackageIndex::host) else {
                continue;
            };
            if builds.proxy_for(&host).is_some() {
                continue;
            }
            match addresses(&host, port, setting_of(each), is_fenced).await {
                Ok(addresses) => found.reachable.extend(addresses),
                Err(failure) if each == kind => return Err(failure),
                // The builds that need it fail.
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Returns the event of the program that installs what is wanted.
    pub fn event(&self, wanted: &Requirements) -> Value {
        let no_index = self.index == Some(PackageIndex::None);
        let index = self.index.as_ref().filter(|_| !no_index);
        json!({
            "do": "install",
            "file": wanted.file,
            "packages": wanted.packages,
            "indexes": wanted.indexes,
            "from_source": wanted.from_source,
            "index": index.map(PackageIndex::show),
            "no_index": no_index,
            "wheels": self.wheels.is_some(),
            "certificates": self.certificates.as_ref().map(|_| Self::CERTIFICATES),
            "searched": self.searched(wanted),
            "environment": self.builds.environment(true),
        })
    }

    /// Returns where packages are looked for, with the settings that say so.
    fn searched(&self, wanted: &Requirements) -> String {
        let folder = self.wheels.as_ref();
        let folder =
            folder.map(|folder| format!("the folder {} (--build-find-links)", folder.display()));
        let kind = wanted.installer.index;
        let ServerSetting { flag, what, .. } = setting_of(kind);
        match (self.has_none(), folder) {
            (false, None) => self.index_of(wanted),
            (false, Some(folder)) => format!("{} and {folder}", self.index_of(wanted)),
            (true, None) if kind == Index::Python => {
                format!("nowhere, since {flag} is none and no --build-find-links is set")
            }
            (true, None) => format!("nowhere, since {flag} is none"),
            (true, Some(folder)) => format!("{folder}, and no {what}, since {flag} is none"),
        }
    }

    fn has_none(&self) -> bool {
        self.index == Some(PackageIndex::None)
    }

    /// Returns the index that is asked, without a password, and who says so.
    fn index_of(&self, wanted: &Requirements) -> String {
        let ServerSetting { flag, what, usual } = setting_of(wanted.installer.index);
        match &self.index {
            Some(index) => {
                let through = index.host().map(|(host, _)| self.through(&host)).unwrap_or_default();
                format!("the {what} {} ({flag}){through}", index.without_password())
            }
            None if wanted.indexes.is_empty() => {
                let (host, tool) = (usual.unwrap_or_default(), wanted.installer.tool);
                let through = self.through(host);
                format!("{host}, the usual {what} of {tool} ({flag} names another one){through}")
            }
            None => format!("the {what} that {} names", wanted.file),
        }
    }

    /// Returns what is added to a host that is asked through the proxy.
    fn through(&self, host: &str) -> String {
        let proxy = self.builds.proxy_for(host);
        let through = proxy.map(|proxy| {
            format!(", through the proxy {} ({})", proxy.without_password(), ServerSetting::PROXY.flag)
        });
        through.unwrap_or_default()
    }

    /// Returns what a build says, without the password of the proxy.
    pub fn hide_in(&self, said: String) -> String {
        self.builds.hide_in(said)
    }

    /// Words an index that does not answer.
    pub fn away(&self, wanted: &Requirements, why: &str) -> String {
        let mut text = format!("{} cannot be reached: {why}", self.index_of(wanted));
        let takes_folder = wanted.installer.index == Index::Python && self.wheels.is_none();
        if why.contains("CERTIFICATE_VERIFY_FAILED") || why.contains("certificate") {
            text.push_str(
                "; --build-ca-file names the certificates of the authorities that builds trust",
            );
        } else if self.index.is_none() && takes_folder && wanted.indexes.is_empty() {
            text.push_str("; without a connection, packages come from a folder (--build-find-links)");
        }
        text
    }

    /// Words a folder of packages that a build cannot read.
    pub fn unreadable(&self, why: &str) -> String {
        let folder = self.wheels.as_deref().unwrap_or_else(|| Path::new(""));
        format!(
            "--build-find-links: a build cannot read {} or what is in it: {why}; every user has to be able to",
            folder.display()
        )
    }
}

/// Returns the platform's index of this kind.
pub fn index_of(builds: &Builds, kind: Index) -> Option<&PackageIndex> {
    match kind {
        Index::Python => builds.index.as_ref(),
        Index::Npm => builds.npm_registry.as_ref(),
    }
}

/// Returns the setting that names an index of this kind.
fn setting_of(kind: Index) -> &'static ServerSetting {
    match kind {
        Index::Python => &ServerSetting::INDEX,
        Index::Npm => &ServerSetting::NPM_REGISTRY,
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

/// Returns the addresses of the proxy, which a build with a network may connect to.
pub async fn proxy_addresses(builds: &Builds, is_fenced: bool) -> Result<Vec<SocketAddrV4>, Failure> {
    let Some((host, port)) = builds.proxy.as_ref().map(BuildProxy::host) else { return Ok(Vec::new()) };
    addresses(&host, port, &ServerSetting::PROXY, is_fenced).await
}

/// Returns the addresses of a server. One that is away is not looked up: the build says so.
async fn addresses(
    host: &str,
    port: u16,
    ServerSetting { flag, what, .. }: &ServerSetting,
    is_fenced: bool,
) -> Result<Vec<SocketAddrV4>, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.into_iter().flatten().filter_map(|address| match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    });
    let mut addresses: Vec<SocketAddrV4> = found.collect();
    addresses.sort_unstable();
    addresses.dedup();
    if is_fenced && addresses.iter().any(|address| address.ip().is_loopback()) {
        return Err(Failure::Platform(format!(
            "{flag}: {host} is this host's loopback, which builds cannot reach; give the {what} another address of this \
             host"
        )));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Language;

    fn wanted(indexes: &[&str]) -> Requirements {
        let installer = Language::Python.facts().dependencies.as_ref().unwrap().installer.as_ref();
        Requirements {
            indexes: indexes.iter().map(|index| (*index).to_owned()).collect(),
            ..Requirements::none(Language::Python, "3.12".to_owned(), installer.unwrap(), "r.txt")
        }
    }

    fn of_npm() -> Requirements {
        let installer = Language::Node.facts().dependencies.as_ref().unwrap().installer.as_ref();
        Requirements::none(Language::Node, "22".to_owned(), installer.unwrap(), "package.json")
    }

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
        assert_eq!(sources.event(&wanted(&[]))["index"], "http://192.0.2.7:8080/simple");
        let none = Sources::find(&builds("none"), Index::Python, true).await.unwrap();
        let event = none.event(&wanted(&[]));
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
    async fn the_indexes_of_all_kinds_are_let_through_for_each() {
        let both = |registry: &str| Builds {
            npm_registry: Some(registry.parse().unwrap()),
            ..builds("http://192.0.2.7:8080/simple")
        };
        for kind in Index::ALL {
            let sources = Sources::find(&both("http://192.0.2.8:4873/"), kind, true).await.unwrap();
            let expected: [SocketAddrV4; 2] =
                ["192.0.2.7:8080", "192.0.2.8:4873"].map(|text| text.parse().unwrap());
            assert_eq!(sources.reachable, expected);
        }
        // One that no build can reach is of no matter to builds that do not ask it.
        let away = Sources::find(&both("http://127.0.0.1:4873/"), Index::Python, true).await.unwrap();
        assert_eq!(away.reachable, ["192.0.2.7:8080".parse().unwrap()]);
    }

    #[tokio::test]
    async fn the_proxy_is_let_through_in_place_of_what_it_leads_to() {
        let proxy = |url: &str, no_proxy: &[&str]| Builds {
            proxy: Some(url.parse().unwrap()),
            no_proxy: no_proxy.iter().map(|&name| name.to_owned()).collect(),
            npm_registry: Some("http://192.0.2.8:4873/".parse().unwrap()),
            ..builds("http://192.0.2.7:8080/simple")
        };
        let reachable = async |builds: &Builds| {
            let found = Sources::find(builds, Index::Python, true).await.unwrap().reachable;
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let through = proxy("http://u:hunter2@192.0.2.9:3128", &[]);
        assert_eq!(reachable(&through).await, ["192.0.2.9:3128"]);
        let direct = proxy("http://u:hunter2@192.0.2.9:3128", &["192.0.2.8"]);
        assert_eq!(reachable(&direct).await, ["192.0.2.9:3128", "192.0.2.8:4873"]);
        assert_eq!(
            problem(&proxy("http://u:hunter2@127.0.0.1:3128", &[])).await,
            "--build-proxy: 127.0.0.1 is this host's loopback, which builds cannot reach; give the proxy another \
             address of this host"
        );
        // Its password is for the installer only, and in no key.
        let sources = Sources::find(&through, Index::Python, true).await.unwrap();
        let event = sources.event(&wanted(&[]));
        assert_eq!(event["environment"]["HTTPS_PROXY"], "http://u:hunter2@192.0.2.9:3128");
        let searched = "the index http://192.0.2.7:8080/simple (--build-index), through the proxy \
                        http://192.0.2.9:3128 (--build-proxy)";
        assert_eq!(event["searched"], searched);
        assert_eq!(
            sources.away(&wanted(&[]), "no route"),
            format!("{searched} cannot be reached: no route")
        );
        assert!(!format!("{sources:?}").contains("hunter2"));
        assert_eq!(
            sources.hide_in("http://u:hunter2@192.0.2.9:3128".to_owned()),
            "http://192.0.2.9:3128"
        );
        let without = builds("http://192.0.2.7:8080/simple");
        assert_eq!(origins(&through, Index::Python), origins(&without, Index::Python));
    }

    #[tokio::test]
    async fn the_password_of_the_index_is_for_the_installer_only() {
        let url = "https://u:hunter2@192.0.2.7/simple";
        let sources = Sources::find(&builds(url), Index::Python, true).await.unwrap();
        assert_eq!(sources.event(&wanted(&[]))["index"], url);
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
        let event = sources.event(&wanted(&[]));
        assert_eq!(
            (&event["index"], &event["wheels"]),
            (&json!("http://127.0.0.1:4873/"), &json!(false))
        );
    }

    #[tokio::test]
    async fn where_packages_are_looked_for_is_told_with_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display().to_string();
        let find_links = Some(folder.path().to_owned());
        let mine = wanted(&["-i https://u:hunter2@h/simple"]);
        for (builds, wanted, searched) in [
            (
                Builds::default(),
                wanted(&[]),
                "pypi.org, the usual index of pip (--build-index names another one)".to_owned(),
            ),
            (Builds::default(), mine.clone(), "the index that r.txt names".to_owned()),
            (
                builds("http://u:hunter2@192.0.2.7/simple"),
                wanted(&[]),
                "the index http://192.0.2.7/simple (--build-index)".to_owned(),
            ),
            (
                Builds { find_links: find_links.clone(), ..Builds::default() },
                mine.clone(),
                format!("the index that r.txt names and the folder {here} (--build-find-links)"),
            ),
            (
                Builds { find_links: find_links.clone(), ..builds("none") },
                wanted(&[]),
                format!(
                    "the folder {here} (--build-find-links), and no index, since --build-index is none"
                ),
            ),
            (
                builds("none"),
                wanted(&[]),
                "nowhere, since --build-index is none and no --build-find-links is set".to_owned(),
            ),
        ] {
            let sources = Sources::find(&builds, Index::Python, true).await.unwrap();
            assert_eq!(sources.event(&wanted)["searched"], searched);
        }
        let (npm, builds) =
            (of_npm(), Builds { npm_registry: Some("none".parse().unwrap()), ..builds("none") });
        for (builds, searched) in [
            (builds, "nowhere, since --build-npm-registry is none"),
            (
                Builds::default(),
                "registry.npmjs.org, the usual registry of npm (--build-npm-registry names another one)",
            ),
        ] {
            let sources = Sources::find(&builds, Index::Npm, true).await.unwrap();
            assert_eq!(sources.event(&npm)["searched"], searched);
        }
        let usual = Sources::find(&Builds::default(), Index::Python, true).await.unwrap();
        assert_eq!(
            usual.away(&wanted(&[]), "no route"),
            "pypi.org, the usual index of pip (--build-index names another one) cannot be reached: no route; without a \
             connection, packages come from a folder (--build-find-links)"
        );
        assert_eq!(
            usual.away(&mine, "[SSL: CERTIFICATE_VERIFY_FAILED] no"),
            "the index that r.txt names cannot be reached: [SSL: CERTIFICATE_VERIFY_FAILED] no; --build-ca-file names the \
             certificates of the authorities that builds trust"
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
