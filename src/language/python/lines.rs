//! The logical lines of a `requirements.txt`, and the words of their options, cut as pip cuts them.

/// The characters that end a line for pip, as for Python's `str.splitlines`.
const BREAKS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Returns the lines that say something, joined where they are continued, without comments, each with the number of its
/// first line.
pub(super) fn logical(text: &str) -> Vec<(usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, number) in text.split(BREAKS).zip(1..) {
        let is_comment = line.trim_start().starts_with('#');
        let (_, joined) = open.get_or_insert_with(|| (number, String::new()));
        if line.ends_with('\\') && !is_comment {
            joined.push_str(line.trim_matches('\\'));
            continue;
        }
        if is_comment {
            joined.push(' ');
        }
        joined.push_str(line);
        lines.extend(open.take());
    }
    lines.extend(open);
    let bare = lines.into_iter().map(|(number, line)| (number, without_comment(&line).to_owned()));
    bare.filter(|(_, line)| !line.is_empty()).collect()
}

/// Cuts a comment, which begins a line or follows a space.
fn without_comment(line: &str) -> &str {
    let begins = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    let end = line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at));
    line[..end.unwrap_or(line.len())].trim()
}

/// Returns the line, with its number, that has pip read the file in another encoding than UTF-8.
pub(super) fn foreign_encoding(text: &str) -> Option<(usize, &str)> {
    let mut first = (1..).zip(text.split('\n').take(2));
    first.find(|(_, line)| line.starts_with('#') && encodings(line).any(|name| !is_utf8(name)))
}

/// Returns the names that follow `coding:` and `coding=`.
fn encodings(line: &str) -> impl Iterator<Item = &str> {
    line.split("coding").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix([':', '='])?.trim_start();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        (end > 0).then_some(&rest[..end])
    })
}

fn is_utf8(encoding: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// Splits options into words as a shell does; none where a quotation is not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == next => break,
                        '\\' if next == '"' => match chars.next()? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_cut_as_pip_does() {
        for (text, lines) in [
            ("", vec![]),
            ("# none\n\n  # none \\\n", vec![]),
            ("\u{feff}a\r\nb  # why\r\nc#d\n", vec![(1, "a"), (2, "b"), (3, "c#d")]),
            ("a\t# why", vec![(1, "a")]),
            ("\n--no-\\\nbinary \\\n  :all:\nb", vec![(2, "--no-binary   :all:"), (5, "b")]),
            ("a \\\n# a comment ends it \\\nb", vec![(1, "a"), (3, "b")]),
            ("a\\", vec![(1, "a")]),
            // These end lines too, and so comments.
            ("# a\u{2028}b\u{c}c\rd\u{85}e", vec![(2, "b"), (3, "c"), (4, "d"), (5, "e")]),
        ] {
            let expected: Vec<_> =
                lines.into_iter().map(|(number, line)| (number, line.to_owned())).collect();
            assert_eq!(logical(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_foreign_encoding_is_found_where_pip_looks_for_it() {
        for text in ["a\n# coding: utf-7", "# -*- coding=latin-1 -*-", "# coding: utf-8, coding:x\n"] {
            assert!(foreign_encoding(text).is_some(), "{text}");
        }
        for text in ["a\nb\n# coding: utf-7", "# -*- coding: UTF-8 -*-", "# coding", " # coding: x", ""]
        {
            assert_eq!(foreign_encoding(text), None, "{text}");
        }
    }

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, expected) in [
            ("-r  a.txt\t", vec!["-r", "a.txt"]),
            (r#"-r "a b.txt" --c='d "e'"#, vec!["-r", "a b.txt", "--c=d \"e"]),
            (r#"a\ b "c\"\d" ''"#, vec!["a b", r#"c"\d"#, ""]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for open in ["-r \"a", "-r 'a", "a\\", "\"a\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }
}
