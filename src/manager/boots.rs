//! Caches whose files are not synced, which first calls would have to wait for: instead, what is there from before this
//! boot is not trusted.

use std::{fs, io, path::Path};

use crate::model::Digest;

/// The file with the kernel's id of the current boot.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Sets aside what was put into a cache before this boot, under names that begin with a dot: a power cut may have emptied
/// its files. The note says in which boot the cache was filled.
pub fn distrust_earlier_boots(folder: &Path, note: &Path) -> io::Result<()> {
    distrust(folder, note, BOOT)
}

/// The note of the boot is written before anything is put there, and one that was lost itself says that there was a cut.
fn distrust(folder: &Path, note: &Path, boot: &str) -> io::Result<()> {
    let boot = fs::read_to_string(boot)?;
    if fs::read_to_string(note).is_ok_and(|noted| noted == boot) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    for name in entries(folder).iter().filter(|name| name.parse::<Digest>().is_ok()) {
        let aside = folder.join(format!(".removed-{name}"));
        let _ = fs::remove_dir_all(&aside);
        fs::rename(folder.join(name), aside)?;
    }
    fs::write(note, boot)
}

/// Returns the names in a folder.
pub fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_from_before_the_boot_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, boot) = (dir.path().join("cache/bundles"), dir.path().join("boot_id"));
        let there = || entries(&folder);
        fs::write(&boot, "first").unwrap();
        let note = folder.with_extension("boot");
        let start = || distrust(&folder, &note, boot.to_str().unwrap()).unwrap();
        start();
        let bundle = Digest::of(b"bundle").to_string();
        let aside = format!(".removed-{bundle}");
        fs::create_dir(folder.join(&bundle)).unwrap();
        start();
        assert_eq!(there(), [bundle.as_str()], "a process that starts again");
        fs::write(&boot, "second").unwrap();
        start();
        assert_eq!(there(), [aside.as_str()], "removed with what a killed process leaves");
        fs::create_dir(folder.join(&bundle)).unwrap();
        fs::write(&note, "").unwrap();
        start();
        assert_eq!(there(), [aside.as_str()], "the note was lost with the power");
    }
}
