//! The files of `src/` as the rules read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of `src/`.
pub struct Source {
    /// Below `src/`, with `/`.
    pub path: String,
    pub tokens: Vec<Token>,
}

/// Something of ours that a file names.
#[derive(Debug)]
pub struct Name<'s> {
    pub line: usize,
    /// From the root.
    pub path: Vec<&'s str>,
    /// Others find it here, too: `pub use`.
    pub is_public: bool,
    /// It stands in the file's tests.
    pub is_test: bool,
}

#[derive(Debug)]
pub struct Token {
    /// From 1.
    pub line: usize,
    /// An identifier or number, `::`, or one character.
    pub text: String,
}

pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.join("Cargo.toml").exists() {
                // A crate of its own.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let tokens = tokens(&fs::read_to_string(&path).unwrap());
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, tokens });
            }
        }
    }
    assert!(found.len() > 50, "the sources are not where they were");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

impl Source {
    /// `store` for `store/mod.rs` and `store/sqlite/reads.rs`, `app` for `app.rs`; none for the roots.
    pub fn module(&self) -> Option<&str> {
        let first = self.path.split('/').next().unwrap_or_default();
        let first = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(first, "main" | "lib")).then_some(first)
    }

    /// The path of its module from the root: `store`, `sqlite`, `reads`.
    pub fn module_path(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        path.split('/').filter(|segment| *segment != "mod").collect()
    }

    /// The modules at the top that the file names, with the line.
    pub fn imports(&self) -> Vec<(usize, &str)> {
        let names = self.names(&|_| false).into_iter();
        let first = names.filter_map(|name| Some((name.line, *name.path.first()?)));
        first.filter(|(_, import)| Some(*import) != self.module()).collect()
    }

    /// Everything of ours that the file names: by `crate::…`, `self::…` or `super::…`, or by the name of a module
    /// inside its own (`is_module` says which paths from the root are modules).
    pub fn names(&self, is_module: &dyn Fn(&[&str]) -> bool) -> Vec<Name<'_>> {
        let mut found = Vec::new();
        let mut module = self.module_path();
        // The brace depths at which inline modules began.
        let (mut braces, mut inline) = (0, Vec::new());
        let (mut index, mut is_test) = (0, None);
        while index < self.tokens.len() {
            match self.text(index) {
                "mod" if self.text(index + 2) == "{" => {
                    if self.text(index + 1) == "tests" {
                        is_test.get_or_insert(braces);
                    }
                    module.push(self.text(index + 1));
                    braces += 1;
                    inline.push(braces);
                    index += 2;
                }
                "{" => braces += 1,
                "}" => {
                    if inline.last() == Some(&braces) {
                        inline.pop();
                        module.pop();
                    }
                    braces -= 1;
                    is_test = is_test.filter(|depth| *depth < braces);
                }
                // Not the `use<…>` of a type.
                "use" if self.text(index + 1) != "<" => {
                    let is_public = index > 0 && matches!(self.text(index - 1), "pub" | ")");
                    let mut paths = Vec::new();
                    index = self.tree(index + 1, &[], &mut paths);
                    for (line, path) in paths {
                        let path = absolute(&module, &path, is_module);
                        let is_test = is_test.is_some();
                        found.extend(path.map(|path| Name { line, path, is_public, is_test }));
                    }
                    continue;
                }
                "crate" | "self" | "super" if self.text(index + 1) == "::" => {
                    let (line, mut path) = (self.tokens[index].line, vec![self.text(index)]);
                    while self.text(index + 1) == "::" && self.text(index + 2).starts_with(is_word) {
                        path.push(self.text(index + 2));
                        index += 2;
                    }
                    let path = absolute(&module, &path, is_module);
                    let is_test = is_test.is_some();
                    found.extend(path.map(|path| Name { line, path, is_public: false, is_test }));
                }
                _ => {}
            }
            index += 1;
        }
        found
    }

    /// Reads one tree of a `use`; answers where what follows it begins.
    fn tree<'s>(
        &'s self,
        mut index: usize,
        before: &[&'s str],
        found: &mut Vec<(usize, Vec<&'s str>)>,
    ) -> usize {
        let mut path = before.to_vec();
        loop {
            match self.text(index) {
                "{" => {
                    index += 1;
                    while !matches!(self.text(index), "}" | "") {
                        index = self.tree(index, &path, found);
                        if self.text(index) == "," {
                            index += 1;
                        }
                    }
                    return index + 1;
                }
                "::" => index += 1,
                // The name that it gets here does not matter.
                "as" => index += 2,
                "," | "}" | ";" | "" => break,
                name => {
                    if name != "self" || path.is_empty() {
                        path.push(name);
                    }
                    index += 1;
                }
            }
        }
        let line = self.tokens.get(index - 1).map_or(0, |token| token.line);
        found.push((line, path));
        index
    }

    fn text(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text.as_str())
    }
}

/// A path as it stands in a module, from the root; None of what is not ours.
fn absolute<'s>(
    module: &[&'s str],
    path: &[&'s str],
    is_module: &dyn Fn(&[&str]) -> bool,
) -> Option<Vec<&'s str>> {
    let mut base = module.to_vec();
    let mut rest = path;
    match *rest.first()? {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" | "super" => {
            while let Some(&step @ ("self" | "super")) = rest.first() {
                if step == "super" {
                    base.pop();
                }
                rest = &rest[1..];
            }
        }
        child => {
            base.push(child);
            if !is_module(&base) {
                return None;
            }
            base.pop();
        }
    }
    base.extend(rest);
    Some(base)
}

/// Rust as far as it matters here: no comments, strings, characters and lifetimes.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        let taken = if length > 0 {
            length
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if length == 0 && !first.is_whitespace() {
            tokens.push(Token { line, text: rest[..taken].to_owned() });
        }
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    tokens
}

/// The length of the comment, string, character or lifetime that begins here; 0 when none does.
fn skipped(rest: &str) -> usize {
    let past =
        |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let after_prefix = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - after_prefix.len();
    if let Some(raw) = after_prefix.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return past(prefix + 2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if prefix <= 1 && after_prefix.starts_with('"') {
        return prefix + quoted(after_prefix, '"');
    }
    if let Some(after) = rest.strip_prefix('\'') {
        let mut characters = after.chars();
        let is_lifetime = characters.next().is_some_and(is_word) && characters.next() != Some('\'');
        let name = after.find(|c| !is_word(c)).unwrap_or(after.len());
        return if is_lifetime { 1 + name } else { quoted(rest, '\'') };
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let step = match &rest[at..] {
            inner if inner.starts_with("/*") => {
                depth += 1;
                2
            }
            inner if inner.starts_with("*/") => {
                depth -= 1;
                2
            }
            inner => inner.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// With both quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
