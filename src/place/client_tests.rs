//! Tests of the client's settings.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

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
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let env = BTreeMap::from([("HOME", home.path().display().to_string())]);
        Self { home, env }
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.insert(name, value.to_owned());
        self
    }

    /// Adds a platform that was started once, and whose lock is not held.
    fn platform(self, stack: &str, name: &str, port: u16) -> Self {
        let folder = self.home.path().join(STATE).join(stack);
        fs::create_dir_all(&folder).unwrap();
        let local = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = crate::place::Addresses { gateway: local(port), ..Default::default() };
        let stack = crate::place::Stack::of_folder(&folder).unwrap();
        let (name, second) = (name.parse().unwrap(), std::time::Duration::from_secs(1));
        let holder = crate::place::lock::Holder::new(name, stack, &addresses, second);
        drop(crate::place::lock::take(&folder, &holder).unwrap());
        let token = folder.join("token");
        fs::write(&token, format!("of-{}", holder.platform)).unwrap();
        fs::set_permissions(token, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn named(&self, platform: &str) -> Result<Settings, String> {
        let env = |name: &str| self.env.get(name).cloned();
        let name = platform.parse().unwrap();
        let given = Given { url: None, token_file: None, ca: None, platform: Some(&name), env: &env };
        given.resolve().map_err(|error| error.to_string())
    }

    fn resolve(&self, url: Option<&str>, token_file: Option<&str>) -> Result<Settings, String> {
        let token_file = token_file.map(|path| self.home.path().join(path));
        let env = |name: &str| self.env.get(name).cloned();
        let given =
            Given { url, token_file: token_file.as_deref(), ca: None, platform: None, env: &env };
        given.resolve().map_err(|error| error.to_string())
    }

    /// Returns URL and token as text.
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
    (".local/state/cloudfunc/compose/token", "of-default\n"),
    ("mine", "of-flag\n"),
];

fn pair(url: &str, token: &str) -> (String, String) {
    (url.to_owned(), token.to_owned())
}

#[test]
fn the_sources_are_asked_in_order() {
    let default = World::new(&FILES[2..]);
    assert_eq!(default.found(None, None), pair("http://127.0.0.1:8000/", "of-default"));
    assert_eq!(
        default.resolve(None, None).unwrap().data_dir,
        Some(default.home.path().join(STATE).join("compose"))
    );
    let known = World::new(&FILES[2..]).platform("embedded-team", "team", 2);
    assert_eq!(known.found(None, None), pair("http://127.0.0.1:2/", "of-team"));
    let config = World::new(FILES).platform("embedded-team", "team", 2);
    assert_eq!(config.found(None, None), pair("http://config:1/", "of-config"));
    let named = config.named("team").unwrap();
    assert_eq!(named.url.as_str(), "http://127.0.0.1:2/");
    assert_eq!(named.token, Some(Token::new("of-team").unwrap()));
    let env =
        World::new(FILES).env("CLOUDFUNC_URL", "http://env:3/base").env("CLOUDFUNC_TOKEN", "of-env");
    assert_eq!(env.found(None, None), pair("http://env:3/base/", "of-env"));
    assert_eq!(env.found(Some("http://flag:4"), Some("mine")), pair("http://flag:4/", "of-flag"));
}

#[test]
fn a_token_of_a_file_is_not_sent_to_another_address() {
    let world = World::new(FILES).platform("embedded-team", "team", 2);
    assert_eq!(world.found(Some("http://elsewhere:9"), None), pair("http://elsewhere:9/", "none"));
    assert_eq!(world.found(Some("http://127.0.0.1:2"), None), pair("http://127.0.0.1:2/", "of-team"));
    assert_eq!(world.found(Some("http://localhost:2"), None), pair("http://localhost:2/", "of-team"));
}

#[test]
fn a_platform_that_has_stopped_is_sent_nothing_unless_its_address_is_given() {
    let world = World::new(&[]).platform("embedded-team", "team", 2);
    let error = world.resolve(None, None).unwrap().must_run().unwrap_err().to_string();
    let folder = world.home.path().join(STATE).join("embedded-team");
    let folder = folder.display();
    assert_eq!(
        error,
        format!("platform 'team' (embedded, http://127.0.0.1:2, data folder {folder}) is not running")
    );
    world.resolve(Some("http://127.0.0.1:2"), None).unwrap().must_run().unwrap();
}

#[test]
fn a_data_folder_of_the_environment_is_a_choice_also_without_a_home() {
    let world = World::new(&[]).platform("embedded-a", "a", 2).platform("embedded-b", "b", 3);
    let folder = world.home.path().join(STATE).join("embedded-b").display().to_string();
    let mut world = world.env("CLOUDFUNC_DATA_DIR", &folder);
    world.env.remove("HOME");
    assert_eq!(world.found(None, None), pair("http://127.0.0.1:3/", "of-b"));
    let world = world.env("CLOUDFUNC_DATA_DIR", "/nowhere");
    assert_eq!(
        world.resolve(None, None).unwrap_err(),
        "no platform was ever started in the data folder /nowhere"
    );
    assert_eq!(world.found(Some("http://elsewhere:9"), None), pair("http://elsewhere:9/", "none"));
}

#[test]
fn a_platform_that_was_never_started_has_no_token() {
    let world = World::new(&[]);
    assert_eq!(world.found(None, None), pair("http://127.0.0.1:8000/", "none"));
}

#[test]
fn an_empty_variable_of_a_token_is_not_replaced_by_another_token() {
    let world = World::new(FILES).env("CLOUDFUNC_TOKEN", "");
    assert_eq!(
        world.resolve(None, None).unwrap_err(),
        "CLOUDFUNC_TOKEN is set and empty; unset it, or give it a token"
    );
    assert_eq!(world.found(None, Some("mine")).1, "of-flag");
    let world = World::new(FILES).env("CLOUDFUNC_TOKEN_FILE", "");
    assert_eq!(
        world.resolve(None, None).unwrap_err(),
        "CLOUDFUNC_TOKEN_FILE is set and empty; unset it, or give it a file with a token"
    );
    assert_eq!(world.env("CLOUDFUNC_TOKEN", "of-env").found(None, None).1, "of-env");
}

#[test]
fn a_token_in_place_of_its_file_is_not_repeated() {
    let token = format!("cf_{}", "x".repeat(43));
    let env = |_: &str| None;
    let given = Given {
        url: Some(DEFAULT_URL),
        token_file: Some(Path::new(&token)),
        platform: None,
        ca: None,
        env: &env,
    };
    let error = given.resolve().map_err(|error| error.to_string()).unwrap_err();
    assert_eq!(
        error,
        "--token-file names a file, but a token was given; give a token itself by CLOUDFUNC_TOKEN"
    );
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
        "'localhost:8000', given by --url, is not the address of a platform; write it like http://127.0.0.1:8000"
    );
    let error = world.resolve(Some("ada:secret@localhost:8000?token=secret"), None).unwrap_err();
    assert!(error.starts_with("'localhost:8000', given by --url, is not the address"), "{error}");
    for (url, more) in [
        ("http://host:1/?token=secret", "a query"),
        ("http://secret@host:1", "a user or a password"),
        ("http://:secret@host:1", "a user or a password"),
        ("http://host:1/#secret", "a fragment"),
    ] {
        assert_eq!(
            world.resolve(Some(url), None).unwrap_err(),
            format!(
                "the address given by --url has more than a host and a path: {more}, which other users, logs and proxies \
                 would see; write it like http://127.0.0.1:8000, and give a token by CLOUDFUNC_TOKEN, or its file by \
                 --token-file"
            )
        );
    }
    let error = world.resolve(None, Some("nowhere")).unwrap_err();
    assert_eq!(error, format!("cannot read {}", world.home.path().join("nowhere").display()));
    let error = world.resolve(None, Some("empty")).unwrap_err();
    assert_eq!(error, format!("the token file {} is empty", world.home.path().join("empty").display()));
}

