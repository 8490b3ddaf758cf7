//! What the builds of a manager share.

use std::{collections::HashMap, sync::Mutex};

use tokio::sync::{Mutex as Turn, Semaphore};

use super::cache::DependencyCache;
use crate::{model::Target, settings::Builds};

/// Installations at once; further ones wait.
const AT_ONCE: usize = 2;

/// The installed packages of this host, and the facts about its images that builds have found.
pub struct Packages {
    pub cache: DependencyCache,
    pub builds: Builds,
    pub places: Semaphore,
    /// The interpreter and machine of each image, by its id in the engine.
    targets: Mutex<HashMap<String, Target>>,
    /// Images are asked about one after the other.
    pub asking: Turn<()>,
}

impl Packages {
    pub fn new(cache: DependencyCache, builds: Builds) -> Self {
        Self {
            cache,
            builds,
            places: Semaphore::new(AT_ONCE),
            targets: Mutex::default(),
            asking: Turn::default(),
        }
    }

    pub fn target(&self, image: &str) -> Option<Target> {
        self.targets.lock().expect("no holder panics").get(image).cloned()
    }

    pub fn keep_target(&self, image: &str, target: &Target) {
        self.targets.lock().expect("no holder panics").insert(image.to_owned(), target.clone());
    }
}
