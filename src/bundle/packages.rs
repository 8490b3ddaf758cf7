//! Installed packages with files that are left out: importing them would fail with a misleading error.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    Listing,
    include::Places,
    left_out::{LeftOut, Reason, shown},
};
use crate::{language::MAX_DEPENDENCY_FILE, model::Code};

/// The size limit of a RECORD that is read, in bytes: a package with 10,000 files has one of about this size.
const MAX_RECORD: u64 = 4 * 1024 * 1024;

/// Returns a warning for each package whose `RECORD` names files that exist and are left out.
pub(super) fn incomplete(
    places: &Places,
    records: &[PathBuf],
    files: &[PathBuf],
    left_out: &LeftOut,
) -> Vec<String> {
    if left_out.groups.is_empty() {
        return Vec::new();
    }
    let packed: BTreeSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    records.iter().filter_map(|record| warning(places, record, &packed, left_out)).collect()
}

/// Returns warnings about files that list packages and are not read, whole or in part.
pub(super) fn unread(folder: &Path, code: &Code, listing: &Listing) -> Vec<String> {
    let Code::Language { language, version: _, package: _ } = code else { return Vec::new() };
    let dependencies = language.facts().dependencies.as_ref();
    let Some((dependencies, project)) = dependencies.and_then(|all| Some((all, all.project.as_ref()?)))
    else {
        return Vec::new();
    };
    let has_project = listing.has(project.file) && {
        let mut text = String::new();
        let opened = File::open(folder.join(project.file));
        let read = opened.and_then(|file| file.take(MAX_DEPENDENCY_FILE).read_to_string(&mut text));
        read.is_ok() && (project.asks)(&text)
    };
    match (listing.has(dependencies.file), has_project) {
        (true, true) => vec![format!(
            "{} names packages, too; those of {} are installed",
            project.file, dependencies.file
        )],
        (false, false) => {
            let at_top = listing.paths().filter(|path| !path.contains('/'));
            at_top.filter_map(project.unread).collect()
        }
        _ => Vec::new(),
    }
}

fn warning(
    places: &Places,
    record: &Path,
    packed: &BTreeSet<&Path>,
    left_out: &LeftOut,
) -> Option<String> {
    let mut text = Vec::new();
    File::open(places.full(record)).ok()?.take(MAX_RECORD).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let info = record.parent()?;
    let base = info.parent()?;
    let mut missing = text.lines().filter_map(|line| {
        let path = base.join(path_of(line)?);
        let is_there = || fs::symlink_metadata(places.full(&path)).is_ok();
        if path.starts_with(info) || packed.contains(path.as_path()) || !is_there() {
            return None;
        }
        let path = path.to_str()?.to_owned();
        left_out.why(&path).map(|reason| (path, reason))
    });
    let (first, reason) = missing.next()?;
    let count = 1 + missing.count();
    let files = if count == 1 { "1 of its files is" } else { &format!("{count} of its files are") };
    let package = info.file_stem()?.to_string_lossy();
    let advice = match reason {
        Reason::Rule { rule, .. } => {
            format!("; a line `!{}` in .cloudfuncignore takes them back in", shown(rule))
        }
        Reason::NotNeeded | Reason::Secret { .. } => String::new(),
    };
    Some(format!(
        "the package {} is incomplete: {files} left out ({}) by {reason}{advice}",
        shown(&package),
        shown(&first)
    ))
}

/// Returns the first column. Files outside the package do not count, nor does bytecode, which the interpreter
/// makes by itself.
fn path_of(line: &str) -> Option<&str> {
    let path = match line.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => line.split(',').next()?,
    };
    let is_elsewhere = path.starts_with('/') || path.split('/').any(|part| part == "..");
    (!path.is_empty() && !is_elsewhere && !path.ends_with(".pyc")).then_some(path)
}
