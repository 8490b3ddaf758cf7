//! Files that hold secrets of this user, or say what is done with them. What other users may have written is not read, and neither
//! is a secret that they can read. A file is checked once it is open, since another one may have its name by then, and read up to a
//! limit.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    process::{getegid, geteuid},
};
use zeroize::Zeroizing;

/// The most bytes for which room is made before anything is read: secrets that are moved would stay where they were.
const ROOM: usize = 64 * 1024;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What errors call it: `the token file`.
    pub what: &'static str,
    pub rule: Rule,
    /// The most bytes that one has.
    pub limit: usize,
}

/// Who may own, read and write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A secret of ours, and of nobody else.
    Ours,
    /// The same, and not a link.
    OursWithoutLink,
    /// A secret whose path was given: ours, or root's and readable by a group, as Kubernetes and systemd mount secrets.
    Given,
    /// The same, or a pipe (`<(…)` of a shell), which has no other readers. For a user other than root, root's file may be readable
    /// by all.
    GivenOrPipe,
    /// No secret: ours or root's, and others do not write to it.
    Settings,
}

/// What closes a file to other users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Nobody else may read or write it.
    Close,
    /// Nobody else may write it.
    CloseToWriters,
    /// It is root's, and we are not: it was mounted.
    Mount,
}

