//! What a Dockerfile asks of the engine itself, read before it is built: the images that it begins with, and downloads,
//! which the engine would do with the network of this host.

use std::collections::{BTreeMap, BTreeSet};

/// The size limit of a Dockerfile, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Reads a Dockerfile; returns the images that it needs, in its order and each once. The error is said with its name.
pub(super) fn images(text: &str, args: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<&str> = text.lines().collect();
    refuse_downloads(&lines)?;
    let escape = escape_of(&lines);
    let double = [escape; 2].iter().collect::<String>();
    if let Some(at) = lines.iter().position(|line| line.trim_end().ends_with(&double)) {
        return Err(format!(
            "line {}: it ends with `{double}`, which engines read differently; write it in another way",
            at + 1
        ));
    }
    let mut stages = Stages::new(args);
    let mut at = 0;
    while at < lines.len() {
        let (instruction, next) = joined(&lines, at, &[escape]);
        let number = at + 1;
        at = next;
        stages.add(&instruction).map_err(|problem| format!("line {number}: {problem}"))?;
    }
    match stages.count {
        0 => Err("it has no `FROM`".to_owned()),
        _ => Ok(stages.images),
    }
}

/// Returns whether an instruction has the engine download something.
pub(super) fn downloads(instruction: &str) -> bool {
    let mut words = instruction.split_whitespace();
    let mut word = words.next().unwrap_or_default().to_ascii_uppercase();
    if word == "ONBUILD" {
        word = words.next().unwrap_or_default().to_ascii_uppercase();
    }
    // A variable may stand for an address.
    word == "ADD" && words.any(|word| word.contains("://") || word.contains('$'))
}

/// Whatever a line may belong to: what one engine reads as a part of an instruction is to another one its beginning.
fn refuse_downloads(lines: &[&str]) -> Result<(), String> {
    for at in 0..lines.len() {
        if downloads(&joined(lines, at, &['\\', '`']).0) {
            return Err(format!(
                "line {}: `ADD` with an address or a variable is not supported: the engine would download it with the \
                 network of its host; use `COPY` for files, and for others a `RUN` with `network = \"egress\"` under [build]",
                at + 1
            ));
        }
    }
    Ok(())
}

/// Returns the character that continues a line, which the first comments may set.
fn escape_of(lines: &[&str]) -> char {
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

/// Returns the instruction that begins at a line, and the line after it. Comments and empty lines in it do not count.
fn joined(lines: &[&str], start: usize, escapes: &[char]) -> (String, usize) {
    let mut text = String::new();
    let mut at = start;
    while let Some(line) = lines.get(at) {
        at += 1;
        let is_first = at == start + 1;
        if line.trim_start().starts_with('#') || (line.trim().is_empty() && !is_first) {
            if is_first {
                break;
            }
            continue;
        }
        let line = if is_first { line.trim_start() } else { line };
        match line.trim_end_matches([' ', '\t']).strip_suffix(escapes) {
            Some(begun) => text.push_str(begun),
            None => {
                text.push_str(line);
                break;
            }
        }
    }
    (text, at)
}

/// The stages of a Dockerfile so far.
struct Stages<'a> {
    args: &'a BTreeMap<String, String>,
    /// The arguments that are declared before the first stage.
    declared: BTreeMap<String, String>,
    names: BTreeSet<String>,
    count: usize,
    images: Vec<String>,
}

impl<'a> Stages<'a> {
    fn new(args: &'a BTreeMap<String, String>) -> Self {
        let (declared, names, images) = Default::default();
        Self { args, declared, names, count: 0, images }
    }

    fn add(&mut self, instruction: &str) -> Result<(), String> {
        let mut words = instruction.split_whitespace();
        match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "ARG" if self.count == 0 => words.try_for_each(|word| self.declare(word)),
            "FROM" => self.begin(&words.collect::<Vec<_>>()),
            "COPY" => {
                let from = words.find_map(|word| word.strip_prefix("--from="));
                from.into_iter().for_each(|from| self.need(from));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn declare(&mut self, word: &str) -> Result<(), String> {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(self.filled(default)?)),
            None => (word, None),
        };
        if let Some(value) = self.args.get(name).cloned().or(default) {
            self.declared.insert(name.to_owned(), value);
        }
        Ok(())
    }

    fn begin(&mut self, words: &[&str]) -> Result<(), String> {
        let (flags, words): (Vec<&str>, Vec<&str>) =
            words.iter().copied().partition(|word| word.starts_with("--"));
        if let Some(flag) = flags.first() {
            return Err(format!(
                "`FROM {flag}` is not supported: an image runs on this machine as it is"
            ));
        }
        let (image, name) = match words[..] {
            [image] => (image, None),
            [image, word, name] if word.eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => {
                return Err("`FROM` needs the name of an image, and may have `AS` and a name".to_owned());
            }
        };
        let filled = self.filled(image)?;
        if filled.is_empty() {
            return Err(format!(
                "`FROM {image}` names no image; give the argument a default, or a value under [build.args] in cloudfunc.toml"
            ));
        }
        self.need(&filled);
        self.names.insert(self.count.to_string());
        self.names.extend(name.map(str::to_lowercase));
        self.count += 1;
        Ok(())
    }

