//! Headers of a response, as far as HTTP allows them.

/// Returns whether a token of HTTP in lower case may have this byte.
pub(super) fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether a header's value may have this character, which stands for one byte.
pub(super) fn is_of_a_value(c: char) -> bool {
    c == '\t' || matches!(c, ' '..='~' | '\u{80}'..='\u{ff}')
}

/// Returns whether a text is a number of bytes: up to twenty digits that are one of 64 bits.
pub(super) fn is_number(text: &str) -> bool {
    text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}
