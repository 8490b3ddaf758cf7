//! The Docker engine.
//!
//! | what | fixed in | where it is told |
//! |---|---|---|
//! | CVE-2024-21626 ("Leaky Vessels") | runc 1.1.12 | GHSA-xr7r-f8xq-vfvv |
//! | CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 | 1.2.8, 1.3.3, 1.4.0-rc.3 | GHSA-9493-h29p-rfm2, GHSA-qw9x-cqr3-wc7r, GHSA-cgrx-mc8f-2prm |
//!
//! Distributions fix an old version without renaming it: what Debian says about its own package counts.

use super::{super::version::Version, Finding, Stops, Wanted};

/// Facts about an engine that answers.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub address: String,
    pub version: String,
    pub api_version: String,
    pub components: Vec<Component>,
    pub storage_driver: String,
    pub cgroup_driver: String,
    pub cgroup_version: String,
    /// The reason why functions do not yield the processors to all other work, but only to other containers.
    pub unranked: Option<String>,
    pub rootless: bool,
    pub remaps_users: bool,
    pub default_runtime: String,
    pub warnings: Vec<String>,
    pub base_image: BaseImage,
}

/// The state of the base image, on which functions are built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BaseImage {
    #[default]
    Here,
    Pullable,
    /// The image cannot be pulled, with the reason.
    Missing(String),
}

#[derive(Clone, Debug, Default)]
pub struct Component {
    pub name: String,
    pub version: String,
    /// A commit, or the version of the package.
    pub build: String,
}

/// The reason why no engine answers.
#[derive(Clone, Debug)]
pub struct Unreachable {
    pub address: String,
    pub reason: String,
    /// This user has no permission to use its socket.
    pub denied: bool,
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub engine: Result<Engine, Unreachable>,
    pub base_image: String,
    /// The version of the distribution's package of runc on this machine.
    pub runc_package: Option<String>,
    /// The stacks that cannot do without it.
    pub needed_by: Stops,
    /// The stacks whose functions run in it.
    pub image_needed_by: Stops,
}

/// The oldest API that is tested; older engines lack features that are needed here.
const OLDEST_API: Version = Version::new(1, 41, 0);

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    match &facts.engine {
        Err(reason) => vec![unreachable(reason, facts, wanted)],
        Ok(engine) => {
            let mut findings = vec![answers(engine), components(engine)];
            findings.extend(runc(engine, facts.runc_package.as_deref()));
            findings.extend([storage(engine), isolation(engine), priority(engine)]);
            findings.push(image(engine, facts, wanted));
            findings.extend(engine.warnings.iter().map(|text| warned(text)));
            findings
        }
    }
}

fn unreachable(reason: &Unreachable, facts: &Facts, wanted: Wanted) -> Finding {
    let stops = facts.needed_by;
    let address = &reason.address;
    let (found, advice) = match reason.denied {
        true => (
            format!("this user is not allowed to use Docker at {address}: {}", reason.reason),
            "Join the group of its socket (`sudo usermod -aG docker $USER`), and log in again.",
        ),
        false => (
            format!("no Docker engine answers at {address} ({})", reason.reason),
            "Start it (`sudo systemctl start docker`), install it, or set DOCKER_HOST to the engine to use.",
        ),
    };
    Finding::stops(stops, wanted, "docker", found, advice)
}

fn answers(engine: &Engine) -> Finding {
    let version = engine.version.split('+').next().unwrap_or_default();
    let found = format!("Docker {version} (API {}) at {}", engine.api_version, engine.address);
    match Version::parse(&engine.api_version) {
        Some(api) if api < OLDEST_API => {
            let advice = format!(
                "Update the engine: {}.{} is the oldest API that is tested.",
                OLDEST_API.major(),
                OLDEST_API.minor()
            );
            Finding::warning("docker", found, advice)
        }
        _ => Finding::ok("docker", found),
    }
}

fn components(engine: &Engine) -> Finding {
    let others = engine.components.iter().filter(|component| component.name != "Engine");
    let all: Vec<String> = others.map(|c| format!("{} {}", c.name, c.version)).collect();
    Finding::ok(
        "components",
        format!("{}; the default runtime is {}", all.join(", "), engine.default_runtime),
    )
}

