//! Archives that no tool would write: put together block by block, or an ordinary one with bytes changed.

use super::{Case, Dice};

const BLOCK: usize = 512;

/// A header and what follows it.
#[derive(Clone)]
struct Part {
    header: [u8; BLOCK],
    content: Vec<u8>,
}

pub fn archive(dice: &mut Dice) -> Case {
    let mut parts: Vec<Part> = (0..1 + dice.below(4)).map(|number| part(dice, number)).collect();
    let mut about = Vec::new();
    // Some stay as they are: those have to be accepted.
    let oddities = dice.below(4);
    for _ in 0..oddities {
        let at = dice.below(parts.len());
        about.push(make_odd(dice, &mut parts, at));
    }
    let mut tar = Vec::new();
    for part in &parts {
        tar.extend_from_slice(&sealed(part.header));
        tar.extend_from_slice(&part.content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    if oddities > 0 && dice.one_in(6) {
        about.push(odd_end(dice, &mut tar));
    } else {
        tar.resize(tar.len() + 2 * BLOCK, 0);
    }
    Case { tar, is_ordinary: oddities == 0, about: about.join(", ") }
}

/// A byte of a header is another one, or a few, and the checksum is right again.
pub fn changed(dice: &mut Dice, case: Case) -> Case {
    let Case { mut tar, about, .. } = case;
    let blocks: Vec<usize> = (0..tar.len() / BLOCK)
        .map(|block| block * BLOCK)
        .filter(|start| tar[*start..].get(257..262) == Some(b"ustar"))
        .collect();
    if !blocks.is_empty() {
        let start = blocks[dice.below(blocks.len())];
        for _ in 0..1 + dice.below(3) {
            // Name, mode, size, type, link, magic and prefix more often than the rest.
            let fields =
                [(0, 100), (100, 8), (124, 12), (156, 1), (157, 20), (257, 8), (345, 155), (0, BLOCK)];
            let (from, length) = fields[dice.below(fields.len())];
            let byte = *b"\0 /.01257xSLKg9\xff\x80a".get(dice.below(19)).unwrap_or(&b'7');
            tar[start + from + dice.below(length)] = byte;
        }
        let header: [u8; BLOCK] = tar[start..start + BLOCK].try_into().unwrap();
        tar[start..start + BLOCK].copy_from_slice(&sealed(header));
    }
    Case { tar, is_ordinary: false, about: format!("{about}, changed") }
}

fn part(dice: &mut Dice, number: usize) -> Part {
    let name = format!("{}{number}", dice.pick(&["a", "d/b", "d/e/c", "./f", "g//h", "ü"]));
    let size = [0, 3, 512, 700][dice.below(4)];
    match dice.below(8) {
        0 => header(&format!("{name}/"), b'5', "", 0),
        1 => header(&name, b'2', dice.pick(&["a0", "./x", "y/z"]), 0),
        2 => Part { content: vec![b'0'; size], ..header(&name, 0, "", size) },
        _ => Part { content: vec![b'c'; size], ..header(&name, b'0', "", size) },
    }
}

fn header(name: &str, kind: u8, link: &str, size: usize) -> Part {
    let mut header = [0; BLOCK];
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\0");
    put(&mut header, 108, b"0000000\x000000000\0");
    put(&mut header, 124, format!("{size:011o}\0").as_bytes());
    put(&mut header, 136, b"00000000000\0");
    header[156] = kind;
    put(&mut header, 157, link.as_bytes());
    put(&mut header, 257, b"ustar\x0000");
    Part { header, content: Vec::new() }
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}

fn sealed(mut header: [u8; BLOCK]) -> [u8; BLOCK] {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

fn make_odd(dice: &mut Dice, parts: &mut Vec<Part>, at: usize) -> String {
    let size = parts[at].content.len();
    let header = &mut parts[at].header;
    match dice.below(16) {
        0 => {
            header[156] = *b"01234567SxgLKVMNDA9\0\xff".get(dice.below(21)).unwrap();
            format!("type {}", header[156])
        }
        1 => {
            let names: [&[u8]; 12] = [
                b"a/", b"a/.", b"./", b"", b"/abs", b"../up", b"d/../x", b"a\0b", b"a0", b"d", b"x\xff",
                b"d/b0/c",
            ];
            let name = names[dice.below(names.len())];
            header[..100].fill(0);
            put(header, 0, name);
            format!("name {}", name.escape_ascii())
        }
        2 => {
            let magics: [&[u8; 8]; 7] = [
                b"ustar  \0",
                b"ustar\x0000",
                b"\0\0\0\0\0\0\0\0",
                b"ustar\0\0\0",
                b"ustar   ",
                b"USTAR\x0000",
                b"ustar\x0001",
            ];
            let magic = magics[dice.below(magics.len())];
            put(header, 257, magic);
            format!("magic {}", magic.escape_ascii())
        }
        3 => {
            let prefix = dice.pick(&["p", "p/q", "p/", "/p", "..", "."]);
            put(header, 345, prefix.as_bytes());
            format!("prefix {prefix}")
        }
        4 => {
            let octal = format!("{size:o}");
            let fields = [
                format!("{octal:>11}\0"),
                format!("{octal:>12}"),
                format!("{octal}\0"),
                format!("{size:012o}"),
                format!("{octal} \0garbage"),
                format!("\0{size:010o}\0"),
                format!("+{octal}"),
                format!("-{octal}"),
                format!("{:011o}\0", size + 512),
                format!("{:011o}\0", size / 2),
                String::new(),
                "           ".to_owned(),
                format!("\t{octal}\0"),
                format!("{octal}8"),
            ];
            let field = &fields[dice.below(fields.len())];
            header[124..136].fill(0);
            put(header, 124, &field.as_bytes()[..field.len().min(12)]);
            format!("size {field:?}")
        }
        5 => {
            header[124..136].fill(0);
            header[124] = [0x80, 0xff, 0xc0, 0x81][dice.below(4)];
            put(header, 128, &(size as u64).to_be_bytes());
            "binary size".to_owned()
        }
        6 => {
            let modes: [&[u8; 8]; 9] = [
                b"0000755\0",
                b"0000001\0",
                b"0100755\0",
                b"    755 ",
                b"\0\0\0\0\0\0\0\0",
                b"0000799\0",
                b"755\0junk",
                b"07777777",
                b"\x80\0\0\0\0\0\x01\xed",
            ];
            let mode = modes[dice.below(modes.len())];
            put(header, 100, mode);
            format!("mode {}", mode.escape_ascii())
        }
        7 => {
            header[157..257].fill(0);
            put(header, 157, dice.pick(&["", "a0", "..", "/etc", "x\0y", "d/../a"]).as_bytes());
            "link name".to_owned()
        }
        8 => {
            let text =
                dice.pick(&["", "long\0", "long", "lo\0ng", "d/long\0", "a0\0\0", "l/"]).to_owned();
            let kind = *dice.pick(&[b"L", b"K"]);
            let before = extension(kind[0], text.as_bytes(), dice.one_in(2));
            parts.insert(at, before);
            format!("{} {text:?}", kind.escape_ascii())
        }
        9..=12 => {
            let kind = if dice.one_in(5) { b'g' } else { b'x' };
            let (text, about) = records(dice, size);
            parts.insert(at, extension(kind, &text, false));
            format!("{} {about}", char::from(kind))
        }
        13 => {
            let again = parts[at].clone();
            parts.push(again);
            "twice".to_owned()
        }
        14 => {
            // Blocks of zeros before it.
            parts.insert(at, Part { header: [0; BLOCK], content: Vec::new() });
            "empty header".to_owned()
        }
        _ => {
            parts[at].content.extend_from_slice(&[b'z'; BLOCK]);
            "more content than it says".to_owned()
        }
    }
}

fn extension(kind: u8, content: &[u8], gnu: bool) -> Part {
    let mut part = header("ext", kind, "", content.len());
    if gnu {
        put(&mut part.header, 257, b"ustar  \0");
    }
    Part { content: content.to_vec(), ..part }
}

fn records(dice: &mut Dice, size: usize) -> (Vec<u8>, String) {
    let (right, wrong) = (size.to_string(), (size + 1).to_string());
    let known = [
        ("path", "pax"),
        ("path", "d/pax"),
        ("path", ""),
        ("path", "p/"),
        ("path", "a0"),
        ("path", "/abs"),
        ("linkpath", "lp"),
        ("linkpath", ""),
        ("size", &right),
        ("size", &wrong),
        ("size", "0"),
        ("size", "x"),
        ("mtime", "1.5"),
        ("mtime", "-1"),
        ("uid", "0"),
        ("uname", "me"),
        ("comment", "text"),
        ("hdrcharset", "BINARY"),
        ("hdrcharset", "ISO-IR 8859 1 1998"),
        ("charset", "BINARY"),
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "sp"),
        ("GNU.sparse.realsize", "9"),
        ("GNU.sparse.map", "0,1"),
        ("GNU.sparse.size", "4"),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.volume.size", "1"),
        ("SCHILY.realsize", "3"),
        ("SCHILY.acl.access", "user::rwx,group::r-x,other::r-x"),
        ("SCHILY.fflags", "nodump"),
        ("SCHILY.xattr.user.a", "b"),
        ("LIBARCHIVE.xattr.user.a", "Yg=="),
        ("LIBARCHIVE.creationtime", "1"),
        ("LIBARCHIVE.symlinktype", "dir"),
        ("SCHILY.ino", "7"),
        ("SCHILY.nlink", "2"),
        ("SCHILY.filetype", "directory"),
        ("VENDOR.thing", "1"),
        ("realtime.x", "1"),
        ("security.x", "1"),
    ];
    let mut text = Vec::new();
    let mut about = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let (key, value) = known[dice.below(known.len())];
        let mut length = key.len() + value.len() + 4;
        if length >= 10 {
            length += 1;
        }
        if dice.one_in(25) {
            length += 1;
        }
        text.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
        about.push(format!("{key}={value}"));
    }
    if dice.one_in(20) {
        text.pop();
        about.push("cut".to_owned());
    }
    (text, about.join(" "))
}

fn odd_end(dice: &mut Dice, tar: &mut Vec<u8>) -> String {
    match dice.below(5) {
        0 => "no end".to_owned(),
        1 => {
            tar.resize(tar.len() + BLOCK, 0);
            "one block of zeros".to_owned()
        }
        2 => {
            tar.resize(tar.len() + 2 * BLOCK, 0);
            let again = tar.clone();
            tar.extend_from_slice(&again);
            "two archives".to_owned()
        }
        3 => {
            tar.truncate(tar.len() - 1 - dice.below(tar.len().min(2000) - 1));
            "cut off".to_owned()
        }
        _ => {
            tar.resize(tar.len() + 2 * BLOCK, 0);
            tar.extend_from_slice(b"garbage");
            "garbage at the end".to_owned()
        }
    }
}
