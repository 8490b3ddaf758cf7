//! Control groups around this manager's containers: so they rank below everything else on the machine, and one
//! function's together leave a processor to the others.
//!
//! The engine puts a container below any group that it is given, without further requests. The limits of the group have
//! to be written here: by root, on the engine's own machine, and only where systemd does not manage the engine's
//! groups. Elsewhere containers only rank below others of the same engine, by their own share.

use std::{
    collections::HashMap,
    fmt, fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bollard::models::{SystemInfo, SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum};
use tokio::sync::OnceCell;

use super::engine::Engine;
use crate::runtime::{
    Error, Owner,
    cgroups::{Cgroups, of_function},
};

/// The reason why containers rank only below others of the same engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unranked {
    NotRoot,
    Remote,
    Driver(String),
    OtherVersion,
    Refused,
}

impl fmt::Display for Unranked {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => to.write_str("this user is not root"),
            Self::Remote => to.write_str("the engine is on another machine"),
            Self::Driver(name) => write!(to, "the engine's cgroup driver is {name}"),
            Self::OtherVersion => to.write_str("the engine sees other control groups than this process"),
            Self::Refused => to.write_str("this platform is not allowed to write control groups"),
        }
    }
}

/// Returns the reason why groups cannot be made for the containers of this engine, as far as the engine's own data
/// tells.
pub(super) fn reason_against(address: &str, info: &SystemInfo, is_root: bool) -> Option<Unranked> {
    if !address.starts_with("unix://") {
        return Some(Unranked::Remote);
    }
    match info.cgroup_driver {
        Some(SystemInfoCgroupDriverEnum::CGROUPFS) if is_root => None,
        Some(SystemInfoCgroupDriverEnum::CGROUPFS) => Some(Unranked::NotRoot),
        Some(driver) => Some(Unranked::Driver(driver.to_string())),
        None => Some(Unranked::Driver("unknown".to_owned())),
    }
}

/// Returns the version of groups that can be made, or why they cannot.
fn usable(address: &str, info: &SystemInfo) -> Result<Cgroups, Unranked> {
    let is_root = rustix::process::geteuid().is_root();
    if let Some(reason) = reason_against(address, info, is_root) {
        return Err(reason);
    }
    let here = Cgroups::usable().ok_or(Unranked::Refused)?;
    let engines = match info.cgroup_version {
        Some(SystemInfoCgroupVersionEnum::_2) => Cgroups::V2,
        _ => Cgroups::V1,
    };
    if here == engines { Ok(here) } else { Err(Unranked::OtherVersion) }
}

/// The groups of one manager's containers.
pub(super) struct Groups {
    top: String,
    cgroups: OnceCell<Option<Cgroups>>,
    /// The number of containers in each function's group; locked while groups are made or removed.
    members: Mutex<HashMap<String, usize>>,
    /// Whether a container was not where it should have been: the engine's groups are not this machine's.
    elsewhere: AtomicBool,
}

impl Groups {
    pub(super) fn new(owner: &Owner) -> Arc<Self> {
        let (cgroups, members, elsewhere) = Default::default();
        Arc::new(Self { top: top(owner), cgroups, members, elsewhere })
    }

    /// Makes a place for a container of this function; `None` where groups cannot be made.
    pub(super) async fn enter(self: &Arc<Self>, engine: &Engine, function: &str) -> Option<Membership> {
        // An engine that does not answer is asked again; the creation itself reports it.
        let cgroups = (*self.cgroups.get_or_try_init(|| look(engine)).await.ok()?)?;
        if self.elsewhere.load(Ordering::Relaxed) {
            return None;
        }
        let (group, mut members) = (of_function(function), self.members.lock().unwrap());
        if !members.contains_key(&group) {
            let folder = cgroups.hierarchy("cpu").join(&self.top).join(&group);
            if let Err(error) = cgroups.make_all(&folder) {
                tracing::warn!(%error, "a function's control group cannot be made");
                return None;
            }
        }
        *members.entry(group.clone()).or_default() += 1;
        Some(Membership { groups: self.clone(), group, cgroups })
    }

