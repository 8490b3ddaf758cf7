//! The beginning of an executable file: what the kernel would make of it. Only the first bytes are looked at, and nothing
//! in them is trusted.

/// The bytes at the beginning of an executable that are looked at: linkers put the headers and the loader's name there.
pub(super) const HEAD: u64 = 4096;
/// The bytes of a first line that the kernel reads.
const MAX_LINE: usize = 256;
/// The limit of program headers that are looked at; programs have about ten.
const MAX_HEADERS: usize = 64;
/// The limit of a loader's path, in bytes.
const MAX_LOADER: usize = 256;
/// The type of the program header that names the loader.
const PT_INTERP: u32 = 3;
/// Machines by their numbers in ELF files, with the names that Rust has for them.
const MACHINES: [(u16, &str); 9] = [
    (0x03, "x86"),
    (0x08, "mips"),
    (0x15, "powerpc64"),
    (0x16, "s390x"),
    (0x28, "arm"),
    (0x3e, "x86_64"),
    (0xb7, "aarch64"),
    (0xf3, "riscv64"),
    (0x102, "loongarch64"),
];
/// Machines whose kernels run programs of an older one, too.
const ALSO_RUN: [(&str, &str); 2] = [("x86_64", "x86"), ("aarch64", "arm")];

/// The kind of an executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// A text whose first line names its interpreter.
    Script {
        /// True where the line ends as lines of Windows do.
        is_windows: bool,
    },
    /// A text without such a line.
    Text {
        /// True where the text begins with a byte order mark.
        has_mark: bool,
    },
    /// A program for Linux, or for what else uses this format.
    Elf(Elf),
    /// A program for this other system.
    Foreign(&'static str),
    Unknown,
}

/// A program's headers, as far as they matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elf {
    machine: u16,
    /// The path of the program that loads its libraries; none for a static one.
    pub loader: Option<String>,
}

impl Elf {
    /// Returns the name of its machine if `here` cannot run it.
    pub fn other_machine(&self, here: &str) -> Option<String> {
        // A machine that this table does not know is accepted.
        if !MACHINES.iter().any(|(_, name)| *name == here) {
            return None;
        }
        match MACHINES.iter().find(|(number, _)| *number == self.machine) {
            Some((_, name)) if *name == here || ALSO_RUN.contains(&(here, name)) => None,
            Some((_, name)) => Some((*name).to_owned()),
            None => Some(format!("another machine (number {})", self.machine)),
        }
    }
}

/// Returns the kind of a file with this beginning.
pub(super) fn of(head: &[u8]) -> Program {
    match head {
        [b'#', b'!', line @ ..] => {
            let line = line.iter().take(MAX_LINE).take_while(|byte| **byte != b'\n');
            Program::Script { is_windows: line.last() == Some(&b'\r') }
        }
        [0x7f, b'E', b'L', b'F', ..] => elf(head).map_or(Program::Unknown, Program::Elf),
        [b'M', b'Z', ..] if head.contains(&0) => Program::Foreign("Windows"),
        [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Program::Foreign("macOS"),
        // Java's classes begin in the same way; their version stands where there is a count of programs here.
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1..=30, ..] => Program::Foreign("macOS"),
        _ if is_text(head) => Program::Text { has_mark: head.starts_with(b"\xef\xbb\xbf") },
        _ => Program::Unknown,
    }
}

/// Returns whether it is text as far as it goes: the last character may be cut.
fn is_text(head: &[u8]) -> bool {
    let is_utf8 = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && !head.contains(&0)
}

/// Reads the headers; none where they are not whole.
fn elf(head: &[u8]) -> Option<Elf> {
    let numbers = Numbers { head, is_big: *head.get(5)? == 2 };
    let machine = numbers.two(18)?;
    let is_wide = *head.get(4)? == 2;
    let loader = loader(numbers, is_wide).and_then(|bytes| {
        let path = bytes.split(|byte| *byte == 0).next()?;
        let path = std::str::from_utf8(path).ok().filter(|path| path.len() <= MAX_LOADER)?;
        Some(path.escape_debug().to_string())
    });
    Some(Elf { machine, loader })
}

/// Returns the bytes that name the loader.
fn loader(numbers: Numbers<'_>, is_wide: bool) -> Option<&[u8]> {
    let (start, size, count) = match is_wide {
        true => (numbers.eight(32)?, numbers.two(54)?, numbers.two(56)?),
        false => (numbers.four(28)?.into(), numbers.two(42)?, numbers.two(44)?),
    };
    let (start, size) = (usize::try_from(start).ok()?, usize::from(size));
    let place = |number: usize| start.checked_add(number.checked_mul(size)?);
    let mut places = (0..usize::from(count).min(MAX_HEADERS)).map_while(place);
    let header = places.find(|place| numbers.four(*place) == Some(PT_INTERP))?;
    let (offset, length) = match is_wide {
        true => (numbers.eight(header.checked_add(8)?)?, numbers.eight(header.checked_add(32)?)?),
        false => {
            (numbers.four(header.checked_add(4)?)?.into(), numbers.four(header.checked_add(16)?)?.into())
        }
    };
    let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
    numbers.head.get(offset..offset.checked_add(length)?)
}

/// Numbers in the headers, in the byte order of the file.
#[derive(Clone, Copy)]
struct Numbers<'h> {
    head: &'h [u8],
    is_big: bool,
}

