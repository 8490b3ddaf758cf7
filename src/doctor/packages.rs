//! Looks at the platform's own sources of packages.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::{TcpStream, lookup_host};

use super::{
    judge::packages::{Facts, Files, Index, IndexState, Kept},
    tools,
};
use crate::{
    app::KeptPackages,
    local::sources,
    place::Dirs,
    runtime::Kind,
    settings::{BuildProxy, PackageIndex, Settings},
};

/// The time limit of a name look-up, and of a connection.
const PATIENCE: Duration = Duration::from_secs(3);

pub async fn gather(settings: &Settings) -> Facts {
    let find_links = settings.build_find_links.clone();
    let ca_file = settings.build_ca_file.clone();
    let files = tools::blocking(move || {
        let wheels =
            find_links.map(|path| (path.display().to_string(), sources::wheels(&path).map_err(wrong)));
        let count = |path: &Path| sources::certificates(sources::BUILD_CA_FILE, path).map_err(wrong);
        let certificates = ca_file.map(|path| (path.display().to_string(), count(&path)));
        Files { wheels, certificates, kept: Dirs::caches().and_then(kept) }
    });
    // Settings that contradict each other have no proxy; `up` refuses them.
    let builds = settings.builds().unwrap_or_default();
    let look_at = async |index: &Option<PackageIndex>| match index {
        Some(index) => Some(look(index, |host| builds.proxy_for(host).is_some()).await),
        None => None,
    };
    let look_at_proxy = async |proxy: &Option<BuildProxy>| match proxy {
        Some(proxy) => {
            let (host, port) = proxy.host();
            let state = state(&host, port).await;
            Some(Index { host, port, state })
        }
        None => None,
    };
    let (files, index, npm_registry, proxy) = tokio::join!(
        files,
        look_at(&settings.build_index),
        look_at(&settings.build_npm_registry),
        look_at_proxy(&settings.build_proxy),
    );
    Facts {
        files,
        index,
        npm_registry,
        proxy,
        is_fenced: settings.runtime != Some(Kind::Process),
        is_root: rustix::process::geteuid().is_root(),
    }
}

/// Looks at the packages of runs; none if there are none.
fn kept(caches: PathBuf) -> Option<Kept> {
    let found = KeptPackages::look(&caches)?;
    let path = caches.display().to_string();
    Some(Kept { path, trees: found.trees, bytes: found.bytes, most: found.most })
}

fn wrong(error: sources::SourceError) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

async fn look(index: &PackageIndex, is_proxied: impl FnOnce(&str) -> bool) -> Index {
    let Some((host, port)) = index.host() else {
        return Index { host: String::new(), port: 0, state: IndexState::None };
    };
    let state = if is_proxied(&host) { IndexState::Proxied } else { state(&host, port).await };
    Index { host, port, state }
}

async fn state(host: &str, port: u16) -> IndexState {
    let late = || format!("no answer within {} s", PATIENCE.as_secs());
    let found = match tokio::time::timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(found)) => found.filter(SocketAddr::is_ipv4).collect::<Vec<_>>(),
        Ok(Err(error)) => return IndexState::Unknown(error.to_string()),
        Err(_) => return IndexState::Unknown(late()),
    };
    if found.is_empty() {
        return IndexState::Unknown("it has no IPv4 address".to_owned());
    }
    if found.iter().any(|address| address.ip().is_loopback()) {
        return IndexState::Loopback;
    }
    match tokio::time::timeout(PATIENCE, TcpStream::connect(found.as_slice())).await {
        Ok(Ok(_)) => IndexState::Answers,
        Ok(Err(error)) => IndexState::Silent(error.to_string()),
        Err(_) => IndexState::Silent(late()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_index_is_looked_up_and_connected_to() {
        let at = async |url: &str| look(&url.parse().unwrap(), |host| host == "10.0.0.7").await.state;
        assert_eq!(at("http://10.0.0.7/simple").await, IndexState::Proxied);
        assert_eq!(at("none").await, IndexState::None);
        assert_eq!(at("http://127.0.0.1:1/simple").await, IndexState::Loopback);
        assert!(
            matches!(at("http://[::1]:1/simple").await, IndexState::Unknown(why) if why == "it has no IPv4 address")
        );
        assert!(matches!(at("http://no.such.name.invalid/").await, IndexState::Unknown(_)));
    }
}
