use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::model::{Language, PackageVersion};

const MIB: u64 = 1 << 20;

fn packages(key: &str, tree: &str, bytes: u64) -> Dependencies {
    Dependencies {
        key: Digest::of(key.as_bytes()),
        tree: Digest::of(tree.as_bytes()),
        language: Language::Python,
        target: target("3.12"),
        packages: vec![PackageVersion { name: "a".to_owned(), version: "1".to_owned() }],
        files: 1,
        bytes,
        pieces: 1,
    }
}

fn target(version: &str) -> Target {
    Target {
        interpreter: format!("cpython {version}"),
        abi: String::new(),
        architecture: "x86_64".to_owned(),
        c_library: "glibc 2.36".to_owned(),
    }
}

/// Installs as a manager does.
fn install(kept: &KeptPackages, new: &Dependencies) {
    let tree = kept.trees().unwrap().join(new.tree.as_str());
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("a.py"), new.tree.as_str()).unwrap();
    kept.add(new);
}

fn trees(kept: &KeptPackages) -> Vec<String> {
    let mut names = super::super::super::boots::entries(&kept.trees().unwrap());
    names.sort();
    names
}

fn grow_old(path: &Path) {
    let old = SystemTime::now() - LEFT_OVER - Duration::from_secs(60);
    File::open(path).unwrap().set_modified(old).unwrap();
}

#[test]
fn what_one_run_installs_the_next_one_finds() {
    let caches = tempfile::tempdir().unwrap();
    let caches = caches.path().join("cloudfunc");
    let open = || KeptPackages::open(Some(&caches), false);
    let (new, first) = (packages("k", "t", MIB), open());
    assert_eq!(first.find(&new.key), None);
    assert_eq!(KeptPackages::look(&caches), None);
    install(&first, &new);
    first.keep_target("sha256:1", &target("3.12"));
    assert_eq!(open().find(&new.key), None, "it has no key before it is on disk");
    assert_eq!(first.close(), None);
    let size = KeptSize { trees: 1, bytes: MIB, most: MOST };
    assert_eq!(KeptPackages::look(&caches), Some(size));

    let second = open();
    assert_eq!(second.find(&new.key), Some(new.clone()));
    assert_eq!(second.target("sha256:1"), Some(target("3.12")));
    assert_eq!(second.target("sha256:2"), None);
    assert_eq!(second.close(), None);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&caches), mode(&second.trees().unwrap())), (0o700, 0o711));

    // Somebody has removed the tree: it is installed again.
    fs::remove_dir_all(second.trees().unwrap().join(new.tree.as_str())).unwrap();
    let third = open();
    assert_eq!(third.find(&new.key), None);
    install(&third, &new);
    assert_eq!(third.close(), None);
    assert_eq!(open().find(&new.key), Some(new));
}

#[test]
fn of_two_runs_that_install_the_same_at_once_one_tree_stays() {
    let caches = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| KeptPackages::open(Some(caches.path()), false));
    let (a, b) = (packages("k", "a", MIB), packages("k", "b", MIB));
    install(&one, &a);
    install(&other, &b);
    assert_eq!((one.close(), other.close()), (None, None));
    assert_eq!(trees(&one), [a.tree.as_str()]);
    assert_eq!(other.find(&a.key), Some(a));
}

#[test]
fn installed_anew_it_takes_the_place_of_what_nobody_uses() {
    let caches = tempfile::tempdir().unwrap();
    let open = |refresh| KeptPackages::open(Some(caches.path()), refresh);
    let [a, b, c] = ["a", "b", "c"].map(|tree| packages("k", tree, MIB));
    let first = open(false);
    install(&first, &a);
    first.close();
    let anew = open(true);
    assert_eq!(anew.find(&a.key), None);
    install(&anew, &b);
    anew.close();
    assert_eq!(trees(&anew), [b.tree.as_str()]);
    // One that is in use stays, although the next one no longer finds it.
    let user = open(false);
    assert_eq!(user.find(&b.key), Some(b.clone()));
    let anew = open(true);
    install(&anew, &c);
    anew.close();
    let mut both = [b.tree.to_string(), c.tree.to_string()];
    both.sort();
    assert_eq!(trees(&anew), both);
    // However long it has been there.
    grow_old(&anew.trees().unwrap().join(b.tree.as_str()));
    anew.close();
    assert_eq!(trees(&anew), both);
    user.close();
    assert_eq!(trees(&anew), [c.tree.as_str()]);
    assert_eq!(open(false).find(&c.key), Some(c));
}

#[test]
fn those_that_were_not_used_for_longest_go_and_those_in_use_stay() {
    let caches = tempfile::tempdir().unwrap();
    let kept = KeptPackages::open(Some(caches.path()), false);
    let all = ["a", "b", "c", "d"].map(|name| packages(name, name, MIB));
    for (seconds, one) in [400, 300, 200, 100].into_iter().zip(&all) {
        install(&kept, one);
        kept.close();
        let used = SystemTime::now() - Duration::from_secs(seconds);
        let file = file_of(kept.folder().unwrap(), &one.key);
        File::open(file).unwrap().set_modified(used).unwrap();
    }
    let [a, b, c, d] = &all;
    // The oldest one is used now, and the next one was an hour ago by another process that still has it.
    let user = KeptPackages::open(Some(caches.path()), false);
    assert!(user.find(&a.key).is_some());
    let folder = kept.folder().unwrap();
    let other = File::open(file_of(folder, &b.key)).unwrap();
    other.lock_shared().unwrap();
    tidy(folder, 2 * MIB).unwrap();
    let mut left = [a, b, d].map(|one| one.tree.to_string());
    left.sort();
    assert_eq!(trees(&kept), left);
    assert_eq!(kept.find(&c.key), None);
    drop(other);
    tidy(folder, 2 * MIB).unwrap();
    assert_eq!(kept.find(&b.key), None);
    assert!(kept.find(&d.key).is_some());
}

#[test]
fn what_a_killed_run_left_goes_a_day_later() {
    let caches = tempfile::tempdir().unwrap();
    let kept = KeptPackages::open(Some(caches.path()), false);
    let named = packages("k", "named", MIB);
    install(&kept, &named);
    kept.close();
    let [old, new] = ["old", "new"].map(|name| packages(name, name, MIB));
    let trees_folder = kept.trees().unwrap();
    for name in [old.tree.as_str(), new.tree.as_str(), ".fetch-x", "note"] {
        fs::create_dir(trees_folder.join(name)).unwrap();
    }
    for name in [old.tree.as_str(), named.tree.as_str(), ".fetch-x", "note"] {
        grow_old(&trees_folder.join(name));
    }
    kept.close();
    let mut left = [named.tree.to_string(), new.tree.to_string(), "note".to_owned()];
    left.sort();
    assert_eq!(trees(&kept), left);
}

#[test]
fn where_nothing_can_be_kept_it_is_said_only_to_those_who_install() {
    let none = KeptPackages::open(None, false);
    let new = packages("k", "t", MIB);
    assert_eq!((none.trees(), none.find(&new.key), none.close()), (None, None, None));
    none.keep_target("sha256:1", &target("3.12"));
    none.add(&new);
    assert_eq!(none.close().unwrap(), "none of XDG_CACHE_HOME, CACHE_DIRECTORY and HOME names a folder");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = KeptPackages::open(Some(&file), false);
    refused.add(&new);
    let why = refused.close().unwrap();
    assert_eq!(why, format!("{} cannot be used: File exists (os error 17)", file.display()));
}
