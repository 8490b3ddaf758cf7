//! The log file of a role on this machine: `<data folder>/logs/<role>.log`, rotated to `….log.1`.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::Duration,
};

use super::{Error, Exit, Output, target::Target};
use crate::app::Role;

/// The interval at which a followed file is checked.
const LOOK: Duration = Duration::from_millis(200);

pub fn parse_role(text: &str) -> Result<Role, String> {
    Role::ALL
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| "one of gateway, registry, scheduler, manager".to_owned())
}

/// An open log, with the position up to which it was read.
#[derive(Debug)]
pub struct RoleLog {
    role: Role,
    path: PathBuf,
    file: BufReader<File>,
    /// The incomplete line at the end of the bytes read so far.
    partial: Vec<u8>,
}

impl RoleLog {
    /// Finds the log in the data folder, which also has the platform's token.
    pub fn find(role: Role, target: &Target) -> Result<Self, Error> {
        let Some(data_dir) = target.settings()?.data_dir else {
            return Err(Error::usage("the logs of the roles are files on the platform's own host")
                .hint("there, --token-file names the file beside which they lie"));
        };
        let path = data_dir.join("logs").join(format!("{role}.log"));
        match File::open(&path) {
            Ok(file) => Ok(Self { role, path, file: BufReader::new(file), partial: Vec::new() }),
            Err(error) => {
                let reason = format!("cannot read the {role}'s log {}", path.display());
                Err(Error::new(Exit::Platform, error)
                    .context(reason)
                    .hint("is the platform running on this host? start it with `cloudfunc up` or `cloudfunc up --embedded`"))
            }
        }
    }

    /// Prints the last `tail` lines, or all, and then each new one if the log is followed.
    pub async fn print(mut self, tail: Option<u32>, follow: bool, out: &Output) -> Result<(), Error> {
        let mut last = VecDeque::new();
        while let Some(line) = self.next_line()? {
            match tail {
                None => self.show(&line, out)?,
                Some(tail) => {
                    last.push_back(line);
                    if last.len() > tail as usize {
                        last.pop_front();
                    }
                }
            }
        }
        for line in &last {
            self.show(line, out)?;
        }
        if follow { self.follow(out).await } else { Ok(()) }
    }

    async fn follow(&mut self, out: &Output) -> Result<(), Error> {
        loop {
            while let Some(line) = self.next_line()? {
                self.show(&line, out)?;
            }
            if !self.reopen()? {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    fn show(&self, line: &[u8], out: &Output) -> Result<(), Error> {
        if out.json() {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches('\n');
            return out.json_line(&serde_json::json!({ "role": self.role.as_str(), "line": line }));
        }
        out.bytes(line)
    }

    /// Returns a whole line with its newline, or `None` if there is none yet.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let read = self.file.read_until(b'\n', &mut self.partial);
        read.map_err(|error| self.unreadable(error))?;
        let whole = self.partial.ends_with(b"\n");
        Ok(whole.then(|| std::mem::take(&mut self.partial)))
    }

    /// Switches to the new file after a rotation, once the old one was read to its end.
    fn reopen(&mut self) -> Result<bool, Error> {
        let Ok(file) = File::open(&self.path) else { return Ok(false) };
        let same = |one: &File, two: &File| -> io::Result<bool> {
            let (one, two) = (one.metadata()?, two.metadata()?);
            Ok((one.dev(), one.ino()) == (two.dev(), two.ino()))
        };
        if same(self.file.get_ref(), &file).map_err(|error| self.unreadable(error))? {
            return Ok(false);
        }
        // Lines may have been written between the last look and the rotation.
        match self.file.fill_buf().map(<[u8]>::len) {
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(self.unreadable(error)),
        }
        self.file = BufReader::new(file);
        self.partial.clear();
        Ok(true)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        Error::new(Exit::Platform, error).context(format!("cannot read {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    #[test]
    fn a_rotated_log_is_read_to_its_end_before_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manager.log");
        let mut writer = File::create(&path).unwrap();
        let file = BufReader::new(File::open(&path).unwrap());
        let mut log = RoleLog { role: Role::Manager, path: path.clone(), file, partial: Vec::new() };
        let mut seen = String::new();
        let mut read = |log: &mut RoleLog| {
            loop {
                while let Some(line) = log.next_line().unwrap() {
                    seen.push_str(std::str::from_utf8(&line).unwrap());
                }
                if !log.reopen().unwrap() {
                    return seen.clone();
                }
            }
        };
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(read(&mut log), "one\n");
        writer.write_all(b"o\n").unwrap();
        fs::rename(&path, folder.path().join("manager.log.1")).unwrap();
        assert_eq!(read(&mut log), "one\ntwo\n");
        fs::write(&path, "four\n").unwrap();
        writer.write_all(b"three\n").unwrap();
        assert_eq!(read(&mut log), "one\ntwo\nthree\nfour\n");
    }
}