/// An error: a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("cannot use {what} {path}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{what} {path} is a link")]
    Link { what: &'static str, path: PathBuf },
    #[error("{what} {path} is not a regular file")]
    NotAFile { what: &'static str, path: PathBuf },
    #[error("{what} {path} belongs to another user (uid {uid})")]
    NotOurs { what: &'static str, path: PathBuf, uid: u32 },
    #[error("{what} {path} can be {} by other users (mode {mode:03o})", access(*mode))]
    Open { what: &'static str, path: PathBuf, mode: u32, fix: Fix },
    #[error("{what} {path} has more than {} KiB", limit >> 10)]
    TooLarge { what: &'static str, path: PathBuf, limit: usize },
}

/// Returns what a mode that is not private allows other users to do.
pub fn access(mode: u32) -> &'static str {
    if mode & 0o022 == 0 { "read" } else { "written" }
}

impl Unread {
    /// Returns whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Returns advice about the next step; `leaked` is what to do if other users may have read it.
    pub fn hint(&self, leaked: &str) -> String {
        match self {
            Self::Io { .. } => "name a file that this user can read".to_owned(),
            Self::Link { .. } => "name the file that it leads to".to_owned(),
            Self::NotAFile { .. } | Self::TooLarge { .. } => "name another file".to_owned(),
            Self::NotOurs { path, .. } => {
                format!("use a file of your own, or give it to this user: `chown` {}", path.display())
            }
            Self::Open { path, fix: Fix::Close, .. } => {
                format!("`chmod 600 {}`; if others may have read it, {leaked}", path.display())
            }
            Self::Open { path, fix: Fix::CloseToWriters, .. } => {
                format!("see that it says what you have written, then `chmod go-w {}`", path.display())
            }
            Self::Open { fix: Fix::Mount, .. } => {
                "it is root's: mount it with `defaultMode: 0440`, and with an `fsGroup` for this user"
                    .to_owned()
            }
        }
    }
}

impl Kind {
    /// Reads a file. Blocks; waits for the writers of a pipe where it may be one.
    pub fn read(self, path: &Path) -> Result<Zeroizing<Vec<u8>>, Unread> {
        let Self { what, rule, limit } = self;
        let io = |source| Unread::Io { what, path: path.to_owned(), source };
        let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        // Otherwise a pipe that nobody writes to would be waited for.
        flags.set(OFlags::NONBLOCK, rule != Rule::GivenOrPipe);
        flags.set(OFlags::NOFOLLOW, rule == Rule::OursWithoutLink);
        let file = match open(path, flags, Mode::empty()) {
            Err(Errno::LOOP) if rule == Rule::OursWithoutLink => {
                return Err(Unread::Link { what, path: path.to_owned() });
            }
            opened => File::from(opened.map_err(|errno| io(errno.into()))?),
        };
        self.check(path, &file.metadata().map_err(io)?)?;
        let mut content = Zeroizing::new(Vec::with_capacity(limit.min(ROOM) + 1));
        file.take(limit as u64 + 1).read_to_end(&mut content).map_err(io)?;
        if content.len() > limit {
            return Err(Unread::TooLarge { what, path: path.to_owned(), limit });
        }
        Ok(content)
    }

    /// Reads a file that is text; one that is not UTF-8 is an error of its content (`InvalidData`).
    pub fn read_text(self, path: &Path) -> Result<String, Unread> {
        let content = std::mem::take(&mut *self.read(path)?);
        String::from_utf8(content).map_err(|_| {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
            Unread::Io { what: self.what, path: path.to_owned(), source }
        })
    }

    fn check(self, path: &Path, metadata: &Metadata) -> Result<(), Unread> {
        let (what, path) = (self.what, path.to_owned());
        let is_pipe = self.rule == Rule::GivenOrPipe && metadata.file_type().is_fifo();
        if !metadata.is_file() && !is_pipe {
            return Err(Unread::NotAFile { what, path });
        }
        let rule = if is_pipe { Rule::Settings } else { self.rule };
        let mode = metadata.permissions().mode() & 0o777;
        let file = Rights { uid: metadata.uid(), gid: metadata.gid(), mode };
        match rule.problem(file, geteuid().as_raw(), getegid().as_raw()) {
            None => Ok(()),
            Some(Problem::NotOurs) => Err(Unread::NotOurs { what, path, uid: file.uid }),
            Some(Problem::Open(fix)) => Err(Unread::Open { what, path, mode, fix }),
        }
    }
}

/// Owner, group and mode of a file.
#[derive(Clone, Copy)]
struct Rights {
    uid: u32,
    gid: u32,
    mode: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    NotOurs,
    Open(Fix),
}

impl Rule {
    /// Returns why a file is not for us alone, as this user with this group.
    fn problem(self, file: Rights, user: u32, group: u32) -> Option<Problem> {
        let Rights { uid, gid, mode } = file;
        let (is_ours, is_roots) = (uid == user, uid == 0);
        let forbidden = match self {
            Self::Ours | Self::OursWithoutLink => 0o077,
            // Docker mounts its secrets like this for everybody in the container.
            Self::GivenOrPipe if is_roots && !is_ours => 0o022,
            Self::Given | Self::GivenOrPipe if is_roots => 0o027,
            Self::Given | Self::GivenOrPipe => 0o077,
            // Many systems give each user a group of the same number, and let it write to all that the user makes.
            Self::Settings if user == group && gid == group => 0o002,
            Self::Settings => 0o022,
        };
        let may_be_roots = !matches!(self, Self::Ours | Self::OursWithoutLink);
        if !(is_ours || is_roots && may_be_roots) {
            return Some(Problem::NotOurs);
        }
        let fix = match self {
            Self::Settings => Fix::CloseToWriters,
            _ if is_ours => Fix::Close,
            _ => Fix::Mount,
        };
        (mode & forbidden != 0).then_some(Problem::Open(fix))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
    };

    use super::*;

    const RULES: [Rule; 5] =
        [Rule::Ours, Rule::OursWithoutLink, Rule::Given, Rule::GivenOrPipe, Rule::Settings];

    fn kind(rule: Rule) -> Kind {
        Kind { what: "the file", rule, limit: 1024 }
    }

    fn file(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "text").unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    /// What is said of it, with FILE for its path, and the advice.
    fn refused(rule: Rule, path: &Path) -> (String, String) {
        let error = kind(rule).read(path).unwrap_err();
        let path = path.display().to_string();
        (error.to_string().replace(&path, "FILE"), error.hint("get another").replace(&path, "FILE"))
    }

    /// As user and group 1000.
    fn problem(rule: Rule, uid: u32, mode: u32) -> Option<Problem> {
        rule.problem(Rights { uid, gid: 0, mode }, 1000, 1000)
    }

    #[test]
    fn a_file_of_ours_that_nobody_else_can_read_or_write_is_read() {
        for rule in RULES {
            for mode in [0o600, 0o400] {
                assert_eq!(kind(rule).read_text(file(mode).path()).unwrap(), "text");
            }
            assert!(kind(rule).read(Path::new("/nowhere")).unwrap_err().is_missing());
        }
    }

    #[test]
    fn a_secret_that_others_can_read_or_write_is_refused_and_root_is_no_exception() {
        for rule in [Rule::Ours, Rule::OursWithoutLink, Rule::Given, Rule::GivenOrPipe] {
            for (mode, access) in
                [(0o644, "read"), (0o604, "read"), (0o660, "written"), (0o602, "written")]
            {
                let (said, hint) = refused(rule, file(mode).path());
                assert_eq!(
                    said,
                    format!("the file FILE can be {access} by other users (mode {mode:o})")
                );
                assert_eq!(hint, "`chmod 600 FILE`; if others may have read it, get another");
            }
        }
    }

    #[test]
    fn a_secret_that_root_has_mounted_may_be_read_by_a_group_and_a_token_by_all() {
        for rule in [Rule::Given, Rule::GivenOrPipe] {
            for mode in [0o400, 0o440, 0o640] {
                assert_eq!(problem(rule, 0, mode), None, "{mode:o}");
            }
            // A token may be mounted for everybody in a container.
            let may_be_read = rule == Rule::GivenOrPipe;
            for mode in [0o644, 0o444] {
                let open = (!may_be_read).then_some(Problem::Open(Fix::Mount));
                assert_eq!(problem(rule, 0, mode), open, "{mode:o}");
            }
            assert_eq!(problem(rule, 0, 0o460), Some(Problem::Open(Fix::Mount)));
            assert_eq!(
                problem(rule, 1000, 0o440),
                Some(Problem::Open(Fix::Close)),
                "ours is not mounted"
            );
        }
        for rule in [Rule::Ours, Rule::OursWithoutLink] {
            assert_eq!(problem(rule, 0, 0o400), Some(Problem::NotOurs));
        }
        let what = "the token file";
        let error = Unread::Open { what, path: "/run/token".into(), mode: 0o444, fix: Fix::Mount };
        assert_eq!(error.to_string(), "the token file /run/token can be read by other users (mode 444)");
        let hint =
            "it is root's: mount it with `defaultMode: 0440`, and with an `fsGroup` for this user";
        assert_eq!(error.hint("get another"), hint);
    }

    #[test]
    fn settings_may_be_read_by_all_and_written_by_this_user_alone() {
        for mode in [0o644, 0o640] {
            assert_eq!(kind(Rule::Settings).read_text(file(mode).path()).unwrap(), "text");
            assert_eq!(problem(Rule::Settings, 0, mode), None);
        }
        for mode in [0o602, 0o622, 0o666] {
            let (said, hint) = refused(Rule::Settings, file(mode).path());
            assert_eq!(said, format!("the file FILE can be written by other users (mode {mode:o})"));
            assert_eq!(hint, "see that it says what you have written, then `chmod go-w FILE`");
        }
        let of_group = Rights { uid: 1000, gid: 1000, mode: 0o664 };
        assert_eq!(Rule::Settings.problem(of_group, 1000, 1000), None, "the user's own group");
        assert_eq!(
            Rule::Settings.problem(Rights { gid: 100, ..of_group }, 1000, 100),
            Some(Problem::Open(Fix::CloseToWriters))
        );
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        for rule in RULES {
            assert_eq!(problem(rule, 12345, 0o600), Some(Problem::NotOurs));
        }
        if !geteuid().is_root() {
            return;
        }
        let file = file(0o600);
        chown(file.path(), Some(12345), None).unwrap();
        let (said, hint) = refused(Rule::Given, file.path());
        assert_eq!(said, "the file FILE belongs to another user (uid 12345)");
        assert_eq!(hint, "use a file of your own, or give it to this user: `chown` FILE");
    }

    #[test]
    fn only_a_file_that_may_be_a_pipe_is_read_from_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        for rule in RULES.into_iter().filter(|rule| *rule != Rule::GivenOrPipe) {
            assert_eq!(refused(rule, &path).0, "the file FILE is not a regular file");
        }
        std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&path, "text").unwrap());
            assert_eq!(kind(Rule::GivenOrPipe).read_text(&path).unwrap(), "text");
        });
        for rule in RULES {
            assert_eq!(refused(rule, folder.path()).0, "the file FILE is not a regular file");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        let file = file(0o600);
        fs::write(file.path(), "x".repeat(1024)).unwrap();
        assert_eq!(kind(Rule::Ours).read(file.path()).unwrap().len(), 1024);
        fs::write(file.path(), "x".repeat(1025)).unwrap();
        assert_eq!(refused(Rule::Ours, file.path()).0, "the file FILE has more than 1 KiB");
        fs::write(file.path(), [0xff]).unwrap();
        let error = kind(Rule::Ours).read_text(file.path()).unwrap_err();
        let Unread::Io { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_link_is_followed_where_the_rule_does_not_refuse_it() {
        let (folder, target) = (tempfile::tempdir().unwrap(), file(0o600));
        let link = folder.path().join("link");
        symlink(target.path(), &link).unwrap();
        for rule in RULES.into_iter().filter(|rule| *rule != Rule::OursWithoutLink) {
            assert_eq!(kind(rule).read_text(&link).unwrap(), "text");
        }
        assert_eq!(refused(Rule::OursWithoutLink, &link).0, "the file FILE is a link");
    }
}
