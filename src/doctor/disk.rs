//! Examines folders and the free space on their disks.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{statfs, statvfs};

use super::judge::disk::{Facts, Folder, Kind, Place, Room};

/// The magic numbers of network file systems, from `linux/magic.h` and statfs(2).
const NETWORK: [(u64, &str); 5] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
];
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Gathers the facts. `engine` is the folder of the engine's images, if the engine is on this machine.
pub fn gather(data: &Path, engine: Option<PathBuf>, has_sqlite: bool) -> Facts {
    let mut places = vec![place("the data folder", "data-room", data, true)];
    places.extend(engine.map(|root| place("Docker's images", "docker-room", &root, false)));
    places.push(place("temporary files", "temporary-room", Path::new("/var/tmp"), false));
    Facts { folder: folder(data), places, has_sqlite }
}

fn place(of: &'static str, name: &'static str, path: &Path, is_needed: bool) -> Place {
    let nearest = nearest(path);
    Place { of, name, path: path.display().to_string(), room: room(nearest), is_needed }
}

/// Returns the folder, or the nearest parent that exists.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"))
}

fn room(path: &Path) -> Option<Room> {
    let (sizes, kind) = (statvfs(path).ok()?, statfs(path).ok()?);
    #[allow(clippy::cast_sign_loss, reason = "the kernel's numbers are unsigned, and of 32 bits")]
    let number = (kind.f_type as u64) & 0xffff_ffff;
    let network = NETWORK.iter().find(|(magic, _)| *magic == number);
    let kind = match network {
        Some((_, name)) => Kind::Network(name),
        None if MEMORY.contains(&number) => Kind::Memory,
        None => Kind::Usual,
    };
    // Some file systems (btrfs) do not count files.
    let inodes = (sizes.f_files > 0).then_some(sizes.f_favail);
    Some(Room { bytes: sizes.f_bavail.saturating_mul(sizes.f_frsize), inodes, kind })
}

fn folder(path: &Path) -> Folder {
    let nearest = nearest(path);
    let mode = fs::metadata(nearest).map_or(0, |data| data.permissions().mode() & 0o777);
    let owner = fs::metadata(nearest).ok().map(|data| data.uid());
    let owner = owner.filter(|uid| *uid != rustix::process::geteuid().as_raw());
    // Creates a real file, which is gone at once.
    let refused = tempfile::tempfile_in(nearest).err().map(|error| error.to_string());
    Folder { path: path.display().to_string(), exists: nearest == path, mode, owner, refused }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_looked_at_and_not_made() {
        let temporary = tempfile::tempdir().unwrap();
        let data = temporary.path().join("a/b");
        let facts = gather(&data, None, false);
        assert!(!facts.folder.exists && facts.folder.refused.is_none());
        assert!(facts.places[0].room.as_ref().unwrap().bytes > 0);
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);

        let facts = gather(temporary.path(), Some("/".into()), false);
        assert!(facts.folder.exists);
        let mode = fs::metadata(temporary.path()).unwrap().permissions().mode() & 0o777;
        assert_eq!(facts.folder.mode, mode);
        assert_eq!(facts.places.len(), 3);
        assert_eq!(room(Path::new("/dev/shm")).map(|room| room.kind), Some(Kind::Memory));
    }
}
