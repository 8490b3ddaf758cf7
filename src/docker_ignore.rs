//! `.dockerignore`: the files that are neither packed with a Dockerfile nor sent to the engine.
//!
//! The patterns are not git's: each begins at the top of the folder, `foo` alone matches nothing below another folder, and
//! an exception (`!`) takes files back out of folders that are left out. The last pattern that matches a path or a folder
//! above it decides.

use std::fmt;

/// The file's name, at the top of the folder.
pub const NAME: &str = ".dockerignore";
/// The size limit of the file, in bytes: each path is compared with all of it.
pub const MAX_BYTES: usize = 16 * 1024;
/// The limit of `*` and `**` in the file, counting those in a row once: each is a step for every character of every path.
const MAX_STARS: usize = 500;

/// The patterns of a file.
#[derive(Debug, Default)]
pub struct IgnoreFile(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    line: usize,
    text: String,
    is_exception: bool,
    tokens: Vec<Token>,
}

#[derive(Debug)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Star,
    /// `**` before something: any number of folders.
    Folders,
    /// `**` at the end.
    Rest,
    /// `[a-z]`
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A line that is not a pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    pub line: usize,
    pub problem: &'static str,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}:{}: {}", self.line, self.problem)
    }
}

impl IgnoreFile {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let (mut rules, mut stars) = (Vec::new(), 0);
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let invalid = |problem| Invalid { line: number + 1, problem };
            let rule = Rule::read(number + 1, line.trim()).map_err(invalid)?;
            stars += rule.tokens.iter().filter(|token| token.is_star()).count();
            if stars > MAX_STARS {
                return Err(invalid("the file has more than 500 `*` and `**`"));
            }
            rules.push(rule);
        }
        Ok(Self(rules))
    }

    /// Returns which rules match this path or a folder above it; `above` is the answer for the folder that it lies in, and
    /// empty at the top.
    pub fn matched(&self, path: &str, above: &[bool]) -> Vec<bool> {
        let path: Vec<char> = path.chars().collect();
        let is_above = |place: usize| above.get(place).copied().unwrap_or(false);
        self.0.iter().enumerate().map(|(place, rule)| is_above(place) || rule.matches(&path)).collect()
    }

    /// Returns whether a path is left out that these rules match.
    pub fn leaves_out(&self, matched: &[bool]) -> bool {
        self.reason(matched).is_some()
    }

    /// Returns the line that leaves out a path that these rules match: its number and its text.
    pub fn reason(&self, matched: &[bool]) -> Option<(usize, &str)> {
        let place = last(matched)?;
        let rule = self.0.get(place).filter(|rule| !rule.is_exception)?;
        Some((rule.line, rule.text.as_str()))
    }

    /// Returns whether an exception may take something back out of a folder that is left out; these rules match it.
    pub fn may_take_back(&self, folder: &str, matched: &[bool]) -> bool {
        let below: Vec<char> = folder.chars().chain(['/']).collect();
        // Those before the rule that leaves it out decide nothing any more.
        let later = self.0.iter().skip(last(matched).map_or(0, |place| place + 1));
        later.filter(|rule| rule.is_exception).any(|rule| rule.may_match_below(&below))
    }
}

/// Returns the place of the last rule that matches.
fn last(matched: &[bool]) -> Option<usize> {
    matched.iter().rposition(|matched| *matched)
}

impl Rule {
    fn read(line: usize, text: &str) -> Result<Self, &'static str> {
        let (is_exception, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        if pattern.is_empty() {
            return Err("an exception names no file");
        }
        Ok(Self { line, text: text.to_owned(), is_exception, tokens: tokens(&clean(pattern))? })
    }

    /// Follows all ways through the pattern at once, so that no pattern takes long.
    fn matches(&self, path: &[char]) -> bool {
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for token in &self.tokens {
            reached = token.after(&reached, path);
            if !reached.contains(&true) {
                return false;
            }
        }
        reached[path.len()]
    }

