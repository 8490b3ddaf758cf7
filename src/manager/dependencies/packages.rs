//! What the builds of a manager share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::sync::Semaphore;

use super::{cache::DependencyCache, kept::KeptPackages};
use crate::{model::Target, runtime::PACKAGES_PATH, settings::Builds};

/// Installations at once; further ones wait.
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
    /// Whether the id of an image means the same image later on: then what it has is kept, too.
    has_lasting_ids: bool,
}

impl Packages {
    pub fn new(cache: DependencyCache, builds: Builds) -> Self {
        let (places, targets) = (Semaphore::new(AT_ONCE), Mutex::default());
        Self { cache, kept: None, builds, places, targets, has_lasting_ids: false }
    }

    /// Keeps packages for later managers; and what images have, if their ids mean the same later on.
    pub fn keeping(self, kept: Option<Arc<KeptPackages>>, has_lasting_ids: bool) -> Self {
        Self { kept, has_lasting_ids, ..self }
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
