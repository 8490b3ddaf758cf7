//! The platform that a client talks to, and its token.
//!
//! `--url` > `CLOUDFUNC_URL` > the platform of this host that `--platform`, `CLOUDFUNC_PLATFORM` or
//! `CLOUDFUNC_DATA_DIR` names > `url` of `$XDG_CONFIG_HOME/cloudfunc/config.toml` > the platform chosen with
//! `platform use` > the only one that is running > the default address ([`super::platforms`]).
//!
//! A token is only sent to its own platform: a token that a file names together with a `url` is not used for
//! another address from a flag or the environment.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use url::Url;

use super::{
    BadToken, Dirs, NoHome, Token, Trust,
    platforms::{ChoiceError, Known, Platforms, Wish, same_place, shown},
};
use crate::{
    model::PlatformName,
    private_file::{Kind, Rule, Unread},
    toml_document::{Document, LocatedError},
};

/// The address of the gateway unless another one is given.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// The keys that `config.toml` may have: the client's settings at the top, the platform's in tables
/// ([`crate::settings::Settings`]).
pub const FILE_KEYS: [&str; 5] = ["url", "token_file", "ca", "platform", "languages"];

/// The settings of a client.
#[derive(Debug)]
pub struct Settings {
    pub url: Url,
    pub token: Option<Token>,
    /// The file that the token was read from, if `config.toml` names it.
    pub configured_token: Option<PathBuf>,
    /// The platform's own folder, if it is on this host: tokens and the logs of the roles.
    pub data_dir: Option<PathBuf>,
    /// The platform on this host that has this address.
    pub platform: Option<Known>,
    /// The address itself was given.
    pub is_url_given: bool,
    pub trust: Trust,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "'{text}', given by {origin}, is not the address of a platform; write it like {DEFAULT_URL}"
    )]
    BadUrl { text: String, origin: &'static str },
    #[error(
        "the address given by {origin} has more than a host and a path: {more}, which other users, logs and proxies would \
         see; write it like {DEFAULT_URL}, and give a token by CLOUDFUNC_TOKEN, or its file by --token-file"
    )]
    MoreThanUrl { more: &'static str, origin: &'static str },
    #[error(transparent)]
    BadToken(#[from] BadToken),
    #[error("the token file {path} is empty")]
    EmptyTokenFile { path: PathBuf },
    #[error(
        "the token file {path} has more or else than a token, which is one line of visible ASCII characters"
    )]
    BadTokenFile { path: PathBuf },
    /// The text is a token itself, and is not repeated.
    #[error("{origin} names a file, but a token was given; give a token itself by CLOUDFUNC_TOKEN")]
    TokenForFile { origin: &'static str },
    /// Without this error, another token would be sent than the one that was meant.
    #[error("{variable} is set and empty; unset it, or give it a {what}")]
    EmptyVariable { variable: &'static str, what: &'static str },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Refused(Unread),
    #[error(transparent)]
    File(#[from] LocatedError),
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    #[error("platform {} is not running", .0.describe())]
    NotRunning(Box<Known>),
}

/// The values from the command line, and access to the environment.
pub struct Given<'g> {
    pub url: Option<&'g str>,
    pub token_file: Option<&'g Path>,
    /// The value of `--ca`.
    pub ca: Option<&'g Path>,
    /// The value of `--platform` or its variable.
    pub platform: Option<&'g PlatformName>,
    /// Returns the value of a variable; an empty one counts as not set, but for those of a token.
    pub env: &'g dyn Fn(&str) -> Option<String>,
}

/// The keys of `config.toml` that a client reads.
#[derive(Debug, Default)]
struct File {
    url: Option<Url>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    /// `platform.name` and `platform.data_dir`, which are mainly for `up`.
    name: Option<PlatformName>,
    data_dir: Option<PathBuf>,
}

