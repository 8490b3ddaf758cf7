//! Reading Markdown and shell, as far as the documents need it.

use std::{fs, path::Path};

/// A document with its path in the repository.
pub struct Page {
    pub path: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn page(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), text }
}

/// The pages whose commands are run.
pub fn manual() -> Vec<Page> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut docs: Vec<String> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    docs.sort();
    assert!(docs.len() > 10, "the manual is not found: {docs:?}");
    ["README.md", "CONTRIBUTING.md"]
        .map(str::to_owned)
        .into_iter()
        .chain(docs)
        .map(|path| page(&path))
        .collect()
}

/// Every document.
pub fn all() -> Vec<Page> {
    manual().into_iter().chain(["ARCHITECTURE.md", "CHANGELOG.md"].map(page)).collect()
}

impl Page {
    /// The fenced blocks of a language.
    pub fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        self.fences().filter(move |(tag, _)| *tag == language).map(|(_, block)| block)
    }

    /// All fenced blocks with their languages.
    pub fn fences(&self) -> impl Iterator<Item = (&str, &str)> {
        let inside = self.text.split("```").skip(1).step_by(2);
        inside.map(|fence| fence.split_once('\n').unwrap_or((fence, "")))
    }

    /// The commands of the shell blocks, each on one line, without comments.
    pub fn commands(&self) -> Vec<String> {
        let text = self.blocks("sh").collect::<String>().replace("\\\n", " ");
        let lines = text.lines().map(without_comment);
        // One space between words, so that lists of commands do not depend on how lines are broken.
        let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// What stands between single backticks, outside of fenced blocks, on one line.
    pub fn code_spans(&self) -> impl Iterator<Item = &str> {
        code_spans(&self.text)
    }

    /// The rows of the tables below a heading, or of the whole page, as trimmed cells.
    pub fn rows(&self, heading: &str) -> impl Iterator<Item = Vec<&str>> {
        let text = if heading.is_empty() { self.text.as_str() } else { self.section(heading) };
        let lines = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
        lines.map(|line| line.split('|').map(str::trim).collect())
    }

    /// From a heading to the next one of its level or above.
    fn section(&self, heading: &str) -> &str {
        let start = self.text.find(&format!("\n{heading}\n"));
        let start = start.unwrap_or_else(|| panic!("{}: no {heading}", self.path)) + heading.len() + 1;
        let rest = &self.text[start..];
        let level = heading.split(' ').next().unwrap().len();
        let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))));
        ends.min().map_or(rest, |end| &rest[..end])
    }

    /// How its headings are linked to.
    pub fn anchors(&self) -> impl Iterator<Item = String> {
        let headings = self.text.split("```").step_by(2).flat_map(str::lines);
        headings.filter(|line| line.starts_with('#')).map(|line| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
    }
}

pub fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(str::lines).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A shell line up to its comment.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if before.is_whitespace() => return line[..at].trim(),
            _ => {}
        }
        before = c;
    }
    line.trim()
}

/// The words of a shell line; quotes are taken off.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
