//! The platforms of this user on this host, by name.
//!
//! `up` records each platform that it starts in `platforms/` of the state folder, before any of its ports
//! answers. Platforms are found in three places, and identified by their data folders:
//!
//! | place | what |
//! |---|---|
//! | `platforms/*.toml` | platforms that `up` has recorded, including those with a data folder elsewhere |
//! | `<stack>` and `<stack>-<name>` of the state folder | the default data folders, including those of an older
//! version |
//! | `current.toml` | the file that an older version's `up` writes |
//!
//! Only its lock says whether a platform is running ([`super::lock`]). So nothing has to be removed when a
//! platform ends, and no platform can make another one unreachable. `chosen.toml` holds the choice of `platform
//! use`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Stack, certificate_file,
    lock::{self, Holder},
    state::{StateError, write_private},
};
use crate::model::{Digest, PlatformName};

/// The content of the files. [`Known`] is what they mean when they are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: PlatformName,
    stack: Option<Stack>,
    url: String,
    data_dir: PathBuf,
}

/// A platform that was started here at least once.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub name: PlatformName,
    pub stack: Option<Stack>,
    /// The URL of the gateway.
    pub url: Url,
    pub data_dir: PathBuf,
    pub is_running: bool,
    /// The `up` that is running, or that ran last; `None` if it has not (yet) written its identity.
    pub holder: Option<Holder>,
}

impl Known {
    /// Returns the platform of a data folder; `None` if none was ever started there.
    pub fn at(data_dir: &Path) -> Option<Self> {
        Self::with(data_dir, None)
    }

    fn with(data_dir: &Path, entry: Option<Entry>) -> Option<Self> {
        let looked = lock::look(data_dir);
        let is_running = looked.is_some();
        let holder = looked.flatten().or_else(|| lock::last(data_dir));
        let entry = entry.or_else(|| Some(Entry::of(data_dir, holder.as_ref()?)))?;
        let said = |holder: &Holder| Url::parse(&holder.url()).ok();
        let url = holder.as_ref().and_then(said).or_else(|| Url::parse(&entry.url).ok())?;
        let name = holder.as_ref().map_or(entry.name, |holder| holder.platform.clone());
        let stack = holder.as_ref().and_then(|holder| holder.stack).or(entry.stack);
        Some(Self { name, stack, url, data_dir: data_dir.to_owned(), is_running, holder })
    }

    pub fn token_file(&self) -> PathBuf {
        self.data_dir.join("token")
    }

    /// Returns the file with the certificates that its gateway shows; `None` if that does not speak TLS.
    pub fn certificate_file(&self) -> Option<PathBuf> {
        (self.url.scheme() == "https").then(|| certificate_file(&self.data_dir))
    }

    /// Describes it as `'team' (embedded, http://127.0.0.1:8000, data folder /…)`.
    pub fn describe(&self) -> String {
        format!("'{}' ({})", self.name, self.details())
    }

    /// Describes everything but the name.
    pub fn details(&self) -> String {
        let stack = self.stack.map_or_else(String::new, |stack| format!("{}, ", stack.as_str()));
        format!("{stack}{}, data folder {}", shown(&self.url), self.data_dir.display())
    }

    /// Returns the command that starts it.
    pub fn up(&self, state: &Path) -> String {
        let mut command = "cloudfunc up".to_owned();
        command += match self.stack {
            Some(Stack::Embedded) => " --embedded",
            Some(Stack::External) => " --store URL --queue URL",
            Some(Stack::Compose) | None => "",
        };
        if self.name.as_str() != "default" {
            command += &format!(" --platform {}", self.name);
        }
        if self.data_dir.parent() != Some(state) {
            command += &format!(" --data-dir {}", self.data_dir.display());
        }
        command
    }
}

impl Entry {
    fn of(data_dir: &Path, holder: &Holder) -> Self {
        let stack = holder.stack.or_else(|| Stack::of_folder(data_dir));
        let (name, url) = (holder.platform.clone(), holder.url());
        Self { name, stack, url, data_dir: data_dir.to_owned() }
    }
}