impl Numbers<'_> {
    fn two(self, at: usize) -> Option<u16> {
        let bytes = self.bytes(at)?;
        Some(if self.is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn four(self, at: usize) -> Option<u32> {
        let bytes = self.bytes(at)?;
        Some(if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn eight(self, at: usize) -> Option<u64> {
        let bytes = self.bytes(at)?;
        Some(if self.is_big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn bytes<const LENGTH: usize>(self, at: usize) -> Option<[u8; LENGTH]> {
        self.head.get(at..at.checked_add(LENGTH)?)?.try_into().ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes the beginning of a program of 64 bits for this machine, with this loader.
    pub(in super::super) fn program(machine: u16, loader: Option<&str>) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head[32..40].copy_from_slice(&64_u64.to_le_bytes());
        head[54..56].copy_from_slice(&56_u16.to_le_bytes());
        head[56..58].copy_from_slice(&2_u16.to_le_bytes());
        let mut first = [0; 56];
        first[..4].copy_from_slice(&1_u32.to_le_bytes());
        head.extend_from_slice(&first);
        let mut second = [0; 56];
        if let Some(loader) = loader {
            second[..4].copy_from_slice(&PT_INTERP.to_le_bytes());
            second[8..16].copy_from_slice(&176_u64.to_le_bytes());
            second[32..40].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
        }
        head.extend_from_slice(&second);
        head.extend_from_slice(loader.unwrap_or_default().as_bytes());
        head.push(0);
        head
    }

    fn read(machine: u16, loader: Option<&str>) -> Elf {
        match of(&program(machine, loader)) {
            Program::Elf(elf) => elf,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_executable_is_known_by_its_first_bytes() {
        let script = |is_windows| Program::Script { is_windows };
        let text = |has_mark| Program::Text { has_mark };
        for (head, kind) in [
            (&b"#!/bin/sh\necho\r\n"[..], script(false)),
            (b"#!/bin/sh\r\necho\r\n", script(true)),
            (b"#!", script(false)),
            (b"", text(false)),
            (b"echo hello\n", text(false)),
            (b"gr\xc3\xbc\xc3", text(false)),
            (b"\xef\xbb\xbf#!/bin/sh\n", text(true)),
            (b"MZ\x90\0", Program::Foreign("Windows")),
            (b"MZ is text\n", text(false)),
            (b"\xcf\xfa\xed\xfe\x07", Program::Foreign("macOS")),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Program::Foreign("macOS")),
            (b"\xca\xfe\xba\xbe\0\0\0\x41", Program::Unknown),
            (b"\x7fELF\x02\x01", Program::Unknown),
            (b"PK\x03\x04\0", Program::Unknown),
        ] {
            assert_eq!(of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn a_program_of_another_machine_is_told_from_one_that_runs() {
        let (intel, arm) = (read(0x3e, None), read(0xb7, None));
        assert_eq!((intel.other_machine("x86_64"), arm.other_machine("aarch64")), (None, None));
        assert_eq!(arm.other_machine("x86_64").as_deref(), Some("aarch64"));
        assert_eq!(intel.other_machine("aarch64").as_deref(), Some("x86_64"));
        assert_eq!(read(0x03, None).other_machine("x86_64"), None, "its kernel runs both");
        assert_eq!(read(0xfff, None).other_machine("x86_64").unwrap(), "another machine (number 4095)");
        assert_eq!(arm.other_machine("sparc64"), None, "it is not known what that is called");
    }

    #[test]
    fn the_loader_is_read_and_what_is_cut_or_wrong_has_none() {
        let musl = "/lib/ld-musl-x86_64.so.1";
        assert_eq!(read(0x3e, Some(musl)).loader.as_deref(), Some(musl));
        assert_eq!(read(0x3e, None).loader, None);
        let whole = program(0x3e, Some(musl));
        for length in 0..whole.len() - 1 {
            if let Program::Elf(elf) = of(&whole[..length]) {
                assert_eq!(elf.loader, None, "{length}");
            }
        }
        for (place, value) in [(32, u64::MAX), (128, u64::MAX), (152, u64::MAX)] {
            let mut wrong = whole.clone();
            wrong[place..place + 8].copy_from_slice(&value.to_le_bytes());
            let Program::Elf(elf) = of(&wrong) else { panic!("the rest is as it was") };
            assert_eq!(elf.loader, None, "{place}");
        }
        let long = "x".repeat(MAX_LOADER + 1);
        assert_eq!(read(0x3e, Some(&long)).loader, None);
    }

    #[test]
    fn a_program_of_32_bits_and_the_other_byte_order_is_read_too() {
        let mut head = vec![0; 52];
        head[..6].copy_from_slice(b"\x7fELF\x01\x02");
        head[18..20].copy_from_slice(&0x28_u16.to_be_bytes());
        head[28..32].copy_from_slice(&52_u32.to_be_bytes());
        head[42..44].copy_from_slice(&32_u16.to_be_bytes());
        head[44..46].copy_from_slice(&1_u16.to_be_bytes());
        let mut only = [0; 32];
        only[..4].copy_from_slice(&PT_INTERP.to_be_bytes());
        only[4..8].copy_from_slice(&84_u32.to_be_bytes());
        only[16..20].copy_from_slice(&5_u32.to_be_bytes());
        head.extend_from_slice(&only);
        head.extend_from_slice(b"/ld.1");
        let expected = Elf { machine: 0x28, loader: Some("/ld.1".to_owned()) };
        assert_eq!(of(&head), Program::Elf(expected));
    }
}
