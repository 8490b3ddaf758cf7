//! The folders of this user's files, following the XDG base directory specification; for a systemd service, the
//! folders of its unit.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Our folders. They need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    /// `$XDG_CONFIG_HOME/cloudfunc`, `$CONFIGURATION_DIRECTORY` or `~/.config/cloudfunc`: files that the user
    /// writes.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/cloudfunc`, `$STATE_DIRECTORY` or `~/.local/state/cloudfunc`: files that we write.
    pub state: PathBuf,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "none of XDG_STATE_HOME, STATE_DIRECTORY and HOME names a folder, so there is no place for cloudfunc's files"
)]
pub struct NoHome;

impl Dirs {
    /// Reads the environment of this process. If it names no folder, everything is in the data folder, if one
    /// is given.
    pub fn from_env(data_dir: Option<&Path>) -> Result<Self, NoHome> {
        Self::from(|name| std::env::var_os(name)).or_else(|none| {
            let folder =
                data_dir.map(|given| std::path::absolute(given).unwrap_or_else(|_| given.into()));
            folder.map(|folder| Self { config: folder.clone(), state: folder }).ok_or(none)
        })
    }

    /// Finds the folders from these variables. Relative paths are ignored, as the specification says. If there
    /// is a folder for the state and none for the configuration, both are in the one for the state.
    pub fn from(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        let state =
            find(&variable, "XDG_STATE_HOME", "STATE_DIRECTORY", ".local/state").ok_or(NoHome)?;
        let config = find(&variable, "XDG_CONFIG_HOME", "CONFIGURATION_DIRECTORY", ".config");
        Ok(Self { config: config.unwrap_or_else(|| state.clone()), state })
    }

    /// Returns the folder of the user's caches from the environment of this process; none if it names no folder.
    pub fn caches() -> Option<PathBuf> {
        Self::caches_from(|name| std::env::var_os(name))
    }

    /// Finds the folder of the user's caches from these variables: `$XDG_CACHE_HOME/cloudfunc`, `$CACHE_DIRECTORY` or
    /// `~/.cache/cloudfunc`. Relative paths are ignored, as the specification says.
    pub fn caches_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        find(&variable, "XDG_CACHE_HOME", "CACHE_DIRECTORY", ".cache")
    }

    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

/// Returns the first folder of these three: the user's, that of a service of systemd, the one in the home.
fn find(
    variable: impl Fn(&str) -> Option<OsString>,
    xdg: &str,
    systemd: &str,
    below_home: &str,
) -> Option<PathBuf> {
    // systemd separates several folders by colons.
    let first = |path: PathBuf| {
        let text = path.to_str()?.split(':').next()?.to_owned();
        Some(PathBuf::from(text))
    };
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = folder(xdg).map(|base| base.join("cloudfunc"));
    let service = || folder(systemd).and_then(first);
    let home = || folder("HOME").map(|home| home.join(below_home).join("cloudfunc"));
    user.or_else(service).or_else(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(variables: &[(&str, &str)]) -> Result<Dirs, NoHome> {
        Dirs::from(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_base_folders_are_taken_from_the_environment_or_the_home() {
        let home = dirs(&[("HOME", "/home/a")]).unwrap();
        assert_eq!(home.state, PathBuf::from("/home/a/.local/state/cloudfunc"));
        assert_eq!(home.config_file(), PathBuf::from("/home/a/.config/cloudfunc/config.toml"));

        let given = dirs(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "c")]);
        let given = given.unwrap();
        assert_eq!(given.state, PathBuf::from("/s/cloudfunc"));
        assert_eq!(given.config, PathBuf::from("/home/a/.config/cloudfunc"), "relative: ignored");

        let alone = dirs(&[("XDG_STATE_HOME", "/s")]).unwrap();
        assert_eq!((alone.state, alone.config), ("/s/cloudfunc".into(), "/s/cloudfunc".into()));
        assert_eq!(dirs(&[("HOME", "relative")]), Err(NoHome));
    }

    #[test]
    fn caches_are_where_the_environment_or_the_home_has_them() {
        let caches = |variables: &[(&str, &str)]| {
            Dirs::caches_from(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let home = ("HOME", "/home/a");
        assert_eq!(caches(&[home]), Some("/home/a/.cache/cloudfunc".into()));
        assert_eq!(caches(&[home, ("XDG_CACHE_HOME", "/c")]), Some("/c/cloudfunc".into()));
        assert_eq!(
            caches(&[home, ("XDG_CACHE_HOME", "relative")]),
            Some("/home/a/.cache/cloudfunc".into())
        );
        assert_eq!(caches(&[("XDG_CACHE_HOME", "c")]), None);
    }

    #[test]
    fn a_service_of_systemd_keeps_its_state_where_its_unit_says() {
        let unit = [("HOME", "/home/a"), ("STATE_DIRECTORY", "/var/lib/cloudfunc:/var/lib/other")];
        let service = dirs(&unit).unwrap();
        assert_eq!(service.state, PathBuf::from("/var/lib/cloudfunc"));
        assert_eq!(service.config, PathBuf::from("/home/a/.config/cloudfunc"));
        let told = dirs(&[unit[1], ("XDG_STATE_HOME", "/s"), ("CONFIGURATION_DIRECTORY", "/etc/cf")]);
        assert_eq!(told, Ok(Dirs { config: "/etc/cf".into(), state: "/s/cloudfunc".into() }));
    }
}
