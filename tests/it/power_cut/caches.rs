//! What can be made anew and is found again after a power cut: unpacked bundles, and the roots of containers. The kernel may
//! have put the new name of a folder on disk, and nothing of what is in its files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use cloudfunc::client::Outcome;
use rustix::process::Signal;

use super::{ECHO, Platform};
use crate::support::{
    home::SOON,
    platform::{function, json},
};

/// The files below a folder that are no links, with their lengths.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (kind, name) = (entry.file_type().unwrap(), PathBuf::from(entry.file_name()));
        if kind.is_dir() {
            let inside = files(&entry.path()).into_iter();
            found.extend(inside.map(|(path, length)| (name.join(path), length)));
        } else if kind.is_file() {
            found.insert(name, entry.metadata().unwrap().len());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_a_power_cut_has_emptied_is_unpacked_again() {
    let platform = Platform::new();
    let (mut up, client) = platform.up("first", None).await;
    platform.home.deploy("echo", ECHO, "").await.ok();
    client.invoke(&function("echo"), json("1")).await.unwrap();
    up.signal(Signal::KILL);
    assert_eq!(up.ended(SOON).await, None);
    let cache = platform.data_dir().join("cache");
    let unpacked = files(&cache.join("bundles"));
    assert!(unpacked.keys().any(|path| path.ends_with("function.py")), "{unpacked:?}");
    for path in unpacked.keys() {
        fs::write(cache.join("bundles").join(path), "").unwrap();
    }
    let boot = fs::read_to_string(cache.join("boot")).unwrap();
    assert_eq!(boot, fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap());
    fs::write(cache.join("boot"), "an earlier one\n").unwrap();

    let (mut up, client) = platform.up("second", None).await;
    let answer = client.invoke(&function("echo"), json("2")).await.unwrap();
    assert!(matches!(&answer.outcome, Outcome::Value(body) if body.bytes == "2"), "{answer:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());
    platform.home.leave().await;
}

/// It is not made again after a reboot, so it has to be whole before it is called what it is looked for by.
#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_containers_is_on_disk_before_it_has_its_name() {
    let platform = Platform::new();
    let (mut up, client) = platform.up_with("oci", "first", Some(0)).await;
    platform.home.deploy("echo", ECHO, "").await.ok();
    let answer = client.invoke(&function("echo"), json("1")).await.unwrap();
    assert!(matches!(&answer.outcome, Outcome::Value(body) if body.bytes == "1"), "{answer:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0), "{}", up.stderr());

    let roots = fs::read_dir(platform.data_dir().join("runtime/roots")).unwrap();
    let roots: Vec<PathBuf> = roots.map(|entry| entry.unwrap().path()).collect();
    assert!(!roots.is_empty());
    for root in roots {
        // By the number of its inode, under which its last sync stands.
        let inode = fs::metadata(&root).unwrap().ino().to_string();
        let names = fs::read_dir(platform.disk.shadow().join("folders")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let of_root = names.filter(|name| name.split('.').next() == Some(inode.as_str())).max();
        let of_root = of_root.unwrap_or_else(|| panic!("{} was never synced", root.display()));
        let left = tempfile::tempdir().unwrap();
        let left = left.path().join("root");
        platform.disk.restore_folder(&of_root, 0o700, &left);
        let whole = files(&root);
        assert!(whole.values().any(|length| *length > 0), "{whole:?}");
        assert_eq!(files(&left), whole, "what a power cut leaves of {}", root.display());
    }
    platform.home.leave().await;
}
