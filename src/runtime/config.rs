//! The choice of a runtime, and the needs of each kind.

use std::{collections::BTreeMap, path::PathBuf};

use super::{HelperFile, Owner, no_helper};
use crate::model::Language;

/// A runtime and its settings.
#[derive(Clone, Debug)]
pub enum Config {
    /// Containers of the engine that `DOCKER_HOST` or the default socket names.
    Docker {
        /// The owner of the containers.
        owner: Owner,
        /// The images that the languages' images are built on.
        images: BaseImages,
        /// The program with which sandboxes with [`Entry::Helper`](super::Entry::Helper) begin.
        helper: HelperFile,
    },
    /// Containers that this program makes itself.
    Oci {
        /// The owner of the containers.
        owner: Owner,
        /// A folder of the platform's own for skeletons and for the records of each container. Made when it is needed.
        folder: PathBuf,
        /// This program, which is run again to make a container: [`super::THIS_PROGRAM`], unless the process runs
        /// another program, as a test does.
        program: PathBuf,
        /// The program with which sandboxes with [`Entry::Helper`](super::Entry::Helper) begin.
        helper: HelperFile,
    },
    /// Child processes without isolation: for tests only.
    Process {
        /// The owner of the processes.
        owner: Owner,
        /// The program with which sandboxes with [`Entry::Helper`](super::Entry::Helper) begin.
        helper: HelperFile,
    },
}

impl Config {
    /// Returns the configuration of a kind that is known at run time only; the kind takes the parts that it needs. It has no
    /// helper yet.
    pub fn new(kind: Kind, owner: Owner, images: BaseImages, folder: PathBuf, program: PathBuf) -> Self {
        let helper = no_helper();
        match kind {
            Kind::Docker => Self::Docker { owner, images, helper },
            Kind::Oci => Self::Oci { owner, folder, program, helper },
            Kind::Process => Self::Process { owner, helper },
        }
    }

    /// Returns the same with this helper.
    pub fn with_helper(mut self, file: HelperFile) -> Self {
        match &mut self {
            Self::Docker { helper, .. } | Self::Oci { helper, .. } | Self::Process { helper, .. } => {
                *helper = file;
            }
        }
        self
    }
}

/// Base images by language, each a reference in which `{version}` stands for the version. A language that is not listed
/// has its usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImages(pub BTreeMap<Language, String>);

impl BaseImages {
    /// Returns the base image of one language.
    pub fn of(language: Language, reference: impl Into<String>) -> Self {
        Self(BTreeMap::from([(language, reference.into())]))
    }

    /// Returns the reference of a version's base image.
    pub fn reference(&self, language: Language, version: &str) -> String {
        self.pattern(language).replace("{version}", version)
    }

    /// Returns whether other versions have other images.
    pub fn has_versions(&self, language: Language) -> bool {
        self.pattern(language).contains("{version}")
    }

    fn pattern(&self, language: Language) -> &str {
        self.0.get(&language).map_or(language.facts().image.base, String::as_str)
    }
}

/// The kinds of runtimes, as the setting `runtime` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The engine that `DOCKER_HOST` or the default socket names.
    Docker,
    /// Containers made by this program itself, from the host's own interpreters: no engine, no images.
    Oci,
    /// The real shim as a plain child process, without any isolation: for tests only.
    Process,
}

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "docker" => Ok(Self::Docker),
            "oci" => Ok(Self::Oci),
            "process" => Ok(Self::Process),
            _ => Err("not a runtime; accepted are docker and oci".to_owned()),
        }
    }
}

impl Kind {
    /// Returns its text form, as the setting has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Oci => "oci",
            Self::Process => "process",
        }
    }
}
