//! What the builds of a manager share.

use std::{collections::HashMap, path::PathBuf, sync::Mutex};

use tokio::sync::Semaphore;

use super::cache::DependencyCache;
use crate::{model::Target, runtime::PACKAGES_PATH, settings::Builds};

/// Installations at once; further ones wait.
const AT_ONCE: usize = 2;

/// The installed packages of this host, and the facts about its images that builds have found.
pub struct Packages {
    pub cache: DependencyCache,
    pub builds: Builds,
    pub places: Semaphore,
    /// The interpreter and machine of each image, by its id in the engine.
    targets: Mutex<HashMap<String, Target>>,
}

impl Packages {
    pub fn new(cache: DependencyCache, builds: Builds) -> Self {
        Self { cache, builds, places: Semaphore::new(AT_ONCE), targets: Mutex::default() }
    }

    /// Returns the folder of all trees as a sandbox of this kind of runtime sees it.
    pub fn seen(&self, runtime: &str) -> PathBuf {
        if runtime == "process" { self.cache.shown() } else { PACKAGES_PATH.into() }
    }

    pub fn target(&self, image: &str) -> Option<Target> {
        self.targets.lock().expect("no holder panics").get(image).cloned()
    }

    pub fn keep_target(&self, image: &str, target: &Target) {
        self.targets.lock().expect("no holder panics").insert(image.to_owned(), target.clone());
    }
}
