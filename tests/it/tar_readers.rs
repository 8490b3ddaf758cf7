//! Our reader of archives beside GNU tar and libarchive: what it accepts, it unpacks as both of them do.
//!
//! Archives come from a seed: written by GNU tar and by bsdtar from small folders in all their formats, put
//! together block by block with odd headers, and either kind with a byte changed. The suite tries a few
//! hundred. All of them:
//!
//! ```text
//! CLOUDFUNC_TAR_CASES=10000 CLOUDFUNC_TAR_SEED=1 cargo nextest run archives_mean_the_same
//! ```

mod odd;
mod tree;
mod written;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cloudfunc::bundle;
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use self::tree::{Tree, tree_of};

/// A seeded source of numbers (SplitMix64).
pub struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'v, T: ?Sized>(&mut self, values: &[&'v T]) -> &'v T {
        values[self.below(values.len())]
    }
}

/// An archive without gzip, and whether it has to be accepted.
pub struct Case {
    pub tar: Vec<u8>,
    pub is_ordinary: bool,
    pub about: String,
}

#[derive(Debug, Default)]
struct Tally {
    archives: usize,
    accepted: usize,
    differences: Vec<String>,
}

#[test]
fn archives_mean_the_same_as_to_gnu_tar_and_libarchive_or_are_refused() {
    if !tools_are_there() {
        return;
    }
    let cases = number("CLOUDFUNC_TAR_CASES").unwrap_or(250);
    let seed = number("CLOUDFUNC_TAR_SEED").unwrap_or(1);
    let place = in_memory();
    let mut tally = Tally::default();
    for case in 0..cases {
        let folder = place.path().join("case");
        fs::create_dir(&folder).unwrap();
        let mut dice = Dice(seed << 32 | case);
        if let Some(made) = make(&mut dice, &folder) {
            compare(&made, &folder, &mut tally, case);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    let Tally { archives, accepted, differences } = &tally;
    println!("{archives} archives, {accepted} accepted, {} differences", differences.len());
    assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
    assert!(accepted * 4 > *archives, "too few are accepted to say anything: {accepted} of {archives}");
}

/// Some 30 files are made for each archive.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

pub fn tools_are_there() -> bool {
    let there = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    let all = there("tar") && there("bsdtar");
    if !all {
        assert!(std::env::var_os("CLOUDFUNC_TEST_REQUIRE").is_none(), "tar and bsdtar are needed");
        eprintln!("SKIPPED: needs tar and bsdtar (Debian: libarchive-tools)");
    }
    all
}

/// None where the tool itself cannot write what was rolled.
fn make(dice: &mut Dice, folder: &Path) -> Option<Case> {
    match dice.below(10) {
        0..=1 => written::by_gnu_tar(dice, folder),
        2..=3 => written::by_bsdtar(dice, folder),
        4 => written::by_gnu_tar(dice, folder).map(|case| odd::changed(dice, case)),
        5 => written::by_bsdtar(dice, folder).map(|case| odd::changed(dice, case)),
        _ => Some(odd::archive(dice)),
    }
}

fn compare(case: &Case, folder: &Path, tally: &mut Tally, number: u64) {
    tally.archives += 1;
    let target = folder.join("ours");
    let listing = match bundle::unpack(&gzip(&case.tar), &target) {
        Ok(listing) => listing,
        Err(error) => {
            if case.is_ordinary {
                tally.differences.push(format!("case {number} ({}) is refused: {error}", case.about));
            }
            return;
        }
    };
    tally.accepted += 1;
    let ours = tree_of(&target);
    let again = bundle::read(&gzip(&plain(&target))).unwrap();
    let mut differ = Vec::new();
    if again.digest != listing.digest {
        differ.push("the digest is not of what was unpacked".to_owned());
    }
    let file = folder.join("archive.tar");
    fs::write(&file, &case.tar).unwrap();
    for tool in ["tar", "bsdtar"] {
        let theirs = extract(tool, &file, &folder.join(tool));
        if theirs != ours {
            differ.push(format!("{tool}: {theirs:?}, ours: {ours:?}"));
        }
    }
    if !differ.is_empty() {
        let kept = std::env::temp_dir().join(format!("tar-difference-{number}.tar"));
        fs::copy(&file, &kept).unwrap();
        tally.differences.push(format!(
            "case {number} ({}), kept as {}: {}",
            case.about,
            kept.display(),
            differ.join("; ")
        ));
    }
}

pub fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

/// What was unpacked as the plainest archive.
fn plain(folder: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}

/// What a tool makes of an archive. That it complains does not matter: what it leaves does.
pub fn extract(tool: &str, archive: &Path, into: &PathBuf) -> Tree {
    fs::create_dir(into).unwrap();
    let mut command = Command::new(tool);
    command.arg("-xf").arg(archive).arg("-C").arg(into).arg("--no-same-owner");
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap();
    tree_of(into)
}
