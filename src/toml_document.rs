//! TOML files with precise errors: file, line, column, key, and what would be accepted.
//!
//! A [`Section`] is one table of a [`Document`], a [`Field`] one of its values. A reader names the keys that it
//! knows ([`Section::only`]) and reads each field as the type that it needs.

use std::fmt;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A fault in a document, and its position. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct LocatedError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The text of a file, with which an offset is turned into a position.
#[derive(Clone, Copy)]
struct Source<'d> {
    file: &'d str,
    text: &'d str,
}

impl Source<'_> {
    fn error(&self, offset: usize, message: impl Into<String>) -> LocatedError {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        LocatedError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

/// A parsed TOML file.
pub struct Document<'d> {
    source: Source<'d>,
    root: DeTable<'d>,
}

impl<'d> Document<'d> {
    /// Parses a text; `file` is its name in errors.
    pub fn parse(text: &'d str, file: &'d str) -> Result<Self, LocatedError> {
        let source = Source { file, text };
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { source, root: root.into_inner() }),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                Err(source.error(offset, error.message().replace('\n', ", ")))
            }
        }
    }

    pub fn root(&self) -> Section<'_> {
        Section { source: self.source, path: String::new(), table: &self.root }
    }
}

/// One table of a document.
pub struct Section<'d> {
    source: Source<'d>,
    /// The path of the table; empty for the root.
    path: String,
    table: &'d DeTable<'d>,
}

impl<'d> Section<'d> {
    /// Returns the value of a key, if it exists.
    pub fn get(&self, key: &str) -> Option<Field<'d>> {
        self.fields().find(|(name, _)| *name == key).map(|(_, field)| field)
    }

    /// Returns all keys with their values, by key.
    pub fn fields(&self) -> impl Iterator<Item = (&'d str, Field<'d>)> {
        let (source, table) = (self.source, self.table);
        table.iter().map(move |(key, value)| {
            let name = key.get_ref().as_ref();
            (name, Field { source, path: self.path_of(name), key_at: key.span().start, value })
        })
    }

    /// Refuses every key except these, and suggests the nearest one.
    pub fn only(&self, known: &[&str]) -> Result<(), LocatedError> {
        let mut unknown: Vec<_> = self.fields().filter(|(name, _)| !known.contains(name)).collect();
        unknown.sort_by_key(|(_, field)| field.key_at);
        let Some((name, field)) = unknown.first() else { return Ok(()) };
        let advice = match nearest(name, known) {
            Some(near) => format!("did you mean `{}`?", self.path_of(near)),
            None => format!("accepted are {}", list(known.iter().map(|key| format!("`{key}`")))),
        };
        Err(field.key_error(format!("unknown key `{}`; {advice}", field.path)))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// One value of a document.
#[derive(Clone)]
pub struct Field<'d> {
    source: Source<'d>,
    /// The name that a user would use: `scaling.max_instances`.
    path: String,
    key_at: usize,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Field<'d> {
    /// Makes an error at the key.
    pub fn key_error(&self, message: impl Into<String>) -> LocatedError {
        self.source.error(self.key_at, message)
    }

    /// Makes an error at the value.
    pub fn error(&self, message: impl Into<String>) -> LocatedError {
        self.source.error(self.value.span().start, message)
    }

    /// Makes an error that says what the value is and what it must be: `` `timeout` is "0s"; {must}``.
    pub fn refuse(&self, must: impl fmt::Display) -> LocatedError {
        self.error(format!("`{}` is {}; {must}", self.path, self.written()))
    }

    /// Reads a string; `example` shows how the value would be written.
    pub fn string(&self, example: &str) -> Result<&'d str, LocatedError> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_kind("a string", example))
    }

    /// Reads a string that a parser accepts; the parser's message becomes the error.
    pub fn parsed<T, E: fmt::Display>(
        &self,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, LocatedError> {
        let text = self.string(example)?;
        parse(text).map_err(|problem| self.error(format!("`{}`: {problem}", self.path)))
    }

    /// Reads one of the given words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, LocatedError> {
        let text = self.string(&format!("\"{}\"", words[0].0))?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let accepted = list(words.iter().map(|(word, _)| format!("\"{word}\"")));
            let verb = if words.len() == 1 { "is" } else { "are" };
            self.refuse(format!("accepted {verb} {accepted}"))
        })
    }

    /// Reads a whole number within the range.
    pub fn integer(&self, min: u32, max: u32) -> Result<u32, LocatedError> {
        let must = format!("it must be a whole number from {min} to {max}");
        let Some(written) = self.value.get_ref().as_integer() else { return Err(self.refuse(must)) };
        u32::from_str_radix(written.as_str(), written.radix())
            .ok()
            .filter(|value| (min..=max).contains(value))
            .ok_or_else(|| self.refuse(must))
    }

    /// Reads a number with or without a fraction.
    pub fn number(&self, min: f64, max: f64) -> Result<f64, LocatedError> {
        let value = self.value.get_ref();
        let text = value.as_float().map(|float| float.as_str());
        let text = text.or_else(|| value.as_integer().filter(|i| i.radix() == 10).map(|i| i.as_str()));
        text.and_then(|text| text.parse().ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.refuse(format!("it must be a number from {min} to {max}")))
    }

    /// Reads `true` or `false`.
    pub fn boolean(&self) -> Result<bool, LocatedError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.refuse("it must be true or false"))
    }

    /// Reads a list; its items have the name of the list.
    pub fn items(&self, example: &str) -> Result<Vec<Field<'d>>, LocatedError> {
        let Some(items) = self.value.get_ref().as_array() else {
            return Err(self.wrong_kind("a list", example));
        };
        let item =
            |value| Field { source: self.source, path: self.path.clone(), key_at: self.key_at, value };
        Ok(items.iter().map(item).collect())
    }

    /// Reads a table.
    pub fn section(&self) -> Result<Section<'d>, LocatedError> {
        match self.value.get_ref().as_table() {
            Some(table) => Ok(Section { source: self.source, path: self.path.clone(), table }),
            None => Err(self.refuse(format!("it must be a table: [{}]", self.path))),
        }
    }

    fn wrong_kind(&self, wanted: &str, example: &str) -> LocatedError {
        self.refuse(format!("it must be {wanted}: {} = {example}", self.path))
    }

    /// Returns the value as it stands in the file; for a long one or one of several lines, only its kind.
    fn written(&self) -> String {
        let value = self.value.get_ref();
        let text = &self.source.text[self.value.span()];
        let short = text.len() <= 60 && !text.contains('\n');
        match value {
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            _ if short => text.to_owned(),
            other => format!("a long {}", other.type_str()),
        }
    }
}

/// Returns the known word that was most likely meant.
pub fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let scored =
        known.iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate));
    scored.filter(|(distance, near)| *distance <= 1 + near.len() / 4).min().map(|(_, near)| near)
}

/// Formats a list: `a`, `a and b`, `a, b and c`.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}
