//! Reads settings from the user's `config.toml`.

use super::{Settings, SettingsError, table::settings};
use crate::{
    place::{Dirs, Unread, client, read_config},
    toml_document::{Document, LocatedError},
};

impl Settings {
    /// Reads the user's `config.toml`; an absent file counts as an empty one.
    pub fn of_user(dirs: &Dirs) -> Result<Self, SettingsError> {
        let path = dirs.config_file();
        match read_config(&path) {
            Ok(text) => Ok(Self::parse(&text, &path.display().to_string())?),
            Err(error) if error.is_missing() => Ok(Self::default()),
            Err(Unread::Io { path, source, .. }) => Err(SettingsError::Read { path, source }),
            Err(refused) => Err(SettingsError::Refused(refused)),
        }
    }

    pub(super) fn parse(text: &str, file: &str) -> Result<Self, LocatedError> {
        let document = Document::parse(text, file)?;
        let root = document.root();
        root.only(&client::FILE_KEYS)?;
        let mut read = Self::default();
        if let Some(platform) = root.get("platform") {
            let table = platform.section()?;
            let settings: Vec<_> = settings().collect();
            let keys: Vec<_> = settings.iter().map(|setting| setting.key()).collect();
            table.only(&keys.iter().map(String::as_str).collect::<Vec<_>>())?;
            for (setting, key) in settings.into_iter().zip(keys) {
                table.get(&key).map_or(Ok(()), |field| setting.read_field(&mut read, &field))?;
            }
        }
        if let Some(languages) = root.get("languages") {
            read.languages.read(&languages.section()?)?;
        }
        Ok(read)
    }
}
