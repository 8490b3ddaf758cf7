//! The runtime of functions: chosen and tried before anything is started.

use std::{io, path::PathBuf};

use crate::{
    cli::{Error, Exit},
    runtime::{self, BaseImage, Kind, Owner},
};

/// A runtime that answers.
pub struct Engine {
    pub kind: Kind,
    /// The runtime and the reason for choosing it: `docker 20.10.24 (an engine answers at
    /// unix:///var/run/docker.sock)`.
    pub told: String,
    /// The reason why no function can run in it in its present state.
    pub lacks: Option<String>,
}

/// The owner and place of the sandboxes: what is needed to try a runtime.
pub struct Place {
    pub data_dir: PathBuf,
    pub owner: Owner,
}

impl Place {
    async fn ping(&self, kind: Kind) -> Result<String, runtime::Error> {
        let (owner, images) = (self.owner.clone(), runtime::BaseImages::default());
        let folder = self.data_dir.join("runtime");
        let config = runtime::Config::new(kind, owner, images, folder, runtime::THIS_PROGRAM.into());
        runtime::connect(&config)?.ping().await
    }
}

/// Tries this runtime and no other. `without` names the option that does not need Docker.
pub async fn required(kind: Kind, place: &Place, without: &str) -> Result<Engine, Error> {
    match place.ping(kind).await {
        Ok(version) => {
            let told = format!("{}{}", name(kind, &version), address(kind));
            Ok(Engine { kind, told, lacks: None })
        }
        Err(error) if kind == Kind::Docker => Err(no_docker(error, without)),
        Err(error) => {
            let what = format!("the runtime {} cannot be used", kind.as_str());
            Err(Error::new(Exit::Platform, error).context(what))
        }
    }
}

/// Chooses a runtime for a platform in one process: the requested one, if there is one. `image` is the base
/// image of functions that name no version.
pub async fn choose(wanted: Option<Kind>, place: &Place, image: &str) -> Result<Engine, Error> {
    match wanted {
        Some(kind) => Ok(required(kind, place, "`--runtime oci`").await?.looked_through(image).await),
        None => any(place, image).await,
    }
}

impl Engine {
    /// Asks whether Docker has, or can pull, the base image of functions.
    pub async fn looked_through(self, image: &str) -> Self {
        if self.kind != Kind::Docker {
            return self;
        }
        let lacks = match runtime::base_image(image).await {
            Ok(BaseImage::Missing(reason)) => Some(no_image(image, &reason).long),
            // If the engine has gone away, the next step that needs it reports that.
            Ok(BaseImage::Here | BaseImage::Pullable) | Err(_) => None,
        };
        Self { lacks, ..self }
    }
}

/// Chooses Docker if an engine answers and can run functions, else containers without a daemon.
async fn any(place: &Place, image: &str) -> Result<Engine, Error> {
    let lacks = match in_docker(place, image).await {
        Ok(engine) => return Ok(engine),
        Err(lacks) => lacks,
    };
    match place.ping(Kind::Oci).await {
        Ok(version) => {
            let told = format!("{} ({})", name(Kind::Oci, &version), lacks.short);
            Ok(Engine { kind: Kind::Oci, told, lacks: None })
        }
        Err(error) => Err(neither(&lacks, error)),
    }
}

async fn in_docker(place: &Place, image: &str) -> Result<Engine, Lack> {
    let version = place.ping(Kind::Docker).await.map_err(lack)?;
    let will = match runtime::base_image(image).await.map_err(lack)? {
        BaseImage::Here => String::new(),
        BaseImage::Pullable => format!("; the first deploy pulls {image}"),
        BaseImage::Missing(reason) => return Err(no_image(image, &reason)),
    };
    let (name, address) = (name(Kind::Docker, &version), address(Kind::Docker));
    let told = format!("{name} (an engine answers{address}{will})");
    Ok(Engine { kind: Kind::Docker, told, lacks: None })
}

fn no_image(image: &str, reason: &str) -> Lack {
    let short =
        format!("Docker at {} does not have {image} and cannot pull it", runtime::engine_address());
    Lack { long: format!("{short}: {reason}"), short, denied: false }
}

