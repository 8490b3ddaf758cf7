//! A check of JSON in one pass that builds nothing.
//!
//! It accepts what every reader of JSON agrees on (RFC 8259), except for values that Python's `json` cannot
//! read or a function could not write again:
//!
//! - nesting up to [`MAX_DEPTH`];
//! - integers up to [`MAX_DIGITS`];
//! - numbers with a fraction or an exponent of any length, up to the range of a 64-bit float (1.8e308);
//! - no escape of half a surrogate pair, which no encoding can write;
//! - no byte order mark, no UTF-16, no UTF-32.
//!
//! A key may occur twice in an object: readers take the last value.

use std::fmt;

/// The limit of nested arrays and objects. Python allows 1,000 nested calls, and reading a level takes one:
/// half of them are left to the function, which may walk the value recursively and write it again.
pub const MAX_DEPTH: usize = 500;
/// The limit of the digits of an integer: `sys.int_info.default_max_str_digits`, beyond which Python refuses to
/// convert it.
pub const MAX_DIGITS: usize = 4300;

/// Numbers with fewer digits and a smaller exponent than this fit into a 64-bit float.
const SMALL: usize = 300;

/// The first fault in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: What,
    /// The offset of the fault, in bytes from the beginning.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, offset, line, column } = self;
        let limit = matches!(what, What::Deep(_) | What::Digits(_) | What::Huge | What::Surrogate(_));
        let beginning = if limit {
            "the payload is JSON that not every function can read"
        } else {
            "the payload is not valid JSON"
        };
        write!(f, "{beginning}: {what} at line {line} column {column} (byte {offset})")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The document ends too early.
    End,
    /// An unexpected byte, with what may stand here instead.
    Expected(&'static str, u8),
    /// Something follows the value.
    Trailing,
    /// `NaN`, `Infinity` or `-Infinity`.
    Constant,
    Number,
    Control(u8),
    Escape,
    Surrogate(u16),
    Utf8(u8),
    Deep(usize),
    Digits(usize),
    /// A number that would be read as infinite.
    Huge,
    /// A byte order mark, with the name of its encoding.
    Mark(&'static str),
    Wide(&'static str),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("it ends in the middle of a value"),
            Self::Expected(what, byte) if byte.is_ascii_graphic() => {
                write!(f, "expected {what}, found '{}'", char::from(*byte))
            }
            Self::Expected(what, byte) => write!(f, "expected {what}, found the byte 0x{byte:02x}"),
            Self::Trailing => f.write_str("something follows the value"),
            Self::Constant => f.write_str("NaN and Infinity are not JSON"),
            Self::Number => f.write_str("a number is not written as JSON has it"),
            Self::Control(byte) => {
                write!(f, "a string has a control character that is not escaped (0x{byte:02x})")
            }
            Self::Escape => f.write_str("a backslash does not begin an escape of JSON"),
            Self::Surrogate(unit) => write!(f, "the escape \\u{unit:04x} is half of a surrogate pair"),
            Self::Utf8(byte) => write!(f, "the bytes are not UTF-8 (0x{byte:02x})"),
            Self::Deep(limit) => write!(f, "it is nested deeper than {limit} levels"),
            Self::Digits(digits) => {
                write!(f, "an integer has {digits} digits, over the limit of {MAX_DIGITS}")
            }
            Self::Huge => f.write_str("a number is beyond what a 64-bit float holds"),
            Self::Mark(encoding) => write!(f, "it begins with a byte order mark of {encoding}"),
            Self::Wide(encoding) => write!(f, "it is encoded in {encoding}"),
        }
    }
}

impl What {
    /// Returns advice on what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Utf8(_) | Self::Wide(_) => {
                "JSON is sent in UTF-8; with Content-Type: application/octet-stream the function gets any bytes"
            }
            Self::Mark("UTF-8") => "send it without its first three bytes",
            Self::Mark(_) => "JSON is sent in UTF-8, without a byte order mark",
            Self::Constant => "send null or a string instead",
            Self::Deep(_) => {
                "send it flatter, or as text/plain or application/octet-stream, and parse it in the function"
            }
            Self::Digits(_) | Self::Huge => "send the number as a string",
            Self::Surrogate(_) => "a character above U+FFFF is two escapes or the character itself",
            _ => "send valid JSON, or name another type with Content-Type",
        }
    }
}

