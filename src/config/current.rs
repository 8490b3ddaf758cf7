//! `current.toml`: which platform of this user is up, for commands that are told nothing else.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Dirs, FileError, file,
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

/// None when no platform is up.
pub fn read(dirs: &Dirs) -> Result<Option<Current>, FileError> {
    let path = path(dirs);
    Ok(if path.exists() { Some(file::read(&path)?) } else { None })
}

/// The last one to start is the current one.
pub fn write(dirs: &Dirs, current: &Current) -> Result<(), StateError> {
    write_private(&path(dirs), &toml::to_string(current).expect("plain data"))
}

/// Unless another platform has become the current one meanwhile.
pub fn remove(dirs: &Dirs, own: &Current) {
    if read(dirs).is_ok_and(|current| current.as_ref() == Some(own)) {
        let _ = fs::remove_file(path(dirs));
    }
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
        assert_eq!(read(&dirs).unwrap(), None);
        write(&dirs, &one).unwrap();
        write(&dirs, &other).unwrap();
        remove(&dirs, &one);
        assert_eq!(read(&dirs).unwrap(), Some(other.clone()));
        remove(&dirs, &other);
        assert_eq!(read(&dirs).unwrap(), None);
    }
}