fn name(kind: Kind, version: &str) -> String {
    match kind {
        Kind::Docker => version.to_lowercase(),
        Kind::Oci => "oci, containers without a daemon".to_owned(),
        Kind::Process => "process, without any isolation".to_owned(),
    }
}

fn address(kind: Kind) -> String {
    match kind {
        Kind::Docker => format!(" at {}", runtime::engine_address()),
        Kind::Oci | Kind::Process => String::new(),
    }
}

/// The reason why Docker is not available: short, for use in a sentence, and long, with the cause.
struct Lack {
    short: String,
    long: String,
    denied: bool,
}

fn lack(error: runtime::Error) -> Lack {
    let (address, source) = match error {
        runtime::Error::Unavailable { address, source } => (address, source),
        other => {
            let text = Error::new(Exit::Platform, other).chain().join(": ");
            let short = format!("Docker cannot be used: {text}");
            return Lack { long: short.clone(), short, denied: false };
        }
    };
    let mut cause: &(dyn std::error::Error + 'static) = &*source;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let denied = cause.downcast_ref::<io::Error>().is_some_and(is_denied);
    let short = match denied {
        true => format!("this user is not allowed to use Docker at {address}"),
        false => format!("no Docker engine answers at {address}"),
    };
    let long = match denied {
        true => format!("{short}: {cause}"),
        false => format!("Docker is not running: no engine answers at {address} ({cause})"),
    };
    Lack { short, long, denied }
}

fn neither(docker: &Lack, oci: runtime::Error) -> Error {
    let docker = &docker.long;
    let oci = Error::new(Exit::Platform, oci).chain().join(": ");
    Error::platform(format!("functions have nothing to run in\n  docker: {docker}\n  oci: {oci}"))
        .hint(
            "fix one of the two: an image can be loaded with `docker load`, or named in CLOUDFUNC_PYTHON_IMAGE; \
             `--runtime docker` or `--runtime oci` asks for that one only",
        )
}

/// Builds the error for an engine that is not running or denies access.
fn no_docker(error: runtime::Error, without: &str) -> Error {
    let lack = lack(error);
    let hint = match lack.denied {
        true => "join the group of its socket (usually `docker`), and log in again",
        false => "start it, or set DOCKER_HOST to the engine to use",
    };
    Error::platform(lack.long).hint(format!("{hint}; {without} needs no Docker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable(address: &str, kind: io::ErrorKind) -> runtime::Error {
        runtime::Error::Unavailable { address: address.to_owned(), source: io::Error::from(kind).into() }
    }

    #[test]
    fn what_both_lack_is_told_in_one_error() {
        let docker = lack(unavailable("unix:///d", io::ErrorKind::ConnectionRefused));
        assert_eq!(docker.short, "no Docker engine answers at unix:///d");
        let error = neither(&docker, unavailable("this host", io::ErrorKind::Unsupported));
        assert_eq!(
            error.chain().join(": "),
            "functions have nothing to run in\n  docker: Docker is not running: no engine answers at \
             unix:///d (connection refused)\n  oci: the container engine at this host does not answer: \
             unsupported"
        );
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_a_lack_too() {
        let docker = no_image("python:3.12-slim", "no such host");
        let address = runtime::engine_address();
        let error = neither(&docker, unavailable("this host", io::ErrorKind::Unsupported));
        let expected = format!(
            "functions have nothing to run in\n  docker: Docker at {address} does not have python:3.12-slim and cannot \
             pull it: no such host\n  oci: "
        );
        assert!(error.chain().join(": ").starts_with(&expected), "{error:?}");
        assert!(error.hint.is_some_and(|hint| hint.contains("CLOUDFUNC_PYTHON_IMAGE")));
    }

    #[test]
    fn who_may_not_use_docker_is_told_how_to() {
        let error = no_docker(unavailable("unix:///d", io::ErrorKind::PermissionDenied), "`x`");
        assert_eq!(
            error.chain(),
            ["this user is not allowed to use Docker at unix:///d: permission denied"]
        );
        let hint =
            "join the group of its socket (usually `docker`), and log in again; `x` needs no Docker";
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
}