impl Given<'_> {
    /// Looks in all places in order.
    pub fn resolve(&self) -> Result<Settings, SettingsError> {
        let dirs = self.dirs();
        let file = match &dirs {
            Ok(dirs) => read_file(&dirs.config_file())?,
            Err(_) => File::default(),
        };
        let known = dirs.as_ref().map(|dirs| Platforms::look(&dirs.state)).unwrap_or_default();
        let (url, platform, is_url_given) = self.place(&file, &known)?;
        let own = platform.as_ref().and_then(Known::certificate_file);
        let mut settings = Settings {
            url,
            token: None,
            configured_token: None,
            data_dir: None,
            platform,
            is_url_given,
            trust: Trust { ca: None, own },
        };
        let given = self.ca.map(Path::to_owned).or_else(|| self.env("CLOUDFUNC_CA").map(PathBuf::from));
        settings.trust.ca = given.or_else(|| settings.ca_of(&file));

        if self.token_file.is_none() {
            self.check_filled("CLOUDFUNC_TOKEN", "token")?;
            if self.env("CLOUDFUNC_TOKEN").is_none() {
                self.check_filled("CLOUDFUNC_TOKEN_FILE", "file with a token")?;
            }
        }
        let given = || self.env("CLOUDFUNC_TOKEN_FILE").map(PathBuf::from);
        let text = self.env("CLOUDFUNC_TOKEN").filter(|_| self.token_file.is_none());
        if let Some(text) = text {
            settings.token = Some(Token::new(&text)?);
            return Ok(settings);
        }
        let (path, is_given) = match self.token_file.map(Path::to_owned).or_else(given) {
            Some(path) => (Some(path), true),
            // If the file does not exist, the platform was never started, which the connection error explains
            // better.
            None => {
                settings.configured_token = settings.token_file_of(&file);
                (settings.usual_token_file(dirs.ok()), false)
            }
        };
        if is_given && path.as_ref().is_some_and(|path| is_token(path)) {
            let is_flag = self.token_file.is_some();
            let origin = if is_flag { "--token-file" } else { "CLOUDFUNC_TOKEN_FILE" };
            return Err(SettingsError::TokenForFile { origin });
        }
        if let Some(path) = path {
            settings.token = read_token(&path, is_given)?;
            settings.data_dir = path.parent().map(Path::to_owned);
        }
        Ok(settings)
    }

    /// Returns the address, the platform on this host that has it, and whether the address itself was given.
    fn place(
        &self,
        file: &File,
        known: &Platforms,
    ) -> Result<(Url, Option<Known>, bool), SettingsError> {
        let at = |url: Url| {
            let platform = known.at_url(&url).cloned();
            (url, platform, true)
        };
        if let Some(url) = self.given_url()? {
            return Ok(at(url));
        }
        let data_dir = self.env("CLOUDFUNC_DATA_DIR").map(PathBuf::from);
        let is_told = self.platform.is_some() || data_dir.is_some();
        if let Some(url) = file.url.clone().filter(|_| !is_told) {
            return Ok(at(url));
        }
        let wish = Wish {
            data_dir: data_dir.as_deref(),
            name: self.platform,
            usual_data_dir: file.data_dir.as_deref(),
            usual_name: file.name.as_ref(),
        };
        Ok(match known.choose(wish)? {
            Some(platform) => (platform.url.clone(), Some(platform), false),
            None => (parse_url(DEFAULT_URL, "default")?, None, false),
        })
    }

    /// Returns the address that a flag or a variable gives.
    pub fn given_url(&self) -> Result<Option<Url>, SettingsError> {
        Ok(match (self.url, self.env("CLOUDFUNC_URL")) {
            (Some(flag), _) => Some(parse_url(flag, "--url")?),
            (None, Some(env)) => Some(parse_url(&env, "CLOUDFUNC_URL")?),
            (None, None) => None,
        })
    }

    /// Returns the address that `config.toml` gives.
    pub fn url_of_file(&self) -> Result<Option<Url>, SettingsError> {
        Ok(read_file(&self.dirs()?.config_file())?.url)
    }

    /// Returns the folder of our state, as [`Dirs`] finds it.
    pub fn state_dir(&self) -> Result<PathBuf, SettingsError> {
        Ok(self.dirs()?.state)
    }

    fn dirs(&self) -> Result<Dirs, NoHome> {
        Dirs::from(|name| self.env(name).map(OsString::from)).or_else(|none| {
            let folder = self.env("CLOUDFUNC_DATA_DIR").map(PathBuf::from);
            folder.map(|folder| Dirs { config: folder.clone(), state: folder }).ok_or(none)
        })
    }

    /// Refuses a variable that has no value: a script that found no token must not go on with another one.
    fn check_filled(&self, variable: &'static str, what: &'static str) -> Result<(), SettingsError> {
        match (self.env)(variable) {
            Some(value) if value.is_empty() => Err(SettingsError::EmptyVariable { variable, what }),
            _ => Ok(()),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }
}

impl Settings {
    /// Returns the token file that `config.toml` names, if it is for this address.
    fn token_file_of(&self, file: &File) -> Option<PathBuf> {
        file.token_file.clone().filter(|_| self.is_of(file))
    }

    /// Returns the file of authorities that `config.toml` names, if it is for this address.
    fn ca_of(&self, file: &File) -> Option<PathBuf> {
        file.ca.clone().filter(|_| self.is_of(file))
    }

    /// Returns whether what `config.toml` says is for this address.
    fn is_of(&self, file: &File) -> bool {
        file.url.as_ref().is_none_or(|own| *own == self.url)
    }

    /// Returns the token file where no flag and no variable names one.
    fn usual_token_file(&self, dirs: Option<Dirs>) -> Option<PathBuf> {
        let of_platform = || self.platform.as_ref().map(Known::token_file);
        let default = || {
            let is_default = same_place(&self.url, &parse_url(DEFAULT_URL, "default").ok()?);
            Some(dirs?.state.join("compose/token")).filter(|_| is_default)
        };
        self.configured_token.clone().or_else(of_platform).or_else(default)
    }

