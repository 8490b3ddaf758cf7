//! TOML files that people write: every error says file, line, column, and what would be accepted.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    /// The text itself is not repeated: it may hold a password.
    #[error("{path}:{line}:{column}: {problem}")]
    Invalid { path: PathBuf, line: usize, column: usize, problem: String },
}

/// The content of a file; the default where there is none.
pub fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// `path` is only named in errors.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let problem = explain(error.message());
        FileError::Invalid { path: path.to_owned(), line, column, problem }
    })
}

/// Line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Says "did you mean" where serde lists the fields that it knows.
fn explain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else {
        return message.to_owned();
    };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    match closest(unknown, &known) {
        Some(key) => format!("unknown key '{unknown}'; did you mean '{key}'?"),
        None => format!("unknown key '{unknown}'; known are {}", known.join(", ")),
    }
}

/// The most similar of the candidates, if any is similar enough to be a slip.
pub fn closest<'a>(text: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(text, candidate), *candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        url: String,
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        port: u16,
        host: String,
    }

    fn error(text: &str) -> String {
        parse::<Outer>(Path::new("c.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_says_where_and_what_would_be_accepted() {
        assert_eq!(
            error("url = \"x\"\n[inner]\n  prot = 1\n"),
            "c.toml:3:3: unknown key 'prot'; did you mean 'port'?"
        );
        assert_eq!(error("zzz = 1"), "c.toml:1:1: unknown key 'zzz'; known are url, inner");
        assert_eq!(
            error("[inner]\nport = \"ü\""),
            "c.toml:2:8: invalid type: string \"ü\", expected u16"
        );
    }

    #[test]
    fn a_missing_file_is_an_empty_one_and_another_problem_is_none() {
        assert!(read::<Outer>(Path::new("/nonexistent/c.toml")).unwrap().url.is_empty());
        assert!(read::<Outer>(Path::new("/")).unwrap_err().to_string().starts_with("cannot read /"));
    }
}
