//! Looks for running platforms, and for leftovers of platforms that have died.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use super::{
    cgroups,
    judge::platform::{Answer, Facts, Orphans, Role},
    tools,
};
use crate::{
    app,
    local::{
        LocalPlatform, leftovers,
        probe::{self, Prober},
    },
    place::{Addresses, Dirs, lock},
    runtime::{Kind, LabelledContainer},
};

/// The minimum age of a control group without a process to be examined.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(300);

/// Asks every role at the same time. Also returns the runtime of functions, if the platform runs and says so.
pub async fn roles(place: &LocalPlatform, addresses: Addresses) -> (Vec<Role>, Option<Kind>) {
    let prober = Prober::of(place.platform.clone(), addresses, &place.folder);
    let prober = prober.with_tokens_of(&place.folder, place.running);
    let ask = |role: app::Role| {
        let prober = prober.clone();
        async move {
            let url = probe::url(&addresses, role);
            let mut runtime = None;
            let answer = match prober.ask(role).await {
                probe::Answer::Ready(health) => {
                    runtime = health.backends.iter().find_map(|backend| backend.parse::<Kind>().ok());
                    Answer::Ready(health.dropped.unwrap_or_default())
                }
                probe::Answer::Waiting(what) => Answer::Waiting(what),
                probe::Answer::Down => Answer::Down,
                probe::Answer::Stranger(who) => Answer::Stranger(who),
            };
            (Role { name: role.as_str(), url, answer }, runtime)
        }
    };
    let asked = futures_util::future::join_all(app::Role::ALL.into_iter().rev().map(ask)).await;
    let (roles, runtimes): (Vec<Role>, Vec<Option<Kind>>) = asked.into_iter().unzip();
    (roles, runtimes.into_iter().flatten().next())
}

/// Returns the keys of secrets that a running platform does not have here, with the number of secrets of each. `roles` says
/// whether the gateway is ours.
pub async fn missing_keys(
    place: &LocalPlatform,
    addresses: Addresses,
    roles: &[Role],
) -> BTreeMap<String, usize> {
    let is_ours = |role: &Role| role.name == "gateway" && matches!(role.answer, Answer::Ready(_));
    if !place.running || !roles.iter().any(is_ours) {
        return BTreeMap::new();
    }
    let prober = Prober::of(place.platform.clone(), addresses, &place.folder);
    prober.with_tokens_of(&place.folder, true).missing_keys().await
}

/// Gathers the facts. `containers` are those that the engine has with our labels.
pub fn gather(
    place: &LocalPlatform,
    dirs: &Dirs,
    containers: &[LabelledContainer],
    roles: Vec<Role>,
) -> Facts {
    let folders = data_folders(place, dirs);
    let (living, dead): (Vec<&PathBuf>, Vec<&PathBuf>) =
        folders.iter().partition(|folder| is_alive(folder));
    let living = living.into_iter().filter_map(|folder| tools::read(folder.join("manager-id")));
    let is_abandoned = |folder: &&PathBuf| lock::look(folder).is_none();
    Facts {
        data_dir: place.folder.display().to_string(),
        is_running: place.running,
        roles,
        abandoned_roles: folders.iter().filter(is_abandoned).flat_map(|f| leftovers::find(f)).collect(),
        orphans: orphans(containers, &living.collect()),
        instance_folders: dead.into_iter().filter_map(|folder| instances(folder)).collect(),
        empty_groups: empty_groups(),
    }
}

/// Finds the data folders of this user, and those of all visible CloudFunc processes.
fn data_folders(place: &LocalPlatform, dirs: &Dirs) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([place.folder.clone()]);
    folders.extend(below(&dirs.state));
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        folders.extend(of_process(&process.path()));
    }
    folders
}

fn below(state: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(state).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join("manager-id").exists())
}

