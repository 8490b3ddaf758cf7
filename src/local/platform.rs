//! The platform of this machine that a command is about.

use std::path::PathBuf;

use jiff::Timestamp;

use super::sources;
use crate::{
    certificates::{PairError, Validity, read_own},
    compose::{self, Project},
    error::Error,
    model::PlatformName,
    place::{
        Dirs, Stack, certificate_file,
        lock::{self, Holder},
        platforms::{ChoiceError, Known, Platforms, Wish},
        wipe,
    },
    settings::{Settings, StorePlace, TlsFiles},
    store,
};

/// The platform that is meant, and whether an `up` is running on its data folder.
#[derive(Clone, Debug)]
pub struct LocalPlatform {
    pub folder: PathBuf,
    pub platform: PlatformName,
    /// The stack; `None` if it is not known.
    pub stack: Option<Stack>,
    pub running: bool,
    /// The process that is running, or that ran last.
    pub holder: Option<Holder>,
}

impl LocalPlatform {
    pub fn of(known: Known) -> Self {
        let Known { name, stack, data_dir, is_running, holder, .. } = known;
        Self { folder: data_dir, platform: name, stack, running: is_running, holder }
    }

    /// Finds the platform with [`Platforms::choose`]. If none was started, or none of several is running, it
    /// takes the given folder, else the stack's folder that was used, compose first.
    pub fn find(told: &Settings, settings: &Settings, dirs: &Dirs) -> Result<Self, Error> {
        let usual_data_dir = settings.data_dir.as_deref().filter(|_| told.data_dir.is_none());
        let wish = Wish {
            data_dir: told.data_dir.as_deref(),
            name: told.name.as_ref(),
            usual_data_dir,
            usual_name: settings.name.as_ref().filter(|_| told.name.is_none()),
        };
        match Platforms::look(&dirs.state).choose(wish) {
            Ok(Some(known)) => return Ok(Self::of(known)),
            Err(error @ (ChoiceError::Several(_) | ChoiceError::SameName(_))) => {
                return Err(error.into());
            }
            Ok(None) | Err(_) => {}
        }
        let stacks = Stack::ALL.map(|stack| settings.data_dir(dirs, stack));
        // An `up` that failed early leaves a folder, too: one that a platform has used comes first.
        let used = stacks.iter().find(|folder| wipe::is_used(folder));
        let folder = used.or_else(|| stacks.iter().find(|folder| folder.exists()));
        let folder = folder.unwrap_or(&stacks[0]).clone();
        Ok(Self {
            stack: Stack::of_folder(&folder).filter(|_| folder.exists()),
            running: lock::look(&folder).is_some(),
            platform: settings.name(),
            holder: None,
            folder,
        })
    }