/// Checks that the bytes are one JSON value that a function can read.
pub fn check(bytes: &[u8]) -> Result<(), Fault> {
    check_within(bytes, MAX_DEPTH)
}

/// Checks a document that holds a payload at some depth: `depth` is at most [`MAX_DEPTH`] and a few levels.
pub fn check_within(bytes: &[u8], depth: usize) -> Result<(), Fault> {
    let mut scanner = Scanner { bytes, at: 0, beyond_ascii: 0, open: Open::default(), max_depth: depth };
    let scanned = scanner.document();
    // Bytes that are not ASCII can only be inside strings: elsewhere the scan has failed already.
    if scanned.is_ok() && (scanner.beyond_ascii == 0 || std::str::from_utf8(bytes).is_ok()) {
        return Ok(());
    }
    let at = scanner.at;
    Err(fault(bytes, scanned.err(), at))
}

/// Finds the first fault in bytes that were not accepted.
#[cold]
fn fault(bytes: &[u8], what: Option<What>, at: usize) -> Fault {
    let (what, offset) = match (encoding(bytes), std::str::from_utf8(bytes)) {
        (Some(encoding), _) => (encoding, 0),
        (None, Err(error)) if what.is_none() || error.valid_up_to() <= at => {
            (What::Utf8(bytes[error.valid_up_to()]), error.valid_up_to())
        }
        _ => (what.unwrap_or(What::End), at.min(bytes.len())),
    };
    let before = &bytes[..offset];
    let line = before.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
    Fault {
        what,
        offset,
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(line).chars().count(),
    }
}

/// Detects an encoding other than plain UTF-8, by its mark or by zeros between the first characters.
fn encoding(bytes: &[u8]) -> Option<What> {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => Some(What::Mark("UTF-8")),
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some(What::Mark("UTF-32")),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some(What::Mark("UTF-16")),
        [1..=255, 0, 0, 0, ..] | [0, 0, 0, 1..=255, ..] => Some(What::Wide("UTF-32")),
        [1..=255, 0, 1..=255, 0, ..] | [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0] | [0, 1..=255] => {
            Some(What::Wide("UTF-16"))
        }
        _ => None,
    }
}

/// The kinds of the open levels: a bit for each, set for objects.
#[derive(Default)]
struct Open {
    bits: [u64; MAX_DEPTH / 64 + 1],
    depth: usize,
}

impl Open {
    fn push(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        self.bits[word] = if object { self.bits[word] | bit } else { self.bits[word] & !bit };
        self.depth += 1;
    }

    /// Returns `None` outside of all levels.
    fn innermost_is_object(&self) -> Option<bool> {
        let level = self.depth.checked_sub(1)?;
        Some(self.bits[level / 64] & 1 << (level % 64) != 0)
    }
}

