//! `up.lock`: at most one `cloudfunc up` per data folder, and its identity. `<store>.lock`: a store that is a
//! file belongs either to one process whose queue is in its memory, or to any number of processes with a
//! broker. `manager.lock`: at most one manager per data folder.
//!
//! Only the kernel's lock counts: it is released when its process ends, for whatever reason, so a stale file
//! means nothing. The content only tells others which addresses to talk to.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{model::PlatformName, place::Addresses, place::Stack};

const NAME: &str = "up.lock";
/// The number of attempts to take a lock.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// The `up` that is running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub platform: PlatformName,
    pub gateway: SocketAddr,
    pub registry: SocketAddr,
    pub scheduler: SocketAddr,
    pub manager: SocketAddr,
    /// The maximum time that its stop takes, in seconds.
    pub stops_within: u64,
    /// The stack; `None` if an older version wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// The gateway's port for the addresses of functions alone, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<SocketAddr>,
    /// The ports of the gateway speak TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
    /// The files of the gateway's certificate and of its key, if it has them; `None` also if an older version wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_files: Option<(PathBuf, PathBuf)>,
}

impl Holder {
    /// Describes this process.
    pub fn new(
        platform: PlatformName,
        stack: Stack,
        addresses: &Addresses,
        stops_within: Duration,
    ) -> Self {
        Self {
            pid: std::process::id(),
            platform,
            stack: Some(stack),
            gateway: addresses.gateway,
            registry: addresses.registry,
            scheduler: addresses.scheduler,
            manager: addresses.manager,
            public: addresses.public,
            tls: addresses.is_tls,
            tls_files: None,
            stops_within: stops_within.as_secs(),
        }
    }

    pub fn addresses(&self) -> Addresses {
        Addresses {
            gateway: self.gateway,
            registry: self.registry,
            scheduler: self.scheduler,
            manager: self.manager,
            public: self.public,
            is_tls: self.tls,
        }
    }

    /// Returns the URL of the gateway.
    pub fn url(&self) -> String {
        format!("{}://{}", self.addresses().scheme(), reachable(self.gateway))
    }
}

/// Returns an address that can be reached: a listener on all addresses is reached through loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The lock of a data folder, held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the lock; `None` if it has not written its identity yet.
    #[error("the lock is held")]
    Held(Option<Box<Holder>>),
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
}

/// The lock of a store, held until dropped.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreLockError {
    #[error("the store {} is in use by {}", path.display(), user(*pid))]
    Used { path: PathBuf, pid: Option<u32> },
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
}

fn user(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "other processes".to_owned(),
        |pid| format!("process {pid}, which needs it alone"),
    )
}

