//! The files of a Dockerfile's folder that are packed: the same ones that its build is sent.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use super::{Error, left_out::Reason};
use crate::{
    docker_ignore::{self, IgnoreFile},
    manifest,
};

/// The rules of `.dockerignore`.
#[derive(Debug)]
pub(super) struct DockerRules {
    rules: IgnoreFile,
    /// Files that are packed whatever the rules say: the platform and the engine read them.
    kept: [String; 3],
}

/// The rules that match a path, for what lies in it.
pub(super) type Matched = Vec<bool>;

/// The verdict on a path.
#[derive(Debug)]
pub(super) enum Verdict {
    Packed,
    LeftOut(Reason),
    /// A folder that is left out but for some of what is in it.
    LookedThrough,
}

impl DockerRules {
    /// Reads the rules of a function's folder; `dockerfile` is the path of its Dockerfile.
    pub fn read(folder: &Path, dockerfile: &str) -> Result<Self, Error> {
        let rules = match text(folder)? {
            Some(text) => IgnoreFile::read(&text).map_err(|invalid| {
                unusable(&format!("cannot be used: line {}: {}", invalid.line, invalid.problem))
            })?,
            None => IgnoreFile::default(),
        };
        let kept = [dockerfile, docker_ignore::NAME, manifest::FILE].map(str::to_owned);
        Ok(Self { rules, kept })
    }

    /// Returns the verdict on a path, and the rules that match it; `above` are those of the folder that it lies in.
    pub fn of(&self, path: &Path, is_folder: bool, above: &[bool]) -> (Verdict, Matched) {
        let path = path.to_string_lossy();
        let matched = self.rules.matched(&path, above);
        let verdict = match self.rules.reason(&matched) {
            Some(_) if is_folder && self.has_more(&path, &matched) => Verdict::LookedThrough,
            Some((line, rule)) if !self.kept.iter().any(|kept| *kept == path) => {
                let place = format!("{}:{line}", docker_ignore::NAME);
                Verdict::LeftOut(Reason::Rule { place, rule: rule.to_owned() })
            }
            _ => Verdict::Packed,
        };
        (verdict, matched)
    }

    fn has_more(&self, folder: &str, matched: &[bool]) -> bool {
        let holds = |kept: &String| kept.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.kept.iter().any(holds) || self.rules.may_take_back(folder, matched)
    }
}

fn unusable(problem: &str) -> Error {
    Error::entry(docker_ignore::NAME, problem)
}

fn text(folder: &Path) -> Result<Option<String>, Error> {
    let path = folder.join(docker_ignore::NAME);
    if !fs::metadata(&path).is_ok_and(|found| found.is_file()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let most = docker_ignore::MAX_BYTES as u64 + 1;
    File::open(&path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|source| Error::Read { path, source })?;
    if bytes.len() > docker_ignore::MAX_BYTES {
        return Err(unusable(&format!("has more than {} KiB", docker_ignore::MAX_BYTES >> 10)));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| unusable("is not UTF-8"))
}