/// The platform that is meant, as far as it was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'w> {
    /// The value of `--data-dir` or its variable.
    pub data_dir: Option<&'w Path>,
    /// The value of `--platform` or its variable.
    pub name: Option<&'w PlatformName>,
    /// The values of the user's file, for this field and the next one; they decide only if nothing else does.
    pub usual_data_dir: Option<&'w Path>,
    pub usual_name: Option<&'w PlatformName>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    #[error("no platform '{name}' is known here{}", known(.others))]
    Unknown { name: PlatformName, others: Vec<Known> },
    #[error("no platform was ever started in the data folder {}", .0.display())]
    NeverStarted(PathBuf),
    #[error("{} platforms run here, and none is chosen{}", .0.len(), list(.0))]
    Several(Vec<Known>),
    #[error("{} platforms named '{}' run here{}", .0.len(), .0[0].name, list(.0))]
    SameName(Vec<Known>),
    #[error("none of the {} platforms known here is running{}", .0.len(), list(.0))]
    NoneRuns(Vec<Known>),
}

impl ChoiceError {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "`cloudfunc platform list` shows the platforms of this user on this machine; --url and --token-file \
                 reach any other"
            }
            Self::NeverStarted(_) => "start one there with `cloudfunc up --data-dir DIR`",
            Self::Several(_) => {
                "say which one with --platform NAME or CLOUDFUNC_PLATFORM, or choose one until further notice with \
                 `cloudfunc platform use NAME`"
            }
            Self::SameName(_) => {
                "say which one with --url URL (`status`, `down` and `doctor` take --data-dir DIR, too)"
            }
            Self::NoneRuns(_) => "start one with `cloudfunc up` or `cloudfunc up --embedded`",
        }
    }
}

fn known(others: &[Known]) -> String {
    let names: Vec<&str> = others.iter().map(|one| one.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("; known platforms: {}", names.join(", ")) }
}

fn list(all: &[Known]) -> String {
    all.iter().map(|one| format!("\n  {}: {}", one.name, one.details())).collect()
}

/// Shows a URL without the trailing slash, which only helps to append routes.
pub fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// All known platforms, by name.
#[derive(Clone, Debug, Default)]
pub struct Platforms {
    pub all: Vec<Known>,
    /// The data folder of the platform that `platform use` has chosen; it is among `all`.
    pub chosen: Option<PathBuf>,
    /// Recorded data folders that are gone.
    pub gone: Vec<PathBuf>,
}

impl Platforms {
    /// Reads a state folder, which need not exist. Changes nothing.
    pub fn look(state: &Path) -> Self {
        let mut entries: Vec<(PathBuf, Option<Entry>)> = Vec::new();
        let noted =
            files(&state.join("platforms")).filter(|path| path.extension().is_some_and(|e| e == "toml"));
        for entry in noted.filter_map(|path| read::<Entry>(&path)) {
            entries.push((entry.data_dir.clone(), Some(entry)));
        }
        let usual = files(state).filter(|path| Stack::of_folder(path).is_some());
        entries.extend(usual.chain(current(state)).map(|folder| (folder, None)));
        let mut platforms = Self::default();
        for (folder, entry) in entries {
            if platforms.all.iter().any(|known| known.data_dir == folder) {
                continue;
            }
            match Known::with(&folder, entry.clone()) {
                _ if !folder.is_dir() => platforms.gone.extend(entry.map(|entry| entry.data_dir)),
                Some(known) => platforms.all.push(known),
                None => {}
            }
        }
        platforms
            .all
            .sort_by(|one, other| (&one.name, &one.data_dir).cmp(&(&other.name, &other.data_dir)));
        let chosen = read::<Entry>(&state.join(CHOSEN)).map(|chosen| chosen.data_dir);
        platforms.chosen =
            chosen.filter(|chosen| platforms.all.iter().any(|one| one.data_dir == *chosen));
        platforms
    }

    pub fn running(&self) -> impl Iterator<Item = &Known> {
        self.all.iter().filter(|known| known.is_running)
    }

    /// Returns the platform whose gateway has this address, preferring one that is running.
    pub fn at_url(&self, url: &Url) -> Option<&Known> {
        let same = |known: &&Known| same_place(&known.url, url);
        self.running().find(same).or_else(|| self.all.iter().find(same))
    }

