//! Sandboxes as containers of a Docker engine.
//!
//! ```text
//! start: image ─▶ create ─▶ attach ─▶ start ─▶ three connections and hello
//!        (known)     │                             │ or the container's end, or the limit
//!                    └─ from here on a guard removes it, whatever happens
//! ```
//! [`engine`] is the connection, [`image`] knows the images: [`recipe`] makes those of the platform, [`own_image`] those of
//! functions' authors, with [`build`]; [`work`] is what both need, and [`pruning`] removes them. [`dockerfile`] and
//! [`downloads`] say what a Dockerfile asks of the engine itself. [`sandbox`] defines what a container may do, [`container`]
//! is one of them, [`volumes`] are the folders that its image wants to write to, [`groups`] rank them below the platform,
//! [`events`] knows why they ended, [`network`] is the one for `egress`, [`firewall`] shuts it off from this host.

mod build;
mod container;
mod context;
mod dockerfile;
mod downloads;
mod engine;
mod events;
mod firewall;
mod groups;
mod image;
mod instructions;
mod network;
mod own_image;
mod pruning;
mod recipe;
mod sandbox;
mod survey;
mod volumes;
mod work;

pub use survey::{BaseImage, Component, LabelledContainer, Survey, base_image};

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bollard::query_parameters::ListContainersOptions;
use futures_util::{FutureExt as _, StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

pub(super) use self::engine::address;
use self::{
    container::Container,
    engine::Engine,
    events::Ends,
    groups::Groups,
    image::Images,
    network::{Egress, Purpose},
    volumes::Volumes,
};
use super::{
    BaseImages, Entry, Error, HelperFile, Image, ImageFacts, Machine, Owner, Progress, Runtime, Spec,
    Started, entry, guest::Listener,
};
use crate::model::Network;

/// The limit of removals at the same time: an engine does not remove faster with more.
const PARALLEL_REMOVALS: usize = 4;

/// The number of times that [`Docker::remove_all`] looks again for containers that another process was still making.
const REMOVAL_ROUNDS: usize = 10;

/// The backend.
pub(super) struct Docker {
    shared: Arc<Shared>,
    images: Images,
    volumes: Volumes,
    helper: HelperFile,
}

/// The parts that containers need for as long as they live.
struct Shared {
    engine: Engine,
    owner: Owner,
    ends: Ends,
    egress: Egress,
    build_egress: Egress,
    groups: Arc<Groups>,
    /// The one event subscription, opened before the first start.
    subscription: Mutex<Option<AbortOnDropHandle<()>>>,
    /// Locked for reading while a container is made: [`Docker::remove_all`] waits for them.
    creating: tokio::sync::RwLock<()>,
}

impl Docker {
    pub(super) fn new(owner: &Owner, images: &BaseImages, helper: &HelperFile) -> Self {
        let shared = Arc::new(Shared {
            engine: Engine::from_environment(),
            owner: owner.clone(),
            ends: Ends::default(),
            egress: Egress::new(&owner.platform, Purpose::Functions),
            build_egress: Egress::new(&owner.platform, Purpose::Builds),
            groups: Groups::new(owner),
            subscription: Mutex::default(),
            creating: tokio::sync::RwLock::default(),
        });
        let images = Images::new(images.clone(), owner.manager);
        Self { shared, images, volumes: Volumes::default(), helper: helper.clone() }
    }

    fn subscribe(&self) {
        let mut subscription = self.shared.subscription.lock().unwrap();
        if subscription.is_none() {
            let task = tokio::spawn(events::follow(Arc::downgrade(&self.shared), events::now()));
            *subscription = Some(AbortOnDropHandle::new(task));
        }
    }

    /// Makes a container, not running yet. When the image or the network that it remembers was removed by another
    /// program, they are made once more, but for the image of a Dockerfile.
    async fn create(&self, spec: &Spec) -> Result<Container, Error> {
        for last in [false, true] {
            let image = self.images.for_start(&self.shared, &spec.image).await?;
            if spec.network == Network::Egress {
                let build = spec.build.as_ref();
                let egress = match Purpose::of(build) {
                    Purpose::Functions => &self.shared.egress,
                    Purpose::Builds => &self.shared.build_egress,
                };
                let reachable = build.map(|build| &*build.reachable).unwrap_or_default();
                egress.ensure(&self.shared.engine, reachable).await?;
            }
            let entrypoint = self.entrypoint(spec, &image).await?;
            let volumes = self.volumes.of(&self.shared.engine, &image).await?;
            match container::create(&self.shared, spec, &image, entrypoint, &volumes).await {
                Err(error) if engine::is_missing(&error) && !last => {
                    self.images.forget(&spec.image);
                    self.shared.egress.forget().await;
                    self.shared.build_egress.forget().await;
                }
                Err(error) if engine::is_refused(&error) => {
                    let reason = engine::text(&error);
                    return Err(Error::Start { reason, output: String::new(), code: None });
                }
                other => return other.map_err(self.shared.engine.failed("create a container")),
            }
        }
        unreachable!("the last round returns")
    }

    /// Returns the command of a container of the image with this id; none for the image's own.
    async fn entrypoint(&self, spec: &Spec, image: &str) -> Result<Option<Vec<String>>, Error> {
        match (spec.entry, &spec.image) {
            (Entry::Helper, Image::Own { .. } | Image::Dockerfile { .. }) => {
                let own = self.images.own_command(&self.shared.engine, image).await?;
                Ok(Some(entry::image_command(&own)))
            }
            (Entry::Helper, Image::Language { .. } | Image::Function { .. }) => {
                Ok(Some(entry::task_command()))
            }
            (Entry::Shim, _) => sandbox::shim(spec),
        }
    }
}

#[async_trait]
impl Runtime for Docker {
    fn kind(&self) -> &'static str {
        "docker"
    }

    async fn ping(&self) -> Result<String, Error> {
        self.shared.engine.ping().await
    }

    async fn ensure_image(&self, image: &Image, progress: &Progress) -> Result<String, Error> {
        self.images.ensure(&self.shared, image, progress).await
    }

    async fn image_facts(&self, id: &str) -> Result<Option<ImageFacts>, Error> {
        self.images.facts(&self.shared.engine, id).await
    }

    async fn start(&self, spec: &Spec) -> Result<Started, Error> {
        let listener = Listener::bind(&spec.folder)?;
        spec.provide_helper(&self.helper)?;
        sandbox::prepare(spec)?;
        self.subscribe();
        let container = self.create(spec).await?;
        match container.run(&listener, spec.entry).await {
            Ok(guest) => Ok(Started { sandbox: Arc::new(container), guest }),
            Err(error) => {
                super::Sandbox::remove(&container).await;
                Err(error)
            }
        }
    }

    async fn notices(&self, network: Network) -> Vec<String> {
        match network {
            Network::None => Vec::new(),
            Network::Egress => self.shared.egress.notices(&self.shared.engine).await,
        }
    }

    async fn has_images(&self) -> Result<bool, Error> {
        self.images.are_there(&self.shared.engine).await
    }

    async fn remove_images(&self, keep: &HashSet<String>) -> Result<(Vec<String>, bool), Error> {
        self.images.remove_others(&self.shared.engine, keep).await
    }

    async fn machine(&self) -> Machine {
        let info = match self.shared.engine.client().await {
            Ok(client) => client.info().await.unwrap_or_default(),
            Err(_) => return Machine::default(),
        };
        let count = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
        Machine {
            cpus: info.ncpu.and_then(count).and_then(|cpus| u32::try_from(cpus).ok()),
            memory_bytes: info.mem_total.and_then(count),
        }
    }

    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, Error> {
        // The containers that this process is making now exist once we have the lock.
        let _gate = self.shared.creating.write().await;
        let mut removed = Vec::new();
        for _ in 0..REMOVAL_ROUNDS {
            let ids = self.list(owner).await?;
            if ids.is_empty() {
                self.shared.egress.remove_unused(&self.shared.engine).await;
                self.shared.build_egress.remove_unused(&self.shared.engine).await;
                self.shared.groups.clear(owner);
                removed.sort_unstable();
                removed.dedup();
                return Ok(removed);
            }
            stream::iter(&ids)
                .for_each_concurrent(PARALLEL_REMOVALS, |id| {
                    container::remove(&self.shared, id).map(drop)
                })
                .await;
            removed.extend(ids);
        }
        let source = std::io::Error::other("there are always more").into();
        Err(Error::Engine { action: "remove all containers", source })
    }
}

impl Docker {
    async fn list(&self, owner: &Owner) -> Result<Vec<String>, Error> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), sandbox::owner_filter(owner))])),
            ..Default::default()
        };
        let client = self.shared.engine.client().await?;
        let list = client.list_containers(Some(options)).await;
        let list = list.map_err(self.shared.engine.failed("list containers"))?;
        Ok(list.into_iter().filter_map(|container| container.id).collect())
    }
}
