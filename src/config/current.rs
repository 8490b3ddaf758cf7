//! `current.toml`: which platform of this user is up, for commands that are told nothing else
//! ([`super::client`] reads it).

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Dirs,
    state::{StateError, write_private},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Of the gateway.
    pub url: String,
    pub token_file: PathBuf,
}

fn path(dirs: &Dirs) -> PathBuf {
    dirs.state.join("current.toml")
}

/// The last one to start is the current one.
pub fn write(dirs: &Dirs, current: &Current) -> Result<(), StateError> {
    write_private(&path(dirs), &toml::to_string(current).expect("plain data"))
}

/// Unless another platform has become the current one meanwhile.
pub fn remove(dirs: &Dirs, own: &Current) {
    if read(dirs).as_ref() == Some(own) {
        let _ = fs::remove_file(path(dirs));
    }
}

/// The data folder of the platform that is up, for commands that are told no other.
pub fn data_dir(dirs: &Dirs) -> Option<PathBuf> {
    read(dirs)?.token_file.parent().map(PathBuf::from)
}

fn read(dirs: &Dirs) -> Option<Current> {
    toml::from_str(&fs::read_to_string(path(dirs)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_entry_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs { config: dir.path().join("c"), state: dir.path().join("s") };
        let one = Current { url: "http://127.0.0.1:8000".to_owned(), token_file: "/a/token".into() };
        let other = Current { url: "http://127.0.0.1:8001".to_owned(), token_file: "/b/token".into() };
        assert_eq!(read(&dirs), None);
        write(&dirs, &one).unwrap();
        write(&dirs, &other).unwrap();
        remove(&dirs, &one);
        assert_eq!(read(&dirs), Some(other.clone()));
        remove(&dirs, &other);
        assert_eq!(read(&dirs), None);
    }
}