    /// Notes an image, unless it is a stage.
    fn need(&mut self, image: &str) {
        let is_stage = self.names.contains(&image.to_lowercase());
        if image != "scratch" && !is_stage && !self.images.iter().any(|known| known == image) {
            self.images.push(image.to_owned());
        }
    }

    /// Returns a word with the values of its variables.
    fn filled(&self, word: &str) -> Result<String, String> {
        let word: String = word.chars().filter(|char| !matches!(char, '"' | '\'')).collect();
        let (mut text, mut rest) = (String::new(), word.as_str());
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            let (inside, behind) = match after.strip_prefix('{') {
                Some(after) => after.split_once('}').ok_or_else(|| format!("`{word}` has no `}}`"))?,
                None => after.split_at(after.find(|c: char| !is_of_name(c)).unwrap_or(after.len())),
            };
            text.push_str(&self.value(inside).ok_or_else(|| {
                format!("`${{{inside}}}` is not supported here; write a plain variable, `${{NAME}}`")
            })?);
            rest = behind;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Returns the value of what stands between the braces of a variable.
    fn value(&self, inside: &str) -> Option<String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, default),
            None => (inside, ""),
        };
        if name.is_empty() || !name.chars().all(is_of_name) || default.contains(['$', '{', '\\']) {
            return None;
        }
        let value = self.declared.get(name).filter(|value| !value.is_empty());
        Some(value.map_or(default, String::as_str).to_owned())
    }
}

fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let args =
            BTreeMap::from([("TAG".to_owned(), "2".to_owned()), ("OTHER".to_owned(), "x".to_owned())]);
        images(text, &args)
    }

    #[test]
    fn the_images_are_those_that_are_no_stage() {
        for (text, expected) in [
            ("FROM a", &["a"][..]),
            (
                "\u{feff}# a comment\n\nfrom a:1 as build\nFROM scratch\nCOPY --from=build /x /x",
                &["a:1"],
            ),
            (
                "FROM a AS one\nFROM one AS two\nFROM b\nCOPY --from=two . .\nCOPY --from=0 . .",
                &["a", "b"],
            ),
            ("FROM a\nCOPY --from=c:1 /x /x\nCOPY --from=c:1 /y /y", &["a", "c:1"]),
            ("ARG TAG\nFROM a:$TAG", &["a:2"]),
            ("ARG TAG=1\nFROM a:${TAG}-slim", &["a:2-slim"]),
            ("ARG V=\"3\" W=4\nFROM a:$V.$W", &["a:3.4"]),
            ("ARG V=1\nARG BASE=a:$V\nFROM ${BASE}", &["a:1"]),
            ("FROM ${NONE:-a:1}", &["a:1"]),
            ("FROM \\\n  # why\n  a \\\n  AS b", &["a"]),
            ("# escape=`\nFROM a `\n AS b\nRUN echo \\", &["a"]),
            ("FROM a\nRUN echo \\\n FROM b", &["a"]),
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_built_is_said_with_its_line() {
        for (text, problem) in [
            ("", "it has no `FROM`"),
            ("RUN true", "it has no `FROM`"),
            ("FROM", "line 1: `FROM` needs the name of an image, and may have `AS` and a name"),
            (
                "FROM --platform=linux/arm64 a",
                "line 1: `FROM --platform=linux/arm64` is not supported: an image runs on this machine as it is",
            ),
            (
                "\nFROM $OTHER",
                "line 2: `FROM $OTHER` names no image; give the argument a default, or a value under [build.args] in \
                 cloudfunc.toml",
            ),
            (
                "FROM ${A:+b}",
                "line 1: `${A:+b}` is not supported here; write a plain variable, `${NAME}`",
            ),
            ("FROM ${A", "line 1: `${A` has no `}`"),
            (
                "FROM a\nRUN x \\\\\nRUN y",
                "line 2: it ends with `\\\\`, which engines read differently; write it in another way",
            ),
        ] {
            assert_eq!(read(text), Err(problem.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_engine_downloads_nothing_for_an_author() {
        for text in [
            "ADD http://169.254.169.254/ /x",
            "add --chown=1:1 https://a/b /x",
            "ADD [\"http://a\", \"/x\"]",
            "ADD $URL /x",
            "ADD \\\n http://a /x",
            "A\\\nDD http://a /x",
            "ONBUILD ADD http://a /x",
            "ONBUILD \\\nADD http://a /x",
            "ADD `\nhttp://a /x",
            "ADD \\\n# why\n\nhttp://a /x",
            "RUN x \\\n  y\nADD http://a /x",
        ] {
            let problem = read(&format!("FROM a\n{text}")).unwrap_err();
            assert!(
                problem.contains("`ADD` with an address or a variable is not supported"),
                "{text}: {problem}"
            );
        }
        for text in ["ADD a.tar.gz /x", "RUN curl http://a", "RUN x ADD http://a", "COPY $A /x"] {
            read(&format!("FROM a\n{text}")).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        }
        assert!(downloads("ADD http://a /x") && !downloads("RUN make") && !downloads(""));
    }
}
