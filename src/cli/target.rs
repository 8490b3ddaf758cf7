//! Which platform the commands talk to, and what the CLI remembers between two commands.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use tempfile::NamedTempFile;

use super::{Error, Output};
use crate::{
    client::{self, Client},
    config::client::{Given, Settings, SettingsError},
    model::{InvocationId, InvocationRef, api::Page, id::InvalidId},
};

/// The options that say where the platform is.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Option<String>,
    pub token_file: Option<PathBuf>,
}

impl Target {
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        self.given().resolve()
    }

    pub fn client(&self, out: &Output) -> Result<Client, Error> {
        let settings = self.settings()?;
        let token = if settings.token.is_some() { "a token" } else { "no token" };
        out.detail(&format!("asking {} with {token}", settings.url));
        Ok(Client::new(settings.url, settings.token)?)
    }

    /// Makes `@last` mean this invocation. Not being able to is not worth failing an invocation for.
    pub fn remember(&self, id: InvocationId) {
        if let Ok(state) = self.given().state_dir() {
            let _ = write(&state, &id.to_string());
        }
    }

    pub fn invocation(&self, id: &IdArg) -> Result<InvocationRef, Error> {
        let IdArg::Named(id) = id else {
            let text = fs::read_to_string(self.given().state_dir()?.join("last"));
            return text.ok().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
                Error::usage("no invocation yet that @last could mean")
                    .hint("`cloudfunc invocation list` shows the platform's invocations")
            });
        };
        Ok(id.clone())
    }

    fn given(&self) -> Given<'_> {
        let env = &|name: &str| std::env::var(name).ok();
        Given { url: self.url.as_deref(), token_file: self.token_file.as_deref(), env }
    }
}

/// Whole or not at all: two invocations at once must not mix their ids.
fn write(state: &Path, id: &str) -> std::io::Result<()> {
    fs::create_dir_all(state)?;
    let mut file = NamedTempFile::new_in(state)?;
    file.write_all(id.as_bytes())?;
    file.persist(state.join("last"))?;
    Ok(())
}

/// An invocation's id or a part of it, or `@last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdArg {
    Last,
    Named(InvocationRef),
}

impl FromStr for IdArg {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "@last" { Ok(Self::Last) } else { text.parse().map(Self::Named) }
    }
}

/// The items of all pages.
pub async fn all<T>(
    mut page: impl AsyncFnMut(Option<String>) -> Result<Page<T>, client::Error>,
) -> Result<Vec<T>, client::Error> {
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let next = page(cursor.take()).await?;
        items.extend(next.items);
        match next.next {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}