/// A vulnerability in some versions of runc.
struct Hole {
    names: &'static str,
    is_open: fn(Version) -> bool,
    /// Debian's fixed packages: the part of the version before the last number, and the first last number with
    /// the fix.
    fixed: &'static [(&'static str, u32)],
}

const HOLES: [Hole; 2] = [
    Hole {
        names: "CVE-2024-21626",
        is_open: |version| version < Version::new(1, 1, 12),
        // See /usr/share/doc/runc/changelog.Debian.gz of that package.
        fixed: &[("1.1.5+ds1-1+deb12u", 1)],
    },
    Hole {
        names: "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        is_open: |version| match (version.major(), version.minor()) {
            (1, 2) => version < Version::new(1, 2, 8),
            (1, 3) => version < Version::new(1, 3, 3),
            _ => version < Version::new(1, 4, 0).candidate(3),
        },
        fixed: &[],
    },
];

fn runc(engine: &Engine, package: Option<&str>) -> Option<Finding> {
    let runc = engine.components.iter().find(|component| component.name == "runc")?;
    let Some(version) = Version::parse(&runc.version) else {
        let found = format!("runc's version '{}' is not understood", runc.version);
        return Some(Finding::note("runc", found, "Look yourself whether it is 1.2.8, 1.3.3 or newer."));
    };
    // The engine's own answer has precedence: it may be on another machine.
    let build = if runc.build.contains('-') { Some(runc.build.as_str()) } else { package };
    let is_fixed = |hole: &Hole| {
        let number = |prefix: &str| build?.strip_prefix(prefix)?.split('.').next()?.parse::<u32>().ok();
        hole.fixed.iter().any(|(prefix, from)| number(prefix).is_some_and(|number| number >= *from))
    };
    let of_version = || HOLES.iter().filter(|hole| (hole.is_open)(version));
    let names = |fixed: bool| -> Vec<&str> {
        of_version().filter(|hole| is_fixed(hole) == fixed).map(|hole| hole.names).collect()
    };
    let (open, fixed) = (names(false).join(", "), names(true).join(", "));
    let package = build.map_or_else(String::new, |build| format!(" (package {build})"));
    let has = if fixed.is_empty() { String::new() } else { format!("; its package fixes {fixed}") };
    if open.is_empty() {
        return Some(Finding::ok("runc", format!("runc {version}{package}: no known escape{has}")));
    }
    let found = format!(
        "runc {version}{package} has known container escapes, unless your distribution has patched it: {open}{has}"
    );
    let advice =
        "Update runc to 1.2.8, 1.3.3, 1.4.0-rc.3 or newer, or to a package whose changelog names these.";
    Some(Finding::warning("runc", found, advice))
}

fn storage(engine: &Engine) -> Finding {
    let driver = &engine.storage_driver;
    if driver == "vfs" {
        let advice = "Choose overlay2 in the engine's daemon.json (`\"storage-driver\"`); vfs copies whole images.";
        return Finding::warning("storage", "the storage driver is vfs", advice);
    }
    Finding::ok("storage", format!("storage driver {driver}"))
}

fn isolation(engine: &Engine) -> Finding {
    let who = match (engine.rootless, engine.remaps_users) {
        (true, _) => "the engine runs without root",
        (false, true) => "root of a container is another user outside",
        (false, false) => "the engine runs as root",
    };
    let (driver, version) = (&engine.cgroup_driver, &engine.cgroup_version);
    let found = format!("{who}; cgroup driver {driver}, version {version}");
    if driver == "none" {
        let advice = "Delegate control groups to the engine's user; until then limits of memory and cpus do not hold.";
        return Finding::warning("isolation", found, advice);
    }
    Finding::ok("isolation", found)
}

fn priority(engine: &Engine) -> Finding {
    let Some(reason) = &engine.unranked else {
        return Finding::ok("priority", "functions yield the processors to everything else");
    };
    let advice = "For a platform that answers at once while functions use all processors, run it as root, beside \
                  an engine with the cgroup driver cgroupfs.";
    let found = format!("functions yield the processors to other containers only: {reason}");
    Finding::note("priority", found, advice)
}