    /// Returns the platform that is meant; `None` if none was ever started and none was given.
    pub fn choose(&self, wish: Wish<'_>) -> Result<Option<Known>, ChoiceError> {
        if let Some(folder) = wish.data_dir {
            let never = || ChoiceError::NeverStarted(folder.to_owned());
            return self.of_folder(folder).ok_or_else(never).map(Some);
        }
        if let Some(name) = wish.name {
            return self.named(name).map(Some);
        }
        if let Some(chosen) = self.chosen.as_deref().and_then(|folder| self.of_folder(folder)) {
            return Ok(Some(chosen));
        }
        let usual = || {
            let by_folder = wish.usual_data_dir.and_then(|folder| self.of_folder(folder));
            by_folder.or_else(|| self.named(wish.usual_name?).ok())
        };
        let running: Vec<&Known> = self.running().collect();
        match (running.as_slice(), self.all.as_slice()) {
            ([one], _) => Ok(Some((*one).clone())),
            ([], []) => Ok(None),
            ([], [one]) => Ok(Some(one.clone())),
            ([], all) => usual().ok_or_else(|| ChoiceError::NoneRuns(all.to_vec())).map(Some),
            (several, _) => {
                let several = || ChoiceError::Several(several.iter().copied().cloned().collect());
                usual().filter(|one| one.is_running).ok_or_else(several).map(Some)
            }
        }
    }

    fn of_folder(&self, folder: &Path) -> Option<Known> {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let known = self.all.iter().find(|known| known.data_dir == folder);
        known.cloned().or_else(|| Known::at(&folder))
    }

    fn named(&self, name: &PlatformName) -> Result<Known, ChoiceError> {
        let all: Vec<&Known> = self.all.iter().filter(|known| known.name == *name).collect();
        let running: Vec<&Known> = all.iter().copied().filter(|known| known.is_running).collect();
        match (running.as_slice(), all.first()) {
            ([one], _) => Ok((*one).clone()),
            // It is not known which one ran last; compose, the default, comes first.
            ([], Some(first)) => Ok((*first).clone()),
            ([], None) => Err(ChoiceError::Unknown { name: name.clone(), others: self.all.clone() }),
            (several, _) => Err(ChoiceError::SameName(several.iter().copied().cloned().collect())),
        }
    }
}

const CHOSEN: &str = "chosen.toml";

/// Records a platform that is about to start, and forgets those whose data folders are gone.
pub fn note(state: &Path, data_dir: &Path, holder: &Holder) -> Result<(), StateError> {
    for gone in Platforms::look(state).gone {
        forget(state, &gone);
    }
    write(&file_of(state, data_dir), &Entry::of(data_dir, holder))
}

/// Forgets a platform whose data folder is gone, or about to go.
pub fn forget(state: &Path, data_dir: &Path) {
    let _ = fs::remove_file(file_of(state, data_dir));
    // Succeeds only if the folder is empty.
    let _ = fs::remove_dir(state.join("platforms"));
    if read::<Entry>(&state.join(CHOSEN)).is_some_and(|chosen| chosen.data_dir == data_dir) {
        let _ = fs::remove_file(state.join(CHOSEN));
    }
}

/// Makes commands talk to this platform; with `None`, to the one that is running.
pub fn choose(state: &Path, platform: Option<&Known>) -> Result<(), StateError> {
    let path = state.join(CHOSEN);
    let Some(Known { name, stack, url, data_dir, .. }) = platform else {
        return match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { path, source })
            }
            _ => Ok(()),
        };
    };
    let (url, data_dir) = (shown(url).to_owned(), data_dir.clone());
    write(&path, &Entry { name: name.clone(), stack: *stack, url, data_dir })
}

/// Returns the file of a platform. It is named after the data folder, so that two platforms of the same name
/// have a file each.
fn file_of(state: &Path, data_dir: &Path) -> PathBuf {
    let digest = Digest::of(data_dir.as_os_str().as_encoded_bytes());
    state.join("platforms").join(format!("{}.toml", digest.short()))
}

/// Returns the data folder that an older version's `up` names.
fn current(state: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Current {
        token_file: PathBuf,
    }
    let current: Current = read(&state.join("current.toml"))?;
    state.join(current.token_file).parent().map(Path::to_owned)
}

fn write(path: &Path, entry: &Entry) -> Result<(), StateError> {
    write_private(path, &toml::to_string(entry).expect("plain data"))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    toml::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter()
}

/// Returns whether two URLs lead to the same place: `localhost` and its address are both this host.
pub fn same_place(one: &Url, other: &Url) -> bool {
    let host = |url: &Url| match url.host_str() {
        Some("localhost") => Some("127.0.0.1".to_owned()),
        other => other.map(str::to_owned),
    };
    let place = |url: &Url| (url.port_or_known_default(), url.path().trim_end_matches('/').to_owned());
    one.scheme() == other.scheme() && host(one) == host(other) && place(one) == place(other)
}

#[cfg(test)]
#[path = "platforms_tests.rs"]
mod tests;
