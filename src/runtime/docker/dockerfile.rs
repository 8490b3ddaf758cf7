//! The images that a Dockerfile begins with, which are looked for or pulled before it is built.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    downloads::refuse_downloads,
    instructions::{Reading, escape_of, is_comment, lines},
};

/// Reads a Dockerfile; returns the images that it needs, in its order and each once. An error goes after the Dockerfile's name.
pub(super) fn images(text: &str, args: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let lines = lines(text);
    refuse_downloads(&lines)?;
    let escape = escape_of(&lines);
    let double = [escape; 2].iter().collect::<String>();
    let is_unclear = |line: &str| !is_comment(line) && line.trim_end().ends_with(&double);
    if let Some(at) = lines.iter().position(|line| is_unclear(line)) {
        return Err(format!(
            "line {}: it ends with `{double}`, which engines read differently; write it in another way",
            at + 1
        ));
    }
    let reading = Reading { escape, skips_indented: true };
    let mut stages = Stages::new(args);
    let mut at = 0;
    while at < lines.len() {
        let (instruction, next) = reading.joined(&lines, at);
        let number = at + 1;
        at = next;
        stages.add(&instruction).map_err(|problem| format!("line {number}: {problem}"))?;
    }
    match stages.count {
        0 => Err("it has no `FROM`".to_owned()),
        _ => Ok(stages.images),
    }
}

/// The stages of a Dockerfile so far.
struct Stages<'a> {
    args: &'a BTreeMap<String, String>,
    /// The arguments that are declared before the first stage, or why one has no value that is known here.
    declared: BTreeMap<String, Result<String, String>>,
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
            "ARG" if self.count == 0 => {
                words.for_each(|word| self.declare(word));
                Ok(())
            }
            "FROM" => self.begin(&words.collect::<Vec<_>>()),
            "COPY" => {
                let from = words.find_map(|word| word.strip_prefix("--from="));
                from.into_iter().for_each(|from| self.need(from));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Notes an argument. What is wrong with its default matters where a `FROM` uses it.
    fn declare(&mut self, word: &str) {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(default)),
            None => (word, None),
        };
        let given = self.args.get(name).cloned().map(Ok);
        let default = || {
            let filled = self.filled(default?);
            Some(filled.map_err(|problem| format!("it uses the argument {name}: {problem}")))
        };
        if let Some(value) = given.or_else(default) {
            self.declared.insert(name.to_owned(), value);
        }
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
            text.push_str(&self.value(inside)?);
            rest = behind;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// Returns the value of what stands between the braces of a variable.
    fn value(&self, inside: &str) -> Result<String, String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, default),
            None => (inside, ""),
        };
        if name.is_empty() || !name.chars().all(is_of_name) || default.contains(['$', '{', '\\']) {
            return Err(format!(
                "`${{{inside}}}` is not supported here; write a plain variable, `${{NAME}}`"
            ));
        }
        let value = self.declared.get(name).cloned().transpose()?;
        Ok(value.filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()))
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
            // A default that no `FROM` uses is left to the engine.
            ("ARG RE='^v$'\nARG X=${A:?msg}\nARG TAG=${X}\nFROM a:$TAG", &["a:2"]),
            ("# a comment \\\\\nFROM a\nRUN x \\\n# another \\\\\n y", &["a"]),
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
                "ARG X=${A:?msg}\nARG Y=a:$X\nFROM $Y",
                "line 3: it uses the argument Y: it uses the argument X: `${A:?msg}` is not supported here; write a plain \
                 variable, `${NAME}`",
            ),
            (
                "FROM a\nRUN x \\\\\nRUN y",
                "line 2: it ends with `\\\\`, which engines read differently; write it in another way",
            ),
        ] {
            assert_eq!(read(text), Err(problem.to_owned()), "{text}");
        }
    }
}