    /// Refuses a platform that is not running: another program may have its port now, so nothing is sent there.
    pub fn must_run(self) -> Result<Self, SettingsError> {
        match self.platform {
            Some(platform) if !platform.is_running && !self.is_url_given => {
                Err(SettingsError::NotRunning(Box::new(platform)))
            }
            _ => Ok(self),
        }
    }

    /// Describes it as `platform 'team' (embedded, http://127.0.0.1:8000, data folder /…)`, or by its address
    /// only.
    pub fn describe(&self) -> String {
        match &self.platform {
            Some(platform) => format!("platform {}", platform.describe()),
            None => format!("the platform at {}", shown(&self.url)),
        }
    }
}

/// The most bytes of a file with a token: one of a provider (JWT) has up to 16 KiB.
const MAX_TOKEN_FILE: usize = 17 * 1024;
/// The most bytes of `config.toml`.
const MAX_CONFIG: usize = 1024 * 1024;

/// Reads the token of a file; `None` if the file is missing and it was not given by a flag or a variable.
fn read_token(path: &Path, is_given: bool) -> Result<Option<Token>, SettingsError> {
    let rule = if is_given { Rule::GivenOrPipe } else { Rule::Given };
    match (Kind { what: "the token file", rule, limit: MAX_TOKEN_FILE }).read_text(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(SettingsError::EmptyTokenFile { path: path.to_owned() })
        }
        Ok(text) => match Token::new(&text) {
            Ok(token) => Ok(Some(token)),
            Err(BadToken) => Err(SettingsError::BadTokenFile { path: path.to_owned() }),
        },
        Err(error) if error.is_missing() && !is_given => Ok(None),
        Err(error) => Err(unread(error)),
    }
}

/// Returns whether a path that leads to no file is a token, or a signed one of a provider (a JWT).
fn is_token(path: &Path) -> bool {
    let text = path.to_str().unwrap_or_default();
    let is_long = text.len() >= 40 && (text.starts_with("cf_") || text.starts_with("eyJ"));
    is_long && !path.exists()
}

/// Reads a `config.toml`, which says what commands do, and to whom they send a token.
pub fn read_config(path: &Path) -> Result<String, Unread> {
    Kind { what: "the file", rule: Rule::Settings, limit: MAX_CONFIG }.read_text(path)
}

fn unread(error: Unread) -> SettingsError {
    match error {
        Unread::Io { path, source, .. } => SettingsError::Read { path, source },
        refused => SettingsError::Refused(refused),
    }
}

/// Reads the file; an absent file counts as an empty one.
fn read_file(path: &Path) -> Result<File, SettingsError> {
    let text = match read_config(path) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(File::default()),
        Err(error) => return Err(unread(error)),
    };
    let name = path.display().to_string();
    let document = Document::parse(&text, &name)?;
    let root = document.root();
    root.only(&FILE_KEYS)?;
    let mut file = File::default();
    if let Some(field) = root.get("url") {
        file.url =
            Some(field.parsed(&format!("\"{DEFAULT_URL}\""), |text| parse_url(text, "this file"))?);
    }
    // A path is relative to the file that names it.
    let beside = |name: &str| path.parent().unwrap_or(Path::new("")).join(name);
    if let Some(field) = root.get("token_file") {
        file.token_file = Some(beside(field.string("\"token\"")?));
    }
    if let Some(field) = root.get("ca") {
        file.ca = Some(beside(field.string("\"ca.pem\"")?));
    }
    if let Some(field) = root.get("platform") {
        let platform = field.section()?;
        if let Some(field) = platform.get("name") {
            file.name = Some(field.parsed("\"default\"", str::parse)?);
        }
        if let Some(field) = platform.get("data_dir") {
            file.data_dir = Some(field.string("\"/var/lib/cloudfunc\"")?.into());
        }
    }
    Ok(file)
}

/// Parses an `http` or `https` URL and makes its path end in `/`, so that routes can be appended.
fn parse_url(text: &str, origin: &'static str) -> Result<Url, SettingsError> {
    let bad = || SettingsError::BadUrl { text: without_secrets(text).to_owned(), origin };
    let mut url = Url::parse(text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad());
    }
    // They may be a token or a password, and are not shown.
    let more = if !url.username().is_empty() || url.password().is_some() {
        Some("a user or a password")
    } else if url.query().is_some() {
        Some("a query")
    } else if url.fragment().is_some() {
        Some("a fragment")
    } else {
        None
    };
    if let Some(more) = more {
        return Err(SettingsError::MoreThanUrl { more, origin });
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Returns what of a text that may be an address is fit to be shown: no user, password, query or fragment.
fn without_secrets(text: &str) -> &str {
    let start = text.split(['?', '#']).next().unwrap_or_default();
    start.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
