//! The platform that commands talk to, and what the CLI remembers between two commands.

use std::{
    cell::OnceCell,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use tempfile::NamedTempFile;
use url::Url;

use super::{Error, Output, settings::PlaceArgs};
use crate::{
    client::{self, Client},
    model::{InvocationId, InvocationRef, PlatformName, api::Page, code, id::InvalidId},
    place::{
        client::{Given, Settings, SettingsError},
        platforms::Platforms,
    },
};

/// The options that choose the platform.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Option<String>,
    pub token_file: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    pub platform: Option<PlatformName>,
    /// The platform that was asked, for error messages.
    asked: OnceCell<String>,
    /// The source of the token that was sent.
    token_from: OnceCell<String>,
}

impl Target {
    pub fn new(
        url: Option<String>,
        token_file: Option<PathBuf>,
        ca: Option<PathBuf>,
        platform: Option<PlatformName>,
    ) -> Self {
        Self { url, token_file, ca, platform, asked: OnceCell::new(), token_from: OnceCell::new() }
    }

    pub fn settings(&self) -> Result<Settings, SettingsError> {
        self.given().resolve()
    }

    pub fn client(&self, out: &Output) -> Result<Client, Error> {
        let settings = self.settings()?.must_run().map_err(|error| {
            let hint = self.start(&error);
            let error = Error::from(error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        let token = if settings.token.is_some() { "a token" } else { "no token" };
        let asked = settings.describe();
        out.detail(&format!("asking {} ({asked}) with {token}", settings.url));
        let _ = self.asked.set(asked);
        if let Some(from) = self.token_from(&settings).filter(|_| settings.token.is_some()) {
            let _ = self.token_from.set(from);
        }
        Ok(Client::trusting(settings.url, settings.token, &settings.trust)?)
    }

    /// Returns whether the token that was sent was named: it may be for some functions only.
    pub fn names_token(&self) -> bool {
        self.token_from.get().is_some()
    }

    /// Returns the source of the token, if one was named.
    fn token_from(&self, settings: &Settings) -> Option<String> {
        if let Some(file) = &self.token_file {
            return Some(format!("--token-file {}", file.display()));
        }
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let variable = ["CLOUDFUNC_TOKEN", "CLOUDFUNC_TOKEN_FILE"].into_iter().find(is_set);
        let configured =
            || Some(format!("{}, as config.toml says", settings.configured_token.as_ref()?.display()));
        variable.map(str::to_owned).or_else(configured)
    }

    /// Returns advice on how to start a platform that is not running.
    fn start(&self, error: &SettingsError) -> Option<String> {
        let SettingsError::NotRunning(platform) = error else { return None };
        let state = self.state_dir()?;
        let others = Platforms::look(&state);
        let choose = others.running().next().map_or_else(String::new, |other| {
            format!(
                "; or talk to another one: --platform {} or `cloudfunc platform use {}`",
                other.name, other.name
            )
        });
        Some(format!("start it with `{}`{choose}", platform.up(&state)))
    }

    /// Adds to an error of the platform, or of the connection to it, which platform was asked.
    pub fn explain(&self, error: Error) -> Error {
        let Some(asked) = self.asked.get() else { return error };
        let cause = error.reason.as_ref().and_then(|reason| reason.downcast_ref::<client::Error>());
        let refused = match cause {
            Some(client::Error::Problem(problem)) => Some(problem.status),
            _ => None,
        };
        let is_about_it = match cause {
            Some(
                client::Error::NotReachable { .. }
                | client::Error::Lost { .. }
                | client::Error::Tls { .. },
            ) => asked.starts_with("platform "),
            Some(client::Error::Problem(problem)) => matches!(problem.status, 401 | 403),
            Some(client::Error::Protocol(_)) => true,
            Some(client::Error::Authorities(_) | client::Error::Client(_)) | None => false,
        };
        // The platform's own advice comes first, but for how to send a token.
        let error = Error { hint: error.hint.as_deref().map(in_our_words), ..error };
        let advice = error.hint.as_ref().filter(|hint| !hint.starts_with("send 'Authorization"));
        let advice = advice.map_or_else(String::new, |hint| format!("{hint}; "));
        let error = match (refused, self.token_from.get()) {
            (Some(401), Some(from)) => error.hint(format!(
                "{advice}the token is that of {from}: without it commands send the token of a platform of this machine by \
                 themselves"
            )),
            (Some(403), Some(from)) => error.hint(format!("{advice}the token is that of {from}")),
            _ => error,
        };
        if is_about_it { error.context(asked.clone()) } else { error }
    }

    /// Returns the address if one was given; that of the user's file counts only if nothing else chooses a
    /// platform.
    pub fn url(&self, told: &PlaceArgs) -> Result<Option<Url>, Error> {
        let given = self.given();
        let is_told = told.0.name.is_some() || told.0.data_dir.is_some();
        match given.given_url()? {
            Some(url) => Ok(Some(url)),
            None if is_told => Ok(None),
            None => Ok(given.url_of_file().unwrap_or_default()),
        }
    }

    pub fn state_dir(&self) -> Option<PathBuf> {
        self.given().state_dir().ok()
    }

    /// Makes `@last` refer to this invocation. A failure to do so does not fail the command.
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
        let (url, token_file) = (self.url.as_deref(), self.token_file.as_deref());
        let ca = self.ca.as_deref();
        Given { url, token_file, ca, platform: self.platform.as_ref(), env }
    }
}

/// Puts options of commands in the place of parameters of requests.
fn in_our_words(hint: &str) -> String {
    let parameters = [" (?force=true)", " (?function=NAME)", ", with ?function="];
    let hint = parameters.iter().fold(hint.to_owned(), |hint, parameter| hint.replace(parameter, ""));
    hint.replace("?function=", "--function ")
}

/// Writes the file atomically: two invocations at the same time must not mix their ids.
fn write(state: &Path, id: &str) -> std::io::Result<()> {
    fs::create_dir_all(state)?;
    let mut file = NamedTempFile::new_in(state)?;
    file.write_all(id.as_bytes())?;
    file.persist(state.join("last"))?;
    Ok(())
}

/// An invocation's id, a part of it, or `@last`.
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

/// Returns `None` in place of an answer that the token may not have.
pub fn permitted<T>(answer: Result<T, client::Error>) -> Result<Option<T>, client::Error> {
    match answer {
        Err(client::Error::Problem(problem)) if client::is(&problem, code::FORBIDDEN) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Returns the items of all pages.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;

    #[test]
    fn hints_speak_of_options_and_not_of_requests() {
        for (hint, expected) in [
            (
                "name one that it is for, with ?function=; it is for a_*, b",
                "name one that it is for; it is for a_*, b",
            ),
            (
                "name the function whose secret is meant: `--function NAME` (?function=NAME)",
                "name the function whose secret is meant: `--function NAME`",
            ),
            (
                "delete it all the same with `--force` (?force=true)",
                "delete it all the same with `--force`",
            ),
        ] {
            assert_eq!(in_our_words(hint), expected);
        }
    }

    #[test]
    fn only_what_is_forbidden_is_left_out() {
        let refused = |code| Err::<(), _>(client::Error::from(Problem::new(code, "x")));
        assert_eq!(permitted(refused(code::FORBIDDEN)).unwrap(), None);
        assert_eq!(permitted(Ok(7)).unwrap(), Some(7));
        assert!(permitted(refused(code::UNAUTHORIZED)).is_err());
    }
}