    /// Returns whether the pattern goes on behind this folder, which ends with a slash.
    fn may_match_below(&self, folder: &[char]) -> bool {
        let mut reached = vec![false; folder.len() + 1];
        reached[0] = true;
        for token in &self.tokens {
            let is_open = matches!(token, Token::Rest) && reached.contains(&true);
            if is_open || reached[folder.len()] {
                return true;
            }
            reached = token.after(&reached, folder);
        }
        false
    }
}

impl Token {
    /// Returns the places in the path that are reached from these by this token.
    fn after(&self, reached: &[bool], path: &[char]) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        let mut is_open = false;
        for (at, &is_reached) in reached.iter().enumerate() {
            let char = path.get(at).copied();
            match self {
                Self::Star => {
                    is_open |= is_reached;
                    next[at] = is_open;
                    is_open &= char != Some('/');
                }
                Self::Rest => {
                    is_open |= is_reached;
                    next[at] = is_open;
                }
                Self::Folders => {
                    next[at] |= is_reached;
                    is_open |= is_reached;
                    if is_open && char == Some('/') {
                        next[at + 1] = true;
                    }
                }
                single => {
                    if is_reached && char.is_some_and(|char| single.is(char)) {
                        next[at + 1] = true;
                    }
                }
            }
        }
        next
    }

    fn is_star(&self) -> bool {
        matches!(self, Self::Star | Self::Folders | Self::Rest)
    }

    fn is(&self, char: char) -> bool {
        match self {
            Self::Char(one) => *one == char,
            Self::One => char != '/',
            Self::Class { is_negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&char)) != *is_negated
            }
            Self::Star | Self::Folders | Self::Rest => false,
        }
    }
}