fn image(engine: &Engine, facts: &Facts, wanted: Wanted) -> Finding {
    let image = &facts.base_image;
    match &engine.base_image {
        BaseImage::Here => Finding::ok("image", format!("the base image {image} is there")),
        BaseImage::Pullable => {
            let advice = "The first deploy pulls it; where there is no network, load it (`docker load`) or set \
                          CLOUDFUNC_PYTHON_IMAGE to an image you have.";
            Finding::note("image", format!("the base image {image} is not there"), advice)
        }
        BaseImage::Missing(reason) => {
            let found = format!("the base image {image} is not there and cannot be pulled ({reason})");
            let advice = "Load it (`docker load`), set CLOUDFUNC_PYTHON_IMAGE to an image you have, or run functions \
                          without Docker: `--runtime oci`.";
            Finding::stops(facts.image_needed_by, wanted, "image", found, advice)
        }
    }
}

fn warned(text: &str) -> Finding {
    let text = text.trim_start_matches("WARNING: ");
    Finding::note(
        "engine-warning",
        format!("the engine says: {text}"),
        "See the engine's documentation of this warning.",
    )
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn engine(runc: &str, build: &str) -> Engine {
        let component = |name: &str, version: &str, build: &str| Component {
            name: name.to_owned(),
            version: version.to_owned(),
            build: build.to_owned(),
        };
        Engine {
            address: "unix:///var/run/docker.sock".to_owned(),
            version: "28.2.2+dfsg".to_owned(),
            api_version: "1.50".to_owned(),
            components: vec![component("containerd", "1.7.27", ""), component("runc", runc, build)],
            storage_driver: "overlay2".to_owned(),
            cgroup_driver: "systemd".to_owned(),
            cgroup_version: "2".to_owned(),
            unranked: Some("the engine's cgroup driver is systemd".to_owned()),
            default_runtime: "runc".to_owned(),
            ..Engine::default()
        }
    }

    fn judged(engine: Result<Engine, Unreachable>) -> Vec<String> {
        let base_image = "python:3.12-slim".to_owned();
        let (needed_by, image_needed_by) = (Stops::UP, Stops::UP);
        let facts = Facts { engine, base_image, runc_package: None, needed_by, image_needed_by };
        shown(&judge(&facts, Wanted::Up))
    }

    #[test]
    fn an_engine_of_today_is_fine() {
        assert_eq!(
            judged(Ok(engine("1.3.3", "v1.3.3-0-gd842d77"))),
            [
                "ok docker: Docker 28.2.2 (API 1.50) at unix:///var/run/docker.sock",
                "ok components: containerd 1.7.27, runc 1.3.3; the default runtime is runc",
                "ok runc: runc 1.3.3 (package v1.3.3-0-gd842d77): no known escape",
                "ok storage: storage driver overlay2",
                "ok isolation: the engine runs as root; cgroup driver systemd, version 2",
                "note priority: functions yield the processors to other containers only: the engine's cgroup driver \
                 is systemd | For a platform that answers at once while functions use all processors, run it as \
                 root, beside an engine with the cgroup driver cgroupfs.",
                "ok image: the base image python:3.12-slim is there",
            ]
        );
    }

    fn of_runc(version: &str, build: &str, package: Option<&str>) -> String {
        shown(&[runc(&engine(version, build), package).unwrap()]).remove(0)
    }

    const ADVICE: &str =
        "Update runc to 1.2.8, 1.3.3, 1.4.0-rc.3 or newer, or to a package whose changelog names these.";

    #[test]
    fn an_image_that_cannot_be_pulled_stops_what_runs_functions_in_docker() {
        let offline =
            Engine { base_image: BaseImage::Missing("no such host".to_owned()), ..engine("1.3.3", "") };
        let expected = "problem image: the base image python:3.12-slim is not there and cannot be pulled (no such host) | \
                        Load it (`docker load`), set CLOUDFUNC_PYTHON_IMAGE to an image you have, or run functions \
                        without Docker: `--runtime oci`.";
        assert_eq!(judged(Ok(offline)).last().unwrap(), expected);
    }

    #[test]
    fn an_old_runc_is_named_with_its_holes() {
        assert_eq!(
            of_runc("1.1.11", "", None),
            format!(
                "warning runc: runc 1.1.11 has known container escapes, unless your distribution has patched it: \
                 CVE-2024-21626, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 | {ADVICE}"
            )
        );
    }

    #[test]
    fn a_runc_that_debian_has_patched_is_believed_as_far_as_that_goes() {
        let patched = "warning runc: runc 1.1.5 (package 1.1.5+ds1-1+deb12u1) has known container escapes, \
                       unless your distribution has patched it: CVE-2025-31133, CVE-2025-52565, CVE-2025-52881; \
                       its package fixes CVE-2024-21626 | ";
        assert_eq!(of_runc("1.1.5+ds1", "1.1.5+ds1-1+deb12u1", None), format!("{patched}{ADVICE}"));
        assert_eq!(of_runc("1.1.5+ds1", "", Some("1.1.5+ds1-1+deb12u1")), format!("{patched}{ADVICE}"));
        assert!(of_runc("1.1.5+ds1", "1.1.5+ds1-1", None).contains("patched it: CVE-2024-21626, "));
    }

    #[test]
    fn each_line_of_runc_has_its_own_fix() {
        for (version, is_open) in [
            ("1.2.7", true),
            ("1.2.8", false),
            ("1.3.2", true),
            ("1.3.3", false),
            ("1.4.0-rc.2", true),
            ("1.4.0-rc.3", false),
            ("1.4.0", false),
            ("1.5.1", false),
        ] {
            let found = of_runc(version, "", None);
            assert_eq!(found.starts_with("warning"), is_open, "{found}");
            assert!(!found.contains("CVE-2024-21626"), "{found}");
        }
    }

    #[test]
    fn an_engine_that_does_not_answer_is_a_problem_for_up() {
        let reason = Unreachable {
            address: "unix:///x".to_owned(),
            reason: "no socket".to_owned(),
            denied: false,
        };
        let denied = Unreachable { denied: true, ..reason.clone() };
        assert_eq!(
            judged(Err(reason)),
            [
                "problem docker: no Docker engine answers at unix:///x (no socket) | Start it (`sudo systemctl start \
              docker`), install it, or set DOCKER_HOST to the engine to use."
            ]
        );
        assert_eq!(
            judged(Err(denied)),
            [
                "problem docker: this user is not allowed to use Docker at unix:///x: no socket | Join the group of its socket \
              (`sudo usermod -aG docker $USER`), and log in again."
            ]
        );
    }

    #[test]
    fn what_an_engine_does_badly_is_said() {
        let engine = Engine {
            api_version: "1.39".to_owned(),
            storage_driver: "vfs".to_owned(),
            rootless: true,
            cgroup_driver: "none".to_owned(),
            base_image: BaseImage::Pullable,
            warnings: vec!["WARNING: No swap limit support".to_owned()],
            ..engine("1.3.3", "")
        };
        let lines = judged(Ok(engine));
        for expected in [
            "warning docker: Docker 28.2.2 (API 1.39) at unix:///var/run/docker.sock | Update the engine: 1.41 is \
             the oldest API that is tested.",
            "warning storage: the storage driver is vfs | Choose overlay2 in the engine's daemon.json \
             (`\"storage-driver\"`); vfs copies whole images.",
            "warning isolation: the engine runs without root; cgroup driver none, version 2 | Delegate control \
             groups to the engine's user; until then limits of memory and cpus do not hold.",
            "note image: the base image python:3.12-slim is not there | The first deploy pulls it; where there is no \
             network, load it (`docker load`) or set CLOUDFUNC_PYTHON_IMAGE to an image you have.",
            "note engine-warning: the engine says: No swap limit support | See the engine's documentation of this \
             warning.",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}\nis not in {lines:#?}");
        }
    }
}
