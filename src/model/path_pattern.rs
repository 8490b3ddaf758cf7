//! Patterns of paths, by which HTTP requests reach functions: `/hooks/github`, `/users/{id}`, `/files/{rest+}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// First segments of paths that are the platform's own, on every port.
pub const RESERVED: [&str; 10] = [
    "v1",
    "f",
    "internal",
    "healthz",
    "readyz",
    "health",
    "metrics",
    "openapi.json",
    "deploy",
    "invoke",
];

/// A pattern of paths: segments of plain text, `{name}` for any one segment, and, as the last one, `{name+}` for one or more
/// segments. It begins with `/`; `/` alone is the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

/// A segment of a [`PathPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'p> {
    /// This text.
    Literal(&'p str),
    /// Any one segment that is not empty, under this name.
    One(&'p str),
    /// One segment or more, under this name; the last one of a pattern.
    Rest(&'p str),
}

impl PathPattern {
    /// The length limit of a pattern, in bytes.
    pub const MAX_BYTES: usize = 512;
    /// The most segments of a pattern.
    pub const MAX_SEGMENTS: usize = 32;

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the segments, in order; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let rest = &self.0[1..];
        let parts = (!rest.is_empty()).then(|| rest.split('/'));
        parts.into_iter().flatten().map(segment)
    }

    /// Returns the names of its parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::One(name) | Segment::Rest(name) => Some(name),
        })
    }

    /// Returns the pattern without the names of its parameters: two patterns with the same key match the same paths. A
    /// parameter is `{}`, or `{+}` for the rest.
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(self.0.len());
        for segment in self.segments() {
            key.push('/');
            key.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::One(_) => "{}",
                Segment::Rest(_) => "{+}",
            });
        }
        if key.is_empty() { "/".to_owned() } else { key }
    }
}

fn segment(text: &str) -> Segment<'_> {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        None => Segment::Literal(text),
        Some(name) => match name.strip_suffix('+') {
            Some(name) => Segment::Rest(name),
            None => Segment::One(name),
        },
    }
}

/// The reason why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPattern {
    /// It does not begin with `/`.
    #[error("a path begins with `/`")]
    NoSlash,
    /// It is too long, or has too many segments.
    #[error("a path has at most 512 bytes and 32 segments")]
    TooLong,
    /// A segment is empty, as in `//` or with a `/` at the end.
    #[error("a path has no empty segments: no `//`, and no `/` at its end")]
    EmptySegment,
    /// A segment is `.` or `..`.
    #[error("a path has no segments `.` and `..`: clients take them out")]
    Dots,
    /// A segment has characters that a pattern does not take.
    #[error(
        "`{0}` is neither a parameter such as `{{id}}` nor plain text: letters, digits and `-._~!$&'()*+,;=:@`, without \
         percent-encoding"
    )]
    Characters(String),
    /// A segment is a parameter as other routers write it, which would be plain text here.
    #[error("`{written}` would be plain text: did you mean `{meant}`?")]
    OfAnotherRouter {
        /// The segment as it was written.
        written: String,
        /// The parameter that is meant.
        meant: String,
    },
    /// The name of a parameter is not a name.
    #[error(
        "`{0}` names no parameter: a parameter looks like `{{id}}`, or `{{rest+}}` for one or more segments"
    )]
    ParameterName(String),
    /// `{rest+}` is not the last segment.
    #[error("`{0}` takes all segments that follow, and has to be the last one")]
    NotLast(String),
    /// A name is there twice.
    #[error("the name `{0}` is there twice")]
    Twice(String),
    /// The platform has these paths itself.
    #[error("paths that begin with `/{0}` are the platform's own")]
    Reserved(String),
}

impl FromStr for PathPattern {
    type Err = UnfitPattern;