impl StoreLock {
    /// Takes the lock; `alone` is for a queue in memory, which does not see what other processes put into the
    /// store.
    pub fn take(store: &Path, alone: bool) -> Result<Self, StoreLockError> {
        let path = store.with_added_extension("lock");
        let io = |source| StoreLockError::Io { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let mut file = open(&path).map_err(io)?;
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
                return Err(StoreLockError::Used { path: store.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let holder = if alone { std::process::id().to_string() } else { String::new() };
        file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// The lock of the manager in a data folder, held until dropped.
#[derive(Debug)]
pub struct ManagerLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum ManagerLockError {
    #[error(
        "a manager is already running in {}{}; a second one needs its own data folder (--data-dir)",
        folder.display(),
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held { folder: PathBuf, pid: Option<u32> },
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
}

impl ManagerLock {
    /// Takes the lock: a second manager in the same folder would remove the sandboxes of the first one.
    pub fn take(folder: &Path) -> Result<Self, ManagerLockError> {
        let path = folder.join("manager.lock");
        let io = |source| ManagerLockError::Io { path: path.clone(), source };
        let mut file = open(&path).map_err(io)?;
        if !try_for_a_moment(&file).map_err(io)? {
            let pid = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
            return Err(ManagerLockError::Held { folder: folder.to_owned(), pid });
        }
        let pid = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// Opens the file without truncating it: until the lock is taken, the content belongs to another process.
fn open(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Tries to take a lock that others hold for an instant: `status`, which looks whether it is held, or a program that is
/// being started and has everything open that its parent has. Returns whether it was taken.
fn try_for_a_moment(file: &File) -> io::Result<bool> {
    for attempt in 1..=ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(source),
        }
    }
    Ok(false)
}

/// Takes the lock of a data folder.
pub fn take(folder: &Path, holder: &Holder) -> Result<Lock, LockError> {
    let path = folder.join(NAME);
    let io = |source| LockError::Io { path: path.clone(), source };
    let mut file = open(&path).map_err(io)?;
    if !try_for_a_moment(&file).map_err(io)? {
        return Err(LockError::Held(read(&path).map(Box::new)));
    }
    let text = serde_json::to_string(holder).expect("plain data");
    file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(io)?;
    Ok(Lock { _file: file })
}

/// Returns the holder of the lock of a data folder: `None` if it is not held, `Some(None)` if the holder has
/// not written its identity.
pub fn look(folder: &Path) -> Option<Option<Holder>> {
    let path = folder.join(NAME);
    let file = File::open(&path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read(&path)),
        _ => None,
    }
}

/// Returns the last holder of the lock of a data folder.
pub fn last(folder: &Path) -> Option<Holder> {
    read(&folder.join(NAME))
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_belongs_to_one_or_is_shared() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("new/store.db");
        let refused = |alone| StoreLock::take(&store, alone).unwrap_err().to_string();
        let path = store.display();

        let alone = StoreLock::take(&store, true).unwrap();
        let pid = std::process::id();
        let expected = format!("the store {path} is in use by process {pid}, which needs it alone");
        assert_eq!([refused(true), refused(false)], [expected.clone(), expected]);
        drop(alone);
        let _shared = [StoreLock::take(&store, false).unwrap(), StoreLock::take(&store, false).unwrap()];
        assert_eq!(refused(true), format!("the store {path} is in use by other processes"));
    }

    #[test]
    fn a_second_manager_in_a_folder_is_refused_until_the_first_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let first = ManagerLock::take(dir.path()).unwrap();
        let expected = format!(
            "a manager is already running in {} (process {}); a second one needs its own data folder (--data-dir)",
            dir.path().display(),
            std::process::id()
        );
        assert_eq!(ManagerLock::take(dir.path()).unwrap_err().to_string(), expected);
        drop(first);
        ManagerLock::take(dir.path()).unwrap();
    }

    #[test]
    fn everywhere_is_reached_through_loopback() {
        assert_eq!(reachable("0.0.0.0:8000".parse().unwrap()), "127.0.0.1:8000".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:8000".parse().unwrap()), "10.0.0.1:8000".parse().unwrap());
    }

    #[test]
    fn the_address_of_a_gateway_with_tls_begins_with_https_and_an_older_version_says_nothing_of_it() {
        let addresses = Addresses {
            public: Some("0.0.0.0:8443".parse().unwrap()),
            is_tls: true,
            ..Addresses::default()
        };
        let holder = Holder::new("default".parse().unwrap(), Stack::Compose, &addresses, PAUSE);
        assert_eq!((holder.url().as_str(), holder.addresses()), ("https://127.0.0.1:8000", addresses));
        let plain = Holder { public: None, tls: false, ..holder.clone() };
        let text = serde_json::to_string(&plain).unwrap();
        assert!(!text.contains("tls") && !text.contains("public"), "{text}");
        let old: Holder = serde_json::from_str(&text).unwrap();
        assert_eq!((old.url().as_str(), old.public), ("http://127.0.0.1:8000", None));
        let files = Some(("/c.pem".into(), "/k.pem".into()));
        let with_files = Holder { tls_files: files, ..holder };
        let text = serde_json::to_string(&with_files).unwrap();
        assert_eq!(serde_json::from_str::<Holder>(&text).unwrap(), with_files);
    }

    #[test]
    fn the_second_one_learns_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let me = Holder::new("default".parse().unwrap(), Stack::Compose, &Addresses::default(), PAUSE);
        assert_eq!(look(dir.path()), None);

        let lock = take(dir.path(), &me).unwrap();
        assert_eq!(look(dir.path()), Some(Some(me.clone())));
        match take(dir.path(), &me).unwrap_err() {
            LockError::Held(holder) => assert_eq!(holder.as_deref(), Some(&me)),
            other => panic!("{other}"),
        }

        drop(lock);
        assert_eq!(look(dir.path()), None, "the file stays, the lock does not");
        take(dir.path(), &me).unwrap();
    }
}