/// Returns a path without `.`, `..` and slashes that lead nowhere.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        let token = match char {
            '*' if chars.next_if_eq(&'*').is_some() => {
                // `**/` is `**`.
                let _ = chars.next_if_eq(&'/');
                if chars.peek().is_none() { Token::Rest } else { Token::Folders }
            }
            '*' => Token::Star,
            '?' => Token::One,
            '[' => class(&mut chars)?,
            '\\' => Token::Char(chars.next().ok_or("a `\\` stands before nothing")?),
            char => Token::Char(char),
        };
        // The same one again matches nothing more.
        let is_again = tokens.last().is_some_and(|last| {
            matches!((last, &token), (Token::Star, Token::Star) | (Token::Folders, Token::Folders))
        });
        if !is_again {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` without its `]`";
    let is_negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let mut one = || match chars.next() {
            Some('\\') => chars.next().map(|char| (char, true)),
            other => other.map(|char| (char, false)),
        };
        let (first, is_escaped) = one().ok_or(OPEN)?;
        if first == ']' && !is_escaped {
            break;
        }
        let mut last = first;
        if chars.next_if_eq(&'-').is_some() {
            last = match chars.next() {
                Some('\\') => chars.next(),
                other => other,
            }
            .ok_or(OPEN)?;
            if last == ']' || last < first {
                return Err("a range in `[…]` has no end, or one before its beginning");
            }
        }
        ranges.push((first, last));
    }
    match ranges.is_empty() {
        true => Err("a `[…]` with nothing in it"),
        false => Ok(Token::Class { is_negated, ranges }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that are left out, of these.
    fn left_out<'p>(text: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let file = IgnoreFile::read(text).unwrap();
        let is_left_out = |path: &&&str| {
            let mut matched = Vec::new();
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            for end in ends {
                matched = file.matched(&path[..end], &matched);
            }
            file.leaves_out(&matched)
        };
        paths.iter().filter(is_left_out).copied().collect()
    }

    #[test]
    fn patterns_begin_at_the_top_and_hold_for_what_is_below() {
        let paths = ["a", "b/a", "a/c", "ab", "b/a/c/d"];
        for (text, expected) in [
            ("a", &["a", "a/c"][..]),
            ("/a/", &["a", "a/c"]),
            ("./a", &["a", "a/c"]),
            ("b/../a", &["a", "a/c"]),
            ("**/a", &["a", "b/a", "a/c", "b/a/c/d"]),
            ("*/a", &["b/a", "b/a/c/d"]),
            ("a*", &["a", "a/c", "ab"]),
            ("?b", &["ab"]),
            ("a/**", &["a/c"]),
            ("**", &paths),
            ("*", &paths),
            ("**/c/**", &["b/a/c/d"]),
            ("[a-b]", &["a", "b/a", "a/c", "b/a/c/d"]),
            ("[^a]", &["b/a", "b/a/c/d"]),
            ("\\a", &["a", "a/c"]),
            ("# a\n\n  ab  \n", &["ab"]),
            ("A", &[]),
        ] {
            assert_eq!(left_out(text, &paths), expected, "{text}");
        }
    }

    #[test]
    fn the_last_pattern_decides_also_below_a_folder_that_is_left_out() {
        let paths = ["src/a.rs", "src/b.rs", "README.md", "docs/README.md"];
        assert_eq!(left_out("*\n!src", &paths), ["README.md", "docs/README.md"]);
        assert_eq!(left_out("src\n!src/a.rs", &paths), ["src/b.rs"]);
        assert_eq!(left_out("!src/a.rs\nsrc", &paths), ["src/a.rs", "src/b.rs"]);
        assert_eq!(left_out("**/*.md\n! README.md", &paths), ["docs/README.md"]);
        assert_eq!(left_out("", &paths), Vec::<&str>::new());
    }

    #[test]
    fn the_line_that_leaves_a_path_out_is_known() {
        let file = IgnoreFile::read("# a\n*.log\n!a.log\n ./b/ \n").unwrap();
        let reason = |path: &str| file.reason(&file.matched(path, &[]));
        assert_eq!(reason("b"), Some((4, "./b/")));
        assert_eq!(reason("x.log"), Some((2, "*.log")));
        assert_eq!(reason("a.log"), None);
        assert_eq!(reason("c"), None);
    }

    #[test]
    fn a_folder_that_is_left_out_is_looked_through_only_for_what_an_exception_may_take_back() {
        for (text, folder, expected) in [
            ("target", "target", false),
            ("*\n!src", "target", false),
            ("*\n!src", "src2", false),
            ("data\n!data/keep", "data", true),
            ("data\n!data/keep", "data/other", false),
            ("!data/keep\ndata", "data", false),
            ("*\n!**/*.py", "a/b", true),
            ("*\n!a/**", "a", true),
            ("*\n!a/**", "b", false),
            ("*\n!*/x", "a", true),
            ("*\n!*/x", "a/b", false),
        ] {
            let file = IgnoreFile::read(text).unwrap();
            let mut matched = Vec::new();
            for end in folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]) {
                matched = file.matched(&folder[..end], &matched);
            }
            assert!(file.leaves_out(&matched), "{text}: {folder}");
            assert_eq!(file.may_take_back(folder, &matched), expected, "{text}: {folder}");
        }
    }

    #[test]
    fn a_line_that_is_no_pattern_is_named() {
        for (text, problem) in [
            ("a\n!", ".dockerignore:2: an exception names no file"),
            ("[a", ".dockerignore:1: a `[` without its `]`"),
            ("[]", ".dockerignore:1: a `[…]` with nothing in it"),
            ("[b-a]", ".dockerignore:1: a range in `[…]` has no end, or one before its beginning"),
            ("a\\", ".dockerignore:1: a `\\` stands before nothing"),
        ] {
            assert_eq!(IgnoreFile::read(text).unwrap_err().to_string(), problem, "{text}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let text = format!("{}b", "*a**/".repeat(100));
        let path = "a/".repeat(150);
        assert_eq!(left_out(&text, &[&path[..path.len() - 1]]), Vec::<&str>::new());
    }

    #[test]
    fn the_stars_of_a_file_have_a_limit_and_count_once_in_a_row() {
        let read = |text: &str| IgnoreFile::read(text).map(drop).map_err(|error| error.to_string());
        assert_eq!(read(&format!("{}a", "**/".repeat(5000))), Ok(()));
        assert_eq!(
            read(&format!("a\n{}", "*a".repeat(501))),
            Err(".dockerignore:2: the file has more than 500 `*` and `**`".to_owned())
        );
    }
}
