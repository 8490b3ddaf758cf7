//! Looks at the platform's own sources of packages.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use tokio::net::{TcpStream, lookup_host};

use super::{
    judge::packages::{Facts, Files, Index, IndexState, Kept},
    tools,
};
use crate::{
    local::sources,
    model::Dependencies,
    place::Dirs,
    runtime::Kind,
    settings::{PackageIndex, Settings},
};

/// The time limit of a name look-up, and of a connection.
const PATIENCE: Duration = Duration::from_secs(3);

pub async fn gather(settings: &Settings) -> Facts {
    let find_links = settings.build_find_links.clone();
    let ca_file = settings.build_ca_file.clone();
    let files = tools::blocking(move || {
        let wheels =
            find_links.map(|path| (path.display().to_string(), sources::wheels(&path).map_err(wrong)));
        let certificates = ca_file
            .map(|path| (path.display().to_string(), sources::certificates(&path).map_err(wrong)));
        Files { wheels, certificates, kept: Dirs::caches().and_then(|caches| kept(&caches)) }
    });
    let look_at = async |index: &Option<PackageIndex>| match index {
        Some(index) => Some(look(index).await),
        None => None,
    };
    let (files, index, npm_registry) =
        tokio::join!(files, look_at(&settings.build_index), look_at(&settings.build_npm_registry));
    Facts {
        files,
        index,
        npm_registry,
        is_fenced: settings.runtime != Some(Kind::Process),
        is_root: rustix::process::geteuid().is_root(),
    }
}

/// Looks at the packages of runs; none if there are none.
fn kept(caches: &Path) -> Option<Kept> {
    let (mut trees, mut bytes) = (0, 0);
    for entry in fs::read_dir(caches.join("run-1/keys")).ok()?.flatten() {
        let Ok(text) = fs::read(entry.path()) else { continue };
        let Ok(about) = serde_json::from_slice::<Dependencies>(&text) else { continue };
        trees += 1;
        bytes += about.bytes;
    }
    (trees > 0).then(|| Kept { path: caches.display().to_string(), trees, bytes })
}

fn wrong(error: sources::SourceError) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

async fn look(index: &PackageIndex) -> Index {
    let Some((host, port)) = index.host() else {
        return Index { host: String::new(), port: 0, state: IndexState::None };
    };
    let state = state(&host, port).await;
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
        let at = async |url: &str| look(&url.parse().unwrap()).await.state;
        assert_eq!(at("none").await, IndexState::None);
        assert_eq!(at("http://127.0.0.1:1/simple").await, IndexState::Loopback);
        assert!(
            matches!(at("http://[::1]:1/simple").await, IndexState::Unknown(why) if why == "it has no IPv4 address")
        );
        assert!(matches!(at("http://no.such.name.invalid/").await, IndexState::Unknown(_)));
    }
}