    fn from_str(text: &str) -> Result<Self, UnfitPattern> {
        let Some(rest) = text.strip_prefix('/') else { return Err(UnfitPattern::NoSlash) };
        let parts: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        if text.len() > Self::MAX_BYTES || parts.len() > Self::MAX_SEGMENTS {
            return Err(UnfitPattern::TooLong);
        }
        let mut names = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            check_segment(part, index + 1 == parts.len(), &mut names)?;
        }
        match parts.first() {
            Some(first) if RESERVED.contains(first) => Err(UnfitPattern::Reserved((*first).to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

fn check_segment<'p>(
    part: &'p str,
    is_last: bool,
    names: &mut Vec<&'p str>,
) -> Result<(), UnfitPattern> {
    if let Some(meant) = meant(part, is_last) {
        return Err(UnfitPattern::OfAnotherRouter { written: part.to_owned(), meant });
    }
    let name = match segment(part) {
        Segment::Literal("") => return Err(UnfitPattern::EmptySegment),
        Segment::Literal("." | "..") => return Err(UnfitPattern::Dots),
        Segment::Literal(text) if text.bytes().all(is_plain) => return Ok(()),
        Segment::Literal(text) => return Err(UnfitPattern::Characters(text.to_owned())),
        Segment::One(name) => name,
        Segment::Rest(_) if !is_last => return Err(UnfitPattern::NotLast(part.to_owned())),
        Segment::Rest(name) => name,
    };
    if !is_name(name) {
        return Err(UnfitPattern::ParameterName(part.to_owned()));
    }
    if names.contains(&name) {
        return Err(UnfitPattern::Twice(name.to_owned()));
    }
    names.push(name);
    Ok(())
}

/// Returns what a parameter of other routers is here: of `:id`, `:rest*`, `*` and `*rest`.
fn meant(part: &str, is_last: bool) -> Option<String> {
    if let Some(name) = part.strip_prefix(':') {
        let (bare, takes_rest) = match name.strip_suffix(['*', '+']) {
            Some(bare) => (bare, is_last),
            None => (name.strip_suffix('?').unwrap_or(name), false),
        };
        let plus = if takes_rest { "+" } else { "" };
        return is_name(bare).then(|| format!("{{{bare}{plus}}}"));
    }
    let name = part.strip_prefix('*')?.trim_start_matches('*');
    let name = if name.is_empty() { "rest" } else { name };
    let plus = if is_last { "+" } else { "" };
    is_name(name).then(|| format!("{{{name}{plus}}}"))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

impl TryFrom<String> for PathPattern {
    type Error = UnfitPattern;

    /// Reads a stored pattern, which a version with other limits and other paths of its own may have accepted: only what
    /// [`segments`](Self::segments) and their matching need is checked. Manifests are parsed, and checked in full.
    fn try_from(text: String) -> Result<Self, UnfitPattern> {
        let Some(rest) = text.strip_prefix('/') else { return Err(UnfitPattern::NoSlash) };
        let (before_last, _) = rest.rsplit_once('/').unwrap_or_default();
        let early = before_last.split('/').find(|part| matches!(segment(part), Segment::Rest(_)));
        match early.map(str::to_owned) {
            Some(part) => Err(UnfitPattern::NotLast(part)),
            None => Ok(Self(text)),
        }
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_segments_of_text_parameters_and_a_rest() {
        let pattern: PathPattern = "/users/{id}/files/{rest+}".parse().unwrap();
        let expected = [
            Segment::Literal("users"),
            Segment::One("id"),
            Segment::Literal("files"),
            Segment::Rest("rest"),
        ];
        assert_eq!(pattern.segments().collect::<Vec<_>>(), expected);
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["id", "rest"]);
        let root: PathPattern = "/".parse().unwrap();
        assert_eq!((root.segments().count(), root.key()), (0, "/".to_owned()));
        assert_eq!(serde_json::to_string(&pattern).unwrap(), "\"/users/{id}/files/{rest+}\"");
    }

    #[test]
    fn a_pattern_that_another_version_has_stored_is_read_whatever_is_reserved_or_too_long_today() {
        let read = |text: &str| serde_json::from_value::<PathPattern>(text.into());
        let long = format!("/{}", "a".repeat(513));
        for text in ["/v1/functions", "/f", "/a//b", "/a/", "/../a b", "/{}", "/{a}/{a}", &long] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
            let pattern = read(text).unwrap();
            assert_eq!(pattern.as_str(), text);
            assert_eq!(pattern.segments().count(), text.matches('/').count());
        }
        for (text, reason) in [
            ("", "a path begins with `/`"),
            ("a", "a path begins with `/`"),
            ("/{a+}/b", "`{a+}` takes all segments that follow, and has to be the last one"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), reason, "{text}");
        }
    }

    #[test]
    fn patterns_that_match_the_same_paths_have_the_same_key() {
        for (text, key) in [
            ("/hooks/github", "/hooks/github"),
            ("/users/{id}", "/users/{}"),
            ("/users/{name}", "/users/{}"),
            ("/files/{rest+}", "/files/{+}"),
        ] {
            assert_eq!(text.parse::<PathPattern>().unwrap().key(), key);
        }
    }

    #[test]
    fn a_parameter_as_other_routers_write_it_is_refused_with_the_one_that_is_meant() {
        for (text, written, meant) in [
            ("/d/:id", ":id", "{id}"),
            ("/d/:id?", ":id?", "{id}"),
            ("/d/:id/e", ":id", "{id}"),
            ("/d/:path*", ":path*", "{path+}"),
            ("/d/*", "*", "{rest+}"),
            ("/d/**", "**", "{rest+}"),
            ("/d/*path", "*path", "{path+}"),
            ("/d/*/e", "*", "{rest}"),
        ] {
            let refused = text.parse::<PathPattern>().unwrap_err().to_string();
            let expected = format!("`{written}` would be plain text: did you mean `{meant}`?");
            assert_eq!(refused, expected, "{text}");
        }
        for text in ["/d/a:cancel", "/d/:", "/d/a*", "/d/*.js", "/d/:a-b"] {
            assert!(text.parse::<PathPattern>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_pattern_is_refused_with_its_reason() {
        let long = format!("/{}", "a".repeat(512));
        for (text, reason) in [
            ("", "a path begins with `/`"),
            ("hooks", "a path begins with `/`"),
            (&long, "a path has at most 512 bytes and 32 segments"),
            (&"/a".repeat(33), "a path has at most 512 bytes and 32 segments"),
            ("/a//b", "a path has no empty segments: no `//`, and no `/` at its end"),
            ("/a/", "a path has no empty segments: no `//`, and no `/` at its end"),
            ("/a/../b", "a path has no segments `.` and `..`: clients take them out"),
            (
                "/a b",
                "`a b` is neither a parameter such as `{id}` nor plain text: letters, digits and `-._~!$&'()*+,;=:@`, without \
                 percent-encoding",
            ),
            (
                "/{}",
                "`{}` names no parameter: a parameter looks like `{id}`, or `{rest+}` for one or more segments",
            ),
            (
                "/{a-b}",
                "`{a-b}` names no parameter: a parameter looks like `{id}`, or `{rest+}` for one or more segments",
            ),
            ("/{a+}/b", "`{a+}` takes all segments that follow, and has to be the last one"),
            ("/{a}/{a}", "the name `a` is there twice"),
            ("/v1/functions", "paths that begin with `/v1` are the platform's own"),
            ("/f/{name}", "paths that begin with `/f` are the platform's own"),
        ] {
            assert_eq!(text.parse::<PathPattern>().unwrap_err().to_string(), reason, "{text}");
        }
        assert!("/v10/functions".parse::<PathPattern>().is_ok());
    }
}
