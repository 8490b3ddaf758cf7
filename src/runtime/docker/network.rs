//! The network of functions with `network = "egress"`: containers on it cannot reach each other, this host or private
//! addresses, where [`firewall`] can prevent it.

use std::collections::HashMap;

use bollard::models::{NetworkCreateRequest, NetworkInspect};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{
    engine::{self, Engine},
    firewall::{self, Open},
};
use crate::{model::PlatformName, runtime::Error};

/// The engine's option for the name of the bridge on the host.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

pub(super) fn name(platform: &PlatformName) -> String {
    format!("cloudfunc-{platform}-egress")
}

/// Returns the bridge's name, the same for every manager of a platform, and as long as the kernel allows: 15
/// characters. The engine refuses a second network with the same bridge name, so there is never more than one.
fn bridge(platform: &PlatformName) -> String {
    format!("cf-{}", &hex::encode(Sha256::digest(platform.as_str()))[..12])
}

/// One platform's network, made when the first function needs it.
pub(super) struct Egress {
    platform: PlatformName,
    /// Set once the network exists: why it is open, if it was when this process last looked.
    known: Mutex<Option<Option<Open>>>,
}

impl Egress {
    pub(super) fn new(platform: &PlatformName) -> Self {
        Self { platform: platform.clone(), known: Mutex::default() }
    }

    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// Makes network and rules unless this process knows that they exist. Without rules the network is used all the
    /// same; the return value says why.
    pub(super) async fn ensure(&self, engine: &Engine) -> Result<Option<Open>, Error> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let network = self.network(engine).await?;
        let open = close(&network).await.err();
        if let Some(open) = &open {
            tracing::warn!(network = name(&self.platform), reason = %open, "egress is open");
        }
        Ok(known.insert(open).clone())
    }

    /// Looks again: the rules may have been removed since.
    pub(super) async fn notices(&self, engine: &Engine) -> Vec<String> {
        self.forget().await;
        match self.ensure(engine).await {
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
        *known = None;
        let (Ok(client), name) = (engine.client().await, name(&self.platform)) else { return };
        let found = client.inspect_network(&name, None).await;
        if let Err(error) = client.remove_network(&name).await
            && !engine::is_missing(&error)
        {
            return tracing::debug!(%error, "no egress network removed");
        }
        let cleared =
            firewall::clear(&found.map_or(bridge(&self.platform), |network| bridge_of(&network))).await;
        // Another manager may have made the network again meanwhile, and lost its rules because of us.
        if let Ok(network) = client.inspect_network(&name, None).await {
            let _ = close(&network).await;
        }
        if let Err(error) = cleared {
            tracing::warn!(%error, "the rules of the egress network could not be removed");
        }
    }

    async fn network(&self, engine: &Engine) -> Result<NetworkInspect, Error> {
        let (client, name) = (engine.client().await?, name(&self.platform));
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
                pair(BRIDGE_NAME, &bridge(&self.platform)),
            ])),
            labels: Some(HashMap::from([pair("cloudfunc.platform", self.platform.as_str())])),
            ..Default::default()
        }
    }
}

/// Sets the rules of a network.
async fn close(network: &NetworkInspect) -> Result<(), Open> {
    if network.enable_ipv6 == Some(true) {
        return Err(Open::SixToo(network.name.clone().unwrap_or_default()));
    }
    firewall::set(&bridge_of(network)).await
}

/// Returns the name of its bridge, which the engine chose where an older version made the network.
fn bridge_of(network: &NetworkInspect) -> String {
    let named = network.options.as_ref().and_then(|options| options.get(BRIDGE_NAME)).cloned();
    named.unwrap_or_else(|| format!("br-{:.12}", network.id.as_deref().unwrap_or_default()))
}
