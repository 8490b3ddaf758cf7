//! What the builds of a manager share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::sync::{Mutex as Turn, Semaphore, SemaphorePermit};

use super::{cache::DependencyCache, kept::KeptPackages};
use crate::{model::Target, runtime::PACKAGES_PATH, settings::Builds};

/// Sandboxes of builds at once: of packages, commands and bytecode. Further ones wait.
const AT_ONCE: usize = 2;

/// The installed packages of this host, and the facts about its images that builds have found.
pub struct Packages {
    pub cache: DependencyCache,
    /// The packages that outlive this manager; none where the store does that.
    pub kept: Option<Arc<KeptPackages>>,
    pub builds: Builds,
    pub places: Semaphore,
    /// The interpreter and machine of each image, by its id in the engine.
    targets: Mutex<HashMap<String, Target>>,
    /// The id of an image means the same image later on, so that what it has is kept, too.
    has_lasting_ids: bool,
    /// Images are asked about one after the other.
    pub asking: Turn<()>,
}

impl Packages {
    pub fn new(cache: DependencyCache, builds: Builds) -> Self {
        Self {
            cache,
            kept: None,
            builds,
            places: Semaphore::new(AT_ONCE),
            targets: Mutex::default(),
            has_lasting_ids: false,
            asking: Turn::default(),
        }
    }

    /// Keeps packages for later managers; and what images have, if their ids mean the same later on.
    pub fn keeping(self, kept: Option<Arc<KeptPackages>>, has_lasting_ids: bool) -> Self {
        Self { kept, has_lasting_ids, ..self }
    }

    /// Waits for the place of a sandbox, and tells when there is none yet.
    pub async fn place(&self, tell: impl FnOnce(String)) -> SemaphorePermit<'_> {
        if self.places.available_permits() == 0 {
            tell("waiting for another build on this host to end".to_owned());
        }
        self.places.acquire().await.expect("it is never closed")
    }

    fn kept_targets(&self) -> Option<&KeptPackages> {
        self.kept.as_deref().filter(|_| self.has_lasting_ids)
    }

    /// Returns the folder of all trees as a sandbox of this kind of runtime sees it.
    pub fn seen(&self, runtime: &str) -> PathBuf {
        if runtime == "process" { self.cache.shown() } else { PACKAGES_PATH.into() }
    }

    pub fn target(&self, image: &str) -> Option<Target> {
        let known = self.targets.lock().expect("no holder panics").get(image).cloned();
        known.or_else(|| self.kept_targets()?.target(image))
    }

    pub fn keep_target(&self, image: &str, target: &Target) {
        self.targets.lock().expect("no holder panics").insert(image.to_owned(), target.clone());
        if let Some(kept) = self.kept_targets() {
            kept.keep_target(image, target);
        }
    }
}
