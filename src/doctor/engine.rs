//! Asks the Docker engine.

use std::{error::Error, io, time::Duration};

use tokio::time::error::Elapsed;

use super::{
    judge::engine::{BaseImage, Component, Engine, Unreachable},
    tools,
};
use crate::runtime::{self, EngineSurvey};

/// The time limit of a check. It exceeds the limits of the connection and of the registry, whose errors say
/// more.
const PATIENCE: Duration = Duration::from_secs(16);

pub async fn gather(base_image: &str) -> Result<EngineSurvey, Unreachable> {
    let address = runtime::engine_address();
    match tokio::time::timeout(PATIENCE, EngineSurvey::of_engine(base_image)).await {
        Ok(Ok(survey)) => Ok(survey),
        Ok(Err(runtime::Error::Unavailable { address, source })) => {
            let cause = root(source.as_ref());
            let denied = cause.downcast_ref::<io::Error>();
            let denied = denied.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            let reason = match cause.is::<Elapsed>() {
                true => "it takes connections and does not answer".to_owned(),
                false => cause.to_string(),
            };
            Err(Unreachable { address, reason, denied })
        }
        Ok(Err(error)) => {
            let reason = anyhow::Error::new(error);
            let reason = reason.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            Err(Unreachable { address, reason, denied: false })
        }
        Err(_) => {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            Err(Unreachable { address, reason, denied: false })
        }
    }
}

/// Returns the innermost cause of an error.
fn root<'e>(mut error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// Returns the version of Debian's runc package on this machine.
pub async fn runc_package() -> Option<String> {
    let dpkg = tools::find("dpkg-query")?;
    tools::ask(dpkg, &["--show", "--showformat=${Version}", "runc"]).await
}

pub fn facts(survey: &EngineSurvey) -> Engine {
    let component = |component: &runtime::Component| Component {
        name: component.name.clone(),
        version: component.version.clone(),
        build: component.build.clone(),
    };
    Engine {
        address: survey.address.clone(),
        version: survey.version.clone(),
        api_version: survey.api_version.clone(),
        components: survey.components.iter().map(component).collect(),
        storage_driver: survey.storage_driver.clone(),
        cgroup_driver: survey.cgroup_driver.clone(),
        cgroup_version: survey.cgroup_version.clone(),
        unranked: survey.unranked.clone(),
        rootless: survey.rootless,
        remaps_users: survey.remaps_users,
        default_runtime: survey.default_runtime.clone(),
        warnings: survey.warnings.clone(),
        base_image: match &survey.base_image {
            runtime::BaseImage::Here => BaseImage::Here,
            runtime::BaseImage::Pullable => BaseImage::Pullable,
            runtime::BaseImage::Missing(reason) => BaseImage::Missing(reason.clone()),
        },
    }
}
