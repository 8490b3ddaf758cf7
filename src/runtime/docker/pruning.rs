//! The images that a manager has made for functions, which it alone may remove.

use std::collections::{HashMap, HashSet};

use bollard::{
    models::ImageSummary,
    query_parameters::{ListImagesOptions, RemoveImageOptions},
};

use super::engine::Engine;
use crate::{model::ManagerId, runtime::Error};

/// The label for the manager that made a function's image, and may remove it: platforms of one name may share an
/// engine, and a manager's id is kept with its data.
pub(super) const MANAGER_LABEL: &str = "cloudfunc.image-manager";

/// Returns the images that this manager made.
pub(super) async fn made_by(manager: ManagerId, engine: &Engine) -> Result<Vec<ImageSummary>, Error> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{MANAGER_LABEL}={manager}")])]);
    let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
    let images = engine.client().await?.list_images(Some(options)).await;
    images.map_err(engine.failed("list images"))
}

/// Removes the images that this manager made for functions and that have none of these tags and ids. The engine refuses to
/// remove one that a container still uses. Returns the tags that were removed, and whether others are left.
pub(super) async fn remove_others(
    manager: ManagerId,
    engine: &Engine,
    keep: &HashSet<String>,
) -> Result<(Vec<String>, bool), Error> {
    let client = engine.client().await?;
    let images = made_by(manager, engine).await?;
    let (mut removed, mut are_left) = (Vec::new(), false);
    let others = images.into_iter().filter(|image| !keep.contains(&image.id));
    for tag in others.flat_map(names) {
        if keep.contains(&tag) {
            continue;
        }
        match client.remove_image(&tag, None::<RemoveImageOptions>, None).await {
            Ok(_) => removed.push(tag),
            Err(error) => {
                tracing::debug!(%error, tag, "image not removed");
                are_left = true;
            }
        }
    }
    Ok((removed, are_left))
}

/// Returns the tags by which an image of a function's is removed: its id where another image has got its tag.
fn names(image: ImageSummary) -> Vec<String> {
    // Engines before version 25 have a text in place of none.
    let tags = image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>");
    let tags: Vec<String> = tags.collect();
    match tags.is_empty() {
        true => vec![image.id],
        false => tags.into_iter().filter(|tag| tag.starts_with("cloudfunc/")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_whose_tag_another_one_has_is_removed_by_its_id() {
        let names = |tags: &[&str]| {
            let repo_tags = tags.iter().map(|&tag| tag.to_owned()).collect();
            names(ImageSummary { id: "sha256:1".to_owned(), repo_tags, ..Default::default() })
        };
        assert_eq!(names(&["cloudfunc/f:1", "mine:1"]), ["cloudfunc/f:1"]);
        assert_eq!(names(&["mine:1"]), Vec::<String>::new());
        assert_eq!(names(&[]), ["sha256:1"]);
        assert_eq!(names(&["<none>:<none>"]), ["sha256:1"]);
    }
}
