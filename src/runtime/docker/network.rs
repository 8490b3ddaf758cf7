//! The network of functions with `network = "egress"`: containers on it cannot reach each other, this host or private
//! addresses, where [`firewall`] can prevent it.

use std::{collections::HashMap, net::SocketAddrV4};

use bollard::models::{NetworkCreateRequest, NetworkInspect};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{
    engine::{self, Engine},
    firewall::{self, Open},
};
use crate::{
    model::PlatformName,
    runtime::{BuildRights, Error},
};

/// The engine's option for the name of the bridge on the host.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

/// The sandboxes that a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Functions with `network = "egress"`, and build commands with it.
    Functions,
    /// Builds that install packages, which may also connect to the platform's own sources of packages, and build commands
    /// where the platform has a proxy for them.
    Builds,
}

impl Purpose {
    /// Returns the purpose of a sandbox with these rights.
    pub(super) fn of(build: Option<&BuildRights>) -> Self {
        let is_apart = build.is_some_and(|build| build.installs || !build.reachable.is_empty());
        if is_apart { Self::Builds } else { Self::Functions }
    }
}

pub(super) fn name(platform: &PlatformName, purpose: Purpose) -> String {
    match purpose {
        Purpose::Functions => format!("cloudfunc-{platform}-egress"),
        Purpose::Builds => format!("cloudfunc-{platform}-build"),
    }
}

/// Returns the bridge's name, the same for every manager of a platform, and as long as the kernel allows: 15
/// characters. The engine refuses a second network with the same bridge name, so there is never more than one.
fn bridge(platform: &PlatformName, purpose: Purpose) -> String {
    let prefix = match purpose {
        Purpose::Functions => "cf-",
        Purpose::Builds => "cb-",
    };
    format!("{prefix}{}", &hex::encode(Sha256::digest(platform.as_str()))[..12])
}

/// One platform's network of a purpose, made when the first sandbox needs it.
pub(super) struct Egress {
    platform: PlatformName,
    purpose: Purpose,
    known: Mutex<Known>,
}

/// A network as it was when this process last looked.
#[derive(Default)]
struct Known {
    /// Whether it exists, with its rules.
    is_there: bool,
    /// The addresses that are let through. Further ones are added and none is taken away: a build may be connected to it.
    reachable: Vec<SocketAddrV4>,
    /// Why it is open, if it is.
    open: Option<Open>,
}

impl Egress {
    pub(super) fn new(platform: &PlatformName, purpose: Purpose) -> Self {
        Self { platform: platform.clone(), purpose, known: Mutex::default() }
    }

    fn name(&self) -> String {
        name(&self.platform, self.purpose)
    }

    pub(super) async fn forget(&self) {
        self.known.lock().await.is_there = false;
    }

    /// Makes network and rules unless this process knows that they exist. These addresses are let through, with those of
    /// earlier calls. Without rules the network is used all the same; the return value says why.
    pub(super) async fn ensure(
        &self,
        engine: &Engine,
        reachable: &[SocketAddrV4],
    ) -> Result<Option<Open>, Error> {
        let mut known = self.known.lock().await;
        let reachable = together(&known.reachable, reachable);
        if known.is_there && known.reachable == reachable {
            return Ok(known.open.clone());
        }
        let network = self.network(engine).await?;
        let open = close(&network, &reachable).await.err();
        if let Some(open) = &open {
            tracing::warn!(network = self.name(), reason = %open, "egress is open");
        }
        *known = Known { is_there: true, reachable, open: open.clone() };
        Ok(open)
    }

    /// Looks again: the rules may have been removed since.
    pub(super) async fn notices(&self, engine: &Engine) -> Vec<String> {
        self.forget().await;
        match self.ensure(engine, &[]).await {
            Ok(None) => Vec::new(),
            Ok(Some(open)) => {
                vec![format!("egress also reaches this host, private and link-local addresses: {open}")]
            }
            Err(error) => {
                vec![format!("whether egress is shut off from this host is not known: {error}")]
            }
        }
    }

