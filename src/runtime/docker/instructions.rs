//! The lines of a Dockerfile, put together to instructions as engines do.

/// The size limit of a Dockerfile, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Returns the lines of a Dockerfile.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.trim_start_matches('\u{feff}').lines().collect()
}

/// Returns whether a line is a comment, indented or not.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// One way in which engines read the lines of a Dockerfile.
pub(super) struct Reading {
    /// The character that continues a line.
    pub escape: char,
    /// A comment within an instruction may be indented; to old engines it is a part of the instruction then.
    pub skips_indented: bool,
}

impl Reading {
    /// Returns all ways in which these lines may be read. Engines differ in which comments they take for directives.
    pub fn all(lines: &[&str]) -> Vec<Self> {
        let mut comments = lines.iter().take_while(|line| is_comment(line) || line.trim().is_empty());
        let is_set = comments.any(|line| line.to_ascii_lowercase().contains("escape"));
        let escapes: &[char] = if is_set { &['\\', '`'] } else { &['\\'] };
        let both =
            |escape: &char| [true, false].map(|skips_indented| Self { escape: *escape, skips_indented });
        escapes.iter().flat_map(both).collect()
    }

    /// Returns the instruction that begins at a line, and the line after it. Comments and empty lines in it do not count.
    pub fn joined(&self, lines: &[&str], start: usize) -> (String, usize) {
        let mut text = String::new();
        let mut at = start;
        while let Some(line) = lines.get(at) {
            at += 1;
            let is_first = at == start + 1;
            if is_first && is_comment(line) {
                break;
            }
            let is_skipped = line.trim().is_empty() || self.is_comment_within(line);
            if !is_first && is_skipped {
                continue;
            }
            let line = if is_first { line.trim_start() } else { line };
            match line.trim_end_matches([' ', '\t']).strip_suffix(self.escape) {
                Some(begun) => text.push_str(begun),
                None => {
                    text.push_str(line);
                    break;
                }
            }
        }
        (text, at)
    }

    fn is_comment_within(&self, line: &str) -> bool {
        line.starts_with('#') || (self.skips_indented && is_comment(line))
    }
}

/// Returns the character that continues a line, which the first comments may set.
pub(super) fn escape_of(lines: &[&str]) -> char {
    for line in lines {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|line| line.split_once('='))
        else {
            break;
        };
        let key = key.trim();
        if !key.chars().all(|char| char.is_ascii_alphanumeric()) {
            break;
        }
        if key.eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}
