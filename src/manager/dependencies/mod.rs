//! The packages that functions need, installed when they are deployed.
//!
//! ```text
//! requirements ─▶ key ─▶ in the store? ──────────────────────────────────┐
//!                  ▲        └ no ─▶ sandbox ─▶ install ─▶ tree in pieces ─┴─▶ the revision names the tree
//!                  └ target of the language's image, asked for once
//! ```
//! [`requirements`] reads what is asked for, [`sources`] the platform's settings; [`install`] is how it is installed,
//! [`packages`] is what a manager knows about them, [`transfer`] moves trees into the store and out of it, [`cache`] has
//! those that instances of this host use, [`kept`] those of `cloudfunc run`, whose store does not last, and [`hidden`] tells
//! what a function hides of them.

pub mod cache;
mod hidden;
pub mod host;
mod install;
pub mod kept;
pub mod packages;
mod requirements;
mod sources;
mod storing;
pub mod transfer;

use std::{fmt::Write as _, path::Path, sync::Arc};

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use self::{
    cache::Tree,
    requirements::{Requirements, Texts},
    sources::{Sources, index_of, origins},
    transfer::finished,
};
pub use self::{requirements::own_folder, sources::proxy_addresses};
use super::{
    shared::Shared,
    workshop::{Workshop, failure::Failure},
};
use crate::{
    model::{
        Dependencies, Digest, Language, PackageVersion, Target,
        message::{self, BuildStep},
    },
    units::show_bytes,
};

/// The packages that are named to people when they are installed.
const NAMED: usize = 20;

/// Everything that decides what is installed.
#[derive(Serialize)]
struct Key<'k> {
    v: u8,
    language: Language,
    target: &'k Target,
    /// Without comments, and with packages in an order of their own.
    texts: Texts,
    from_source: bool,
    builds: [Option<String>; 2],
}

/// Returns the tree with the packages of a function, installed unless it is there, and unpacked, so that no invocation on
/// this host waits for that, none when it asks for none, and notices for its author. `code` is its unpacked folder, `image`
/// the id of its language's image.
pub async fn ensure(
    shared: &Arc<Shared>,
    asked: &message::Build,
    code: &Path,
    image: &str,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) -> Result<(Option<Arc<Tree>>, Vec<String>), BuildStep> {
    let (spec, folder) = (asked.spec.clone(), code.to_owned());
    let builds = shared.packages.builds.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let has_index = |kind| index_of(&builds, kind).is_some();
        (requirements::read(&spec, &folder, has_index), requirements::notice(&spec, &folder))
    });
    let (wanted, notice) = finished(reading).await.map_err(|error| Failure::from(error).into_step())?;
    let mut notices = Vec::from_iter(notice);
    if let Ok(Some(wanted)) = &wanted {
        notices.extend(wanted.notices.iter().cloned());
    }
    let installed = match wanted {
        Ok(Some(wanted)) => {
            let build = Build { shared, wanted: &wanted, image, refresh: asked.refresh, progress };
            installed(&build, code, stop).await.map(Some)
        }
        Ok(None) => Ok(None),
        Err(problem) => Err(BuildStep::Failed {
            message: problem,
            user_error: true,
            manifest: false,
            error: None,
            output: None,
        }),
    };
    match installed {
        Ok(Some((tree, hidden))) => {
            notices.extend(hidden);
            Ok((Some(tree), notices))
        }
        Ok(None) => Ok((None, notices)),
        Err(failed) => {
            // A failure has no notices.
            for notice in notices {
                let _ = progress.send(notice);
            }
            Err(failed)
        }
    }
}

/// Returns the tree of what is wanted, and notices of modules in the code that hide installed ones.
async fn installed(
    build: &Build<'_>,
    code: &Path,
    stop: &CancellationToken,
) -> Result<(Arc<Tree>, Vec<String>), BuildStep> {
    // Dropped, it leaves nothing.
    let built = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::Platform("the manager stops".to_owned())),
        built = build.unpacked() => built,
    };
    match built {
        Ok(tree) => {
            let notices = hidden(build.shared, build.wanted, code, &tree).await;
            Ok((tree, notices.map_err(|error| Failure::from(error).into_step())?))
        }
        Err(Failure::Packages { reason, output, .. }) => {
            Err(Failure::packages(build.wanted.file, reason, output).into_step())
        }
        Err(failure) => Err(failure.into_step()),
    }
}

/// Returns notices of modules in the code that hide installed ones.
async fn hidden(
    shared: &Shared,
    wanted: &Requirements,
    code: &Path,
    tree: &Tree,
) -> Result<Vec<String>, transfer::Error> {
    let grammar = &wanted.language.facts().handler;
    let (code, packages) = (code.to_owned(), shared.packages.cache.shown().join(tree.name().as_str()));
    finished(tokio::task::spawn_blocking(move || hidden::notices(grammar, &code, &packages))).await
}

/// One build of packages.
struct Build<'b> {
    shared: &'b Arc<Shared>,
    wanted: &'b Requirements,
    image: &'b str,
    /// Packages are installed again, although they are there.
    refresh: bool,
    progress: &'b UnboundedSender<String>,
}