/// Returns the folders where a CloudFunc process may have its data.
fn of_process(process: &Path) -> Vec<PathBuf> {
    let arguments = words(&process.join("cmdline"));
    let is_ours = arguments.get(1).is_some_and(|word| word == "up" || word == "manager")
        && Path::new(&arguments[0]).file_name().is_some_and(|name| name == "cloudfunc");
    if !is_ours {
        return Vec::new();
    }
    if let Some(at) = arguments.iter().position(|word| word == "--data-dir") {
        return arguments.get(at + 1).map(PathBuf::from).into_iter().collect();
    }
    let environment = words(&process.join("environ"));
    let variable = |name: &str| {
        let value = |pair: &OsString| Some(pair.to_str()?.strip_prefix(name)?.strip_prefix('=')?.into());
        environment.iter().find_map(value)
    };
    match variable("CLOUDFUNC_DATA_DIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => Dirs::from(variable).map(|dirs| below(&dirs.state).collect()).unwrap_or_default(),
    }
}

/// Splits the content of a file at its zero bytes.
fn words(path: &Path) -> Vec<OsString> {
    let text = fs::read(path).unwrap_or_default();
    text.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// Returns whether `up` or a role is running on a data folder.
fn is_alive(folder: &Path) -> bool {
    let has_manager = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.into_iter().any(|process| {
            let path = process.path();
            words(&path.join("cmdline")).get(1).is_some_and(|word| word == "manager")
                && of_process(&path).iter().any(|one| one == folder)
        })
    };
    lock::look(folder).is_some() || !leftovers::find(folder).is_empty() || has_manager()
}

fn orphans(containers: &[LabelledContainer], living: &BTreeSet<String>) -> Vec<Orphans> {
    let mut by_platform: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for container in containers.iter().filter(|container| !living.contains(&container.manager)) {
        by_platform.entry(&container.platform).or_default().push(container.id.clone());
    }
    let orphans =
        |(platform, containers): (&str, _)| Orphans { platform: platform.to_owned(), containers };
    by_platform.into_iter().map(orphans).collect()
}

fn instances(folder: &Path) -> Option<(String, usize)> {
    let folder = folder.join("instances");
    let count = fs::read_dir(&folder).ok()?.flatten().count();
    (count > 0).then(|| (folder.display().to_string(), count))
}

fn empty_groups() -> Vec<String> {
    // A group that is being created or removed has no process for a moment.
    let is_old = |group: &Path| {
        let changed = fs::metadata(group).and_then(|group| group.modified()).ok();
        changed.and_then(|changed| changed.elapsed().ok()).is_none_or(|age| age >= SETTLED)
    };
    let empty = cgroups::ours().into_iter();
    let empty = empty.filter(|(group, processes)| *processes == 0 && is_old(group));
    empty.map(|(group, _)| group.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::lock::Holder;

    #[test]
    fn a_manager_lives_while_its_folder_is_locked() {
        let temporary = tempfile::tempdir().unwrap();
        let dirs = Dirs { config: temporary.path().join("c"), state: temporary.path().to_owned() };
        let folder = temporary.path().join("compose");
        fs::create_dir_all(folder.join("instances/one")).unwrap();
        fs::write(folder.join("manager-id"), "m1\n").unwrap();
        let place = LocalPlatform {
            folder: folder.clone(),
            platform: "team".parse().unwrap(),
            stack: None,
            running: false,
            holder: None,
        };
        let container = |id: &str, manager: &str| LabelledContainer {
            id: id.to_owned(),
            platform: "team".to_owned(),
            manager: manager.to_owned(),
        };
        let containers = [container("a", "m1"), container("b", "m2")];
        let look = || {
            let facts = gather(&place, &dirs, &containers, Vec::new());
            let orphans: Vec<_> = facts.orphans.into_iter().map(|orphans| orphans.containers).collect();
            let own =
                facts.instance_folders.into_iter().filter(|(path, _)| path.starts_with(&facts.data_dir));
            (orphans, own.count())
        };
        assert_eq!(look(), (vec![vec!["a".to_owned(), "b".to_owned()]], 1));
        let holder = Holder::new(
            "team".parse().unwrap(),
            crate::place::Stack::Compose,
            &Addresses::default(),
            std::time::Duration::ZERO,
        );
        let lock = lock::take(&folder, &holder).unwrap();
        assert_eq!(look(), (vec![vec!["b".to_owned()]], 0));
        drop(lock);
    }
}