    /// Removes network and rules. The engine refuses while a container of any manager is on the network: then both
    /// stay.
    pub(super) async fn remove_unused(&self, engine: &Engine) {
        let mut known = self.known.lock().await;
        known.is_there = false;
        let (Ok(client), name) = (engine.client().await, self.name()) else { return };
        let found = client.inspect_network(&name, None).await;
        // Most platforms have never built: they need not wait for the lock of the rules.
        if self.purpose == Purpose::Builds && found.as_ref().is_err_and(engine::is_missing) {
            return;
        }
        if let Err(error) = client.remove_network(&name).await
            && !engine::is_missing(&error)
        {
            return tracing::debug!(%error, "no egress network removed");
        }
        let own = || bridge(&self.platform, self.purpose);
        let cleared =
            firewall::clear(&found.map_or_else(|_| own(), |network| bridge_of(&network))).await;
        // Another manager may have made the network again meanwhile, and lost its rules because of us.
        if let Ok(network) = client.inspect_network(&name, None).await {
            let _ = close(&network, &known.reachable).await;
        }
        if let Err(error) = cleared {
            tracing::warn!(%error, "the rules of the egress network could not be removed");
        }
    }

    async fn network(&self, engine: &Engine) -> Result<NetworkInspect, Error> {
        let (client, name) = (engine.client().await?, self.name());
        let looked = |answer| engine.failed("look at the egress network")(answer);
        match client.inspect_network(&name, None).await {
            Err(error) if engine::is_missing(&error) => {}
            other => return other.map_err(looked),
        }
        let made = client.create_network(self.request(&name)).await;
        match (client.inspect_network(&name, None).await, made) {
            // Of several managers that make it at the same time, one succeeds.
            (Ok(network), _) => Ok(network),
            (_, Err(error)) => Err(engine.failed("create the egress network")(error)),
            (Err(error), Ok(_)) => Err(looked(error)),
        }
    }

    fn request(&self, name: &str) -> NetworkCreateRequest {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            // An engine can be set up to give every network IPv6.
            enable_ipv6: Some(false),
            options: Some(HashMap::from([
                pair("com.docker.network.bridge.enable_icc", "false"),
                pair(BRIDGE_NAME, &bridge(&self.platform, self.purpose)),
            ])),
            labels: Some(HashMap::from([pair("cloudfunc.platform", self.platform.as_str())])),
            ..Default::default()
        }
    }
}

/// Returns the addresses of both, in order and each once.
fn together(some: &[SocketAddrV4], others: &[SocketAddrV4]) -> Vec<SocketAddrV4> {
    let mut all = [some, others].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// Sets the rules of a network.
async fn close(network: &NetworkInspect, reachable: &[SocketAddrV4]) -> Result<(), Open> {
    if network.enable_ipv6 == Some(true) {
        return Err(Open::SixToo(network.name.clone().unwrap_or_default()));
    }
    firewall::set(&bridge_of(network), reachable).await
}

/// Returns the name of its bridge, which the engine chose where an older version made the network.
fn bridge_of(network: &NetworkInspect) -> String {
    let named = network.options.as_ref().and_then(|options| options.get(BRIDGE_NAME)).cloned();
    named.unwrap_or_else(|| format!("br-{:.12}", network.id.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_builds_with_addresses_of_their_own_are_on_the_network_that_lets_them_through() {
        let command = BuildRights::default();
        let reachable = vec!["10.0.0.5:3128".parse().unwrap()];
        let with_proxy = BuildRights { reachable, ..BuildRights::default() };
        let installs = BuildRights { installs: true, ..BuildRights::default() };
        assert_eq!(Purpose::of(None), Purpose::Functions);
        assert_eq!(Purpose::of(Some(&command)), Purpose::Functions);
        assert_eq!(Purpose::of(Some(&installs)), Purpose::Builds);
        assert_eq!(Purpose::of(Some(&with_proxy)), Purpose::Builds);
    }

    #[test]
    fn a_further_build_takes_no_address_from_one_that_runs() {
        let [a, b]: [SocketAddrV4; 2] =
            ["10.0.0.5:80", "10.0.0.7:4873"].map(|address| address.parse().unwrap());
        assert_eq!(together(&[b], &[a, b]), [a, b]);
        // Nothing changes, so the rules stay.
        assert_eq!(together(&[a, b], &[]), [a, b]);
        assert_eq!(together(&[a, b], &[b]), [a, b]);
    }
}
