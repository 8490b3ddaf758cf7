//! Where a client finds the platform and its token.
//!
//! Flag > environment > `$XDG_CONFIG_HOME/cloudfunc/config.toml` > the platform that `cloudfunc up` last
//! made ready here (`$XDG_STATE_HOME/cloudfunc/current.toml`) > the default address. The two files
//! have the keys `url` and `token_file`.
//!
//! A token is only sent where it belongs: one that stands in a file beside a `url` is not used for
//! another address that a flag or the environment gives.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use url::Url;

use super::document::{Document, LocatedError};

/// Where the gateway listens unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// What `config.toml` may say: the client's settings on top, the platform's in a table
/// ([`super::Settings`]).
pub const FILE_KEYS: [&str; 3] = ["url", "token_file", "platform"];

/// What a client needs to know.
#[derive(Debug)]
pub struct Settings {
    pub url: Url,
    pub token: Option<Token>,
    /// The platform's own folder, when it is on this host: tokens and the logs of the roles.
    pub data_dir: Option<PathBuf>,
}

/// A bearer token; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// White space around it (a file's last newline) is not part of it.
    pub fn new(text: &str) -> Result<Self, SettingsError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsError::BadToken);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("'{text}', given by {origin}, is no address of a platform; it looks like {DEFAULT_URL}")]
    BadUrl { text: String, origin: &'static str },
    #[error("a token is one line of visible ASCII characters")]
    BadToken,
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] LocatedError),
    #[error("neither XDG_STATE_HOME nor HOME is set")]
    NoHome,
}

/// What was given on the command line, and how to look at the environment.
pub struct Given<'g> {
    pub url: Option<&'g str>,
    pub token_file: Option<&'g Path>,
    /// The value of a variable; an empty one counts as not set.
    pub env: &'g dyn Fn(&str) -> Option<String>,
}

/// A file with the keys `url` and `token_file`.
#[derive(Debug, Default)]
struct File {
    url: Option<Url>,
    token_file: Option<PathBuf>,
}

impl Given<'_> {
    /// Looks everywhere in order.
    pub fn resolve(&self) -> Result<Settings, SettingsError> {
        let state = self.state_dir()?;
        let mut files = Vec::new();
        if let Some(config) = self.base_dir("XDG_CONFIG_HOME", ".config") {
            files.push(read_file(&config.join("cloudfunc/config.toml"))?);
        }
        files.push(read_file(&state.join("current.toml"))?);
        files.push(File {
            url: Some(parse_url(DEFAULT_URL, "default")?),
            token_file: Some(state.join("compose/token")),
        });

        let given_url = match (self.url, self.env("CLOUDFUNC_URL")) {
            (Some(flag), _) => Some(parse_url(flag, "--url")?),
            (None, Some(env)) => Some(parse_url(&env, "CLOUDFUNC_URL")?),
            (None, None) => None,
        };
        let url = given_url.or_else(|| files.iter().find_map(|file| file.url.clone()));
        let url = url.expect("the last one has a URL");

        if let Some(path) = self.token_file {
            return Settings::with_token_file(url, path.to_owned(), true);
        }
        if let Some(text) = self.env("CLOUDFUNC_TOKEN") {
            return Ok(Settings { url, token: Some(Token::new(&text)?), data_dir: None });
        }
        if let Some(path) = self.env("CLOUDFUNC_TOKEN_FILE") {
            return Settings::with_token_file(url, path.into(), true);
        }
        let belongs = |file: &&File| file.url.as_ref().is_none_or(|own| *own == url);
        match files.iter().filter(belongs).find_map(|file| file.token_file.clone()) {
            // Not there: then the platform was never started, which the connection will tell better.
            Some(path) => Settings::with_token_file(url, path, false),
            None => Ok(Settings { url, token: None, data_dir: None }),
        }
    }

    /// `$XDG_STATE_HOME/cloudfunc`, by default `~/.local/state/cloudfunc`.
    pub fn state_dir(&self) -> Result<PathBuf, SettingsError> {
        let base = self.base_dir("XDG_STATE_HOME", ".local/state").ok_or(SettingsError::NoHome)?;
        Ok(base.join("cloudfunc"))
    }

    fn base_dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        // The XDG specification: a path that is not absolute is to be ignored.
        let given = self.env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| Some(PathBuf::from(self.env("HOME")?).join(below_home)))
    }

    fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }
}

