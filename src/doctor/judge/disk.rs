//! Free space on disks, and the data folder.

use super::{Finding, Stops, Wanted, size};

/// The free space below which there is a warning: images, bundles and the database grow by hundreds of
/// megabytes.
const LOW: u64 = 1 << 30;
/// The free space below which the first deploy may fail.
const FULL: u64 = 64 << 20;
/// The number of free inodes below which there is a warning: a bundle may have 20,000 files.
const LOW_INODES: u64 = 50_000;

#[derive(Clone, Debug)]
pub struct Place {
    /// The role of the place in a sentence, such as `the data folder`.
    pub of: &'static str,
    pub name: &'static str,
    pub path: String,
    /// The free space; `None` if it cannot be determined.
    pub room: Option<Room>,
    /// A full disk keeps the platform from working.
    pub is_needed: bool,
}

#[derive(Clone, Debug)]
pub struct Room {
    pub bytes: u64,
    /// The number of free inodes; `None` if the file system does not count files.
    pub inodes: Option<u64>,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Usual,
    /// A network file system: its files are on another machine.
    Network(&'static str),
    /// In memory: its files are lost at the next start of the machine.
    Memory,
}

/// The data folder, or the nearest parent that exists.
#[derive(Clone, Debug)]
pub struct Folder {
    pub path: String,
    pub exists: bool,
    /// Permissions of the folder itself.
    pub mode: u32,
    /// The owner, if it is not this user.
    pub owner: Option<u32>,
    /// The reason why nothing can be written there.
    pub refused: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Facts {
    pub folder: Folder,
    pub places: Vec<Place>,
    /// The data folder will hold an SQLite file.
    pub has_sqlite: bool,
}

pub fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let rooms = facts.places.iter().map(|place| room(place, wanted));
    [folder(&facts.folder, wanted)].into_iter().chain(rooms).chain(file_system(facts)).collect()
}

fn folder(folder: &Folder, wanted: Wanted) -> Finding {
    let path = &folder.path;
    let stops = |found, advice| Finding::stops(Stops::BOTH, wanted, "data-folder", found, advice);
    if let Some(uid) = folder.owner.filter(|_| folder.exists) {
        let found = format!("the data folder {path} belongs to another user (uid {uid})");
        return stops(found, "Choose another with --data-dir.".to_owned());
    }
    if folder.exists && folder.mode & 0o077 != 0 {
        let can = if folder.mode & 0o022 == 0 { "read" } else { "written" };
        let found =
            format!("the data folder {path} can be {can} by other users (mode {:03o})", folder.mode);
        return stops(found, format!("Run `chmod 700 {path}`, or choose another with --data-dir."));
    }
    if let Some(why) = &folder.refused {
        let found = format!("the data folder {path} cannot be written: {why}");
        return stops(found, "Choose another with --data-dir.".to_owned());
    }
    let state = match folder.exists {
        true => format!("can be written (mode {:03o})", folder.mode),
        false => "will be made by the first start".to_owned(),
    };
    Finding::ok("data-folder", format!("{path} {state}"))
}

fn room(place: &Place, wanted: Wanted) -> Finding {
    let Place { of, name, path, .. } = place;
    let Some(room) = &place.room else {
        let found = format!("the room for {of} ({path}) cannot be seen");
        return Finding::note(name, found, format!("Look with `df -h {path}`."));
    };
    let free = size(room.bytes);
    if room.bytes < FULL && place.is_needed {
        let found = format!("only {free} are free for {of} ({path})");
        return Finding::stops(Stops::BOTH, wanted, name, found, "Make room: 1 GiB is little.");
    }
    if room.bytes < LOW {
        let found = format!("only {free} are free for {of} ({path})");
        return Finding::warning(
            name,
            found,
            "Make room, at least 1 GiB; `docker system prune` removes what Docker does not use.",
        );
    }
    if let Some(inodes) = room.inodes.filter(|inodes| *inodes < LOW_INODES) {
        let found = format!("only {inodes} more files fit in {of} ({path})");
        return Finding::warning(name, found, "Remove files: a bundle alone may have 20,000.");
    }
    Finding::ok(name, format!("{free} are free for {of} ({path})"))
}

/// SQLite's write-ahead log uses shared memory, which no network file system has (sqlite.org/wal.html).
fn file_system(facts: &Facts) -> Option<Finding> {
    let data = facts.places.first()?;
    match data.room.as_ref()?.kind {
        Kind::Usual => None,
        Kind::Network(kind) if facts.has_sqlite => Some(Finding::warning(
            "file-system",
            format!("the data folder is on {kind}, where SQLite can lose data"),
            "Choose a folder on a disk of this machine with --data-dir.",
        )),
        Kind::Network(kind) => Some(Finding::note(
            "file-system",
            format!("the data folder is on {kind}"),
            "Choose a folder on a disk of this machine with --data-dir: bundles are read from it at each start.",
        )),
        Kind::Memory => Some(Finding::note(
            "file-system",
            "the data folder is in memory and gone after a restart of this machine",
            "Choose a folder on a disk with --data-dir if functions and records are to stay.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::shown, *};

    fn facts(bytes: u64, inodes: u64, kind: Kind) -> Facts {
        let room = Some(Room { bytes, inodes: Some(inodes), kind });
        let folder = Folder {
            path: "/s/compose".to_owned(),
            exists: true,
            mode: 0o700,
            owner: None,
            refused: None,
        };
        let place = Place {
            of: "the data folder",
            name: "data-room",
            path: "/s".to_owned(),
            room,
            is_needed: true,
        };
        Facts { folder, places: vec![place], has_sqlite: true }
    }

    #[test]
    fn a_disk_with_room_is_fine() {
        assert_eq!(
            shown(&judge(&facts(30 << 30, 1_000_000, Kind::Usual), Wanted::Up)),
            [
                "ok data-folder: /s/compose can be written (mode 700)",
                "ok data-room: 30.0 GiB are free for the data folder (/s)",
            ]
        );
    }

    #[test]
    fn little_room_is_a_warning_and_none_a_problem() {
        let second = |facts: Facts| shown(&judge(&facts, Wanted::Up)).remove(1);
        assert_eq!(
            second(facts(500 << 20, 1_000_000, Kind::Usual)),
            "warning data-room: only 500.0 MiB are free for the data folder (/s) | Make room, at least 1 GiB; `docker \
             system prune` removes what Docker does not use."
        );
        assert_eq!(
            second(facts(1 << 20, 1_000_000, Kind::Usual)),
            "problem data-room: only 1.0 MiB are free for the data folder (/s) | Make room: 1 GiB is little."
        );
        assert_eq!(
            second(facts(30 << 30, 12, Kind::Usual)),
            "warning data-room: only 12 more files fit in the data folder (/s) | Remove files: a bundle alone may have \
             20,000."
        );
        let unknown = Facts {
            places: vec![Place { room: None, ..facts(0, 0, Kind::Usual).places.remove(0) }],
            ..facts(0, 0, Kind::Usual)
        };
        assert_eq!(
            second(unknown),
            "note data-room: the room for the data folder (/s) cannot be seen | Look with `df -h /s`."
        );
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_a_problem() {
        let folder = |exists, mode, refused: Option<&str>| Folder {
            path: "/s".to_owned(),
            exists,
            mode,
            owner: None,
            refused: refused.map(str::to_owned),
        };
        let first = |one| shown(&[super::folder(&one, Wanted::Up)]).remove(0);
        assert_eq!(
            first(folder(true, 0o777, None)),
            "problem data-folder: the data folder /s can be written by other users (mode 777) | Run `chmod 700 /s`, or \
             choose another with --data-dir."
        );
        assert!(
            first(folder(true, 0o755, None)).contains("/s can be read by other users (mode 755) | ")
        );
        let foreign = Folder { owner: Some(12345), ..folder(true, 0o700, None) };
        assert!(first(foreign).contains("/s belongs to another user (uid 12345) | "));
        assert_eq!(
            first(folder(true, 0o500, Some("Permission denied"))),
            "problem data-folder: the data folder /s cannot be written: Permission denied | Choose another with \
             --data-dir."
        );
        assert_eq!(
            first(folder(false, 0o777, None)),
            "ok data-folder: /s will be made by the first start"
        );
    }

    #[test]
    fn a_file_system_that_matters_is_named() {
        let last = |kind| shown(&judge(&facts(30 << 30, 1_000_000, kind), Wanted::Up)).remove(2);
        assert_eq!(
            last(Kind::Network("NFS")),
            "warning file-system: the data folder is on NFS, where SQLite can lose data | Choose a folder on a disk of \
             this machine with --data-dir."
        );
        assert!(last(Kind::Memory).starts_with("note file-system: the data folder is in memory"));
    }
}
