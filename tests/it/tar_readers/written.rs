//! Archives that GNU tar and bsdtar write from a small folder, in all their formats.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use super::{Case, Dice};

pub fn by_gnu_tar(dice: &mut Dice, folder: &Path) -> Option<Case> {
    let mut is_ordinary = source(dice, folder);
    let mut arguments = vec![dice.pick(&[
        "--format=gnu",
        "--format=oldgnu",
        "--format=ustar",
        "--format=v7",
        "--format=posix",
        "--format=posix",
    ])];
    if dice.one_in(3) {
        is_ordinary = false;
        let versions = ["-S", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"];
        arguments.push(dice.pick(&versions));
    }
    if arguments[0] == "--format=posix" && dice.one_in(3) {
        let options = [
            "--pax-option=comment=hello",
            "--pax-option=comment:=hello",
            "--pax-option=delete=mtime",
            "--pax-option=globexthdr.name=g,uname=me",
            "--pax-option=exthdr.name=%d/X/%f",
        ];
        arguments.push(dice.pick(&options));
    }
    if dice.one_in(3) {
        let others =
            ["--owner=999999999", "--mtime=@-1", "--hard-dereference", "--numeric-owner", "-b1"];
        arguments.push(dice.pick(&others));
    }
    write("tar", &arguments, dice, folder, is_ordinary)
}

pub fn by_bsdtar(dice: &mut Dice, folder: &Path) -> Option<Case> {
    // It stores holes without being asked.
    let has_no_holes = source(dice, folder);
    let formats =
        ["--format=pax", "--format=paxr", "--format=gnutar", "--format=ustar", "--format=v7", "--posix"];
    let mut arguments = vec![dice.pick(&formats)];
    if dice.one_in(3) {
        arguments.push(dice.pick(&[
            "--uid=999999999",
            "--no-read-sparse",
            "--numeric-owner",
            "--no-xattrs",
        ]));
    }
    write("bsdtar", &arguments, dice, folder, has_no_holes)
}

fn write(
    tool: &str,
    arguments: &[&str],
    dice: &mut Dice,
    folder: &Path,
    is_ordinary: bool,
) -> Option<Case> {
    let mut command = Command::new(tool);
    command.args(["-c", "-f", "-"]).args(arguments).arg("-C").arg(folder.join("source"));
    if dice.one_in(2) {
        command.arg(".");
    } else {
        let mut names: Vec<_> =
            fs::read_dir(folder.join("source")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        command.args(names);
    }
    let output =
        command.env("LC_ALL", dice.pick(&["C.UTF-8", "C"])).stderr(Stdio::null()).output().unwrap();
    let about = format!("{tool} {}", arguments.join(" "));
    // Names that are too long for a format are left out, with an error.
    output.status.success().then_some(Case { tar: output.stdout, is_ordinary, about })
}

/// Makes `source`; says whether every archive of it has to be accepted.
fn source(dice: &mut Dice, folder: &Path) -> bool {
    let source = folder.join("source");
    let long = "long/".repeat(30);
    let folders = ["", "pkg/", "pkg/sub/", "with space/", "ümläut/", &long];
    let names = ["a", "b.py", "c.so", "d d", "é", &"n".repeat(120)];
    let mut is_ordinary = true;
    for number in 0..1 + dice.below(4) {
        let path = format!("{}{}{number}", dice.pick(&folders), dice.pick(&names));
        let path = source.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match dice.below(12) {
            0 => symlink(dice.pick(&["a", "./a//b", "long/".repeat(25).as_str()]), &path).unwrap(),
            1 => {
                is_ordinary = false;
                let file = fs::File::create(&path).unwrap();
                file.set_len(1 << (12 + dice.below(5))).unwrap();
                for _ in 0..dice.below(8) {
                    file.write_at(b"in the middle", dice.below(1 << 16) as u64).unwrap();
                }
            }
            2 => {
                is_ordinary = false;
                fs::write(&path, "twice").unwrap();
                fs::hard_link(&path, source.join(format!("hard{number}"))).unwrap();
            }
            _ => {
                let size = [0, 1, 511, 512, 513, 5000][dice.below(6)];
                let content: Vec<u8> = (0..size).map(|_| b'a' + dice.below(26) as u8).collect();
                fs::write(&path, content).unwrap();
                let mode = [0o644, 0o755, 0o600, 0o700, 0o654][dice.below(5)];
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
    is_ordinary
}
