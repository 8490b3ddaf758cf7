//! The passwords of the compose services: random, made at the first `up`, kept in `compose/.env` (0600), where
//! a manual `docker compose` finds them too.
//!
//! A database keeps the password with which it was created. So the file, once written, decides; the environment
//! counts only when the file is made.

use std::{collections::BTreeMap, fs, path::Path};

use url::Url;

use crate::{
    error::{Error, Exit},
    model::SecretUrl,
    place::{
        Unread,
        state::{StateError, random_hex, read_secret, write_private},
    },
    queue, store,
};

const FILE: &str = ".env";
const PROJECT: &str = "COMPOSE_PROJECT_NAME";

/// The variables in the file, each with its default; an empty default stands for a random text.
const VARIABLES: [(&str, &str); 5] = [
    ("POSTGRES_USER", "cloudfunc"),
    ("POSTGRES_PASSWORD", ""),
    ("POSTGRES_DB", "cloudfunc"),
    ("RABBITMQ_USER", "cloudfunc"),
    ("RABBITMQ_PASSWORD", ""),
];

/// Variables of the compose file. `Debug` is not derived because some of them are passwords.
#[derive(Clone, PartialEq)]
pub struct Credentials(BTreeMap<String, String>);

impl Credentials {
    /// Reads the file, or makes it; one that other users can read, or that is another user's, is refused. `volumes` says whether data of this project already exist. Also returns
    /// notes for the user.
    pub fn load(
        folder: &Path,
        project: &str,
        environment: impl Fn(&str) -> Option<String>,
        volumes: bool,
    ) -> Result<(Self, Vec<String>), Error> {
        let path = folder.join(FILE);
        let Some(kept) = read(folder)? else {
            return Self::make(&path, project, environment, volumes);
        };
        if kept.get(PROJECT).is_some_and(|other| other != project) {
            let other = &kept[PROJECT];
            let message = format!("the folder {} belongs to compose project {other}", folder.display());
            return Err(Error::usage(message).hint("choose another folder with --data-dir DIR"));
        }
        let mut notes = Vec::new();
        for (variable, _) in VARIABLES {
            let Some(value) = kept.get(variable) else {
                let message = format!("{} does not say {variable}", path.display());
                return Err(Error::usage(message)
                    .hint("add it; or remove the file and the data with `cloudfunc down --volumes`"));
            };
            if environment(variable).is_some_and(|given| given != *value) {
                notes.push(format!(
                    "{variable} of the environment is ignored: the data were made with the one in {} \
                     (`cloudfunc down --volumes` removes both)",
                    path.display()
                ));
            }
        }
        Ok((Self(kept), notes))
    }

    fn make(
        path: &Path,
        project: &str,
        environment: impl Fn(&str) -> Option<String>,
        volumes: bool,
    ) -> Result<(Self, Vec<String>), Error> {
        let given = |variable: &str| environment(variable).filter(|value| !value.is_empty());
        if volumes && ["POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"].iter().any(|v| given(v).is_none()) {
            let message = format!(
                "data of compose project {project} are there, but not their passwords ({} is missing)",
                path.display()
            );
            return Err(Error::usage(message).hint(
                "use the --data-dir that they were made with, another --platform, or set \
                 POSTGRES_PASSWORD and RABBITMQ_PASSWORD; `cloudfunc down --volumes` deletes the data",
            ));
        }
        let mut variables = BTreeMap::from([(PROJECT.to_owned(), project.to_owned())]);
        for (variable, default) in VARIABLES {
            let made = if default.is_empty() { random_hex() } else { default.to_owned() };
            let value = given(variable).unwrap_or(made);
            if value.contains(char::is_control) {
                return Err(Error::usage(format!("{variable} holds a control character")));
            }
            variables.insert(variable.to_owned(), value);
        }
        let text: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_private(path, &text).map_err(|error| Error::new(Exit::Platform, error))?;
        Ok((Self(variables), Vec::new()))
    }

    /// Returns the variables for the environment of compose.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn get(&self, variable: &str) -> &str {
        self.0.get(variable).map_or("", String::as_str)
    }
}

fn exposed(error: StateError) -> Error {
    let hint = match &error {
        StateError::Secret(unread @ Unread::Open { .. }) => {
            unread.hint("set other passwords in Postgres and RabbitMQ, and in this file")
        }
        _ => "choose another folder with --data-dir DIR".to_owned(),
    };
    Error::new(Exit::Caller, error).hint(hint)
}

