//! Images: found, pulled or built when they are first needed, then remembered.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use tokio::sync::OnceCell;

use super::{
    super::{BaseImages, Error, Image, ImageFacts, Progress},
    Shared,
    build::Order,
    engine::Engine,
    network::{self, Purpose},
    own_image::{BUILD_LABEL, key},
    pruning::{self, MANAGER_LABEL},
    recipe::{Recipe, link_to_packages},
    work::{PULL_HELP, Work},
};
use crate::model::{Language, ManagerId, Network};

/// The images known to exist.
pub(super) struct Images {
    bases: BaseImages,
    /// The manager for whose functions images are made.
    manager: ManagerId,
    known: Mutex<HashMap<Image, Arc<OnceCell<String>>>>,
    /// The commands of images of users' own, by the images' ids.
    commands: Mutex<HashMap<String, Arc<[String]>>>,
}

impl Images {
    pub(super) fn new(bases: BaseImages, manager: ManagerId) -> Self {
        Self { bases, manager, known: Mutex::default(), commands: Mutex::default() }
    }

    /// Returns entry point and command of the image with this id, as one list. It may be empty.
    pub(super) async fn own_command(&self, engine: &Engine, id: &str) -> Result<Arc<[String]>, Error> {
        let known = self.commands.lock().unwrap().get(id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let command = Work::on(engine, &|_| {}).await?.own_command(id).await?;
        self.commands.lock().unwrap().insert(id.to_owned(), command.clone());
        Ok(command)
    }

    /// Returns the engine's id of an image. Of many callers at once, one does the work.
    pub(super) async fn ensure(
        &self,
        shared: &Shared,
        image: &Image,
        progress: &Progress,
    ) -> Result<String, Error> {
        // A name may be given to another image at any time; an id always stands for the same image.
        if matches!(image, Image::Own { reference } if !reference.starts_with("sha256:")) {
            return self.have(shared, image, progress).await;
        }
        if let Image::Dockerfile { tag, refresh: true, .. } = image {
            let id = self.have(shared, image, progress).await?;
            // The name stands for another image now.
            self.forget_tag(tag);
            return Ok(id);
        }
        let cell = self.cell(image);
        cell.get_or_try_init(|| self.have(shared, image, progress)).await.cloned()
    }

    /// Returns the engine's id of an image for a sandbox: one of a Dockerfile is not built while a sandbox waits.
    pub(super) async fn for_start(&self, shared: &Shared, image: &Image) -> Result<String, Error> {
        let Image::Dockerfile { tag, id, dockerfile, args, network, .. } = image else {
            return self.ensure(shared, image, &|_| {}).await;
        };
        let cell = self.cell(image);
        if let Some(id) = cell.get() {
            return Ok(id.clone());
        }
        let key = key(dockerfile, args, &network_name(shared, *network));
        let unheard = |_: String| {};
        let work = Work::on(&shared.engine, &unheard).await?;
        let found = work.built(tag, id.as_deref(), &key).await?;
        let found = found.ok_or_else(|| Error::NotBuilt { image: tag.clone() })?;
        // An image that is being built at this moment is remembered at its end.
        let _ = cell.set(found.clone());
        Ok(found)
    }

    fn cell(&self, image: &Image) -> Arc<OnceCell<String>> {
        self.known.lock().unwrap().entry(image.clone()).or_default().clone()
    }

    fn forget_tag(&self, tag: &str) {
        let has_tag = |image: &Image| match image {
            Image::Function { tag: one, .. } | Image::Dockerfile { tag: one, .. } => one == tag,
            Image::Language { .. } | Image::Own { .. } => false,
        };
        self.known.lock().unwrap().retain(|image, _| !has_tag(image));
    }

    /// Returns what decides whether an image can be run here; none if it is gone.
    pub(super) async fn facts(&self, engine: &Engine, id: &str) -> Result<Option<ImageFacts>, Error> {
        Work::on(engine, &|_| {}).await?.facts(id).await
    }

    /// Forgets an image that another program has removed. A function's image may have lost its base too.
    pub(super) fn forget(&self, image: &Image) {
        let mut known = self.known.lock().unwrap();
        known.remove(image);
        if let Image::Function { language, version, tag: _, bundle: _ } = image {
            known.remove(&Image::Language { language: *language, version: version.clone() });
        }
    }

    /// Returns whether there are images that this manager made.
    pub(super) async fn are_there(&self, engine: &Engine) -> Result<bool, Error> {
        pruning::made_by(self.manager, engine).await.map(|images| !images.is_empty())
    }

    /// Removes the images that this manager made for functions and that have none of these tags and ids.
    pub(super) async fn remove_others(
        &self,
        engine: &Engine,
        keep: &HashSet<String>,
    ) -> Result<(Vec<String>, bool), Error> {
        let (removed, are_left) = pruning::remove_others(self.manager, engine, keep).await?;
        removed.iter().for_each(|tag| self.forget_tag(tag));
        Ok((removed, are_left))
    }

    async fn have(&self, shared: &Shared, image: &Image, progress: &Progress) -> Result<String, Error> {
        let work = Work::on(&shared.engine, progress).await?;
        match image {
            Image::Own { reference } => work.found_or_pulled(reference, PULL_HELP).await,
            Image::Language { language, version } => {
                let base = self.base(&work, *language, version).await?;
                match &language.facts().interpreter {
                    Some(shim) => work.found_or_built(Recipe::of(*language, shim, version, &base)).await,
                    // Nothing of ours is in it.
                    None => Ok(base),
                }
            }
            Image::Function { language, version, tag, bundle } => {
                let of = Image::Language { language: *language, version: version.clone() };
                let base = Box::pin(self.ensure(shared, &of, progress)).await?;
                let link = link_to_packages(*language, bundle);
                work.function(tag, bundle, link, (&base, *language), self.manager).await
            }
            Image::Dockerfile { tag, id, source, dockerfile, args, network, refresh } => {
                let network = network_name(shared, *network);
                let key = key(dockerfile, args, &network);
                let labels = [(MANAGER_LABEL, self.manager.to_string()), (BUILD_LABEL, key.clone())];
                let labels = labels.map(|(name, value)| (name.to_owned(), value)).into();
                let order = Order { tag, dockerfile, args, labels, network, refresh: *refresh };
                if !refresh && let Some(id) = work.built(tag, id.as_deref(), &key).await? {
                    return Ok(id);
                }
                work.build_source(shared, source, order).await
            }
        }
    }

    async fn base(&self, work: &Work<'_>, language: Language, version: &str) -> Result<String, Error> {
        let reference = self.bases.reference(language, version);
        let help = format!(
            "{PULL_HELP}, or set {} to an image you have, or choose `--runtime oci`, which needs no \
             image",
            language.image_variable()
        );
        work.found_or_pulled(&reference, &help).await
    }
}

/// Returns the network of a Dockerfile's `RUN`s, as the engine knows it.
fn network_name(shared: &Shared, network: Network) -> String {
    match network {
        Network::None => "none".to_owned(),
        Network::Egress => network::name(&shared.owner.platform, Purpose::Functions),
    }
}
