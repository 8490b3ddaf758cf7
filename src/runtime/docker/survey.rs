//! An engine's description of itself, and the containers of ours that it has: for `cloudfunc doctor`.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use bollard::{
    Docker,
    models::{ContainerSummary, SystemInfo, SystemVersion},
    query_parameters::ListContainersOptions,
};

use super::{
    super::Error,
    engine::{self, Engine},
    groups,
    work::is_reference,
};

const PLATFORM_LABEL: &str = "cloudfunc.platform";
const MANAGER_LABEL: &str = "cloudfunc.manager";

/// An engine, looked at without changing anything.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The address where it answers.
    pub address: String,
    /// The engine's own version.
    pub version: String,
    /// The newest version of its interface that it supports.
    pub api_version: String,
    /// The programs that it consists of: `Engine`, `containerd`, `runc`, …
    pub components: Vec<Component>,
    /// The driver that stores layers of images, such as `overlay2`.
    pub storage_driver: String,
    /// The folder for images and containers, on the engine's own host.
    pub root: PathBuf,
    /// The program that makes its control groups: `cgroupfs` or `systemd`.
    pub cgroup_driver: String,
    /// The version of the kernel's control groups: `1` or `2`.
    pub cgroup_version: String,
    /// The reason why functions yield the processors to other containers only, and not to everything on the machine.
    pub unranked: Option<String>,
    /// Whether it runs without root.
    pub rootless: bool,
    /// Whether the root of containers is another user on the host.
    pub remaps_users: bool,
    /// The program that makes its containers, such as `runc`.
    pub default_runtime: String,
    /// Its own warnings about features that it lacks.
    pub warnings: Vec<String>,
    /// Whether functions that do not name a version can be built.
    pub base_image: BaseImage,
    /// The containers of all platforms, running or not.
    pub containers: Vec<LabelledContainer>,
}

/// Whether functions can be built on an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BaseImage {
    /// The engine has it.
    #[default]
    Here,
    /// The engine does not have it, and its registry does, or the registry cannot be asked.
    Pullable,
    /// The engine does not have it and cannot pull it, for this reason.
    Missing(String),
}

/// The limit of asking a registry: one that a first deploy would wait for longer is of no use.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks for an image on the engine that `DOCKER_HOST` or the default socket names; where it is missing, asks its
/// registry, through the engine, for up to [`REGISTRY_TIMEOUT`].
pub async fn base_image(reference: &str) -> Result<BaseImage, Error> {
    let engine = Engine::from_environment();
    let client = engine.client().await?;
    find(&engine, client, reference).await
}

async fn find(engine: &Engine, client: &Docker, reference: &str) -> Result<BaseImage, Error> {
    if !is_reference(reference) {
        return Ok(BaseImage::Missing("this is not the name of an image".to_owned()));
    }
    match client.inspect_image(reference).await {
        Ok(_) => return Ok(BaseImage::Here),
        Err(error) if engine::is_missing(&error) => {}
        Err(error) => return Err(engine.failed("look for an image")(error)),
    }
    let asked = client.inspect_registry_image(reference, None);
    Ok(match tokio::time::timeout(REGISTRY_TIMEOUT, asked).await {
        Ok(Ok(_)) => BaseImage::Pullable,
        // Podman cannot be asked.
        Ok(Err(error))
            if engine::is_missing(&error) && engine::text(&error).contains("page not found") =>
        {
            BaseImage::Pullable
        }
        Ok(Err(error)) => BaseImage::Missing(engine::text(&error)),
        Err(_) => BaseImage::Missing(format!(
            "its registry does not answer within {} s",
            REGISTRY_TIMEOUT.as_secs()
        )),
    })
}

/// A program that an engine consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version, as it writes it.
    pub version: String,
    /// The source that it was built from: a commit, or with distributions the package's version.
    pub build: String,
}

/// A container with the labels of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledContainer {
    /// Its short id, as `docker ps` shows it.
    pub id: String,
    /// The label `cloudfunc.platform`.
    pub platform: String,
    /// The label `cloudfunc.manager`.
    pub manager: String,
}

impl Survey {
    /// Looks at the engine that `DOCKER_HOST` or the default socket names, and looks for `base_image` there.
    pub async fn of_engine(base_image: &str) -> Result<Self, Error> {
        let engine = Engine::from_environment();
        let client = engine.client().await?;
        let (version, info, containers, base_image) = tokio::try_join!(
            async { client.version().await.map_err(engine.failed("answer with its version")) },
            async { client.info().await.map_err(engine.failed("describe itself")) },
            list(&engine, client),
            find(&engine, client, base_image),
        )?;
        let mut survey = Self { address: engine::address(), containers, base_image, ..Self::default() };
        survey.read_version(version);
        survey.read_info(info);
        Ok(survey)
    }

    fn read_version(&mut self, version: SystemVersion) {
        self.version = version.version.unwrap_or_default();
        self.api_version = version.api_version.unwrap_or_default();
        let component = |component: bollard::models::SystemVersionComponents| {
            let mut details = component.details.unwrap_or_default();
            let build = details.remove("GitCommit").unwrap_or_default();
            Component { name: component.name, version: component.version, build }
        };
        self.components = version.components.unwrap_or_default().into_iter().map(component).collect();
    }

    fn read_info(&mut self, info: SystemInfo) {
        let is_root = rustix::process::geteuid().is_root();
        let unranked = groups::reason_against(&self.address, &info, is_root);
        self.unranked = unranked.map(|reason| reason.to_string());
        let option = |name: &str| {
            let options = info.security_options.iter().flatten();
            // Such as `name=rootless`, or `name=seccomp,profile=default`.
            options.flat_map(|text| text.split(',')).any(|part| part.trim_start_matches("name=") == name)
        };
        (self.rootless, self.remaps_users) = (option("rootless"), option("userns"));
        self.storage_driver = info.driver.unwrap_or_default();
        self.root = info.docker_root_dir.unwrap_or_default().into();
        self.cgroup_driver = info.cgroup_driver.map(|driver| driver.to_string()).unwrap_or_default();
        self.cgroup_version = info.cgroup_version.map(|version| version.to_string()).unwrap_or_default();
        self.default_runtime = info.default_runtime.unwrap_or_default();
        self.warnings = info.warnings.unwrap_or_default();
    }
}

async fn list(engine: &Engine, client: &Docker) -> Result<Vec<LabelledContainer>, Error> {
    let filters = Some(HashMap::from([("label".to_owned(), vec![PLATFORM_LABEL.to_owned()])]));
    let options = ListContainersOptions { all: true, filters, ..Default::default() };
    let list = client.list_containers(Some(options)).await.map_err(engine.failed("list containers"))?;
    Ok(list.into_iter().filter_map(labelled).collect())
}

fn labelled(container: ContainerSummary) -> Option<LabelledContainer> {
    let mut labels = container.labels?;
    let mut label = |name: &str| labels.remove(name).unwrap_or_default();
    let (platform, manager) = (label(PLATFORM_LABEL), label(MANAGER_LABEL));
    Some(LabelledContainer { id: container.id?.chars().take(12).collect(), platform, manager })
}
