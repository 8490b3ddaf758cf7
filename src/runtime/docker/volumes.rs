//! The folders that an image declares as volumes: the engine would give each container one of its own on its disk, without
//! a limit.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use super::{
    super::Error,
    engine::{self, Engine},
};

/// The volumes of images, by the images' ids.
#[derive(Default)]
pub(super) struct Volumes(Mutex<HashMap<String, Arc<[String]>>>);

impl Volumes {
    /// Returns the paths of the volumes of the image with this id, in one form each; none of one that is gone, which the
    /// creation of the container tells.
    pub(super) async fn of(&self, engine: &Engine, id: &str) -> Result<Arc<[String]>, Error> {
        let known = self.0.lock().unwrap().get(id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let image = match engine.client().await?.inspect_image(id).await {
            Ok(image) => image,
            Err(error) if engine::is_missing(&error) => return Ok(Arc::default()),
            Err(error) => return Err(engine.failed("look for an image")(error)),
        };
        let declared = image.config.and_then(|config| config.volumes).unwrap_or_default();
        let paths: BTreeSet<String> = declared.iter().filter_map(|path| clean(path)).collect();
        let paths: Arc<[String]> = paths.into_iter().collect();
        self.0.lock().unwrap().insert(id.to_owned(), paths.clone());
        Ok(paths)
    }
}

/// Returns the path as the engine takes it; none of the root, which it refuses.
fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for (path, expected) in [
            ("/data", "/data"),
            ("/data/", "/data"),
            ("//var/./lib/../data", "/var/data"),
            ("data", "/data"),
            ("/../data", "/data"),
        ] {
            assert_eq!(clean(path).as_deref(), Some(expected), "{path}");
        }
        assert_eq!(clean("/"), None);
        assert_eq!(clean(".."), None);
    }
}
