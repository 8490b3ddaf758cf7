//! Escapes for text of functions, callers and servers on a terminal: characters that could move the cursor, set
//! the title, erase or fake lines, or reverse the direction of writing are shown instead of obeyed.

use std::{borrow::Cow, fmt::Write as _};

/// Escapes text for one line: a line break is shown as `\n`, too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_control(c) || c == '\n')
}

/// Escapes text of several lines.
pub fn block(text: &str) -> Cow<'_, str> {
    escaped(text, is_control)
}

/// Escapes a JSON document: its value stays the same, and characters that JSON allows unescaped are escaped.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_beyond_json) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_beyond_json(c) {
            // All of these characters are in the Basic Multilingual Plane.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

fn escaped(text: &str, hostile: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hostile) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hostile(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            c if c.is_ascii() => drop(write!(shown, "\\x{:02x}", u32::from(c))),
            c => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    shown.into()
}

/// Returns whether it is C0 (except tab and line feed), DEL, C1, or an invisible character that changes how the rest is
/// shown.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n')) || turns(c)
}

fn is_beyond_json(c: char) -> bool {
    (c.is_control() && c >= '\u{7f}') || turns(c)
}

/// Returns whether it controls the direction of writing, or separates lines or paragraphs.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("plain äöü 🦀\ttab", "plain äöü 🦀\ttab"),
            ("\x1b[2K\x1b[31mred", "\\x1b[2K\\x1b[31mred"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("100 %\rfake", "100 %\\rfake"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\\u{202e}b\\u{2066}c\\u{200f}"),
            ("\u{8}\u{7f}\0", "\\x08\\x7f\\x00"),
            ("one\ntwo\u{2028}", "one\\ntwo\\u{2028}"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(block("Traceback\n  x\r\n\x1b[A"), "Traceback\n  x\\r\n\\x1b[A");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "line": "\x1b[31m \u{9b}2K \u{202e} \u{7f} ä\n" });
        let text = serde_json::to_string(&value).unwrap();
        let shown = json(&text);
        assert!(!shown.contains(is_beyond_json) && shown.contains("\\u202e"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