/// Removes the file; called after the data were removed.
pub fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(FILE));
}

/// Returns the name of the project that was started from this folder.
pub fn project(folder: &Path) -> Option<String> {
    // Not a secret, and needed to stop the services, even if others have read the passwords.
    parse(&fs::read_to_string(folder.join(FILE)).ok()?).remove(PROJECT)
}

fn read(folder: &Path) -> Result<Option<BTreeMap<String, String>>, Error> {
    let path = folder.join(FILE);
    match read_secret(&path) {
        Err(StateError::Secret(unread)) if unread.is_missing() => Ok(None),
        Err(StateError::Secret(Unread::Io { source, .. })) => {
            Err(Error::platform(format!("cannot read {}: {source}", path.display())))
        }
        Err(error) => Err(exposed(error)),
        Ok(text) => Ok(Some(parse(&text))),
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect()
}

/// Returns the addresses of the compose services on these ports.
pub fn urls(credentials: &Credentials, postgres: u16, rabbitmq: u16) -> (store::Config, queue::Config) {
    let with = |base: &str, port, user, password| {
        let mut url = Url::parse(base).expect("a constant");
        let whole = url.set_port(Some(port)).is_ok()
            && url.set_username(credentials.get(user)).is_ok()
            && url.set_password(Some(credentials.get(password))).is_ok();
        assert!(whole, "a URL with a host takes port, user and password");
        url
    };
    let mut store = with("postgres://127.0.0.1", postgres, "POSTGRES_USER", "POSTGRES_PASSWORD");
    store.path_segments_mut().expect("it has a host").push(credentials.get("POSTGRES_DB"));
    let queue = with("amqp://127.0.0.1/%2f", rabbitmq, "RABBITMQ_USER", "RABBITMQ_PASSWORD");
    let secret = |url: Url| SecretUrl::new(url.as_str()).expect("made of a URL");
    (store::Config::Postgres { url: secret(store) }, queue::Config::RabbitMq { url: secret(queue) })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn they_are_made_once_and_then_the_file_decides() {
        let dir = tempfile::tempdir().unwrap();
        let user = |variable: &str| (variable == "POSTGRES_USER").then(|| "anna".to_owned());
        let (made, _) = Credentials::load(dir.path(), "cloudfunc-x", user, false).unwrap();
        assert_eq!(made.get("POSTGRES_USER"), "anna");
        assert_eq!(made.get("RABBITMQ_PASSWORD").len(), 64);
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let other = |variable: &str| (variable == "POSTGRES_USER").then(|| "berta".to_owned());
        let (kept, notes) = Credentials::load(dir.path(), "cloudfunc-x", other, true).unwrap();
        assert!(kept == made);
        assert!(notes[0].starts_with("POSTGRES_USER of the environment is ignored"), "{notes:?}");
        assert_eq!(project(dir.path()).as_deref(), Some("cloudfunc-x"));
    }

    #[test]
    fn a_file_that_is_not_for_this_user_alone_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let load = || Credentials::load(dir.path(), "cloudfunc-x", nothing, false);
        load().unwrap();
        let file = dir.path().join(FILE);
        for (mode, access) in [(0o640, "read"), (0o604, "read"), (0o602, "written")] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let error = load().err().unwrap();
            let said =
                format!("the file {} can be {access} by other users (mode {mode:o})", file.display());
            assert_eq!(error.chain(), [said]);
            let hint = format!(
                "`chmod 600 {}`; if others may have read it, set other passwords in Postgres and RabbitMQ, and in this file",
                file.display()
            );
            assert_eq!(error.hint, Some(hint));
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        load().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
            let said = format!("the file {} belongs to another user (uid 12345)", file.display());
            assert_eq!(load().err().unwrap().chain(), [said]);
        }
    }

    #[test]
    fn data_without_their_passwords_are_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let error = Credentials::load(dir.path(), "cloudfunc-x", nothing, true).err().unwrap();
        assert!(error.chain()[0].starts_with("data of compose project cloudfunc-x are there"));
    }

    #[test]
    fn a_folder_serves_one_project() {
        let dir = tempfile::tempdir().unwrap();
        Credentials::load(dir.path(), "cloudfunc-x", nothing, false).unwrap();
        let error = Credentials::load(dir.path(), "cloudfunc-y", nothing, false).err().unwrap();
        assert!(error.chain()[0].ends_with("belongs to compose project cloudfunc-x"), "{error:?}");
    }
}