    fn leave(&self, group: &str, cgroups: Cgroups) {
        let mut members = self.members.lock().unwrap();
        let left = members.get_mut(group).map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            members.remove(group);
            remove(&self.top, group, members.is_empty(), cgroups);
        }
    }

    /// Removes the groups that a dead process of this owner has left, once its containers are gone.
    pub(super) fn clear(&self, owner: &Owner) {
        let Some(cgroups) = Cgroups::usable() else { return };
        let members = self.members.lock().unwrap();
        let top = top(owner);
        for hierarchy in cgroups.hierarchies() {
            for group in fs::read_dir(hierarchy.join(&top)).into_iter().flatten().flatten() {
                let name = group.file_name().to_string_lossy().into_owned();
                if top != self.top || !members.contains_key(&name) {
                    let _ = fs::remove_dir(group.path());
                }
            }
            if top != self.top || members.is_empty() {
                let _ = fs::remove_dir(hierarchy.join(&top));
            }
        }
    }
}

/// Returns the group of one manager, so that no other manager removes it, being empty, while the engine makes a group
/// below it.
fn top(owner: &Owner) -> String {
    format!("cloudfunc-{}-{}", owner.platform, owner.manager)
}

/// Looks once per process.
async fn look(engine: &Engine) -> Result<Option<Cgroups>, Error> {
    let info = engine.client().await?.info().await.map_err(engine.failed("describe itself"))?;
    let usable = usable(&super::engine::address(), &info);
    let told = |reason: &Unranked| tracing::debug!(%reason, "functions yield to containers only");
    Ok(usable.inspect_err(told).ok())
}

/// Removes a group. The engine has made the groups above a container in every hierarchy. While it may be making another
/// one, those above that one stay.
fn remove(top: &str, group: &str, is_last: bool, cgroups: Cgroups) {
    for hierarchy in cgroups.hierarchies() {
        let _ = fs::remove_dir(hierarchy.join(top).join(group));
        if is_last {
            let _ = fs::remove_dir(hierarchy.join(top));
        }
    }
}

/// A container's membership in its function's group, which is removed with its last member.
pub(super) struct Membership {
    groups: Arc<Groups>,
    group: String,
    cgroups: Cgroups,
}

impl Membership {
    /// Returns the parent group in the form for the engine.
    pub(super) fn parent(&self) -> String {
        format!("/{}/{}", self.groups.top, self.group)
    }

    /// Returns how many processes of a container the kernel has killed for its limit of memory; none where this process
    /// cannot read that.
    pub(super) fn memory_kills(&self, id: &str) -> Option<u64> {
        let folder = self.cgroups.hierarchy("memory").join(&self.parent()[1..]).join(id);
        self.cgroups.memory_kills(&folder)
    }

    /// Checks whether a container is really there; if not, although it `is_running`, which is asked only then, the next
    /// ones are not put there either. The group of a container that has ended is gone.
    pub(super) async fn verify(&self, id: &str, is_running: impl Future<Output = bool>) {
        let folder = self.cgroups.hierarchy("cpu").join(&self.parent()[1..]).join(id);
        if folder.is_dir() || self.groups.elsewhere.load(Ordering::Relaxed) || !is_running.await {
            return;
        }
        if !self.groups.elsewhere.swap(true, Ordering::Relaxed) {
            tracing::warn!(path = %folder.display(), "the engine keeps its control groups elsewhere");
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.groups.leave(&self.group, self.cgroups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(driver: SystemInfoCgroupDriverEnum) -> SystemInfo {
        SystemInfo { cgroup_driver: Some(driver), ..SystemInfo::default() }
    }

    #[test]
    fn where_containers_cannot_be_ranked_the_reason_is_told() {
        use SystemInfoCgroupDriverEnum::{CGROUPFS, SYSTEMD};
        let reason = |address, driver, root| {
            reason_against(address, &info(driver), root).map(|reason| reason.to_string())
        };
        let here = "unix:///var/run/docker.sock";
        assert_eq!(
            reason("tcp://10.0.0.2:2376", CGROUPFS, true).unwrap(),
            "the engine is on another machine"
        );
        assert_eq!(reason(here, SYSTEMD, true).unwrap(), "the engine's cgroup driver is systemd");
        assert_eq!(reason(here, CGROUPFS, false).unwrap(), "this user is not root");
        assert_eq!(reason(here, CGROUPFS, true), None);
    }
}
