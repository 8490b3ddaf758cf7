//! The output of the child processes: shown with coloured role prefixes, and written to their log files.
//!
//! A stopped terminal (Ctrl-S) or a pipe without a reader must not stop the platform: a separate thread prints,
//! and lines that it cannot take are counted instead of waited for. The files get every line.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    app::Role,
    cli::{Output, escape},
};

/// The number of lines that may wait to be printed; more are dropped and counted.
const WAITING: usize = 4096;
/// The time for which the end waits for a screen that takes no output.
const FLUSH: Duration = Duration::from_secs(1);
/// The size at which a log file is rotated; one older file is kept.
const MAX_FILE: u64 = 10 << 20;
/// The number of last lines of a failed child that are shown again.
const LAST_LINES: usize = 5;

/// A text to print.
enum Text {
    /// A line of the supervisor itself.
    Note(String),
    /// Whole lines of a role, escaped one by one: their prefixes may have colours.
    Role(String),
}

#[derive(Clone)]
pub struct Screen {
    lines: SyncSender<Text>,
    dropped: Arc<AtomicU64>,
    color: bool,
    /// The screen shows the lines of the roles, which are in their files anyway.
    shows_roles: bool,
}

impl Screen {
    /// The receiver is notified when everything has been printed, after the last clone was dropped.
    pub fn new(out: &Output, shows_roles: bool) -> (Self, oneshot::Receiver<()>) {
        let (lines, receiver) = sync_channel::<Text>(WAITING);
        let (done, printed) = oneshot::channel();
        let dropped = Arc::new(AtomicU64::new(0));
        let (printer, missing) = (out.clone(), dropped.clone());
        std::thread::spawn(move || {
            for text in receiver {
                match text {
                    Text::Note(text) => printer.note(&text),
                    Text::Role(lines) => printer.escaped_note(&lines),
                }
                let count = missing.swap(0, Relaxed);
                if count > 0 {
                    printer
                        .note(&format!("({count} lines are not shown here; the log files have them)"));
                }
            }
            let _ = done.send(());
        });
        (Self { lines, dropped, color: out.is_colored(), shows_roles }, printed)
    }

    /// Prints a line of the supervisor itself.
    pub fn note(&self, text: impl Into<String>) {
        self.print(Text::Note(text.into()), 1);
    }

    fn print(&self, text: Text, lines: u64) {
        if self.lines.try_send(text).is_err() {
            self.dropped.fetch_add(lines, Relaxed);
        }
    }

    /// Prints whole lines of a role together.
    fn role(&self, role: Role, lines: &[u8]) {
        if !self.shows_roles {
            return;
        }
        let prefix = prefix(role, self.color);
        let (mut text, mut count) = (String::with_capacity(lines.len() * 5 / 4), 0);
        for line in lines_of(lines) {
            let begin = if count == 0 { "" } else { "\n" };
            text.extend([begin, &prefix, " ", &line]);
            count += 1;
        }
        self.print(Text::Role(text), count);
    }

    /// Prints a line of a module that the roles of one process share.
    pub fn shared(&self, line: &str) {
        self.note(format!("{SHARED} {line}"));
    }
}

/// Waits a short time for the printing thread.
pub async fn flush(printed: oneshot::Receiver<()>) {
    let _ = tokio::time::timeout(FLUSH, printed).await;
}

const SHARED: &str = "cloudfunc |";

fn prefix(role: Role, color: bool) -> String {
    let name = format!("{:<9} |", role.as_str());
    let code = match role {
        Role::Gateway => 36,
        Role::Registry => 35,
        Role::Scheduler => 33,
        Role::Manager => 32,
    };
    if color { format!("\x1b[{code}m{name}\x1b[0m") } else { name }
}

/// Returns whole lines with escapes: the output of a function must not control the terminal.
pub fn lines_of(lines: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let text = lines.strip_suffix(b"\n").unwrap_or(lines);
    text.split(|byte| *byte == b'\n').map(printable)
}

fn printable(line: &[u8]) -> Cow<'_, str> {
    // Nearly all lines are plain; with much output, the work per byte matters.
    let is_plain = line.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~' | b'\t'));
    if is_plain && let Ok(line) = std::str::from_utf8(line) {
        return line.into();
    }
    escape::line(&String::from_utf8_lossy(line)).into_owned().into()
}

/// The destination of a role's lines; it outlives the role's children.
pub struct RoleLog {
    role: Role,
    screen: Screen,
    path: PathBuf,
    file: Option<(File, u64)>,
    /// Raw: only those of a child that fails are shown.
    last: VecDeque<Vec<u8>>,
}

impl RoleLog {
    /// Opens the file; its folder must exist.
    pub fn open(role: Role, path: PathBuf, screen: Screen) -> io::Result<Self> {
        let mut log = Self { role, screen, path, file: None, last: VecDeque::new() };
        log.reopen()?;
        Ok(log)
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// Writes and prints whole lines. A full disk does not stop the role.
    pub fn lines(&mut self, lines: &[u8]) {
        self.screen.role(self.role, lines);
        self.keep(lines);
        let text = lines.strip_suffix(b"\n").unwrap_or(lines);
        let newest: Vec<&[u8]> =
            text.rsplitn(LAST_LINES + 1, |byte| *byte == b'\n').take(LAST_LINES).collect();
        self.last.extend(newest.into_iter().rev().map(<[u8]>::to_vec));
        self.last.drain(..self.last.len().saturating_sub(LAST_LINES));
    }

    /// Writes lines that are already shown, or shown elsewhere.
    pub fn keep(&mut self, lines: &[u8]) {
        if let Err(error) = self.append(lines)
            && self.file.take().is_some()
        {
            self.screen.note(format!("cannot write {}: {error}", self.path.display()));
        }
    }

    /// Marks the start of a new child.
    pub fn begin(&mut self) {
        self.last.clear();
    }

    /// Returns the last lines of the current child, oldest first.
    pub fn last(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.last.iter().map(|line| printable(line))
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, length)| *length >= MAX_FILE) {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            self.reopen()?;
        }
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        *length += lines.len() as u64;
        file.write_all(lines)
    }

    fn reopen(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        let length = file.metadata()?.len();
        self.file = Some((file, length));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Color;

    #[test]
    fn a_log_is_rotated_and_keeps_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manager.log");
        let (screen, _printed) = Screen::new(&Output::new(false, true, false, Color::Never), true);
        let mut log = RoleLog::open(Role::Manager, path.clone(), screen).unwrap();
        let mut long = vec![b'x'; MAX_FILE as usize];
        long.push(b'\n');
        log.lines(&long);
        for number in 0..LAST_LINES {
            log.lines(format!("line {number} \x1b[31m\n").as_bytes());
        }
        assert_eq!(fs::metadata(path.with_extension("log.1")).unwrap().len(), MAX_FILE + 1);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("line 0 \x1b[31m\nline 1"), "the file gets the bytes as they are");
        assert_eq!(log.last().next().as_deref(), Some("line 0 \\x1b[31m"), "the screen does not");
    }

    #[test]
    fn prefixes_line_up_and_have_colour_only_where_wanted() {
        assert_eq!(prefix(Role::Manager, false), "manager   |");
        assert_eq!(prefix(Role::Scheduler, true), "\x1b[33mscheduler |\x1b[0m");
    }
}