struct Scanner<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Not zero after a byte above 127 was seen.
    beyond_ascii: u64,
    open: Open,
    max_depth: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), What> {
        loop {
            if self.value()? {
                continue;
            }
            // A value has ended: the level that contains it continues, or ends too.
            loop {
                let Some(in_object) = self.open.innermost_is_object() else {
                    self.space();
                    return if self.at == self.bytes.len() { Ok(()) } else { Err(What::Trailing) };
                };
                self.space();
                match (self.peek(), in_object) {
                    (Some(b','), false) => {
                        self.at += 1;
                        break;
                    }
                    (Some(b','), true) => {
                        self.at += 1;
                        self.space();
                        self.key("a key in quotes")?;
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        self.open.depth -= 1;
                    }
                    (_, true) => return Err(self.unexpected("',' or '}'")),
                    (_, false) => return Err(self.unexpected("',' or ']'")),
                }
            }
        }
    }

    /// Reads a value or its beginning; returns true if a value must follow inside it.
    fn value(&mut self) -> Result<bool, What> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'{') => {
                self.enter(true)?;
                if self.peek() != Some(b'}') {
                    self.key("a key in quotes or '}'")?;
                    return Ok(true);
                }
                self.at += 1;
                self.open.depth -= 1;
            }
            Some(b'[') => {
                self.enter(false)?;
                if self.peek() != Some(b']') {
                    return Ok(true);
                }
                self.at += 1;
                self.open.depth -= 1;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'N' | b'I') => return Err(self.constant()),
            _ => return Err(self.unexpected("a value")),
        }
        Ok(false)
    }

    fn enter(&mut self, object: bool) -> Result<(), What> {
        if self.open.depth >= self.max_depth {
            return Err(What::Deep(self.max_depth));
        }
        self.at += 1;
        self.open.push(object);
        self.space();
        Ok(())
    }

    fn key(&mut self, what: &'static str) -> Result<(), What> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected(what));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("':'"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), What> {
        self.at += 1;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(byte @ 0..0x20) => return Err(What::Control(byte)),
                Some(byte) => {
                    self.beyond_ascii |= u64::from(byte & 0x80);
                    self.at += 1;
                }
                None => return Err(What::End),
            }
        }
    }

    /// Skips characters that stand for themselves, eight bytes at a time; stops at a quote, a backslash, a
    /// control character, or near the end.
    fn plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let chunk = u64::from_le_bytes(*chunk);
            let quote = chunk ^ (ONES * u64::from(b'"'));
            let backslash = chunk ^ (ONES * u64::from(b'\\'));
            // A byte that borrows is one of these three, or is above one in the word: the lowest such byte is
            // always right.
            let ends = (chunk.wrapping_sub(ONES * 0x20)
                | quote.wrapping_sub(ONES)
                | backslash.wrapping_sub(ONES))
                & !chunk
                & HIGH;
            if ends != 0 {
                let skipped = ends.trailing_zeros() / 8;
                self.beyond_ascii |= chunk & HIGH & ((1 << (skipped * 8)) - 1);
                self.at += skipped as usize;
                return;
            }
            self.beyond_ascii |= chunk & HIGH;
            self.at += 8;
        }
    }

    fn escape(&mut self) -> Result<(), What> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self.unit(self.at)?;
                let low = matches!(unit, 0xD800..0xDC00).then(|| self.unit(self.at + 6));
                match low {
                    None if matches!(unit, 0xDC00..0xE000) => return Err(What::Surrogate(unit)),
                    None => self.at += 6,
                    Some(Ok(0xDC00..0xE000)) => self.at += 12,
                    Some(_) => return Err(What::Surrogate(unit)),
                }
            }
            Some(_) => return Err(What::Escape),
            None => {
                self.at += 1;
                return Err(What::End);
            }
        }
        Ok(())
    }

    /// Reads the four digits of `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Result<u16, What> {
        let escape = self.bytes.get(at..at + 6).ok_or(What::Escape)?;
        if !escape.starts_with(b"\\u") {
            return Err(What::Escape);
        }
        escape[2..].iter().try_fold(0, |unit, byte| {
            let digit = char::from(*byte).to_digit(16).ok_or(What::Escape)?;
            Ok(unit << 4 | digit as u16)
        })
    }

    fn number(&mut self) -> Result<(), What> {
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                self.at -= 1;
                return Err(self.constant());
            }
        }
        let begun = self.at;
        let digits = self.digits()?;
        if digits > 1 && self.bytes[begun] == b'0' {
            self.at = begun;
            return Err(What::Number);
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            integer = false;
        }
        let mut exponent = false;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            exponent = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            integer = false;
        }
        if integer && digits > MAX_DIGITS {
            self.at = begun;
            return Err(What::Digits(digits));
        }
        if !integer && (exponent || digits > SMALL) && self.is_infinite(begun) {
            self.at = begun;
            return Err(What::Huge);
        }
        Ok(())
    }

    /// Returns whether the number that began at `begun` is read as infinite.
    fn is_infinite(&self, begun: usize) -> bool {
        let text = std::str::from_utf8(&self.bytes[begun..self.at]).unwrap_or_default();
        text.parse::<f64>().is_ok_and(f64::is_infinite)
    }

    /// Skips digits, at least one, and returns their count.
    fn digits(&mut self) -> Result<usize, What> {
        let begun = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at - begun {
            0 if self.at == self.bytes.len() => Err(What::End),
            0 => Err(What::Number),
            count => Ok(count),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), What> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        if word.starts_with(rest) {
            self.at = self.bytes.len();
            return Err(What::End);
        }
        Err(self.unexpected("a value"))
    }

    fn constant(&self) -> What {
        let rest = &self.bytes[self.at..];
        let named = [&b"NaN"[..], b"Infinity", b"-Infinity"].iter().any(|name| rest.starts_with(name));
        if named { What::Constant } else { self.unexpected("a value") }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self, what: &'static str) -> What {
        self.peek().map_or(What::End, |byte| What::Expected(what, byte))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