impl Settings {
    fn with_token_file(url: Url, path: PathBuf, must_exist: bool) -> Result<Self, SettingsError> {
        let token = match fs::read_to_string(&path) {
            Ok(text) => Some(Token::new(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
            Err(source) => return Err(SettingsError::Read { path, source }),
        };
        Ok(Self { url, token, data_dir: path.parent().map(Path::to_owned) })
    }
}

/// An absent file is an empty one.
fn read_file(path: &Path) -> Result<File, SettingsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        Err(source) => return Err(SettingsError::Read { path: path.to_owned(), source }),
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
    if let Some(field) = root.get("token_file") {
        let token_file = field.string("\"token\"")?;
        // Relative to the file that names it.
        file.token_file = Some(path.parent().unwrap_or(Path::new("")).join(token_file));
    }
    Ok(file)
}

/// An `http` or `https` URL whose path ends in `/`, so that routes can be appended.
fn parse_url(text: &str, origin: &'static str) -> Result<Url, SettingsError> {
    let bad = || SettingsError::BadUrl { text: text.to_owned(), origin };
    let mut url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
        return Err(bad());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tempfile::TempDir;

    use super::*;

    /// A home folder with some files, and an environment.
    struct World {
        home: TempDir,
        env: BTreeMap<&'static str, String>,
    }

    impl World {
        fn new(files: &[(&str, &str)]) -> Self {
            let home = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = home.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let env = BTreeMap::from([("HOME", home.path().display().to_string())]);
            Self { home, env }
        }

        fn env(mut self, name: &'static str, value: &str) -> Self {
            self.env.insert(name, value.to_owned());
            self
        }

        fn resolve(&self, url: Option<&str>, token_file: Option<&str>) -> Result<Settings, String> {
            let token_file = token_file.map(|path| self.home.path().join(path));
            let env = |name: &str| self.env.get(name).cloned();
            let given = Given { url, token_file: token_file.as_deref(), env: &env };
            given.resolve().map_err(|error| error.to_string())
        }

        /// URL and token, as text.
        fn found(&self, url: Option<&str>, token_file: Option<&str>) -> (String, String) {
            let settings = self.resolve(url, token_file).unwrap();
            let token = settings.token.map_or("none".to_owned(), |token| token.expose().to_owned());
            (settings.url.to_string(), token)
        }
    }

    const STATE: &str = ".local/state/cloudfunc";
    const FILES: &[(&str, &str)] = &[
        (".config/cloudfunc/config.toml", "url = 'http://config:1'\ntoken_file = 'token'\n"),
        (".config/cloudfunc/token", "of-config\n"),
        (".local/state/cloudfunc/current.toml", "url = 'http://current:2'\ntoken_file = 'e/token'"),
        (".local/state/cloudfunc/e/token", "of-current\n"),
        (".local/state/cloudfunc/compose/token", "of-default\n"),
        ("mine", "of-flag\n"),
    ];

    fn pair(url: &str, token: &str) -> (String, String) {
        (url.to_owned(), token.to_owned())
    }

    #[test]
    fn the_sources_are_asked_in_order() {
        let default = World::new(&FILES[4..]);
        assert_eq!(default.found(None, None), pair("http://127.0.0.1:8000/", "of-default"));
        assert_eq!(
            default.resolve(None, None).unwrap().data_dir,
            Some(default.home.path().join(STATE).join("compose"))
        );
        let current = World::new(&FILES[2..]);
        assert_eq!(current.found(None, None), pair("http://current:2/", "of-current"));
        let config = World::new(FILES);
        assert_eq!(config.found(None, None), pair("http://config:1/", "of-config"));
        let env =
            World::new(FILES).env("CLOUDFUNC_URL", "http://env:3/base").env("CLOUDFUNC_TOKEN", "of-env");
        assert_eq!(env.found(None, None), pair("http://env:3/base/", "of-env"));
        assert_eq!(env.found(Some("http://flag:4"), Some("mine")), pair("http://flag:4/", "of-flag"));
    }

    #[test]
    fn a_token_of_a_file_is_not_sent_to_another_address() {
        let world = World::new(FILES);
        assert_eq!(world.found(Some("http://elsewhere:9"), None), pair("http://elsewhere:9/", "none"));
        assert_eq!(world.found(Some("http://current:2"), None), pair("http://current:2/", "of-current"));
    }

    #[test]
    fn a_platform_that_was_never_started_has_no_token() {
        let world = World::new(&[]).env("CLOUDFUNC_TOKEN", "");
        assert_eq!(world.found(None, None), pair("http://127.0.0.1:8000/", "none"));
    }

    #[test]
    fn bad_settings_are_named() {
        let world = World::new(&[(".config/cloudfunc/config.toml", "urll = 'x'")]);
        let file = world.home.path().join(".config/cloudfunc/config.toml");
        assert_eq!(
            world.resolve(None, None).unwrap_err(),
            format!("{}:1:1: unknown key `urll`; did you mean `url`?", file.display())
        );
        let world = World::new(&[("empty", "\n")]);
        assert_eq!(
            world.resolve(Some("localhost:8000"), None).unwrap_err(),
            "'localhost:8000', given by --url, is no address of a platform; it looks like http://127.0.0.1:8000"
        );
        let error = world.resolve(None, Some("nowhere")).unwrap_err();
        assert_eq!(error, format!("cannot read {}", world.home.path().join("nowhere").display()));
        let error = world.resolve(None, Some("empty")).unwrap_err();
        assert_eq!(error, "a token is one line of visible ASCII characters");
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(…)");
    }
}
