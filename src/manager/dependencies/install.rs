//! The program that installs packages, in the sandbox of a build.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        instance::folder,
        shared::Shared,
        workshop::{
            MEMORY, Plan, SOON, Workshop,
            failure::Failure,
            files::{make, write},
            of_the_platform,
        },
    },
    requirements::Requirements,
    sources::Sources,
};
use crate::{
    model::{Network, PackageVersion, Target},
    runtime::BuildRights,
    units::show_bytes,
};

/// The most packages of a function.
const MAX_PACKAGES: usize = 2_000;
/// The most of a package's name, and of its version, that is kept, in characters.
const MAX_NAME: usize = 200;

/// The answer to "describe".
#[derive(Debug, Deserialize)]
pub struct Description {
    /// The program that installs, with its version; none where the image lacks it.
    pub tool: Option<String>,
    pub target: Target,
}

/// The answer to "install".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Installed(Vec<PackageVersion>),
    #[serde(untagged)]
    Failed {
        failed: String,
        /// Why the index did not answer.
        away: Option<String>,
        /// The folder of packages could not be read.
        #[serde(default)]
        wheels: bool,
    },
}

impl Workshop {
    /// Makes the sandbox and loads the program that installs.
    pub async fn open(
        shared: &Arc<Shared>,
        wanted: &Requirements,
        sources: &Sources,
    ) -> Result<Self, Failure> {
        Self::open_with(shared, wanted, sources, true).await
    }

    /// As [`Workshop::open`], also where nothing can be installed: for [`Workshop::describe`] alone.
    pub async fn open_to_ask(shared: &Arc<Shared>, wanted: &Requirements) -> Result<Self, Failure> {
        Self::open_with(shared, wanted, &Sources::default(), false).await
    }

    async fn open_with(
        shared: &Arc<Shared>,
        wanted: &Requirements,
        sources: &Sources,
        installs: bool,
    ) -> Result<Self, Failure> {
        let plan = Plan {
            language: wanted.language,
            version: wanted.version.clone(),
            handler: wanted.installer.handler,
            network: Network::Egress,
            rights: BuildRights {
                reachable: sources.reachable.clone(),
                wheels: sources.wheels.clone(),
                installs,
                calls_installer: false,
            },
            packages: None,
        };
        let (wanted, sources) = (wanted.clone(), sources.clone());
        Self::make(shared, plan, move |folder| fill(folder, &wanted, &sources)).await
    }

    /// Asks the interpreter what packages depend on.
    pub async fn describe(&mut self) -> Result<Description, Failure> {
        let described = self.ask(json!({"do": "describe"}), SOON, &mut |_| ()).await;
        described.map_err(of_the_platform)
    }

    /// Installs, within a time and the limits of a tree; `tell` gets what the program prints.
    pub async fn install(
        &mut self,
        wanted: &Requirements,
        sources: &Sources,
        tell: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Vec<PackageVersion>, Failure> {
        let limit = self.shared.limits.build_time;
        let mut event = sources.event(wanted);
        event["memory"] = json!(show_bytes(MEMORY));
        let mut printed = String::new();
        let mut hear = |line: String| {
            let line = sources.hide_in(line);
            printed.push_str(&line);
            printed.push('\n');
            tell(line);
        };
        let same = |failure: Failure| failure;
        let outcome: Result<Outcome, Failure> =
            self.watched(event, limit, "installing packages", &mut hear, tell, same).await;
        let failed = |reason: String| Failure::packages(wanted.file, reason, Some(printed.clone()));
        match outcome {
            Ok(Outcome::Installed(packages)) => bounded(packages).map_err(failed),
            Ok(Outcome::Failed { failed: _, away: Some(why), .. }) => {
                Err(self.away(sources.away(wanted, &sources.hide_in(why))).await)
            }
            Ok(Outcome::Failed { failed: why, wheels: true, .. }) => {
                Err(Failure::Platform(sources.unreadable(&why)))
            }
            Ok(Outcome::Failed { failed: reason, .. }) => Err(failed(sources.hide_in(reason))),
            Err(Failure::Packages { reason, .. }) => Err(failed(reason)),
            Err(other) => Err(other),
        }
    }

    /// An index that did not answer, with what this machine lacks for a network.
    async fn away(&self, reason: String) -> Failure {
        let lacks = self.shared.runtime.notices(Network::Egress).await;
        Failure::Platform(with_lacks(reason, &lacks))
    }

    /// Returns the folder with what was installed.
    pub async fn installed(&mut self) -> Result<PathBuf, Failure> {
        Ok(self.output().await?.join("packages"))
    }
}

/// Returns what an installer says that it has installed, within what is stored of it.
fn bounded(mut packages: Vec<PackageVersion>) -> Result<Vec<PackageVersion>, String> {
    if packages.len() > MAX_PACKAGES {
        return Err(format!("there are {} of them, and a function has at most 2,000", packages.len()));
    }
    for text in packages.iter_mut().flat_map(|package| [&mut package.name, &mut package.version]) {
        if let Some((end, _)) = text.char_indices().nth(MAX_NAME) {
            text.truncate(end);
        }
    }
    Ok(packages)
}

/// Makes the folders of a build that installs packages and what it reads.
fn fill(folder: &Path, wanted: &Requirements, sources: &Sources) -> io::Result<()> {
    make(folder)?;
    let task = folder.join(folder::TASK);
    for (name, text) in wanted.installer.program {
        write(&task, name, text.as_bytes())?;
    }
    if let Some(bytecode) = &wanted.language.facts().bytecode {
        write(&task, bytecode.program.file, bytecode.program.text.as_bytes())?;
    }
    for (path, text) in wanted.texts.0.iter().chain(&wanted.secrets.0) {
        write(&task, &format!("requirements/{path}"), text.as_bytes())?;
    }
    if let Some(certificates) = &sources.certificates {
        write(&task, Sources::CERTIFICATES, certificates)?;
    }
    Ok(())
}

/// Adds what a function with a network would lack on this machine: a build lacks the same.
fn with_lacks(mut reason: String, notices: &[String]) -> String {
    for lack in notices.iter().filter_map(|notice| notice.strip_prefix("the function ")) {
        reason.push_str("; the build ");
        reason.push_str(lack);
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_at_most_two_thousand_with_names_of_a_limited_length() {
        let package = |name: &str| PackageVersion { name: name.to_owned(), version: name.to_owned() };
        let kept = bounded(vec![package(&"ä".repeat(201)), package("a")]).unwrap();
        assert_eq!(kept, [package(&"ä".repeat(200)), package("a")]);
        assert_eq!(bounded(vec![package("a"); MAX_PACKAGES]).unwrap().len(), MAX_PACKAGES);
        assert_eq!(
            bounded(vec![package("a"); MAX_PACKAGES + 1]).unwrap_err(),
            "there are 2001 of them, and a function has at most 2,000"
        );
    }

    #[test]
    fn what_a_machine_lacks_for_a_network_is_told_of_the_build() {
        let notices = [
            "memory is not limited",
            "the function will have no network: slirp4netns is not installed, or use --runtime docker",
        ];
        assert_eq!(
            with_lacks("the index is away".to_owned(), &notices.map(str::to_owned)),
            "the index is away; the build will have no network: slirp4netns is not installed, or use --runtime docker"
        );
    }
}