#[test]
fn files_that_others_can_write_are_not_used() {
    for (name, what) in [("mine", "the token file"), (".config/cloudfunc/config.toml", "the file")] {
        let world = World::new(FILES);
        let path = world.home.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o606)).unwrap();
        assert_eq!(
            world.resolve(None, Some("mine")).unwrap_err(),
            format!("{what} {} can be written by other users (mode 606)", path.display())
        );
    }
}

#[test]
fn a_token_is_never_shown() {
    assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "Token(…)");
}

#[test]
fn authorities_come_from_a_flag_a_variable_or_the_file_and_there_for_its_address_alone() {
    let files = [(".config/cloudfunc/config.toml", "url = 'https://config:1'\nca = 'ca.pem'\n")];
    let world = World::new(&files);
    let ca = |world: &World, url: Option<&str>, flag: Option<&Path>| {
        let env = |name: &str| world.env.get(name).cloned();
        let given = Given { url, token_file: None, ca: flag, platform: None, env: &env };
        given.resolve().unwrap().trust.ca
    };
    let beside = world.home.path().join(".config/cloudfunc/ca.pem");
    assert_eq!(ca(&world, None, None), Some(beside.clone()));
    assert_eq!(ca(&world, Some("https://config:1/"), None), Some(beside));
    assert_eq!(ca(&world, Some("https://other:1"), None), None);
    let world = world.env("CLOUDFUNC_CA", "/of-env.pem");
    assert_eq!(ca(&world, Some("https://other:1"), None), Some("/of-env.pem".into()));
    assert_eq!(ca(&world, None, Some(Path::new("/of-flag.pem"))), Some("/of-flag.pem".into()));
}

#[test]
fn a_platform_of_this_host_is_known_by_the_certificate_in_its_data_folder() {
    let world = World::new(&[]);
    let folder = world.home.path().join(STATE).join("embedded");
    fs::create_dir_all(&folder).unwrap();
    let addresses = crate::place::Addresses { is_tls: true, ..Default::default() };
    let (stack, second) = (crate::place::Stack::Embedded, std::time::Duration::from_secs(1));
    let holder = crate::place::lock::Holder::new("default".parse().unwrap(), stack, &addresses, second);
    drop(crate::place::lock::take(&folder, &holder).unwrap());
    let own = Some(folder.join("tls-certificate.pem"));
    for url in [None, Some("https://127.0.0.1:8000"), Some("https://localhost:8000")] {
        let settings = world.resolve(url, None).unwrap();
        assert_eq!((settings.url.scheme(), &settings.trust.own), ("https", &own), "{url:?}");
    }
    for url in ["http://127.0.0.1:8000", "https://127.0.0.1:8001", "https://faas.example:8000"] {
        assert_eq!(world.resolve(Some(url), None).unwrap().trust.own, None, "{url}");
    }
}
