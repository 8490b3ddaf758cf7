//! Media types as `Content-Type` names them, and the charsets of text.

use std::borrow::Cow;

use crate::model::http::is_token;

/// A media type with the one parameter that matters here.
pub struct MediaType<'t> {
    kind: &'t str,
    subtype: &'t str,
    pub charset: Option<Cow<'t, str>>,
}

impl MediaType<'_> {
    pub fn is_json(&self) -> bool {
        let subtype = self.subtype.as_bytes();
        let suffix = &subtype[subtype.len().saturating_sub(5)..];
        (self.kind.eq_ignore_ascii_case("application") && self.subtype.eq_ignore_ascii_case("json"))
            || suffix.eq_ignore_ascii_case(b"+json")
    }

    pub fn is_text(&self) -> bool {
        self.kind.eq_ignore_ascii_case("text")
    }
}

/// Parses `type/subtype; name=value; …`; empty parameters are skipped, the first `charset` counts.
pub fn parse(text: &str) -> Option<MediaType<'_>> {
    let (essence, mut rest) = text.split_once(';').unwrap_or((text, ""));
    let (kind, subtype) = essence.trim().split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let mut charset = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some(MediaType { kind, subtype, charset });
        }
        let (name, after) = rest.split_once('=')?;
        if !is_token(name) {
            return None;
        }
        let (value, after) = value(after)?;
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
        if charset.is_none() && name.eq_ignore_ascii_case("charset") {
            charset = Some(value);
        }
    }
}

/// Reads a token or a quoted string; also returns the rest.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then_some((Cow::Borrowed(token), rest));
    };
    let mut plain = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(plain), &quoted[at + 1..])),
            '\\' => plain.push(characters.next()?.1),
            other => plain.push(other),
        }
    }
    None
}

/// The charsets that every language can read, by their usual names. In a pattern, `*` stands for a number.
pub const CHARSETS: &[&str] = &[
    "utf-8",
    "us-ascii",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "utf-32",
    "utf-32le",
    "utf-32be",
    "iso-8859-*",
    "windows-125*",
    "koi8-r",
    "koi8-u",
    "shift_jis",
    "euc-jp",
    "iso-2022-jp",
    "euc-kr",
    "big5",
    "gb2312",
    "gbk",
    "gb18030",
];

/// Other names for these charsets.
const ALIASES: &[&str] = &["utf8", "ascii", "utf16", "utf32", "latin1", "latin-1", "sjis", "shift-jis"];

pub fn is_known(charset: &str) -> bool {
    is_utf8(charset)
        || extends_ascii(charset)
        || ALIASES.iter().chain(CHARSETS).any(|known| charset.eq_ignore_ascii_case(known))
}

pub fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// Returns whether the charset encodes ASCII as itself, with one byte per character.
pub fn extends_ascii(charset: &str) -> bool {
    let lower = charset.to_ascii_lowercase();
    let number = |prefix: &str| lower.strip_prefix(prefix).and_then(|rest| rest.parse::<u8>().ok());
    // Part 12 does not exist in Python, nor elsewhere.
    number("iso-8859-").is_some_and(|part| (1..=16).contains(&part) && part != 12)
        || number("windows-125").is_some_and(|page| page <= 8)
        || ["latin1", "latin-1"].contains(&lower.as_str())
}