    /// Refuses a given name that no platform has; only [`Self::find`] accepts it, as the name of a platform to
    /// come.
    pub fn refuse_unknown(told: &Settings, dirs: &Dirs) -> Result<(), Error> {
        let wish = Wish { name: told.name.as_ref(), ..Wish::default() };
        if told.name.is_none() || told.data_dir.is_some() {
            return Ok(());
        }
        match Platforms::look(&dirs.state).choose(wish) {
            Err(error @ ChoiceError::Unknown { .. }) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Describes it as `platform 'team' (embedded, http://127.0.0.1:8000, data folder /…)`.
    pub fn describe(&self) -> String {
        let stack = self.stack.map_or_else(String::new, |stack| format!("{}, ", stack.as_str()));
        let url = self.holder.as_ref().map_or_else(String::new, |holder| format!("{}, ", holder.url()));
        format!("platform '{}' ({stack}{url}data folder {})", self.platform, self.folder.display())
    }

    /// Returns the time for which the certificate that its gateway shows is valid; `None` if no gateway has written one, or if it
    /// cannot be read.
    pub fn certificate(&self) -> Option<Validity> {
        let shown = read_own(&certificate_file(&self.folder)).ok()?;
        Validity::of(shown.first()?)
    }

    /// Returns the files of the certificate that the gateway was given, if it is running with TLS and they are known.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        let holder = self.holder.as_ref().filter(|holder| self.running && holder.tls)?;
        let (cert, key) = holder.tls_files.clone()?;
        Some(TlsFiles { cert, key })
    }

    /// Returns the reason why a running gateway cannot read its certificate anew, and uses the one that it has; `None` if it can.
    pub fn kept_certificate(&self) -> Option<PairError> {
        sources::check_tls(&self.tls_files()?).err()
    }

    /// Returns what is wrong with the certificate of a gateway with TLS, for the one who runs it.
    pub fn certificate_warnings(&self) -> Vec<String> {
        let trouble = self.certificate().and_then(|validity| validity.trouble(Timestamp::now()));
        let trouble = trouble.map(|trouble| format!("the certificate of the gateway {trouble}"));
        let kept = self.kept_certificate().map(|problem| {
            format!(
                "the gateway cannot read its certificate anew, and uses the one that it has: {}",
                problem.told()
            )
        });
        trouble.into_iter().chain(kept).collect()
    }

    /// Returns the command that starts it, in backticks.
    pub fn up(&self, state: Option<&std::path::Path>) -> String {
        match (Known::at(&self.folder), state) {
            (Some(known), Some(state)) => format!("`{}`", known.up(state)),
            _ => "`cloudfunc up` or `cloudfunc up --embedded`".to_owned(),
        }
    }

    /// Returns the SQLite file of this folder with its side files; empty if there is none.
    pub fn store_files(&self) -> Vec<PathBuf> {
        let store::Config::Sqlite { path } = StorePlace::DataDir.within(&self.folder) else {
            return Vec::new();
        };
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
        ["", "-wal", "-shm"].map(beside).into_iter().filter(|path| path.exists()).collect()
    }

    /// Returns the compose project that was started from this folder, if there is one.
    pub fn project(&self) -> Option<Project> {
        compose::was_used(&self.folder.join("compose")).then(|| self.named_project())
    }

    /// Returns the compose project of this folder, whether or not it was ever started.
    pub fn named_project(&self) -> Project {
        let folder = self.folder.join("compose");
        let name = compose::project(&folder).unwrap_or_else(|| format!("cloudfunc-{}", self.platform));
        Project { name, folder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Addresses;

    #[test]
    fn files_that_a_running_gateway_cannot_read_anew_are_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let addresses = Addresses { is_tls: true, ..Addresses::default() };
        let name: PlatformName = "team".parse().unwrap();
        let second = std::time::Duration::from_secs(1);
        let holder = Holder::new(name.clone(), Stack::Embedded, &addresses, second);
        let place = |running, tls_files| LocalPlatform {
            folder: folder.path().to_owned(),
            platform: name.clone(),
            stack: None,
            running,
            holder: Some(Holder { tls_files, ..holder.clone() }),
        };
        let gone: Option<(PathBuf, PathBuf)> = Some(("/nowhere/c.pem".into(), "/nowhere/k.pem".into()));
        assert_eq!(
            place(true, gone.clone()).certificate_warnings(),
            [
                "the gateway cannot read its certificate anew, and uses the one that it has: cannot use the certificate file \
              /nowhere/c.pem: No such file or directory (os error 2)"
            ]
        );
        assert!(place(false, gone).certificate_warnings().is_empty(), "it does not run");
        assert!(place(true, None).certificate_warnings().is_empty(), "an older version says nothing");
    }

    #[test]
    fn a_failed_start_does_not_stand_in_front_of_a_platform_that_was_used() {
        let home = tempfile::tempdir().unwrap();
        let dirs = Dirs { config: home.path().join("config"), state: home.path().join("state") };
        for (stack, file) in [("compose", "token"), ("embedded", "manager-id")] {
            std::fs::create_dir_all(dirs.state.join(stack)).unwrap();
            std::fs::write(dirs.state.join(stack).join(file), "").unwrap();
        }
        let found = LocalPlatform::find(&Settings::default(), &Settings::default(), &dirs).unwrap();
        assert_eq!((found.stack, found.folder), (Some(Stack::Embedded), dirs.state.join("embedded")));
    }
}
