//! The place of the store: a given one, or the data folder, which is known later.

use std::{path::Path, str::FromStr};

use crate::store;

/// The file's name in the data folder.
const FILE: &str = "store.db";

/// A place, parsed from a text that [`store::Config`] accepts, or from `sqlite` alone.
#[derive(Clone, Debug)]
pub enum StorePlace {
    At(store::Config),
    /// An SQLite file in the data folder.
    DataDir,
}

impl FromStr for StorePlace {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "sqlite" {
            return Ok(Self::DataDir);
        }
        let parsed = text.parse().map(Self::At);
        parsed
            .map_err(|problem: String| format!("{problem}, or sqlite alone: a file in the data folder"))
    }
}

impl StorePlace {
    /// Returns the text from which it was parsed, with its password.
    pub(super) fn show(&self) -> String {
        match self {
            Self::At(store::Config::Postgres { url }) => url.expose().to_owned(),
            Self::At(store::Config::Sqlite { path }) => format!("sqlite:{}", path.display()),
            Self::DataDir => "sqlite".to_owned(),
        }
    }

    pub fn within(self, data_dir: &Path) -> store::Config {
        match self {
            Self::At(config) => config,
            Self::DataDir => store::Config::Sqlite { path: data_dir.join(FILE) },
        }
    }
}
