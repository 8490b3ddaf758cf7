//! The interpreter and machine that functions of a language run on here.

use std::sync::Arc;

use super::{
    super::{
        shared::Shared,
        workshop::{Workshop, failure::Failure},
    },
    requirements::Requirements,
};
use crate::{
    model::{Language, Target},
    runtime::Image,
};

/// Returns them, from a sandbox of the language's image that is asked once; none for a language whose packages nobody
/// installs. An image that is missing is made; the program that installs may be missing.
pub async fn target(
    shared: &Arc<Shared>,
    language: Language,
    version: &str,
) -> Result<Option<Target>, Failure> {
    let dependencies = language.facts().dependencies.as_ref();
    let Some((dependencies, installer)) =
        dependencies.and_then(|all| Some((all, all.installer.as_ref()?)))
    else {
        return Ok(None);
    };
    let image = Image::Language { language, version: version.to_owned() };
    let id = shared.runtime.ensure_image(&image, &|_| ()).await?;
    let _turn = shared.packages.asking.lock().await;
    if let Some(target) = shared.packages.target(&id) {
        return Ok(Some(target));
    }
    let nothing = Requirements::none(language, version.to_owned(), installer, dependencies.file);
    let mut workshop = Workshop::open_to_ask(shared, &nothing).await?;
    let described = workshop.describe().await;
    workshop.close().await;
    let target = described?.target;
    shared.packages.keep_target(&id, &target);
    Ok(Some(target))
}
