//! The bridge of functions with `network = "egress"`: containers on it cannot reach each other.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use bollard::{models::NetworkCreateRequest, query_parameters::ListNetworksOptions};
use tokio::sync::Mutex;

use super::{engine, engine::Engine};
use crate::{model::PlatformName, runtime::Error};

pub(super) fn name(platform: &PlatformName) -> String {
    format!("cloudfunc-{platform}-egress")
}

/// One platform's network, made when the first function needs it.
pub(super) struct Egress {
    platform: PlatformName,
    known: AtomicBool,
    making: Mutex<()>,
}

impl Egress {
    pub(super) fn new(platform: &PlatformName) -> Self {
        Self { platform: platform.clone(), known: AtomicBool::new(false), making: Mutex::default() }
    }

    pub(super) fn forget(&self) {
        self.known.store(false, Ordering::Relaxed);
    }

    pub(super) async fn ensure(&self, engine: &Engine) -> Result<(), Error> {
        let _making = self.making.lock().await;
        if self.known.load(Ordering::Relaxed) {
            return Ok(());
        }
        let name = name(&self.platform);
        let client = engine.client().await?;
        match client.inspect_network(&name, None).await {
            Ok(_) => {}
            Err(error) if engine::is_missing(&error) => self.create(engine, &name).await?,
            Err(error) => return Err(engine.failed("look at the egress network")(error)),
        }
        self.known.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The engine refuses while a container is on it, of whichever manager: then it stays.
    pub(super) async fn remove_unused(&self, engine: &Engine) {
        let _making = self.making.lock().await;
        self.forget();
        let Ok(client) = engine.client().await else { return };
        if let Err(error) = client.remove_network(&name(&self.platform)).await {
            tracing::debug!(%error, "no egress network removed");
        }
    }

    async fn create(&self, engine: &Engine, name: &str) -> Result<(), Error> {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(HashMap::from([pair("com.docker.network.bridge.enable_icc", "false")])),
            labels: Some(HashMap::from([pair("cloudfunc.platform", self.platform.as_str())])),
            ..Default::default()
        };
        match engine.client().await?.create_network(request).await {
            Ok(made) => self.keep_one(engine, name, &made.id).await,
            Err(error) if engine::is_conflict(&error) => Ok(()),
            Err(error) => Err(engine.failed("create the egress network")(error)),
        }
    }

    /// Engines before 25 make a second network of the same name. Of several managers that did so at
    /// the same time, all but the one with the smallest id take theirs back.
    async fn keep_one(&self, engine: &Engine, name: &str, ours: &str) -> Result<(), Error> {
        let filters = Some(HashMap::from([("name".to_owned(), vec![name.to_owned()])]));
        let client = engine.client().await?;
        let list = client.list_networks(Some(ListNetworksOptions { filters })).await;
        let list = list.map_err(engine.failed("list networks"))?;
        // The filter matches parts of names.
        let same = list.into_iter().filter(|network| network.name.as_deref() == Some(name));
        let first = same.filter_map(|network| network.id).min();
        if first.is_some_and(|first| first != ours) {
            client
                .remove_network(ours)
                .await
                .map_err(engine.failed("remove a second egress network"))?;
        }
        Ok(())
    }
}
