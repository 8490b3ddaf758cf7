//! The 512-byte block that begins an entry of a tar, read strictly.
//!
//! Tar readers interpret a damaged or unusual header differently (GNU tar, libarchive and the `tar` crate each
//! guess in their own way). A header that could be read in two ways is refused here: an accepted header means
//! the same to all of them. `tests/it/tar_readers/` compares them.

pub(super) const BLOCK: usize = 512;

/// The bytes where GNU's header describes holes, says whether a further block does, and gives the full size.
const GNU_HOLES: std::ops::Range<usize> = 386..495;

/// The content of the block, before extensions change it.
#[derive(Debug)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    /// The type flag.
    pub kind: u8,
    pub size: u64,
    /// Anyone may execute it.
    pub executable: bool,
}

impl Header {
    /// Reads a block; the error says what is wrong with it.
    pub fn parse(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        let sum: u64 = block[..148].iter().chain(&block[156..]).map(|byte| u64::from(*byte)).sum();
        if number(&block[148..156]) != Some(sum + 8 * u64::from(b' ')) {
            return Err("has a wrong checksum");
        }
        let prefix = match &block[257..265] {
            b"ustar\x0000" => until_nul(&block[345..500]),
            // GNU's header has other fields there, and that of Version 7 has none.
            b"ustar  \0" | [0, 0, 0, 0, 0, 0, 0, 0] => &[],
            _ => return Err("is not of the formats ustar, pax, GNU and Version 7"),
        };
        let kind = if block[156] == 0 { b'0' } else { block[156] };
        let size = number(&block[124..136]).ok_or("has a size that is not a number")?;
        let mode = number(&block[100..108]).ok_or("has a mode that is not a number")?;
        // These fields have no effect, but libarchive treats a block with anything else here as the end of the
        // archive.
        let owner_and_times = [108..116, 116..124, 136..148, 329..337, 337..345];
        if !owner_and_times.into_iter().all(|field| is_number_or_blank(&block[field])) {
            return Err("has an owner, time or device that is not a number");
        }
        // Libarchive evaluates these in an entry of any type.
        let holes = &block[GNU_HOLES];
        if block[257..265] == *b"ustar  \0" && kind != b'S' && holes.iter().any(|byte| *byte != 0) {
            return Err("has a list of holes, and is not of the type that has them");
        }
        let mut name = prefix.to_vec();
        if !prefix.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(until_nul(&block[..100]));
        Ok(Self {
            name,
            link: until_nul(&block[157..257]).to_vec(),
            kind,
            size,
            executable: mode & 0o111 != 0,
        })
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Reads octal digits after spaces, padded with spaces and NULs; or GNU's binary form for large numbers.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, binary)) = field.split_first() {
        let (high, low) = binary.split_at(binary.len().saturating_sub(7));
        return high
            .iter()
            .all(|byte| *byte == 0)
            .then(|| low.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| !matches!(byte, b'0'..=b'7')).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let spaces = field.len() - digits.len() - rest.len();
    let clean = field[..spaces].iter().all(|byte| *byte == b' ')
        && rest.iter().all(|byte| matches!(byte, b' ' | 0));
    if digits.is_empty() || !clean {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |value, digit| value.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

fn is_number_or_blank(field: &[u8]) -> bool {
    field[0] & 0x80 != 0 || field.iter().all(|byte| matches!(byte, b' ' | 0)) || number(field).is_some()
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, GNU_HOLES, Header, number};

    #[test]
    fn holes_are_told_only_by_an_entry_that_has_them() {
        let parsed = |changed: Option<usize>| {
            let mut header = tar::Header::new_gnu();
            header.set_path("a").unwrap();
            header.set_mode(0o644);
            header.set_size(0);
            let mut block: [u8; BLOCK] = *header.as_bytes();
            if let Some(place) = changed {
                block[place] = b'1';
            }
            let mut changed = tar::Header::from_byte_slice(&block).clone();
            changed.set_cksum();
            Header::parse(changed.as_bytes()).map(|header| header.name)
        };
        assert_eq!(parsed(None), Ok(b"a".to_vec()));
        let refused = Err("has a list of holes, and is not of the type that has them");
        for place in [GNU_HOLES.start, 400, 482, GNU_HOLES.end - 1] {
            assert_eq!(parsed(Some(place)), refused, "{place}");
        }
    }

    #[test]
    fn numbers_are_read_only_where_all_readers_agree() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000000017 ", Some(0o17)),
            (b"77777777777\0", Some(0o77777777777)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x10\x01", Some(0x1001)),
            (b"\x80\xff\0\0\0\0\0\0\0\0\x10\x01", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\0\0\0\0\0\0\0\0", None),
            (b"        ", None),
            (b"\x000644\0\0", None),
            (b"0000\x00644", None),
            (b"00000648", None),
            (b"-0000001", None),
            (b"\t000644\0", None),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }
}
