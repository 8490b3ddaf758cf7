//! What was recorded of one version on one stack, and how it is laid out for the new program.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use cloudfunc::{settings::Platform, store};
use serde_json::Value;

pub struct Fixture {
    folder: PathBuf,
    expected: Value,
}

/// The recorded function that was deleted: its records stay, its log went with it.
pub fn is_deleted(name: &str) -> bool {
    name == "doomed"
}

pub fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The folder of a version.
pub fn version(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name)
}

impl Fixture {
    /// `stack` is `sqlite` or `postgres`.
    pub fn open(name: &str, stack: &str) -> Self {
        let folder = version(name).join(stack);
        let expected = read(&folder.join("expected.json"));
        Self { folder, expected }
    }

    pub fn has_broker(&self) -> bool {
        self.folder.join("broker.json").exists()
    }

    pub fn broker(&self) -> Value {
        read(&self.folder.join("broker.json"))
    }

    /// Functions by their names, as `GET /v1/functions/{name}` answered.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of("functions")
    }

    /// Newest first.
    pub fn revisions(&self, name: &str) -> &Value {
        &self.expected["revisions"][name]
    }

    /// What had ended, by id: record, result and log as the old program answered.
    pub fn ended(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.of("ended")
    }

    /// Rows of async invocations on their way: id, function, state, attempt.
    pub fn left(&self) -> &[Value] {
        self.expected["left"].as_array().unwrap()
    }

    /// Invocations that have ended, which only the broker knows, and how: `json` or `raise`.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.of("outcomes").map(|(id, how)| (id, how.as_str().unwrap()))
    }

    /// How many async invocations there are.
    pub fn accepted(&self) -> u64 {
        let ended = self.ended().filter(|(_, told)| told["record"]["mode"] == "async").count();
        (ended + self.left().len() + self.outcomes().count()) as u64
    }

    fn of(&self, key: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.expected[key].as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The first host's data folder, and the store.
    pub fn lay(&self, platform: &Platform) {
        self.lay_folder("first", &platform.data_dir);
        self.lay_store(&platform.store);
    }

    pub fn lay_store(&self, store: &store::Config) {
        match store {
            store::Config::Sqlite { path } => {
                fs::copy(self.folder.join("store.db"), path).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
            }
            store::Config::Postgres { url } => {
                let mut psql = Command::new("psql");
                psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url.expose()]);
                let output = psql.arg("--file").arg(self.folder.join("store.sql")).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    /// The data folder of a host, `first` or `second`. Git keeps no modes.
    pub fn lay_folder(&self, host: &str, to: &Path) {
        fs::DirBuilder::new().mode(0o700).create(to).unwrap();
        for entry in fs::read_dir(self.folder.join(host)).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}
