//! Where this user's files are, after the XDG base directory specification.

use std::{ffi::OsString, path::PathBuf};

/// Our folders. They need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    /// `$XDG_CONFIG_HOME/cloudfunc`: what the user writes.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/cloudfunc`: what we keep.
    pub state: PathBuf,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither {0} nor HOME names a folder, so there is no place for cloudfunc's files")]
pub struct NoHome(&'static str);

impl Dirs {
    /// Of this process.
    pub fn from_env() -> Result<Self, NoHome> {
        Self::from(|name| std::env::var_os(name))
    }

    /// Relative paths are ignored, as the specification says.
    pub fn from(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let under = |name, fallback| {
            folder(name)
                .or_else(|| folder("HOME").map(|home| home.join(fallback)))
                .map(|base| base.join("cloudfunc"))
                .ok_or(NoHome(name))
        };
        Ok(Self {
            config: under("XDG_CONFIG_HOME", ".config")?,
            state: under("XDG_STATE_HOME", ".local/state")?,
        })
    }

    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
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

        assert_eq!(dirs(&[("XDG_STATE_HOME", "/s")]), Err(NoHome("XDG_CONFIG_HOME")));
    }
}
