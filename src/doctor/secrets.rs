//! Reads the file of the keys of secrets, and makes none.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::judge::secrets::{Facts, Keys};
use crate::keyring::{Keyring, KeyringError};

/// Gathers the facts, but for the keys that a running platform misses. `given` is the file of the settings; `default` the one in the data folder, which counts without it.
pub fn gather(given: Option<&Path>, default: PathBuf, has_other_hosts: bool) -> Facts {
    let path = given.map_or(default, Path::to_owned);
    let read = match given {
        Some(path) => Keyring::read(path).map(Some),
        None => Keyring::look(&path),
    };
    Facts {
        path: path.display().to_string(),
        has_other_hosts,
        keys: keys(read),
        missing: BTreeMap::new(),
    }
}

fn keys(read: Result<Option<Keyring>, KeyringError>) -> Keys {
    match read {
        Ok(None) => Keys::None,
        Ok(Some(keyring)) => Keys::Found(keyring.ids().into_iter().map(|id| id.to_string()).collect()),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Keys::Refused { why: format!("{error}{}", source.unwrap_or_default()), hint: error.hint() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_file_is_looked_at_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-key");
        let look = |given| gather(given, path.clone(), false).keys;
        assert_eq!(look(None), Keys::None);
        assert!(!path.exists());
        let Keys::Refused { why, .. } = look(Some(path.as_path())) else { panic!("it was named") };
        let missing = "No such file or directory (os error 2)";
        assert_eq!(why, format!("cannot use the file of secret keys {}: {missing}", path.display()));
        let made = Keyring::read_or_make(&path).unwrap();
        assert_eq!(look(None), Keys::Found(vec![made.newest().to_string()]));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(look(None), Keys::Refused { .. }));
    }
}
