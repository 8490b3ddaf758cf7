//! The reasons why a file cannot be executed. The kernel knows more than its one error code says.

use std::{
    env::consts::ARCH,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

use rustix::fs::{Access, access};

/// The longest path of an interpreter or a loader that is looked at, in bytes.
const MAX_PATH: usize = 4096;

/// The machines of ELF files that have a name here.
const MACHINES: [(u16, &str); 5] =
    [(3, "i386"), (40, "arm"), (62, "x86_64"), (183, "aarch64"), (243, "riscv64")];

/// Returns whether a file can be executed as far as its permissions say.
pub fn is_program(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Returns what is wrong with a program, as words after its name; none where nothing is found.
pub fn flaw(path: &Path) -> Option<String> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    if about.is_dir() {
        return Some("is a folder".to_owned());
    }
    // Opening a named pipe would wait for a writer.
    if !about.is_file() {
        return Some("is not a file, but a pipe, a socket or a device".to_owned());
    }
    if about.mode() & 0o111 == 0 {
        let path = path.strip_prefix(".").unwrap_or(path).display();
        return Some(format!(
            "is not executable: run `chmod +x {path}` in its folder, and deploy again"
        ));
    }
    if let Err(error) = access(path, Access::EXEC_OK) {
        return Some(format!("cannot be executed: {}", io::Error::from(error)));
    }
    // A file that may be executed but not read tells nothing.
    let file = File::open(path).ok()?;
    let start = bytes_at(&file, 0, MAX_PATH)?;
    if let Some(line) = start.strip_prefix(b"#!") {
        return script_flaw(line);
    }
    if start.starts_with(b"\x7fELF") {
        return elf_flaw(&file, &start);
    }
    Some(
        "is neither a program for Linux nor a script: the first line of a script names its interpreter, as in #!/bin/sh"
            .to_owned(),
    )
}

fn script_flaw(start: &[u8]) -> Option<String> {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next().unwrap_or_default();
    if interpreter.is_empty() {
        return Some("has a first line of #! that names no interpreter, as #!/bin/sh does".to_owned());
    }
    if Path::new(interpreter).exists() {
        return None;
    }
    if interpreter.ends_with('\r') {
        return Some(
            "has Windows line ends, and the kernel takes those of Linux only: save it with LF"
                .to_owned(),
        );
    }
    Some(format!("begins with #!{interpreter}, and there is no {interpreter} here"))
}

fn elf_flaw(file: &File, start: &[u8]) -> Option<String> {
    let machine = u16::from_le_bytes(start.get(18..20)?.try_into().ok()?);
    let machine = MACHINES.iter().find(|(number, _)| *number == machine);
    let machine = machine.map_or("another machine", |(_, name)| *name);
    let runs_here =
        machine == ARCH || matches!((machine, ARCH), ("i386", "x86_64") | ("arm", "aarch64"));
    if !runs_here {
        return Some(format!("is made for {machine}, and this machine is {ARCH}: build it for {ARCH}"));
    }
    let loader = loader(file, start)?;
    if Path::new(&loader).exists() {
        return None;
    }
    Some(format!(
        "is made for another libc: its loader {loader} is not here; build it statically, or for the libc of this image"
    ))
}

/// Reads the path of the loader that a dynamic 64-bit program asks for (`PT_INTERP`).
fn loader(file: &File, start: &[u8]) -> Option<String> {
    const IS_64_BIT: u8 = 2;
    const INTERP: u64 = 3;
    let number = |bytes: &[u8], at: usize, size: usize| {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)))
    };
    if *start.get(4)? != IS_64_BIT {
        return None;
    }
    let (table, size, count) = (number(start, 32, 8)?, number(start, 54, 2)?, number(start, 56, 2)?);
    for index in 0..count.min(64) {
        let entry = bytes_at(file, table.checked_add(index * size)?, 56)?;
        if number(&entry, 0, 4)? == INTERP {
            let length = usize::try_from(number(&entry, 32, 8)?).ok()?.min(MAX_PATH);
            let path = bytes_at(file, number(&entry, 8, 8)?, length)?;
            let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
            return Some(String::from_utf8_lossy(&path[..end]).into_owned());
        }
    }
    None
}

/// Reads up to `length` bytes.
fn bytes_at(file: &File, offset: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, offset).ok()?;
    bytes.truncate(read);
    Some(bytes)
}