impl Build<'_> {
    async fn unpacked(&self) -> Result<Arc<Tree>, Failure> {
        let cache = &self.shared.packages.cache;
        match cache.get(&self.tree().await?.tree).await {
            // It went, when it had been found, with the last revision that used it.
            Err(transfer::Error::Missing(_)) => Ok(cache.get(&self.tree().await?.tree).await?),
            unpacked => Ok(unpacked?),
        }
    }

    async fn tree(&self) -> Result<Dependencies, Failure> {
        let packages = &self.shared.packages;
        if !self.refresh
            && let Some(target) = packages.target(self.image)
            && let Some(found) = self.found(&target).await?
        {
            return Ok(found);
        }
        // Others may be installing the same meanwhile.
        let _place = packages.place(|line| self.tell(line)).await;
        let (kind, is_fenced) = (self.wanted.installer.index, self.shared.runtime.kind() != "process");
        let sources = Sources::find(&packages.builds, kind, is_fenced).await?;
        let mut workshop = Workshop::open(self.shared, self.wanted, &sources).await?;
        let built = self.in_workshop(&mut workshop, &sources).await;
        workshop.close().await;
        built
    }

    async fn in_workshop(
        &self,
        workshop: &mut Workshop,
        sources: &Sources,
    ) -> Result<Dependencies, Failure> {
        let description = workshop.describe().await?;
        let target = description.target;
        let Some(tool) = description.tool else {
            return Err(Failure::Platform(no_tool(self.wanted.language, &self.wanted.version)));
        };
        self.shared.packages.keep_target(self.image, &target);
        if !self.refresh
            && let Some(found) = self.found(&target).await?
        {
            return Ok(found);
        }
        self.tell(format!("installing the packages of {} with {tool}", self.wanted.file));
        let tell = |line| self.tell(line);
        let mut packages = workshop.install(self.wanted, sources, &tell).await?;
        packages.sort();
        packages.dedup();
        if self.refresh
            && let Some(found) = self.shared.store.dependencies_for(&self.key(&target)).await?
            && found.packages == packages
        {
            self.tell(format!("packages, the same versions as before: {}", list(&packages)));
            return Ok(found);
        }
        let folder = workshop.installed().await?;
        self.store(target, packages, &folder).await
    }

    async fn found(&self, target: &Target) -> Result<Option<Dependencies>, Failure> {
        let (key, store) = (self.key(target), &self.shared.store);
        let mut found = store.dependencies_for(&key).await?;
        if found.is_none()
            && let Some(kept) = self.shared.packages.kept.as_ref().and_then(|kept| kept.find(&key))
        {
            found = Some(store.add_dependencies(&kept).await?);
        }
        if let Some(found) = &found {
            self.tell(format!("packages, installed before: {}", list(&found.packages)));
        }
        Ok(found)
    }

    async fn store(
        &self,
        target: Target,
        packages: Vec<PackageVersion>,
        folder: &Path,
    ) -> Result<Dependencies, Failure> {
        self.tell("storing the packages".to_owned());
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| Failure::Platform(error.to_string()))?;
        let tree = Digest::of(&random);
        let new = Dependencies {
            key: self.key(&target),
            tree,
            language: self.wanted.language,
            target,
            packages,
            files: 0,
            bytes: 0,
            pieces: 0,
        };
        let added = storing::store(self.shared, folder.to_owned(), new, self.refresh).await?;
        if let Some(kept) = &self.shared.packages.kept {
            kept.add(&added);
        }
        let size = format!("{} files, {}", added.files, show_bytes(added.bytes));
        self.tell(format!("packages installed: {} ({size})", list(&added.packages)));
        Ok(added)
    }

    fn key(&self, target: &Target) -> Digest {
        let builds = origins(&self.shared.packages.builds, self.wanted.installer.index);
        let Requirements { language, installer, from_source, .. } = *self.wanted;
        let (v, texts) = (installer.form, self.wanted.normal());
        let key = Key { v, language, target, texts, from_source, builds };
        Digest::of(&serde_json::to_vec(&key).expect("it is plain data"))
    }

    fn tell(&self, line: String) {
        // Nobody may be waiting for it any more.
        let _ = self.progress.send(line);
    }
}

/// Returns what is said of an image without the program that installs packages.
fn no_tool(language: Language, version: &str) -> String {
    let dependencies = language.facts().dependencies.as_ref();
    let tool = dependencies
        .and_then(|all| all.installer.as_ref())
        .map_or("installer", |installer| installer.tool);
    format!(
        "packages cannot be installed: the image of {language} {version} has no {tool}; add it to the image that {} names",
        language.image_variable()
    )
}

/// Returns the packages as a text, the first of many.
fn list(packages: &[PackageVersion]) -> String {
    let named: Vec<String> = packages.iter().take(NAMED).map(PackageVersion::to_string).collect();
    let mut text = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    if packages.len() > NAMED {
        let _ = write!(text, " and {} more", packages.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_pip_is_told_with_its_setting() {
        assert_eq!(
            no_tool(Language::Python, "3.12"),
            "packages cannot be installed: the image of python 3.12 has no pip; add it to the image that \
             CLOUDFUNC_PYTHON_IMAGE names"
        );
    }

    #[test]
    fn of_many_packages_the_first_are_named() {
        let package =
            |number: usize| PackageVersion { name: format!("p{number}"), version: "1".to_owned() };
        let packages: Vec<_> = (0..NAMED + 2).map(package).collect();
        assert_eq!(list(&packages[..2]), "p0 1, p1 1");
        assert!(list(&packages).ends_with("p19 1 and 2 more"), "{}", list(&packages));
        assert_eq!(list(&[]), "none");
    }
}
